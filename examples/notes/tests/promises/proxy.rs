//! A network that fails when it is told to: a proxy between one replica and its hub.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection ends before the hub gets it.
    RequestLost,
    /// The hub decides it, and the connection ends before the reply.
    ReplyLost,
    /// The connection ends, and the hub gets it when the next one was answered.
    Late,
    /// The replica is killed while it is on its way, and it never arrives.
    KilledBefore,
    /// The replica is killed while it is on its way, and the hub decides it.
    KilledAfter,
}

pub(super) const FAULTS: [Fault; 5] =
    [Fault::RequestLost, Fault::ReplyLost, Fault::Late, Fault::KilledBefore, Fault::KilledAfter];

/// How a command ended, and how many requests it sent.
#[derive(Debug)]
pub(super) struct Outcome {
    /// `None` if it was killed.
    pub(super) code: Option<i32>,
    pub(super) requests: usize,
}

pub(super) struct Proxy {
    pub(super) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    hub: String,
    plan: Mutex<Plan>,
    /// The replica whose requests these are.
    child: Mutex<Option<Child>>,
    /// A request that comes late.
    held: Mutex<Option<Vec<u8>>>,
}

struct Plan {
    fault: Fault,
    /// The first request that it befalls, and how many.
    first: usize,
    times: usize,
    requests: usize,
}

impl Proxy {
    pub(super) fn start(hub: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let plan = Mutex::new(Plan { fault: Fault::RequestLost, first: 0, times: 0, requests: 0 });
        let shared = Arc::new(Shared { hub: hub.to_owned(), plan, child: Mutex::new(None), held: Mutex::new(None) });
        let serving = Arc::clone(&shared);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Self { url, shared }
    }

    /// Runs a command, which is told to use the proxy, and has `times` of its requests fail from the one number `first` on.
    pub(super) fn run(&self, mut command: Command, fault: Fault, first: usize, times: usize) -> Outcome {
        *self.shared.plan.lock().unwrap() = Plan { fault, first, times, requests: 0 };
        {
            // Locked until it is there: its first request must find whom to kill.
            let mut child = self.shared.child.lock().unwrap();
            *child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        }
        let status = loop {
            if let Some(status) = self.shared.child.lock().unwrap().as_mut().unwrap().try_wait().unwrap() {
                break status;
            }
            thread::sleep(Duration::from_millis(1));
        };
        // What is still late arrives now.
        self.shared.deliver_late();
        Outcome { code: status.code(), requests: self.shared.plan.lock().unwrap().requests }
    }
}

impl Shared {
    /// Serves a connection: one request, for replies say that no other follows.
    fn serve(&self, mut client: TcpStream) {
        let Some(request) = read_request(&mut client) else { return };
        let fault = {
            let mut plan = self.plan.lock().unwrap();
            let number = plan.requests;
            plan.requests += 1;
            (plan.first..plan.first + plan.times).contains(&number).then_some(plan.fault)
        };
        match fault {
            None => {
                let reply = self.ask(&request);
                self.deliver_late();
                let _ = client.write_all(&reply);
            }
            Some(Fault::RequestLost) => {}
            Some(Fault::ReplyLost) => drop(self.ask(&request)),
            Some(Fault::Late) => *self.held.lock().unwrap() = Some(request),
            Some(Fault::KilledBefore) => self.kill(),
            Some(Fault::KilledAfter) => {
                self.kill();
                self.ask(&request);
            }
        }
    }

    fn deliver_late(&self) {
        let held = self.held.lock().unwrap().take();
        held.map(|request| self.ask(&request));
    }

    fn kill(&self) {
        let mut child = self.child.lock().unwrap();
        let child = child.as_mut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn ask(&self, request: &[u8]) -> Vec<u8> {
        let mut hub = TcpStream::connect(&self.hub).unwrap();
        hub.write_all(request).unwrap();
        let mut reply = Vec::new();
        hub.read_to_end(&mut reply).unwrap();
        reply
    }
}

/// A whole request, changed so that the hub ends the connection behind its reply.
fn read_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 << 10];
    let end_of_head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match client.read(&mut chunk).ok()? {
            0 => return None,
            n => bytes.extend_from_slice(&chunk[..n]),
        }
    };
    let head = String::from_utf8(bytes[..end_of_head].to_vec()).unwrap();
    let headers = || head.lines().filter_map(|line| line.split_once(':'));
    let of_name = |name: &str| headers().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
    assert_eq!(of_name("transfer-encoding"), None, "requests say how long they are");
    let length: usize = of_name("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end_of_head + 4);
    while body.len() < length {
        match client.read(&mut chunk).ok()? {
            0 => return None,
            n => body.extend_from_slice(&chunk[..n]),
        }
    }
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut request = kept.collect::<Vec<_>>().join("\r\n");
    request.push_str("\r\nconnection: close\r\n\r\n");
    Some([request.into_bytes(), body].concat())
}
