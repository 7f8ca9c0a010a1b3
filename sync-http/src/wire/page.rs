//! `GET /sync/actions`: a page of the log.

use std::fmt::Write;
use std::sync::Arc;

use serde::Deserialize;
use sync_core::model::value::MAX_DEPTH;
use sync_core::transport::Page;
use sync_core::{Cursor, Digest, Entry};

use super::bounded::{self, Actions};
use super::{ACTION_DEPTH, EpochJson, Hex, Unreadable};

/// A page in JSON.
pub fn page(page: &Page) -> String {
    head(page) + &tail(page.server_time)
}

/// A page in JSON but for its last part, which says when it was sent: all else stays the same for as long as the page does.
pub fn head(page: &Page) -> String {
    let mut out = String::from("{\"actions\":[");
    for (at, (seq, entry)) in page.entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&entry.to_json(Some(*seq)));
    }
    let Cursor { seq, digest, epoch } = page.cursor;
    let more = page.has_more;
    write!(
        out,
        "],\"newCursor\":{seq},\"digest\":\"{digest}\",\"epoch\":\"{epoch}\",\"hasMore\":{more},\"serverTime\":"
    )
    .expect("a String takes any text");
    out
}

/// The last part of a page in JSON: the hub's clock in milliseconds since the Unix epoch.
pub fn tail(server_time: u64) -> String {
    format!("{server_time}}}")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageBody<'a> {
    #[serde(borrow)]
    actions: Actions<'a>,
    new_cursor: u64,
    digest: Hex,
    #[serde(default)]
    epoch: EpochJson,
    has_more: bool,
    server_time: u64,
}

/// Reads a page.
///
/// # Errors
/// If it is none, or an entry in it cannot be read.
pub fn read_page(body: &[u8]) -> Result<Page, Unreadable> {
    let body: PageBody<'_> = serde_json::from_slice(body)?;
    let entries: Result<_, Unreadable> =
        body.actions.at_most(bounded::MOST)?.iter().map(|raw| entry(raw.get())).collect();
    Ok(Page {
        entries: entries?,
        cursor: Cursor { seq: body.new_cursor, digest: Digest(body.digest.0), epoch: body.epoch.0 },
        has_more: body.has_more,
        server_time: body.server_time,
    })
}

fn entry(action: &str) -> Result<(u64, Arc<Entry>), Unreadable> {
    let wrong = |message: String| Unreadable::new(format!("an entry of the log: {message}"));
    let parsed = Entry::parse_json(action, MAX_DEPTH + ACTION_DEPTH);
    let parsed = parsed.map_err(|error| wrong(error.to_string()))?;
    match parsed.seq {
        Some(seq) if parsed.numbered => Ok((seq, Arc::new(parsed.entry))),
        _ => Err(wrong("it has no place there or no number".into())),
    }
}
