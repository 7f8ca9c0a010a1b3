//! What an entry may be at most: exactly that is accepted, and one more is refused, by what it is refused for.

use super::support::*;
use sync_core::{Action, ClientId, Dot, EntityKey, Entry, Group, MemoryStore, Offer, Op, Tombstone, Value};

/// A change of an entry, made with a size.
type Change = fn(&mut Entry, usize);

fn array_of_depth(depth: usize) -> Value {
    Value::parse(&format!("{}{}", "[".repeat(depth), "]".repeat(depth))).unwrap()
}

fn object_of_depth(depth: usize) -> Value {
    Value::parse(&format!("{{\"later\":{}}}", array_of_depth(depth - 1))).unwrap()
}

fn decide(entry: Entry) -> String {
    let hub = builder().limits(sync_core::transport::Limits { entry_bytes: 9_000, ..small_limits() });
    let hub = hub.open(MemoryStore::new()).unwrap();
    let offers = vec![Offer::Entry(entry)];
    match offers[0] {
        Offer::Entry(Entry { foreign_id: Some(_), .. }) => words(hub.push_foreign("ada", offers)),
        _ => words(hub.push("ada", None, offers)),
    }
}

#[test]
fn a_numbered_entry() {
    let create = || Client::new("a").create("1", "title");
    let table: [(&str, usize, &str, Change); 9] = [
        ("bytes of a client id", ClientId::MAX_BYTES, "!malformed", |e, n| {
            e.origin.dot = Dot::new(ClientId::new("c".repeat(n)), 1);
        }),
        ("bytes of an entity type", 128, "!malformed", |e, n| e.key = EntityKey::new("t".repeat(n), "1")),
        ("bytes of an id", EntityKey::MAX_ID_BYTES, "!malformed", |e, n| e.key = EntityKey::new("note", "i".repeat(n))),
        ("levels of a value", 3, "!depth", |e, n| e.fields[0].1 = Op::Assign(array_of_depth(n))),
        ("levels of an element", 3, "!depth", |e, n| {
            e.fields[0].1 = Op::Set { insert: vec![Value::from("flat"), array_of_depth(n)], remove: Vec::new() };
        }),
        ("levels of a member that is not known here", 3, "!depth", |e, n| e.unknown = Some(object_of_depth(n))),
        ("a group's last number", 1, "!malformed", |e, n| {
            e.origin.dot.n = n as u64;
            e.group = Some(Group { first: 1, count: 1 });
        }),
        ("a number before a group", 1, "!malformed", |e, n| e.group = Some(Group { first: n as u64, count: 1 })),
        ("a time before the last", 0, "!malformed", |e, n| {
            if n > 0 {
                e.origin.time = u64::MAX;
            }
        }),
    ];
    for (what, most, refusal, change) in table {
        for (size, expected) in [(most, "1"), (most + 1, refusal)] {
            let mut entry = create();
            change(&mut entry, size);
            // A client begins with its first number: of another one the hub says that something is missing.
            let words = decide(entry);
            let is_gap = what.contains("last number") && words == "error diverged";
            assert!(words == expected || is_gap && size > most, "{what}, {size}: {words}");
        }
    }
}

#[test]
fn a_group_is_as_long_as_is_allowed() {
    let hub = builder().limits(small_limits()).open(MemoryStore::new()).unwrap();
    let mut client = Client::new("a");
    assert_eq!(push_words(&hub, &client.group(&["1", "2", "3"])), "1 2 3");
    assert_eq!(push_words(&hub, &client.group(&["4", "5", "6", "7"])), "!malformed !malformed !malformed !malformed");
}

#[test]
fn an_entry_is_as_large_as_is_allowed_wherever_its_bytes_are() {
    // Each is the slack that an entry's size is estimated with, where that estimate is needed most.
    let table: [(&str, Change); 8] = [
        ("plain text", |e, n| e.fields[0].1 = Op::Assign(Value::from("x".repeat(n).as_str()))),
        ("text that is escaped", |e, n| {
            let text = "\u{1}".repeat(n / 6) + &"x".repeat(n % 6);
            e.fields[0].1 = Op::Assign(Value::from(text.as_str()));
        }),
        ("elements", |e, n| {
            let elements = (0..n / 16).map(|i| Value::from(format!("element {i:05}").as_str()));
            e.fields[0].1 = Op::Set { insert: elements.collect(), remove: Vec::new() };
            e.fields.push(("z".into(), Op::Assign(Value::from("x".repeat(n % 16).as_str()))));
        }),
        ("a member that is not known here", |e, n| {
            e.unknown = Some(Value::object([("later", Value::from("x".repeat(n).as_str()))]).unwrap());
        }),
        ("a field's name", |e, n| e.fields[0].0 = "n".repeat(n).into()),
        ("a family's name", |e, n| {
            let family = "\u{1}".repeat(n / 6) + &"x".repeat(n % 6);
            e.fields[0].1 = Op::Own { family: family.into(), body: Value::null() };
        }),
        ("a name that is replaced", |e, n| {
            e.replaces = vec![
                ("\u{1}".repeat(n / 6).into(), Vec::new().into()),
                ("y".repeat(n % 6 + 1).into(), Vec::new().into()),
            ];
        }),
        ("a type that is escaped", |e, n| {
            e.key = EntityKey::new("t".repeat(128), "\u{1}".repeat(400));
            e.fields[0].1 = Op::Assign(Value::from("x".repeat(n.saturating_sub(3_000)).as_str()));
        }),
    ];
    for (what, change) in table {
        let sized = |n: usize| {
            let mut entry = Client::new("a").create("1", "title");
            change(&mut entry, n);
            entry
        };
        let size = |n: usize| sized(n).to_json_with_intent().len();
        let (mut most, mut least) = (1, 20_000);
        while least - most > 1 {
            let middle = usize::midpoint(most, least);
            *(if size(middle) <= 9_000 { &mut most } else { &mut least }) = middle;
        }
        assert!(size(most) > 8_900, "{what} comes close to the limit: {}", size(most));
        assert_eq!(decide(sized(most)), "1", "{what}: {} bytes", size(most));
        assert_eq!(decide(sized(least)), "!entry_bytes", "{what}: {} bytes", size(least));
        assert_eq!(decide(sized(20_000)), "!entry_bytes", "{what}: {} bytes", size(20_000));
    }
}

#[test]
fn an_entry_of_the_article_s_dialect() {
    let create = || foreign("a", "1", Action::Create, "e", NOW, &[("title", "one")]);
    let table: [(&str, usize, &str, Change); 3] = [
        ("bytes of an id", 512, "!malformed", |e, n| e.foreign_id = Some("i".repeat(n).into())),
        ("levels", 3, "!depth", |e, n| e.fields[0].1 = Op::Assign(array_of_depth(n))),
        ("fields of a delete", 0, "!malformed", |e, n| {
            e.action = Action::Delete(Tombstone::DeleteWins);
            e.fields.truncate(n);
        }),
    ];
    for (what, most, refusal, change) in table {
        let accepted = if what.contains("delete") { "!gone" } else { "1" };
        for (size, expected) in [(most, accepted), (most + 1, refusal)] {
            let mut entry = create();
            change(&mut entry, size);
            assert_eq!(decide(entry), expected, "{what}, {size}");
        }
    }
    for (expected, id) in [("!malformed", ""), ("1", "i")] {
        let mut entry = create();
        entry.foreign_id = Some(id.into());
        assert_eq!(decide(entry), expected, "an id {id:?}");
    }
}
