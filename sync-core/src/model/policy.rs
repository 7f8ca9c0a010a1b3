//! A user's own operation family.

use super::value::Value;

/// How a field whose operations are a user's own is written and read.
///
/// A field's register keeps, for such a family, the operations that no later one has absorbed, each with its
/// stamp. So hubs and replicas that were never compiled with the policy carry it unharmed, and replicas that
/// hold the same operations show the same value, whatever the policy computes from them.
///
/// ```
/// use sync_core::{Policy, Value, Written};
///
/// /// Keeps the longest text.
/// struct Longest;
/// impl Policy for Longest {
///     fn name(&self) -> &'static str {
///         "longest"
///     }
///     fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String> {
///         Ok((before != Some(after)).then(|| Written { operation: after.clone(), absorbs: true }))
///     }
///     fn value(&self, operations: &[&Value]) -> Option<Value> {
///         operations.iter().max_by_key(|op| op.as_str().len()).map(|op| (*op).clone())
///     }
/// }
/// ```
pub trait Policy: Send + Sync {
    /// The family's name: `{"$x:name": operation}` on the wire. Never change it: a new meaning is a new name.
    fn name(&self) -> &'static str;

    /// The operation that carries the user's intent from one value to another; `None` if there is nothing to write.
    /// `before` is `None` for a create.
    ///
    /// # Errors
    /// Says why this change cannot be made; the write fails with it and nothing is stored.
    fn diff(&self, before: Option<&Value>, after: &Value) -> Result<Option<Written>, String>;

    /// The value that these operations make, in the order of their stamps; `None` leaves the field at its default.
    ///
    /// Must be a pure function of the slice, and must not panic on operations it does not know: other
    /// versions of the program write too.
    fn value(&self, operations: &[&Value]) -> Option<Value>;
}

/// One operation of a user's own family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The operation's body.
    pub operation: Value,
    /// Whether it contains all that its author saw, so that those operations can be dropped.
    pub absorbs: bool,
}
