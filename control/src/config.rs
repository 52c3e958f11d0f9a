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
    /// The folder of workloads, targets, issuers, grants and policies.
    pub resources: PathBuf,
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
    /// One message of a gateway.
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
    /// How far a gateway's highest snapshot number may be ahead of ours and still be believed.
    snapshot_jump_max: u64 = 1_000_000,
    /// Between two fresh words.
    fresh_word_ms: u64 = 2_000,
    /// From the order to stop to the end of the last task.
    stop_timeout_ms: u64 = 10_000,
}
