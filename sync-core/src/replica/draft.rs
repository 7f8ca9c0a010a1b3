//! Drafts: a form that was opened a while ago replaces only what it showed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::stage::check_size;
use super::transaction::{check_readable, written};
use super::{Replica, Transaction};
use crate::change::{self, Change};
use crate::commit::Commit;
use crate::entity::{Entity, Fields, Id};
use crate::error::Error;
use crate::model::op::Op;
use crate::model::record::Record;
use crate::view;

/// An entity being edited over some time, in a form say. Change it as if it were the entity, then
/// [`save`](Draft::save), which can be done again and again.
///
/// What is saved replaces only what the draft showed when it was opened. What arrived meanwhile in a field that
/// the draft changes becomes a visible conflict, instead of being overwritten unseen. As long as it is open, it keeps
/// the replica open too, as a clone of that does.
///
/// ```
/// # use sync_core::{Id, MemoryStore, Replica, Syncable};
/// # #[derive(Syncable)] struct Note { #[sync(id)] id: Id<Note, String>, title: String, body: String }
/// # let replica = Replica::builder().register::<Note>().open(MemoryStore::new())?;
/// let id = replica.create(Note { id: "n".into(), title: "a".into(), body: "".into() })?.wait()?;
/// let mut draft = replica.draft(&id)?;
/// draft.title = "from the form".into();
/// replica.edit(&id, |note| note.title = "from a sync in the background".into())?.wait()?;
/// draft.save()?.wait()?;
/// let conflicts = replica.conflicts::<Note>()?;
/// assert_eq!(conflicts[0].raw.winner.value.as_str(), "\"from the form\"");
/// assert_eq!(conflicts[0].raw.losers[0].value.as_str(), "\"from a sync in the background\"");
/// # Ok::<(), sync_core::Error>(())
/// ```
pub struct Draft<T: Entity> {
    replica: Replica,
    id: Id<T, T::Key>,
    record: Arc<Record>,
    before: Fields,
    entity: T,
}

impl<T: Entity> std::fmt::Debug for Draft<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Replica {
    /// Opens an entity for editing over some time.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Deleted`], [`Error::Field`], [`Error::Store`].
    pub fn draft<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<Draft<T>, Error> {
        self.state().hold_names(true);
        let opened = self.open_draft(id);
        if opened.is_err() {
            self.state().hold_names(false);
        }
        opened
    }

    fn open_draft<T: Entity>(&self, id: &Id<T, T::Key>) -> Result<Draft<T>, Error> {
        self.schema(T::SCHEMA.name)?;
        let key = view::key(id);
        let record = self.visible(&key)?;
        match record.life() {
            crate::model::record::Life::Alive { .. } => {}
            crate::model::record::Life::Unborn => return Err(Error::NotFound { key }),
            crate::model::record::Life::Deleted { .. } => return Err(Error::Deleted { key }),
        }
        let entity: T = self.entity(&key, &record, None)?;
        let before = written(&entity, &key)?;
        Ok(Draft { replica: self.clone(), id: id.clone(), record, before, entity })
    }
}

impl<T: Entity> Draft<T> {
    /// Writes what was changed since the draft was opened or saved last. Where that fails, the draft stays as it is: mend it,
    /// and save it again.
    ///
    /// # Errors
    /// As [`Replica::edit`], but for a deleted entity: the edit is then written, and listed as a conflict with the delete.
    /// [`Error::NotFound`] too if the entity's creation was refused meanwhile, or is not in a hub's state that was taken over.
    pub fn save(&mut self) -> Result<Commit<()>, Error> {
        let key = view::key(&self.id);
        if self.entity.id() != &self.id {
            let message = "the draft's id was changed: create another entity instead".to_owned();
            return Err(Error::Invalid { key, field: None, message });
        }
        let after = written(&self.entity, &key)?;
        let mut saved = Vec::new();
        let commit = {
            let change = Change::between(T::SCHEMA, &self.before, &after);
            check_readable::<T>(&key, &after, &change)?;
            let respell = change::respell(&self.entity, &self.before);
            self.replica.write(|tx| {
                tx.update_fields(key, &self.record, &change, &respell)?;
                tx.rename()?;
                saved.clone_from(&tx.entries);
                Ok(())
            })?
        };
        // It shows what it wrote, and nothing that came meanwhile.
        let record = Arc::make_mut(&mut self.record);
        saved.iter().for_each(|entry| record.apply_in_order(entry));
        self.before = after;
        Ok(commit)
    }
}

impl Transaction<'_> {
    /// Has the staged entries name what pending entries, which were seen some time ago, have become since. What is not
    /// here any more, because a hub's state was taken over meanwhile or it was refused, is left out.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is nothing left that they could stand on; [`Error::TooLarge`].
    fn rename(&mut self) -> Result<(), Error> {
        let replica = self.replica;
        {
            let state = replica.state();
            for entry in self.entries.iter_mut().map(Arc::make_mut) {
                state.names.rename(entry);
                entry.map_named(|dots| dots.retain(|dot| state.has(dot)));
                entry.replaces.retain(|(_, dots)| !dots.is_empty());
                entry.fields.retain_mut(|(_, op)| match op {
                    Op::Set { insert, remove } => {
                        remove.retain(|(_, dots)| !dots.is_empty());
                        !insert.is_empty() || !remove.is_empty()
                    }
                    _ => true,
                });
            }
        }
        // A draft is one entry: that removes nothing that is still there, it says nothing.
        if let Some(entry) = self.entries.pop_if(|entry| entry.fields.is_empty() && entry.replaces.is_empty()) {
            self.next_local = entry.dot().n;
            self.staged.remove(&entry.key);
        }
        for entry in self.entries.iter_mut().map(Arc::make_mut).filter(|entry| entry.of.is_empty()) {
            entry.of = replica.visible(&entry.key)?.grounds();
            if entry.of.is_empty() {
                return Err(Error::NotFound { key: entry.key.clone() });
            }
        }
        // They may name more than before.
        let sizes = self.entries.iter().map(|entry| check_size(entry, self.client_bytes, &self.limits));
        self.bytes = sizes.sum::<Result<u64, Error>>()?;
        Ok(())
    }
}

impl<T: Entity> Drop for Draft<T> {
    fn drop(&mut self) {
        self.replica.state().hold_names(false);
    }
}

impl<T: Entity> Deref for Draft<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.entity
    }
}

impl<T: Entity> DerefMut for Draft<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.entity
    }
}
