//! Which gateway a client certificate names. Its chain was verified in the handshake.

use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::config::is_name;

/// Why a certificate names no gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no client certificate was shown")]
    None,
    #[error("the client certificate cannot be read")]
    Unreadable,
    #[error(
        "the client certificate names no gateway: it needs one URI `spiffe://<trust domain>/gateway/<name>`, \
         or no URI and one DNS name"
    )]
    NoName,
}

/// Whose certificate it is, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub gateway: String,
    /// Seconds since the epoch.
    pub expires: i64,
}

/// The name in the only URI, which must be a gateway's SPIFFE ID; without any URI, the only DNS name.
///
/// The path is fixed so that no workload's identity of the same trust domain is a gateway's.
pub fn shown(certificate: &CertificateDer<'_>) -> Result<Shown, Error> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| Error::Unreadable)?;
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| Error::Unreadable)?;
    let names = names
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default();
    let uris: Vec<&str> = names
        .iter()
        .filter_map(|name| match name {
            GeneralName::URI(uri) => Some(*uri),
            _ => None,
        })
        .collect();
    let name = match uris.as_slice() {
        [uri] => from_spiffe(uri),
        [] => only_dns_name(names),
        _ => None,
    };
    let name = name.filter(|name| is_name(name)).ok_or(Error::NoName)?;
    Ok(Shown {
        gateway: name.to_owned(),
        expires: certificate.validity().not_after.timestamp(),
    })
}

fn from_spiffe(uri: &str) -> Option<&str> {
    let (domain, path) = uri.strip_prefix("spiffe://")?.split_once('/')?;
    path.strip_prefix("gateway/").filter(|_| !domain.is_empty())
}

fn only_dns_name<'a>(names: &[GeneralName<'a>]) -> Option<&'a str> {
    let mut names = names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    names.next().filter(|_| names.next().is_none())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn check(names: &[(&str, &str)], expected: Result<&str, Error>) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names
            .iter()
            .map(|(kind, name)| match *kind {
                "uri" => SanType::URI((*name).try_into().unwrap()),
                _ => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let found = shown(certificate.der()).map(|shown| shown.gateway);
        assert_eq!(found.as_deref().map_err(|error| *error), expected, "{names:?}");
    }

    #[test]
    fn a_gateway_is_named_by_one_spiffe_id_or_one_dns_name() {
        check(&[("uri", "spiffe://example.org/gateway/eu-1")], Ok("eu-1"));
        check(
            &[("uri", "spiffe://example.org/gateway/eu-1"), ("dns", "other")],
            Ok("eu-1"),
        );
        check(&[("dns", "gw.example.org")], Ok("gw.example.org"));
    }

    #[test]
    fn what_names_no_gateway_or_several_is_refused() {
        for names in [
            &[][..],
            &[("uri", "spiffe://example.org/ci/deploy")],
            &[("uri", "spiffe://example.org/x/gateway/eu-1")],
            &[("uri", "spiffe:///gateway/eu-1")],
            &[("uri", "https://example.org/gateway/eu-1")],
            &[("uri", "spiffe://example.org/gateway/")],
            &[("uri", "spiffe://example.org/gateway/eu/1")],
            &[("uri", "spiffe://example.org/gateway/eu 1")],
            &[("uri", "spiffe://example.org/ci/deploy"), ("dns", "eu-1")],
            &[
                ("uri", "spiffe://a/gateway/eu-1"),
                ("uri", "spiffe://a/gateway/eu-2"),
            ],
            &[("dns", "eu-1"), ("dns", "eu-2")],
            &[("dns", "*.example.org")],
        ] {
            check(names, Err(Error::NoName));
        }
    }
}
