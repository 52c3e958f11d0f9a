//! The way to a target: where a secret may go, the connection, and its TLS.
//!
//! A [`Credential`] is a secret with the only addresses it may be used at. A snapshot can name one; it can
//! not make one, see one, or send one elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::header::HeaderName;
use ipnet::IpNet;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use secrecy::{ExposeSecret, SecretString};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::config::{self, Verify};
use crate::identity;
use crate::tls;

/// How long a peer may be silent below TCP before the connection is given up.
const KEEPALIVE_SECONDS: u64 = 60;
const USER_TIMEOUT_SECONDS: u64 = 90;

/// A shorter password is a word like others, and is not looked for in what a target says.
const SECRET_BYTES_MIN: usize = 8;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("credential `{name}` cannot be read: {message}")]
    Credential { name: String, message: String },
    #[error("credential `{name}` may not be used at the target's address: its `only_to` does not list it")]
    NotThere { name: String },
    #[error("there is no credential `{name}` in the gateway's file")]
    NoCredential { name: String },
    #[error(
        "the target's name means {0}, where credential `{1}` may not be used: its `networks` do not hold it"
    )]
    Elsewhere(IpAddr, String),
    #[error("the target cannot be reached")]
    Unreachable(#[source] std::io::Error),
    #[error("the target did not answer in time")]
    TimedOut,
    #[error("the target refuses TLS, which the credential demands")]
    NoTls,
    #[error("the target did not prove itself by TLS")]
    Unproved(#[source] std::io::Error),
    #[error("the target sent bytes before its TLS answer was due")]
    EarlyBytes,
}

/// What logs in to a target, and where it may go.
pub struct Credential {
    pub name: String,
    pub user: String,
    pub secret: Secret,
    only_to: Vec<String>,
    networks: Vec<IpNet>,
    pub verify: Verify,
    /// Which reading of the files made it: a connection made with another's is not used again.
    pub reading: u64,
    tls: Option<Arc<ClientConfig>>,
}

/// What proves us to the target.
pub enum Secret {
    Password(SecretString),
    /// A bearer token (RFC 6750).
    Bearer(SecretString),
    /// A header that an API reads its key from.
    Header {
        name: HeaderName,
        value: SecretString,
    },
    /// A parameter of the query that an API reads its key from.
    Query {
        name: String,
        value: SecretString,
    },
    /// The client certificate is in the credential's TLS configuration.
    Certificate,
    /// The target trusts this host.
    Trust,
}

impl Credential {
    /// Whether it may be used where a name was resolved to: on the public internet, or where its file says.
    fn reaches(&self, name: &str, place: SocketAddr) -> bool {
        let host = place.ip().to_canonical();
        let is_named = name.parse() == Ok(place);
        let is_public = self.networks.is_empty() && identity::is_public(host);
        is_named || is_public || self.networks.iter().any(|network| network.contains(&host))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("name", &self.name)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Every credential of this host, read once at start and again on reload.
#[derive(Debug, Default)]
pub struct Credentials {
    by_name: BTreeMap<String, Arc<Credential>>,
    /// The bytes that passwords begin with: most of what a target says is passed by with a look at each byte.
    begins: ByteSet,
}

impl Credentials {
    pub fn load(config: &BTreeMap<String, config::Credential>) -> Result<Credentials, Error> {
        static READINGS: AtomicU64 = AtomicU64::new(1);
        let reading = READINGS.fetch_add(1, Ordering::Relaxed);
        let by_name = config
            .iter()
            .map(|(name, entry)| Ok((name.clone(), Arc::new(load_one(name, entry, reading)?))));
        let mut credentials = Credentials {
            by_name: by_name.collect::<Result<_, Error>>()?,
            begins: ByteSet::default(),
        };
        let mut begins = ByteSet::default();
        credentials
            .passwords()
            .filter_map(|password| password.first())
            .for_each(|byte| begins.put(*byte));
        credentials.begins = begins;
        Ok(credentials)
    }

    /// The credential of this name, if it may be used at this address.
    pub fn for_address(&self, name: &str, address: &str) -> Result<Arc<Credential>, Error> {
        let credential = self.by_name.get(name).ok_or_else(|| Error::NoCredential {
            name: name.to_owned(),
        })?;
        if !credential.only_to.iter().any(|allowed| allowed == address) {
            return Err(Error::NotThere {
                name: name.to_owned(),
            });
        }
        Ok(credential.clone())
    }

    /// The bytes without the passwords of this host, if they hold any: a target may know some and say them back.
    pub fn withheld(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let begins_secret = |(place, byte): (usize, &u8)| {
            let rest = bytes.get(place..).unwrap_or_default();
            self.begins.holds(*byte) && self.passwords().any(|password| rest.starts_with(password))
        };
        if !bytes.iter().enumerate().any(begins_secret) {
            return None;
        }
        let clean = self
            .passwords()
            .fold(bytes.to_vec(), |bytes, password| replaced(&bytes, password));
        Some(clean)
    }

    fn passwords(&self) -> impl Iterator<Item = &[u8]> {
        let passwords = self.by_name.values().filter_map(|one| match &one.secret {
            Secret::Password(secret)
            | Secret::Bearer(secret)
            | Secret::Header { value: secret, .. }
            | Secret::Query { value: secret, .. } => Some(secret.expose_secret().as_bytes()),
            Secret::Certificate | Secret::Trust => None,
        });
        passwords.filter(|password| password.len() >= SECRET_BYTES_MIN)
    }

    /// Names of the credentials that send their secret without TLS, for a warning at start.
    pub fn without_tls(&self) -> impl Iterator<Item = &str> {
        self.by_name
            .values()
            .filter(|one| one.verify == Verify::Disable)
            .map(|one| one.name.as_str())
    }
}

/// Some of the 256 bytes there are.
#[derive(Debug, Default)]
struct ByteSet([u64; 4]);

impl ByteSet {
    fn put(&mut self, byte: u8) {
        if let Some(word) = self.0.get_mut(usize::from(byte >> 6)) {
            *word |= 1 << (byte & 63);
        }
    }

    fn holds(&self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte >> 6));
        word.is_some_and(|word| word & (1 << (byte & 63)) != 0)
    }
}

fn replaced(bytes: &[u8], secret: &[u8]) -> Vec<u8> {
    let (mut kept, mut rest) = (Vec::new(), bytes);
    while let Some(place) = rest.windows(secret.len()).position(|piece| piece == secret) {
        let (before, found) = rest.split_at(place);
        kept.extend_from_slice(before);
        kept.extend_from_slice(b"***");
        rest = found.get(secret.len()..).unwrap_or_default();
    }
    [kept.as_slice(), rest].concat()
}

/// Asks once what the name means, and dials only what was judged: a name may mean something else a moment later.
async fn connect(credential: &Credential, address: &str) -> Result<TcpStream, Error> {
    let resolved = tokio::net::lookup_host(address)
        .await
        .map_err(Error::Unreachable)?;
    let mut failure = Error::Unreachable(std::io::ErrorKind::NotFound.into());
    for place in resolved {
        if !credential.reaches(address, place) {
            failure = Error::Elsewhere(place.ip(), credential.name.clone());
            continue;
        }
        match TcpStream::connect(place).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = Error::Unreachable(error),
        }
    }
    Err(failure)
}

fn load_one(name: &str, entry: &config::Credential, reading: u64) -> Result<Credential, Error> {
    let wrong = |message: String| Error::Credential {
        name: name.to_owned(),
        message,
    };
    let password = entry.password.as_deref().map(|password| {
        let secret = read_secret("password", password)?;
        Ok(Secret::Password(secret))
    });
    let bearer = entry
        .bearer
        .as_deref()
        .map(|bearer| Ok(Secret::Bearer(read_secret("bearer", bearer)?)));
    let header = entry.header.as_ref().map(|header| {
        let name = HeaderName::try_from(&header.name);
        Ok(Secret::Header {
            name: name.map_err(|_| format!("`{}` is no name of a header", header.name))?,
            value: read_secret("header", &header.value)?,
        })
    });
    let query = entry.query.as_ref().map(|query| {
        Ok(Secret::Query {
            name: query.name.clone(),
            value: read_secret("query", &query.value)?,
        })
    });
    let certificate = entry.certificate.as_ref().map(|_| Ok(Secret::Certificate));
    let mut secrets = [password, bearer, header, query, certificate]
        .into_iter()
        .flatten();
    let secret = match (secrets.next(), secrets.next()) {
        (None, _) => Secret::Trust,
        (Some(secret), None) => secret.map_err(wrong)?,
        (Some(_), Some(_)) => {
            let message = "it has more than one of `password`, `bearer`, `header`, `query` and `certificate`";
            return Err(wrong(message.into()));
        }
    };
    let tls = match entry.verify {
        Verify::Disable if entry.certificate.is_some() => {
            return Err(wrong(
                "a `certificate` proves nothing with `verify: disable`".into(),
            ));
        }
        Verify::Disable => None,
        Verify::Full | Verify::Ca => Some(client_config(entry).map_err(wrong)?),
    };
    Ok(Credential {
        name: name.to_owned(),
        user: entry.user.clone(),
        secret,
        only_to: entry.only_to.clone(),
        networks: entry.networks.clone(),
        verify: entry.verify,
        reading,
        tls,
    })
}

fn read_secret(key: &str, reference: &str) -> Result<SecretString, String> {
    if let Some(path) = reference.strip_prefix("file:") {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("the file of `{key}` cannot be read: {error}"))?;
        return Ok(SecretString::from(text.trim_end_matches(['\r', '\n']).to_owned()));
    }
    if let Some(variable) = reference.strip_prefix("env:") {
        let value = std::env::var(variable)
            .map_err(|_| format!("the environment variable `{variable}` is not set"))?;
        return Ok(SecretString::from(value));
    }
    Err(format!("`{key}` must be a reference: `file:/path` or `env:NAME`"))
}

fn client_config(entry: &config::Credential) -> Result<Arc<ClientConfig>, String> {
    let ca = entry
        .ca
        .as_ref()
        .ok_or("`verify: full` and `verify: ca` need `ca`, the PEM file of the authorities")?;
    let mut roots = RootCertStore::empty();
    for certificate in tls::certificates(ca).map_err(|error| error.to_string())? {
        roots
            .add(certificate)
            .map_err(|_| "a certificate in `ca` is not usable as an authority")?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|_| "`ca` holds no usable authority")?;
    let name_matters = entry.verify == Verify::Full;
    let verifier = Arc::new(TargetVerifier { chain, name_matters });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match (&entry.certificate, &entry.key) {
        (Some(certificate), Some(key)) => {
            let chain = tls::certificates(certificate).map_err(|error| error.to_string())?;
            let key = tls::private_key(key).map_err(|error| error.to_string())?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|_| "`certificate` and `key` do not belong together")?
        }
        (None, None) => builder.with_no_client_auth(),
        _ => return Err("`certificate` and `key` must both be given".into()),
    };
    // Each protocol names itself when it dials.
    config.alpn_protocols = Vec::new();
    Ok(Arc::new(config))
}

/// Verifies the chain always, the name as configured (`verify-full` against `verify-ca` of libpq).
#[derive(Debug)]
struct TargetVerifier {
    chain: Arc<WebPkiServerVerifier>,
    name_matters: bool,
}

impl ServerCertVerifier for TargetVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The chain is verified before the name, so a name error means that the chain holds.
        match self
            .chain
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.name_matters => Ok(ServerCertVerified::assertion()),
            Ok(verified) if self.name_matters => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name).map(|()| verified)
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// One connection to a target, in plain text or TLS.
#[derive(Debug)]
pub enum Upstream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Upstream {
    /// Opens a TCP connection to `host:port`.
    pub async fn dial(credential: &Credential, address: &str, timeout: Duration) -> Result<TcpStream, Error> {
        let connecting = tokio::time::timeout(timeout, connect(credential, address));
        let socket = connecting.await.map_err(|_| Error::TimedOut)??;
        tune(&socket).map_err(Error::Unreachable)?;
        Ok(socket)
    }

    /// Puts TLS on a socket whose server has agreed to it, as the credential demands.
    pub async fn secure(
        socket: TcpStream,
        credential: &Credential,
        address: &str,
        protocol: &[u8],
    ) -> Result<Upstream, Error> {
        let Some(config) = &credential.tls else {
            return Ok(Upstream::Plain(socket));
        };
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = vec![protocol.to_vec()];
        let host = address
            .rsplit_once(':')
            .map_or(address, |(host, _)| host)
            .trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::NoTls)?;
        let stream = tokio_rustls::TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await;
        Ok(Upstream::Tls(Box::new(stream.map_err(Error::Unproved)?)))
    }

    /// The server's certificate, for channel binding (RFC 5929, `tls-server-end-point`).
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        match self {
            Upstream::Plain(_) => None,
            Upstream::Tls(stream) => stream
                .get_ref()
                .1
                .peer_certificates()
                .and_then(|chain| chain.first()),
        }
    }
}

impl AsyncRead for Upstream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Upstream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Upstream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        match self.get_mut() {
            Upstream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Upstream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Upstream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Upstream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match self.get_mut() {
            Upstream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Upstream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}

/// Small answers go at once, and a dead peer is noticed.
pub fn tune(socket: &TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let socket = SockRef::from(socket);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(KEEPALIVE_SECONDS)))?;
    socket.set_tcp_user_timeout(Some(Duration::from_secs(USER_TIMEOUT_SECONDS)))
}
