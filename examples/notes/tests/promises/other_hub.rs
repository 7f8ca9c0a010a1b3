//! Another hub than the one that a file belongs to, and another space of it: nothing is sent.

use serde_json::json;

use super::common::{list, sync};
use crate::support::{Device, HubProcess, folder};

#[test]
fn another_hub_gets_nothing() {
    let (folder, elsewhere) = (folder(), folder());
    let (hub, another) = (HubProcess::start(folder.path()), HubProcess::start(elsewhere.path()));
    let device = Device::of(folder.path(), "ana", &hub);
    device.add(&["sent", "--id", "sent"]);
    sync(&device);
    device.add(&["waits", "--id", "waits"]);
    let before = (list(&device), device.ok(&["log", "--json"]), device.ok(&["status", "--json"]));

    let strayed = Device::of(folder.path(), "ana", &another);
    assert_eq!(strayed.failure(1, &["sync", "--json"]), "wrong_account");
    assert!(strayed.fails(1, &["sync"]).contains("--db"), "it says what to do");
    // Taking over another hub's state is no way out of it: the notes would be those of somebody else.
    assert_eq!(strayed.failure(1, &["sync", "--adopt", "--json"]), "wrong_account");
    assert_eq!((list(&device), device.ok(&["log", "--json"]), device.ok(&["status", "--json"])), before);

    // Nothing reached it: neither a replica nor another program finds anything there.
    let fresh = Device::of(elsewhere.path(), "fresh", &another);
    assert_eq!((sync(&fresh)["cursor"].clone(), list(&fresh).trim()), (json!(0), "[]"));
    let (status, actions) = another.request("GET", "/sync/actions?since=0", "");
    let actions: serde_json::Value = serde_json::from_str(&actions).unwrap();
    assert_eq!((status, &actions["actions"], &actions["newCursor"]), (200, &json!([]), &json!(0)));

    // The one that it belongs to goes on as if nothing had been.
    assert_eq!(sync(&device)["uploaded"], 1);
    // And what belongs to nobody yet belongs to the first hub that it meets.
    let new = Device::of(elsewhere.path(), "new", &another);
    new.add(&["here", "--id", "here"]);
    assert_eq!(sync(&new)["uploaded"], 1);
}
