//! What a record shows, seen in its bytes: to list entities without making their records.

use smallvec::SmallVec;

use super::PLAIN;
use crate::model::codec::{CodecError, Reader, Result};
use crate::model::ids;

/// What bytes of a record show at a glance.
pub(crate) enum Glance<'a> {
    /// It is not there.
    Gone,
    /// It is there, and each of these fields has one assigned value: no field has anything else.
    Plain(SmallVec<[(&'a str, &'a str); 8]>),
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
        let mut fields = SmallVec::new();
        for _ in 0..r.u64()? {
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
