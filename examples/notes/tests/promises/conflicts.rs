//! Three devices edit the same notes unaware of each other: they list the conflicts that there are, and no others.

use serde_json::{Value, json};

use super::common::{Rng, assert_alike, seeds, sync};
use super::oracle::{DELETED, Known, Oracle};
use crate::support::{Device, HubProcess, folder};

const NOTES: [&str; 2] = ["n0", "n1"];
const NAMES: [&str; 3] = ["ana", "ben", "cam"];
/// In the order in which conflicts are listed.
const FIELDS: [&str; 3] = ["body", "pinned", "title"];

#[test]
fn conflicts_are_those_of_writers_unaware_of_each_other() {
    let mut told = 0;
    for seed in seeds(3) {
        println!("NOTES_SEED={seed}");
        let mut world = World::new(seed);
        for _ in 0..24 {
            world.step();
        }
        told += world.settle();
    }
    assert!(told > 0, "no history had a conflict: there was nothing to compare");
}

struct World {
    rng: Rng,
    devices: [Device; 3],
    oracle: Oracle,
    /// What each device knows.
    known: [Known; 3],
    /// What the hub knows.
    there: Known,
    _hub: HubProcess,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = folder();
        let hub = HubProcess::start(folder.path());
        let devices = NAMES.map(|name| Device::of(folder.path(), name, &hub));
        let (oracle, known) = (Oracle::default(), [const { Known::new() }; 3]);
        let mut world =
            Self { rng: Rng(seed), devices, oracle, known, there: Known::new(), _hub: hub, _folder: folder };
        for note in NOTES {
            world.devices[0].add(&["t0", "--id", note]);
            for (field, value) in FIELDS.into_iter().zip([Value::Null, json!(false), json!("t0")]) {
                world.note(0, note, field, value);
            }
        }
        for at in 0..3 {
            world.sync(at);
        }
        world
    }

    fn note(&mut self, at: usize, note: &'static str, field: &'static str, value: Value) {
        self.oracle.write(&mut self.known[at], NAMES[at], note, field, value);
    }

    fn step(&mut self) {
        let at = self.rng.below(3);
        match self.rng.below(100) {
            0..66 => self.write(at),
            66..90 => {
                self.sync(at);
                self.compare(at);
            }
            _ => self.resolve(at),
        }
    }

    fn write(&mut self, at: usize) {
        let note = NOTES[self.rng.below(NOTES.len())];
        let deleted = self.oracle.is_deleted(&self.known[at], note);
        // Few values, so that some are written twice unaware of each other: that is no conflict.
        let word = self.rng.below(4).to_string();
        let (field, value, args) = match (deleted, self.rng.below(8)) {
            (true, 0..4) => (DELETED, json!(false), vec!["restore", note]),
            (true, _) => return,
            (false, 0) => (DELETED, json!(true), vec!["rm", note]),
            (false, 1..4) => ("title", json!(word), vec!["edit", note, "--title", &word]),
            (false, 4 | 5) => ("body", json!(word), vec!["edit", note, "--body", &word]),
            (false, 6) => ("body", Value::Null, vec!["edit", note, "--no-body"]),
            (false, _) => {
                let pin = *self.oracle.shown(&self.known[at], note, "pinned") == false;
                ("pinned", json!(pin), vec!["edit", note, "--pin", if pin { "true" } else { "false" }])
            }
        };
        self.devices[at].ok(&args);
        // A field that is set to what it shows is no write.
        if field == DELETED || *self.oracle.shown(&self.known[at], note, field) != value {
            self.note(at, note, field, value);
        }
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
        self.devices[at].ok(&["resolve", note, field, "--take", &take.to_string()]);
        let side = if take == 0 { &conflict["winner"] } else { &conflict["losers"][take - 1] };
        let value = if field == DELETED { json!(take == 0) } else { side["value"].clone() };
        self.note(at, note, field, value);
        self.compare(at);
    }

    fn sync(&mut self, at: usize) {
        sync(&self.devices[at]);
        self.there.extend(&self.known[at]);
        self.known[at].clone_from(&self.there);
    }

    /// What the device lists is what the oracle does, by who had seen what.
    fn compare(&self, at: usize) -> Vec<Value> {
        let listed = self.devices[at].json(&["conflicts", "--json"]);
        let listed: Vec<Value> = listed.as_array().unwrap().iter().map(essence).collect();
        let expected = self.oracle.conflicts(&self.known[at], &NOTES, &FIELDS);
        assert_eq!(listed, expected, "on {}", NAMES[at]);
        listed
    }

    /// Everyone knows everything; what that comes to, and after it was all settled, nothing.
    fn settle(mut self) -> usize {
        for at in [0, 1, 2, 0, 1, 2] {
            self.sync(at);
        }
        let told = self.compare(0).len();
        assert_alike(&self.devices.each_ref());
        // Compaction changes nothing about it.
        self.devices[1].ok(&["compact"]);
        self.compare(1);
        for conflict in self.compare(0) {
            let [id, field] = ["id", "field"].map(|name| conflict[name].as_str().unwrap());
            self.devices[0].ok(&["resolve", id, field]);
        }
        for at in [0, 1, 2] {
            self.sync(at);
            assert_eq!(self.devices[at].json(&["conflicts", "--json"]), json!([]));
        }
        told
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
