//! `#[derive(Syncable)]`: makes a struct an entity of sync-core. Use it by way of `sync_core::Syncable`;
//! all there is to know is at [`Syncable`](macro@Syncable).
//!
//! How it works, in reading order: `item` reads one item of an attribute's list; `attr` and `serde_attr` read
//! what the author wrote; `model` is what both say together; `check` finds what is wrong with it; `expand`
//! generates the code, with the `bounds` that generic structs need, or `fallback` stands in for it. Mistakes
//! are collected in `ctxt` and reported together, and a mistake in one field silences nothing in another.

mod attr;
mod bounds;
mod case;
mod check;
mod ctxt;
mod expand;
mod faithful;
mod fallback;
mod item;
mod model;
mod serde_attr;

use proc_macro2::TokenStream;
use syn::{DeriveInput, parse_macro_input};

#[doc = include_str!("../REFERENCE.md")]
#[proc_macro_derive(Syncable, attributes(sync))]
pub fn syncable(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    derive(&parse_macro_input!(input as DeriveInput)).into()
}

fn derive(input: &DeriveInput) -> TokenStream {
    let mut mistakes = ctxt::Mistakes::default();
    let mut model = model::Model::read(input, &mut mistakes);
    check::check(&mut model, &mut mistakes);
    let mut code = match &model.fields {
        Some(_) => expand::expand(&model),
        None => fallback::fallback(&model),
    };
    code.extend(mistakes.report());
    code
}
