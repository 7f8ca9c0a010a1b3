//! Clients that are not ours: those of the article's dialect, and those that keep to no rule.

use sync_core::model::stamp::Origin;
use sync_core::transport::{Epoch, HelloRequest, PullRequest, SnapshotRequest};
use sync_core::{
    Action, ClientId, Clock, Cursor, Digest, Dot, EntityKey, Entry, Group, Known, Offer, Op, Tombstone, TransportError,
    Value, Verdict,
};

use super::fault::Fault;
use super::space::HONEST;
use super::tally::Mark;
use super::violation::{Holds, Rule, broken};
use super::world::World;
use crate::rng::Rng;

/// What is known of the clients that are not ours.
#[derive(Default)]
pub(super) struct Strangers {
    /// What foreign clients sent, so that they can send it again.
    sent: Vec<(usize, Entry)>,
    greatest: u64,
    made: u64,
}

/// On whose behalf hostile clients come.
const MALLORY: &str = "mallory";

impl World<'_> {
    /// A client of the article's dialect sends something, or once more what it sent before.
    pub(super) fn foreign(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(hub) = self.spaces[at].hubs.first().cloned() else { return Ok(()) };
        self.tally.fault(Fault::Foreign);
        let again: Vec<Entry> =
            self.strangers.sent.iter().filter(|(space, _)| *space == at).map(|(_, e)| e.clone()).collect();
        let mut batch = Vec::new();
        for _ in 0..1 + rng.below(2) {
            match rng.percent(25) && !again.is_empty() {
                true => batch.push(rng.pick(&again).clone()),
                false => batch.push(self.foreign_entry(at, rng)),
            }
        }
        self.strangers.sent.extend(batch.iter().map(|entry| (at, entry.clone())));
        for entry in &batch {
            self.trace.say(format_args!(
                "    foreign {:?} {} {} at {}",
                entry.action,
                entry.key,
                entry.id(),
                entry.origin.time
            ));
        }
        self.spaces[at].rows += 1;
        let pushed = hub.push_foreign(HONEST, batch.iter().cloned().map(Offer::Entry).collect());
        self.note_hub_trouble(at);
        self.observe(at, &[])?;
        let reply = match pushed {
            Ok(reply) => reply,
            Err(_) if self.spaces[at].trouble.is_some() => return Ok(()),
            Err(error) => return broken(Rule::NoFailure, format!("a foreign push: {error}")),
        };
        let may_be_taken = self.plan.faults.has(Fault::HubCompact) && self.tally.faults.contains_key(&Fault::Hostile);
        for (entry, (_, verdict)) in batch.iter().zip(&reply.verdicts) {
            let id = entry.foreign_id.clone().unwrap_or_default();
            let is_there = self.spaces[at].foreign.contains(&(entry.origin.author().clone(), id));
            match verdict {
                Verdict::Accepted { .. } if !is_there => {
                    return broken(
                        Rule::Kept,
                        format!("the foreign entry {} was accepted and is not in the log", entry.id()),
                    );
                }
                Verdict::Accepted { .. } => self.tally.mark(Mark::ForeignAccepted),
                // The hub no longer knew the id when somebody else took it.
                Verdict::Rejected(why) if why.code == "id_reused" && may_be_taken => {}
                Verdict::Rejected(why) if !["gone", "mood"].contains(&why.code.as_str()) => {
                    return broken(Rule::NoFailure, format!("the foreign entry {} was refused: {why:?}", entry.id()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Foreign clients see what is in the log, and the time is later than all of it.
    fn foreign_entry(&mut self, at: usize, rng: &mut Rng) -> Entry {
        let seen = self.spaces[at].chronicle.now.log.iter().map(|logged| logged.entry.origin.time).max().unwrap_or(0);
        let wall = self.devices[0].clock.now();
        self.strangers.greatest = self.strangers.greatest.max(seen.saturating_add(1));
        self.strangers.made += 1;
        // Some look at the wall alone.
        let time = if rng.percent(70) { self.strangers.greatest } else { wall };
        let author = ClientId::new(*rng.pick(&["tab-1", "tab-2"]));
        let action =
            *rng.pick(&[Action::Create, Action::Update, Action::Update, Action::Delete(Tombstone::DeleteWins)]);
        let key = EntityKey::new("note", *rng.pick(&["x", "y", "z"]));
        let mut entry =
            Entry::new(Origin { dot: Dot::new(author.clone(), 0), time, author: Some(author) }, key, action);
        entry.foreign_id = Some(format!("f-{}", self.strangers.made).into());
        if !matches!(action, Action::Delete(_)) {
            entry.fields.push(("title".into(), Op::Assign(Value::from(format!("foreign {}", rng.below(3))))));
        }
        entry
    }

    /// Somebody tries something. Whatever it is, honest devices must not notice.
    pub(super) fn hostile(&mut self, at: usize, rng: &mut Rng) -> Holds {
        let Some(hub) = self.spaces[at].hubs.first().cloned() else { return Ok(()) };
        self.tally.fault(Fault::Hostile);
        if rng.percent(30) {
            return self.forged_reads(at, &hub, rng);
        }
        let entries = self.hostile_entries(at, rng);
        for entry in &entries {
            self.trace.say(format_args!("    mallory pushes {}", entry.to_json_with_intent()));
        }
        let offers: Vec<Offer> = entries.iter().cloned().map(Offer::Entry).collect();
        let attempt = *rng.pick(&[None, Some(0), Some(1), Some(u64::MAX)]);
        let pushed = match rng.percent(20) {
            true => hub.push_foreign(MALLORY, offers),
            false => hub.push(MALLORY, attempt, offers),
        };
        self.note_hub_trouble(at);
        let taken =
            matches!(&pushed, Ok(reply) if reply.verdicts.iter().any(|(_, v)| matches!(v, Verdict::Accepted { .. })));
        self.trace.say(format_args!("    the hub answers {pushed:?}"));
        self.tally.mark(if taken { Mark::HostileAccepted } else { Mark::HostileRefused });
        self.spaces[at].rows += 1;
        self.observe(at, &[])
    }

    fn hostile_entries(&mut self, at: usize, rng: &mut Rng) -> Vec<Entry> {
        self.strangers.made += 1;
        let now = &self.spaces[at].chronicle.now;
        let log = &now.log;
        let own = ClientId::new("mallory-1");
        let next = now.vector.get(&own).n + 1;
        let clients: Vec<&ClientId> = now.vector.iter().map(|(client, _)| client).collect();
        let wall = self.devices[0].clock.now();
        let key = EntityKey::new(*rng.pick(&["note", "reading", "thing"]), *rng.pick(&["x", "y", "z", "w"]));
        let origin = Origin { dot: Dot::new(own.clone(), next), time: wall, author: None };
        let mut entry = Entry::new(origin, key, Action::Create);
        entry.intent = Some(u128::from(rng.bits()));
        let mut second = None;
        match rng.below(14) {
            0 => entry.origin.time = *rng.pick(&[u64::MAX, u64::MAX - 1, 1 << 62, 0]),
            1 => entry.origin.dot.n = *rng.pick(&[0, next + 1, u64::MAX, u64::MAX - 1]),
            2 if !log.is_empty() => {
                // Somebody else's name, often the next one.
                let client = (*rng.pick(&clients)).clone();
                let n = 1 + rng.below(9) as u64;
                let n = if rng.clone().percent(50) { now.vector.get(&client).n + 1 } else { n };
                entry.origin.dot = Dot::new(client, n);
            }
            3 if !log.is_empty() => {
                // Somebody else's entry, as it is or with something else in it.
                entry = (*rng.pick(log).entry).clone();
                if rng.percent(50) {
                    entry.fields.push(("zzz".into(), Op::Assign(Value::from("mallory"))));
                }
            }
            4 => {
                let of = Dot::new(own, rng.bits() % 9);
                if rng.clone().percent(50) {
                    (entry.action, entry.of) = (Action::Update, [of].into());
                }
                entry.replaces = vec![("title".into(), [Dot::new(ClientId::new("nobody"), 1)].into())];
            }
            5 => entry.action = Action::Purge,
            6 => entry.group = Some(Group { first: next, count: *rng.pick(&[0, 1, 2, u64::MAX]) }),
            7 => entry.fields.push(((*rng.pick(&["$deleted", "", "title"])).into(), Op::Assign(Value::null()))),
            8 => entry.fields.push(("deep".into(), Op::Assign(nested(40)))),
            9 if !log.is_empty() => {
                // Keeps to the rules, and replaces everything there is.
                let target = rng.pick(log).entry.clone();
                let theirs: Vec<&Entry> =
                    log.iter().map(|logged| &*logged.entry).filter(|e| e.key == target.key).collect();
                entry.key = target.key.clone();
                entry.action = *rng.pick(&[Action::Update, Action::Restore, Action::Delete(Tombstone::LastWriterWins)]);
                entry.of = theirs.iter().filter(|e| e.action == Action::Create).map(|e| e.dot().clone()).collect();
                if entry.action == Action::Update {
                    entry.fields.push(("title".into(), Op::Assign(Value::from("mallory"))));
                    entry.replaces.push(("title".into(), theirs.iter().map(|e| e.dot().clone()).collect()));
                }
            }
            10 => {
                let mut other = entry.clone();
                other.fields.push(("title".into(), Op::Assign(Value::from("twice"))));
                second = Some(other);
            }
            11 => entry.intent = log.first().and_then(|logged| Some(self.ledger.get(logged.write?).intent)),
            12 => entry.key = EntityKey::new("note", "w".repeat(600)),
            _ => entry.fields.push(("title".into(), Op::Assign(Value::from("mallory was here")))),
        }
        for dots in [&mut entry.of, &mut entry.saw] {
            dots.sort();
            dots.dedup();
        }
        entry.replaces.iter_mut().for_each(|(_, dots)| dots.sort());
        std::iter::once(entry).chain(second).collect()
    }

    /// Cursors and pages that nobody was given.
    fn forged_reads(&mut self, at: usize, hub: &sync_core::Hub, rng: &mut Rng) -> Holds {
        let head = self.spaces[at].chronicle.now.cursor.seq;
        let seq = *rng.pick(&[head + 1, u64::MAX, head, 1]);
        let since = Cursor { seq, digest: Digest(u128::from(rng.bits()) | 1), epoch: Epoch(rng.bits()) };
        let pulled = hub.pull(&PullRequest { since, limit: 5, ..PullRequest::default() });
        let is_silent = pulled.as_ref().is_ok_and(|page| page.entries.is_empty()) && seq > 0;
        let page = (*rng.pick(&["r", "t.9.zz", "r.1.00.ff", "\u{0}", "t.18446744073709551615.0"])).to_owned();
        let paged = hub.snapshot(&SnapshotRequest { page });
        let clients = vec![(ClientId::new("nobody"), Known { n: u64::MAX, digest: Digest(7) })];
        let greeted = hub.hello(MALLORY, &HelloRequest { clients, cursor: since, ..HelloRequest::default() });
        self.note_hub_trouble(at);
        if self.spaces[at].trouble.is_some() {
            return Ok(());
        }
        if is_silent {
            return broken(
                Rule::Cursor,
                format!("a cursor at {seq} that was never given is served as if it were at the end"),
            );
        }
        let is_refused = matches!(paged, Err(TransportError::Expired));
        // What is older than the log's beginning can be shown by anybody: who does takes the snapshot.
        let is_older = self.plan.faults.has(Fault::HubCompact);
        if !is_refused || !greeted.is_ok_and(|hello| !hello.on_chain || is_older) {
            return broken(Rule::NoFailure, "a forged page or cursor is taken for true".to_owned());
        }
        self.tally.mark(Mark::HostileRefused);
        Ok(())
    }
}

fn nested(depth: usize) -> Value {
    let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    Value::parse(&text).expect("brackets that match are a value")
}
