//! The workload that all take part in: notes written by eight devices that meet a hundred times.
//!
//! 10% of the actions create a note, 85% change one or two of its fields, 5% delete one; each device acts on what
//! it saw at the last meeting and on what it wrote since. Logical clocks are interleaved. All of it follows from a seed.

mod entries;
mod plain;
mod random;
mod words;

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sync_core::{Id, Syncable, Uuid};

pub(crate) use entries::entries;
pub(crate) use plain::{PlainAction, PlainLine, json_lines, postcard};
pub(crate) use random::Random;

/// How many devices write, and how often they meet.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) clients: usize,
    pub(crate) rounds: usize,
}

/// Eight devices that meet a hundred times.
pub(crate) const SHARED: Shape = Shape { clients: 8, rounds: 100 };
/// One device by itself.
pub(crate) const ALONE: Shape = Shape { clients: 1, rounds: 1 };

/// Mid-2025, in milliseconds.
const BEGIN: u64 = 1_750_000_000_000;

/// The entity of the workload, as a program of ours declares it.
#[derive(Syncable, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    #[sync(id)]
    pub(crate) id: Id<Note>,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) pinned: bool,
    pub(crate) tags: Vec<String>,
}

/// A note's fields, as every participant shows them in the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub(crate) struct Content {
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) pinned: bool,
    pub(crate) tags: Vec<String>,
}

/// The notes that live, by their ids: what is compared.
pub(crate) type Notes = BTreeMap<Uuid, Content>;

/// The fields that an action writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub(crate) title: Option<String>,
    pub(crate) body: Option<String>,
    pub(crate) pinned: Option<bool>,
    pub(crate) tags: Option<Vec<String>>,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Create(Content),
    Update(Patch),
    Delete,
}

/// One action of one device.
#[derive(Clone, Debug)]
pub(crate) struct Action {
    pub(crate) client: usize,
    /// Its place among the client's actions, from 1.
    pub(crate) n: u64,
    pub(crate) time: u64,
    /// Which note, by its place in [`Workload::ids`].
    pub(crate) note: usize,
    pub(crate) what: What,
}

pub(crate) struct Workload {
    pub(crate) actions: Vec<Action>,
    /// Where each meeting's actions end.
    pub(crate) rounds: Vec<usize>,
    pub(crate) ids: Vec<Uuid>,
    /// The clients' ids, ordered as their numbers are.
    pub(crate) clients: Vec<u128>,
}

impl Note {
    pub(crate) fn new(id: Uuid, content: Content) -> Self {
        let Content { title, body, pinned, tags } = content;
        Self { id: Id::new(id), title, body, pinned, tags }
    }
}

/// The notes of ours, as they are compared.
pub(crate) fn by_id(notes: impl IntoIterator<Item = Note>) -> Notes {
    let plain = |note: Note| {
        let Note { id, title, body, pinned, tags } = note;
        (*id.key(), Content { title, body, pinned, tags })
    };
    notes.into_iter().map(plain).collect()
}

impl Workload {
    /// `count` actions.
    pub(crate) fn new(seed: u64, count: usize, shape: Shape) -> Self {
        let Shape { clients: devices, rounds } = shape;
        let mut random = Random::new(seed);
        let words = words::Words::new(&mut random);
        let mut clients: Vec<u128> = (0..devices).map(|_| random.u128()).collect();
        clients.sort_unstable();
        let mut this = Self { actions: Vec::with_capacity(count), rounds: Vec::new(), ids: Vec::new(), clients };
        let mut alive: Vec<usize> = Vec::new();
        let mut numbers = vec![0u64; devices];
        let (turns, mut done) = (rounds * devices, 0);
        let longest = count.div_ceil(turns);
        for round in 0..rounds {
            let (mut created, mut deleted) = (Vec::new(), HashSet::new());
            for (client, number) in numbers.iter_mut().enumerate() {
                let end = (round * devices + client + 1) * count / turns;
                let mut own = alive.clone();
                for step in 0..end - done {
                    let kind = random.below(100);
                    *number += 1;
                    // The devices write at the same time, in between each other.
                    let time = BEGIN + ((round * longest + step) * devices + client) as u64 * 10;
                    let (note, what) = if kind < 10 || own.is_empty() {
                        let id = uuid_at(time, random.u128());
                        this.ids.push(id);
                        own.push(this.ids.len() - 1);
                        created.push(this.ids.len() - 1);
                        (this.ids.len() - 1, What::Create(content(&words, &mut random)))
                    } else if kind < 95 {
                        (own[random.below(own.len())], What::Update(patch(&words, &mut random)))
                    } else {
                        let note = own.swap_remove(random.below(own.len()));
                        deleted.insert(note);
                        (note, What::Delete)
                    };
                    this.actions.push(Action { client, n: *number, time, note, what });
                }
                done = end;
            }
            alive.extend(created);
            alive.retain(|note| !deleted.contains(note));
            this.rounds.push(this.actions.len());
        }
        this
    }

    /// The id of a client as ours and the article's write it.
    pub(crate) fn client_text(&self, client: usize) -> String {
        format!("{:032x}", self.clients[client])
    }

    /// The actions of each meeting, client by client.
    pub(crate) fn sessions(&self) -> Vec<Vec<&[Action]>> {
        let mut begin = 0;
        let rounds = self.rounds.iter().map(|end| {
            let round = &self.actions[begin..*end];
            begin = *end;
            round.chunk_by(|a, b| a.client == b.client).collect()
        });
        rounds.collect()
    }
}

fn content(words: &words::Words, random: &mut Random) -> Content {
    Content {
        title: words.text(random, 30),
        body: words.text(random, 200),
        pinned: random.below(4) == 0,
        tags: tags(words, random),
    }
}

fn tags(words: &words::Words, random: &mut Random) -> Vec<String> {
    let mut tags: Vec<String> = (0..random.below(4)).map(|_| words.word(random).to_owned()).collect();
    tags.sort();
    tags.dedup();
    tags
}

/// One field, or two.
fn patch(words: &words::Words, random: &mut Random) -> Patch {
    let mut patch = Patch::default();
    for _ in 0..1 + random.below(2) {
        match random.below(4) {
            0 => patch.title = Some(words.text(random, 30)),
            1 => patch.body = Some(words.text(random, 200)),
            2 => patch.pinned = Some(random.below(2) == 0),
            _ => patch.tags = Some(tags(words, random)),
        }
    }
    patch
}

/// A UUID of version 7.
fn uuid_at(time: u64, random: u128) -> Uuid {
    let bits = (u128::from(time) << 80) | (random & ((1 << 80) - 1));
    let bits = bits & !(0xf << 76) & !(0b11 << 62);
    Uuid::from_u128(bits | (7 << 76) | (0b10 << 62))
}

/// Actions carried out in order, the last writer winning field by field: what everyone must show.
///
/// Within a meeting the devices' clocks are interleaved, so a field remembers the stamp of its last write.
pub(crate) fn expected(workload: &Workload) -> Notes {
    #[derive(Default)]
    struct Slot {
        content: Content,
        stamps: [(u64, usize); 4],
        created: bool,
        deleted: bool,
    }
    let mut slots: Vec<Slot> = Vec::new();
    slots.resize_with(workload.ids.len(), Slot::default);
    for action in &workload.actions {
        let slot = &mut slots[action.note];
        let stamp = (action.time, action.client);
        let patch = match &action.what {
            What::Create(content) => {
                slot.created = true;
                let Content { title, body, pinned, tags } = content.clone();
                Patch { title: Some(title), body: Some(body), pinned: Some(pinned), tags: Some(tags) }
            }
            What::Update(patch) => patch.clone(),
            What::Delete => {
                slot.deleted = true;
                continue;
            }
        };
        let mut newer = |field: usize| {
            let newer = slot.stamps[field] < stamp;
            if newer {
                slot.stamps[field] = stamp;
            }
            newer
        };
        let (title, body) = (patch.title.filter(|_| newer(0)), patch.body.filter(|_| newer(1)));
        let (pinned, tags) = (patch.pinned.filter(|_| newer(2)), patch.tags.filter(|_| newer(3)));
        let content = &mut slot.content;
        title.into_iter().for_each(|title| content.title = title);
        body.into_iter().for_each(|body| content.body = body);
        pinned.into_iter().for_each(|pinned| content.pinned = pinned);
        tags.into_iter().for_each(|tags| content.tags = tags);
    }
    let live = slots.into_iter().zip(&workload.ids).filter(|(slot, _)| slot.created && !slot.deleted);
    live.map(|(slot, id)| (*id, slot.content)).collect()
}
