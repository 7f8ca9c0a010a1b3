//! A push, and the reply to it.

use std::sync::Arc;

use super::{Kind, Refused, begin, open, pack, unpack};
use crate::model::codec::{self, CodecError, Reader, Writer};
use crate::model::entry::Entry;
use crate::model::stamp::Dot;
use crate::transport::{Attempt, Cursor, PushReply, PushRequest, Rejection, Verdict};

/// Entries that are offered together, and the batch in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The entries, with their intents.
    pub entries: Vec<Entry>,
    /// The attempt.
    pub attempt: Attempt,
    /// The same entries without their intents, as they were sent.
    pub(crate) batch: Arc<[u8]>,
}

/// A push in the compact form.
pub fn push(request: &PushRequest) -> Vec<u8> {
    let mut w = begin(Kind::Push);
    w.option(request.attempt.number.as_ref(), |w, attempt| w.u64(*attempt));
    request.attempt.told.write(&mut w);
    w.u64(request.entries.len() as u64);
    write_intents(&mut w, request.entries.iter().map(|entry| entry.intent));
    w.raw(&pack(request.entries.iter()));
    w.finish()
}

/// Reads a push of at most so many entries.
///
/// # Errors
/// If it is none, one of its entries is not in its canonical form, or there are more.
pub fn read_push(bytes: &[u8], most: u64) -> Result<Pushed, Refused> {
    let mut r = open(bytes, Kind::Push)?;
    let attempt = Attempt { number: r.option(Reader::u64)?, told: Cursor::read(&mut r)? };
    let count = r.u64()?;
    if count > most {
        return Err(Refused::TooMany { count, most });
    }
    let intents = read_intents(&mut r, count)?;
    let batch = r.raw()?;
    r.finish()?;
    let mut entries: Vec<Entry> = Vec::new();
    unpack(batch, count, &mut entries)?;
    for (at, intent) in intents {
        entries[at].intent = Some(intent);
    }
    Ok(Pushed { entries, attempt, batch: batch.into() })
}

/// Intents that count up from one entry to the next take no space but for the first.
pub(crate) fn write_intents(w: &mut Writer, intents: impl Iterator<Item = Option<u128>>) {
    let (mut runs, mut skipped): (Vec<(u64, u64, u128)>, u64) = (Vec::new(), 0);
    for intent in intents {
        match (intent, runs.last_mut()) {
            (None, _) => skipped += 1,
            (Some(intent), Some((_, count, first)))
                if skipped == 0 && first.wrapping_add(u128::from(*count)) == intent =>
            {
                *count += 1;
            }
            (Some(intent), _) => runs.push((std::mem::take(&mut skipped), 1, intent)),
        }
    }
    w.list(&runs, |w, (skipped, count, first)| {
        w.u64(*skipped);
        w.u64(*count);
        w.u128(*first);
    });
}

/// Which of `count` entries has which intent.
pub(crate) fn read_intents(r: &mut Reader<'_>, count: u64) -> codec::Result<Vec<(usize, u128)>> {
    let runs = r.list(|r| Ok((r.u64()?, r.u64()?, r.u128()?)))?;
    let (mut intents, mut at) = (Vec::new(), 0_u64);
    for (skipped, length, first) in runs {
        at = at.saturating_add(skipped);
        let end = at.saturating_add(length);
        if end > count {
            return Err(CodecError { expected: "no more intents than entries" });
        }
        intents.extend((at..end).map(|place| (place as usize, first.wrapping_add(u128::from(place - at)))));
        at = end;
    }
    Ok(intents)
}

const ACCEPTED: u8 = 0;
const KNOWN_AS: u8 = 1;
const REJECTED: u8 = 2;
const AGAIN: u8 = 3;

/// The reply to a push in the compact form: entries with consecutive names that got consecutive places are one item.
pub fn reply(reply: &PushReply) -> Vec<u8> {
    let mut w = begin(Kind::Reply);
    w.u64(reply.server_time);
    reply.head.write(&mut w);
    w.u64(reply.verdicts.len() as u64);
    let mut run: Option<(Dot, u64, u64)> = None;
    for (id, verdict) in &reply.verdicts {
        if let Verdict::Accepted { seq, known_as: None } = verdict
            && let Ok(dot) = id.parse::<Dot>()
        {
            match &mut run {
                Some((first, count, begins))
                    if first.client == dot.client
                        && first.n.wrapping_add(*count) == dot.n
                        && begins.wrapping_add(*count) == *seq =>
                {
                    *count += 1;
                }
                _ => {
                    write_run(&mut w, run.replace((dot, 1, *seq)));
                }
            }
            continue;
        }
        write_run(&mut w, run.take());
        write_verdict(&mut w, id, verdict);
    }
    write_run(&mut w, run);
    w.finish()
}

fn write_run(w: &mut Writer, run: Option<(Dot, u64, u64)>) {
    if let Some((first, count, seq)) = run {
        w.u8(ACCEPTED);
        w.dot(&first);
        w.u64(count);
        w.u64(seq);
    }
}

fn write_verdict(w: &mut Writer, id: &str, verdict: &Verdict) {
    let text = |w: &mut Writer, text: &String| w.text(text);
    match verdict {
        Verdict::Accepted { seq, known_as } => {
            w.u8(KNOWN_AS);
            w.text(id);
            w.u64(*seq);
            w.option(known_as.as_ref(), Writer::dot);
        }
        Verdict::Rejected(Rejection { code, message, field }) => {
            w.u8(REJECTED);
            w.text(id);
            w.text(code);
            w.text(message);
            w.option(field.as_ref(), text);
        }
        Verdict::Again { after, code } => {
            w.u8(AGAIN);
            w.text(id);
            w.option(after.as_ref(), |w, after| w.u64(*after));
            w.option(code.as_ref(), text);
        }
    }
}

/// Reads the reply to a push of so many entries.
///
/// # Errors
/// If it is none, or has another number of verdicts.
pub fn read_reply(bytes: &[u8], offered: usize) -> codec::Result<PushReply> {
    let wrong = CodecError { expected: "a verdict for each entry that was offered" };
    let mut r = open(bytes, Kind::Reply)?;
    let server_time = r.u64()?;
    let head = Cursor::read(&mut r)?;
    if r.u64()? != offered as u64 {
        return Err(wrong);
    }
    let mut verdicts: Vec<(String, Verdict)> = Vec::with_capacity(offered);
    while verdicts.len() < offered {
        let tag = r.u8()?;
        if tag == ACCEPTED {
            let (first, count, seq) = (r.dot()?, r.u64()?, r.u64()?);
            if count > (offered - verdicts.len()) as u64 {
                return Err(wrong);
            }
            let accepted = |at: u64| {
                let dot = Dot::new(first.client.clone(), first.n.wrapping_add(at));
                (dot.to_string(), Verdict::Accepted { seq: seq.wrapping_add(at), known_as: None })
            };
            verdicts.extend((0..count).map(accepted));
            continue;
        }
        let id = r.text()?.to_owned();
        verdicts.push((id, read_verdict(&mut r, tag)?));
    }
    r.finish()?;
    Ok(PushReply { verdicts, head, server_time })
}

fn read_verdict(r: &mut Reader<'_>, tag: u8) -> codec::Result<Verdict> {
    let text = |r: &mut Reader<'_>| r.text().map(str::to_owned);
    Ok(match tag {
        KNOWN_AS => Verdict::Accepted { seq: r.u64()?, known_as: r.option(Reader::dot)? },
        REJECTED => Verdict::Rejected(Rejection { code: text(r)?, message: text(r)?, field: r.option(text)? }),
        AGAIN => Verdict::Again { after: r.option(Reader::u64)?, code: r.option(text)? },
        _ => return Err(CodecError { expected: "a kind of verdict" }),
    })
}
