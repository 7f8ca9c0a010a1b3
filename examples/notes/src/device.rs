//! This device: its file, and the replica in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sync_core::model::record::Life;
use sync_core::{EntityKey, Id, Replica, StoreError};
use sync_http::client::HttpTransport;
use sync_redb::{RedbFile, RedbStore};

use crate::cli::{self, Place};
use crate::failure::Failure;
use crate::note::{Note, NoteId, Notebook};

/// How long another command may have the file.
const PATIENCE: Duration = Duration::from_secs(2);

/// This device's notes, open.
pub(crate) struct Device {
    pub(crate) replica: Replica,
    pub(crate) store: RedbStore,
    pub(crate) path: PathBuf,
}

impl Device {
    /// Opens the file, which is made if there is none. A file belongs to one process at a time, and a command takes
    /// a moment: so it waits for its turn, and not for long.
    pub(crate) fn open(place: &Place) -> Result<Self, Failure> {
        let name = place.device_name()?;
        let path = place.notes_file();
        let until = Instant::now() + PATIENCE;
        let mut wait = Duration::from_millis(5);
        let file = loop {
            match RedbFile::open(&path) {
                Err(StoreError::Locked { .. }) if Instant::now() < until => std::thread::sleep(wait),
                other => break other?,
            }
            wait = (wait * 2).min(Duration::from_millis(100));
        };
        let store = file.space(place.space.as_deref().unwrap_or(""))?;
        let replica = replica(store.clone(), name.as_deref())?;
        Ok(Self { replica, store, path })
    }

    /// The note that is meant: by its id, or by the end of one that nobody chose.
    pub(crate) fn note_id(&self, given: &str) -> Result<NoteId, Failure> {
        let key = EntityKey::new("note", given);
        let known = self.replica.raw().record(&key)?.life() != Life::Unborn;
        if known || !is_end_of_id(given) {
            return Ok(NoteId::new(given.to_owned()));
        }
        let notes = self.replica.raw().list(Some("note")).filter_map(Result::ok);
        let meant = |id: &str| is_random(id) && id.ends_with(given);
        let ids: Vec<String> = notes.filter(|note| meant(&note.key.id)).map(|note| note.key.id.to_string()).collect();
        match &ids[..] {
            [] => Ok(NoteId::new(given.to_owned())),
            [id] => Ok(NoteId::new(id.clone())),
            several => {
                let message = format!("{given:?} is the end of several ids, give more of it: {}", several.join(", "));
                Err(Failure::own("ambiguous", message))
            }
        }
    }
}

/// The replica in a store.
pub(crate) fn replica(store: RedbStore, device: Option<&str>) -> Result<Replica, Failure> {
    let mut builder = Replica::builder().register::<Note>().register::<Notebook>();
    if let Some(name) = device {
        builder = builder.device(name);
    }
    Ok(builder.open(store)?)
}

/// The key of a note.
pub(crate) fn note_key(id: &NoteId) -> EntityKey {
    EntityKey::new("note", id.key().as_str())
}

/// An id as lists show it: of one that nobody chose, the end.
pub(crate) fn short(id: &str) -> &str {
    if is_random(id) { &id[id.len() - 8..] } else { id }
}

/// Whether an id was made up by a replica.
fn is_random(id: &str) -> bool {
    id.len() == 36 && id.parse::<Id<Note>>().is_ok()
}

fn is_end_of_id(given: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-';
    (6..36).contains(&given.len()) && given.bytes().all(hex)
}

/// What the surroundings say, if it is not empty.
fn in_environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

impl Place {
    /// The file of the notes.
    pub(crate) fn notes_file(&self) -> PathBuf {
        let from_environment = || in_environment("NOTES_DB").map(PathBuf::from);
        self.db.clone().or_else(from_environment).unwrap_or_else(|| "notes.redb".into())
    }

    /// What others see as the author, if that is said.
    fn device_name(&self) -> Result<Option<String>, Failure> {
        let Some(name) = in_environment("NOTES_DEVICE").filter(|_| self.device.is_none()) else {
            return Ok(self.device.clone());
        };
        let named = cli::device(&name.to_string_lossy());
        named.map(Some).map_err(|wrong| Failure::usage(format!("NOTES_DEVICE: {wrong}")))
    }

    /// The file of a hub.
    pub(crate) fn hub_file(&self) -> &Path {
        self.db.as_deref().unwrap_or(Path::new("hub.redb"))
    }

    /// The way to the hub, if one is named.
    pub(crate) fn transport(&self) -> Result<Option<HttpTransport>, Failure> {
        let Some(server) = self.server.as_deref().filter(|server| !server.is_empty()) else { return Ok(None) };
        let mut builder = HttpTransport::builder(server);
        if let Some(space) = &self.space {
            builder = builder.space(space);
        }
        if let Some(token) = &self.token {
            builder = builder.token(token);
        }
        Ok(Some(builder.build()?))
    }
}
