//! The conformance kit for transports: [`transport_tests!`](crate::transport_tests) tries the whole contract of
//! [`Transport`] on yours.
//!
//! ```
//! use std::sync::Arc;
//! use sync_core::{Hub, Transport};
//!
//! # #[cfg(test)] // so that the module's tests are not compiled as part of an example
//! sync_testkit::transport_tests!(in_process, |hub: Hub| -> Arc<dyn Transport> {
//!     Arc::new(hub.transport("ada"))
//! });
//! ```
//!
//! This makes a module `in_process` with one `#[test]` a case. The expression is called with a fresh hub, which is
//! empty or not, and returns a transport to it, on behalf of any principal. It is called within a tokio runtime of
//! one thread, so it may spawn what serves the hub; what has to outlive the transport is best kept inside of it.
//!
//! Every call is made twice: through the transport, and of a twin of the hub in the same process. The answers must
//! be the same, errors by their [`code`](TransportError::code).

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sync_core::transport::{
    Attempt, Hello, HelloRequest, Limits, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{
    Clock, Cursor, Entry, Hub, HubBuilder, InProcess, MemoryStore, Offer, Random, Transport, TransportError,
};

use entries::Author;

pub mod bad;
mod entries;
pub mod hello;
pub mod live;
pub mod many;
pub mod pull;
pub mod push;
pub mod snapshot;

/// Connects to a hub.
pub type Connect<'a> = dyn Fn(Hub) -> Arc<dyn Transport> + 'a;

/// Tries the contract of [`Transport`](sync_core::Transport) on an implementation: one `#[test]` a case, in a module
/// that is named by the first argument, or `transport_tests`. See [`transport`](crate::transport).
#[macro_export]
macro_rules! transport_tests {
    ($connect:expr) => {
        $crate::transport_tests!(transport_tests, $connect);
    };
    ($module:ident, $connect:expr) => {
        #[cfg(test)]
        mod $module {
            #[allow(unused_imports)]
            use super::*;

            $crate::transport_tests!(@cases $connect;
                hello::says_who_the_hub_is,
                hello::says_what_is_unlike_other_hubs,
                hello::says_where_the_epochs_began,
                hello::says_what_the_hub_knows_of_clients,
                hello::names_may_be_any_text,
                push::entries_of_every_kind_arrive_as_they_are,
                push::verdicts_come_in_the_order_of_the_entries,
                push::pushing_again_changes_nothing,
                push::an_intent_is_accepted_once,
                push::a_rejection_says_which_field,
                push::refusals_of_a_whole_push_are_told_apart,
                push::nothing_is_taken_from_one_who_was_told_more,
                push::limits_are_told,
                push::nothing_is_a_push_too,
                push::a_push_may_be_as_large_as_the_hub_takes,
                pull::pages_make_up_the_log,
                pull::what_the_replica_has_is_left_out,
                pull::a_cursor_of_another_log_is_refused,
                pull::nothing_is_served_to_one_who_was_told_more,
                snapshot::pages_make_up_the_state,
                snapshot::pages_that_were_never_named_are_refused,
                snapshot::a_snapshot_is_offered_whole,
                snapshot::what_is_offered_says_what_is_known_of_entries,
                snapshot::transfers_are_told_apart,
                live::wakes_when_the_log_grows,
                live::answers_at_once_one_who_is_behind,
                live::waits_without_keeping_others_waiting,
                many::requests_at_once_are_kept_apart,
                many::a_request_that_is_given_up_is_no_harm,
                bad::devices_agree_over_a_bad_network,
            );
        }
    };
    (@cases $connect:expr; $($theme:ident :: $case:ident),* $(,)?) => {$(
        #[test]
        fn $case() {
            $crate::transport::$theme::$case(&$connect);
        }
    )*};
}

/// What the hubs' clocks say, always.
const NOW: u64 = 1_700_000_000_000;

/// How long a case may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that stands still.
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> u64 {
        NOW
    }
}

/// Numbers that are as good as random to a hub, and the same for its twin.
struct Counted(AtomicU64);

impl Random for Counted {
    fn bits(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed) + 1) << 64 | 0xfeed
    }
}

/// A hub as it is started the first time, or another one.
fn start(run: u64) -> HubBuilder {
    // Too large for a float.
    let random = Counted(AtomicU64::new(u64::MAX - 100 * run));
    Hub::builder().name("home").clock(Arc::new(Stopped)).random(Arc::new(random))
}

fn hub(limits: Limits) -> Hub {
    start(1).limits(limits).open(MemoryStore::new()).expect("a hub in memory opens")
}

/// A hub that was started twice: in each of its epochs it took four entries in, and of all it has the last two only.
fn started_twice() -> Hub {
    let store = Arc::new(MemoryStore::new());
    let mut author = Author::new("a");
    let run = |run| {
        let hub = start(run).open(store.clone()).expect("a hub in memory opens");
        for n in 0..4 {
            let create = Offer::Entry(author.create(&format!("{run}/{n}"), "note"));
            hub.push("ada", None, vec![create]).expect("memory does not fail");
        }
        hub
    };
    let [_, hub] = [1, 2].map(run);
    hub.compact(2).expect("memory does not fail");
    hub
}

/// A transport beside the way to a twin of its hub in the same process.
struct Pair {
    subject: Arc<dyn Transport>,
    twin: InProcess,
    hub: Hub,
}

impl Pair {
    fn of(connect: &Connect<'_>, hubs: [Hub; 2]) -> Self {
        let [hub, twin] = hubs;
        Self { subject: connect(hub.clone()), twin: twin.transport("ada"), hub }
    }

    async fn hello(&self, request: &HelloRequest) -> Result<Hello, TransportError> {
        let found = self.subject.hello(request).await;
        // On whose behalf is for the transport to say.
        let anonymous = |hello: Hello| Hello { principal: String::new(), ..hello };
        let expected = self.twin.hello(request).await;
        same("hello", &found.clone().map(anonymous), &expected.map(anonymous));
        found
    }

    async fn push(&self, attempt: impl Into<Attempt>, entries: &[Entry]) -> Result<PushReply, TransportError> {
        let request = PushRequest { entries: entries.to_vec(), attempt: attempt.into() };
        let found = self.subject.push(&request).await;
        same("push", &found, &self.twin.push(&request).await);
        found
    }

    /// Pushes what a hub accepts.
    async fn accepted(&self, entries: &[Entry]) {
        let reply = self.push(None, entries).await.expect("the hub answers");
        let accepted = |verdict: &_| matches!(verdict, sync_core::Verdict::Accepted { known_as: None, .. });
        assert!(reply.verdicts.iter().all(|(_, verdict)| accepted(verdict)), "not all were accepted: {reply:?}");
    }

    async fn pull(&self, request: &PullRequest) -> Result<Page, TransportError> {
        let found = self.subject.pull(request).await;
        same("pull", &found, &self.twin.pull(request).await);
        found
    }

    async fn snapshot(&self, page: &str) -> Result<SnapshotPage, TransportError> {
        let request = SnapshotRequest { page: page.to_owned() };
        let found = self.subject.snapshot(&request).await;
        same("snapshot", &found, &self.twin.snapshot(&request).await);
        found
    }

    async fn join(&self, page: &SnapshotPage) -> Result<(), TransportError> {
        let found = self.subject.join(page).await;
        same("join", &found, &self.twin.join(page).await);
        found
    }
}

/// Fails unless the transport's answer is the hub's.
#[track_caller]
fn same<T: PartialEq + Debug>(call: &str, found: &Result<T, TransportError>, expected: &Result<T, TransportError>) {
    let agree = match (found, expected) {
        (Ok(found), Ok(expected)) => found == expected,
        (Err(found), Err(expected)) => found.code() == expected.code(),
        _ => false,
    };
    if !agree {
        let (found, expected) = (format!("{found:?}"), format!("{expected:?}"));
        let alike = found.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
        let around = |text: &str| text.chars().skip(alike.saturating_sub(200)).take(500).collect::<String>();
        panic!("`{call}`: the transport says ..{}.., the hub ..{}..", around(&found), around(&expected));
    }
}

/// Runs a case with a transport to a hub of this kind.
fn with_hub(connect: &Connect<'_>, hub: impl Fn() -> Hub, case: impl AsyncFnOnce(Pair)) {
    run(async {
        case(Pair::of(connect, [hub(), hub()])).await;
    });
}

/// Runs a case with a transport to a fresh hub that has these limits.
fn with_limits(connect: &Connect<'_>, limits: Limits, case: impl AsyncFnOnce(Pair)) {
    with_hub(connect, || hub(limits), case);
}

/// Runs a case with a transport to a fresh hub.
fn with(connect: &Connect<'_>, case: impl AsyncFnOnce(Pair)) {
    with_limits(connect, Limits::default(), case);
}

fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime is made");
    let in_time = async { tokio::time::timeout(PATIENCE, case).await };
    runtime.block_on(in_time).expect("the case ends in time: some call never answers");
    // Whatever serves the hub may be waiting in a thread.
    runtime.shutdown_background();
}

/// All of the log, in pages of this many.
async fn log(pair: &Pair, limit: u64) -> Vec<Entry> {
    let mut log = Vec::new();
    let mut since = Cursor::default();
    loop {
        let page = pair.pull(&PullRequest { since, limit, ..PullRequest::default() }).await.expect("the hub answers");
        log.extend(page.entries.iter().map(|(_, entry)| (**entry).clone()));
        since = page.cursor;
        if !page.has_more {
            return log;
        }
    }
}
