//! Where an issuer's documents may be fetched from: addresses as written, and as resolved.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hyper::Uri;

const HTTPS_PORT: u16 = 443;
const HTTP_PORT: u16 = 80;

/// An `https://` or `http://` address without user, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HttpAddress {
    pub(super) scheme: Scheme,
    /// In lower case, an IPv6 address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    Http,
}

impl Scheme {
    pub(super) fn port(self) -> u16 {
        match self {
            Scheme::Https => HTTPS_PORT,
            Scheme::Http => HTTP_PORT,
        }
    }
}

/// Why a text is no such address; it reads on after the name of the field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("is not of the form `https://host/path`")]
    Form,
    #[error("has a user name, a query or a fragment, which an issuer's address does not")]
    Extra,
}

impl HttpAddress {
    pub(super) fn parse(text: &str) -> Result<HttpAddress, Error> {
        let scheme = match text.split_once("://") {
            Some(("https", _)) => Scheme::Https,
            Some(("http", _)) => Scheme::Http,
            _ => return Err(Error::Form),
        };
        if text.contains(['@', '?', '#', '\\']) {
            return Err(Error::Extra);
        }
        let uri: Uri = text.parse().map_err(|_| Error::Form)?;
        let (host, authority) = (
            uri.host().ok_or(Error::Form)?,
            uri.authority().ok_or(Error::Form)?,
        );
        let port = match authority.as_str().strip_prefix(host).ok_or(Error::Form)? {
            "" => scheme.port(),
            port => port.strip_prefix(':').and_then(port_number).ok_or(Error::Form)?,
        };
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_ascii_lowercase();
        if host.is_empty() || host.ends_with('.') || port == 0 {
            return Err(Error::Form);
        }
        Ok(HttpAddress {
            scheme,
            host,
            port,
            path: uri.path().to_owned(),
        })
    }

    /// The same host with a path below this one.
    pub(super) fn below(&self, path: &str) -> HttpAddress {
        HttpAddress {
            path: format!("{}{path}", self.path.trim_end_matches('/')),
            ..self.clone()
        }
    }

    pub(super) fn is_same_origin(&self, other: &HttpAddress) -> bool {
        self.scheme == other.scheme && self.host == other.host && self.port == other.port
    }

    /// What stands in the `Host` header.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }
}

impl fmt::Display for HttpAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Https => "https",
            Scheme::Http => "http",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

fn port_number(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// Whose networks an issuer's address may lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only addresses that the public internet routes.
    Public,
    /// Private ones too, because the gateway's own file names the host; never link-local ones, where
    /// clouds keep their metadata.
    Private,
}

impl Reach {
    /// Judges an address that is about to be dialled, after resolution.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        match (self, address) {
            (Reach::Public, IpAddr::V4(address)) => is_public_v4(address),
            (Reach::Public, IpAddr::V6(address)) => is_public_v6(address),
            (Reach::Private, IpAddr::V4(address)) => is_dialable_v4(address),
            (Reach::Private, IpAddr::V6(address)) => is_dialable_v6(address),
        }
    }
}

/// Whether the public internet routes this address.
pub fn is_public(address: IpAddr) -> bool {
    Reach::Public.allows(address)
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, _, _)
    );
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(address) = address.to_ipv4_mapped() {
        return is_public_v4(address);
    }
    if let Some(address) = translated_v4(address) {
        return is_public_v4(address);
    }
    let [first, second, ..] = address.segments();
    // Global unicast only, less the parts of it that are documentation or tunnels to IPv4.
    let tunnel = first == 0x2002 || (first == 0x2001 && second < 0x200);
    let documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    first & 0xe000 == 0x2000 && !tunnel && !documentation
}

/// The IPv4 address inside `64:ff9b::/96` (RFC 6052), to which a NAT64 would send it.
fn translated_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.octets() {
        [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

fn is_dialable_v4(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_link_local() || address.is_multicast() || address.is_broadcast())
}

fn is_dialable_v6(address: Ipv6Addr) -> bool {
    if let Some(address) = address.to_ipv4_mapped().or_else(|| translated_v4(address)) {
        return is_dialable_v4(address);
    }
    // The metadata service of one cloud has this address of its own.
    let metadata = address == Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);
    !(address.is_unspecified() || address.is_unicast_link_local() || address.is_multicast() || metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_that_the_public_internet_routes_are_public() {
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001:0:7f00:1::",
            "2001:db8::1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "::1",
            "::7f00:1",
            "127.0.0.1",
            "127.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "100::1",
        ] {
            assert!(!Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "140.82.112.3",
            "172.32.0.1",
            "192.167.0.1",
            "2606:4700::1111",
            "64:ff9b::101:101",
        ] {
            assert!(Reach::Public.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_named_private_host_is_never_the_clouds_metadata() {
        for address in ["127.0.0.1", "10.1.2.3", "::1", "fd12::1", "8.8.8.8"] {
            assert!(Reach::Private.allows(address.parse().unwrap()), "{address}");
        }
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fd00:ec2::254",
            "fe80::a9fe:a9fe",
            "0.0.0.0",
            "::",
            "224.0.0.1",
        ] {
            assert!(!Reach::Private.allows(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn an_address_has_scheme_host_and_path_and_nothing_else() {
        let address = HttpAddress::parse("https://Issuer.Example/tenant/").unwrap();
        assert_eq!(address.host, "issuer.example");
        assert_eq!(
            address.below("/.well-known/x").to_string(),
            "https://issuer.example/tenant/.well-known/x"
        );
        let address = HttpAddress::parse("http://[::1]:8080").unwrap();
        assert_eq!(
            (address.host.as_str(), address.port, address.authority().as_str()),
            ("::1", 8080, "[::1]:8080")
        );
        for text in [
            "",
            "issuer.example",
            "ftp://issuer.example",
            "HTTPS://issuer.example",
            "https://",
            "https://issuer.example./",
            "https://a@169.254.169.254/",
            "https://issuer.example/?a",
            "https://issuer.example/#a",
            "https://issuer.example\\@evil.example/",
            "https://issuer.example:99999/",
            "https://issuer.example:0/",
            "https://issuer.example:/",
            "https://issuer.example:+443/",
            "https://issuer example/",
        ] {
            assert!(HttpAddress::parse(text).is_err(), "{text}");
        }
    }
}
