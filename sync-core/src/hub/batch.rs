//! The entries of one row as they are kept: bytes, read only when somebody looks into them.

use std::sync::{Arc, OnceLock};

use crate::model::batch::decode_trusted;
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::digest::Digest;
use crate::model::entry::Entry;
use crate::model::op::Op;
use crate::model::stamp::{ClientId, Dot};
use crate::transport::compact::pack;

/// An entry as it was accepted.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    /// Without its intent: that travels up only.
    pub(super) entry: Arc<Entry>,
    pub(super) hash: Digest,
    pub(super) intent: Option<u128>,
}

impl Logged {
    /// About how many bytes it takes in memory and on the wire.
    pub(super) fn weight(&self) -> usize {
        256 + self.entry.key.id.len() + content_bytes(&self.entry)
    }
}

/// How many bytes there are in all of an entry that can be long, with something for each part.
pub(super) fn content_bytes(entry: &Entry) -> usize {
    let fields = entry.fields.iter().map(|(name, op)| 16 + name.len() + op_bytes(op));
    let replaced = entry.replaces.iter().map(|(name, _)| 16 + name.len());
    let dots = entry.named().map(|dot| dot.client.as_str().len() + 20);
    let unknown = entry.unknown.as_ref().map_or(0, |unknown| unknown.as_str().len());
    fields.sum::<usize>() + replaced.sum::<usize>() + dots.sum::<usize>() + unknown
}

fn op_bytes(op: &Op) -> usize {
    match op {
        Op::Assign(v) | Op::First(v) | Op::Max(v) | Op::Min(v) => v.as_str().len() + 16,
        Op::Own { family, body } => family.len() + body.as_str().len() + 16,
        Op::Add(_) => 24,
        Op::Set { insert, remove } => {
            let elements = insert.iter().chain(remove.iter().map(|(element, _)| element));
            16 + elements.map(|v| v.as_str().len() + 16).sum::<usize>()
        }
    }
}

/// What was accepted of one push. Whose entries they are, and under which intents, is told without reading them.
#[derive(Debug, Clone, Default)]
pub(super) struct Batch {
    bytes: Arc<[u8]>,
    stretches: Vec<Stretch>,
    intents: Vec<Intents>,
    read: OnceLock<Arc<[Logged]>>,
}

/// Consecutive entries of one client, one after the other in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) client: ClientId,
    /// The number of the first.
    pub(super) first: u64,
    pub(super) count: u64,
    /// Whether a hub numbered them, for clients that do not.
    pub(super) is_foreign: bool,
}

/// Consecutive entries whose intents count up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Intents {
    /// The place of the first entry in the batch.
    pub(super) at: u64,
    pub(super) count: u64,
    /// The first intent.
    pub(super) first: u128,
}

impl Stretch {
    pub(super) fn last(&self) -> u64 {
        self.first + (self.count - 1)
    }

    fn goes_on_with(&self, dot: &Dot, is_foreign: bool) -> bool {
        self.client == dot.client && self.first + self.count == dot.n && self.is_foreign == is_foreign
    }
}

impl Intents {
    pub(super) fn last(&self) -> u128 {
        self.first + u128::from(self.count - 1)
    }
}

impl Batch {
    /// These entries, in the bytes in which they came if they came like that.
    pub(super) fn new(entries: Vec<Logged>, came_as: Option<Arc<[u8]>>) -> Self {
        let bytes = came_as.unwrap_or_else(|| pack(entries.iter().map(|logged| &*logged.entry)).into());
        let (mut stretches, mut intents): (Vec<Stretch>, Vec<Intents>) = (Vec::new(), Vec::new());
        for (at, Logged { entry, intent, .. }) in (0..).zip(&entries) {
            let (dot, is_foreign) = (entry.dot(), entry.foreign_id.is_some());
            let goes_on = match stretches.last_mut() {
                Some(stretch) if stretch.goes_on_with(dot, is_foreign) => {
                    stretch.count += 1;
                    true
                }
                _ => {
                    stretches.push(Stretch { client: dot.client.clone(), first: dot.n, count: 1, is_foreign });
                    false
                }
            };
            let Some(intent) = *intent else { continue };
            match intents.last_mut() {
                Some(run) if goes_on && run.at + run.count == at && run.last().checked_add(1) == Some(intent) => {
                    run.count += 1;
                }
                _ => intents.push(Intents { at, count: 1, first: intent }),
            }
        }
        Self { bytes, stretches, intents, read: OnceLock::from(Arc::from(entries)) }
    }

    pub(super) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> u64 {
        self.stretches.iter().map(|stretch| stretch.count).sum()
    }

    pub(super) fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    pub(super) fn intents(&self) -> &[Intents] {
        &self.intents
    }

    /// The name of the entry at this place.
    pub(super) fn dot(&self, at: u64) -> Option<Dot> {
        let mut before = 0;
        for stretch in &self.stretches {
            if at < before + stretch.count {
                return Some(Dot::new(stretch.client.clone(), stretch.first + (at - before)));
            }
            before += stretch.count;
        }
        None
    }

    /// The entries, read if nobody did before.
    pub(super) fn entries(&self) -> codec::Result<&[Logged]> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        // They were checked before they were kept.
        let entries = decode_trusted(&self.bytes)?;
        let logged = |entry: Entry| Logged { hash: entry.hash(), entry: Arc::new(entry), intent: None };
        let mut entries: Vec<Logged> = entries.into_iter().map(logged).collect();
        for run in &self.intents {
            for (step, logged) in (0..).zip(entries.iter_mut().skip(run.at as usize).take(run.count as usize)) {
                logged.intent = Some(run.first + step);
            }
        }
        let names = self.stretches.iter().flat_map(|s| (s.first..=s.last()).map(move |n| (&s.client, n)));
        if !entries.iter().map(|logged| (&logged.entry.dot().client, logged.entry.dot().n)).eq(names) {
            return Err(CodecError { expected: "the entries that the row names" });
        }
        Ok(self.read.get_or_init(|| entries.into()))
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.list(&self.stretches, |w, stretch| {
            w.client(&stretch.client);
            w.u64(stretch.first);
            w.u64(stretch.count);
            w.u8(u8::from(stretch.is_foreign));
        });
        w.list(&self.intents, |w, run| {
            w.u64(run.at);
            w.u64(run.count);
            w.u128(run.first);
        });
        w.raw(&self.bytes);
    }

    pub(super) fn read(r: &mut Reader<'_>) -> codec::Result<Self> {
        let stretch = |r: &mut Reader<'_>| {
            Ok(Stretch { client: r.client()?, first: r.u64()?, count: r.u64()?, is_foreign: r.u8()? != 0 })
        };
        let stretches = r.list(stretch)?;
        let intents = r.list(|r| Ok(Intents { at: r.u64()?, count: r.u64()?, first: r.u128()? }))?;
        let fits = |stretch: &Stretch| stretch.count > 0 && stretch.first.checked_add(stretch.count).is_some();
        // The last may be the greatest that there is: intents are whatever clients say.
        let counts = |run: &Intents| run.count > 0 && run.first.checked_add(u128::from(run.count - 1)).is_some();
        if !stretches.iter().all(fits) || !intents.iter().all(counts) {
            return Err(CodecError { expected: "entries that count up" });
        }
        Ok(Self { stretches, intents, bytes: r.raw()?.into(), read: OnceLock::new() })
    }
}
