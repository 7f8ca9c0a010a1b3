//! From a request to its reply: where it goes, who asks, and in which form.

use std::sync::Arc;
use std::time::Instant;

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HeaderMap};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;

use super::auth::Refusal;
use super::body::header;
use super::reply::{self, ReplyBody};
use super::route::{Endpoint, Route};
use super::service::Shared;
use crate::wire::media::{Coding, Media};
use crate::wire::problem::Problem;
use crate::wire::{self, PROTOCOL, PROTOCOL_HEADER};

/// Which language a request speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Version1,
    Article,
}

pub(super) type Handled = Result<Response<ReplyBody>, Problem>;

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
            Some(route) if !route.endpoint.takes(request.method()) => reply::wrong_method(route.endpoint.allow()),
            Some(route) => {
                let handled = self.handle(route, request).await;
                handled.unwrap_or_else(|problem| reply::failure(&problem))
            }
        };
        self.metrics.request(endpoint, response.status(), began.elapsed());
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
        let principal = self.principal(&parts.headers, route.space.as_deref()).await?;
        let space = route.space;
        let query = parts.uri.query().unwrap_or_default();
        match (route.endpoint, asked.dialect) {
            // Anyone may look who is there. A device that names itself speaks version 1, and would misread what comes next.
            (Endpoint::Hello, Dialect::Article) if query.contains("client=") => {
                Err(Problem::new("protocol", wire::HEADER_IS_MISSING))
            }
            (Endpoint::Hello, _) => self.hello(space, principal, query, asked).await,
            (Endpoint::Live, _) => self.live(space, query, &parts.headers).await,
            (Endpoint::Snapshot, _) if get => self.snapshot(space, query, asked).await,
            (Endpoint::Snapshot, _) => self.join(space, principal, &parts.headers, body).await,
            (_, Dialect::Version1) if get => self.pull(space, query, &parts.headers, asked).await,
            (_, Dialect::Article) if get => self.article_pull(space, query, asked).await,
            _ => self.push(space, principal, &parts.headers, body, asked).await,
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
}

/// What a request asks for in its headers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub(super) dialect: Dialect,
    pub(super) media: Media,
    pub(super) coding: Coding,
}

impl Asked {
    fn of(parts: &Parts) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let dialect = match headers.get(PROTOCOL_HEADER).map(|version| version.as_bytes()) {
            None => Dialect::Article,
            Some(b"1") => Dialect::Version1,
            Some(_) => {
                let detail = format!("this hub speaks version {PROTOCOL}; upgrade the older side");
                return Err(Problem::new("protocol", detail));
            }
        };
        let accept = header(headers, &ACCEPT);
        let streams = accept.is_some_and(|accept| accept.contains("text/event-stream"));
        let media = match (Media::for_accept(accept), dialect) {
            (None, _) if !streams => {
                let detail = format!("replies are {}", Media::Json.name());
                return Err(Problem::new("not_acceptable", detail));
            }
            // The article knows nothing else.
            (None, _) | (_, Dialect::Article) => Media::Json,
            (Some(media), Dialect::Version1) => media,
        };
        let coding = Coding::for_accept(header(headers, &ACCEPT_ENCODING));
        Ok(Self { dialect, media, coding })
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
