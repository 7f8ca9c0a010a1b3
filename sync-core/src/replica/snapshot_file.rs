//! A snapshot as a file: a magic text, a version, and blocks, each with its length and a checksum over its content and
//! its number.
//!
//! `head | records | records | ... | end`. The head says whose snapshot it is and what it contains; the end, which a
//! file that was cut off lacks, how many records there are.

use std::io::{ErrorKind, Read, Write};

use super::row::{read_known, read_space, write_known, write_space};
use crate::error::Error;
use crate::model::codec::{self, Reader, Writer};
use crate::model::context::Known;
use crate::model::entry::EntityKey;
use crate::model::record::Record;
use crate::model::stamp::ClientId;
use crate::seal;
use crate::transport::{Cursor, Epochs};

const MAGIC: &[u8; 15] = b"sync snapshot\n\0";
/// The version of the blocks' layout.
const VERSION: u8 = 1;
/// The most bytes of a block: a longer one is none of ours, and not worth the memory.
const MOST: usize = 1 << 30;

const HEAD: u8 = 0;
const RECORDS: u8 = 1;
const END: u8 = 2;

/// What a snapshot contains.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    /// The hub and the space that it belongs to; none if its device never met a hub.
    pub(super) hub: Option<(String, String)>,
    pub(super) cursor: Cursor,
    /// How far its device knew that the hub's log goes: what it has beyond the cursor is its own.
    pub(super) told: Cursor,
    /// Where the epochs of that log began.
    pub(super) epochs: Epochs,
    pub(super) vector: Vec<(ClientId, Known)>,
}

/// Some of a snapshot's records.
pub(super) type Records = Vec<(EntityKey, Record)>;

/// Writes the file, block by block.
pub(super) struct FileWriter<W> {
    to: W,
    blocks: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl<W: Write> FileWriter<W> {
    pub(super) fn begin(mut to: W, head: &Head) -> Result<Self, Error> {
        to.write_all(MAGIC).and_then(|()| to.write_all(&[VERSION])).map_err(unwritable)?;
        let mut file = Self { to, blocks: 0, records: 0, bytes: MAGIC.len() as u64 + 1 };
        file.block(HEAD, |w| {
            w.option(head.hub.as_ref(), write_space);
            head.cursor.write(w);
            head.told.write(w);
            head.epochs.write(w);
            w.list(&head.vector, write_known);
        })?;
        Ok(file)
    }

    pub(super) fn records(&mut self, records: &Records) -> Result<(), Error> {
        self.records += records.len() as u64;
        self.block(RECORDS, |w| {
            w.list(records, |w, (key, record)| {
                w.name(&key.entity_type);
                w.text(&key.id);
                w.raw(&record.encode());
            });
        })
    }

    /// Nothing counts without the end.
    pub(super) fn end(mut self) -> Result<(u64, u64), Error> {
        let records = self.records;
        self.block(END, |w| w.u64(records))?;
        self.to.flush().map_err(unwritable)?;
        Ok((self.records, self.bytes))
    }

    fn block(&mut self, kind: u8, write: impl FnOnce(&mut Writer)) -> Result<(), Error> {
        let mut w = Writer::with_table();
        w.u8(kind);
        write(&mut w);
        let block = seal::written(&self.blocks.to_be_bytes(), w);
        let length = u32::try_from(block.len()).ok().filter(|length| *length as usize <= MOST);
        let length = length.ok_or_else(|| unusable("a record of it is larger than a file can hold"))?;
        self.to.write_all(&length.to_le_bytes()).and_then(|()| self.to.write_all(&block)).map_err(unwritable)?;
        self.blocks += 1;
        self.bytes += 4 + block.len() as u64;
        Ok(())
    }
}

/// Reads the file, block by block.
pub(super) struct FileReader<R> {
    from: R,
    blocks: u64,
    records: u64,
    pub(super) bytes: u64,
}

impl<R: Read> FileReader<R> {
    pub(super) fn begin(mut from: R) -> Result<(Self, Head), Error> {
        let mut begin = [0; MAGIC.len() + 1];
        let read = fill(&mut from, &mut begin)?;
        if read < begin.len() || begin[..MAGIC.len()] != *MAGIC {
            return Err(unusable("it does not begin as a snapshot does: is it another kind of file?"));
        }
        if begin[MAGIC.len()] != VERSION {
            let found = begin[MAGIC.len()];
            return Err(unusable(format!(
                "it has version {found}, and this program knows {VERSION}: use a newer program"
            )));
        }
        let mut file = Self { from, blocks: 0, records: 0, bytes: begin.len() as u64 };
        let head = file.block()?;
        let head = file.read(&head, |kind, r| match kind {
            HEAD => Ok(Head {
                hub: r.option(read_space)?,
                cursor: Cursor::read(r)?,
                told: Cursor::read(r)?,
                epochs: Epochs::read(r)?,
                vector: r.list(read_known)?,
            }),
            _ => Err(codec::CodecError { expected: "the head" }),
        })?;
        Ok((file, head))
    }

    /// The next records; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Records>, Error> {
        let block = self.block()?;
        let before = self.records;
        let records = self.read(&block, |kind, r| match kind {
            RECORDS => r.list(record).map(Some),
            END if r.u64()? == before => Ok(None),
            _ => Err(codec::CodecError { expected: "as many records as the end says" }),
        })?;
        match &records {
            Some(records) => self.records += records.len() as u64,
            None if fill(&mut self.from, &mut [0])? > 0 => {
                return Err(unusable("something stands behind its end"));
            }
            None => {}
        }
        Ok(records)
    }

    fn block(&mut self) -> Result<Vec<u8>, Error> {
        let cut_off = || unusable("it ends too early: it was not written or copied to its end");
        let mut length = [0; 4];
        if fill(&mut self.from, &mut length)? < length.len() {
            return Err(cut_off());
        }
        let length = u32::from_le_bytes(length) as usize;
        if length > MOST {
            return Err(self.damaged("its length makes no sense"));
        }
        // What a damaged length says is not given before it is there.
        let mut block = Vec::new();
        let read = (&mut self.from).take(length as u64).read_to_end(&mut block).map_err(unreadable)?;
        if read < length {
            return Err(cut_off());
        }
        self.bytes += 4 + length as u64;
        Ok(block)
    }

    fn read<T>(
        &mut self,
        block: &[u8],
        read: impl FnOnce(u8, &mut Reader<'_>) -> codec::Result<T>,
    ) -> Result<T, Error> {
        let Ok(body) = seal::open(&self.blocks.to_be_bytes(), block) else {
            return Err(self.damaged("its checksum does not fit its content"));
        };
        let content = Reader::with_table(body).and_then(|mut r| {
            let kind = r.u8()?;
            let content = read(kind, &mut r)?;
            r.finish()?;
            Ok(content)
        });
        let content = content.map_err(|error| self.damaged(&error.to_string()))?;
        self.blocks += 1;
        Ok(content)
    }

    fn damaged(&self, message: &str) -> Error {
        unusable(format!("block {} of it is damaged: {message}", self.blocks))
    }
}

fn record(r: &mut Reader<'_>) -> codec::Result<(EntityKey, Record)> {
    let key = EntityKey::new(r.name()?, r.text()?);
    Ok((key, Record::decode_untrusted(r.raw()?)?))
}

/// Reads until the buffer is full or there is no more, and says how much there was.
fn fill(from: &mut impl Read, buffer: &mut [u8]) -> Result<usize, Error> {
    let mut read = 0;
    while read < buffer.len() {
        match from.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(error)),
        }
    }
    Ok(read)
}

pub(super) fn unusable(message: impl Into<String>) -> Error {
    Error::SnapshotFile { message: message.into() }
}

fn unwritable(error: std::io::Error) -> Error {
    unusable(format!("writing it failed: {error}"))
}

fn unreadable(error: std::io::Error) -> Error {
    unusable(format!("reading it failed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::Digest;
    use crate::transport::Epoch;

    fn file() -> Vec<u8> {
        let head = Head {
            hub: Some(("hub".into(), "space".into())),
            cursor: Cursor { seq: 7, digest: Digest(9), epoch: Epoch(11) },
            told: Cursor { seq: 8, digest: Digest(10), epoch: Epoch(11) },
            epochs: Epochs::default(),
            vector: vec![(ClientId::new("a"), Known { n: 7, digest: Digest(8) })],
        };
        let mut bytes = Vec::new();
        let mut file = FileWriter::begin(&mut bytes, &head).unwrap();
        file.records(&vec![(EntityKey::new("note", "1"), Record::default())]).unwrap();
        file.records(&vec![(EntityKey::new("note", "2"), Record::default())]).unwrap();
        let (records, size) = file.end().unwrap();
        assert_eq!((records, size), (2, bytes.len() as u64));
        bytes
    }

    fn read(bytes: &[u8]) -> Result<u64, Error> {
        let (mut file, head) = FileReader::begin(bytes)?;
        assert_eq!(head.cursor.seq, 7);
        let mut records = 0;
        while let Some(more) = file.next()? {
            records += more.len() as u64;
        }
        assert_eq!(file.bytes, bytes.len() as u64);
        Ok(records)
    }

    #[test]
    fn a_file_reads_back_and_every_flaw_is_an_error() {
        let whole = file();
        assert_eq!(read(&whole).unwrap(), 2);
        for at in 0..whole.len() {
            let cut = read(&whole[..at]).unwrap_err();
            assert_eq!(cut.code(), "snapshot_file", "cut at {at}: {cut}");
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << bit;
                let error = read(&flipped).unwrap_err();
                assert_eq!(error.code(), "snapshot_file", "bit {bit} of byte {at}: {error}");
            }
        }
        let longer = [&whole[..], b"x"].concat();
        assert!(read(&longer).unwrap_err().to_string().contains("behind its end"));
        let error = read(b"{\"id\":\"note\"}\n").unwrap_err().to_string();
        assert!(error.contains("another kind of file"), "{error}");
        let mut newer = whole;
        newer[MAGIC.len()] = VERSION + 1;
        assert!(read(&newer).unwrap_err().to_string().contains("newer program"));
    }
}
