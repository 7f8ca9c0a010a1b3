//! Bits that turn over on the disk: whoever reads is told, or reads what was written. Small files are checked as a whole
//! when they are opened; of large ones only the checksum of each row stands between the disk and the user.
//!
//! `ROT_FLIPS` is how many bits are turned over, `ROT_SEED` which ones.

use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::BackendError;
use sync_redb::{RedbFile, StorageBackend};

use crate::bytes::{Bytes, random};
use crate::image::Image;
use crate::life::{Bare, Device, HubAtHome, Life, new_file};
use crate::number;

/// A disk that seems too large, to whoever looks first, to be checked as a whole.
#[derive(Debug)]
struct Large {
    image: Image,
    looked: AtomicBool,
}

impl StorageBackend for Large {
    fn len(&self) -> io::Result<u64> {
        if self.looked.swap(true, Ordering::SeqCst) { self.image.len() } else { Ok(1 << 40) }
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.image.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.image.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.image.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.image.write(offset, data)
    }

    fn try_lock_range(&self, from: Bound<u64>, to: Bound<u64>) -> Result<bool, BackendError> {
        self.image.try_lock_range(from, to)
    }
}

/// What a life leaves behind that ended in order.
fn closed<L: Life>() -> Arc<Vec<u8>> {
    let disk = Bytes::new(new_file());
    L::live(&disk, &Arc::default(), &mut Vec::new(), 44).expect("nothing fails");
    Arc::new(disk.copy())
}

fn flipped(bytes: &Arc<Vec<u8>>, bit: usize) -> Image {
    let image = Image::of(bytes.clone());
    image.write(bit as u64 / 8, &[bytes[bit / 8] ^ 1 << (bit % 8)]).expect("an image takes everything");
    image
}

fn nothing_is_read_otherwise<L: Life>(everyday: u64, is_large: bool) {
    let bytes = closed::<L>();
    let truth = L::read(Image::of(bytes.clone())).expect("nothing is wrong yet");
    // Most of a small file is empty.
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let (mut found, mut hidden, mut seed) = (0, 0, number("ROT_SEED", 1));
    let flips = number("ROT_FLIPS", everyday);
    for _ in 0..flips {
        let bit = used[random(&mut seed) as usize % used.len()] * 8 + random(&mut seed) as usize % 8;
        let image = || flipped(&bytes, bit);
        let large = || Large { image: image(), looked: AtomicBool::new(false) };
        let read = if is_large { L::read(large()) } else { L::read(image()) };
        match read {
            Err(_) => found += 1,
            Ok(read) if read == truth => {}
            Ok(read) => {
                assert!(is_large, "bit {bit}: reads otherwise\n{read}\ninstead of\n{truth}");
                // redb does not compare the checksums of its pages when it reads them: one that is damaged may hide
                // rows, not change them. Verifying tells.
                let verified = RedbFile::with_backend(large()).and_then(|file| file.verify());
                assert!(!matches!(verified, Ok(true)), "bit {bit} hides something, and verifying does not tell");
                hidden += 1;
            }
        }
    }
    println!("{found} of {flips} bits in {} bytes were told when read, {hidden} only by verifying", used.len());
    assert!(found > flips / 50, "only {found} of {flips} were found: nothing was tried");
    assert!(hidden < flips / 200, "{hidden} of {flips} were not told when read");
}

#[test]
fn a_small_store_reads_what_was_written() {
    nothing_is_read_otherwise::<Bare>(2_000, false);
}

#[test]
fn a_small_device_reads_what_was_written() {
    nothing_is_read_otherwise::<Device>(2_000, false);
}

#[test]
fn a_small_hub_reads_what_was_written() {
    nothing_is_read_otherwise::<HubAtHome>(2_000, false);
}

#[test]
fn a_large_device_reads_what_was_written() {
    nothing_is_read_otherwise::<Device>(2_000, true);
}

#[test]
fn a_large_hub_reads_what_was_written() {
    nothing_is_read_otherwise::<HubAtHome>(2_000, true);
}
