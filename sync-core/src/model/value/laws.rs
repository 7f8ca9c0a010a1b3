//! Laws: what holds for every value, on random ones.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::Value as Json;

use super::*;

fn laws(cases: u32) -> ProptestConfig {
    // Miri takes a thousand times as long.
    let cases = if cfg!(miri) { 4 } else { cases };
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\\x00-\\x22\\\\a-c]{0,4}"]
}

fn float() -> impl Strategy<Value = f64> {
    let whole = any::<i64>().prop_map(|n| n as f64);
    let short = (-999_999_i64..999_999, -20_i32..20).prop_map(|(n, e)| n as f64 * 10_f64.powi(e));
    let bits = any::<u64>().prop_map(f64::from_bits);
    // Here two spellings can be as short and as close.
    let tied = (1_i64 << 48..1 << 53, 1_i32..6).prop_map(|(n, e)| n as f64 * 0.5_f64.powi(e));
    prop_oneof![whole, short, tied, bits].prop_filter("finite", |x| x.is_finite())
}

fn number() -> impl Strategy<Value = Value> {
    let near = any::<i128>()
        .prop_map(|n| n >> 60)
        .prop_flat_map(|n| prop_oneof![Just(Value::encode(&n).unwrap()), Just(Value::encode(&(n as f64)).unwrap())]);
    prop_oneof![float().prop_map(|x| Value::encode(&x).unwrap()), (-3_i64..3).prop_map(Value::from), near]
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        float().prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            // A vector, so that keys come unsorted with `preserve_order`.
            prop::collection::hash_map(text(), inner, 0..5).prop_map(|map| map.into_iter().collect::<Json>()),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![number(), json().prop_map(|json| Value::encode(&json).unwrap())]
}

proptest! {
    #![proptest_config(laws(2000))]

    #[test]
    fn floats_come_back_bit_by_bit(x in float(), bits in any::<u32>()) {
        let encoded = Value::encode(&x).unwrap();
        prop_assert_eq!(encoded.decode::<f64>().unwrap().to_bits(), x.to_bits());
        prop_assert_eq!(&Value::parse(encoded.as_str()).unwrap(), &encoded);
        prop_assert_eq!(&Value::parse(&format!("{x:e}")).unwrap(), &encoded);
        prop_assert_eq!(&Value::parse(&serde_json::to_string(&x).unwrap()).unwrap(), &encoded);
        let small = f32::from_bits(bits);
        if small.is_finite() {
            let encoded = Value::encode(&small).unwrap();
            prop_assert_eq!(encoded.decode::<f32>().unwrap().to_bits(), small.to_bits());
            prop_assert_eq!(&Value::parse(&serde_json::to_string(&small).unwrap()).unwrap(), &encoded);
        }
    }

    #[test]
    fn integers_and_floats_compare_exactly(n in any::<i128>(), shift in 0..127, off in -2_i128..3) {
        let near = (n >> shift) as f64;
        // Beyond 2^127 the cast would saturate.
        prop_assume!(near.abs() < 1.7e38);
        let integer = near as i128 + off;
        let float = Value::from_canonical(format!("{near:?}"));
        let order = Value::encode(&integer).unwrap().cmp(&float);
        let expected = integer.cmp(&(near as i128)).then(order);
        prop_assert_eq!(order, expected);
    }

    #[test]
    fn strings_compare_by_their_bytes(a in text(), b in text()) {
        let (left, right) = (Value::from(a.as_str()), Value::from(b.as_str()));
        prop_assert_eq!(left.cmp(&right), a.as_bytes().cmp(b.as_bytes()));
        prop_assert_eq!(left.as_string().unwrap(), a.as_str());
        prop_assert_eq!(left.as_str(), serde_json::to_string(&a).unwrap());
    }
}

proptest! {
    #![proptest_config(laws(500))]

    #[test]
    fn values_agree_with_serde_json(json in json()) {
        let encoded = Value::encode(&json).unwrap();
        let compact = serde_json::to_string(&json).unwrap();
        let pretty = serde_json::to_string_pretty(&json).unwrap();
        prop_assert_eq!(&Value::parse(&compact).unwrap(), &encoded);
        prop_assert_eq!(&Value::parse(&pretty).unwrap(), &encoded);
        prop_assert_eq!(&Value::parse(encoded.as_str()).unwrap(), &encoded);
        prop_assert_eq!(&Value::encode(&encoded).unwrap(), &encoded);
        prop_assert_eq!(&Value::encode(&encoded.decode::<Json>().unwrap()).unwrap(), &encoded);
        prop_assert_eq!(&serde_json::from_str::<Value>(&pretty).unwrap(), &encoded);
        prop_assert_eq!(&serde_json::from_value::<Value>(json).unwrap(), &encoded);
        prop_assert_eq!(serde_json::to_string(&encoded).unwrap(), encoded.as_str());
        prop_assert_eq!(&encoded.decode::<Value>().unwrap(), &encoded);
    }

    /// Nothing that serde_json refuses is taken, and what is refused beyond that has its own error.
    #[test]
    fn damaged_text_is_refused(json in json(), at in any::<prop::sample::Index>(), byte in 0_u8..128, cut in any::<bool>()) {
        let mut bytes = serde_json::to_vec(&json).unwrap();
        let at = at.index(bytes.len());
        bytes.splice(at..=at, (!cut).then_some(byte));
        let read = serde_json::from_slice::<Json>(&bytes);
        match Value::parse_bytes(&bytes) {
            Ok(value) => {
                prop_assert!(read.is_ok());
                prop_assert_eq!(&Value::parse(value.as_str()).unwrap(), &value);
            }
            Err(ValueError::DuplicateKey { .. } | ValueError::NumberTooLong | ValueError::NotFinite) => {}
            Err(error) => prop_assert!(read.is_err(), "{}: {}", error, String::from_utf8_lossy(&bytes)),
        }
    }

    #[test]
    fn objects_come_apart_and_together(map in prop::collection::btree_map(text(), value(), 0..6)) {
        let object = Value::encode(&map).unwrap();
        let shuffled: HashMap<String, Value> = map.clone().into_iter().collect();
        prop_assert_eq!(&Value::encode(&shuffled).unwrap(), &object);
        prop_assert_eq!(&Value::parse(&serde_json::to_string(&shuffled).unwrap()).unwrap(), &object);
        prop_assert_eq!(&Value::object(shuffled).unwrap(), &object);
        let members = object.object_members().unwrap();
        prop_assert_eq!(members.into_iter().collect::<BTreeMap<_, _>>(), map.clone());
        let array = Value::array(map.values().cloned());
        prop_assert_eq!(&Value::encode(&map.values().collect::<Vec<_>>()).unwrap(), &array);
        prop_assert_eq!(array.array_elements().unwrap(), map.into_values().collect::<Vec<_>>());
    }

    #[test]
    fn the_order_is_total(values in prop::collection::vec(value(), 3..8)) {
        for a in &values {
            for b in &values {
                prop_assert_eq!(a.cmp(b), b.cmp(a).reverse());
                prop_assert_eq!(a.cmp(b).is_eq(), a == b);
                for c in &values {
                    prop_assert!(!(a <= b && b <= c) || a <= c, "{} {} {}", a, b, c);
                }
            }
        }
    }

    #[test]
    fn a_string_ends_where_it_ends(text in prop::collection::vec(prop_oneof![any::<u8>(), 0x1e_u8..0x24, Just(b'\\')], 0..40), at in 0_usize..40) {
        let plain = |b: &&u8| **b >= 0x20 && **b != b'"' && **b != b'\\';
        let rest = text.get(at..).unwrap_or_default();
        prop_assert_eq!(text::end_of_plain(&text, at), at + rest.iter().take_while(plain).count());
    }
}
