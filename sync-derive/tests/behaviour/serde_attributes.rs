//! What serde's attributes say holds here too, unless `sync` says otherwise.

use serde::{Deserialize, Serialize};
use sync_core::{Entity, Id, Syncable};

use crate::{aliases, fields, names, stored};

mod doubled {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(u16::from(*value) * 2)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        u8::deserialize(deserializer).map(|value| value / 2)
    }
}

fn seven() -> u8 {
    7
}

#[derive(Syncable, Serialize, Deserialize, Debug, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Account {
    #[sync(id)]
    #[serde(rename = "_id")]
    id: Id<Account, u64>,
    first_name: String,
    #[serde(rename = "surname", alias = "family", alias = "last")]
    last_name: String,
    #[serde(rename(serialize = "mail", deserialize = "email"))]
    mail_address: String,
    #[serde(skip)]
    pass_word: String,
    #[serde(skip_serializing, skip_deserializing)]
    token: String,
    #[serde(skip_serializing_if = "Option::is_none", rename = "phone", bound(serialize = ""))]
    phone_number: Option<String>,
    #[serde(default)]
    log_ins: u8,
    #[serde(default = "seven", with = "doubled")]
    half: u8,
    #[serde(serialize_with = "doubled::serialize", deserialize_with = "doubled::deserialize")]
    quarter: u8,
}

#[test]
fn serdes_attributes_hold() {
    let expected = "firstName surname mail phone logIns half quarter";
    assert_eq!(names::<Account>(), expected.split(' ').collect::<Vec<_>>());
    assert_eq!(aliases::<Account>("surname"), ["family", "last"]);
    assert_eq!(aliases::<Account>("mail"), ["email"]);
    let read = fields(&[("firstName", "\"Ada\""), ("last", "\"Byron\""), ("email", "\"a@b\""), ("quarter", "10")]);
    let account = Account::from_fields(Id::new(1), &read).unwrap();
    assert_eq!(account.last_name, "Byron");
    assert_eq!(account.mail_address, "a@b");
    assert_eq!((account.log_ins, account.half, account.quarter), (0, 7, 5));
    let stored = stored(&account);
    assert!(stored.contains(&("half".into(), "14".into())), "{stored:?}");
    assert!(stored.contains(&("quarter".into(), "10".into())), "{stored:?}");
    // What serde would leave out of JSON is written all the same: an absent field is not an empty one.
    assert!(stored.contains(&("phone".into(), "null".into())), "{stored:?}");
}

#[derive(Syncable, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[sync(rename_all = "kebab-case")]
struct Overridden {
    #[sync(id)]
    id: Id<Overridden>,
    plain_name: String,
    #[serde(rename = "a")]
    #[sync(rename = "b")]
    renamed: String,
    #[serde(rename(serialize = "c", deserialize = "d"))]
    #[sync(rename = "e")]
    renamed_twice: String,
    #[serde(alias = "g", alias = "h")]
    #[sync(alias = "f", alias = "g")]
    aliased: String,
    #[serde(default = "text")]
    #[sync(default)]
    with_default: String,
    #[serde(with = "doubled")]
    #[sync(with = "plainly")]
    written: u8,
    #[serde(skip)]
    #[sync(skip = false, merge = "counter")]
    hidden_from_json: u64,
    #[serde(flatten)]
    #[sync(rename = "rest")]
    flat: std::collections::BTreeMap<String, u8>,
}

mod plainly {
    pub(super) use serde::{Deserialize, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(value: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        value.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        u8::deserialize(deserializer)
    }
}

fn text() -> String {
    "serde's".into()
}

#[test]
fn sync_goes_before_serde() {
    let expected = "plain-name b e aliased with-default written hidden-from-json rest";
    assert_eq!(names::<Overridden>(), expected.split(' ').collect::<Vec<_>>());
    assert_eq!(aliases::<Overridden>("e"), [""; 0]);
    assert_eq!(aliases::<Overridden>("aliased"), ["f", "g", "h"]);
    let read = fields(&[
        ("plain-name", "\"\""),
        ("b", "\"\""),
        ("e", "\"\""),
        ("h", "\"found\""),
        ("written", "3"),
        ("hidden-from-json", "4"),
        ("rest", "{\"x\":1}"),
    ]);
    let read = Overridden::from_fields(Id::new(sync_core::Uuid::nil()), &read).unwrap();
    assert_eq!((read.aliased.as_str(), read.with_default.as_str()), ("found", ""));
    assert_eq!((read.written, read.hidden_from_json, read.flat["x"]), (3, 4, 1));
}

#[derive(Syncable, Serialize, Deserialize)]
#[serde(default, rename_all(serialize = "UPPERCASE", deserialize = "kebab-case"))]
struct Defaulted {
    #[sync(id)]
    id: Id<Defaulted, u64>,
    time_zone: String,
    #[serde(rename(serialize = "s"))]
    short: u8,
}

impl Default for Defaulted {
    fn default() -> Self {
        Defaulted { id: Id::new(0), time_zone: "UTC".into(), short: 9 }
    }
}

#[test]
fn a_structs_serde_default_holds_for_its_fields() {
    let read = Defaulted::from_fields(Id::new(3), &fields(&[])).unwrap();
    assert_eq!((read.id, read.time_zone.as_str(), read.short), (Id::new(3), "UTC", 9));
}

#[test]
fn what_is_written_one_way_and_read_another_has_both_names() {
    assert_eq!(names::<Defaulted>(), ["TIME_ZONE", "s"]);
    assert_eq!(aliases::<Defaulted>("TIME_ZONE"), ["time-zone"]);
    assert_eq!(aliases::<Defaulted>("s"), [""; 0]);
}
