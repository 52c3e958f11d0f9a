//! Trust bundles: for each trust domain, the authorities whose signatures count in it and nowhere else.

use std::collections::BTreeMap;

use rustls::pki_types::{CertificateDer, TrustAnchor};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::constraints::NameConstraints;
use super::keys::sha256;
use super::shape;

/// The bundles of all trust domains that this gateway's file names.
#[derive(Debug, Default)]
pub(super) struct Bundles {
    domains: BTreeMap<String, Vec<Authority>>,
}

/// One trust anchor of one trust domain.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    /// Without constraints on URIs, which are judged by `constraints`.
    pub(super) anchor: TrustAnchor<'static>,
    pub(super) constraints: NameConstraints,
    not_before_seconds: i64,
    pub(super) not_after_seconds: i64,
    /// Subject, key and constraints: what makes it the same authority when it is issued again.
    pub(super) fingerprint: [u8; 32],
}

impl Bundles {
    /// Reads the bundles. What cannot be an authority is left out and told of.
    pub(super) fn read(bundles: BTreeMap<String, Vec<CertificateDer<'static>>>) -> (Bundles, Vec<String>) {
        let mut left_out = Vec::new();
        let mut domains = BTreeMap::new();
        for (domain, certificates) in bundles {
            let mut authorities = Vec::new();
            for (index, der) in certificates.into_iter().enumerate() {
                match Authority::read(&domain, der) {
                    Ok(authority) => authorities.push(authority),
                    Err(why) => {
                        left_out.push(format!("bundle of `{domain}`: certificate {} {why}", index + 1));
                    }
                }
            }
            domains.insert(domain, authorities);
        }
        (Bundles { domains }, left_out)
    }

    /// The authorities of a trust domain that are valid now, or nothing if it is not ours to judge.
    pub(super) fn authorities(&self, trust_domain: &str, now_seconds: i64) -> Option<Vec<&Authority>> {
        let authorities = self.domains.get(trust_domain)?;
        Some(
            authorities
                .iter()
                .filter(|one| one.is_valid(now_seconds))
                .collect(),
        )
    }

    pub(super) fn contains(&self, trust_domain: &str, fingerprint: &[u8; 32], now_seconds: i64) -> bool {
        let is_it = |one: &Authority| one.fingerprint == *fingerprint && one.is_valid(now_seconds);
        self.domains
            .get(trust_domain)
            .is_some_and(|authorities| authorities.iter().any(is_it))
    }
}

impl Authority {
    fn is_valid(&self, now_seconds: i64) -> bool {
        (self.not_before_seconds..=self.not_after_seconds).contains(&now_seconds)
    }

    fn read(trust_domain: &str, der: CertificateDer<'static>) -> Result<Authority, String> {
        let unreadable = "cannot be read";
        let (rest, certificate) = X509Certificate::from_der(&der).map_err(|_| unreadable)?;
        if !rest.is_empty() {
            return Err(unreadable.into());
        }
        shape::check_anchor(&certificate, trust_domain)
            .map_err(|error| format!("is no authority: {error}"))?;
        let constraints = shape::name_constraints(&certificate).map_err(|error| error.to_string())?;
        let validity = certificate.validity();
        let (not_before_seconds, not_after_seconds) =
            (validity.not_before.timestamp(), validity.not_after.timestamp());
        let mut anchor = webpki::anchor_from_trusted_cert(&der)
            .map_err(|_| unreadable)?
            .to_owned();
        let named = anchor
            .name_constraints
            .as_ref()
            .map_or(&[][..], |constraints| constraints.as_ref());
        let parts = [&anchor.subject[..], &anchor.subject_public_key_info[..], named];
        let fingerprint = sha256(&parts.map(sha256).concat());
        anchor.name_constraints = constraints.others.clone();
        Ok(Authority {
            der,
            anchor,
            constraints,
            not_before_seconds,
            not_after_seconds,
            fingerprint,
        })
    }
}
