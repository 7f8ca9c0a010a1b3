//! Waiting for the log to grow.

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use sync_core::TransportError;
use tokio::time::timeout;

use super::transport::{HttpTransport, nonsense};
use crate::wire::{query, sse};

impl HttpTransport {
    /// Reads the hub's events up to the first that tells another length than `since`.
    pub(super) async fn wait_live(&self, since: u64) -> Result<u64, TransportError> {
        let path = format!("live?{}", query::live(since));
        let mut request = self.request(&Method::GET, &path)?;
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.remove(ACCEPT_ENCODING);
        let silent = |_| TransportError::Offline { message: format!("the hub was silent for {:?}", self.live_timeout) };
        let response = timeout(self.timeout, self.client.send(request)).await.map_err(silent)??;
        if response.status() != StatusCode::OK {
            return Err(self.failure(response).await);
        }
        let content_type = response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
        if !content_type.is_some_and(|name| name.starts_with(b"text/event-stream")) {
            return Err(nonsense("it sent no events"));
        }
        let mut body = response.into_body();
        let mut events = sse::Events::default();
        loop {
            let frame = timeout(self.live_timeout, body.frame()).await.map_err(silent)?;
            // The end of the stream is the hub's way to say "ask again".
            let Some(frame) = frame else { return Ok(since) };
            let frame = frame
                .map_err(|error| TransportError::Offline { message: format!("the live stream broke off: {error}") })?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            match events.read(data).map_err(nonsense)? {
                Some(head) if head > since => return Ok(head),
                // Shorter than it was: that is for the next hello to find out.
                Some(head) if head < since => return Ok(since),
                _ => {}
            }
        }
    }
}
