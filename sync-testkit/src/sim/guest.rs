//! Two processes of a hub at once: one acts between two storage operations of the other.

use std::sync::{Arc, Mutex, PoisonError};

use sync_core::{Error, TransportError};

use super::fault::Fault;
use super::link::{Reply, Request};
use super::space::{HONEST, Stray, carry_out, leaves_rows};
use super::violation::{Holds, Rule, broken};
use super::world::World;
use crate::rng::Rng;

/// Of a hundred requests, how many another process may come in between.
const OFTEN: usize = 70;

/// After how many operations it comes, at most.
const LATEST: usize = 6;

/// A process that is expected, and what it is going to do.
pub(super) struct Guest {
    does: Does,
    /// What came of it, once it was there.
    done: Arc<Mutex<Option<Done>>>,
}

enum Does {
    /// The request of a device.
    Device(usize, Request),
    Stray(Stray),
    Upkeep(Upkeep),
}

#[derive(Debug, Clone, Copy)]
enum Upkeep {
    Checkpoint,
    Compact(u64),
}

type Done = Result<Option<Reply>, Failure>;

#[derive(Debug)]
enum Failure {
    Request(TransportError),
    Upkeep(Error),
}

/// What a process did meanwhile.
pub(super) struct Visit {
    pub(super) request: Option<Request>,
    device: Option<usize>,
    done: Done,
}

impl World<'_> {
    /// Has another process than this one do something while a request is carried out.
    pub(super) fn invite(&mut self, at: usize, which: usize) -> Option<Guest> {
        let (asking, space) = (self.asking?, &mut self.spaces[at]);
        if !self.plan.faults.has(Fault::HubsAtOnce) || space.hubs.len() < 2 {
            return None;
        }
        // By chances of its own: without it, a history is what it was.
        let mut rng = Rng::new(self.plan.seed ^ self.tally.requests.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if !rng.percent(OFTEN) {
            return None;
        }
        // What strangers are told of their entries depends on whether the log is ever cut: then it is expected.
        let has = |fault| self.plan.faults.has(fault);
        let may_compact = has(Fault::HubCompact) || !(has(Fault::Foreign) || has(Fault::Hostile));
        let sees_to_itself = rng.percent(40);
        let asks = |(device, it): (usize, &super::device::Device)| {
            let task = it.task.as_ref().filter(|task| task.space == at && task.underway.is_none())?;
            Some((device, task.link.asked().filter(|_| device != asking)?))
        };
        let mut asked: Vec<(usize, Request)> = self.devices.iter().enumerate().filter_map(asks).collect();
        let does = if !asked.is_empty() && !sees_to_itself {
            let (device, request) = asked.swap_remove(rng.below(asked.len()));
            Does::Device(device, request)
        } else if !space.strays.is_empty() && !sees_to_itself {
            Does::Stray(space.strays.swap_remove(rng.below(space.strays.len())))
        } else if may_compact && rng.percent(65) {
            Does::Upkeep(*rng.pick(&[Upkeep::Compact(0), Upkeep::Compact(2)]))
        } else {
            Does::Upkeep(Upkeep::Checkpoint)
        };
        let done: Arc<Mutex<Option<Done>>> = Arc::default();
        let (hub, to) = (space.hubs[1 - which].clone(), done.clone());
        let act: Box<dyn FnOnce() -> Done + Send> = match &does {
            Does::Upkeep(Upkeep::Checkpoint) => Box::new(move || upkeep(hub.checkpoint().map_err(Error::from))),
            Does::Upkeep(Upkeep::Compact(keep)) => {
                let keep = *keep;
                Box::new(move || upkeep(hub.compact(keep).map(drop)))
            }
            Does::Device(_, request) | Does::Stray(Stray { request, .. }) => {
                let request = request.clone();
                space.rows += leaves_rows(&request);
                Box::new(move || carry_out(&hub, HONEST, &request).map(Some).map_err(Failure::Request))
            }
        };
        let observer = space.observer.clone();
        space.disk.expect(rng.below(LATEST), move || {
            // Either may cut off what the other one wrote.
            let look = || observer.iter().for_each(|observer| observer.look());
            look();
            let came_of_it = act();
            look();
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(came_of_it);
        });
        if let Does::Device(_, request) | Does::Stray(Stray { request, .. }) = &does {
            self.note_offered(request);
        }
        Some(Guest { does, done })
    }

    /// What the guest did; `None` if it did not come.
    pub(super) fn visit_of(&mut self, at: usize, guest: Guest) -> Option<Visit> {
        let space = &mut self.spaces[at];
        space.disk.dismiss();
        let done = guest.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(done) = done else {
            if let Does::Stray(stray) = guest.does {
                space.strays.push(stray);
            }
            return None;
        };
        self.tally.fault(Fault::HubsAtOnce);
        let (request, device) = match guest.does {
            Does::Device(device, request) => (Some(request), Some(device)),
            Does::Stray(stray) => (Some(stray.request), None),
            Does::Upkeep(upkeep) => {
                self.trace.say(format_args!("    meanwhile: {upkeep:?}"));
                (None, None)
            }
        };
        if let Some(request) = &request {
            self.tally.requests += 1;
            self.trace.say(format_args!("    meanwhile, of device {device:?}: {request:?}"));
        }
        Some(Visit { request, device, done })
    }

    /// What another process did is as good as if it had done it alone; who asked for it hears of it.
    pub(super) fn visited(&mut self, at: usize, visit: Visit) -> Holds {
        let Visit { request, device, done } = visit;
        if let (Ok(Some(Reply::Push(reply))), Some(Request::Push(push))) = (&done, &request) {
            self.check_verdicts(at, push, reply)?;
        }
        let served = match done {
            // The power went: nobody answers any more.
            _ if self.spaces[at].hubs.is_empty() => {
                Err(TransportError::Offline { message: "the hub lost power".to_owned() })
            }
            Ok(Some(reply)) => Ok(reply),
            Ok(None) => return Ok(()),
            Err(Failure::Request(error)) => Err(error),
            Err(Failure::Upkeep(_)) if self.spaces[at].trouble.is_some() => return Ok(()),
            Err(Failure::Upkeep(error)) => {
                return broken(Rule::NoFailure, format!("what a hub does for itself: {error} ({error:?})"));
            }
        };
        let Some(device) = device else { return Ok(()) };
        let Some(task) = &mut self.devices[device].task else { return Ok(()) };
        task.requests += 1;
        match served {
            Ok(reply) => {
                task.underway = Some(reply);
                Ok(())
            }
            Err(error) => self.fail(device, error),
        }
    }
}

fn upkeep(done: Result<(), Error>) -> Done {
    done.map(|()| None).map_err(Failure::Upkeep)
}
