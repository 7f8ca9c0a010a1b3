//! Values of all kinds under all policies, written on devices that know nothing of each other: the same on all of them, and
//! readable.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};

use super::support::{Set, run};

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, PartialOrd, Eq, Ord)]
enum Shape {
    Unit,
    New(u128),
    Pair(i64, String),
    Named { at: i128, deep: Option<Box<Shape>> },
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq, Default)]
struct Inner {
    a: Option<f64>,
    b: BTreeMap<String, Vec<u8>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<char>,
}

#[derive(Syncable, Debug, Clone, PartialEq)]
struct Odd {
    #[sync(id)]
    id: Id<Odd, String>,
    shape: Shape,
    inner: Inner,
    maybe: Option<Option<u8>>,
    #[sync(merge = "first")]
    first: Option<Shape>,
    #[sync(merge = "max")]
    most: f64,
    #[sync(merge = "min")]
    least: Option<f64>,
    #[sync(merge = "max")]
    text: String,
    #[sync(merge = "min")]
    big: i128,
    #[sync(merge = "max")]
    huge: u128,
    #[sync(merge = "max")]
    letter: char,
    #[sync(merge = "max")]
    flag: bool,
    #[sync(merge = "counter")]
    count: i64,
    #[sync(merge = "counter")]
    small: u8,
    #[sync(merge = "counter")]
    wide: i128,
    #[sync(merge = "set")]
    words: BTreeSet<String>,
    #[sync(merge = "set")]
    shapes: BTreeSet<Shape>,
    #[sync(merge = "set")]
    numbers: Vec<f64>,
    #[sync(merge = "set")]
    options: BTreeSet<Option<i128>>,
}

const TEXTS: [&str; 12] =
    ["", "a", "é", "e\u{301}", "\u{10ffff}", "\u{fffd}", "🦀", "10", "\"10\"", "null", "[1]", "a\0b\u{7f}\n"];
const FLOATS: [f64; 12] =
    [0.0, -0.0, 1.0, 1.5, -1e308, f64::MAX, f64::MIN_POSITIVE, 5e-324, 9_007_199_254_740_993.0, 1e21, 0.1, -1.0];
const INTS: [i128; 9] = [0, 1, -1, i64::MAX as i128, i64::MIN as i128, u64::MAX as i128, i128::MAX, i128::MIN, 1 << 53];

struct Dice(u64);
impl Dice {
    fn to(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
    fn text(&mut self) -> String {
        TEXTS[self.to(12)].to_owned()
    }
    fn float(&mut self) -> f64 {
        FLOATS[self.to(12)]
    }
    fn int(&mut self) -> i128 {
        INTS[self.to(9)]
    }
    fn shape(&mut self) -> Shape {
        match self.to(4) {
            0 => Shape::Unit,
            1 => Shape::New(self.int() as u128),
            2 => Shape::Pair(self.int() as i64, self.text()),
            _ => Shape::Named { at: self.int(), deep: (self.to(2) == 0).then(|| Box::new(self.shape())) },
        }
    }
    fn change(&mut self, odd: &mut Odd) {
        match self.to(19) {
            0 => odd.shape = self.shape(),
            1 => odd.inner.a = (self.to(3) > 0).then(|| self.float()),
            2 => drop(odd.inner.b.insert(self.text(), vec![self.to(256) as u8; self.to(3)])),
            3 => odd.inner.c = self.text().chars().next(),
            4 => odd.maybe = [None, Some(Some(0)), Some(Some(255))][self.to(3)],
            5 => odd.first = Some(self.shape()),
            6 => odd.most = self.float(),
            7 => odd.least = (self.to(3) > 0).then(|| self.float()),
            8 => odd.text = self.text(),
            9 => odd.big = self.int(),
            10 => odd.huge = self.int() as u128,
            11 => odd.letter = self.text().chars().next().unwrap_or('\0'),
            12 => odd.flag = self.to(2) == 0,
            13 => {
                odd.count =
                    if self.to(2) == 0 { self.int() as i64 } else { odd.count.wrapping_add(self.to(5) as i64 - 2) }
            }
            14 => odd.small = self.int() as u8,
            15 => odd.wide = self.int(),
            16 => {
                let word = self.text();
                if !odd.words.remove(&word) {
                    odd.words.insert(word);
                }
            }
            17 => {
                let shape = self.shape();
                if !odd.shapes.remove(&shape) {
                    odd.shapes.insert(shape);
                }
                let option = (self.to(3) > 0).then(|| self.int());
                if !odd.options.remove(&option) {
                    odd.options.insert(option);
                }
            }
            _ => match odd.numbers.pop() {
                Some(_) if self.to(2) == 0 => {}
                popped => odd.numbers.extend(popped.into_iter().chain([self.float()])),
            },
        }
    }
}

#[test]
fn values_of_all_kinds_are_the_same_everywhere() {
    let (mut refused, mut done) = (std::collections::BTreeMap::<String, u64>::new(), 0);
    let seeds = std::env::var("ODD_SEEDS").map_or(60, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let mut dice = Dice(seed);
        let clock = Set::new();
        let hub = Hub::builder().name("hub").open(MemoryStore::new()).unwrap();
        let transport = hub.transport("ada");
        let open =
            || Replica::builder().register::<Odd>().clock(clock.clone()).threadless().open(MemoryStore::new()).unwrap();
        let devices = [open(), open(), open()];
        let new = Odd {
            id: "n".into(),
            shape: Shape::Unit,
            inner: Inner::default(),
            maybe: None,
            first: None,
            most: -1e300,
            least: None,
            text: String::new(),
            big: i128::MAX,
            huge: 0,
            letter: '\0',
            flag: false,
            count: 0,
            small: 0,
            wide: 0,
            words: BTreeSet::new(),
            shapes: BTreeSet::new(),
            numbers: vec![],
            options: BTreeSet::new(),
        };
        let id = new.id.clone();
        for device in &devices[..1 + seed as usize % 3] {
            let mut new = new.clone();
            dice.change(&mut new);
            // More than a counter takes at a time is refused.
            let _ = device.create(new).map(|commit| commit.wait().unwrap());
        }
        if devices.iter().all(|device| device.get(&id).unwrap().is_none()) {
            devices[0].create(new).unwrap().wait().unwrap();
        }
        for device in &devices {
            run(device.sync(&transport)).unwrap();
        }
        for device in &devices {
            run(device.sync(&transport)).unwrap();
        }
        for _ in 0..30 {
            let device = &devices[dice.to(3)];
            if dice.to(4) == 0 {
                run(device.sync(&transport)).unwrap();
            }
            let before = device.get(&id).unwrap().unwrap();
            let mut wanted = before.clone();
            match device.edit(&id, |odd| {
                dice.change(odd);
                wanted = odd.clone();
            }) {
                Ok(commit) => {
                    commit.wait().unwrap();
                    done += 1;
                }
                Err(error) => *refused.entry(sync_core::in_full(&error)).or_default() += 1,
            }
            let now = device.get(&id).unwrap_or_else(|error| panic!("{seed}: {}", sync_core::in_full(&error)));
            assert!(now.is_some());
        }
        for _ in 0..2 {
            for device in &devices {
                run(device.sync(&transport)).unwrap_or_else(|error| panic!("{seed}: {error}"));
            }
        }
        let shown = devices
            .each_ref()
            .map(|device| device.get(&id).unwrap_or_else(|e| panic!("{seed}: {}", sync_core::in_full(&e))).unwrap());
        assert!(format!("{:?}", shown[0]) == format!("{:?}", shown[1]) && shown[1] == shown[2], "{seed}: {shown:#?}");
        let fresh = open();
        run(fresh.sync(&transport)).unwrap();
        assert_eq!(fresh.get(&id).unwrap().as_ref(), Some(&shown[0]), "{seed}");
        assert!(devices.iter().all(|device| device.rejected().is_empty()), "{seed}: {:?}", devices[0].rejected());
        assert!(fresh.verify().unwrap().problems.is_empty(), "{seed}");
    }
    println!("{done} edits; refused {refused:#?}");
}
