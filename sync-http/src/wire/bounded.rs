//! Lists of actions, each left unread, and no more of them kept than could be meant.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::Unreadable;

/// More than any message has. Without a bound, a list of millions of nothings would be many times larger in memory
/// than it is on the wire.
pub(crate) const MOST: usize = 100_000;

/// The actions of a message, as they stand there.
pub(crate) struct Actions<'a> {
    kept: Vec<&'a RawValue>,
    total: usize,
}

impl<'a> Actions<'a> {
    /// The actions, if there are at most so many.
    pub(crate) fn at_most(self, most: usize) -> Result<Vec<&'a RawValue>, Unreadable> {
        let most = most.min(MOST);
        if self.total > most {
            let message = format!("there are {} actions; {most} are allowed at a time", self.total);
            return Err(Unreadable::too_large(message));
        }
        Ok(self.kept)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Actions<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ActionsVisitor)
    }
}

struct ActionsVisitor;

impl<'de> Visitor<'de> for ActionsVisitor {
    type Value = Actions<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of actions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Actions<'de>, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < MOST {
            match list.next_element()? {
                Some(action) => kept.push(action),
                None => return Ok(Actions { total: kept.len(), kept }),
            }
        }
        let mut total = kept.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            total += 1;
        }
        Ok(Actions { kept, total })
    }
}
