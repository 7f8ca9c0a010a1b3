//! What is left of the CRDTs in a build without them: no histories, no rows.

use std::path::Path;

use crate::measure::{Result, Table};
use crate::peer::case::{Case, Form};
use crate::peer::limit::Log;
use crate::workload::{Action, Notes, Workload};

/// There are none.
pub(crate) enum Histories {}

pub(crate) const CASES: &[Case] = &[];
pub(crate) const OPENINGS: &[Opening] = &[];

/// What opens what a peer saved, and its name.
type Opening = (&'static str, fn(&Histories) -> Result<Notes>);

impl Histories {
    pub(crate) fn new(_: &Workload) -> Result<Self> {
        Err("this build is without the CRDTs: pass --without-crdts, or build with the feature `crdts`".into())
    }

    pub(crate) fn form(&self, _: Form) -> Option<&[Vec<u8>]> {
        match *self {}
    }

    pub(crate) fn stored(&self) -> [(&'static str, &[u8], &'static str); 0] {
        match *self {}
    }

    pub(crate) fn edits(
        &self,
        _: &mut Table,
        _: &Workload,
        _: &mut Log,
        _: usize,
        _: &dyn Fn(usize) -> Action,
    ) -> Result<()> {
        match *self {}
    }
}

pub(crate) fn more(_: &mut Table, _: &Workload, _: usize, _: usize, _: &Path) -> Result<()> {
    Ok(())
}
