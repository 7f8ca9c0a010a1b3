//! Ways from a history in memory to the notes that it makes, each a row of the first table.

use crate::measure::{Result, Who};
use crate::peer::{limit, ours, sqlite};
use crate::workload::{self, Content, Note, Notes};
use sync_core::Uuid;

/// In which form a history is handed over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(not(feature = "crdts"), expect(dead_code, reason = "some forms are only of the CRDTs"))]
pub(crate) enum Form {
    Postcard,
    Lines,
    Entries,
    Pages,
    LoroWhole,
    LoroSessions,
    YrsWhole,
    YrsSessions,
    AutomergeChanges,
    AutomergeSaved,
}

/// What a way leads to.
pub(crate) trait Outcome {
    fn notes(&self) -> Result<Notes>;
}

pub(crate) type Made<'a> = Result<Box<dyn Outcome + 'a>>;

pub(crate) struct Case {
    pub(crate) who: Who,
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) run: for<'a> fn(&'a [Vec<u8>]) -> Made<'a>,
}

/// Binary forms; those of the CRDTs are beside them.
pub(crate) const BINARY: &[Case] = &[
    Case {
        who: Who::Limit,
        name: LIMIT,
        form: Form::Postcard,
        run: |batches| Ok(Box::new(limit::from_postcard(batches)?)),
    },
    Case {
        who: Who::Limit,
        name: OWNED,
        form: Form::Postcard,
        run: |batches| Ok(Box::new(limit::from_postcard_owned(batches)?)),
    },
    Case { who: Who::Ours, name: OURS, form: Form::Entries, run: |batches| Ok(Box::new(ours::fold(batches)?)) },
    Case { who: Who::Peer, name: "sqlite in memory, state only", form: Form::Postcard, run: sqlite_in_memory },
];

/// Lines and pages of JSON.
pub(crate) const JSON: &[Case] = &[
    Case { who: Who::Limit, name: JSON_LIMIT, form: Form::Lines, run: |lines| Ok(Box::new(limit::from_json(lines)?)) },
    Case {
        who: Who::Limit,
        name: "serde_json alone",
        form: Form::Lines,
        run: |lines| Ok(Box::new(limit::parse_json(lines)?)),
    },
    Case { who: Who::Ours, name: JSON_OURS, form: Form::Pages, run: |pages| Ok(Box::new(ours::fold_json(pages)?)) },
];

pub(crate) const LIMIT: &str = "postcard, borrowed, into a hash map";
pub(crate) const OWNED: &str = "postcard, owned, into std's hash map";
pub(crate) const OURS: &str = "ours: reconcile_batches, typed";
pub(crate) const LORO: &str = "loro, one update";
pub(crate) const YRS: &str = "yrs, one update";
pub(crate) const AUTOMERGE: &str = "automerge, apply_changes";
pub(crate) const JSON_LIMIT: &str = "serde_json, owned, into std's hash map";
pub(crate) const JSON_OURS: &str = "ours: pages of the protocol, reconcile, typed";

fn sqlite_in_memory(batches: &[Vec<u8>]) -> Made<'_> {
    let mut sqlite = sqlite::Sqlite::open(None)?;
    sqlite.fold_all(batches)?;
    Ok(Box::new(sqlite))
}

impl Outcome for limit::Borrowed<'_> {
    fn notes(&self) -> Result<Notes> {
        Ok(limit::borrowed_notes(self))
    }
}

impl Outcome for limit::OwnedById {
    fn notes(&self) -> Result<Notes> {
        Ok(limit::owned_notes(self.iter().map(|(id, slot)| (Uuid::from_u128(*id), slot))))
    }
}

impl Outcome for limit::Owned {
    fn notes(&self) -> Result<Notes> {
        Ok(limit::owned_notes(self.iter().filter_map(|(id, slot)| Some((Uuid::parse_str(id).ok()?, slot)))))
    }
}

/// Of what was only parsed nothing can be compared.
impl Outcome for usize {
    fn notes(&self) -> Result<Notes> {
        Ok(Notes::new())
    }
}

impl Outcome for Vec<Note> {
    fn notes(&self) -> Result<Notes> {
        Ok(workload::by_id(self.iter().cloned()))
    }
}

impl Outcome for Notes {
    fn notes(&self) -> Result<Notes> {
        Ok(self.clone())
    }
}

impl Outcome for Vec<(Uuid, Content)> {
    fn notes(&self) -> Result<Notes> {
        Ok(self.iter().cloned().collect())
    }
}

impl Outcome for sqlite::Sqlite {
    fn notes(&self) -> Result<Notes> {
        Ok(self.list()?.into_iter().collect())
    }
}
