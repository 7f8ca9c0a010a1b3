//! What a request says in its address.

use sync_core::transport::{Epoch, HelloRequest, PullRequest, SnapshotRequest};
use sync_core::{ClientId, Cursor, Digest, Dot};

use super::{EpochJson, Hex, Unreadable};
use sync_core::model::context::Known;

/// How many entries a page has if the request does not say.
pub const DEFAULT_LIMIT: u64 = 1_000;

/// The query of `GET /sync/hello`.
pub fn hello(request: &HelloRequest) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if request.cursor != Cursor::default() {
        query.append_pair("cursor", &spell(request.cursor));
    }
    if request.epoch != Epoch::default() {
        query.append_pair("epoch", &request.epoch.to_string());
    }
    for (client, known) in &request.clients {
        query.append_pair("client", &format!("{client}:{}:{}", known.n, known.digest));
    }
    query.finish()
}

/// Reads the query of `GET /sync/hello`.
///
/// # Errors
/// If a parameter cannot be read. Unknown ones are passed over.
pub fn read_hello(query: &str) -> Result<HelloRequest, Unreadable> {
    let mut request = HelloRequest::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "client" => request.clients.push(client(&value)?),
            "cursor" => request.cursor = cursor("cursor", &value)?,
            "epoch" => request.epoch = epoch(&value)?,
            _ => {}
        }
    }
    Ok(request)
}

/// The query of `GET /sync/actions`.
pub fn pull(request: &PullRequest) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("since", &request.since.seq.to_string());
    if request.since.digest != Digest::EMPTY {
        query.append_pair("digest", &request.since.digest.to_string());
    }
    if request.since.epoch != Epoch::default() {
        query.append_pair("epoch", &request.since.epoch.to_string());
    }
    query.append_pair("limit", &request.limit.to_string());
    if let Some(have) = &request.have {
        query.append_pair("have", &format!("{}:{}", have.client, have.n));
    }
    if request.told != Cursor::default() {
        query.append_pair("told", &spell(request.told));
    }
    query.finish()
}

/// Reads the query of `GET /sync/actions`. A digest that is not given is the one of the empty log.
///
/// # Errors
/// If a parameter cannot be read. Unknown ones are passed over.
pub fn read_pull(query: &str) -> Result<PullRequest, Unreadable> {
    let mut request = PullRequest { since: Cursor::default(), limit: DEFAULT_LIMIT, ..PullRequest::default() };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "since" => request.since.seq = number("since", &value)?,
            "digest" => request.since.digest = digest(&value)?,
            "epoch" => request.since.epoch = epoch(&value)?,
            "limit" => request.limit = number("limit", &value)?,
            "have" => request.have = Some(have(&value)?),
            "told" => request.told = cursor("told", &value)?,
            _ => {}
        }
    }
    Ok(request)
}

/// The query of `GET /sync/snapshot`.
pub fn snapshot(request: &SnapshotRequest) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !request.page.is_empty() {
        query.append_pair("page", &request.page);
    }
    query.finish()
}

/// Reads the query of `GET /sync/snapshot`.
pub fn read_snapshot(query: &str) -> SnapshotRequest {
    let page = find(query, "page").unwrap_or_default();
    SnapshotRequest { page }
}

/// The query of `GET /sync/live`.
pub fn live(since: u64) -> String {
    format!("since={since}")
}

/// Reads `since` alone, from the query of `GET /sync/live` or of a download in the article's dialect.
///
/// # Errors
/// If `since` is no number.
pub fn read_since(query: &str) -> Result<u64, Unreadable> {
    find(query, "since").map_or(Ok(0), |since| number("since", &since))
}

fn find(query: &str, wanted: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}

fn number(name: &str, text: &str) -> Result<u64, Unreadable> {
    // `parse` would take a sign too.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| Unreadable::new(format!("`{name}` is an integer from 0 to 2^64-1")))
}

fn digest(text: &str) -> Result<Digest, Unreadable> {
    let bits = Hex::parse(text).ok_or_else(|| Unreadable::new("a digest is 32 hex digits"))?;
    Ok(Digest(bits.0))
}

fn epoch(text: &str) -> Result<Epoch, Unreadable> {
    EpochJson::parse(text).map(|epoch| epoch.0)
}

fn spell(Cursor { seq, digest, epoch }: Cursor) -> String {
    format!("{seq}:{digest}:{epoch}")
}

/// The epoch may be left out.
fn cursor(name: &str, text: &str) -> Result<Cursor, Unreadable> {
    let mut parts = text.splitn(3, ':');
    let (Some(seq), Some(bits)) = (parts.next(), parts.next()) else {
        return Err(Unreadable::new(format!("`{name}` is SEQ:DIGEST:EPOCH")));
    };
    let epoch = parts.next().map_or(Ok(Epoch::default()), epoch)?;
    Ok(Cursor { seq: number(name, seq)?, digest: digest(bits)?, epoch })
}

// A client id may have colons in it, what follows it has none: so these are read from the right.

fn client(text: &str) -> Result<(ClientId, Known), Unreadable> {
    let mut parts = text.rsplitn(3, ':');
    let (Some(bits), Some(n), Some(id)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Unreadable::new("`client` is ID:n:digest"));
    };
    let known = Known { n: number("client", n)?, digest: digest(bits)? };
    Ok((client_id("client", id)?, known))
}

fn have(text: &str) -> Result<Dot, Unreadable> {
    let parts = text.rsplit_once(':');
    let (id, n) = parts.ok_or_else(|| Unreadable::new("`have` is CLIENT:N"))?;
    Ok(Dot::new(client_id("have", id)?, number("have", n)?))
}

fn client_id(name: &str, id: &str) -> Result<ClientId, Unreadable> {
    if id.is_empty() || id.len() > ClientId::MAX_BYTES {
        let message = format!("a client's id in `{name}` is empty or too long");
        return Err(Unreadable::new(message));
    }
    Ok(ClientId::new(id))
}
