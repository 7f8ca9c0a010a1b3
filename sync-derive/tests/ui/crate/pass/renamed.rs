//! sync-core by another name, and something else by its own.

extern crate core as sync_core;
extern crate sync_core as other;

mod deep {
    pub(crate) use other as again;
}

#[derive(other::Syncable)]
#[sync(crate = "other")]
struct Note {
    #[sync(id)]
    id: other::Id<Note>,
    title: String,
    #[sync(merge = "counter", default)]
    views: i64,
}

#[derive(other::Syncable)]
#[sync(crate = crate::deep::again)]
struct Deep {
    #[sync(id)]
    id: other::Id<Deep, u64>,
    #[sync(skip)]
    nothing: u8,
}

fn main() {
    use other::Entity;
    let note = Note { id: other::Id::new(other::Uuid::nil()), title: "t".to_owned(), views: 2 };
    let back = Note::from_fields(note.id, &note.to_fields().unwrap()).unwrap();
    assert_eq!((back.id, back.title, back.views), (note.id, note.title, 2));
    let deep = Deep::from_fields(other::Id::new(3), &other::Fields::new()).unwrap();
    assert_eq!((deep.id.key(), deep.nothing), (&3, 0));
}
