//! The `Syncable` derive macro of sync-core.

/// Derives `sync_core::Entity`.
#[proc_macro_derive(Syncable, attributes(sync))]
pub fn syncable(_input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    proc_macro::TokenStream::new()
}
