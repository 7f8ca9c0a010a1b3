//! `serve`: a hub over HTTP, all of its spaces in one file.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use sync_core::{Error, Hub, HubBuilder, Spaces, Store};
use sync_http::server::{HubService, ServeOptions, Tokens, serve as serve_connections};
use sync_redb::RedbFile;
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use crate::cli::{Keep, Place};
use crate::failure::Failure;
use crate::out::{Out, remark};

pub(crate) fn serve(
    place: &Place,
    listen: &str,
    postgres: Option<&str>,
    keep: &Keep,
    out: &mut Out,
) -> Result<(), Failure> {
    if postgres.is_some() {
        return Err(Failure::own("not_built", "this build has no Postgres: keep the hub in a file, with --db FILE"));
    }
    place.token.as_deref().map_or(Ok(()), check_token)?;
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::own("system", format!("no threads to serve with: {error}")))?;
    runtime.block_on(async {
        let listening = HubFile::open(place.hub_file(), place.token.as_deref(), keep)?.listen(listen).await?;
        out.line(format_args!("listening on {}", listening.address))?;
        out.flush()?;
        remark(format_args!("the hub's log is in {}; Ctrl-C ends it", place.hub_file().display()));
        listening.until(asked_to_stop()).await
    })
}

/// A token that no request can carry as it is would keep everyone out.
fn check_token(token: &str) -> Result<(), Failure> {
    let can_travel = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
    let wrong = match token {
        "" => "is empty",
        _ if token.trim() != token => "begins or ends with a space",
        _ if !token.bytes().all(can_travel) => "has characters other than letters, digits and signs of ASCII",
        _ => return Ok(()),
    };
    let message = format!(
        "the token {wrong}, so nobody could get in with it: give another with --token T or NOTES_TOKEN, or neither to let everyone in (unset NOTES_TOKEN)"
    );
    Err(Failure::usage(message))
}

/// Ctrl-C, or the system's wish to end it.
async fn asked_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = interrupted => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    let _ = interrupted.await;
}

/// What is kept beside the notes themselves: the server drops the rest by itself.
fn keeping(mut builder: HubBuilder, keep: &Keep) -> HubBuilder {
    let millis = |days: u64| days.saturating_mul(86_400_000);
    if !keep.keep_all {
        builder = builder.keep_entries(keep.keep_entries);
        builder = keep.keep_days.into_iter().fold(builder, |builder, days| builder.keep_for(millis(days)));
    }
    if keep.purge_days > 0 { builder.purge_after(millis(keep.purge_days)) } else { builder }
}

/// A file with the spaces of a hub.
pub(crate) struct HubFile {
    file: RedbFile,
    spaces: Spaces,
    service: HubService,
}

impl HubFile {
    /// Opens the file, which is made if there is none. Whoever has the token is let in, and without one everyone.
    pub(crate) fn open(path: &Path, token: Option<&str>, keep: &Keep) -> Result<Self, Failure> {
        let file = RedbFile::open(path)?;
        let of_file = file.clone();
        // A device's spaces in the same file have other names: theirs have no slash in them.
        let open = move |space: &str| Ok(Arc::new(of_file.space(&format!("hub/{space}"))?) as Arc<dyn Store>);
        // A file that was lost and is made anew at the same place is the same hub: its replicas give back what they have.
        let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let host = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
        let builder = Hub::builder().default_type("note").named_after(&format!("{}:{}", host.trim(), place.display()));
        let builder = keeping(builder, keep);
        let spaces = Spaces::new(builder, open);
        // What is wrong with the file is said now, and not to the first device.
        spaces.get("default")?;
        let builder = HubService::builder(spaces.clone());
        let service = match token {
            Some(token) => builder.authenticate(Tokens::new().allow(token, "owner")).build(),
            None => builder.build(),
        };
        Ok(Self { file, spaces, service })
    }

    /// Begins to listen, at a free port for port 0.
    pub(crate) async fn listen(self, address: &str) -> Result<Listening, Failure> {
        let failed = |error| {
            Failure::own("listen", format!("cannot listen on {address}: {error}; choose another with --listen"))
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = format!("http://{}", listener.local_addr().map_err(failed)?);
        Ok(Listening { hub: self, listener, address })
    }
}

/// A hub that can be reached.
pub(crate) struct Listening {
    hub: HubFile,
    listener: TcpListener,
    pub(crate) address: String,
}

impl Listening {
    /// Serves until it is asked to stop, answers what is under way, and closes the file.
    pub(crate) async fn until(self, stop: impl Future<Output = ()>) -> Result<(), Failure> {
        let HubFile { file, spaces, service } = self.hub;
        serve_connections(self.listener, service, stop, ServeOptions::default()).await;
        let closed = tokio::task::spawn_blocking(move || {
            // With this the next start has nothing to replay.
            spaces.opened().iter().try_for_each(Hub::checkpoint)?;
            Ok::<(), Error>(file.close()?)
        });
        Ok(closed.await.map_err(|error| Failure::own("system", error.to_string()))??)
    }
}
