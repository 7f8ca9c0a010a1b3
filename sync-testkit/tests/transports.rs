//! The transport kit: run on the way to a hub in the same process, and on ways that are broken, to see that it notices.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sync_core::transport::{
    Epoch, Hello, HelloRequest, Limits, Page, PullRequest, PushReply, PushRequest, SnapshotPage, SnapshotRequest,
};
use sync_core::{BoxFuture, Cursor, Digest, Entry, Hub, InProcess, Transport, TransportError, Verdict};
use sync_testkit::transport::{Connect, bad, hello, live, many, pull, push, snapshot};

sync_testkit::transport_tests!(in_process, |hub: Hub| -> Arc<dyn Transport> { Arc::new(hub.transport("ada")) });

/// What a broken transport does wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    LosesTheIntent,
    LosesTheAttempt,
    LosesWhatAPushWasTold,
    LosesHave,
    LosesTheLimit,
    LosesTheDigest,
    LosesTheEpochOfSince,
    LosesWhatAPullWasTold,
    LosesUnknownMembers,
    TurnsVerdictsAround,
    LosesTheField,
    LosesTheEndOfTheLog,
    LosesTheTime,
    CutsPages,
    TakesTwoClientsForOne,
    MakesEveryErrorOffline,
    LosesTheClientsOfHello,
    LosesTheEpochOfHello,
    LosesTheEpochOfTheCursor,
    LosesTheEpochsBegun,
    TakesLimitsForTheUsual,
    TakesJoiningForAllowed,
    LosesTheVectorOfAJoin,
    LosesTheIntentsOfAJoin,
    LosesTheLinksOfAJoin,
    LosesTheHashesOfLinks,
    TakesTransfersForOne,
    LosesHowLongToWait,
    AsksForTheFirstPageOnly,
    WaitsForOneWhoIsBehind,
    MixesUpAnswers,
    AnswersForTheHub,
}

struct Broken {
    way: InProcess,
    fault: Fault,
    last: std::sync::Mutex<Option<PushReply>>,
}

impl Broken {
    fn error(&self, error: TransportError) -> TransportError {
        match self.fault {
            Fault::MakesEveryErrorOffline => TransportError::Offline { message: error.to_string() },
            Fault::LosesHowLongToWait if matches!(error, TransportError::Busy { .. }) => {
                TransportError::Busy { after: 0 }
            }
            _ => error,
        }
    }
}

impl Transport for Broken {
    fn hello<'a>(&'a self, request: &'a HelloRequest) -> BoxFuture<'a, Result<Hello, TransportError>> {
        Box::pin(async {
            let mut request = request.clone();
            match self.fault {
                Fault::LosesTheClientsOfHello => request.clients.clear(),
                Fault::TakesTwoClientsForOne => request.clients.dedup_by(|a, b| a.0 == b.0),
                Fault::LosesTheEpochOfHello => request.epoch = Epoch::default(),
                Fault::LosesTheEpochOfTheCursor => request.cursor.epoch = Epoch::default(),
                _ => {}
            }
            let mut hello = self.way.hello(&request).await?;
            match self.fault {
                Fault::LosesTheEpochsBegun => hello.epochs.clear(),
                Fault::TakesLimitsForTheUsual => hello.limits = Limits::default(),
                Fault::TakesJoiningForAllowed => hello.may_join = true,
                Fault::LosesTheTime => hello.server_time = 0,
                _ => {}
            }
            Ok(hello)
        })
    }

    fn push<'a>(&'a self, request: &'a PushRequest) -> BoxFuture<'a, Result<PushReply, TransportError>> {
        Box::pin(async {
            let mut request = request.clone();
            for entry in &mut request.entries {
                match self.fault {
                    Fault::LosesTheIntent => entry.intent = None,
                    Fault::LosesUnknownMembers => entry.unknown = None,
                    _ => {}
                }
            }
            match self.fault {
                Fault::LosesTheAttempt => request.attempt.number = None,
                Fault::LosesWhatAPushWasTold => request.attempt.told = Cursor::default(),
                _ => {}
            }
            if self.fault == Fault::AnswersForTheHub {
                let accepted = |entry: &Entry| (entry.id(), Verdict::Accepted { seq: 1, known_as: None });
                let verdicts = request.entries.iter().map(accepted).collect();
                return Ok(PushReply { verdicts, head: Cursor::default(), server_time: 1 });
            }
            let mut reply = self.way.push(&request).await.map_err(|error| self.error(error))?;
            match self.fault {
                Fault::TurnsVerdictsAround => reply.verdicts.reverse(),
                Fault::LosesTheField => {
                    for (_, verdict) in &mut reply.verdicts {
                        if let Verdict::Rejected(rejection) = verdict {
                            rejection.field = None;
                        }
                    }
                }
                Fault::LosesTheEndOfTheLog => reply.head = Cursor::default(),
                Fault::MixesUpAnswers => {
                    tokio::task::yield_now().await;
                    let mine = reply.clone();
                    reply = self.last.lock().expect("no test panics with it").replace(mine).unwrap_or(reply);
                }
                _ => {}
            }
            Ok(reply)
        })
    }

    fn pull<'a>(&'a self, request: &'a PullRequest) -> BoxFuture<'a, Result<Page, TransportError>> {
        Box::pin(async {
            let mut request = request.clone();
            match self.fault {
                Fault::LosesHave => request.have = None,
                Fault::LosesTheLimit => request.limit = 1_000,
                Fault::LosesTheDigest => request.since.digest = Digest::EMPTY,
                Fault::LosesTheEpochOfSince => request.since.epoch = Epoch::default(),
                Fault::LosesWhatAPullWasTold => request.told = Cursor::default(),
                _ => {}
            }
            let mut page = self.way.pull(&request).await.map_err(|error| self.error(error))?;
            if self.fault == Fault::CutsPages {
                page.entries.to_mut().truncate(300);
            }
            Ok(page)
        })
    }

    fn snapshot<'a>(&'a self, request: &'a SnapshotRequest) -> BoxFuture<'a, Result<SnapshotPage, TransportError>> {
        Box::pin(async {
            match self.fault {
                Fault::AsksForTheFirstPageOnly => self.way.snapshot(&SnapshotRequest::default()).await,
                _ => self.way.snapshot(request).await.map_err(|error| self.error(error)),
            }
        })
    }

    fn join<'a>(&'a self, page: &'a SnapshotPage) -> BoxFuture<'a, Result<(), TransportError>> {
        Box::pin(async {
            let mut page = page.clone();
            match self.fault {
                Fault::LosesTheVectorOfAJoin => page.vector.clear(),
                Fault::LosesTheIntentsOfAJoin => page.intents.clear(),
                Fault::LosesTheLinksOfAJoin => page.links.clear(),
                Fault::LosesTheHashesOfLinks => page.links.iter_mut().for_each(|link| link.hash = Digest::EMPTY),
                Fault::TakesTransfersForOne => page.transfer = "it".into(),
                _ => {}
            }
            self.way.join(&page).await.map_err(|error| self.error(error))
        })
    }

    fn live(&self, since: u64) -> BoxFuture<'_, Result<u64, TransportError>> {
        match self.fault {
            Fault::WaitsForOneWhoIsBehind => self.way.live(since.max(7)),
            _ => self.way.live(since),
        }
    }
}

type Case = fn(&Connect<'_>);

#[test]
fn the_kit_notices() {
    let cases: [(Fault, Case); 32] = [
        (Fault::LosesTheIntent, push::an_intent_is_accepted_once),
        (Fault::LosesWhatAPushWasTold, push::nothing_is_taken_from_one_who_was_told_more),
        (Fault::LosesTheField, push::a_rejection_says_which_field),
        (Fault::LosesTheEndOfTheLog, push::nothing_is_taken_from_one_who_was_told_more),
        (Fault::LosesTheTime, hello::says_who_the_hub_is),
        (Fault::LosesTheAttempt, push::refusals_of_a_whole_push_are_told_apart),
        (Fault::LosesUnknownMembers, push::entries_of_every_kind_arrive_as_they_are),
        (Fault::TurnsVerdictsAround, push::verdicts_come_in_the_order_of_the_entries),
        (Fault::LosesHave, pull::what_the_replica_has_is_left_out),
        (Fault::LosesTheLimit, pull::pages_make_up_the_log),
        (Fault::LosesTheDigest, pull::a_cursor_of_another_log_is_refused),
        (Fault::LosesTheEpochOfSince, pull::nothing_is_served_to_one_who_was_told_more),
        (Fault::LosesWhatAPullWasTold, pull::nothing_is_served_to_one_who_was_told_more),
        (Fault::CutsPages, push::a_push_may_be_as_large_as_the_hub_takes),
        (Fault::MakesEveryErrorOffline, push::refusals_of_a_whole_push_are_told_apart),
        (Fault::LosesTheClientsOfHello, hello::names_may_be_any_text),
        (Fault::TakesTwoClientsForOne, hello::says_what_the_hub_knows_of_clients),
        (Fault::LosesTheEpochOfHello, hello::says_where_the_epochs_began),
        (Fault::LosesTheEpochOfTheCursor, hello::says_where_the_epochs_began),
        (Fault::LosesTheEpochsBegun, hello::says_where_the_epochs_began),
        (Fault::TakesLimitsForTheUsual, hello::says_what_is_unlike_other_hubs),
        (Fault::TakesJoiningForAllowed, hello::says_what_is_unlike_other_hubs),
        (Fault::LosesTheVectorOfAJoin, snapshot::what_is_offered_says_what_is_known_of_entries),
        (Fault::LosesTheIntentsOfAJoin, snapshot::what_is_offered_says_what_is_known_of_entries),
        (Fault::LosesTheLinksOfAJoin, snapshot::what_is_offered_says_what_is_known_of_entries),
        (Fault::LosesTheHashesOfLinks, snapshot::what_is_offered_says_what_is_known_of_entries),
        (Fault::TakesTransfersForOne, snapshot::transfers_are_told_apart),
        (Fault::LosesHowLongToWait, snapshot::transfers_are_told_apart),
        (Fault::AsksForTheFirstPageOnly, snapshot::pages_that_were_never_named_are_refused),
        (Fault::WaitsForOneWhoIsBehind, live::answers_at_once_one_who_is_behind),
        (Fault::AnswersForTheHub, bad::devices_agree_over_a_bad_network),
        (Fault::MixesUpAnswers, many::requests_at_once_are_kept_apart),
    ];
    for (fault, case) in cases {
        let connect = |hub: Hub| -> Arc<dyn Transport> {
            Arc::new(Broken { way: hub.transport("ada"), fault, last: Default::default() })
        };
        assert!(catch_unwind(AssertUnwindSafe(|| case(&connect))).is_err(), "{fault:?} is not noticed");
    }
}
