//! Devices and hubs as processes of their own.
#![allow(dead_code)] // each test file uses its part

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

/// A command for the program under test, without what the surroundings might tell it.
pub(crate) fn notes() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_notes"));
    for name in ["NOTES_DB", "NOTES_SERVER", "NOTES_TOKEN", "NOTES_DEVICE", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// What it printed; it must have succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:#?}");
        self.out
    }

    /// What it said; it must have failed in this way, and said nothing on standard output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:#?}");
        assert_eq!(self.out, "", "{self:#?}");
        assert!(!self.err.contains("panicked"), "{self:#?}");
        self.err
    }
}

/// A device: a file, its name, and perhaps a hub.
#[derive(Clone)]
pub(crate) struct Device {
    pub(crate) file: PathBuf,
    name: String,
    server: Option<String>,
}

impl Device {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self { file: folder.join(name).with_extension("redb"), name: name.to_owned(), server: None }
    }

    pub(crate) fn of(folder: &Path, name: &str, hub: &HubProcess) -> Self {
        Self::at(folder, name, &hub.url)
    }

    pub(crate) fn at(folder: &Path, name: &str, url: &str) -> Self {
        Self { server: Some(url.to_owned()), ..Self::new(folder, name) }
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = notes();
        command.arg("--db").arg(&self.file).args(["--device", &self.name]);
        if let Some(server) = &self.server {
            command.args(["--server", server]);
        }
        command.args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().expect("the program runs"))
    }

    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.run(args).ok()
    }

    #[track_caller]
    pub(crate) fn fails(&self, code: i32, args: &[&str]) -> String {
        self.run(args).fails(code)
    }

    #[track_caller]
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let out = self.ok(args);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{args:?} printed no JSON ({error}): {out}"))
    }

    /// The code of a failure that is told as JSON.
    #[track_caller]
    pub(crate) fn failure(&self, code: i32, args: &[&str]) -> String {
        let err = self.fails(code, args);
        let json: Value = serde_json::from_str(&err).unwrap_or_else(|error| panic!("no JSON ({error}): {err}"));
        assert!(json["message"].as_str().is_some_and(|message| !message.is_empty()), "{json}");
        assert!(json["retryable"].is_boolean(), "{json}");
        json["code"].as_str().expect("a code").to_owned()
    }

    #[track_caller]
    pub(crate) fn add(&self, args: &[&str]) -> String {
        let out = self.ok(&[&["add"], args].concat());
        out.strip_suffix('\n').expect("one line").to_owned()
    }
}

/// A hub as a process of its own. Dropped, it is killed.
pub(crate) struct HubProcess {
    child: Child,
    pub(crate) url: String,
    file: PathBuf,
    token: Option<String>,
}

impl HubProcess {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_at(&folder.join("hub.redb"), "127.0.0.1:0", None)
    }

    pub(crate) fn start_with_token(folder: &Path, token: &str) -> Self {
        Self::start_at(&folder.join("hub.redb"), "127.0.0.1:0", Some(token))
    }

    fn start_at(file: &Path, address: &str, token: Option<&str>) -> Self {
        let mut command = notes();
        if let Some(token) = token {
            command.args(["--token", token]);
        }
        command.args(["serve", "--listen", address, "--db"]).arg(file);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the hub starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("its output is piped");
        BufReader::new(out).read_line(&mut line).expect("the hub speaks");
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the hub said {line:?}"));
        Self { child, url: url.to_owned(), file: file.to_owned(), token: token.map(str::to_owned) }
    }

    /// The number that the system gave it.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Kills it and starts it again where it was.
    pub(crate) fn crash(&mut self) {
        self.kill();
        self.start_again();
    }

    /// Starts it again where it was, after it was killed.
    pub(crate) fn start_again(&mut self) {
        *self = Self::start_at(&self.file, self.address(), self.token.as_deref());
    }

    /// Kills it, and starts it again without its file.
    pub(crate) fn lose_everything(&mut self) {
        self.kill();
        fs::remove_file(&self.file).expect("the file can be removed");
        self.start_again();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the hub can be killed");
        self.child.wait().expect("the hub ends");
    }

    /// Asks it to end, and says how it did.
    #[cfg(unix)]
    pub(crate) fn ask_to_end(&mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(sent.success());
        self.child.wait().expect("the hub ends").code()
    }

    /// A request in plain HTTP/1.1, as any program would send it: status and body.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).expect("the hub listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout can be set");
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: hub\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all((head + body).as_bytes()).expect("the hub reads");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).expect("the hub replies");
        let status = reply.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = reply.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.expect("a status"), body.to_owned())
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names of what is in a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
    let mut names: Vec<_> = entries.map(|entry| name(entry).into_string().expect("a name")).collect();
    names.sort();
    names
}

pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a command that reads this.
pub(crate) fn fed(mut command: Command, input: &[u8]) -> Ran {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    let mut stdin: ChildStdin = child.stdin.take().expect("its input is piped");
    // A command that fails early does not read it all.
    let _ = stdin.write_all(input);
    drop(stdin);
    Ran::of(child.wait_with_output().expect("it ends"))
}

pub(crate) fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::write(path, text).expect("the file can be written");
}
