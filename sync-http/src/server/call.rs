//! Calling hubs: they block, so they are called where blocking is no harm.

use std::sync::Arc;

use sync_core::{Error, Hub};
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
        let gone = |_| Problem::new("hub", "the service is gone");
        let permit = Arc::clone(&self.calls).acquire_owned().await.map_err(gone)?;
        let shared = Arc::clone(self);
        let whole = move || {
            let _permit = permit;
            let hub = shared.hub(space.as_deref())?;
            call(&hub, &shared)
        };
        if self.inline {
            return whole();
        }
        spawn_blocking(whole).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a call to the hub panicked");
            Err(Problem::new("hub", "the hub failed at this request; it was not carried out, or not answered"))
        })
    }

    fn hub(&self, space: Option<&str>) -> Result<Hub, Problem> {
        let hub = self.spaces.get(space.unwrap_or(&self.default_space));
        hub.map_err(|error| match error {
            // There is no space of this name.
            Error::Config { message } => Problem::new("not_found", message),
            error => {
                tracing::error!(%error, space, "a space cannot be opened");
                match error.is_retryable() {
                    true => Problem::busy(1_000, error.to_string()),
                    false => Problem::new("hub", error.to_string()),
                }
            }
        })
    }
}
