//! What was written before a device knew the limits of its hub and is more than that takes at once.

use std::sync::Arc;

use sync_core::transport::{Limits, PullRequest};
use sync_core::{Hub, MemoryStore, Replica};

use super::support::{Set, builder, note, notes, run};

const TEXT: usize = 1_000;

/// Notes, and between them a transaction of five, one whose notes have much text, and a note that has more still; the
/// first of each is edited later.
fn written(clock: &Set) -> Replica {
    let replica = builder(clock).open(MemoryStore::new()).unwrap();
    let together = |ids: &[&str], text: usize| {
        let all = |tx: &mut sync_core::replica::Transaction<'_>| {
            ids.iter().try_for_each(|id| tx.create(note(id, &"x".repeat(text))).map(drop))
        };
        replica.transaction(all).unwrap().wait().unwrap();
    };
    let edit = |id: &str| {
        let more = replica.edit(&id.into(), |note: &mut super::support::Note| note.views += 1);
        more.unwrap().wait().unwrap();
    };
    for (ids, text) in [
        (&["a"][..], 1),
        (&["b1", "b2", "b3", "b4", "b5"], 1),
        (&["c"], 1),
        (&["d1", "d2", "d3"], TEXT),
        (&["e"], 1),
        (&["f"], 3 * TEXT),
        (&["g"], 1),
    ] {
        together(ids, text);
    }
    ["a", "b1", "d3", "f", "g"].into_iter().for_each(edit);
    replica
}

/// It is refused as a whole, with what stands on it, and all that comes before, between and behind gets through.
#[test]
fn what_is_too_much_at_once_is_set_aside_and_holds_up_nothing() {
    let all = ["a", "b1", "b2", "b3", "b4", "b5", "c", "d1", "d2", "d3", "e", "f", "g"];
    let bytes = 2 * TEXT as u64 + 800;
    for (limits, refused, code, words) in [
        (
            Limits { batch_entries: 4, ..Limits::default() },
            "b",
            "too_large",
            "5 entries in one transaction; the hub takes 4",
        ),
        // As much at once it takes, but not together.
        (
            Limits { group_entries: 4, ..Limits::default() },
            "b",
            "too_large",
            "5 entries in one transaction; the hub takes 4",
        ),
        (Limits { batch_bytes: bytes, ..Limits::default() }, "df", "too_large", "the hub takes 2800"),
        (Limits { batch_bytes: bytes, batch_entries: 4, ..Limits::default() }, "bdf", "too_large", "the hub takes"),
    ] {
        let clock = Set::new();
        let hub = Hub::builder().clock(Arc::new(clock.clone())).limits(limits).open(MemoryStore::new()).unwrap();
        let replica = written(&clock);
        let is_refused = |id: &str| refused.contains(&id[..1]);
        let gets_through: Vec<&str> = all.into_iter().filter(|id| !is_refused(id)).collect();
        let report = run(replica.sync(&hub.transport("ada"))).unwrap();
        let aside = replica.rejected();
        let edited = ["a", "b1", "d3", "f", "g"];
        let count = |ids: &[&str], refused: bool| ids.iter().filter(|id| is_refused(id) == refused).count() as u64;
        let expected = (count(&all, false) + count(&edited, false), count(&all, true) + count(&edited, true), 0);
        assert_eq!((report.uploaded, report.rejected, report.pending), expected, "{refused}");
        assert_eq!(aside.len() as u64, report.rejected);
        for one in &aside {
            assert!(is_refused(&one.entry.key.id), "{}", one.entry.key);
            let creates = one.entry.action == sync_core::Action::Create;
            assert_eq!(one.rejection.code == code, creates, "{:?}", one.rejection);
            assert!(!creates || one.rejection.message.contains(words), "{:?}", one.rejection);
        }
        let shown = notes(&replica);
        assert_eq!(shown.iter().map(|note| note.id.key().as_str()).collect::<Vec<_>>(), gets_through);
        let page = hub.pull(&PullRequest { limit: 100, ..PullRequest::default() }).unwrap();
        assert_eq!(page.entries.len() as u64, report.uploaded);
        // It is settled: the next sync has nothing to do.
        let report = run(replica.sync(&hub.transport("ada"))).unwrap();
        assert_eq!((report.uploaded, report.rejected), (0, 0));
    }
}
