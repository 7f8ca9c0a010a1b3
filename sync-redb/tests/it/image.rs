//! What a disk may hold after the power went.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::BackendError;
use sync_redb::StorageBackend;

use crate::bytes::{Done, random};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// What is copied when it is changed.
const PAGE: usize = 4096;

/// A disk that begins with bytes that it shares with others.
#[derive(Debug)]
pub(crate) struct Image {
    base: Arc<Vec<u8>>,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    len: usize,
    /// How much of the base still shows: less once the disk was cut short.
    base: usize,
    pages: BTreeMap<usize, Box<[u8; PAGE]>>,
}

impl Image {
    pub(crate) fn of(base: Arc<Vec<u8>>) -> Self {
        let len = base.len();
        Self { base, changes: Mutex::new(Changes { len, base: len, pages: BTreeMap::new() }) }
    }

    /// The disk on which `durable` is safe, and of what was done since any part survived, sector by sector.
    pub(crate) fn survived(durable: &Arc<Vec<u8>>, since: &[Done], seed: &mut u64) -> Self {
        let image = Self::of(durable.clone());
        let mut changes = image.changes();
        // Of the sectors of a write that is neither whole nor missing.
        let percent = [2, 50, 98][random(seed) as usize % 3];
        for step in since {
            match step {
                Done::Length(len) if random(seed).is_multiple_of(2) => changes.set_len(*len),
                Done::Write(at, data) => match random(seed) % 4 {
                    0 => {}
                    1 => changes.write(&image.base, *at, data),
                    _ => {
                        for (n, sector) in data.chunks(SECTOR).enumerate() {
                            if random(seed) % 100 < percent {
                                changes.write(&image.base, at + n * SECTOR, sector);
                            }
                        }
                    }
                },
                Done::Length(_) | Done::Sync => {}
            }
        }
        drop(changes);
        image
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let changes = self.changes();
        let mut bytes = vec![0; changes.len];
        changes.read(&self.base, 0, &mut bytes);
        bytes
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().expect("no thread panics while it holds the changes")
    }
}

impl Changes {
    fn set_len(&mut self, len: usize) {
        self.base = self.base.min(len);
        self.pages.retain(|page, _| page * PAGE < len);
        if let Some(page) = self.pages.get_mut(&(len / PAGE)) {
            page[len % PAGE..].fill(0);
        }
        self.len = len;
    }

    /// Behind the end the disk becomes longer, as a file does.
    fn write(&mut self, base: &[u8], at: usize, data: &[u8]) {
        self.len = self.len.max(at + data.len());
        let mut done = 0;
        while done < data.len() {
            let (page, from) = ((at + done) / PAGE, (at + done) % PAGE);
            let piece = (PAGE - from).min(data.len() - done);
            let shown = self.base;
            let bytes = self.pages.entry(page).or_insert_with(|| {
                let mut fresh = Box::new([0; PAGE]);
                copy(&base[..shown], page * PAGE, &mut fresh[..]);
                fresh
            });
            bytes[from..from + piece].copy_from_slice(&data[done..done + piece]);
            done += piece;
        }
    }

    fn read(&self, base: &[u8], at: usize, out: &mut [u8]) {
        out.fill(0);
        copy(&base[..self.base], at, out);
        let last = (at + out.len()).div_ceil(PAGE);
        for (page, bytes) in self.pages.range(at / PAGE..last) {
            let start = page * PAGE;
            let (from, to) = (start.max(at), (start + PAGE).min(at + out.len()));
            out[from - at..to - at].copy_from_slice(&bytes[from - start..to - start]);
        }
    }
}

/// What there is of `from` at this place; the rest of `out` stays.
fn copy(from: &[u8], at: usize, out: &mut [u8]) {
    if let Some(from) = from.get(at..) {
        let there = from.len().min(out.len());
        out[..there].copy_from_slice(&from[..there]);
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.changes().len as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changes = self.changes();
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= changes.len as u64);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        changes.read(&self.base, offset as usize, out);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len > 1 << 28 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.changes().set_len(len as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.changes().write(&self.base, offset as usize, data);
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Err(BackendError::Unsupported)
    }
}
