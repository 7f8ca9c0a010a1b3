//! Fields to values and back, and what an absent one is read as.

use std::collections::{BTreeSet, HashSet, VecDeque};

use sync_core::{Entity, FieldError, Id, Syncable, ValueError};

use crate::{aliases, fields, stored};

type Body = Option<String>;

#[derive(Syncable, Debug, Clone, PartialEq)]
struct Note {
    #[sync(id)]
    id: Id<Note, String>,
    #[sync(alias = "heading", alias = "name")]
    title: String,
    body: Body,
    #[sync(merge = "set", default)]
    tags: BTreeSet<String>,
    #[sync(default = "three")]
    views: i64,
    #[sync(local, default)]
    scroll: u32,
    #[sync(skip)]
    open: bool,
    #[sync(skip, default = three)]
    retries: i64,
}

fn three() -> i64 {
    3
}

fn note() -> Note {
    Note {
        id: "n1".into(),
        title: "Shopping".into(),
        body: Some("milk".into()),
        tags: ["home".to_owned()].into(),
        views: 5,
        scroll: 9,
        open: false,
        retries: 3,
    }
}

#[test]
fn every_stored_field_goes_and_comes_back() {
    let note = note();
    let expected =
        [("body", "\"milk\""), ("scroll", "9"), ("tags", "[\"home\"]"), ("title", "\"Shopping\""), ("views", "5")];
    let stored = stored(&note);
    let stored: Vec<(&str, &str)> = stored.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(stored, expected);
    assert_eq!(Note::from_fields(note.id.clone(), &note.to_fields().unwrap()).unwrap(), note);
}

#[test]
fn skipped_fields_come_back_as_their_default() {
    let note = Note { open: true, retries: 8, ..note() };
    let back = Note::from_fields(note.id.clone(), &note.to_fields().unwrap()).unwrap();
    assert_eq!((back.open, back.retries), (false, 3));
}

#[test]
fn absent_fields_are_none_or_their_default() {
    let note = Note::from_fields("n1".into(), &fields(&[("title", "\"T\"")])).unwrap();
    assert_eq!((note.body, note.tags, note.views, note.scroll), (None, BTreeSet::new(), 3, 0));
}

#[test]
fn an_absent_field_without_a_default_is_an_error_that_names_it() {
    let error = Note::from_fields("n1".into(), &fields(&[("views", "1")])).unwrap_err();
    assert_eq!(error, FieldError::Missing { field: "title".into() });
}

#[test]
fn a_value_that_does_not_fit_is_an_error_that_names_the_field() {
    let unfit = [("title", "\"T\""), ("views", "\"many\"")];
    let error = Note::from_fields("n1".into(), &fields(&unfit)).unwrap_err();
    assert!(matches!(error, FieldError::Decode { field, .. } if field == "views"));
    // `null` is a value, and not an absent one: a default does not hide it.
    let null = [("title", "\"T\""), ("views", "null")];
    let error = Note::from_fields("n1".into(), &fields(&null)).unwrap_err();
    assert!(matches!(error, FieldError::Decode { field, .. } if field == "views"));
}

#[test]
fn aliases_are_read_in_order_and_the_name_goes_first() {
    assert_eq!(aliases::<Note>("title"), ["heading", "name"]);
    let title = |stored: &[(&'static str, &str)]| Note::from_fields("n1".into(), &fields(stored)).unwrap().title;
    assert_eq!(title(&[("name", "\"b\"")]), "b");
    assert_eq!(title(&[("name", "\"b\""), ("heading", "\"a\"")]), "a");
    assert_eq!(title(&[("name", "\"b\""), ("heading", "\"a\""), ("title", "\"t\"")]), "t");
}

#[test]
fn unknown_fields_are_left_alone() {
    let stored = fields(&[("title", "\"T\""), ("later", "{\"x\":1}")]);
    assert_eq!(Note::from_fields("n1".into(), &stored).unwrap().title, "T");
    assert!(stored.get("later").is_some());
}

#[derive(Syncable)]
struct Reading {
    #[sync(id)]
    id: Id<Reading>,
    celsius: f64,
}

#[test]
fn a_value_that_cannot_be_written_is_an_error_that_names_the_field() {
    let reading = Reading { id: Id::new(sync_core::Uuid::nil()), celsius: f64::NAN };
    let error = reading.to_fields().unwrap_err();
    assert!(matches!(error, FieldError::Encode { field, .. } if field == "celsius"));
}

#[derive(Syncable, Debug, PartialEq)]
#[sync(default = "Settings::standard")]
struct Settings {
    #[sync(id)]
    id: Id<Settings, u64>,
    theme: String,
    #[sync(default)]
    zoom: u32,
    #[sync(skip)]
    dirty: bool,
}

impl Settings {
    fn standard() -> Self {
        Settings { id: Id::new(0), theme: "light".into(), zoom: 100, dirty: true }
    }
}

#[test]
fn a_structs_default_holds_for_the_fields_that_have_none() {
    let read = Settings::from_fields(Id::new(1), &fields(&[])).unwrap();
    let expected = Settings { id: Id::new(1), theme: "light".into(), zoom: 0, dirty: true };
    assert_eq!(read, expected);
}

#[derive(Syncable, Debug, PartialEq)]
struct Mergeable {
    #[sync(id)]
    id: Id<Mergeable, u8>,
    #[sync(merge = "counter")]
    small: i8,
    #[sync(merge = "counter")]
    large: u128,
    #[sync(merge = "counter")]
    size: usize,
    #[sync(merge = "set")]
    list: Vec<String>,
    #[sync(merge = "set")]
    queue: VecDeque<Vec<u8>>,
    #[sync(merge = "set")]
    hashed: HashSet<u64>,
    #[sync(merge = "set")]
    boxed: Box<[Option<String>]>,
}

#[test]
fn counters_and_sets_may_be_of_many_types() {
    let mergeable = Mergeable {
        id: Id::new(1),
        small: -1,
        large: 1,
        size: 2,
        list: vec!["a".into()],
        queue: [vec![1]].into(),
        hashed: [3].into(),
        boxed: [None].into(),
    };
    let back = Mergeable::from_fields(mergeable.id, &mergeable.to_fields().unwrap()).unwrap();
    assert_eq!(back, mergeable);
}

#[derive(Syncable, Debug, PartialEq)]
struct Unsure {
    #[sync(id)]
    id: Id<Unsure, u8>,
    answer: Option<Option<bool>>,
    list: Vec<Option<Option<bool>>>,
    seen: Option<()>,
    #[sync(with = "told_apart")]
    apart: Option<Option<bool>>,
    inner: Inner,
}

/// The way of those who tell the two apart by whether there is anything.
#[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
struct Inner {
    #[serde(default, skip_serializing_if = "Option::is_none", with = "told_apart")]
    answer: Option<Option<bool>>,
}

mod told_apart {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Option<Option<bool>>, to: S) -> Result<S::Ok, S::Error> {
        value.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<bool>>, D::Error> {
        Option::deserialize(from).map(Some)
    }
}

#[test]
fn a_some_that_would_come_back_as_none_is_an_error() {
    let fine = |apart| {
        let inner = Inner { answer: None };
        Unsure { id: Id::new(1), answer: None, list: vec![None, Some(Some(true))], seen: None, apart, inner }
    };
    let inner = |answer| Unsure { inner: Inner { answer }, ..fine(Some(None)) };
    let told = [fine(Some(None)), fine(Some(Some(true))), inner(None), inner(Some(None)), inner(Some(Some(true)))];
    for unsure in told {
        let back = Unsure::from_fields(unsure.id, &unsure.to_fields().unwrap()).unwrap();
        assert_eq!(back, unsure);
    }
    let untold = [
        ("answer", Unsure { answer: Some(None), ..fine(Some(None)) }),
        ("list", Unsure { list: vec![None, Some(None)], ..fine(Some(None)) }),
        ("seen", Unsure { seen: Some(()), ..fine(Some(None)) }),
        // Of a field of its own nothing is left out.
        ("apart", fine(None)),
    ];
    for (name, unsure) in untold {
        let expected = FieldError::Encode { field: name.into(), source: ValueError::SomeNull };
        assert_eq!(unsure.to_fields().unwrap_err(), expected);
    }
}
