//! What each endpoint does.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use sync_core::transport::{Limits, PullRequest};
use sync_core::{Cursor, Verdict};

use super::auth::Refusal;
use super::body::{self, Form, header};
use super::live::{LiveStream, Place};
use super::reply::{self, ReplyBody};
use super::route::{Endpoint, Route};
use super::service::Shared;
use crate::wire::media::{Coding, Media};
use crate::wire::problem::Problem;
use crate::wire::{self, PROTOCOL, PROTOCOL_HEADER, article, query};

/// Which language a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Version1,
    Article,
}

type Handled = Result<Response<ReplyBody>, Problem>;

impl Shared {
    /// The reply to a request, whatever it is.
    pub(crate) async fn respond<B>(self: Arc<Self>, request: Request<B>) -> Response<ReplyBody>
    where
        B: Body + Send,
        B::Data: Send,
    {
        let began = Instant::now();
        let route = Route::of(request.uri().path());
        let endpoint = route.as_ref().map(|route| route.endpoint);
        let response = match route {
            None => {
                let detail = "hubs answer below /sync, /spaces/NAME/sync, and at /healthz, /readyz, /metrics";
                reply::failure(&Problem::new("not_found", detail))
            }
            Some(route) if !route.endpoint.takes(request.method()) => {
                reply::wrong_method(route.endpoint.allow())
            }
            Some(route) => {
                let handled = self.handle(route, request).await;
                handled.unwrap_or_else(|problem| reply::failure(&problem))
            }
        };
        self.metrics
            .request(endpoint, response.status(), began.elapsed());
        response
    }

    async fn handle<B>(self: &Arc<Self>, route: Route, request: Request<B>) -> Handled
    where
        B: Body + Send,
        B::Data: Send,
    {
        let (parts, body) = request.into_parts();
        let get = parts.method != Method::POST;
        match route.endpoint {
            Endpoint::Health => return Ok(reply::text(StatusCode::OK, "ok\n")),
            Endpoint::Metrics => return Ok(reply::text(StatusCode::OK, self.metrics.render())),
            Endpoint::Ready => return Ok(self.ready().await),
            _ => {}
        }
        let asked = Asked::of(&parts)?;
        let principal = self
            .principal(&parts.headers, route.space.as_deref())
            .await?;
        let space = route.space;
        let query = parts.uri.query().unwrap_or_default();
        match (route.endpoint, asked.dialect) {
            (Endpoint::Hello, _) => self.hello(space, principal, query, asked).await,
            (Endpoint::Live, _) => self.live(space, query, &parts.headers).await,
            (Endpoint::Snapshot, _) if get => self.snapshot(space, query, asked).await,
            (Endpoint::Snapshot, _) => self.join(space, principal, &parts.headers, body).await,
            (_, Dialect::Version1) if get => self.pull(space, query, asked).await,
            (_, Dialect::Article) if get => self.article_pull(space, query, asked).await,
            _ => {
                self.push(space, principal, &parts.headers, body, asked)
                    .await
            }
        }
    }

    async fn principal(&self, headers: &HeaderMap, space: Option<&str>) -> Result<String, Problem> {
        let token = header(headers, &AUTHORIZATION).and_then(bearer);
        let principal = self.authenticate.authenticate(token, space).await;
        principal.map_err(|refusal| match refusal {
            Refusal::Unauthenticated => {
                let detail = "send `Authorization: Bearer TOKEN` with a token that this hub knows";
                Problem::new("unauthenticated", detail)
            }
            Refusal::Forbidden => Problem::new("denied", "this token does not open this space"),
            Refusal::Unavailable => Problem::busy(1_000, "it cannot be told now who you are"),
        })
    }

    async fn hello(
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
            hello.limits.batch_bytes = hello
                .limits
                .batch_bytes
                .min(most.saturating_sub(frame_bytes(&hello.limits)));
            Ok(reply::message(wire::hello::hello(&hello), asked.coding))
        })
        .await
    }

    async fn push<B>(
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
        let form = Form::of(headers)?;
        let arrived = body::read(
            body,
            form,
            limits.push_bytes,
            limits.body_time,
            &self.bodies,
        )
        .await?;
        self.call(space, move |hub, shared| {
            let bytes = arrived.expand()?;
            let limits = hub.limits();
            check_size(&bytes, &limits)?;
            let (reply, undecided) = match asked.dialect {
                Dialect::Version1 => {
                    let pushed = wire::actions::read_push(&bytes, &limits).map_err(malformed)?;
                    (hub.push(&principal, pushed.attempt, pushed.offers)?, None)
                }
                Dialect::Article => {
                    let offers = article::read_push(&bytes, &limits, hub.default_type())
                        .map_err(malformed)?;
                    let reply = hub.push_foreign(&principal, offers)?;
                    let undecided = reply.verdicts.iter().find_map(undecided);
                    (reply, undecided)
                }
            };
            shared.metrics.pushed(&reply);
            match undecided {
                Some(problem) => Err(problem),
                None => Ok(reply::message(wire::actions::reply(&reply), asked.coding)),
            }
        })
        .await
    }

    async fn pull(self: &Arc<Self>, space: Option<String>, query: &str, asked: Asked) -> Handled {
        let mut request = query::read_pull(query).map_err(malformed)?;
        request.limit = request.limit.clamp(1, self.limits.page_entries);
        self.call(space, move |hub, shared| {
            let page = hub.pull(&request)?;
            shared.metrics.served(page.entries.len());
            Ok(reply::message(wire::page::page(&page), asked.coding))
        })
        .await
    }

    /// All that the article has words for, up to the head, in one reply: it asks only once a cycle.
    async fn article_pull(
        self: &Arc<Self>,
        space: Option<String>,
        query: &str,
        asked: Asked,
    ) -> Handled {
        let since = query::read_live(query).map_err(malformed)?;
        let limit = self.limits.page_entries.min(1_000);
        self.call(space, move |hub, shared| {
            let mut cursor = Cursor {
                seq: since,
                ..Cursor::default()
            };
            let mut spoken = Vec::new();
            loop {
                let page = hub.pull(&PullRequest {
                    since: cursor,
                    limit,
                    have: None,
                })?;
                let entries = page.entries.into_iter().map(|(_, entry)| entry);
                spoken
                    .extend(entries.filter(|entry| article::is_spoken(entry, hub.default_type())));
                cursor = page.cursor;
                let full = spoken.len() + 1_000 > article::MAX_ACTIONS;
                if !page.has_more || full {
                    break;
                }
            }
            shared.metrics.served(spoken.len());
            Ok(reply::message(
                article::page(&spoken, cursor.seq),
                asked.coding,
            ))
        })
        .await
    }

    async fn snapshot(
        self: &Arc<Self>,
        space: Option<String>,
        query: &str,
        asked: Asked,
    ) -> Handled {
        let request = query::read_snapshot(query);
        self.call(space, move |hub, _| {
            let page = hub.snapshot(&request)?;
            Ok(reply::message(wire::snapshot::page(&page), asked.coding))
        })
        .await
    }

    async fn join<B>(
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
        let arrived = body::read(
            body,
            form,
            limits.join_bytes,
            limits.body_time,
            &self.bodies,
        )
        .await?;
        self.call(space, move |hub, _| {
            let _place = place;
            let bytes = arrived.expand()?;
            let page = wire::snapshot::read_page(&bytes).map_err(malformed)?;
            hub.join(&principal, &page)?;
            Ok(reply::done())
        })
        .await
    }

    async fn live(
        self: &Arc<Self>,
        space: Option<String>,
        query: &str,
        headers: &HeaderMap,
    ) -> Handled {
        // A browser that comes back says where it was.
        let last = header(headers, &HeaderName::from_static("last-event-id"));
        let since = match last.and_then(|last| last.trim().parse().ok()) {
            Some(last) => last,
            None => query::read_live(query).map_err(malformed)?,
        };
        let place = Place::take(self)?;
        let hub = self.call(space, |hub, _| Ok(hub.clone())).await?;
        Ok(reply::live(LiveStream::new(hub, since, place)))
    }

    async fn ready(self: &Arc<Self>) -> Response<ReplyBody> {
        if *self.closing.borrow() {
            return reply::text(StatusCode::SERVICE_UNAVAILABLE, "closing\n");
        }
        match self.call(None, |hub, _| Ok(hub.head())).await {
            Ok(_) => reply::text(StatusCode::OK, "ready\n"),
            Err(problem) => reply::failure(&problem),
        }
    }
}

/// What a request asks for in its headers.
#[derive(Debug, Clone, Copy)]
struct Asked {
    dialect: Dialect,
    coding: Coding,
}

impl Asked {
    fn of(parts: &Parts) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let dialect = match headers
            .get(PROTOCOL_HEADER)
            .map(|version| version.as_bytes())
        {
            None => Dialect::Article,
            Some(b"1") => Dialect::Version1,
            Some(_) => {
                let detail = format!("this hub speaks version {PROTOCOL}; upgrade the older side");
                return Err(Problem::new("protocol", detail));
            }
        };
        let accept = header(headers, &ACCEPT);
        let streams = accept.is_some_and(|accept| accept.contains("text/event-stream"));
        if Media::for_accept(accept).is_none() && !streams {
            let detail = format!("replies are {}", Media::Json.name());
            return Err(Problem::new("not_acceptable", detail));
        }
        let coding = Coding::for_accept(header(headers, &ACCEPT_ENCODING));
        Ok(Self { dialect, coding })
    }
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
    let detail = format!(
        "the push has {} bytes; {} are allowed: send fewer entries at a time",
        body.len(),
        limits.batch_bytes
    );
    Err(Problem::new("too_large", detail))
}

/// The article's devices take any reply of status 200 for "accepted": what is not decided must not look like it.
fn undecided((id, verdict): &(String, Verdict)) -> Option<Problem> {
    match verdict {
        Verdict::Accepted { .. } | Verdict::Rejected(_) => None,
        Verdict::Again { after, code } => {
            let why = code.as_deref().unwrap_or("try again");
            let detail =
                format!("the action {id} is not decided yet ({why}); send the same actions again");
            Some(Problem::busy(after.unwrap_or(1_000), detail))
        }
        _ => Some(Problem::busy(
            1_000,
            format!("the action {id} is not decided yet"),
        )),
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn malformed(error: wire::Unreadable) -> Problem {
    Problem::new("malformed", error.message)
}
