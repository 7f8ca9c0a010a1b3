//! Accepting connections and serving them until the shutdown.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use sync_core::Maintained;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::activity::{Activity, Noted};
use super::options::ServeOptions;
use super::service::{HubService, Shared};
use super::streams::Streams;
use super::timed::Timed;

/// Where connections come from: a socket, or what does TLS on one.
pub trait Listener: Send {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        let (stream, _) = TcpListener::accept(self).await?;
        // Replies are written whole: waiting for more to send with them only delays them.
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Serves connections (HTTP/1.1, and HTTP/2 by prior knowledge) until `shutdown`.
///
/// Then no more are accepted, live streams end, requests under way are answered for at most
/// [`grace`](ServeOptions::grace), and it returns.
pub async fn serve<L: Listener>(
    mut listener: L,
    service: HubService,
    shutdown: impl Future<Output = ()>,
    options: ServeOptions,
) {
    let most = u32::try_from(options.connections).unwrap_or(u32::MAX).clamp(1, 1 << 20);
    let places = Arc::new(Semaphore::new(most as usize));
    let options = Arc::new(options.within_reason());
    let closing = watch::Sender::new(false);
    let upkeep = tokio::spawn(upkeep(Arc::clone(&service.shared), options.upkeep));
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = async {
            // Without a place, connections are left to the system's queue.
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, stream) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        let stream = match stream {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                rest_after(&error).await;
                continue;
            }
        };
        let connection = connection(stream, service.clone(), closing.subscribe(), Arc::clone(&options));
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    upkeep.abort();
    service.close();
    closing.send_replace(true);
    // Every connection keeps to the grace by itself.
    let _ = places.acquire_many(most).await;
    // What is done behind answers ends before the hubs are let go of.
    let _ = timeout(options.grace, service.shared.at_rest()).await;
}

/// Has the hubs that are open maintain themselves, one after the other.
async fn upkeep(shared: Arc<Shared>, every: Duration) {
    loop {
        sleep(every.max(Duration::from_millis(1))).await;
        let names: Vec<String> = shared.spaces.opened().iter().map(|hub| hub.space().to_owned()).collect();
        for space in names {
            // Taken when it is its turn: a hub whose store failed cannot be opened again as long as it is held.
            let Some(hub) = shared.spaces.get_open(&space) else { continue };
            let maintain = move || hub.maintain();
            let done = match shared.inline {
                true => maintain(),
                false => match tokio::task::spawn_blocking(maintain).await {
                    Ok(done) => done,
                    Err(_) => continue,
                },
            };
            match done {
                Ok(done) if done != Maintained::default() => tracing::info!(space, ?done, "a hub was maintained"),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(space, error = sync_core::in_full(&error), "a hub could not be maintained")
                }
            }
        }
    }
}

/// A connection that broke before it was accepted is its client's affair. Without descriptors or memory, trying
/// again at once would only use up the processor.
async fn rest_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected) {
        sleep(Duration::from_millis(100)).await;
    }
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    service: HubService,
    mut closing: watch::Receiver<bool>,
    options: Arc<ServeOptions>,
) {
    let shared = Arc::clone(&service.shared);
    shared.metrics.connections.enter();
    let activity = Arc::new(Activity::default());
    let stream = TokioIo::new(Timed::new(stream, Arc::clone(&activity), &options));
    let builder = builder(&options);
    let mut connection = pin!(builder.serve_connection(stream, Noted { service, activity }));
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = closing.wait_for(|closing| *closing) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(options.grace, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
    shared.metrics.connections.leave();
}

fn builder(options: &ServeOptions) -> Builder<Streams> {
    let mut builder = Builder::new(Streams { write_time: options.write_time });
    // hyper's own deadlines are off without a timer. The one for heads would be one for idling too: `Timed` has both.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_time + options.idle_time)
        .max_buf_size(64 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20))
        .max_concurrent_streams(64)
        .max_header_list_size(16 << 10)
        .max_send_buf_size(64 << 10);
    builder
}
