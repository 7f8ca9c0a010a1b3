//! What simulated people write: entities of any type, the simulator's own or a user's.

use std::ops::DerefMut;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use sync_core::replica::{Draft, ReplicaBuilder, Transaction};
use sync_core::{Entity, Error, Fields, Id, Key, Replica};

use crate::rng::Rng;

/// What somebody does to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Create,
    Put,
    Edit,
    Delete,
    Restore,
}

/// An entity type, with what its users do to it.
pub(super) trait Subject: Send + Sync {
    fn name(&self) -> &'static str;

    fn register(&self, builder: ReplicaBuilder) -> ReplicaBuilder;

    /// Does it, as part of a transaction.
    fn act(&self, tx: &mut Transaction<'_>, act: Act, id: &str, rng: &mut Rng) -> Result<(), Error>;

    /// Reads an entity as what its type says; whether it is there.
    fn read(&self, replica: &Replica, id: &str) -> Result<bool, Error>;

    /// Opens a form and changes something in it; saving comes later.
    fn draft(&self, replica: &Replica, id: &str, rng: &mut Rng) -> Result<Box<dyn OpenForm>, Error>;
}

/// A form that was opened and changed.
pub(super) trait OpenForm: Send {
    fn save(self: Box<Self>) -> Result<sync_core::Commit<()>, Error>;
}

impl<T: Entity + Send> OpenForm for Draft<T> {
    fn save(mut self: Box<Self>) -> Result<sync_core::Commit<()>, Error> {
        Draft::save(&mut self)
    }
}

/// A type with its ways of being made and of being changed.
pub(super) struct Typed<T: Entity> {
    pub(super) make: fn(Id<T, T::Key>, &mut Rng) -> T,
    pub(super) change: fn(&mut T, &mut Rng),
}

impl<T: Entity + Send> Subject for Typed<T> {
    fn name(&self) -> &'static str {
        T::SCHEMA.name
    }

    fn register(&self, builder: ReplicaBuilder) -> ReplicaBuilder {
        builder.register::<T>()
    }

    fn act(&self, tx: &mut Transaction<'_>, act: Act, id: &str, rng: &mut Rng) -> Result<(), Error> {
        apply(tx, act, id, rng, |id, rng| (self.make)(id, rng), |entity, rng| (self.change)(entity, rng))
    }

    fn read(&self, replica: &Replica, id: &str) -> Result<bool, Error> {
        Ok(replica.get::<T>(&key(id))?.is_some())
    }

    fn draft(&self, replica: &Replica, id: &str, rng: &mut Rng) -> Result<Box<dyn OpenForm>, Error> {
        let mut draft = replica.draft::<T>(&key(id))?;
        (self.change)(draft.deref_mut(), rng);
        Ok(Box::new(draft))
    }
}

/// A user's type, whose values come from a strategy. An edit takes some fields of another value.
pub(super) struct Generated<T: Entity> {
    values: Box<dyn Fn(&mut TestRunner) -> T + Send + Sync>,
}

impl<T: Entity> Generated<T> {
    pub(super) fn new(values: impl Strategy<Value = T> + Send + Sync + 'static) -> Self {
        let one = move |runner: &mut TestRunner| values.new_tree(runner).expect("the strategy gives values").current();
        Self { values: Box::new(one) }
    }

    fn value(&self, rng: &mut Rng) -> T {
        let mut seed = [0; 32];
        seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.bits().to_le_bytes()));
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), random);
        (self.values)(&mut runner)
    }

    fn renamed(&self, id: Id<T, T::Key>, rng: &mut Rng) -> T {
        let fields = self.value(rng).to_fields().expect("the strategy's values can be stored");
        T::from_fields(id, &fields).expect("what was stored can be read")
    }

    fn changed(&self, entity: &mut T, rng: &mut Rng) {
        let Ok(mut fields) = entity.to_fields() else { return };
        let other: Fields = self.value(rng).to_fields().expect("the strategy's values can be stored");
        for (name, value) in other.iter().filter(|_| rng.percent(40)) {
            fields.insert(name.to_owned(), value.clone());
        }
        if let Ok(changed) = T::from_fields(entity.id().clone(), &fields) {
            *entity = changed;
        }
    }
}

impl<T: Entity + Send> Subject for Generated<T> {
    fn name(&self) -> &'static str {
        T::SCHEMA.name
    }

    fn register(&self, builder: ReplicaBuilder) -> ReplicaBuilder {
        builder.register::<T>()
    }

    fn act(&self, tx: &mut Transaction<'_>, act: Act, id: &str, rng: &mut Rng) -> Result<(), Error> {
        apply(tx, act, id, rng, |id, rng| self.renamed(id, rng), |entity, rng| self.changed(entity, rng))
    }

    fn read(&self, replica: &Replica, id: &str) -> Result<bool, Error> {
        Ok(replica.get::<T>(&key(id))?.is_some())
    }

    fn draft(&self, replica: &Replica, id: &str, rng: &mut Rng) -> Result<Box<dyn OpenForm>, Error> {
        let mut draft = replica.draft::<T>(&key(id))?;
        self.changed(draft.deref_mut(), rng);
        Ok(Box::new(draft))
    }
}

fn apply<T: Entity>(
    tx: &mut Transaction<'_>,
    act: Act,
    id: &str,
    rng: &mut Rng,
    make: impl Fn(Id<T, T::Key>, &mut Rng) -> T,
    change: impl Fn(&mut T, &mut Rng),
) -> Result<(), Error> {
    let id = key::<T>(id);
    match act {
        Act::Create => tx.create(make(id, rng)).map(drop),
        Act::Put => tx.put(make(id, rng)).map(drop),
        Act::Edit => tx.edit(&id, |entity| change(entity, rng)),
        Act::Delete => tx.delete(&id),
        Act::Restore => tx.restore(&id),
    }
}

/// Texts name entities in the simulator; each is a key of the type's kind.
fn key<T: Entity>(id: &str) -> Id<T, T::Key> {
    let numbered = || id.bytes().fold(0_u64, |n, byte| n << 8 | u64::from(byte));
    let candidates =
        [id.to_owned(), numbered().to_string(), (numbered() % 251).to_string(), format!("{:032x}", numbered())];
    let found = candidates.iter().find_map(|text| T::Key::from_text(text).ok());
    Id::new(found.expect("the type's key can be a text, a number or a UUID"))
}
