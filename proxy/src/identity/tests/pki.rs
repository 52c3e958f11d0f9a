//! Authorities and leaves, good by default, so that a test changes the one thing it is about.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use super::super::Identities;
use crate::config::Limits;

pub(super) const DOMAIN: &str = "a.example";
pub(super) const ID: &str = "spiffe://a.example/deploy";
/// 2026-06-01, between the first and the last day of what is made here.
pub(super) const NOW_MS: i64 = 1_780_272_000_000;

pub(super) type Chain = Vec<CertificateDer<'static>>;

pub(super) struct Authority {
    pub(super) der: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

/// A self-signed authority.
pub(super) fn root(name: &str) -> Authority {
    root_with(name, |_| {})
}

pub(super) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Authority {
    let key = KeyPair::generate().unwrap();
    let mut params = authority_params(name);
    change(&mut params);
    let der = params.self_signed(&key).unwrap().der().clone();
    Authority {
        der,
        issuer: Issuer::new(params, key),
    }
}

/// The same authority, with the same key, issued again.
pub(super) fn renewed(authority: Authority, name: &str) -> (Authority, Authority) {
    let pem = authority.issuer.key().serialize_pem();
    let key = KeyPair::from_pem(&pem).unwrap();
    let mut params = authority_params(name);
    params.serial_number = Some(SerialNumber::from(77));
    let der = params.self_signed(&key).unwrap().der().clone();
    (
        authority,
        Authority {
            der,
            issuer: Issuer::new(params, key),
        },
    )
}

impl Authority {
    pub(super) fn pem(&self) -> String {
        let body = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &self.der);
        let lines: Vec<&str> = body
            .as_bytes()
            .chunks(64)
            .map(|line| str::from_utf8(line).unwrap())
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    }

    pub(super) fn intermediate(&self, name: &str) -> Authority {
        self.intermediate_with(name, |_| {})
    }

    pub(super) fn intermediate_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = authority_params(name);
        change(&mut params);
        let der = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        Authority {
            der,
            issuer: Issuer::new(params, key),
        }
    }

    pub(super) fn leaf(&self, id: &str) -> CertificateDer<'static> {
        self.leaf_with(|params| params.subject_alt_names = vec![uri(id)])
    }

    pub(super) fn leaf_with(&self, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = leaf_params();
        change(&mut params);
        params.signed_by(leaf_key(), &self.issuer).unwrap().der().clone()
    }
}

/// One key for all leaves: whose key it is, is not what these tests are about.
pub(super) fn leaf_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate().unwrap())
}

pub(super) fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.not_before = date_time_ymd(2026, 5, 1);
    params.not_after = date_time_ymd(2026, 7, 1);
    params.serial_number = Some(SerialNumber::from_slice(&[0x0a, 0xbc]));
    params.subject_alt_names = vec![uri(ID)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub(super) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(super) fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

const URI_TAG: u8 = 0x86;
const DNS_TAG: u8 = 0x82;

/// Name constraints with permitted URI hosts and DNS names, which rcgen cannot write.
pub(super) fn permit(uris: &[&str], names: &[&str]) -> CustomExtension {
    let subtree = |tag: u8, name: &&str| der(0x30, &der(tag, name.as_bytes()));
    let uris = uris.iter().flat_map(|host| subtree(URI_TAG, host));
    let names = names.iter().flat_map(|name| subtree(DNS_TAG, name));
    let permitted: Vec<u8> = uris.chain(names).collect();
    let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], der(0x30, &der(0xa0, &permitted)));
    extension.set_criticality(true);
    extension
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    assert!(length < 0x80);
    [&[tag, length], content].concat()
}

/// Identities that trust these authorities for `a.example`.
pub(super) fn trusting(authorities: &[&Authority]) -> Identities {
    let identities = Identities::new(&Limits::default(), &[]).unwrap();
    assert_eq!(identities.set_bundles(bundle(authorities)), Vec::<String>::new());
    identities
}

pub(super) fn bundle(authorities: &[&Authority]) -> BTreeMap<String, Chain> {
    let certificates = authorities
        .iter()
        .map(|authority| authority.der.clone())
        .collect();
    BTreeMap::from([(DOMAIN.to_owned(), certificates)])
}
