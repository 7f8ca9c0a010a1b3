//! Hash maps by a fast hash, seeded at random: keys come from others, and nothing may depend on their order.

/// As the standard library's, which hashes with SipHash.
pub(crate) type HashMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
