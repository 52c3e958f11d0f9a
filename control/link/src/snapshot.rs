//! What a gateway decides by, as plain data. Numbered; a gateway never goes back to a lower number.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A numbered set of everything a gateway needs to decide. Signed as the exact bytes of its JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    pub number: u64,
    /// Milliseconds since the epoch, by the control plane's clock.
    pub made_at_ms: i64,
    pub workloads: Vec<Workload>,
    pub targets: Vec<Target>,
    pub issuers: Vec<Issuer>,
    pub grants: Vec<Grant>,
    pub policies: Vec<Policy>,
    /// A second set, which judges beside `policies` and answers nobody: what would be if it were in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rehearsed: Option<Vec<Policy>>,
    pub revoked: Vec<Revocation>,
}

impl Snapshot {
    /// Whether both say the same but for what was done to them: their numbers, times and revocations.
    pub fn has_same_resources(&self, other: &Snapshot) -> bool {
        // Named one by one, so that a new field is thought of here.
        let Snapshot {
            number: _,
            made_at_ms: _,
            revoked: _,
            workloads,
            targets,
            issuers,
            grants,
            policies,
            rehearsed,
        } = self;
        *workloads == other.workloads
            && *targets == other.targets
            && *issuers == other.issuers
            && *grants == other.grants
            && *policies == other.policies
            && *rehearsed == other.rehearsed
    }
}

/// One policy file, as its author wrote it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub name: String,
    pub text: String,
}

/// A registered non-human identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    pub name: String,
    pub owner: String,
    #[serde(default)]
    pub purpose: String,
    #[serde(default)]
    pub environment: String,
    /// After this moment nothing may log in as it, and its sessions end.
    pub expires: jiff::Timestamp,
    #[serde(default)]
    pub segments: Vec<String>,
    #[serde(default)]
    pub disabled: bool,
    /// Any one of these opens the door.
    pub login: Vec<Login>,
    /// Upper bound of how long a session may outlive its token; the issuer's preset has its own.
    #[serde(default)]
    pub grace_seconds_max: Option<u32>,
    /// What happens when one token is seen from a second network.
    #[serde(default)]
    pub second_network: SecondNetwork,
    /// The upstream roles this workload may assume, per target.
    #[serde(default)]
    pub assume: Vec<Assume>,
    #[serde(default)]
    pub sessions_max: Option<u32>,
}

/// One way to prove being a workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Login {
    /// A client certificate or JWT-SVID with exactly this SPIFFE id.
    Spiffe { spiffe: String },
    /// A token of the named issuer whose claims all match.
    Token {
        issuer: String,
        /// A claim by name, or by JSON pointer when it starts with `/`.
        #[serde(rename = "match")]
        claims: BTreeMap<String, ClaimMatch>,
    },
}

impl Login {
    /// The SPIFFE id, if it is one that opens the door.
    pub fn spiffe(&self) -> Option<&str> {
        match self {
            Login::Spiffe { spiffe } => Some(spiffe),
            Login::Token { .. } => None,
        }
    }
}

/// Compared by JSON type: the text `"1"` is not the number `1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClaimMatch {
    AnyOf(Vec<Scalar>),
    Exactly(Scalar),
}

/// A JSON value that is neither a list nor an object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    Bool(bool),
    Integer(i64),
    Text(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondNetwork {
    #[default]
    Finding,
    Refuse,
}

/// The roles of one target that a workload may ask for; the first is the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assume {
    pub target: String,
    pub roles: Vec<String>,
}

/// A protected system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenTarget", into = "WrittenTarget")]
pub struct Target {
    pub name: String,
    /// Host names by which clients may ask for it: with SNI, or as the host of a request.
    pub server_names: Vec<String>,
    pub system: System,
    /// How long a gateway may serve it without a fresh word.
    pub unheard_seconds_max: u32,
}

/// What a target is.
#[derive(Clone, Debug, PartialEq)]
pub enum System {
    Postgres(PostgresTarget),
    Http(Box<HttpTarget>),
}

impl Target {
    /// What it is as a PostgreSQL server, if it is one.
    pub fn postgres(&self) -> Option<&PostgresTarget> {
        match &self.system {
            System::Postgres(postgres) => Some(postgres),
            System::Http(_) => None,
        }
    }

    /// What it is as an API, if it is one.
    pub fn http(&self) -> Option<&HttpTarget> {
        match &self.system {
            System::Http(http) => Some(http.as_ref()),
            System::Postgres(_) => None,
        }
    }
}

/// A target as its author wrote it: one of the systems, by its key.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    name: String,
    #[serde(default)]
    server_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    postgres: Option<PostgresTarget>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    http: Option<HttpTarget>,
    #[serde(default = "unheard_seconds_max")]
    unheard_seconds_max: u32,
}

impl TryFrom<WrittenTarget> for Target {
    type Error = &'static str;

    fn try_from(written: WrittenTarget) -> Result<Target, &'static str> {
        let system = match (written.postgres, written.http) {
            (Some(postgres), None) => System::Postgres(postgres),
            (None, Some(http)) => System::Http(Box::new(http)),
            _ => return Err("a target is one of `postgres` and `http`"),
        };
        Ok(Target {
            name: written.name,
            server_names: written.server_names,
            system,
            unheard_seconds_max: written.unheard_seconds_max,
        })
    }
}

impl From<Target> for WrittenTarget {
    fn from(target: Target) -> WrittenTarget {
        let (postgres, http) = match target.system {
            System::Postgres(postgres) => (Some(postgres), None),
            System::Http(http) => (None, Some(*http)),
        };
        WrittenTarget {
            name: target.name,
            server_names: target.server_names,
            postgres,
            http,
            unheard_seconds_max: target.unheard_seconds_max,
        }
    }
}

fn unheard_seconds_max() -> u32 {
    15 * 60
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresTarget {
    /// `host:port`; the credential's `only_to` must name it too.
    pub address: String,
    /// The databases that may be asked for; the first is the default.
    pub databases: Vec<String>,
    /// For each upstream role, the name of a credential in the gateway's own file.
    pub roles: BTreeMap<String, String>,
    /// The credential with which the gateway itself reads the catalogue and ends backends.
    pub gateway_role: String,
    #[serde(default)]
    pub dangerous_role: DangerousRole,
    #[serde(default = "catalogue_age_seconds_max")]
    pub catalogue_age_seconds_max: u32,
    #[serde(default)]
    pub keep_raw_text: bool,
}

/// An API.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTarget {
    /// `host:port`; the credential's `only_to` must name it too.
    pub address: String,
    /// The name of a credential in the gateway's own file: what the API is asked with.
    pub credential: String,
    /// What its requests' paths begin with here, such as `/billing`, and not there; its `server_names` need none.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The `Host` it is asked by; its address if absent.
    #[serde(default)]
    pub host: Option<String>,
    /// The audience of a signed word about who asks, which it gets as `Postern-Assertion`; absent if it needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<Assertion>,
    /// Whether a name in its paths may have a slash in it, written `%2F`; the server must not take it for one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encoded_slashes: bool,
    /// What it is asked in.
    #[serde(default)]
    pub protocol: HttpVersion,
    /// The protocols that its requests may change to, such as `websocket`: of what follows the record has only sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upgrades: Vec<String>,
    /// The file, beside this one, of the OpenAPI 3 document that says what it does: `….openapi.yaml` or `….openapi.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openapi: Option<String>,
    /// What it does, those of the document included; where there is any, nothing else is served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<Operation>,
    /// Speaks gRPC and nothing else: its methods are operations, `package.Service.Method` with the tag `package.Service`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grpc: bool,
    /// What it is as an MCP server, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp: Option<McpServer>,
    /// How much one workload may use of it at each gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

/// What a target wants to be told of who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// The `aud` by which it knows that it is meant.
    pub audience: String,
}

/// One thing that an API does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// As policies name it: the document's `operationId`, or the method and path where it has none.
    pub name: String,
    pub method: String,
    /// With its parameters: `/v1/invoices/{id}`.
    pub path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What policies see of a request; a parameter of the path is seen as text where nothing is said of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<Parameter>,
}

/// What an operation is asked with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    pub name: String,
    #[serde(rename = "in")]
    pub place: Place,
    #[serde(default)]
    pub kind: ParameterKind,
    #[serde(default)]
    pub several: Several,
}

/// Where in a request a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    Path,
    Query,
    Header,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParameterKind {
    #[default]
    Text,
    Integer,
    Boolean,
}

/// Whether a parameter may have several values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Several {
    #[default]
    No,
    /// `state=a&state=b`.
    Repeated,
    /// `fields=a,b`.
    Commas,
}

/// What one workload may use of a target at each gateway; what is absent is not bounded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// A second's worth may come at once.
    #[serde(default)]
    pub requests_per_second: Option<NonZeroU32>,
    /// Requests whose bodies are not both through.
    #[serde(default)]
    pub concurrent_requests: Option<NonZeroU32>,
    /// Bytes of requests' bodies in a window: once they are used up, further requests are refused until the next.
    #[serde(default)]
    pub bytes_in: Option<NonZeroU64>,
    /// The same of responses' bodies.
    #[serde(default)]
    pub bytes_out: Option<NonZeroU64>,
    #[serde(default = "window_seconds")]
    pub window_seconds: NonZeroU32,
}

fn window_seconds() -> NonZeroU32 {
    const { NonZeroU32::new(60).expect("not zero") }
}

/// A server of tools, prompts and resources (Model Context Protocol, Streamable HTTP).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct McpServer {
    /// The one path at which it is spoken to.
    #[serde(default = "mcp_endpoint")]
    pub endpoint: String,
    /// What it may ask of its clients; of all else they hear nothing.
    #[serde(default)]
    pub may_ask: Vec<ServerAsks>,
    /// The web pages whose scripts may speak with it, by their `Origin`.
    #[serde(default)]
    pub origins: Vec<String>,
    /// For each tool the arguments that policies see: a name, and where in the arguments its value is (RFC 6901).
    #[serde(default)]
    pub arguments: BTreeMap<String, BTreeMap<String, String>>,
    /// Digests of descriptions that replace those which were seen first.
    #[serde(default)]
    pub accepted: Vec<String>,
}

/// What an MCP server can ask of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerAsks {
    Sampling,
    Elicitation,
    Roots,
}

fn mcp_endpoint() -> String {
    "/mcp".to_owned()
}

/// The HTTP that a target speaks, by its name in ALPN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HttpVersion {
    #[default]
    #[serde(rename = "http/1.1")]
    One,
    /// As gRPC needs it: in plain text it is spoken from the first byte (RFC 9113, section 3.3).
    #[serde(rename = "h2")]
    Two,
}

fn catalogue_age_seconds_max() -> u32 {
    30
}

/// Whether roles that reach files, programs or other people's sessions may be assumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DangerousRole {
    #[default]
    Refused,
    Accepted,
}

/// Who may vouch for workloads with tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    pub name: String,
    pub preset: Preset,
    /// The exact `iss`; the GitHub preset knows its own.
    #[serde(default)]
    pub issuer: Option<String>,
    /// Our name in tokens, one per environment.
    pub audience: String,
    /// Narrows the preset's list; for `oidc` it must be given.
    #[serde(default)]
    pub algorithms: Vec<String>,
    /// Where the keys are, when discovery is not wanted.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// The tenant whose unregistered workloads enter the inventory, as claim and values.
    #[serde(default)]
    pub tenant: BTreeMap<String, ClaimMatch>,
    /// Claims that must be pinned by each `oidc` login rule: the issuer's stable ids.
    #[serde(default)]
    pub stable_ids: Vec<String>,
    /// Shortens the preset's grace.
    #[serde(default)]
    pub grace_seconds_max: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    GithubActions,
    Gitlab,
    Kubernetes,
    Oidc,
}

/// A set of the policy library given to a segment or a workload, on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    pub library: Vec<String>,
    pub to: Grantee,
    pub target: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Grantee {
    Segment(String),
    Workload(String),
}

/// What an operator has stopped. It stays so until the revocation is lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// By which it can be lifted.
    pub id: String,
    pub of: Revoked,
    /// For operators: clients are not told.
    pub reason: String,
    /// The operator.
    pub by: String,
    /// Milliseconds since the epoch, by the control plane's clock.
    pub at_ms: i64,
}

/// Who or what is let in no more, whatever is shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Revoked {
    Workload(String),
    /// All evidence of an issuer by its name, or of a trust domain.
    Issuer(String),
    Target(String),
    /// A session, by the hexadecimal of its id.
    Session(String),
    /// A certificate, by trust domain and the hexadecimal of its serial number.
    Certificate {
        trust_domain: String,
        serial: String,
    },
    /// All tokens that an issuer's key has signed, by the `kid` that they name.
    Key {
        issuer: String,
        key_id: String,
    },
    /// All tokens of one run of one issuer.
    Run {
        issuer: String,
        run_id: String,
    },
    /// A network from which nobody may come.
    Network(IpNet),
}
