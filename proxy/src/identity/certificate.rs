//! X.509-SVIDs as evidence, verified after the handshake so that a refusal can say why.
//!
//! `shape` judges each certificate by itself, `path` the way from the leaf to a bundle; `handshake` is what
//! TLS needs before any of this.

use std::collections::HashSet;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::bundle::Bundles;
use super::path::{self, Link};
use super::shape;
use super::spiffe::{self, SpiffeId};
use crate::config::Limits;

/// Why a client's certificates are no evidence. All are the fault of the client or of its authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no certificate was sent")]
    NoCertificate,
    #[error("more than {certificates_max} certificates were sent")]
    TooMany { certificates_max: usize },
    #[error("the certificates together are longer than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("it cannot be read")]
    Unreadable,
    #[error("it has no `spiffe://` name (a URI among its alternative names)")]
    NoSpiffeId,
    #[error("it has several URI names, and an X.509-SVID has exactly one")]
    SeveralNames,
    #[error("{0}")]
    SpiffeId(#[from] spiffe::Error),
    #[error("it is an authority's certificate, not a workload's")]
    LeafIsAuthority,
    #[error("its key may sign certificates, so it is not a workload's")]
    LeafSignsCertificates,
    #[error("its key may sign revocation lists, so it is not a workload's")]
    LeafSignsRevocations,
    #[error("it has no key usage")]
    NoKeyUsage,
    #[error("its key usage is not marked critical")]
    KeyUsageNotCritical,
    #[error("its key usage lacks digital signatures")]
    NoDigitalSignature,
    #[error("its extended key usage lacks client authentication")]
    NotForClients,
    #[error("its trust domain is not trusted here")]
    UnknownTrustDomain,
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("a certificate above it has expired or is not valid yet")]
    AuthorityNotValid,
    #[error("no authority of its trust domain has signed it")]
    UnknownAuthority,
    #[error("a certificate above it may not sign certificates")]
    NotAnAuthority,
    #[error("a certificate above it belongs to another trust domain")]
    ForeignAuthority,
    #[error("a signature in its chain is not the one of the certificate above")]
    Signature,
    #[error("a signature in its chain is of a kind that is not taken")]
    SignatureKind,
    #[error("an authority above it may not name it: name constraints")]
    NameConstraints,
    #[error("name constraints in its chain cannot be read")]
    ConstraintsUnreadable,
    #[error("its chain is longer than an authority in it allows")]
    PathTooLong,
    #[error("a certificate was sent that is no part of its chain")]
    Unused,
    #[error("two certificates of one name were sent")]
    EqualNames,
    #[error("its chain takes too much work to verify")]
    TooCostly,
    #[error("a certificate in its chain has a critical extension that is not understood")]
    CriticalExtension,
    #[error("a certificate in its chain is malformed")]
    Malformed,
}

impl Error {
    /// The word for it in counts of strangers.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NoCertificate => "certificate_missing",
            Error::TooMany { .. } => "certificate_too_many",
            Error::TooLarge { .. } => "certificate_too_large",
            Error::Unreadable => "certificate_unreadable",
            Error::NoSpiffeId => "certificate_no_spiffe_id",
            Error::SeveralNames => "certificate_several_names",
            Error::SpiffeId(error) => error.code(),
            Error::LeafIsAuthority => "certificate_leaf_is_authority",
            Error::LeafSignsCertificates => "certificate_leaf_signs_certificates",
            Error::LeafSignsRevocations => "certificate_leaf_signs_revocations",
            Error::NoKeyUsage => "certificate_no_key_usage",
            Error::KeyUsageNotCritical => "certificate_key_usage_not_critical",
            Error::NoDigitalSignature => "certificate_no_digital_signature",
            Error::NotForClients => "certificate_not_for_clients",
            Error::UnknownTrustDomain => "certificate_unknown_trust_domain",
            Error::Expired => "certificate_expired",
            Error::NotYet => "certificate_not_yet",
            Error::AuthorityNotValid => "certificate_authority_not_valid",
            Error::UnknownAuthority => "certificate_unknown_authority",
            Error::NotAnAuthority => "certificate_not_an_authority",
            Error::ForeignAuthority => "certificate_foreign_authority",
            Error::Signature => "certificate_signature",
            Error::SignatureKind => "certificate_signature_kind",
            Error::NameConstraints => "certificate_name_constraints",
            Error::ConstraintsUnreadable => "certificate_constraints_unreadable",
            Error::PathTooLong => "certificate_path_too_long",
            Error::Unused => "certificate_unused",
            Error::EqualNames => "certificate_equal_names",
            Error::TooCostly => "certificate_too_costly",
            Error::CriticalExtension => "certificate_critical_extension",
            Error::Malformed => "certificate_malformed",
        }
    }
}

/// A leaf whose chain leads to the bundle of its own trust domain.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) id: SpiffeId,
    /// In hexadecimal, lower case.
    pub(super) serial: String,
    /// The earliest end of any certificate on the way.
    pub(super) expires_at_ms: i64,
    /// The fingerprint of the authority at the end of the way.
    pub(super) authority: [u8; 32],
}

/// What went wrong, and in which trust domain if it is one of ours.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) trust_domain: Option<String>,
    pub(super) error: Error,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure {
            trust_domain: None,
            error,
        }
    }
}

/// Verifies what a client sent, leaf first. The bundle is that of the trust domain in the leaf's own name.
pub(super) fn verify(
    chain: &[CertificateDer<'_>],
    bundles: &Bundles,
    limits: &Limits,
    now_ms: i64,
) -> Result<Verified, Failure> {
    let (leaf, others) = chain.split_first().ok_or(Error::NoCertificate)?;
    check_size(chain, limits)?;
    let now_seconds = now_ms.div_euclid(1000);
    let parsed = parse(leaf)?;
    let id = shape::check_leaf(&parsed)?;
    let Some(authorities) = bundles.authorities(id.trust_domain(), now_seconds) else {
        return Err(Error::UnknownTrustDomain.into());
    };
    let in_domain = |error| Failure {
        trust_domain: Some(id.trust_domain().to_owned()),
        error,
    };
    if now_seconds > parsed.validity().not_after.timestamp() {
        return Err(in_domain(Error::Expired));
    }
    if now_seconds < parsed.validity().not_before.timestamp() {
        return Err(in_domain(Error::NotYet));
    }
    let mut links = Vec::new();
    for der in others {
        // Some tools send the root along; it adds nothing, and takes nothing away.
        if authorities
            .iter()
            .any(|authority| authority.der.as_ref() == der.as_ref())
        {
            continue;
        }
        links.push(read_link(der, id.trust_domain()).map_err(in_domain)?);
    }
    check_names_differ(&links).map_err(in_domain)?;
    let authority = path::verify(leaf, &id, &links, &authorities, now_seconds).map_err(in_domain)?;
    let ends = links
        .iter()
        .map(|link| link.parsed.validity().not_after.timestamp());
    let expires_at_seconds = ends
        .fold(parsed.validity().not_after.timestamp(), i64::min)
        .min(authority.not_after_seconds);
    Ok(Verified {
        serial: hexadecimal(parsed.raw_serial()),
        expires_at_ms: expires_at_seconds.saturating_mul(1000),
        authority: authority.fingerprint,
        id,
    })
}

fn check_size(chain: &[CertificateDer<'_>], limits: &Limits) -> Result<(), Error> {
    if chain.len() > limits.chain_certificates_max {
        return Err(Error::TooMany {
            certificates_max: limits.chain_certificates_max,
        });
    }
    if chain.iter().map(|der| der.len()).sum::<usize>() > limits.chain_bytes_max {
        return Err(Error::TooLarge {
            bytes_max: limits.chain_bytes_max,
        });
    }
    Ok(())
}

/// With names that differ there is one way to try, not one for each order of what was sent.
fn check_names_differ(links: &[Link<'_>]) -> Result<(), Error> {
    let names: HashSet<&[u8]> = links.iter().map(|link| link.parsed.subject().as_raw()).collect();
    if names.len() == links.len() {
        Ok(())
    } else {
        Err(Error::EqualNames)
    }
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Error> {
    let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| Error::Unreadable)?;
    if rest.is_empty() {
        Ok(certificate)
    } else {
        Err(Error::Unreadable)
    }
}

fn read_link<'a>(der: &'a CertificateDer<'_>, trust_domain: &str) -> Result<Link<'a>, Error> {
    let parsed = parse(der)?;
    shape::check_intermediate(&parsed, trust_domain)?;
    let constraints = shape::name_constraints(&parsed)?;
    Ok(Link {
        der: CertificateDer::from(der.as_ref()),
        parsed,
        constraints,
    })
}

fn hexadecimal(serial: &[u8]) -> String {
    let digits: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
    // A leading zero byte only says that the number is positive.
    digits
        .strip_prefix("00")
        .filter(|rest| !rest.is_empty())
        .map_or(digits.clone(), str::to_owned)
}
