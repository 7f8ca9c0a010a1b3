//! A connection with deadlines: for a request's head, for being idle, and for a client that does not read.
//!
//! hyper has one deadline for the first two together. But a head that trickles in is to be cut in seconds, and
//! an idle connection to be kept for longer than the proxies before it keep theirs.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;
use super::options::ServeOptions;

/// A stream that fails when a deadline passes.
pub(crate) struct Timed<S> {
    stream: S,
    activity: Arc<Activity>,
    times: Times,
    waiting: Waiting,
    /// How many requests had begun when `waiting` was last looked at.
    seen: usize,
    /// Frames of HTTP/2 are no heads of requests: such a connection is only ever idle.
    is_http2: bool,
    read_deadline: Option<Pin<Box<Sleep>>>,
    write_deadline: Option<Pin<Box<Sleep>>>,
}

struct Times {
    header: Duration,
    idle: Duration,
    write: Duration,
}

/// What a connection with no request under way waits for, and since when.
#[derive(Clone, Copy)]
enum Waiting {
    /// The rest of a head.
    Head(Instant),
    /// The next request.
    Next(Instant),
}

impl<S> Timed<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>, options: &ServeOptions) -> Self {
        Self {
            stream,
            activity,
            times: Times { header: options.header_time, idle: options.idle_time, write: options.write_time },
            // Who connects has something to say.
            waiting: Waiting::Head(Instant::now()),
            seen: 0,
            is_http2: false,
            read_deadline: None,
            write_deadline: None,
        }
    }

    fn notice_requests(&mut self) {
        let begun = self.activity.begun();
        if begun != self.seen {
            self.seen = begun;
            self.waiting = Waiting::Next(Instant::now());
        }
    }

    fn notice_bytes(&mut self, bytes: &[u8]) {
        self.notice_requests();
        // The first bytes of HTTP/2 are its preface.
        self.is_http2 |= self.seen == 0 && bytes.starts_with(b"PRI * HTTP/2");
        if let (Waiting::Next(_), false) = (self.waiting, self.is_http2) {
            self.waiting = Waiting::Head(Instant::now());
        }
    }

    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.notice_requests();
        if self.activity.is_busy() {
            // The clock starts when it no longer is.
            self.waiting = Waiting::Next(Instant::now());
            return Poll::Pending;
        }
        let deadline = match self.waiting {
            Waiting::Head(since) => since + self.times.header,
            Waiting::Next(since) => since + self.times.idle,
        };
        poll_deadline(&mut self.read_deadline, deadline, cx)
    }

    /// Passes on what became of a write, unless it has been waiting for too long.
    fn check_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.write_deadline = None;
            return written;
        }
        let begun = self.write_deadline.as_ref().map(|sleep| sleep.deadline());
        let deadline = begun.unwrap_or_else(|| Instant::now() + self.times.write);
        match poll_deadline(&mut self.write_deadline, deadline, cx) {
            Poll::Ready(()) => Poll::Ready(Err(too_slow("the client does not read"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn poll_deadline(slot: &mut Option<Pin<Box<Sleep>>>, deadline: Instant, cx: &mut Context<'_>) -> Poll<()> {
    let sleep = slot.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
    if sleep.deadline() != deadline {
        sleep.as_mut().reset(deadline);
    }
    sleep.as_mut().poll(cx)
}

fn too_slow(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.notice_bytes(&buf.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => match this.poll_read_deadline(cx) {
                Poll::Ready(()) => Poll::Ready(Err(too_slow("the client does not send"))),
                Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.check_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, parts);
        this.check_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.check_write(cx, flushed)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let closed = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.check_write(cx, closed)
    }
}
