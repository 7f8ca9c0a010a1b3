//! A file that a command writes.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::device::Device;
use crate::failure::Failure;

/// Where a command writes to.
pub(crate) struct Target {
    name: String,
    way: Way,
}

enum Way {
    /// The file is there when it is complete, and until then what was there before.
    Replace { new: NamedTempFile, path: PathBuf },
    /// A pipe or a device takes what comes: a file in its place would not reach who reads it.
    Through(File),
    /// What standard output goes to. There may be something before it in a file, too.
    Output(File),
}

impl Target {
    /// What is at the path, or will be. The file of the notes it is never.
    pub(crate) fn at(path: &Path, device: &Device) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let way = Way::to(path, device).map_err(|error| Failure::file(&name, error))?;
        let own = || format!("{name} is the file of the notes themselves, and was left as it is: choose another");
        let way = way.ok_or_else(|| Failure::own("own_file", own()))?;
        Ok(Self { name, way })
    }

    /// What to write to.
    pub(crate) fn writer(&self) -> Result<File, Failure> {
        let file = match &self.way {
            Way::Replace { new, .. } => new.as_file(),
            Way::Through(file) | Way::Output(file) => file,
        };
        file.try_clone().map_err(|error| self.failed(error))
    }

    /// The failure of a write to it.
    pub(crate) fn failed(&self, error: io::Error) -> Failure {
        match self.way {
            Way::Output(_) => Failure::Output(error),
            Way::Replace { .. } | Way::Through(_) => Failure::file(&self.name, error),
        }
    }

    /// Whether it is standard output, so that nothing else may be written there.
    pub(crate) fn is_output(&self) -> bool {
        matches!(self.way, Way::Output(_))
    }

    /// The failure of what lacks a part, of which was told: a complete file that is there is worth more.
    pub(crate) fn lacking(&self) -> Failure {
        match self.way {
            Way::Replace { .. } => {
                let message = format!("{} was left as it was: `notes export` without a file shows the rest", self.name);
                Failure::own("unreadable", message)
            }
            Way::Through(_) | Way::Output(_) => Failure::Told,
        }
    }

    /// It is complete.
    pub(crate) fn complete(self) -> Result<(), Failure> {
        let Self { name, way } = self;
        let Way::Replace { new, path } = way else { return Ok(()) };
        let replaced = new.as_file().sync_all().and_then(|()| new.persist(path).map_err(|refused| refused.error));
        replaced.map(drop).map_err(|error| Failure::file(name, error))
    }
}

impl Way {
    /// None leads to the file of the notes.
    fn to(path: &Path, device: &Device) -> io::Result<Option<Self>> {
        // What is there is asked of the path as it is: a pipe in /dev/fd has no other.
        let there = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::replace(new_path(path)).map(Some),
            found => found?,
        };
        if is_same(path, &device.path)? {
            return Ok(None);
        }
        Ok(Some(match standard_output(&there)? {
            Some(output) => Self::Output(output),
            // The file and not a link to it.
            None if there.is_file() => Self::replace(fs::canonicalize(path)?)?,
            None => Self::Through(OpenOptions::new().write(true).open(path)?),
        }))
    }

    fn replace(path: PathBuf) -> io::Result<Self> {
        let new = new_file(folder(&path))?;
        Ok(Self::Replace { new, path })
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file comes to be that is not there: perhaps a link leads to it. (A circle of links is another error than
/// that nothing is there.)
fn new_path(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    while let Ok(link) = fs::read_link(&path) {
        path = folder(&path).join(link);
    }
    path
}

/// Whether two names are of one file: a file may have several that are no links.
#[cfg(unix)]
fn is_same(path: &Path, other: &Path) -> io::Result<bool> {
    Ok(identity(&fs::metadata(path)?) == identity(&fs::metadata(other)?))
}

#[cfg(not(unix))]
fn is_same(path: &Path, other: &Path) -> io::Result<bool> {
    Ok(fs::canonicalize(path)? == fs::canonicalize(other)?)
}

#[cfg(unix)]
fn identity(file: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

/// Standard output, if this is what is there, as `/dev/stdout` has it.
#[cfg(unix)]
fn standard_output(there: &fs::Metadata) -> io::Result<Option<File>> {
    use std::os::fd::AsFd;
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok((identity(there) == identity(&output.metadata()?)).then_some(output))
}

#[cfg(not(unix))]
fn standard_output(_: &fs::Metadata) -> io::Result<Option<File>> {
    Ok(None)
}

/// A file that others may read as far as they may what this user makes.
fn new_file(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
