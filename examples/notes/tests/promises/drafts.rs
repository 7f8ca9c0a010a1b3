//! A form that stays open while syncs go on behind it: it replaces only what it showed. The app with the form is this
//! process, with a file of its own and fewer fields than the notes of the other device have.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::json;
use sync_core::{Id, Replica, Syncable};
use sync_http::HttpTransport;
use sync_redb::RedbStore;

use super::common::{list, notes_of, sync};
use crate::support::{Device, HubProcess, folder};

#[derive(Syncable)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    title: String,
    #[sync(merge = "set", default)]
    tags: BTreeSet<String>,
}

fn open(path: &Path) -> Replica {
    Replica::builder().register::<Note>().open(RedbStore::open(path.join("app.redb")).unwrap()).unwrap()
}

#[test]
fn a_form_replaces_what_it_showed_and_no_more() {
    let folder = folder();
    let mut hub = HubProcess::start(folder.path());
    let ben = Device::of(folder.path(), "ben", &hub);
    ben.add(&["Shopping", "--id", "n", "--body", "milk", "--tag", "old"]);
    sync(&ben);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let transport = HttpTransport::new(&hub.url).unwrap();
    let app = open(folder.path());
    runtime.block_on(app.sync(&transport)).unwrap();

    let id = Id::from("n");
    let mut form = app.draft::<Note>(&id).unwrap();
    form.title = "of the form".into();
    form.tags.remove("old");
    form.tags.insert("form".into());
    ben.ok(&["edit", "n", "--title", "of ben", "--body", "bread", "--add-tag", "ben", "--remove-tag", "old"]);
    ben.ok(&["edit", "n", "--add-tag", "old"]);
    sync(&ben);
    hub.crash();
    runtime.block_on(app.sync(&transport)).unwrap();
    assert_eq!(app.get(&id).unwrap().unwrap().title, "of ben", "it shows behind the form");
    form.save().unwrap().wait().unwrap();
    // What was saved is durable: the app starts anew before it tells anyone. A form that is open keeps it open.
    drop((form, app));
    let app = open(folder.path());
    hub.crash();
    runtime.block_on(app.sync(&transport)).unwrap();
    sync(&ben);

    let note = &notes_of(&ben)["n"];
    assert_eq!(
        (&note["title"], &note["body"], &note["tags"]),
        (&json!("of the form"), &json!("bread"), &json!(["ben", "form", "old"])),
        "the tag that came back had not been seen"
    );
    let conflicts = ben.json(&["conflicts", "--json"]);
    assert_eq!(conflicts.as_array().unwrap().len(), 1, "{conflicts:#}");
    assert_eq!((&conflicts[0]["field"], &conflicts[0]["losers"][0]["value"]), (&json!("title"), &json!("of ben")));
    assert_eq!(app.conflicts::<Note>().unwrap().len(), 1);

    ben.ok(&["resolve", "n", "title", "--take", "1"]);
    sync(&ben);
    runtime.block_on(app.sync(&transport)).unwrap();
    assert_eq!(app.get(&id).unwrap().unwrap().title, "of ben");
    assert!(app.conflicts::<Note>().unwrap().is_empty());
    let again = list(&ben);
    sync(&ben);
    assert_eq!(list(&ben), again);
}
