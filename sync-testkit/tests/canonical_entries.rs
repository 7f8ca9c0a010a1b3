//! Every entry that a replica writes reads back from its JSON as it is: its hash is the same on every machine.
#![allow(clippy::unwrap_used, reason = "a failed test")]

mod ours;

use std::collections::BTreeSet;

use ours::{Set, run, seeded};
use sync_core::transport::PullRequest;
use sync_core::{Cursor, Entity, Hub, Id, MemoryStore, Replica, Syncable};
use sync_testkit::rng::Rng;

#[derive(Syncable, Debug, Clone)]
#[sync(entity = "thing")]
struct Old {
    #[sync(id)]
    id: Id<Old, String>,
    #[sync(default)]
    alpha: String,
    #[sync(merge = "set", default)]
    labels: BTreeSet<String>,
}

/// The same, later: what was called `alpha` is now the last in the order of the names.
#[derive(Syncable, Debug, Clone)]
#[sync(entity = "thing")]
struct New {
    #[sync(id)]
    id: Id<New, String>,
    #[sync(alias = "alpha", default)]
    zulu: String,
    #[sync(merge = "set", alias = "labels", default)]
    kinds: BTreeSet<String>,
    #[sync(merge = "counter", default)]
    views: i64,
}

/// Two replicas of the older program and two of the newer one.
fn replicas(seed: u64) -> Vec<Replica> {
    let builder =
        |at: u64| Replica::builder().clock(Set::at(1_800_000_000_000)).random(seeded(seed * 10 + at)).threadless();
    let open = |at: u64| if at < 2 { builder(at).register::<Old>() } else { builder(at).register::<New>() };
    (0..4).map(|at| open(at).open(MemoryStore::new()).unwrap()).collect()
}

fn write<T: Entity<Key = String>>(
    replica: &Replica,
    rng: &mut Rng,
    new: impl Fn(&str) -> T,
    edit: impl Fn(&mut T, &str, bool),
) {
    let id = format!("t{}", rng.below(2));
    let (value, add) = (*rng.pick(&["x", "y", "1", "{}"]), rng.percent(50));
    let id: Id<T, String> = Id::new(id);
    if replica.get::<T>(&id).unwrap().is_some() {
        if rng.percent(10) {
            drop(replica.delete(&id).unwrap());
        } else {
            drop(replica.edit(&id, |thing| edit(thing, value, add)).unwrap());
        }
    } else if let Err(_there) = replica.create(new(id.key())).map(drop) {
        drop(replica.restore(&id).unwrap());
    }
    let conflicts = replica.conflicts::<T>().unwrap();
    if let (Some(conflict), true) = (conflicts.first(), rng.percent(60)) {
        let settled = if add { replica.take(&conflict.raw, 0) } else { replica.keep(&conflict.raw) };
        drop(settled.unwrap());
    }
}

fn set(set: &mut BTreeSet<String>, value: &str, add: bool) {
    if add {
        set.insert(value.to_owned());
    } else {
        set.remove(value);
    }
}

#[test]
fn whatever_is_written_is_canonical_and_ends_alike() {
    let mut settled = 0;
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let clock = std::sync::Arc::new(Set::at(1_800_000_000_000));
        let hub = Hub::builder().clock(clock).open(MemoryStore::new()).unwrap();
        let replicas = replicas(seed);
        let sync = |replica: &Replica| run(replica.sync(&hub.transport("ada"))).unwrap();
        for _ in 0..60 {
            let at = rng.below(4);
            let replica = &replicas[at];
            if rng.percent(25) {
                assert!(!sync(replica).forked, "seed {seed}");
            } else if at < 2 {
                let old = |id: &str| Old { id: id.into(), alpha: "new".into(), labels: BTreeSet::new() };
                write::<Old>(replica, &mut rng, old, |old, value, add| {
                    old.alpha = value.into();
                    set(&mut old.labels, value, add);
                });
            } else {
                let new = |id: &str| New { id: id.into(), zulu: "new".into(), kinds: BTreeSet::new(), views: 0 };
                write::<New>(replica, &mut rng, new, |new, value, add| {
                    new.zulu = value.into();
                    new.views += 1;
                    set(&mut new.kinds, value, add);
                });
            }
        }
        replicas.iter().chain(&replicas).for_each(|replica| assert!(sync(replica).rejected == 0));
        let records = |replica: &Replica| {
            let keys = replica.raw().list(None).map(|entity| entity.unwrap().key);
            keys.map(|key| (key.clone(), replica.raw().record(&key).unwrap().encode())).collect::<Vec<_>>()
        };
        for replica in &replicas {
            assert!(replica.verify().unwrap().is_sound(), "seed {seed}");
            assert_eq!(records(replica), records(&replicas[0]), "seed {seed}");
        }
        let request = PullRequest { since: Cursor::default(), limit: 10_000, ..PullRequest::default() };
        for (_, entry) in hub.pull(&request).unwrap().entries {
            assert!(entry.is_canonical(), "seed {seed}: {}", entry.to_json(None));
            settled += u32::from(entry.replaces.len() > 1);
        }
    }
    assert!(settled > 20, "entries that replace under several names occur, not {settled} times");
}
