//! What the author wrote in `#[sync(...)]`, each with the place where it stands.

use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, ExprPath, Ident, Path};

use crate::case::Case;
use crate::ctxt::Mistakes;
use crate::item::{self, PathOrText};

/// Something written, and where.
#[derive(Clone)]
pub(crate) struct Given<T> {
    pub(crate) value: T,
    pub(crate) place: Span,
}

/// What an absent field is read as.
#[derive(Clone)]
pub(crate) enum Fallback {
    /// `default`
    Trait,
    /// `default = "path"`
    Path(ExprPath),
}

/// `tombstone = ".."`
#[derive(Clone, Copy, Default)]
pub(crate) enum Tombstone {
    #[default]
    DeleteWins,
    LastWriterWins,
}

/// `merge = ..`
#[derive(Clone, Default)]
pub(crate) enum Merge {
    #[default]
    LastWriterWins,
    First,
    Max,
    Min,
    Counter,
    Set,
    Own(ExprPath),
}

const POLICIES: [(&str, Merge); 6] = [
    ("lww", Merge::LastWriterWins),
    ("first", Merge::First),
    ("max", Merge::Max),
    ("min", Merge::Min),
    ("counter", Merge::Counter),
    ("set", Merge::Set),
];

/// The attributes of a struct.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) entity: Option<Given<String>>,
    pub(crate) tombstone: Option<Given<Tombstone>>,
    pub(crate) rename_all: Option<Given<Case>>,
    pub(crate) default: Option<Given<Fallback>>,
    pub(crate) krate: Option<Given<Path>>,
}

/// The attributes of a field.
#[derive(Default)]
pub(crate) struct Field {
    pub(crate) id: Option<Given<()>>,
    pub(crate) skip: Option<Given<bool>>,
    pub(crate) local: Option<Given<()>>,
    pub(crate) default: Option<Given<Fallback>>,
    pub(crate) rename: Option<Given<String>>,
    pub(crate) aliases: Vec<Given<String>>,
    pub(crate) merge: Option<Given<Merge>>,
    pub(crate) with: Option<Given<ExprPath>>,
}

const ON_A_STRUCT: [&str; 5] = ["entity", "tombstone", "rename_all", "default", "crate"];
const ON_A_FIELD: [&str; 8] = ["id", "skip", "local", "default", "rename", "alias", "merge", "with"];

impl Container {
    /// Reads `#[sync(...)]` on a struct.
    pub(crate) fn read(attrs: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut it = Self::default();
        item::each(attrs, mistakes, |name, meta| match name {
            "entity" => set(&mut it.entity, meta, text),
            "tombstone" => set(&mut it.tombstone, meta, tombstone),
            "rename_all" => set(&mut it.rename_all, meta, case),
            "default" => set(&mut it.default, meta, fallback),
            "crate" => set(&mut it.krate, meta, krate),
            _ if ON_A_FIELD.contains(&name) => Err(misplaced(meta, "a field", "a struct", &ON_A_STRUCT)),
            _ => Err(unknown(meta, "a struct", &ON_A_STRUCT)),
        });
        it
    }
}

impl Field {
    /// Reads `#[sync(...)]` on a field.
    pub(crate) fn read(attrs: &[Attribute], mistakes: &mut Mistakes) -> Self {
        let mut it = Self::default();
        item::each(attrs, mistakes, |name, meta| match name {
            "id" => set(&mut it.id, meta, flag),
            "skip" => set(&mut it.skip, meta, switch),
            "local" => set(&mut it.local, meta, flag),
            "default" => set(&mut it.default, meta, fallback),
            "rename" => set(&mut it.rename, meta, text),
            "alias" => text(meta).map(|alias| it.aliases.push(alias)),
            "merge" => set(&mut it.merge, meta, merge),
            "with" => set(&mut it.with, meta, path),
            _ if ON_A_STRUCT.contains(&name) => Err(misplaced(meta, "the struct", "a field", &ON_A_FIELD)),
            _ => Err(unknown(meta, "a field", &ON_A_FIELD)),
        });
        it
    }
}

fn misplaced(meta: &ParseNestedMeta<'_>, there: &str, here: &str, known: &[&str]) -> syn::Error {
    let (name, known) = (item::name(meta), item::list(known));
    meta.error(format!("`{name}` belongs on {there}; on {here} there are {known}"))
}

fn unknown(meta: &ParseNestedMeta<'_>, here: &str, known: &[&str]) -> syn::Error {
    let (name, known) = (item::name(meta), item::list(known));
    meta.error(format!("there is no `{name}`; on {here} there are {known}"))
}

fn set<T>(
    slot: &mut Option<Given<T>>,
    meta: &ParseNestedMeta<'_>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> syn::Result<Given<T>>,
) -> syn::Result<()> {
    let given = read(meta)?;
    if slot.is_some() {
        return Err(meta.error(format!("`{}` is there already: remove one", item::name(meta))));
    }
    *slot = Some(given);
    Ok(())
}

fn given<T>(value: T, meta: &ParseNestedMeta<'_>) -> Given<T> {
    Given { value, place: item::place(meta) }
}

fn flag(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<()>> {
    item::flag(meta).map(|()| given((), meta))
}

fn switch(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<bool>> {
    item::switch(meta).map(|on| given(on, meta))
}

/// A text stands where its literal is: what is wrong with it, is wrong there.
fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<String>> {
    item::text(meta).map(|text| Given { value: text.value(), place: text.span() })
}

fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<ExprPath>> {
    item::path(meta).map(|path| given(path, meta))
}

fn krate(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<Path>> {
    item::path(meta).map(|path| given(path.path, meta))
}

fn fallback(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<Fallback>> {
    let fallback = if item::has_value(meta) {
        Fallback::Path(item::path(meta)?)
    } else {
        item::flag(meta).map(|()| Fallback::Trait)?
    };
    Ok(given(fallback, meta))
}

fn tombstone(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<Tombstone>> {
    let text = text(meta)?;
    match text.value.as_str() {
        "delete_wins" => Ok(given(Tombstone::DeleteWins, meta)),
        "last_writer_wins" => Ok(given(Tombstone::LastWriterWins, meta)),
        other => {
            let known = item::list(&["delete_wins", "last_writer_wins"]);
            let message = format!("there is no tombstone policy `{other}`; there are {known}");
            Err(syn::Error::new(text.place, message))
        }
    }
}

fn case(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<Case>> {
    let text = text(meta)?;
    match Case::named(&text.value) {
        Some(case) => Ok(given(case, meta)),
        None => {
            let known = item::list(&Case::names());
            let message = format!("there is no case `{}`; there are {known}", text.value);
            Err(syn::Error::new(text.place, message))
        }
    }
}

fn merge(meta: &ParseNestedMeta<'_>) -> syn::Result<Given<Merge>> {
    let named = |name: &str| POLICIES.iter().find(|(known, _)| *known == name);
    let merge = match item::path_or_text(meta)? {
        PathOrText::Path(path) => match path.path.get_ident().map(Ident::to_string) {
            Some(name) if named(&name).is_some() => {
                let message = format!("write the policy in quotes: `merge = \"{name}\"`");
                return Err(syn::Error::new_spanned(path, message));
            }
            _ => Merge::Own(path),
        },
        PathOrText::Text(text) => match (named(&text.value()), text.parse::<ExprPath>()) {
            (Some((_, policy)), _) => policy.clone(),
            (None, Ok(path)) if !is_misspelt(&path) => Merge::Own(path),
            _ => {
                let known = item::list(&POLICIES.map(|(known, _)| known));
                let own = "or the path of a policy of yours, `merge = \"path::TO_IT\"`";
                let message = format!("there is no merge policy `{}`; there are {known}, {own}", text.value());
                return Err(syn::Error::new(text.span(), message));
            }
        },
    };
    Ok(given(merge, meta))
}

/// One word in small letters is no constant's name, but a policy's name with a slip in it.
fn is_misspelt(path: &ExprPath) -> bool {
    let word = path.path.get_ident().map(Ident::to_string);
    word.is_some_and(|word| !word.contains(char::is_uppercase))
}
