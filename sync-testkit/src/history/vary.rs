//! What entries may carry beside their meaning, and what hostile authors write.

use sync_core::{ClientId, Dot, Entry, Op, Value};

use crate::rng::Rng;

/// Adds what newer versions and replicas add: unknown members, intents.
pub(super) fn decorate(entry: &mut Entry, rng: &mut Rng) {
    if rng.percent(10) {
        entry.unknown = Value::object([("hue", super::write::value(rng)), ("x", Value::null())]).ok();
    }
    if rng.percent(50) {
        entry.intent = Some(u128::from(rng.bits()) << 64 | u128::from(rng.bits()));
    }
}

/// Names what no honest author would.
pub(super) fn corrupt(entry: &mut Entry, entries: &[Entry], rng: &mut Rng) {
    for _ in 0..1 + rng.below(3) {
        let dot = any_dot(entry, entries, rng);
        match rng.below(4) {
            0 => entry.of.push(dot),
            1 => entry.saw.push(dot),
            2 => {
                if let Some((_, dots)) = entry.replaces.first_mut() {
                    dots.push(dot);
                } else if let Some(name) = entry.fields.first().map(|(name, _)| name.clone()) {
                    entry.replaces.push((name, [dot].into()));
                } else {
                    entry.replaces.push(((*rng.pick(&["title", "$deleted"])).into(), [dot].into()));
                }
            }
            _ => {
                let sets = entry.fields.iter_mut().filter_map(|(_, op)| match op {
                    Op::Set { insert, remove } => Some((insert, remove)),
                    _ => None,
                });
                for (insert, remove) in sets {
                    let element = insert.first().cloned().unwrap_or_else(|| super::write::value(rng));
                    if remove.iter().all(|(removed, _)| *removed != element) {
                        remove.push((element, [dot.clone()].into()));
                        remove.sort();
                    }
                }
            }
        }
    }
}

/// Its own dot, any other's, one that was not issued yet, or one that never will be.
fn any_dot(entry: &Entry, entries: &[Entry], rng: &mut Rng) -> Dot {
    let own = entry.dot();
    match rng.below(8) {
        0 => own.clone(),
        1 => Dot::new(own.client.clone(), own.n + 1 + rng.below(3) as u64),
        2 => Dot::new(ClientId::new("nobody"), 1),
        _ if entries.is_empty() => own.clone(),
        3 => {
            let other = rng.pick(entries).dot();
            Dot::new(other.client.clone(), other.n + rng.below(4) as u64)
        }
        _ => rng.pick(entries).dot().clone(),
    }
}
