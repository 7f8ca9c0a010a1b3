//! What is exchanged: cursors and uploads.

use super::{DAY, NOON, two_ours, two_theirs};
use crate::article::device::{Device as Theirs, fields};
use crate::article::server::Server;
use crate::ours::{Device as Ours, hub};

/// What was written offline before others had synced reaches nobody: they are past its time.
#[test]
fn fault_01_the_cursor_is_the_highest_logical_time() {
    let (mut a, mut b, mut server) = two_theirs();
    b.create("late", "written offline");
    a.now += 1_000;
    a.create("soon", "written later, synced sooner");
    a.sync(&mut server);
    b.sync(&mut server);
    a.sync(&mut server);
    assert_eq!(server.stored(), 2);
    assert_eq!(b.titles().len(), 2);
    assert_eq!(a.titles(), ["written later, synced sooner"], "the other one never arrives");

    let (a, b, _hub) = two_ours();
    b.create("late", "written offline");
    a.clock.set(NOON + 1_000);
    a.create("soon", "written later, synced sooner");
    a.sync();
    b.sync();
    a.sync();
    assert_eq!(a.titles(), ["written offline", "written later, synced sooner"]);
    assert_eq!(a.records(), b.records());
}

/// The same with equal times: a server that compares with `>` leaves out what it was sent last.
#[test]
fn fault_01_equal_times_are_skipped() {
    let (mut a, mut b, mut server) = two_theirs();
    a.create("one", "one");
    b.create("two", "two");
    a.sync(&mut server);
    b.sync(&mut server);
    a.sync(&mut server);
    assert_eq!(a.titles(), ["one"]);

    let (a, b, _hub) = two_ours();
    a.create("one", "one");
    b.create("two", "two");
    a.sync();
    b.sync();
    a.sync();
    assert_eq!(a.titles(), ["one", "two"]);
}

/// One clock that is a day fast: its owner and whoever synced after it are blind for a day, and it wins everything.
#[test]
fn fault_02_one_fast_clock_poisons_every_cursor() {
    let (mut fast, mut right, mut server) =
        (Theirs::new("fast", NOON + DAY), Theirs::new("right", NOON), Server::default());
    let mut third = Theirs::new("third", NOON);
    fast.create("0", "from the future");
    fast.sync(&mut server);
    third.sync(&mut server);
    for n in 1..6 {
        right.now += 1;
        right.create(&n.to_string(), "of today");
    }
    right.sync(&mut server);
    fast.sync(&mut server);
    third.sync(&mut server);
    assert_eq!((fast.titles().len(), third.titles().len(), right.titles().len()), (1, 1, 6));
    // An edit made an hour after it, by one who has seen it, loses.
    right.now += 3_600_000;
    right.update("0", fields(&[("title", "corrected")]));
    right.sync(&mut server);
    assert!(right.titles().iter().all(|title| title != "corrected"));

    let hub = hub(NOON);
    let [fast, right, third] =
        [("fast", NOON + DAY), ("right", NOON), ("third", NOON)].map(|(n, t)| Ours::new(n, &hub, t));
    fast.create("0", "from the future");
    fast.sync();
    third.sync();
    right.sync();
    for n in 1..6 {
        right.create(&n.to_string(), "of today");
    }
    right.edit("0", |note| note.title = "corrected".into());
    for device in [&right, &fast, &third] {
        device.sync();
    }
    for device in [&fast, &right, &third] {
        assert_eq!(device.titles().len(), 6);
        assert_eq!(device.titles()[0], "corrected");
        assert_eq!(device.records(), right.records());
    }
}

/// What came down goes up again, from everyone.
#[test]
fn fault_03_downloads_are_uploaded_again() {
    let mut server = Server::default();
    let mut devices: Vec<Theirs> = ["a", "b", "c", "d"].map(|name| Theirs::new(name, NOON)).into();
    for n in 0..100 {
        devices[0].now += 1;
        devices[0].create(&n.to_string(), "note");
    }
    for _ in 0..2 {
        devices.iter_mut().for_each(|device| device.sync(&mut server));
    }
    assert_eq!((server.stored(), server.received), (100, 400));

    let hub = hub(NOON);
    let devices = ["a", "b", "c", "d"].map(|name| Ours::new(name, &hub, NOON));
    for n in 0..100 {
        devices[0].create(&n.to_string(), "note");
    }
    let mut uploaded = 0;
    for _ in 0..2 {
        uploaded += devices.iter().map(|device| device.sync().uploaded).sum::<u64>();
    }
    assert_eq!((hub.head().seq, uploaded), (100, 100));
    assert!(devices.iter().all(|device| device.titles().len() == 100));
}
