//! The limits: the same answer from a hash map, and what its parts cost at least.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use rustc_hash::FxHashMap;
use sync_core::Uuid;

use crate::measure::Result;
use crate::workload::{Content, Notes, PlainAction, PlainLine};

/// A note as last-writer-wins needs it; its texts are `T`.
#[derive(Default)]
pub(crate) struct Slot<T> {
    title: T,
    body: T,
    pinned: bool,
    tags: Vec<T>,
    stamps: [u64; 4],
    created: bool,
    deleted: bool,
}

impl<T> Slot<T> {
    /// One action's effect.
    fn take(
        &mut self,
        kind: u8,
        stamp: u64,
        title: Option<T>,
        body: Option<T>,
        pinned: Option<bool>,
        tags: Option<Vec<T>>,
    ) {
        self.created |= kind == 0;
        self.deleted |= kind == 2;
        put(&mut self.stamps[0], stamp, &mut self.title, title);
        put(&mut self.stamps[1], stamp, &mut self.body, body);
        put(&mut self.stamps[2], stamp, &mut self.pinned, pinned);
        put(&mut self.stamps[3], stamp, &mut self.tags, tags);
    }

    fn lives(&self) -> bool {
        self.created && !self.deleted
    }
}

fn put<V>(seen: &mut u64, stamp: u64, field: &mut V, value: Option<V>) {
    if let Some(value) = value.filter(|_| stamp > *seen) {
        *seen = stamp;
        *field = value;
    }
}

pub(crate) type Borrowed<'a> = FxHashMap<u128, Slot<&'a str>>;
pub(crate) type Owned = HashMap<String, Slot<String>>;
pub(crate) type OwnedById = HashMap<u128, Slot<String>>;

/// Binary batches to a map of borrowed texts.
pub(crate) fn from_postcard(batches: &[Vec<u8>]) -> Result<Borrowed<'_>> {
    let mut notes = Borrowed::default();
    for batch in batches {
        let actions: Vec<PlainAction<'_>> = postcard::from_bytes(batch)?;
        for a in actions {
            let stamp = (a.time << 8) | u64::from(a.client);
            notes.entry(a.note).or_default().take(a.kind, stamp, a.title, a.body, a.pinned, a.tags);
        }
    }
    Ok(notes)
}

pub(crate) fn borrowed_notes(notes: &Borrowed<'_>) -> Notes {
    let live = notes.iter().filter(|(_, slot)| slot.lives());
    let owned = live.map(|(id, slot)| {
        let tags = slot.tags.iter().map(|tag| (*tag).to_owned()).collect();
        let content = Content { title: slot.title.into(), body: slot.body.into(), pinned: slot.pinned, tags };
        (Uuid::from_u128(*id), content)
    });
    owned.collect()
}

/// Binary batches to a map of owned texts, hashed as the standard library does.
pub(crate) fn from_postcard_owned(batches: &[Vec<u8>]) -> Result<OwnedById> {
    let mut notes = OwnedById::new();
    fold_postcard(&mut notes, batches)?;
    Ok(notes)
}

pub(crate) fn fold_postcard(notes: &mut OwnedById, batches: &[Vec<u8>]) -> Result<()> {
    for batch in batches {
        let actions: Vec<PlainAction<'_>> = postcard::from_bytes(batch)?;
        for a in actions {
            let stamp = (a.time << 8) | u64::from(a.client);
            let tags = a.tags.map(|tags| tags.into_iter().map(str::to_owned).collect());
            let (title, body) = (a.title.map(str::to_owned), a.body.map(str::to_owned));
            notes.entry(a.note).or_default().take(a.kind, stamp, title, body, a.pinned, tags);
        }
    }
    Ok(())
}

/// Lines of JSON, read by serde into owned structs, to a map of owned texts.
pub(crate) fn from_json(batches: &[Vec<u8>]) -> Result<Owned> {
    let mut notes = Owned::new();
    for batch in batches {
        for line in serde_json::Deserializer::from_slice(batch).into_iter::<PlainLine>() {
            fold_line(&mut notes, line?);
        }
    }
    Ok(notes)
}

fn fold_line(notes: &mut Owned, line: PlainLine) {
    let kind = match &line.kind[..] {
        "create" => 0,
        "update" => 1,
        _ => 2,
    };
    // Clients differ in their first digits.
    let client = u8::from_str_radix(&line.client_id[..2], 16).unwrap_or_default();
    let stamp = (line.logical_time << 8) | u64::from(client);
    let payload = line.payload;
    let slot = notes.entry(line.entity_id).or_default();
    slot.take(kind, stamp, payload.title, payload.body, payload.pinned, payload.tags);
}

/// The parsing alone.
pub(crate) fn parse_json(batches: &[Vec<u8>]) -> Result<usize> {
    let mut count = 0;
    for batch in batches {
        for line in serde_json::Deserializer::from_slice(batch).into_iter::<PlainLine>() {
            count += usize::from(line?.logical_time > 0);
        }
    }
    Ok(count)
}

pub(crate) fn owned_notes<'a>(notes: impl Iterator<Item = (Uuid, &'a Slot<String>)>) -> Notes {
    let live = notes.filter(|(_, slot)| slot.lives());
    let content = |slot: &Slot<String>| Content {
        title: slot.title.clone(),
        body: slot.body.clone(),
        pinned: slot.pinned,
        tags: slot.tags.clone(),
    };
    live.map(|(id, slot)| (id, content(slot))).collect()
}

/// A file that is only appended to.
pub(crate) struct Log(File);

impl Log {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        Ok(Self(File::create(path)?))
    }

    /// Appends and syncs.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes)?;
        Ok(self.0.sync_data()?)
    }
}
