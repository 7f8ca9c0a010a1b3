//! Small worlds, gone through exhaustively: every order of a few moves of two or three devices and one hub over one
//! entity. The production replica and hub make every move; where a state was met before, its future was too.
//!
//! A state is all that is stored: by the devices, by the hub and in its backup, and the requests still on their way.
//! Time stands still, and copies of a file write the same things in the same order: what they write differs in nothing but
//! what was meant.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_core::{Store, Syncable, TransportError};

use super::fault::{Fault, Faults};
use super::link::Request;
use super::plan::Plan;
use super::space::{REFUSES_ALL, Stray};
use super::subject::{Act, Subject, Typed};
use super::trace::{Trace, mix, mix_word};
use super::violation::{Holds, Rule, Violation, broken};
use super::world::World;
use crate::rng::Rng;

/// What the one entity of a small world is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// One field, of which the last writer wins.
    Register,
    /// A set.
    Set,
    /// A counter.
    Counter,
    /// Creates, deletes and restores, where any delete wins.
    Lifecycle,
    /// Creates, deletes and restores, where the last writer wins.
    Forgiving,
}

impl Scene {
    /// All of them.
    pub const ALL: [Scene; 5] = [Scene::Register, Scene::Set, Scene::Counter, Scene::Lifecycle, Scene::Forgiving];

    fn acts(self) -> &'static [Act] {
        match self {
            Scene::Register | Scene::Counter => &[Act::Put],
            Scene::Set => &[Act::Put, Act::Edit],
            Scene::Lifecycle | Scene::Forgiving => &[Act::Put, Act::Delete, Act::Restore],
        }
    }

    fn subject(self) -> Arc<dyn Subject> {
        match self {
            Scene::Register => Arc::new(Typed::<Register> {
                make: |id, rng| Register { id, value: rng.below(1 << 20) as i64 },
                change: |register, rng| register.value = rng.below(1 << 20) as i64,
            }),
            Scene::Set => Arc::new(Typed::<Set> {
                make: |id, _| Set { id, tags: ["a".to_owned()].into() },
                change: |set, _| set.tags.clear(),
            }),
            Scene::Counter => Arc::new(Typed::<Counter> {
                // What is put is more than what shows, by a sum that tells which additions are in it.
                make: |id, rng| Counter { id, sum: 1 << rng.below(20) },
                change: |counter, _| counter.sum += 1,
            }),
            Scene::Lifecycle => Arc::new(Typed::<Lifecycle> {
                make: |id, rng| Lifecycle { id, value: rng.below(1 << 20) as i64 },
                change: |life, rng| life.value = rng.below(1 << 20) as i64,
            }),
            Scene::Forgiving => Arc::new(Typed::<Forgiving> {
                make: |id, rng| Forgiving { id, value: rng.below(1 << 20) as i64 },
                change: |life, rng| life.value = rng.below(1 << 20) as i64,
            }),
        }
    }
}

#[derive(Syncable, Debug)]
struct Register {
    #[sync(id)]
    id: sync_core::Id<Register, String>,
    value: i64,
}

#[derive(Syncable, Debug)]
struct Set {
    #[sync(id)]
    id: sync_core::Id<Set, String>,
    #[sync(merge = "set")]
    tags: std::collections::BTreeSet<String>,
}

#[derive(Syncable, Debug)]
struct Counter {
    #[sync(id)]
    id: sync_core::Id<Counter, String>,
    #[sync(merge = "counter")]
    sum: i64,
}

#[derive(Syncable, Debug)]
struct Lifecycle {
    #[sync(id)]
    id: sync_core::Id<Lifecycle, String>,
    value: i64,
}

#[derive(Syncable, Debug)]
#[sync(tombstone = "last_writer_wins")]
struct Forgiving {
    #[sync(id)]
    id: sync_core::Id<Forgiving, String>,
    value: i64,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// A device writes, and it is durable.
    Write(usize, Act),
    /// A device syncs.
    Sync(usize),
    /// A device syncs, and the reply to its push is lost.
    ReplyLost(usize),
    /// A device syncs, and its push arrives later.
    Late(usize),
    /// A device syncs, and the hub refuses what it pushes.
    Refused(usize),
    /// A device's process ends when its entries are numbered, before they are pushed.
    Crash(usize),
    /// A push arrives that was late.
    Arrives,
    /// A device's file is copied, and both go on.
    Clone(usize),
    /// A device takes over the hub's state.
    Adopt(usize),
    /// A device is wiped, with what was never accepted.
    Wiped(usize),
    /// A device writes its state to a file, or takes it from the one that there is.
    File(usize),
    /// The hub's store is copied for later.
    Backup,
    /// The hub's store is put back as it was.
    Restored,
    /// The hub's store is lost.
    Emptied,
    /// The hub drops the beginning of its log.
    Compact,
}

/// What going through a small world came to.
#[derive(Debug)]
pub struct Found {
    scene: Scene,
    devices: usize,
    /// The most moves of which every order was tried.
    pub moves: usize,
    /// How many different states were met.
    pub states: usize,
    /// How many moves were made from them.
    pub tried: usize,
    /// The moves that broke a rule, and which.
    pub violation: Option<(String, Violation)>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scene, devices, moves, states, tried, .. } = self;
        write!(f, "{scene:?}, {devices} devices: {states} states in {moves} moves, {tried} ways to them")?;
        match &self.violation {
            Some((path, violation)) => write!(f, "\n{path}\n{violation}"),
            None => Ok(()),
        }
    }
}

/// Tries every order of up to so many moves, as many as there is time for.
pub fn small_worlds(scene: Scene, devices: usize, moves: usize, time: Duration) -> Found {
    let begun = Instant::now();
    let kinds = [vec![scene.subject()], vec![scene.subject()]];
    let mut found = Found { scene, devices, moves: 0, states: 1, tried: 0, violation: None };
    let mut met: HashSet<u64> = HashSet::new();
    let mut paths: Vec<Vec<Move>> = vec![Vec::new()];
    while found.moves < moves {
        let mut next = Vec::new();
        for path in &paths {
            for step in possible(scene, devices, path) {
                if begun.elapsed() > time {
                    return found;
                }
                let path: Vec<Move> = path.iter().copied().chain([step]).collect();
                found.tried += 1;
                match walk(&kinds, devices, &path, &mut met, false).0 {
                    Ok(false) => {}
                    Ok(true) => next.push(path),
                    Err(violation) => {
                        let lines = walk(&kinds, devices, &path, &mut HashSet::new(), true).1;
                        found.violation = Some((format!("{}\n{path:?}", lines.join("\n")), violation));
                        return found;
                    }
                }
            }
        }
        found.moves += 1;
        found.states += next.len();
        paths = next;
    }
    found
}

fn possible(scene: Scene, devices: usize, path: &[Move]) -> Vec<Move> {
    let count = |wanted: fn(&Move) -> bool| path.iter().filter(|step| wanted(step)).count();
    let copies = count(|step| matches!(step, Move::Clone(_)));
    let mut all = Vec::new();
    for at in 0..devices + copies {
        all.extend(scene.acts().iter().map(|act| Move::Write(at, *act)));
        all.extend([Move::Sync(at), Move::ReplyLost(at), Move::Late(at), Move::Refused(at), Move::Crash(at)]);
        all.push(Move::Adopt(at));
        if copies == 0 {
            all.push(Move::Clone(at));
        }
        if count(|step| matches!(step, Move::Wiped(_))) == 0 {
            all.push(Move::Wiped(at));
        }
        if count(|step| matches!(step, Move::File(_))) < 2 {
            all.push(Move::File(at));
        }
    }
    if count(|step| matches!(step, Move::Late(_))) > count(|step| *step == Move::Arrives) {
        all.push(Move::Arrives);
    }
    let losses = count(|step| matches!(step, Move::Restored | Move::Emptied));
    if losses < 2 {
        all.push(Move::Emptied);
        all.push(if path.contains(&Move::Backup) { Move::Restored } else { Move::Backup });
    }
    if count(|step| *step == Move::Compact) == 0 {
        all.push(Move::Compact);
    }
    all
}

/// Makes the moves; whether they lead to a state that was not met before, from which all came to rest, and if that is
/// asked for what happened, line by line.
fn walk(
    kinds: &[Vec<Arc<dyn Subject>>; 2],
    devices: usize,
    path: &[Move],
    met: &mut HashSet<u64>,
    tells: bool,
) -> (Result<bool, Violation>, Vec<String>) {
    let faults = Faults::all().without(Fault::SmallPages).without(Fault::Hostile).without(Fault::Schema);
    let plan = Plan::quiet(devices, faults);
    let mut world = World::new(&plan, kinds, Trace::new(tells));
    let made = catch_unwind(AssertUnwindSafe(|| {
        world.begin_small()?;
        for (at, step) in path.iter().enumerate() {
            world.at = at;
            if !world.make(*step)? {
                return Ok(false);
            }
        }
        let is_new = met.insert(world.state()?);
        if is_new {
            world.come_to_rest()?;
        }
        Ok(is_new)
    }));
    let made = made.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(Violation { rule: Rule::NoPanic, what: text.unwrap_or_default() })
    });
    (made, world.trace.into_lines())
}

/// What becomes of the push of a sync.
#[derive(Clone, Copy, PartialEq)]
enum Push {
    Arrives,
    ReplyLost,
    Late,
    Crash,
}

impl World<'_> {
    fn begin_small(&mut self) -> Holds {
        for (at, device) in self.devices.iter_mut().enumerate() {
            device.file.made_on = at;
        }
        self.start_hub(0)
    }

    /// Makes a move; `false` if it is none, because there is nothing to make it with.
    fn make(&mut self, step: Move) -> Result<bool, Violation> {
        let mut rng = Rng::new(1);
        match step {
            Move::Write(at, act) => self.write_small(at, act),
            Move::Sync(at) => self.sync_small(at, Push::Arrives, false),
            Move::ReplyLost(at) => self.sync_small(at, Push::ReplyLost, false),
            Move::Late(at) => self.sync_small(at, Push::Late, false),
            Move::Crash(at) => self.sync_small(at, Push::Crash, false),
            Move::Adopt(at) => self.sync_small(at, Push::Arrives, true),
            Move::Refused(at) => {
                self.spaces[0].mood.set(REFUSES_ALL);
                let pushed = self.sync_small(at, Push::Arrives, false);
                self.spaces[0].mood.set(0);
                pushed
            }
            Move::Arrives => {
                if self.spaces[0].strays.is_empty() {
                    return Ok(false);
                }
                self.stray(0, &mut rng).map(|()| true)
            }
            Move::Clone(at) => {
                let before = self.devices.len();
                self.file_fault(Fault::Clone, at, &mut rng)?;
                Ok(self.devices.len() > before)
            }
            Move::Wiped(at) => self.wipe_so(at, true, false).map(|()| true),
            Move::File(at) => self.snapshot_file_so(at, true).map(|()| true),
            Move::Backup => {
                self.back_up_hub(0);
                Ok(true)
            }
            Move::Restored => self.lose_hub(Fault::HubRestored, 0).map(|()| true),
            Move::Emptied => self.lose_hub(Fault::HubEmptied, 0).map(|()| true),
            Move::Compact => {
                let Some(hub) = self.spaces[0].hubs.first().cloned() else { return Ok(false) };
                hub.compact(0).or_else(|error| broken(Rule::NoFailure, error.to_string()))?;
                self.observe(0, &[]).map(|()| true)
            }
        }
    }

    fn write_small(&mut self, at: usize, act: Act) -> Result<bool, Violation> {
        let Some(replica) = self.at_hand(at)? else { return Ok(false) };
        let kind = self.kinds[0][0].clone();
        // Every write another value, but for those of copies.
        let seed = ((self.devices[at].file.made_on as u64) << 32)
            + replica.unsynced().map_or(0, |unsynced| unsynced.len()) as u64
            + replica.vector().len() as u64 * 7;
        let written = replica.transaction(|tx| kind.act(tx, act, "x", &mut Rng::new(seed)));
        let before = self.ledger.all().count();
        self.written(at, &replica, written, true, true)?;
        Ok(self.ledger.all().count() > before)
    }

    /// A sync whose push meets this; `false` if nothing was pushed that could have met it.
    fn sync_small(&mut self, at: usize, fate: Push, adopts: bool) -> Result<bool, Violation> {
        let mut rng = Rng::new(1);
        self.begin(at, adopts, &mut rng)?;
        let mut met = fate == Push::Arrives;
        while let Some(request) = self.devices[at].task.as_ref().and_then(|task| task.link.asked()) {
            let is_push = matches!(request, Request::Push(_));
            if is_push && !met && fate != Push::ReplyLost {
                if fate == Push::Crash {
                    self.devices[at].stop();
                    return self.open(at);
                }
                self.spaces[0].strays.push(Stray { request, is_copy: false });
                self.fail(at, TransportError::Offline { message: "the push is late".to_owned() })?;
                met = true;
                continue;
            }
            let reply = self.serve(0, &request, &mut rng)?;
            match reply {
                Ok(_) if is_push && !met => {
                    self.fail(at, TransportError::Offline { message: "the reply was lost".to_owned() })?;
                    met = true;
                }
                Ok(reply) => {
                    if let Some(task) = &self.devices[at].task {
                        task.link.answer(Ok(reply));
                    }
                    self.poll(at)?;
                }
                Err(error) => self.fail(at, error)?,
            }
        }
        Ok(met)
    }

    /// A hash of all that is stored and under way.
    fn state(&self) -> Result<u64, Violation> {
        let mut hash = 0;
        for device in &self.devices {
            // What waits to be written is a part of it.
            if let Some(replica) = &device.replica {
                replica.flush().or_else(|error| broken(Rule::NoFailure, error.to_string()))?;
            }
            hash = stored(hash, &**device.disk.image());
        }
        for space in &self.spaces {
            hash = stored(hash, &**space.disk.image());
            hash = mix(hash, space.file.as_deref().unwrap_or_default());
            hash = mix_word(hash, space.backup.is_some().into());
            if let Some((image, _)) = &space.backup {
                hash = stored(hash, image);
            }
            for stray in &space.strays {
                hash = mix(hash, format!("{:?}", stray.request).as_bytes());
            }
        }
        Ok(hash)
    }
}

fn stored(mut hash: u64, image: &dyn Store) -> u64 {
    for (position, row) in image.journal(0, usize::MAX).unwrap_or_default() {
        hash = mix(mix_word(hash, position), &row);
    }
    for (place, row) in image.range(&[], &[], usize::MAX).unwrap_or_default() {
        hash = mix(mix(hash, &place), &row);
    }
    hash
}
