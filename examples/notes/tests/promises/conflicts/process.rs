//! Devices and a hub as processes.

use std::convert::Infallible;

use serde_json::Value;

use super::super::common::{list, sync};
use super::{Change, NAMES, Party};
use crate::support::{self, HubProcess, folder};

pub(super) type Device = support::Device;

impl Party for Device {
    type Hub = (HubProcess, tempfile::TempDir);
    /// A command shows nothing for long.
    type Draft = Infallible;

    fn start() -> (Self::Hub, [Self; 3]) {
        let folder = folder();
        let hub = HubProcess::start(folder.path());
        let devices = NAMES.map(|name| Device::of(folder.path(), name, &hub));
        ((hub, folder), devices)
    }

    fn add(&self, note: &str, title: &str) {
        Device::add(self, &[title, "--id", note]);
    }

    fn write(&self, note: &str, change: Change<'_>) {
        match change {
            Change::Title(title) => self.ok(&["edit", note, "--title", title]),
            Change::Body(Some(body)) => self.ok(&["edit", note, "--body", body]),
            Change::Body(None) => self.ok(&["edit", note, "--no-body"]),
            Change::Pin(pinned) => self.ok(&["edit", note, "--pin", &pinned.to_string()]),
            Change::Delete => self.ok(&["rm", note]),
            Change::Restore => self.ok(&["restore", note]),
        };
    }

    fn open_draft(&self, _: &str) -> Option<Infallible> {
        None
    }

    fn save(&self, draft: Infallible, _: Change<'_>) {
        match draft {}
    }

    fn resolve(&self, note: &str, field: &str, take: usize) {
        self.ok(&["resolve", note, field, "--take", &take.to_string()]);
    }

    fn conflicts(&self) -> Vec<Value> {
        self.json(&["conflicts", "--json"]).as_array().unwrap().clone()
    }

    fn sync(&self) {
        sync(self);
    }

    fn tidy(&mut self) {
        self.ok(&["compact"]);
    }

    fn shown(&self) -> String {
        list(self)
    }
}
