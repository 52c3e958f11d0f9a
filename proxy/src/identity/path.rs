//! The way from a leaf to an authority of its bundle.
//!
//! The library builds and verifies it. Where an intermediate has constraints on URIs, which the library
//! refuses, it verifies the part below that certificate, and the rest is verified here, one issuer at a time.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;

use super::bundle::Authority;
use super::certificate::Error;
use super::constraints::{self, NameConstraints};
use super::shape;
use super::spiffe::SpiffeId;

/// A certificate that a client sent beside its leaf.
pub(super) struct Link<'a> {
    pub(super) der: CertificateDer<'a>,
    pub(super) parsed: X509Certificate<'a>,
    pub(super) constraints: NameConstraints,
}

/// Finds the authority that a leaf's chain leads to. Every certificate that was sent must be part of it.
pub(super) fn verify<'a>(
    leaf: &CertificateDer<'_>,
    id: &SpiffeId,
    links: &[Link<'_>],
    authorities: &[&'a Authority],
    now_seconds: i64,
) -> Result<&'a Authority, Error> {
    let constrained = links.iter().position(|link| link.constraints.has_uris());
    let authority = match constrained {
        None => verify_whole(leaf, links, authorities, now_seconds)?,
        Some(lowest) => verify_constrained(leaf, links, lowest, authorities, now_seconds)?,
    };
    // The names of signing certificates are of the same trust domain: `shape` has seen to it.
    let all = links
        .iter()
        .map(|link| &link.constraints)
        .chain([&authority.constraints]);
    for constraints in all {
        if !constraints.allow(id.trust_domain()) {
            return Err(Error::NameConstraints);
        }
    }
    Ok(authority)
}

fn verify_whole<'a>(
    leaf: &CertificateDer<'_>,
    links: &[Link<'_>],
    authorities: &[&'a Authority],
    now_seconds: i64,
) -> Result<&'a Authority, Error> {
    let anchors: Vec<TrustAnchor<'_>> = authorities
        .iter()
        .map(|authority| authority.anchor.clone())
        .collect();
    let chain: Vec<CertificateDer<'_>> = links.iter().map(|link| link.der.clone()).collect();
    let reached = library_verify(leaf, &chain, &anchors, now_seconds)?;
    if reached.links != links.len() {
        return Err(Error::Unused);
    }
    authorities
        .get(reached.anchor)
        .copied()
        .ok_or(Error::UnknownAuthority)
}

/// How far the library came: which anchor, over how many intermediates.
struct Reached {
    anchor: usize,
    links: usize,
}

fn library_verify(
    leaf: &CertificateDer<'_>,
    chain: &[CertificateDer<'_>],
    anchors: &[TrustAnchor<'_>],
    now_seconds: i64,
) -> Result<Reached, Error> {
    let leaf = EndEntityCert::try_from(leaf).map_err(|error| reason(&error))?;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now_seconds).unwrap_or(0)));
    let path = leaf
        .verify_for_usage(
            ALL_VERIFICATION_ALGS,
            anchors,
            chain,
            now,
            KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|error| reason(&error))?;
    let anchor = anchors
        .iter()
        .position(|anchor| std::ptr::eq(anchor, path.anchor()));
    Ok(Reached {
        anchor: anchor.ok_or(Error::UnknownAuthority)?,
        links: path.intermediate_certificates().count(),
    })
}

/// Verifies a chain in which `links[lowest]` is the first with constraints on URIs. It must be in order.
fn verify_constrained<'a>(
    leaf: &CertificateDer<'_>,
    links: &[Link<'_>],
    lowest: usize,
    authorities: &[&'a Authority],
    now_seconds: i64,
) -> Result<&'a Authority, Error> {
    let (below, upper) = links.split_at_checked(lowest).ok_or(Error::UnknownAuthority)?;
    let (Some(constrained), Some(top)) = (upper.first(), upper.last()) else {
        return Err(Error::UnknownAuthority);
    };
    for (position, link) in links.iter().enumerate().skip(lowest) {
        check_authority(link, position, now_seconds)?;
    }
    for pair in upper.windows(2) {
        if let [issued, issuer] = pair {
            check_issued_by(issued, &issuer.der)?;
        }
    }
    let mut outcome = Err(Error::UnknownAuthority);
    let authority = authorities.iter().find(|authority| {
        outcome = check_issued_by(top, &authority.der);
        outcome.is_ok()
    });
    let Some(authority) = authority else {
        return Err(outcome.err().unwrap_or(Error::UnknownAuthority));
    };
    // The part below is verified once for each certificate above, with what that one allows.
    let chain: Vec<CertificateDer<'_>> = below.iter().map(|link| link.der.clone()).collect();
    let anchor = webpki::anchor_from_trusted_cert(&constrained.der).map_err(|error| reason(&error))?;
    let above = upper
        .iter()
        .map(|link| &link.constraints)
        .chain([&authority.constraints]);
    for (distance, constraints) in above.enumerate() {
        if distance > 0 && constraints.others.is_none() {
            continue;
        }
        // Names that authorities have beside URIs are not compared here: under such constraints, none.
        for link in upper.iter().take(distance) {
            if constraints.others.is_some() && shape::has_other_names(&link.parsed)? {
                return Err(Error::NameConstraints);
            }
        }
        let anchor = TrustAnchor {
            name_constraints: constraints.others.clone(),
            ..anchor.clone()
        };
        let reached = library_verify(leaf, &chain, &[anchor], now_seconds)?;
        if reached.links != below.len() {
            return Err(Error::Unused);
        }
    }
    Ok(authority)
}

/// What RFC 5280 6.1.4 asks of a signing certificate with this many others below it. `shape` saw the rest.
fn check_authority(link: &Link<'_>, authorities_below: usize, now_seconds: i64) -> Result<(), Error> {
    let validity = link.parsed.validity();
    if !(validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now_seconds) {
        return Err(Error::AuthorityNotValid);
    }
    let constraints = link.parsed.basic_constraints().map_err(|_| Error::Unreadable)?;
    let length_max = constraints.and_then(|constraints| constraints.value.path_len_constraint);
    let is_within =
        length_max.is_none_or(|max| usize::try_from(max).is_ok_and(|max| authorities_below <= max));
    if is_within {
        Ok(())
    } else {
        Err(Error::PathTooLong)
    }
}

/// Whether the issuer's name and key are those that the certificate was issued with.
fn check_issued_by(issued: &Link<'_>, issuer: &CertificateDer<'_>) -> Result<(), Error> {
    // The library reads both strictly: unknown critical extensions end here.
    let certificate = EndEntityCert::try_from(&issued.der).map_err(|error| reason(&error))?;
    let issuer = EndEntityCert::try_from(issuer).map_err(|error| reason(&error))?;
    if certificate.issuer() != issuer.subject() {
        return Err(Error::UnknownAuthority);
    }
    let signed = Signed::read(&issued.der)?;
    let mut outcome = Err(Error::SignatureKind);
    for algorithm in ALL_VERIFICATION_ALGS {
        if algorithm.signature_alg_id().as_ref() != signed.algorithm {
            continue;
        }
        match issuer.verify_signature(*algorithm, signed.message, signed.signature) {
            Ok(()) => return Ok(()),
            // One name stands for several curves, of which the issuer's key is on one.
            Err(error) if reason(&error) == Error::Signature => outcome = Err(Error::Signature),
            Err(_) => {}
        }
    }
    outcome
}

/// The three parts of a certificate (RFC 5280, 4.1).
struct Signed<'a> {
    message: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn read(der: &'a [u8]) -> Result<Signed<'a>, Error> {
        let malformed = |_| Error::Malformed;
        let (_, parts) = constraints::whole(der).map_err(malformed)?;
        let (_, _, after) = constraints::next(parts).map_err(malformed)?;
        let message = parts.get(..parts.len() - after.len()).ok_or(Error::Malformed)?;
        let (_, algorithm, after) = constraints::next(after).map_err(malformed)?;
        let (_, bits) = constraints::whole(after).map_err(malformed)?;
        match bits.split_first() {
            Some((0, signature)) => Ok(Signed {
                message,
                algorithm,
                signature,
            }),
            _ => Err(Error::Malformed),
        }
    }
}

/// The library's error in our words. What it may add later is only ever a refusal.
fn reason(error: &webpki::Error) -> Error {
    use webpki::Error as Library;
    match error {
        // The leaf's own times have been judged before.
        Library::CertExpired { .. } | Library::CertNotValidYet { .. } | Library::InvalidCertValidity => {
            Error::AuthorityNotValid
        }
        Library::UnknownIssuer => Error::UnknownAuthority,
        Library::EndEntityUsedAsCa => Error::NotAnAuthority,
        Library::CaUsedAsEndEntity => Error::LeafIsAuthority,
        Library::InvalidSignatureForPublicKey => Error::Signature,
        Library::NameConstraintViolation => Error::NameConstraints,
        Library::PathLenConstraintViolated | Library::MaximumPathDepthExceeded => Error::PathTooLong,
        Library::MaximumSignatureChecksExceeded
        | Library::MaximumPathBuildCallsExceeded
        | Library::MaximumNameConstraintComparisonsExceeded => Error::TooCostly,
        Library::RequiredEkuNotFoundContext(_) | Library::EmptyEkuExtension => Error::NotForClients,
        Library::UnsupportedSignatureAlgorithmContext(_)
        | Library::UnsupportedSignatureAlgorithmForPublicKeyContext(_)
        | Library::SignatureAlgorithmMismatch => Error::SignatureKind,
        Library::UnsupportedCriticalExtension => Error::CriticalExtension,
        _ => Error::Malformed,
    }
}
