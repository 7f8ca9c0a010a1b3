//! The struct as the macro understands it: what `sync` and `serde` attributes say together.

use syn::ext::IdentExt;
use syn::{Data, DeriveInput, ExprPath, Fields, FieldsNamed, Generics, Ident, Path, Type, parse_quote};

use crate::attr::{self, Fallback, Given, Merge, Tombstone};
use crate::case::{self, Case};
use crate::ctxt::Mistakes;
use crate::serde_attr::{self, Both, inside};

/// A struct that derives `Syncable`.
pub(crate) struct Model<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    /// Where sync-core is.
    pub(crate) krate: Path,
    /// The entity type's name.
    pub(crate) entity: Given<String>,
    pub(crate) tombstone: Tombstone,
    /// What all absent fields are read from.
    pub(crate) default: Option<Fallback>,
    /// `None` of anything but a struct with named fields.
    pub(crate) fields: Option<Vec<Field<'a>>>,
}

/// One field.
pub(crate) struct Field<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) ty: &'a Type,
    pub(crate) sync: attr::Field,
    pub(crate) serde: serde_attr::Field,
    /// The stored name.
    pub(crate) name: Given<String>,
    /// The other names it is read by.
    pub(crate) aliases: Vec<Given<String>>,
    /// Whether a mistake was found in it, so that nothing else is said about it.
    pub(crate) broken: bool,
}

/// What becomes of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Id,
    Stored,
    Skipped,
    Broken,
}

impl<'a> Model<'a> {
    /// Reads the struct. Mistakes are noted, and what can be understood in spite of them is in the model.
    pub(crate) fn read(input: &'a DeriveInput, mistakes: &mut Mistakes) -> Self {
        let sync = attr::Container::read(&input.attrs, mistakes);
        let serde = serde_attr::Container::read(&input.attrs);
        let entity = sync.entity.unwrap_or_else(|| Given {
            value: case::entity_name(&input.ident.unraw().to_string()),
            place: input.ident.span(),
        });
        let rename_all = match sync.rename_all {
            Some(case) => Both { write: Some(case.value), read: None },
            None => serde.rename_all,
        };
        let fields = named_fields(input, mistakes).map(|fields| {
            let read = |field| Field::read(field, &rename_all, mistakes);
            fields.named.iter().filter_map(read).collect()
        });
        Model {
            ident: &input.ident,
            generics: &input.generics,
            krate: sync.krate.map_or_else(|| parse_quote!(::sync_core), |krate| krate.value),
            entity,
            tombstone: sync.tombstone.map(|given| given.value).unwrap_or_default(),
            default: sync.default.map(|given| given.value).or(serde.default),
            fields,
        }
    }

    /// The fields of one role, in the order of the struct.
    pub(crate) fn with_role(&self, role: Role) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().flatten().filter(move |field| field.role() == role)
    }

    /// The id field.
    pub(crate) fn id(&self) -> Option<&Field<'a>> {
        self.with_role(Role::Id).next()
    }
}

fn named_fields<'a>(input: &'a DeriveInput, mistakes: &mut Mistakes) -> Option<&'a FieldsNamed> {
    let name = &input.ident;
    let (place, what) = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => (name.span(), "a tuple struct, whose fields have no names to merge by"),
            Fields::Unit => (name.span(), "a unit struct, which has no fields to sync"),
        },
        Data::Enum(data) => (data.enum_token.span, "an enum, which is one value and not a set of fields"),
        Data::Union(data) => (data.union_token.span, "a union, whose fields overlap"),
    };
    mistakes.at(
        place,
        format!(
            "`{name}` is {what}: derive `Syncable` for a struct with named fields, \
             such as `struct {name} {{ #[sync(id)] id: Id<{name}>, .. }}`"
        ),
    );
    None
}

impl<'a> Field<'a> {
    fn read(field: &'a syn::Field, rename_all: &Both<Case>, mistakes: &mut Mistakes) -> Option<Self> {
        let before = mistakes.count();
        let sync = attr::Field::read(&field.attrs, mistakes);
        let serde = serde_attr::Field::read(&field.attrs);
        let ident = field.ident.as_ref()?;
        let name = stored_name(ident, &sync, &serde, rename_all.write);
        let mut aliases = sync.aliases.clone();
        for other in serde_names(ident, &sync, &serde, rename_all.read) {
            let is_new = aliases.iter().chain([&name]).all(|known| known.value != other.value);
            if is_new {
                aliases.push(other);
            }
        }
        let broken = mistakes.count() > before;
        Some(Field { ident, ty: &field.ty, sync, serde, name, aliases, broken })
    }

    /// What becomes of the field.
    pub(crate) fn role(&self) -> Role {
        if self.broken {
            Role::Broken
        } else if self.sync.id.is_some() {
            Role::Id
        } else if self.is_skipped() {
            Role::Skipped
        } else {
            Role::Stored
        }
    }

    fn is_skipped(&self) -> bool {
        match &self.sync.skip {
            Some(skip) => skip.value,
            None => self.serde.is_skipped(),
        }
    }

    /// How concurrent writes merge.
    pub(crate) fn merge(&self) -> Merge {
        self.sync.merge.as_ref().map(|given| given.value.clone()).unwrap_or_default()
    }

    /// What the field is when it is absent, if that is written on the field.
    pub(crate) fn default(&self) -> Option<&Fallback> {
        let sync = self.sync.default.as_ref().map(|given| &given.value);
        sync.or(self.serde.default.as_ref())
    }

    /// The functions that write and read it, where its type's own do not.
    pub(crate) fn with(&self) -> Option<Both<ExprPath>> {
        let with = match &self.sync.with {
            Some(module) => Both {
                write: Some(inside(&module.value, "serialize")),
                read: Some(inside(&module.value, "deserialize")),
            },
            None => self.serde.with.clone(),
        };
        (with.write.is_some() || with.read.is_some()).then_some(with)
    }
}

fn stored_name(
    ident: &Ident,
    sync: &attr::Field,
    serde: &serde_attr::Field,
    rename_all: Option<Case>,
) -> Given<String> {
    let renamed = sync.rename.as_ref().or(serde.rename.write.as_ref());
    renamed.cloned().unwrap_or_else(|| in_case(ident, rename_all))
}

/// What serde reads the field by, besides the name that it is written by.
fn serde_names(
    ident: &Ident,
    sync: &attr::Field,
    serde: &serde_attr::Field,
    rename_all: Option<Case>,
) -> Vec<Given<String>> {
    let mut names = serde.aliases.clone();
    match (&sync.rename, &serde.rename) {
        (None, Both { read: Some(name), .. }) => names.push(name.clone()),
        (None, Both { write: None, read: None }) if rename_all.is_some() => {
            names.push(in_case(ident, rename_all));
        }
        _ => {}
    }
    names
}

fn in_case(ident: &Ident, case: Option<Case>) -> Given<String> {
    let name = ident.unraw().to_string();
    Given { value: case.map_or(name.clone(), |case| case.apply(&name)), place: ident.span() }
}
