//! Types that are known to read whatever they write, by their names: those of the standard library that serde knows.
//!
//! Of others each value that is written is read once before it is acknowledged. A name that means another type here
//! leaves that out, no more.

use syn::{GenericArgument, PathArguments, Type, TypePath};

/// What has no parts.
const SCALARS: [&str; 18] = [
    "String", "bool", "char", "Uuid", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128",
    "isize", "f32", "f64",
];

/// What holds values of its first parameter.
const HOLDERS: [&str; 6] = ["Option", "Vec", "VecDeque", "Box", "BTreeSet", "HashSet"];

pub(crate) fn is_faithful(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_faithful(&group.elem),
        Type::Paren(paren) => is_faithful(&paren.elem),
        Type::Tuple(tuple) => tuple.elems.iter().all(is_faithful),
        Type::Path(path) => is_faithful_path(path),
        _ => false,
    }
}

fn is_faithful_path(TypePath { qself, path, .. }: &TypePath) -> bool {
    let (None, Some(last)) = (qself, path.segments.last()) else { return false };
    let is_one_of = |names: &[&str]| names.iter().any(|name| last.ident == name);
    match &last.arguments {
        PathArguments::None => is_one_of(&SCALARS),
        PathArguments::AngleBracketed(given) if is_one_of(&HOLDERS) => match given.args.first() {
            Some(GenericArgument::Type(element)) => is_faithful(element),
            _ => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_faithful;

    #[test]
    fn only_what_is_known_is_taken_for_granted() {
        for (text, expected) in [
            ("String", true),
            ("std::string::String", true),
            ("Option<Vec<(u8, bool)>>", true),
            ("std::collections::HashSet<String, S>", true),
            ("()", true),
            ("Email", false),
            ("Option<Email>", false),
            ("Vec<(u8, Email)>", false),
            ("BTreeMap<String, u8>", false),
            ("[u8; 4]", false),
            ("<T as Of>::String", false),
            ("Id<Other>", false),
        ] {
            let ty = syn::parse_str(text).expect("it is a type");
            assert_eq!(is_faithful(&ty), expected, "{text}");
        }
    }
}
