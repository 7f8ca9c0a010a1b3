//! A field that is written once and has a default: what is shown before it is written is not written.

use sync_core::{Id, MemoryStore, Replica, Syncable};

#[derive(Syncable, Debug, PartialEq)]
struct Parcel {
    #[sync(id)]
    id: Id<Parcel, String>,
    weight: u32,
    #[sync(merge = "first", default = "nobody", alias = "courier")]
    carrier: String,
}

fn nobody() -> String {
    "nobody".to_owned()
}

mod before {
    use super::{Id, Syncable};

    #[derive(Syncable)]
    #[sync(entity = "parcel")]
    pub(super) struct Parcel {
        #[sync(id)]
        pub(super) id: Id<Parcel, String>,
        pub(super) weight: u32,
    }
}

#[test]
fn a_default_is_shown_until_the_field_is_written_once() {
    let store = std::sync::Arc::new(MemoryStore::new());
    let old = Replica::builder().register::<before::Parcel>().threadless().open(store.clone()).unwrap();
    old.create(before::Parcel { id: "p".into(), weight: 1 }).unwrap().wait().unwrap();
    drop(old);
    let replica = Replica::builder().register::<Parcel>().threadless().open(store).unwrap();
    let id: Id<Parcel, String> = "p".into();
    let edit = |f: fn(&mut Parcel)| replica.edit(&id, f).and_then(|commit| commit.wait());
    let stored = || replica.raw().get("parcel", "p").unwrap().unwrap().fields.get("carrier").cloned();
    edit(|parcel| parcel.weight = 2).unwrap();
    assert_eq!(stored(), None, "an edit of another field does not write the default");
    edit(|parcel| parcel.carrier = "ana".into()).unwrap();
    assert_eq!(replica.get(&id).unwrap().unwrap().carrier, "ana");
    assert_eq!(edit(|parcel| parcel.carrier = "ben".into()).unwrap_err().code(), "invalid");
    assert_eq!(edit(|parcel| parcel.carrier = nobody()).unwrap_err().code(), "invalid");
    edit(|parcel| parcel.weight = 3).unwrap();
    assert_eq!(replica.get(&id).unwrap().unwrap(), Parcel { id: id.clone(), weight: 3, carrier: "ana".into() });
}
