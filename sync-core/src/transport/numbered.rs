//! Entries of the log with their numbers in it.

use std::ops::Deref;
use std::sync::Arc;

use crate::model::entry::Entry;

/// Entries of the log with their numbers in it, in order.
///
/// Those that came in batches hold these too, so that a replica keeps what it checked instead of writing it anew. Who
/// changes anything takes the entries out as a list, and they are written again.
///
/// ```
/// use sync_core::transport::Numbered;
/// let mut entries = Numbered::default();
/// entries.to_mut().clear();
/// assert!(entries.is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Numbered {
    entries: Vec<(u64, Arc<Entry>)>,
    /// Exactly these entries, as batches; empty where they did not come so.
    batches: Vec<Arc<[u8]>>,
}

impl Numbered {
    /// Entries that were read from these batches, all of them and in this order.
    pub(crate) fn read(entries: Vec<(u64, Arc<Entry>)>, batches: Vec<Arc<[u8]>>) -> Self {
        Self { entries, batches }
    }

    /// The entries as a list that can be changed.
    pub fn to_mut(&mut self) -> &mut Vec<(u64, Arc<Entry>)> {
        self.batches.clear();
        &mut self.entries
    }

    /// The batches that hold exactly these entries, where they came so.
    pub(crate) fn batches(&self) -> &[Arc<[u8]>] {
        &self.batches
    }
}

impl Deref for Numbered {
    type Target = [(u64, Arc<Entry>)];
    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl PartialEq for Numbered {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}

impl Eq for Numbered {}

impl From<Vec<(u64, Arc<Entry>)>> for Numbered {
    fn from(entries: Vec<(u64, Arc<Entry>)>) -> Self {
        Self { entries, batches: Vec::new() }
    }
}

impl FromIterator<(u64, Arc<Entry>)> for Numbered {
    fn from_iter<I: IntoIterator<Item = (u64, Arc<Entry>)>>(entries: I) -> Self {
        Vec::from_iter(entries).into()
    }
}

impl IntoIterator for Numbered {
    type Item = (u64, Arc<Entry>);
    type IntoIter = std::vec::IntoIter<(u64, Arc<Entry>)>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<'a> IntoIterator for &'a Numbered {
    type Item = &'a (u64, Arc<Entry>);
    type IntoIter = std::slice::Iter<'a, (u64, Arc<Entry>)>;
    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}
