//! Building a transport.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::HeaderValue;
use sync_core::{Random, SystemRandom};

use super::address::{self, BadAddress};
use super::http_client::{HttpClient, HyperClient};
use super::retry::Retry;
use super::transport::HttpTransport;

/// Longer than anything runs: whoever wants no deadline says `Duration::MAX`, which no point in time is that far away.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Builds an [`HttpTransport`].
pub struct HttpTransportBuilder {
    address: String,
    space: Option<String>,
    token: Option<String>,
    client: Option<Arc<dyn HttpClient>>,
    random: Arc<dyn Random>,
    retry: Retry,
    timeout: Duration,
    live_timeout: Duration,
    reply_bytes: usize,
    compress: bool,
    compact: bool,
}

impl HttpTransportBuilder {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            space: None,
            token: None,
            client: None,
            random: Arc::new(SystemRandom),
            retry: Retry { times: 2, base: Duration::from_millis(250), most: Duration::from_secs(10) },
            timeout: Duration::from_secs(30),
            live_timeout: Duration::from_secs(45),
            reply_bytes: 64 << 20,
            compress: true,
            compact: true,
        }
    }

    /// A named space instead of the default one.
    #[must_use]
    pub fn space(mut self, space: impl Into<String>) -> Self {
        self.space = Some(space.into());
        self
    }

    /// The bearer token that says who this is.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How long one try of a request may take, its reply included, and again for every 16 KiB of that: a large one may
    /// take its time as long as it comes. 30 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a live stream may be silent: longer than the hub's heartbeats are apart. 45 s by default.
    #[must_use]
    pub fn live_timeout(mut self, timeout: Duration) -> Self {
        self.live_timeout = timeout;
        self
    }

    /// How many times a request is repeated that the hub was not reached with, or was too busy for. 2 by default.
    #[must_use]
    pub fn retries(mut self, times: u32) -> Self {
        self.retry.times = times;
        self
    }

    /// The longest wait before the first repetition, and before any. 250 ms and 10 s by default.
    ///
    /// A hub that asks for more than the latter is not asked again: the error says for how long.
    #[must_use]
    pub fn backoff(mut self, first: Duration, most: Duration) -> Self {
        (self.retry.base, self.retry.most) = (first, most);
        self
    }

    /// The largest reply that is taken, uncompressed. 64 MiB by default. Of a log whose pages are larger, smaller ones are
    /// asked for.
    #[must_use]
    pub fn reply_bytes(mut self, most: usize) -> Self {
        self.reply_bytes = most;
        self
    }

    /// Whether pushes are compressed. They are by default, until a hub does not take it.
    #[must_use]
    pub fn compress(mut self, compress: bool) -> Self {
        self.compress = compress;
        self
    }

    /// Whether entries, records and verdicts travel in the compact form. They do by default, until a hub does not take
    /// it; without, everything is JSON that people can read.
    #[must_use]
    pub fn compact(mut self, compact: bool) -> Self {
        self.compact = compact;
        self
    }

    /// Another HTTP client than hyper's.
    #[must_use]
    pub fn client(mut self, client: impl HttpClient + 'static) -> Self {
        self.client = Some(Arc::new(client));
        self
    }

    /// Where the randomness of waits comes from: in simulations, from a seed.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The transport. Nothing is sent yet.
    ///
    /// # Errors
    /// If the address, the space's name or the token cannot be used.
    pub fn build(self) -> Result<HttpTransport, BadAddress> {
        let bad = |message: &str| BadAddress { address: self.address.clone(), message: message.to_owned() };
        let base = address::base(&self.address, self.space.as_deref())?;
        let token = self.token.as_ref().map(|token| {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value = value.map_err(|_| bad("the token has characters that no header can carry"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        let token = token.transpose()?;
        let client = match &self.client {
            Some(client) => Arc::clone(client),
            None => default_client(base.starts_with("https://")).map_err(|message| bad(&message))?,
        };
        Ok(HttpTransport {
            base,
            token,
            client,
            random: self.random,
            retry: self.retry,
            timeout: self.timeout.min(FOREVER),
            live_timeout: self.live_timeout,
            reply_bytes: self.reply_bytes,
            compress: AtomicBool::new(self.compress),
            compact: AtomicBool::new(self.compact),
        })
    }
}

impl std::fmt::Debug for HttpTransportBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { address, space, .. } = self;
        f.debug_struct("HttpTransportBuilder").field("address", address).field("space", space).finish_non_exhaustive()
    }
}

#[cfg(not(feature = "tls"))]
fn default_client(tls: bool) -> Result<Arc<dyn HttpClient>, String> {
    match tls {
        true => Err("https:// needs the feature `tls` of sync-http, or a client of your own".into()),
        false => Ok(Arc::new(HyperClient::new())),
    }
}

#[cfg(feature = "tls")]
fn default_client(tls: bool) -> Result<Arc<dyn HttpClient>, String> {
    match tls {
        true => match HyperClient::with_tls() {
            Ok(client) => Ok(Arc::new(client)),
            Err(error) => Err(format!("the system's certificates cannot be read: {error}")),
        },
        false => Ok(Arc::new(HyperClient::new())),
    }
}
