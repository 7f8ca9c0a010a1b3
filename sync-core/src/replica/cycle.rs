//! One sync: hello, upload, download. The only place where the phases are put in order.

use serde::Serialize;

use super::Replica;
use super::adopt::History;
use super::download::{Pulled, Taking};
use super::greet::{Greeted, Lost};
use super::row::Row;
use super::session::Session;
use super::single_flight::Entered;
use super::state::State;
use super::status::Phase;
use super::upload::{Ahead, Pushed};
use crate::error::Error;
use crate::transport::{Hello, Transport, TransportError};

/// How often in one sync the hub may disagree about the clock, or the replica find itself a copy.
const PATIENCE: u32 = 8;

/// How one sync is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncOptions {
    /// The most entries of a downloaded page.
    pub page: u64,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self { page: 1_000 }
    }
}

/// What one sync did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// Entries that the hub accepted.
    pub uploaded: u64,
    /// Entries that came down.
    pub downloaded: u64,
    /// Entries that the hub refused: they are set aside, with the reason.
    pub rejected: u64,
    /// Entries that are still pending.
    pub pending: u64,
    /// By how many milliseconds this device's clock was found to be off, where pending stamps were corrected.
    pub clock_corrected: Option<i64>,
    /// This file was found to be a copy of another that went on writing: it goes on under a client id of its own.
    pub forked: bool,
    /// The whole state was taken from the hub's snapshot.
    pub bootstrapped: bool,
    /// The hub had lost data, and this replica gave back what it had.
    pub hub_restored: bool,
}

impl Replica {
    /// Exchanges entries with a hub: uploads what is pending, downloads what others wrote. Single flight: a call
    /// during another waits for that one and returns its report. Dropping the future changes nothing that is not
    /// durable; the next sync goes on where it was.
    ///
    /// # Errors
    /// [`Error::Wiped`] if the replica was [wiped](Self::wipe) meanwhile: nothing came into what it is since.
    /// [`Error::Transport`] if the hub was not reached or refused; what is pending stays pending.
    /// [`Error::WrongAccount`], [`Error::HubLostData`], [`Error::Diverged`]: nothing was changed. [`Error::Store`].
    pub async fn sync(&self, transport: &dyn Transport) -> Result<Report, Error> {
        self.sync_with(transport, SyncOptions::default()).await
    }

    /// As [`sync`](Self::sync), with options.
    ///
    /// # Errors
    /// As there.
    pub async fn sync_with(&self, transport: &dyn Transport, options: SyncOptions) -> Result<Report, Error> {
        let wipes = self.state().wipes;
        loop {
            match self.inner.syncing.enter().await {
                Entered::Alone(flight) => {
                    let session = Session::begin(self, flight, wipes)?;
                    return session.told(session.cycle(transport, options)).await;
                }
                // The one that was joined was given up, or was for what was wiped: this one takes its place.
                Entered::Joined(None | Some(Err(Error::Wiped))) => {}
                Entered::Joined(Some(result)) => return result,
            }
        }
    }

    /// The way out where hub and replica hold what cannot be proven to be one history, or where the hub lost data
    /// and this replica may not give it back: the hub's state becomes this replica's. What this replica held and the
    /// hub lacks, pending or once accepted, is set aside: listed by [`rejected`](Self::rejected), and written anew by
    /// [`resubmit`](Self::resubmit). A sync that runs is waited for, and one that begins meanwhile joins this.
    ///
    /// # Errors
    /// As [`sync`](Self::sync).
    pub async fn adopt_hub(&self, transport: &dyn Transport) -> Result<Report, Error> {
        let session = self.session().await?;
        session.told(session.adopt(transport)).await
    }
}

impl Session {
    /// Does what a program sees the progress of, and those who join are given the result of.
    async fn told(&self, work: impl Future<Output = Result<Report, Error>>) -> Result<Report, Error> {
        self.progress(|status| status.begin());
        let result = work.await;
        // However it went on: it was for what is not here any more.
        let result = self.check().and(result);
        let now = self.inner.clock.now();
        self.progress(|status| status.end(&result, now, &*self.inner.random));
        self.land(result.clone());
        result
    }

    async fn cycle(&self, transport: &dyn Transport, options: SyncOptions) -> Result<Report, Error> {
        let mut report = Report::default();
        let hello = match self.greet(transport, &mut report, false).await? {
            Greeted::Known(hello) => *hello,
            Greeted::LostData(lost) => self.restore_hub(transport, lost, &mut report).await?,
        };
        self.progress(|status| status.total = Some(hello.head.seq));
        let mut patience = PATIENCE;
        let mut download_first = self.settle_issued(transport, &hello, &mut report, &mut patience).await?;
        if self.state().cursor.seq + 1 < hello.tail {
            match self.take_snapshot(transport, History::Known).await {
                Err(Error::HubLostData { message }) => {
                    let lost = Lost { message, may_join: hello.may_join };
                    self.restore_hub(transport, lost, &mut report).await?;
                }
                taken => report.rejected += taken?,
            }
            report.bootstrapped = true;
        }
        let mut upload = Ok(());
        let is_noted = loop {
            let decided = report.uploaded + report.rejected;
            if !download_first {
                self.progress(|status| status.enter(Phase::Uploading));
                upload = self.upload(transport, &mut report, &mut patience).await;
            }
            download_first = false;
            self.progress(|status| status.enter(Phase::Downloading));
            let settles = upload.as_ref().is_err_and(|error| !may_decide(error));
            let unsettled = self.unsettled();
            let ends = upload.is_ok() && !self.may_push_on();
            let taking = Taking { limit: options.page.max(1), settles, ends };
            let downloaded = self.download(transport, taking, &mut report, &mut patience).await?;
            let is_noted = matches!(downloaded, Downloaded::InStep);
            // What the hub could not say is settled by what came down: it can be pushed on.
            let is_settled = settles && self.unsettled() < unsettled;
            if matches!(downloaded, Downloaded::Forked) {
                let hello = self.hello(transport).await?;
                self.become_another(&hello, &mut report, &mut patience)?;
                download_first = true;
            } else if (upload.is_err() && !is_settled) || (upload.is_ok() && !self.may_push_on()) {
                break is_noted;
            }
            // Only who gets nowhere tires.
            if report.uploaded + report.rejected == decided {
                patience = patience.saturating_sub(1);
            }
            if patience == 0 {
                break is_noted;
            }
        };
        report.pending = self.state().pending.len();
        if upload.is_ok() {
            self.learn_epochs(transport).await?;
            // What came last and that it did are appended together.
            if !is_noted {
                self.commit(&Row::Synced(self.wall()))?;
            }
        }
        // What is told is durable. That nothing was exchanged nobody waits for.
        if report.uploaded + report.rejected + report.downloaded > 0 {
            self.inner.journal.ticket(self.inner.journal.last(), ()).await?;
        } else {
            self.inner.journal.demand();
        }
        upload.map(|()| report)
    }

    /// The hub has entries of this client that are not known here to be accepted: a reply was lost, or a copy of this file
    /// wrote them. What was offered from here is offered again before anything else, because only the hub can tell, by
    /// what was meant. Whether this file turned out to be a copy: then it downloads before it pushes.
    async fn settle_issued(
        &self,
        transport: &dyn Transport,
        hello: &Hello,
        report: &mut Report,
        patience: &mut u32,
    ) -> Result<bool, Error> {
        let known = hello.clients.first().map_or(0, |standing| standing.known.n);
        let (accepted, issued) = {
            let state = self.state();
            (state.accepted, state.issued())
        };
        if known <= accepted {
            return Ok(false);
        }
        if known > issued {
            self.become_another(hello, report, patience)?;
            return Ok(true);
        }
        self.progress(|status| status.enter(Phase::Uploading));
        match self.upload(transport, report, patience).await {
            Err(error) if may_decide(&error) => Err(error),
            // It cannot say: the content has to do.
            _ => Ok(report.forked),
        }
    }

    /// How many entries were offered and got no verdict.
    fn unsettled(&self) -> usize {
        self.state().pending.offered().count()
    }

    fn may_push_on(&self) -> bool {
        let state = self.state();
        !state.pending.is_empty() && !state.pending.is_waiting()
    }

    /// The hub lost data that this replica has: gives it back, and takes the hub's state as it is then.
    async fn restore_hub(&self, transport: &dyn Transport, lost: Lost, report: &mut Report) -> Result<Hello, Error> {
        if !lost.may_join {
            return Err(Error::HubLostData { message: lost.message });
        }
        let proofs = self.compare(transport, None).await?.trusted()?;
        self.doubt_copies(report)?;
        self.give_back(transport, proofs).await?;
        report.rejected += self.take_snapshot(transport, History::GivenBack).await?;
        report.hub_restored = true;
        match self.greet(transport, report, false).await? {
            Greeted::Known(hello) => Ok(*hello),
            Greeted::LostData(lost) => Err(Error::HubLostData { message: lost.message }),
        }
    }

    async fn upload(&self, transport: &dyn Transport, report: &mut Report, patience: &mut u32) -> Result<(), Error> {
        let mut ahead = Ahead::default();
        loop {
            match self.push(transport, &mut ahead, report).await {
                Ok(Pushed::More) => self.make_room().await,
                Ok(Pushed::Nothing | Pushed::Wait | Pushed::Download) => return Ok(()),
                Ok(Pushed::Clock) if *patience > 0 => {
                    *patience -= 1;
                    if let Greeted::LostData(lost) = self.greet(transport, report, true).await? {
                        return Err(Error::HubLostData { message: lost.message });
                    }
                }
                Ok(Pushed::Clock) => return Ok(()),
                // Another copy of this file has pushed more often.
                Err(Error::Transport(TransportError::Superseded)) if *patience > 0 => {
                    *patience -= 1;
                    let attempt = self.state().attempt.saturating_mul(2).saturating_add(64);
                    self.commit(&Row::Offer { attempt, numbers: Vec::new() })?;
                }
                Err(Error::Transport(TransportError::Forked { .. })) if *patience > 0 => {
                    let hello = self.hello(transport).await?;
                    self.become_another(&hello, report, patience)?;
                    // What the log has of the old client comes down before anything is pushed under the new one.
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn download(
        &self,
        transport: &dyn Transport,
        taking: Taking,
        report: &mut Report,
        patience: &mut u32,
    ) -> Result<Downloaded, Error> {
        loop {
            match self.pull(transport, taking, report).await {
                Ok(Pulled::More) => {}
                Ok(Pulled::Done { is_noted: true }) => return Ok(Downloaded::InStep),
                Ok(Pulled::Done { .. } | Pulled::Undecided) => return Ok(Downloaded::Ended),
                Ok(Pulled::Forked) => return Ok(Downloaded::Forked),
                // The log was cut behind this replica since it was greeted.
                Err(Error::Transport(TransportError::Expired)) if *patience > 0 => {
                    *patience -= 1;
                    report.rejected += self.take_snapshot(transport, History::Known).await?;
                    report.bootstrapped = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn adopt(&self, transport: &dyn Transport) -> Result<Report, Error> {
        let hello = self.hello(transport).await?;
        self.bind(&hello)?;
        let (mut settled, mut patience) = (Report::default(), PATIENCE);
        self.settle_issued(transport, &hello, &mut settled, &mut patience).await?;
        settled.rejected += self.take_snapshot(transport, History::Another).await?;
        let mut report = self.cycle(transport, SyncOptions::default()).await?;
        report.uploaded += settled.uploaded;
        report.rejected += settled.rejected;
        report.forked |= settled.forked;
        report.bootstrapped = true;
        Ok(report)
    }

    /// This file is a copy, or was put back: it goes on under a client id of its own. The hub as it is now knows which of
    /// its writes came from another copy; one that has not got so far, or lost it, may not. One that lost what it told
    /// before is not to be taken for the one that told it.
    fn become_another(&self, hello: &Hello, report: &mut Report, patience: &mut u32) -> Result<(), Error> {
        *patience = patience.saturating_sub(1);
        report.forked = true;
        if hello.on_chain {
            self.commit(&Row::Told(hello.head))?;
        }
        let before = self.state().client.clone();
        let client = self.inner.name.fresh(&*self.inner.random, Some(&before));
        self.commit(&Row::Client(client))?;
        self.bring_in_all()?;
        // What is pending may be of the time of what was accepted before, which it had seen.
        let later = |state: &State| {
            let times = state.of_the_time_before();
            ((), (!times.is_empty()).then_some(Row::Clock { offset: state.offset, times }))
        };
        self.between_writes()?.commit_of(later)?;
        Ok(())
    }
}

/// Whether a hub that failed to take a push so may decide about the next one.
fn may_decide(error: &Error) -> bool {
    let never = |error: &TransportError| {
        matches!(
            error,
            TransportError::Denied { .. } | TransportError::TooLarge { .. } | TransportError::Diverged { .. }
        )
    };
    !matches!(error, Error::Transport(error) if never(error))
}

/// How a download ended.
enum Downloaded {
    /// At the end of the log, or where the hub has to decide first.
    Ended,
    /// At the end of the log, and it is noted that nothing was left to do.
    InStep,
    /// The log holds entries of this client that this file did not issue.
    Forked,
}
