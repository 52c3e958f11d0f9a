//! Entity ids: the parts of a name, each percent-encoded, joined by `/`.
//! Encoding is injective: two different names never share an id, and an id has one spelling only.

use crate::path;
use crate::vocabulary::Kind;
use std::borrow::Cow;

/// The id of a name made of parts: `["orders", "a/b"]` is `orders/a%2Fb`.
pub fn entity_id(parts: &[&str]) -> String {
    let mut id = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for (position, part) in parts.iter().enumerate() {
        if position > 0 {
            id.push('/');
        }
        push_part(&mut id, part);
    }
    id
}

/// Appends one part, percent-encoded.
pub(crate) fn push_part(id: &mut String, part: &str) {
    // Nearly every name is plain ASCII: one pass over the bytes, one copy.
    if part.bytes().all(is_plain_byte) {
        id.push_str(part);
        return;
    }
    for character in part.chars() {
        if is_plain(character) {
            id.push(character);
        } else {
            push_encoded(id, character);
        }
    }
}

fn push_encoded(id: &mut String, character: char) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or('0');
    let mut buffer = [0; 4];
    for byte in character.encode_utf8(&mut buffer).bytes() {
        id.push('%');
        id.push(digit(byte >> 4));
        id.push(digit(byte & 0xF));
    }
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii() && is_plain(char::from(byte))
}

/// What stands for itself. Letters of any script do; what cannot be seen, or would need an escape
/// in Cedar's text, does not.
fn is_plain(character: char) -> bool {
    match character {
        '/' | '%' | '"' | '\'' | '\\' | '`' | '*' => false,
        ' '..='~' => true,
        '\0'..='\x7f' => false,
        _ => character.is_alphanumeric(),
    }
}

/// The part as it was before encoding; nothing if it is not an encoding we make.
pub(crate) fn decode_part(encoded: &str) -> Option<Cow<'_, str>> {
    if !encoded.contains('%') {
        return Some(Cow::Borrowed(encoded));
    }
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// What is wrong with an id that somebody wrote in a policy; nothing if a question could carry it.
/// An id that can never match would silently switch off the `forbid` it stands in.
pub(crate) fn fault(kind: Kind, id: &str) -> Option<String> {
    if kind == Kind::Path {
        return path_fault(id);
    }
    let names = kind.parts();
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() != names.len() {
        let shape = names.join("/");
        return Some(format!(
            "the id of a {} is `{shape}`, with `%2F` for a `/` inside a name",
            kind.name()
        ));
    }
    let decoded: Option<Vec<Cow<'_, str>>> = parts.iter().map(|part| decode_part(part)).collect();
    let canonical = match decoded {
        Some(decoded) => entity_id(&decoded.iter().map(AsRef::as_ref).collect::<Vec<_>>()),
        None => entity_id(&parts),
    };
    if canonical != id {
        return Some(format!("write the id as `{canonical}`"));
    }
    parts
        .contains(&"")
        .then(|| format!("no part of `{}` may be empty", names.join("/")))
}

fn path_fault(id: &str) -> Option<String> {
    let shape = || Some("the id of a Path is `target:/its/path`".to_owned());
    let Some((target, path)) = id.split_once('/').and_then(|(before, _)| {
        let target = before.strip_suffix(':')?;
        Some((target, id.get(before.len()..)?))
    }) else {
        return shape();
    };
    if let Some(fault) = fault(Kind::Target, target) {
        return Some(fault);
    }
    match path::with_encoded_slashes(path) {
        Err(why) => Some(format!("no request is served that has this path: {why}")),
        Ok(spelled) if spelled != path => Some(format!("write the id as `{target}:{spelled}`")),
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn plain_names_stand_as_they_are() {
        assert_eq!(
            entity_id(&["orders", "orders", "public", "customers"]),
            "orders/orders/public/customers"
        );
        assert_eq!(
            entity_id(&["orders", "Order Details", "été_名"]),
            "orders/Order Details/été_名"
        );
    }

    #[test]
    fn what_would_mislead_is_encoded() {
        assert_eq!(entity_id(&["a/b"]), "a%2Fb");
        assert_eq!(entity_id(&["a%2Fb"]), "a%252Fb");
        assert_eq!(entity_id(&["say \"hi\"\n"]), "say %22hi%22%0A");
        assert_eq!(entity_id(&["it's\\\0"]), "it%27s%5C%00");
        assert_eq!(entity_id(&["a\u{202e}b\u{200b}c"]), "a%E2%80%AEb%E2%80%8Bc");
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(entity_id(&["a/b", "c"]), entity_id(&["a", "b/c"]));
        assert_ne!(entity_id(&["a", ""]), entity_id(&["a"]));
        assert_ne!(entity_id(&["", "a"]), entity_id(&["a", ""]));
    }

    #[test]
    fn an_id_that_can_never_match_is_a_fault() {
        assert_eq!(fault(Kind::Table, "orders/orders/public/a%2Fb"), None);
        assert!(
            fault(Kind::Table, "orders/public/customers")
                .unwrap()
                .contains("target/database/schema/name")
        );
        assert_eq!(fault(Kind::Target, "a%2fb").unwrap(), "write the id as `a%2Fb`");
        assert_eq!(fault(Kind::Target, "%61").unwrap(), "write the id as `a`");
        assert_eq!(fault(Kind::Target, "50%").unwrap(), "write the id as `50%25`");
        assert_eq!(fault(Kind::Workload, "*").unwrap(), "write the id as `%2A`");
        assert!(fault(Kind::Role, "orders/").unwrap().contains("empty"));
    }

    #[test]
    fn a_path_that_no_request_can_have_is_a_fault() {
        assert_eq!(fault(Kind::Path, "billing:/v1/invoices"), None);
        assert_eq!(fault(Kind::Path, "a:b:/"), None);
        let shape = "the id of a Path is `target:/its/path`";
        for id in ["billing/v1/invoices", "billing", "billing:", ":v1/a"] {
            assert_eq!(fault(Kind::Path, id).unwrap(), shape, "{id}");
        }
        assert!(fault(Kind::Path, ":/v1").unwrap().contains("empty"));
        assert_eq!(
            fault(Kind::Path, "billing:/%7Eme").unwrap(),
            "write the id as `billing:/~me`"
        );
        for id in ["billing://", "billing:/a/../b", "billing:/a;b", "billing:/a b"] {
            let told = fault(Kind::Path, id).unwrap();
            assert!(told.starts_with("no request is served"), "{told}");
        }
    }

    proptest! {
        #[test]
        fn encoding_is_injective(left in prop::collection::vec(".{0,6}", 1..4), right in prop::collection::vec(".{0,6}", 1..4)) {
            let id = |parts: &[String]| entity_id(&parts.iter().map(String::as_str).collect::<Vec<_>>());
            prop_assert_eq!(left == right, id(&left) == id(&right));
        }

        #[test]
        fn decoding_undoes_encoding(part in any::<String>()) {
            let id = entity_id(&[&part]);
            prop_assert!(!id.contains('/'));
            prop_assert_eq!(decode_part(&id).unwrap(), part);
        }
    }
}
