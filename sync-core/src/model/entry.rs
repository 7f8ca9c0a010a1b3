//! Entries: immutable records of intent, what the log is made of.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

pub use super::batch::{decode_batch, encode_batch};
use super::codec::{self, CodecError, Reader, Writer};
use super::digest::Digest;
use super::hash;
use super::op::Op;
use super::stamp::{ClientId, Dot, Dots, Name, Origin};
use super::value::Value;
use crate::entity::Tombstone;
use crate::hashed::HashMap;

/// Which entity: its type's name and its id.
#[derive(Clone, Eq, Debug)]
pub struct EntityKey {
    /// The entity type's name.
    pub entity_type: Name,
    /// The id's text.
    pub id: Arc<str>,
}

impl EntityKey {
    /// The most bytes that an entity type's name may have.
    pub const MAX_TYPE_BYTES: usize = 128;
    /// The most bytes that an entity's id may have.
    pub const MAX_ID_BYTES: usize = 512;

    /// The key of one entity.
    pub fn new(entity_type: impl Into<Name>, id: impl Into<Arc<str>>) -> Self {
        Self { entity_type: entity_type.into(), id: id.into() }
    }
}

impl PartialEq for EntityKey {
    fn eq(&self, other: &Self) -> bool {
        let same_type = Arc::ptr_eq(&self.entity_type, &other.entity_type) || self.entity_type == other.entity_type;
        same_type && (Arc::ptr_eq(&self.id, &other.id) || self.id == other.id)
    }
}

impl Ord for EntityKey {
    fn cmp(&self, other: &Self) -> Ordering {
        // Nearly all that are compared are of one type, whose name is one text.
        let same_type = Arc::ptr_eq(&self.entity_type, &other.entity_type);
        let by_type = if same_type { Ordering::Equal } else { self.entity_type.cmp(&other.entity_type) };
        by_type.then_with(|| self.id.cmp(&other.id))
    }
}

impl PartialOrd for EntityKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for EntityKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Types are few, and two of them seldom have an id in common.
        self.id.hash(state);
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.entity_type, self.id)
    }
}

/// Something for each entity. Seeded at random, as ids come from others: nothing may depend on its order.
pub(crate) type Map<T> = HashMap<EntityKey, T>;

/// What an entry does to its entity.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Action {
    /// Brings it into being, with every field.
    Create,
    /// Writes some of its fields.
    Update,
    /// Deletes it, under this policy.
    Delete(Tombstone),
    /// Takes back the deletes that the author saw.
    Restore,
    /// Drops the creates that it names, and all that stood on them alone. Only a hub writes it.
    Purge,
}

const ACTIONS: [Action; 6] = [
    Action::Create,
    Action::Update,
    Action::Delete(Tombstone::DeleteWins),
    Action::Delete(Tombstone::LastWriterWins),
    Action::Restore,
    Action::Purge,
];

impl Action {
    /// Its number in bytes and hashes.
    pub(super) fn code(self) -> u8 {
        match self {
            Action::Create => 0,
            Action::Update => 1,
            Action::Delete(Tombstone::DeleteWins) => 2,
            Action::Delete(Tombstone::LastWriterWins) => 3,
            Action::Restore => 4,
            Action::Purge => 5,
        }
    }

    pub(super) fn is_delete(self) -> bool {
        matches!(self, Action::Delete(_))
    }

    pub(super) fn from_code(code: u8) -> Option<Self> {
        ACTIONS.get(usize::from(code)).copied()
    }
}

/// Consecutive entries of one client that stand or fall together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Group {
    /// The number of the first.
    pub first: u64,
    /// How many there are.
    pub count: u64,
}

/// The key under which `replaces` names deletes and restores. No field can be called so.
pub const LIFECYCLE: &str = "$deleted";

/// One immutable record of intent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its name, time and author.
    pub origin: Origin,
    /// The id that a foreign client gave it.
    pub foreign_id: Option<Arc<str>>,
    /// Which entity it is about.
    pub key: EntityKey,
    /// What it does.
    pub action: Action,
    /// What it does to which fields, in the order of their names.
    pub fields: Vec<(Name, Op)>,
    /// The siblings that its author saw in each register and that it replaces, in the order of the names.
    pub replaces: Vec<(Name, Dots)>,
    /// The creates that its author saw; empty for a create.
    pub of: Dots,
    /// For a delete: the field writes that its author saw.
    pub saw: Dots,
    /// The transaction that it is part of.
    pub group: Option<Group>,
    /// Members that this version does not know: a JSON object, kept as it came.
    pub unknown: Option<Value>,
    /// A random name that numbering, re-stamping, refusal and forks never change. It travels up only.
    pub intent: Option<u128>,
}

impl Entry {
    /// The entry's name.
    pub fn dot(&self) -> &Dot {
        &self.origin.dot
    }

    /// The id on the wire: the dot's, unless a foreign client gave it another.
    pub fn id(&self) -> String {
        match &self.foreign_id {
            Some(id) => id.to_string(),
            None => self.origin.dot.to_text(),
        }
    }

    /// The creates on which what it writes stands: its own dot, or those its author saw.
    pub fn grounds(&self) -> Dots {
        self.stands_on().into()
    }

    /// The same, borrowed.
    pub(crate) fn stands_on(&self) -> &[Dot] {
        if self.action == Action::Create { std::slice::from_ref(&self.origin.dot) } else { &self.of }
    }

    /// The siblings of `field` that it replaces.
    pub fn replaced(&self, field: &str) -> &[Dot] {
        let found = self.replaces.iter().find(|(name, _)| &**name == field);
        found.map_or(&[], |(_, dots)| dots)
    }

    /// Every dot that it names.
    pub fn named(&self) -> impl Iterator<Item = &Dot> {
        let replaced = self.replaces.iter().flat_map(|(_, dots)| dots);
        let removed = self.fields.iter().flat_map(|(_, op)| match op {
            Op::Set { remove, .. } => remove.as_slice(),
            _ => &[],
        });
        replaced.chain(removed.flat_map(|(_, dots)| dots)).chain(&self.of).chain(&self.saw)
    }

    /// The same entry with every dot that it names mapped.
    pub(crate) fn map_named(&mut self, mut map: impl FnMut(&mut Dots)) {
        for (_, dots) in &mut self.replaces {
            map(dots);
        }
        for (_, op) in &mut self.fields {
            if let Op::Set { remove, .. } = op {
                for (_, dots) in remove {
                    map(dots);
                }
            }
        }
        map(&mut self.of);
        map(&mut self.saw);
    }

    /// The hash of all that is immutable in it: everything but its intent.
    pub fn hash(&self) -> Digest {
        hash::of(self)
    }

    /// How many usual entries have as many bytes of values: what is bounded by their number is bounded by this.
    pub(crate) fn weight(&self) -> usize {
        const USUAL: usize = 128;
        let values = self.fields.iter().map(|(_, op)| op.bytes()).sum::<usize>();
        let unknown = self.unknown.as_ref().map_or(0, |unknown| unknown.as_str().len());
        ((values + unknown) / USUAL).max(1)
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u8(self.action.code());
        w.origin(&self.origin);
        w.option(self.foreign_id.as_ref(), |w, id| w.text(id));
        w.name(&self.key.entity_type);
        w.name(&self.key.id);
        w.list(&self.fields, |w, (name, op)| {
            w.name(name);
            op.write(w);
        });
        w.list(&self.replaces, |w, (name, dots)| {
            w.name(name);
            w.dots(dots);
        });
        w.dots(&self.of);
        w.dots(&self.saw);
        w.option(self.group.as_ref(), |w, group| {
            w.u64(group.first);
            w.u64(group.count);
        });
        w.option(self.unknown.as_ref(), Writer::value);
        w.option(self.intent.as_ref(), |w, intent| w.u128(*intent));
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Entry> {
        let action = Action::from_code(r.u8()?).ok_or(CodecError { expected: "an action" })?;
        Ok(Entry {
            action,
            origin: r.origin()?,
            foreign_id: r.option(|r| r.text().map(Arc::from))?,
            key: EntityKey { entity_type: r.name()?, id: r.name()? },
            fields: r.list(|r| Ok((r.name()?, Op::read(r)?)))?,
            replaces: r.list(|r| Ok((r.name()?, r.dots()?)))?,
            of: r.dots()?,
            saw: r.dots()?,
            group: r.option(|r| Ok(Group { first: r.u64()?, count: r.u64()? }))?,
            unknown: r.option(Reader::value)?,
            intent: r.option(Reader::u128)?,
        })
    }

    /// An entry that writes nothing yet.
    ///
    /// ```
    /// use sync_core::model::stamp::Origin;
    /// use sync_core::{Action, ClientId, Dot, EntityKey, Entry};
    /// let origin = Origin { dot: Dot::new(ClientId::new("a"), 1), time: 5, author: None };
    /// let create = Entry::new(origin, EntityKey::new("note", "n"), Action::Create);
    /// assert_eq!(create.id(), "a-0000000000000001");
    /// ```
    pub fn new(origin: Origin, key: EntityKey, action: Action) -> Self {
        Self {
            origin,
            foreign_id: None,
            key,
            action,
            fields: Vec::new(),
            replaces: Vec::new(),
            of: Dots::new(),
            saw: Dots::new(),
            group: None,
            unknown: None,
            intent: None,
        }
    }
}

/// Whether an entity may have this id.
pub(crate) fn id_is_valid(id: &str) -> bool {
    !id.is_empty() && id.len() <= EntityKey::MAX_ID_BYTES
}

/// Whether a client id may stand in an entry.
pub(crate) fn client_is_valid(client: &ClientId) -> bool {
    is_client_text(client.as_str())
}

/// Whether a text may be an entity type's name in an entry.
pub(crate) fn type_is_valid(name: &str) -> bool {
    (1..=EntityKey::MAX_TYPE_BYTES).contains(&name.len()) && !name.chars().any(char::is_control)
}

/// Whether a text may be a client id in an entry.
pub(super) fn is_client_text(text: &str) -> bool {
    let has_controls = || text.bytes().any(|b| !(b' '..=b'~').contains(&b)) && text.chars().any(char::is_control);
    !text.is_empty() && text.len() <= ClientId::MAX_BYTES && !has_controls()
}
