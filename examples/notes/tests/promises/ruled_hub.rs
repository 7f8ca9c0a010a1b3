//! A hub with a rule of its own, as a process: `notes serve` has none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sync_core::{Hub, Id, Syncable};
use sync_http::server::{HubService, ServeOptions, serve};
use sync_redb::RedbStore;
use tokio::net::TcpListener;

/// The folder of the hub that this process is to be.
const FOLDER: &str = "NOTES_TEST_RULED_HUB";
const LISTEN: &str = "NOTES_TEST_LISTEN";

#[derive(Syncable)]
struct Note {
    #[sync(id)]
    _id: Id<Note, String>,
    title: String,
}

/// No test of its own: where it is told to, it is the hub of the others, until it is killed.
#[test]
fn is_a_hub_where_it_is_told_to() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let hub = Hub::builder().default_type("note").validate_entity::<Note>(|_who, _before, after| match after {
            Some(note) if note.title.starts_with("bad") => Err("no note may be called bad".into()),
            _ => Ok(()),
        });
        let hub = hub.open(RedbStore::open(folder.join("ruled.redb")).unwrap()).unwrap();
        let listener = TcpListener::bind(std::env::var(LISTEN).unwrap()).await.unwrap();
        fs::write(folder.join("address.new"), listener.local_addr().unwrap().to_string()).unwrap();
        fs::rename(folder.join("address.new"), folder.join("address")).unwrap();
        serve(listener, HubService::for_hub(hub), std::future::pending(), ServeOptions::default()).await;
    });
}

/// The process. Dropped, it is killed.
pub(super) struct RuledHub {
    child: Child,
    folder: PathBuf,
    pub(super) address: String,
}

impl RuledHub {
    pub(super) fn start(folder: &Path) -> Self {
        Self::start_at(folder, "127.0.0.1:0")
    }

    fn start_at(folder: &Path, listen: &str) -> Self {
        let said = folder.join("address");
        let _ = fs::remove_file(&said);
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "promises::ruled_hub::is_a_hub_where_it_is_told_to"]);
        command.env(FOLDER, folder).env(LISTEN, listen).stdout(Stdio::null()).stderr(Stdio::inherit());
        let child = command.spawn().unwrap();
        let began = Instant::now();
        let address = loop {
            match fs::read_to_string(&said) {
                Ok(address) => break address,
                Err(_) => assert!(began.elapsed() < Duration::from_secs(60), "the hub does not start"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Self { child, folder: folder.to_owned(), address }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Kills it and starts it again where it was.
    pub(super) fn crash(&mut self) {
        self.kill();
        let (folder, address) = (self.folder.clone(), self.address.clone());
        *self = Self::start_at(&folder, &address);
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for RuledHub {
    fn drop(&mut self) {
        self.kill();
    }
}
