//! What a server takes, and how long it waits.

use std::time::Duration;

/// The limits of one [`HubService`](super::HubService). All are on by default. Of what is counted at least one is let through.
#[derive(Debug, Clone)]
pub struct RequestLimits {
    /// The most bytes of a push, compressed and not.
    pub push_bytes: usize,
    /// The most bytes of an upload in the article's dialect, whose devices send all that they have at once.
    pub upload_bytes: usize,
    /// The most bytes of a page of a snapshot that is offered for joining, compressed and not.
    pub join_bytes: usize,
    /// How long a request's body may take to arrive.
    pub body_time: Duration,
    /// The most bytes of bodies that are arriving, of all requests together.
    pub bodies: usize,
    /// The most entries in one page.
    pub page_entries: u64,
    /// How many bytes of pages of the log, which never change once they are full, are kept ready.
    pub kept_pages: usize,
    /// The most calls to hubs at a time; further ones wait.
    pub calls: usize,
    /// The most snapshots being joined at a time.
    pub joins: usize,
    /// The most live streams.
    pub live_streams: usize,
    /// How often a live stream shows that it is alive.
    pub heartbeat: Duration,
}

/// Longer than anything runs. Whoever wants no limit says `Duration::MAX`, which no point in time can be that far away.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 86_400);

impl RequestLimits {
    /// Without what no page and no clock can have.
    pub(super) fn within_reason(self) -> Self {
        Self {
            page_entries: self.page_entries.max(1),
            body_time: self.body_time.min(FOREVER),
            heartbeat: self.heartbeat.min(FOREVER),
            ..self
        }
    }
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            push_bytes: 2 << 20,
            upload_bytes: 8 << 20,
            join_bytes: 32 << 20,
            body_time: Duration::from_secs(30),
            bodies: 128 << 20,
            page_entries: 10_000,
            kept_pages: 16 << 20,
            calls: 64,
            joins: 2,
            live_streams: 4_096,
            heartbeat: Duration::from_secs(15),
        }
    }
}

/// How connections are served by [`serve`](super::serve()).
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The most connections; further ones wait in the system's queue.
    pub connections: usize,
    /// How long a request's head may take to arrive.
    pub header_time: Duration,
    /// How long a connection may wait for its next request.
    pub idle_time: Duration,
    /// How long a client may take to read nothing of what is ready for it; over HTTP/2, for 16 KiB of a reply: then that
    /// stream alone is cut.
    pub write_time: Duration,
    /// How long requests may go on after the shutdown was asked for.
    pub grace: Duration,
    /// How often hubs are told to [maintain](sync_core::Hub::maintain) themselves.
    pub upkeep: Duration,
}

impl ServeOptions {
    /// Without what no clock can have.
    pub(super) fn within_reason(self) -> Self {
        Self {
            connections: self.connections,
            header_time: self.header_time.min(FOREVER),
            idle_time: self.idle_time.min(FOREVER),
            write_time: self.write_time.min(FOREVER),
            grace: self.grace.min(FOREVER),
            upkeep: self.upkeep.min(FOREVER),
        }
    }
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            connections: 4_096,
            header_time: Duration::from_secs(5),
            idle_time: Duration::from_secs(75),
            write_time: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            upkeep: Duration::from_secs(60),
        }
    }
}
