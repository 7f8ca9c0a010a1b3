//! Fields that have no value yet, under every policy: the first one that is given is kept.
#![allow(clippy::unwrap_used, reason = "a failed test")]

use std::collections::BTreeSet;

use sync_core::{Id, MemoryStore, Replica, Syncable};

#[derive(Syncable, Debug, PartialEq, Clone)]
struct Sparse {
    #[sync(id)]
    id: Id<Sparse, u64>,
    plain: Option<String>,
    #[sync(merge = "first")]
    first: Option<String>,
    #[sync(merge = "min")]
    least: Option<i64>,
    #[sync(merge = "max")]
    most: Option<i64>,
    #[sync(merge = "set")]
    tags: BTreeSet<Option<u8>>,
}

fn empty() -> Sparse {
    Sparse { id: Id::new(1), plain: None, first: None, least: None, most: None, tags: BTreeSet::new() }
}

fn replica() -> (Replica, Id<Sparse, u64>) {
    let replica = Replica::builder().register::<Sparse>().threadless().open(MemoryStore::new()).unwrap();
    let id = replica.create(empty()).unwrap().wait().unwrap();
    (replica, id)
}

#[test]
fn what_is_given_first_is_kept() {
    let (replica, id) = replica();
    assert_eq!(replica.get(&id).unwrap(), Some(empty()));
    let full = Sparse {
        id,
        plain: Some("p".into()),
        first: Some("f".into()),
        least: Some(3),
        most: Some(-3),
        tags: [None, Some(1)].into(),
    };
    replica.edit(&id, |sparse| *sparse = full.clone()).unwrap().wait().unwrap();
    assert_eq!(replica.get(&id).unwrap(), Some(full.clone()));

    // A bound is moved one way; taking it away, or back, says nothing.
    let bound = |least, most| {
        replica.edit(&id, |sparse| (sparse.least, sparse.most) = (least, most)).unwrap().wait().unwrap();
        let sparse = replica.get(&id).unwrap().unwrap();
        (sparse.least, sparse.most)
    };
    assert_eq!(bound(Some(2), Some(-2)), (Some(2), Some(-2)));
    assert_eq!(bound(None, None), (Some(2), Some(-2)));
    assert_eq!(bound(Some(5), Some(-5)), (Some(2), Some(-2)));

    replica.edit(&id, |sparse| sparse.plain = None).unwrap().wait().unwrap();
    assert_eq!(replica.get(&id).unwrap().unwrap().plain, None, "a plain field can be cleared");
}
