//! The article's client: no numbers, no `replaces`. The hub gives both.

use sync_core::model::entry::LIFECYCLE;
use sync_core::{Action, ClientId, Dots, Entry, Life, Tombstone};

use super::{HUB, World};
use crate::oracle::EntityForm;
use crate::rng::Rng;

impl World<'_> {
    /// A foreign client's write arrives at the hub.
    pub(super) fn foreign(&mut self, rng: &mut Rng) {
        if rng.percent(20) {
            // A hub's id for foreign entries is fresh at every start.
            self.devices[HUB].rename(ClientId::new(format!("hub-{}", self.hubs)));
            self.hubs += 1;
        }
        let key = self.profile.any_key(rng);
        let view = self.devices[HUB].view(&self.entries, &key);
        let action = match view.life {
            Life::Unborn => Action::Create,
            _ if rng.percent(15) => Action::Create,
            _ if rng.percent(20) => Action::Delete(Tombstone::DeleteWins),
            _ => Action::Update,
        };
        // Stamped after all that it names, and perhaps before much that it does not.
        let creates = view.creates.values().filter_map(|(origin, _)| origin.as_ref()).map(|origin| origin.time);
        let floor = if action == Action::Create { 0 } else { creates.min().map_or(0, |time| time.saturating_add(1)) };
        let time = floor.max(self.wall).saturating_add(rng.below(5) as u64);
        let author = ClientId::new(*rng.pick(&["legacy-1", "legacy-2"]));
        // One client's stamps differ: a client of the article cannot order what it wrote in one millisecond.
        let taken = |time: u64| self.entries.iter().any(|e| e.origin.time == time && e.origin.author() == &author);
        let Some(time) = (time..=u64::MAX).find(|time| !taken(*time)) else { return };
        let mut entry = self.devices[HUB].stamped(time, Some(author), key, action);
        entry.foreign_id = Some(format!("5bd1e995-{:04x}-{:08x}", rng.below(1 << 16), self.entries.len()).into());
        super::write::fill(&mut entry, &EntityForm::nothing(), &plain(self.profile), rng);
        admit(&mut entry, &view);
        self.publish(HUB, entry, rng);
    }
}

/// A foreign client knows plain fields only.
fn plain(profile: &super::Profile) -> super::Profile {
    let fields = profile.fields.iter().filter(|(_, kind)| *kind == super::FieldKind::Assign);
    let mut fields: Vec<_> = fields.copied().collect();
    if fields.is_empty() {
        fields.push(("field", super::FieldKind::Assign));
    }
    super::Profile { fields, ..profile.clone() }
}

/// Gives a foreign entry the creates and the lesser-stamped siblings that are there.
fn admit(entry: &mut Entry, view: &EntityForm) {
    let stamp = entry.origin.stamp();
    if entry.action == Action::Create {
        return;
    }
    entry.of = view.grounds();
    entry.replaces.clear();
    if let Action::Delete(_) = entry.action {
        let lesser = view.lifecycle.values().filter(|l| l.origin.stamp() < stamp);
        let replaced: Dots = lesser.map(|l| l.origin.dot.clone()).collect();
        entry.saw = view.seen();
        if !replaced.is_empty() {
            entry.replaces.push((LIFECYCLE.into(), replaced));
        }
        return;
    }
    for (name, op) in &entry.fields {
        let register = view.fields.get(&(name.clone(), op.family()));
        let siblings = register.into_iter().flat_map(|form| &form.ranked).filter(|s| s.origin.stamp() < stamp);
        let mut replaced: Dots = siblings.map(|s| s.origin.dot.clone()).collect();
        replaced.sort();
        if !replaced.is_empty() {
            entry.replaces.push((name.clone(), replaced));
        }
    }
}
