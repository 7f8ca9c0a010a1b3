//! Canonical values: JSON with one spelling, so that comparing is comparing bytes.
//! (Stub: replaced by the value module.)
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// A canonical JSON value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Value(Arc<str>);

/// Why a value could not be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Not JSON, or not a value that the system carries.
    #[error("{0}")]
    Invalid(String),
}

impl Value {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Encodes any serializable value.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Value, ValueError> {
        Ok(Value(serde_json::to_string(value).map_err(|e| ValueError::Invalid(e.to_string()))?.into()))
    }
    /// Decodes into a type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, ValueError> {
        serde_json::from_str(&self.0).map_err(|e| ValueError::Invalid(e.to_string()))
    }
}
