//! The generated code: the codecs of the stored fields, and `Entity`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::Index;
use syn::spanned::Spanned;

use crate::attr::{Fallback, Merge, Tombstone};
use crate::bounds::where_clause;
use crate::faithful::is_faithful;
use crate::model::{Field, Model, Role};

/// The generated code, which names everything by way of `__sync_private`: so it does not matter what the
/// struct's module calls `Result` or `Option`, and a missing or renamed sync-core is one error.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let (codecs, withs, entity) = (codecs(model), withs(model), entity(model));
    wrap(model, quote!(#codecs #withs #entity))
}

/// Puts the code where its names are nobody else's.
pub(crate) fn wrap(model: &Model<'_>, code: TokenStream) -> TokenStream {
    let krate = &model.krate;
    quote! {
        const _: () = {
            use #krate::__private as __sync_private;
            #code
        };
    }
}

/// `impl Trait for Struct where .. { body }`
pub(crate) fn implement(model: &Model<'_>, of: TokenStream, body: TokenStream) -> TokenStream {
    let ident = model.ident;
    let (parameters, arguments, _) = model.generics.split_for_impl();
    let clause = where_clause(model);
    quote! {
        #[automatically_derived]

        impl #parameters __sync_private::#of for #ident #arguments #clause { #body }
    }
}

/// The one place where a field's type is asked to be storable: one mistake is one error, at the type.
fn codecs(model: &Model<'_>) -> TokenStream {
    let made = model.with_role(Role::Stored).enumerate().map(|(at, field)| {
        let ty = field.ty;
        let of = match (field.with(), field.merge()) {
            (Some(_), _) => quote_spanned!(ty.span()=> with::<Self, #ty, #at>),
            (None, Merge::Counter) => quote_spanned!(ty.span()=> counter::<#ty>),
            (None, Merge::Max | Merge::Min) => quote_spanned!(ty.span()=> bound::<#ty>),
            (None, Merge::Set) => quote_spanned!(ty.span()=> set::<#ty>),
            (None, _) => quote_spanned!(ty.span()=> plain::<#ty>),
        };
        quote!(__sync_private::#of())
    });
    let tuple = codecs_type(model);
    let body = quote!(const CODECS: #tuple = (#(#made,)*););
    implement(model, quote!(Codecs<#tuple>), body)
}

fn codecs_type(model: &Model<'_>) -> TokenStream {
    let types = model.with_role(Role::Stored).map(|field| field.ty);
    quote!((#(__sync_private::Codec<#types>,)*))
}

fn withs(model: &Model<'_>) -> TokenStream {
    let each = model.with_role(Role::Stored).enumerate().filter_map(|(at, field)| {
        let ty = field.ty;
        let with = field.with()?;
        let write = match with.write {
            Some(path) => quote!(#path),
            None => quote_spanned!(ty.span()=> <#ty as __sync_private::Serialize>::serialize),
        };
        let read = match with.read {
            Some(path) => quote!(#path),
            None => quote_spanned!(ty.span()=> <#ty as __sync_private::Deserialize<'__de>>::deserialize),
        };
        let body = quote! {
            fn serialize<__S: __sync_private::Serializer>(
                __sync_value: &#ty,
                __sync_serializer: __S,
            ) -> __sync_private::Result<__S::Ok, __S::Error> {
                #write(__sync_value, __sync_serializer)
            }
            fn deserialize<'__de, __D: __sync_private::Deserializer<'__de>>(
                __sync_deserializer: __D,
            ) -> __sync_private::Result<#ty, __D::Error> {
                #read(__sync_deserializer)
            }
        };
        Some(implement(model, quote!(With<#at, #ty>), body))
    });
    each.collect()
}

fn entity(model: &Model<'_>) -> TokenStream {
    let id_type = quote!(__sync_private::Id<Self, <Self as __sync_private::Entity>::Key>);
    let (key, schema, id) = (key(model), schema(model), id(model));
    let (to_fields, from_fields) = (to_fields(model), from_fields(model));
    let body = quote! {
        type Key = #key;
        const SCHEMA: &'static __sync_private::Schema = &#schema;
        fn id(&self) -> &#id_type { #id }
        fn to_fields(&self) -> __sync_private::Result<__sync_private::Fields, __sync_private::FieldError> {
            #to_fields
        }
        fn from_fields(
            __sync_id: #id_type,
            __sync_fields: &__sync_private::Fields,
        ) -> __sync_private::Result<Self, __sync_private::FieldError> {
            #from_fields
        }
    };
    implement(model, quote!(Entity), body)
}

/// `Entity::Key`, which the id field's type knows.
pub(crate) fn key(model: &Model<'_>) -> TokenStream {
    match model.id() {
        Some(Field { ty, .. }) => quote_spanned!(ty.span()=> <#ty as __sync_private::AnyId>::Key),
        None => quote!(__sync_private::Uuid),
    }
}

fn schema(model: &Model<'_>) -> TokenStream {
    let name = &model.entity.value;
    let tombstone = match model.tombstone {
        Tombstone::DeleteWins => format_ident!("DeleteWins"),
        Tombstone::LastWriterWins => format_ident!("LastWriterWins"),
    };
    let fields = model.with_role(Role::Stored).map(|field| {
        let name = &field.name.value;
        let aliases = field.aliases.iter().map(|alias| &alias.value);
        let merge = merge(&field.merge());
        let local = field.sync.local.is_some();
        let faithful = field.with().is_none() && is_faithful(field.ty);
        quote! {
            __sync_private::Field {
                name: #name,
                aliases: &[#(#aliases),*],
                merge: #merge,
                local: #local,
                faithful: #faithful,
            }
        }
    });
    quote! {
        __sync_private::Schema {
            name: #name,
            fields: &[#(#fields),*],
            tombstone: __sync_private::Tombstone::#tombstone,
        }
    }
}

fn merge(merge: &Merge) -> TokenStream {
    let variant = match merge {
        Merge::LastWriterWins => quote!(LastWriterWins),
        Merge::First => quote!(First),
        Merge::Max => quote!(Max),
        Merge::Min => quote!(Min),
        Merge::Counter => quote!(Counter),
        Merge::Set => quote!(Set),
        Merge::Own(policy) => {
            return quote_spanned!(policy.span()=> __sync_private::own(&#policy));
        }
    };
    quote!(__sync_private::Merge::#variant)
}

fn id(model: &Model<'_>) -> TokenStream {
    match model.id() {
        Some(Field { ident, ty, .. }) => {
            quote_spanned!(ty.span()=> (__sync_private::holder::<Self, #ty>().show)(&self.#ident))
        }
        None => quote!(__sync_private::never_run()),
    }
}

fn to_fields(model: &Model<'_>) -> TokenStream {
    let (table, uses_table) = table(model);
    let mutable = uses_table.then(|| quote!(mut));
    // In the order in which they stand in the end.
    let mut stored: Vec<(usize, &Field<'_>)> = model.with_role(Role::Stored).enumerate().collect();
    stored.sort_by(|(_, a), (_, b)| a.name.value.cmp(&b.name.value));
    let count = stored.len();
    let puts = stored.into_iter().map(|(at, Field { ident, .. })| {
        let index = Index::from(at);
        quote! {
            __sync_private::put(&mut __sync_fields, &__sync_schema[#at], &__sync_codecs.#index, &self.#ident)?;
        }
    });
    quote! {
        #table
        let #mutable __sync_fields = __sync_private::Fields::with_capacity(#count);
        #(#puts)*
        __sync_private::Result::Ok(__sync_fields)
    }
}

fn from_fields(model: &Model<'_>) -> TokenStream {
    let (table, _) = table(model);
    let mut stored = 0_usize..;
    let values = model.fields.iter().flatten().map(|field| {
        let ident = field.ident;
        let value = match field.role() {
            Role::Id => {
                let ty = field.ty;
                quote_spanned!(ty.span()=> (__sync_private::holder::<Self, #ty>().hold)(__sync_id))
            }
            Role::Stored => take(model, field, stored.next().unwrap_or_default()),
            Role::Skipped => default(model, field).unwrap_or_else(|| by_trait(field)),
            Role::Broken => quote!(__sync_private::never_run()),
        };
        quote!(#ident: #value)
    });
    quote! {
        #table
        __sync_private::Result::Ok(Self { #(#values,)* })
    }
}

/// The locals that reading and writing fields stand on, if there are stored fields.
fn table(model: &Model<'_>) -> (TokenStream, bool) {
    if model.with_role(Role::Stored).next().is_none() {
        return (TokenStream::new(), false);
    }
    let tuple = codecs_type(model);
    let table = quote! {
        let __sync_schema = <Self as __sync_private::Entity>::SCHEMA.fields;
        let __sync_codecs = &<Self as __sync_private::Codecs<#tuple>>::CODECS;
    };
    (table, true)
}

fn take(model: &Model<'_>, field: &Field<'_>, at: usize) -> TokenStream {
    let index = Index::from(at);
    let from = quote!(__sync_fields, &__sync_schema[#at], &__sync_codecs.#index);
    match default(model, field) {
        Some(default) => quote!(__sync_private::take_or(#from, || #default)?),
        None => quote!(__sync_private::take(#from)?),
    }
}

/// What the field is when it is absent, if the struct says so.
fn default(model: &Model<'_>, field: &Field<'_>) -> Option<TokenStream> {
    let ident = field.ident;
    match (field.default(), &model.default) {
        (Some(Fallback::Trait), _) => Some(by_trait(field)),
        (Some(Fallback::Path(path)), _) => Some(quote_spanned!(path.span()=> #path())),
        (None, Some(Fallback::Trait)) => Some(quote!(<Self as __sync_private::Default>::default().#ident)),
        (None, Some(Fallback::Path(path))) => Some(quote!({
            let __sync_default: Self = #path();
            __sync_default.#ident
        })),
        (None, None) => None,
    }
}

fn by_trait(field: &Field<'_>) -> TokenStream {
    let ty = field.ty;
    quote_spanned!(ty.span()=> __sync_private::default::<#ty>())
}
