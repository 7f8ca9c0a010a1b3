//! `custom-transport hub FILE` serves a hub on standard input and output. Without arguments: two devices sync through
//! a hub that is started as a command, as it could be over ssh.

use std::error::Error;

use custom_transport::{PipeTransport, serve};
use serde::{Deserialize, Serialize};
use sync_core::{Hub, Id, MemoryStore, Replica, Syncable};
use sync_redb::RedbStore;
use tokio::process::Command;

#[derive(Debug, Syncable, Serialize, Deserialize)]
struct Task {
    #[sync(id)]
    id: Id<Task>,
    title: String,
    done: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hub", file] => {
            let hub = Hub::builder().open(RedbStore::open(file)?)?;
            // Who may start the command is for the system, or ssh, to say.
            let principal = std::env::var("USER").unwrap_or_else(|_| "local".into());
            Ok(serve(hub, &principal, tokio::io::stdin(), tokio::io::stdout()).await?)
        }
        [] => demo().await,
        _ => Err("usage: custom-transport [hub FILE]".into()),
    }
}

#[allow(clippy::print_stdout)]
async fn demo() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    // Over ssh: Command::new("ssh").args(["host", "custom-transport", "hub", "tasks.redb"])
    let mut hub = Command::new(std::env::current_exe()?);
    let transport = PipeTransport::spawn(hub.arg("hub").arg(dir.path().join("tasks.redb")))?;
    let device = || Replica::builder().register::<Task>().open(MemoryStore::new());
    let (phone, laptop) = (device()?, device()?);
    let id = phone.create(Task { id: phone.new_id(), title: "Buy milk".into(), done: false })?.wait()?;
    phone.sync(&transport).await?;
    laptop.sync(&transport).await?;
    laptop.edit(&id, |task| task.done = true)?.wait()?;
    phone.edit(&id, |task| task.title = "Buy oat milk".into())?.wait()?;
    for replica in [&laptop, &phone, &laptop] {
        replica.sync(&transport).await?;
    }
    for (name, replica) in [("phone", &phone), ("laptop", &laptop)] {
        println!("{name}: {:?}", replica.get(&id)?);
    }
    Ok(())
}
