//! Random histories of several devices, written as real replicas write: every entry names exactly what its
//! author saw. The same seed makes the same history for ever.

mod device;
mod foreign;
mod minimise;
mod profile;
mod vary;
mod write;

pub use device::Device;
pub use minimise::minimise;
pub use profile::{FieldKind, Profile};

use sync_core::{Action, ClientId, Entry};

use crate::rng::Rng;

/// A history: entries in the order in which they were written. All that an entry names stands before it, and
/// each client's entries stand in the order of their numbers.
#[derive(Debug, Clone)]
pub struct History {
    /// From which it was made.
    pub seed: u64,
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether every entry names only what stands before it: `false` with hostile authors.
    pub in_log_order: bool,
}

impl History {
    /// The history of a seed.
    pub fn generate(seed: u64, profile: &Profile) -> Self {
        let mut rng = Rng::new(seed);
        let mut world = World::new(profile, &mut rng);
        while world.entries.len() < profile.entries {
            world.step(&mut rng);
        }
        Self { seed, entries: world.entries, in_log_order: profile.hostile == 0 }
    }

    /// One line for each entry, for people.
    pub fn describe(entries: &[Entry]) -> String {
        entries.iter().map(|entry| format!("  {}\n", entry.to_json(None))).collect()
    }
}

/// All devices and what they wrote.
struct World<'a> {
    profile: &'a Profile,
    devices: Vec<Device>,
    entries: Vec<Entry>,
    wall: u64,
    hubs: u64,
}

/// Which of a world's devices is the hub.
const HUB: usize = 0;

impl<'a> World<'a> {
    fn new(profile: &'a Profile, rng: &mut Rng) -> Self {
        let device = |at: usize, rng: &mut Rng| {
            let name = if at == HUB { "hub-0".into() } else { format!("{}{at}", rng.pick(&["a", "B", "z", "ä"])) };
            Device::new(ClientId::new(name), if at == HUB { 0 } else { skew(profile, rng) })
        };
        let devices = (0..=profile.devices).map(|at| device(at, rng)).collect();
        Self { profile, devices, entries: Vec::new(), wall: 1_700_000_000_000, hubs: 1 }
    }

    fn step(&mut self, rng: &mut Rng) {
        // Often none at all: several writes in one millisecond.
        self.wall += *rng.pick(&[0, 0, 0, 1, 2, 40]);
        let chance = rng.below(100);
        if chance < 35 {
            return self.meet(rng);
        }
        if chance < 35 + self.profile.foreign {
            return self.foreign(rng);
        }
        if chance < 60 && rng.percent(self.profile.purges) {
            return self.purge(rng);
        }
        let author = if self.profile.devices == 0 { HUB } else { 1 + rng.below(self.profile.devices) };
        let group = if rng.percent(15) { 2 + rng.below(2) } else { 1 };
        let first = self.entries.len();
        for _ in 0..group {
            self.write(author, rng);
        }
        let written = &mut self.entries[first..];
        if let (Some(n), true) = (written.first().map(|e| e.dot().n), written.len() > 1) {
            let count = written.len() as u64;
            written.iter_mut().for_each(|e| e.group = Some(sync_core::Group { first: n, count }));
        }
    }

    /// A device learns what another one knows, or, without causality, anything.
    fn meet(&mut self, rng: &mut Rng) {
        let (to, from) = (rng.below(self.devices.len()), rng.below(self.devices.len()));
        let news: Vec<usize> = if self.profile.causal {
            self.devices[from].known().collect()
        } else {
            (0..self.entries.len()).filter(|_| rng.percent(40)).collect()
        };
        for at in news {
            self.devices[to].learn(at, &self.entries[at]);
        }
    }

    /// The hub drops creates, mostly of what is deleted.
    fn purge(&mut self, rng: &mut Rng) {
        let key = self.profile.any_key(rng);
        let view = self.devices[HUB].view(&self.entries, &key);
        let deleted = matches!(view.life, sync_core::Life::Deleted { .. });
        let mut of = view.grounds();
        if of.is_empty() || !(deleted || rng.percent(15)) {
            return;
        }
        if rng.percent(30) {
            of = rng.some_of(&of, 50).into();
        }
        let mut entry = self.devices[HUB].entry(self.wall, key, Action::Purge);
        entry.of = of;
        self.publish(HUB, entry, rng);
    }

    fn write(&mut self, author: usize, rng: &mut Rng) {
        let key = self.profile.any_key(rng);
        let view = self.devices[author].view(&self.entries, &key);
        let Some(action) = self.profile.any_action(&view, rng) else { return };
        let mut entry = self.devices[author].entry(self.wall, key, action);
        write::fill(&mut entry, &view, self.profile, rng);
        vary::decorate(&mut entry, rng);
        if rng.percent(self.profile.hostile) {
            vary::corrupt(&mut entry, &self.entries, rng);
        }
        self.publish(author, entry, rng);
    }

    fn publish(&mut self, author: usize, entry: Entry, rng: &mut Rng) {
        self.entries.push(entry);
        let at = self.entries.len() - 1;
        self.devices[author].learn(at, &self.entries[at]);
        if self.profile.causal && rng.percent(30) {
            // Accepted at once: the hub has it, and all that its author knew.
            for known in self.devices[author].known().collect::<Vec<_>>() {
                self.devices[HUB].learn(known, &self.entries[known]);
            }
        }
    }
}

/// How far a device's clock is off. Most are nearly right; some were never set, some are absurd.
fn skew(profile: &Profile, rng: &mut Rng) -> i128 {
    let skew = match rng.below(10) {
        0..=4 => rng.below(5) as i128 - 2,
        5 => 86_400_000,
        6 => -86_400_000,
        7 => -1_700_000_000_000,
        8 => 1 << 60,
        _ => i128::from(u64::MAX),
    };
    skew.clamp(-profile.skew, profile.skew)
}
