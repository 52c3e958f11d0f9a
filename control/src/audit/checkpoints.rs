//! Where checkpoints are kept: the newest in a file of two slots, and one beside every segment that says
//! what the log was when that segment began, with the edge of the tree at that moment.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::note::{Checkpoint, NOTE_BYTES_MAX, Verifier};
use super::segment;
use super::tree::{Edge, Hash};

const SLOTS: u64 = 2;
const NEWEST: &str = "checkpoint";

/// The file of the newest checkpoint. Slots are written in turn, so that a torn write leaves the other,
/// and in place, so that a sync costs no change of the file's size.
#[derive(Debug)]
pub struct Newest {
    file: File,
    /// Invariant: not the slot of the newest checkpoint.
    next: u64,
}

impl Newest {
    /// Opens the file and reads the newest checkpoint that this key signed.
    pub fn open(folder: &Path, verifier: &Verifier) -> io::Result<(Newest, Option<Checkpoint>)> {
        let path = folder.join(NEWEST);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        // The file's name must outlive a power cut as the notes in it do.
        File::open(folder)?.sync_all()?;
        let mut newest: Option<(u64, Checkpoint)> = None;
        for (slot, note) in (0..).zip(notes(folder)?) {
            let Ok(checkpoint) = Checkpoint::open(&note, verifier) else {
                continue;
            };
            if newest
                .as_ref()
                .is_none_or(|(_, known)| known.size < checkpoint.size)
            {
                newest = Some((slot, checkpoint));
            }
        }
        let next = newest.as_ref().map_or(0, |(slot, _)| (slot + 1) % SLOTS);
        Ok((Newest { file, next }, newest.map(|(_, checkpoint)| checkpoint)))
    }

    /// Keeps a note; it is on the disk when this returns.
    pub fn keep(&mut self, note: &str) -> io::Result<()> {
        let mut slot = note.as_bytes().to_vec();
        slot.resize(NOTE_BYTES_MAX, b'\n');
        self.file.write_all_at(&slot, self.next * NOTE_BYTES_MAX as u64)?;
        self.file.sync_data()?;
        self.next = (self.next + 1) % SLOTS;
        Ok(())
    }
}

/// The notes in the file's slots as they stand, also those that nobody would believe.
pub fn notes(folder: &Path) -> io::Result<Vec<String>> {
    let bytes = match fs::read(folder.join(NEWEST)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(bytes
        .chunks(NOTE_BYTES_MAX)
        .map(|slot| {
            // A torn slot may be no text at all; an empty one is never a checkpoint.
            let text = std::str::from_utf8(slot).unwrap_or("");
            let text = text.trim_end_matches('\n');
            if text.is_empty() {
                String::new()
            } else {
                format!("{text}\n")
            }
        })
        .collect())
}

/// Keeps what the log is as a new segment begins. Both files are on the disk when this returns.
pub fn keep_beginning(folder: &Path, edge: &Edge, note: &str) -> io::Result<()> {
    let mut bytes = Vec::new();
    for level in edge.levels() {
        bytes.extend_from_slice(&(level.len() as u64).to_le_bytes());
        bytes.extend_from_slice(level.as_flattened());
    }
    write(&segment::path(folder, edge.size(), "edge"), &bytes)?;
    write(&segment::path(folder, edge.size(), "checkpoint"), note.as_bytes())?;
    File::open(folder)?.sync_all()
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The checkpoint beside the segment that begins with `first`, as it stands.
pub fn beginning_note(folder: &Path, first: u64) -> io::Result<Option<String>> {
    match fs::read_to_string(segment::path(folder, first, "checkpoint")) {
        Ok(note) => Ok(Some(note)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Some(String::new())),
        Err(error) => Err(error),
    }
}

/// The edge beside a segment, if it is whole and what the signed checkpoint beside it says.
pub fn beginning(folder: &Path, first: u64, verifier: &Verifier) -> io::Result<Option<(Edge, Checkpoint)>> {
    let Some(note) = beginning_note(folder, first)? else {
        return Ok(None);
    };
    let Ok(checkpoint) = Checkpoint::open(&note, verifier) else {
        return Ok(None);
    };
    let edge = edge(folder, first)?;
    Ok(edge
        .filter(|edge| checkpoint.size == first && edge.root() == checkpoint.root)
        .map(|edge| (edge, checkpoint)))
}

/// The edge beside a segment, if it is one of that size; nobody has vouched for it.
pub fn edge(folder: &Path, first: u64) -> io::Result<Option<Edge>> {
    let bytes = match fs::read(segment::path(folder, first, "edge")) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(levels(&bytes).and_then(|levels| Edge::from_parts(first, levels)))
}

fn levels(mut bytes: &[u8]) -> Option<Vec<Vec<Hash>>> {
    let mut levels = Vec::new();
    while let Some((count, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u64::from_le_bytes(*count))
            .ok()?
            .checked_mul(size_of::<Hash>())?;
        let (level, rest) = rest.split_at_checked(length)?;
        levels.push(level.as_chunks().0.to_vec());
        bytes = rest;
    }
    bytes.is_empty().then_some(levels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::note::Signer;
    use crate::keys::SigningKey;

    #[test]
    fn a_torn_slot_leaves_the_checkpoint_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new("log", SigningKey::open(&folder.path().join("key")).unwrap());
        let (mut newest, none) = Newest::open(folder.path(), signer.verifier()).unwrap();
        assert_eq!(none, None);
        let checkpoint = |size| Checkpoint { size, root: [3; 32] };
        for size in 1..=3 {
            newest.keep(&checkpoint(size).sign(&signer)).unwrap();
        }
        let (_, found) = Newest::open(folder.path(), signer.verifier()).unwrap();
        assert_eq!(found, Some(checkpoint(3)));
        let file = OpenOptions::new()
            .write(true)
            .open(folder.path().join(NEWEST))
            .unwrap();
        file.write_all_at(&[0xff; 40], 0).unwrap();
        let (mut newest, found) = Newest::open(folder.path(), signer.verifier()).unwrap();
        assert_eq!(found, Some(checkpoint(2)));
        newest.keep(&checkpoint(4).sign(&signer)).unwrap();
        assert_eq!(
            Newest::open(folder.path(), signer.verifier()).unwrap().1,
            Some(checkpoint(4))
        );
    }

    #[test]
    fn a_beginning_is_believed_only_as_it_was_signed() {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::new("log", SigningKey::open(&folder.path().join("key")).unwrap());
        let (mut edge, mut full) = (Edge::default(), Vec::new());
        for leaf in 0..=255 {
            edge.push([leaf; 32], &mut full);
            edge.push([leaf; 32], &mut full);
        }
        let note = Checkpoint {
            size: 512,
            root: edge.root(),
        }
        .sign(&signer);
        keep_beginning(folder.path(), &edge, &note).unwrap();
        let read = || {
            beginning(folder.path(), 512, signer.verifier())
                .unwrap()
                .map(|(edge, _)| edge)
        };
        assert_eq!(read(), Some(edge));
        let path = segment::path(folder.path(), 512, "edge");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(read(), None);
    }
}
