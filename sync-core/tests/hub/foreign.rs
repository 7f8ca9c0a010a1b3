//! The article's dialect: entries without numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::support::*;
use sync_core::{Action, Dots, Entry, Family, Hub, Life, MemoryStore, Op, Tombstone, Value, Verdict};

const CREATE: Action = Action::Create;
const UPDATE: Action = Action::Update;
const DELETE: Action = Action::Delete(Tombstone::DeleteWins);

fn push_foreign(hub: &Hub, entries: &[Entry]) -> String {
    words(hub.push_foreign("ada", offers(entries)))
}

#[test]
fn it_is_known_by_author_and_id_for_ever() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let one = foreign("phone", "id-1", CREATE, "x", NOW, &[("title", "one")]);
    let two = foreign("phone", "id-2", UPDATE, "x", NOW + 1, &[("title", "two")]);
    assert_eq!(push_foreign(&hub, &[one.clone(), two.clone(), one.clone()]), "1 2 1");
    let mut other = one.clone();
    other.fields[0].1 = Op::Assign("other".into());
    let same_id = foreign("tablet", "id-1", CREATE, "y", NOW, &[("title", "one")]);
    assert_eq!(push_foreign(&hub, &[other.clone(), one.clone(), two.clone()]), "!id_reused 1 2");
    hub.checkpoint().unwrap();
    for hub in [hub, open(store)] {
        assert_eq!(push_foreign(&hub, &[two.clone(), other.clone(), one.clone()]), "2 !id_reused 1");
        assert_eq!(push_foreign(&hub, std::slice::from_ref(&same_id)), "3", "another author's id is another id");
    }
}

#[test]
fn a_batch_is_decided_by_time_and_answered_in_its_order() {
    let hub = open(MemoryStore::new());
    let batch = [
        foreign("a", "9", DELETE, "x", NOW + 5, &[]),
        foreign("a", "8", UPDATE, "x", NOW, &[("title", "two")]),
        foreign("a", "7", CREATE, "x", NOW, &[("title", "one")]),
        foreign("a", "6", UPDATE, "never", NOW, &[("title", "two")]),
    ];
    assert_eq!(push_foreign(&hub, &batch), "3 2 1 !gone");
    assert_eq!(title(&hub, "x").as_deref(), Some("two"));
    let record = hub.record(&key("x")).unwrap().unwrap();
    assert_eq!(record.life(), Life::Deleted { updated_at: NOW + 5 });
    assert!(record.hidden_writes().is_empty(), "the delete saw them all");
}

#[test]
fn it_replaces_what_is_stamped_lower_and_no_more() {
    let hub = open(MemoryStore::new());
    let batch = [
        foreign("a", "1", CREATE, "x", NOW, &[("title", "one")]),
        foreign("a", "2", UPDATE, "x", NOW + 9, &[("title", "late")]),
        foreign("b", "3", UPDATE, "x", NOW + 5, &[("title", "early")]),
    ];
    for entry in &batch {
        push_foreign(&hub, std::slice::from_ref(entry));
    }
    let log = log(&hub, 9);
    let replaced = |at: usize| log[at].1.replaced("title").to_vec();
    let dot = |at: usize| log[at].1.dot().clone();
    assert_eq!(replaced(1), [dot(0)]);
    assert_eq!(replaced(2), [], "what is stamped higher stays beside it");
    assert_eq!([&log[1].1.of[..], &log[0].1.of], [&[dot(0)][..], &[]]);
    assert_eq!(title(&hub, "x").as_deref(), Some("late"));
    assert_eq!(log[1].1.foreign_id.as_deref(), Some("2"));
    assert_eq!(log[1].1.origin.author().as_str(), "a");
    assert_ne!(dot(0).client.as_str(), "a", "named by the hub");
}

#[test]
fn of_one_moment_an_update_comes_before_a_delete() {
    let hub = open(MemoryStore::new());
    let batch = [
        foreign("a", "1", DELETE, "x", NOW, &[]),
        foreign("a", "2", UPDATE, "x", NOW, &[("title", "two")]),
        foreign("a", "3", CREATE, "x", NOW, &[("title", "one")]),
    ];
    assert_eq!(push_foreign(&hub, &batch), "3 2 1");
}

#[test]
fn a_time_too_far_ahead_becomes_the_hub_s_or_that_of_what_its_author_wrote_before() {
    let hands = Hands::new();
    let hub = builder().clock(Arc::new(hands.clone())).limits(small_limits()).open(MemoryStore::new()).unwrap();
    let far = NOW + 1_000_000;
    let time = |at: usize| log(&hub, 9)[at].1.origin.time;
    push_foreign(&hub, &[foreign("a", "1", CREATE, "x", far, &[("title", "one")])]);
    assert_eq!(time(0), NOW);
    // What is just within the drift is taken as it is.
    push_foreign(&hub, &[foreign("a", "2", UPDATE, "x", NOW + 1_000, &[("title", "two")])]);
    assert_eq!(time(1), NOW + 1_000);
    push_foreign(&hub, &[foreign("a", "3", UPDATE, "x", far, &[("title", "three")])]);
    assert_eq!(time(2), NOW + 1_000, "not before what the author wrote");
    push_foreign(&hub, &[foreign("b", "4", UPDATE, "x", far, &[("title", "four")])]);
    assert_eq!(time(3), NOW, "another author's writes do not count");
    hands.set(NOW + 5_000);
    push_foreign(&hub, &[foreign("a", "5", UPDATE, "x", far, &[("title", "five")])]);
    assert_eq!(time(4), NOW + 5_000);
}

#[test]
fn a_delete_replaces_the_deletes_and_restores_before_it() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    let create = a.create("x", "one");
    let delete = a.delete("x", create.dot());
    let mut restore = a.entry(Action::Restore, "x");
    restore.of = [create.dot().clone()].into();
    restore.replaces = vec![("$deleted".into(), [delete.dot().clone()].into())];
    assert_eq!(push_words(&hub, &[create, delete, restore.clone()]), "1 2 3");
    push_foreign(&hub, &[foreign("b", "1", DELETE, "x", NOW + 100, &[])]);
    let replaces = log(&hub, 9)[3].1.replaces.clone();
    assert_eq!(replaces, [("$deleted".into(), [restore.dot().clone()].into())]);
}

#[test]
fn what_the_dialect_does_not_have_is_rejected() {
    let hub = builder().limits(small_limits()).default_type("note").open(MemoryStore::new()).unwrap();
    let fine = foreign("a", "1", CREATE, "x", NOW, &[("title", "one")]);
    type Break = fn(&mut Entry);
    let table: [(&str, &str, Break); 13] = [
        ("field", "id", |e| e.fields[0].0 = "id".into()),
        ("field", "deleted", |e| e.fields[0].0 = "deleted".into()),
        ("field", "updatedAt", |e| e.fields[0].0 = "updatedAt".into()),
        ("field", "title", |e| e.fields[0].1 = Op::Add(1)),
        ("field", "title", |e| e.fields[0].1 = Op::First("one".into())),
        ("malformed", "replaces", |e| e.replaces = vec![("title".into(), Dots::new())]),
        ("malformed", "of", |e| e.of = [e.dot().clone()].into()),
        ("malformed", "saw", |e| e.saw = [e.dot().clone()].into()),
        ("malformed", "group", |e| e.group = Some(sync_core::Group { first: 1, count: 1 })),
        ("malformed", "payload", |e| e.action = DELETE),
        ("forbidden", "type", |e| e.action = Action::Restore),
        ("forbidden", "entityType", |e| e.key.entity_type = "notebook".into()),
        ("malformed", "n", |e| e.foreign_id = None),
    ];
    for (at, (code, field, break_it)) in table.into_iter().enumerate() {
        let mut entry = fine.clone();
        break_it(&mut entry);
        let reply = hub.push_foreign("ada", offers(&[entry])).unwrap();
        let Verdict::Rejected(rejection) = &reply.verdicts[0].1 else { panic!("{at}: {reply:?}") };
        assert_eq!((&rejection.code[..], rejection.field.as_deref()), (code, Some(field)), "{at}");
    }
    assert_eq!(push_foreign(&hub, &[fine]), "1");
}

#[test]
fn a_clock_that_is_far_ahead_loses_nothing_and_wins_nothing() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let (ahead, years) = (NOW + small_limits().drift, NOW + 100_000_000_000);
    let early = foreign("fast", "1", CREATE, "x", ahead, &[("title", "within what is admitted")]);
    assert_eq!(push_foreign(&hub, &[early]), "1");
    let batch = [
        foreign("fast", "4", UPDATE, "x", years + 2, &[("title", "third")]),
        foreign("fast", "3", UPDATE, "x", years + 1, &[("title", "second")]),
        foreign("fast", "2", CREATE, "y", years, &[("title", "another")]),
    ];
    assert_eq!(push_foreign(&hub, &batch), "4 3 2", "in the order of its own clock");
    assert_eq!((title(&hub, "x").as_deref(), title(&hub, "y").as_deref()), (Some("third"), Some("another")));
    assert!(log(&hub, 9).iter().all(|(_, entry)| entry.origin.time <= ahead));
    // A device whose clock is right wins by a later write.
    assert_eq!(push_foreign(&hub, &[foreign("right", "1", UPDATE, "y", NOW + 1, &[("title", "later")])]), "5");
    assert_eq!(title(&hub, "y").as_deref(), Some("later"));
    // It is known again, although it was dated anew.
    hub.checkpoint().unwrap();
    for hub in [hub, open(store)] {
        assert_eq!(push_foreign(&hub, &batch), "4 3 2");
    }
}

#[test]
fn the_hubs_own_client_ids_are_not_for_replicas() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let one = foreign("a", "1", CREATE, "x", NOW, &[("title", "one")]);
    assert_eq!(push_foreign(&hub, &[one]), "1");
    let own = log(&hub, 1)[0].1.dot().client.clone();
    let mut thief = Client { id: own.clone(), next: 2, time: NOW };
    let theft = [thief.create("y", "two")];
    assert_eq!(push_words(&hub, &theft), "!forbidden");
    hub.checkpoint().unwrap();
    let again = open(store);
    assert_eq!(push_words(&again, &theft), "!forbidden", "nor those of a hub that is gone");
    let two = foreign("a", "2", CREATE, "z", NOW, &[("title", "two")]);
    assert_eq!(push_foreign(&again, &[two]), "2");
    assert_ne!(log(&again, 9)[1].1.dot().client, own, "a fresh one at every start");
}

#[test]
fn both_dialects_meet_in_one_entity() {
    let hub = open(MemoryStore::new());
    let mut a = Client::new("a");
    assert_eq!(push_words(&hub, &[a.create("x", "one")]), "1");
    let two = foreign("phone", "1", UPDATE, "x", NOW + 9, &[("title", "two"), ("body", "b")]);
    assert_eq!(push_foreign(&hub, &[two]), "2");
    let mut three = a.update("x", &a.dot(1), "three");
    let seen = log(&hub, 9)[1].1.dot().clone();
    three.replaces = vec![("title".into(), [seen].into())];
    assert_eq!(push_words(&hub, &[three]), "3", "it may name what the hub numbered");
    assert_eq!(title(&hub, "x").as_deref(), Some("three"), "whatever the stamps say");
}

/// The article's algorithm, written apart: sort by (logicalTime, clientId, id), apply one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Note {
    fields: BTreeMap<String, String>,
    deleted: bool,
    updated_at: u64,
}

fn replay(entries: &[Entry]) -> BTreeMap<String, Note> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |e: &Entry| (e.origin.time, e.origin.author().clone(), e.foreign_id.clone());
        key(a).cmp(&key(b))
    });
    let mut notes: BTreeMap<String, Note> = BTreeMap::new();
    for entry in sorted {
        let existing = notes.get_mut(&*entry.key.id);
        let fields = entry.fields.iter().map(|(name, op)| match op {
            Op::Assign(value) => (name.to_string(), value.as_string().unwrap().into_owned()),
            other => panic!("{other:?}"),
        });
        match (entry.action, existing) {
            (Action::Create, None) => {
                let note = Note { fields: fields.collect(), deleted: false, updated_at: entry.origin.time };
                notes.insert(entry.key.id.to_string(), note);
            }
            (Action::Update, Some(note)) if !note.deleted => {
                note.fields.extend(fields);
                note.updated_at = entry.origin.time;
            }
            (Action::Delete(_), Some(note)) => {
                note.deleted = true;
                note.updated_at = entry.origin.time;
            }
            _ => {}
        }
    }
    notes
}

fn shown(hub: &Hub, id: &str) -> Option<Note> {
    let record = hub.record(&key(id)).unwrap()?;
    let fields = record.registers().filter_map(|(name, family, register)| {
        assert_eq!(*family, Family::Assign);
        let value: &Value = &register.winner(family)?.value;
        Some((name.to_string(), value.as_string()?.into_owned()))
    });
    match record.life() {
        Life::Unborn => None,
        Life::Alive { updated_at } => Some(Note { fields: fields.collect(), deleted: false, updated_at }),
        Life::Deleted { updated_at } => Some(Note { fields: BTreeMap::new(), deleted: true, updated_at }),
    }
}

/// A small generator of its own: the same histories everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One of the article's clients: what it has downloaded, and what it will upload.
#[derive(Default)]
struct Phone {
    seen: Vec<Entry>,
    pending: Vec<Entry>,
    clock: u64,
}

#[test]
fn on_causal_logs_the_state_is_what_the_article_makes_of_it() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let store = Arc::new(MemoryStore::new());
        let mut hub = open(store.clone());
        let mut phones: Vec<Phone> = (0..3).map(|_| Phone::default()).collect();
        let (mut all, mut ids) = (Vec::new(), 0);
        for _ in 0..60 {
            let who = dice.roll(3) as usize;
            let phone = &mut phones[who];
            match dice.roll(8) {
                0..=4 => {
                    // Its stamp is above all that it saw: that is what makes the log causal.
                    let now = NOW + dice.roll(40);
                    phone.clock = now.max(phone.clock + 1);
                    let visible: Vec<Entry> = phone.seen.iter().chain(&phone.pending).cloned().collect();
                    let entity = format!("{}", dice.roll(4));
                    let there = replay(&visible).contains_key(&entity);
                    let (field, text) = (["title", "body"][dice.roll(2) as usize], format!("{seed}-{ids}"));
                    let action = match dice.roll(6) {
                        _ if !there => CREATE,
                        0 => DELETE,
                        // A second create of what is there: the article's is idempotent.
                        1 => CREATE,
                        _ => UPDATE,
                    };
                    ids += 1;
                    let fields: &[(&str, &str)] = match action {
                        CREATE => &[("title", &text), ("body", "")],
                        UPDATE => &[(field, &text)],
                        _ => &[],
                    };
                    let client = format!("phone-{who}");
                    phone.pending.push(foreign(&client, &format!("{ids:05}"), action, &entity, phone.clock, fields));
                }
                5 | 6 => {
                    let reply = hub.push_foreign("ada", offers(&phone.pending)).unwrap();
                    assert!(
                        reply.verdicts.iter().all(|(_, v)| matches!(v, Verdict::Accepted { .. })),
                        "{seed}: {reply:?}"
                    );
                    if dice.roll(3) > 0 {
                        all.append(&mut phone.pending);
                        phone.seen = log(&hub, 7).into_iter().map(|(_, entry)| entry).collect();
                        let latest = phone.seen.iter().map(|entry| entry.origin.time).max().unwrap_or(0);
                        phone.clock = phone.clock.max(latest);
                    }
                }
                _ if dice.roll(2) == 0 => hub.checkpoint().unwrap(),
                _ => hub = open(store.clone()),
            }
        }
        for phone in &phones {
            hub.push_foreign("ada", offers(&phone.pending)).unwrap();
            all.extend(phone.pending.iter().cloned());
        }
        let expected = replay(&all);
        let entities: BTreeSet<String> = (0..4).map(|n| n.to_string()).collect();
        for id in entities {
            let mut expected = expected.get(&id).cloned();
            if let Some(note) = expected.as_mut().filter(|note| note.deleted) {
                note.fields.clear();
            }
            assert_eq!(shown(&hub, &id), expected, "seed {seed}, note {id}");
        }
    }
}
