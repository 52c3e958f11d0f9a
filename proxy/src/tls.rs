//! TLS toward clients: one certificate, read again when its files change; a client certificate is asked for
//! but judged after the handshake, where a refusal can be said in the protocol's own words.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;

use crate::config::{Limits, Tls};
use crate::identity;

/// The protocol name of PostgreSQL in ALPN (IANA registry).
pub const ALPN_POSTGRESQL: &[u8] = b"postgresql";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the PEM file `{path}` cannot be read")]
    Pem {
        path: String,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("the certificate and key cannot be used together")]
    Unusable(#[source] rustls::Error),
}

/// What new handshakes use. Sessions that stand keep what they were made with.
#[derive(Debug)]
pub struct ServerTls {
    current: ArcSwap<ServerConfig>,
    limits: Limits,
}

impl ServerTls {
    pub fn load(files: &Tls, limits: &Limits) -> Result<ServerTls, Error> {
        let current = ArcSwap::new(server_config(files, limits)?);
        Ok(ServerTls {
            current,
            limits: limits.clone(),
        })
    }

    /// Reads the files again, which may be others now; on failure the last good certificate stays.
    pub fn reload(&self, files: &Tls) -> Result<(), Error> {
        self.current.store(server_config(files, &self.limits)?);
        Ok(())
    }

    pub fn current(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }
}

fn server_config(files: &Tls, limits: &Limits) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Error::Unusable)?
        .with_client_cert_verifier(identity::client_verifier(limits))
        .with_single_cert(certificates(&files.certificate)?, private_key(&files.key)?)
        .map_err(Error::Unusable)?;
    config.alpn_protocols = vec![ALPN_POSTGRESQL.to_vec()];
    // A resumed handshake would skip the judgement of a certificate against today's bundle.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = |source| Error::Pem {
        path: path.display().to_string(),
        source,
    };
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(pem)?
        .collect::<Result<_, _>>()
        .map_err(pem)?;
    if found.is_empty() {
        return Err(pem(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(path).map_err(|source| Error::Pem {
        path: path.display().to_string(),
        source,
    })
}
