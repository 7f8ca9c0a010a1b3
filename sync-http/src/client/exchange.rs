//! One request and its reply: headers, deadline, limits, and trying again.

use std::io::ErrorKind;
use std::sync::atomic::Ordering::Relaxed;

use bytes::{Bytes, BytesMut};
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, LOCATION,
    RETRY_AFTER, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::BodyExt;
use serde::de::IgnoredAny;
use sync_core::TransportError;
use tokio::time::{Instant, sleep, timeout_at};

use super::address;
use super::http_client::{HttpBody, chain};
use super::transport::{HttpTransport, Why, nonsense};
use crate::coding::{Expand, WORTHWHILE, begins, compress, expand};
use crate::wire::media::{Coding, Media};
use crate::wire::problem::{self, Problem};
use crate::wire::{PROTOCOL, PROTOCOL_HEADER};

/// The most of a reply that is read to tell people why a request failed.
const PROBLEM_BYTES: usize = 64 << 10;

/// So many bytes of a reply are worth waiting for as long again.
const PIECE: usize = 16 << 10;

/// What is accepted where the compact form is wanted.
const BOTH: &str = "application/vnd.sync.batch, application/json;q=0.5";

/// What is sent, in either form.
pub(super) trait Message: Sync {
    fn write(&self, media: Media) -> Bytes;
}

/// A message that came back.
pub(super) struct Answer {
    pub(super) media: Media,
    pub(super) body: Bytes,
    is_open: bool,
}

impl Answer {
    /// The error that a message is which cannot be read.
    pub(super) fn unreadable(&self, error: impl Into<Why>) -> TransportError {
        let why = error.into();
        let is_cut = match self.media {
            Media::Json => serde_json::from_slice::<IgnoredAny>(&self.body).is_err_and(|error| error.is_eof()),
            Media::Batch => true,
        };
        if self.is_open && is_cut { broke_off(why) } else { nonsense(why) }
    }
}

/// A reply that arrived whole.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// Neither its length was said nor its end: it may have been cut off, and nobody would know.
    is_open: bool,
}

impl HttpTransport {
    pub(super) async fn get(&self, path: &str, query: &str) -> Result<Answer, TransportError> {
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        self.exchange(&Method::GET, &path, None).await
    }

    pub(super) async fn post(&self, path: &str, message: &dyn Message) -> Result<Answer, TransportError> {
        self.exchange(&Method::POST, path, Some(message)).await
    }

    async fn exchange(
        &self,
        method: &Method,
        path: &str,
        message: Option<&dyn Message>,
    ) -> Result<Answer, TransportError> {
        let mut tried = 0;
        loop {
            tried += 1;
            let error = match self.once(method, path, message).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            let Some(wait) = self.retry.wait(tried, &error, &*self.random) else {
                return Err(error);
            };
            tracing::debug!(%error, tried, ?wait, "a request failed and is repeated");
            sleep(wait).await;
        }
    }

    /// One try, and further ones where what answers turns out not to take the compact form, or compressed requests:
    /// then it is asked without from now on.
    async fn once(&self, method: &Method, path: &str, message: Option<&dyn Message>) -> Result<Answer, TransportError> {
        let mut media = self.media();
        loop {
            let body = message.map(|message| message.write(media)).unwrap_or_default();
            let coding = match self.compress.load(Relaxed) && body.len() >= WORTHWHILE {
                true => Coding::BEST,
                false => Coding::Identity,
            };
            let reply = self.send(method, path, &body, media, coding).await?;
            match reply.status {
                StatusCode::UNSUPPORTED_MEDIA_TYPE if message.is_some() && media == Media::Batch => {
                    self.compact.store(false, Relaxed);
                    media = Media::Json;
                }
                StatusCode::UNSUPPORTED_MEDIA_TYPE if coding != Coding::Identity => {
                    self.compress.store(false, Relaxed);
                }
                // One entry that the hub cannot read spoils a batch. In JSON it gets its verdict, and the others theirs.
                StatusCode::BAD_REQUEST if message.is_some() && media == Media::Batch => media = Media::Json,
                _ => return reply.success(),
            }
        }
    }

    /// The form of messages, as far as is known what the hub takes.
    fn media(&self) -> Media {
        if self.compact.load(Relaxed) { Media::Batch } else { Media::Json }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: &Bytes,
        media: Media,
        coding: Coding,
    ) -> Result<Reply, TransportError> {
        let mut request = self.request(method, path)?;
        if media == Media::Batch {
            // JSON as well, from those who know nothing else.
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static(BOTH));
        }
        if *method == Method::POST {
            let (body, coding) = compress(body.clone(), coding);
            *request.body_mut() = body;
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media.name()));
            if let Some(name) = coding.name() {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
            }
        }
        let until = Instant::now() + self.timeout;
        let response = timeout_at(until, self.client.send(request)).await.map_err(|_| self.late())??;
        self.read(response, self.reply_bytes, until).await
    }

    fn late(&self) -> TransportError {
        TransportError::Offline { message: format!("no answer within {:?}", self.timeout) }
    }

    /// A request with the headers that all have.
    pub(super) fn request(&self, method: &Method, path: &str) -> Result<Request<Bytes>, TransportError> {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        let mut request = request.body(Bytes::new()).map_err(|error| nonsense(error.to_string()))?;
        let headers = request.headers_mut();
        headers.insert(PROTOCOL_HEADER, HeaderValue::from(PROTOCOL));
        headers.insert(ACCEPT, HeaderValue::from_static(Media::Json.name()));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(Coding::ACCEPTED));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("sync-http/", env!("CARGO_PKG_VERSION"))));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        Ok(request)
    }

    /// The error that a reply other than a success is.
    pub(super) async fn failure(&self, response: Response<HttpBody>) -> TransportError {
        match self.read(response, PROBLEM_BYTES, Instant::now() + self.timeout).await {
            Ok(reply) => reply.error(),
            Err(error) => error,
        }
    }

    /// Reads a reply of at most `most` bytes, compressed or not. A large one over a slow link gets more time with each
    /// piece that came, and one that trickles in gets none.
    async fn read(
        &self,
        response: Response<HttpBody>,
        most: usize,
        mut until: Instant,
    ) -> Result<Reply, TransportError> {
        // Whoever can ask for less does, and gets on.
        let too_large = || {
            let message = format!(
                "the reply is over {most} bytes; if no smaller one will do, let the transport take more (`reply_bytes`)"
            );
            TransportError::TooLarge { message }
        };
        let (parts, mut body) = response.into_parts();
        let is_framed = parts.version > Version::HTTP_11
            || parts.headers.contains_key(CONTENT_LENGTH)
            || parts.headers.contains_key(TRANSFER_ENCODING);
        let mut bytes = BytesMut::new();
        while let Some(frame) = timeout_at(until, body.frame()).await.map_err(|_| self.late())? {
            let frame = frame.map_err(|error| broke_off(chain(&*error)))?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() + data.len() > most {
                    return Err(too_large());
                }
                let pieces = bytes.len() / PIECE;
                bytes.extend_from_slice(&data);
                if bytes.len() / PIECE > pieces {
                    until = Instant::now() + self.timeout;
                }
            }
        }
        let coding = parts.headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
        let coding = Coding::of_content(coding).ok_or_else(|| nonsense("the reply is coded as nobody asked for"))?;
        // A proxy may have unpacked it, and left the header that says that it is packed.
        let coding = if begins(&bytes, coding) { coding } else { Coding::Identity };
        let body = expand(bytes.freeze(), coding, most).map_err(|error| match error {
            Expand::TooLarge => too_large(),
            Expand::Corrupt(error) if !is_framed && error.kind() == ErrorKind::UnexpectedEof => {
                broke_off(error.to_string())
            }
            Expand::Corrupt(error) => nonsense(format!("the reply is not what its coding says: {error}")),
        })?;
        Ok(Reply { status: parts.status, headers: parts.headers, body, is_open: !is_framed })
    }
}

fn broke_off(why: impl Into<Why>) -> TransportError {
    TransportError::Offline { message: format!("the reply broke off: {}", why.into().0) }
}

impl Reply {
    fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn content_type(&self) -> Option<&str> {
        self.header(CONTENT_TYPE)
    }

    fn success(self) -> Result<Answer, TransportError> {
        if !self.status.is_success() {
            return Err(self.error());
        }
        // A portal's page has a good status too.
        let said = self.content_type();
        let media = said.and_then(|said| Media::of_content(Some(said)));
        if let Some(media) = media.or(self.body.is_empty().then_some(Media::Json)) {
            return Ok(Answer { media, body: self.body, is_open: self.is_open });
        }
        Err(nonsense(format!("it sent {}", said.unwrap_or("something without a type"))))
    }

    /// What a reply says that is no problem of a hub's. No redirect is followed: the token is for one address alone.
    fn status_in_words(&self) -> String {
        let status = self.status;
        let location = self.header(LOCATION).filter(|_| status.is_redirection()).map(address::of_redirect);
        match (location, status) {
            (Some(address), _) => format!("{status}: it sends on to {address}: if the hub is there, use that address"),
            (None, StatusCode::PAYLOAD_TOO_LARGE) => {
                format!("{status}, from what is before the hub, such as a proxy: have it take more")
            }
            (None, _) => status.to_string(),
        }
    }

    fn error(&self) -> TransportError {
        let is_problem = self.content_type().is_some_and(|name| name.starts_with(problem::MEDIA_TYPE));
        let problem = is_problem.then(|| serde_json::from_slice(&self.body).ok()).flatten();
        let mut problem = problem.unwrap_or_else(|| Problem {
            kind: String::new(),
            title: String::new(),
            status: 0,
            detail: self.status_in_words(),
            after: None,
        });
        // The status of the reply is the one that counts.
        problem.status = self.status.as_u16();
        problem.to_error(self.retry_after())
    }

    /// For how many milliseconds it asks not to be asked again. A date is set against the reply's own, for the clock
    /// here may be wrong.
    fn retry_after(&self) -> Option<u64> {
        let asked = self.header(RETRY_AFTER)?;
        if let Ok(seconds) = asked.trim().parse::<u64>() {
            return Some(seconds.saturating_mul(1_000));
        }
        let until = httpdate::parse_http_date(asked).ok()?;
        let left = until.duration_since(httpdate::parse_http_date(self.header(DATE)?).ok()?);
        u64::try_from(left.unwrap_or_default().as_millis()).ok()
    }
}
