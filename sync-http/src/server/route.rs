//! Addresses: which path means what, and which methods it takes.

use http::Method;

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Actions,
    Hello,
    Snapshot,
    Live,
    Health,
    Ready,
    Metrics,
}

impl Endpoint {
    /// All of them, in the order of their numbers.
    pub(crate) const ALL: [Self; 7] =
        [Self::Actions, Self::Hello, Self::Snapshot, Self::Live, Self::Health, Self::Ready, Self::Metrics];

    /// Its name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Actions => "actions",
            Self::Hello => "hello",
            Self::Snapshot => "snapshot",
            Self::Live => "live",
            Self::Health => "healthz",
            Self::Ready => "readyz",
            Self::Metrics => "metrics",
        }
    }

    /// The methods that it takes, as in an `Allow`.
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Actions | Self::Snapshot => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }

    pub(crate) fn takes(self, method: &Method) -> bool {
        self.allow().split(", ").any(|name| name == method.as_str())
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) endpoint: Endpoint,
    /// The named space; `None` is the default one.
    pub(crate) space: Option<String>,
}

impl Route {
    /// What a path means, if anything.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let at = |endpoint| Some(Self { endpoint, space: None });
        match path {
            "/healthz" => return at(Endpoint::Health),
            "/readyz" => return at(Endpoint::Ready),
            "/metrics" => return at(Endpoint::Metrics),
            _ => {}
        }
        let (space, rest) = match path.strip_prefix("/spaces/") {
            Some(named) => {
                let (space, rest) = named.split_once('/')?;
                (Some(space_name(space)?), rest)
            }
            None => (None, path.strip_prefix('/')?),
        };
        let endpoint = match rest.strip_prefix("sync/")? {
            "actions" => Endpoint::Actions,
            "hello" => Endpoint::Hello,
            "snapshot" => Endpoint::Snapshot,
            "live" => Endpoint::Live,
            _ => return None,
        };
        Some(Self { endpoint, space })
    }
}

/// Names become parts of file names and keys: so they are of letters, digits and `-_.~`, and no path.
fn space_name(name: &str) -> Option<String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let valid = !name.is_empty() && name.len() <= 64 && name.bytes().all(fine);
    (valid && !name.starts_with('.')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let good = [
            ("/sync/actions", Endpoint::Actions, None),
            ("/sync/hello", Endpoint::Hello, None),
            ("/sync/live", Endpoint::Live, None),
            ("/spaces/team-1/sync/snapshot", Endpoint::Snapshot, Some("team-1")),
            ("/healthz", Endpoint::Health, None),
            ("/metrics", Endpoint::Metrics, None),
        ];
        for (path, endpoint, space) in good {
            let space = space.map(str::to_owned);
            assert_eq!(Route::of(path), Some(Route { endpoint, space }), "{path}");
        }
        let bad = [
            "/",
            "",
            "/sync",
            "/sync/",
            "/sync/actions/",
            "/sync/other",
            "/spaces/sync/actions",
            "/spaces//sync/actions",
            "/spaces/../sync/actions",
            "/spaces/.hidden/sync/actions",
            "/spaces/a%2Fb/sync/actions",
            "/spaces/a b/sync/actions",
            "/spaces/a/b/sync/actions",
            "//sync/actions",
        ];
        for path in bad {
            assert_eq!(Route::of(path), None, "{path}");
        }
        assert_eq!(Route::of(&format!("/spaces/{}/sync/live", "s".repeat(65))), None);
    }

    #[test]
    fn methods() {
        assert!(Endpoint::Actions.takes(&Method::POST));
        assert!(Endpoint::Live.takes(&Method::GET));
        assert!(!Endpoint::Live.takes(&Method::POST));
        assert!(!Endpoint::Actions.takes(&Method::DELETE));
    }
}
