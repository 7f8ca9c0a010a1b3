//! Tables: what is read and written as what.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::*;

fn parse(text: &str) -> Value {
    Value::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn code(result: Result<Value, ValueError>) -> &'static str {
    result.unwrap_err().code()
}

#[test]
fn one_spelling() {
    let table = [
        (" null\n", "null"),
        ("\ttrue", "true"),
        ("false\r", "false"),
        ("[ ]", "[]"),
        ("{ }", "{}"),
        ("[ 1 , [ 2 ] , { } ]", "[1,[2],{}]"),
        ("0", "0"),
        ("-0", "-0.0"),
        ("-0.0", "-0.0"),
        ("-0e9", "-0.0"),
        ("-1e-999", "-0.0"),
        ("1e-999", "0"),
        ("0.0", "0"),
        ("1.0", "1"),
        ("-1.50", "-1.5"),
        ("1e3", "1000"),
        ("1E+3", "1000"),
        ("10e-1", "1"),
        ("9007199254740991.0", "9007199254740991"),
        ("-9007199254740991.0", "-9007199254740991"),
        ("9007199254740992.0", "9007199254740992.0"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("9007199254740993", "9007199254740993"),
        ("1e15", "1000000000000000"),
        ("1e16", "1e+16"),
        ("12345678901234567e0", "1.2345678901234568e+16"),
        ("1125899906842624.25", "1125899906842624.2"),
        ("1125899906842624.75", "1125899906842624.8"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324"),
        ("0.00001", "0.00001"),
        ("0.000001", "1e-6"),
        ("0.1e-6", "1e-7"),
        ("123.456e-10", "1.23456e-8"),
        (
            "340282366920938463463374607431768211455",
            "340282366920938463463374607431768211455",
        ),
        (
            "-170141183460469231731687303715884105728",
            "-170141183460469231731687303715884105728",
        ),
        (r#""""#, r#""""#),
        (r#""\/""#, r#""/""#),
        (r#""\u0041\u00e9\ud83d\ude00""#, r#""Aé😀""#),
        (r#""\u000A\u001F\u007f""#, "\"\\n\\u001f\u{7f}\""),
        (r#""\b\f\n\r\t\"\\""#, r#""\b\f\n\r\t\"\\""#),
        (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
        (
            r#"{ "b" : { "d" : 1.0 , "c" : 2 } , "a" : 0 }"#,
            r#"{"a":0,"b":{"c":2,"d":1}}"#,
        ),
        (r#"{"aa":1,"a":2,"":3}"#, r#"{"":3,"a":2,"aa":1}"#),
        // By what the keys stand for, not by their spelling; by UTF-8, not by UTF-16.
        (
            r#"{"A":1,"\n":2,"\\":3,"\"":4}"#,
            r#"{"\n":2,"\"":4,"A":1,"\\":3}"#,
        ),
        (
            "{\"\u{10000}\":1,\"\u{ffff}\":2}",
            "{\"\u{ffff}\":2,\"\u{10000}\":1}",
        ),
        (
            r#"{"}":[{"]":"{"},"\\"],"{":"\""}"#,
            r#"{"{":"\"","}":[{"]":"{"},"\\"]}"#,
        ),
    ];
    for (text, canonical) in table {
        assert_eq!(parse(text).as_str(), canonical, "{text}");
        assert_eq!(parse(canonical).as_str(), canonical, "again: {text}");
        assert_eq!(
            Value::parse_bytes(text.as_bytes()).unwrap().as_str(),
            canonical
        );
    }
}

#[test]
fn what_is_refused() {
    let long = "1".repeat(40);
    let table = [
        ("", "value_syntax"),
        (" ", "value_syntax"),
        ("nul", "value_syntax"),
        ("True", "value_syntax"),
        ("NaN", "value_syntax"),
        ("1 2", "value_syntax"),
        ("[1,]", "value_syntax"),
        ("[,1]", "value_syntax"),
        ("[1", "value_syntax"),
        ("[1}", "value_syntax"),
        ("]", "value_syntax"),
        (r#"{"a"}"#, "value_syntax"),
        (r#"{"a":}"#, "value_syntax"),
        (r#"{"a":1,}"#, "value_syntax"),
        ("{a:1}", "value_syntax"),
        ("{1:1}", "value_syntax"),
        (r#"{"a":1 "b":2}"#, "value_syntax"),
        ("01", "value_syntax"),
        ("-", "value_syntax"),
        ("+1", "value_syntax"),
        (".5", "value_syntax"),
        ("1.", "value_syntax"),
        ("1.e5", "value_syntax"),
        ("1e", "value_syntax"),
        ("1e+", "value_syntax"),
        ("0x1", "value_syntax"),
        ("\"", "value_syntax"),
        ("\"\n\"", "value_syntax"),
        (r#""\x""#, "value_syntax"),
        (r#""\"#, "value_syntax"),
        (r#""\u12"#, "value_syntax"),
        (r#""\u+123""#, "value_syntax"),
        ("\u{feff}1", "value_syntax"),
        ("\u{a0}1", "value_syntax"),
        ("1 // one", "value_syntax"),
        (r#""\ud800""#, "value_surrogate"),
        (r#""\udc00""#, "value_surrogate"),
        (r#""\ud800\u0041""#, "value_surrogate"),
        (r#""\ud800\ud800""#, "value_surrogate"),
        ("1e999", "value_not_finite"),
        ("[-1.8e308]", "value_not_finite"),
        (&long, "value_number_too_long"),
        (r#"{"a":1,"a":2}"#, "value_duplicate_key"),
        (r#"{"a":1,"b":2,"\u0061":3}"#, "value_duplicate_key"),
        (r#"{"b":1,"a":2,"b":3}"#, "value_duplicate_key"),
    ];
    for (text, expected) in table {
        assert_eq!(code(Value::parse(text)), expected, "{text}");
    }
    assert_eq!(
        Value::parse_bytes(b"\"\xff\""),
        Err(ValueError::Syntax {
            at: 1,
            message: "the bytes are not UTF-8"
        })
    );
    assert_eq!(
        Value::parse("[1, 02]").unwrap_err().to_string(),
        "this is not JSON: a number starts with a needless zero at byte 4"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(code(Value::parse(&nested(MAX_DEPTH + 1))), "value_too_deep");
    assert_eq!(
        Value::parse_with_depth("[[1]]", 1),
        Err(ValueError::TooDeep { max: 1 })
    );
    assert!(Value::parse_with_depth("[[1]]", 2).is_ok());
    for deep in [
        nested(100_000),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
    ] {
        assert_eq!(code(Value::parse(&deep)), "value_too_deep");
        assert_eq!(
            code(Value::parse_with_depth(&deep, usize::MAX)),
            "value_too_deep"
        );
    }

    // What is taken can be read, and written again.
    let deepest = parse(&nested(MAX_DEPTH));
    let read: serde_json::Value = deepest.decode().unwrap();
    assert_eq!(Value::encode(&read).unwrap(), deepest);
    assert_eq!(code(Value::encode(&[read])), "value_too_deep");
    assert_eq!(code(Value::encode(&[&deepest])), "value_too_deep");
    let hidden = RawValue::from_string(nested(100_000)).unwrap();
    assert_eq!(
        Value::encode(&hidden),
        Err(ValueError::TooDeep { max: MAX_DEPTH })
    );
    // An embedded value may lie within an operation.
    let operation = format!("{{\"$insert\":[{deepest}]}}");
    assert!(serde_json::from_str::<Value>(&operation).is_ok());

    #[derive(Serialize)]
    enum Chain {
        Link(Box<Chain>),
        End,
    }
    let mut chain = Chain::End;
    for _ in 0..MAX_DEPTH {
        chain = Chain::Link(Box::new(chain));
    }
    assert!(Value::encode(&chain).is_ok());
    assert_eq!(
        code(Value::encode(&Chain::Link(Box::new(chain)))),
        "value_too_deep"
    );
}

#[test]
fn order_of_kinds_numbers_and_strings() {
    let ascending = [
        "null",
        "false",
        "true",
        "-1e+300",
        "-340282366920938463463374607431768211455",
        "-9007199254740993",
        "-9007199254740992",
        "-9007199254740992.0",
        "-2",
        "-1.5",
        "-1",
        "-5e-324",
        "-0.0",
        "0",
        "5e-324",
        "0.5",
        "1",
        "1.5",
        "9",
        "10",
        "9007199254740991",
        "9007199254740992",
        "9007199254740992.0",
        "9007199254740993",
        "9007199254740994.0",
        "9007199254740995",
        "10000000000000000",
        "1e+16",
        "10000000000000001",
        "18446744073709551615",
        "1.8446744073709552e+19",
        "18446744073709551617",
        // 1e23 is a little less than ten to the power of 23.
        "1e+23",
        "100000000000000000000000",
        "340282366920938463463374607431768211455",
        "3.402823669209385e+38",
        "1e+300",
        r#""""#,
        r#""\u0000""#,
        r#""\n""#,
        r#""!""#,
        r#""\"""#,
        r#""A""#,
        r#""\\""#,
        r#""a""#,
        r#""aa""#,
        "\"\u{ffff}\"",
        "\"\u{10000}\"",
        "[]",
        "{}",
    ];
    let values: Vec<Value> = ascending.iter().map(|text| parse(text)).collect();
    for (i, a) in values.iter().enumerate() {
        assert_eq!(a.as_str(), ascending[i], "the table is canonical");
        for (j, b) in values.iter().enumerate() {
            assert_eq!(a.cmp(b), i.cmp(&j), "{a} and {b}");
        }
    }
}

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
        Shape::Named {
            size: None,
            colour: Colour::Blue,
        },
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
    assert_eq!(
        code(Value::encode(&BTreeMap::from([((1, 2), 3)]))),
        "value_encode"
    );
    assert_eq!(
        code(Value::encode(&BTreeMap::from([(None::<u8>, 3)]))),
        "value_encode"
    );
    assert_eq!(
        Value::encode(&BTreeMap::from([(Some(1), 3)]))
            .unwrap()
            .as_str(),
        r#"{"1":3}"#
    );

    #[derive(Serialize)]
    struct Twice {
        b: u8,
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    let twice = Twice {
        b: 1,
        a: 2,
        rest: BTreeMap::from([("b".to_owned(), 3)]),
    };
    assert_eq!(
        Value::encode(&twice),
        Err(ValueError::DuplicateKey {
            key: "b".to_owned()
        })
    );
    assert_eq!(
        parse("1").decode::<String>().unwrap_err().code(),
        "value_decode"
    );
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
    assert_eq!(
        holder.value.as_str(),
        r#"{"a":null,"b":[1,12345678901234567890123456789]}"#
    );
    let canonical = r#"{"any":{"p":[-3],"q":0.5},"number":1500,"raw":{"y":"A","z":100},"value":{"a":null,"b":[1,12345678901234567890123456789]}}"#;
    let encoded = Value::encode(&holder).unwrap();
    assert_eq!(encoded.as_str(), canonical);
    assert_eq!(parse(text).as_str(), canonical);
    let again: Holder = encoded.decode().unwrap();
    assert_eq!(Value::encode(&again).unwrap(), encoded);
    assert!(
        serde_json::to_string(&holder)
            .unwrap()
            .contains(holder.value.as_str())
    );
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
    let tagged: Tagged =
        serde_json::from_str(&format!(r#"{{"value":{inner},"type":"Holds"}}"#)).unwrap();
    assert_eq!(
        tagged,
        Tagged::Holds {
            value: parse(inner)
        }
    );
    assert_eq!(
        parse(&serde_json::to_string(&tagged).unwrap()),
        Value::encode(&tagged).unwrap()
    );

    let tree: serde_json::Value = serde_json::to_value(parse(inner)).unwrap();
    assert_eq!(serde_json::from_value::<Value>(tree).unwrap(), parse(inner));
    assert_eq!(serde_json::from_str::<Option<Value>>("null").unwrap(), None);
    // A key that looks like serde_json's own is a key.
    let odd = r#"{"$serde_json::private::RawValue":"[1]"}"#;
    assert_eq!(serde_json::from_str::<Value>(odd).unwrap().as_str(), odd);
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
        Value::object([("a", Value::null()), ("a", Value::from(1_i64))])
            .unwrap_err()
            .code(),
        "value_duplicate_key"
    );
    assert_eq!(parse("{}").object_members(), Some(vec![]));
    assert_eq!(parse("[]").object_members(), None);
}
