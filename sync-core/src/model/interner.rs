//! Clients, names and keys of entries, each once in memory, under a small number and with its hash: what many batches
//! say again and again is made, hashed and compared once.

use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use super::entry::EntityKey;
use super::ids::Id;
use super::shared;
use super::stamp::{ClientId, Dot, Name};
use crate::hashed::HashMap;

/// A dot, by its client's number.
pub(super) type At = (u32, u64);

/// What was met so far. Its numbers mean nothing anywhere else.
#[derive(Default)]
pub(super) struct Interner {
    clients: Vec<(ClientId, u64)>,
    client_numbers: HashMap<Name, u32>,
    names: Vec<(Name, u64)>,
    name_numbers: HashMap<Name, u32>,
    keys: Vec<Key>,
    /// By the number of the type's name, and the form and bits of the id.
    packed: HashMap<(u32, u64, u128), u32>,
    /// The same of ids that are texts.
    texts: HashMap<u32, HashMap<Arc<str>, u32>>,
}

/// A key, and the hashes of its parts.
pub(super) struct Key {
    pub(super) key: EntityKey,
    pub(super) hashes: [u64; 2],
}

impl Interner {
    pub(super) fn name(&mut self, text: &str) -> u32 {
        number(&mut self.names, &mut self.name_numbers, text, |name| name)
    }

    pub(super) fn client(&mut self, text: &str) -> u32 {
        number(&mut self.clients, &mut self.client_numbers, text, ClientId::new)
    }

    /// The key of an entity whose type is this one of the names.
    pub(super) fn key(&mut self, entity_type: u32, id: Id<'_>) -> u32 {
        let known = match id {
            Id::Packed(form, bits) => self.packed.get(&(entity_type, form, bits)),
            Id::Text(text) => self.texts.get(&entity_type).and_then(|ids| ids.get(text)),
        };
        if let Some(number) = known {
            return *number;
        }
        let number = next(&self.keys);
        let (type_name, type_hash) = self.names[entity_type as usize].clone();
        let text: Arc<str> = Arc::from(id.spell(&mut [0; 36]));
        match id {
            Id::Packed(form, bits) => self.packed.insert((entity_type, form, bits), number),
            Id::Text(_) => self.texts.entry(entity_type).or_default().insert(text.clone(), number),
        };
        let hashes = [type_hash, xxh3_64(text.as_bytes())];
        self.keys.push(Key { key: EntityKey { entity_type: type_name, id: text }, hashes });
        number
    }

    pub(super) fn client_at(&self, number: u32) -> &(ClientId, u64) {
        &self.clients[number as usize]
    }

    pub(super) fn name_at(&self, number: u32) -> &(Name, u64) {
        &self.names[number as usize]
    }

    pub(super) fn key_at(&self, number: u32) -> &Key {
        &self.keys[number as usize]
    }

    /// How many clients and keys were met.
    pub(super) fn met(&self) -> (usize, usize) {
        (self.clients.len(), self.keys.len())
    }

    pub(super) fn dot(&self, (client, n): At) -> Dot {
        Dot::new(self.client_at(client).0.clone(), n)
    }
}

fn number<T>(
    things: &mut Vec<(T, u64)>,
    numbers: &mut HashMap<Name, u32>,
    text: &str,
    make: impl FnOnce(Name) -> T,
) -> u32 {
    if let Some(number) = numbers.get(text) {
        return *number;
    }
    let (number, name) = (next(things), shared::name(text));
    numbers.insert(name.clone(), number);
    things.push((make(name), xxh3_64(text.as_bytes())));
    number
}

fn next<T>(things: &[T]) -> u32 {
    u32::try_from(things.len()).expect("2^32 texts fit into no memory")
}
