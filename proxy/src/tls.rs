//! TLS toward clients: one certificate, read again when its files change; a client certificate is asked for
//! but judged after the handshake, where a refusal can be said in the protocol's own words.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

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

/// The protocol names of HTTP in ALPN (RFC 7301, RFC 9113 section 3.2).
pub const ALPN_HTTP_1: &[u8] = b"http/1.1";
pub const ALPN_HTTP_2: &[u8] = b"h2";

/// A client's connection as its first bytes have made it.
pub enum Incoming {
    /// Nothing is read yet.
    Plain(TcpStream),
    /// TLS from the first byte.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Incoming {
    /// What the handshake agreed on, if there was one.
    pub fn tls(&self) -> Option<&ServerConnection> {
        match self {
            Incoming::Plain(_) => None,
            Incoming::Tls(stream) => Some(stream.get_ref().1),
        }
    }
}

impl AsyncRead for Incoming {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Incoming::Plain(socket) => Pin::new(socket).poll_read(context, buffer),
            Incoming::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Incoming {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Incoming::Plain(socket) => Pin::new(socket).poll_write(context, bytes),
            Incoming::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Incoming::Plain(socket) => Pin::new(socket).poll_write_vectored(context, pieces),
            Incoming::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Incoming::Plain(socket) => socket.is_write_vectored(),
            Incoming::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Incoming::Plain(socket) => Pin::new(socket).poll_flush(context),
            Incoming::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Incoming::Plain(socket) => Pin::new(socket).poll_shutdown(context),
            Incoming::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
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

    /// A handshake with today's certificate.
    pub fn accept(&self, socket: TcpStream) -> Accept<TcpStream> {
        TlsAcceptor::from(self.current.load_full()).accept(socket)
    }
}

/// What is counted of a client whose handshake came to nothing.
pub const HANDSHAKE_FAILED: &str = "the TLS handshake failed";

fn server_config(files: &Tls, limits: &Limits) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(Error::Unusable)?
        .with_client_cert_verifier(identity::client_verifier(limits))
        .with_single_cert(certificates(&files.certificate)?, private_key(&files.key)?)
        .map_err(Error::Unusable)?;
    config.alpn_protocols = [ALPN_POSTGRESQL, ALPN_HTTP_2, ALPN_HTTP_1]
        .map(<[u8]>::to_vec)
        .into();
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
