//! A folder of workloads, targets, issuers, grants and policies, read as the control plane reads it.

use std::fs;
use std::path::{Path, PathBuf};

use postern_link::resources::{File, is_read};
use postern_link::snapshot::Snapshot;

use postern_proxy::config::DecideBy;
use postern_proxy::control::Control;

use crate::config;
use crate::trouble::{Result, Trouble};

const DEPTH_MAX: usize = 8;
const FILES_MAX: usize = 10_000;

/// Reads the folder; every mistake is told, each with its file and place.
pub fn read(folder: &Path) -> Result<Snapshot> {
    let files = files(folder)?;
    let mut snapshot = postern_link::resources::read(&files).map_err(|errors| mistakes(folder, &errors))?;
    snapshot.number = 1;
    Ok(snapshot)
}

/// What the planes of a configuration decide by: the control plane's folder, else what the gateway has heard
/// last. `None` if there is neither.
pub fn decided_by(file: &config::File) -> Result<Option<Snapshot>> {
    let folder = file
        .control
        .as_ref()
        .and_then(|control| control.resources.as_ref());
    if let Some(folder) = folder {
        return read(folder).map(Some);
    }
    let Some(proxy) = &file.proxy else {
        return Ok(None);
    };
    let DecideBy::Control(link) = &proxy.decide_by;
    let control = Control::new(link, &proxy.data, proxy.limits.snapshot_bytes_max);
    let kept = control.and_then(|control| control.kept());
    let kept =
        kept.map_err(|error| Trouble::new("what the gateway has heard last cannot be read").because(&error))?;
    Ok(kept.map(|(_, snapshot)| snapshot))
}

/// The folder's files as they are, sorted by name.
pub fn files(folder: &Path) -> Result<Vec<File>> {
    let mut paths = Vec::new();
    collect(folder, DEPTH_MAX, &mut paths)?;
    if paths.len() > FILES_MAX {
        return Err(Trouble::new(format!(
            "`{}` holds more than {FILES_MAX} files",
            folder.display()
        )));
    }
    paths.sort();
    paths.iter().map(|path| read_file(folder, path)).collect()
}

/// Many mistakes as one trouble.
pub fn mistakes(folder: &Path, errors: &[impl ToString]) -> Trouble {
    let mut trouble = Trouble::new(format!("the resources in `{}` cannot be used", folder.display()));
    trouble.causes = errors.iter().map(ToString::to_string).collect();
    trouble
}

/// Hidden files are passed over, as the control plane does.
fn collect(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<()> {
    let unreadable = |error: std::io::Error| {
        Trouble::new(format!("cannot read folder `{}`", folder.display())).because(&error)
    };
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                collect(&path, depth, paths)?;
            }
        } else if entry.file_name().to_str().is_some_and(is_read) {
            paths.push(path);
        }
    }
    Ok(())
}

fn read_file(folder: &Path, path: &Path) -> Result<File> {
    let text = fs::read_to_string(path)
        .map_err(|error| Trouble::new(format!("cannot read `{}`", path.display())).because(&error))?;
    let name = path.strip_prefix(folder).unwrap_or(path);
    let name = name
        .to_str()
        .ok_or_else(|| Trouble::new(format!("`{}` is no UTF-8 name", name.display())))?;
    Ok(File {
        name: name.to_owned(),
        text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_with_its_folders_and_without_hidden_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("policies")).unwrap();
        fs::write(folder.path().join("policies/b.cedar"), "// nothing\n").unwrap();
        fs::write(folder.path().join(".a.yaml"), "not yaml: [").unwrap();
        fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
        let snapshot = read(folder.path()).unwrap();
        let names: Vec<&str> = snapshot
            .policies
            .iter()
            .map(|policy| policy.name.as_str())
            .collect();
        assert_eq!(names, ["policies/b.cedar"]);
    }

    #[test]
    fn every_mistake_is_told() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("a.yaml"),
            "kind: Workload\nname: x\n---\nkind: Grand\n",
        )
        .unwrap();
        let trouble = read(folder.path()).unwrap_err();
        assert_eq!(trouble.causes.len(), 2, "{trouble}");
        assert!(trouble.to_string().contains("a.yaml"), "{trouble}");
    }
}
