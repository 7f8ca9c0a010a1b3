//! Rust types as values, and values as parts of types.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::tests::{code, parse};
use super::*;

/// Encoding is what serde_json writes, made canonical; and it reads back.
fn agrees<T: Serialize + DeserializeOwned + PartialEq + fmt::Debug>(value: &T) {
    let encoded = Value::encode(value).unwrap();
    assert_eq!(encoded, parse(&serde_json::to_string(value).unwrap()));
    assert_eq!(&encoded.decode::<T>().unwrap(), value);
}

#[derive(Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Clone, Copy)]
enum Colour {
    Red,
    Blue,
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
enum Shape {
    Point,
    Round(f32),
    Box(i8, u128),
    Named { size: Option<u8>, colour: Colour },
}

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Unit;

#[derive(Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Wrapped(String);

#[derive(Serialize, Deserialize, PartialEq, Debug)]
struct Everything {
    zebra: (bool, char, String),
    apple: Vec<Shape>,
    numbers: (i64, u64, i128, u128, f64, f64),
    nothing: (Unit, (), Option<u8>),
    by_number: BTreeMap<i64, u8>,
    by_char: BTreeMap<char, u8>,
    by_bool: BTreeMap<bool, u8>,
    by_colour: HashMap<Colour, u8>,
    by_name: HashMap<Wrapped, Wrapped>,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[test]
fn encoding_agrees_with_serde_json() {
    let shapes = vec![
        Shape::Point,
        Shape::Round(0.1),
        Shape::Box(-1, u128::MAX),
        Shape::Named { size: None, colour: Colour::Blue },
    ];
    agrees(&Everything {
        zebra: (true, '"', "\u{1}\\/é".to_owned()),
        apple: shapes,
        numbers: (i64::MIN, u64::MAX, i128::MIN, u128::MAX, -0.0, 1e300),
        nothing: (Unit, (), None),
        by_number: [(-1, 1), (10, 2), (9, 3)].into(),
        by_char: [('\n', 1), ('A', 2)].into(),
        by_bool: [(true, 1), (false, 2)].into(),
        by_colour: [(Colour::Red, 1), (Colour::Blue, 2)].into(),
        by_name: [
            (Wrapped("b".to_owned()), Wrapped("x".to_owned())),
            (Wrapped("a".to_owned()), Wrapped(String::new())),
        ]
        .into(),
        rest: [("middle".to_owned(), 1)].into(),
    });
    let float = Value::encode(&(0.1_f32, 16_777_216_f32, 1e10_f32, f32::MAX)).unwrap();
    assert_eq!(float.as_str(), "[0.1,16777216,10000000000,3.4028235e+38]");
}

struct Shown(Result<&'static str, fmt::Error>);

impl Serialize for Shown {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0?)
    }
}

struct Bytes;

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&[0, 255])
    }
}

#[test]
fn what_cannot_be_encoded() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(code(Value::encode(&float)), "value_not_finite");
        assert_eq!(code(Value::encode(&[float as f32])), "value_not_finite");
    }
    assert_eq!(Value::encode(&Bytes).unwrap().as_str(), "[0,255]");
    assert_eq!(Value::encode(&Shown(Ok("\""))).unwrap().as_str(), r#""\"""#);
    assert_eq!(code(Value::encode(&Shown(Err(fmt::Error)))), "value_encode");
    assert_eq!(code(Value::encode(&BTreeMap::from([((1, 2), 3)]))), "value_encode");
    assert_eq!(code(Value::encode(&BTreeMap::from([(None::<u8>, 3)]))), "value_encode");
    assert_eq!(Value::encode(&BTreeMap::from([(Some(1), 3)])).unwrap().as_str(), r#"{"1":3}"#);

    // Many beside each other are not deep.
    assert!(Value::encode(&vec![Vec::<u8>::new(); 2 * MAX_DEPTH]).is_ok());

    #[derive(Serialize)]
    struct Twice {
        b: u8,
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let twice = Twice { b: 1, a: 2, rest: BTreeMap::from([("b".to_owned(), 3)]) };
    assert_eq!(Value::encode(&twice), Err(ValueError::DuplicateKey { key: "b".to_owned() }));
    assert_eq!(parse("1").decode::<String>().unwrap_err().code(), "value_decode");
}

/// A map with one entry of this key.
struct Keyed<T>(T);

impl<T: Serialize> Serialize for Keyed<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.0, 1)])
    }
}

#[test]
fn what_is_a_key() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Wrapped(char);
    #[derive(Serialize)]
    enum Variants {
        Plain,
        Newtype(u8),
        Tuple(u8, u8),
        Struct { a: u8 },
    }
    fn key<T: Serialize>(key: T) -> String {
        Value::encode(&Keyed(key)).map_or_else(|error| error.code().to_owned(), |value| value.as_str().to_owned())
    }
    assert_eq!(key("\""), r#"{"\"":1}"#);
    assert_eq!(key('x'), r#"{"x":1}"#);
    assert_eq!(key(Wrapped('y')), r#"{"y":1}"#);
    assert_eq!(key(true), r#"{"true":1}"#);
    assert_eq!(key(-7), r#"{"-7":1}"#);
    assert_eq!(key(u128::MAX), format!("{{\"{}\":1}}", u128::MAX));
    assert_eq!(key(Variants::Plain), r#"{"Plain":1}"#);
    assert_eq!(key(Shown(Ok("shown"))), r#"{"shown":1}"#);
    let refused = [
        key(1.5_f32),
        key(1.5_f64),
        key(Bytes),
        key(()),
        key(Unit),
        key(Variants::Newtype(1)),
        key(Variants::Tuple(1, 2)),
        key(Variants::Struct { a: 1 }),
        key([1]),
        key(Shown(Err(fmt::Error))),
    ];
    refused.iter().for_each(|refused| assert_eq!(refused, "value_encode"));
}

#[derive(Serialize, Deserialize, Debug)]
struct Holder {
    value: Value,
    raw: Box<RawValue>,
    any: serde_json::Value,
    number: serde_json::Number,
}

#[test]
fn json_inside_of_types() {
    let text = r#"{"value":{"b":[1.0,12345678901234567890123456789],"a":null},"raw":{"z":1e2,"y":"\u0041"},"any":{"q":0.5,"p":[-3]},"number":1.5e3}"#;
    let holder: Holder = serde_json::from_str(text).unwrap();
    assert_eq!(holder.value.as_str(), r#"{"a":null,"b":[1,12345678901234567890123456789]}"#);
    let canonical = r#"{"any":{"p":[-3],"q":0.5},"number":1500,"raw":{"y":"A","z":100},"value":{"a":null,"b":[1,12345678901234567890123456789]}}"#;
    let encoded = Value::encode(&holder).unwrap();
    assert_eq!(encoded.as_str(), canonical);
    assert_eq!(parse(text).as_str(), canonical);
    let again: Holder = encoded.decode().unwrap();
    assert_eq!(Value::encode(&again).unwrap(), encoded);
    assert!(serde_json::to_string(&holder).unwrap().contains(holder.value.as_str()));
    let bad = RawValue::from_string("1e999".to_owned()).unwrap();
    assert_eq!(code(Value::encode(&[bad])), "value_not_finite");
}

#[test]
fn values_inside_of_buffered_types() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(untagged)]
    enum Untagged {
        Number { number: u8 },
        Other(BTreeMap<String, Value>),
    }
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    #[serde(tag = "type")]
    enum Tagged {
        Holds { value: Value },
    }
    let inner = r#"{"b":[1,-2,0.5,1e300,18446744073709551615,"x",null,true],"c":{"d":-0.0}}"#;
    let other: Untagged = serde_json::from_str(&format!(r#"{{"k":{inner}}}"#)).unwrap();
    let expected = BTreeMap::from([("k".to_owned(), parse(inner))]);
    assert_eq!(other, Untagged::Other(expected));
    let tagged: Tagged = serde_json::from_str(&format!(r#"{{"value":{inner},"type":"Holds"}}"#)).unwrap();
    assert_eq!(tagged, Tagged::Holds { value: parse(inner) });
    assert_eq!(parse(&serde_json::to_string(&tagged).unwrap()), Value::encode(&tagged).unwrap());

    let tree: serde_json::Value = serde_json::to_value(parse(inner)).unwrap();
    assert_eq!(serde_json::from_value::<Value>(tree).unwrap(), parse(inner));
    assert_eq!(serde_json::from_str::<Option<Value>>("null").unwrap(), None);
    // A key that looks like serde_json's own is a key.
    let odd = r#"{"$serde_json::private::RawValue":"[1]"}"#;
    assert_eq!(serde_json::from_str::<Value>(odd).unwrap().as_str(), odd);
    let buffered: Untagged = serde_json::from_str(&format!(r#"{{"k":{odd}}}"#)).unwrap();
    assert_eq!(buffered, Untagged::Other(BTreeMap::from([("k".to_owned(), parse(odd))])));
    assert!(serde_json::from_str::<Value>(r#"{"a":1,"a":2}"#).is_err());
    assert!(serde_json::from_str::<Value>("1e999").is_err());
}

#[test]
fn taking_apart_and_putting_together() {
    assert_eq!(Value::null().kind(), Kind::Null);
    assert!(Value::null().is_null());
    assert_eq!(Value::from(true).as_str(), "true");
    assert_eq!(Value::from(u64::MAX).as_i128(), Some(u64::MAX.into()));
    assert_eq!(Value::from(u64::MAX).as_i64(), None);
    assert_eq!(Value::from(i64::MIN).as_i64(), Some(i64::MIN));
    assert_eq!(parse("-0.0").as_i64(), None);
    assert_eq!(parse("\"1\"").as_i64(), None);
    assert_eq!(Value::from("a\n").as_string().as_deref(), Some("a\n"));
    assert_eq!(Value::from("a\n".to_owned()).kind(), Kind::String);
    assert_eq!(Value::from(1_i64).as_string(), None);

    let array = parse(r#"[1,"],\"",[[]],{"a":[1,2]},-0.5]"#);
    let elements = array.array_elements().unwrap();
    let texts: Vec<&str> = elements.iter().map(Value::as_str).collect();
    assert_eq!(texts, ["1", r#""],\"""#, "[[]]", r#"{"a":[1,2]}"#, "-0.5"]);
    assert_eq!(Value::array(elements), array);
    assert_eq!(parse("[]").array_elements(), Some(vec![]));
    assert_eq!(Value::array([]).as_str(), "[]");
    assert_eq!(parse("{}").array_elements(), None);

    let object = parse(r#"{"b}":{"x":1},"a:\"":[],"":"\\"}"#);
    let members = object.object_members().unwrap();
    let keys: Vec<&str> = members.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["", "a:\"", "b}"]);
    assert_eq!(members[2].1.as_str(), r#"{"x":1}"#);
    assert_eq!(Value::object(members.into_iter().rev()).unwrap(), object);
    assert_eq!(
        Value::object([("a", Value::null()), ("a", Value::from(1_i64))]).unwrap_err().code(),
        "value_duplicate_key"
    );
    assert_eq!(parse("{}").object_members(), Some(vec![]));
    assert_eq!(parse("[]").object_members(), None);
}
