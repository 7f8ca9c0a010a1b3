//! A file with room behind what is in it.
//!
//! redb sets the length of its file far ahead, and leaves a hole there. A sync of bytes that fall into it has to wait for
//! the file system too, which writes down in which blocks they are: on ext4 a commit of 8 kB took 0.32 ms there, and 0.25
//! where zeros had been written before. So zeros are written ahead of redb, behind a commit, never before one. A hole
//! reads as zeros, so they change nothing that anyone reads, nor what a loss of power may leave.

use std::io;
use std::ops::{Bound, Range};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use crate::fault::Fault;

/// How far ahead of redb zeros are written at most: for each commit that grows the file by 8 kB, a hundred do not wait.
const AHEAD: u64 = 1 << 20;

/// How many zeros are written in one call.
const CHUNK: usize = 64 << 10;

/// A storage, and what is known of its end.
#[derive(Debug)]
pub(crate) struct Roomy<B> {
    storage: B,
    room: Mutex<Room>,
}

/// Offsets in the storage: redb wrote to nothing from `used` on.
#[derive(Debug)]
struct Room {
    /// What `used` was when the storage was opened: no more is written ahead than it has grown by since, so that who
    /// opens it for one commit does not pay for room.
    opened: u64,
    used: u64,
    /// Up to here zeros were written.
    ready: u64,
    /// The storage's length.
    end: u64,
}

impl Roomy<FileBackend> {
    /// Over a file that nobody else writes to.
    pub(crate) fn file(file: std::fs::File) -> Result<Self, Fault> {
        let end = file.metadata()?.len();
        let used = used(&file, end);
        Ok(Self::new(FileBackend::new(file)?, used, end))
    }
}

impl<B: StorageBackend> Roomy<B> {
    fn new(storage: B, used: u64, end: u64) -> Self {
        Self { storage, room: Mutex::new(Room { opened: used, used, ready: used, end }) }
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the zeros that are due. Without them it is only slower, so that failing is no error: it is not tried again.
    fn make_room(&self) {
        // Held meanwhile: what redb writes must come behind the zeros, or be known to them.
        let mut room = self.room();
        let Some(due) = room.due() else { return };
        let zeros = vec![0; CHUNK];
        while room.ready < due.end {
            let from = room.ready.max(due.start);
            let bytes = CHUNK.min(usize::try_from(due.end - from).unwrap_or(CHUNK));
            match self.storage.write(from, &zeros[..bytes]) {
                Ok(()) => room.ready = from + bytes as u64,
                Err(_) => return room.end = room.used,
            }
        }
    }
}

impl Room {
    /// Where zeros are to be written, if there is little room left.
    fn due(&self) -> Option<Range<u64>> {
        let ahead = AHEAD.min(self.used - self.opened);
        let range = self.ready.max(self.used)..self.end.min(self.used + ahead);
        (range.start < range.end && range.start - self.used <= ahead / 4).then_some(range)
    }

    fn writes(&mut self, offset: u64, bytes: usize) {
        self.used = self.used.max(offset.saturating_add(bytes as u64));
    }

    fn ends(&mut self, end: u64) {
        self.end = end;
        for offset in [&mut self.opened, &mut self.used, &mut self.ready] {
            *offset = end.min(*offset);
        }
    }
}

impl<B: StorageBackend> StorageBackend for Roomy<B> {
    fn len(&self) -> io::Result<u64> {
        self.storage.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.storage.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut room = self.room();
        self.storage.set_len(len)?;
        room.ends(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.storage.sync_data()?;
        self.make_room();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.room().writes(offset, data.len());
        self.storage.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.storage.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.storage.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.storage.query_lock_range(start, end)
    }
}

/// Where the hole begins that the file ends with; its end if there is none, or where the system does not tell.
fn used(file: &std::fs::File, end: u64) -> u64 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{SeekFrom, seek};
        // "No data from here on" holds behind some offset: half of what is left is ruled out each time.
        let (mut low, mut high) = (0, end);
        while low < high {
            let middle = low + (high - low) / 2;
            match seek(file, SeekFrom::Data(middle)) {
                Ok(data) => low = data.max(middle) + 1,
                Err(rustix::io::Errno::NXIO) => high = middle,
                Err(_) => return end,
            }
        }
        low
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = file;
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A storage in memory that counts what is written to it.
    #[derive(Debug, Default)]
    struct Memory(Mutex<(Vec<u8>, u64)>);

    impl StorageBackend for Memory {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.lock().unwrap().0.len() as u64)
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            out.copy_from_slice(&self.0.lock().unwrap().0[offset as usize..][..out.len()]);
            Ok(())
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.lock().unwrap().0.resize(len as usize, 0);
            Ok(())
        }

        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            let (bytes, written) = &mut *self.0.lock().unwrap();
            let end = offset as usize + data.len();
            if end > bytes.len() {
                return Err(io::Error::other("behind the end"));
            }
            bytes[offset as usize..end].copy_from_slice(data);
            *written += data.len() as u64;
            Ok(())
        }
    }

    fn contents(storage: &Roomy<Memory>) -> Vec<u8> {
        storage.storage.0.lock().unwrap().0.clone()
    }

    /// What is read is what was written, whatever was written ahead: beside a plain vector, over many short lives.
    #[test]
    fn nothing_that_was_written_is_lost_to_zeros() {
        let mut ahead = 0;
        for seed in 1..=300u64 {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mut draw = move |below: u64| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 33) % below
            };
            let mut plain = vec![0; 4096];
            let memory = Memory::default();
            memory.0.lock().unwrap().0 = plain.clone();
            let used = draw(4097);
            plain[..used as usize].fill(7);
            memory.write(0, &plain[..used as usize]).unwrap();
            let storage = Roomy::new(memory, used, 4096);
            let mut asked = used;
            for _ in 0..60 {
                match draw(8) {
                    0 => {
                        let len = 1 + draw(3 * plain.len() as u64).min(4 << 20);
                        plain.resize(len as usize, 0);
                        storage.set_len(len).unwrap();
                    }
                    1..=3 => storage.sync_data().unwrap(),
                    _ => {
                        let from = draw(plain.len() as u64) as usize;
                        let bytes = (1 + draw(20_000) as usize).min(plain.len() - from);
                        plain[from..from + bytes].fill(draw(255) as u8 + 1);
                        storage.write(from as u64, &plain[from..from + bytes]).unwrap();
                        asked += bytes as u64;
                    }
                }
                assert!(contents(&storage) == plain, "seed {seed}");
            }
            ahead += storage.storage.0.lock().unwrap().1 - asked;
        }
        assert!(ahead > 10 << 20, "zeros were written, {ahead} bytes of them");
    }

    /// As an append of a page after the other does it.
    #[test]
    fn room_grows_with_what_was_written_and_not_beyond_the_end() {
        let storage = Roomy::new(Memory::default(), 0, 0);
        storage.set_len(8 << 20).unwrap();
        let ready = |storage: &Roomy<Memory>| storage.room().ready;
        storage.sync_data().unwrap();
        assert_eq!(ready(&storage), 0, "who writes nothing pays for nothing");
        let (mut at, mut waits) = (0, 0);
        while at < (6 << 20) {
            waits += u32::from(at + 8192 > ready(&storage));
            storage.write(at, &[1; 8192]).unwrap();
            storage.sync_data().unwrap();
            at += 8192;
            assert!(ready(&storage) <= at + at.min(AHEAD));
        }
        assert_eq!(waits, 1, "of 768 commits one reaches where nothing was written before");
        storage.set_len(at + 100).unwrap();
        storage.write(at, &[1; 100]).unwrap();
        storage.sync_data().unwrap();
        assert_eq!(ready(&storage), at + 100);
    }

    #[test]
    fn a_storage_that_takes_no_zeros_is_used_all_the_same() {
        let storage = Roomy::new(Memory::default(), 0, 0);
        storage.set_len(8192).unwrap();
        storage.write(0, &[1; 4096]).unwrap();
        // Behind the back of it, as a full disk would be.
        storage.storage.set_len(4096).unwrap();
        storage.sync_data().unwrap();
        storage.sync_data().unwrap();
        assert_eq!(contents(&storage), [1; 4096]);
        assert!(storage.write(8000, &[1]).is_err(), "what redb writes itself still fails");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_hole_at_the_end_of_a_file_is_found() {
        use std::os::unix::fs::FileExt;
        for (written, len) in
            [(0..0, 0), (0..0, 1 << 20), (0..4096, 4096), (0..4096, 1 << 20), (1 << 19..600_000, 1 << 20)]
        {
            let file = tempfile::tempfile().unwrap();
            file.set_len(len).unwrap();
            file.write_all_at(&vec![1; (written.end - written.start) as usize], written.start).unwrap();
            let found = used(&file, len);
            // A file system tells it in blocks, or, if it has none to tell of, that all is data.
            assert!((written.end..=len).contains(&found), "{written:?} of {len}: {found}");
            assert!(found == len || found < written.end + 65_536, "{written:?} of {len}: {found}");
        }
    }
}
