//! What operators have stopped of those who log in, indexed by what callers present.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use postern_link::snapshot::{Revocation, Revoked};

use super::evidence::EvidenceKind;

/// The revocations of one snapshot that are about logins; looked up by what a caller shows, with nothing built for it.
#[derive(Debug, Default)]
pub(super) struct RevokedLogins {
    workloads: HashSet<String>,
    /// Trust domains too.
    issuers: HashSet<String>,
    /// By issuer, as runs are; certificates by trust domain.
    keys: ByIssuer,
    runs: ByIssuer,
    certificates: ByIssuer,
    networks: Vec<IpNet>,
}

type ByIssuer = HashMap<String, HashSet<String>>;

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
            match revocation.of.clone() {
                Revoked::Workload(name) => drop(revoked.workloads.insert(name)),
                Revoked::Issuer(name) => drop(revoked.issuers.insert(name)),
                Revoked::Key { issuer, key_id } => add(&mut revoked.keys, issuer, key_id),
                Revoked::Run { issuer, run_id } => add(&mut revoked.runs, issuer, run_id),
                Revoked::Certificate { trust_domain, serial } => {
                    add(&mut revoked.certificates, trust_domain, plain_serial(&serial));
                }
                Revoked::Network(network) => revoked.networks.push(network),
                // Refused by those who serve and list them.
                Revoked::Target(_) | Revoked::Session(_) => {}
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
        let of_domain = self.certificates.get(trust_domain);
        match of_domain.is_some_and(|serials| serials.contains(&plain_serial(serial))) {
            true => Err(RevokedPart::Certificate),
            false => Ok(()),
        }
    }

    pub(super) fn token(
        &self,
        issuer: &str,
        key_id: Option<&str>,
        run_id: Option<&str>,
    ) -> Result<(), RevokedPart> {
        self.issuer(issuer)?;
        let has = |all: &ByIssuer, id: Option<&str>| {
            let known = all.get(issuer).zip(id);
            known.is_some_and(|(known, id)| known.contains(id))
        };
        if has(&self.keys, key_id) {
            return Err(RevokedPart::Key);
        }
        if has(&self.runs, run_id) {
            return Err(RevokedPart::Run);
        }
        Ok(())
    }

    pub(super) fn workload(&self, name: &str) -> Result<(), RevokedPart> {
        match self.workloads.contains(name) {
            true => Err(RevokedPart::Workload(name.to_owned())),
            false => Ok(()),
        }
    }

    fn issuer(&self, name: &str) -> Result<(), RevokedPart> {
        match self.issuers.contains(name) {
            true => Err(RevokedPart::Issuer),
            false => Ok(()),
        }
    }
}

fn add(all: &mut ByIssuer, issuer: String, id: String) {
    all.entry(issuer).or_default().insert(id);
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
fn plain_serial(serial: &str) -> String {
    let digits: String = serial.chars().filter(char::is_ascii_hexdigit).collect();
    digits.trim_start_matches('0').to_ascii_lowercase()
}
