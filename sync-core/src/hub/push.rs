//! Pushes: what is needed is read, the decision made and queued, and the answer given once it is durable.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Offer;
use super::admit::{self, Decision};
use super::batch::{Batch, Logged};
use super::draft::{Draft, Rules};
use super::facts::{Facts, Questions, View};
use super::foreign;
use super::inner::{Inner, PATIENCE, crowded, failed, is_moved};
use super::prepared::{self, Kind, Prepared, prepare};
use super::pull::another_log;
use super::row::{Accepted, Content, Row};
use super::state::State;
use crate::error::Error;
use crate::model::entry::{Action, EntityKey};
use crate::model::stamp::{ClientId, Name};
use crate::store::Position;
use crate::transport::{Attempt, Cursor, PushReply, TransportError, Verdict};

/// A push as it is decided.
struct Push {
    principal: Name,
    attempt: Attempt,
    is_foreign: bool,
    offers: Vec<Prepared>,
    batch: Option<Arc<[u8]>>,
}

/// What is offered, and the batch in which it came, if it came in one.
pub(super) struct Offered {
    pub(super) offers: Vec<Offer>,
    pub(super) batch: Option<Arc<[u8]>>,
    pub(super) is_foreign: bool,
}

/// What a decision waits for: a row of the journal, after so many restarts of it.
struct Pending {
    restarts: u64,
    position: Position,
    head: Cursor,
    outcome: Result<Vec<Verdict>, TransportError>,
}

impl Inner {
    pub(super) fn push(
        &self,
        principal: &str,
        attempt: Attempt,
        offered: Offered,
    ) -> Result<PushReply, TransportError> {
        let Offered { offers, batch, is_foreign } = offered;
        let limit = self.settings.limits.batch_entries;
        if offers.len() as u64 > limit {
            let message = format!("{} entries in one push; {limit} are allowed", offers.len());
            return Err(TransportError::TooLarge { message });
        }
        let check = if is_foreign { foreign::fault } else { prepared::fault };
        let offers = offers.into_iter().map(|offer| prepare(offer, &self.settings.limits, check));
        let push = Push { principal: principal.into(), attempt, is_foreign, offers: offers.collect(), batch };
        if self.is_joining.load(Relaxed) {
            self.after_checkpoint();
        }
        for _ in 0..PATIENCE {
            let pending = match self.try_push(&push) {
                Ok(Some(pending)) => pending,
                Ok(None) => continue,
                Err(error) if is_moved(&error) => continue,
                Err(error) => return Err(failed(error)),
            };
            // Refusals wait as well: what they stand on has to be the log, not what another hub overtook.
            match self.wait(pending.restarts, pending.position) {
                Ok(()) => {}
                Err(error) if is_moved(&error) => continue,
                Err(error) => return Err(failed(error)),
            }
            self.tend_if_overdue();
            let ids = push.offers.into_iter().map(|offer| offer.id);
            let verdicts = ids.zip(pending.outcome?).collect();
            return Ok(PushReply { verdicts, head: pending.head, server_time: self.now() });
        }
        Err(crowded())
    }

    /// Decides and queues; `None` if it has to be decided anew because the store moved meanwhile.
    fn try_push(&self, push: &Push) -> Result<Option<Pending>, Error> {
        let keys = self.keys(push);
        let mut questions = push.questions(&keys, self.needs_records(push));
        questions.keep_open(&mut self.state());
        let facts = questions.answer(self.store())?;
        // After the facts: nobody made a checkpoint while they were read if it still covers the same.
        let heads = self.store().heads()?;
        let mut state = self.state();
        self.refresh(&mut state, heads)?;
        if !facts.fit(&state) || heads.covers != state.covers {
            let folding = state.folding.is_some();
            drop(state);
            if folding {
                self.after_checkpoint();
            }
            return Ok(None);
        }
        let decided = match state.lost(push.attempt.told) {
            true => Err(another_log(push.attempt.told)),
            false => match self.decide(push, &mut state, facts, &keys) {
                Some(decided) => decided,
                None => return Ok(None),
            },
        };
        let (outcome, accepted) = match decided {
            Ok(decision) => {
                let accepted = push.row(&decision.verdicts, &decision.clients, decision.accepted, &state);
                (Ok(decision.verdicts), accepted)
            }
            Err(error) => (Err(error), None),
        };
        if let Some(accepted) = accepted {
            self.append(&mut state, Content::Accepted(accepted))?;
        }
        Ok(Some(Pending { restarts: self.journal.restarts(), position: state.position, head: state.head, outcome }))
    }

    fn decide(
        &self,
        push: &Push,
        state: &mut State,
        facts: Facts,
        keys: &[EntityKey],
    ) -> Option<Result<Decision, TransportError>> {
        let rules = Rules {
            principal: &push.principal,
            own: &self.own,
            limits: &self.settings.limits,
            now: self.now(),
            validators: &self.settings.validators,
        };
        let view = match self.needs_records(push) {
            true => View::new(state, facts, keys)?,
            false => View::with_grounds(state, facts, keys)?,
        };
        let draft = Draft::new(view, &rules);
        Some(if push.is_foreign {
            Ok(foreign::decide(draft, &push.offers, &self.settings.default_type))
        } else {
            admit::decide(draft, &push.offers, push.attempt.number)
        })
    }

    /// Queues a row and takes it into the state. The caller holds the state's lock and waits outside of it.
    pub(super) fn append(&self, state: &mut State, content: Content) -> Result<(), Error> {
        let epoch = state.epochs.current(self.epoch);
        let row = Arc::new(Row::new(self.now(), state.head, epoch, content)?);
        let position = self.journal.push(&row.encode())?;
        state.apply(&row)?;
        debug_assert_eq!(position, state.position, "the state follows the journal row by row");
        self.rows.remember(position, row);
        Ok(())
    }

    /// Whether a decision looks at whole records, and not only at which creates live.
    fn needs_records(&self, push: &Push) -> bool {
        push.is_foreign || !self.settings.validators.is_empty()
    }

    /// The entities whose state the decision depends on. A create depends on nothing, unless someone is asked.
    fn keys(&self, push: &Push) -> Vec<EntityKey> {
        let asks = !self.settings.validators.is_empty();
        let depends = |offer: &Prepared| match &offer.kind {
            Kind::Entry { entry, fault: None, .. } if asks || entry.action != Action::Create => Some(entry.key.clone()),
            _ => None,
        };
        let mut keys: Vec<EntityKey> = push.offers.iter().filter_map(depends).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

impl Push {
    fn questions(&self, keys: &[EntityKey], whole: bool) -> Questions {
        let mut questions = Questions::default();
        if whole {
            questions.keys = keys.to_vec();
        } else {
            questions.grounds = keys.to_vec();
        }
        for offer in &self.offers {
            let Kind::Entry { entry, intent, .. } = &offer.kind else { continue };
            match &entry.foreign_id {
                Some(id) => questions.foreign.push((entry.origin.author().clone(), id.clone())),
                None => questions.dots.push(entry.dot().clone()),
            }
            questions.intents.extend(*intent);
        }
        questions
    }

    /// What goes into the journal. A refusal does too where the push has an attempt: an earlier one that
    /// arrives late, at this hub or another, must not be decided after it.
    fn row(
        &self,
        verdicts: &[Verdict],
        clients: &[ClientId],
        accepted: Vec<Logged>,
        state: &State,
    ) -> Option<Accepted> {
        let refused = verdicts.iter().any(|verdict| !matches!(verdict, Verdict::Accepted { known_as: None, .. }));
        let seen = |client: &ClientId| state.clients.get(client).map_or(0, |standing| standing.attempt);
        let attempts: Vec<(ClientId, u64)> = match self.attempt.number {
            Some(attempt) => {
                clients.iter().filter(|client| attempt > seen(client)).map(|c| (c.clone(), attempt)).collect()
            }
            None => Vec::new(),
        };
        let worth_it = !accepted.is_empty() || (refused && !attempts.is_empty());
        let came_as = self.batch.clone().filter(|_| self.is_whole(&accepted));
        worth_it.then(|| {
            let batch = Batch::new(accepted, came_as);
            Accepted { principal: self.principal.clone(), attempts, batch }
        })
    }

    /// Whether all that was offered was taken in, and in that order.
    fn is_whole(&self, accepted: &[Logged]) -> bool {
        let is = |(offer, logged): (&Prepared, &Logged)| matches!(&offer.kind, Kind::Entry { entry, .. } if entry.dot() == logged.entry.dot());
        self.offers.len() == accepted.len() && self.offers.iter().zip(accepted).all(is)
    }
}
