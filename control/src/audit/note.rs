//! Checkpoints as C2SP signed notes: the size and root of the log, in three lines that a person can read.
//!
//! <https://c2sp.org/signed-note> and <https://c2sp.org/tlog-checkpoint>; Ed25519 signatures only.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::tree::Hash;
use crate::keys::SigningKey;

/// Greatest size of a note that is read.
pub const NOTE_BYTES_MAX: usize = 1024;

const ED25519_ALGORITHM: u8 = 1;
const SIGNATURE_BYTES: usize = 64;

/// Why a note was not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("the text is not a signed checkpoint")]
    Malformed,
    #[error("the checkpoint is of another log")]
    OtherOrigin,
    #[error("the checkpoint is not signed with this log's key")]
    NotSigned,
    #[error("the text is not a note verifier key")]
    NotAVerifier,
}

/// The public half of a log's key, in the form `name+hash+key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    hash: [u8; 4],
    key: [u8; 32],
}

impl Verifier {
    fn of(name: &str, key: [u8; 32]) -> Verifier {
        let mut text = format!("{name}\n").into_bytes();
        text.push(ED25519_ALGORITHM);
        text.extend_from_slice(&key);
        let full = digest(&SHA256, &text);
        let hash = full.as_ref().first_chunk().copied().unwrap_or_default();
        Verifier {
            name: name.to_owned(),
            hash,
            key,
        }
    }

    fn verify(&self, text: &str, signature: &[u8]) -> Result<(), Error> {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(text.as_bytes(), signature)
            .map_err(|_| Error::NotSigned)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_ALGORITHM];
        key.extend_from_slice(&self.key);
        write!(
            f,
            "{}+{:08x}+{}",
            self.name,
            u32::from_be_bytes(self.hash),
            BASE64_STANDARD.encode(key)
        )
    }
}

impl FromStr for Verifier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Verifier, Error> {
        // The key is base64 and may hold `+` itself, so only the first two separate.
        let mut parts = text.trim().splitn(3, '+');
        let mut part = || parts.next().ok_or(Error::NotAVerifier);
        let (name, hash, key) = (part()?, part()?, part()?);
        let key = BASE64_STANDARD.decode(key).map_err(|_| Error::NotAVerifier)?;
        let Some((&ED25519_ALGORITHM, key)) = key.split_first() else {
            return Err(Error::NotAVerifier);
        };
        let verifier = Verifier::of(name, key.try_into().map_err(|_| Error::NotAVerifier)?);
        let named = u32::from_str_radix(hash, 16).map_err(|_| Error::NotAVerifier)?;
        if name.is_empty() || u32::from_be_bytes(verifier.hash) != named {
            return Err(Error::NotAVerifier);
        }
        Ok(verifier)
    }
}

/// The name and private key that sign a log's checkpoints.
#[derive(Debug)]
pub struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

impl Signer {
    pub fn new(name: &str, key: SigningKey) -> Signer {
        Signer {
            verifier: Verifier::of(name, key.public()),
            key,
        }
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }
}

/// What the log was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The signed note. Its origin is the name of the key.
    pub fn sign(&self, signer: &Signer) -> String {
        let Verifier { name, hash, .. } = &signer.verifier;
        let text = format!("{name}\n{}\n{}\n", self.size, BASE64_STANDARD.encode(self.root));
        let mut signature = hash.to_vec();
        signature.extend_from_slice(&signer.key.sign(text.as_bytes()));
        format!("{text}\n\u{2014} {name} {}\n", BASE64_STANDARD.encode(signature))
    }

    /// Reads a note and believes it if this verifier's key signed it; other signatures are passed over.
    pub fn open(note: &str, verifier: &Verifier) -> Result<Checkpoint, Error> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(Error::Malformed);
        }
        let (text, signatures) = note.split_once("\n\n").ok_or(Error::Malformed)?;
        let text = format!("{text}\n");
        let signatures = signatures.strip_suffix('\n').ok_or(Error::Malformed)?;
        let checkpoint = Checkpoint::read(&text, &verifier.name)?;
        let mut verdict = Err(Error::NotSigned);
        for line in signatures.split('\n') {
            let line = line.strip_prefix("\u{2014} ").ok_or(Error::Malformed)?;
            let (name, signature) = line.split_once(' ').ok_or(Error::Malformed)?;
            let signature = BASE64_STANDARD.decode(signature).map_err(|_| Error::Malformed)?;
            let (hash, signature) = signature.split_first_chunk::<4>().ok_or(Error::Malformed)?;
            if name != verifier.name || *hash != verifier.hash {
                continue;
            }
            if signature.len() != SIGNATURE_BYTES {
                return Err(Error::Malformed);
            }
            verifier.verify(&text, signature)?;
            verdict = Ok(());
        }
        verdict.map(|()| checkpoint)
    }

    fn read(text: &str, origin: &str) -> Result<Checkpoint, Error> {
        let mut lines = text.lines();
        let mut line = || lines.next().ok_or(Error::Malformed);
        let (named, size, root) = (line()?, line()?, line()?);
        if lines.next().is_some() {
            return Err(Error::Malformed);
        }
        if named != origin {
            return Err(Error::OtherOrigin);
        }
        let number: u64 = size.parse().map_err(|_| Error::Malformed)?;
        if number.to_string() != size {
            return Err(Error::Malformed);
        }
        let root = BASE64_STANDARD.decode(root).map_err(|_| Error::Malformed)?;
        Ok(Checkpoint {
            size: number,
            root: root.try_into().map_err(|_| Error::Malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(name: &str) -> Signer {
        let folder = tempfile::tempdir().unwrap();
        Signer::new(name, SigningKey::open(&folder.path().join("key")).unwrap())
    }

    #[test]
    fn a_checkpoint_is_what_its_key_signed() {
        let signer = signer("example.com/log");
        let checkpoint = Checkpoint {
            size: 20_852_163,
            root: [7; 32],
        };
        let note = checkpoint.sign(&signer);
        let verifier: Verifier = signer.verifier().to_string().parse().unwrap();
        assert_eq!(Checkpoint::open(&note, &verifier), Ok(checkpoint));
        assert!(note.starts_with("example.com/log\n20852163\nBwcHBwcH"), "{note}");
    }

    #[test]
    fn no_byte_of_a_checkpoint_can_be_another() {
        let signer = signer("example.com/log");
        let note = Checkpoint {
            size: 9,
            root: [1; 32],
        }
        .sign(&signer);
        for position in 0..note.len() {
            for flip in [1, 0x20, 0x80] {
                let mut bytes = note.clone().into_bytes();
                bytes[position] ^= flip;
                if let Ok(text) = std::str::from_utf8(&bytes) {
                    assert!(
                        Checkpoint::open(text, signer.verifier()).is_err(),
                        "{position} {flip}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_checkpoint_of_another_log_or_key_is_not_believed() {
        let ours = signer("example.com/log");
        let note = Checkpoint {
            size: 9,
            root: [1; 32],
        }
        .sign(&ours);
        assert_eq!(
            Checkpoint::open(&note, signer("other").verifier()),
            Err(Error::OtherOrigin)
        );
        assert_eq!(
            Checkpoint::open(&note, signer("example.com/log").verifier()),
            Err(Error::NotSigned)
        );
    }

    /// The example key of the Go checksum database, whose hash is known to the world.
    #[test]
    fn a_verifier_key_written_elsewhere_is_read() {
        let known = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
        let verifier: Verifier = known.parse().unwrap();
        assert_eq!(verifier.to_string(), known);
        assert!(
            "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
                .parse::<Verifier>()
                .is_err()
        );
    }
}
