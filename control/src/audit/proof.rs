//! That one record is in the log, for somebody who has the log's public key and nothing else: the record's own
//! bytes, its way to the root, and a signed checkpoint of that root. Written as C2SP `tlog-proof@v1`, with the
//! record as its extra data, so that one file says it all.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern_link::wire::Record;
use prost::Message as _;

use super::note::{self, Checkpoint, Verifier};
use super::tree::{Hash, is_included, leaf_hash};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 records has proofs of 64 hashes.
const HASHES_MAX: usize = 64;

/// A record with the proof that it is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// As the log has it.
    pub record: Vec<u8>,
    /// Its position in the log, from 0.
    pub index: u64,
    pub hashes: Vec<Hash>,
    /// A checkpoint, as a signed note.
    pub note: String,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("it is no proof: a `{FIRST_LINE}` with `extra`, `index`, hashes and a checkpoint")]
    Malformed,
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] note::Error),
    #[error("the record is not where the checkpoint has it, or is another one")]
    NotIncluded,
}

impl Proof {
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST_LINE}\nextra {}\n", BASE64_STANDARD.encode(&self.record));
        let _ = writeln!(text, "index {}", self.index);
        for hash in &self.hashes {
            let _ = writeln!(text, "{}", BASE64_STANDARD.encode(hash));
        }
        format!("{text}\n{}", self.note)
    }

    pub fn from_text(text: &str) -> Result<Proof, Error> {
        let (head, note) = text.split_once("\n\n").ok_or(Error::Malformed)?;
        let mut lines = head.split('\n');
        let mut after = |prefix: &str| lines.next()?.strip_prefix(prefix);
        after(FIRST_LINE)
            .filter(|rest| rest.is_empty())
            .ok_or(Error::Malformed)?;
        let record = after("extra ").and_then(|record| BASE64_STANDARD.decode(record).ok());
        let digits = after("index ").ok_or(Error::Malformed)?;
        let index: u64 = digits.parse().map_err(|_| Error::Malformed)?;
        let hash = |line: &str| BASE64_STANDARD.decode(line).ok()?.try_into().ok();
        let hashes: Option<Vec<Hash>> = lines.by_ref().take(HASHES_MAX).map(hash).collect();
        if lines.next().is_some() || index.to_string() != digits {
            return Err(Error::Malformed);
        }
        Ok(Proof {
            record: record.ok_or(Error::Malformed)?,
            index,
            hashes: hashes.ok_or(Error::Malformed)?,
            note: note.to_owned(),
        })
    }

    /// The record and the checkpoint that has it, if the key's holder has signed for it.
    pub fn verify(&self, key: &Verifier) -> Result<(Record, Checkpoint), Error> {
        let checkpoint = Checkpoint::open(&self.note, key)?;
        let place = (self.index, checkpoint.size);
        if !is_included(place, leaf_hash(&self.record), &self.hashes, &checkpoint.root) {
            return Err(Error::NotIncluded);
        }
        let record = Record::decode(self.record.as_slice()).map_err(|_| Error::Malformed)?;
        Ok((record, checkpoint))
    }
}
