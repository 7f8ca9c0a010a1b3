//! The workload in every form that someone takes, made once.

use std::path::{Path, PathBuf};

use sync_core::Entry;

use crate::measure::Result;
use crate::peer::case::Form;
use crate::peer::{crdt, ours};
use crate::workload::{self, Notes, SHARED, Workload};

/// How many actions a batch has.
pub(crate) const BATCH: usize = 1_000;

pub(crate) struct Input {
    pub(crate) workload: Workload,
    pub(crate) entries: Vec<Entry>,
    pub(crate) expected: Notes,
    pub(crate) peers: Option<crdt::Histories>,
    pub(crate) plain: Vec<Vec<u8>>,
    pub(crate) lines: Vec<Vec<u8>>,
    pub(crate) batches: Vec<Vec<u8>>,
    pages: Vec<Vec<u8>>,
}

impl Input {
    /// The workload of a seed; the CRDTs' histories, which take long to make, only where they are asked for.
    pub(crate) fn new(seed: u64, count: usize, peers: bool) -> Result<Self> {
        eprintln!("making {count} actions{}", if peers { ", and the peers' histories of them" } else { "" });
        let workload = Workload::new(seed, count, SHARED);
        let entries = workload::entries(&workload);
        let peers = if peers { Some(crdt::Histories::new(&workload)?) } else { None };
        Ok(Self {
            expected: workload::expected(&workload),
            plain: workload::postcard(&workload, BATCH),
            lines: workload::json_lines(&workload, BATCH),
            batches: ours::batches(&entries, BATCH),
            pages: ours::json_pages(&entries, BATCH),
            workload,
            entries,
            peers,
        })
    }

    /// The history in this form, if there is one.
    pub(crate) fn form(&self, form: Form) -> Option<&[Vec<u8>]> {
        Some(match form {
            Form::Postcard => &self.plain,
            Form::Lines => &self.lines,
            Form::Entries => &self.batches,
            Form::Pages => &self.pages,
            _ => return self.peers.as_ref()?.form(form),
        })
    }
}

/// Puts a history into a file, for another process to read.
pub(crate) fn put(dir: &Path, history: &[Vec<u8>]) -> Result<PathBuf> {
    let path = dir.join("history");
    std::fs::write(&path, postcard::to_stdvec(history)?)?;
    Ok(path)
}

pub(crate) fn take(path: &Path) -> Result<Vec<Vec<u8>>> {
    Ok(postcard::from_bytes(&std::fs::read(path)?)?)
}
