//! Why nobody is let in, or no longer: errors for us, and what a client may hear of them.

use crate::refusal::{Reason, Refusal};

use super::certificate;
use super::evidence::EvidenceKind;
use super::revoked::RevokedPart;
use super::token;

/// Greatest length of a client's own words in what it hears.
const OWN_WORDS_CHARS_MAX: usize = 100;

/// Why evidence does not make an identity. The variant tells whose fault it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client's, or its authority's.
    #[error("client certificate refused: {cause}")]
    Certificate {
        /// Only if it is one of ours.
        trust_domain: Option<String>,
        cause: certificate::Error,
    },
    /// The client's, or whoever made its token.
    #[error("token refused: {cause}")]
    Token {
        /// The issuer resource, if the token names one of ours.
        issuer: Option<String>,
        cause: token::Error,
    },
    /// The issuer's: its keys cannot be had.
    #[error("keys of issuer `{issuer}` are unavailable")]
    KeysUnavailable { issuer: String },
    /// Ours: nobody has registered this caller.
    #[error("no workload matches this {}", _0.kind)]
    Unregistered(Box<Unregistered>),
    /// Ours: the rules let two workloads claim one caller.
    #[error("several workloads match this {kind}: `{}`", workloads.join("`, `"))]
    Ambiguous {
        kind: EvidenceKind,
        issuer: String,
        workloads: Vec<String>,
    },
    /// Ours: the workload is switched off.
    #[error("workload `{workload}` is disabled")]
    Disabled { issuer: String, workload: String },
    /// Ours: the workload's own time is over.
    #[error("workload `{workload}` has expired")]
    WorkloadExpired { issuer: String, workload: String },
    /// Ours: the evidence was withdrawn.
    #[error("{} is revoked", part.said(*kind))]
    Revoked {
        kind: EvidenceKind,
        issuer: String,
        part: RevokedPart,
    },
    /// Ours: nobody may come from there.
    #[error("this network is revoked")]
    NetworkRevoked,
    /// The client's, if it is a thief: its workload's tokens stay in one network.
    #[error("this token was first used from another network")]
    SecondNetwork { issuer: String, workload: String },
}

/// A proved caller that no workload stands for.
#[derive(Debug)]
pub struct Unregistered {
    pub kind: EvidenceKind,
    /// The issuer resource or the trust domain.
    pub issuer: String,
    pub subject: String,
    /// Only where the issuer's entry names it.
    pub tenant: Option<String>,
    /// Claims in which the nearest rule differs, if there is one with the same stable id.
    pub differs: Vec<String>,
}

impl std::fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What may be counted of a caller that was not let in: words of our own configuration, never the caller's,
/// except the subject of a proved caller in a tenant of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stranger {
    /// The issuer resource or trust domain, empty if it is none of ours.
    pub issuer: String,
    /// Not empty for a proved caller of a tenant that the issuer's entry names: an unregistered workload.
    pub tenant: String,
    /// Empty unless there is a tenant.
    pub subject: String,
    pub reason: &'static str,
}

impl Error {
    /// The facts by which strangers are counted.
    pub fn stranger(&self) -> Stranger {
        let (issuer, tenant, subject) = match self {
            Error::Certificate { trust_domain, .. } => (trust_domain.clone(), None, None),
            Error::Token { issuer, .. } => (issuer.clone(), None, None),
            Error::Unregistered(unregistered) => {
                let subject = unregistered
                    .tenant
                    .is_some()
                    .then(|| unregistered.subject.clone());
                (
                    Some(unregistered.issuer.clone()),
                    unregistered.tenant.clone(),
                    subject,
                )
            }
            Error::KeysUnavailable { issuer }
            | Error::Ambiguous { issuer, .. }
            | Error::Disabled { issuer, .. }
            | Error::WorkloadExpired { issuer, .. }
            | Error::Revoked { issuer, .. }
            | Error::SecondNetwork { issuer, .. } => (Some(issuer.clone()), None, None),
            Error::NetworkRevoked => (None, None, None),
        };
        Stranger {
            issuer: issuer.unwrap_or_default(),
            tenant: tenant.unwrap_or_default(),
            subject: subject.unwrap_or_default(),
            reason: self.code(),
        }
    }

    /// The word for it in counts and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Certificate { cause, .. } => cause.code(),
            Error::Token { cause, .. } => cause.code(),
            Error::KeysUnavailable { .. } => "keys_unavailable",
            Error::Unregistered(_) => "unregistered",
            Error::Ambiguous { .. } => "ambiguous",
            Error::Disabled { .. } => "workload_disabled",
            Error::WorkloadExpired { .. } => "workload_expired",
            Error::Revoked { .. } => "revoked",
            Error::NetworkRevoked => "network_revoked",
            Error::SecondNetwork { .. } => "second_network",
        }
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Refusal {
        match error {
            Error::Certificate { cause, .. } => {
                let refusal = Refusal::new(Reason::Unauthenticated, "client certificate refused");
                refusal.detail(cause.to_string()).hint(certificate_hint(cause))
            }
            Error::Token { cause, .. } => {
                let refusal = Refusal::new(Reason::BadToken, "token refused").detail(cause.to_string());
                match token_hint(cause) {
                    Some(hint) => refusal.hint(hint),
                    None => refusal,
                }
            }
            Error::KeysUnavailable { issuer } => Refusal::new(
                Reason::Unavailable,
                format!("keys of issuer `{issuer}` are unavailable"),
            )
            .detail("the gateway cannot verify tokens of this issuer now")
            .hint("try again; if it lasts, `postern check` on the gateway says why"),
            Error::Unregistered(unregistered) => unregistered.refusal(),
            Error::Ambiguous { workloads, .. } => {
                Refusal::new(Reason::Unauthenticated, "several workloads match this caller")
                    .detail(format!(
                        "login rules of `{}` both take it",
                        workloads.join("` and `")
                    ))
                    .hint("pin a claim in which the callers differ in each workload's `login`")
            }
            Error::Disabled { workload, .. } => Refusal::new(
                Reason::Unauthenticated,
                format!("workload `{workload}` is disabled"),
            )
            .hint("its owner can enable it again"),
            Error::WorkloadExpired { workload, .. } => Refusal::new(
                Reason::Unauthenticated,
                format!("workload `{workload}` has expired"),
            )
            .hint("its owner can extend `expires`"),
            Error::Revoked { kind, part, .. } => Refusal::new(
                Reason::Unauthenticated,
                format!("{} is revoked", part.said(*kind)),
            )
            .hint(part.hint()),
            Error::NetworkRevoked => {
                Refusal::new(Reason::Unauthenticated, "logins from this network are revoked")
            }
            Error::SecondNetwork { workload, .. } => {
                Refusal::new(Reason::BadToken, "this token was first used from another network")
                    .detail(format!(
                        "workload `{workload}` takes each token from one network only"
                    ))
                    .hint("get a new token where it is used, or set `second_network: finding`")
            }
        }
    }
}

impl Unregistered {
    fn refusal(&self) -> Refusal {
        let message = format!("no workload matches this {}", self.kind);
        let refusal = Refusal::new(Reason::Unauthenticated, message);
        let who = own_words(&self.subject);
        if self.differs.is_empty() {
            return refusal
                .detail(format!(
                    "the {} of {who} is valid, but no login rule takes it",
                    self.kind
                ))
                .hint("register a workload whose `login` names this caller");
        }
        refusal
            .detail(format!(
                "the nearest login rule for {who} differs in {}",
                self.differs.join(", ")
            ))
            .hint("the rule lists the values that it takes; events and change requests must be named in it")
    }
}

/// A client's own words, if they are short and plain; they must not draw on somebody's terminal.
fn own_words(text: &str) -> String {
    if text.chars().count() <= OWN_WORDS_CHARS_MAX && text.chars().all(|c| c.is_ascii_graphic() && c != '`') {
        format!("`{text}`")
    } else {
        "this caller".into()
    }
}

fn certificate_hint(cause: &certificate::Error) -> &'static str {
    use certificate::Error as Cause;
    match cause {
        Cause::NoCertificate => "send a client certificate, or a token as the password",
        Cause::Expired | Cause::AuthorityNotValid => {
            "fetch a new certificate; a helper can do so before each end"
        }
        Cause::NotYet => "compare the clocks of this host, the authority and the gateway",
        Cause::UnknownTrustDomain => {
            "trust domains are listed under `trust_domains` in the gateway's own file"
        }
        Cause::UnknownAuthority | Cause::Signature => {
            "send the leaf first and every certificate between it and the trust domain's bundle"
        }
        Cause::TooMany { .. } | Cause::TooLarge { .. } | Cause::Unused | Cause::EqualNames => {
            "send the leaf and the certificates that lead to the bundle, nothing else"
        }
        Cause::Unreadable
        | Cause::NoSpiffeId
        | Cause::SeveralNames
        | Cause::SpiffeId(_)
        | Cause::LeafIsAuthority
        | Cause::LeafSignsCertificates
        | Cause::LeafSignsRevocations
        | Cause::NoKeyUsage
        | Cause::KeyUsageNotCritical
        | Cause::NoDigitalSignature
        | Cause::NotForClients
        | Cause::NotAnAuthority
        | Cause::ForeignAuthority
        | Cause::SignatureKind
        | Cause::NameConstraints
        | Cause::ConstraintsUnreadable
        | Cause::PathTooLong
        | Cause::TooCostly
        | Cause::CriticalExtension
        | Cause::Malformed => "the authority that issued it must issue an X.509-SVID",
    }
}

fn token_hint(cause: &token::Error) -> Option<&'static str> {
    use token::Error as Cause;
    match cause {
        Cause::Expired => Some("get a new token for each login; CI tokens live a few minutes"),
        Cause::NotYet | Cause::IssuedInFuture => Some("compare the clocks of the issuer and the gateway"),
        Cause::Audience | Cause::SeveralAudiences => {
            Some("ask for a token whose only audience is the gateway's name, as the issuer's entry gives it")
        }
        Cause::UnknownIssuer => Some("issuers are resources of kind `Issuer`, compared by their exact `iss`"),
        Cause::Form | Cause::TooLong { .. } | Cause::Encrypted | Cause::JsonSerialization | Cause::Header => {
            Some("the password must be one token, without spaces or line ends around it")
        }
        Cause::LivesTooLong { .. } => Some("ask for a token with a shorter life"),
        Cause::Unfit(_) => Some("use the token that the CI system makes for this very run or pod"),
        Cause::Payload
        | Cause::DuplicateKey
        | Cause::Unsigned
        | Cause::Algorithm
        | Cause::KeyInHeader
        | Cause::Critical
        | Cause::HeaderField
        | Cause::Type
        | Cause::KeyId
        | Cause::NoIssuer
        | Cause::Key(_)
        | Cause::Signature
        | Cause::Missing(_)
        | Cause::ClaimType(_) => None,
    }
}

/// Why a session that was open may not go on as the same workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("the evidence has expired and its grace is over")]
    Expired,
    #[error("workload `{workload}` has expired")]
    WorkloadExpired { workload: String },
    #[error("workload `{workload}` is disabled")]
    Disabled { workload: String },
    #[error("workload `{workload}` is no longer registered for this caller")]
    NoLongerMatches { workload: String },
    #[error("{0} is revoked")]
    Revoked(RevokedPart),
    #[error("this network is revoked")]
    NetworkRevoked,
    #[error("workload `{workload}` now takes each token from one network only")]
    SecondNetwork { workload: String },
    #[error("the authority behind the certificate is no longer trusted")]
    AuthorityGone,
    #[error("the issuer of the token is no longer trusted on the same terms")]
    IssuerGone,
}

impl From<&Ended> for Refusal {
    fn from(ended: &Ended) -> Refusal {
        let refusal = Refusal::new(Reason::Ended, "session ended").detail(ended.to_string());
        match ended {
            Ended::Expired => refusal.hint("connect again with new evidence"),
            Ended::WorkloadExpired { .. }
            | Ended::Disabled { .. }
            | Ended::NoLongerMatches { .. }
            | Ended::SecondNetwork { .. } => refusal.hint("the workload's owner can say why it changed"),
            Ended::Revoked(part) => refusal.hint(part.hint()),
            Ended::NetworkRevoked | Ended::AuthorityGone | Ended::IssuerGone => {
                refusal.hint("trust was withdrawn; connecting again says what is missing")
            }
        }
    }
}
