//! The `control:` section of `postern.yaml`: where the control plane listens and keeps things, and the
//! name of every limit. Imports nothing from the crate, so that everyone may import it.

use std::net::SocketAddr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// What one control plane is told by its host.
#[derive(Clone, Debug, Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This control plane's name: in its own records and in its welcome to gateways.
    #[serde(default = "name")]
    pub name: String,
    /// Where gateways connect, with TLS both ways.
    pub listen_gateways: SocketAddr,
    /// Where operators ask. Plain HTTP on loopback; elsewhere always TLS with `tls.certificate`.
    pub listen_operators: SocketAddr,
    /// Audit log, index, keys and the operator token.
    pub data: PathBuf,
    /// The folder of workloads, targets, issuers, grants and policies; without one, operators apply them.
    #[serde(default)]
    pub resources: Option<PathBuf>,
    pub tls: Tls,
    /// The name of the audit log in its checkpoints, as a URL without scheme.
    #[serde(default = "log_origin")]
    pub log_origin: String,
    #[serde(default)]
    pub limits: Limits,
}

fn name() -> String {
    "control".to_owned()
}

fn log_origin() -> String {
    "postern.local/audit".to_owned()
}

/// The certificate that gateways see, and whose certificates they must show.
#[derive(Clone, Debug, Deserialize, serde::Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The authorities that vouch for gateways; give it to nothing else.
    pub gateway_ca: PathBuf,
}

/// Beyond this a limit is none, and some queues cannot be made.
const LIMIT_MAX: u64 = 1 << 48;
/// So that a checkpoint, which holds it twice, fits its place on the disk.
const LOG_ORIGIN_BYTES_MAX: usize = 200;
const NAME_BYTES_MAX: usize = 128;

/// What is wrong with a config although it could be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("`name` must be letters, digits, `.`, `-` and `_`, and begin with a letter or digit")]
    Name,
    #[error(
        "`log_origin` must be a URL without scheme, spaces and `+`, of at most {LOG_ORIGIN_BYTES_MAX} bytes"
    )]
    LogOrigin,
    #[error("limit `{name}` must be from 1 to {LIMIT_MAX}, not {value}")]
    Limit { name: &'static str, value: u64 },
    #[error("limit `record_bytes_max` must not be above `batch_bytes_max`")]
    RecordAboveBatch,
}

impl Config {
    /// Says what cannot work, before anything is made.
    pub fn check(&self) -> Result<(), Error> {
        if !is_name(&self.name) {
            return Err(Error::Name);
        }
        let origin = &self.log_origin;
        let plain = |letter: char| letter.is_ascii_graphic() && letter != '+';
        if origin.is_empty() || origin.len() > LOG_ORIGIN_BYTES_MAX || !origin.chars().all(plain) {
            return Err(Error::LogOrigin);
        }
        for (name, value) in self.limits.named() {
            // A timeout of nothing is strict, but it is one.
            if value > LIMIT_MAX || (value == 0 && !name.ends_with("_timeout_ms")) {
                return Err(Error::Limit { name, value });
            }
        }
        if self.limits.record_bytes_max > self.limits.batch_bytes_max {
            return Err(Error::RecordAboveBatch);
        }
        Ok(())
    }
}

/// Whether a gateway or control plane may be called so: safe in decision ids, file names and logs.
pub fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    name.len() <= NAME_BYTES_MAX
        && name.bytes().all(letters)
        && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
}

macro_rules! limits {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $default:expr,)*) => {
        /// Every bound of the control plane, with its unit and default.
        #[derive(Clone, Debug, Deserialize, serde::Serialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits { $($(#[$meta])* pub $name: $type,)* }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($name: $default,)* }
            }
        }

        impl Limits {
            /// Every limit by its name.
            fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), u64::try_from(self.$name).unwrap_or(u64::MAX)),)*]
            }
        }
    };
}

limits! {
    /// Gateway connections at once.
    gateways_max: usize = 1_000,
    /// Operator connections at once.
    operator_connections_max: usize = 256,
    /// A TLS handshake, from the first byte to the last.
    handshake_timeout_ms: u64 = 10_000,
    /// From a gateway's connection to its Hello.
    hello_timeout_ms: u64 = 10_000,
    /// Pings on a gateway's connection; it is closed when one stays unanswered as long again.
    keepalive_ms: u64 = 10_000,
    /// Messages waiting to be sent to one gateway.
    outbound_messages_max: usize = 64,
    /// How long one message may wait for a gateway that does not read.
    outbound_timeout_ms: u64 = 30_000,
    /// One message of a gateway, which is mostly the records of a batch.
    batch_bytes_max: usize = 16 * 1024 * 1024,
    /// Records in one batch.
    batch_records_max: usize = 10_000,
    /// One audit record.
    record_bytes_max: usize = 4 * 1024 * 1024,
    /// Batches waiting to be written.
    append_batches_max: usize = 64,
    /// Records that share one sync, in bytes.
    commit_bytes_max: usize = 8 * 1024 * 1024,
    /// A segment that has reached this size is closed.
    segment_bytes_max: u64 = 64 * 1024 * 1024,
    /// Hash tiles kept in memory; one is 8 KiB.
    tiles_cached_max: usize = 1_024,
    /// Spool positions told to a gateway, the newest spools first.
    positions_told_max: usize = 1_024,
    /// Records indexed in one transaction.
    index_records_max: usize = 2_000,
    /// Small writes waiting for the store's writer.
    store_writes_max: usize = 256,
    /// Between two tries when the index cannot be written.
    index_retry_ms: u64 = 1_000,
    /// Bytes of a record's text that can be searched.
    indexed_text_bytes_max: usize = 64 * 1024,
    /// Reading connections of the store.
    readers_max: usize = 4,
    /// One question to the store.
    query_timeout_ms: u64 = 5_000,
    /// How long an answer waits for the index to hold what was acknowledged before the question.
    index_wait_ms: u64 = 5_000,
    /// Entries of one page of an answer.
    page_entries_max: usize = 1_000,
    /// Entries of one page when the question names no limit.
    page_entries: usize = 100,
    /// All records of one page together, in bytes; a page always holds at least one.
    page_bytes_max: usize = 8 * 1024 * 1024,
    /// Greatest wait of a tail that has nothing to show.
    tail_wait_ms_max: u64 = 25_000,
    /// An operator's request body.
    request_bytes_max: usize = 256 * 1024,
    /// An operator's request to apply resources; in all its files together, `resources_bytes_max` too.
    apply_bytes_max: usize = 64 * 1024 * 1024,
    /// The head of an operator's request.
    request_head_timeout_ms: u64 = 10_000,
    /// How long an order waits for the gateways' answers.
    order_wait_ms: u64 = 3_000,
    /// How long an order waits for the index to say which sessions of absent gateways it means.
    order_lookup_ms: u64 = 500,
    /// Sessions named in one order.
    order_sessions_max: usize = 10_000,
    /// Orders kept for gateways that are away.
    orders_kept_max: usize = 1_024,
    /// How long an order is kept for a gateway that is away; longer than any target's `unheard_max`.
    order_kept_seconds: u64 = 24 * 60 * 60,
    /// Between two looks at the resources folder.
    resources_poll_ms: u64 = 1_000,
    /// Files of the resources folder.
    resources_files_max: usize = 10_000,
    /// All files of the resources folder together.
    resources_bytes_max: u64 = 64 * 1024 * 1024,
    /// A snapshot as it is sent.
    snapshot_bytes_max: usize = 64 * 1024 * 1024,
    /// Old snapshots kept, so that decisions can be explained.
    snapshots_kept_max: usize = 1_000,
    /// Revocations that hold at once.
    revocations_max: usize = 10_000,
    /// How far a gateway's highest snapshot number may be ahead of ours and still be believed.
    snapshot_jump_max: u64 = 1_000_000,
    /// Between two fresh words.
    fresh_word_ms: u64 = 2_000,
    /// From the order to stop to the end of the last task.
    stop_timeout_ms: u64 = 10_000,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(extra: &str) -> Result<Config, serde_json::Error> {
        serde_json::from_str(&format!(
            r#"{{"listen_gateways": "127.0.0.1:0", "listen_operators": "127.0.0.1:0", "data": "d",
                "resources": "r", "tls": {{"certificate": "c", "key": "k", "gateway_ca": "a"}}{extra}}}"#
        ))
    }

    fn check(extra: &str, expected: Result<(), Error>) {
        assert_eq!(read(extra).unwrap().check(), expected, "{extra}");
    }

    #[test]
    fn defaults_work_and_unknown_keys_are_errors() {
        check("", Ok(()));
        assert!(read(r#", "listen": "x""#).is_err());
        assert!(read(r#", "limits": {"records_max": 1}"#).is_err());
    }

    #[test]
    fn a_config_that_cannot_work_says_which_part() {
        check(r#", "name": "a b""#, Err(Error::Name));
        check(r#", "name": """#, Err(Error::Name));
        check(r#", "log_origin": "a+b""#, Err(Error::LogOrigin));
        check(
            &format!(r#", "log_origin": "{}""#, "x".repeat(201)),
            Err(Error::LogOrigin),
        );
        check(r#", "limits": {"query_timeout_ms": 0}"#, Ok(()));
        for name in ["append_batches_max", "fresh_word_ms", "outbound_messages_max"] {
            check(
                &format!(r#", "limits": {{"{name}": 0}}"#),
                Err(Error::Limit { name, value: 0 }),
            );
        }
        check(
            r#", "limits": {"batch_bytes_max": 9}"#,
            Err(Error::RecordAboveBatch),
        );
    }
}
