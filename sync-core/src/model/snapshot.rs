//! Snapshots: records with the entries that they contain; reconciling and joining them.

use std::collections::BTreeMap;

use super::entry::{Entry, EntityKey};
use super::record::Record;
use super::stamp::{Context, Forked};

/// The state that a set of entries makes: every entity's record, and which entries are in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    records: BTreeMap<EntityKey, Record>,
    context: Context,
}

/// Folds entries into a snapshot.
///
/// A pure function of the snapshot and the *set* of entries: their order and repetitions do not matter.
/// `O(entries)`, whatever the history (delta-state CRDTs: Almeida, Shoker, Baquero 2018).
///
/// # Errors
/// [`Forked`] if two different entries are seen to have one name.
///
/// ```
/// use sync_core::{reconcile, Snapshot};
/// let nothing = reconcile(Snapshot::default(), [])?;
/// assert_eq!(nothing, Snapshot::default());
/// # Ok::<(), sync_core::Forked>(())
/// ```
pub fn reconcile<'a>(base: Snapshot, entries: impl IntoIterator<Item = &'a Entry>) -> Result<Snapshot, Forked> {
    let mut snapshot = base;
    for entry in entries {
        snapshot.apply(entry)?;
    }
    Ok(snapshot)
}

impl Snapshot {
    /// The snapshot of these records, which contain these entries.
    pub fn new(records: impl IntoIterator<Item = (EntityKey, Record)>, context: Context) -> Self {
        Self { records: records.into_iter().collect(), context }
    }

    /// Folds one entry in; `false` if it was in already.
    ///
    /// # Errors
    /// [`Forked`] if another entry of that name is in, and that can be seen; nothing was changed then.
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, Forked> {
        let had_gaps = self.context.early().next().is_some();
        if !self.context.add(entry.dot(), entry.hash())? {
            return Ok(false);
        }
        let record = self.records.entry(entry.key.clone()).or_default();
        record.apply(entry, &self.context);
        if record.is_empty() {
            self.records.remove(&entry.key);
        }
        if had_gaps {
            self.settle();
        }
        Ok(true)
    }

    /// Counters whose additions arrived early take them in once the gap before them is closed.
    fn settle(&mut self) {
        let unsettled = self.records.values_mut().filter(|record| record.is_unsettled());
        unsettled.for_each(|record| record.settle(&self.context));
    }

    /// The state that the entries of both make. Commutative, associative, idempotent, and equal to folding
    /// the union of the entries. `O(records)`.
    ///
    /// # Errors
    /// [`Forked`] if one name is seen to have two contents.
    pub fn join(&self, other: &Snapshot) -> Result<Snapshot, Forked> {
        let context = self.context.join(&other.context)?;
        let mut records = BTreeMap::new();
        let nothing = Record::default();
        for key in self.records.keys().chain(other.records.keys()) {
            if records.contains_key(key) {
                continue;
            }
            let ours = self.records.get(key).unwrap_or(&nothing);
            let theirs = other.records.get(key).unwrap_or(&nothing);
            let record = ours.join(&self.context, theirs, &other.context, &context);
            records.insert(key.clone(), record);
        }
        records.retain(|_, record| !record.is_empty());
        Ok(Snapshot { records, context })
    }

    /// One entity's record.
    pub fn get(&self, key: &EntityKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// All records in the order of their keys.
    pub fn records(&self) -> impl Iterator<Item = (&EntityKey, &Record)> {
        self.records.iter()
    }

    /// Which entries are in it.
    pub fn context(&self) -> &Context {
        &self.context
    }
}
