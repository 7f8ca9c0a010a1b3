//! The rules in words, each as a search through all entries.

use std::collections::{BTreeMap, BTreeSet};

use sync_core::model::entry::LIFECYCLE;
use sync_core::model::record::Lifecycle;
use sync_core::model::register::Sibling;
use sync_core::model::stamp::Name;
use sync_core::{Action, ClientId, Dot, Dots, EntityKey, Entry, Family, Life, Op, Stamp};

use super::form::{EntityForm, FieldForm};
use super::value;

/// A set of entries, and what follows from it.
#[derive(Debug, Default)]
pub struct Facts<'a> {
    entries: BTreeMap<&'a Dot, &'a Entry>,
}

impl<'a> Facts<'a> {
    /// The facts of these entries. Which of them come first or twice does not matter.
    pub fn new(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        Self { entries: entries.into_iter().map(|entry| (entry.dot(), entry)).collect() }
    }

    /// All entries, in the order of their dots.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a, '_> {
        self.entries.values().copied()
    }

    /// The form of one entity.
    pub fn entity(&self, key: &EntityKey) -> EntityForm {
        let mine: Vec<&Entry> = self.entries().filter(|entry| entry.key == *key).collect();
        Entity { facts: self, mine }.form()
    }

    fn is_known(&self, dot: &Dot) -> bool {
        self.entries.contains_key(dot)
    }

    /// Whether all entries of its client up to this one are known.
    fn is_without_gap(&self, dot: &Dot) -> bool {
        (1..dot.n).all(|n| self.is_known(&Dot::new(dot.client.clone(), n)))
    }
}

/// All entries about one entity.
struct Entity<'a> {
    facts: &'a Facts<'a>,
    mine: Vec<&'a Entry>,
}

impl Entity<'_> {
    fn form(&self) -> EntityForm {
        let mut form = EntityForm {
            creates: self.creates(),
            lifecycle: self.lifecycle(),
            fields: self.fields(),
            awaited: self.awaited(),
            life: Life::Unborn,
            conflicts: BTreeMap::new(),
            hidden: BTreeSet::new(),
            disputed: false,
        };
        form.life = value::life(&form.creates, &form.lifecycle);
        conflicts(&mut form);
        form
    }

    /// A create lives unless it was purged; one that has not arrived may do so still.
    fn lives(&self, create: &Dot) -> bool {
        let purges = self.mine.iter().filter(|entry| entry.action == Action::Purge);
        let purged = purges.flat_map(|purge| &purge.of).any(|dot| dot == create);
        !purged && (self.create(create).is_some() || !self.facts.is_known(create))
    }

    fn create(&self, dot: &Dot) -> Option<&Entry> {
        self.mine.iter().copied().find(|entry| entry.action == Action::Create && entry.dot() == dot)
    }

    /// A write counts while one of its creates lives.
    fn stands(&self, entry: &Entry) -> bool {
        entry.grounds().iter().any(|create| self.lives(create))
    }

    fn creates(&self) -> BTreeMap<Dot, (Option<sync_core::model::stamp::Origin>, Option<Stamp>)> {
        let seen = self.mine.iter().filter(|entry| entry.action != Action::Purge);
        let named: BTreeSet<Dot> = seen.flat_map(|entry| entry.grounds()).collect();
        let living = named.into_iter().filter(|dot| self.lives(dot));
        let updates = |create: &Dot| {
            let touching = self.mine.iter().filter(|e| matches!(e.action, Action::Update | Action::Restore));
            touching.filter(|e| e.of.contains(create)).map(|e| e.origin.stamp()).max_by_key(value::place)
        };
        living.map(|dot| (dot.clone(), (self.create(&dot).map(|e| e.origin.clone()), updates(&dot)))).collect()
    }

    /// The deletes and restores that stand, and that no other delete or restore replaces.
    fn lifecycle(&self) -> BTreeMap<Dot, Lifecycle> {
        let lives = |entry: &&&Entry| matches!(entry.action, Action::Delete(_) | Action::Restore);
        let replaced = |dot: &Dot| {
            let others = self.mine.iter().filter(lives).filter(|other| other.dot() != dot);
            others.into_iter().any(|other| other.replaced(LIFECYCLE).contains(dot))
        };
        let standing = self.mine.iter().filter(lives).filter(|e| self.stands(e) && !replaced(e.dot()));
        let form = |entry: &&Entry| {
            let saw: BTreeSet<Dot> = entry.saw.iter().cloned().collect();
            let delete = match entry.action {
                Action::Delete(policy) => Some(policy),
                _ => None,
            };
            let (origin, of, saw) = (entry.origin.clone(), entry.grounds(), saw.into_iter().collect());
            (entry.dot().clone(), Lifecycle { origin, of, delete, saw })
        };
        standing.map(form).collect()
    }

    /// The creates and updates.
    fn writes(&self) -> impl Iterator<Item = &Entry> {
        self.mine.iter().copied().filter(|entry| matches!(entry.action, Action::Create | Action::Update))
    }

    fn fields(&self) -> BTreeMap<(Name, Family), FieldForm> {
        let standing = || self.writes().filter(|entry| self.stands(entry));
        let keys: BTreeSet<(Name, Family)> =
            standing().flat_map(|entry| &entry.fields).map(|(name, op)| (name.clone(), op.family())).collect();
        let mut forms = BTreeMap::new();
        for (name, family) in keys {
            let mut form = FieldForm::default();
            for entry in standing() {
                let ops = entry.fields.iter().filter(|(n, op)| *n == name && op.family() == family);
                ops.for_each(|(_, op)| self.write(&mut form, &name, entry, op));
            }
            form.ranked = value::ranked(&family, value::undominated(&family, form.ranked));
            if !form.is_empty() {
                forms.insert((name, family), form);
            }
        }
        forms
    }

    fn write(&self, form: &mut FieldForm, name: &Name, entry: &Entry, op: &Op) {
        let sibling = |value: &sync_core::Value| Sibling {
            origin: entry.origin.clone(),
            of: entry.grounds(),
            value: value.clone(),
        };
        match op {
            Op::Assign(_) | Op::First(_) | Op::Own { .. } if self.is_replaced(name, entry.dot()) => {}
            Op::Assign(value) | Op::First(value) | Op::Own { body: value, .. } => form.ranked.push(sibling(value)),
            Op::Max(value) | Op::Min(value) => form.ranked.push(sibling(value)),
            Op::Add(delta) => {
                form.sum += i128::from(*delta);
                if self.facts.is_without_gap(entry.dot()) {
                    let key: (ClientId, Dots) = (entry.dot().client.clone(), entry.grounds());
                    let (n, sum) = form.parts.entry(key).or_default();
                    *n = entry.dot().n.max(*n);
                    *sum += i128::from(*delta);
                } else {
                    form.early.insert(entry.dot().clone(), (entry.grounds(), *delta));
                }
            }
            Op::Set { insert, .. } => {
                for element in insert.iter().filter(|element| !self.is_removed(name, element, entry.dot())) {
                    let insertions = form.elements.entry(element.to_string()).or_default();
                    insertions.insert(entry.dot().clone(), (entry.origin.clone(), entry.grounds()));
                }
            }
            _ => {}
        }
    }

    /// Whether another write says that it replaces this one.
    fn is_replaced(&self, name: &str, dot: &Dot) -> bool {
        self.writes().filter(|other| other.dot() != dot).any(|other| other.replaced(name).contains(dot))
    }

    /// Whether another write says that it removes this insertion of an element.
    fn is_removed(&self, name: &Name, element: &sync_core::Value, dot: &Dot) -> bool {
        self.writes().filter(|other| other.dot() != dot).any(|other| {
            removals(other).any(|(field, removed, dots)| field == name && removed == element && dots.contains(dot))
        })
    }

    fn awaited(&self) -> BTreeSet<Dot> {
        let mut named: Vec<&Dot> = Vec::new();
        for entry in &self.mine {
            match entry.action {
                Action::Create | Action::Update => {
                    named.extend(entry.replaces.iter().flat_map(|(_, dots)| dots));
                    named.extend(removals(entry).flat_map(|(_, _, dots)| dots));
                }
                Action::Purge => named.extend(&entry.of),
                _ => named.extend(entry.replaced(LIFECYCLE)),
            }
        }
        named.into_iter().filter(|dot| !self.facts.is_known(dot)).cloned().collect()
    }
}

/// What lost to somebody who had not seen it.
fn conflicts(form: &mut EntityForm) {
    let deletes: Vec<&Lifecycle> = form.lifecycle.values().filter(|l| l.delete.is_some()).collect();
    match form.life {
        Life::Unborn => {}
        Life::Alive { .. } => {
            form.disputed = !deletes.is_empty();
            for ((name, family), field) in &form.fields {
                let contested = matches!(family, Family::Assign | Family::First);
                let differs = |s: &&Sibling| contested && Some(&s.value) != field.value();
                let losers: Dots = field.ranked.iter().filter(differs).map(|s| s.origin.dot.clone()).collect();
                if !losers.is_empty() {
                    form.conflicts.insert((name.clone(), family.clone()), losers);
                }
            }
        }
        Life::Deleted { .. } => {
            let unseen = |dot: &Dot| deletes.iter().all(|l| !l.saw.contains(dot));
            form.hidden = form.seen().into_iter().filter(unseen).collect();
            form.disputed = !form.hidden.is_empty() || form.lifecycle.len() > deletes.len();
        }
    }
}

/// The removals that an entry names: field, element, insertions.
fn removals(entry: &Entry) -> impl Iterator<Item = (&Name, &sync_core::Value, &Dots)> {
    entry.fields.iter().flat_map(|(name, op)| {
        let removed = match op {
            Op::Set { remove, .. } => remove.as_slice(),
            _ => &[],
        };
        removed.iter().map(move |(element, dots)| (name, element, dots))
    })
}
