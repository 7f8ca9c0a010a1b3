//! Who asks: from a token to a principal.

use sync_core::BoxFuture;

/// Says on whose behalf a request is made, and whether they may use the space.
///
/// The principal never comes from what the request says of itself: only from here.
pub trait Authenticate: Send + Sync {
    /// The principal of a request with this bearer token, to this space (`None` is the default one).
    fn authenticate<'a>(
        &'a self,
        token: Option<&'a str>,
        space: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, Refusal>>;
}

/// Why a request is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The token is missing or not known.
    Unauthenticated,
    /// The token is known, and may not use this space.
    Forbidden,
    /// It cannot be told now: try again.
    Unavailable,
}

/// Lets everyone in as one principal, `anonymous`. For one's own machine and network.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anyone;

impl Authenticate for Anyone {
    fn authenticate<'a>(
        &'a self,
        _token: Option<&'a str>,
        _space: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(std::future::ready(Ok("anonymous".to_owned())))
    }
}

/// A fixed list of tokens.
///
/// ```
/// use sync_http::server::Tokens;
/// let tokens = Tokens::new()
///     .allow("a-long-random-token", "ann")
///     .allow_in("another-long-random-token", "ben", ["team-1"]);
/// # let _ = tokens;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Tokens(Vec<Known>);

#[derive(Clone)]
struct Known {
    token: String,
    principal: String,
    /// The named spaces that it opens; `None` is all, and the default one.
    spaces: Option<Vec<String>>,
}

// A token is a secret: it never gets into a log by `{:?}`.
impl std::fmt::Debug for Known {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { principal, spaces, .. } = self;
        write!(f, "Known({principal:?}, {spaces:?})")
    }
}

impl Tokens {
    /// No tokens: nobody is let in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Who shows this token is this principal, in every space.
    #[must_use]
    pub fn allow(mut self, token: impl Into<String>, principal: impl Into<String>) -> Self {
        self.0.push(Known { token: token.into(), principal: principal.into(), spaces: None });
        self
    }

    /// Who shows this token is this principal, in these named spaces only.
    #[must_use]
    pub fn allow_in<S: Into<String>>(
        mut self,
        token: impl Into<String>,
        principal: impl Into<String>,
        spaces: impl IntoIterator<Item = S>,
    ) -> Self {
        self.0.push(Known {
            token: token.into(),
            principal: principal.into(),
            spaces: Some(spaces.into_iter().map(Into::into).collect()),
        });
        self
    }

    fn find(&self, token: Option<&str>, space: Option<&str>) -> Result<String, Refusal> {
        let token = token.ok_or(Refusal::Unauthenticated)?;
        let mut found = None;
        // All are compared, and each to its end: how long it takes says nothing about them.
        for known in &self.0 {
            if same(&known.token, token) {
                found = Some(known);
            }
        }
        let known = found.ok_or(Refusal::Unauthenticated)?;
        let opens = match (&known.spaces, space) {
            (None, _) => true,
            (Some(spaces), Some(space)) => spaces.iter().any(|s| s == space),
            (Some(_), None) => false,
        };
        if opens { Ok(known.principal.clone()) } else { Err(Refusal::Forbidden) }
    }
}

impl Authenticate for Tokens {
    fn authenticate<'a>(
        &'a self,
        token: Option<&'a str>,
        space: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(std::future::ready(self.find(token, space)))
    }
}

/// Compares in a time that depends on the lengths alone.
fn same(a: &str, b: &str) -> bool {
    let differing = a.bytes().zip(b.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    a.len() == b.len() && std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_open_their_spaces_only() {
        let tokens = Tokens::new().allow("all", "ann").allow_in("some", "ben", ["b"]);
        assert_eq!(tokens.find(Some("all"), None), Ok("ann".into()));
        assert_eq!(tokens.find(Some("all"), Some("x")), Ok("ann".into()));
        assert_eq!(tokens.find(Some("some"), Some("b")), Ok("ben".into()));
        assert_eq!(tokens.find(Some("some"), Some("c")), Err(Refusal::Forbidden));
        assert_eq!(tokens.find(Some("some"), None), Err(Refusal::Forbidden));
        for wrong in [None, Some(""), Some("al"), Some("alll"), Some("All")] {
            assert_eq!(tokens.find(wrong, None), Err(Refusal::Unauthenticated), "{wrong:?}");
        }
        assert_eq!(Tokens::new().allow("", "nobody").find(None, None), Err(Refusal::Unauthenticated));
        assert!(!format!("{tokens:?}").contains("some"));
    }
}
