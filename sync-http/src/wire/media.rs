//! Media types and codings: the one place where the form of a message is agreed upon.
//!
//! JSON is the readable form, and what is spoken with those who ask for nothing else. The compact one of
//! [`sync_core::transport::compact`] is for those who name it: no wildcard means it.

/// The form of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Media {
    /// `application/json`
    Json,
    /// `application/vnd.sync.batch`: entries, records and verdicts in `sync-core`'s compact form.
    Batch,
}

impl Media {
    /// Its name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Batch => "application/vnd.sync.batch",
        }
    }

    /// The form that a `Content-Type` names; none is JSON, `None` is one that is not spoken here.
    pub fn of_content(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else {
            return Some(Self::Json);
        };
        let name = content_type.split(';').next().unwrap_or_default().trim();
        [Self::Json, Self::Batch].into_iter().find(|media| name.eq_ignore_ascii_case(media.name()))
    }

    /// The form for a reply to a request with this `Accept`; `None` if there is none that it takes.
    pub fn for_accept(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept else {
            return Some(Self::Json);
        };
        let takes = |names: &[&str]| {
            accept.split(',').any(|range| {
                let mut parts = range.split(';');
                let name = parts.next().unwrap_or_default().trim();
                let refused = parts.any(|parameter| is_zero(parameter.trim()));
                !refused && names.iter().any(|known| name.eq_ignore_ascii_case(known))
            })
        };
        if takes(&[Self::Batch.name()]) {
            return Some(Self::Batch);
        }
        takes(&["*/*", "application/*", Self::Json.name()]).then_some(Self::Json)
    }
}

/// How a message is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Coding {
    /// Not at all.
    Identity,
    /// `gzip`
    Gzip,
    /// `zstd`
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Coding {
    /// What this build can read, as an `Accept-Encoding`, the best first.
    #[cfg(feature = "zstd")]
    pub const ACCEPTED: &'static str = "zstd, gzip";
    /// What this build can read, as an `Accept-Encoding`, the best first.
    #[cfg(not(feature = "zstd"))]
    pub const ACCEPTED: &'static str = "gzip";

    /// The best that this build can write.
    #[cfg(feature = "zstd")]
    pub const BEST: Self = Self::Zstd;
    /// The best that this build can write.
    #[cfg(not(feature = "zstd"))]
    pub const BEST: Self = Self::Gzip;

    /// Whether two messages that were coded apart are, one after the other, what both together are coded. Of gzip
    /// that is so as well, but not all who read it know.
    #[cfg(feature = "server")]
    pub(crate) fn joins(self) -> bool {
        !matches!(self, Self::Gzip)
    }

    /// Its name in headers; `None` for no coding.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
            #[cfg(feature = "zstd")]
            Self::Zstd => Some("zstd"),
        }
    }

    /// The coding that a `Content-Encoding` names; `None` is one, or several, that cannot be read here.
    pub fn of_content(content_encoding: Option<&str>) -> Option<Self> {
        match content_encoding.map(str::trim) {
            None | Some("") => Some(Self::Identity),
            Some(name) if name.eq_ignore_ascii_case("identity") => Some(Self::Identity),
            Some(name) => Self::named(name),
        }
    }

    /// The coding for a reply to a request with this `Accept-Encoding`.
    pub fn for_accept(accept_encoding: Option<&str>) -> Self {
        let offered = |coding: &Self| {
            let mut ranges = accept_encoding.unwrap_or_default().split(',');
            ranges.any(|range| {
                let mut parts = range.split(';');
                let name = parts.next().unwrap_or_default().trim();
                Self::named(name) == Some(*coding) && !parts.any(|q| is_zero(q.trim()))
            })
        };
        let known = [Self::BEST, Self::Gzip];
        known.into_iter().find(offered).unwrap_or(Self::Identity)
    }

    fn named(name: &str) -> Option<Self> {
        match name {
            _ if name.eq_ignore_ascii_case("gzip") => Some(Self::Gzip),
            #[cfg(feature = "zstd")]
            _ if name.eq_ignore_ascii_case("zstd") => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Whether a parameter is a weight of nothing: `q=0`, `q=0.0`...
fn is_zero(parameter: &str) -> bool {
    let weight = parameter.strip_prefix("q=").map(str::parse::<f32>);
    matches!(weight, Some(Ok(weight)) if weight <= 0.0)
}
