//! Entries to send, as a replica would write them.

use sync_core::model::entry::LIFECYCLE;
use sync_core::model::stamp::Origin;
use sync_core::{Action, ClientId, Dot, EntityKey, Entry, Group, Op, Tombstone, Value};

use super::NOW;

/// A client that numbers its entries.
pub(super) struct Author {
    client: ClientId,
    n: u64,
}

impl Author {
    pub(super) fn new(client: &str) -> Self {
        Self { client: ClientId::new(client), n: 0 }
    }

    pub(super) fn client(&self) -> ClientId {
        self.client.clone()
    }

    /// An entry that writes nothing yet.
    fn entry(&mut self, id: &str, action: Action) -> Entry {
        self.n += 1;
        Entry::new(
            Origin { dot: Dot::new(self.client.clone(), self.n), time: NOW + self.n, author: None },
            EntityKey::new("note", id),
            action,
        )
    }

    /// A create of this note.
    pub(super) fn create(&mut self, id: &str, title: &str) -> Entry {
        let mut entry = self.entry(id, Action::Create);
        entry.fields = vec![("title".into(), Op::Assign(title.into()))];
        entry
    }

    /// An update of a note whose title was written by this entry.
    pub(super) fn update(&mut self, seen: &Entry, title: &str) -> Entry {
        let mut entry = self.entry(&seen.key.id, Action::Update);
        entry.fields = vec![("title".into(), Op::Assign(title.into()))];
        entry.of = seen.grounds();
        entry.replaces = vec![("title".into(), [seen.dot().clone()].into())];
        entry
    }

    /// An update of what is not there.
    pub(super) fn orphan(&mut self, of: &Entry) -> Entry {
        let mut entry = self.entry("nowhere", Action::Update);
        entry.of = of.grounds();
        entry
    }

    /// Entries of every kind, all of which a hub accepts.
    pub(super) fn every_kind(&mut self) -> Vec<Entry> {
        let mut create = self.entry("\u{e9}\u{1F600} \"\\/\u{7f}", Action::Create);
        create.fields = every_op();
        // No two clients' are the same.
        create.intent =
            Some(self.client.as_str().bytes().fold(u128::MAX, |bits, byte| bits.wrapping_mul(257) ^ u128::from(byte)));
        let mut update = self.entry(&create.key.id, Action::Update);
        let made = create.dot().clone();
        update.of = [made.clone()].into();
        let remove = ["7", "a"].map(|element| (Value::from(element), [made.clone()].into())).to_vec();
        update.fields = vec![
            ("assign".into(), Op::Assign(Value::null())),
            ("set".into(), Op::Set { insert: vec![Value::from("b")], remove }),
        ];
        update.replaces = vec![("assign".into(), [made.clone()].into())];
        update.unknown = Value::parse(r#"{"colour":{"r":1.5},"x":[null,true]}"#).ok();
        let mut delete = self.entry(&create.key.id, Action::Delete(Tombstone::DeleteWins));
        delete.of = [made.clone()].into();
        delete.saw = vec![made.clone(), update.dot().clone()].into();
        let mut restore = self.entry(&create.key.id, Action::Restore);
        restore.of = [made.clone()].into();
        restore.replaces = vec![(LIFECYCLE.into(), [delete.dot().clone()].into())];
        let mut forgiving = self.entry(&create.key.id, Action::Delete(Tombstone::LastWriterWins));
        forgiving.of = [made].into();
        forgiving.replaces = vec![(LIFECYCLE.into(), [restore.dot().clone()].into())];
        let mut entries = vec![create, update, delete, restore, forgiving];
        entries.extend(self.group(&["in a group", "and this"]));
        entries
    }

    /// A transaction that creates these notes.
    pub(super) fn group(&mut self, ids: &[&str]) -> Vec<Entry> {
        let group = Group { first: self.n + 1, count: ids.len() as u64 };
        let create = |id: &&str| Entry { group: Some(group), ..self.create(id, id) };
        ids.iter().map(create).collect()
    }
}

fn every_op() -> Vec<(std::sync::Arc<str>, Op)> {
    let deep = "[".repeat(31) + "{}" + &"]".repeat(31);
    let values = format!(
        r#"{{"array":{deep},"big":170141183460469231731687303715884105727,"float":[0.1,-0.0,1e300,5e-324],
            "text":"\u0000\u2028 \ud83d\ude00 </script>","empty":{{"":""}}}}"#
    );
    let value = |text: &str| Value::parse(text).expect("the value is JSON");
    vec![
        ("assign".into(), Op::Assign(value(&values.replace(&deep, "[1]")))),
        ("count".into(), Op::Add(i64::MIN)),
        ("deep".into(), Op::Assign(value(&deep))),
        ("first".into(), Op::First(Value::from(true))),
        ("like".into(), Op::Assign(value(r#"{"$add":1,"x":{"$value":2}}"#))),
        ("max".into(), Op::Max(Value::from(u64::MAX))),
        ("min".into(), Op::Min(Value::from("m"))),
        ("own".into(), Op::Own { family: "x:own".into(), body: value(r#"{"$add":[]}"#) }),
        (
            "set".into(),
            Op::Set { insert: vec![Value::from(7_i64), Value::from("7"), Value::from("a")], remove: vec![] },
        ),
    ]
}
