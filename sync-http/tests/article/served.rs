//! A hub over HTTP, and what it shows.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_core::{Clock, EntityKey, Family, Hub, Life, MemoryStore, Verdict};
use sync_http::server::{HubService, ServeOptions, serve};
use sync_http::wire::actions::read_push;
use tokio::net::TcpListener;

use super::contracts::Note;

struct Stopped(u64);

impl Clock for Stopped {
    fn now(&self) -> u64 {
        self.0
    }
}

/// A hub on a free port, for as long as the test runs.
pub(crate) struct Served {
    pub(crate) hub: Hub,
    pub(crate) url: String,
}

impl Served {
    pub(crate) async fn start(now: u64) -> Self {
        let hub = Hub::builder().clock(Arc::new(Stopped(now))).open(MemoryStore::new()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let service = HubService::for_hub(hub.clone());
        tokio::spawn(serve(listener, service, std::future::pending(), ServeOptions::default()));
        Self { hub, url }
    }

    /// Pushes actions of version 1.
    pub(crate) fn push(&self, actions: &[String]) {
        let body = format!(r#"{{"actions":[{}]}}"#, actions.join(","));
        let pushed = read_push(body.as_bytes(), &self.hub.limits()).unwrap();
        let reply = self.hub.push("rust", None, pushed.offers).unwrap();
        assert!(reply.verdicts.iter().all(|(_, verdict)| matches!(verdict, Verdict::Accepted { .. })), "{reply:?}");
    }
}

/// A note as the hub has it, in the article's shape.
pub(crate) fn shown(hub: &Hub, id: &str) -> Note {
    let record = hub.record(&EntityKey::new("note", id)).unwrap().expect("the hub has the note");
    let (deleted, updated_at) = match record.life() {
        Life::Alive { updated_at } => (false, updated_at),
        Life::Deleted { updated_at } => (true, updated_at),
        other => panic!("{other:?}"),
    };
    let mut note = Note::new();
    note.insert("id".into(), json!(id));
    note.insert("deleted".into(), json!(deleted));
    note.insert("updatedAt".into(), json!(updated_at));
    for (name, family, register) in record.registers() {
        assert_eq!(*family, Family::Assign);
        let winner = register.winner(family).expect("something was assigned");
        note.insert(name.to_string(), serde_json::from_str::<Value>(winner.value.as_str()).unwrap());
    }
    note
}
