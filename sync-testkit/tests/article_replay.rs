//! On logs whose stamps grow along causality, what shows is what the article's `reconcileNotes` makes of them.
#![allow(clippy::unwrap_used, reason = "a failed test")]

mod article;

use std::collections::BTreeMap;
use std::sync::Arc;

use article::domain::{NoteAction, NotesState, is_deleted, reconcile_notes, updated_at};
use article::wal::WalEntry;
use sync_core::hub::{Hub, Offer};
use sync_core::model::stamp::Origin;
use sync_core::{
    Action, ClientId, Dot, EntityKey, Entry, Family, Life, MemoryStore, Op, Record, Tombstone, Value, Verdict,
    reconcile,
};
use sync_testkit::history::Profile;
use sync_testkit::laws::{self, Broken, Holds};
use sync_testkit::rng::Rng;

/// What shows of a note: its fields if it is there, whether it was deleted, and since when.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    fields: Option<(Value, Value)>,
    updated_at: u64,
}

/// What shows after the article's replay.
fn theirs(state: &NotesState) -> BTreeMap<String, Shown> {
    let shown = |note: &article::domain::Note| {
        let field = |name: &str| note.get(name).cloned().unwrap_or_else(Value::null);
        let fields = (!is_deleted(note)).then(|| (field("title"), field("body")));
        Shown { fields, updated_at: updated_at(note) }
    };
    state.iter().map(|(id, note)| (id.clone(), shown(note))).collect()
}

fn ours(record: &Record) -> Option<Shown> {
    let field = |name: &str| {
        let winner = record.get(name, &Family::Assign).and_then(|register| register.winner(&Family::Assign));
        winner.map_or_else(Value::null, |sibling| sibling.value.clone())
    };
    match record.life() {
        Life::Unborn => None,
        Life::Alive { updated_at } => Some(Shown { fields: Some((field("title"), field("body"))), updated_at }),
        Life::Deleted { updated_at } => Some(Shown { fields: None, updated_at }),
    }
}

/// An entry as the article has it.
fn wal(entry: &Entry) -> WalEntry {
    let (id, logical_time) = (entry.key.to_string(), entry.origin.time);
    let fields = entry.fields.iter().filter_map(|(name, op)| match op {
        Op::Assign(value) => Some((name.to_string(), value.clone())),
        _ => None,
    });
    let payload = fields.collect();
    let payload = match entry.action {
        Action::Create => NoteAction::Create { id, payload, logical_time },
        Action::Update => NoteAction::Update { id, payload, logical_time },
        _ => NoteAction::Delete { id, logical_time },
    };
    WalEntry { id: entry.id(), payload, client_id: entry.origin.author().to_string(), logical_time, uploaded: true }
}

/// The whole log, and every beginning of it: each is a causal log.
fn shows_what_the_article_shows(entries: &[Entry], rng: &mut Rng) -> Holds {
    const LAW: &str = "what shows is what reconcileNotes makes";
    for length in [entries.len(), rng.below(entries.len() + 1)] {
        let log = &entries[..length];
        let replayed = reconcile_notes(&NotesState::new(), &log.iter().map(wal).collect::<Vec<_>>());
        let folded = reconcile(Default::default(), log).unwrap();
        let shown = folded.records().filter_map(|(key, record)| Some((key.to_string(), ours(record)?)));
        let (ours, theirs) = (shown.collect::<BTreeMap<_, _>>(), theirs(&replayed));
        if ours != theirs {
            return Err(Broken { law: LAW, detail: format!("ours   {ours:?}\ntheirs {theirs:?}") });
        }
    }
    Ok(())
}

#[test]
fn replicas_and_foreign_clients_show_what_the_article_shows() {
    let seeds = std::env::var("MODEL_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    laws::check(&Profile::article(), 0..seeds, shows_what_the_article_shows);
    laws::check(&Profile { foreign: 25, ..Profile::article() }, 0..seeds, shows_what_the_article_shows);
    laws::check(&Profile { entities: 1, devices: 5, ..Profile::article() }, 0..seeds, shows_what_the_article_shows);
}

/// Clients of the article alone, with a real hub between them that numbers their entries and names what they replace.
#[test]
fn a_hub_shows_what_the_article_shows() {
    for seed in 0..100 {
        let mut rng = Rng::new(seed);
        let hub = Hub::builder().default_type("note").open(MemoryStore::new()).unwrap();
        let mut clients: Vec<Client> = ["a", "B", "ä"].map(|name| Client { name, ..Client::default() }).into();
        let mut log: Vec<WalEntry> = Vec::new();
        // Real time, or the hub would take the stamps for wrong clocks.
        let mut now = 1_700_000_000_000;
        for _ in 0..60 {
            now += 1 + rng.below(3) as u64;
            let client = &mut clients[rng.below(3)];
            if rng.percent(40) {
                client.sync(&hub, &mut log);
            } else {
                client.write(now, &mut rng);
            }
        }
        clients.iter_mut().for_each(|client| client.sync(&hub, &mut log));
        let expected = theirs(&reconcile_notes(&NotesState::new(), &log));
        for (id, shown) in &expected {
            let record = hub.record(&EntityKey::new("note", id.as_str())).unwrap().unwrap_or_default();
            assert_eq!(ours(&record).as_ref(), Some(shown), "seed {seed}, note {id}");
        }
    }
}

/// A client of the article's whose download has none of its faults: it knows all that the hub has when it syncs.
#[derive(Default)]
struct Client {
    name: &'static str,
    known: Vec<WalEntry>,
    pending: Vec<WalEntry>,
    written: usize,
}

impl Client {
    fn write(&mut self, now: u64, rng: &mut Rng) {
        let all: Vec<WalEntry> = self.known.iter().chain(&self.pending).cloned().collect();
        let state = reconcile_notes(&NotesState::new(), &all);
        let id = format!("n{}", rng.below(3));
        let value = |rng: &mut Rng| Value::from(*rng.pick(&["x", "y", "z"]));
        let payload = match state.get(&id) {
            None => {
                let payload = [("title".into(), value(rng)), ("body".into(), value(rng))].into();
                NoteAction::Create { id, payload, logical_time: now }
            }
            Some(note) if is_deleted(note) => return,
            Some(_) if rng.percent(10) => NoteAction::Delete { id, logical_time: now },
            Some(_) => {
                let payload = [((*rng.pick(&["title", "body"])).into(), value(rng))].into();
                NoteAction::Update { id, payload, logical_time: now }
            }
        };
        self.written += 1;
        let id = format!("{:08x}-{}-{}", rng.bits() as u32, self.name, self.written);
        self.pending.push(WalEntry { id, payload, client_id: self.name.into(), logical_time: now, uploaded: false });
    }

    fn sync(&mut self, hub: &Hub, log: &mut Vec<WalEntry>) {
        let offers = self.pending.iter().map(|wal| Offer::Entry(entry(wal))).collect();
        let reply = hub.push_foreign("ada", offers).unwrap();
        assert!(
            reply.verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Accepted { .. })),
            "{:?}",
            reply.verdicts
        );
        log.append(&mut self.pending);
        self.known.clone_from(log);
    }
}

/// The entry that a hub makes of what the article's client sends.
fn entry(wal: &WalEntry) -> Entry {
    let (action, payload) = match &wal.payload {
        NoteAction::Create { payload, .. } => (Action::Create, payload.clone()),
        NoteAction::Update { payload, .. } => (Action::Update, payload.clone()),
        NoteAction::Delete { .. } => (Action::Delete(Tombstone::DeleteWins), BTreeMap::new()),
    };
    let author = ClientId::new(wal.client_id.as_str());
    Entry {
        origin: Origin { dot: Dot::new(author.clone(), 0), time: wal.logical_time, author: Some(author) },
        foreign_id: Some(Arc::from(wal.id.as_str())),
        key: EntityKey::new("note", wal.payload.id()),
        action,
        fields: payload.into_iter().map(|(name, value)| (name.into(), Op::Assign(value))).collect(),
        replaces: Vec::new(),
        of: Vec::new().into(),
        saw: Vec::new().into(),
        group: None,
        unknown: None,
        intent: None,
    }
}
