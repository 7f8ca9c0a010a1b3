//! Paths that lead nowhere are the compiler's to report, at the path.

use sync_core::{Id, Syncable};

#[derive(Syncable)]
struct Wrong {
    #[sync(id)]
    id: Id<Wrong>,
    #[sync(merge = "policies::LONGEST")]
    quoted: String,
    #[sync(merge = LONGEST)]
    unquoted: String,
    #[sync(default = "nothing")]
    default: String,
    #[sync(with = "no_module")]
    with: String,
    #[sync(with = "half")]
    half: String,
}

mod half {
    pub fn serialize<S: serde::Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(text)
    }
}

fn main() {}
