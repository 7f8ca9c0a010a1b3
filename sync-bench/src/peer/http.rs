//! HTTP on this machine: servers to compare with, and a client that costs next to nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sync_core::Hub;
use sync_http::server::{HubService, ServeOptions, serve};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::measure::{Error, Result};

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    _runtime: Runtime,
}

/// What a hand-written server answers to a body.
pub(crate) type Handler = Arc<dyn Fn(Bytes) -> Result<Bytes> + Send + Sync>;

impl Server {
    /// Our hub, as programs serve it.
    pub(crate) fn of_hub(hub: Hub) -> Result<Self> {
        let (runtime, listener, address) = listen()?;
        runtime.spawn(serve(listener, HubService::for_hub(hub), std::future::pending(), ServeOptions::default()));
        Ok(Self { address, _runtime: runtime })
    }

    /// hyper, with a function from the body to the reply, called where it may block.
    pub(crate) fn of(handler: Handler) -> Result<Self> {
        let (runtime, listener, address) = listen()?;
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let handler = handler.clone();
                // A stream that cannot be told so is only slower.
                let _ = stream.set_nodelay(true);
                let answer = service_fn(move |request| answer(request, handler.clone()));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
            }
        });
        Ok(Self { address, _runtime: runtime })
    }
}

fn listen() -> Result<(Runtime, TcpListener, SocketAddr)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    Ok((runtime, listener, address))
}

async fn answer(request: Request<Incoming>, handler: Handler) -> Result<Response<Full<Bytes>>> {
    let body = request.into_body().collect().await?.to_bytes();
    let reply = tokio::task::block_in_place(|| handler(body))?;
    Ok(Response::new(Full::new(reply)))
}

/// A request, ready to be sent.
pub(crate) fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\nsync-protocol: 1\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Sends each connection's requests, one after the other on it, all connections at once; how long that took, in ms.
pub(crate) fn send(address: SocketAddr, connections: &[Vec<Vec<u8>>]) -> Result<f64> {
    let ready = std::sync::Barrier::new(connections.len() + 1);
    let run = |requests: &[Vec<u8>]| -> Result<()> {
        let stream = TcpStream::connect(address);
        ready.wait();
        let mut stream = stream?;
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; 1 << 20];
        requests.iter().try_for_each(|request| exchange(&mut stream, request, &mut buffer).map(drop))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = connections.iter().map(|requests| scope.spawn(|| run(requests))).collect();
        ready.wait();
        let begin = std::time::Instant::now();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| Error::from("a client panicked"))?)?;
        Ok(crate::measure::ms(begin.elapsed()))
    })
}

/// One request and its reply's body.
pub(crate) fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Result<Vec<u8>> {
    stream.write_all(request)?;
    let mut filled = 0;
    let (head, length) = loop {
        let count = stream.read(&mut buffer[filled..])?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        filled += count;
        if let Some(end) = buffer[..filled].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end])?.to_ascii_lowercase();
            if !head.starts_with("http/1.1 200") {
                return Err(
                    format!("the server answered {head}\n{}", String::from_utf8_lossy(&buffer[end..filled])).into()
                );
            }
            let length =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
            break (end + 4, length.ok_or("the reply has no length")?);
        }
    };
    if buffer.len() < head + length {
        buffer.resize(head + length, 0);
    }
    if filled < head + length {
        stream.read_exact(&mut buffer[filled..head + length])?;
    }
    Ok(buffer[head..head + length].to_vec())
}
