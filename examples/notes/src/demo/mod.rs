//! `demo`: two people, a hub, and what becomes of what they write unaware of each other.
//!
//! Nothing is staged: three files, a hub over HTTP, and the functions that the commands use.

mod hub;
mod person;
mod stage;

use sync_core::model::entry::LIFECYCLE;

use crate::failure::Failure;
use crate::note::{Note, NoteId};
use crate::out::Out;
use crate::paint::{bold, dim, good};
use crate::sync::runtime;
use crate::text::{called, value};

use hub::DemoHub;
use person::Person;
use stage::Stage;

pub(crate) fn demo(out: &mut Out) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(|error| Failure::file("a temporary folder", error))?;
    let mut hub = DemoHub::start(folder.path())?;
    let runtime = runtime()?;
    let _entered = runtime.enter();
    let mut stage = Stage::new(out, &runtime);
    stage.say("Ana and Ben each have their notes in a file, and there is a hub over HTTP:")?;
    stage.say(format_args!("{}, all in a folder that is removed at the end.", hub.address()))?;
    let join = |name| Person::join(name, folder.path(), hub.address());
    let (ana, ben) = (join("ana")?, join("ben")?);

    let (shopping, trip) = write(&mut stage, &ana, &ben)?;
    hub.stop()?;
    go_offline(&mut stage, &ana, &ben, (&shopping, &trip))?;
    hub.start_again()?;
    meet(&mut stage, &ana, &ben, (&shopping, &trip))?;
    settle(&mut stage, &ana, &ben, (&shopping, &trip))?;
    let cam = Person::join("cam", folder.path(), hub.address())?;
    converge(&mut stage, [&ana, &ben, &cam])?;
    hub.stop()
}

fn write(stage: &mut Stage<'_>, ana: &Person, ben: &Person) -> Result<(NoteId, NoteId), Failure> {
    stage.step("Ana writes two notes, and both sync")?;
    let shopping = ana.writes(stage, "Shopping", Some("milk, bread"), "food")?;
    let trip = ana.writes(stage, "Trip to Oslo", None, "travel")?;
    ana.syncs(stage)?;
    ben.syncs(stage)?;
    Ok((shopping, trip))
}

fn go_offline(stage: &mut Stage<'_>, ana: &Person, ben: &Person, notes: (&NoteId, &NoteId)) -> Result<(), Failure> {
    let (shopping, trip) = notes;
    stage.step("The hub goes away. Both go on, and do not know of each other")?;
    ana.edits(stage, shopping, "title  “Shopping” → “Groceries”", |note| note.title = "Groceries".into())?;
    ana.edits(stage, shopping, "tags   + #home", |note| note.tags.extend(["home".to_owned()]))?;
    ana.edits(stage, shopping, "views  + 2", |note| note.views += 2)?;
    ana.deletes(stage, trip, "Trip to Oslo")?;
    ben.edits(stage, shopping, "title  “Shopping” → “Market day”", |note| note.title = "Market day".into())?;
    ben.edits(stage, shopping, "tags   + #market  − #food", |note| {
        note.tags.insert("market".into());
        note.tags.remove("food");
    })?;
    ben.edits(stage, shopping, "views  + 1", |note| note.views += 1)?;
    ben.edits(stage, trip, "body of “Trip to Oslo”: “the 9:04 train”", |note| {
        note.body = Some("the 9:04 train".into())
    })?;
    ana.syncs(stage)?;
    ben.syncs(stage)
}

fn meet(stage: &mut Stage<'_>, ana: &Person, ben: &Person, notes: (&NoteId, &NoteId)) -> Result<(), Failure> {
    let (shopping, trip) = notes;
    stage.step("The hub is back")?;
    for person in [ana, ben, ana] {
        person.syncs(stage)?;
    }
    stage.say("")?;
    stage.say("Both have the same now. What became of each field, and why:")?;
    let note: Note = ana.note(shopping)?;
    let title = ana.conflict(shopping, "title")?;
    let loser = ana.loser(&title)?;
    let (winner, lost) = (value(&title.winner.value), value(&loser.value));
    let later = called(&title.winner.author);
    let shows = format_args!("{} shows: neither had seen the other's; {later}'s is later", bold(winner));
    stage.fact("title", shows)?;
    stage.fact("", format_args!("{} lost, and is kept: `notes conflicts` lists it", bold(lost)))?;
    let tags: Vec<String> = note.tags.iter().map(|tag| format!("#{tag}")).collect();
    stage.fact("tags", format_args!("{}: added and removed one by one", bold(tags.join(" "))))?;
    stage.fact("views", format_args!("{}: what is logged is + 2 and + 1, and both count", bold(note.views)))?;
    let hidden = ana.conflict(trip, LIFECYCLE)?;
    let edit = ana.loser(&hidden)?;
    let (deleter, editor) = (called(&hidden.winner.author), called(&edit.author));
    stage.fact("the trip", format_args!("{}: {deleter}'s delete hides what it had not seen", bold("deleted")))?;
    stage.fact("", format_args!("{editor}'s {} is kept, and listed too", bold(value(&edit.value))))
}

fn settle(stage: &mut Stage<'_>, ana: &Person, ben: &Person, notes: (&NoteId, &NoteId)) -> Result<(), Failure> {
    let (shopping, trip) = notes;
    stage.step("Nothing that anyone typed is lost: what lost can be taken after all")?;
    let title = ana.conflict(shopping, "title")?;
    let lost = value(&ana.loser(&title)?.value);
    ana.takes(stage, &title, "title", format_args!("the title is {lost}"))?;
    let hidden = ben.conflict(trip, LIFECYCLE)?;
    let lost = value(&ben.loser(&hidden)?.value);
    ben.takes(stage, &hidden, "deleted", format_args!("the trip is back, with {lost}"))?;
    for person in [ana, ben, ana] {
        person.syncs(stage)?;
    }
    Ok(())
}

fn converge(stage: &mut Stage<'_>, people: [&Person; 3]) -> Result<(), Failure> {
    stage.step("Cam's new device meets the hub for the first time")?;
    people[2].syncs(stage)?;
    let lists: Vec<String> = people.iter().map(|person| person.list()).collect::<Result<_, _>>()?;
    for person in people {
        stage.say("")?;
        person.shows(stage)?;
    }
    stage.say("")?;
    if lists.iter().any(|list| *list != lists[0]) {
        return Err(Failure::own("diverged", "the three lists differ: that must never be"));
    }
    let bytes = lists[0].len();
    let equal = format!("✓ The three lists are equal, byte for byte ({bytes} bytes of JSON each).");
    stage.say(format_args!("{}\n", good(equal)))?;
    stage.say(bold("Shown: edits made offline merged field by field, with one state on all devices,"))?;
    stage.say(bold("and what lost was kept and could be taken back."))?;
    stage.say("")?;
    stage.say(dim("By hand, with `notes` for `cargo run --release -q -p notes --`:"))?;
    stage.say(dim("`notes serve` is a hub, `notes --server http://127.0.0.1:7878 sync` a device."))
}
