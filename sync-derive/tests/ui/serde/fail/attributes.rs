//! serde's attributes that say something which a stored field cannot do.

// serde warns of names that are taken.
#![allow(unreachable_patterns)]

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sync_core::{Id, Syncable};

#[derive(Syncable, Serialize, Deserialize)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
    #[serde(skip)]
    #[sync(merge = "counter", alias = "x")]
    skipped: i64,
    #[serde(rename = "$title")]
    reserved: String,
    #[serde(alias = "taken")]
    first: String,
    #[serde(rename(serialize = "other", deserialize = "taken"))]
    second: String,
    #[serde(rename = "third")]
    later: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    third: String,
}

#[derive(Syncable, Serialize, Deserialize)]
struct Left {
    #[sync(id)]
    id: Id<Left>,
    #[serde(flatten)]
    #[sync(skip)]
    out: BTreeMap<String, String>,
}

fn main() {}
