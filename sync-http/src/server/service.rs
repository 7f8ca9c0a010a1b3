//! The service: what every request shares, and the way from a request to its reply.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use sync_core::{Hub, Spaces};
use tokio::sync::{Semaphore, watch};
use tower_service::Service;

use super::auth::{Anyone, Authenticate};
use super::body::PIECE;
use super::metrics::Metrics;
use super::options::RequestLimits;
use super::pages::Pages;
use super::reply::ReplyBody;

/// A hub over HTTP, as a service that any server can mount. Clones are one service.
#[derive(Clone)]
pub struct HubService {
    pub(crate) shared: Arc<Shared>,
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) spaces: Spaces,
    pub(crate) default_space: String,
    pub(crate) authenticate: Box<dyn Authenticate>,
    pub(crate) limits: RequestLimits,
    pub(crate) inline: bool,
    pub(crate) metrics: Metrics,
    pub(crate) pages: Pages,
    /// The memory for bodies that are arriving, in pieces.
    pub(crate) bodies: Arc<Semaphore>,
    pub(crate) calls: Arc<Semaphore>,
    pub(crate) joins: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) closing: watch::Sender<bool>,
}

/// Builds a [`HubService`].
pub struct HubServiceBuilder {
    spaces: Spaces,
    default_space: String,
    authenticate: Box<dyn Authenticate>,
    limits: RequestLimits,
    inline: bool,
}

impl HubService {
    /// A service of these spaces that lets everyone in, with the default limits.
    pub fn new(spaces: Spaces) -> Self {
        Self::builder(spaces).build()
    }

    /// A service of one space that lets everyone in, with the default limits.
    pub fn for_hub(hub: Hub) -> Self {
        let space = hub.space().to_owned();
        Self::builder(Spaces::single(hub)).default_space(space).build()
    }

    /// Begins a service of these spaces.
    ///
    /// Whoever is let in can open any space that `spaces` makes: where that matters, [`authenticate`] says who may.
    ///
    /// [`authenticate`]: HubServiceBuilder::authenticate
    pub fn builder(spaces: Spaces) -> HubServiceBuilder {
        HubServiceBuilder {
            spaces,
            default_space: "default".to_owned(),
            authenticate: Box::new(Anyone),
            limits: RequestLimits::default(),
            inline: false,
        }
    }

    /// Ends the live streams and says at `/readyz` that the service is about to go. Requests are still answered.
    ///
    /// [`serve`](super::serve()) does it by itself; call it when another server is asked to shut down.
    pub fn close(&self) {
        self.shared.closing.send_replace(true);
    }
}

impl std::fmt::Debug for HubService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HubService")
    }
}

impl HubServiceBuilder {
    /// The name of the space at `/sync/...`: `default` without it. The others are at `/spaces/NAME/sync/...`.
    #[must_use]
    pub fn default_space(mut self, name: impl Into<String>) -> Self {
        self.default_space = name.into();
        self
    }

    /// Who is let in: without it, everyone is.
    #[must_use]
    pub fn authenticate(mut self, authenticate: impl Authenticate + 'static) -> Self {
        self.authenticate = Box::new(authenticate);
        self
    }

    /// What is taken.
    #[must_use]
    pub fn limits(mut self, limits: RequestLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Calls hubs on the task that serves the request instead of tokio's threads for blocking work.
    ///
    /// Only for stores that never block, such as one in memory, and where threads are not wanted: in simulations.
    #[must_use]
    pub fn call_hubs_inline(mut self) -> Self {
        self.inline = true;
        self
    }

    /// The service.
    pub fn build(self) -> HubService {
        let Self { spaces, default_space, authenticate, limits, inline } = self;
        let limits = limits.within_reason();
        // No more than can be asked for at once.
        let permits =
            |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize))));
        let shared = Shared {
            bodies: permits(limits.bodies / PIECE),
            calls: permits(limits.calls),
            joins: permits(limits.joins),
            streams: permits(limits.live_streams),
            closing: watch::Sender::new(false),
            metrics: Metrics::default(),
            pages: Pages::new(limits.kept_pages),
            spaces,
            default_space,
            authenticate,
            limits,
            inline,
        };
        HubService { shared: Arc::new(shared) }
    }
}

impl std::fmt::Debug for HubServiceBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HubServiceBuilder").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl<B> Service<Request<B>> for HubService
where
    B: Body + Send + 'static,
    B::Data: Send,
{
    type Response = Response<ReplyBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(shared.respond(request).await) })
    }
}
