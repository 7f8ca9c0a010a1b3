//! Pending entries in the store's map: in blocks, in the order in which they were written; and, of those that are not in
//! memory, which are an entity's.
//!
//! A row for each would be two places to find in the map for a write, and two for taking it out again. What was written
//! between two checkpoints is decided together, too, as a rule: so a block is written once and dropped once. It is written
//! anew when something in it changed, which is in memory then, all of it.
//!
//! The index is made of *runs*, one for each time that entries left memory (as in a log-structured merge tree, O'Neil et
//! al. 1996): rows of some entities each, in the order of their keys. A run is looked into while some of its entries are not
//! in memory, and goes as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::pending::Pending;
use crate::model::batch::{decode_trusted, encode_batch};
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::Dot;
use crate::seal;
use crate::store::{KeyValue, Store, StoreError};

/// Blocks of pending entries, each at the local number of its last one.
pub(super) const PENDING: u8 = b'p';
/// Which pending entries are an entity's: by run, each row at the last of its entities.
pub(super) const PENDING_OF: u8 = b'q';

/// How many entries a block has at most.
pub(super) const BLOCK: usize = 32;
/// How many entities a row of the index tells of.
const ENTITIES: usize = 32;
/// How many rows are read at a time.
const PAGE: usize = 64;
/// How many blocks are read at a time.
const BLOCKS: usize = 4;

/// Some consecutive pending entries; none any more in one that goes.
#[derive(Clone)]
pub(super) struct Block {
    /// Its place. An entry beyond that is in another one.
    pub(super) last: u64,
    pub(super) entries: Vec<(u64, Pending)>,
}

/// What the index tells of entries that leave memory together.
pub(super) struct Run {
    /// All of them are among these local numbers.
    pub(super) locals: Range<u64>,
    pub(super) entries: Vec<(EntityKey, u64)>,
}

impl Block {
    pub(super) fn place(&self) -> Vec<u8> {
        block_place(self.last)
    }

    pub(super) fn row(&self) -> KeyValue {
        let mut w = Writer::plain();
        let decided: Vec<&(u64, Pending)> = self.entries.iter().filter(|(_, pending)| !pending.is_open()).collect();
        w.list(&decided, |w, (local, pending)| {
            w.u64(*local);
            w.option(pending.offered.as_ref(), |w, n| w.u64(*n));
            w.option(pending.accepted_as.as_ref(), Writer::dot);
        });
        w.raw(&encode_batch(self.entries.iter().map(|(_, pending)| &*pending.entry)));
        let place = self.place();
        let row = seal::written(&place, w);
        (place, row)
    }

    /// How much its entries weigh.
    fn weight(&self) -> usize {
        self.entries.iter().map(|(_, pending)| pending.entry.weight()).sum()
    }

    fn open(place: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let body = seal::open(place, row)?;
        let read = || {
            let last = place.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes));
            let last = last.ok_or(CodecError { expected: "a number in the key" })?;
            let mut r = Reader::plain(body);
            let decided = r.list(|r| Ok((r.u64()?, r.option(Reader::u64)?, r.option(Reader::dot)?)))?;
            let entries = decode_trusted(r.raw()?)?;
            r.finish()?;
            let mut decided: BTreeMap<u64, (Option<u64>, Option<Dot>)> =
                decided.into_iter().map(|(local, offered, accepted_as)| (local, (offered, accepted_as))).collect();
            let pending = |entry: Entry| {
                let local = entry.dot().n;
                let (offered, accepted_as) = decided.remove(&local).unwrap_or_default();
                (local, Pending { entry: Arc::new(entry), offered, accepted_as })
            };
            Ok(Self { last, entries: entries.into_iter().map(pending).collect() })
        };
        read().map_err(|error| seal::unreadable(place, &error))
    }
}

/// Blocks from that of this local number on, up to another one, with entries that weigh about so much; and whether there may
/// be more.
pub(super) fn read(store: &dyn Store, locals: Range<u64>, weight: usize) -> Result<(Vec<Block>, bool), StoreError> {
    let (mut from, end) = (block_place(locals.start), block_place(locals.end));
    let (mut blocks, mut lacks) = (Vec::new(), weight);
    while lacks > 0 {
        // They may be heavier than others.
        let rows = lacks.div_ceil(BLOCK).min(BLOCKS);
        let found = store.range(&from, &end, rows)?;
        for (place, row) in &found {
            let block = Block::open(place, row)?;
            lacks = lacks.saturating_sub(block.weight());
            blocks.push(block);
        }
        match found.last() {
            Some((last, _)) if found.len() == rows => from = [last, &[0][..]].concat(),
            _ => return Ok((blocks, false)),
        }
    }
    Ok((blocks, true))
}

/// The pending entries of an entity that are among these local numbers, which are in these runs.
pub(super) fn entries_of(
    store: &dyn Store,
    runs: &[Range<u64>],
    key: &EntityKey,
    locals: &Range<u64>,
) -> Result<BTreeMap<u64, Arc<Entry>>, StoreError> {
    let mut found = BTreeMap::new();
    let mut block: Option<Block> = None;
    for run in runs.iter().filter(|run| overlap(run, locals)) {
        let rows = store.range(&index_place(run, Some(key)), &index_end(run), 1)?;
        let Some((place, row)) = rows.first() else { continue };
        let known = entities_in(place, row)?.remove(key).unwrap_or_default();
        for local in known.into_iter().filter(|local| locals.contains(local)) {
            let has =
                |block: &Block| block.last >= local && block.entries.first().is_some_and(|(first, _)| *first <= local);
            if !block.as_ref().is_some_and(has) {
                block = read(store, local..locals.end, 1)?.0.pop();
            }
            let entries = block.iter().flat_map(|block| &block.entries);
            found.extend(entries.filter(|(of, _)| *of == local).map(|(of, pending)| (*of, pending.entry.clone())));
        }
    }
    Ok(found)
}

/// The entities with pending entries among these local numbers, which are in these runs: behind one, of one type, up to one.
pub(super) fn entities(
    store: &dyn Store,
    runs: &[Range<u64>],
    locals: &Range<u64>,
    after: Option<&EntityKey>,
    of_type: Option<&str>,
    to: Option<&EntityKey>,
) -> Result<BTreeSet<EntityKey>, StoreError> {
    let is_asked_for = |key: &EntityKey| {
        after.is_none_or(|after| key > after)
            && to.is_none_or(|to| key <= to)
            && of_type.is_none_or(|name| *key.entity_type == *name)
    };
    let is_behind =
        |key: &EntityKey| to.is_some_and(|to| key > to) || of_type.is_some_and(|name| *key.entity_type > *name);
    let mut found = BTreeSet::new();
    for run in runs.iter().filter(|run| overlap(run, locals)) {
        let first = of_type.map(|name| EntityKey::new(name, ""));
        let mut from = index_place(run, after.or(first.as_ref()));
        let end = index_end(run);
        'run: loop {
            let rows = store.range(&from, &end, PAGE)?;
            for (place, row) in &rows {
                for (key, of) in entities_in(place, row)? {
                    if is_behind(&key) {
                        break 'run;
                    }
                    if is_asked_for(&key) && of.iter().any(|local| locals.contains(local)) {
                        found.insert(key);
                    }
                }
            }
            match rows.last() {
                Some((place, _)) if rows.len() == PAGE => from = [place, &[0][..]].concat(),
                _ => break,
            }
        }
    }
    Ok(found)
}

impl Run {
    /// The run's rows.
    pub(super) fn rows(&self) -> Vec<KeyValue> {
        let mut entries: Vec<&(EntityKey, u64)> = self.entries.iter().collect();
        entries.sort_unstable();
        let entities: Vec<&[&(EntityKey, u64)]> = entries.chunk_by(|(a, _), (b, _)| a == b).collect();
        let row = |entities: &[&[&(EntityKey, u64)]]| {
            let mut w = Writer::with_table();
            w.list(entities, |w, entries| {
                let (key, _) = entries[0];
                w.name(&key.entity_type);
                w.name(&key.id);
                w.list(entries, |w, (_, local)| w.u64(*local));
            });
            let place = index_place(&self.locals, entities.last().map(|entries| &entries[0].0));
            let row = seal::written(&place, w);
            (place, row)
        };
        entities.chunks(ENTITIES).map(row).collect()
    }
}

/// The places of a run's rows.
pub(super) fn places_of(store: &dyn Store, run: &Range<u64>) -> Result<Vec<Vec<u8>>, StoreError> {
    Ok(store.range(&index_place(run, None), &index_end(run), usize::MAX)?.into_iter().map(|(place, _)| place).collect())
}

fn entities_in(place: &[u8], row: &[u8]) -> Result<BTreeMap<EntityKey, Vec<u64>>, StoreError> {
    let body = seal::open(place, row)?;
    let read = || -> codec::Result<BTreeMap<EntityKey, Vec<u64>>> {
        let mut r = Reader::with_table(body)?;
        let entities = r.list(|r| {
            let key = EntityKey { entity_type: r.name()?, id: r.name()? };
            Ok((key, r.list(Reader::u64)?))
        })?;
        r.finish()?;
        Ok(entities.into_iter().collect())
    };
    read().map_err(|error| seal::unreadable(place, &error))
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

fn block_place(last: u64) -> Vec<u8> {
    [&[PENDING][..], &last.to_be_bytes()].concat()
}

/// Where a run tells of an entity, or begins. The places have the order of the keys: no type's name has a zero byte.
fn index_place(run: &Range<u64>, key: Option<&EntityKey>) -> Vec<u8> {
    let run = run.end.to_be_bytes();
    match key {
        Some(key) => [&[PENDING_OF][..], &run, key.entity_type.as_bytes(), &[0], key.id.as_bytes()].concat(),
        None => [&[PENDING_OF][..], &run].concat(),
    }
}

/// The first place behind a run.
fn index_end(run: &Range<u64>) -> Vec<u8> {
    [&[PENDING_OF][..], &(run.end + 1).to_be_bytes()].concat()
}
