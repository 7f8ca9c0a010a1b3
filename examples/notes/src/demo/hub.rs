//! The demo's hub: the one of `serve`, on threads of its own, that can go away and come back.

use std::path::{Path, PathBuf};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::cli::Keep;
use crate::failure::Failure;
use crate::serve::HubFile;

/// A hub in this process.
pub(super) struct DemoHub {
    runtime: Runtime,
    file: PathBuf,
    address: String,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), Failure>>,
}

impl DemoHub {
    /// Starts it at a free port.
    pub(super) fn start(folder: &Path) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| Failure::own("system", format!("no threads for the hub: {error}")))?;
        let file = folder.join("hub.redb");
        let mut hub = Self { runtime, file, address: "127.0.0.1:0".to_owned(), running: None };
        hub.start_again()?;
        Ok(hub)
    }

    /// Starts it where it was.
    pub(super) fn start_again(&mut self) -> Result<(), Failure> {
        let listen =
            HubFile::open(&self.file, None, &Keep::default())?.listen(self.address.trim_start_matches("http://"));
        let listening = self.runtime.block_on(listen)?;
        self.address.clone_from(&listening.address);
        let (stop, stopped) = oneshot::channel();
        let ended = self.runtime.spawn(listening.until(async { drop(stopped.await) }));
        self.running = Some(Running { stop, ended });
        Ok(())
    }

    /// Ends it.
    pub(super) fn stop(&mut self) -> Result<(), Failure> {
        let Some(Running { stop, ended }) = self.running.take() else { return Ok(()) };
        // One that ended by itself says why below.
        let _ = stop.send(());
        self.runtime.block_on(ended).map_err(|error| Failure::own("system", error.to_string()))?
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }
}
