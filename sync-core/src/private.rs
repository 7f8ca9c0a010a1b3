//! What the code that `#[derive(Syncable)]` generates stands on. Not for use by hand: it changes without notice.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

pub use core::default::Default;
pub use core::result::Result;
pub use serde::{Deserialize, Deserializer, Serialize, Serializer};
pub use uuid::Uuid;

use serde::de::DeserializeOwned;

use crate::entity::Ordered;
pub use crate::entity::{Entity, Field, FieldError, Fields, Id, Key, Merge, Schema, Tombstone};
use crate::model::policy::Policy;
use crate::model::value::{Value, ValueError};

/// The id field's type, from which the entity's key type is read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an entity's id",
    label = "write `Id<..>` of this struct, or `Id<.., K>` with a key type of your own"
)]
pub trait AnyId {
    /// What the id is made of.
    type Key;
}

impl<T, K> AnyId for Id<T, K> {
    type Key = K;
}

/// The id of a `T`. Apart from [`AnyId`], so that another entity's id is one error and not one at every use.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the id of `{T}`",
    label = "write `Id<{T}>`, or `Id<{T}, K>` with a key type of your own"
)]
pub trait IdOf<T>: AnyId + Sized {
    /// The id as the entity shows it.
    fn show(&self) -> &Id<T, Self::Key>;
    /// The id as the entity holds it.
    fn hold(id: Id<T, Self::Key>) -> Self;
}

impl<T, K> IdOf<T> for Id<T, K> {
    fn show(&self) -> &Self {
        self
    }
    fn hold(id: Self) -> Self {
        id
    }
}

/// Between an id and the entity that it is of.
pub struct Holder<T, I: AnyId> {
    /// [`IdOf::show`]
    pub show: fn(&I) -> &Id<T, I::Key>,
    /// [`IdOf::hold`]
    pub hold: fn(Id<T, I::Key>) -> I,
}

/// The holder of a `T`'s id.
pub const fn holder<T, I: IdOf<T>>() -> Holder<T, I> {
    Holder { show: I::show, hold: I::hold }
}

/// A type whose values are stored as serde writes them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored",
    label = "cannot be written and read back",
    note = "mark the field `#[sync(skip)]`, or derive `Serialize` and `Deserialize` (from serde) for `{Self}`"
)]
pub trait Stored: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Stored for T {}

/// A type that `merge = "counter"` can count with.
#[diagnostic::on_unimplemented(
    message = "`merge = \"counter\"` counts with integers, and `{Self}` is not one",
    label = "not an integer",
    note = "make it an integer such as `i64`, or choose another policy, such as `merge = \"lww\"`"
)]
pub trait Integer: Stored {
    /// The integer that is next to a sum, which may be beyond what the type holds.
    fn nearest(sum: i128) -> Self;
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl Integer for $integer {
            fn nearest(sum: i128) -> Self {
                Self::try_from(sum).unwrap_or(if sum < 0 { Self::MIN } else { Self::MAX })
            }
        })*
    };
}
integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

/// A type that `merge = "max"` and `merge = "min"` can compare.
#[diagnostic::on_unimplemented(
    message = "`merge = \"max\"` and `merge = \"min\"` compare values as they are stored, in which `{Self}` may have another order",
    label = "not known to be ordered as it is stored",
    note = "make it a number, a text or an `Option` of one, or choose another policy, such as `merge = \"lww\"`",
    note = "a type of your own that is stored as a number or a text and ordered alike says so with `impl sync_core::entity::Ordered`"
)]
pub trait Bound: Stored {}

#[diagnostic::do_not_recommend]
impl<T: Ordered + Stored> Bound for T {}

/// A type whose elements `merge = "set"` can add and remove.
#[diagnostic::on_unimplemented(
    message = "`merge = \"set\"` joins the elements of a collection, and `{Self}` is not one",
    label = "not a collection of elements",
    note = "make it a `BTreeSet`, `HashSet` or `Vec`, or choose another policy, such as `merge = \"lww\"`"
)]
pub trait Collection: Stored {}

// What is asked of the element is written out, so that an element which cannot be stored is what is reported.
impl<T: Stored + Ord> Collection for BTreeSet<T> {}
impl<T: Stored + Eq + Hash, S: BuildHasher + Default> Collection for HashSet<T, S> {}
impl<T: Stored> Collection for Vec<T> {}
impl<T: Stored> Collection for VecDeque<T> {}
impl<T: Stored> Collection for Box<[T]> {}

/// A type that has a default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default",
    label = "what should it be when it is absent?",
    note = "implement `Default` for `{Self}`, or name a function that makes one: `#[sync(default = \"path\")]`"
)]
pub trait Defaulted: Default {}

#[diagnostic::do_not_recommend]
impl<T: Default> Defaulted for T {}

/// A merge policy of the user's.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a merge policy",
    label = "not a policy",
    note = "implement `sync_core::Policy` for `{Self}`"
)]
pub trait Own: Policy {}

#[diagnostic::do_not_recommend]
impl<P: Policy> Own for P {}

/// A field that merges as a user's own policy says.
pub const fn own<P: Own>(policy: &'static P) -> Merge {
    Merge::Own(policy)
}

/// How a field's type becomes a value and comes back. It has no bounds of its own, so that a type which
/// cannot be stored is reported where its codec is made, and nowhere else.
pub struct Codec<T> {
    encode: fn(&T) -> Result<Value, ValueError>,
    decode: fn(&Value) -> Result<T, ValueError>,
}

/// The codecs of an entity type's stored fields, as one tuple: a parameter and not an associated type,
/// because an associated type may not name the private types of a public struct's fields.
pub trait Codecs<Tuple> {
    /// One for each stored field, in the order of the struct.
    const CODECS: Tuple;
}

/// A field that is stored as its type says.
pub const fn plain<T: Stored>() -> Codec<T> {
    Codec { encode: encode::<T>, decode: Value::decode::<T> }
}

/// Writes a value, unless a `Some` in it would come back as `None`.
fn encode<T: Stored>(value: &T) -> Result<Value, ValueError> {
    let (written, hidden) = Value::encode_counting(value)?;
    // Some types tell the two apart when they are read: so these are asked.
    if hidden > 0 && Value::encode_counting(&written.decode::<T>()?)?.1 != hidden {
        return Err(ValueError::SomeNull);
    }
    Ok(written)
}

/// A counter. What devices add unaware of each other may come to more than the type holds, or less: two that sell
/// the last one of a stock leave -1. That is no reason for nobody to be able to read the entity.
pub const fn counter<T: Integer>() -> Codec<T> {
    Codec {
        encode: encode::<T>,
        decode: |value| value.as_i128().map_or_else(|| value.decode(), |sum| Ok(T::nearest(sum))),
    }
}

/// A maximum or a minimum.
pub const fn bound<T: Bound>() -> Codec<T> {
    plain()
}

/// A set.
pub const fn set<T: Collection>() -> Codec<T> {
    plain()
}

/// The functions that the `N`th stored field's `with` names.
pub trait With<const N: usize, T> {
    /// Writes the field.
    fn serialize<S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error>;
    /// Reads the field.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error>;
}

/// A field that is stored by functions of its own.
pub const fn with<E: With<N, T>, T, const N: usize>() -> Codec<T> {
    Codec {
        encode: |value| {
            let (written, hidden) = Value::encode_counting(&Writing::<E, T, N>(value, PhantomData))?;
            // Here `None` may be what comes back as a `Some`.
            if hidden > 0 || written.is_null() {
                let read = written.decode::<Read<E, T, N>>()?.0;
                if Value::encode_counting(&Writing::<E, T, N>(&read, PhantomData))?.1 != hidden {
                    return Err(ValueError::SomeNull);
                }
            }
            Ok(written)
        },
        decode: |value| Ok(value.decode::<Read<E, T, N>>()?.0),
    }
}

struct Writing<'a, E, T, const N: usize>(&'a T, PhantomData<E>);

impl<E: With<N, T>, T, const N: usize> Serialize for Writing<'_, E, T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        E::serialize(self.0, serializer)
    }
}

struct Read<E, T, const N: usize>(T, PhantomData<E>);

impl<'de, E: With<N, T>, T, const N: usize> Deserialize<'de> for Read<E, T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        E::deserialize(deserializer).map(|value| Self(value, PhantomData))
    }
}

/// Writes one field.
///
/// # Errors
/// [`FieldError::Encode`] if its value cannot be written.
pub fn put<T>(fields: &mut Fields, field: &Field, codec: &Codec<T>, value: &T) -> Result<(), FieldError> {
    let value = (codec.encode)(value).map_err(|source| FieldError::Encode { field: field.name.to_owned(), source })?;
    fields.insert(field.name, value);
    Ok(())
}

/// Reads one field; one that is absent is what `null` reads as (an `Option`'s `None`), if it reads as anything.
///
/// # Errors
/// [`FieldError::Missing`] and [`FieldError::Decode`].
pub fn take<T>(fields: &Fields, field: &Field, codec: &Codec<T>) -> Result<T, FieldError> {
    let missing = || FieldError::Missing { field: field.name.to_owned() };
    match find(fields, field) {
        Some(value) => read(value, field, codec),
        // Whether a type is an `Option` cannot be told from its name (`type Body = Option<String>`).
        None => (codec.decode)(&Value::null()).map_err(|_| missing()),
    }
}

/// Reads one field that has a default of its own.
///
/// # Errors
/// [`FieldError::Decode`].
pub fn take_or<T>(
    fields: &Fields,
    field: &Field,
    codec: &Codec<T>,
    default: impl FnOnce() -> T,
) -> Result<T, FieldError> {
    match find(fields, field) {
        Some(value) => read(value, field, codec),
        None => Ok(default()),
    }
}

fn read<T>(value: &Value, field: &Field, codec: &Codec<T>) -> Result<T, FieldError> {
    (codec.decode)(value).map_err(|source| FieldError::Decode { field: field.name.to_owned(), source })
}

fn find<'a>(fields: &'a Fields, field: &Field) -> Option<&'a Value> {
    let names = std::iter::once(&field.name).chain(field.aliases);
    names.into_iter().find_map(|name| fields.get(name))
}

/// What a field is that says `default`, or `skip` and nothing else.
pub fn default<T: Defaulted>() -> T {
    T::default()
}

/// The body of every function of a type whose derive reported a mistake: there is no program that runs it.
pub fn never_run<T>() -> T {
    unreachable!("the derive reported a mistake, so this program does not compile")
}
