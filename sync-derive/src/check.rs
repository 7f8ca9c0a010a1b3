//! What is wrong with a struct whose attributes could all be read by themselves:
//!
//! 1. borrowed fields: an entity owns what it holds;
//! 2. the entity type's name;
//! 3. the id: there is one, it is an `Id`, and it is nothing else;
//! 4. attributes that contradict each other;
//! 5. defaults that would never be used;
//! 6. serde's `flatten`;
//! 7. stored names: reserved ones, and two of one name.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{GenericArgument, Ident, PathArguments, Type};

use crate::attr::{self, Fallback, Given, Merge};
use crate::ctxt::Mistakes;
use crate::model::{Field, Model, Role};

/// The most bytes of an entity type's name, as sync-core has it: `EntityKey::MAX_TYPE_BYTES`.
const MAX_TYPE_BYTES: usize = 128;

/// Notes every mistake; a field with one is marked broken.
pub(crate) fn check(model: &mut Model<'_>, mistakes: &mut Mistakes) {
    borrowed(model, mistakes);
    entity_name(&model.entity, mistakes);
    if model.fields.is_some() {
        one_id(model, mistakes);
    }
    let fields = model.fields.iter_mut().flatten();
    for field in fields {
        let before = mistakes.count();
        bare_key(field, model.ident, mistakes);
        contradictions(field, mistakes);
        unused_default(field, mistakes);
        flatten(field, mistakes);
        field.broken |= mistakes.count() > before;
    }
    names(model, mistakes);
}

/// Everything that is read from a store is owned, so a borrowed field could never be filled. (The compiler says
/// of it that an "implementation is not general enough".)
fn borrowed(model: &mut Model<'_>, mistakes: &mut Mistakes) {
    for parameter in model.generics.lifetimes() {
        let message = "an entity owns what it holds and has no lifetimes: hold a `String` and not a `&str`, say";
        mistakes.at(parameter.lifetime.span(), message);
    }
    let has_lifetimes = model.generics.lifetimes().next().is_some();
    let fields = model.fields.iter_mut().flatten().filter(|field| field.role() == Role::Stored);
    for field in fields.filter(|field| field.with().is_none()) {
        if has_lifetimes {
            field.broken |= mentions_lifetime(field.ty.to_token_stream());
        } else if let Type::Reference(reference) = field.ty {
            let message = "an entity owns what it holds: write `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`";
            mistakes.at(reference.and_token.span, message);
            field.broken = true;
        }
    }
}

fn mentions_lifetime(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions_lifetime(group.stream()),
        TokenTree::Punct(mark) => mark.as_char() == '\'',
        _ => false,
    })
}

fn one_id(model: &mut Model<'_>, mistakes: &mut Mistakes) {
    let name = model.ident;
    let mut first = None;
    let fields = model.fields.iter_mut().flatten();
    for (field, id) in fields.filter_map(|field| field.sync.id.clone().map(|id| (field, id))) {
        match first {
            None => first = Some(field.ident),
            Some(first) => {
                mistakes.at(id.place, format!("`{first}` is the id already: an entity has one"));
                field.broken = true;
            }
        }
    }
    let mut fields = model.fields.iter().flatten();
    if first.is_none() {
        match fields.find(|field| is_id_of(field.ty, model)) {
            // Its attribute is wrong, which has been said.
            Some(field) if field.broken => {}
            Some(field) => {
                let message = format!("put `#[sync(id)]` on `{}`: `{name}` has no id yet", field.ident);
                mistakes.at(field.ident.span(), message);
            }
            None => {
                let message = format!("`{name}` has no id: add a field `#[sync(id)] id: Id<{name}>`");
                mistakes.at(name.span(), message);
            }
        }
    }
}

/// Whether a type is written `Id<ThisStruct, ..>`.
fn is_id_of(ty: &Type, model: &Model<'_>) -> bool {
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last() else {
        return false;
    };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return false;
    };
    let Some(GenericArgument::Type(Type::Path(of))) = arguments.args.first() else {
        return false;
    };
    let of = of.path.segments.last().map(|segment| &segment.ident);
    last.ident == "Id" && of.is_some_and(|of| of == "Self" || of == model.ident)
}

/// An id whose type is a key's. The compiler finds it too, but at every use of the id.
fn bare_key(field: &Field<'_>, name: &Ident, mistakes: &mut Mistakes) {
    if field.sync.id.is_none() {
        return;
    }
    let ty = match field.ty {
        Type::Reference(reference) => &*reference.elem,
        ty => ty,
    };
    let Type::Path(path) = ty else { return };
    let Some(key) = path.path.segments.last().map(|segment| segment.ident.to_string()) else {
        return;
    };
    let of = match key.as_str() {
        "Uuid" => String::new(),
        "String" | "str" => ", String".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "u128" => format!(", {key}"),
        "usize" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => ", u64".to_owned(),
        _ => return,
    };
    mistakes.at(field.ty.span(), format!("an id says whose it is: write `Id<{name}{of}>`"));
}

fn contradictions(field: &Field<'_>, mistakes: &mut Mistakes) {
    let sync = &field.sync;
    if sync.id.is_some() {
        for (name, place) in written(sync, &["skip", "local", "default", "rename", "alias", "merge", "with"]) {
            let message = format!("`{name}` says nothing of an id, which is not one of the stored fields: remove it");
            mistakes.at(place, message);
        }
        return;
    }
    let stored_only = written(sync, &["local", "rename", "alias", "merge", "with"]);
    match &sync.skip {
        Some(Given { value: true, .. }) => {
            for (name, place) in stored_only {
                mistakes.at(place, format!("a skipped field is not stored: remove `{name}`, or `skip` to store it"));
            }
        }
        None if field.serde.is_skipped() => {
            for (name, place) in stored_only {
                let message = format!(
                    "serde skips this field, so it is not stored: remove `{name}`, or add `skip = false` to store it"
                );
                mistakes.at(place, message);
            }
        }
        _ => {}
    }
    if let (Some(_), Some(merge)) = (&sync.local, &sync.merge)
        && !matches!(merge.value, Merge::LastWriterWins)
    {
        let message = "a local field stays on this device and has nothing to merge with: remove `merge` or `local`";
        mistakes.at(merge.place, message);
    }
}

/// What nothing was added to is empty or zero already, and is never read as a default.
fn unused_default(field: &Field<'_>, mistakes: &mut Mistakes) {
    let sync = &field.sync;
    let (Some(Given { value: Fallback::Path(_), place }), Some(merge)) = (&sync.default, &sync.merge) else { return };
    let absent = match merge.value {
        _ if field.role() != Role::Stored => return,
        Merge::Counter => "a counter that nothing was added to is 0",
        Merge::Set => "a set that nothing was added to is empty",
        _ => return,
    };
    mistakes.at(*place, format!("{absent}, whatever the function returns: write `default`, or leave it out"));
}

/// Which of these attributes are there, and where.
fn written(sync: &attr::Field, names: &[&'static str]) -> Vec<(&'static str, Span)> {
    fn place<T>(given: &Option<Given<T>>) -> Vec<Span> {
        given.iter().map(|given| given.place).collect()
    }
    let places = |name: &str| match name {
        "skip" => place(&sync.skip),
        "local" => place(&sync.local),
        "default" => place(&sync.default),
        "rename" => place(&sync.rename),
        "alias" => sync.aliases.iter().map(|given| given.place).collect(),
        "merge" => place(&sync.merge),
        "with" => place(&sync.with),
        _ => Vec::new(),
    };
    names.iter().flat_map(|name| places(name).into_iter().map(|place| (*name, place))).collect()
}

/// A flattened field has no register of its own that an edit could write.
fn flatten(field: &Field<'_>, mistakes: &mut Mistakes) {
    if let (Some(place), Role::Stored, None) = (field.serde.flatten, field.role(), &field.sync.rename) {
        let name = field.ident;
        let message = format!(
            "fields sync one by one, and a flattened one has no place of its own: \
             add `#[sync(rename = \"{name}\")]` to store `{name}` as one field, move its fields into this struct, \
             or leave it out with `#[sync(skip)]`"
        );
        mistakes.at(place, message);
    }
}

fn names(model: &mut Model<'_>, mistakes: &mut Mistakes) {
    let mut owners: HashMap<String, &Ident> = HashMap::new();
    for field in model.fields.iter_mut().flatten().filter(|field| field.role() == Role::Stored) {
        let before = mistakes.count();
        for name in [&field.name].into_iter().chain(&field.aliases) {
            if reserved(name, "a stored field's", mistakes) {
                continue;
            }
            match owners.entry(name.value.clone()) {
                Entry::Vacant(free) => {
                    free.insert(field.ident);
                }
                Entry::Occupied(taken) => {
                    mistakes.at(name.place, taken_by(taken.get(), &name.value, field.ident));
                }
            }
        }
        field.broken = mistakes.count() > before;
    }
}

fn taken_by(owner: &Ident, name: &str, field: &Ident) -> String {
    if owner == field {
        return format!("`{name}` is this field's name already: remove it");
    }
    format!(
        "the stored name `{name}` is taken by field `{owner}`: \
         give one of the two another with `#[sync(rename = \"...\")]`"
    )
}

/// What no hub would take.
fn entity_name(name: &Given<String>, mistakes: &mut Mistakes) {
    if reserved(name, "an entity type's", mistakes) {
        return;
    }
    if name.value.len() > MAX_TYPE_BYTES {
        let message = format!(
            "an entity type's name has at most {MAX_TYPE_BYTES} bytes, and this one {}: \
             write a shorter one, `#[sync(entity = \"...\")]`",
            name.value.len()
        );
        mistakes.at(name.place, message);
    } else if name.value.contains(char::is_control) {
        mistakes.at(name.place, "an entity type's name may not have control characters in it");
    }
}

/// Names that begin with `$` are the log's own: `{"$add":3}` is an operation.
fn reserved(name: &Given<String>, whose: &str, mistakes: &mut Mistakes) -> bool {
    let problem = if name.value.is_empty() {
        "be empty"
    } else if name.value.starts_with('$') {
        "begin with `$`, which marks operations in the log"
    } else {
        return false;
    };
    mistakes.at(name.place, format!("{whose} name may not {problem}"));
    true
}
