//! What each endpoint does.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, IF_NONE_MATCH};
use http::{Response, StatusCode};
use http_body::Body;
use sync_core::transport::compact::{self, PackedPage, Refused};
use sync_core::transport::{Limits, PullRequest, PushReply};
use sync_core::{Cursor, Hub, Verdict, in_full};

use super::body::{self, Form, header};
use super::handle::{Asked, Dialect, Handled};
use super::live::{LiveStream, Place};
use super::pages::Page;
use super::reply::{self, ReplyBody};
use super::service::Shared;
use crate::wire::media::{Coding, Media};
use crate::wire::problem::Problem;
use crate::wire::{self, article, query};

/// The most pages of the log, of some megabytes at most, that are made into one reply in the article's dialect.
const ARTICLE_PAGES: usize = 16;

impl Shared {
    pub(super) async fn hello(
        self: &Arc<Self>,
        space: Option<String>,
        principal: String,
        query: &str,
        asked: Asked,
    ) -> Handled {
        let request = query::read_hello(query).map_err(malformed)?;
        let most = self.limits.push_bytes as u64;
        self.call(space, move |hub, _| {
            let mut hello = hub.hello(&principal, &request)?;
            // What a proxyless server would refuse is not promised.
            hello.limits.batch_bytes = hello.limits.batch_bytes.min(most.saturating_sub(frame_bytes(&hello.limits)));
            Ok(reply::message(wire::hello::hello(&hello), Media::Json, asked.coding))
        })
        .await
    }

    pub(super) async fn push<B>(
        self: &Arc<Self>,
        space: Option<String>,
        principal: String,
        headers: &HeaderMap,
        body: B,
        asked: Asked,
    ) -> Handled
    where
        B: Body + Send,
        B::Data: Send,
    {
        let limits = &self.limits;
        let most = match asked.dialect {
            Dialect::Version1 => limits.push_bytes,
            Dialect::Article => limits.upload_bytes,
        };
        let arrived = body::read(body, Form::of(headers)?, most, limits.body_time, &self.bodies).await?;
        let decide = move |hub: &Hub, shared: &Shared| {
            let media = arrived.media;
            let bytes = arrived.expand()?;
            let reply = match (asked.dialect, media) {
                (Dialect::Version1, media) => numbered(hub, &principal, &bytes, media)?,
                (Dialect::Article, Media::Json) => foreign(hub, &principal, &bytes)?,
                (Dialect::Article, _) => return Err(Problem::new("unsupported", "the article's dialect is JSON")),
            };
            shared.metrics.pushed(&reply);
            match reply.verdicts.iter().find_map(undecided) {
                Some(problem) if asked.dialect == Dialect::Article => Err(problem),
                _ if asked.media == Media::Batch => {
                    Ok(reply::message(compact::reply(&reply), Media::Batch, asked.coding))
                }
                _ => Ok(reply::message(wire::actions::reply(&reply), Media::Json, asked.coding)),
            }
        };
        self.call_then(space, decide, Hub::tend).await
    }

    pub(super) async fn pull(
        self: &Arc<Self>,
        space: Option<String>,
        query: &str,
        headers: &HeaderMap,
        asked: Asked,
    ) -> Handled {
        let mut request = query::read_pull(query).map_err(malformed)?;
        request.limit = request.limit.clamp(1, self.limits.page_entries);
        let Asked { media, coding, .. } = asked;
        let known = header(headers, &IF_NONE_MATCH).map(str::to_owned);
        let open = self.spaces.get_open(space.as_deref().unwrap_or(&self.default_space));
        if let Some((hub, page)) =
            open.and_then(|hub| self.pages.find(&hub, &request, media, coding).map(|page| (hub, page)))
        {
            self.metrics.served(page.entries as usize);
            let reply = move |now| reply::page(&page, now, coding, known.as_deref());
            return match coding.joins() {
                true => Ok(reply(hub.now())),
                // It is compressed once more, with the time in it.
                false => self.call(space, move |hub, _| Ok(reply(hub.now()))).await,
            };
        }
        self.call(space, move |hub, shared| {
            let page = made(hub, &request, media)?.compressed(coding);
            shared.pages.keep(hub, &request, coding, &page);
            shared.metrics.served(page.entries as usize);
            Ok(reply::page(&page, hub.now(), coding, known.as_deref()))
        })
        .await
    }

    /// All that the article has words for, up to the head, in one reply: it asks only once a cycle.
    pub(super) async fn article_pull(self: &Arc<Self>, space: Option<String>, query: &str, asked: Asked) -> Handled {
        let seq = query::read_since(query).map_err(malformed)?;
        self.call(space, move |hub, shared| {
            let mut since = Cursor { seq, ..Cursor::default() };
            let mut spoken = Vec::new();
            for _ in 0..ARTICLE_PAGES {
                let limit = (article::MAX_ACTIONS - spoken.len()) as u64;
                let page = hub.pull(&PullRequest { since, limit, ..PullRequest::default() })?;
                let entries = page.entries.into_iter().map(|(_, entry)| entry);
                spoken.extend(entries.filter(|entry| article::is_spoken(entry, hub.default_type())));
                since = page.cursor;
                if !page.has_more || spoken.len() >= article::MAX_ACTIONS {
                    break;
                }
            }
            shared.metrics.served(spoken.len());
            Ok(reply::message(article::page(&spoken, since.seq), Media::Json, asked.coding))
        })
        .await
    }

    pub(super) async fn snapshot(self: &Arc<Self>, space: Option<String>, query: &str, asked: Asked) -> Handled {
        let request = query::read_snapshot(query);
        self.call(space, move |hub, _| {
            let page = hub.snapshot(&request)?;
            Ok(match asked.media {
                Media::Batch => reply::message(compact::snapshot(&page), Media::Batch, asked.coding),
                Media::Json => reply::message(wire::snapshot::page(&page), Media::Json, asked.coding),
            })
        })
        .await
    }

    pub(super) async fn join<B>(
        self: &Arc<Self>,
        space: Option<String>,
        principal: String,
        headers: &HeaderMap,
        body: B,
    ) -> Handled
    where
        B: Body + Send,
        B::Data: Send,
    {
        // Pages of snapshots are large: few at a time.
        let busy = |_| Problem::busy(1_000, "other replicas are offering their snapshots");
        let place = Arc::clone(&self.joins).try_acquire_owned().map_err(busy)?;
        let limits = &self.limits;
        let form = Form::of(headers)?;
        let arrived = body::read(body, form, limits.join_bytes, limits.body_time, &self.bodies).await?;
        self.call(space, move |hub, _| {
            let _place = place;
            let media = arrived.media;
            let bytes = arrived.expand()?;
            let page = match media {
                Media::Batch => {
                    compact::read_snapshot(&bytes).map_err(|error| malformed(Refused::from(error).into()))?
                }
                Media::Json => wire::snapshot::read_page(&bytes).map_err(malformed)?,
            };
            hub.join(&principal, &page)?;
            Ok(reply::done())
        })
        .await
    }

    pub(super) async fn live(self: &Arc<Self>, space: Option<String>, query: &str, headers: &HeaderMap) -> Handled {
        // A browser that comes back says where it was.
        let last = header(headers, &HeaderName::from_static("last-event-id"));
        let since = match last.and_then(|last| last.trim().parse().ok()) {
            Some(last) => last,
            None => query::read_since(query).map_err(malformed)?,
        };
        let place = Place::take(self)?;
        let hub = self.call(space, |hub, _| Ok(hub.clone())).await?;
        Ok(reply::live(LiveStream::new(hub, since, place)))
    }

    pub(super) async fn ready(self: &Arc<Self>) -> Response<ReplyBody> {
        if *self.closing.borrow() {
            return reply::text(StatusCode::SERVICE_UNAVAILABLE, "closing\n");
        }
        // Spaces whose stores failed are opened again here too, and tried: nobody else may ask for them, least of all while
        // this hub is not ready.
        let reopened = |_: &Hub, shared: &Self| {
            shared.spaces.reopen_failed().map_err(|error| {
                let error = in_full(&error);
                tracing::error!(error, "a space whose store failed cannot be opened again or written to");
                Problem::new("hub", error)
            })
        };
        match self.call(None, reopened).await {
            Ok(()) => reply::text(StatusCode::OK, "ready\n"),
            Err(problem) => reply::failure(&Problem::busy(problem.after.unwrap_or(1_000), problem.detail)),
        }
    }
}

/// A page in the form that was asked for.
fn made(hub: &Hub, request: &PullRequest, media: Media) -> Result<Page, Problem> {
    let (packed, head) = match media {
        Media::Batch => {
            let packed = hub.pull_packed(request)?;
            let head = packed.encode().into();
            (packed, head)
        }
        Media::Json => {
            let page = hub.pull(request)?;
            (PackedPage::outline(&page), wire::page::head(&page).into())
        }
    };
    Ok(Page {
        head,
        media,
        coding: Coding::Identity,
        entries: packed.len(),
        full: packed.has_more.then_some(packed.cursor),
        clients: packed.into_clients(),
    })
}

fn numbered(hub: &Hub, principal: &str, body: &Bytes, media: Media) -> Result<PushReply, Problem> {
    let limits = hub.limits();
    check_size(body, &limits)?;
    if media == Media::Batch {
        let pushed = compact::read_push(body, limits.batch_entries).map_err(|refused| malformed(refused.into()))?;
        return Ok(hub.push_batch(principal, pushed)?);
    }
    let pushed = wire::actions::read_push(body, &limits).map_err(malformed)?;
    Ok(hub.push(principal, pushed.attempt, pushed.offers)?)
}

/// The article's devices send all that they have at once. A hub takes a part at a time; all parts may be repeated.
fn foreign(hub: &Hub, principal: &str, body: &Bytes) -> Result<PushReply, Problem> {
    let limits = hub.limits();
    let mut offers = article::read_push(body, &limits, hub.default_type()).map_err(malformed)?.into_iter().peekable();
    let most = usize::try_from(limits.batch_entries).unwrap_or(usize::MAX).max(1);
    let mut whole = PushReply { verdicts: Vec::new(), head: Cursor::default(), server_time: hub.now() };
    while offers.peek().is_some() {
        let part = hub.push_foreign(principal, offers.by_ref().take(most).collect())?;
        whole.verdicts.extend(part.verdicts);
        (whole.head, whole.server_time) = (part.head, part.server_time);
    }
    Ok(whole)
}

/// What is around and between the entries of a push.
fn frame_bytes(limits: &Limits) -> u64 {
    limits.batch_entries.saturating_add(1_024)
}

fn check_size(body: &Bytes, limits: &Limits) -> Result<(), Problem> {
    let most = limits.batch_bytes.saturating_add(frame_bytes(limits));
    if body.len() as u64 <= most {
        return Ok(());
    }
    let detail =
        format!("the push has {} bytes; {} are allowed: send fewer entries at a time", body.len(), limits.batch_bytes);
    Err(Problem::new("too_large", detail))
}

/// The article's devices take any reply of status 200 for "accepted": what is not decided must not look like it.
fn undecided((id, verdict): &(String, Verdict)) -> Option<Problem> {
    match verdict {
        Verdict::Accepted { .. } | Verdict::Rejected(_) => None,
        Verdict::Again { after, code } => {
            let why = code.as_deref().unwrap_or("try again");
            let detail = format!("the action {id} is not decided yet ({why}); send the same actions again");
            Some(Problem::busy(after.unwrap_or(1_000), detail))
        }
        _ => Some(Problem::busy(1_000, format!("the action {id} is not decided yet"))),
    }
}

fn malformed(error: wire::Unreadable) -> Problem {
    Problem::new(error.code(), error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_decided_does_not_look_accepted_to_the_article() {
        let decided = ("i".to_owned(), Verdict::Accepted { seq: 1, known_as: None });
        assert_eq!(undecided(&decided), None);
        let again = |after, code: Option<&str>| ("i".to_owned(), Verdict::Again { after, code: code.map(Into::into) });
        let problem = undecided(&again(Some(7_000), Some("clock"))).expect("it is not decided");
        assert_eq!((problem.status, problem.after), (503, Some(7_000)));
        assert!(undecided(&again(None, None)).is_some_and(|problem| problem.status == 503));
    }
}
