//! The gateway as a witness of the log: each checkpoint must contain the one before (RFC 6962, RFC 9162).
//!
//! A log that shows two histories is a fork; it is not followed, and said so.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the verifier of the log's checkpoints is not a C2SP note verifier key")]
    Verifier,
    #[error("the checkpoint is not a signed note of this log")]
    Unsigned,
    #[error("the log shows another history than before: from {from} to {to} records")]
    Fork { from: u64, to: u64 },
    #[error("the checkpoint cannot be kept")]
    Keep,
}

type Hash = [u8; 32];

/// What the log must go on from.
#[derive(Debug)]
pub struct Witness {
    name: String,
    key_hash: Vec<u8>,
    key: Vec<u8>,
    file: PathBuf,
    note: String,
    size: u64,
    root: Hash,
    kept_at: Option<Instant>,
}

/// A crash forgets at most this much of what was seen: every acknowledgement brings a checkpoint.
const KEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Witness {
    /// Reads the verifier key and the checkpoint that an earlier run kept.
    pub fn load(verifier: &str, data: &Path) -> Result<Witness, Error> {
        let mut parts = verifier.splitn(3, '+');
        let (name, hash, key) = (parts.next(), parts.next(), parts.next());
        let (Some(name), Some(hash), Some(key)) = (name, hash, key) else {
            return Err(Error::Verifier);
        };
        let key = BASE64_STANDARD.decode(key).map_err(|_| Error::Verifier)?;
        // The first byte names the algorithm; one is Ed25519.
        let [1, key @ ..] = key.as_slice() else {
            return Err(Error::Verifier);
        };
        let key_hash = u32::from_str_radix(hash, 16)
            .map_err(|_| Error::Verifier)?
            .to_be_bytes()
            .to_vec();
        let mut witness = Witness {
            name: name.to_owned(),
            key_hash,
            key: key.to_vec(),
            file: data.join("checkpoint"),
            note: String::new(),
            size: 0,
            root: [0; 32],
            kept_at: None,
        };
        if let Ok(note) = std::fs::read_to_string(&witness.file) {
            (witness.size, witness.root) = witness.open(&note)?;
            witness.note = note;
        }
        Ok(witness)
    }

    /// The newest checkpoint believed, as a signed note; empty at first.
    pub fn note(&self) -> &str {
        &self.note
    }

    /// Follows the log to a newer checkpoint.
    pub fn follow(&mut self, note: &str, proof_from: u64, proof: &[Vec<u8>]) -> Result<(), Error> {
        let (size, root) = self.open(note)?;
        let fork = Error::Fork {
            from: self.size,
            to: size,
        };
        let proof: Option<Vec<Hash>> = proof.iter().map(|hash| hash.as_slice().try_into().ok()).collect();
        let proof = proof.ok_or(Error::Fork {
            from: self.size,
            to: size,
        })?;
        let consistent = match self.size {
            0 => true,
            known if known == size => root == self.root,
            known => proof_from == known && is_consistent((known, self.root), (size, root), &proof),
        };
        if !consistent {
            return Err(fork);
        }
        (self.size, self.root, self.note) = (size, root, note.to_owned());
        if self
            .kept_at
            .is_none_or(|kept_at| kept_at.elapsed() >= KEEP_INTERVAL)
        {
            self.keep()?;
        }
        Ok(())
    }

    /// Writes the newest checkpoint down, for the next run; [`Witness::follow`] does so now and then.
    pub fn keep(&mut self) -> Result<(), Error> {
        if self.note.is_empty() {
            return Ok(());
        }
        let new = self.file.with_extension("new");
        std::fs::write(&new, &self.note)
            .and_then(|()| std::fs::rename(&new, &self.file))
            .map_err(|_| Error::Keep)?;
        self.kept_at = Some(Instant::now());
        Ok(())
    }

    /// The size and root of a checkpoint whose signature holds (C2SP signed-note, tlog-checkpoint).
    fn open(&self, note: &str) -> Result<(u64, Hash), Error> {
        let (text, signatures) = note.split_once("\n\n").ok_or(Error::Unsigned)?;
        let signed = format!("{text}\n");
        let ours = format!("\u{2014} {} ", self.name);
        let holds = signatures
            .lines()
            .filter_map(|line| line.strip_prefix(&ours))
            .any(|signature| {
                let Ok(signature) = BASE64_STANDARD.decode(signature) else {
                    return false;
                };
                let Some((hash, signature)) = signature.split_at_checked(4) else {
                    return false;
                };
                let key = UnparsedPublicKey::new(&ED25519, &self.key);
                hash == self.key_hash && key.verify(signed.as_bytes(), signature).is_ok()
            });
        let mut lines = text.lines().skip(1);
        let size = lines.next().and_then(|size| size.parse().ok());
        let root = lines.next().and_then(|root| BASE64_STANDARD.decode(root).ok());
        match (
            holds,
            size,
            root.and_then(|root| Hash::try_from(root.as_slice()).ok()),
        ) {
            (true, Some(size), Some(root)) => Ok((size, root)),
            _ => Err(Error::Unsigned),
        }
    }
}

/// RFC 9162, section 2.1.4.2, for trees of different sizes of which neither is empty.
fn is_consistent(
    (first, first_root): (u64, Hash),
    (second, second_root): (u64, Hash),
    proof: &[Hash],
) -> bool {
    if first > second || proof.is_empty() {
        return false;
    }
    let mut path = proof.iter();
    let (mut fn_, mut sn) = (first - 1, second - 1);
    while fn_ & 1 == 1 {
        fn_ >>= 1;
        sn >>= 1;
    }
    // A first tree that is a complete one is not repeated at the head of the proof.
    let start = if first.is_power_of_two() {
        Some(&first_root)
    } else {
        path.next()
    };
    let Some(start) = start else { return false };
    let (mut fr, mut sr) = (*start, *start);
    for step in path {
        if sn == 0 {
            return false;
        }
        if fn_ & 1 == 1 || fn_ == sn {
            fr = node(step, &fr);
            sr = node(step, &sr);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            sr = node(&sr, step);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    sn == 0 && fr == first_root && sr == second_root
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [1; 65];
    for (place, byte) in bytes.iter_mut().skip(1).zip(left.iter().chain(right)) {
        *place = *byte;
    }
    let mut hash = [0; 32];
    for (place, byte) in hash
        .iter_mut()
        .zip(digest::digest(&digest::SHA256, &bytes).as_ref())
    {
        *place = *byte;
    }
    hash
}
