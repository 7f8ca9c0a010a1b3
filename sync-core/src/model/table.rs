//! Things that stand once, and where: a few are looked through, more are found by their hash.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use super::entry::EntityKey;
use super::stamp::Name;
use crate::hashed::HashMap;

/// Things in the order in which they were met.
pub(super) struct Table<T> {
    things: SmallVec<[T; Table::<()>::FEW]>,
    /// Where they stand, once there are more than are soon looked through.
    index: HashMap<T, u32>,
}

impl Table<()> {
    /// How many are looked through.
    pub(super) const FEW: usize = 16;
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { things: SmallVec::new(), index: HashMap::default() }
    }
}

impl<T: Clone + Eq + Hash> Table<T> {
    pub(super) fn things(&self) -> &[T] {
        &self.things
    }

    /// The thing's place; a new one is the last.
    pub(super) fn place<U: Into<T>>(&mut self, thing: U) -> u32
    where
        T: Alike<U>,
    {
        if !self.index.is_empty() {
            let thing = thing.into();
            return self.index.get(&thing).copied().unwrap_or_else(|| self.add(thing));
        }
        let known = self.things.iter().position(|known| known.is_one_with(&thing));
        let known = known.or_else(|| self.things.iter().position(|known| *known == thing));
        known.map_or_else(|| self.add(thing.into()), |place| place as u32)
    }

    fn add(&mut self, thing: T) -> u32 {
        let place = u32::try_from(self.things.len()).expect("2^32 things fit into no memory");
        self.things.push(thing);
        if self.things.len() > Table::FEW {
            let known = self.index.len();
            let things = self.things[known..].iter().zip(known as u32..);
            self.index.extend(things.map(|(thing, place)| (thing.clone(), place)));
        }
        place
    }
}

/// What may be one in memory with another, which is seen before they are compared.
pub(super) trait Alike<U>: PartialEq<U> {
    /// Whether both are one; if not, they may be equal all the same.
    fn is_one_with(&self, _: &U) -> bool {
        false
    }
}

impl<T: PartialEq> Alike<&[T]> for Vec<T> {}

impl Alike<&EntityKey> for &EntityKey {
    fn is_one_with(&self, other: &&EntityKey) -> bool {
        Arc::ptr_eq(&self.id, &other.id) && Arc::ptr_eq(&self.entity_type, &other.entity_type)
    }
}

/// A text that is one in memory as a rule, and then known by its address.
#[derive(Clone, Copy)]
pub(super) struct Text<N>(pub(super) N);

impl From<Text<&Name>> for Text<Name> {
    fn from(Text(name): Text<&Name>) -> Self {
        Self(name.clone())
    }
}

impl<N: Borrow<Name>, O: Borrow<Name>> PartialEq<Text<O>> for Text<N> {
    fn eq(&self, other: &Text<O>) -> bool {
        self.is_one_with(other) || self.0.borrow() == other.0.borrow()
    }
}

impl<N: Borrow<Name>, O: Borrow<Name>> Alike<Text<O>> for Text<N> {
    fn is_one_with(&self, other: &Text<O>) -> bool {
        Arc::ptr_eq(self.0.borrow(), other.0.borrow())
    }
}

impl<N: Borrow<Name>> Eq for Text<N> {}

impl<N: Borrow<Name>> Hash for Text<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.borrow().hash(state);
    }
}
