//! Download: pages of the hub's log go into the journal, with the cursor that they reach.

use super::cycle::Report;
use super::row::{Logged, Row};
use super::session::Session;
use super::state::State;
use crate::error::Error;
use crate::hashed::HashMap;
use crate::model::digest::Digest;
use crate::model::entry::Action;
use crate::model::stamp::{ClientId, Dot};
use crate::transport::{Cursor, Page, PullRequest, Transport, TransportError};

/// How many commits may not be durable yet while there are more pages: they are appended together.
const PAGES_AHEAD: u64 = 8;

/// How pages are taken.
#[derive(Clone, Copy)]
pub(super) struct Taking {
    /// The most entries of one.
    pub(super) limit: u64,
    /// What was offered counts as accepted by its content alone.
    pub(super) settles: bool,
    /// Behind the last one nothing is left to do: that the replica is in step is noted with it.
    pub(super) ends: bool,
}

/// What one page brought about.
pub(super) enum Pulled {
    /// There may be more.
    More,
    /// The end of the log was reached. Whether it is noted with what came last that the replica is in step.
    Done { is_noted: bool },
    /// The log holds entries of this client that this file did not issue.
    Forked,
    /// The log holds what was offered from here, or the same from a copy of this file: the hub has to decide first.
    Undecided,
}

impl Session {
    /// Takes one page of the hub's log.
    pub(super) async fn pull(
        &self,
        transport: &dyn Transport,
        taking: Taking,
        report: &mut Report,
    ) -> Result<Pulled, Error> {
        let pulled = self.take_page(transport, taking, report).await;
        // However it ends: what was downloaded stays, so that a bad connection gets on too.
        if !matches!(pulled, Ok(Pulled::More | Pulled::Done { .. })) && report.downloaded > 0 {
            let last = self.inner.journal.last();
            self.inner.journal.ticket(last, ()).await?;
        }
        pulled
    }

    async fn take_page(&self, transport: &dyn Transport, taking: Taking, report: &mut Report) -> Result<Pulled, Error> {
        self.check()?;
        let Taking { limit, settles, ends } = taking;
        let request = {
            let state = self.state();
            let own = Dot::new(state.client.clone(), state.vector.get(&state.client).n);
            let told = if state.told == state.cursor { Cursor::default() } else { state.told };
            PullRequest {
                since: state.cursor,
                limit: state.pull_pace.of(limit),
                have: (own.n > 0).then_some(own),
                told,
            }
        };
        let page = match transport.pull(&request).await {
            Err(error) if request.limit > 1 => {
                let retry = self.state().pull_pace.failed(&error, request.limit, limit);
                return if self.tries_less(retry, transport).await { Ok(Pulled::More) } else { Err(error.into()) };
            }
            page => page?,
        };
        self.state().pull_pace.got_through();
        let entries = check(&request, &page)?;
        self.state().check_cursor(page.cursor)?;
        match self.state().check_page(&entries, settles) {
            Ok(()) => {}
            Err(PageFault::Forked) => return Ok(Pulled::Forked),
            Err(PageFault::Undecided) => return Ok(Pulled::Undecided),
            Err(PageFault::Gap(dot)) => {
                let message = format!("its page has {dot}, and the entries of that client before it never came");
                return Err(TransportError::Nonsense { message }.into());
            }
        }
        if page.cursor == request.since {
            return Ok(Pulled::Done { is_noted: false });
        }
        report.downloaded += entries.len() as u64;
        if entries.iter().any(|logged| logged.entry.action == Action::Purge) {
            self.bring_in_all()?;
        }
        let position = {
            // What it strands is looked at and set aside in one step: nobody writes anything that stands on it.
            let writing = self.between_writes()?;
            let gone = self.stranded_by(&entries)?;
            report.rejected += gone.len() as u64;
            let batches = page.entries.batches().to_vec();
            let mut rows = vec![Row::Page { entries, batches, cursor: page.cursor, gone }];
            if page.has_more {
                writing.commit(&rows[0])?
            } else {
                rows.extend(ends.then(|| Row::Synced(self.wall())));
                writing.commit_at_once(&rows)?
            }
        };
        if page.has_more {
            // The row holds the cursor too: a page that is lost is one that comes again. It is appended while the next
            // ones come; nobody waits for it.
            drop(self.inner.journal.ticket(position, ()));
            self.inner.journal.ticket(position.saturating_sub(PAGES_AHEAD), ()).await?;
            self.make_room().await;
        } else {
            self.checkpoint_if_due();
        }
        self.progress(|status| status.downloaded = report.downloaded);
        Ok(if page.has_more { Pulled::More } else { Pulled::Done { is_noted: ends } })
    }
}

/// The entries of a page, which must be what was asked for: nothing that a hub says is believed unseen.
fn check(request: &PullRequest, page: &Page) -> Result<Vec<Logged>, Error> {
    let wrong = |message: &str| Err(TransportError::Nonsense { message: message.to_owned() }.into());
    let mut seq = request.since.seq;
    let mut digest = request.since.digest;
    let mut gapless = true;
    let mut entries = Vec::with_capacity(page.entries.len());
    for (at, entry) in &page.entries {
        if *at <= seq || *at > page.cursor.seq {
            return wrong("the entries of its page are out of order");
        }
        gapless &= *at == seq + 1;
        seq = *at;
        let logged = Logged::new(entry.clone());
        digest = digest.then(logged.hash);
        entries.push(logged);
    }
    if page.cursor.seq < request.since.seq || (page.has_more && page.cursor.seq == request.since.seq) {
        return wrong("its page does not go on");
    }
    // Nothing is left out but what is here.
    let lacks = (page.cursor.seq - request.since.seq).saturating_sub(entries.len() as u64);
    if lacks > request.have.as_ref().map_or(0, |own| own.n) {
        return wrong("its page lacks entries");
    }
    // Where nothing was left out, the digest can be computed here.
    let known = request.since.seq == 0 || request.since.digest != Digest::EMPTY;
    if gapless && known && seq == page.cursor.seq && digest != page.cursor.digest {
        return wrong("the digest of its page is not that of its entries");
    }
    Ok(entries)
}

/// Why a page of the log cannot be taken.
#[derive(Debug)]
pub(crate) enum PageFault {
    /// The hub has another entry under a number of this client than this file.
    Forked,
    /// It has one that was offered from this file, or the same from a copy of it, or purges what one was offered to: only
    /// the hub can tell.
    Undecided,
    /// Entries of this one's client that come before it are missing.
    Gap(Dot),
}

impl State {
    /// The digest of a page that leaves something out may have been told with the verdicts.
    fn check_cursor(&self, cursor: Cursor) -> Result<(), Error> {
        let told = self.told;
        let is_known = |cursor: Cursor| cursor.digest != Digest::EMPTY;
        if told.seq == cursor.seq && told.digest != cursor.digest && is_known(told) && is_known(cursor) {
            let message = "the digest of its page is not the one that it told before".to_owned();
            return Err(TransportError::Nonsense { message }.into());
        }
        Ok(())
    }

    /// Whether a page of the log goes on from what is known, and whether another copy of this file issued entries
    /// under this client's id. `settles` says that what was offered counts as accepted by its content alone.
    pub(crate) fn check_page(&self, entries: &[Logged], settles: bool) -> Result<(), PageFault> {
        let mut known: HashMap<&ClientId, u64> = HashMap::default();
        for Logged { entry, hash } in entries {
            let Dot { client, n } = entry.dot();
            let last = known.entry(client).or_insert_with(|| self.vector.get(client).n);
            if *n > *last + 1 {
                return Err(PageFault::Gap(entry.dot().clone()));
            }
            *last = (*last).max(*n);
            if *client == self.client && *n > self.accepted {
                let local = self.pending_as(&entry.key, entry.dot()).ok_or(PageFault::Forked)?;
                let own = self.numbered(local, entry.dot().clone()).ok_or(PageFault::Forked)?;
                if self.with_names_of_numbers(own).hash() != *hash {
                    return Err(PageFault::Forked);
                }
                if !settles {
                    return Err(PageFault::Undecided);
                }
            }
            // What was offered is decided first, while it is here what the entity was.
            let is_offered = |local: u64| self.pending.get(local).is_some_and(|pending| pending.offered.is_some());
            if entry.action == Action::Purge && !settles && self.pending.of(&entry.key).any(is_offered) {
                return Err(PageFault::Undecided);
            }
        }
        Ok(())
    }
}
