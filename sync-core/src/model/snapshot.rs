//! Snapshots: records with the entries that they contain; reconciling and joining them.

mod bulk;

use std::collections::{BTreeMap, BTreeSet};

use super::batch::BatchError;
use super::context::{Context, Forked};
use super::entry::{EntityKey, Entry, Map};
use super::op::Op;
use super::record::Record;
use super::stamp::{Dot, Dots};

/// The state that a set of entries makes: every entity's record, and which entries are in it.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Never iterated in its own order.
    records: Map<Record>,
    context: Context,
    /// Which records wait for which entries: an index of what they say themselves.
    waiting: BTreeMap<Dot, BTreeSet<EntityKey>>,
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Self) -> bool {
        self.records == other.records && self.context == other.context
    }
}

impl Eq for Snapshot {}

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

/// Folds batches from elsewhere into a snapshot: what [`decode_batch`](super::batch::decode_batch) and [`reconcile`]
/// do, without making the entries. `O(bytes)`; holds the numbers of what is not replaced until the end, and copies
/// their values only then: many batches at once take less time than one after the other.
///
/// # Errors
/// [`BatchError`] if bytes are no batch of canonical entries, or two different entries have one name.
///
/// ```
/// use sync_core::model::entry::encode_batch;
/// use sync_core::{reconcile_batches, Snapshot};
/// let batches = [encode_batch([]), encode_batch([])];
/// let snapshot = reconcile_batches(Snapshot::default(), batches.iter().map(Vec::as_slice))?;
/// assert_eq!(snapshot, Snapshot::default());
/// # Ok::<(), sync_core::model::batch::BatchError>(())
/// ```
pub fn reconcile_batches<'a>(
    base: Snapshot,
    batches: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Snapshot, BatchError> {
    let mut bulk = bulk::Bulk::new(base);
    for batch in batches {
        bulk.fold(batch)?;
    }
    Ok(bulk.finish())
}

impl Snapshot {
    /// The snapshot of these records, which contain these entries.
    pub fn new(records: impl IntoIterator<Item = (EntityKey, Record)>, context: Context) -> Self {
        let records: Map<Record> = records.into_iter().collect();
        let mut waiting: BTreeMap<Dot, BTreeSet<EntityKey>> = BTreeMap::new();
        for (key, record) in &records {
            for dot in record.waits() {
                waiting.entry(dot.clone()).or_default().insert(key.clone());
            }
        }
        Self { records, context, waiting }
    }

    /// Folds one entry in; `false` if it was in already.
    ///
    /// # Errors
    /// [`Forked`] if another entry of that name is in, and that can be seen; nothing was changed then.
    pub fn apply(&mut self, entry: &Entry) -> Result<bool, Forked> {
        if !self.context.add(entry.dot(), entry.hash())? {
            return Ok(false);
        }
        match self.records.get_mut(&entry.key) {
            Some(record) => {
                record.apply(entry, &self.context);
                if record.is_empty() {
                    self.records.remove(&entry.key);
                }
            }
            None => {
                let mut record = Record::default();
                record.apply(entry, &self.context);
                if !record.is_empty() {
                    self.records.insert(entry.key.clone(), record);
                }
            }
        }
        self.arrived(entry.dot());
        self.wait_for_named(entry);
        Ok(true)
    }

    /// Has the records take notice that waited for this entry, or for the gap before others to be closed.
    fn arrived(&mut self, dot: &Dot) {
        if self.waiting.is_empty() {
            return;
        }
        let known = Dot::new(dot.client.clone(), self.context.vector().get(&dot.client).n);
        let none = Dot::new(dot.client.clone(), 0);
        let mut dots: Dots = self.waiting.range(none..=known).map(|(dot, _)| dot.clone()).collect();
        dots.push(dot.clone());
        let keys: BTreeSet<EntityKey> = dots.iter().filter_map(|dot| self.waiting.remove(dot)).flatten().collect();
        for key in keys {
            if let Some(record) = self.records.get_mut(&key) {
                record.settle(&self.context);
                if record.is_empty() {
                    self.records.remove(&key);
                }
            }
        }
    }

    fn wait_for_named(&mut self, entry: &Entry) {
        let adds = entry.fields.iter().any(|(_, op)| matches!(op, Op::Add(_)));
        let is_early = adds && !self.context.vector().covers(entry.dot());
        let missing = entry.named().filter(|dot| !self.context.knows(dot));
        for dot in missing.chain(is_early.then(|| entry.dot())) {
            self.waiting.entry(dot.clone()).or_default().insert(entry.key.clone());
        }
    }

    /// The state that the entries of both make. Commutative, associative, idempotent, and equal to folding
    /// the union of the entries. `O(records)`.
    ///
    /// # Errors
    /// [`Forked`] if one name is seen to have two contents.
    pub fn join(&self, other: &Snapshot) -> Result<Snapshot, Forked> {
        let context = self.context.join(&other.context)?;
        let mut records = Map::default();
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
        Ok(Snapshot::new(records, context))
    }

    /// One entity's record.
    pub fn get(&self, key: &EntityKey) -> Option<&Record> {
        self.records.get(key)
    }

    /// All records in the order of their keys. `O(n log n)`: the order is made when it is asked for.
    pub fn records(&self) -> impl Iterator<Item = (&EntityKey, &Record)> {
        let mut records: Vec<(&EntityKey, &Record)> = self.records.iter().collect();
        records.sort_unstable_by_key(|(key, _)| *key);
        records.into_iter()
    }

    /// Which entries are in it.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::context::{Known, VersionVector};
    use crate::model::digest::Digest;
    use crate::model::entry::Action;
    use crate::model::stamp::{ClientId, Origin};

    fn entry(client: &str, n: u64, action: Action) -> Entry {
        let dot = Dot::new(ClientId::new(client), n);
        Entry::new(Origin { dot, time: n, author: None }, EntityKey::new("note", "1"), action)
    }

    fn addition(client: &str, n: u64) -> Entry {
        let mut entry = entry(client, n, Action::Update);
        entry.of = [Dot::new(ClientId::new("a"), 1)].into();
        entry.fields = vec![("views".into(), Op::Add(1))];
        entry
    }

    fn folded<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for entry in entries {
            assert_eq!(snapshot.apply(entry), Ok(true));
        }
        snapshot
    }

    /// All laws are about equal snapshots: what differs must not be.
    #[test]
    fn what_differs_is_not_equal() {
        let (create, other) = (entry("a", 1, Action::Create), entry("b", 1, Action::Create));
        let one = folded([&create]);
        assert_eq!(one, folded([&create]));
        assert_ne!(one, Snapshot::default());
        assert_ne!(one, folded([&create, &other]), "other records");
        let records = || one.records.iter().map(|(key, record)| (key.clone(), record.clone()));
        let more = [("a", 1), ("b", 1)].map(|(client, n)| (ClientId::new(client), Known { n, digest: Digest(7) }));
        let more = VersionVector::from_iter(more);
        assert_eq!((more.len(), more.is_empty(), VersionVector::default().is_empty()), (2, false, true));
        let elsewhere = Snapshot::new(records(), Context::new(more));
        assert_ne!(one, elsewhere, "the same records of other entries");
        assert_ne!(one, Snapshot::new([], one.context.clone()), "other records of the same entries");
    }

    /// An addition beyond a gap is counted apart until the gap is closed, also by who was handed the snapshot.
    #[test]
    fn what_waits_is_found_again_in_a_snapshot_that_is_put_together() {
        let all = [entry("a", 1, Action::Create), addition("b", 1), addition("b", 2), addition("b", 3)];
        let early = folded([&all[0], &all[2], &all[3]]);
        assert_eq!(early.waiting.len(), 2);
        let mut again = Snapshot::new(early.records.clone(), early.context.clone());
        assert_eq!(again.waiting, early.waiting);
        assert_eq!(again.apply(&all[1]), Ok(true));
        let whole = folded(&all);
        assert_eq!(again, whole);
        for snapshot in [again, whole] {
            assert!(snapshot.waiting.is_empty(), "{:?}", snapshot.waiting);
        }
    }

    /// Batches are folded in another way where all is as usual: what is not must be seen.
    #[test]
    fn what_is_unusual_in_a_batch_makes_the_same() {
        let named = |client: &str, n: u64| Dot::new(ClientId::new(client), n);
        let titled = |mut entry: Entry, of: &[Dot]| {
            entry.of = of.to_vec().into();
            entry.fields = vec![("title".into(), Op::Assign(entry.origin.dot.client.as_str().into()))];
            entry
        };
        let (ours, theirs) = (named("a", 1), named("b", 1));
        let create = |client: &str| titled(entry(client, 1, Action::Create), &[]);
        let update = |of: &[Dot]| titled(entry("c", 1, Action::Update), of);
        let delete = |of: &[Dot], saw: &[Dot]| {
            let mut delete = entry("d", 1, Action::Delete(crate::Tombstone::DeleteWins));
            (delete.of, delete.saw) = (of.into(), saw.into());
            delete
        };
        let all = [
            vec![create("a"), update(std::slice::from_ref(&ours)), delete(std::slice::from_ref(&ours), &[])],
            vec![create("a"), update(&[]), delete(&[], &[])],
            vec![create("a"), update(std::slice::from_ref(&theirs)), delete(std::slice::from_ref(&theirs), &[])],
            vec![create("a"), delete(std::slice::from_ref(&theirs), &[]), create("b")],
            vec![
                create("a"),
                create("b"),
                update(&[ours.clone(), theirs.clone()]),
                delete(std::slice::from_ref(&ours), &[]),
            ],
            vec![
                create("a"),
                delete(std::slice::from_ref(&ours), std::slice::from_ref(&ours)),
                update(std::slice::from_ref(&ours)),
            ],
            vec![create("a"), delete(std::slice::from_ref(&ours), &[named("e", 7)])],
            vec![update(std::slice::from_ref(&ours)), create("a")],
        ];
        for entries in all {
            let batch = crate::model::batch::encode_batch(&entries);
            let folded = reconcile(Snapshot::default(), &entries);
            let of_batch = reconcile_batches(Snapshot::default(), [&batch[..]]);
            assert_eq!(of_batch.ok().as_ref(), folded.as_ref().ok(), "{entries:#?}");
            assert!(folded.is_ok());
        }
    }
}
