//! The named spaces of one hub process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Hub, HubBuilder};
use crate::error::Error;
use crate::store::{Store, StoreError};

type Open = dyn Fn(&str) -> Result<Arc<dyn Store>, StoreError> + Send + Sync;

/// The named spaces of one hub process: each is opened when it is first asked for, and again after its store failed.
#[derive(Clone)]
pub struct Spaces(Arc<Inner>);

struct Inner {
    template: HubBuilder,
    open: Option<Box<Open>>,
    hubs: Mutex<HashMap<String, Hub>>,
}

impl Spaces {
    /// Spaces that are built like `template`, each in the store that `open` gives for its name.
    pub fn new(
        template: HubBuilder,
        open: impl Fn(&str) -> Result<Arc<dyn Store>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { template, open: Some(Box::new(open)), hubs: Mutex::default() }))
    }

    /// One space alone.
    pub fn single(hub: Hub) -> Self {
        let hubs = HashMap::from([(hub.space().to_owned(), hub)]);
        Self(Arc::new(Inner { template: Hub::builder(), open: None, hubs: Mutex::new(hubs) }))
    }

    /// The space of this name.
    ///
    /// # Errors
    /// If its store cannot be opened or read; [`Error::Config`] if there is no such space.
    pub fn get(&self, name: &str) -> Result<Hub, Error> {
        // Held while a space is opened: one that is opened twice at once would stand in its own way.
        let mut hubs = self.0.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        match (hubs.get(name), &self.0.open) {
            (Some(hub), open) if open.is_none() || !hub.has_failed() => return Ok(hub.clone()),
            _ => {}
        }
        let Some(open) = &self.0.open else {
            return Err(Error::Config { message: format!("this hub has no space `{name}`") });
        };
        let hub = self.0.template.clone().space(name).open(open(name)?)?;
        hubs.insert(name.to_owned(), hub.clone());
        Ok(hub)
    }

    /// The space of this name if it is open and can be had at once: never blocks.
    pub fn get_open(&self, name: &str) -> Option<Hub> {
        let hubs = self.0.hubs.try_lock().ok()?;
        hubs.get(name).filter(|hub| !hub.has_failed()).cloned()
    }

    /// The spaces that are open, by name.
    pub fn opened(&self) -> Vec<Hub> {
        let hubs = self.0.hubs.lock().unwrap_or_else(PoisonError::into_inner);
        let mut open: Vec<Hub> = hubs.values().cloned().collect();
        open.sort_by(|a, b| a.space().cmp(b.space()));
        open
    }
}

impl std::fmt::Debug for Spaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.opened()).finish()
    }
}
