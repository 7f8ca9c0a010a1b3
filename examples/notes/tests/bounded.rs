//! Files, memory, opening and the first sync of a new device follow what lives, not what happened.
//!
//! Everyday it is a short form. The long forms, a million entries over ten thousand notes, and notes of two thousand words,
//! take a while:
//!
//! ```sh
//! NOTES_BOUNDED=10000x100 cargo test --release -p notes --test bounded -- --nocapture
//! NOTES_BOUNDED=1000x10x2000 cargo test --release -p notes --test bounded -- --nocapture
//! ```
#![allow(clippy::print_stdout)] // the figures, for whoever asks for them

mod support;

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Device, HubProcess, folder, write};
use sync_core::Hub;
use sync_redb::RedbFile;

/// The most memory that a sync and a hub may take, in MB.
const MEMORY: u64 = 100;

/// A space with its hub, and a device that filled it.
struct Space {
    folder: tempfile::TempDir,
    hub: HubProcess,
    device: Device,
    /// How many words a note has.
    words: usize,
    /// The most memory that any sync of the device took, in MB.
    memory: u64,
}

impl Space {
    fn new(words: usize) -> Self {
        let folder = folder();
        let hub = HubProcess::start(folder.path());
        let device = Device::of(folder.path(), "ana", &hub);
        Self { folder, hub, device, words, memory: 0 }
    }

    /// Writes every note as this round has it, and syncs.
    fn write(&mut self, notes: usize, round: usize) {
        let mut lines = String::new();
        for n in 0..notes {
            let _ = writeln!(
                lines,
                r#"{{"id":"note-{n:06}","title":"Note {n} as of round {round}","body":"{}","tags":["t{}"]}}"#,
                words(n, round, self.words),
                round % 7
            );
        }
        let file = self.folder.path().join("lines");
        write(&file, lines);
        self.device.ok(&["import", file.to_str().expect("a path")]);
        self.memory = self.memory.max(sync(&self.device));
    }

    /// Cuts off what is decided, at the device and at the hub. The sizes of both files.
    fn compact(&mut self) -> (u64, u64) {
        self.device.ok(&["compact"]);
        self.hub.kill();
        let file = self.folder.path().join("hub.redb");
        let store = RedbFile::open(&file).and_then(|file| file.space("hub/default")).expect("the hub's file opens");
        let hub = Hub::builder().open(store).expect("it is a hub's");
        hub.compact(100).expect("the hub's log can be cut");
        drop(hub);
        self.hub.crash();
        (size(&self.device.file), size(&file))
    }

    /// How long a command takes that opens the file and looks at next to nothing, at best.
    fn opening(&self) -> Duration {
        let once = |_| {
            let begin = Instant::now();
            self.device.ok(&["status"]);
            begin.elapsed()
        };
        (0..7).map(once).min().expect("seven times")
    }

    /// A new device's first sync: how many bytes came from the hub, how long it took, and how much memory.
    fn bootstrap(&self, name: &str, notes: usize) -> (u64, Duration, u64) {
        let wire = Wire::to(self.hub.address());
        let begin = Instant::now();
        let fresh = Device::at(self.folder.path(), name, &wire.url);
        let memory = sync(&fresh);
        let took = begin.elapsed();
        assert_eq!(fresh.ok(&["list"]).lines().count(), self.device.ok(&["list"]).lines().count());
        assert_eq!(fresh.json(&["list", "--json"]).as_array().map(Vec::len), Some(notes));
        (wire.bytes.load(Ordering::Relaxed), took, memory)
    }
}

/// A text of so many words, as hard to compress as one that somebody wrote.
fn words(note: usize, round: usize, count: usize) -> String {
    let mut state = (note * 1_000_003 + round) as u64;
    let mut next = || {
        // SplitMix64 (Steele, Lea, Flood 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let syllables = ["ka", "lo", "mi", "ne", "ru", "sa", "to", "vi"];
    let word = |bits: u64| (0..4).map(move |at| syllables[(bits >> (3 * at)) as usize % syllables.len()]);
    let words: Vec<String> = (0..count).map(|_| word(next()).collect()).collect();
    words.join(" ")
}

fn size(file: &Path) -> u64 {
    std::fs::metadata(file).expect("the file is there").len()
}

/// Syncs until nothing is pending. The most memory it took, in MB.
fn sync(device: &Device) -> u64 {
    let mut child = device.command(&["sync", "--json"]).stdout(Stdio::null()).spawn().expect("it runs");
    let mut most = 0;
    let status = loop {
        most = most.max(peak(&child).unwrap_or(0));
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.success());
    most
}

/// The most memory that a process had so far, in MB; where the system tells it.
fn peak(child: &Child) -> Option<u64> {
    peak_of(child.id())
}

fn peak_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.div_ceil(1024))
}

/// Carries bytes to a hub and back, and counts those that come back.
struct Wire {
    url: String,
    bytes: Arc<AtomicU64>,
}

impl Wire {
    fn to(hub: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it has an address");
        let (bytes, hub) = (Arc::new(AtomicU64::new(0)), hub.to_owned());
        let counted = bytes.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let Ok(far) = TcpStream::connect(&hub) else { return };
                let up = (near.try_clone().expect("a socket"), far.try_clone().expect("a socket"));
                std::thread::spawn(move || carry(up.0, up.1, &AtomicU64::new(0)));
                let counted = counted.clone();
                std::thread::spawn(move || carry(far, near, &counted));
            }
        });
        Self { url: format!("http://{address}"), bytes }
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, bytes: &AtomicU64) {
    let mut buffer = [0; 16 * 1_024];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        bytes.fetch_add(read as u64, Ordering::Relaxed);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

#[test]
fn a_long_history_weighs_no_more_than_what_it_left() {
    let asked = std::env::var("NOTES_BOUNDED").unwrap_or_else(|_| "200x15".into());
    let asked: Vec<usize> =
        asked.split('x').map(|n| n.parse().expect("NOTES_BOUNDED is NOTESxROUNDS[xWORDS]")).collect();
    let (notes, rounds, words) = (asked[0], asked[1], asked.get(2).copied().unwrap_or(40));
    let is_long = std::env::var_os("NOTES_BOUNDED").is_some();
    let (mut long, mut short) = (Space::new(words), Space::new(words));
    for round in 0..rounds {
        long.write(notes, round);
    }
    short.write(notes, rounds - 1);
    let (_, _, log_memory) = long.bootstrap("early", notes);
    let hub_memory = peak_of(long.hub.process()).unwrap_or(0);
    let (of_long, of_short) = (long.compact(), short.compact());
    let (opens_long, opens_short) = (long.opening(), short.opening());
    let (bytes_long, took_long, fresh_memory) = long.bootstrap("fresh", notes);
    let (bytes_short, took_short, _) = short.bootstrap("fresh", notes);
    println!("{} entries over {notes} notes, beside {notes} notes written once", notes * rounds);
    println!("device's file  {} kB, {} kB", of_long.0 / 1024, of_short.0 / 1024);
    println!("hub's file     {} kB, {} kB", of_long.1 / 1024, of_short.1 / 1024);
    println!("opening        {opens_long:?}, {opens_short:?}");
    println!("bootstrap      {bytes_long} bytes in {took_long:?}, {bytes_short} bytes in {took_short:?}");
    println!(
        "memory         sync {} MB, hub {hub_memory} MB, the whole log {log_memory} MB, bootstrap {fresh_memory} MB",
        long.memory
    );
    assert!(of_long.0 <= 2 * of_short.0, "the device's file: {of_long:?} beside {of_short:?}");
    assert!(of_long.1 <= 2 * of_short.1, "the hub's file: {of_long:?} beside {of_short:?}");
    assert!(2 * bytes_long <= 3 * bytes_short, "a new device's first sync: {bytes_long} bytes beside {bytes_short}");
    let first = [("a first sync of the whole log", log_memory), ("a first sync", fresh_memory)];
    // Of large texts the allocator keeps more, for each thread.
    let most = if words > 40 { MEMORY * 3 / 2 } else { MEMORY };
    for (who, memory) in [("sync", long.memory), ("the hub", hub_memory)].into_iter().chain(first) {
        assert!(memory < most, "{who} took {memory} MB");
    }
    // Of a short time more is noise than anything else.
    if is_long {
        assert!(opens_long <= 2 * opens_short, "opening: {opens_long:?} beside {opens_short:?}");
        assert!(2 * took_long <= 3 * took_short, "a new device's first sync: {took_long:?} beside {took_short:?}");
    }
}
