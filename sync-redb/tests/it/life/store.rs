//! A store without anything above it.

use std::sync::Arc;

use sync_core::{Checkpoint, MemoryStore, Store};
use sync_redb::{RedbStore, StorageBackend};

use super::{Life, Mark, open, told};
use crate::bytes::Bytes;

/// Commits of several sizes, and checkpoints that replace and drop.
pub(crate) struct Bare;

fn seen(store: &RedbStore) -> Result<String, String> {
    let heads = store.heads().map_err(told)?;
    let journal = store.journal(0, usize::MAX).map_err(told)?;
    let map = store.range(b"", b"", usize::MAX).map_err(told)?;
    let lost = journal.iter().find(|(at, bytes)| *bytes != commit(*at));
    let uneven = map.iter().find(|(_, bytes)| *bytes != value(heads.covers));
    let dense = journal.len() as u64 == heads.last + 1 - heads.first;
    Ok(format!("{heads:?}, {} keys, changed {:?} {:?}, dense {dense}", map.len(), lost.is_some(), uneven.is_some()))
}

fn commit(position: u64) -> Vec<u8> {
    vec![position as u8; 40 + (position as usize % 5) * 400]
}

fn value(covers: u64) -> Vec<u8> {
    vec![covers as u8; 90]
}

impl Life for Bare {
    fn live(disk: &Bytes, _: &Arc<MemoryStore>, marks: &mut Vec<Mark>, steps: u64) -> Result<(), String> {
        let store = open(disk.clone())?;
        let mut note = |store: &RedbStore| -> Result<(), String> {
            let state = seen(store)?;
            marks.push(Mark { steps: disk.steps(), acknowledged: true, state, beside: Arc::default() });
            Ok(())
        };
        note(&store)?;
        let mut last = 0;
        for n in 0..steps {
            let commits: Vec<Vec<u8>> = (1..=1 + n % 3).map(|more| commit(last + more)).collect();
            let commits: Vec<&[u8]> = commits.iter().map(Vec::as_slice).collect();
            last = store.append(last, &commits).map_err(told)?;
            note(&store)?;
            if n % 6 == 5 {
                // Every value says which checkpoint it is of: half of one would show.
                let keys = 10 + n as u8 % 30;
                let drops = (keys..50).map(|key| vec![key]).collect();
                let puts = (0..keys).map(|key| (vec![key], value(last - 1))).collect();
                let checkpoint = Checkpoint { covers: last - 1, drop_before: last.saturating_sub(6), puts, drops };
                store.checkpoint(&checkpoint).map_err(told)?;
                note(&store)?;
            }
            if n == 20 {
                store.reclaim().map_err(told)?;
                note(&store)?;
            }
        }
        Ok(())
    }

    fn find<B: StorageBackend>(disk: B, _: &MemoryStore, thoroughly: bool) -> Result<String, String> {
        let store = open(disk)?;
        let found = seen(&store)?;
        if thoroughly {
            let last = store.heads().map_err(told)?.last;
            store.append(last, &[b"more"]).map_err(told)?;
            store.file().verify().map_err(told)?;
        }
        Ok(found)
    }

    fn read<B: StorageBackend>(disk: B) -> Result<String, String> {
        let store = open(disk)?;
        let got = (0..50u8).map(|key| store.get(&[key])).collect::<Result<Vec<_>, _>>().map_err(told)?;
        let whole = (store.journal(0, usize::MAX), store.range(b"", b"", usize::MAX));
        Ok(format!(
            "{:?} {:?} {:?} {got:?}",
            store.heads().map_err(told)?,
            whole.0.map_err(told)?,
            whole.1.map_err(told)?
        ))
    }
}
