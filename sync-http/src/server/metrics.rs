//! Counters, in the text form that Prometheus reads.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::StatusCode;
use sync_core::Verdict;
use sync_core::transport::PushReply;

use super::route::Endpoint;

/// What a service counts.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// By endpoint and by the first digit of the status. The last row is of what has no endpoint.
    requests: [[AtomicU64; 5]; Endpoint::ALL.len() + 1],
    micros: [AtomicU64; Endpoint::ALL.len() + 1],
    accepted: AtomicU64,
    rejected: AtomicU64,
    deferred: AtomicU64,
    served: AtomicU64,
    pub(crate) live: Gauge,
    pub(crate) connections: Gauge,
}

/// A number of things that are there now.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn enter(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Metrics {
    pub(crate) fn request(&self, endpoint: Option<Endpoint>, status: StatusCode, took: Duration) {
        let row = endpoint.map_or(Endpoint::ALL.len(), |endpoint| endpoint as usize);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        self.requests[row][class].fetch_add(1, Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros[row].fetch_add(micros, Relaxed);
    }

    pub(crate) fn pushed(&self, reply: &PushReply) {
        for (_, verdict) in &reply.verdicts {
            let counter = match verdict {
                Verdict::Accepted { .. } => &self.accepted,
                Verdict::Rejected(_) => &self.rejected,
                _ => &self.deferred,
            };
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn served(&self, entries: usize) {
        self.served.fetch_add(entries as u64, Relaxed);
    }

    /// All of it as text.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        self.render_requests(&mut out);
        let counters = [
            ("entries_accepted_total", "Entries accepted, again ones included", &self.accepted),
            ("entries_rejected_total", "Entries rejected", &self.rejected),
            ("entries_deferred_total", "Entries not decided", &self.deferred),
            ("entries_served_total", "Entries sent to replicas", &self.served),
        ];
        for (name, help, counter) in counters {
            head(&mut out, name, help, "counter");
            line(&mut out, name, "", counter.load(Relaxed));
        }
        let gauges = [
            ("live_streams", "Live streams that are open", &self.live),
            ("connections", "Connections that are open", &self.connections),
        ];
        for (name, help, gauge) in gauges {
            head(&mut out, name, help, "gauge");
            line(&mut out, name, "", gauge.0.load(Relaxed));
        }
        out
    }

    fn render_requests(&self, out: &mut String) {
        let names = Endpoint::ALL.map(Endpoint::name).into_iter().chain(["none"]);
        let rows = || names.clone().zip(self.requests.iter().zip(&self.micros));
        head(out, "requests_total", "Requests answered", "counter");
        for (name, (classes, _)) in rows() {
            for (class, count) in classes.iter().enumerate() {
                let count = count.load(Relaxed);
                if count > 0 {
                    let labels = format!("{{endpoint=\"{name}\",status=\"{}xx\"}}", class + 1);
                    line(out, "requests_total", &labels, count);
                }
            }
        }
        head(out, "request_microseconds_total", "Time until the reply began", "counter");
        for (name, (_, micros)) in rows() {
            let micros = micros.load(Relaxed);
            if micros > 0 {
                let labels = format!("{{endpoint=\"{name}\"}}");
                line(out, "request_microseconds_total", &labels, micros);
            }
        }
    }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) {
    writeln!(out, "# HELP sync_{name} {help}.\n# TYPE sync_{name} {kind}").expect("a String takes any text");
}

fn line(out: &mut String, name: &str, labels: &str, value: u64) {
    writeln!(out, "sync_{name}{labels} {value}").expect("a String takes any text");
}
