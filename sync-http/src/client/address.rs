//! Where a hub is.

use http::Uri;
use sync_core::Error;

/// A hub's address that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hub's address {address:?} cannot be used: {message}")]
pub struct BadAddress {
    /// The address.
    pub address: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

impl BadAddress {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        "bad_address"
    }
}

impl From<BadAddress> for Error {
    fn from(error: BadAddress) -> Self {
        Self::Config { message: error.to_string() }
    }
}

/// The part of all addresses of one space before the `?`, up to `/sync/`.
pub(super) fn base(address: &str, space: Option<&str>) -> Result<String, BadAddress> {
    let bad = |message: &str| BadAddress { address: address.to_owned(), message: message.to_owned() };
    let uri: Uri = address.trim().parse().map_err(|_| bad("write it as http://HOST:PORT"))?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(bad("it begins with http:// or https://")),
    }
    let authority = uri.authority().filter(|authority| !authority.host().is_empty());
    let authority = authority.ok_or_else(|| bad("it has no host"))?;
    if authority.as_str().contains('@') {
        return Err(bad("a token is not a part of it: set the token by itself"));
    }
    // What is behind the last colon and not a part of an address in brackets.
    let port = authority.as_str().rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
    if port.is_some_and(|port| port.starts_with('+') || port.parse::<u16>().is_err()) {
        // `http` takes some for none, which would be the port of the scheme: another program's.
        return Err(bad("its port is not a number up to 65535"));
    }
    if uri.query().is_some() {
        return Err(bad("it has a query"));
    }
    let scheme = uri.scheme_str().unwrap_or("http");
    let path = uri.path().trim_end_matches('/');
    let space = match space {
        None => String::new(),
        Some(space) => format!(
            "/spaces/{}",
            checked_space(space).ok_or_else(|| bad("a space's name is of letters, digits and -_.~"))?
        ),
    };
    Ok(format!("{scheme}://{authority}{path}{space}/sync/"))
}

/// The hub's address in the one that a redirect of a request to it names; without one, all that it names.
pub(super) fn of_redirect(location: &str) -> &str {
    let path = location.split(['?', '#']).next().unwrap_or_default();
    let base = path.rsplit_once("/sync/").map_or("", |(base, _)| base);
    let base = match base.rsplit_once("/spaces/") {
        Some((base, space)) if checked_space(space).is_some() => base,
        _ => base,
    };
    if base.contains("://") { base } else { location }
}

fn checked_space(space: &str) -> Option<&str> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    (!space.is_empty() && space.bytes().all(fine)).then_some(space)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let good = [
            ("http://localhost:80", None, "http://localhost:80/sync/"),
            ("http://h/", None, "http://h/sync/"),
            ("https://h/apps/notes/", Some("a-b"), "https://h/apps/notes/spaces/a-b/sync/"),
            (" http://[::1]:8080 ", None, "http://[::1]:8080/sync/"),
        ];
        for (address, space, expected) in good {
            assert_eq!(base(address, space).as_deref(), Ok(expected));
        }
        let bad = [
            "",
            "h",
            "localhost:80",
            "ftp://h",
            "http://",
            "/x",
            "http://u:p@h",
            "http://h/?a=b",
            "http://h h",
            "http://h:65536",
            "http://h:",
            "http://[::1]:99999",
            "http://h:x",
            "http://h:+1",
        ];
        for address in bad {
            let error = base(address, None).unwrap_err();
            assert_eq!(error.address, address);
        }
        assert!(base("http://h", Some("a/b")).is_err());
        assert!(base("http://h", Some("")).is_err());
    }

    #[test]
    fn redirects() {
        let cases = [
            ("https://h/sync/hello?client=a%3A1%3A0", "https://h"),
            ("https://h:8/a/spaces/team/sync/actions", "https://h:8/a"),
            ("https://h/log-in?back=/sync/hello", "https://h/log-in?back=/sync/hello"),
            ("/sync/hello/", "/sync/hello/"),
            ("/b/sync/hello", "/b/sync/hello"),
            ("", ""),
        ];
        for (location, expected) in cases {
            assert_eq!(of_redirect(location), expected);
        }
    }
}
