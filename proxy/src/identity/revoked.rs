//! What operators have stopped of those who log in, indexed by what callers present.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use postern_link::snapshot::{Revocation, Revoked};

use super::evidence::EvidenceKind;

/// The revocations of one snapshot that are about logins.
#[derive(Debug, Default)]
pub(super) struct RevokedLogins {
    exact: HashSet<Revoked>,
    networks: Vec<IpNet>,
}

/// What of a caller is revoked, as a client may hear it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RevokedPart {
    Workload(String),
    Issuer,
    Key,
    Run,
    Certificate,
}

impl RevokedLogins {
    pub(super) fn of(revocations: &[Revocation]) -> RevokedLogins {
        let mut revoked = RevokedLogins::default();
        for revocation in revocations {
            match &revocation.of {
                Revoked::Network(network) => revoked.networks.push(*network),
                Revoked::Certificate { trust_domain, serial } => {
                    revoked.exact.insert(certificate(trust_domain, serial));
                }
                of => {
                    revoked.exact.insert(of.clone());
                }
            }
        }
        revoked
    }

    /// Whether nobody may come from here.
    pub(super) fn network(&self, source: IpAddr) -> bool {
        let source = source.to_canonical();
        self.networks.iter().any(|network| network.contains(&source))
    }

    pub(super) fn certificate(&self, trust_domain: &str, serial: &str) -> Result<(), RevokedPart> {
        self.issuer(trust_domain)?;
        self.none(|| certificate(trust_domain, serial), || RevokedPart::Certificate)
    }

    pub(super) fn token(
        &self,
        issuer: &str,
        key_id: Option<&str>,
        run_id: Option<&str>,
    ) -> Result<(), RevokedPart> {
        self.issuer(issuer)?;
        let issuer = || issuer.to_owned();
        if let Some(key_id) = key_id {
            let key = || Revoked::Key {
                issuer: issuer(),
                key_id: key_id.to_owned(),
            };
            self.none(key, || RevokedPart::Key)?;
        }
        if let Some(run_id) = run_id {
            let run = || Revoked::Run {
                issuer: issuer(),
                run_id: run_id.to_owned(),
            };
            self.none(run, || RevokedPart::Run)?;
        }
        Ok(())
    }

    pub(super) fn workload(&self, name: &str) -> Result<(), RevokedPart> {
        let workload = || Revoked::Workload(name.to_owned());
        self.none(workload, || RevokedPart::Workload(name.to_owned()))
    }

    fn issuer(&self, name: &str) -> Result<(), RevokedPart> {
        self.none(|| Revoked::Issuer(name.to_owned()), || RevokedPart::Issuer)
    }

    /// Most houses have revoked nothing: then nothing is built to look it up.
    fn none(
        &self,
        of: impl FnOnce() -> Revoked,
        part: impl FnOnce() -> RevokedPart,
    ) -> Result<(), RevokedPart> {
        if !self.exact.is_empty() && self.exact.contains(&of()) {
            return Err(part());
        }
        Ok(())
    }
}

impl RevokedPart {
    /// What is needed to come back.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            RevokedPart::Workload(_) | RevokedPart::Issuer => {
                "an operator has stopped it, knows why, and can lift it"
            }
            RevokedPart::Key | RevokedPart::Run | RevokedPart::Certificate => {
                "a new one is needed; the operators know why"
            }
        }
    }

    /// The part as a sentence begins with it, for evidence of this kind.
    pub(super) fn said(&self, kind: EvidenceKind) -> String {
        match self {
            RevokedPart::Certificate => format!("this {kind}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for RevokedPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            RevokedPart::Workload(name) => return write!(formatter, "workload `{name}`"),
            RevokedPart::Issuer => "the issuer of this evidence",
            RevokedPart::Key => "the key that signed this token",
            RevokedPart::Run => "the run that this token is of",
            RevokedPart::Certificate => "the certificate",
        })
    }
}

/// The serial number without what people write it differently with: colons, case and leading zeros.
fn certificate(trust_domain: &str, serial: &str) -> Revoked {
    let digits: String = serial.chars().filter(char::is_ascii_hexdigit).collect();
    Revoked::Certificate {
        trust_domain: trust_domain.to_owned(),
        serial: digits.trim_start_matches('0').to_ascii_lowercase(),
    }
}
