//! The TLS of both doors: read from files, and again when they change, without dropping anybody.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;

use crate::config::Tls;
use crate::tasks::Stop;

/// Why the certificate files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`{path}` cannot be read as {what} in PEM")]
    Unreadable { path: PathBuf, what: &'static str },
    #[error("`{path}` holds no usable authority for gateways")]
    NoAuthority { path: PathBuf },
    #[error("certificate `{path}` does not belong to its key")]
    Mismatch { path: PathBuf },
}

/// What each door shows and demands.
#[derive(Clone, Debug)]
pub struct Doors {
    pub gateways: Arc<ServerConfig>,
    pub operators: Arc<ServerConfig>,
}

/// Reads all three files.
pub fn load(tls: &Tls) -> Result<Doors, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let authorities = certificates(&tls.gateway_ca, "certificates")?;
    let no_authority = || Error::NoAuthority {
        path: tls.gateway_ca.clone(),
    };
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|_| no_authority())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|_| no_authority())?;
    let mut gateways = builder(&provider, tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&tls.certificate, "certificates")?, key(&tls.key)?)
        .map_err(|_| Error::Mismatch {
            path: tls.certificate.clone(),
        })?;
    gateways.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed handshake would not ask the verifier again after the authorities changed.
    gateways.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    gateways.send_tls13_tickets = 0;
    let mut operators = builder(&provider, tls)?
        .with_no_client_auth()
        .with_single_cert(certificates(&tls.certificate, "certificates")?, key(&tls.key)?)
        .map_err(|_| Error::Mismatch {
            path: tls.certificate.clone(),
        })?;
    operators.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Doors {
        gateways: Arc::new(gateways),
        operators: Arc::new(operators),
    })
}

fn builder(
    provider: &Arc<CryptoProvider>,
    tls: &Tls,
) -> Result<rustls::ConfigBuilder<ServerConfig, rustls::WantsVerifier>, Error> {
    ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|_| Error::Mismatch {
            path: tls.certificate.clone(),
        })
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = || Error::Unreadable {
        path: path.to_owned(),
        what,
    };
    let certificates = CertificateDer::pem_file_iter(path).map_err(|_| unreadable())?;
    let certificates: Vec<_> = certificates.collect::<Result<_, _>>().map_err(|_| unreadable())?;
    if certificates.is_empty() {
        Err(unreadable())
    } else {
        Ok(certificates)
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|_| Error::Unreadable {
        path: path.to_owned(),
        what: "a private key",
    })
}

/// Looks at the files from time to time; what does not load is said once and the last good stays.
pub async fn reload(tls: Tls, doors: watch::Sender<Doors>, poll: Duration, mut stop: Stop) {
    let mut seen = stamps(&tls);
    loop {
        tokio::select! {
            () = tokio::time::sleep(poll) => {}
            () = stop.asked() => return,
        }
        let now = stamps(&tls);
        if now == seen {
            continue;
        }
        seen = now;
        match load(&tls) {
            Ok(loaded) => {
                doors.send_replace(loaded);
                tracing::info!("the control plane's certificates were read again");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificates cannot be used: the last good ones stay");
            }
        }
    }
}

fn stamps(tls: &Tls) -> [Option<(SystemTime, u64)>; 3] {
    [&tls.certificate, &tls.key, &tls.gateway_ca].map(|path| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}
