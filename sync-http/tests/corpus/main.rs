//! The fuzz targets on stable: all that their corpora hold, every input that ever broke a promise, and a few blind
//! changes of each. What finds something new is libFuzzer, which sees where an input leads: see `fuzz/README.md`.
//!
//! `CORPUS_CHANGES` is how many changes of each input are tried, `CORPUS_SEED` which ones.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of it is a test, also what its functions do")]

mod seeds;
#[path = "../../../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::PathBuf;

use sync_testkit::rng::Rng;

fn number(name: &str, everyday: u64) -> u64 {
    std::env::var(name).map_or(everyday, |text| text.parse().expect("a number"))
}

fn folder(kind: &str, target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(kind).join(target)
}

/// The inputs of a folder, in the order of their names.
fn inputs(kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    // A folder of no crashes is not there.
    let Ok(files) = fs::read_dir(folder(kind, target)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

#[test]
fn every_input_is_taken() {
    for (name, target) in targets::ALL {
        let corpus = inputs("corpus", name);
        assert!(corpus.len() >= 4, "the corpus of {name} has only {}", corpus.len());
        for (path, input) in corpus.into_iter().chain(inputs("crashes", name)) {
            println!("{}", path.display());
            target(&input);
        }
    }
}

#[test]
fn changes_of_every_input_are_taken() {
    let (changes, seed) = (number("CORPUS_CHANGES", 250), number("CORPUS_SEED", 1));
    for (name, target) in targets::ALL {
        let began = std::time::Instant::now();
        let corpus = inputs("corpus", name);
        let mut rng = Rng::new(seed);
        for (path, input) in &corpus {
            for change in 0..changes {
                let changed = changed(input, &corpus, &mut rng);
                let taken = std::panic::catch_unwind(|| target(&changed));
                assert!(taken.is_ok(), "{name}, change {change} of {}: {}", path.display(), changed.escape_ascii());
            }
        }
        println!("{name}: {changes} changes of {} inputs in {:?}", corpus.len(), began.elapsed());
    }
}

/// What numbers and ids are seldom.
const LIMITS: [&str; 8] = [
    "0",
    "9223372036854775808",
    "18446744073709551615",
    "0000000000000000",
    "ffffffffffffffff",
    "fffffffffffffffe",
    "ffffffffffffffffffffffffffffffff",
    "-1",
];

/// One or a few changes: of bits, bytes, pieces, numbers; pieces of other inputs.
fn changed(input: &[u8], corpus: &[(PathBuf, Vec<u8>)], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..1 + rng.below(4) {
        let at = rng.below(bytes.len() + 1);
        let end = (at + 1 + rng.below(8)).min(bytes.len());
        match rng.below(7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.below(8),
            1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'9'][rng.below(8)],
            2 if at < end => drop(bytes.drain(at..end)),
            3 if at < end => {
                let piece = bytes[at..end].to_vec();
                let to = rng.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            4 => bytes.insert(at, rng.below(256) as u8),
            5 => {
                let digit = |place: &usize| bytes[*place].is_ascii_hexdigit();
                let first = (at..bytes.len()).find(digit).unwrap_or(bytes.len());
                let behind = (first..bytes.len()).find(|place| !digit(place)).unwrap_or(bytes.len());
                bytes.splice(first..behind, LIMITS[rng.below(LIMITS.len())].bytes());
            }
            _ => {
                let other = &corpus[rng.below(corpus.len())].1;
                let from = rng.below(other.len() + 1);
                let piece = &other[from..(from + 16).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Writes the corpora anew: small, and of every kind. `cargo test -p sync-http --test corpus -- --ignored`
#[test]
#[ignore = "writes into the repository"]
fn write_the_seeds() {
    for (target, name, bytes) in seeds::all() {
        let folder = folder("corpus", target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    }
}
