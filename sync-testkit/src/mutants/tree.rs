//! The copy of the workspace in which bugs are planted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::list::Mutant;

/// What is added to the core: which bug is switched on.
const SWITCH: &str = r#"
mod planted {
    pub(crate) fn is(number: usize) -> bool {
        static WHICH: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        let which = || std::env::var("SYNC_PLANTED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        *WHICH.get_or_init(which) == number
    }
}
"#;

/// Builds the simulator with all bugs in it; the program, and the names of the bugs that no longer apply.
pub(super) fn build(mutants: &[&Mutant]) -> Result<(PathBuf, Vec<&'static str>), String> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("this is no workspace")?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let (tree, target) = (target.join("mutants/tree"), target.join("mutants/target"));
    let (files, missing) = planted(workspace, mutants).map_err(|error| error.to_string())?;
    copy(workspace, &tree, &tree, &files).map_err(|error| format!("the workspace is not copied: {error}"))?;
    eprintln!("building the simulator with {} bugs in it", mutants.len() - missing.len());
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet", "--package", "sync-testkit"]).current_dir(&tree);
    cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_PROFILE_RELEASE_LTO", "off");
    let status = cargo.env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16").status();
    match status {
        Ok(status) if status.success() => Ok((target.join("release/sync-testkit"), missing)),
        _ => Err(format!("the copy in {} does not build", tree.display())),
    }
}

/// The files of the core that bugs are planted in.
type Changed = BTreeMap<PathBuf, String>;

fn planted(workspace: &Path, mutants: &[&Mutant]) -> io::Result<(Changed, Vec<&'static str>)> {
    let source = Path::new("sync-core/src");
    let (mut files, mut missing) = (BTreeMap::new(), Vec::new());
    let library = source.join("lib.rs");
    files.insert(library.clone(), fs::read_to_string(workspace.join(library))? + SWITCH);
    for (number, mutant) in mutants.iter().enumerate() {
        let path = source.join(mutant.file);
        let text = match files.get(&path) {
            Some(text) => text.clone(),
            None => fs::read_to_string(workspace.join(&path)).unwrap_or_default(),
        };
        // What has two safeguards is broken only without both: bugs of one name are planted together.
        let number = mutants.iter().position(|other| other.name == mutant.name).unwrap_or(number);
        if text.matches(mutant.find).count() == 1 {
            files.insert(path, text.replacen(mutant.find, &super::planted(mutant, number + 1), 1));
        } else {
            missing.push(mutant.name);
        }
    }
    Ok((files, missing))
}

/// Copies what is not there yet as it should be: what did not change is not built again.
fn copy(from: &Path, to: &Path, tree: &Path, changed: &Changed) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_source = !["target", ".git"].iter().any(|other| name == *other);
        if entry.file_type()?.is_dir() {
            if is_source && !tree.starts_with(&path) {
                copy(&path, &to.join(&name), tree, changed)?;
            }
            continue;
        }
        let bytes = match changed.iter().find(|(file, _)| path.ends_with(file)) {
            Some((_, text)) => text.clone().into_bytes(),
            None => fs::read(&path)?,
        };
        let place = to.join(&name);
        if is_source && fs::read(&place).ok().as_deref() != Some(&bytes[..]) {
            fs::write(place, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::list::{ALL, CANARY};

    #[test]
    fn every_planted_bug_still_has_its_place() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
        let all: Vec<&Mutant> = std::iter::once(&CANARY).chain(ALL).collect();
        let (_, missing) = planted(workspace, &all).expect("the sources can be read");
        assert!(missing.is_empty(), "these no longer apply: {missing:?}");
    }
}
