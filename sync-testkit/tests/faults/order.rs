//! What comes before what.

use super::{NOON, fold, title, two_ours, two_theirs, write};
use crate::article::collate::{Locale, locale_compare};
use crate::article::device::{Device as Theirs, fields};
use crate::article::server::Server;
use crate::ours::{Device as Ours, hub};
use sync_core::{Action, ClientId, Life};
use sync_testkit::history::Device as Author;

/// What one device writes in one millisecond is put in order by random ids.
#[test]
fn fault_05_ties_in_one_millisecond_are_shuffled() {
    let (mut a, _, mut server) = two_theirs();
    for n in 0..1_000 {
        a.create(&n.to_string(), "first");
        a.update(&n.to_string(), fields(&[("title", "second")]));
    }
    a.sync(&mut server);
    let lost = a.titles().iter().filter(|title| *title == "first").count();
    assert!((400..600).contains(&lost), "about half of the updates vanish, not {lost} of 1000");

    let (a, b, _hub) = two_ours();
    for n in 0..100 {
        a.create(&n.to_string(), "first");
        a.edit(&n.to_string(), |note| note.title = "second".into());
        a.edit(&n.to_string(), |note| note.title = "third".into());
    }
    a.sync();
    b.sync();
    for device in [&a, &b] {
        assert!(device.titles().iter().all(|title| title == "third"));
    }
}

/// An edit by one who has seen the note, but whose clock is slow, sorts before the create and is ignored.
#[test]
fn fault_06_an_edit_needs_its_create_to_sort_before_it() {
    let (mut a, mut slow, mut server) = two_theirs();
    slow.now -= 60_000;
    a.create("n", "first");
    a.sync(&mut server);
    slow.sync(&mut server);
    slow.update("n", fields(&[("title", "corrected")]));
    slow.sync(&mut server);
    assert_eq!(slow.titles(), ["first"], "it vanished from the author's own screen");

    let (a, slow, _hub) = two_ours();
    slow.clock.set(NOON - 60_000);
    a.create("n", "first");
    a.sync();
    slow.sync();
    slow.edit("n", |note| note.title = "corrected".into());
    slow.sync();
    a.sync();
    assert_eq!((slow.titles(), a.titles()), (vec!["corrected".into()], vec!["corrected".into()]));

    // Nor would it need any clock: with the stamps as wrong as they can be, the one who knew wins.
    let (mut a, mut slow) = (Author::new(ClientId::new("a"), 0), Author::new(ClientId::new("slow"), 0));
    let create = write(&mut a, NOON, Action::Create, "first");
    let mut update = write(&mut slow, 1, Action::Update, "corrected");
    update.of = vec![create.dot().clone()].into();
    update.replaces = vec![("title".into(), vec![create.dot().clone()].into())];
    for order in [[&create, &update], [&update, &create]] {
        assert_eq!(title(&fold(order)), Some("corrected".into()));
    }
}

/// A delete whose stamp is before the create's is ignored too: the note comes back.
#[test]
fn fault_07_delete_wins_fails() {
    let (mut a, mut slow, mut server) = two_theirs();
    slow.now -= 60_000;
    a.create("n", "private");
    a.sync(&mut server);
    slow.sync(&mut server);
    slow.delete("n");
    assert!(slow.titles().is_empty());
    slow.sync(&mut server);
    assert_eq!(slow.titles(), ["private"]);

    let (a, slow, _hub) = two_ours();
    slow.clock.set(NOON - 60_000);
    a.create("n", "private");
    a.sync();
    slow.sync();
    slow.delete("n");
    slow.sync();
    a.sync();
    assert!(slow.titles().is_empty() && a.titles().is_empty());

    let (mut a, mut slow) = (Author::new(ClientId::new("a"), 0), Author::new(ClientId::new("slow"), 0));
    let create = write(&mut a, NOON, Action::Create, "private");
    let mut delete = slow.entry(1, create.key.clone(), Action::Delete(sync_core::Tombstone::DeleteWins));
    delete.of = vec![create.dot().clone()].into();
    let mut update = write(&mut a, NOON + 1, Action::Update, "edited, not knowing of the delete");
    update.of = vec![create.dot().clone()].into();
    for order in [[&create, &delete, &update], [&update, &delete, &create], [&delete, &update, &create]] {
        let folded = fold(order);
        assert!(matches!(folded.get(&create.key).unwrap().life(), Life::Deleted { .. }));
    }
}

/// Two devices whose users speak different languages end with different notes.
#[test]
fn fault_08_locale_compare_differs_between_devices() {
    let (mut german, mut swedish, mut server) = (Theirs::new("ä", NOON), Theirs::new("z", NOON), Server::default());
    swedish.locale = Locale::Swedish;
    german.create("n", "first");
    german.sync(&mut server);
    swedish.sync(&mut server);
    german.now += 1;
    swedish.now += 1;
    german.update("n", fields(&[("title", "from ä")]));
    swedish.update("n", fields(&[("title", "from z")]));
    german.sync(&mut server);
    swedish.sync(&mut server);
    // Lest the cursor, another fault, hide this one.
    let (all, _) = server.get(0);
    german.wal.append_many(all);
    german.sync(&mut server);
    assert_eq!((german.titles(), swedish.titles()), (vec!["from z".into()], vec!["from ä".into()]));

    // The port puts words in the order in which JavaScript does.
    for (locale, order) in [(Locale::German, "- 1 a A ä b B ö z Z"), (Locale::Swedish, "- 1 a A b B z Z å ä ö")] {
        let mut words: Vec<&str> = order.split(' ').rev().collect();
        words.sort_by(|a, b| locale_compare(a, b, locale));
        assert_eq!(words.join(" "), order);
    }

    // Ours compare bytes, whatever the language: what is least and greatest is the same everywhere.
    let hub = hub(NOON);
    let (a, b) = (Ours::new("ä", &hub, NOON), Ours::new("z", &hub, NOON));
    a.create("n", "first");
    a.sync();
    b.sync();
    for device in [&a, &b] {
        device.clock.set(NOON + 10);
    }
    a.edit("n", |note| note.title = "from ä".into());
    b.edit("n", |note| note.title = "from z".into());
    for device in [&a, &b, &a] {
        device.sync();
    }
    assert_eq!((a.titles(), b.titles()), (vec!["from ä".into()], vec!["from ä".into()]));
    for pair in ["B", "a", "z", "ä", "ö"].windows(2) {
        let stamp = |client: &str| sync_core::Stamp { time: NOON, client: ClientId::new(client), n: 1 };
        assert!(stamp(pair[0]) < stamp(pair[1]), "{pair:?}");
    }
}
