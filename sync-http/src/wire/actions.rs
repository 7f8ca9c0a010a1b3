//! `POST /sync/actions`: entries up, verdicts back.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sync_core::Offer;
use sync_core::model::json::{Malformed, NoEntry};
use sync_core::transport::{Attempt, Limits, PushReply, PushRequest, Rejection};
use sync_core::{Cursor, Entry, ValueError, Verdict};

use super::bounded::Actions;
use super::{ACTION_DEPTH, CursorJson, Unreadable};

/// A push as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The actions, each an entry or what could not be read as one.
    pub offers: Vec<Offer>,
    /// The attempt.
    pub attempt: Attempt,
}

/// The body of a push.
pub fn push(request: &PushRequest) -> String {
    let mut out = String::from("{\"actions\":[");
    for (at, entry) in request.entries.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(&entry.to_json_with_intent());
    }
    out.push(']');
    if let Some(attempt) = request.attempt.number {
        write!(out, ",\"attempt\":{attempt}").expect("a String takes any text");
    }
    if request.attempt.told != Cursor::default() {
        let Cursor { seq, digest, epoch } = request.attempt.told;
        write!(out, ",\"told\":{{\"seq\":{seq},\"digest\":\"{digest}\",\"epoch\":\"{epoch}\"}}")
            .expect("a String takes any text");
    }
    out.push('}');
    out
}

#[derive(Deserialize)]
struct PushBody<'a> {
    #[serde(borrow)]
    actions: Actions<'a>,
    attempt: Option<u64>,
    told: Option<CursorJson>,
}

/// Reads the body of a push. An action that is wrong in itself is a [`Offer::Malformed`] in its place.
///
/// # Errors
/// If the body is no push, or an action has not even an id that can be read.
pub fn read_push(body: &[u8], limits: &Limits) -> Result<Pushed, Unreadable> {
    let body: PushBody<'_> = serde_json::from_slice(body)?;
    let most = usize::try_from(limits.batch_entries).unwrap_or(usize::MAX);
    let offers = each_action(&body.actions.at_most(most)?, limits, |action, depth| {
        let parsed = Entry::parse_json(action, depth)?;
        if !parsed.numbered || parsed.entry.foreign_id.is_some() {
            let message = "`n` is missing: every entry has its client's number";
            return Err(Malformed { field: Some("n".into()), message: message.into() }.into());
        }
        Ok(parsed.entry)
    })?;
    let told = body.told.map_or(Cursor::default(), Cursor::from);
    Ok(Pushed { offers, attempt: Attempt { number: body.attempt, told } })
}

/// Reads each action by itself, so that one that is wrong is no harm to the others.
pub(super) fn each_action(
    actions: &[&RawValue],
    limits: &Limits,
    read: impl Fn(&str, usize) -> Result<Entry, NoEntry>,
) -> Result<Vec<Offer>, Unreadable> {
    let offer = |(at, action): (usize, &&RawValue)| {
        let (code, malformed) = match read_action(action.get(), limits, &read) {
            Ok(entry) => return Ok(Offer::Entry(entry)),
            Err(refused) => refused,
        };
        let id = id_of(action.get()).ok_or_else(|| {
            let message = &malformed.message;
            Unreadable::new(format!("action {at} has no id that can be read: {message}"))
        })?;
        let rejection = Rejection { code: code.to_owned(), message: malformed.message, field: malformed.field };
        Ok(Offer::Malformed { id, rejection })
    };
    actions.iter().enumerate().map(offer).collect()
}

fn read_action(
    action: &str,
    limits: &Limits,
    read: impl Fn(&str, usize) -> Result<Entry, NoEntry>,
) -> Result<Entry, (&'static str, Malformed)> {
    let whole = |message: String| Malformed { field: None, message };
    let (bytes, most) = (action.len() as u64, limits.entry_bytes);
    if bytes > most {
        let message = format!("the action has {bytes} bytes; {most} are allowed");
        return Err(("entry_bytes", whole(message)));
    }
    let depth = usize::try_from(limits.depth).unwrap_or(usize::MAX);
    read(action, depth.saturating_add(ACTION_DEPTH)).map_err(|error| match error {
        NoEntry::Json(error @ ValueError::TooDeep { .. }) => ("depth", whole(error.to_string())),
        NoEntry::Malformed(malformed) => ("malformed", malformed),
        error => ("malformed", whole(error.to_string())),
    })
}

/// The id of an action that cannot be read otherwise. What is not the id is only skipped, however wrong it is.
fn id_of(action: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct OnlyId {
        id: String,
    }
    let only: OnlyId = serde_json::from_str(action).ok()?;
    // The reply repeats it: it is held to what an id may be.
    (!only.id.is_empty() && only.id.len() <= 512).then_some(only.id)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplyBody {
    results: Vec<ResultJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<CursorJson>,
    server_time: u64,
}

#[derive(Serialize, Deserialize, Default)]
struct ResultJson {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    known_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<RejectedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    again: Option<AgainJson>,
}

#[derive(Serialize, Deserialize)]
struct RejectedJson {
    code: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct AgainJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// The reply to a push.
pub fn reply(reply: &PushReply) -> String {
    let result = |(id, verdict): &(String, Verdict)| {
        let mut result = ResultJson { id: id.clone(), ..ResultJson::default() };
        match verdict.clone() {
            Verdict::Accepted { seq, known_as } => {
                result.seq = Some(seq);
                result.known_as = known_as.map(|dot| dot.to_string());
            }
            Verdict::Rejected(Rejection { code, message, field }) => {
                result.rejected = Some(RejectedJson { code, message, field });
            }
            Verdict::Again { after, code } => result.again = Some(AgainJson { after, code }),
            // A verdict that this version cannot spell is none yet.
            _ => {
                result.again = Some(AgainJson { after: None, code: None });
            }
        }
        result
    };
    let head = (reply.head != Cursor::default()).then(|| reply.head.into());
    let results = reply.verdicts.iter().map(result).collect();
    super::to_json(&ReplyBody { results, head, server_time: reply.server_time })
}

/// Reads the reply to a push.
///
/// # Errors
/// If it is none.
pub fn read_reply(body: &[u8]) -> Result<PushReply, Unreadable> {
    let body: ReplyBody = serde_json::from_slice(body)?;
    let verdict = |result: ResultJson| {
        let verdict = match (result.seq, result.known_as, result.rejected, result.again) {
            (Some(seq), known_as, None, None) => {
                let dot = known_as.map(|id| {
                    let dot = id.parse();
                    dot.map_err(|_| Unreadable::new(format!("`as` is no entry's id: {id}")))
                });
                Verdict::Accepted { seq, known_as: dot.transpose()? }
            }
            (None, None, Some(rejected), None) => {
                Verdict::Rejected(Rejection { code: rejected.code, message: rejected.message, field: rejected.field })
            }
            (None, None, None, Some(again)) => Verdict::Again { after: again.after, code: again.code },
            _ => {
                let message = format!("there is no verdict, or several, on {}", result.id);
                return Err(Unreadable::new(message));
            }
        };
        Ok((result.id, verdict))
    };
    let verdicts: Result<_, Unreadable> = body.results.into_iter().map(verdict).collect();
    let head = body.head.map_or(Cursor::default(), Cursor::from);
    Ok(PushReply { verdicts: verdicts?, head, server_time: body.server_time })
}
