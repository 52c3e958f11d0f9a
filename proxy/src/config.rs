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
    /// Whether who connects from loopback may send HTTP without TLS, with a token: for a gateway beside the job.
    #[serde(default)]
    pub plain_http_on_loopback: bool,
    /// What this gateway signs for targets that want to know who asks.
    #[serde(default)]
    pub assertions: Option<Assertions>,
    pub decide_by: DecideBy,
    #[serde(default)]
    pub durability: Durability,
    #[serde(default)]
    pub limits: Limits,
}

/// A value with which the gateway could not do its work.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}` is {value}, and must be {right}")]
pub struct Error {
    pub key: &'static str,
    pub value: String,
    pub right: String,
}

impl Config {
    /// Whether the values make sense together; asked wherever a file is read.
    pub fn check(&self) -> Result<(), Error> {
        if self.gateway.is_empty() {
            return Err(Error {
                key: "gateway",
                value: "empty".to_owned(),
                right: "the gateway's name".to_owned(),
            });
        }
        self.limits.check()
    }
}

/// The certificate that clients see. Both files are read again when they change.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Who signs for a target who asks, and with what.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assertions {
    /// `https://` and a host that leads here: there anyone may ask `/.well-known/jwks.json`.
    pub issuer: String,
    /// A P-256 key as PEM (PKCS #8). Gateways of one issuer share it.
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
    /// A bearer token for an API, as a reference like `password`.
    #[serde(default)]
    pub bearer: Option<String>,
    /// A key that an API takes in a header of its own.
    #[serde(default)]
    pub header: Option<NamedSecret>,
    /// A key that an API takes in the query of each request.
    #[serde(default)]
    pub query: Option<NamedSecret>,
    /// A client certificate for the target, instead of a password.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The upstream role it logs in as, or the user of HTTP's Basic scheme.
    #[serde(default)]
    pub user: String,
    /// `host:port` of each server that may see it.
    pub only_to: Vec<String>,
    /// Where the hosts of `only_to` may be, by their addresses. If empty, on the public internet; a host that is
    /// written as an address is just there.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub networks: Vec<IpNet>,
    /// How the server must prove itself before the secret is used.
    pub verify: Verify,
    /// The authorities that `full` and `ca` accept; both need it.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// The name of a header or of a query's parameter, and what stands in it.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedSecret {
    pub name: String,
    /// `file:/path` or `env:NAME`.
    pub value: String,
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

        impl Limits {
            /// Every limit by its name.
            fn named(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name as u64),)*]
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
    /// Views of workloads, with their part of the policies, that each worker keeps while no session uses them.
    views_kept_max: usize = 256,
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
    /// The headers of one HTTP request or response.
    http_headers_max: usize = 100,
    /// Bytes of the headers of one HTTP request or response, its first line included.
    http_head_bytes_max: usize = 32 * 1024,
    /// From a response, or the handshake, to the whole head of the next HTTP request of a connection.
    http_idle_seconds_max: u64 = 120,
    /// From an HTTP request, or the last piece of its body that moved, to the head of its target's response.
    http_response_seconds_max: u64 = 60,
    /// Requests that are under way at once on one HTTP/2 connection.
    http_streams_max: u32 = 100,
    /// Identities and targets that one HTTP connection may come with, each a session.
    http_sessions_per_connection_max: usize = 16,
    /// Idle connections that each worker keeps for one HTTP target and credential.
    http_upstreams_idle_max: usize = 64,
    /// And for how long.
    http_upstream_idle_seconds_max: u64 = 30,
    /// Requests under way on one HTTP/2 connection to a target; for further ones there is another.
    http_upstream_streams_max: usize = 100,
    /// One message to or from an MCP server; longer ones are refused.
    mcp_message_bytes_max: usize = 4 * 1024 * 1024,
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

/// The limits that may be zero, and then mean: none, never, at once, or (`workers`) as many as there are cores.
const MAY_BE_ZERO: [&str; 18] = [
    "workers",
    "clock_leeway_seconds",
    "tokens_cached_max",
    "keys_refresh_seconds_min",
    "keys_fresh_seconds_max",
    "keys_fresh_seconds_min",
    "keys_stale_seconds_max",
    "prepared_max",
    "prepared_bytes_max",
    "portals_max",
    "warm_per_key_max",
    "warm_per_target_max",
    "upstream_age_seconds_max",
    "http_upstreams_idle_max",
    "http_upstream_idle_seconds_max",
    "warm_idle_seconds_max",
    "refusals_recorded_per_minute_max",
    "drain_seconds_max",
];
/// A hundred years: what is meant as for ever, and can still be added to a clock.
const SECONDS_MAX: u64 = 100 * 365 * 24 * 60 * 60;

impl Limits {
    fn check(&self) -> Result<(), Error> {
        let wrong = |key: &'static str, value: u64, right: String| {
            Err(Error {
                key,
                value: value.to_string(),
                right,
            })
        };
        for (key, value) in self.named() {
            if value == 0 && !MAY_BE_ZERO.contains(&key) {
                return wrong(key, value, "at least 1".to_owned());
            }
            let seconds = match key {
                key if key.contains("_seconds") => value,
                key if key.ends_with("_ms") => value / 1_000,
                _ => 0,
            };
            if seconds > SECONDS_MAX {
                return wrong(key, value, "a hundred years at most".to_owned());
            }
        }
        let (file_bytes, record_bytes) = (self.spool_file_bytes_max, self.record_bytes_max as u64);
        if record_bytes > file_bytes {
            let right = format!("at most `spool_file_bytes_max`, which is {file_bytes}");
            return wrong("record_bytes_max", record_bytes, right);
        }
        // A file is deleted only once the next one is begun.
        if file_bytes > self.spool_bytes_max / 2 {
            let right = format!(
                "at most half of `spool_bytes_max`, which is {}",
                self.spool_bytes_max
            );
            return wrong("spool_file_bytes_max", file_bytes, right);
        }
        if self.keys_fresh_seconds_min > self.keys_fresh_seconds_max {
            let right = format!(
                "at most `keys_fresh_seconds_max`, which is {}",
                self.keys_fresh_seconds_max
            );
            return wrong("keys_fresh_seconds_min", self.keys_fresh_seconds_min, right);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(limits: &str) -> Result<(), String> {
        let limits: Limits = serde_saphyr::from_str(limits).unwrap();
        limits.check().map_err(|error| error.to_string())
    }

    fn refused(limits: &str, told: &str) {
        assert_eq!(check(limits), Err(told.to_owned()), "{limits}");
    }

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(check("{}"), Ok(()));
    }

    #[test]
    fn a_limit_that_lets_nothing_through_is_refused_by_its_name() {
        refused(
            "unanswered_max: 0",
            "`unanswered_max` is 0, and must be at least 1",
        );
        refused("sessions_max: 0", "`sessions_max` is 0, and must be at least 1");
        refused(
            "idle_timeout_seconds: 0",
            "`idle_timeout_seconds` is 0, and must be at least 1",
        );
        let names: Vec<&str> = Limits::default().named().iter().map(|(name, _)| *name).collect();
        assert!(
            MAY_BE_ZERO.iter().all(|name| names.contains(name)),
            "each is a limit"
        );
        for name in names {
            let may = check(&format!("{name}: 0")).is_ok();
            // With keys never fresh, `keys_fresh_seconds_min` must be zero too.
            assert_eq!(
                may,
                MAY_BE_ZERO.contains(&name) && name != "keys_fresh_seconds_max",
                "{name}"
            );
        }
    }

    #[test]
    fn for_ever_is_said_in_a_number_that_a_clock_can_hold() {
        refused(
            "session_seconds_max: 18446744073709551615",
            "`session_seconds_max` is 18446744073709551615, and must be a hundred years at most",
        );
        refused(
            "login_timeout_ms: 18446744073709551615",
            "`login_timeout_ms` is 18446744073709551615, and must be a hundred years at most",
        );
    }

    #[test]
    fn two_spool_files_fit_into_the_spool_and_a_record_into_a_file() {
        assert_eq!(check("{spool_bytes_max: 33554432}"), Ok(()));
        refused(
            "{spool_bytes_max: 33554431}",
            "`spool_file_bytes_max` is 16777216, and must be at most half of `spool_bytes_max`, which is 33554431",
        );
        refused(
            "{record_bytes_max: 16777217}",
            "`record_bytes_max` is 16777217, and must be at most `spool_file_bytes_max`, which is 16777216",
        );
    }

    #[test]
    fn keys_are_not_fresh_for_longer_at_least_than_at_most() {
        refused(
            "{keys_fresh_seconds_min: 60, keys_fresh_seconds_max: 30}",
            "`keys_fresh_seconds_min` is 60, and must be at most `keys_fresh_seconds_max`, which is 30",
        );
    }
}
