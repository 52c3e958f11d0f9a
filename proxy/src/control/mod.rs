//! The client of the control plane: what comes over the link is believed only where a signature holds.
//!
//! A taken control plane can send nothing that this host has not allowed: snapshots and fresh words are
//! signed by a key that need not lie there, and checkpoints of its log are followed by [`witness`].

pub mod witness;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use postern_link::snapshot::Snapshot;
use postern_link::wire::link_client::LinkClient;
use postern_link::wire::{FreshWord, FromControl, FromGateway, SignedSnapshot};
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::config::ControlLink;

/// Messages under way to the control plane; batches wait here for the wire, records wait in the spool.
const OUTGOING_MESSAGES_MAX: usize = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{0}` cannot be read")]
    File(PathBuf, #[source] std::io::Error),
    #[error("`snapshot_key` is not an Ed25519 public key in base64")]
    Key,
    #[error("the control plane cannot be reached")]
    Unreachable(#[source] Box<tonic::transport::Error>),
    #[error("the control plane refused the exchange")]
    Refused(#[source] Box<tonic::Status>),
    #[error("the snapshot's signature does not hold")]
    Unsigned,
    #[error("snapshot {offered} is older than {highest}, which was seen before")]
    Older { offered: u64, highest: u64 },
    #[error("the snapshot cannot be read: {0}")]
    Unreadable(String),
    #[error("the snapshot is larger than `snapshot_bytes_max`")]
    TooLarge,
}

/// The link's settings and what must never go backwards.
#[derive(Debug)]
pub struct Control {
    config: ControlLink,
    key: Vec<u8>,
    snapshot_file: PathBuf,
    highest: AtomicU64,
    snapshot_bytes_max: usize,
}

/// One open exchange; closing either end closes it.
pub struct Exchange {
    pub outgoing: mpsc::Sender<FromGateway>,
    pub incoming: Streaming<FromControl>,
}

impl Control {
    pub fn new(config: &ControlLink, data: &Path, snapshot_bytes_max: usize) -> Result<Control, Error> {
        let key = BASE64_STANDARD
            .decode(&config.snapshot_key)
            .map_err(|_| Error::Key)?;
        if key.len() != 32 {
            return Err(Error::Key);
        }
        let snapshot_file = data.join("snapshot");
        Ok(Control {
            config: config.clone(),
            key,
            snapshot_file,
            highest: AtomicU64::new(0),
            snapshot_bytes_max,
        })
    }

    /// Opens the stream, with mTLS both ways. The files are read anew each time, so rotation just works.
    pub async fn exchange(&self, hello: FromGateway) -> Result<Exchange, Error> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|error| Error::File(path.clone(), error));
        let tls = ClientTlsConfig::new()
            .domain_name(&self.config.server_name)
            .ca_certificate(Certificate::from_pem(read(&self.config.ca)?))
            .identity(Identity::from_pem(
                read(&self.config.certificate)?,
                read(&self.config.key)?,
            ));
        let unreachable = |error| Error::Unreachable(Box::new(error));
        let endpoint = Endpoint::from_shared(self.config.address.clone())
            .and_then(|endpoint| endpoint.tls_config(tls))
            .map_err(unreachable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .keep_alive_while_idle(true);
        let channel: Channel = endpoint.connect().await.map_err(unreachable)?;
        let (outgoing, stream) = mpsc::channel(OUTGOING_MESSAGES_MAX);
        // The first message must be under way before the server answers.
        let _ = outgoing.try_send(hello);
        let mut client =
            LinkClient::new(channel).max_decoding_message_size(self.snapshot_bytes_max.saturating_add(1024));
        let answered = client.exchange(ReceiverStream::new(stream)).await;
        let incoming = answered
            .map_err(|status| Error::Refused(Box::new(status)))?
            .into_inner();
        Ok(Exchange { outgoing, incoming })
    }

    pub fn highest_snapshot(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }

    /// Believes a snapshot: signature, number, form. The caller accepts it once it has also compiled.
    pub fn verify(&self, signed: &SignedSnapshot) -> Result<Snapshot, Error> {
        if signed.snapshot.len() > self.snapshot_bytes_max {
            return Err(Error::TooLarge);
        }
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(&signed.snapshot, &signed.signature)
            .map_err(|_| Error::Unsigned)?;
        let snapshot: Snapshot =
            serde_json::from_slice(&signed.snapshot).map_err(|error| Error::Unreadable(error.to_string()))?;
        let highest = self.highest_snapshot();
        if snapshot.number < highest {
            return Err(Error::Older {
                offered: snapshot.number,
                highest,
            });
        }
        Ok(snapshot)
    }

    /// Says that a snapshot is in force, and keeps it for the next start; an older one is never taken again.
    pub fn accept(&self, signed: &SignedSnapshot, number: u64) -> Result<(), Error> {
        self.highest.fetch_max(number, Ordering::Relaxed);
        let wrong = |error| Error::File(self.snapshot_file.clone(), error);
        let new = self.snapshot_file.with_extension("new");
        let kept = serde_json::json!({
            "snapshot": BASE64_STANDARD.encode(&signed.snapshot),
            "signature": BASE64_STANDARD.encode(&signed.signature),
        });
        let mut file = std::fs::File::create(&new).map_err(wrong)?;
        let written = file.write_all(kept.to_string().as_bytes());
        written.and_then(|()| file.sync_data()).map_err(wrong)?;
        std::fs::rename(&new, &self.snapshot_file).map_err(wrong)
    }

    /// The snapshot that an earlier run accepted, with its signature checked again.
    pub fn kept(&self) -> Result<Option<(SignedSnapshot, Snapshot)>, Error> {
        let text = match std::fs::read(&self.snapshot_file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::File(self.snapshot_file.clone(), error)),
        };
        let kept: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| Error::Unreadable(error.to_string()))?;
        let field = |name: &str| {
            let text = kept
                .get(name)
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            BASE64_STANDARD
                .decode(text)
                .map_err(|error| Error::Unreadable(error.to_string()))
        };
        let signed = SignedSnapshot {
            snapshot: field("snapshot")?,
            signature: field("signature")?,
        };
        let snapshot = self.verify(&signed)?;
        self.highest.fetch_max(snapshot.number, Ordering::Relaxed);
        Ok(Some((signed, snapshot)))
    }

    /// Whether a word is the control plane's, and about the snapshot that we have. One about a newer snapshot
    /// proves that we have not heard what is current.
    pub fn is_current(&self, word: &FreshWord) -> bool {
        let text = format!("postern fresh word\n{}\n{}\n", word.snapshot_number, word.time_ms);
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        key.verify(text.as_bytes(), &word.signature).is_ok()
            && word.snapshot_number == self.highest_snapshot()
    }
}

/// When the control plane was last heard, on a clock that counts suspend.
#[derive(Debug, Default)]
pub struct LastWord {
    heard_ms: AtomicU64,
    /// The control plane's own time of the newest word: a word that is not newer proves nothing.
    said_ms: AtomicI64,
}

/// How far the first word's time may be from ours; later ones must only be newer than the one before.
const FIRST_WORD_SKEW_MS_MAX: i64 = 5 * 60 * 1_000;

impl LastWord {
    /// Takes a believed word, unless it is one that was said before.
    pub fn heard(&self, said_ms: i64, now_ms: i64) -> bool {
        let before = self.said_ms.load(Ordering::Relaxed);
        let newer = if before == 0 {
            (said_ms - now_ms).abs() <= FIRST_WORD_SKEW_MS_MAX
        } else {
            said_ms > before
        };
        if newer {
            self.said_ms.store(said_ms, Ordering::Relaxed);
            self.heard_ms.store(boot_ms().max(1), Ordering::Relaxed);
        }
        newer
    }

    /// Nothing heard since the start counts from the start of the machine's clock: older than anything.
    pub fn is_older_than(&self, age_max: Duration) -> bool {
        let heard_ms = self.heard_ms.load(Ordering::Relaxed);
        heard_ms == 0 || u128::from(boot_ms().saturating_sub(heard_ms)) > age_max.as_millis()
    }
}

fn boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds * 1_000 + u64::try_from(time.tv_nsec).unwrap_or(0) / 1_000_000
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

    use super::*;

    /// A control plane's key, and a gateway's end that believes it and has seen snapshot 7.
    fn pair(folder: &Path, snapshot_bytes_max: usize) -> (Ed25519KeyPair, Control) {
        let key = Ed25519KeyPair::generate().unwrap();
        let config = ControlLink {
            address: "https://localhost:1".into(),
            server_name: "control".into(),
            ca: PathBuf::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
            snapshot_key: BASE64_STANDARD.encode(key.public_key()),
            log_key: String::new(),
        };
        let control = Control::new(&config, folder, snapshot_bytes_max).unwrap();
        control.highest.store(7, Ordering::Relaxed);
        (key, control)
    }

    fn word(key: &Ed25519KeyPair, snapshot_number: u64) -> FreshWord {
        let text = format!("postern fresh word\n{snapshot_number}\n1000\n");
        FreshWord {
            snapshot_number,
            time_ms: 1000,
            signature: key.sign(text.as_bytes()).as_ref().to_vec(),
        }
    }

    #[test]
    fn a_word_about_another_snapshot_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (key, control) = pair(folder.path(), 1 << 20);
        assert!(control.is_current(&word(&key, 7)));
        for other in [0, 6, 8] {
            assert!(!control.is_current(&word(&key, other)), "{other}");
        }
    }

    #[test]
    fn a_word_nobody_signed_or_about_another_time_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (key, control) = pair(folder.path(), 1 << 20);
        let (stranger, _) = pair(folder.path(), 1 << 20);
        assert!(!control.is_current(&word(&stranger, 7)));
        let later = FreshWord {
            time_ms: 2000,
            ..word(&key, 7)
        };
        assert!(!control.is_current(&later));
    }

    #[test]
    fn a_word_said_before_or_long_ago_proves_nothing() {
        let last = LastWord::default();
        assert!(
            !last.heard(1_000, FIRST_WORD_SKEW_MS_MAX + 1_001),
            "too far from our clock"
        );
        assert!(last.is_older_than(Duration::from_secs(1_000_000)));
        assert!(last.heard(1_000, 1_500));
        assert!(!last.heard(1_000, 1_500), "replayed");
        assert!(!last.heard(999, 1_500), "older");
        assert!(last.heard(1_001, 1_500));
    }

    #[test]
    fn a_snapshot_beyond_its_limit_is_not_even_verified() {
        let folder = tempfile::tempdir().unwrap();
        let (_, control) = pair(folder.path(), 1_000);
        let verify = |bytes: usize| {
            let signed = SignedSnapshot {
                snapshot: vec![b' '; bytes],
                ..SignedSnapshot::default()
            };
            control.verify(&signed).unwrap_err()
        };
        assert!(matches!(verify(1_000), Error::Unsigned));
        assert!(verify(1_001).to_string().contains("`snapshot_bytes_max`"));
    }
}
