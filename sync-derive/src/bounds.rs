//! What a generic struct's parameters must be for it to be an entity.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Ident, Token, Type, WhereClause, WherePredicate, parse_quote};

use crate::attr::{Fallback, Merge};
use crate::model::{Field, Model, Role};

/// The struct's own `where` clause and what each field needs. A field's type is bound as a whole and not
/// parameter by parameter, so that `PhantomData<T>` asks nothing of `T`. A type that mentions no parameter
/// is not bound at all: it is reported at the field.
pub(crate) fn where_clause(model: &Model<'_>) -> WhereClause {
    let mut clause = match &model.generics.where_clause {
        Some(clause) => clause.clone(),
        None => WhereClause { where_token: Default::default(), predicates: Default::default() },
    };
    if model.generics.params.is_empty() {
        return clause;
    }
    clause.predicates.push(parse_quote!(Self: 'static));
    let types = model.generics.type_params().map(|parameter| &parameter.ident);
    let consts = model.generics.const_params().map(|parameter| &parameter.ident);
    let own = Ident::from(<Token![Self]>::default());
    let parameters: Vec<&Ident> = types.chain(consts).chain([&own]).collect();
    let needed = needs(model).into_iter().filter(|(ty, _)| mentions(ty.to_token_stream(), &parameters));
    clause.predicates.extend(needed.map(|(_, predicate)| predicate));
    if let Some(Fallback::Trait) = model.default {
        clause.predicates.push(parse_quote!(Self: __sync_private::Default));
    }
    clause
}

fn needs<'a>(model: &Model<'a>) -> Vec<(&'a Type, WherePredicate)> {
    let mut needs = Vec::new();
    if let Some(&Field { ty, .. }) = model.id() {
        needs.push((ty, parse_quote!(<#ty as __sync_private::AnyId>::Key: __sync_private::Key)));
    }
    for field in model.with_role(Role::Stored).filter(|field| field.with().is_none()) {
        let bound = match field.merge() {
            Merge::Counter => quote!(Integer),
            Merge::Max | Merge::Min => quote!(Bound),
            Merge::Set => quote!(Collection),
            _ => quote!(Stored),
        };
        let ty = field.ty;
        needs.push((ty, parse_quote!(#ty: __sync_private::#bound)));
    }
    for field in model.with_role(Role::Stored).chain(model.with_role(Role::Skipped)) {
        let by_trait = match field.default() {
            Some(default) => matches!(default, Fallback::Trait),
            None => field.role() == Role::Skipped && model.default.is_none(),
        };
        if by_trait {
            let ty = field.ty;
            needs.push((ty, parse_quote!(#ty: __sync_private::Defaulted)));
        }
    }
    needs
}

/// Whether a type names one of the parameters, itself or by `Self`.
fn mentions(ty: TokenStream, parameters: &[&Ident]) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), parameters),
        TokenTree::Ident(ident) => parameters.contains(&&ident),
        _ => false,
    })
}
