//! The resources folder: its files as texts, read again when one of them may have changed.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use postern_link::resources::{File, is_read};

use super::Snapshots;
use crate::config::Limits;
use crate::tasks::Stop;

const DEPTH_MAX: usize = 8;
/// A file that changed so lately may change again without another time.
const TIME_GRAIN: Duration = Duration::from_secs(2);

/// A file as the folder shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stamp {
    path: PathBuf,
    modified: SystemTime,
    bytes: u64,
}

/// Watches the folder until asked to stop.
pub async fn watch(folder: PathBuf, snapshots: Snapshots, limits: Limits, mut stop: Stop) {
    let mut seen: Option<Result<Vec<Stamp>, String>> = None;
    loop {
        let look = tokio::task::spawn_blocking({
            let (folder, limits, seen) = (folder.clone(), limits.clone(), seen.clone());
            move || look(&folder, seen, &limits)
        });
        if let Ok(Some((stamps, files))) = look.await {
            seen = snapshots.offer(files).await.is_ok().then_some(stamps);
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(limits.resources_poll_ms)) => {}
            () = stop.asked() => return,
        }
    }
}

type Looked = (Result<Vec<Stamp>, String>, Result<Vec<File>, String>);

/// The files, if they may differ from what was seen. `None` also while somebody is writing them.
fn look(folder: &Path, seen: Option<Result<Vec<Stamp>, String>>, limits: &Limits) -> Option<Looked> {
    let stamps = stamps(folder, limits);
    let settled = stamps.as_ref().is_ok_and(|stamps| stamps.iter().all(is_old));
    if seen.as_ref() == Some(&stamps) && (settled || stamps.is_err()) {
        return None;
    }
    let files = stamps.clone().and_then(|stamps| read(folder, &stamps));
    let unchanged = self::stamps(folder, limits) == stamps;
    unchanged.then_some((stamps, files))
}

fn is_old(stamp: &Stamp) -> bool {
    SystemTime::now()
        .duration_since(stamp.modified)
        .is_ok_and(|age| age > TIME_GRAIN)
}

fn stamps(folder: &Path, limits: &Limits) -> Result<Vec<Stamp>, String> {
    let mut stamps = Vec::new();
    collect(folder, DEPTH_MAX, &mut stamps).map_err(|error| unreadable(folder, &error))?;
    if stamps.len() > limits.resources_files_max {
        return Err(format!(
            "`{}` holds more than {} files",
            folder.display(),
            limits.resources_files_max
        ));
    }
    let bytes: u64 = stamps.iter().map(|stamp| stamp.bytes).sum();
    if bytes > limits.resources_bytes_max {
        return Err(format!(
            "`{}` holds more than {} bytes",
            folder.display(),
            limits.resources_bytes_max
        ));
    }
    stamps.sort();
    Ok(stamps)
}

/// Hidden files are passed over: editors keep theirs so, and mounted volumes their generations.
fn collect(folder: &Path, depth: usize, stamps: &mut Vec<Stamp>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let metadata = fs::metadata(&path)?;
        if metadata.is_dir() {
            if let Some(depth) = depth.checked_sub(1) {
                collect(&path, depth, stamps)?;
            }
            continue;
        }
        if path.file_name().and_then(OsStr::to_str).is_some_and(is_read) {
            stamps.push(Stamp {
                modified: metadata.modified()?,
                bytes: metadata.len(),
                path,
            });
        }
    }
    Ok(())
}

fn read(folder: &Path, stamps: &[Stamp]) -> Result<Vec<File>, String> {
    stamps
        .iter()
        .map(|stamp| {
            let text = fs::read_to_string(&stamp.path).map_err(|error| unreadable(&stamp.path, &error))?;
            let name = stamp.path.strip_prefix(folder).unwrap_or(&stamp.path);
            let name = name
                .to_str()
                .ok_or_else(|| format!("`{}` is no UTF-8 name", name.display()))?;
            Ok(File {
                name: name.to_owned(),
                text,
            })
        })
        .collect()
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("`{}` is not there", path.display()),
        io::ErrorKind::PermissionDenied => format!("`{}` may not be read", path.display()),
        io::ErrorKind::InvalidData => format!("`{}` is not UTF-8 text", path.display()),
        _ => format!("`{}` cannot be read", path.display()),
    }
}
