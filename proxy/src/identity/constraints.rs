//! Name constraints on URIs (RFC 5280, 4.2.1.10), which the certificate library refuses altogether.
//!
//! SPIFFE ids are URIs, and the X.509-SVID standard lets signing certificates be constrained to a trust
//! domain. The constraints on URIs are taken out and judged here; all others stay with the library.

use rustls::pki_types::Der;

const SEQUENCE: u8 = 0x30;
const PERMITTED: u8 = 0xa0;
const EXCLUDED: u8 = 0xa1;
const URI: u8 = 0x86;

/// What a signing certificate's name constraints say, in two parts.
#[derive(Clone, Debug, Default)]
pub(super) struct NameConstraints {
    permitted_hosts: Option<Vec<String>>,
    excluded_hosts: Vec<String>,
    /// The rest, in the form that trust anchors have it.
    pub(super) others: Option<Der<'static>>,
}

/// The extension's bytes are not what RFC 5280 says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl NameConstraints {
    /// Reads the extension's value.
    pub(super) fn read(extension: &[u8]) -> Result<NameConstraints, Malformed> {
        let (tag, mut content) = whole(extension)?;
        if tag != SEQUENCE {
            return Err(Malformed);
        }
        let mut constraints = NameConstraints::default();
        let mut others = Vec::new();
        let mut last_tag = 0;
        while !content.is_empty() {
            let (tag, mut subtrees, rest) = next(content)?;
            content = rest;
            if !matches!(tag, PERMITTED | EXCLUDED) || tag <= last_tag {
                return Err(Malformed);
            }
            last_tag = tag;
            let mut kept = Vec::new();
            while !subtrees.is_empty() {
                let (_, base, after) = next(subtrees)?;
                match uri(base)? {
                    Some(host) if tag == PERMITTED => {
                        constraints.permitted_hosts.get_or_insert_default().push(host);
                    }
                    Some(host) => constraints.excluded_hosts.push(host),
                    None => {
                        let length = subtrees.len() - after.len();
                        kept.extend_from_slice(subtrees.get(..length).ok_or(Malformed)?);
                    }
                }
                subtrees = after;
            }
            if !kept.is_empty() {
                others.extend(tagged(tag, &kept)?);
            }
        }
        if !others.is_empty() {
            constraints.others = Some(Der::from(others));
        }
        Ok(constraints)
    }

    pub(super) fn has_uris(&self) -> bool {
        self.permitted_hosts.is_some() || !self.excluded_hosts.is_empty()
    }

    /// Whether a SPIFFE id of this trust domain may be named below the certificate.
    pub(super) fn allow(&self, trust_domain: &str) -> bool {
        let is_permitted = match &self.permitted_hosts {
            Some(hosts) => hosts
                .iter()
                .any(|host| !host.is_empty() && is_within(trust_domain, host)),
            None => true,
        };
        is_permitted
            && !self
                .excluded_hosts
                .iter()
                .any(|host| host.is_empty() || is_within(trust_domain, host))
    }
}

/// A constraint is a host, or all hosts below a domain when it begins with a dot.
fn is_within(host: &str, constraint: &str) -> bool {
    match constraint.strip_prefix('.') {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => host == constraint,
    }
}

/// The host of a subtree that constrains URIs. Bounds of a subtree are not used in this profile.
fn uri(subtree: &[u8]) -> Result<Option<String>, Malformed> {
    let (tag, host, rest) = next(subtree)?;
    if tag != URI {
        return Ok(None);
    }
    if !rest.is_empty() {
        return Err(Malformed);
    }
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let host = std::str::from_utf8(host)
        .ok()
        .filter(|host| host.as_bytes().iter().all(is_host));
    Ok(Some(host.ok_or(Malformed)?.to_ascii_lowercase()))
}

/// Exactly one tagged value: its tag and content.
pub(super) fn whole(bytes: &[u8]) -> Result<(u8, &[u8]), Malformed> {
    let (tag, content, rest) = next(bytes)?;
    if rest.is_empty() {
        Ok((tag, content))
    } else {
        Err(Malformed)
    }
}

/// The first tagged value of DER: its tag, its content, and what follows it.
pub(super) fn next(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Malformed> {
    let (tag, rest) = bytes.split_first().ok_or(Malformed)?;
    let (length, rest) = rest.split_first().ok_or(Malformed)?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        0x81 => {
            let (length, rest) = rest.split_first().ok_or(Malformed)?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let ([high, low], rest) = rest.split_first_chunk().ok_or(Malformed)?;
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        _ => return Err(Malformed),
    };
    let (content, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
    Ok((*tag, content, rest))
}

fn tagged(tag: u8, content: &[u8]) -> Result<Vec<u8>, Malformed> {
    let length = u16::try_from(content.len()).map_err(|_| Malformed)?;
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    Ok([head, content.to_vec()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subtree(tag: u8, name: &[u8]) -> Vec<u8> {
        tagged(SEQUENCE, &tagged(tag, name).unwrap()).unwrap()
    }

    fn extension(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
        let mut content = Vec::new();
        for (tag, subtrees) in [(PERMITTED, permitted), (EXCLUDED, excluded)] {
            if !subtrees.is_empty() {
                content.extend(tagged(tag, &subtrees.concat()).unwrap());
            }
        }
        tagged(SEQUENCE, &content).unwrap()
    }

    #[test]
    fn a_permitted_trust_domain_excludes_all_others() {
        let read = NameConstraints::read(&extension(&[subtree(URI, b"a.example")], &[])).unwrap();
        assert!(read.has_uris() && read.allow("a.example"));
        for other in ["b.example", "x.a.example", "a.example.evil", "xa.example", ""] {
            assert!(!read.allow(other), "{other}");
        }
        assert!(read.others.is_none());
    }

    #[test]
    fn a_leading_dot_means_the_domains_below() {
        let read = NameConstraints::read(&extension(&[subtree(URI, b".a.example")], &[])).unwrap();
        assert!(read.allow("x.a.example") && read.allow("y.x.a.example"));
        for other in ["a.example", "xa.example", ".a.example"] {
            assert!(!read.allow(other), "{other}");
        }
    }

    #[test]
    fn an_excluded_trust_domain_wins_over_a_permitted_one() {
        let permitted = [subtree(URI, b"a.example"), subtree(URI, b"b.example")];
        let read = NameConstraints::read(&extension(&permitted, &[subtree(URI, b"B.example")])).unwrap();
        assert!(read.allow("a.example") && !read.allow("b.example"));
        let read = NameConstraints::read(&extension(&[], &[subtree(URI, b"")])).unwrap();
        assert!(!read.allow("a.example"));
        let read = NameConstraints::read(&extension(&[subtree(URI, b"")], &[])).unwrap();
        assert!(!read.allow("a.example"));
    }

    #[test]
    fn constraints_on_other_names_are_left_as_they_were() {
        const DNS: u8 = 0x82;
        let permitted = [subtree(DNS, b"db.example"), subtree(URI, b"a.example")];
        let read = NameConstraints::read(&extension(&permitted, &[])).unwrap();
        let expected = tagged(PERMITTED, &subtree(DNS, b"db.example")).unwrap();
        assert_eq!(read.others.as_deref(), Some(expected.as_slice()));
        let read = NameConstraints::read(&extension(&[subtree(DNS, b"db.example")], &[])).unwrap();
        assert!(!read.has_uris() && read.allow("anything.example"));
    }

    #[test]
    fn bytes_that_are_no_name_constraints_are_refused() {
        let good = extension(&[subtree(URI, b"a.example")], &[subtree(URI, b"b.example")]);
        for length in 0..good.len() {
            assert!(
                NameConstraints::read(good.get(..length).unwrap()).is_err(),
                "{length}"
            );
        }
        assert!(NameConstraints::read(&[good, vec![0]].concat()).is_err());
        assert!(NameConstraints::read(&extension(&[subtree(URI, b"spiffe://a.example")], &[])).is_err());
        assert!(NameConstraints::read(&extension(&[subtree(URI, b"a\0.example")], &[])).is_err());
    }
}
