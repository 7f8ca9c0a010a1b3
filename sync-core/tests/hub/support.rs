//! What the hub's tests share: a clock that stands still, randomness that counts, and clients that write entries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sync_core::model::stamp::Origin;
use sync_core::transport::{HelloRequest, Limits, Page, PullRequest, PushReply};
use sync_core::{
    Action, ClientId, Clock, Cursor, Dot, EntityKey, Entry, Group, Hub, HubBuilder, Known, Offer, Op, Random, Store,
    Tombstone, TransportError, Value, Verdict,
};

/// The time at which every hub's clock stands unless a test moves it.
pub(crate) const NOW: u64 = 1_000_000;

/// A clock that a test sets.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW)))
    }
    pub(crate) fn set(&self, time: u64) {
        self.0.store(time, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Counts, so that every run is the same and no two ids are.
pub(crate) struct Counting;

impl Random for Counting {
    fn bits(&self) -> u128 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        u128::from(NEXT.fetch_add(1, Ordering::SeqCst)) << 64 | 0xabcd
    }
}

pub(crate) fn builder() -> HubBuilder {
    Hub::builder().name("hub").clock(Arc::new(Hands::new())).random(Arc::new(Counting))
}

pub(crate) fn open(store: impl Store + 'static) -> Hub {
    builder().open(store).unwrap()
}

/// A client that numbers its entries.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: ClientId,
    pub(crate) next: u64,
    pub(crate) time: u64,
}

impl Client {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: ClientId::new(id), next: 1, time: NOW }
    }

    pub(crate) fn dot(&self, n: u64) -> Dot {
        Dot::new(self.id.clone(), n)
    }

    pub(crate) fn entry(&mut self, action: Action, id: &str) -> Entry {
        let dot = self.dot(self.next);
        self.next += 1;
        self.time += 1;
        entry(Origin { dot, time: self.time, author: None }, action, id)
    }

    pub(crate) fn create(&mut self, id: &str, title: &str) -> Entry {
        let mut entry = self.entry(Action::Create, id);
        entry.fields = vec![("title".into(), Op::Assign(title.into()))];
        entry
    }

    /// An update of what this create made.
    pub(crate) fn update(&mut self, id: &str, of: &Dot, title: &str) -> Entry {
        let mut entry = self.entry(Action::Update, id);
        entry.fields = vec![("title".into(), Op::Assign(title.into()))];
        entry.of = [of.clone()].into();
        entry
    }

    pub(crate) fn delete(&mut self, id: &str, of: &Dot) -> Entry {
        let mut entry = self.entry(Action::Delete(Tombstone::DeleteWins), id);
        entry.of = [of.clone()].into();
        entry
    }

    /// Creates of these entities, as one transaction.
    pub(crate) fn group(&mut self, ids: &[&str]) -> Vec<Entry> {
        let group = Group { first: self.next, count: ids.len() as u64 };
        let mut entries: Vec<Entry> = ids.iter().map(|id| self.create(id, id)).collect();
        entries.iter_mut().for_each(|entry| entry.group = Some(group));
        entries
    }
}

pub(crate) fn entry(origin: Origin, action: Action, id: &str) -> Entry {
    Entry::new(origin, key(id), action)
}

pub(crate) fn key(id: &str) -> EntityKey {
    EntityKey::new("note", id)
}

/// An entry of the article's dialect.
pub(crate) fn foreign(
    client: &str,
    id: &str,
    action: Action,
    entity: &str,
    time: u64,
    fields: &[(&str, &str)],
) -> Entry {
    let author = Some(ClientId::new(client));
    let mut entry = entry(Origin { dot: Dot::new(ClientId::new(client), 0), time, author }, action, entity);
    entry.foreign_id = Some(id.into());
    entry.fields = fields.iter().map(|(name, value)| ((*name).into(), Op::Assign(Value::from(*value)))).collect();
    entry.fields.sort_by(|a, b| a.0.cmp(&b.0));
    entry
}

pub(crate) fn offers(entries: &[Entry]) -> Vec<Offer> {
    entries.iter().cloned().map(Offer::Entry).collect()
}

pub(crate) fn push(hub: &Hub, entries: &[Entry]) -> Result<PushReply, TransportError> {
    hub.push("ada", None, offers(entries))
}

/// The verdicts, each in a word: `5` for accepted there, `5=dot` for known as, `!code` for rejected, `?code` for again.
pub(crate) fn words(reply: Result<PushReply, TransportError>) -> String {
    match reply {
        Ok(reply) => reply.verdicts.iter().map(|(_, verdict)| word(verdict)).collect::<Vec<_>>().join(" "),
        Err(error) => format!("error {}", error.code()),
    }
}

pub(crate) fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accepted { seq, known_as: None } => seq.to_string(),
        Verdict::Accepted { seq, known_as: Some(dot) } => format!("{seq}={dot}"),
        Verdict::Rejected(rejection) => format!("!{}", rejection.code),
        Verdict::Again { code, .. } => format!("?{}", code.as_deref().unwrap_or("")),
        other => format!("{other:?}"),
    }
}

pub(crate) fn push_words(hub: &Hub, entries: &[Entry]) -> String {
    words(push(hub, entries))
}

pub(crate) fn pull(hub: &Hub, since: Cursor, limit: u64) -> Page {
    hub.pull(&PullRequest { since, limit, ..PullRequest::default() }).unwrap()
}

/// The whole log, in pages of this size.
pub(crate) fn log(hub: &Hub, limit: u64) -> Vec<(u64, Entry)> {
    let (mut log, mut cursor) = (Vec::new(), Cursor::default());
    loop {
        let page = pull(hub, cursor, limit);
        assert!(page.cursor.seq > cursor.seq || !page.has_more, "a page goes on");
        log.extend(page.entries.into_iter().map(|(seq, entry)| (seq, Entry::clone(&entry))));
        cursor = page.cursor;
        if !page.has_more {
            assert_eq!(cursor, hub.head());
            return log;
        }
    }
}

pub(crate) fn known(hub: &Hub, client: &str) -> Known {
    let request = HelloRequest { clients: vec![(ClientId::new(client), Known::default())], ..HelloRequest::default() };
    hub.hello("ada", &request).unwrap().clients[0].known
}

pub(crate) fn title(hub: &Hub, id: &str) -> Option<String> {
    let record = hub.record(&key(id)).unwrap()?;
    let family = sync_core::Family::Assign;
    let winner = record.get("title", &family)?.winner(&family)?;
    winner.value.as_string().map(|text| text.into_owned())
}

pub(crate) fn small_limits() -> Limits {
    Limits { batch_entries: 8, batch_bytes: 1 << 20, entry_bytes: 600, group_entries: 3, depth: 3, drift: 1_000 }
}
