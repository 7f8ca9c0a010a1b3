//! The article's devices and Rust replicas in one space, both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use sync_core::{Clock, Id, MemoryStore, Replica, Syncable};
use sync_http::HttpTransport;

use super::device::Device;
use super::domain::note;
use super::served::Served;
use super::{START, clock, tick};

#[derive(Syncable, Debug)]
#[sync(entity = "note")]
struct RustNote {
    #[sync(id)]
    id: Id<RustNote, String>,
    title: String,
    body: Option<String>,
    #[sync(default)]
    pinned: bool,
}

#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Clock for Hand {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn the_articles_devices_and_rust_replicas_converge_in_one_space() {
    let hub = Served::start(START).await;
    let now = clock();
    let hand = Hand(Arc::new(AtomicU64::new(START)));
    let mut device = Device::new("device-a", &hub.url, now.clone(), 1);
    let open = || Replica::builder().register::<RustNote>().clock(hand.clone()).open(MemoryStore::new()).unwrap();
    let (one, two) = (open(), open());
    let transport = HttpTransport::new(&hub.url).unwrap();

    let theirs = device.create_note("by the article", Some("body"));
    let new = RustNote { id: "ours".into(), title: "by Rust".into(), body: None, pinned: true };
    one.create(new).unwrap().wait().unwrap();
    device.run_sync_cycle().await.unwrap();
    one.sync(&transport).await.unwrap();
    device.run_sync_cycle().await.unwrap();
    assert_eq!(note(&device.notes, "ours")["title"], json!("by Rust"));

    // Each edits the other's note, one field each of one of them, and the device deletes a third one.
    tick(&now);
    device.update_note("ours", json!({ "title": "edited by the article" }));
    hand.0.store(START + 5, Ordering::Relaxed);
    let edit = one.edit(&theirs.as_str().into(), |note: &mut RustNote| note.body = Some("edited by Rust".into()));
    edit.unwrap().wait().unwrap();
    tick(&now);
    let gone = device.create_note("short-lived", None);
    tick(&now);
    device.delete_note(&gone);
    for _ in 0..2 {
        device.run_sync_cycle().await.unwrap();
        one.sync(&transport).await.unwrap();
        two.sync(&transport).await.unwrap();
    }
    for replica in [&one, &two] {
        let entities = replica.raw().list(Some("note")).map(|entity| entity.unwrap());
        let mut seen = 0;
        for entity in entities {
            seen += 1;
            let shown = note(&device.notes, &entity.key.id);
            assert_eq!(shown["deleted"], json!(entity.deleted), "{}", entity.key);
            assert_eq!(shown["updatedAt"], json!(entity.updated_at), "{}", entity.key);
            if !entity.deleted {
                let field = |name: &str| entity.fields.get(name).map_or("null".to_owned(), |value| value.to_string());
                assert_eq!(shown["title"].to_string(), field("title"));
                assert_eq!(shown["body"].to_string(), field("body"));
            }
        }
        assert_eq!(seen, 3);
        let edited: RustNote = replica.get(&"ours".into()).unwrap().unwrap();
        assert_eq!((&*edited.title, edited.pinned), ("edited by the article", true));
    }
}
