//! Replies: what the handlers return, and how it becomes HTTP.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, RETRY_AFTER, VARY, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};

use sync_core::transport::compact::PackedPage;

use super::live::LiveStream;
use super::pages::Page;
use crate::coding::{WORTHWHILE, compress, stored};
use crate::wire;
use crate::wire::media::{Coding, Media};
use crate::wire::problem::{self, Problem};

/// The body of a reply: a message, or events without end.
#[derive(Debug)]
pub struct ReplyBody(Kind);

#[derive(Debug)]
enum Kind {
    Whole(Bytes),
    /// Two parts, the first of which others are sent as well.
    Parts(Bytes, Bytes),
    Live(Box<LiveStream>),
}

impl ReplyBody {
    fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(bytes.into()))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.get_mut().0 {
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::Parts(first, second) => {
                let part = if first.is_empty() { std::mem::take(second) } else { std::mem::take(first) };
                Poll::Ready((!part.is_empty()).then_some(Ok(Frame::data(part))))
            }
            Kind::Live(stream) => {
                let event = stream.poll_event(cx);
                event.map(|event| event.map(|text| Ok(Frame::data(text))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_empty(),
            Kind::Parts(first, second) => first.is_empty() && second.is_empty(),
            Kind::Live(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::Parts(first, second) => SizeHint::with_exact((first.len() + second.len()) as u64),
            Kind::Live(_) => SizeHint::default(),
        }
    }
}

/// A page of the log, with what says when it is sent. One that was full is told from others by its end, so that
/// caches on the way can ask whether it still is the same; it is not while the log was cut.
pub(crate) fn page(page: &Page, now: u64, accepted: Coding, known: Option<&str>) -> Response<ReplyBody> {
    let time = match page.media {
        Media::Batch => Bytes::from(PackedPage::encode_time(now)),
        Media::Json => wire::page::tail(now).into(),
    };
    let mut response = if page.coding == Coding::Identity && !accepted.joins() {
        message([&page.head[..], &time[..]].concat(), page.media, accepted)
    } else {
        let (time, coding) = (stored(time, page.coding), page.coding);
        let mut response = Response::new(ReplyBody(Kind::Parts(page.head.clone(), time)));
        describe(&mut response, page.media, coding);
        response
    };
    if let Some(end) = page.full {
        // A log that was put back may have the same entries again, in another epoch.
        let tag = format!("W/\"{end}-{}\"", end.epoch);
        if known.is_some_and(|known| known.split(',').any(|one| one.trim() == tag)) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            *response.body_mut() = ReplyBody::whole(Bytes::new());
        }
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (ETAG, tag)));
    }
    response
}

/// A message, compressed if that is worthwhile and the client can read it.
pub(crate) fn message(message: impl Into<Bytes>, media: Media, accepted: Coding) -> Response<ReplyBody> {
    let message = message.into();
    let coding = if message.len() < WORTHWHILE { Coding::Identity } else { accepted };
    let (bytes, coding) = compress(message, coding);
    let mut response = Response::new(ReplyBody::whole(bytes));
    describe(&mut response, media, coding);
    response
}

fn describe(response: &mut Response<ReplyBody>, media: Media, coding: Coding) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.name()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding, sync-protocol"));
    if let Some(name) = coding.name() {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
    }
}

/// Done, and nothing to say.
pub(crate) fn done() -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// Text for people and their tools.
pub(crate) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

/// Events without end.
pub(crate) fn live(stream: LiveStream) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody(Kind::Live(Box::new(stream))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Proxies that collect a reply before they pass it on are asked not to.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

/// Why it failed.
pub(crate) fn failure(problem: &Problem) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::whole(problem.to_json()));
    let status = StatusCode::from_u16(problem.status);
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(after) = problem.after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.div_ceil(1_000)));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    response
}

/// The method does not fit the address.
pub(crate) fn wrong_method(allow: &'static str) -> Response<ReplyBody> {
    let detail = format!("this address takes {allow}");
    let mut response = failure(&Problem::new("method", detail));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}
