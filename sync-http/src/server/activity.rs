//! Which requests of a connection are under way, as its deadlines need to know it.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::Service;

use super::reply::ReplyBody;
use super::service::HubService;
use super::streams;

/// The requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    under_way: AtomicUsize,
    begun: AtomicUsize,
}

impl Activity {
    /// Whether a request is being read, answered, or its reply sent.
    pub(crate) fn is_busy(&self) -> bool {
        self.under_way.load(SeqCst) > 0
    }

    /// How many requests there ever were.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(SeqCst)
    }
}

/// A request that is under way for as long as this is kept.
#[derive(Debug)]
struct UnderWay(Arc<Activity>);

impl UnderWay {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, SeqCst);
        activity.begun.fetch_add(1, SeqCst);
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, SeqCst);
    }
}

/// The service of one connection.
pub(crate) struct Noted {
    pub(crate) service: HubService,
    pub(crate) activity: Arc<Activity>,
}

impl Service<Request<Incoming>> for Noted {
    type Response = Response<NotedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let under_way = UnderWay::begin(&self.activity);
        // A connection with one request after the other needs no pieces: its socket says how it gets on.
        let piece = if request.version() == Version::HTTP_2 { streams::PIECE } else { usize::MAX };
        let shared = Arc::clone(&self.service.shared);
        Box::pin(async move {
            let response = shared.respond(request).await;
            Ok(response.map(|body| NotedBody { body, rest: Bytes::new(), piece, _under_way: under_way }))
        })
    }
}

/// A reply that is under way until it was sent, or given up. It is given in pieces, so that it is seen how it gets on.
pub(crate) struct NotedBody {
    body: ReplyBody,
    /// Of a part, what was not given yet.
    rest: Bytes,
    piece: usize,
    _under_way: UnderWay,
}

impl Body for NotedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        if this.rest.is_empty() {
            let frame = Pin::new(&mut this.body).poll_frame(cx);
            streams::note(matches!(frame, Poll::Ready(Some(_))));
            match ready!(frame) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(part) => this.rest = part,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        } else {
            streams::note(true);
        }
        let piece = this.rest.split_to(this.piece.min(this.rest.len()));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        match self.body.size_hint().exact() {
            Some(bytes) => SizeHint::with_exact(bytes + self.rest.len() as u64),
            None => SizeHint::default(),
        }
    }
}
