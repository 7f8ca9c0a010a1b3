//! The CRDTs: their histories, and the rows that they add to the tables.

use std::path::Path;

use crate::clock::each;
use crate::measure::{Result, Row, Table, Who};
use crate::peer::case::{AUTOMERGE, Case, Form, LORO, Outcome, YRS};
use crate::peer::limit::Log;
use crate::peer::{automerge, loro, yrs};
use crate::workload::{Action, Notes, Workload};

/// The workload as each of them has it, which takes long to make.
pub(crate) struct Histories {
    loro: loro::History,
    yrs: yrs::History,
    automerge: automerge::History,
}

/// Ways from a history to the notes.
pub(crate) const CASES: &[Case] = &[
    Case { who: Who::Peer, name: LORO, form: Form::LoroWhole, run: |updates| Ok(Box::new(loro::import(updates)?)) },
    Case {
        who: Who::Peer,
        name: "loro, one update, read typed",
        form: Form::LoroWhole,
        run: |updates| Ok(Box::new(loro::notes(&loro::import(updates)?)?)),
    },
    Case {
        who: Who::Peer,
        name: "loro, an update a session",
        form: Form::LoroSessions,
        run: |updates| Ok(Box::new(loro::import(updates)?)),
    },
    Case { who: Who::Peer, name: YRS, form: Form::YrsWhole, run: |updates| Ok(Box::new(yrs::import(updates)?)) },
    Case {
        who: Who::Peer,
        name: "yrs, an update a session",
        form: Form::YrsSessions,
        run: |updates| Ok(Box::new(yrs::import(updates)?)),
    },
    Case {
        who: Who::Peer,
        name: AUTOMERGE,
        form: Form::AutomergeChanges,
        run: |changes| Ok(Box::new(automerge::decode(changes)?)),
    },
    Case {
        who: Who::Peer,
        name: "automerge, load what it saved",
        form: Form::AutomergeSaved,
        run: |saved| Ok(Box::new(automerge::load(&saved[0])?)),
    },
    Case {
        who: Who::Peer,
        name: "automerge, load, read with autosurgeon",
        form: Form::AutomergeSaved,
        run: |saved| Ok(Box::new(automerge::notes(&automerge::load(&saved[0])?)?)),
    },
];

/// What opens what a peer saved, and its name.
type Opening = (&'static str, fn(&Histories) -> Result<Notes>);

/// What each reads at a start, as it is stored.
pub(crate) const OPENINGS: &[Opening] = &[
    ("loro, snapshot of the state", |peers| loro::notes(&loro::import(std::slice::from_ref(&peers.loro.state))?)),
    ("loro, snapshot", |peers| loro::notes(&loro::import(std::slice::from_ref(&peers.loro.snapshot))?)),
    ("yrs, one update", |peers| yrs::import(std::slice::from_ref(&peers.yrs.whole))?.read()),
    ("automerge, load, autosurgeon", |peers| automerge::notes(&automerge::load(&peers.automerge.saved)?)),
];

impl Histories {
    pub(crate) fn new(workload: &Workload) -> Result<Self> {
        eprintln!("making the CRDTs' histories of them");
        Ok(Self {
            loro: loro::history(workload)?,
            yrs: yrs::history(workload)?,
            automerge: automerge::history(workload)?,
        })
    }

    pub(crate) fn form(&self, form: Form) -> Option<&[Vec<u8>]> {
        let one = std::slice::from_ref::<Vec<u8>>;
        Some(match form {
            Form::LoroWhole => one(&self.loro.whole),
            Form::LoroSessions => &self.loro.sessions,
            Form::YrsWhole => one(&self.yrs.whole),
            Form::YrsSessions => &self.yrs.sessions,
            Form::AutomergeChanges => &self.automerge.changes,
            Form::AutomergeSaved => one(&self.automerge.saved),
            _ => return None,
        })
    }

    /// What holds the whole history, by name, with what there is to say about it.
    pub(crate) fn stored(&self) -> [(&'static str, &[u8], &'static str); 6] {
        let overwritten = "without what was overwritten";
        [
            ("loro updates", &self.loro.whole, ""),
            ("loro updates, zstd", &self.loro.whole, ""),
            ("loro snapshot", &self.loro.snapshot, "with the state"),
            ("yrs update", &self.yrs.whole, overwritten),
            ("yrs update, zstd", &self.yrs.whole, overwritten),
            ("automerge save", &self.automerge.saved, ""),
        ]
    }

    /// Single edits, each appended to a file.
    pub(crate) fn edits(
        &self,
        table: &mut Table,
        workload: &Workload,
        log: &mut Log,
        steps: usize,
        action: &dyn Fn(usize) -> Action,
    ) -> Result<()> {
        let doc = loro::import(std::slice::from_ref(&self.loro.whole))?;
        table.push(Row::new(
            Who::Peer,
            "loro, append",
            each(0..steps, |step| {
                let before = doc.oplog_vv();
                loro::write(&doc, workload, &action(step))?;
                log.append(&loro::updates(&doc, &before)?)
            })?,
        ));
        let peer = yrs::import(std::slice::from_ref(&self.yrs.whole))?;
        table.push(Row::new(
            Who::Peer,
            "yrs, append",
            each(0..steps, |step| {
                let before = peer.state();
                peer.write(workload, &action(step))?;
                log.append(&peer.updates(&before))
            })?,
        ));
        let mut doc = automerge::load(&self.automerge.saved)?;
        table.push(Row::new(
            Who::Peer,
            "automerge, append",
            each(0..steps, |step| {
                automerge::write(&mut doc, workload, &action(step))?;
                log.append(doc.get_last_local_change().ok_or("automerge wrote nothing")?.raw_bytes())
            })?,
        ));
        Ok(())
    }
}

/// Peers that keep their state in memory: an append makes it durable.
pub(crate) fn more(table: &mut Table, workload: &Workload, history: usize, size: usize, dir: &Path) -> Result<()> {
    let mut log = Log::create(&dir.join("crdts"))?;
    // They take whole sessions: their times are those of a hundred actions.
    let ends: Vec<usize> = {
        let sessions = workload.sessions();
        let lengths = sessions.iter().flatten().map(|session| session.len());
        lengths
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect()
    };
    let first = ends.partition_point(|end| *end <= history);
    let scaled = |samples: Vec<f64>| -> Vec<f64> {
        let lengths = (first..ends.len()).map(|at| ends[at] - ends[at - 1]);
        samples.into_iter().zip(lengths).map(|(sample, length)| sample * size as f64 / length as f64).collect()
    };
    let note = "whole sessions, their time for a hundred actions";
    let made = loro::history(workload)?.sessions;
    let doc = loro::import(&made[..first])?;
    let samples = each(&made[first..], |update| {
        log.append(update)?;
        doc.import(update)?;
        Ok(())
    })?;
    table.push(Row::new(Who::Peer, "loro, append", scaled(samples)).noted(note));
    let made = yrs::history(workload)?.sessions;
    let peer = yrs::import(&made[..first])?;
    let samples = each(&made[first..], |update| {
        log.append(update)?;
        peer.apply(update)
    })?;
    table.push(Row::new(Who::Peer, "yrs, append", scaled(samples)).noted(note));
    let made = automerge::history(workload)?;
    let mut doc = automerge::decode(&made.changes[..made.ends[first - 1]])?;
    let samples = each(first..ends.len(), |at| {
        let changes = &made.changes[made.ends[at - 1]..made.ends[at]];
        log.append(&changes.concat())?;
        automerge::more(&mut doc, changes)
    })?;
    table.push(Row::new(Who::Peer, "automerge, append", scaled(samples)).noted(note));
    Ok(())
}

impl Outcome for ::loro::LoroDoc {
    fn notes(&self) -> Result<Notes> {
        loro::notes(self)
    }
}

impl Outcome for yrs::Peer {
    fn notes(&self) -> Result<Notes> {
        self.read()
    }
}

impl Outcome for ::automerge::AutoCommit {
    fn notes(&self) -> Result<Notes> {
        automerge::notes(self)
    }
}
