//! The path of an HTTP request as policies name it: one spelling for each, so that no rule is passed by with another.
//!
//! Read by whoever serves requests and by the check of policies alike; what one refuses the other cannot name.

use std::borrow::Cow;

/// Segments of one path.
pub const SEGMENTS_MAX: usize = 64;

/// Why a path has no spelling of its own (RFC 3986, section 3.3 and 6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("a path begins with `/`")]
    NoSlash,
    #[error("an empty segment, `//`, is read differently from server to server")]
    EmptySegment,
    #[error("the segments `.` and `..` are resolved by the client, not here")]
    DotSegment,
    #[error("parameters of a segment, after `;`, are read differently from server to server")]
    Parameter,
    #[error("a byte that may not stand in a path must be written as `%` and two digits")]
    Unencoded,
    #[error("a `%` must be followed by two hexadecimal digits")]
    BrokenEncoding,
    #[error("an encoded `/`, `\\`, `%` or `;` is read differently from server to server")]
    EncodedDelimiter,
    #[error("a control character is no part of a path")]
    Control,
    #[error("what is encoded must be UTF-8")]
    NotUtf8,
    #[error("a path has at most {SEGMENTS_MAX} segments")]
    TooManySegments,
}

/// The one spelling of a path: what may stand for itself does, and hexadecimal digits are capital.
pub fn normalised(path: &str) -> Result<Cow<'_, str>, Fault> {
    with_slashes(path, false)
}

/// The same where a name may have a slash in it, written `%2F`, for servers that leave it so.
pub fn with_encoded_slashes(path: &str) -> Result<Cow<'_, str>, Fault> {
    with_slashes(path, true)
}

fn with_slashes(path: &str, encoded: bool) -> Result<Cow<'_, str>, Fault> {
    if !path.starts_with('/') {
        return Err(Fault::NoSlash);
    }
    let spelled = spelled(path, encoded)?;
    let count = spelled.split('/').skip(1).count();
    if count > SEGMENTS_MAX {
        return Err(Fault::TooManySegments);
    }
    for (number, segment) in spelled.split('/').skip(1).enumerate() {
        // A slash at the end is a name of its own.
        if segment.is_empty() && number + 1 == count {
            continue;
        }
        // Whoever decodes too early is led nowhere else.
        for name in segment.split("%2F") {
            match name {
                "" => return Err(Fault::EmptySegment),
                "." | ".." => return Err(Fault::DotSegment),
                _ => {}
            }
        }
    }
    Ok(spelled)
}

fn spelled(path: &str, slashes: bool) -> Result<Cow<'_, str>, Fault> {
    let plain = |byte: u8| byte == b'/' || stands_for_itself(byte);
    if path.bytes().all(plain) {
        return Ok(Cow::Borrowed(path));
    }
    let mut spelled = String::with_capacity(path.len());
    let mut encoded = Vec::new();
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let byte = digit(bytes.next())? << 4 | digit(bytes.next())?;
            match byte {
                b'/' if slashes => encoded.push(byte),
                b'/' | b'\\' | b'%' | b';' => return Err(Fault::EncodedDelimiter),
                _ if stands_for_itself(byte) => {
                    put_encoded(&mut encoded, &mut spelled)?;
                    spelled.push(char::from(byte));
                }
                _ => encoded.push(byte),
            }
            continue;
        }
        put_encoded(&mut encoded, &mut spelled)?;
        match byte {
            b';' => return Err(Fault::Parameter),
            _ if byte.is_ascii_control() => return Err(Fault::Control),
            _ if plain(byte) => spelled.push(char::from(byte)),
            _ => return Err(Fault::Unencoded),
        }
    }
    put_encoded(&mut encoded, &mut spelled)?;
    Ok(Cow::Owned(spelled))
}

/// Whole characters only: half of one, or one written longer than it must be, is no UTF-8.
fn put_encoded(encoded: &mut Vec<u8>, spelled: &mut String) -> Result<(), Fault> {
    let text = std::str::from_utf8(encoded).map_err(|_| Fault::NotUtf8)?;
    if text.chars().any(char::is_control) {
        return Err(Fault::Control);
    }
    for byte in encoded.drain(..) {
        spelled.push('%');
        for half in [byte >> 4, byte & 0xF] {
            let digit = char::from_digit(half.into(), 16).unwrap_or('0');
            spelled.push(digit.to_ascii_uppercase());
        }
    }
    Ok(())
}

fn digit(byte: Option<u8>) -> Result<u8, Fault> {
    let digit = byte.and_then(|byte| char::from(byte).to_digit(16));
    digit
        .and_then(|digit| u8::try_from(digit).ok())
        .ok_or(Fault::BrokenEncoding)
}

/// A `pchar` of RFC 3986, section 3.3, but for `;`.
fn stands_for_itself(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_that_is_written_in_its_own_spelling_stays_as_it_is() {
        for path in [
            "/",
            "/v1/invoices/42",
            "/v1/invoices/",
            "/a.b/...",
            "/~me/(x)!$&'*+,=:@",
            "/a%20b/%C3%A9",
        ] {
            assert_eq!(normalised(path), Ok(Cow::Borrowed(path)), "{path}");
        }
    }

    #[test]
    fn two_spellings_of_one_path_are_one_path() {
        for (written, path) in [
            ("/%41", "/A"),
            ("/%7euser", "/~user"),
            ("/users/a%40b", "/users/a@b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%2Db", "/a-b"),
        ] {
            assert_eq!(normalised(written).unwrap(), path, "{written}");
        }
    }

    #[test]
    fn what_servers_read_differently_is_no_path() {
        for (path, fault) in [
            ("", Fault::NoSlash),
            ("v1", Fault::NoSlash),
            ("*", Fault::NoSlash),
            ("//", Fault::EmptySegment),
            ("/v1//invoices", Fault::EmptySegment),
            ("//admin", Fault::EmptySegment),
            ("/v1//", Fault::EmptySegment),
            ("/.", Fault::DotSegment),
            ("/v1/../admin", Fault::DotSegment),
            ("/v1/%2e%2E/admin", Fault::DotSegment),
            ("/v1/.%2e", Fault::DotSegment),
            ("/v1;x=y/a", Fault::Parameter),
            ("/v1%3Bx", Fault::EncodedDelimiter),
            ("/a%2fb", Fault::EncodedDelimiter),
            ("/a%5Cb", Fault::EncodedDelimiter),
            ("/a%252fb", Fault::EncodedDelimiter),
            ("/a\\b", Fault::Unencoded),
            ("/a b", Fault::Unencoded),
            ("/\u{e9}", Fault::Unencoded),
            ("/a\"b", Fault::Unencoded),
            ("/a%", Fault::BrokenEncoding),
            ("/a%4", Fault::BrokenEncoding),
            ("/a%zz", Fault::BrokenEncoding),
            ("/a%+1", Fault::BrokenEncoding),
            ("/a%00", Fault::Control),
            ("/a\0", Fault::Control),
            ("/a%0d%0a", Fault::Control),
            ("/a%7F", Fault::Control),
            ("/a%C2%85", Fault::Control),
            ("/a%C0%AF", Fault::NotUtf8),
            ("/a%E0%80%AF", Fault::NotUtf8),
            ("/a%C3", Fault::NotUtf8),
            ("/a%C3x%A9", Fault::NotUtf8),
            ("/a%FF", Fault::NotUtf8),
        ] {
            assert_eq!(normalised(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn a_name_with_a_slash_in_it_leads_nowhere_else() {
        for (written, path) in [
            ("/projects/a%2fb", "/projects/a%2Fb"),
            ("/a%2Fb%2Fc/d", "/a%2Fb%2Fc/d"),
            ("/%C3%A9%2F%41", "/%C3%A9%2FA"),
            ("/a/b/", "/a/b/"),
        ] {
            assert_eq!(with_encoded_slashes(written).unwrap(), path, "{written}");
            assert_eq!(with_encoded_slashes(path).unwrap(), path, "{written}");
        }
        for (path, fault) in [
            ("/a%2F..%2Fb", Fault::DotSegment),
            ("/%2E%2E%2Fb", Fault::DotSegment),
            ("/a%2F.", Fault::DotSegment),
            ("/%2Fetc", Fault::EmptySegment),
            ("/a%2F%2Fb", Fault::EmptySegment),
            ("/a%2F", Fault::EmptySegment),
            ("/a/%2F", Fault::EmptySegment),
            ("/a%252Fb", Fault::EncodedDelimiter),
            ("/a%5Cb", Fault::EncodedDelimiter),
            ("/a%3Bb", Fault::EncodedDelimiter),
            ("/a//b", Fault::EmptySegment),
            ("%2Fa", Fault::NoSlash),
        ] {
            assert_eq!(with_encoded_slashes(path), Err(fault), "{path}");
        }
    }

    #[test]
    fn a_path_has_at_most_so_many_segments() {
        assert!(normalised(&"/a".repeat(SEGMENTS_MAX)).is_ok());
        let longer = "/a".repeat(SEGMENTS_MAX + 1);
        assert_eq!(normalised(&longer), Err(Fault::TooManySegments));
    }

    proptest! {
        #[test]
        fn a_spelling_is_its_own_and_means_the_same_bytes(path in "/([a-zA-Z0-9%/._;~ ]|%[0-9a-fA-F]{2}){0,24}") {
            if let Ok(once) = normalised(&path) {
                prop_assert_eq!(normalised(&once).unwrap(), &*once);
                prop_assert_eq!(decoded(&once), decoded(&path));
            }
        }
    }

    fn decoded(path: &str) -> Vec<u8> {
        let mut bytes = path.bytes();
        let mut decoded = Vec::new();
        while let Some(byte) = bytes.next() {
            decoded.push(match byte {
                b'%' => digit(bytes.next()).unwrap() << 4 | digit(bytes.next()).unwrap(),
                byte => byte,
            });
        }
        decoded
    }
}
