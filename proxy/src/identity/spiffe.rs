//! SPIFFE ids, read by every rule of the SPIFFE-ID standard (section 2).

/// Greatest length of a SPIFFE id, in bytes.
const ID_BYTES_MAX: usize = 2048;
/// Greatest length of a trust domain's name, in bytes.
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

/// Why a text is no SPIFFE id; all of them are the fault of whoever issued it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("its name is longer than {ID_BYTES_MAX} bytes")]
    TooLong,
    #[error("its name does not begin with `spiffe://` in lower case")]
    Scheme,
    #[error("its SPIFFE id has no trust domain")]
    NoTrustDomain,
    #[error("the trust domain of its SPIFFE id is longer than {TRUST_DOMAIN_BYTES_MAX} bytes")]
    TrustDomainTooLong,
    #[error("its SPIFFE id has a user name before the trust domain")]
    UserInfo,
    #[error("its SPIFFE id has a port after the trust domain")]
    Port,
    #[error("the trust domain of its SPIFFE id has a letter in upper case")]
    TrustDomainUpperCase,
    #[error("the trust domain of its SPIFFE id has a character other than `a-z`, `0-9`, `.`, `-` and `_`")]
    TrustDomainCharacter,
    #[error("its SPIFFE id has a query")]
    Query,
    #[error("its SPIFFE id has a fragment")]
    Fragment,
    #[error("its SPIFFE id is percent-encoded")]
    PercentEncoded,
    #[error("its SPIFFE id ends in `/`")]
    TrailingSlash,
    #[error("its SPIFFE id has an empty path segment")]
    EmptySegment,
    #[error("its SPIFFE id has a path segment `.` or `..`")]
    DotSegment,
    #[error("the path of its SPIFFE id has a character other than `a-z`, `A-Z`, `0-9`, `.`, `-` and `_`")]
    PathCharacter,
    #[error("its SPIFFE id names a trust domain and no workload in it")]
    NoPath,
}

impl Error {
    /// The word for it in counts of strangers.
    pub fn code(self) -> &'static str {
        match self {
            Error::TooLong => "spiffe_id_too_long",
            Error::Scheme => "spiffe_scheme",
            Error::NoTrustDomain => "spiffe_no_trust_domain",
            Error::TrustDomainTooLong => "spiffe_trust_domain_too_long",
            Error::UserInfo => "spiffe_user_info",
            Error::Port => "spiffe_port",
            Error::TrustDomainUpperCase => "spiffe_trust_domain_upper_case",
            Error::TrustDomainCharacter => "spiffe_trust_domain_character",
            Error::Query => "spiffe_query",
            Error::Fragment => "spiffe_fragment",
            Error::PercentEncoded => "spiffe_percent_encoded",
            Error::TrailingSlash => "spiffe_trailing_slash",
            Error::EmptySegment => "spiffe_empty_segment",
            Error::DotSegment => "spiffe_dot_segment",
            Error::PathCharacter => "spiffe_path_character",
            Error::NoPath => "spiffe_no_path",
        }
    }
}

/// A SPIFFE id of a trust domain (no path) or of a workload in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpiffeId {
    text: String,
    trust_domain: String,
}

impl SpiffeId {
    /// Reads a trust domain's id or a workload's.
    pub(super) fn parse(text: &str) -> Result<SpiffeId, Error> {
        if text.len() > ID_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let rest = text.strip_prefix("spiffe://").ok_or(Error::Scheme)?;
        // The whole text first: these change what the rest of it means.
        for (character, error) in [
            ('?', Error::Query),
            ('#', Error::Fragment),
            ('%', Error::PercentEncoded),
        ] {
            if rest.contains(character) {
                return Err(error);
            }
        }
        let (trust_domain, path) = match rest.split_once('/') {
            Some((trust_domain, path)) => (trust_domain, Some(path)),
            None => (rest, None),
        };
        check_trust_domain(trust_domain)?;
        if let Some(path) = path {
            check_path(path)?;
        }
        Ok(SpiffeId {
            text: text.to_owned(),
            trust_domain: trust_domain.to_owned(),
        })
    }

    /// Reads the id of a workload: it must have a path.
    pub(super) fn parse_workload(text: &str) -> Result<SpiffeId, Error> {
        let id = SpiffeId::parse(text)?;
        if id.is_trust_domain() {
            Err(Error::NoPath)
        } else {
            Ok(id)
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    fn is_trust_domain(&self) -> bool {
        self.text.len() == "spiffe://".len() + self.trust_domain.len()
    }
}

fn check_trust_domain(name: &str) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::NoTrustDomain);
    }
    if name.len() > TRUST_DOMAIN_BYTES_MAX {
        return Err(Error::TrustDomainTooLong);
    }
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {}
            b'@' => return Err(Error::UserInfo),
            b':' if name.contains('@') => return Err(Error::UserInfo),
            b':' => return Err(Error::Port),
            b'A'..=b'Z' => return Err(Error::TrustDomainUpperCase),
            _ => return Err(Error::TrustDomainCharacter),
        }
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), Error> {
    if path.is_empty() || path.ends_with('/') {
        return Err(Error::TrailingSlash);
    }
    for segment in path.split('/') {
        match segment {
            "" => return Err(Error::EmptySegment),
            "." | ".." => return Err(Error::DotSegment),
            _ => {}
        }
        if !segment
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        {
            return Err(Error::PathCharacter);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_keep_the_standard_are_read() {
        for text in [
            "spiffe://example.org/ci/deploy",
            "spiffe://example.org/ns/a/sa/b-c_d.e",
            "spiffe://a_b-c.1/...",
            "spiffe://example.org/UPPER/Case",
        ] {
            let id = SpiffeId::parse_workload(text).expect(text);
            assert_eq!(id.as_str(), text);
        }
        assert_eq!(
            SpiffeId::parse_workload("spiffe://a.b/c").unwrap().trust_domain(),
            "a.b"
        );
        let longest = format!("spiffe://{}/{}", "a".repeat(255), "b".repeat(2048 - 9 - 255 - 1));
        assert_eq!(longest.len(), 2048);
        assert!(SpiffeId::parse_workload(&longest).is_ok());
    }

    #[test]
    fn each_broken_id_is_refused_for_its_own_reason() {
        for (text, expected) in [
            ("", Error::Scheme),
            ("SPIFFE://example.org/a", Error::Scheme),
            ("https://example.org/a", Error::Scheme),
            (" spiffe://example.org/a", Error::Scheme),
            ("spiffe:///a", Error::NoTrustDomain),
            ("spiffe://", Error::NoTrustDomain),
            ("spiffe://user@example.org/a", Error::UserInfo),
            ("spiffe://user:word@example.org/a", Error::UserInfo),
            ("spiffe://example.org:443/a", Error::Port),
            ("spiffe://Example.org/a", Error::TrustDomainUpperCase),
            ("spiffe://exämple.org/a", Error::TrustDomainCharacter),
            ("spiffe://example.org\0/a", Error::TrustDomainCharacter),
            ("spiffe://example.org/a?b=c", Error::Query),
            ("spiffe://example.org/a#b", Error::Fragment),
            ("spiffe://example.org/%61", Error::PercentEncoded),
            ("spiffe://example.org/a/", Error::TrailingSlash),
            ("spiffe://example.org/", Error::TrailingSlash),
            ("spiffe://example.org//a", Error::EmptySegment),
            ("spiffe://example.org/a//b", Error::EmptySegment),
            ("spiffe://example.org/a/./b", Error::DotSegment),
            ("spiffe://example.org/a/..", Error::DotSegment),
            ("spiffe://example.org/a b", Error::PathCharacter),
            ("spiffe://example.org/a\nb", Error::PathCharacter),
            ("spiffe://example.org/ä", Error::PathCharacter),
            ("spiffe://example.org", Error::NoPath),
        ] {
            assert_eq!(SpiffeId::parse_workload(text), Err(expected), "{text}");
        }
        let long = format!("spiffe://example.org/{}", "a".repeat(2048 - 20));
        assert_eq!(long.len(), 2049);
        assert_eq!(SpiffeId::parse_workload(&long), Err(Error::TooLong));
        let domain = format!("spiffe://{}/a", "a".repeat(256));
        assert_eq!(SpiffeId::parse_workload(&domain), Err(Error::TrustDomainTooLong));
    }
}
