//! The transport: what each call sends, and what of a reply is believed.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use sync_core::model::codec::CodecError;
use sync_core::transport::{
    Hello, HelloRequest, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest, compact,
};
use sync_core::{BoxFuture, Random, Transport, TransportError};

use super::address::BadAddress;
use super::builder::HttpTransportBuilder;
use super::exchange::Message;
use super::greeting;
use super::http_client::HttpClient;
use super::retry::Retry;
use crate::wire::media::Media;
use crate::wire::{Unreadable, actions, hello, page, query, snapshot};

/// The way to one space of one hub over HTTP.
///
/// It must be used within tokio. Requests have deadlines and are repeated, with growing and random waits, while the
/// hub is not reached or busy.
///
/// ```
/// # fn main() -> Result<(), sync_http::client::BadAddress> {
/// use sync_http::HttpTransport;
///
/// let simple = HttpTransport::new("http://127.0.0.1:8080")?;
/// let named = HttpTransport::builder("http://127.0.0.1:8080").space("team-1").token("secret").build()?;
/// # let _ = (simple, named);
/// # Ok(())
/// # }
/// ```
pub struct HttpTransport {
    pub(super) base: String,
    pub(super) token: Option<HeaderValue>,
    pub(super) client: Arc<dyn HttpClient>,
    pub(super) random: Arc<dyn Random>,
    pub(super) retry: Retry,
    pub(super) timeout: Duration,
    pub(super) live_timeout: Duration,
    pub(super) reply_bytes: usize,
    /// Whether the hub takes compressed requests, as far as is known.
    pub(super) compress: AtomicBool,
    /// Whether it takes the compact form.
    pub(super) compact: AtomicBool,
}

impl HttpTransport {
    /// The way to the default space of the hub at this address.
    ///
    /// # Errors
    /// If the address cannot be used.
    pub fn new(address: &str) -> Result<Self, BadAddress> {
        Self::builder(address).build()
    }

    /// Begins the way to the hub at this address.
    pub fn builder(address: &str) -> HttpTransportBuilder {
        HttpTransportBuilder::new(address)
    }

    async fn hello(&self, request: &HelloRequest) -> Result<Hello, TransportError> {
        let (part, mut rest) = greeting::split(request.clone());
        let mut hello = self.greet(&part).await?;
        while let Some(request) = rest {
            let (part, others) = greeting::split(request);
            hello = greeting::joined(hello, self.greet(&part).await?)?;
            rest = others;
        }
        Ok(hello)
    }

    async fn greet(&self, request: &HelloRequest) -> Result<Hello, TransportError> {
        let answer = self.get("hello", &query::hello(request)).await?;
        let hello = hello::read_hello(&answer.body).map_err(|error| answer.unreadable(error))?;
        let asked = request.clients.iter().map(|(client, _)| client);
        if !asked.eq(hello.clients.iter().map(|standing| &standing.client)) {
            return Err(nonsense("the hub speaks of other clients than it was asked about"));
        }
        Ok(hello)
    }

    async fn push(&self, request: &PushRequest) -> Result<PushReply, TransportError> {
        let answer = self.post("actions", request).await?;
        let reply = match answer.media {
            Media::Batch => compact::read_reply(&answer.body, request.entries.len()).map_err(Why::from),
            Media::Json => actions::read_reply(&answer.body).map_err(Why::from),
        };
        let reply = reply.map_err(|why| answer.unreadable(why))?;
        let offered = request.entries.iter().map(|entry| entry.id());
        if !offered.eq(reply.verdicts.iter().map(|(id, _)| id.clone())) {
            return Err(nonsense("the hub decided on other entries than it was offered"));
        }
        Ok(reply)
    }

    async fn pull(&self, request: &PullRequest) -> Result<Page, TransportError> {
        let answer = self.get("actions", &query::pull(request)).await?;
        let page = match answer.media {
            Media::Batch => compact::read_page(&answer.body).map_err(Why::from),
            Media::Json => page::read_page(&answer.body).map_err(Why::from),
        };
        let page = page.map_err(|why| answer.unreadable(why))?;
        // A hub that sends a replica in circles, or back, is none.
        let (since, until) = (request.since.seq, page.cursor.seq);
        let mut last = since;
        for (seq, _) in &page.entries {
            if *seq <= last || *seq > until {
                return Err(nonsense("the entries of a page are not in order"));
            }
            last = *seq;
        }
        if until < since || (page.has_more && until == since) {
            return Err(nonsense("a page does not lead on"));
        }
        Ok(page)
    }

    async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotPage, TransportError> {
        let answer = self.get("snapshot", &query::snapshot(request)).await?;
        let page = match answer.media {
            Media::Batch => compact::read_snapshot(&answer.body).map_err(Why::from),
            Media::Json => snapshot::read_page(&answer.body).map_err(Why::from),
        };
        let page = page.map_err(|why| answer.unreadable(why))?;
        if page.next.as_ref() == Some(&request.page) {
            return Err(nonsense("a page of the snapshot leads back to itself"));
        }
        Ok(page)
    }

    async fn join(&self, page: &SnapshotPage) -> Result<(), TransportError> {
        self.post("snapshot", page).await.map(drop)
    }
}

impl Message for PushRequest {
    fn write(&self, media: Media) -> Bytes {
        match media {
            Media::Batch => compact::push(self).into(),
            Media::Json => actions::push(self).into(),
        }
    }
}

impl Message for SnapshotPage {
    fn write(&self, media: Media) -> Bytes {
        match media {
            Media::Batch => compact::snapshot(self).into(),
            Media::Json => snapshot::page(self).into(),
        }
    }
}

impl Transport for HttpTransport {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(self.hello(request))
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(self.push(request))
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(self.pull(request))
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(self.snapshot(request))
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(self.join(page))
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        Box::pin(self.wait_live(since))
    }
}

// The token stays out of logs.
impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTransport").field("base", &self.base).finish_non_exhaustive()
    }
}

pub(super) fn nonsense(message: impl Into<Why>) -> TransportError {
    TransportError::Nonsense { message: message.into().0 }
}

/// The words for what is wrong with a reply.
pub(super) struct Why(pub(super) String);

impl From<String> for Why {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Why {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<CodecError> for Why {
    fn from(error: CodecError) -> Self {
        Self(error.to_string())
    }
}

impl From<Unreadable> for Why {
    fn from(error: Unreadable) -> Self {
        Self(error.message)
    }
}
