//! The generated code makes no warning, however many are asked for.

#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, unused_lifetimes)]
#![deny(single_use_lifetimes, unused_results, elided_lifetimes_in_paths, trivial_casts)]
#![deny(non_local_definitions, let_underscore_drop, private_bounds, private_interfaces)]

/// Public structs with private types in them.
pub mod entities {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Serialize};
    use sync_core::{Id, Syncable};

    #[derive(Serialize, Deserialize, Default)]
    struct Private(u8);

    #[derive(Serialize, Deserialize, Default)]
    struct PrivateOf<T>(T);

    /// A note.
    #[derive(Syncable)]
    #[non_exhaustive]
    #[expect(dead_code, reason = "nothing reads it here")]
    pub struct Note<T> {
        #[sync(id)]
        id: Id<Self>,
        /// Its title.
        #[deprecated]
        pub title: String,
        private: Private,
        generic: PrivateOf<T>,
        #[sync(merge = "set")]
        set: BTreeSet<T>,
        #[sync(with = "functions")]
        with: Private,
        #[sync(skip)]
        skipped: PrivateOf<T>,
        #[sync(default)]
        default: i64,
        #[sync(default = "two")]
        two: i64,
    }

    fn two() -> i64 {
        2
    }

    mod functions {
        use serde::{Deserialize, Deserializer, Serializer};

        use super::Private;

        pub(super) fn serialize<S: Serializer>(it: &Private, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_u8(it.0)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Private, D::Error> {
            u8::deserialize(from).map(Private)
        }
    }
}

fn main() {}
