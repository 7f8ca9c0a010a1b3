//! What is generated for something that cannot be an entity at all: an impl nevertheless, so that code which
//! uses the type is not in error too.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{implement, wrap};
use crate::model::Model;

/// An `Entity` that satisfies the compiler while it reports the mistake.
pub(crate) fn fallback(model: &Model<'_>) -> TokenStream {
    let body = quote! {
        type Key = __sync_private::Uuid;
        const SCHEMA: &'static __sync_private::Schema = &__sync_private::Schema {
            name: "",
            fields: &[],
            tombstone: __sync_private::Tombstone::DeleteWins,
        };
        fn id(&self) -> &__sync_private::Id<Self> {
            __sync_private::never_run()
        }
        fn to_fields(&self) -> __sync_private::Result<__sync_private::Fields, __sync_private::FieldError> {
            __sync_private::never_run()
        }
        fn from_fields(
            _: __sync_private::Id<Self>,
            _: &__sync_private::Fields,
        ) -> __sync_private::Result<Self, __sync_private::FieldError> {
            __sync_private::never_run()
        }
    };
    wrap(model, implement(model, quote!(Entity), body))
}
