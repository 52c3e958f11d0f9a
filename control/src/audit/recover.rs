//! What the log is when the control plane starts: the tree, the open segment, and nothing that was
//! acknowledged missing or changed. Only bytes behind the newest checkpoint may be cut off.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoints::{self, Newest};
use super::note::{Checkpoint, Signer};
use super::segment::{self, Damage, Reader, Writer};
use super::tiles::Tiles;
use super::tree::{Edge, FullTile, Hash, leaf_hash};

/// Why the log is not written any further.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read or write the audit log in `{folder}`")]
    Unusable { folder: PathBuf, source: io::Error },
    #[error(
        "record {record} of the audit log is damaged at byte {offset} of segment {segment}, although it was \
         acknowledged: restore the segment, and run `postern audit verify`"
    )]
    Damaged { record: u64, segment: u64, offset: u64 },
    #[error(
        "the audit log has {size} records, but {acknowledged} were acknowledged: restore what is missing"
    )]
    Lost { size: u64, acknowledged: u64 },
    #[error(
        "the first {size} records of the audit log are not those that its checkpoint names: run \
         `postern audit verify`"
    )]
    Changed { size: u64 },
}

/// The log, ready to be written on.
pub struct Recovered {
    pub edge: Edge,
    pub writer: Writer,
    pub newest: Newest,
    /// The note of the whole log; kept on the disk already.
    pub note: String,
}

/// Reads the log's end, or all of it when the shortcut beside the last segment does not hold.
pub fn recover(
    folder: &Path,
    signer: &Signer,
    tiles: &Tiles,
    record_bytes_max: usize,
) -> Result<Recovered, Error> {
    let failed = |source| Error::Unusable {
        folder: folder.to_owned(),
        source,
    };
    let (newest, known) = Newest::open(folder, signer.verifier()).map_err(failed)?;
    let segments = segment::list(folder).map_err(failed)?;
    let Some(&last) = segments.last() else {
        if let Some(Checkpoint {
            size: acknowledged, ..
        }) = known.filter(|known| known.size > 0)
        {
            return Err(Error::Lost {
                size: 0,
                acknowledged,
            });
        }
        let writer = Writer::create(folder, 0).map_err(failed)?;
        return finish(Edge::default(), writer, newest, signer).map_err(failed);
    };
    let mut expected: BTreeMap<u64, Hash> = known.iter().map(|known| (known.size, known.root)).collect();
    let shortcut = checkpoints::beginning(folder, last, signer.verifier()).map_err(failed)?;
    let (mut edge, from) = match shortcut {
        Some((edge, checkpoint)) => {
            expected.insert(checkpoint.size, checkpoint.root);
            (edge, last)
        }
        None => (Edge::default(), 0),
    };
    let acknowledged = expected.last_key_value().map_or(0, |(size, _)| *size);
    let mut scan = Scan {
        folder,
        tiles,
        record_bytes_max,
        expected,
        acknowledged,
    };
    let mut bytes = segment::HEADER_BYTES;
    for &first in segments.iter().filter(|first| **first >= from) {
        if edge.size() != first {
            return Err(Error::Lost {
                size: edge.size(),
                acknowledged: first,
            });
        }
        bytes = scan.segment(first, &mut edge, first == last)?;
    }
    if edge.size() < acknowledged {
        return Err(Error::Lost {
            size: edge.size(),
            acknowledged,
        });
    }
    let writer = if bytes == 0 {
        std::fs::remove_file(segment::segment_path(folder, last)).map_err(failed)?;
        Writer::create(folder, last).map_err(failed)?
    } else {
        Writer::resume(folder, last, bytes).map_err(failed)?
    };
    finish(edge, writer, newest, signer).map_err(failed)
}

/// Signs what is there, so that it is acknowledged from now on.
fn finish(edge: Edge, writer: Writer, mut newest: Newest, signer: &Signer) -> io::Result<Recovered> {
    let note = Checkpoint {
        size: edge.size(),
        root: edge.root(),
    }
    .sign(signer);
    newest.keep(&note)?;
    Ok(Recovered {
        edge,
        writer,
        newest,
        note,
    })
}

struct Scan<'a> {
    folder: &'a Path,
    tiles: &'a Tiles,
    record_bytes_max: usize,
    /// The roots that signed checkpoints name, by size.
    expected: BTreeMap<u64, Hash>,
    acknowledged: u64,
}

impl Scan<'_> {
    /// Adds a segment's records to the tree and returns how many of its bytes are good; 0 if not even
    /// its header is, because a crash came as it was made.
    fn segment(&mut self, first: u64, edge: &mut Edge, is_last: bool) -> Result<u64, Error> {
        let failed = |source| Error::Unusable {
            folder: self.folder.to_owned(),
            source,
        };
        self.check(edge)?;
        let reader = Reader::open(self.folder, first, self.record_bytes_max).map_err(failed)?;
        let Ok(mut reader) = reader else {
            return self.torn(first, 0, edge, is_last);
        };
        let mut full = Vec::new();
        loop {
            match reader.frame().map_err(failed)? {
                None => return Ok(reader.offset()),
                Some(Ok(frame)) => edge.push(leaf_hash(&frame.record), &mut full),
                Some(Err(Damage::Header | Damage::Torn | Damage::Frame)) => {
                    return self.torn(first, reader.offset(), edge, is_last);
                }
            }
            self.check(edge)?;
            for tile in full.drain(..) {
                self.keep(&tile).map_err(failed)?;
            }
        }
    }

    fn check(&self, edge: &Edge) -> Result<(), Error> {
        match self.expected.get(&edge.size()) {
            Some(root) if *root != edge.root() => Err(Error::Changed { size: edge.size() }),
            Some(_) | None => Ok(()),
        }
    }

    fn torn(&self, segment: u64, offset: u64, edge: &Edge, is_last: bool) -> Result<u64, Error> {
        if edge.size() < self.acknowledged || !is_last {
            return Err(Error::Damaged {
                record: edge.size(),
                segment,
                offset,
            });
        }
        tracing::warn!(
            record = edge.size(),
            segment,
            offset,
            "cut off the unacknowledged end of the audit log"
        );
        Ok(offset)
    }

    fn keep(&self, tile: &FullTile) -> io::Result<()> {
        match self.tiles.on_disk(tile.id) {
            Ok(Some(known)) if *known == *tile.hashes => Ok(()),
            Ok(_) | Err(_) => self.tiles.keep(tile.id, &tile.hashes),
        }
    }
}
