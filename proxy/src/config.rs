//! The `proxy:` section of `postern.yaml`: what this host allows its gateway, and the name of every limit.
//!
//! Secrets live only here, by reference. Units and limits stand last in the names. Imports nothing from
//! the crate, so that everyone may import it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// This gateway's name: in its records, its decision ids and its certificate for the link.
    pub gateway: String,
    /// Where clients connect.
    pub listen: SocketAddr,
    /// Health, metrics and `postern can`; keep it on loopback.
    pub listen_admin: SocketAddr,
    /// Spool, last snapshot and the gateway's own keys.
    pub data: PathBuf,
    pub tls: Tls,
    /// For each trust domain, the PEM file with its bundle.
    #[serde(default)]
    pub trust_domains: BTreeMap<String, PathBuf>,
    /// Secrets by name, each bound to where it may go.
    #[serde(default)]
    pub credentials: BTreeMap<String, Credential>,
    /// Where token issuers' keys may be fetched from, beyond public HTTPS addresses.
    #[serde(default)]
    pub issuer_hosts: Vec<IssuerHost>,
    /// Networks that must speak PROXY protocol v2; all others must not.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub proxy_protocol_from: Vec<IpNet>,
    pub decide_by: DecideBy,
    #[serde(default)]
    pub durability: Durability,
    #[serde(default)]
    pub limits: Limits,
}

/// The certificate that clients see. Both files are read again when they change.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Where snapshots come from.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum DecideBy {
    /// A control plane, reached over mTLS.
    Control(ControlLink),
}

#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ControlLink {
    /// `https://host:port`.
    pub address: String,
    /// The name its certificate must show.
    pub server_name: String,
    pub ca: PathBuf,
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// The Ed25519 public key of snapshots and fresh words, in base64.
    pub snapshot_key: String,
    /// The verifier of the log's checkpoints, as a C2SP note verifier key.
    pub log_key: String,
}

/// A secret and the only places it may go.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// `file:/path` or `env:NAME`.
    #[serde(default)]
    pub password: Option<String>,
    /// A client certificate for the target, instead of a password.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The upstream role it logs in as.
    pub user: String,
    /// `host:port` of each server that may see it.
    pub only_to: Vec<String>,
    /// How the server must prove itself before the secret is used.
    pub verify: Verify,
    /// The authorities that `full` and `ca` accept; the public ones if absent.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// TLS, a chain to `ca`, and the host's name.
    Full,
    /// TLS and a chain to `ca`.
    Ca,
    /// No TLS at all. Only for a path nobody else can reach; warned of at start.
    Disable,
}

/// A host that serves an issuer's keys although it is private or speaks plain HTTP.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerHost {
    /// `host` or `host:port`.
    pub host: String,
    #[serde(default)]
    pub plain_http: bool,
    #[serde(default)]
    pub private_address: bool,
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// How sure a record is before the statement is sent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// Written to the operating system: survives the process.
    #[default]
    Process,
    /// Synced to the disk, in groups: survives the machine.
    Disk,
}

macro_rules! limits {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $default:expr,)*) => {
        /// Every bound of the gateway, with its unit and default.
        #[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
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
    /// Worker threads, each with its own runtime and spool; 0 means one a core.
    workers: usize = 0,
    /// Client connections at once.
    sessions_max: usize = 20_000,
    /// Connections that have not yet shown who they are, in total.
    strangers_max: usize = 2_000,
    /// Connections from one network (/24 or /64) that have not yet shown who they are.
    strangers_per_network_max: usize = 200,
    /// From the first byte to an identity.
    login_timeout_ms: u64 = 10_000,
    /// A startup packet, as PostgreSQL caps it.
    startup_bytes_max: usize = 10_000,
    /// A token given as a password.
    token_bytes_max: usize = 16 * 1024,
    /// Certificates in a chain, the leaf included.
    chain_certificates_max: usize = 6,
    /// All certificates of a chain together.
    chain_bytes_max: usize = 32 * 1024,
    /// How far clocks may differ when tokens are judged.
    clock_leeway_seconds: u64 = 30,
    /// How far ahead the end of a token may lie.
    token_life_seconds_max: u64 = 24 * 60 * 60,
    /// Verified tokens remembered.
    tokens_cached_max: usize = 10_000,
    /// An issuer's discovery document.
    discovery_bytes_max: usize = 64 * 1024,
    /// An issuer's key set.
    jwks_bytes_max: usize = 512 * 1024,
    /// Keys in an issuer's key set.
    jwks_keys_max: usize = 200,
    /// One fetch of discovery or keys, connect included.
    keys_fetch_timeout_ms: u64 = 5_000,
    /// Between two fetches for one issuer, whatever unknown key ids arrive.
    keys_refresh_seconds_min: u64 = 30,
    /// Keys are fetched again after this long at most, whatever Cache-Control says.
    keys_fresh_seconds_max: u64 = 24 * 60 * 60,
    /// And not before this long.
    keys_fresh_seconds_min: u64 = 5 * 60,
    /// How long keys serve after their freshness ended, while the issuer cannot be reached.
    keys_stale_seconds_max: u64 = 6 * 60 * 60,
    /// One statement's text.
    statement_bytes_max: usize = 1024 * 1024,
    /// One Bind message with its parameters.
    bind_bytes_max: usize = 64 * 1024 * 1024,
    /// Any other message of a client that is read whole.
    message_bytes_max: usize = 64 * 1024,
    /// An error, notice or parameter message of a server, read whole; and its answers at login, together.
    server_message_bytes_max: usize = 256 * 1024,
    /// Named prepared statements of one session, by the protocol or by SQL.
    prepared_max: usize = 10_000,
    /// Bytes of the texts of one session's prepared statements.
    prepared_bytes_max: usize = 16 * 1024 * 1024,
    /// Open portals of one session, cursors included.
    portals_max: usize = 1_000,
    /// Messages of one client that the server has not answered yet; further ones wait.
    unanswered_max: usize = 10_000,
    /// Judged statements remembered by each worker.
    judged_cached_max: usize = 10_000,
    /// Bytes of the texts of the judged statements remembered by each worker.
    judged_cached_bytes_max: usize = 64 * 1024 * 1024,
    /// To reach, log in to and question a target.
    connect_timeout_ms: u64 = 10_000,
    /// SCRAM iterations a server may ask for; PostgreSQL's default is 4,096.
    scram_iterations_max: u32 = 100_000,
    /// Idle upstream connections that each worker keeps for one workload, role and database.
    warm_per_key_max: usize = 4,
    /// Idle upstream connections that each worker keeps for one target.
    warm_per_target_max: usize = 100,
    /// Greatest age of an upstream connection that is used again.
    upstream_age_seconds_max: u64 = 30 * 60,
    /// A key unused for this long is opened ahead no more.
    warm_idle_seconds_max: u64 = 5 * 60,
    /// Cancel requests with a wrong key from one network in a minute.
    cancel_guesses_per_minute_max: u32 = 60,
    /// A client that sends nothing, outside a transaction.
    idle_timeout_seconds: u64 = 24 * 60 * 60,
    /// A client that sends nothing, inside a transaction.
    idle_in_transaction_timeout_seconds: u64 = 60 * 60,
    /// A whole session.
    session_seconds_max: u64 = 24 * 60 * 60,
    /// Refusals of one session recorded one by one in a minute; further ones are counted.
    refusals_recorded_per_minute_max: u32 = 120,
    /// All files of one worker's spool together.
    spool_bytes_max: u64 = 1024 * 1024 * 1024,
    /// One spool file; shipped files are deleted whole.
    spool_file_bytes_max: u64 = 16 * 1024 * 1024,
    /// One audit record.
    record_bytes_max: usize = 2 * 1024 * 1024,
    /// Reasons, issuers, tenants and networks counted for strangers.
    strangers_counted_max: usize = 1_000,
    /// A database's catalogue, as the server sends it.
    catalogue_bytes_max: usize = 256 * 1024 * 1024,
    /// Tables of one target's catalogue.
    catalogue_relations_max: usize = 200_000,
    /// How long a client that is told goodbye may take to hear it.
    goodbye_timeout_ms: u64 = 500,
    /// Snapshots up to this size are taken from the control plane.
    snapshot_bytes_max: usize = 64 * 1024 * 1024,
    /// From SIGTERM to the end of the last session.
    drain_seconds_max: u64 = 30,
}
