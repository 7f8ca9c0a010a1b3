//! Rows of a device's journal: each is one commit.

use std::sync::Arc;

use crate::entity::Fields;
use crate::model::batch::{decode_trusted, encode_batch};
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::context::Known;
use crate::model::digest::Digest;
use crate::model::entry::{EntityKey, Entry};
use crate::model::stamp::{ClientId, Dot};
use crate::transport::{Cursor, EpochStart, Epochs, Limits, Rejection};

/// One commit of a device's journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Row {
    /// The replica issues its entries under this client id from here on; a second one after a fork.
    Client(ClientId),
    /// Entries written here, fields that never leave the device, and entries set aside that these stand for anew.
    Write { entries: Vec<Arc<Entry>>, local: Vec<(EntityKey, Fields)>, forget: Vec<u64> },
    /// These entries, by their local numbers, are about to be offered under these numbers.
    Offer { attempt: u64, numbers: Vec<(u64, u64)> },
    /// What the hub decided about entries that were offered. What it said was gone is set aside as these, and what is
    /// pending behind what it refused is so from here on; `told` is where the hub's log ended then.
    Verdicts { decisions: Vec<(u64, Decision)>, gone: Vec<(u64, Arc<Entry>)>, told: Cursor },
    /// A page of the hub's log; entries written here to what it purges are set aside as these. `batches` are the
    /// entries as they came, where they came so.
    Page { entries: Vec<Logged>, batches: Vec<Arc<[u8]>>, cursor: Cursor, gone: Vec<(u64, Arc<Entry>)> },
    /// The wall clock is off by so many milliseconds; entries never offered take these times.
    Clock { offset: i64, times: Vec<(u64, u64)> },
    /// The replica belongs to this account.
    Bind { account: Account, limits: Limits },
    /// Entries that were set aside are discarded.
    Forget(Vec<u64>),
    /// The hub's snapshot stands in this table of the store's map and counts from here on; `told` is the furthest that
    /// its history was ever told to reach, `epochs` what is known of that log, `latest` the greatest logical time in it.
    Adopted {
        table: u8,
        cursor: Cursor,
        told: Cursor,
        epochs: Epochs,
        latest: u64,
        vector: Vec<(ClientId, Known)>,
        aside: Vec<(u64, Rejection)>,
        /// Entries written here to what is not in it any more are set aside as these.
        gone: Vec<(u64, Arc<Entry>)>,
        kept: Vec<Kept>,
        /// Of which hub and space it is, where a file said so.
        of: Option<(String, String)>,
    },
    /// A sync succeeded, at this time by the hub's clock.
    Synced(u64),
    /// The hub said that its log ends there.
    Told(Cursor),
    /// The hub told where epochs of its log began.
    Epochs(Vec<EpochStart>),
    /// Everything before is forgotten: the replica is a new one.
    Wiped { client: ClientId, table: u8 },
}

/// An entry of the hub's log, hashed once.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Logged {
    pub(crate) entry: Arc<Entry>,
    pub(crate) hash: Digest,
}

impl Logged {
    pub(crate) fn new(entry: Arc<Entry>) -> Self {
        Self { hash: entry.hash(), entry }
    }
}

/// What was decided about one entry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// It is the client's entry of the number under which it was offered.
    Accepted,
    /// It was accepted before, under another name.
    KnownAs(Dot),
    /// It is set aside.
    Rejected(Rejection),
    /// It was not decided: it has no number again.
    Again,
}

/// What the records held and a hub's history does not, to be set aside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) entry: Arc<Entry>,
    pub(crate) rejection: Rejection,
}

/// Whom a store belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The hub's name.
    pub hub: String,
    /// The space.
    pub space: String,
    /// The principal.
    pub principal: String,
}

impl std::fmt::Display for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let space = if self.space.is_empty() { "default" } else { &self.space };
        write!(f, "{} on hub {}, space {space}", self.principal, self.hub)
    }
}

impl Row {
    /// What this device decided itself, not the hub.
    pub(crate) fn decided_here(decisions: Vec<(u64, Decision)>) -> Self {
        Row::Verdicts { decisions, gone: Vec::new(), told: Cursor::default() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_table();
        self.write(&mut w);
        w.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> codec::Result<Row> {
        let mut r = Reader::with_table(bytes)?;
        let row = Self::read(&mut r)?;
        r.finish()?;
        Ok(row)
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Row::Client(client) => {
                w.u8(0);
                w.client(client);
            }
            Row::Write { entries, local, forget } => {
                w.u8(1);
                write_entries(w, entries.iter());
                w.list(local, |w, (key, fields)| write_local(w, key, fields));
                w.list(forget, |w, local| w.u64(*local));
            }
            Row::Offer { attempt, numbers } => {
                w.u8(2);
                w.u64(*attempt);
                w.list(numbers, write_pair);
            }
            Row::Verdicts { decisions, gone, told } => {
                w.u8(3);
                w.list(decisions, |w, (local, decision)| {
                    w.u64(*local);
                    write_decision(w, decision);
                });
                w.list(gone, write_numbered);
                told.write(w);
            }
            Row::Page { entries, batches, cursor, gone } => {
                match &batches[..] {
                    [] => {
                        w.u8(4);
                        write_entries(w, entries.iter().map(|logged| &logged.entry));
                    }
                    [batch] => {
                        w.u8(4);
                        w.raw(batch);
                    }
                    batches => {
                        w.u8(13);
                        w.list(batches, |w, batch| w.raw(batch));
                    }
                }
                cursor.write(w);
                w.list(gone, write_numbered);
            }
            Row::Clock { offset, times } => {
                w.u8(5);
                w.i64(*offset);
                w.list(times, write_pair);
            }
            Row::Bind { account, limits } => {
                w.u8(6);
                write_account(w, account);
                write_limits(w, limits);
            }
            Row::Forget(locals) => {
                w.u8(7);
                w.list(locals, |w, local| w.u64(*local));
            }
            Row::Adopted { table, cursor, told, epochs, latest, vector, aside, gone, kept, of } => {
                w.u8(8);
                w.u8(*table);
                cursor.write(w);
                told.write(w);
                epochs.write(w);
                w.u64(*latest);
                w.list(vector, write_known);
                w.list(aside, |w, (local, rejection)| {
                    w.u64(*local);
                    write_rejection(w, rejection);
                });
                w.list(gone, write_numbered);
                w.list(kept, |w, kept| {
                    kept.entry.write(w);
                    write_rejection(w, &kept.rejection);
                });
                w.option(of.as_ref(), write_space);
            }
            Row::Synced(at) => {
                w.u8(9);
                w.u64(*at);
            }
            Row::Told(told) => {
                w.u8(11);
                told.write(w);
            }
            Row::Epochs(told) => {
                w.u8(12);
                w.list(told, EpochStart::write);
            }
            Row::Wiped { client, table } => {
                w.u8(10);
                w.client(client);
                w.u8(*table);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> codec::Result<Row> {
        let entry = |r: &mut Reader<'_>| Entry::read(r).map(Arc::new);
        Ok(match r.u8()? {
            0 => Row::Client(r.client()?),
            1 => Row::Write { entries: read_entries(r)?, local: r.list(read_local)?, forget: r.list(Reader::u64)? },
            2 => Row::Offer { attempt: r.u64()?, numbers: r.list(read_pair)? },
            3 => Row::Verdicts {
                decisions: r.list(|r| Ok((r.u64()?, read_decision(r)?)))?,
                gone: r.list(|r| Ok((r.u64()?, entry(r)?)))?,
                told: Cursor::read(r)?,
            },
            4 => read_page(r, read_entries)?,
            13 => read_page(r, |r| Ok(r.list(read_entries)?.concat()))?,
            5 => Row::Clock { offset: r.i64()?, times: r.list(read_pair)? },
            6 => Row::Bind { account: read_account(r)?, limits: read_limits(r)? },
            7 => Row::Forget(r.list(Reader::u64)?),
            8 => Row::Adopted {
                table: r.u8()?,
                cursor: Cursor::read(r)?,
                told: Cursor::read(r)?,
                epochs: Epochs::read(r)?,
                latest: r.u64()?,
                vector: r.list(read_known)?,
                aside: r.list(|r| Ok((r.u64()?, read_rejection(r)?)))?,
                gone: r.list(|r| Ok((r.u64()?, entry(r)?)))?,
                kept: r.list(|r| Ok(Kept { entry: entry(r)?, rejection: read_rejection(r)? }))?,
                of: r.option(read_space)?,
            },
            9 => Row::Synced(r.u64()?),
            10 => Row::Wiped { client: r.client()?, table: r.u8()? },
            11 => Row::Told(Cursor::read(r)?),
            12 => Row::Epochs(r.list(EpochStart::read)?),
            _ => return Err(CodecError { expected: "a kind of journal row" }),
        })
    }
}

fn read_page(
    r: &mut Reader<'_>,
    entries: impl FnOnce(&mut Reader<'_>) -> codec::Result<Vec<Arc<Entry>>>,
) -> codec::Result<Row> {
    Ok(Row::Page {
        entries: entries(r)?.into_iter().map(Logged::new).collect(),
        batches: Vec::new(),
        cursor: Cursor::read(r)?,
        gone: r.list(|r| Ok((r.u64()?, Entry::read(r).map(Arc::new)?)))?,
    })
}

fn write_entries<'a>(w: &mut Writer, entries: impl Iterator<Item = &'a Arc<Entry>>) {
    w.raw(&encode_batch(entries.map(|entry| &**entry)));
}

fn read_entries(r: &mut Reader<'_>) -> codec::Result<Vec<Arc<Entry>>> {
    Ok(decode_trusted(r.raw()?)?.into_iter().map(Arc::new).collect())
}

fn write_numbered(w: &mut Writer, (local, entry): &(u64, Arc<Entry>)) {
    w.u64(*local);
    entry.write(w);
}

fn write_pair(w: &mut Writer, (a, b): &(u64, u64)) {
    w.u64(*a);
    w.u64(*b);
}

fn read_pair(r: &mut Reader<'_>) -> codec::Result<(u64, u64)> {
    Ok((r.u64()?, r.u64()?))
}

fn write_decision(w: &mut Writer, decision: &Decision) {
    match decision {
        Decision::Accepted => w.u8(0),
        Decision::KnownAs(dot) => {
            w.u8(1);
            w.dot(dot);
        }
        Decision::Rejected(rejection) => {
            w.u8(2);
            write_rejection(w, rejection);
        }
        Decision::Again => w.u8(3),
    }
}

fn read_decision(r: &mut Reader<'_>) -> codec::Result<Decision> {
    Ok(match r.u8()? {
        0 => Decision::Accepted,
        1 => Decision::KnownAs(r.dot()?),
        2 => Decision::Rejected(read_rejection(r)?),
        3 => Decision::Again,
        _ => return Err(CodecError { expected: "a decision" }),
    })
}

pub(crate) fn write_rejection(w: &mut Writer, rejection: &Rejection) {
    w.text(&rejection.code);
    w.text(&rejection.message);
    w.option(rejection.field.as_ref(), |w, field| w.text(field));
}

pub(crate) fn read_rejection(r: &mut Reader<'_>) -> codec::Result<Rejection> {
    Ok(Rejection {
        code: r.text()?.to_owned(),
        message: r.text()?.to_owned(),
        field: r.option(|r| r.text().map(str::to_owned))?,
    })
}

pub(crate) fn write_known(w: &mut Writer, (client, known): &(ClientId, Known)) {
    w.client(client);
    w.u64(known.n);
    w.digest(known.digest);
}

pub(crate) fn read_known(r: &mut Reader<'_>) -> codec::Result<(ClientId, Known)> {
    Ok((r.client()?, Known { n: r.u64()?, digest: r.digest()? }))
}

/// A hub's name and that of a space.
pub(crate) fn write_space(w: &mut Writer, (hub, space): &(String, String)) {
    w.text(hub);
    w.text(space);
}

pub(crate) fn read_space(r: &mut Reader<'_>) -> codec::Result<(String, String)> {
    Ok((r.text()?.to_owned(), r.text()?.to_owned()))
}

pub(crate) fn write_account(w: &mut Writer, account: &Account) {
    w.text(&account.hub);
    w.text(&account.space);
    w.text(&account.principal);
}

pub(crate) fn read_account(r: &mut Reader<'_>) -> codec::Result<Account> {
    let text = |r: &mut Reader<'_>| r.text().map(str::to_owned);
    Ok(Account { hub: text(r)?, space: text(r)?, principal: text(r)? })
}

pub(crate) fn write_limits(w: &mut Writer, limits: &Limits) {
    let Limits { batch_entries, batch_bytes, entry_bytes, group_entries, depth, drift } = *limits;
    w.list(&[batch_entries, batch_bytes, entry_bytes, group_entries, depth, drift], |w, n| w.u64(*n));
}

pub(crate) fn read_limits(r: &mut Reader<'_>) -> codec::Result<Limits> {
    let numbers = r.list(Reader::u64)?;
    match numbers[..] {
        // Later versions may add to the list.
        [batch_entries, batch_bytes, entry_bytes, group_entries, depth, drift, ..] => {
            Ok(Limits { batch_entries, batch_bytes, entry_bytes, group_entries, depth, drift })
        }
        _ => Err(CodecError { expected: "limits" }),
    }
}

fn write_local(w: &mut Writer, key: &EntityKey, fields: &Fields) {
    w.name(&key.entity_type);
    w.name(&key.id);
    write_fields(w, fields);
}

fn read_local(r: &mut Reader<'_>) -> codec::Result<(EntityKey, Fields)> {
    Ok((EntityKey { entity_type: r.name()?, id: r.name()? }, read_fields(r)?))
}

pub(crate) fn write_fields(w: &mut Writer, fields: &Fields) {
    let fields: Vec<_> = fields.iter().collect();
    w.list(&fields, |w, (name, value)| {
        w.text(name);
        w.value(value);
    });
}

pub(crate) fn read_fields(r: &mut Reader<'_>) -> codec::Result<Fields> {
    let mut fields = Fields::new();
    for (name, value) in r.list(|r| Ok((r.text()?.to_owned(), r.value()?)))? {
        fields.insert(name, value);
    }
    Ok(fields)
}
