//! What a record shows, seen in its bytes: to list entities without making their records.

use super::PLAIN;
use crate::model::codec::{CodecError, Reader, Result};
use crate::model::ids;

/// What bytes of a record show at a glance.
pub(crate) enum Glance<'a> {
    /// It is not there.
    Gone,
    /// It is there, and each of these fields has one assigned value: no field has anything else.
    Plain(Vec<(&'a str, &'a str)>),
    /// More than a glance can tell: decode it.
    Unclear,
}

impl<'a> Glance<'a> {
    /// Looks at what [`Record::encode`](super::Record::encode) wrote.
    pub(crate) fn at(bytes: &'a [u8]) -> Result<Self> {
        let mut r = Reader::plain(bytes);
        let texts = ids::parts(&mut r)?;
        // One create, that has arrived, with its own name and no author but its client.
        if r.u64()? != 1 {
            return Ok(Glance::Unclear);
        }
        skip_dot(&mut r)?;
        if r.u8()? != 1 || !skip_own(&mut r)? {
            return Ok(Glance::Unclear);
        }
        if r.u8()? == 1 {
            r.u64()?;
            skip_dot(&mut r)?;
        }
        match r.u64()? {
            0 => {}
            1 => {
                let is_own = skip_own(&mut r)?;
                for _ in 0..r.u64()? {
                    skip_dot(&mut r)?;
                }
                // A delete that wins, whatever was written.
                return Ok(if is_own && r.u8()? == 1 { Glance::Gone } else { Glance::Unclear });
            }
            _ => return Ok(Glance::Unclear),
        }
        let count = r.count()?;
        let mut fields = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            if r.u8()? != PLAIN {
                return Ok(Glance::Unclear);
            }
            let name = usize::try_from(r.u64()?).ok().and_then(|place| texts.get(place));
            let (form, name) = name.ok_or(CodecError { expected: "a text of the table" })?;
            skip_dot(&mut r)?;
            r.u64()?;
            // A field that is called as a client might be.
            let Some(name) = ids::text(*form, name)? else { return Ok(Glance::Unclear) };
            fields.push((name, r.text()?));
        }
        Ok(Glance::Plain(fields))
    }
}

fn skip_dot(r: &mut Reader<'_>) -> Result<()> {
    r.u64()?;
    r.u64().map(drop)
}

/// Skips an origin; whether its author is its client.
fn skip_own(r: &mut Reader<'_>) -> Result<bool> {
    skip_dot(r)?;
    r.u64()?;
    Ok(r.u8()? == 0)
}

#[cfg(test)]
mod tests {
    use super::super::{Life, Record};
    use super::*;
    use crate::entity::Tombstone;
    use crate::model::entry::{Action, EntityKey, Entry};
    use crate::model::op::{Family, Op};
    use crate::model::stamp::{ClientId, Dot, Dots, Origin};

    fn dot(n: u64) -> Dot {
        Dot::new(ClientId::new("0123456789abcdef0123456789abcdef"), n)
    }

    fn entry(n: u64, action: Action, fields: &[(&str, Op)], replaced: &[u64]) -> Entry {
        let origin = Origin { dot: dot(n), time: n, author: None };
        let mut entry = Entry::new(origin, EntityKey::new("note", "1"), action);
        entry.fields = fields.iter().map(|(name, op)| ((*name).into(), op.clone())).collect();
        let replaced: Dots = replaced.iter().copied().map(dot).collect();
        entry.replaces = fields.iter().map(|(name, _)| ((*name).into(), replaced.clone())).collect();
        if action != Action::Create {
            entry.of = [dot(1)].into();
        }
        entry
    }

    fn record(entries: &[Entry]) -> Record {
        let mut record = Record::default();
        entries.iter().for_each(|entry| record.apply_in_order(entry));
        record
    }

    /// Whether a glance sees all that the record shows; what it says has to be true.
    fn is_seen(record: &Record) -> bool {
        let bytes = record.encode();
        match Glance::at(&bytes) {
            Ok(Glance::Gone) => !record.is_alive(),
            Ok(Glance::Plain(seen)) => {
                let winner = |name: &str| record.get(name, &Family::Assign).and_then(|r| r.winner(&Family::Assign));
                assert_eq!(seen.len(), record.registers().count());
                assert!(seen.iter().all(|(name, value)| winner(name).is_some_and(|w| w.value.as_str() == *value)));
                assert!(matches!(record.life(), Life::Alive { .. }));
                true
            }
            Ok(Glance::Unclear) => false,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_seen_is_what_is_there() {
        let one = || Op::Assign("one".into());
        let create = entry(1, Action::Create, &[("body", one()), ("title", one())], &[]);
        let update = entry(2, Action::Update, &[("title", Op::Assign("two".into()))], &[1]);
        let unaware = entry(3, Action::Update, &[("title", Op::Assign("three".into()))], &[1]);
        let add = entry(4, Action::Update, &[("views", Op::Add(1))], &[]);
        let delete = |policy| entry(5, Action::Delete(policy), &[], &[]);
        let deletes = [Tombstone::DeleteWins, Tombstone::LastWriterWins].map(delete);
        let named = entry(6, Action::Update, &[("0123456789abcdef0123456789abcdef", one())], &[]);
        let history = |more: &[&Entry]| {
            let entries: Vec<Entry> = [&create].iter().chain(more).map(|entry| (**entry).clone()).collect();
            record(&entries)
        };
        let seen = [history(&[]), history(&[&update]), history(&[&update, &deletes[0]])];
        assert!(seen.iter().all(is_seen));
        let unclear = [
            history(&[&update, &unaware]),
            history(&[&add]),
            history(&[&deletes[1]]),
            history(&[&named]),
            record(&[update]),
            Record::default(),
        ];
        assert!(!unclear.iter().any(is_seen));
    }
}
