//! What one certificate must look like: the X.509-SVID standard, sections 2 to 5, one reason for each rule.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, KeyUsage};
use x509_parser::oid_registry::OID_X509_EXT_NAME_CONSTRAINTS;

use super::certificate::Error;
use super::constraints::NameConstraints;
use super::spiffe::SpiffeId;

/// Checks a leaf and returns whom it names.
pub(super) fn check_leaf(certificate: &X509Certificate<'_>) -> Result<SpiffeId, Error> {
    let names = uri_names(certificate)?;
    let id = match names.as_slice() {
        [] => return Err(Error::NoSpiffeId),
        [name] => SpiffeId::parse_workload(name)?,
        _ => return Err(Error::SeveralNames),
    };
    if is_authority(certificate)? {
        return Err(Error::LeafIsAuthority);
    }
    let usage = key_usage(certificate)?.ok_or(Error::NoKeyUsage)?;
    if usage.usage.key_cert_sign() {
        return Err(Error::LeafSignsCertificates);
    }
    if usage.usage.crl_sign() {
        return Err(Error::LeafSignsRevocations);
    }
    if !usage.usage.digital_signature() {
        return Err(Error::NoDigitalSignature);
    }
    if !usage.critical {
        return Err(Error::KeyUsageNotCritical);
    }
    check_client_use(certificate)?;
    Ok(id)
}

/// Checks a signing certificate that stands between a leaf and its bundle.
pub(super) fn check_intermediate(certificate: &X509Certificate<'_>, trust_domain: &str) -> Result<(), Error> {
    let usage = key_usage(certificate)?.ok_or(Error::NotAnAuthority)?;
    if !usage.usage.key_cert_sign() {
        return Err(Error::NotAnAuthority);
    }
    check_anchor(certificate, trust_domain)?;
    check_client_use(certificate)
}

/// Checks a certificate of a bundle. Upstream authorities may say less of themselves, but nothing else.
pub(super) fn check_anchor(certificate: &X509Certificate<'_>, trust_domain: &str) -> Result<(), Error> {
    if !is_authority(certificate)? {
        return Err(Error::NotAnAuthority);
    }
    if key_usage(certificate)?.is_some_and(|usage| !usage.usage.key_cert_sign()) {
        return Err(Error::NotAnAuthority);
    }
    // A signing certificate need not have a SPIFFE id; if it has one, it is of this trust domain.
    match uri_names(certificate)?.as_slice() {
        [] => Ok(()),
        [name] if SpiffeId::parse(name).is_ok_and(|id| id.trust_domain() == trust_domain) => Ok(()),
        _ => Err(Error::ForeignAuthority),
    }
}

pub(super) fn name_constraints(certificate: &X509Certificate<'_>) -> Result<NameConstraints, Error> {
    let extension = certificate
        .get_extension_unique(&OID_X509_EXT_NAME_CONSTRAINTS)
        .map_err(|_| Error::Unreadable)?;
    match extension {
        Some(extension) => NameConstraints::read(extension.value).map_err(|_| Error::ConstraintsUnreadable),
        None => Ok(NameConstraints::default()),
    }
}

/// Whether the certificate has alternative names other than URIs.
pub(super) fn has_other_names(certificate: &X509Certificate<'_>) -> Result<bool, Error> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| Error::Unreadable)?;
    Ok(names.is_some_and(|names| {
        names
            .value
            .general_names
            .iter()
            .any(|name| !matches!(name, GeneralName::URI(_)))
    }))
}

struct Usage<'a> {
    usage: &'a KeyUsage,
    critical: bool,
}

fn key_usage<'a>(certificate: &'a X509Certificate<'_>) -> Result<Option<Usage<'a>>, Error> {
    let usage = certificate.key_usage().map_err(|_| Error::Unreadable)?;
    Ok(usage.map(|extension| Usage {
        usage: extension.value,
        critical: extension.critical,
    }))
}

fn is_authority(certificate: &X509Certificate<'_>) -> Result<bool, Error> {
    let constraints = certificate.basic_constraints().map_err(|_| Error::Unreadable)?;
    Ok(constraints.is_some_and(|constraints| constraints.value.ca))
}

fn check_client_use(certificate: &X509Certificate<'_>) -> Result<(), Error> {
    let uses = certificate.extended_key_usage().map_err(|_| Error::Unreadable)?;
    if uses.is_some_and(|uses| !uses.value.client_auth) {
        Err(Error::NotForClients)
    } else {
        Ok(())
    }
}

fn uri_names<'a>(certificate: &'a X509Certificate<'_>) -> Result<Vec<&'a str>, Error> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| Error::Unreadable)?;
    let Some(names) = names else {
        return Ok(Vec::new());
    };
    let mut uris = Vec::new();
    for name in &names.value.general_names {
        match name {
            GeneralName::URI(uri) => uris.push(*uri),
            GeneralName::Invalid(..) => return Err(Error::Unreadable),
            GeneralName::OtherName(..)
            | GeneralName::RFC822Name(_)
            | GeneralName::DNSName(_)
            | GeneralName::X400Address(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EDIPartyName(_)
            | GeneralName::IPAddress(_)
            | GeneralName::RegisteredID(_) => {}
        }
    }
    Ok(uris)
}
