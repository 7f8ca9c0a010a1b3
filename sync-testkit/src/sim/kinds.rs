//! The entity types of the standard world: every policy, both kinds of tombstone, in two versions of the program.

use std::collections::BTreeSet;
use std::sync::Arc;

use sync_core::{Id, Policy, Syncable, Value, Written};

use super::subject::{Subject, Typed};
use crate::rng::Rng;

/// Lines that are only ever added.
struct Append;

impl Policy for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        let before = before.and_then(Value::array_elements).unwrap_or_default();
        let after = after.array_elements().ok_or("lines are a list")?;
        let added = after.strip_prefix(&before[..]).ok_or("lines are only added, at the end")?;
        let written = || Written { operation: Value::array(added.iter().cloned()), absorbs: false };
        Ok((!added.is_empty()).then(written))
    }

    fn value(&self, operations: &[&Value]) -> Option<Value> {
        Some(Value::array(operations.iter().filter_map(|operation| operation.array_elements()).flatten()))
    }
}

/// The longest text; an operation contains all that its author saw.
struct Longest;

impl Policy for Longest {
    fn name(&self) -> &'static str {
        "longest"
    }

    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        let longer = before.is_none_or(|before| before.as_str().len() < after.as_str().len());
        Ok(longer.then(|| Written { operation: after.clone(), absorbs: true }))
    }

    fn value(&self, operations: &[&Value]) -> Option<Value> {
        operations.iter().max_by_key(|operation| operation.as_str().len()).map(|value| (*value).clone())
    }
}

/// What the article's clients know too.
#[derive(Syncable, Debug)]
#[sync(entity = "note")]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    #[sync(default)]
    title: String,
    #[sync(default)]
    body: Option<String>,
    #[sync(default, merge = "counter")]
    views: i64,
    #[sync(default, merge = "set")]
    tags: BTreeSet<String>,
    #[sync(default, local)]
    folded: bool,
}

/// Forgiving deletes, and the other families.
#[derive(Syncable, Debug)]
#[sync(entity = "reading", tombstone = "last_writer_wins")]
struct Reading {
    #[sync(id)]
    id: Id<Reading, String>,
    label: String,
    #[sync(default, merge = "first")]
    place: Option<String>,
    #[sync(default, merge = "max")]
    high: i64,
    #[sync(default, merge = "min")]
    low: i64,
    #[sync(default, merge = "Append")]
    lines: Vec<String>,
    #[sync(default, merge = "Longest")]
    remark: String,
    #[sync(default)]
    rank: i64,
}

/// The next version of the program: a field is renamed, one is new, and one merges in another way.
mod next {
    use super::{Append, BTreeSet, Id, Longest, Syncable};

    #[derive(Syncable, Debug)]
    #[sync(entity = "note")]
    pub(super) struct Note {
        #[sync(id)]
        pub(super) id: Id<Note, String>,
        #[sync(default, rename = "headline", alias = "title")]
        pub(super) title: String,
        #[sync(default)]
        pub(super) body: Option<String>,
        #[sync(default)]
        pub(super) colour: Option<String>,
        #[sync(default, merge = "counter")]
        pub(super) views: i64,
        #[sync(default, merge = "set")]
        pub(super) tags: BTreeSet<String>,
        #[sync(default, local)]
        pub(super) folded: bool,
    }

    #[derive(Syncable, Debug)]
    #[sync(entity = "reading")]
    pub(super) struct Reading {
        #[sync(id)]
        pub(super) id: Id<Reading, String>,
        pub(super) label: String,
        #[sync(default, merge = "first")]
        pub(super) place: Option<String>,
        #[sync(default, merge = "max")]
        pub(super) high: i64,
        #[sync(default, merge = "min")]
        pub(super) low: i64,
        #[sync(default, merge = "Append")]
        pub(super) lines: Vec<String>,
        #[sync(default, merge = "Longest")]
        pub(super) remark: String,
        #[sync(default, merge = "counter")]
        pub(super) rank: i64,
    }
}

/// The standard world's types in both versions of the program.
pub(super) fn standard() -> [Vec<Arc<dyn Subject>>; 2] {
    let old: Vec<Arc<dyn Subject>> = vec![
        Arc::new(Typed::<Note> {
            make: |id, rng| {
                let mut note =
                    Note { id, title: word(rng), body: None, views: 0, tags: BTreeSet::new(), folded: false };
                some_text(&mut note.body, rng);
                toggle(&mut note.tags, rng);
                note
            },
            change: |note, rng| match rng.below(8) {
                0 | 1 => note.title = word(rng),
                2 => some_text(&mut note.body, rng),
                3 | 4 => note.views += step(rng),
                5 | 6 => toggle(&mut note.tags, rng),
                _ => note.folded = !note.folded,
            },
        }),
        Arc::new(Typed::<Reading> {
            make: |id, rng| Reading {
                id,
                label: word(rng),
                place: rng.percent(30).then(|| word(rng)),
                high: step(rng),
                low: step(rng),
                lines: Vec::new(),
                remark: String::new(),
                rank: 0,
            },
            change: |reading, rng| match rng.below(8) {
                0 => reading.label = word(rng),
                1 => reading.place = Some(word(rng)),
                2 => reading.high = step(rng),
                3 => reading.low = step(rng),
                4 => reading.lines.push(word(rng)),
                5 => reading.remark = word(rng).repeat(1 + rng.below(3)),
                6 => reading.rank = step(rng),
                _ => (reading.high, reading.low) = (step(rng), step(rng)),
            },
        }),
    ];
    let new: Vec<Arc<dyn Subject>> = vec![
        Arc::new(Typed::<next::Note> {
            make: |id, rng| {
                let (title, colour) = (word(rng), rng.percent(50).then(|| word(rng)));
                next::Note { id, title, body: None, colour, views: 0, tags: BTreeSet::new(), folded: false }
            },
            change: |note, rng| match rng.below(8) {
                0 | 1 => note.title = word(rng),
                2 => some_text(&mut note.body, rng),
                3 => some_text(&mut note.colour, rng),
                4 => note.views += step(rng),
                5 | 6 => toggle(&mut note.tags, rng),
                _ => note.folded = !note.folded,
            },
        }),
        Arc::new(Typed::<next::Reading> {
            make: |id, rng| next::Reading {
                id,
                label: word(rng),
                place: None,
                high: step(rng),
                low: step(rng),
                lines: Vec::new(),
                remark: String::new(),
                rank: step(rng),
            },
            change: |reading, rng| match rng.below(6) {
                0 => reading.label = word(rng),
                1 => reading.place = Some(word(rng)),
                2 => reading.high = step(rng),
                3 => reading.lines.push(word(rng)),
                4 => reading.remark = word(rng).repeat(1 + rng.below(3)),
                _ => reading.rank += step(rng),
            },
        }),
    ];
    [old, new]
}

/// Few words, so that people write the same.
fn word(rng: &mut Rng) -> String {
    (*rng.pick(&["a", "b", "c", "dd", "ä", "{\"$add\":1}", "longer than the others"])).to_owned()
}

fn step(rng: &mut Rng) -> i64 {
    *rng.pick(&[1, 1, 2, -1, 7, 100])
}

fn some_text(text: &mut Option<String>, rng: &mut Rng) {
    *text = if rng.percent(30) { None } else { Some(word(rng)) };
}

fn toggle(tags: &mut BTreeSet<String>, rng: &mut Rng) {
    let tag = word(rng);
    if !tags.remove(&tag) {
        tags.insert(tag);
    }
}
