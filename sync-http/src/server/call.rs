//! Calling hubs: they block, so they are called where blocking is no harm.

use std::sync::Arc;

use sync_core::{Error, Hub, StoreError, in_full};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::service::Shared;
use crate::wire::problem::Problem;

impl Shared {
    /// Calls the hub of a space, and returns what `call` makes of it.
    pub(crate) async fn call<T: Send + 'static>(
        self: &Arc<Self>,
        space: Option<String>,
        call: impl FnOnce(&Hub, &Self) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        self.call_then(space, call, |_| Ok(())).await
    }

    /// As [`call`](Self::call); what is left to be done `then` nobody waits for.
    pub(crate) async fn call_then<T: Send + 'static>(
        self: &Arc<Self>,
        space: Option<String>,
        call: impl FnOnce(&Hub, &Self) -> Result<T, Problem> + Send + 'static,
        then: fn(&Hub) -> Result<(), StoreError>,
    ) -> Result<T, Problem> {
        let gone = |_| Problem::new("hub", "the service is gone");
        let permit = Arc::clone(&self.calls).acquire_owned().await.map_err(gone)?;
        let shared = Arc::clone(self);
        let (answer, answered) = oneshot::channel();
        let whole = move || {
            let _permit = permit;
            let hub = match shared.hub(space.as_deref()) {
                Ok(hub) => hub,
                Err(problem) => return drop(answer.send(Err(problem))),
            };
            // Whoever asked may be gone.
            let _ = answer.send(call(&hub, &shared));
            if let Err(error) = then(&hub) {
                tracing::error!(
                    error = in_full(&error),
                    "what an answer left to be done failed; it is tried again behind the next one"
                );
            }
        };
        let failed = |error: &dyn std::error::Error| {
            tracing::error!(%error, "a call to the hub panicked");
            Problem::new("hub", "the hub failed at this request; it was not carried out, or not answered")
        };
        if self.inline {
            whole();
            return answered.await.unwrap_or_else(|error| Err(failed(&error)));
        }
        let task = spawn_blocking(whole);
        match answered.await {
            Ok(answer) => answer,
            Err(unanswered) => Err(task.await.map_or_else(|panic| failed(&panic), |()| failed(&unanswered))),
        }
    }

    /// Waits until no call is under way, nor what is left to be done behind one.
    pub(crate) async fn at_rest(&self) {
        let all = u32::try_from(self.limits.calls).unwrap_or(u32::MAX);
        let _ = self.calls.acquire_many(all.max(1)).await;
    }

    fn hub(&self, space: Option<&str>) -> Result<Hub, Problem> {
        let hub = self.spaces.get(space.unwrap_or(&self.default_space));
        hub.map_err(|error| match error {
            // There is no space of this name.
            Error::Config { message } => Problem::new("not_found", message),
            error => {
                tracing::error!(error = in_full(&error), space, "a space cannot be opened");
                match error.is_retryable() {
                    true => Problem::busy(1_000, in_full(&error)),
                    false => Problem::new("hub", in_full(&error)),
                }
            }
        })
    }
}
