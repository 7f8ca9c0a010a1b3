//! The transport kit over real HTTP.

use std::sync::Arc;

use sync_core::{Hub, Transport};
use sync_http::HttpTransport;
use sync_http::server::{HubService, ServeOptions, serve};
use tokio::net::TcpListener;

/// Serves a hub on a free port for as long as the runtime lives.
fn served(hub: Hub) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let listener = TcpListener::from_std(listener).unwrap();
    let service = HubService::for_hub(hub);
    tokio::spawn(serve(listener, service, std::future::pending(), ServeOptions::default()));
    address
}

sync_testkit::transport_tests!(http, |hub: Hub| -> Arc<dyn Transport> {
    Arc::new(HttpTransport::new(&served(hub)).unwrap())
});

sync_testkit::transport_tests!(readable, |hub: Hub| -> Arc<dyn Transport> {
    Arc::new(HttpTransport::builder(&served(hub)).compact(false).build().unwrap())
});

sync_testkit::transport_tests!(uncompressed, |hub: Hub| -> Arc<dyn Transport> {
    Arc::new(HttpTransport::builder(&served(hub)).compress(false).build().unwrap())
});
