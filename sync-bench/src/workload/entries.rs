//! The workload as entries: each names what its author saw, as replicas that met as often would have written them.

use std::collections::HashMap;

use sync_core::model::stamp::{Name, Origin};
use sync_core::model::value::Value;
use sync_core::{Action as Does, ClientId, Dot, Dots, EntityKey, Entry, Op, Tombstone};

use super::{Action, Content, Patch, What, Workload};

const FIELDS: [&str; 4] = ["body", "pinned", "tags", "title"];

/// A write, by its client and number.
type At = (usize, u64);

/// What stands in each field of each note, by note and field.
type Siblings = HashMap<(usize, usize), Vec<At>>;

pub(crate) fn entries(workload: &Workload) -> Vec<Entry> {
    let writer = Writer {
        clients: (0..workload.clients.len()).map(|client| ClientId::new(workload.client_text(client))).collect(),
        keys: workload.ids.iter().map(|id| EntityKey::new("note", id.to_string())).collect(),
        names: FIELDS.map(Name::from),
    };
    let mut creates = vec![(0, 0); workload.ids.len()];
    let mut met = Siblings::new();
    let mut entries = Vec::with_capacity(workload.actions.len());
    for round in workload.sessions() {
        // Whoever writes a field first since the meeting has seen, and so replaces, all that stood there.
        let mut written: Vec<Siblings> = Vec::new();
        for session in round {
            let mut own = Siblings::new();
            for action in session {
                let at = (action.client, action.n);
                if matches!(action.what, What::Create(_)) {
                    creates[action.note] = at;
                }
                let seen = |field: usize| {
                    let place = (action.note, field);
                    own.get(&place).or_else(|| met.get(&place)).cloned().unwrap_or_default()
                };
                entries.push(writer.entry(action, creates[action.note], seen));
                for (field, op) in ops(action).into_iter().enumerate() {
                    if op.is_some() {
                        own.insert((action.note, field), vec![at]);
                    }
                }
            }
            written.push(own);
        }
        let mut fresh = Siblings::new();
        for (place, dots) in written.into_iter().flatten() {
            fresh.entry(place).or_default().extend(dots);
        }
        met.extend(fresh);
    }
    entries
}

struct Writer {
    clients: Vec<ClientId>,
    keys: Vec<EntityKey>,
    names: [Name; 4],
}

impl Writer {
    fn entry(&self, action: &Action, create: At, seen: impl Fn(usize) -> Vec<At>) -> Entry {
        let dots = |mut at: Vec<At>| -> Dots {
            at.sort_unstable();
            at.into_iter().map(|(client, n)| Dot::new(self.clients[client].clone(), n)).collect()
        };
        let is_create = matches!(action.what, What::Create(_));
        let ops = ops(action);
        let mut replaces = Vec::new();
        for field in (0..FIELDS.len()).filter(|field| !is_create && ops[*field].is_some()) {
            let replaced = dots(seen(field));
            if !replaced.is_empty() {
                replaces.push((self.names[field].clone(), replaced));
            }
        }
        let (does, mut saw) = match action.what {
            What::Create(_) => (Does::Create, Vec::new()),
            What::Update(_) => (Does::Update, Vec::new()),
            What::Delete => (Does::Delete(Tombstone::DeleteWins), (0..FIELDS.len()).flat_map(seen).collect()),
        };
        saw.sort_unstable();
        saw.dedup();
        let dot = Dot::new(self.clients[action.client].clone(), action.n);
        Entry {
            origin: Origin { dot, time: action.time, author: None },
            foreign_id: None,
            key: self.keys[action.note].clone(),
            action: does,
            fields: self.names.iter().zip(ops).filter_map(|(name, op)| Some((name.clone(), op?))).collect(),
            replaces,
            of: if is_create { Dots::new() } else { dots(vec![create]) },
            saw: dots(saw),
            group: None,
            unknown: None,
            intent: None,
        }
    }
}

/// What an action does to each field.
fn ops(action: &Action) -> [Option<Op>; 4] {
    let Patch { title, body, pinned, tags } = match &action.what {
        What::Create(content) => {
            let Content { title, body, pinned, tags } = content.clone();
            Patch { title: Some(title), body: Some(body), pinned: Some(pinned), tags: Some(tags) }
        }
        What::Update(patch) => patch.clone(),
        What::Delete => Patch::default(),
    };
    let encoded = |value: Result<Value, _>| value.expect("texts, flags and lists of texts can be encoded");
    [
        body.map(|body| Op::Assign(Value::from(&body[..]))),
        pinned.map(|pinned| Op::Assign(encoded(Value::encode(&pinned)))),
        tags.map(|tags| Op::Assign(encoded(Value::encode(&tags)))),
        title.map(|title| Op::Assign(Value::from(&title[..]))),
    ]
}
