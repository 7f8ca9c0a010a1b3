//! The texts that nearly every entry repeats, the ids of clients and the names of types and fields: whoever reads them
//! from bytes gets one and the same text in memory, which is compared by its address, counted in one place, and
//! takes its memory once.

use std::cell::RefCell;

use xxhash_rust::xxh3::xxh3_64;

use super::stamp::Name;

/// How many texts a thread remembers: those seen last, each in the place that its hash gives it.
const PLACES: usize = 1 << 10;

/// Longer ones are no names.
const LONGEST: usize = 128;

thread_local! {
    static SEEN: RefCell<Vec<Option<Name>>> = const { RefCell::new(Vec::new()) };
}

/// The text, shared with those who asked for the same one before.
pub(crate) fn name(text: &str) -> Name {
    if text.len() > LONGEST {
        return Name::from(text);
    }
    SEEN.with_borrow_mut(|seen| {
        if seen.is_empty() {
            seen.resize(PLACES, None);
        }
        let place = &mut seen[xxh3_64(text.as_bytes()) as usize % PLACES];
        match place {
            Some(known) if &**known == text => known.clone(),
            _ => place.insert(Name::from(text)).clone(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        assert!(Name::ptr_eq(&name("title"), &name("title")));
        for n in 0..10 * PLACES {
            assert_eq!(&*name(&n.to_string()), n.to_string());
        }
        assert_eq!(&*name("title"), "title");
    }
}
