//! One history: what goes wrong for a while, and what has to hold once it does not any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redb::backends::InMemoryBackend;
use sync_core::{Hub, Spaces};
use sync_http::server::{HubService, ServeOptions, serve};
use sync_redb::RedbFile;
use turmoil::net::TcpListener;
use turmoil::{Builder, Sim};

use crate::device::{Acknowledged, Device, Shown};
use crate::random::{Chance, Wall};
use crate::wires::Port;

const DEVICES: u64 = 3;
const TICK: Duration = Duration::from_millis(10);
/// How long things go wrong, and how long it may take to come to rest afterwards.
const STORM: u64 = 600;
const CALM: u64 = 2_000;

/// How often each thing happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) histories: u64,
    cuts: u64,
    one_way_up: u64,
    one_way_down: u64,
    hub_crashes: u64,
    device_crashes: u64,
    slow_links: u64,
    lossy_links: u64,
    syncs: u64,
    failed_syncs: u64,
    uploaded: u64,
    bootstrapped: u64,
    acknowledged: u64,
    ticks: u64,
}

impl Tally {
    pub(crate) fn faults(&self) -> [(&'static str, u64); 9] {
        [
            ("a cut link", self.cuts),
            ("a link without its way up", self.one_way_up),
            ("a link without its way down", self.one_way_down),
            ("a crash of the hub", self.hub_crashes),
            ("a crash of a device", self.device_crashes),
            ("a slow link", self.slow_links),
            ("a lossy link", self.lossy_links),
            ("a sync that failed", self.failed_syncs),
            ("a sync", self.syncs),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.histories += other.histories;
        self.cuts += other.cuts;
        self.one_way_up += other.one_way_up;
        self.one_way_down += other.one_way_down;
        self.hub_crashes += other.hub_crashes;
        self.device_crashes += other.device_crashes;
        self.slow_links += other.slow_links;
        self.lossy_links += other.lossy_links;
        self.syncs += other.syncs;
        self.failed_syncs += other.failed_syncs;
        self.uploaded += other.uploaded;
        self.bootstrapped += other.bootstrapped;
        self.acknowledged += other.acknowledged;
        self.ticks += other.ticks;
    }
}

pub(crate) struct History {
    chance: Chance,
    devices: Vec<Device>,
    calm: Arc<AtomicBool>,
    tally: Tally,
}

impl History {
    pub(crate) fn run(seed: u64) -> Result<Tally, String> {
        Self::run_with(seed, false)
    }

    pub(crate) fn run_with(seed: u64, one_forgets: bool) -> Result<Tally, String> {
        let calm = Arc::new(AtomicBool::new(false));
        let devices = (0..DEVICES).map(|n| Device::new(n, seed, calm.clone(), one_forgets && n == 0)).collect();
        let history = Self {
            chance: Chance::new(seed << 8 | 0xff),
            devices,
            calm,
            tally: Tally { histories: 1, ..Tally::default() },
        };
        history.go(seed)
    }

    fn go(mut self, seed: u64) -> Result<Tally, String> {
        let mut builder = Builder::new();
        builder.rng_seed(seed).tick_duration(TICK).simulation_duration(Duration::from_secs(600));
        builder.min_message_latency(Duration::from_millis(1)).max_message_latency(Duration::from_millis(30));
        let mut sim = builder.build();
        let file = RedbFile::with_backend(InMemoryBackend::new()).map_err(|error| error.to_string())?;
        let hub_chance = Chance::new(seed << 8 | 0xfe);
        sim.host("hub", move || hub(file.clone(), hub_chance.clone()));
        for device in self.devices.clone() {
            sim.host(device.name(), move || device.clone().live());
        }
        for _ in 0..STORM {
            self.something_goes_wrong(&mut sim);
            self.step(&mut sim)?;
        }
        self.heal(&mut sim);
        self.calm.store(true, Ordering::Relaxed);
        let mut shown = None;
        for tick in 0..CALM {
            self.step(&mut sim)?;
            if tick % 20 == 0 {
                shown = self.at_rest();
                if shown.is_some() {
                    break;
                }
            }
        }
        let shown = shown.ok_or_else(|| self.restless())?;
        self.judge(&shown)?;
        for syncs in self.devices.iter().map(Device::syncs) {
            self.tally.syncs += syncs.done;
            self.tally.failed_syncs += syncs.failed;
            self.tally.uploaded += syncs.uploaded;
            self.tally.bootstrapped += syncs.bootstrapped;
        }
        Ok(self.tally)
    }

    fn step(&mut self, sim: &mut Sim<'_>) -> Result<(), String> {
        self.tally.ticks += 1;
        sim.step().map(drop).map_err(|error| error.to_string())
    }

    fn something_goes_wrong(&mut self, sim: &mut Sim<'_>) {
        if !self.chance.once_in(12) {
            return;
        }
        let device = self.devices[self.chance.below(DEVICES) as usize].name();
        let device = device.as_str();
        let tally = &mut self.tally;
        let counted = match self.chance.below(12) {
            0 => {
                sim.partition(device, "hub");
                &mut tally.cuts
            }
            1 => {
                sim.partition_oneway(device, "hub");
                &mut tally.one_way_up
            }
            // What is asked is done, and nobody hears of it.
            2 => {
                sim.partition_oneway("hub", device);
                &mut tally.one_way_down
            }
            3 => {
                sim.crash("hub");
                &mut tally.hub_crashes
            }
            4 => {
                sim.bounce("hub");
                &mut tally.hub_crashes
            }
            5 => {
                sim.bounce(device);
                &mut tally.device_crashes
            }
            6 => {
                sim.set_link_max_message_latency(device, "hub", Duration::from_millis(700));
                &mut tally.slow_links
            }
            7 => {
                sim.set_link_fail_rate(device, "hub", 0.05);
                &mut tally.lossy_links
            }
            // Most of the time most of it works, or nothing would be interrupted.
            _ => return self.heal(sim),
        };
        *counted += 1;
    }

    fn heal(&self, sim: &mut Sim<'_>) {
        for device in &self.devices {
            let name = device.name();
            sim.repair(name.as_str(), "hub");
            sim.set_link_max_message_latency(name.as_str(), "hub", Duration::from_millis(30));
            sim.set_link_fail_rate(name.as_str(), "hub", 0.0);
        }
        if !sim.is_host_running("hub") {
            sim.bounce("hub");
        }
    }

    /// What all devices show, once they all show the same and nothing is on its way.
    fn at_rest(&self) -> Option<Shown> {
        let mut shown = self.devices.iter().map(Device::at_rest);
        let first = shown.next()??;
        shown.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    fn restless(&self) -> String {
        let shown: Vec<_> = self.devices.iter().map(Device::at_rest).collect();
        format!("no rest after {CALM} calm ticks: {shown:#?}")
    }

    fn judge(&mut self, shown: &Shown) -> Result<(), String> {
        let mut views = 0;
        for Acknowledged { notes, tags, views: counted } in self.devices.iter().map(Device::acknowledged) {
            self.tally.acknowledged += notes.len() as u64 + tags.len() as u64 + counted as u64;
            views += counted;
            let lost: Vec<_> = notes.difference(&shown.notes).chain(tags.difference(&shown.tags)).collect();
            if !lost.is_empty() {
                return Err(format!("{lost:?} were acknowledged, and are gone"));
            }
        }
        match views == shown.views {
            true => Ok(()),
            false => Err(format!("{views} views were acknowledged, and {} are counted", shown.views)),
        }
    }
}

/// The hub's process: from its start until it is killed.
async fn hub(file: RedbFile, chance: Chance) -> turmoil::Result {
    let builder = Hub::builder().clock(Arc::new(Wall(0))).random(Arc::new(chance.clone()));
    // A log that is cut off within what one device has under way can only say that it does not know.
    let builder = builder.checkpoint_every(1 + chance.below(40) as usize).keep_entries(80 + chance.below(100));
    let hub = builder.open(file.space("")?)?;
    let service = HubService::builder(Spaces::single(hub)).call_hubs_inline().build();
    let port = Port(TcpListener::bind("0.0.0.0:80").await?);
    serve(port, service, std::future::pending(), ServeOptions::default()).await;
    Ok(())
}
