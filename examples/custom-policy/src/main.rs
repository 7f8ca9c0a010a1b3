//! A field policy of one's own: a journal to which every device adds lines, and from which no line is ever lost.
//!
//! A `String` that the last writer wins would keep one of two diaries. A `merge = "set"` would forget the order and
//! that a line was written twice. So this program says itself what a change means, in three answers:
//!
//! 1. **What is logged?** [`Policy::diff`] turns "it was like this, now it is like that" into an operation: here the
//!    lines that were added. A change that is not of that kind is refused at the call, and nothing is written.
//! 2. **What can be forgotten?** An operation that [absorbs](Written::absorbs) contains all that its author saw, so
//!    what it saw is dropped. Added lines contain no others: every operation stays. (That is the price of this policy:
//!    the record grows with every entry. A policy that absorbs, such as "the longest text", keeps one operation for
//!    each device that did not know of the others.)
//! 3. **What shows?** [`Policy::value`] makes a value of the operations that are left, in the order of their stamps.
//!
//! Hubs and devices that were never compiled with the policy carry its operations unharmed.

use pollster::block_on;
use sync_core::{Commit, Error, Hub, Id, MemoryStore, Policy, Replica, Syncable, Value, Written};

/// Lines that are only ever added.
struct Append;

impl Policy for Append {
    fn name(&self) -> &'static str {
        "append"
    }

    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        let before = before.and_then(Value::array_elements).unwrap_or_default();
        let after = after.array_elements().ok_or("a journal is a list of lines")?;
        let Some(added) = after.strip_prefix(&before[..]) else {
            return Err("lines of a journal are only added, at its end".to_owned());
        };
        let written = || Written { operation: Value::array(added.iter().cloned()), absorbs: false };
        Ok((!added.is_empty()).then(written))
    }

    fn value(&self, operations: &[&Value]) -> Option<Value> {
        // What is no list was written by a version of the program that this one does not know.
        let lines = operations.iter().filter_map(|operation| operation.array_elements()).flatten();
        Some(Value::array(lines))
    }
}

/// A day, and what happened on it.
#[derive(Syncable, Debug)]
struct Day {
    #[sync(id)]
    date: Id<Day, String>,
    #[sync(merge = "Append")]
    journal: Vec<String>,
}

/// A device: its name, and its copy of the days.
struct Device(&'static str, Replica);

impl Device {
    fn new(name: &'static str) -> Result<Self, Error> {
        let replica = Replica::builder().register::<Day>().device(name).open(MemoryStore::new())?;
        Ok(Self(name, replica))
    }

    fn write(&self, date: &Id<Day, String>, line: &str) -> Result<(), Error> {
        self.1.edit(date, |day| day.journal.push(line.to_owned()))?.wait()?;
        say(&format!("{} writes {line:?}", self.0));
        Ok(())
    }

    fn sync(&self, hub: &Hub) -> Result<(), Error> {
        let report = block_on(self.1.sync(&hub.transport("the family")))?;
        say(&format!("{} syncs: {} up, {} down", self.0, report.uploaded, report.downloaded));
        Ok(())
    }

    fn journal(&self, date: &Id<Day, String>) -> Result<Vec<String>, Error> {
        Ok(self.1.get(date)?.map(|day| day.journal).unwrap_or_default())
    }
}

fn main() -> Result<(), Error> {
    let hub = Hub::builder().open(MemoryStore::new())?;
    let (phone, laptop) = (Device::new("phone")?, Device::new("laptop")?);

    let date = phone.1.create(Day { date: "2026-05-01".into(), journal: vec!["woke up".into()] })?.wait()?;
    phone.sync(&hub)?;
    laptop.sync(&hub)?;

    say("\nBoth are offline now.");
    phone.write(&date, "walked to the lake")?;
    laptop.write(&date, "mended the roof")?;
    laptop.write(&date, "mended the ladder")?;
    let erased = laptop.1.edit(&date, |day| day.journal.clear()).and_then(Commit::wait);
    if let Err(error) = erased {
        say(&format!("laptop tries to erase the day: {error}"));
    }

    say("\nThey meet again.");
    for device in [&phone, &laptop, &phone] {
        device.sync(&hub)?;
    }
    for device in [&phone, &laptop] {
        say(&format!("\n{} shows", device.0));
        device.journal(&date)?.iter().for_each(|line| say(&format!("  {line}")));
    }
    Ok(())
}

/// This program is for reading along.
#[allow(clippy::print_stdout)]
fn say(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(lines: &[&str]) -> Value {
        Value::array(lines.iter().map(|line| Value::from(*line)))
    }

    sync_testkit::policy_laws!(
        append_keeps_the_laws_of_policies,
        Append,
        [lines(&[]), lines(&["a"]), lines(&["a", "b"]), lines(&["a", "b", "a"]), lines(&["c"])]
    );

    #[test]
    fn two_devices_lose_no_line_and_agree() {
        let hub = Hub::builder().open(MemoryStore::new()).unwrap();
        let (a, b) = (Device::new("a").unwrap(), Device::new("b").unwrap());
        let date = a.1.create(Day { date: "d".into(), journal: vec![] }).unwrap().wait().unwrap();
        a.sync(&hub).unwrap();
        b.sync(&hub).unwrap();
        a.write(&date, "from a").unwrap();
        b.write(&date, "from b").unwrap();
        for device in [&a, &b, &a] {
            device.sync(&hub).unwrap();
        }
        let mut journal = a.journal(&date).unwrap();
        assert_eq!(journal, b.journal(&date).unwrap());
        journal.sort();
        assert_eq!(journal, ["from a", "from b"]);
    }

    #[test]
    fn what_does_not_append_is_refused_at_the_call() {
        let device = Device::new("a").unwrap();
        let date = device.1.create(Day { date: "d".into(), journal: vec!["x".into()] }).unwrap().wait().unwrap();
        let refused = device.1.edit(&date, |day| day.journal[0] = "y".into()).unwrap_err();
        assert_eq!(refused.code(), "invalid");
        assert_eq!(device.journal(&date).unwrap(), ["x"]);
    }
}
