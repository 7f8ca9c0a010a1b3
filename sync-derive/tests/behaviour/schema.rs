//! `Entity::SCHEMA`.

use std::collections::BTreeSet;

use sync_core::{Entity, Id, Merge, Policy, Syncable, Tombstone, Value, Written};

use crate::names;

struct Longest;

impl Policy for Longest {
    fn name(&self) -> &'static str {
        "longest"
    }
    fn diff(&self, _before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
        Ok(Some(Written { operation: after.clone(), absorbs: true }))
    }
    fn value(&self, operations: &[&Value]) -> Option<Value> {
        operations.iter().max_by_key(|op| op.as_str().len()).map(|op| (*op).clone())
    }
}

const LONGEST: Longest = Longest;
static SHARED: Longest = Longest;

/// Doc comments of every kind,
#[doc = "as attributes too,"]
#[derive(Syncable)]
struct ShoppingItem {
    /// are not the macro's business,
    #[sync(id)]
    #[doc = "and neither is what else stands on a field."]
    id: Id<ShoppingItem>,
    title: String,
    #[sync(merge = "lww")]
    note: Option<String>,
    #[sync(merge = "first")]
    author: String,
    #[sync(merge = "max")]
    highest: f64,
    #[sync(merge = "min")]
    lowest: f64,
    #[sync(merge = "counter")]
    count: u32,
    #[sync(merge = "set")]
    tags: BTreeSet<String>,
    #[sync(merge = "LONGEST")]
    quoted: String,
    #[sync(merge = crate::schema::SHARED)]
    unquoted: String,
    #[sync(merge = Longest)]
    unit: String,
    #[sync(local)]
    scroll: u32,
    #[sync(local, merge = "lww")]
    cursor: u32,
    #[sync(skip)]
    #[expect(dead_code, reason = "a skipped field is never read")]
    cache: Vec<std::time::Duration>,
    #[cfg(test)]
    there: bool,
    #[cfg(not(test))]
    absent: NoSuchType,
}

#[test]
fn fields_stand_in_the_order_of_the_struct() {
    let expected = "title note author highest lowest count tags quoted unquoted unit scroll cursor there";
    assert_eq!(names::<ShoppingItem>(), expected.split(' ').collect::<Vec<_>>());
}

#[test]
fn each_field_has_its_policy() {
    let merges: Vec<String> = ShoppingItem::SCHEMA.fields.iter().map(|field| format!("{:?}", field.merge)).collect();
    let expected = "LastWriterWins LastWriterWins First Max Min Counter Set \
                    Own(longest) Own(longest) Own(longest) LastWriterWins LastWriterWins LastWriterWins";
    assert_eq!(merges, expected.split_whitespace().collect::<Vec<_>>());
    assert!(matches!(ShoppingItem::SCHEMA.fields[0].merge, Merge::LastWriterWins));
}

#[test]
fn local_fields_are_marked() {
    let local: Vec<&str> =
        ShoppingItem::SCHEMA.fields.iter().filter(|field| field.local).map(|field| field.name).collect();
    assert_eq!(local, ["scroll", "cursor"]);
}

#[test]
fn skipped_and_unconfigured_fields_are_not_stored() {
    assert!(!names::<ShoppingItem>().contains(&"cache"));
    assert!(!names::<ShoppingItem>().contains(&"absent"));
    assert!(!names::<ShoppingItem>().contains(&"id"));
}

#[derive(Syncable)]
#[sync(entity = "to-do")]
#[sync(tombstone = "last_writer_wins", rename_all = "camelCase")]
struct Task {
    #[sync(id)]
    id: Id<Self>,
    due_date: Option<String>,
    #[sync(rename = "state")]
    is_done: bool,
}

#[derive(Syncable)]
#[sync(tombstone = "delete_wins")]
struct Empty {
    #[sync(id)]
    id: Id<Empty>,
}

#[test]
fn entity_types_are_named_after_the_struct_or_as_they_say() {
    assert_eq!(ShoppingItem::SCHEMA.name, "shopping_item");
    assert_eq!(Task::SCHEMA.name, "to-do");
    assert_eq!(names::<Task>(), ["dueDate", "state"]);
}

#[test]
fn tombstone_policies_are_as_written() {
    assert_eq!(ShoppingItem::SCHEMA.tombstone, Tombstone::DeleteWins);
    assert_eq!(Task::SCHEMA.tombstone, Tombstone::LastWriterWins);
    assert_eq!(Empty::SCHEMA.tombstone, Tombstone::DeleteWins);
}

#[test]
fn an_entity_may_have_nothing_but_an_id() {
    let empty = Empty { id: Id::new(sync_core::Uuid::from_u128(7)) };
    let fields = empty.to_fields().unwrap();
    assert_eq!(fields.iter().count(), 0);
    assert_eq!(Empty::from_fields(empty.id, &fields).unwrap().id, empty.id);
}

/// What `merge = "max"` and `merge = "min"` take, a parameter too.
#[derive(Syncable)]
struct Bounds<T> {
    #[sync(id)]
    id: Id<Bounds<T>>,
    #[sync(merge = "max")]
    parameter: T,
    #[sync(merge = "min")]
    text: Option<std::sync::Arc<str>>,
    #[sync(merge = "max")]
    letter: char,
    #[sync(merge = "min")]
    owned: std::borrow::Cow<'static, str>,
}

#[test]
fn bounds_are_ordered_as_they_are_stored() {
    let stored = |parameter: i64, text: Option<&str>, letter: char, owned: &'static str| {
        let text = text.map(Into::into);
        Bounds { id: Id::new(sync_core::Uuid::nil()), parameter, text, letter, owned: owned.into() }
            .to_fields()
            .unwrap()
    };
    let lesser = stored(9, None, 'z', "Z");
    let greater = stored(10, Some("a"), 'ä', "a");
    for name in ["parameter", "text", "letter", "owned"] {
        assert!(lesser.get(name) < greater.get(name), "{name}");
    }
}
