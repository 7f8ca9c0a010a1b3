//! Reading a request's body, within limits of size, of time and of memory in all.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use crate::coding::{Expand, expand};
use crate::wire::media::{Coding, Media};
use crate::wire::problem::Problem;

/// The memory of all bodies is handed out in pieces of this many bytes.
pub(crate) const PIECE: usize = 1_024;

/// What is known of a body before it is read.
pub(crate) struct Form {
    media: Media,
    coding: Coding,
    length: Option<u64>,
}

impl Form {
    /// The form that the headers name.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let content_type = header(headers, &CONTENT_TYPE);
        let media = Media::of_content(content_type);
        let media = media.ok_or_else(|| Problem::new("unsupported", format!("send {}", Media::Json.name())))?;
        let coding = Coding::of_content(header(headers, &CONTENT_ENCODING));
        let coding = coding.ok_or_else(|| {
            let detail = format!("send it uncompressed, or as one of {}", Coding::ACCEPTED);
            Problem::new("unsupported", detail)
        })?;
        let length = header(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok());
        Ok(Self { media, coding, length })
    }
}

/// A header as text, if it is there and is text.
pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A body that arrived, and the memory that it holds.
pub(crate) struct Arrived {
    pub(crate) media: Media,
    bytes: Bytes,
    coding: Coding,
    limit: usize,
    _memory: Option<OwnedSemaphorePermit>,
}

impl Arrived {
    /// The body, expanded. Blocks for as long as that takes.
    pub(crate) fn expand(self) -> Result<Bytes, Problem> {
        let expanded = expand(self.bytes, self.coding, self.limit);
        expanded.map_err(|error| match error {
            Expand::TooLarge => too_large(self.limit),
            Expand::Corrupt(error) => {
                Problem::new("malformed", format!("the body is not what its coding says: {error}"))
            }
        })
    }
}

/// Reads a body of at most `limit` bytes, compressed or not.
pub(crate) async fn read<B>(
    body: B,
    form: Form,
    limit: usize,
    time: Duration,
    memory: &Arc<Semaphore>,
) -> Result<Arrived, Problem>
where
    B: Body + Send,
    B::Data: Send,
{
    let mut body = std::pin::pin!(body);
    let mut arrived = BytesMut::new();
    let mut held: Option<OwnedSemaphorePermit> = None;
    let deadline = Instant::now() + time;
    let mut fits = form.length.is_none_or(|length| length <= limit as u64);
    while fits {
        let frame = timeout_at(deadline, body.frame()).await;
        let frame = frame.map_err(|_| {
            let detail = format!("the body did not arrive within {} s", time.as_secs());
            Problem::new("slow", detail)
        })?;
        let Some(frame) = frame else {
            let Form { media, coding, .. } = form;
            return Ok(Arrived { media, bytes: arrived.freeze(), coding, limit, _memory: held });
        };
        let frame = frame.map_err(|_| Problem::new("malformed", "the body broke off"))?;
        // Trailers say nothing here.
        let Ok(mut data) = frame.into_data() else {
            continue;
        };
        fits = arrived.len() + data.remaining() <= limit;
        if fits {
            hold(memory, &mut held, arrived.len() + data.remaining())?;
            while data.has_remaining() {
                let chunk = data.chunk();
                arrived.extend_from_slice(chunk);
                let length = chunk.len();
                data.advance(length);
            }
        }
    }
    drop((arrived, held));
    discard(body, limit).await;
    Err(too_large(limit))
}

fn too_large(limit: usize) -> Problem {
    Problem::new("too_large", format!("the body is over {limit} bytes; send fewer entries at a time"))
}

/// Takes memory for `bytes` in all from what there is for all requests.
fn hold(memory: &Arc<Semaphore>, held: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Problem> {
    let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    let missing = bytes.div_ceil(PIECE).saturating_sub(has);
    if missing == 0 {
        return Ok(());
    }
    let busy = || Problem::busy(1_000, "too many requests are arriving at once");
    let missing = u32::try_from(missing).map_err(|_| busy())?;
    let taken = Arc::clone(memory).try_acquire_many_owned(missing);
    let taken = taken.map_err(|_| busy())?;
    match held {
        Some(held) => held.merge(taken),
        None => *held = Some(taken),
    }
    Ok(())
}

/// Reads on for a moment, into nothing: a client that is still sending would not read the reply.
async fn discard<B: Body>(mut body: std::pin::Pin<&mut B>, limit: usize) {
    let mut left = limit.saturating_mul(8);
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Buf::remaining);
            left = left.saturating_sub(bytes.max(1));
            if left == 0 {
                break;
            }
        }
    };
    let _ = timeout(Duration::from_secs(2), rest).await;
}
