//! A server for a test, and requests written by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sync_core::{Clock, Hub, MemoryStore};
use sync_http::server::{HubService, ServeOptions, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const NOW: u64 = 1_700_000_000_000;

pub(crate) struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> u64 {
        NOW
    }
}

/// A hub whose clock stands still.
pub(crate) fn hub() -> Hub {
    Hub::builder().name("home").clock(Arc::new(Stopped)).open(MemoryStore::new()).unwrap()
}

/// A server that runs until it is stopped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(service: HubService) -> Self {
        Self::with_options(service, ServeOptions::default()).await
    }

    pub(crate) async fn with_options(service: HubService, options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async { drop(stopped.await) };
        let running = tokio::spawn(serve(listener, service, shutdown, options));
        Self { address, stop, running }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request and reads its reply.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Reply {
        let mut stream = self.connect().await;
        stream.write_all(&request(method, path, headers, body)).await.unwrap();
        Reply::read(&mut stream).await
    }

    /// Sends a push of version 1.
    pub(crate) async fn push(&self, body: impl AsRef<[u8]>) -> Reply {
        self.ask("POST", "/sync/actions", "Sync-Protocol: 1\r\n", body.as_ref()).await
    }

    /// Asks for the shutdown, and waits until the server is gone.
    pub(crate) async fn stop(self) {
        let Self { stop, running, .. } = self;
        let _ = stop.send(());
        tokio::time::timeout(Duration::from_secs(20), running).await.unwrap().unwrap();
    }
}

/// A request for a connection of its own.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A reply as it came over the wire.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// Reads until the server closes.
    pub(crate) async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let all = stream.read_to_end(&mut bytes);
        let ended = tokio::time::timeout(Duration::from_secs(20), all).await;
        ended.expect("the server closes").expect("the reply can be read");
        Self::parse(&bytes)
    }

    fn parse(bytes: &[u8]) -> Self {
        let split = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let split = split.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_lowercase(), body: bytes[split + 4..].to_vec() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `type` of a problem.
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status, "{json}");
        assert!(!json["title"].as_str().unwrap().is_empty() && !json["detail"].as_str().unwrap().is_empty(), "{json}");
        json["type"].as_str().unwrap().to_owned()
    }
}

/// An action of version 1: a create of the `n`th note of a client.
pub(crate) fn create(client: &str, n: u64) -> String {
    let time = NOW + n;
    format!(
        r#"{{"id":"{client}-{n:016x}","entityType":"note","entityId":"{client}{n}","type":"create","payload":{{"title":"t"}},"clientId":"{client}","logicalTime":{time},"n":{n}}}"#
    )
}

pub(crate) fn actions(actions: &[String]) -> String {
    format!(r#"{{"actions":[{}]}}"#, actions.join(","))
}
