//! Tables: what is read and written as what.

use serde::Serialize;
use serde_json::value::RawValue;

use super::*;
use crate::model::entry::Entry;
use crate::model::json::NoEntry;

pub(super) fn parse(text: &str) -> Value {
    Value::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(super) fn code(result: Result<Value, ValueError>) -> &'static str {
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
        ("340282366920938463463374607431768211455", "340282366920938463463374607431768211455"),
        ("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
        (r#""""#, r#""""#),
        (r#""\/""#, r#""/""#),
        (r#""\u0041\u00e9\ud83d\ude00""#, r#""Aé😀""#),
        (r#""\u000A\u001F\u007f""#, "\"\\n\\u001f\u{7f}\""),
        (r#""\b\f\n\r\t\"\\""#, r#""\b\f\n\r\t\"\\""#),
        (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
        (r#"{ "b" : { "d" : 1.0 , "c" : 2 } , "a" : 0 }"#, r#"{"a":0,"b":{"c":2,"d":1}}"#),
        (r#"{"aa":1,"a":2,"":3}"#, r#"{"":3,"a":2,"aa":1}"#),
        // By what the keys stand for, not by their spelling; by UTF-8, not by UTF-16.
        (r#"{"A":1,"\n":2,"\\":3,"\"":4}"#, r#"{"\n":2,"\"":4,"A":1,"\\":3}"#),
        ("{\"\u{10000}\":1,\"\u{ffff}\":2}", "{\"\u{ffff}\":2,\"\u{10000}\":1}"),
        (r#"{"}":[{"]":"{"},"\\"],"{":"\""}"#, r#"{"{":"\"","}":[{"]":"{"},"\\"]}"#),
    ];
    for (text, canonical) in table {
        assert_eq!(parse(text).as_str(), canonical, "{text}");
        assert_eq!(parse(canonical).as_str(), canonical, "again: {text}");
        assert_eq!(Value::parse_bytes(text.as_bytes()).unwrap().as_str(), canonical);
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
        (r#""\udfff""#, "value_surrogate"),
        ("\"\u{1f}\"", "value_syntax"),
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
    assert_eq!(Value::parse_bytes(b"\"\xff\""), Err(ValueError::Syntax { at: 1, message: "the bytes are not UTF-8" }));
    assert_eq!(
        Value::parse("[1, 02]").unwrap_err().to_string(),
        "this is not JSON: a number starts with a needless zero at byte 4"
    );
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(code(Value::parse(&nested(MAX_DEPTH + 1))), "value_too_deep");
    assert_eq!(Value::parse_with_depth("[[1]]", 1), Err(ValueError::TooDeep { max: 1 }));
    assert!(Value::parse_with_depth("[[1]]", 2).is_ok());
    let levels = if cfg!(miri) { 1_000 } else { 100_000 };
    for deep in [nested(levels), "[".repeat(levels), "{\"a\":".repeat(levels)] {
        assert_eq!(code(Value::parse(&deep)), "value_too_deep");
        assert_eq!(code(Value::parse_with_depth(&deep, usize::MAX)), "value_too_deep");
    }

    let depths = [("1", 0), ("[]", 1), ("[[],[],{}]", 2), (r#"[["a"],["b"],{"c":[0]}]"#, 3), (r#"["[[[","{\"{"]"#, 1)];
    for (text, depth) in depths {
        assert_eq!(parse(text).depth(), depth, "{text}");
    }
    // What is wrong is told with its place.
    let wrong = r#"{"id":"a-1","entityType":"note","x":[1 2]}"#;
    let at = match Entry::parse_json(wrong, 9) {
        Err(NoEntry::Json(ValueError::Syntax { at, .. })) => at,
        other => panic!("{other:?}"),
    };
    assert_eq!(&wrong[at..], "2]}");

    // What is taken can be read, and written again.
    let deepest = parse(&nested(MAX_DEPTH));
    let read: serde_json::Value = deepest.decode().unwrap();
    assert_eq!(Value::encode(&read).unwrap(), deepest);
    assert_eq!(code(Value::encode(&[read])), "value_too_deep");
    assert_eq!(code(Value::encode(&[&deepest])), "value_too_deep");
    let hidden = RawValue::from_string(nested(100_000)).unwrap();
    assert_eq!(Value::encode(&hidden), Err(ValueError::TooDeep { max: MAX_DEPTH }));
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
    assert_eq!(code(Value::encode(&Chain::Link(Box::new(chain)))), "value_too_deep");
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
