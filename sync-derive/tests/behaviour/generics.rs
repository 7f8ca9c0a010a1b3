//! Generic structs: what is asked of a parameter is what the fields need.

use std::collections::BTreeSet;
use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use sync_core::{Entity, Id, Key, Syncable};

#[derive(Syncable)]
struct Document<T, K, const N: usize = 2>
where
    T: Clone,
{
    #[sync(id)]
    id: Id<Document<T, K, N>, K>,
    parent: Option<Id<Self, K>>,
    body: T,
    #[sync(merge = "set", default)]
    tags: BTreeSet<T>,
    #[sync(skip)]
    rows: [u8; 0],
    #[sync(skip)]
    marker: PhantomData<[K; N]>,
}

/// No serde, no default, nothing: what a parameter that no stored field holds may be.
#[derive(Debug, PartialEq)]
struct Nothing;

#[derive(Syncable, Debug, PartialEq)]
struct Tagged<T> {
    #[sync(id)]
    id: Id<Tagged<T>>,
    title: String,
    #[sync(skip)]
    tag: PhantomData<T>,
}

/// Only what is generic is bound: this struct itself is not serializable, and needs not be.
#[derive(Serialize, Deserialize, Debug, PartialEq)]
struct Pair<A, B>(A, B);

#[derive(Syncable, Debug, PartialEq)]
struct Holder<A, B> {
    #[sync(id)]
    id: Id<Self, u64>,
    pair: Pair<A, Vec<B>>,
    tuple: (A, [B; 2]),
    #[sync(default)]
    count: B,
}

fn round_trip<E: Entity>(entity: &E) -> E {
    E::from_fields(entity.id().clone(), &entity.to_fields().unwrap()).unwrap()
}

#[test]
fn generic_entities_go_and_come_back() {
    let document: Document<String, u64> = Document {
        id: Id::new(1),
        parent: Some(Id::new(0)),
        body: "text".into(),
        tags: ["a".to_owned()].into(),
        rows: [],
        marker: PhantomData,
    };
    let back = round_trip(&document);
    assert_eq!((back.id, back.parent, back.body), (document.id, document.parent, document.body));
    assert_eq!((back.tags, back.rows, back.marker), (document.tags, document.rows, document.marker));
    assert_eq!(<Document<String, u64>>::SCHEMA.name, "document");
    let tagged = Tagged::<Nothing> { id: Id::new(sync_core::Uuid::nil()), title: "t".into(), tag: PhantomData };
    assert_eq!(round_trip(&tagged), tagged);
    let holder =
        Holder { id: Id::new(1), pair: Pair("x".to_owned(), vec![1_u8]), tuple: ("y".to_owned(), [2, 3]), count: 7_u8 };
    assert_eq!(round_trip(&holder), holder);
}

/// The bounds suffice in generic code too.
#[expect(dead_code, reason = "that it compiles is the test")]
fn generic_code<K: Key>(document: &Document<u64, K>) -> &Id<Document<u64, K>, K> {
    document.id()
}
