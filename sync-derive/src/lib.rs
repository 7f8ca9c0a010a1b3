//! The `Syncable` derive macro of sync-core.

mod attr;
mod bounds;
mod case;
mod check;
mod ctxt;
mod expand;
mod fallback;
mod item;
mod model;
mod serde_attr;

use proc_macro2::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Derives `sync_core::Entity`.
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
