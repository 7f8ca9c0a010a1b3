//! What is refused at the call leaves nothing behind.

use std::sync::Arc;

use sync_core::{Entity, Error, Fields, Id, MemoryStore, Replica, Syncable, Value};

use super::support::Set;

#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "memo")]
struct Old {
    #[sync(id)]
    id: Id<Old, String>,
    title: String,
    #[sync(local)]
    width: u32,
}

#[derive(Syncable, Debug, PartialEq, Clone)]
#[sync(entity = "memo")]
struct Memo {
    #[sync(id)]
    id: Id<Memo, String>,
    #[sync(alias = "title", alias = "name")]
    heading: String,
    #[sync(merge = "first", default)]
    serial: Option<String>,
    #[sync(local, default)]
    scroll: u32,
}

fn open<T: Entity>(store: Arc<MemoryStore>) -> Replica {
    Replica::builder().register::<T>().clock(Set::new()).threadless().open(store).unwrap()
}

fn fields(of: &[(&'static str, &str)]) -> Fields {
    let mut fields = Fields::new();
    of.iter().for_each(|(name, value)| fields.insert(*name, Value::from(*value)));
    fields
}

/// The field that is at fault.
fn at_fault<T: std::fmt::Debug>(refused: Result<T, Error>) -> String {
    match refused {
        Err(Error::Invalid { field: Some(field), .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_field_that_the_type_does_not_have_is_refused_by_name() {
    let store = Arc::new(MemoryStore::new());
    let old = open::<Old>(store.clone());
    old.create(Old { id: "m".into(), title: "of the old program".into(), width: 80 }).unwrap().wait().unwrap();
    drop(old);
    let replica = open::<Memo>(store);
    let raw = replica.raw();
    let wrong = fields(&[("heading", "x"), ("titel", "x")]);
    assert_eq!(at_fault(raw.edit("memo", "m", &wrong)), "titel");
    assert_eq!(at_fault(raw.create("memo", "n", &wrong)), "titel");
    assert_eq!(at_fault(raw.edit("memo", "m", &fields(&[("id", "x")]))), "id", "which is none of the fields");
    for both in [[("heading", "x"), ("title", "y")], [("name", "x"), ("title", "y")]] {
        assert_eq!(at_fault(raw.edit("memo", "m", &fields(&both))), "title");
        assert_eq!(at_fault(raw.create("memo", "n", &fields(&both))), "title");
    }
    assert_eq!(replica.status().pending, 1, "nothing of that was written");
    // What a field was called before is that field.
    raw.edit("memo", "m", &fields(&[("title", "by its former name")])).unwrap().wait().unwrap();
    raw.create("memo", "n", &fields(&[("name", "by one before that")])).unwrap().wait().unwrap();
    let headings: Vec<String> = replica.list::<Memo>().unwrap().map(|memo| memo.unwrap().heading).collect();
    assert_eq!(headings, ["by its former name", "by one before that"]);
    assert!(replica.conflicts::<Memo>().unwrap().is_empty());
    // Fields that never leave the device are fields too, and what is shown can be changed and given back as a whole.
    let mut scrolled = raw.get("memo", "m").unwrap().unwrap().fields;
    scrolled.insert("scroll", Value::from(7_i64));
    raw.edit("memo", "m", &scrolled).unwrap().wait().unwrap();
    assert_eq!(replica.get::<Memo>(&"m".into()).unwrap().unwrap().scroll, 7);
}
