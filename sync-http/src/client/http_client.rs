//! What carries requests: any HTTP client, hyper's by default.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Client, Error as HyperError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sync_core::{BoxFuture, TransportError};

/// The body of a reply, as it arrives.
pub type HttpBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Carries one request and returns its reply.
///
/// The transport above it sets the headers, waits no longer than its deadline, and tries again: a client needs no
/// retries, redirects or decompression of its own.
pub trait HttpClient: Send + Sync {
    /// Sends a request; returns once the reply's head is there.
    ///
    /// What kept the hub from being reached is a [`TransportError::Offline`].
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<HttpBody>, TransportError>>;
}

/// hyper's pooled client.
#[derive(Debug, Clone)]
pub struct HyperClient<C = HttpConnector>(Client<C, Full<Bytes>>);

/// How long making a connection may take, all of a host's addresses together.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Connections that wait for longer may have been closed by the hub.
const POOL_IDLE_TIME: Duration = Duration::from_secs(60);

impl HyperClient {
    /// A client for `http://`.
    pub fn new() -> Self {
        Self::with_connector(tcp())
    }
}

impl Default for HyperClient {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "tls")]
impl HyperClient<hyper_rustls::HttpsConnector<HttpConnector>> {
    /// A client for `http://` and `https://` that trusts whom the system trusts.
    ///
    /// # Errors
    /// If the system's certificates cannot be read.
    pub fn with_tls() -> std::io::Result<Self> {
        let mut tcp = tcp();
        tcp.enforce_http(false);
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_provider_and_native_roots(provider)?;
        Ok(Self::with_connector(https.https_or_http().enable_http1().wrap_connector(tcp)))
    }
}

fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME));
    tcp
}

impl<C: Connect + Clone + Send + Sync + 'static> HyperClient<C> {
    /// A client over connections of any kind: other sockets, a proxy, one's own certificates.
    pub fn with_connector(connector: C) -> Self {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_timer(TokioTimer::new()).timer(TokioTimer::new()).pool_idle_timeout(POOL_IDLE_TIME);
        Self(builder.build(connector))
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpClient for HyperClient<C> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<HttpBody>, TransportError>> {
        let host = request.uri().authority().map_or_else(String::new, ToString::to_string);
        let sent = self.0.request(request.map(Full::new));
        Box::pin(async move {
            let response = sent.await.map_err(|error| offline(&host, &error))?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

fn offline(host: &str, error: &HyperError) -> TransportError {
    // Of a connection that was not made only the system's reason says anything to people.
    let reason = if error.is_connect() { root(error) } else { chain(error) };
    TransportError::Offline { message: format!("{host}: {reason}") }
}

fn root(error: &(dyn Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), root)
}

/// An error with its causes: hyper's own text says only in which phase it was.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
