use super::*;
#[test]
fn smoke() {
    assert_eq!(
        Value::parse(r#" { "b" : [ 1.0 , 2.5e0 , -0 ] , "a" : "\u0041" } "#)
            .unwrap()
            .as_str(),
        r#"{"a":"A","b":[1,2.5,-0.0]}"#
    );
}
