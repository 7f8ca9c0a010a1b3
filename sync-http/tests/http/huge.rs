//! An entity that is larger than a device takes at once: siblings are never capped.

use sync_core::{Hub, MemoryStore, Offer, Replica, Value, Verdict};
use sync_http::HttpTransport;
use sync_http::server::HubService;

use crate::support::Server;

#[tokio::test]
async fn a_record_over_the_clients_limit_comes_as_entries_and_as_a_snapshot_once_more_is_allowed() {
    let hub = Hub::builder().name("home").open(MemoryStore::new()).unwrap();
    for n in 0..40 {
        let title = "x".repeat(4_000);
        let entry = format!(
            r#"{{"id":"c{n}-0000000000000001","entityType":"note","entityId":"huge","type":"create","payload":{{"title":"{n}{title}"}},"clientId":"c{n}","logicalTime":5,"n":1}}"#
        );
        let entry = sync_core::Entry::from_json(&Value::parse(&entry).unwrap()).unwrap().entry;
        let reply = hub.push("ada", None, vec![Offer::Entry(entry)]).unwrap();
        assert!(matches!(reply.verdicts[0].1, Verdict::Accepted { .. }), "{reply:?}");
    }
    let server = Server::start(HubService::for_hub(hub.clone())).await;
    let taking = |bytes| HttpTransport::builder(&server.url()).reply_bytes(bytes).retries(0).build().unwrap();
    let device = || Replica::builder().open(MemoryStore::new()).unwrap();
    // The log is asked for in smaller pages.
    assert_eq!(device().sync(&taking(64 << 10)).await.unwrap().downloaded, 40);

    hub.compact(0).unwrap();
    let late = device();
    for _ in 0..2 {
        let error = late.sync(&taking(64 << 10)).await.unwrap_err();
        assert_eq!(error.code(), "too_large");
        assert!(error.to_string().contains("`reply_bytes`"), "{error}");
    }
    assert!(late.sync(&taking(1 << 20)).await.unwrap().bootstrapped);
    assert_eq!(late.raw().list(Some("note")).count(), 1);
    server.stop().await;
}
