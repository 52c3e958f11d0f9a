//! Segment files: records one after another, each framed by its length and a CRC-32C of both.
//!
//! A file is named by the log index of its first record and begins with a magic word and that index.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"PSTNLOG1";
pub const HEADER_BYTES: u64 = 16;
pub const FRAME_HEAD_BYTES: usize = 8;
const READ_BUFFER_BYTES: usize = 256 * 1024;
const EXTENSION: &str = "segment";

/// The name of a file that belongs to the segment whose first record has this log index.
pub fn path(folder: &Path, first: u64, extension: &str) -> PathBuf {
    folder.join(format!("{first:020}.{extension}"))
}

pub fn segment_path(folder: &Path, first: u64) -> PathBuf {
    path(folder, first, EXTENSION)
}

/// The first log index of every segment, in order.
pub fn list(folder: &Path) -> io::Result<Vec<u64>> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let first = stem.and_then(|stem| stem.parse().ok());
            let wrong = || io::Error::new(io::ErrorKind::InvalidData, "a segment is not named by a number");
            firsts.push(first.ok_or_else(wrong)?);
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Adds a record with its frame to what will be written. `None` if it is longer than a frame can say.
pub fn frame(record: &[u8], into: &mut Vec<u8>) -> Option<()> {
    let length = u32::try_from(record.len()).ok()?.to_le_bytes();
    into.extend_from_slice(&length);
    into.extend_from_slice(&checksum(&length, record).to_le_bytes());
    into.extend_from_slice(record);
    Some(())
}

fn checksum(length: &[u8; 4], record: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(length), record)
}

/// The segment that is being written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    first: u64,
    bytes: u64,
}

impl Writer {
    /// Begins a new segment, whose file must not be there yet.
    pub fn create(folder: &Path, first: u64) -> io::Result<Writer> {
        let path = segment_path(folder, first);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&MAGIC)?;
        file.write_all(&first.to_le_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(Writer {
            file,
            first,
            bytes: HEADER_BYTES,
        })
    }

    /// Goes on with a segment whose first `bytes` bytes are good; the rest is cut off.
    pub fn resume(folder: &Path, first: u64, bytes: u64) -> io::Result<Writer> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(segment_path(folder, first))?;
        let mut writer = Writer { file, first, bytes };
        writer.cut()?;
        Ok(writer)
    }

    pub fn first(&self) -> u64 {
        self.first
    }

    /// Where the next frame will stand.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Writes frames and syncs them. After an error the file must be `cut` before it is written again.
    pub fn append(&mut self, frames: &[u8]) -> io::Result<()> {
        self.file.write_all_at(frames, self.bytes)?;
        self.file.sync_data()?;
        self.bytes += frames.len() as u64;
        Ok(())
    }

    /// Removes whatever stands behind the last frame that was synced.
    pub fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.bytes)?;
        self.file.sync_all()
    }
}

/// What is wrong with a segment's bytes at some place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The file does not begin as a segment with this first index does.
    Header,
    /// The file ends inside the frame.
    Torn,
    /// The checksum is not that of the bytes, or the length is none that a record can have.
    Frame,
}

/// One record as it stands in its segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub offset: u64,
    pub record: Vec<u8>,
}

/// Reads a segment from one frame to the next.
pub struct Reader {
    file: BufReader<File>,
    bytes: u64,
    offset: u64,
    record_bytes_max: usize,
}

impl Reader {
    /// Opens a segment and checks its header.
    pub fn open(folder: &Path, first: u64, record_bytes_max: usize) -> io::Result<Result<Reader, Damage>> {
        let file = File::open(segment_path(folder, first))?;
        let bytes = file.metadata()?.len();
        let mut file = BufReader::with_capacity(READ_BUFFER_BYTES, file);
        let mut header = Vec::new();
        file.by_ref().take(HEADER_BYTES).read_to_end(&mut header)?;
        if header != [MAGIC, first.to_le_bytes()].concat() {
            return Ok(Err(Damage::Header));
        }
        Ok(Ok(Reader {
            file,
            bytes,
            offset: HEADER_BYTES,
            record_bytes_max,
        }))
    }

    /// Goes to where a frame is known to stand.
    pub fn seek(&mut self, offset: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(offset))?;
        self.offset = offset;
        Ok(())
    }

    /// Where the next frame stands, or where the file is damaged.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next record; `None` at the exact end of the file.
    pub fn frame(&mut self) -> io::Result<Option<Result<Frame, Damage>>> {
        let rest = self.bytes.saturating_sub(self.offset);
        if rest == 0 {
            return Ok(None);
        }
        if rest < FRAME_HEAD_BYTES as u64 {
            return Ok(Some(Err(Damage::Torn)));
        }
        let (mut length, mut crc) = ([0; 4], [0; 4]);
        self.file.read_exact(&mut length)?;
        self.file.read_exact(&mut crc)?;
        let record_bytes = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if record_bytes > self.record_bytes_max {
            return Ok(Some(Err(Damage::Frame)));
        }
        if record_bytes as u64 > rest - FRAME_HEAD_BYTES as u64 {
            return Ok(Some(Err(Damage::Torn)));
        }
        let mut record = vec![0; record_bytes];
        self.file.read_exact(&mut record)?;
        if checksum(&length, &record) != u32::from_le_bytes(crc) {
            return Ok(Some(Err(Damage::Frame)));
        }
        let offset = self.offset;
        self.offset += (FRAME_HEAD_BYTES + record_bytes) as u64;
        Ok(Some(Ok(Frame { offset, record })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD_BYTES_MAX: usize = 100;

    fn read(folder: &Path) -> (Vec<Vec<u8>>, Option<Damage>) {
        let mut reader = Reader::open(folder, 7, RECORD_BYTES_MAX).unwrap().unwrap();
        let mut records = Vec::new();
        while let Some(frame) = reader.frame().unwrap() {
            match frame {
                Ok(frame) => records.push(frame.record),
                Err(damage) => return (records, Some(damage)),
            }
        }
        (records, None)
    }

    fn written(folder: &Path) -> Writer {
        let mut writer = Writer::create(folder, 7).unwrap();
        let mut frames = Vec::new();
        for record in [b"one".as_slice(), b"", b"three"] {
            frame(record, &mut frames).unwrap();
        }
        writer.append(&frames).unwrap();
        writer
    }

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        assert_eq!(
            read(folder.path()),
            (vec![b"one".to_vec(), vec![], b"three".to_vec()], None)
        );
        assert_eq!(list(folder.path()).unwrap(), [7]);
    }

    #[test]
    fn every_cut_is_seen_at_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let whole = written(folder.path()).bytes();
        let ends = [27, 35, 48];
        for bytes in HEADER_BYTES..whole {
            let file = OpenOptions::new()
                .write(true)
                .open(segment_path(folder.path(), 7))
                .unwrap();
            file.set_len(bytes).unwrap();
            let (records, damage) = read(folder.path());
            assert_eq!(
                records.len(),
                ends.iter().filter(|end| **end <= bytes).count(),
                "{bytes}"
            );
            let at_an_end = bytes == HEADER_BYTES || ends.contains(&bytes);
            assert_eq!(damage, (!at_an_end).then_some(Damage::Torn), "{bytes}");
            fs::remove_file(segment_path(folder.path(), 7)).unwrap();
            written(folder.path());
        }
    }

    #[test]
    fn what_stands_behind_the_good_part_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let mut writer = Writer::resume(folder.path(), 7, 27).unwrap();
        let mut frames = Vec::new();
        frame(b"two", &mut frames).unwrap();
        writer.append(&frames).unwrap();
        assert_eq!(
            read(folder.path()),
            (vec![b"one".to_vec(), b"two".to_vec()], None)
        );
    }
}
