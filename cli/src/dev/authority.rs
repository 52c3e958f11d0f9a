//! Certificate authorities of a development setup: for names, for links and for SPIFFE ids.
//!
//! [`Authority::issue`] takes any change to a certificate, so that tests can make the bad twin of a good one.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};

use super::files;

/// The trust domain of the sample's workloads.
pub const TRUST_DOMAIN: &str = "dev.postern.example";
/// How long an authority and the certificates of servers are good.
const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// How long a workload's certificate is good; real ones live about as long.
pub const SVID_LIFE: Duration = Duration::from_secs(60 * 60);
/// Clocks of one machine do not differ, but a test may set its own back.
const EARLIER: Duration = Duration::from_secs(60);

/// Why a certificate could not be made or kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a certificate could not be made")]
    Certificate(#[from] rcgen::Error),
    #[error("`{path}` could not be written")]
    File { path: PathBuf, source: io::Error },
}

/// A certificate and its private key, in PEM.
#[derive(Clone)]
pub struct Pair {
    pub certificate: String,
    pub key: String,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}

impl Pair {
    /// Writes `NAME.pem` and, for its owner only, `NAME.key`, and returns both paths.
    pub fn write(&self, folder: &Path, name: &str) -> Result<(PathBuf, PathBuf), Error> {
        let paths = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key")),
        );
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |source| Error::File { path, source }
        };
        files::write_secret(&paths.1, self.key.as_bytes()).map_err(failed(&paths.1))?;
        files::write(&paths.0, self.certificate.as_bytes()).map_err(failed(&paths.0))?;
        Ok(paths)
    }
}

/// One authority with its key, alive as long as the process.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub fn new(name: &str) -> Result<Authority, Error> {
        Authority::with(name, |_| {})
    }

    /// An authority that differs from a usual one, such as one that names its trust domain.
    pub fn with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<Authority, Error> {
        let mut params = params(name, LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        change(&mut params);
        Ok(Authority {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)?,
        })
    }

    /// The authority's own certificate, in PEM.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A server's certificate for DNS names and addresses.
    pub fn server(&self, names: &[&str]) -> Result<Pair, Error> {
        let names: Vec<SanType> = names
            .iter()
            .map(|name| alternative_name(name))
            .collect::<Result<_, _>>()?;
        self.issue(names, LIFE, |params| {
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ];
        })
    }

    /// A client's certificate whose common name is a database role, as PostgreSQL's `cert` method reads it.
    pub fn client(&self, role: &str) -> Result<Pair, Error> {
        self.issue(Vec::new(), LIFE, |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, role);
        })
    }

    /// An X.509-SVID: exactly one URI name, `digitalSignature`, and a short life.
    pub fn svid(&self, id: &str) -> Result<Pair, Error> {
        self.svid_with(id, |_| {})
    }

    /// An X.509-SVID with something different, good or bad.
    pub fn svid_with(&self, id: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<Pair, Error> {
        self.issue(vec![SanType::URI(id.try_into()?)], SVID_LIFE, |params| {
            params.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ];
            change(params);
        })
    }

    /// Any leaf at all.
    pub fn issue(
        &self,
        names: Vec<SanType>,
        life: Duration,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Result<Pair, Error> {
        let mut params = params("postern development", life);
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Pair {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

/// The SPIFFE id of a sample workload.
pub fn spiffe_id(workload: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/workload/{workload}")
}

fn alternative_name(name: &str) -> Result<SanType, rcgen::Error> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into()?),
    })
}

fn params(name: &str, life: Duration) -> CertificateParams {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(1970, 1, 1) + now.saturating_sub(EARLIER);
    params.not_after = date_time_ymd(1970, 1, 1) + (now + life);
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_hides_its_key_and_is_written_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("test").unwrap();
        let pair = authority.svid(&spiffe_id("orders-report")).unwrap();
        assert_eq!(format!("{pair:?}"), "Pair");
        let (certificate, key) = pair.write(folder.path(), "svid").unwrap();
        assert!(
            std::fs::read_to_string(certificate)
                .unwrap()
                .contains("BEGIN CERTIFICATE")
        );
        assert_eq!(
            std::fs::metadata(key).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }

    #[test]
    fn a_name_that_is_an_address_becomes_one() {
        assert!(matches!(alternative_name("127.0.0.1"), Ok(SanType::IpAddress(_))));
        assert!(matches!(alternative_name("localhost"), Ok(SanType::DnsName(_))));
    }
}
