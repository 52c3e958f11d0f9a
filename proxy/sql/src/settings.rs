//! Knowledge about the server's settings: their canonical names, and which of them change what a text means.
//!
//! Which settings a session may change is policy and not known here.

use crate::effect::SettingValue;

/// The settings that the gateway keeps per session, because the meaning of a text hangs on them.
pub const TRACKED: &[&str] = &[
    "search_path",
    "role",
    "session_authorization",
    "standard_conforming_strings",
    "client_encoding",
];

/// The name in lower case, with the old names that servers still take replaced.
pub fn canonical(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "sort_mem" => "work_mem".to_owned(),
        "vacuum_mem" => "maintenance_work_mem".to_owned(),
        "time zone" => "timezone".to_owned(),
        "session authorization" => "session_authorization".to_owned(),
        _ => name,
    }
}

/// Whether a value names a setting as it stands, whatever kind of text the server takes it for.
pub fn is_plain_name(value: &str) -> bool {
    const NAME_BYTES_MAX: usize = 63;
    let belongs = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&value.len()) && value.bytes().all(belongs)
}

/// Whether setting it may change which object a name means, or how a text is read.
pub fn moves_names(name: &str) -> bool {
    name == "*" || TRACKED.contains(&name)
}

/// Whether it may survive DISCARD ALL: custom settings do, and a name that only the server will know may be one.
pub fn outlives_reset(name: &str) -> bool {
    name == "*" || name.contains('.')
}

/// What a setting is given when its value comes as one text, as with `set_config`.
pub(crate) fn value_of_text(name: &str, text: &str) -> SettingValue {
    if name != "search_path" {
        return SettingValue::Text(text.to_owned());
    }
    split_names(text).map_or(SettingValue::Unknown, SettingValue::Names)
}

/// Splits a list of identifiers as the server does: bare ones fold to lower case, quoted ones stay.
pub fn split_names(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    if rest.is_empty() {
        return Some(names);
    }
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => bare_name(rest)?,
        };
        names.push(name);
        rest = after.trim_start_matches(is_space);
        if rest.is_empty() {
            return Some(names);
        }
        rest = rest.strip_prefix(',')?.trim_start_matches(is_space);
    }
}

fn quoted_name(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"')?;
        name.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

fn bare_name(text: &str) -> Option<(String, &str)> {
    let end = text.find(|c| c == ',' || is_space(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty()).then(|| (name.to_ascii_lowercase(), rest))
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_names_is_split_as_the_server_splits_it() {
        let check = |text: &str, expected: Option<&[&str]>| {
            let expected = expected.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(split_names(text), expected, "{text}");
        };
        check("", Some(&[]));
        check("  ", Some(&[]));
        check("public", Some(&["public"]));
        check("A, \"B\" ,c", Some(&["a", "B", "c"]));
        check("\"$user\", public", Some(&["$user", "public"]));
        check("\"a\"\"b\"", Some(&["a\"b"]));
        check("a b", None);
        check("a,", None);
        check(",a", None);
        check("\"a", None);
    }
}
