//! Operations: what an entry does to one field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::codec::{self, CodecError, Reader, Writer};
use super::stamp::{Dots, Name};
use super::value::Value;

/// What an entry does to one field.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Op {
    /// Assigns a value: a plain JSON value, last writer wins.
    Assign(Value),
    /// `{"$first":v}`: assigns a value, first writer wins.
    First(Value),
    /// `{"$max":v}`: raises to a value.
    Max(Value),
    /// `{"$min":v}`: lowers to a value.
    Min(Value),
    /// `{"$add":d}`: adds to a counter.
    Add(i64),
    /// `{"$insert":[...],"$remove":{element:[dots]}}`: an observed-remove, add-wins set (Bieniusa et al. 2012).
    Set {
        /// Elements added.
        insert: Vec<Value>,
        /// Elements removed, each with the insertions of it that the author saw.
        remove: Vec<(Value, Dots)>,
    },
    /// `{"$x:name":body}` of a user's own, or of a family that this version does not know: kept as it is.
    Own {
        /// The family, `x:name` or what the unknown operation is called.
        family: Name,
        /// The operation.
        body: Value,
    },
}

/// An operation family: with the field's name the key of a register.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Family {
    /// Last writer wins.
    Assign,
    /// First writer wins.
    First,
    /// The greatest value.
    Max,
    /// The least value.
    Min,
    /// Counters.
    Counter,
    /// Sets.
    Set,
    /// A user's own, or one that this version does not know.
    Own(Name),
}

impl Op {
    /// The operation's family.
    pub fn family(&self) -> Family {
        match self {
            Op::Assign(_) => Family::Assign,
            Op::First(_) => Family::First,
            Op::Max(_) => Family::Max,
            Op::Min(_) => Family::Min,
            Op::Add(_) => Family::Counter,
            Op::Set { .. } => Family::Set,
            Op::Own { family, .. } => Family::Own(family.clone()),
        }
    }

    pub(super) const ASSIGN: u64 = 0;
    pub(super) const FIRST: u64 = 1;
    pub(super) const MAX: u64 = 2;
    pub(super) const MIN: u64 = 3;
    pub(super) const ADD: u64 = 4;
    pub(super) const SET: u64 = 5;
    pub(super) const OWN: u64 = 6;

    /// Its kind in bytes and hashes.
    pub(super) fn code(&self) -> u64 {
        match self {
            Op::Assign(_) => Op::ASSIGN,
            Op::First(_) => Op::FIRST,
            Op::Max(_) => Op::MAX,
            Op::Min(_) => Op::MIN,
            Op::Add(_) => Op::ADD,
            Op::Set { .. } => Op::SET,
            Op::Own { .. } => Op::OWN,
        }
    }

    /// The operation in JSON.
    pub fn to_json(&self) -> Value {
        let one = |key: &str, value: Value| object(vec![(key.to_owned(), value)]);
        match self {
            Op::Assign(value) if looks_like_operation(value.as_str()) => one("$value", value.clone()),
            Op::Assign(value) => value.clone(),
            Op::First(value) => one("$first", value.clone()),
            Op::Max(value) => one("$max", value.clone()),
            Op::Min(value) => one("$min", value.clone()),
            Op::Add(delta) => one("$add", Value::from(*delta)),
            Op::Set { insert, remove } => {
                let mut members = Vec::new();
                if !insert.is_empty() || remove.is_empty() {
                    members.push(("$insert".to_owned(), Value::array(insert.iter().cloned())));
                }
                if !remove.is_empty() {
                    let mut removed: BTreeMap<Cow<'_, str>, Vec<Value>> = BTreeMap::new();
                    for (element, dots) in remove {
                        let ids = dots.iter().map(|dot| Value::from(dot.to_string()));
                        removed.entry(element_key(element)).or_default().extend(ids);
                    }
                    let removed = removed.into_iter().map(|(key, ids)| (key.into_owned(), Value::array(ids)));
                    members.push(("$remove".to_owned(), object(removed.collect())));
                }
                object(members)
            }
            Op::Own { family, body } => one(&format!("${family}"), body.clone()),
        }
    }

    /// Writes the operation in JSON.
    pub(crate) fn write_json(&self, out: &mut String) {
        match self {
            Op::Assign(value) if !looks_like_operation(value.as_str()) => out.push_str(value.as_str()),
            _ => out.push_str(self.to_json().as_str()),
        }
    }

    /// Reads an operation from canonical JSON.
    pub(super) fn from_canonical(text: &str) -> Result<Op, String> {
        let value = Value::from_canonical(text);
        if looks_like_operation(text) { Op::from_json(&value) } else { Ok(Op::Assign(value)) }
    }

    /// Reads an operation from JSON.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn from_json(value: &Value) -> Result<Op, String> {
        if !looks_like_operation(value.as_str()) {
            return Ok(Op::Assign(value.clone()));
        }
        let mut members = value.object_members().unwrap_or_default();
        if members.iter().all(|(key, _)| key == "$insert" || key == "$remove") {
            return set_from_json(members);
        }
        let (Some((key, body)), None) = (members.pop(), members.pop()) else {
            return Err("an operation is an object with one member that begins with `$`; write a value that looks like one as {\"$value\": ...}".into());
        };
        match &key[..] {
            "$value" => Ok(Op::Assign(body)),
            "$first" => Ok(Op::First(body)),
            "$max" => Ok(Op::Max(body)),
            "$min" => Ok(Op::Min(body)),
            "$add" => match body.as_i64() {
                Some(delta) => Ok(Op::Add(delta)),
                None => Err(format!("$add takes an integer of 64 bits, not {body}")),
            },
            _ => Ok(Op::Own { family: key[1..].into(), body }),
        }
    }

    /// How many bytes of values it carries.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Op::Assign(value) | Op::First(value) | Op::Max(value) | Op::Min(value) => value.as_str().len(),
            Op::Own { body, .. } => body.as_str().len(),
            Op::Add(_) => 0,
            Op::Set { insert, remove } => {
                let removed = remove.iter().map(|(element, _)| element);
                insert.iter().chain(removed).map(|element| element.as_str().len()).sum()
            }
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Op::Assign(value) => tagged(w, 0, value),
            Op::First(value) => tagged(w, 1, value),
            Op::Max(value) => tagged(w, 2, value),
            Op::Min(value) => tagged(w, 3, value),
            Op::Add(delta) => {
                w.u8(4);
                w.i64(*delta);
            }
            Op::Set { insert, remove } => {
                w.u8(5);
                w.list(insert, Writer::value);
                w.list(remove, |w, (element, dots)| {
                    w.value(element);
                    w.dots(dots);
                });
            }
            Op::Own { family, body } => {
                w.u8(6);
                w.name(family);
                w.value(body);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> codec::Result<Op> {
        Ok(match r.u8()? {
            0 => Op::Assign(r.value()?),
            1 => Op::First(r.value()?),
            2 => Op::Max(r.value()?),
            3 => Op::Min(r.value()?),
            4 => Op::Add(r.i64()?),
            5 => Op::Set { insert: r.list(Reader::value)?, remove: r.list(|r| Ok((r.value()?, r.dots()?)))? },
            6 => Op::Own { family: r.name()?, body: r.value()? },
            _ => return Err(CodecError { expected: "an operation" }),
        })
    }
}

impl Family {
    pub(crate) fn write(&self, w: &mut Writer) {
        match self {
            Family::Assign => w.u8(0),
            Family::First => w.u8(1),
            Family::Max => w.u8(2),
            Family::Min => w.u8(3),
            Family::Counter => w.u8(4),
            Family::Set => w.u8(5),
            Family::Own(name) => {
                w.u8(6);
                w.name(name);
            }
        }
    }

    /// Reads the rest of a family of this kind.
    pub(crate) fn read(kind: u8, r: &mut Reader<'_>) -> codec::Result<Family> {
        Ok(match kind {
            0 => Family::Assign,
            1 => Family::First,
            2 => Family::Max,
            3 => Family::Min,
            4 => Family::Counter,
            5 => Family::Set,
            6 => Family::Own(r.name()?),
            _ => return Err(CodecError { expected: "an operation family" }),
        })
    }
}

fn tagged(w: &mut Writer, tag: u8, value: &Value) {
    w.u8(tag);
    w.value(value);
}

/// Any object with a member that begins with `$` is read as an operation, and so must be escaped as a value.
fn looks_like_operation(text: &str) -> bool {
    // In canonical text a key that begins with `$` is always preceded by `{"` or `,"`: rule out the rest cheaply.
    text.starts_with('{')
        && text.contains("\"$")
        && Value::members_in(text).is_some_and(|mut members| members.any(|(key, _)| key.starts_with('$')))
}

fn object(members: Vec<(String, Value)>) -> Value {
    Value::object(members).expect("the keys of an operation differ")
}

fn set_from_json(members: Vec<(String, Value)>) -> Result<Op, String> {
    let (mut insert, mut remove) = (Vec::new(), Vec::new());
    for (key, body) in members {
        if key == "$insert" {
            insert = body.array_elements().ok_or("$insert takes an array of elements")?;
            continue;
        }
        let removed =
            body.object_members().ok_or("$remove takes an object of elements, each with the ids of its insertions")?;
        for (element, dots) in removed {
            let dots = dots.array_elements().ok_or("$remove takes an array of ids for each element")?;
            let dots = dots.iter().map(|dot| dot.as_string().and_then(|id| id.parse().ok()));
            let dots: Option<Dots> = dots.collect();
            remove.push((element_from_key(&element), dots.ok_or("$remove names entries by their ids")?));
        }
    }
    insert.sort();
    insert.dedup();
    remove.sort();
    // One element can be spelled in several ways as a key: `1` and `1.0`, `a` and `"a"`.
    if let Some(pair) = remove.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("$remove names the element {} twice", pair[0].0));
    }
    Ok(Op::Set { insert, remove })
}

/// An element as a key of `$remove`: a string as it is, unless it could be taken for another element's JSON.
fn element_key(element: &Value) -> Cow<'_, str> {
    match element.as_string() {
        Some(text) if Value::parse(&text).is_err() => text,
        _ => Cow::Borrowed(element.as_str()),
    }
}

fn element_from_key(key: &str) -> Value {
    Value::parse(key).unwrap_or_else(|_| Value::from(key))
}
