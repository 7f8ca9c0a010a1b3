//! Opening hubs and spaces, checks of their operators, and waiting for the log to grow.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use super::support::*;
use sync_core::hub::Proposed;
use sync_core::transport::compact::{self, PackedPage};
use sync_core::transport::{Limits, PullRequest, PushRequest, Rejection, Transport};
use sync_core::{Fields, Hub, Id, MemoryStore, Offer, Op, Spaces, Store, StoreError, Syncable, Validate, Value};

#[test]
fn a_store_belongs_to_one_hub_and_space() {
    let store = Arc::new(MemoryStore::new());
    let hub = builder().space("team").open(store.clone()).unwrap();
    assert_eq!((hub.name(), hub.space(), hub.default_type()), ("hub", "team", "note"));
    for wrong in [builder().name("other"), builder().space("other")] {
        assert_eq!(wrong.open(store.clone()).unwrap_err().code(), "config");
    }
    hub.checkpoint().unwrap();
    let unnamed = Hub::builder().open(store).unwrap();
    assert_eq!((unnamed.name(), unnamed.space()), ("hub", "team"));
    let made = |store: &Arc<MemoryStore>| Hub::builder().open(store.clone()).unwrap().name().to_owned();
    let store = Arc::new(MemoryStore::new());
    assert_eq!(made(&store), made(&store), "a name that was made stays");
    assert_ne!(made(&store), made(&Arc::new(MemoryStore::new())));
}

#[test]
fn limits_within_which_nothing_syncs_are_refused() {
    let limits = Limits::default;
    let deep = |depth| builder().limits(Limits { depth, ..limits() }).open(MemoryStore::new());
    let refused = [
        ("depth", deep(129)),
        ("batch_entries", builder().limits(Limits { batch_entries: 0, ..limits() }).open(MemoryStore::new())),
        ("batch_bytes", builder().limits(Limits { batch_bytes: 0, ..limits() }).open(MemoryStore::new())),
        ("entry_bytes", builder().limits(Limits { entry_bytes: 0, ..limits() }).open(MemoryStore::new())),
        ("group_entries", builder().limits(Limits { group_entries: 0, ..limits() }).open(MemoryStore::new())),
    ];
    for (name, hub) in refused {
        let error = hub.expect_err(name);
        assert_eq!(error.code(), "config");
        assert!(error.to_string().contains(name), "{error}");
    }
    // What the deepest hub accepts a device reads.
    let hub = deep(128).unwrap();
    let mut create = Client::new("a").create("1", "one");
    let nested = format!("{}{}", "[".repeat(128), "]".repeat(128));
    create.fields = vec![("title".into(), Op::Assign(Value::parse(&nested).unwrap()))];
    assert_eq!(push_words(&hub, &[create]), "1");
    let page = hub.pull_packed(&PullRequest { limit: 10, ..PullRequest::default() }).unwrap();
    let read = compact::read_page(&[page.encode(), PackedPage::encode_time(0)].concat()).unwrap();
    assert_eq!(read.entries.len(), 1);
}

#[test]
fn spaces_are_opened_once_and_keep_apart() {
    let opened = Arc::new(Mutex::new(Vec::new()));
    let names = opened.clone();
    let spaces = Spaces::new(builder(), move |name| {
        if name == "closed" {
            return Err(StoreError::Locked { what: name.to_owned() });
        }
        names.lock().unwrap().push(name.to_owned());
        Ok(Arc::new(MemoryStore::new()) as Arc<dyn Store>)
    });
    let (red, blue) = (spaces.get("red").unwrap(), spaces.get("blue").unwrap());
    assert_eq!(push_words(&red, &[Client::new("a").create("x", "one")]), "1");
    assert_eq!(blue.head().seq, 0);
    assert_eq!(spaces.get("red").unwrap().head().seq, 1);
    assert_eq!(*opened.lock().unwrap(), ["red", "blue"]);
    assert_eq!(spaces.get("closed").unwrap_err().code(), "store_locked");
    assert_eq!(spaces.opened().iter().map(Hub::space).collect::<Vec<_>>(), ["blue", "red"]);
    let single = Spaces::single(red);
    assert_eq!(single.get("red").unwrap().head().seq, 1);
    assert_eq!(single.get("blue").unwrap_err().code(), "config");
}

#[test]
fn a_space_whose_store_failed_is_opened_again() {
    let store = Arc::new(MemoryStore::new());
    let kept = store.clone();
    let spaces = Spaces::new(builder(), move |_| {
        Ok(Arc::new(super::shared::Failing { store: kept.clone(), left: AtomicUsize::new(2), write_first: false }))
    });
    let mut a = Client::new("a");
    let (one, two) = (a.create("1", "one"), a.create("2", "two"));
    let hub = spaces.get("team").unwrap();
    assert_eq!(push_words(&hub, &[one]), "1");
    assert!(!hub.has_failed());
    assert_eq!(push_words(&hub, std::slice::from_ref(&two)), "error hub");
    assert!(hub.has_failed());
    assert_eq!(push_words(&spaces.get("team").unwrap(), &[two]), "2");
}

#[test]
fn a_space_that_opens_slowly_stands_in_nobodys_way() {
    let (told, opening) = mpsc::channel();
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let spaces = Spaces::new(builder(), move |name| {
        if name == "slow" {
            told.send(()).unwrap();
            waits.lock().unwrap().recv().unwrap();
        }
        Ok(Arc::new(MemoryStore::new()) as Arc<dyn Store>)
    });
    let slow = spaces.clone();
    let slow = thread::spawn(move || slow.get("slow").unwrap().space().to_owned());
    opening.recv().unwrap();
    let (others, seen) = (spaces.clone(), mpsc::channel());
    thread::spawn(move || {
        let names = |hubs: Vec<Hub>| hubs.iter().map(|hub| hub.space().to_owned()).collect::<Vec<_>>();
        let hub = others.get("quick").unwrap();
        let found = others.get_open("quick").is_some() && others.get_open("slow").is_none();
        seen.0.send((hub.space().to_owned(), names(others.opened()), found)).unwrap();
    });
    let quick = seen.1.recv_timeout(Duration::from_secs(10)).expect("nobody waits for another space");
    assert_eq!(quick, ("quick".to_owned(), vec!["quick".to_owned()], true));
    go_on.send(()).unwrap();
    assert_eq!(slow.join().unwrap(), "slow");
    assert_eq!(spaces.opened().len(), 2);
}

#[test]
fn one_space_that_failed_and_stays_so_is_told_of() {
    let failing =
        super::shared::Failing { store: Arc::new(MemoryStore::new()), left: AtomicUsize::new(1), write_first: false };
    let spaces = Spaces::single(open(failing));
    spaces.reopen_failed().unwrap();
    assert_eq!(push_words(&spaces.opened()[0], &[Client::new("a").create("1", "one")]), "error hub");
    assert_eq!(spaces.reopen_failed().unwrap_err().code(), "store_io");
}

#[derive(Syncable, Debug, PartialEq)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
}

#[test]
fn a_typed_check_sees_the_entity_before_and_after() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let calls = seen.clone();
    let hub = builder().validate_entity::<Note>(move |principal, before, after| {
        let title = |note: Option<&Note>| note.map_or("-".to_owned(), |note| note.title.clone());
        calls.lock().unwrap().push(format!("{principal}: {} > {}", title(before), title(after)));
        match after {
            Some(note) if note.title.is_empty() => Err("a note needs a title".to_owned()),
            _ => Ok(()),
        }
    });
    let hub = hub.open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    let create = a.create("x", "one");
    let dot = create.dot().clone();
    assert_eq!(push_words(&hub, &[create]), "1");
    hub.checkpoint().unwrap();
    let mut empty = a.update("x", &dot, "");
    empty.replaces = vec![("title".into(), [dot.clone()].into())];
    let reply = push(&hub, &[empty]).unwrap();
    let expected = Rejection { code: "invalid".into(), message: "a note needs a title".into(), field: None };
    assert_eq!(reply.verdicts[0].1, sync_core::Verdict::Rejected(expected));
    a.next -= 1;
    let delete = a.delete("x", &dot);
    assert_eq!(push_words(&hub, &[delete]), "2");
    let calls = seen.lock().unwrap().split_off(0);
    assert_eq!(calls, ["ada: - > one", "ada: one > ", "ada: one > -"]);
    // What does not fit the type is not asked about.
    let mut untitled = a.create("y", "two");
    untitled.fields[0].1 = sync_core::Op::Assign(7_i64.into());
    assert_eq!(push_words(&hub, &[untitled.clone()]), "!invalid");
    untitled.key.entity_type = "other".into();
    assert_eq!(push_words(&hub, &[untitled]), "3", "nor about other types");
    assert_eq!(
        words(
            hub.push_foreign(
                "eve",
                offers(&[foreign("p", "1", sync_core::Action::Create, "z", NOW, &[("title", "")])])
            )
        ),
        "!invalid"
    );
    let _ = Fields::new();
}

#[test]
fn a_transaction_is_checked_as_a_whole() {
    /// Of `l` and `r` both are there or none.
    struct Pairs;
    impl Validate for Pairs {
        fn validate(&self, change: &Proposed<'_>) -> Result<(), Rejection> {
            let views = |record: &sync_core::Record| {
                record.get("title", &sync_core::Family::Assign).map_or(0, |r| r.siblings().len())
            };
            if views(change.before) + 2 == views(change.after) {
                return Ok(());
            }
            Err(Rejection { code: "odd".into(), message: change.key.to_string(), field: None })
        }
    }
    let hub = builder().validate(Arc::new(Pairs)).open(MemoryStore::new()).unwrap();
    let mut a = Client::new("a");
    let pair = a.group(&["x", "x"]);
    assert_eq!(push_words(&hub, &pair), "1 2", "asked once, with the state after both");
    let torn = a.group(&["y", "z", "y"]);
    assert_eq!(push_words(&hub, &torn), "!group !odd !group", "z is the culprit");
    assert_eq!(hub.record(&key("y")).unwrap(), None);
}

/// Counts how often it is woken, and unparks.
struct Count(AtomicUsize, thread::Thread);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let count = Arc::new(Count(AtomicUsize::new(0), thread::current()));
    let waker = Waker::from(count);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn who_waits_is_woken_by_the_next_entry_and_not_before() {
    let store = Arc::new(MemoryStore::new());
    let hub = open(store.clone());
    let mut a = Client::new("a");
    assert_eq!(push_words(&hub, &[a.create("1", "one")]), "1");
    assert_eq!(block_on(hub.wait_beyond(0)), 1, "it is there already");
    let count = Arc::new(Count(AtomicUsize::new(0), thread::current()));
    let waker = Waker::from(count.clone());
    let mut waiting = Box::pin(hub.wait_beyond(1));
    let mut poll = || waiting.as_mut().poll(&mut Context::from_waker(&waker));
    assert_eq!(poll(), Poll::Pending);
    assert_eq!(push_words(&hub, &[a.update("never", &a.dot(1), "one")]), "!gone");
    assert_eq!((poll(), count.0.load(Ordering::SeqCst)), (Poll::Pending, 0));
    let mut b = Client::new("b");
    assert_eq!(push_words(&hub, &[b.create("2", "two")]), "2");
    assert_eq!((poll(), count.0.load(Ordering::SeqCst)), (Poll::Ready(2), 1));
    drop(hub.wait_beyond(9));
    // Another hub of the same store is heard of when this one looks.
    let mut waiting = Box::pin(hub.wait_beyond(2));
    assert_eq!(waiting.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    assert_eq!(push_words(&open(store), &[b.create("3", "three")]), "3");
    assert_eq!(hub.refresh().unwrap().seq, 3);
    assert_eq!(count.0.load(Ordering::SeqCst), 2);
    assert_eq!(block_on(waiting), 3);
}

#[test]
fn the_transport_in_process_is_the_hub() {
    let hub = open(MemoryStore::new());
    let transport = hub.transport("ada");
    let mut a = Client::new("a");
    let entries = vec![a.create("x", "one"), a.create("y", "two")];
    let request = PushRequest { entries: entries.clone(), attempt: Some(3).into() };
    let live = thread::spawn({
        let transport = transport.clone();
        move || block_on(transport.live(0)).unwrap()
    });
    assert_eq!(words(block_on(transport.push(&request))), "1 2");
    assert_eq!(live.join().unwrap(), 2);
    assert_eq!(words(hub.push("ada", Some(2), entries.into_iter().map(Offer::Entry).collect())), "error superseded");
    assert_eq!(block_on(transport.hello(&Default::default())).unwrap().principal, "ada");
}
