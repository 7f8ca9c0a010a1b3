//! Limits that make no sense: a program's mistake ends no request in a panic.

use std::time::Duration;

use sync_core::transport::PushRequest;
use sync_core::{Cursor, Hub, MemoryStore, Replica, Spaces, Transport};
use sync_http::HttpTransport;
use sync_http::server::{HubService, RequestLimits, ServeOptions, serve};

use crate::support::*;

fn limits(bytes: usize, number: usize, time: Duration) -> RequestLimits {
    RequestLimits {
        push_bytes: bytes,
        upload_bytes: bytes,
        join_bytes: bytes,
        body_time: time,
        bodies: bytes,
        page_entries: number as u64,
        kept_pages: bytes,
        calls: number,
        joins: number,
        live_streams: number,
        heartbeat: time,
    }
}

#[tokio::test]
async fn whatever_the_limits_are_there_is_an_answer() {
    let (none, all) = (0, usize::MAX);
    for (bytes, number, time) in [
        (none, none, Duration::ZERO),
        (all, all, Duration::MAX),
        (2 << 20, none, Duration::MAX),
        (all, 1, Duration::from_secs(5)),
    ] {
        let hub = Hub::builder().open(MemoryStore::new()).unwrap();
        let service = HubService::builder(Spaces::single(hub)).limits(limits(bytes, number, time)).build();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let options = ServeOptions {
            connections: number,
            header_time: time.max(Duration::from_secs(5)),
            idle_time: time.max(Duration::from_secs(5)),
            write_time: time.max(Duration::from_secs(5)),
            grace: Duration::from_secs(1),
            upkeep: time,
        };
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let running = tokio::spawn(serve(listener, service, async { drop(stopped.await) }, options));
        let transport = HttpTransport::builder(&url).retries(0).timeout(time.max(Duration::from_secs(5)));
        let transport = transport.live_timeout(Duration::MAX).backoff(Duration::MAX, Duration::MAX).build().unwrap();
        let replica = Replica::builder().open(MemoryStore::new()).unwrap();
        assert!(replica.sync(&transport).await.is_ok(), "{bytes} {number} {time:?}");
        let entry = sync_core::Entry::from_json(&sync_core::Value::parse(&create("a", 1)).unwrap()).unwrap().entry;
        let pushed = transport.push(&PushRequest { entries: vec![entry], ..Default::default() }).await;
        assert!(pushed.is_ok() || bytes == 0, "{bytes} {number} {time:?}: {pushed:?}");
        let page = sync_core::transport::PullRequest { since: Cursor::default(), limit: 9, ..Default::default() };
        let pulled = transport.pull(&page).await;
        assert!(pulled.is_ok(), "{bytes} {number} {time:?}: {pulled:?}");
        let _ = tokio::time::timeout(Duration::from_millis(200), transport.live(u64::MAX)).await;
        stop.send(()).unwrap();
        running.await.unwrap();
    }
}
