//! A snapshot as a file: another device takes it over without a hub.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use sync_core::{Hub, MemoryStore, Replica};

use super::support::{File, Note, Set, builder, export, hub_on, import, note, notes, run, title};

struct Pair {
    hub: Hub,
    clock: Set,
    ahead: Replica,
    behind: Replica,
}

impl Pair {
    /// Two devices with twenty notes, one of which goes on.
    fn new() -> Self {
        let clock = Set::new();
        let hub = hub_on(MemoryStore::new(), &clock);
        let open = || builder(&clock).open(MemoryStore::new()).unwrap();
        let (ahead, behind) = (open(), open());
        for n in 0..20 {
            ahead.create(note(&format!("{n:02}"), "first")).unwrap().wait().unwrap();
        }
        let pair = Self { hub, clock, ahead, behind };
        pair.sync(&pair.ahead);
        pair.sync(&pair.behind);
        for n in 0..10 {
            pair.ahead
                .edit::<Note, _>(&format!("{n:02}").as_str().into(), |note| {
                    note.title = "second".into();
                    note.views += 1;
                })
                .unwrap()
                .wait()
                .unwrap();
        }
        pair.ahead.delete::<Note>(&"19".into()).unwrap().wait().unwrap();
        pair.sync(&pair.ahead);
        pair
    }

    fn sync(&self, replica: &Replica) -> sync_core::replica::Report {
        run(replica.sync(&self.hub.transport("tester"))).unwrap()
    }

    fn fresh(&self) -> Replica {
        builder(&self.clock).open(MemoryStore::new()).unwrap()
    }
}

#[test]
fn a_new_device_has_what_the_other_one_had_accepted() {
    let pair = Pair::new();
    pair.ahead.create(note("pending", "not accepted yet")).unwrap().wait().unwrap();
    let written = run(pair.ahead.export_snapshot(File::default())).unwrap();
    assert_eq!((written.records, written.pending), (20, 1), "the deleted one is a record too");
    let file = export(&pair.ahead);
    assert_eq!(written.bytes, file.len() as u64);
    let fresh = pair.fresh();
    let read = import(&fresh, file).unwrap();
    assert_eq!((read.records, read.bytes), (20, written.bytes));
    assert_eq!(
        notes(&fresh),
        notes(&pair.behind)
            .into_iter()
            .take(19)
            .map(|mut note| {
                if &**note.id.key() < "10" {
                    (note.title, note.views) = ("second".into(), 1);
                }
                note
            })
            .collect::<Vec<_>>()
    );
    assert_eq!(fresh.vector(), pair.ahead.vector());
    // With the hub it goes on from there: nothing comes twice.
    let report = pair.sync(&fresh);
    assert_eq!((report.downloaded, report.bootstrapped), (0, false));
    pair.sync(&pair.ahead);
    pair.sync(&fresh);
    assert_eq!(notes(&fresh), notes(&pair.ahead));
    assert!(fresh.verify().unwrap().is_sound());
}

/// The clock of one who takes a snapshot goes on behind all that is in it, wherever in a record the latest time stands.
#[test]
fn what_is_written_after_a_snapshot_is_later_than_all_in_it() {
    let late: [fn(&Replica); 4] = [
        |ahead| drop(ahead.create(note("late", "created")).unwrap()),
        |ahead| drop(ahead.edit::<Note, _>(&"05".into(), |note| note.title = "third".into()).unwrap()),
        |ahead| drop(ahead.delete::<Note>(&"05".into()).unwrap()),
        |ahead| drop(ahead.restore::<Note>(&"19".into()).unwrap()),
    ];
    for (at, late) in late.into_iter().enumerate() {
        let pair = Pair::new();
        let now = pair.clock.0.load(Ordering::Relaxed);
        pair.clock.0.store(now + 60_000, Ordering::Relaxed);
        late(&pair.ahead);
        pair.sync(&pair.ahead);
        let file = export(&pair.ahead);
        // The other device's clock is a minute behind.
        pair.clock.0.store(now, Ordering::Relaxed);
        import(&pair.behind, file).unwrap();
        pair.behind.create(note("new", "N")).unwrap().wait().unwrap();
        let time = pair.behind.unsynced().unwrap()[0].origin.time;
        assert!(time > now + 60_000, "{at}: {time} is not behind {}", now + 60_000);
    }
}

#[test]
fn a_device_that_is_behind_keeps_what_it_wrote() {
    let pair = Pair::new();
    let edit = |id: &str, f: fn(&mut Note)| {
        pair.behind.edit(&id.into(), f).unwrap().wait().unwrap();
    };
    edit("03", |note| note.title = "mine".into());
    edit("04", |note| note.views += 10);
    edit("15", |note| note.scroll = 7);
    edit("19", |note| note.title = "hidden by the delete".into());
    pair.behind.create(note("own", "mine")).unwrap().wait().unwrap();
    let read = import(&pair.behind, export(&pair.ahead)).unwrap();
    assert_eq!(read.pending, 4);
    let shown = |id: &str| pair.behind.get::<Note>(&id.into()).unwrap().unwrap();
    assert_eq!((shown("03").title, shown("02").title), ("mine".into(), "second".into()));
    assert_eq!((shown("04").views, shown("15").scroll), (11, 7));
    assert_eq!((title(&pair.behind, "19"), title(&pair.behind, "own")), (None, Some("mine".into())));
    let report = pair.sync(&pair.behind);
    assert_eq!((report.uploaded, report.downloaded, report.rejected), (4, 0, 0));
    pair.sync(&pair.ahead);
    let mut here = notes(&pair.behind);
    here.iter_mut().for_each(|note| note.scroll = 0);
    assert_eq!(here, notes(&pair.ahead));
    // Whoever wrote unaware of the other is listed, as ever.
    let conflicts = pair.behind.conflicts::<Note>().unwrap();
    assert_eq!(conflicts.len(), pair.ahead.conflicts::<Note>().unwrap().len());
    assert!(conflicts.iter().any(|conflict| conflict.raw.field == "title"), "{conflicts:?}");
}

#[test]
fn a_file_that_is_older_or_of_another_space_is_refused() {
    let pair = Pair::new();
    let before = notes(&pair.ahead);
    let error = import(&pair.ahead, export(&pair.behind)).unwrap_err();
    assert_eq!(error.code(), "snapshot_file");
    assert!(error.to_string().contains("older"), "{error}");
    let elsewhere =
        Hub::builder().name("another").clock(Arc::new(pair.clock.clone())).open(MemoryStore::new()).unwrap();
    let stranger = pair.fresh();
    stranger.create(note("s", "a stranger's")).unwrap().wait().unwrap();
    run(stranger.sync(&elsewhere.transport("tester"))).unwrap();
    assert_eq!(import(&pair.ahead, export(&stranger)).unwrap_err().code(), "wrong_account");
    assert_eq!(notes(&pair.ahead), before);
    assert!(pair.ahead.verify().unwrap().is_sound());
}

#[test]
fn a_file_of_a_device_that_knows_the_log_only_since_the_hub_was_started_anew_is_taken() {
    let mut pair = Pair::new();
    let store = Arc::new(MemoryStore::new());
    let hub = |clock: &Set| Hub::builder().name("hub").clock(Arc::new(clock.clone())).open(store.clone()).unwrap();
    pair.hub = hub(&pair.clock);
    let (ahead, behind) = (pair.fresh(), pair.fresh());
    for device in [&ahead, &behind] {
        ahead.create(note(&format!("{}", notes(&ahead).len()), "first")).unwrap().wait().unwrap();
        pair.sync(&ahead);
        pair.sync(device);
    }
    // Neither a journal nor the hub's log tells any more that what the one has is how the other's entries begin.
    for round in 0..3 {
        pair.hub = hub(&pair.clock);
        for device in [&ahead, &behind] {
            device.edit::<Note, _>(&"0".into(), |note| note.views += 1).unwrap().wait().unwrap();
        }
        pair.sync(&ahead);
        if round == 0 {
            pair.sync(&behind);
        }
    }
    pair.hub.compact(0).unwrap();
    let new = pair.fresh();
    assert!(pair.sync(&new).bootstrapped);
    import(&behind, export(&new)).unwrap();
    let report = pair.sync(&behind);
    assert_eq!((report.downloaded, report.uploaded, report.bootstrapped), (0, 2, false), "it goes on from there");
    pair.sync(&ahead);
    assert_eq!(notes(&behind), notes(&ahead));
}

#[test]
fn a_file_of_a_log_that_lacks_what_is_here_is_refused_also_where_it_has_as_many_entries() {
    let mut pair = Pair::new();
    pair.hub = hub_on(MemoryStore::new(), &pair.clock);
    let store = Arc::new(MemoryStore::new());
    let device = builder(&pair.clock).open(store.clone()).unwrap();
    device.create(note("n", "of both")).unwrap().wait().unwrap();
    let twin = builder(&pair.clock).open(Arc::new(store.copy())).unwrap();
    device.create(note("mine", "accepted, and lost by the hub")).unwrap().wait().unwrap();
    pair.sync(&device);
    // The hub is emptied, and hears of the other copy under the same names.
    pair.hub = hub_on(MemoryStore::new(), &pair.clock);
    for n in 0..3 {
        twin.create(note(&format!("twin {n}"), "another")).unwrap().wait().unwrap();
    }
    pair.sync(&twin);
    let before = notes(&device);
    for file in [export(&twin), {
        let other = pair.fresh();
        pair.sync(&other);
        export(&other)
    }] {
        let error = import(&device, file).unwrap_err();
        assert_eq!((error.code(), notes(&device)), ("diverged", before.clone()), "{error}");
    }
}

#[test]
fn a_file_that_is_damaged_changes_nothing() {
    let pair = Pair::new();
    pair.behind.create(note("own", "mine")).unwrap().wait().unwrap();
    let (file, before) = (export(&pair.ahead), notes(&pair.behind));
    for at in (0..file.len()).step_by(97).chain([file.len() - 1]) {
        let mut flipped = file.clone();
        flipped[at] ^= 0x10;
        for bad in [flipped, file[..at].to_vec()] {
            let error = import(&pair.behind, bad).unwrap_err();
            assert_eq!(error.code(), "snapshot_file", "{at}: {error}");
            assert_eq!(notes(&pair.behind), before);
        }
    }
    // What came of it is no hindrance.
    assert!(pair.behind.verify().unwrap().is_sound());
    import(&pair.behind, file).unwrap();
    pair.sync(&pair.behind);
    pair.sync(&pair.ahead);
    assert_eq!(notes(&pair.behind), notes(&pair.ahead));
}
