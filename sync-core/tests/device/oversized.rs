//! What was written before a device knew the limits of its hub and is more than that takes at once.

use std::sync::Arc;

use sync_core::transport::{Limits, PullRequest, PushReply, PushRequest};
use sync_core::{BoxFuture, Hub, InProcess, MemoryStore, Replica, Transport, TransportError};

use super::support::{Set, builder, hands_on, note, notes, run};

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

/// A way on which no push is answered, and that may get through all the same.
struct Unanswered {
    hub: InProcess,
    gets_through: bool,
}

impl Transport for Unanswered {
    hands_on!(hello, pull, snapshot, join, live);
    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            if self.gets_through {
                self.hub.push(request).await?;
            }
            Err(TransportError::Offline { message: "no answer".into() })
        })
    }
}

/// What was offered, and may have been accepted, is offered again as it was.
#[test]
fn what_was_offered_before_a_hub_took_less_is_in_the_way_of_nothing() {
    for (together, gets_through) in [(false, false), (false, true), (true, false), (true, true)] {
        let clock = Set::new();
        let store = Arc::new(MemoryStore::new());
        let hub = |limits| {
            let hub = Hub::builder().name("hub").clock(Arc::new(clock.clone())).limits(limits);
            hub.open(store.clone()).unwrap().transport("ada")
        };
        let replica = builder(&clock).open(MemoryStore::new()).unwrap();
        run(replica.sync(&hub(Limits::default()))).unwrap();
        let write = |tx: &mut sync_core::replica::Transaction<'_>| {
            (0..20).try_for_each(|n| tx.create(note(&n.to_string(), "T")).map(drop))
        };
        if together {
            replica.transaction(write).unwrap().wait().unwrap();
        } else {
            (0..20).for_each(|n| drop(replica.create(note(&n.to_string(), "T")).unwrap().wait().unwrap()));
        }
        let way = Unanswered { hub: hub(Limits::default()), gets_through };
        assert_eq!(run(replica.sync(&way)).unwrap_err().code(), "offline");
        replica.create(note("behind", "T")).unwrap().wait().unwrap();
        let less = hub(Limits { batch_entries: 10, group_entries: 10, ..Limits::default() });
        let report = run(replica.sync(&less)).unwrap();
        // Of what is not split the hub says that it is too much, and it is known not to be there.
        let refused = if together && !gets_through { 20 } else { 0 };
        assert_eq!((report.rejected, report.pending, report.forked), (refused, 0, false), "{together}, {gets_through}");
        assert!(replica.rejected().iter().all(|aside| aside.rejection.code == "too_large"));
        assert_eq!(notes(&replica).len() as u64, 21 - refused);
        let other = builder(&clock).open(MemoryStore::new()).unwrap();
        run(other.sync(&less)).unwrap();
        assert_eq!(notes(&other), notes(&replica));
    }
}
