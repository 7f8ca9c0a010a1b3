//! Making a failing history small.

use sync_core::Entry;

/// Drops entries while what remains still fails; what is returned fails.
///
/// Greedy: first whole stretches, then one by one, until nothing more can go.
pub fn minimise(entries: &[Entry], fails: impl Fn(&[Entry]) -> bool) -> Vec<Entry> {
    let mut kept = entries.to_vec();
    let mut stretch = kept.len().div_ceil(2).max(1);
    loop {
        let before = kept.len();
        let mut at = 0;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + stretch).min(fewer.len()));
            if fails(&fewer) {
                kept = fewer;
            } else {
                at += stretch;
            }
        }
        if stretch > 1 {
            stretch = stretch.div_ceil(2).max(1);
        } else if kept.len() == before {
            return kept;
        }
    }
}
