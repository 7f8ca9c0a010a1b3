//! One simulated world: devices, spaces, true time, and the account of what was written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::MemoryStore;

use super::device::Device;
use super::disk::{Disk, Trip};
use super::fault::Fault;
use super::hands::{DAWN, Dice, Hands};
use super::ledger::{File, Ledger};
use super::plan::{Plan, Step, What};
use super::space::Space;
use super::strangers::Strangers;
use super::subject::Subject;
use super::tally::Tally;
use super::trace::Trace;
use super::violation::{Holds, Rule, broken};
use crate::rng::Rng;

/// The most devices in a world, copies among them.
const MOST_DEVICES: usize = 6;

/// One simulated world.
pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    /// The entity types, for each version of the program.
    pub(super) kinds: &'a [Vec<Arc<dyn Subject>>; 2],
    pub(super) time: Arc<AtomicU64>,
    pub(super) spaces: Vec<Space>,
    pub(super) devices: Vec<Device>,
    pub(super) strangers: Strangers,
    pub(super) ledger: Ledger,
    pub(super) tally: Tally,
    pub(super) trace: Trace,
    /// Which step it is.
    pub(super) at: usize,
    /// The device whose request is being carried out, where others may act meanwhile.
    pub(super) asking: Option<usize>,
    made: u64,
}

impl<'a> World<'a> {
    pub(super) fn new(plan: &'a Plan, kinds: &'a [Vec<Arc<dyn Subject>>; 2], trace: Trace) -> Self {
        let mut world = Self {
            plan,
            kinds,
            time: Arc::new(AtomicU64::new(DAWN)),
            spaces: Vec::new(),
            devices: Vec::new(),
            strangers: Strangers::default(),
            ledger: Ledger::default(),
            tally: Tally::default(),
            trace,
            at: 0,
            asking: None,
            made: 0,
        };
        let mut rng = Rng::new(plan.seed ^ 0xa11c_e0fb_0b01);
        for at in 0..plan.spaces {
            let name = if at == 0 { "default".to_owned() } else { format!("space-{at}") };
            let (clock, dice) = (Hands::new(world.time.clone()), Arc::new(world.dice()));
            let settings = plan.space_settings(&mut rng);
            world.spaces.push(Space::new(&name, Disk::new(MemoryStore::new()), clock, dice, settings));
        }
        for at in 0..plan.devices {
            world.add_device(at % plan.spaces, MemoryStore::new(), File::default(), &mut rng);
        }
        world
    }

    /// Runs the steps and then has all come to rest.
    pub(super) fn run(&mut self) -> Holds {
        for at in 0..self.spaces.len() {
            self.start_hub(at)?;
        }
        let plan = self.plan;
        for (at, step) in plan.steps.iter().enumerate() {
            self.at = at;
            self.step(step)?;
        }
        self.come_to_rest()
    }

    fn step(&mut self, step: &Step) -> Holds {
        self.tally.steps += 1;
        let mut rng = Rng::new(step.seed);
        self.time.fetch_add(*rng.pick(&[0, 0, 1, 3, 40, 1_000]), Ordering::Relaxed);
        let device = step.on % self.devices.len();
        let space = step.on % self.spaces.len();
        self.trace.note(step.seed);
        if self.trace.is_heard() {
            let on = match step.what {
                What::ReopenHub | What::BackupHub | What::Stray | What::Tick => self.spaces[space].name.clone(),
                _ => self.devices[device].name.clone(),
            };
            self.trace.say(format_args!("{:3} {:?} on {on}", self.at, step.what));
        }
        match step.what {
            What::Write => self.write(device, 1, &mut rng),
            What::Group => self.write(device, 2 + rng.clone().below(2), &mut rng),
            What::OpenForm => self.open_form(device, &mut rng),
            What::SaveForm => self.save_form(device, &mut rng),
            What::Settle => self.settle_conflict(device, &mut rng),
            What::Begin => self.begin(device, false, &mut rng),
            What::Net => self.net(&mut rng),
            What::Sync => self.sync(device, &mut rng),
            What::Stray => self.stray(space, &mut rng),
            What::Tick => {
                self.time.fetch_add(*rng.pick(&[10, 2_000, 60_000, 3_600_000]), Ordering::Relaxed);
                Ok(())
            }
            What::Backup => self.back_up(device),
            What::BackupHub => {
                self.back_up_hub(space);
                Ok(())
            }
            What::Reopen => self.reopen(device, &mut rng),
            What::ReopenHub => self.reopen_hub(space),
            What::Fault(fault) => self.fault(fault, device, space, &mut rng),
        }
    }

    /// Randomness of its own for a device or a hub process.
    pub(super) fn dice(&mut self) -> Dice {
        self.made += 1;
        Dice::new(Rng::new(self.plan.seed.rotate_left(17) ^ self.made.wrapping_mul(0x9e37_79b9)).bits())
    }

    /// A device with this file; `None` if there are enough.
    pub(super) fn add_device(&mut self, space: usize, image: MemoryStore, file: File, rng: &mut Rng) -> Option<usize> {
        if self.devices.len() >= MOST_DEVICES {
            return None;
        }
        let dice = Arc::new(self.dice());
        let version = usize::from(self.plan.faults.has(Fault::Schema) && rng.percent(50));
        self.devices.push(Device {
            name: format!("device {}", self.devices.len()),
            space,
            disk: Disk::new(image),
            clock: Hands::new(self.time.clone()),
            dice,
            version,
            settings: self.plan.device_settings(rng),
            replica: None,
            task: None,
            form: None,
            list: None,
            file,
            backup: None,
            offline_until: 0,
            cut: None,
            trouble: None,
            is_counted: false,
        });
        Some(self.devices.len() - 1)
    }

    /// Has a device run that does not; `false` if its disk does not let it.
    pub(super) fn open(&mut self, at: usize) -> Result<bool, super::violation::Violation> {
        if self.devices[at].replica.is_some() {
            return Ok(true);
        }
        let kinds = &self.kinds[self.devices[at].version];
        let opened = self.devices[at].open(kinds);
        self.note_trouble(at);
        match opened {
            Ok(()) => {
                self.trace.say(format_args!("    {} is opened", self.devices[at].name));
                if !self.devices[at].disk.is_dead() {
                    self.check_file(at, true)?;
                    self.glance(at)?;
                }
                Ok(true)
            }
            Err(error) if self.devices[at].trouble.is_some() => {
                self.trace.say(format_args!("    {} does not open: {error}", self.devices[at].name));
                self.devices[at].stop();
                Ok(false)
            }
            Err(error) => broken(Rule::NoFailure, format!("{} does not open: {error}", self.devices[at].name)),
        }
    }

    /// Takes notice of what happened to a device's disk. One without power stops.
    pub(super) fn note_trouble(&mut self, at: usize) {
        let device = &mut self.devices[at];
        if let Some(trip) = device.disk.take_tripped() {
            device.trouble = Some(trip);
        }
        let Some(trip) = device.trouble else { return };
        if device.disk.is_dead() && device.replica.is_some() {
            device.stop();
        }
        let fault = match trip {
            Trip::PowerBefore | Trip::PowerAfter => Fault::DevicePower,
            Trip::Error | Trip::ErrorAfter => Fault::DeviceIo,
            Trip::Full => Fault::DeviceFull,
        };
        if !device.is_counted {
            device.is_counted = true;
            self.tally.fault(fault);
            self.trace.say(format_args!("    the disk of {}: {trip:?}", device.name));
        }
    }
}
