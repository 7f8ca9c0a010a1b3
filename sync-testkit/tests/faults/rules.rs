//! What an action does.

use super::{NOON, fold, two_ours, two_theirs, write};
use crate::article::device::fields;
use crate::article::domain::{NoteAction, NotesState, apply_note_action, is_deleted};
use crate::ours;
use sync_core::{Action, ClientId, EntityKey, Entry, Op, Value};
use sync_testkit::history::Device as Author;

/// A payload is spread over the note: it may take another's id, and delete without a delete.
#[test]
fn fault_09_a_payload_overwrites_what_is_no_field() {
    let (mut a, _, mut server) = two_theirs();
    a.create("n", "mine");
    a.now += 1;
    let mut payload = fields(&[("id", "somebody else's")]);
    payload.insert("deleted".into(), true.into());
    a.update("n", payload);
    a.sync(&mut server);
    let note = &a.notes["n"];
    assert_eq!(note["id"], Value::from("somebody else's"));
    assert!(is_deleted(note));

    let mut author = Author::new(ClientId::new("a"), 0);
    let create = write(&mut author, NOON, Action::Create, "mine");
    let mut update = author.entry(NOON + 1, create.key.clone(), Action::Update);
    update.of = vec![create.dot().clone()].into();
    update.fields =
        vec![("deleted".into(), Op::Assign(true.into())), ("id".into(), Op::Assign("somebody else's".into()))];
    let folded = fold([&create, &update]);
    let (key, record) = folded.records().next().unwrap();
    assert_eq!((key, folded.records().count()), (&create.key, 1));
    assert!(record.is_alive(), "a field that is called `deleted` deletes nothing");
    // Nor does it when a replica shows it: the fields of the type are all that is read.
    let (a, b, _hub) = two_ours();
    a.create("n", "mine");
    let mut changes = sync_core::Fields::new();
    changes.insert("deleted", true.into());
    changes.insert("id", "somebody else's".into());
    // Whether that is refused or kept as unknown fields: the note stays what it is.
    let _ = a.replica.raw().edit("note", "n", &changes);
    a.sync();
    b.sync();
    let note = b.replica.get::<ours::Note>(&"n".into()).unwrap().unwrap();
    assert_eq!((note.id.to_string(), &*note.title), ("n".into(), "mine"));
}

/// Every action copies the whole state.
#[test]
fn fault_10_replay_is_quadratic() {
    let notes = 2_000;
    let began = std::time::Instant::now();
    let mut state = NotesState::new();
    let mut copied = 0;
    for n in 0..notes {
        copied += state.len();
        let action =
            NoteAction::Create { id: format!("{n:05}"), payload: fields(&[("title", "note")]), logical_time: n };
        state = apply_note_action(&state, &action);
    }
    let theirs = began.elapsed();
    assert_eq!((state.len(), copied), (2_000, 1_999_000), "{notes} notes were copied a thousand times each");

    let mut author = Author::new(ClientId::new("a"), 0);
    let entry = |n: u64| {
        let mut entry = author.entry(NOON, EntityKey::new("note", format!("{n:05}")), Action::Create);
        entry.fields = vec![("title".into(), Op::Assign("note".into()))];
        entry
    };
    let entries: Vec<Entry> = (0..notes).map(entry).collect();
    let began = std::time::Instant::now();
    let folded = fold(&entries);
    let in_order = began.elapsed();
    let began = std::time::Instant::now();
    let backwards = fold(entries.iter().rev());
    let in_no_order = began.elapsed();
    assert_eq!((folded.records().count(), &folded), (2_000, &backwards));
    for ours in [in_order, in_no_order] {
        assert!(ours * 3 < theirs, "{ours:?} is not much less than {theirs:?}");
    }
}
