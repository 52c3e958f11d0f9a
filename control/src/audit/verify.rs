//! Proves a whole log from its files and the public key alone, and names every record that is wrong.
//!
//! Everything is computed again: checksums, numbers, hashes, tiles, and the root of every checkpoint.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern_link::record::RecordId;
use postern_link::wire::Record;
use prost::Message as _;
use serde_json::{Value, json};

use super::checkpoints;
use super::note::{Checkpoint, Verifier};
use super::segment::{self, Damage, Reader};
use super::tiles::Tiles;
use super::tree::{Edge, FullTile, Hash, TILE_ENTRIES, TileId, leaf_hash};
use crate::store::Spool;

/// Wrong things told one by one; more are only counted.
const WRONGS_MAX: usize = 1_000;

/// One wrong thing, with the record it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The record's position in the log, from 0; `None` when it is about a whole file.
    pub record: Option<u64>,
    pub segment: Option<u64>,
    pub offset: Option<u64>,
    /// What the record calls itself, if it still can be read.
    pub id: Option<RecordId>,
    pub what: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(record) = self.record {
            write!(f, "record {record}")?;
            if let Some(id) = &self.id {
                write!(f, " (`{id}`)")?;
            }
            if let (Some(segment), Some(offset)) = (self.segment, self.offset) {
                write!(f, " at byte {offset} of segment {segment}")?;
            }
            write!(f, ": ")?;
        }
        f.write_str(&self.what)
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub segments: u64,
    pub records: u64,
    pub checkpoints: u64,
    pub tiles: u64,
    pub spools: u64,
    pub root: Hash,
    /// What nobody can tell from what was given, in words.
    pub unproven: Vec<String>,
    /// Empty if the log is whole.
    pub wrong: Vec<Wrong>,
    /// Wrong things beyond those listed.
    pub wrong_unlisted: u64,
}

impl Report {
    pub fn is_good(&self) -> bool {
        self.wrong.is_empty()
    }

    /// As the doors and the command line tell it.
    pub fn to_json(&self) -> Value {
        let wrong = self.wrong.iter().map(|wrong| {
            json!({
                "record": wrong.record,
                "id": wrong.id.as_ref().map(ToString::to_string),
                "segment": wrong.segment,
                "offset": wrong.offset,
                "what": wrong.what,
                "text": wrong.to_string(),
            })
        });
        json!({
            "good": self.is_good(),
            "records": self.records,
            "segments": self.segments,
            "checkpoints": self.checkpoints,
            "tiles": self.tiles,
            "spools": self.spools,
            // As checkpoints have it.
            "root": BASE64_STANDARD.encode(self.root),
            "wrong": wrong.collect::<Vec<_>>(),
            "wrong_unlisted": self.wrong_unlisted,
            "unproven": self.unproven,
        })
    }

    fn add(&mut self, wrong: Wrong) {
        if self.wrong.len() < WRONGS_MAX {
            self.wrong.push(wrong);
        } else {
            self.wrong_unlisted += 1;
        }
    }

    fn file(&mut self, what: String) {
        self.add(Wrong {
            record: None,
            segment: None,
            offset: None,
            id: None,
            what,
        });
    }
}

/// A checkpoint that somebody has kept where the log's keeper cannot change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// As it is called in what is told.
    pub place: String,
    pub checkpoint: Checkpoint,
}

/// Up to which record the log is looked at: `None` for a log that nobody writes to.
pub fn verify(
    folder: &Path,
    key: &Verifier,
    elsewhere: &[Elsewhere],
    size_max: Option<u64>,
    record_bytes_max: usize,
) -> io::Result<Report> {
    let mut report = Report::default();
    let segments = segment::list(folder)?;
    let expected = expected(folder, &segments, key, &mut report)?;
    let mut check = Check {
        folder,
        tiles: Tiles::new(folder, 1),
        signed_up_to: expected.keys().next_back().copied().unwrap_or(0),
        expected,
        elsewhere: elsewhere.to_vec(),
        reach: elsewhere.iter().map(|kept| kept.checkpoint.size).max(),
        edge: Edge::default(),
        recent: Vec::new(),
        numbers: HashMap::new(),
        passed_over: false,
        size_max: size_max.unwrap_or(u64::MAX),
        report,
    };
    for &first in &segments {
        if first >= check.size_max {
            break;
        }
        check.segment(first, record_bytes_max)?;
    }
    check.finish()
}

/// The roots that the log's own checkpoints name, by size; one that is not signed is wrong itself.
fn expected(
    folder: &Path,
    segments: &[u64],
    key: &Verifier,
    report: &mut Report,
) -> io::Result<BTreeMap<u64, Hash>> {
    let mut roots = BTreeMap::new();
    let mut note = |note: &str, place: &str, size: Option<u64>, report: &mut Report| {
        report.checkpoints += 1;
        match Checkpoint::open(note, key) {
            Ok(checkpoint) if size.is_some_and(|size| size != checkpoint.size) => {
                report.file(format!("the checkpoint {place} is of another size"));
            }
            Ok(checkpoint) => {
                let known = roots.insert(checkpoint.size, checkpoint.root);
                if known.is_some_and(|known| known != checkpoint.root) {
                    report.file(format!("two checkpoints of {} records differ", checkpoint.size));
                }
            }
            Err(error) => report.file(format!("the checkpoint {place}: {error}")),
        }
    };
    let newest = whole_notes(folder, key)?;
    if newest.iter().all(String::is_empty) && !segments.is_empty() {
        report.file("the log has no newest checkpoint".to_owned());
    }
    for (slot, text) in newest.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        note(text, &format!("in slot {slot}"), None, report);
    }
    for &first in segments.iter().filter(|first| **first > 0) {
        match checkpoints::beginning_note(folder, first)? {
            Some(text) => note(&text, &format!("of segment {first}"), Some(first), report),
            None => report.file(format!("segment {first} has no checkpoint beside it")),
        }
    }
    Ok(roots)
}

/// The newest checkpoints, read again if the log's writer may have been at one of them.
fn whole_notes(folder: &Path, key: &Verifier) -> io::Result<Vec<String>> {
    const TRIES_MAX: usize = 3;
    let mut notes = checkpoints::notes(folder)?;
    for _ in 1..TRIES_MAX {
        if notes
            .iter()
            .all(|note| note.is_empty() || Checkpoint::open(note, key).is_ok())
        {
            break;
        }
        notes = checkpoints::notes(folder)?;
    }
    Ok(notes)
}

struct Check<'a> {
    folder: &'a Path,
    tiles: Tiles,
    expected: BTreeMap<u64, Hash>,
    /// The records that the log's own newest checkpoint is about.
    signed_up_to: u64,
    /// Those that are not compared yet.
    elsewhere: Vec<Elsewhere>,
    /// How many records the newest of them is about.
    reach: Option<u64>,
    edge: Edge,
    /// Names and places of the records since the last full tile, so that a tile can name its wrong one.
    recent: Vec<Wrong>,
    numbers: HashMap<Spool, u64>,
    /// Whether records were passed over, so that any number may be a spool's first here.
    passed_over: bool,
    size_max: u64,
    report: Report,
}

impl Check<'_> {
    fn segment(&mut self, first: u64, record_bytes_max: usize) -> io::Result<()> {
        self.report.segments += 1;
        let at = |record, offset, what: &str| Wrong {
            record: Some(record),
            segment: Some(first),
            offset: Some(offset),
            id: None,
            what: what.to_owned(),
        };
        if first != self.edge.size() {
            let what = format!("segment {first} begins here: the records between are missing or twice");
            self.report.add(at(self.edge.size(), 0, &what));
            self.resume_at(first);
        } else if first > 0 && checkpoints::edge(self.folder, first)?.as_ref() != Some(&self.edge) {
            self.report
                .file(format!("the edge beside segment {first} is not the log's"));
        }
        let mut reader = match Reader::open(self.folder, first, record_bytes_max)? {
            Ok(reader) => reader,
            Err(_) => {
                self.report
                    .add(at(first, 0, "the segment does not begin as it must"));
                return Ok(());
            }
        };
        while self.edge.size() < self.size_max {
            let (index, offset) = (self.edge.size(), reader.offset());
            match reader.frame()? {
                None => return Ok(()),
                Some(Ok(frame)) => self.record(&frame.record, at(index, frame.offset, ""))?,
                Some(Err(damage)) => {
                    let what = match damage {
                        Damage::Header | Damage::Frame => "the checksum is not that of its bytes",
                        Damage::Torn => "the file ends inside the record",
                    };
                    self.report.add(at(index, offset, what));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// After a gap the tree cannot be computed any more, but a signed edge lets later segments be judged.
    fn resume_at(&mut self, first: u64) {
        self.recent.clear();
        self.numbers.clear();
        self.passed_over = true;
        let unsigned = checkpoints::edge(self.folder, first).ok().flatten();
        match unsigned.filter(|edge| self.expected.get(&first) == Some(&edge.root())) {
            Some(edge) => self.edge = edge,
            None => self.expected.clear(),
        }
    }

    fn record(&mut self, bytes: &[u8], mut place: Wrong) -> io::Result<()> {
        self.report.records += 1;
        match Record::decode(bytes) {
            Ok(record) => {
                place.id = Some(RecordId::of(&record));
                self.number(&record, &place);
            }
            Err(_) => self.report.add(Wrong {
                what: "it is no record".to_owned(),
                ..place.clone()
            }),
        }
        let mut full = Vec::new();
        self.recent.push(place);
        self.edge.push(leaf_hash(bytes), &mut full);
        for tile in &full {
            self.tile(tile)?;
        }
        if !self.elsewhere.is_empty() && !self.passed_over {
            self.compare_elsewhere();
        }
        let size = self.edge.size();
        if let Some(root) = self.expected.remove(&size)
            && root != self.edge.root()
        {
            self.report.file(format!(
                "the first {size} records are not those of the checkpoint of {size}"
            ));
        }
        Ok(())
    }

    /// Compares what was kept elsewhere with the log as it was then. An empty log has nothing to compare.
    fn compare_elsewhere(&mut self) {
        let size = self.edge.size();
        let Check {
            elsewhere,
            edge,
            report,
            ..
        } = self;
        elsewhere.retain(|Elsewhere { place, checkpoint }| {
            if checkpoint.size != size {
                return true;
            }
            if checkpoint.root != edge.root() {
                report.file(format!(
                    "the log forked: its first {size} records are not those of the checkpoint in {place}"
                ));
            }
            false
        });
    }

    fn number(&mut self, record: &Record, place: &Wrong) {
        let spool = Spool {
            gateway: record.gateway.clone(),
            worker: record.worker,
            epoch: record.epoch,
        };
        let known = self.numbers.insert(spool, record.number);
        let last = known.unwrap_or(0);
        if record.number == last + 1 || (known.is_none() && self.passed_over) {
            return;
        }
        let what = if record.number <= last {
            format!("its number comes again or too late: {last} of its spool came before")
        } else {
            format!("the numbers from {} on are missing before it", last + 1)
        };
        self.report.add(Wrong {
            what,
            ..place.clone()
        });
    }

    /// Compares a computed tile with the one on disk; at the lowest level a difference names its record.
    fn tile(&mut self, tile: &FullTile) -> io::Result<()> {
        self.compare(tile.id, &tile.hashes)?;
        if tile.id.level == 0 {
            self.recent.clear();
        }
        Ok(())
    }

    fn compare(&mut self, id: TileId, computed: &[Hash]) -> io::Result<()> {
        let known = match self.tiles.on_disk(id) {
            Ok(Some(known)) => known,
            // A tile that is not there proves nothing, for or against.
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                self.report
                    .file(format!("the hash tile {}/{} is damaged", id.level, id.index));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.report.tiles += 1;
        let different = computed
            .iter()
            .zip(&known)
            .position(|(computed, known)| computed != known);
        let Some(position) = different else { return Ok(()) };
        let first = id.index * TILE_ENTRIES as u64;
        let named = self
            .recent
            .iter()
            .find(|wrong| wrong.record == Some(first + position as u64));
        let what = "it is not the record that the hash tile names".to_owned();
        match named.filter(|_| id.level == 0).cloned() {
            Some(place) => self.report.add(Wrong { what, ..place }),
            None => self.report.file(format!(
                "the hash tile {}/{} is not the log's",
                id.level, id.index
            )),
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Report> {
        let mut index = self.edge.size();
        let levels = self.edge.levels().to_vec();
        for (level, hashes) in (0_u8..).zip(levels) {
            index /= TILE_ENTRIES as u64;
            if !hashes.is_empty() {
                self.compare(TileId { level, index }, &hashes)?;
            }
        }
        let size = self.edge.size();
        let beyond = self
            .expected
            .keys()
            .filter(|named| **named > size && **named <= self.size_max);
        if let Some(named) = beyond.max().copied() {
            self.report.add(Wrong {
                record: Some(size),
                segment: None,
                offset: None,
                id: None,
                what: format!("it is missing: {named} records were acknowledged, {size} are here"),
            });
        }
        self.finish_elsewhere(size);
        if size > self.signed_up_to {
            let unsigned = size - self.signed_up_to;
            self.report.unproven.push(format!(
                "that the last {unsigned} records are as they were written: no checkpoint is about them"
            ));
        }
        self.report.spools = self.numbers.len() as u64;
        self.report.root = self.edge.root();
        Ok(self.report)
    }

    /// What was kept elsewhere and is about more than is here; and how far it reaches.
    fn finish_elsewhere(&mut self, size: u64) {
        for Elsewhere { place, checkpoint } in std::mem::take(&mut self.elsewhere) {
            if checkpoint.size > size && size < self.size_max {
                self.report.file(format!(
                    "the end was cut off: the checkpoint in {place} is of {} records, {size} are here",
                    checkpoint.size
                ));
            } else if checkpoint.size > 0 {
                self.report.unproven.push(format!(
                    "that the log is the one of the checkpoint in {place}: records before its {} are missing",
                    checkpoint.size
                ));
            }
        }
        let what = match self.reach {
            None => {
                "that nothing was cut off at the end, or all of it written again by who holds the log's key: \
                     a checkpoint that was kept elsewhere would show it, such as a gateway's"
                    .to_owned()
            }
            Some(reach) => format!(
                "that nothing behind the first {reach} records was cut off, or written again by who holds the log's \
                 key: no checkpoint that was kept elsewhere is about more"
            ),
        };
        self.report.unproven.push(what);
    }
}
