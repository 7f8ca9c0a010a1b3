//! The mistakes found so far: all of them are reported at once, each where it stands.

use std::fmt::Display;

use proc_macro2::{Span, TokenStream};

/// Collects mistakes instead of stopping at the first.
#[derive(Default)]
pub(crate) struct Mistakes(Vec<syn::Error>);

impl Mistakes {
    /// Adds one at a place.
    pub(crate) fn at(&mut self, place: Span, message: impl Display) {
        self.0.push(syn::Error::new(place, message));
    }

    /// Adds one that says itself where it stands.
    pub(crate) fn add(&mut self, mistake: syn::Error) {
        self.0.push(mistake);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them as code that does not compile; `None` if there are none.
    pub(crate) fn report(self) -> Option<TokenStream> {
        if self.0.is_empty() {
            return None;
        }
        Some(self.0.iter().map(syn::Error::to_compile_error).collect())
    }
}
