//! Hundreds of connections that only cost: heads that never end, bodies that never end, bodies that are too large or
//! become too large, connections that come and go. Each is cut in its time, and honest requests are answered meanwhile.
//!
//! `ABUSE_CONNECTIONS` is how many there are of each kind, `ABUSE_SECONDS` how long it goes on.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use sync_core::Spaces;
use sync_http::server::{HubService, RequestLimits, ServeOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::number;
use crate::support::{Server, actions, create, hub, request};

/// How long a head, and a body, may take.
const CUT: Duration = Duration::from_millis(1_000);

/// When that is judged, on a machine that has other work.
const CUT_AT_LAST: Duration = Duration::from_secs(8);

#[derive(Default)]
struct Abuse {
    over: AtomicBool,
    cut: AtomicU64,
    late: AtomicU64,
    refused: AtomicU64,
    floods: AtomicU64,
}

/// One who begins a request again and again, and never ends it: a byte now and then.
async fn drips(address: std::net::SocketAddr, head: &'static [u8], abuse: Arc<Abuse>) {
    while !abuse.over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        let began = Instant::now();
        let _ = stream.write_all(head).await;
        let (mut from, mut to) = stream.split();
        let mut reply = [0; 256];
        loop {
            tokio::select! {
                read = from.read(&mut reply) => if matches!(read, Ok(0) | Err(_)) { break },
                () = tokio::time::sleep(Duration::from_millis(200)) => {
                    let _ = to.write_all(b"x").await;
                }
            }
        }
        abuse.cut.fetch_add(1, Ordering::Relaxed);
        abuse.late.fetch_add(u64::from(began.elapsed() > CUT_AT_LAST), Ordering::Relaxed);
    }
}

/// One who sends what is too large, or becomes too large.
async fn stuffs(address: std::net::SocketAddr, bytes: Arc<Vec<u8>>, abuse: Arc<Abuse>) {
    while !abuse.over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(address).await else { continue };
        // Refused before all of it is sent.
        let _ = stream.write_all(&bytes).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        abuse.refused.fetch_add(u64::from(reply.starts_with(b"HTTP/1.1 413")), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
}

/// One who connects and goes.
async fn floods(address: std::net::SocketAddr, abuse: Arc<Abuse>) {
    while !abuse.over.load(Ordering::Relaxed) {
        if let Ok(stream) = TcpStream::connect(address).await {
            drop(stream);
            abuse.floods.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 256 << 20]).unwrap();
    encoder.finish().unwrap()
}

/// The memory of this process, both ends of all connections, in MiB.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<u64>().ok()? * 4 / 1_024)
}

/// How long honest requests took, in order.
async fn honest(server: &Server, client: &str, until: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    while Instant::now() < until {
        let n = times.len() as u64 + 1;
        let began = Instant::now();
        let reply = server.push(actions(&[create(client, n)])).await;
        assert_eq!((reply.status, reply.json()["results"][0]["id"].is_string()), (200, true), "{reply:?}");
        times.push(began.elapsed());
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_only_cost_keep_nobody_waiting() {
    let each = number("ABUSE_CONNECTIONS", 250);
    let time = Duration::from_secs(number("ABUSE_SECONDS", 4));
    let limits = RequestLimits { body_time: CUT, ..RequestLimits::default() };
    let options = ServeOptions { header_time: CUT, idle_time: CUT, ..ServeOptions::default() };
    let server = Server::with_options(HubService::builder(Spaces::single(hub())).limits(limits).build(), options).await;
    let quiet = honest(&server, "quiet", Instant::now() + time / 2).await;
    let before = resident();
    let abuse = Arc::new(Abuse::default());
    let large = request("POST", "/sync/actions", "Sync-Protocol: 1\r\n", &vec![b' '; 24 << 20]);
    let bomb = request("POST", "/sync/actions", "Sync-Protocol: 1\r\nContent-Encoding: gzip\r\n", &bomb());
    let (large, bomb) = (Arc::new(large), Arc::new(bomb));
    let held = before.zip(resident()).map(|(before, now)| now.saturating_sub(before));
    let mut abusers: Vec<JoinHandle<()>> = Vec::new();
    for n in 0..each {
        let head = b"GET /sync/actions HTTP/1.1\r\nHost: h\r\nX-Slow: ";
        abusers.push(tokio::spawn(drips(server.address, head, abuse.clone())));
        let head = b"POST /sync/actions HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n{";
        abusers.push(tokio::spawn(drips(server.address, head, abuse.clone())));
        if n % 25 == 0 {
            abusers.push(tokio::spawn(stuffs(server.address, large.clone(), abuse.clone())));
            abusers.push(tokio::spawn(stuffs(server.address, bomb.clone(), abuse.clone())));
            abusers.push(tokio::spawn(floods(server.address, abuse.clone())));
        }
    }
    let until = Instant::now() + time;
    let watch = tokio::spawn(async move {
        let mut most = None;
        while Instant::now() < until {
            most = most.max(resident());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        most
    });
    let beset = honest(&server, "beset", until).await;
    let most = watch.await.unwrap();
    abuse.over.store(true, Ordering::Relaxed);
    for abuser in abusers {
        tokio::time::timeout(CUT_AT_LAST, abuser).await.expect("every connection is cut").unwrap();
    }
    let at = |times: &[Duration], percent: usize| times[(times.len() - 1) * percent / 100];
    let [cut, late, refused, flooded] =
        [&abuse.cut, &abuse.late, &abuse.refused, &abuse.floods].map(|count| count.load(Ordering::Relaxed));
    let grown = most.zip(before).map(|(most, before)| most.saturating_sub(before)).zip(held);
    println!(
        "{} slow connections, {cut} cut, {late} late; {refused} bodies refused; {flooded} came and went\n\
         honest requests: {} in quiet (p50 {:?}, p99 {:?}), {} beset (p50 {:?}, p99 {:?})\n\
         memory of both ends: (growth, of which what is sent) {grown:?} MiB",
        each * 2,
        quiet.len(),
        at(&quiet, 50),
        at(&quiet, 99),
        beset.len(),
        at(&beset, 50),
        at(&beset, 99)
    );
    assert!(cut >= each * 2 && late == 0, "{cut} were cut, {late} of them late");
    assert!(refused > 0, "nothing was refused for its size");
    assert!(at(&beset, 99) < Duration::from_secs(2), "honest requests waited for {:?}", at(&beset, 99));
    // A bomb of 256 MiB, or a body of 24, would show.
    assert!(grown.is_none_or(|(grown, held)| grown < held + 160), "{grown:?} MiB");
    server.stop().await;
}
