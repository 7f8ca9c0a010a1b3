//! The demo's people: a device each, and what they do with it.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use sync_core::replica::{Contender, RawConflict};
use sync_http::HttpTransport;

use super::stage::Stage;
use crate::cli::Place;
use crate::device::{Device, note_key, short};
use crate::failure::Failure;
use crate::json::{NoteJson, TombstoneJson};
use crate::list::{Item, items};
use crate::note::{Note, NoteId};
use crate::paint::{dim, good, mark, name};
use crate::sync::once;
use crate::text::{count, fit};

/// Somebody with a device.
pub(super) struct Person {
    name: &'static str,
    device: Device,
    transport: HttpTransport,
}

impl Person {
    pub(super) fn join(name: &'static str, folder: &Path, hub: &str) -> Result<Self, Failure> {
        let place = Place {
            db: Some(folder.join(name).with_extension("redb")),
            server: None,
            space: None,
            token: None,
            device: Some(name.to_owned()),
        };
        let device = Device::open(&place)?;
        // A hub that is away is away on purpose here: there is no use in asking it for long.
        let (first, most) = (Duration::from_millis(5), Duration::from_millis(20));
        let transport = HttpTransport::builder(hub).retries(1).backoff(first, most).build()?;
        Ok(Self { name, device, transport })
    }

    pub(super) fn writes(
        &self,
        stage: &mut Stage<'_>,
        title: &str,
        body: Option<&str>,
        tag: &str,
    ) -> Result<NoteId, Failure> {
        let replica = &self.device.replica;
        let new = Note::new(replica.new_text_id(), title);
        let tags = BTreeSet::from([tag.to_owned()]);
        let id = replica.create(Note { body: body.map(str::to_owned), tags, ..new })?.wait()?;
        let body = body.map_or_else(String::new, |body| format!(": {body}"));
        stage.act(self.name, format_args!("writes “{title}”  #{tag}{body}"))?;
        Ok(id)
    }

    pub(super) fn edits(
        &self,
        stage: &mut Stage<'_>,
        id: &NoteId,
        what: &str,
        edit: impl FnOnce(&mut Note),
    ) -> Result<(), Failure> {
        // People take longer between two edits than clocks can tell apart.
        std::thread::sleep(Duration::from_millis(2));
        self.device.replica.edit(id, edit)?.wait()?;
        stage.act(self.name, what)
    }

    pub(super) fn deletes(&self, stage: &mut Stage<'_>, id: &NoteId, title: &str) -> Result<(), Failure> {
        self.device.replica.delete(id)?.wait()?;
        stage.act(self.name, format_args!("deletes “{title}”"))
    }

    pub(super) fn takes(
        &self,
        stage: &mut Stage<'_>,
        conflict: &RawConflict,
        field: &str,
        outcome: impl Display,
    ) -> Result<(), Failure> {
        self.device.replica.take(conflict, 0)?.wait()?;
        let command = format!("notes resolve {} {field} --take 1", short(&conflict.key.id));
        stage.act(self.name, dim(command))?;
        stage.act("   ", outcome)
    }

    pub(super) fn syncs(&self, stage: &mut Stage<'_>) -> Result<(), Failure> {
        match stage.runtime.block_on(once(&self.device, &self.transport)) {
            Ok(report) => {
                let (up, down) = (report.uploaded, report.downloaded);
                stage.act(self.name, format_args!("{}  ↑ {up}  ↓ {down}", good("synced")))
            }
            Err(Failure::Offline { pending, .. }) => {
                let kept = format!("{} kept", count(pending, "change"));
                stage.act(self.name, format_args!("{}: {kept}, on the disk and visible", mark("offline")))
            }
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn note(&self, id: &NoteId) -> Result<Note, Failure> {
        let note = self.device.replica.get(id)?;
        note.ok_or_else(|| Failure::own("not_found", format!("{} has no note {id}", self.name)))
    }

    pub(super) fn conflict(&self, id: &NoteId, field: &str) -> Result<RawConflict, Failure> {
        let conflicts = self.device.replica.raw_conflicts(Some("note"))?;
        let found = conflicts.into_iter().find(|conflict| conflict.key == note_key(id) && conflict.field == field);
        found.ok_or_else(|| Failure::own("no_conflict", format!("{} sees no conflict in {field}", self.name)))
    }

    pub(super) fn loser<'c>(&self, conflict: &'c RawConflict) -> Result<&'c Contender, Failure> {
        let missing = || Failure::own("no_conflict", format!("nothing lost in {}", conflict.field));
        conflict.losers.first().ok_or_else(missing)
    }

    /// What `list --json --deleted` would write.
    pub(super) fn list(&self) -> Result<String, Failure> {
        let mut list = Vec::new();
        for item in items(&self.device) {
            let json = match item? {
                Item::Note(dated) => serde_json::to_string(&NoteJson::new(&dated.note, dated.updated_at)),
                Item::Deleted(raw) => serde_json::to_string(&TombstoneJson::new(&raw.key.id, raw.updated_at)),
            };
            list.push(json.map_err(|error| Failure::own("unwritable", error.to_string()))?);
        }
        Ok(list.join("\n"))
    }

    /// Shows the notes, a line each, by their titles: ids of one millisecond stand in a random order.
    pub(super) fn shows(&self, stage: &mut Stage<'_>) -> Result<(), Failure> {
        let mut notes = Vec::new();
        for item in items(&self.device) {
            if let Item::Note(dated) = item? {
                notes.push(dated.note);
            }
        }
        notes.sort_by(|a, b| a.title.cmp(&b.title));
        let mut who = self.name;
        for Note { title, body, tags, views, .. } in notes {
            let tags: Vec<String> = tags.iter().map(|tag| format!("#{tag}")).collect();
            let (title, tags) = (fit(&title, 14), fit(&tags.join(" "), 16));
            let views = format!("{}  ", count(views.unsigned_abs(), "view"));
            let body = body.unwrap_or_default();
            stage.say(format_args!("   {}  {title}  {}  {views}{body}", name(fit(who, 3)), dim(tags)))?;
            who = "";
        }
        Ok(())
    }
}
