//! A proved caller, and which workload it is under one snapshot.

use std::net::IpAddr;
use std::sync::Arc;

use postern_link::snapshot::Workload;

use super::evidence::{Evidence, Run};
use super::matching::{Found, Known};
use super::refusal::{Ended, Error, Unregistered};
use super::remembered::Verified;
use super::revoked::RevokedPart;
use super::token;

/// Proof that someone showed who they are, and which workload that is. Cheap to clone.
///
/// Invariant: made only by [`super::Identities`], from verified evidence that matched exactly one workload.
#[derive(Clone, Debug)]
pub struct Identity(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    workload: Arc<Workload>,
    proof: Arc<Proof>,
    ends_at_ms: i64,
    /// What it was matched against, so that asking again is cheap while nothing has changed.
    judged_by: Generation,
}

/// What stays the same for a session's whole life, whatever snapshots come.
#[derive(Debug)]
pub(super) struct Proof {
    pub(super) evidence: Evidence,
    pub(super) run: Option<Run>,
    pub(super) source: IpAddr,
    pub(super) second_network: bool,
    pub(super) of: ProofOf,
}

#[derive(Debug)]
pub(super) enum ProofOf {
    /// The fingerprint of the authority that the chain led to.
    Certificate {
        authority: [u8; 32],
    },
    Token(Arc<Verified>),
}

/// Which knowledge and which bundles: both are counted from the start of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation {
    pub(super) known: u64,
    pub(super) bundles: u64,
}

impl Identity {
    /// An identity out of nothing, for the tests of other rooms.
    #[cfg(test)]
    pub(crate) fn of(workload: Workload, source: IpAddr) -> Identity {
        let evidence = Evidence {
            kind: super::EvidenceKind::Certificate,
            issuer: "test.example".into(),
            subject: format!("spiffe://test.example/{}", workload.name),
            certificate_serial: "01".into(),
            token_id: String::new(),
            expires_at_ms: i64::MAX,
        };
        let of = ProofOf::Certificate { authority: [0; 32] };
        let proof = Arc::new(Proof {
            evidence,
            run: None,
            source,
            second_network: false,
            of,
        });
        Identity::new(
            &Known::default(),
            &Arc::new(workload),
            proof,
            Generation { known: 0, bundles: 0 },
        )
    }

    pub(super) fn proof(&self) -> &Arc<Proof> {
        &self.0.proof
    }

    pub(super) fn judged_by(&self) -> Generation {
        self.0.judged_by
    }

    /// Who the caller is, as the newest snapshot at the time says.
    pub fn workload(&self) -> &Arc<Workload> {
        &self.0.workload
    }

    pub fn evidence(&self) -> &Evidence {
        &self.0.proof.evidence
    }

    /// The facts of the pipeline run; only tokens have them.
    pub fn run(&self) -> Option<&Run> {
        self.0.proof.run.as_ref()
    }

    /// Where the evidence came from.
    pub fn source(&self) -> IpAddr {
        self.0.proof.source
    }

    /// When a session of this identity ends at the latest: evidence and its grace, or the workload's expiry.
    pub fn ends_at_ms(&self) -> i64 {
        self.0.ends_at_ms
    }

    /// Whether its token was seen in another network before: a finding.
    pub fn second_network(&self) -> bool {
        self.0.proof.second_network
    }
}

impl Identity {
    pub(super) fn new(
        known: &Known,
        workload: &Arc<Workload>,
        proof: Arc<Proof>,
        judged_by: Generation,
    ) -> Identity {
        let grace_seconds = match &proof.of {
            ProofOf::Certificate { .. } => 0,
            ProofOf::Token(verified) => {
                let issuer = known.issuer(&verified.terms.issuer);
                let grace = issuer.map_or(0, |issuer| issuer.grace_seconds);
                grace.min(workload.grace_seconds_max.unwrap_or(u32::MAX))
            }
        };
        let evidence_ends_at_ms = proof
            .evidence
            .expires_at_ms
            .saturating_add(i64::from(grace_seconds) * 1000);
        let ends_at_ms = evidence_ends_at_ms.min(workload.expires.as_millisecond());
        Identity(Arc::new(Facts {
            workload: Arc::clone(workload),
            proof,
            ends_at_ms,
            judged_by,
        }))
    }

    pub(super) fn over(&self, now_ms: i64) -> Ended {
        if now_ms >= self.workload().expires.as_millisecond() {
            Ended::WorkloadExpired {
                workload: self.workload().name.clone(),
            }
        } else {
            Ended::Expired
        }
    }
}

/// Why proved evidence opens no door under one snapshot.
pub(super) enum Judged {
    Unregistered {
        differs: Vec<String>,
        tenant: Option<String>,
    },
    Ambiguous(Vec<String>),
    Disabled(String),
    WorkloadExpired(String),
    Revoked(RevokedPart),
    IssuerGone,
}

/// The one workload that a proof stands for under a snapshot.
pub(super) fn judge<'a>(known: &'a Known, proof: &Proof, now_ms: i64) -> Result<&'a Arc<Workload>, Judged> {
    let evidence = &proof.evidence;
    let workload = match &proof.of {
        ProofOf::Certificate { .. } => {
            known
                .revoked
                .certificate(&evidence.issuer, &evidence.certificate_serial)
                .map_err(Judged::Revoked)?;
            // Its trust domain is one of ours, so it is a tenant of ours.
            let unregistered = || Judged::Unregistered {
                differs: Vec::new(),
                tenant: Some(evidence.issuer.clone()),
            };
            known.by_spiffe(&evidence.subject).ok_or_else(unregistered)?
        }
        ProofOf::Token(verified) => {
            let issuer = known.issuer_on(&verified.terms).ok_or(Judged::IssuerGone)?;
            let run_id = proof.run.as_ref().and_then(|run| run.run_id.as_deref());
            known
                .revoked
                .token(&issuer.name, verified.key_id.as_deref(), run_id)
                .map_err(Judged::Revoked)?;
            match known.by_claims(issuer, &verified.claims.all) {
                Found::One(workload) => workload,
                Found::None { differs } => {
                    let tenant = issuer.tenant_of(&verified.claims.all);
                    return Err(Judged::Unregistered { differs, tenant });
                }
                Found::Many(workloads) => return Err(Judged::Ambiguous(workloads)),
            }
        }
    };
    known.revoked.workload(&workload.name).map_err(Judged::Revoked)?;
    if workload.disabled {
        return Err(Judged::Disabled(workload.name.clone()));
    }
    if now_ms >= workload.expires.as_millisecond() {
        return Err(Judged::WorkloadExpired(workload.name.clone()));
    }
    Ok(workload)
}

impl Judged {
    pub(super) fn into_error(self, proof: &Proof) -> Error {
        let (kind, issuer) = (proof.evidence.kind, proof.evidence.issuer.clone());
        match self {
            Judged::Unregistered { differs, tenant } => {
                let subject = proof.evidence.subject.clone();
                Error::Unregistered(Box::new(Unregistered {
                    kind,
                    issuer,
                    subject,
                    tenant,
                    differs,
                }))
            }
            Judged::Ambiguous(workloads) => Error::Ambiguous {
                kind,
                issuer,
                workloads,
            },
            Judged::Disabled(workload) => Error::Disabled { issuer, workload },
            Judged::WorkloadExpired(workload) => Error::WorkloadExpired { issuer, workload },
            Judged::Revoked(part) => Error::Revoked { kind, issuer, part },
            Judged::IssuerGone => Error::Token {
                issuer: None,
                cause: token::Error::UnknownIssuer,
            },
        }
    }

    pub(super) fn into_ended(self, identity: &Identity) -> Ended {
        let workload = identity.workload().name.clone();
        match self {
            Judged::Unregistered { .. } | Judged::Ambiguous(_) => Ended::NoLongerMatches { workload },
            Judged::Disabled(name) if name == workload => Ended::Disabled { workload },
            Judged::WorkloadExpired(name) if name == workload => Ended::WorkloadExpired { workload },
            Judged::Disabled(_) | Judged::WorkloadExpired(_) => Ended::NoLongerMatches { workload },
            Judged::Revoked(RevokedPart::Workload(name)) if name != workload => {
                Ended::NoLongerMatches { workload }
            }
            Judged::Revoked(part) => Ended::Revoked(part),
            Judged::IssuerGone => Ended::IssuerGone,
        }
    }
}
