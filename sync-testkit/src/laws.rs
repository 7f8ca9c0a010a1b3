//! The laws of the model, as functions of a history: run them on histories and policies of your own.
//!
//! Each takes entries in any order and says what is broken, if anything is. [`check`] runs all of them on many
//! seeds and prints the seed and the smallest history that still fails.

mod folding;
mod forms;
mod joining;
mod policy;

pub use folding::{in_log_order, oracle_agrees, order};
pub use forms::{batches, damage, json, records};
pub use joining::{joins, log_joins};
pub use policy::policy;

use std::fmt;

use sync_core::{Entry, Snapshot, reconcile};

use crate::history::{History, Profile, minimise};
use crate::oracle::{difference, forms_of};
use crate::rng::Rng;

/// A law that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which one.
    pub law: &'static str,
    /// How it shows.
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not hold:\n{}", self.law, self.detail)
    }
}

impl std::error::Error for Broken {}

/// What a law answers.
pub type Holds = Result<(), Broken>;

pub(crate) fn broken(law: &'static str, detail: impl Into<String>) -> Holds {
    Err(Broken { law, detail: detail.into() })
}

/// All laws that hold for any set of entries.
///
/// # Errors
/// The first law that does not hold.
pub fn all(entries: &[Entry], rng: &mut Rng) -> Holds {
    order(entries, rng)?;
    oracle_agrees(entries, rng)?;
    joins(entries, rng)?;
    batches(entries, rng)?;
    json(entries)?;
    records(entries)?;
    damage(entries, rng)
}

/// Checks a law on the histories of many seeds.
///
/// # Panics
/// If it does not hold: with the seed and the smallest history that still fails.
pub fn check(profile: &Profile, seeds: std::ops::Range<u64>, law: impl Fn(&[Entry], &mut Rng) -> Holds) {
    for seed in seeds {
        let history = History::generate(seed, profile);
        let run = |entries: &[Entry]| law(entries, &mut Rng::new(seed));
        if run(&history.entries).is_err() {
            let small = minimise(&history.entries, |entries| run(entries).is_err());
            let broken = run(&small).expect_err("a minimised history fails");
            panic!(
                "seed {seed}: {broken}\nof {} entries these remain:\n{}",
                history.entries.len(),
                History::describe(&small)
            );
        }
    }
}

/// The snapshot that these entries make, folded in the order given.
pub(crate) fn fold<'a>(law: &'static str, entries: impl IntoIterator<Item = &'a Entry>) -> Result<Snapshot, Broken> {
    reconcile(Snapshot::default(), entries).map_err(|e| Broken { law, detail: e.to_string() })
}

/// Whether two snapshots are the same, to the byte.
pub(crate) fn same(law: &'static str, what: &str, left: &Snapshot, right: &Snapshot) -> Holds {
    let bytes = |side: &Snapshot| -> Vec<Vec<u8>> { side.records().map(|(_, record)| record.encode()).collect() };
    if left == right && bytes(left) == bytes(right) {
        return Ok(());
    }
    let difference = difference(&forms_of(left), &forms_of(right));
    let contexts = [left, right].map(Snapshot::context);
    if contexts[0] != contexts[1] {
        return broken(
            law,
            format!("{what}: different entries are known\nleft  {:?}\nright {:?}", contexts[0], contexts[1]),
        );
    }
    if difference.is_empty() {
        return broken(law, format!("{what}: they look the same and are not\nleft  {left:?}\nright {right:?}"));
    }
    broken(law, format!("{what}:\n{difference}"))
}
