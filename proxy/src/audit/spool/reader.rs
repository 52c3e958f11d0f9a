//! Reads one spool file back in bounded pieces, while its writer still adds to it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{FRAME_HEADER_BYTES, frames, read_open_intents};

/// Read at once; a longer record is read alone.
const PIECE_BYTES: usize = 64 * 1024;

/// A place in a file, with what was read ahead of it.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    file: File,
    /// The number of the record that [`Reader::next_record`] gives.
    next_number: u64,
    /// Where in the file `piece` begins.
    offset: u64,
    piece: Vec<u8>,
    /// How much of `piece` has been given.
    given: usize,
}

impl Reader {
    pub fn open(path: PathBuf, first_number: u64) -> io::Result<Reader> {
        let mut reader = Reader {
            file: File::open(&path)?,
            path,
            next_number: first_number,
            offset: 0,
            piece: Vec::new(),
            given: 0,
        };
        reader.fill()?;
        let begin = frames(&reader.piece).next();
        let begin = begin.filter(|begin| read_open_intents(begin).is_some());
        reader.given = begin.map_or(0, |begin| FRAME_HEADER_BYTES + begin.len());
        Ok(reader)
    }

    pub fn stands_at(&self, path: &Path, number: u64) -> bool {
        self.path == path && self.next_number == number
    }

    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// The next record. Call it only for a number that is written: what cannot be read then is an error.
    pub fn next_record(&mut self) -> io::Result<&[u8]> {
        let bytes = match self.ahead() {
            Some(bytes) => bytes,
            None => {
                self.fill()?;
                self.ahead().ok_or(io::ErrorKind::InvalidData)?
            }
        };
        let begin = self.given + FRAME_HEADER_BYTES;
        self.given = begin + bytes;
        self.next_number += 1;
        Ok(self.piece.get(begin..self.given).unwrap_or_default())
    }

    /// The length of the record that was read ahead, if it holds.
    fn ahead(&self) -> Option<usize> {
        let rest = self.piece.get(self.given..)?;
        frames(rest).next().map(<[u8]>::len)
    }

    /// Reads the next piece, or all of a record that is longer.
    fn fill(&mut self) -> io::Result<()> {
        self.offset += self.given as u64;
        self.given = 0;
        let mut header = [0; 4];
        self.file.read_exact_at(&mut header, self.offset)?;
        let record_bytes = usize::try_from(u32::from_le_bytes(header)).unwrap_or(usize::MAX);
        let left = self.file.metadata()?.len().saturating_sub(self.offset);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let wanted = record_bytes.saturating_add(FRAME_HEADER_BYTES).max(PIECE_BYTES);
        self.piece.clear();
        self.piece.shrink_to(PIECE_BYTES);
        self.piece.resize(wanted.min(left), 0);
        self.file.read_exact_at(&mut self.piece, self.offset)
    }
}
