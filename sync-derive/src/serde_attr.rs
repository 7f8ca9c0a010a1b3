//! What `#[serde(...)]` says that holds for the stored form too. What serde itself would refuse is left to serde.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, ExprPath, Ident, token};

use crate::attr::{Fallback, Given};
use crate::case::Case;
use crate::item;

/// A name or a rule to write by, and one to read by.
#[derive(Clone)]
pub(crate) struct Both<T> {
    pub(crate) write: Option<T>,
    pub(crate) read: Option<T>,
}

impl<T> Default for Both<T> {
    fn default() -> Self {
        Self { write: None, read: None }
    }
}

/// The attributes of a struct.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) rename_all: Both<Case>,
    pub(crate) default: Option<Fallback>,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) rename: Both<Given<String>>,
    pub(crate) aliases: Vec<Given<String>>,
    pub(crate) skip: Both<()>,
    pub(crate) default: Option<Fallback>,
    pub(crate) with: Both<ExprPath>,
    pub(crate) flatten: Option<Span>,
}

impl Container {
    /// Reads `#[serde(...)]` on a struct.
    pub(crate) fn read(attrs: &[Attribute]) -> Self {
        let mut it = Self::default();
        each(attrs, |name, meta| {
            match name {
                "rename_all" => {
                    let names = both(meta)?;
                    it.rename_all.write = names.write.and_then(|name| Case::named(&name.value));
                    it.rename_all.read = names.read.and_then(|name| Case::named(&name.value));
                }
                "default" => it.default = Some(fallback(meta)?),
                _ => {}
            }
            Ok(())
        });
        it
    }
}

impl Field {
    /// Reads `#[serde(...)]` on a field.
    pub(crate) fn read(attrs: &[Attribute]) -> Self {
        let mut it = Self::default();
        each(attrs, |name, meta| {
            match name {
                "rename" => it.rename = both(meta)?,
                "alias" => it.aliases.push(text(meta)?),
                "skip" => it.skip = Both { write: Some(()), read: Some(()) },
                "skip_serializing" => it.skip.write = Some(()),
                "skip_deserializing" => it.skip.read = Some(()),
                "default" => it.default = Some(fallback(meta)?),
                "with" => {
                    let module = item::path(meta)?;
                    it.with.write = Some(inside(&module, "serialize"));
                    it.with.read = Some(inside(&module, "deserialize"));
                }
                "serialize_with" => it.with.write = Some(item::path(meta)?),
                "deserialize_with" => it.with.read = Some(item::path(meta)?),
                "flatten" => it.flatten = Some(item::place(meta)),
                _ => {}
            }
            Ok(())
        });
        it
    }

    /// Whether serde neither writes nor reads the field.
    pub(crate) fn is_skipped(&self) -> bool {
        self.skip.write.is_some() && self.skip.read.is_some()
    }
}

/// A function in a module that `with` names.
pub(crate) fn inside(module: &ExprPath, function: &str) -> ExprPath {
    let mut path = module.clone();
    let place = path.path.segments.last().map_or_else(Span::call_site, |segment| segment.ident.span());
    path.path.segments.push(Ident::new(function, place).into());
    path
}

fn each(attrs: &[Attribute], mut visit: impl FnMut(&str, &ParseNestedMeta<'_>) -> syn::Result<()>) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("serde")) {
        // A mistake in it is serde's to report, and serde does.
        let _ = attr.parse_nested_meta(|meta| {
            let _ = visit(&item::name(&meta), &meta);
            item::skip(&meta).map(drop)
        });
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<String>> {
    item::text(meta).map(|text| Given { value: text.value(), place: text.span() })
}

fn fallback(meta: &ParseNestedMeta<'_>) -> syn::Result<Fallback> {
    if item::has_value(meta) { item::path(meta).map(Fallback::Path) } else { Ok(Fallback::Trait) }
}

/// `name = ".."`, which is only how to write, because what is written is what is read; or
/// `name(serialize = "..", deserialize = "..")`.
fn both(meta: &ParseNestedMeta<'_>) -> syn::Result<Both<Given<String>>> {
    let mut names = Both::default();
    if !meta.input.peek(token::Paren) {
        names.write = Some(text(meta)?);
        return Ok(names);
    }
    meta.parse_nested_meta(|side| {
        match item::name(&side).as_str() {
            "serialize" => names.write = Some(text(&side)?),
            "deserialize" => names.read = Some(text(&side)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(names)
}
