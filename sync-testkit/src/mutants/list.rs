//! The planted bugs: each a line of the core that is replaced, and what the replacement breaks. Those of one name are
//! planted together. What breaks in so few histories that thousands do not show it has tests of its own
//! (`sync-core/tests/replica_sync.rs`, `hub/between.rs`). What only leads to a refusal where something could have gone on is not among
//! them: it loses nothing.

/// A bug that can be planted.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// Where in `sync-core/src`.
    pub(crate) file: &'static str,
    /// What is replaced; it has to be there exactly once.
    pub(crate) find: &'static str,
    /// By what; `PLANTED` is true where this bug is the one that is tried.
    pub(crate) put: &'static str,
}

const fn mutant(name: &'static str, file: &'static str, find: &'static str, put: &'static str) -> Mutant {
    Mutant { name, file, find, put }
}

/// If this one is not found at once, the harness is broken and finds nothing.
pub(crate) const CANARY: Mutant = mutant(
    "the canary: every addition counts twice",
    "model/fold.rs",
    ".add(entry.dot(), of, *delta, knowledge);",
    ".add(entry.dot(), of, if PLANTED { delta.wrapping_mul(2) } else { *delta }, knowledge);",
);

/// The planted bugs, by where they are.
pub(crate) const ALL: &[Mutant] = &[
    // The model: dots, registers, lifecycles, purges, joins.
    mutant(
        "a restore replaces no delete",
        "model/fold.rs",
        "self.lifecycle.retain(|l| !dots",
        "self.lifecycle.retain(|l| PLANTED || !dots",
    ),
    mutant(
        "a removal takes concurrent insertions along",
        "model/fold.rs",
        "insertions.retain(|(origin, _)| !dots",
        "insertions.retain(|(origin, _)| !PLANTED && !dots",
    ),
    mutant(
        "a purge leaves what stood on it",
        "model/fold.rs",
        "register.retain(|_, of| stands(of));",
        "register.retain(|_, of| PLANTED || stands(of));",
    ),
    mutant(
        "updates leave no stamp on creates",
        "model/fold.rs",
        "if of.contains(&create.dot) && create.updated",
        "if !PLANTED && of.contains(&create.dot) && create.updated",
    ),
    mutant(
        "an assignment over several siblings replaces none",
        "model/fold.rs",
        "siblings.retain(|sibling| !dots",
        "siblings.retain(|sibling| (PLANTED && dots.len() > 1) || !dots",
    ),
    mutant(
        "any create beats an update",
        "model/register.rs",
        "            .cmp(&a.is_create())\n",
        "            .cmp(&(!PLANTED && a.is_create()))\n",
    ),
    mutant(
        "of two creates the later one counts",
        "model/register.rs",
        "if a.is_create() || *family == Family::First { stamps().reverse() }",
        "if !PLANTED && (a.is_create() || *family == Family::First) { stamps().reverse() }",
    ),
    mutant(
        "one update revives through every sort of delete",
        "model/record.rs",
        "let forgiving = self",
        "let forgiving = PLANTED || self",
    ),
    mutant(
        "of two deletes one is enough to be outlived",
        "model/record.rs",
        "deletes().all(|delete| *stamp",
        "(PLANTED && deletes().any(|delete| *stamp > delete.stamp())) || deletes().all(|delete| *stamp",
    ),
    mutant(
        "equal times of one device fall anywhere",
        "model/stamp.rs",
        "    (time, client.is_local(), client, n)",
        "    (time, client.is_local(), client, if PLANTED { !n } else { n })",
    ),
    mutant(
        "a join brings back what was replaced",
        "model/register.rs",
        "has(theirs, item) || !they.knows(dot(item))",
        "PLANTED || has(theirs, item) || !they.knows(dot(item))",
    ),
    // Clocks.
    mutant(
        "the clock does not learn from pages",
        "clock.rs",
        "        self.foreign = self.foreign.max(time);",
        "        self.foreign = if PLANTED { self.foreign } else { self.foreign.max(time) };",
    ),
    mutant(
        "the clock does not learn from snapshots",
        "replica/state.rs",
        "                self.clock.see(*latest);",
        "                if !PLANTED {\n                    self.clock.see(*latest);\n                }",
    ),
    mutant(
        "the wall clock is the clock",
        "clock.rs",
        "        self.own = wall.max(self.own).max(self.foreign.saturating_add(1));",
        "        self.own = if PLANTED { wall } else { wall.max(self.own).max(self.foreign.saturating_add(1)) };",
    ),
    mutant(
        "entries that were offered are stamped anew",
        "replica/upload.rs",
        "            if !pending.is_open() {\n                floor",
        "            if !PLANTED && !pending.is_open() {\n                floor",
    ),
    mutant("any time is admitted", "hub/draft.rs", "        time > wall.max(", "        !PLANTED && time > wall.max("),
    // The hub: admission, dedupe, verdicts.
    mutant(
        "a push may skip numbers",
        "hub/lane.rs",
        "            if slot.n > next {",
        "            if !PLANTED && slot.n > next {",
    ),
    mutant(
        "the same number is the same entry, whatever is in it",
        "hub/lane.rs",
        "Some(place) if place.hash == hash",
        "Some(place) if PLANTED || place.hash == hash",
    ),
    mutant(
        "a push may name what nobody knows",
        "hub/lane.rs",
        "&& !own(dot)) {\n            None",
        "&& !own(dot) && !PLANTED) {\n            None",
    ),
    mutant(
        "intents are not looked up",
        "hub/draft.rs",
        "let intent = intent?;",
        "let intent = intent.filter(|_| !PLANTED)?;",
    ),
    mutant(
        "late attempts are decided",
        "hub/admit.rs",
        "Some(attempt) if attempt < standing.attempt",
        "Some(attempt) if !PLANTED && attempt < standing.attempt",
    ),
    mutant(
        "one attempt is decided twice",
        "hub/admit.rs",
        "    attempt.is_some_and(|attempt| attempt > 0 &&",
        "    !PLANTED && attempt.is_some_and(|attempt| attempt > 0 &&",
    ),
    mutant(
        "a refusal leaves no trace in the log",
        "hub/push.rs",
        "(refused && !attempts.is_empty())",
        "(!PLANTED && refused && !attempts.is_empty())",
    ),
    mutant(
        "behind a refused entry others are accepted",
        "hub/admit.rs",
        "            (refuse(slots, faults.collect()), Course::Blocked)",
        "            (refuse(slots, faults.collect()), if PLANTED { Course::Open } else { Course::Blocked })",
    ),
    mutant(
        "anybody may push under any client id",
        "hub/admit.rs",
        "is_some_and(|owner| owner != draft.rules.principal)",
        "is_some_and(|owner| !PLANTED && owner != draft.rules.principal)",
    ),
    mutant(
        "a part of a transaction is accepted",
        "hub/lane.rs",
        "        numbers.first() == Some(&group.first) &&",
        "        PLANTED || numbers.first() == Some(&group.first) &&",
    ),
    mutant(
        "what is gone is written to",
        "hub/draft.rs",
        "if entry.action != Action::Create && !stands",
        "if !PLANTED && entry.action != Action::Create && !stands",
    ),
    mutant(
        "a foreign id is not remembered",
        "hub/foreign.rs",
        "        let verdict = match known.or_else(",
        "        let verdict = match known.filter(|_| !PLANTED).or_else(",
    ),
    mutant(
        "accepted before it is durable",
        "hub/push.rs",
        "match self.wait(pending.restarts, pending.position) {",
        "match if PLANTED { Ok(()) } else { self.wait(pending.restarts, pending.position) } {",
    ),
    mutant(
        "a hub does not notice that another one appended",
        "hub/load.rs",
        "        if !moved && !folded_elsewhere && heads.last <= state.position {",
        "        if PLANTED || (!moved && !folded_elsewhere && heads.last <= state.position) {",
    ),
    mutant(
        "an entity is purged with what somebody has to decide",
        "hub/purge.rs",
        "&& record.hidden_writes().is_empty()",
        "&& (PLANTED || record.hidden_writes().is_empty())",
    ),
    // The hub: pages, checkpoints, compaction, joins.
    mutant(
        "a page splits a transaction",
        "hub/pull.rs",
        "        over && !within",
        "        over && (PLANTED || !within)",
    ),
    mutant(
        "a page leaves out what the reader has not",
        "hub/pull.rs",
        "have.client == dot.client && dot.n <= have.n",
        "have.client == dot.client && dot.n <= have.n + u64::from(PLANTED)",
    ),
    mutant(
        "every cursor is on the chain",
        "hub/hello.rs",
        "Ok(here.is_some_and(|here| here.digest == cursor.digest))",
        "Ok(PLANTED || here.is_some_and(|here| here.digest == cursor.digest))",
    ),
    mutant(
        "a hub put back takes itself for the one it was",
        "transport/epochs.rs",
        "cursor.epoch == Epoch::default() || end.epoch",
        "PLANTED || cursor.epoch == Epoch::default() || end.epoch",
    ),
    mutant(
        "a reader is served from behind the log's beginning",
        "hub/pull.rs",
        "|(seq, _)| seq) + 1)",
        "|(seq, _)| seq) + u64::from(!PLANTED))",
    ),
    mutant(
        "a checkpoint forgets the clients",
        "hub/checkpoint.rs",
        "        puts.extend(snapped.clients.iter().cloned());",
        "        puts.extend(snapped.clients.iter().filter(|_| !PLANTED).cloned());",
    ),
    mutant(
        "another history is taken for the same",
        "hub/join.rs",
        "if here.is_some_and(|here| here != *digest) {",
        "if !PLANTED && here.is_some_and(|here| here != *digest) {",
    ),
    mutant(
        "another history is taken for the same",
        "hub/join.rs",
        "unproven.first_key_value() {",
        "unproven.first_key_value().filter(|_| !PLANTED) {",
    ),
    // The replica: offers, verdicts, names, forks.
    mutant(
        "offered before it is durable",
        "replica/upload.rs",
        "if let Some(position) = offered {",
        "if let Some(position) = offered.filter(|_| !PLANTED) {",
    ),
    mutant(
        "what was made ready goes up although something before it was refused",
        "replica/upload.rs",
        "next.filter(|_| !ahead.is_doubtful)",
        "next.filter(|_| PLANTED || !ahead.is_doubtful)",
    ),
    mutant(
        "what is on its way is not called by its number",
        "replica/offer.rs",
        ".or_else(offered)",
        ".or_else(|| offered().filter(|_| !PLANTED))",
    ),
    mutant(
        "an entry takes another number when it is offered again",
        "replica/offer.rs",
        "let n = pending.offered.unwrap_or(n);",
        "let n = pending.offered.filter(|_| !PLANTED).unwrap_or(n) + u64::from(PLANTED && pending.offered.is_some());",
    ),
    mutant(
        "what named a refused entry goes on naming it",
        "replica/names.rs",
        "        self.rename_refused(local, &entry, namers);",
        "        if !PLANTED {\n            self.rename_refused(local, &entry, namers);\n        }",
    ),
    mutant(
        "a refused entry is forgotten",
        "replica/names.rs",
        "self.aside.insert(local, Aside",
        "self.aside.insert(if PLANTED { 1 } else { local }, Aside",
    ),
    mutant(
        "what came down twice counts twice",
        "replica/state.rs",
        "        if self.vector.covers(entry.dot()) {\n            return;",
        "        if !PLANTED && self.vector.covers(entry.dot()) {\n            return;",
    ),
    mutant(
        "a copy does not see that it is one",
        "replica/download.rs",
        "if self.with_names_of_numbers(own).hash() != *hash {",
        "if !PLANTED && self.with_names_of_numbers(own).hash() != *hash {",
    ),
    mutant(
        "a copy does not see that it is one",
        "replica/cycle.rs",
        "        if known > issued {",
        "        if !PLANTED && known > issued {",
    ),
    mutant(
        "the cursor runs ahead of its page",
        "replica/state.rs",
        "                self.hear_of(*cursor);\n            }\n            Row::Clock",
        "                self.hear_of(*cursor);\n                self.cursor.seq += u64::from(PLANTED && entries.len() > 2);\n            }\n            Row::Clock",
    ),
    mutant(
        "whoever reads before a checkpoint is told of counts what is in it twice",
        "replica/checkpoint.rs",
        "if written.is_seen_at(covers) {\n            state",
        "if written.is_seen_at(covers) && (has_failed || !PLANTED) {\n            state",
    ),
    mutant(
        "a checkpoint runs ahead of the journal",
        "replica/checkpoint.rs",
        "        self.inner.journal.wait(written.mark.position)?;",
        "        if !PLANTED {\n            self.inner.journal.wait(written.mark.position)?;\n        }",
    ),
    mutant(
        "compaction drops what is pending",
        "replica/checkpoint.rs",
        "false => checkpoint.puts.push(block.row()),",
        "false => checkpoint.puts.extend((!PLANTED).then(|| block.row())),",
    ),
    mutant(
        "what was decided stays in its block",
        "replica/pending.rs",
        "if self.block_of(local).is_some() {",
        "if !PLANTED && self.block_of(local).is_some() {",
    ),
    mutant(
        "compaction drops what was set aside",
        "replica/checkpoint.rs",
        "checkpoint.puts.extend(self.aside.iter().map(|(local, aside)| meta::aside_row(*local, aside)));",
        "checkpoint.puts.extend(self.aside.iter().filter(|_| !PLANTED).map(|(local, aside)| meta::aside_row(*local, aside)));",
    ),
    mutant(
        "after a failed append more is appended",
        "journal.rs",
        "                Err(error) => queue.failed = Some(Arc::new(error)),",
        "                Err(_) if PLANTED => queue.durable += commits.len() as u64,\n                Err(error) => queue.failed = Some(Arc::new(error)),",
    ),
    // The replica: bootstrap, hub loss.
    mutant(
        "taking over the hub's state lists nothing",
        "replica/adopt.rs",
        "if other.is_some() {\n            kept",
        "if !PLANTED && other.is_some() {\n            kept",
    ),
    mutant(
        "a copy's pending entries are offered after a bootstrap",
        "replica/adopt.rs",
        "if goes_on { before_copy } else { u64::MAX }",
        "if PLANTED { 0 } else if goes_on { before_copy } else { u64::MAX }",
    ),
    mutant(
        "another history is taken for the same",
        "replica/chain.rs",
        "if ours.n > 0 && digest != Some(ours.digest) {",
        "if !PLANTED && ours.n > 0 && digest != Some(ours.digest) {",
    ),
    // The replica: wipes, and snapshots as files.
    mutant(
        "wiped: a sync goes on all the same",
        "replica/session.rs",
        "if state.wipes == self.wipes {",
        "if PLANTED || state.wipes == self.wipes {",
    ),
    mutant(
        "wiped: what was pending stays in the map",
        "replica/wipe.rs",
        "for prefix in meta::WIPED {",
        "for prefix in meta::WIPED.into_iter().filter(|_| !PLANTED) {",
    ),
    mutant(
        "wiped: what was never accepted is not spared",
        "replica/wipe.rs",
        "if entries > 0 && !even_unsynced {",
        "if !PLANTED && entries > 0 && !even_unsynced {",
    ),
    mutant(
        "a file that is older than what is here is taken in",
        "replica/portable.rs",
        "match state.check_contained(&vector) {",
        "match if PLANTED { Ok(()) } else { state.check_contained(&vector) } {",
    ),
    mutant(
        "a file that is older than what is here is taken in",
        "replica/adopt.rs",
        "            if other.is_none() {\n                self.state().check_contained",
        "            if !PLANTED && other.is_none() {\n                self.state().check_contained",
    ),
    // Writing: the article's own faults.
    mutant(
        "saving writes the whole entity over what came meanwhile",
        "change.rs",
        "both.filter(|changed| changed.was != changed.is)",
        "both.filter(|changed| PLANTED || changed.was != changed.is)",
    ),
    mutant(
        "an assignment replaces nothing",
        "change.rs",
        "        if !dots.is_empty() {\n            self.replaces.push",
        "        if !PLANTED && !dots.is_empty() {\n            self.replaces.push",
    ),
    mutant(
        "a delete sees nothing",
        "replica/transaction.rs",
        "            entry.saw = record.field_dots();",
        "            entry.saw = if PLANTED { Vec::new() } else { record.field_dots() };",
    ),
    mutant(
        "a write that changes nothing is acknowledged at once",
        "replica/write.rs",
        "None => self.inner.journal.last(),",
        "None => if PLANTED { 0 } else { self.inner.journal.last() },",
    ),
    // Choices from old lists, and what is written anew.
    mutant(
        "a choice from an old list replaces nothing",
        "replica/conflict.rs",
        "let is_seen = |sibling: &&Sibling| is_listed(sibling)",
        "let is_seen = |sibling: &&Sibling| !PLANTED && is_listed(sibling)",
    ),
    mutant(
        "what is written anew leaves out additions",
        "replica/aside.rs",
        "                entry.fields.retain(|(name, op)| !is_written_already",
        "                entry.fields.retain(|(name, op)| !(PLANTED && matches!(op, Op::Add(_))) && !is_written_already",
    ),
];
