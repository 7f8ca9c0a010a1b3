//! The command line.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand};

/// Notes that work offline and sync.
///
/// Every command writes to the file on this device, online or not; `notes sync` exchanges what was written with a
/// hub, and `notes serve` is one. Try `notes demo` first: it needs nothing.
#[derive(Parser, Debug)]
#[command(name = "notes", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
An ID may be given by its last letters (six or more) where it was not chosen.
Exit codes: 0 done, 1 failed, 2 usage, 3 offline with pending work kept.";

/// Whose notes, and where they go.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The file [env: NOTES_DB] [default: notes.redb, for serve hub.redb]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// The hub's address, http://HOST:PORT
    #[arg(long, global = true, value_name = "URL", env = "NOTES_SERVER")]
    pub(crate) server: Option<String>,
    /// A space of the file and of the hub beside the default one
    #[arg(long, global = true, value_name = "S", value_parser = space)]
    pub(crate) space: Option<String>,
    /// What says to the hub who this is; for serve: what everyone has to say
    #[arg(long, global = true, value_name = "T", env = "NOTES_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// What others see as the author; taken when the file is made [env: NOTES_DEVICE]
    #[arg(long, global = true, value_name = "NAME", value_parser = device)]
    pub(crate) device: Option<String>,
}

/// What is to be done.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Write a new note and print its id
    Add(Add),
    /// Change a note
    Edit(Edit),
    /// Delete a note; it can be restored
    Rm {
        /// Which note
        id: String,
    },
    /// Bring a deleted note back
    Restore {
        /// Which note
        id: String,
    },
    /// Show a note
    Show(Show),
    /// List the notes
    List {
        /// As a JSON array, in the order of the ids
        #[arg(long)]
        json: bool,
        /// Deleted ones too
        #[arg(long)]
        deleted: bool,
    },
    /// Exchange changes with the hub
    Sync {
        /// Go on whenever something changes here or there, until Ctrl-C
        #[arg(long)]
        watch: bool,
        /// Take the hub's state over, where it and this device cannot agree; what only this device has is set aside
        #[arg(long, conflicts_with = "watch")]
        adopt: bool,
        /// What was done, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what is pending, what was refused, and where this device stands
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// List what lost to a writer who had not seen it
    Conflicts {
        /// As a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Settle a conflict: with what shows, or with what lost
    Resolve {
        /// Which note
        id: String,
        /// Which field
        field: String,
        /// Take what is listed under this number instead of what shows (0)
        #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
        take: usize,
    },
    /// List what the hub refused, write it anew, or let it go
    Refused {
        /// As a JSON array
        #[arg(long)]
        json: bool,
        /// Write the change of this number anew, over what shows now
        #[arg(long, value_name = "N", conflicts_with = "json")]
        resubmit: Option<u64>,
        /// The title to write instead of the one that was refused
        #[arg(long, value_name = "T", requires = "resubmit", allow_hyphen_values = true)]
        title: Option<String>,
        /// The text to write instead of the one that was refused
        #[arg(long, value_name = "B", requires = "resubmit", allow_hyphen_values = true)]
        body: Option<String>,
        /// Forget the change of this number
        #[arg(long, value_name = "N", conflicts_with_all = ["json", "resubmit"])]
        discard: Option<u64>,
    },
    /// Print the write-ahead log, one entry a line
    Log {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Check every checksum, fold all records again and compare; with --server the digest with the hub's
    Verify,
    /// Read notes from JSON lines: one that is there is changed to equal its line, one deleted restored
    ///
    /// Every line is tried before the first is written, and if one cannot be imported, none is. Each note is then a
    /// change of its own: if the writing is interrupted, the notes before are imported, and importing the file again
    /// does the rest.
    Import {
        /// The file, or - for standard input
        #[arg(required_unless_present = "snapshot")]
        file: Option<PathBuf>,
        /// Take over what `export --snapshot` wrote on another device; what is pending here stays
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        snapshot: Option<PathBuf>,
    },
    /// Write all notes as JSON lines
    Export {
        /// The file [default: standard output]
        file: Option<PathBuf>,
        /// Write all that the hub has accepted, deletes and conflicts too, for a backup or another device
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        snapshot: Option<PathBuf>,
    },
    /// Drop from the log what is settled, and give the space back
    Compact,
    /// Be a hub
    Serve {
        /// The address; port 0 takes a free one
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7878")]
        listen: String,
        /// A Postgres database instead of a file
        #[arg(long, value_name = "URL")]
        postgres: Option<String>,
        #[command(flatten)]
        keep: Keep,
    },
    /// See it: devices and a hub in one go, offline edits, a conflict, convergence
    Demo,
}

/// How much of its log a hub keeps beside the notes themselves. A device that is further behind takes the notes as they
/// are, and keeps what it wrote; one of the article's dialect is told that it has to begin anew (410).
#[derive(Args, Debug)]
pub(crate) struct Keep {
    /// About how many of the log's last entries are kept
    #[arg(long, value_name = "N", default_value_t = 20_000, conflicts_with = "keep_all")]
    pub(crate) keep_entries: u64,
    /// For how many days entries are kept at most [default: no limit]
    #[arg(long, value_name = "N", conflicts_with = "keep_all")]
    pub(crate) keep_days: Option<u64>,
    /// Keep the whole log
    #[arg(long)]
    pub(crate) keep_all: bool,
    /// After how many days deleted notes are gone for good, 0 for never
    #[arg(long, value_name = "N", default_value_t = 365)]
    pub(crate) purge_days: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { keep_entries: 20_000, keep_days: None, keep_all: false, purge_days: 365 }
    }
}

/// `notes add`
#[derive(Args, Debug)]
pub(crate) struct Add {
    /// The title
    pub(crate) title: String,
    /// The text
    #[arg(long, value_name = "B", allow_hyphen_values = true)]
    pub(crate) body: Option<String>,
    /// A tag; may be given several times
    #[arg(long = "tag", value_name = "T")]
    pub(crate) tags: Vec<String>,
    /// List it first
    #[arg(long)]
    pub(crate) pin: bool,
    /// The notebook to put it in, which is made if there is none of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) notebook: Option<String>,
    /// An id of your choice
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: Option<String>,
}

/// `notes edit`
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Edit {
    /// Which note
    pub(crate) id: String,
    /// Another title
    #[arg(long, value_name = "T", group = "change", allow_hyphen_values = true)]
    pub(crate) title: Option<String>,
    /// Another text
    #[arg(long, value_name = "B", group = "change", allow_hyphen_values = true)]
    pub(crate) body: Option<String>,
    /// No text any more
    #[arg(long, group = "change", conflicts_with = "body")]
    pub(crate) no_body: bool,
    /// A tag to add; may be given several times
    #[arg(long = "add-tag", value_name = "T", group = "change")]
    pub(crate) add_tags: Vec<String>,
    /// A tag to remove; may be given several times
    #[arg(long = "remove-tag", value_name = "T", group = "change")]
    pub(crate) remove_tags: Vec<String>,
    /// Whether to list it first
    #[arg(long, value_name = "true|false", group = "change")]
    pub(crate) pin: Option<bool>,
    /// The notebook to put it in, which is made if there is none of this name
    #[arg(long, value_name = "NAME", group = "change")]
    pub(crate) notebook: Option<String>,
    /// Out of its notebook
    #[arg(long, group = "change", conflicts_with = "notebook")]
    pub(crate) no_notebook: bool,
    /// Count a view; may be given several times
    #[arg(long, group = "change", action = clap::ArgAction::Count)]
    pub(crate) view: u8,
}

/// `notes show`
#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Which note
    pub(crate) id: String,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Who wrote each field and when, what lost, and what is pending
    #[arg(long)]
    pub(crate) why: bool,
}

impl Command {
    /// Whether failures are told as JSON.
    pub(crate) fn is_json(&self) -> bool {
        match self {
            Self::Show(Show { json, .. })
            | Self::List { json, .. }
            | Self::Sync { json, .. }
            | Self::Status { json }
            | Self::Conflicts { json }
            | Self::Refused { json, .. }
            | Self::Log { json } => *json,
            _ => false,
        }
    }
}

/// Spaces' names stand in addresses.
fn space(name: &str) -> Result<String, String> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(fine) && !name.starts_with('.');
    let message = "a space's name is of 1 to 64 letters, digits and -_.~, and begins with no dot";
    if is_name { Ok(name.to_owned()) } else { Err(message.to_owned()) }
}

pub(crate) fn device(name: &str) -> Result<String, String> {
    let is_name = (1..=64).contains(&name.len()) && !name.chars().any(char::is_control);
    let message = "a device's name has 1 to 64 bytes and no control characters";
    if is_name { Ok(name.to_owned()) } else { Err(message.to_owned()) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
