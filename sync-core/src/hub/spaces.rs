//! The named spaces of one hub process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

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
    /// Held for moments only.
    places: Mutex<HashMap<String, Arc<Place>>>,
}

#[derive(Default)]
struct Place {
    /// The space while it is open. Locked while it is opened: one that is opened twice at once would stand in its own way,
    /// and one that opens slowly stands in no other's.
    hub: Mutex<Option<Hub>>,
    /// Its store failed, and was not seen to take a write since. A full disk can be opened all the same.
    is_doubtful: AtomicBool,
}

impl Spaces {
    /// Spaces that are built like `template`, each in the store that `open` gives for its name. A space's store that failed
    /// is let go of before `open` is called for that space again.
    pub fn new(
        template: HubBuilder,
        open: impl Fn(&str) -> Result<Arc<dyn Store>, StoreError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner { template, open: Some(Box::new(open)), places: Mutex::default() }))
    }

    /// One space alone.
    pub fn single(hub: Hub) -> Self {
        let places = HashMap::from([(hub.space().to_owned(), Arc::new(Place::of(hub)))]);
        Self(Arc::new(Inner { template: Hub::builder(), open: None, places: Mutex::new(places) }))
    }

    /// The space of this name. Blocks while it is opened.
    ///
    /// # Errors
    /// If its store cannot be opened or read; [`Error::Config`] if there is no such space. [`StoreError::Locked`] also while
    /// somebody is still at work with what was opened before its store failed: try again.
    pub fn get(&self, name: &str) -> Result<Hub, Error> {
        let place = self.place(name)?;
        let got = self.get_at(&place, name);
        if got.is_err() {
            self.leave(name, place);
        }
        got
    }

    fn get_at(&self, place: &Place, name: &str) -> Result<Hub, Error> {
        let mut at = place.lock();
        let open = match (&*at, &self.0.open) {
            (Some(hub), None) => return Ok(hub.clone()),
            (Some(hub), _) if !hub.has_failed() => return Ok(hub.clone()),
            (failed, Some(open)) => {
                place.is_doubtful.fetch_or(failed.is_some(), Ordering::SeqCst);
                open
            }
            (None, None) => return Err(no_space(name)),
        };
        // A store may be one that can be open only once.
        *at = None;
        let hub = self.0.template.clone().space(name).open(open(name)?)?;
        *at = Some(hub.clone());
        Ok(hub)
    }

    /// The space of this name if it is open and can be had at once: never blocks.
    pub fn get_open(&self, name: &str) -> Option<Hub> {
        let place = self.places().get(name).cloned()?;
        place.if_open().filter(|hub| !hub.has_failed())
    }

    /// The spaces that are open, by name, without those that are being opened: never blocks.
    pub fn opened(&self) -> Vec<Hub> {
        let places: Vec<Arc<Place>> = self.places().values().cloned().collect();
        let mut open: Vec<Hub> = places.iter().filter_map(|place| place.if_open()).collect();
        open.sort_by(|a, b| a.space().cmp(b.space()));
        open
    }

    /// Opens again those spaces whose stores failed, and has their stores take a small write, which leaves nothing behind:
    /// for whoever wants to know whether all is well, as `sync-http` does at `/readyz`. Where no store failed it costs nothing.
    ///
    /// # Errors
    /// Of the first that cannot be opened or written to; or what its store failed with, if it is the
    /// [single](Self::single) one.
    pub fn reopen_failed(&self) -> Result<(), Error> {
        let places: Vec<_> = self.places().iter().map(|(name, place)| (name.clone(), place.clone())).collect();
        let mut failed: Vec<_> = places.into_iter().filter(|(_, place)| place.is_doubtful()).collect();
        failed.sort_by(|(a, _), (b, _)| a.cmp(b));
        failed.iter().try_for_each(|(name, place)| {
            let hub = self.get_at(place, name)?;
            match hub.inner.journal.failure() {
                Some(error) if self.0.open.is_none() => Err(Error::Store(error)),
                _ => hub.inner.try_writing(),
            }?;
            place.is_doubtful.store(false, Ordering::SeqCst);
            Ok(())
        })
    }

    fn places(&self) -> MutexGuard<'_, HashMap<String, Arc<Place>>> {
        // Every change is made whole before the lock is released.
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, name: &str) -> Result<Arc<Place>, Error> {
        let mut places = self.places();
        match places.get(name) {
            Some(place) => Ok(place.clone()),
            None if self.0.open.is_none() => Err(no_space(name)),
            None => Ok(places.entry(name.to_owned()).or_default().clone()),
        }
    }

    /// Names that cannot be opened take no memory, unless somebody else is at it.
    fn leave(&self, name: &str, place: Arc<Place>) {
        let mut places = self.places();
        let is_ours = places.get(name).is_some_and(|kept| Arc::ptr_eq(kept, &place));
        if is_ours && !place.is_doubtful() && Arc::strong_count(&place) == 2 && place.if_open().is_none() {
            places.remove(name);
        }
    }
}

impl Place {
    fn of(hub: Hub) -> Self {
        Self { hub: Mutex::new(Some(hub)), is_doubtful: AtomicBool::new(false) }
    }

    /// Whether its store may not take writes.
    fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::SeqCst) || self.if_open().is_some_and(|hub| hub.has_failed())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Hub>> {
        // If opening panicked, nothing is open.
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn if_open(&self) -> Option<Hub> {
        match self.hub.try_lock() {
            Ok(at) => at.clone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

fn no_space(name: &str) -> Error {
    Error::Config { message: format!("this hub has no space `{name}`") }
}

impl std::fmt::Debug for Spaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.opened()).finish()
    }
}
