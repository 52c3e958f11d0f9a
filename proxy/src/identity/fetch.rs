//! One HTTP GET of an issuer's document. The issuer, its name server and the network are not trusted.
//!
//! No redirect is followed, no proxy is used, no private address is dialled unless the gateway's own file
//! names the host, and size and time are bounded.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::{ACCEPT, CACHE_CONTROL, HOST, HeaderMap, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::address::{HttpAddress, Reach, Scheme};
use crate::config::{IssuerHost, Limits};

/// Where operating systems keep the public authorities; the first that is there counts.
const SYSTEM_BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// Addresses of one host that are tried, at most.
const ADDRESSES_TRIED_MAX: usize = 4;
/// Status line and headers of an answer, at most.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// Why a document could not be fetched; the issuer's or the network's fault, or our file's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("host `{host}` is asked over plain HTTP, which `issuer_hosts` does not allow")]
    PlainHttp { host: String },
    #[error("there are no authorities to verify host `{host}` by: give `ca` in `issuer_hosts`")]
    NoAuthorities { host: String },
    #[error("host `{host}` has no address")]
    NoAddress { host: String },
    #[error(
        "host `{host}` has only addresses that may not be dialled; `issuer_hosts` can allow private ones"
    )]
    ForbiddenAddress { host: String },
    #[error("host `{host}` cannot be resolved")]
    Unresolved { host: String, source: io::Error },
    #[error("host `{host}` cannot be reached")]
    Unreachable { host: String, source: io::Error },
    #[error("host `{host}` did not answer in HTTP")]
    Http { host: String, source: hyper::Error },
    #[error("host `{host}` answered with a redirect, which is not followed")]
    Redirect { host: String },
    #[error("host `{host}` answered with status {status}")]
    Status { host: String, status: u16 },
    #[error("answer of host `{host}` is larger than {bytes_max} bytes or broke off")]
    Body { host: String, bytes_max: usize },
    #[error("host `{host}` took longer than {timeout_ms} ms")]
    TimedOut { host: String, timeout_ms: u64 },
}

/// Why the `issuer_hosts` of the gateway's own file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("`ca` of issuer host `{host}` cannot be read as PEM certificates")]
    Authorities { host: String },
    #[error("`{host}` in `issuer_hosts` is neither `host` nor `host:port`")]
    Host { host: String },
    #[error("the TLS library cannot be set up")]
    Tls(#[source] rustls::Error),
}

/// A document and how long its sender says that it is fresh.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) body: Bytes,
    pub(super) fresh_seconds: Option<u64>,
}

pub(super) struct Fetcher {
    hosts: Vec<AllowedHost>,
    public: Option<Arc<ClientConfig>>,
    timeout_ms: u64,
}

struct AllowedHost {
    host: String,
    /// Without one, the scheme's own.
    port: Option<u16>,
    plain_http: bool,
    private_address: bool,
    tls: Option<Arc<ClientConfig>>,
}

impl Fetcher {
    pub(super) fn new(limits: &Limits, issuer_hosts: &[IssuerHost]) -> Result<Fetcher, SetupError> {
        let hosts = issuer_hosts
            .iter()
            .map(AllowedHost::read)
            .collect::<Result<_, _>>()?;
        let bundle = SYSTEM_BUNDLES
            .iter()
            .find_map(|path| authorities(Path::new(path)));
        let public = bundle.map(client_config).transpose()?;
        Ok(Fetcher {
            hosts,
            public,
            timeout_ms: limits.keys_fetch_timeout_ms,
        })
    }

    /// Fetches one document, connect included, within the time that the limits give.
    pub(super) async fn fetch(&self, address: &HttpAddress, bytes_max: usize) -> Result<Document, Error> {
        let timeout = Duration::from_millis(self.timeout_ms);
        let fetched = tokio::time::timeout(timeout, self.fetch_untimed(address, bytes_max)).await;
        fetched.unwrap_or_else(|_| {
            Err(Error::TimedOut {
                host: address.host.clone(),
                timeout_ms: self.timeout_ms,
            })
        })
    }

    async fn fetch_untimed(&self, address: &HttpAddress, bytes_max: usize) -> Result<Document, Error> {
        let host = || address.host.clone();
        let allowed = self.hosts.iter().find(|allowed| allowed.is_of(address));
        let reach = match allowed {
            Some(allowed) if allowed.private_address => Reach::Private,
            Some(_) | None => Reach::Public,
        };
        match address.scheme {
            Scheme::Http => {
                if !allowed.is_some_and(|allowed| allowed.plain_http) {
                    return Err(Error::PlainHttp { host: host() });
                }
                exchange(dial(address, reach).await?, address, bytes_max).await
            }
            Scheme::Https => {
                let tls = allowed
                    .and_then(|allowed| allowed.tls.as_ref())
                    .or(self.public.as_ref());
                let tls = tls
                    .cloned()
                    .ok_or_else(|| Error::NoAuthorities { host: host() })?;
                let name = ServerName::try_from(host()).map_err(|_| Error::NoAddress { host: host() })?;
                let stream = dial(address, reach).await?;
                let stream = TlsConnector::from(tls)
                    .connect(name, stream)
                    .await
                    .map_err(|source| Error::Unreachable { host: host(), source })?;
                exchange(stream, address, bytes_max).await
            }
        }
    }
}

impl AllowedHost {
    fn read(entry: &IssuerHost) -> Result<AllowedHost, SetupError> {
        let wrong = || SetupError::Host {
            host: entry.host.clone(),
        };
        // One way to read a host for addresses and for this list: anything else would let them differ.
        let address = HttpAddress::parse(&format!("https://{}", entry.host)).map_err(|_| wrong())?;
        if address.path != "/" {
            return Err(wrong());
        }
        let has_port = entry
            .host
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.ends_with(']'));
        let tls = match &entry.ca {
            Some(path) => {
                let roots = authorities(path);
                let roots = roots.ok_or_else(|| SetupError::Authorities {
                    host: entry.host.clone(),
                })?;
                Some(client_config(roots)?)
            }
            None => None,
        };
        Ok(AllowedHost {
            host: address.host,
            port: has_port.then_some(address.port),
            plain_http: entry.plain_http,
            private_address: entry.private_address,
            tls,
        })
    }

    fn is_of(&self, address: &HttpAddress) -> bool {
        self.host == address.host && self.port.unwrap_or(address.scheme.port()) == address.port
    }
}

fn authorities(path: &Path) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).ok()?.filter_map(Result::ok);
    let (added, _) = roots.add_parsable_certificates(certificates);
    (added > 0).then_some(roots)
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, SetupError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Resolves once, and dials only the addresses that were judged.
async fn dial(address: &HttpAddress, reach: Reach) -> Result<TcpStream, Error> {
    let host = || address.host.clone();
    let resolved = tokio::net::lookup_host((address.host.as_str(), address.port))
        .await
        .map_err(|source| Error::Unresolved { host: host(), source })?;
    let resolved: Vec<SocketAddr> = resolved.collect();
    if resolved.is_empty() {
        return Err(Error::NoAddress { host: host() });
    }
    let allowed = resolved
        .iter()
        .filter(|address| reach.allows(address.ip()))
        .take(ADDRESSES_TRIED_MAX);
    let mut failure = Error::ForbiddenAddress { host: host() };
    for address in allowed {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(source) => failure = Error::Unreachable { host: host(), source },
        }
    }
    Err(failure)
}

async fn exchange<S>(stream: S, address: &HttpAddress, bytes_max: usize) -> Result<Document, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let host = || address.host.clone();
    let http = |source| Error::Http { host: host(), source };
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(http)?;
    // The connection is driven here, beside the exchange, so that both end together.
    let driven = async {
        let _ended = connection.await;
        std::future::pending().await
    };
    let exchange = async {
        let request = Request::get(address.path.as_str())
            .header(HOST, address.authority())
            .header(USER_AGENT, "postern")
            .header(ACCEPT, "application/json")
            .body(Empty::new());
        let request = request.map_err(|_| Error::NoAddress { host: host() })?;
        let response = sender.send_request(request).await.map_err(http)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(Error::Redirect { host: host() });
        }
        if status != StatusCode::OK {
            return Err(Error::Status {
                host: host(),
                status: status.as_u16(),
            });
        }
        let fresh_seconds = fresh_seconds(response.headers());
        let body = Limited::new(response.into_body(), bytes_max).collect().await;
        let body = body
            .map_err(|_| Error::Body {
                host: host(),
                bytes_max,
            })?
            .to_bytes();
        Ok(Document { body, fresh_seconds })
    };
    tokio::select! {
        biased;
        document = exchange => document,
        never = driven => never,
    }
}

/// What `Cache-Control` says; a document that must not be kept is fresh for no time.
fn fresh_seconds(headers: &HeaderMap) -> Option<u64> {
    let mut fresh = None;
    for header in headers.get_all(CACHE_CONTROL) {
        for directive in header.to_str().ok()?.split(',') {
            let directive = directive.trim().to_ascii_lowercase();
            if directive == "no-store" || directive.starts_with("no-cache") {
                return Some(0);
            }
            if let Some(age) = directive.strip_prefix("max-age=") {
                let age = age.trim_matches('"').parse().ok()?;
                fresh = Some(fresh.map_or(age, |fresh: u64| fresh.min(age)));
            }
        }
    }
    fresh
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(value: &'static str) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().unwrap());
        fresh_seconds(&headers)
    }

    #[test]
    fn cache_control_is_read_and_never_guessed() {
        assert_eq!(fresh("public, max-age=600"), Some(600));
        assert_eq!(fresh("Max-Age=60, max-age=600"), Some(60));
        assert_eq!(fresh("max-age=600, no-store"), Some(0));
        assert_eq!(fresh("no-cache=\"x\""), Some(0));
        assert_eq!(fresh("max-age=-1"), None);
        assert_eq!(fresh("max-age=99999999999999999999999"), None);
        assert_eq!(fresh("s-maxage=5"), None);
        assert_eq!(fresh_seconds(&HeaderMap::new()), None);
    }
}
