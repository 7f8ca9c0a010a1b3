//! The article's devices and Rust replicas in one space, both ways.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use sync_core::{Clock, Id, MemoryStore, Replica, Syncable};
use sync_http::HttpTransport;

use super::device::{Device, Now};
use super::domain::note;
use super::served::Served;
use super::{START, clock, tick};
use sync_testkit::rng::Rng;

#[derive(Syncable, Debug)]
#[sync(entity = "note")]
struct RustNote {
    #[sync(id)]
    id: Id<RustNote, String>,
    title: String,
    body: Option<String>,
    #[sync(default)]
    pinned: bool,
    /// The article has no word for what is written here.
    #[sync(merge = "counter", default)]
    views: i64,
}

fn new_note(id: &str, title: &str) -> RustNote {
    RustNote { id: id.into(), title: title.into(), body: None, pinned: false, views: 0 }
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
    one.create(RustNote { pinned: true, ..new_note("ours", "by Rust") }).unwrap().wait().unwrap();
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
        assert_eq!(shows_the_same(replica, &device), 3);
        let edited: RustNote = replica.get(&"ours".into()).unwrap().unwrap();
        assert_eq!((&*edited.title, edited.pinned), ("edited by the article", true));
        // Who wrote over something had seen it, on either side.
        assert!(replica.conflicts::<RustNote>().unwrap().is_empty());
    }
}

/// The replica shows what the device does, of every note; how many there are.
#[track_caller]
fn shows_the_same(replica: &Replica, device: &Device) -> usize {
    let entities: Vec<_> = replica.raw().list(Some("note")).map(|entity| entity.unwrap()).collect();
    assert_eq!(entities.len(), device.notes.len());
    for entity in &entities {
        let shown = note(&device.notes, &entity.key.id);
        assert_eq!(shown["deleted"], json!(entity.deleted), "{}", entity.key);
        assert_eq!(shown["updatedAt"], json!(entity.updated_at), "{}", entity.key);
        // Of a deleted note it keeps for a restore what the article passes over.
        for name in ["title", "body"].iter().filter(|_| !entity.deleted) {
            let here = entity.fields.get(name).map_or("null".to_owned(), |value| value.to_string());
            let there = shown.get(*name).map_or("null".to_owned(), |value| value.to_string());
            assert_eq!(here, there, "{} of {}", name, entity.key);
        }
    }
    entities.len()
}

/// One history of two of the article's devices and two replicas, from a seed. `skew` is how far their clocks are apart.
async fn history(seed: u64, skew: u64) {
    let mut rng = Rng::new(seed);
    let hub = Served::start(START).await;
    let clocks: Vec<Now> = (0..2).map(|_| clock()).collect();
    let hands: Vec<Hand> = (0..2).map(|_| Hand(Arc::new(AtomicU64::new(START)))).collect();
    let new_device =
        |(at, now): (usize, &Now)| Device::new(&format!("device-{at}"), &hub.url, now.clone(), seed * 10 + at as u64);
    let mut devices: Vec<Device> = clocks.iter().enumerate().map(new_device).collect();
    let open = |hand: &Hand| {
        let builder = Replica::builder().register::<RustNote>().clock(hand.clone());
        builder.open(MemoryStore::new()).unwrap()
    };
    let replicas: Vec<Replica> = hands.iter().map(open).collect();
    let transport = HttpTransport::new(&hub.url).unwrap();
    let mut time = START;
    for step in 0..80 {
        let at = rng.below(2);
        // One time for all, on clocks that differ; no two writes at once.
        time += 1 + rng.below(3) as u64;
        clocks[at].set(time + skew * at as u64);
        hands[at].0.store(time + skew * (2 + at as u64), Ordering::Relaxed);
        if rng.percent(50) {
            by_the_article(&mut devices[at], &mut rng, step).await;
        } else {
            by_rust(&replicas[at], &transport, &mut rng, step).await;
        }
    }
    for _ in 0..3 {
        for device in &mut devices {
            device.run_sync_cycle().await.unwrap();
        }
        for replica in &replicas {
            replica.sync(&transport).await.unwrap();
        }
    }
    assert_eq!(devices[0].notes, devices[1].notes, "seed {seed}");
    let shown = |replica: &Replica| -> Vec<String> {
        let all = replica.raw().list(None).map(|entity| format!("{:?}", entity.unwrap()));
        all.collect()
    };
    assert_eq!(shown(&replicas[0]), shown(&replicas[1]), "seed {seed}");
    for replica in &replicas {
        assert_eq!((replica.status().pending, replica.status().rejected), (0, 0), "seed {seed}");
        assert!(replica.verify().unwrap().is_sound());
        if skew == 0 {
            shows_the_same(replica, &devices[0]);
        }
    }
}

async fn by_the_article(device: &mut Device, rng: &mut Rng, step: usize) {
    let notes: Vec<String> = device.notes.keys().cloned().collect();
    match rng.below(10) {
        0 | 1 => drop(device.create_note(&format!("title {step}"), rng.percent(50).then_some("body"))),
        2..=5 if !notes.is_empty() => {
            let field = if rng.percent(50) { "title" } else { "body" };
            device.update_note(rng.pick::<String>(&notes), json!({ field: format!("{field} {step}") }));
        }
        6 if !notes.is_empty() => device.delete_note(rng.pick::<String>(&notes)),
        7 => {
            // The reply is lost.
            let before = device.wal_store.clone();
            device.upload_pending_actions().await.unwrap();
            device.wal_store = before;
        }
        _ => device.run_sync_cycle().await.unwrap(),
    }
}

async fn by_rust(replica: &Replica, transport: &HttpTransport, rng: &mut Rng, step: usize) {
    let ids: Vec<Id<RustNote, String>> = replica.list::<RustNote>().unwrap().map(|note| note.unwrap().id).collect();
    let written = match rng.below(10) {
        0 | 1 => {
            let new = new_note(&format!("rust-{step}"), &format!("title {step}"));
            return drop(replica.create(new).unwrap().wait().unwrap());
        }
        2..=5 if !ids.is_empty() => replica.edit(rng.pick(&ids), |note: &mut RustNote| match step % 4 {
            0 => note.title = format!("title {step}"),
            1 => note.body = Some(format!("body {step}")),
            2 => note.body = None,
            _ => note.views += 1,
        }),
        6 if !ids.is_empty() => replica.delete(rng.pick(&ids)),
        _ => {
            replica.sync(transport).await.unwrap();
            return;
        }
    };
    written.unwrap().wait().unwrap();
}

#[tokio::test]
async fn random_histories_converge_and_both_show_the_same() {
    for seed in 0..25 {
        history(seed, 0).await;
    }
}

#[tokio::test]
async fn random_histories_converge_whatever_the_clocks_say() {
    for seed in 100..110 {
        history(seed, 7_000).await;
    }
}
