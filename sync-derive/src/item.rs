//! One item of an attribute's list: `name`, `name = "text"` or `name = path`.

use proc_macro2::{Span, TokenTree};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, ExprPath, LitBool, LitStr, Meta, Path, Token, token};

use crate::ctxt::Mistakes;

/// Visits every item of every `#[sync(...)]`. After a mistake it goes on behind the next comma, because
/// `parse_nested_meta` by itself ends at the first.
pub(crate) fn each(
    attrs: &[Attribute],
    mistakes: &mut Mistakes,
    mut visit: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("sync")) {
        if !matches!(attr.meta, Meta::List(_)) {
            mistakes.add(syn::Error::new_spanned(attr, "write what it says in parentheses: `#[sync(...)]`"));
            continue;
        }
        let read = attr.parse_nested_meta(|meta| {
            let name = name(&meta);
            let visited = visit(&name, &meta);
            let rest = skip(&meta)?;
            match (visited, rest) {
                (Err(mistake), _) => mistakes.add(mistake),
                (Ok(()), Some(place)) => mistakes.at(place, format!("`{name}` ends before this: put a comma")),
                (Ok(()), None) => {}
            }
            Ok(())
        });
        if let Err(mistake) = read {
            mistakes.add(mistake);
        }
    }
}

/// Moves to the next comma; says where it is if there was something in between.
pub(crate) fn skip(meta: &ParseNestedMeta<'_>) -> syn::Result<Option<Span>> {
    let mut place = None;
    while !meta.input.is_empty() && !meta.input.peek(Token![,]) {
        let token: TokenTree = meta.input.parse()?;
        place.get_or_insert(token.span());
    }
    Ok(place)
}

/// The item's name.
pub(crate) fn name(meta: &ParseNestedMeta<'_>) -> String {
    path_name(&meta.path)
}

fn path_name(path: &Path) -> String {
    let segments: Vec<String> = path.segments.iter().map(|s| s.ident.unraw().to_string()).collect();
    segments.join("::")
}

/// Where the item stands.
pub(crate) fn place(meta: &ParseNestedMeta<'_>) -> Span {
    meta.path.segments.first().map_or_else(Span::call_site, |segment| segment.ident.span())
}

/// Whether the item has a value.
pub(crate) fn has_value(meta: &ParseNestedMeta<'_>) -> bool {
    meta.input.peek(Token![=])
}

/// `name`
pub(crate) fn flag(meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
    let name = name(meta);
    if has_value(meta) || meta.input.peek(token::Paren) {
        return Err(meta.error(format!("`{name}` stands alone: `#[sync({name})]`")));
    }
    Ok(())
}

/// `name`, or `name = false` to take back what a serde attribute says.
pub(crate) fn switch(meta: &ParseNestedMeta<'_>) -> syn::Result<bool> {
    if !has_value(meta) {
        return flag(meta).map(|()| true);
    }
    let name = name(meta);
    let input = meta.value()?;
    let mistake = input.error(format!("write `{name}`, or `{name} = false`"));
    input.parse::<LitBool>().map(|value| value.value).map_err(|_| mistake)
}

/// `name = "text"`
pub(crate) fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let name = name(meta);
    if !has_value(meta) {
        return Err(meta.error(format!("`{name}` needs a value: `{name} = \"...\"`")));
    }
    let input = meta.value()?;
    let mistake = input.error(format!("`{name}` takes a string: `{name} = \"...\"`"));
    input.parse().map_err(|_| mistake)
}

/// A value that is a path: in quotes, as serde has it, or without.
pub(crate) enum PathOrText {
    Path(ExprPath),
    Text(LitStr),
}

/// `name = path` or `name = "text"`
pub(crate) fn path_or_text(meta: &ParseNestedMeta<'_>) -> syn::Result<PathOrText> {
    let name = name(meta);
    if !has_value(meta) {
        return Err(meta.error(format!("`{name}` needs a value: `{name} = \"...\"`")));
    }
    let input = meta.value()?;
    if input.peek(LitStr) {
        return input.parse().map(PathOrText::Text);
    }
    let mistake = input.error(format!("`{name}` takes a string or a path: `{name} = \"...\"`"));
    input.parse().map(PathOrText::Path).map_err(|_| mistake)
}

/// `name = path` or `name = "path"`
pub(crate) fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<ExprPath> {
    let name = name(meta);
    match path_or_text(meta)? {
        PathOrText::Path(path) => Ok(path),
        PathOrText::Text(text) => text
            .parse()
            .map_err(|_| syn::Error::new(text.span(), format!("`{name}` takes a path: `{name} = \"a::path\"`"))),
    }
}

/// `a`, `b` and `c`, for a message.
pub(crate) fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
