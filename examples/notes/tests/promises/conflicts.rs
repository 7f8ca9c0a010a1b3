//! Three devices edit the same notes unaware of each other: they list the conflicts that there are, and no others.

mod local;
mod process;

use serde_json::{Value, json};

use super::common::{Rng, number, seeds};
use super::oracle::{DELETED, Known, Oracle};

const NOTES: [&str; 2] = ["n0", "n1"];
const NAMES: [&str; 3] = ["ana", "ben", "cam"];
/// In the order in which conflicts are listed.
const FIELDS: [&str; 3] = ["body", "pinned", "title"];

#[test]
fn conflicts_are_those_of_writers_unaware_of_each_other() {
    let told: usize = seeds(3).map(|seed| history::<process::Device>(seed, 24)).sum();
    assert!(told > 0, "no history had a conflict: there was nothing to compare");
}

#[test]
fn conflicts_are_those_of_writers_unaware_of_each_other_in_a_thousand_histories() {
    let first = number("NOTES_SEED", 1);
    let told: usize =
        (first..first + number("NOTES_LOCAL_SEEDS", 1_000)).map(|seed| history::<local::Device>(seed, 40)).sum();
    assert!(told > 0, "no history had a conflict: there was nothing to compare");
}

/// One of the devices, in a process of its own or in this one.
trait Party: Sized {
    /// All of them, with a hub between them.
    type Hub;
    /// A form that was opened.
    type Draft;

    fn start() -> (Self::Hub, [Self; 3]);
    fn add(&self, note: &str, title: &str);
    fn write(&self, note: &str, change: Change<'_>);
    fn open_draft(&self, note: &str) -> Option<Self::Draft>;
    fn save(&self, draft: Self::Draft, change: Change<'_>);
    fn resolve(&self, note: &str, field: &str, take: usize);
    /// As `notes conflicts --json` lists them.
    fn conflicts(&self) -> Vec<Value>;
    fn sync(&self);
    /// Compaction, and another start of the program.
    fn tidy(&mut self);
    /// All that shows.
    fn shown(&self) -> String;
}

/// What is done to a note.
#[derive(Debug, Clone, Copy)]
enum Change<'a> {
    Title(&'a str),
    Body(Option<&'a str>),
    Pin(bool),
    Delete,
    Restore,
}

impl Change<'_> {
    /// The register that it writes, and what.
    fn written(self) -> (&'static str, Value) {
        match self {
            Self::Title(title) => ("title", json!(title)),
            Self::Body(body) => ("body", json!(body)),
            Self::Pin(pinned) => ("pinned", json!(pinned)),
            Self::Delete => (DELETED, json!(true)),
            Self::Restore => (DELETED, json!(false)),
        }
    }
}

/// How many conflicts a random history leaves, each of which was told as it is.
fn history<P: Party>(seed: u64, steps: usize) -> usize {
    println!("NOTES_SEED={seed}");
    let mut world = World::<P>::new(seed);
    for _ in 0..steps {
        world.step();
    }
    world.settle()
}

struct World<P: Party> {
    rng: Rng,
    parties: [P; 3],
    oracle: Oracle,
    /// What each device knows.
    known: [Known; 3],
    /// What the hub knows.
    there: Known,
    /// A form on each device, with the note that it shows, and what was known when it was opened.
    drafts: [Option<(P::Draft, &'static str, Known)>; 3],
    _hub: P::Hub,
}

impl<P: Party> World<P> {
    fn new(seed: u64) -> Self {
        let (hub, parties) = P::start();
        let (oracle, known) = (Oracle::default(), [const { Known::new() }; 3]);
        let (there, drafts) = (Known::new(), [const { None }; 3]);
        let mut world = Self { rng: Rng(seed), parties, oracle, known, there, drafts, _hub: hub };
        for note in NOTES {
            world.parties[0].add(note, "t0");
            for change in [Change::Body(None), Change::Pin(false), Change::Title("t0")] {
                world.note(0, note, change);
            }
        }
        for at in 0..3 {
            world.sync(at);
        }
        world
    }

    /// Notes what a device wrote that had seen all that is there.
    fn note(&mut self, at: usize, note: &'static str, change: Change<'_>) {
        let (field, value) = change.written();
        let write = self.oracle.write(&self.known[at], NAMES[at], note, field, value);
        self.known[at].insert(write);
    }

    fn step(&mut self) {
        let at = self.rng.below(3);
        match self.rng.below(100) {
            0..56 => self.write(at),
            56..66 => self.draft(at),
            66..86 => {
                self.sync(at);
                self.compare(at);
            }
            86..96 => self.resolve(at),
            _ if self.drafts[at].is_none() => {
                self.parties[at].tidy();
                self.compare(at);
            }
            _ => {}
        }
    }

    fn write(&mut self, at: usize) {
        let note = NOTES[self.rng.below(NOTES.len())];
        let word = self.rng.below(4).to_string();
        let change = match (self.oracle.is_deleted(&self.known[at], note), self.rng.below(8)) {
            (true, 0..4) => Change::Restore,
            (true, _) => return,
            (false, 0) => Change::Delete,
            (false, n) => {
                let pinned = self.oracle.shown(&self.known[at], note, "pinned") == &json!(true);
                any_change(n, &word, pinned)
            }
        };
        self.parties[at].write(note, change);
        let (field, value) = change.written();
        // A field that is set to what it shows is no write.
        if field == DELETED || *self.oracle.shown(&self.known[at], note, field) != value {
            self.note(at, note, change);
        }
    }

    /// Opens a form, or saves the one that is open: it has seen what it showed, and nothing that came since.
    fn draft(&mut self, at: usize) {
        let Some((draft, note, seen)) = self.drafts[at].take() else {
            let note = NOTES[self.rng.below(NOTES.len())];
            if !self.oracle.is_deleted(&self.known[at], note) {
                let draft = self.parties[at].open_draft(note);
                self.drafts[at] = draft.map(|draft| (draft, note, self.known[at].clone()));
            }
            return;
        };
        let word = self.rng.below(4).to_string();
        let pinned = self.oracle.shown(&seen, note, "pinned") == &json!(true);
        let change = any_change(1 + self.rng.below(7), &word, pinned);
        self.parties[at].save(draft, change);
        let (field, value) = change.written();
        if *self.oracle.shown(&seen, note, field) != value {
            let write = self.oracle.write(&seen, NAMES[at], note, field, value);
            self.known[at].insert(write);
        }
        self.compare(at);
    }

    /// What is settled by one who has seen all of it is settled for everyone.
    fn resolve(&mut self, at: usize) {
        let conflicts = self.compare(at);
        if conflicts.is_empty() {
            return;
        }
        let conflict = &conflicts[self.rng.below(conflicts.len())];
        let take = self.rng.below(1 + conflict["losers"].as_array().unwrap().len());
        let note = NOTES.into_iter().find(|note| conflict["id"] == *note).unwrap();
        let field = FIELDS.into_iter().chain([DELETED]).find(|field| conflict["field"] == *field).unwrap();
        self.parties[at].resolve(note, field, take);
        let side = if take == 0 { &conflict["winner"] } else { &conflict["losers"][take - 1] };
        let value = if field == DELETED { json!(take == 0) } else { side["value"].clone() };
        let write = self.oracle.write(&self.known[at], NAMES[at], note, field, value);
        self.known[at].insert(write);
        self.compare(at);
    }

    fn sync(&mut self, at: usize) {
        self.parties[at].sync();
        self.there.extend(&self.known[at]);
        self.known[at].clone_from(&self.there);
    }

    /// What the device lists is what the oracle does, by who had seen what.
    fn compare(&self, at: usize) -> Vec<Value> {
        let listed: Vec<Value> = self.parties[at].conflicts().iter().map(essence).collect();
        let expected = self.oracle.conflicts(&self.known[at], &NOTES, &FIELDS);
        assert_eq!(listed, expected, "on {}", NAMES[at]);
        listed
    }

    /// Everyone knows everything; what that comes to, and after it was all settled, nothing.
    fn settle(mut self) -> usize {
        self.drafts = [const { None }; 3];
        for at in [0, 1, 2, 0, 1, 2] {
            self.sync(at);
        }
        let told = self.compare(0).len();
        // Compaction changes nothing about it.
        self.parties[1].tidy();
        for at in [0, 1, 2] {
            self.compare(at);
            assert_eq!(self.parties[at].shown(), self.parties[0].shown());
            // Nor do names and times differ, which the oracle does not know.
            assert_eq!(self.parties[at].conflicts(), self.parties[0].conflicts());
        }
        for conflict in self.compare(0) {
            let [id, field] = ["id", "field"].map(|name| conflict[name].as_str().unwrap());
            self.parties[0].resolve(id, field, 0);
        }
        for at in [0, 1, 2] {
            self.sync(at);
            assert_eq!(self.parties[at].conflicts(), Vec::<Value>::new());
        }
        told
    }
}

/// A change of a note that is there. Few values, so that some are written twice unaware of each other: that is no
/// conflict.
fn any_change(n: usize, word: &str, pinned: bool) -> Change<'_> {
    match n {
        0..4 => Change::Title(word),
        4 | 5 => Change::Body(Some(word)),
        6 => Change::Body(None),
        _ => Change::Pin(!pinned),
    }
}

/// What the oracle tells too: not the times and names of entries.
fn essence(conflict: &Value) -> Value {
    let side = |side: &Value| {
        let author = side["author"].as_str().unwrap().split('-').next();
        json!({"author": author, "value": side["value"]})
    };
    let losers: Vec<Value> = conflict["losers"].as_array().unwrap().iter().map(side).collect();
    json!({"id": conflict["id"], "field": conflict["field"], "winner": side(&conflict["winner"]), "losers": losers})
}
