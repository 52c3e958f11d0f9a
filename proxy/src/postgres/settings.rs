//! What a client asks for at startup, and the settings that the gateway keeps for itself.
//!
//! A startup packet is an SQL surface (its parameters and `options` become settings of the backend), so it
//! is read by allow-list of forms, and each setting is then judged by policy like a SET and run as one.

use postern_sql::{Change, SettingValue};

use crate::authorize::Judged;
use crate::refusal::{Reason, Refusal};

use super::dialogue::Dialogue;
use super::message::Fields;

/// Parameters in one startup packet, those inside `options` counted too.
const PARAMETERS_MAX: usize = 64;
/// Bytes of a client's own `application_name` that are kept, as PostgreSQL keeps them.
const APPLICATION_NAME_BYTES_MAX: usize = 63;

/// A client's startup packet, read and sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// The requested role, not an identity.
    pub user: String,
    pub database: String,
    /// Which target, when `options` says so.
    pub target: Option<String>,
    /// What the client calls itself: recorded, answered, never sent on.
    pub application_name: String,
    /// Settings to be judged and then set, in the client's order.
    pub settings: Vec<(String, String)>,
    /// Protocol extensions that we do not know, for the negotiation.
    pub unknown_extensions: Vec<String>,
}

/// Reads the parameters after the version of a startup packet.
pub fn read_startup(body: &[u8]) -> Result<Startup, Refusal> {
    let malformed = |message: &'static str| Refusal::new(Reason::Malformed, message);
    let mut fields = Fields(body);
    let mut startup = Startup::default();
    let mut names: Vec<String> = Vec::new();
    loop {
        let name = fields.text().map_err(Refusal::from)?;
        if name.is_empty() {
            break;
        }
        let value = fields.text().map_err(Refusal::from)?;
        if names.len() >= PARAMETERS_MAX {
            return Err(malformed("the startup packet has too many parameters"));
        }
        if names.iter().any(|known| known == name) {
            return Err(
                malformed("the startup packet names a parameter twice").detail(format!("it is `{name}`"))
            );
        }
        names.push(name.to_owned());
        match name {
            "user" => startup.user = value.to_owned(),
            "database" => startup.database = value.to_owned(),
            "replication" => replication(value)?,
            "options" => read_options(value, &mut startup)?,
            extension if extension.starts_with("_pq_.") => {
                startup.unknown_extensions.push(extension.to_owned())
            }
            setting => put_setting(setting, value, &mut startup)?,
        }
    }
    fields.end().map_err(Refusal::from)?;
    Ok(startup)
}

/// Replication speaks a protocol of its own after the login; any true value asks for it.
fn replication(value: &str) -> Result<(), Refusal> {
    match value.to_ascii_lowercase().as_str() {
        "false" | "off" | "no" | "0" => Ok(()),
        _ => Err(Refusal::new(
            Reason::Unsupported,
            "replication connections are not served by the gateway",
        )),
    }
}

/// `options` as PostgreSQL splits it: words at spaces, a backslash keeps the next character.
fn read_options(options: &str, startup: &mut Startup) -> Result<(), Refusal> {
    let mut words = split_options(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.as_str() {
            "-c" => words.next(),
            long if long.starts_with("--") => long.strip_prefix("--").map(str::to_owned),
            short => short.strip_prefix("-c").map(str::to_owned),
        };
        let Some((name, value)) = setting.as_deref().and_then(|setting| setting.split_once('=')) else {
            return Err(
                Refusal::new(Reason::Malformed, "`options` holds something other than settings")
                    .hint("write settings as `-c name=value` or `--name=value`"),
            );
        };
        let name = name.replace('-', "_");
        if name == "postern.target" {
            startup.target = Some(value.to_owned());
        } else {
            put_setting(&name, value, startup)?;
        }
        if startup.settings.len() > PARAMETERS_MAX {
            return Err(Refusal::new(
                Reason::Malformed,
                "`options` holds too many settings",
            ));
        }
    }
    Ok(())
}

fn split_options(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.extend(characters.next()),
            space if space.is_ascii_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

fn put_setting(name: &str, value: &str, startup: &mut Startup) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if name.is_empty() || name.len() > 63 || !name.bytes().all(plain) {
        return Err(Refusal::new(
            Reason::Malformed,
            "a startup parameter's name is not that of a setting",
        ));
    }
    match name.to_ascii_lowercase().as_str() {
        "application_name" => {
            startup.application_name = cut(value).to_owned();
            Ok(())
        }
        "client_encoding" => match encoding(value) {
            Some(_) => Ok(()),
            None => Err(
                Refusal::new(Reason::Unsupported, "only UTF-8 is served as `client_encoding`")
                    .hint("set PGCLIENTENCODING=UTF8"),
            ),
        },
        _ => {
            startup
                .settings
                .push((name.to_ascii_lowercase(), value.to_owned()));
            Ok(())
        }
    }
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(APPLICATION_NAME_BYTES_MAX))
        .unwrap_or_default()
}

/// UTF-8 in any of the spellings that drivers send; SQL_ASCII is served as UTF-8, and bytes that are not
/// UTF-8 are refused where they arrive.
pub fn encoding(value: &str) -> Option<&'static str> {
    let letters: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    matches!(letters.as_str(), "utf8" | "unicode" | "sqlascii").then_some("UTF8")
}

/// A setting as the statement that sets it, its value quoted so that it means the same under either
/// reading of backslashes.
pub fn set_statement(name: &str, value: &str) -> String {
    let name: Vec<String> = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    let quoted = value.replace('\\', "\\\\").replace('\'', "''");
    let escape = if value.contains('\\') { " E" } else { " " };
    // A list is not one quoted name: each part of a search path is quoted for itself, split as the server splits it.
    if name == ["\"search_path\""] {
        let quote = |part: &String| format!("\"{}\"", part.replace('"', "\"\""));
        return match postern_sql::settings::split_names(value) {
            Some(parts) if !parts.is_empty() => {
                let parts: Vec<String> = parts.iter().map(quote).collect();
                format!("SET search_path TO {}", parts.join(", "))
            }
            // What is no list of names is one name that the server will not find.
            _ => format!("SET search_path TO {}", quote(&value.to_owned())),
        };
    }
    format!("SET {} TO{escape}'{quoted}'", name.join("."))
}

/// The `application_name` we show upstream: the run stays whole, the workload's side is cut to fit.
pub fn our_application_name(workload: &str, run_id: Option<&str>) -> String {
    let run = run_id.map(|run_id| format!(":{run_id}")).unwrap_or_default();
    let run = run.get(..run.floor_char_boundary(40)).unwrap_or_default();
    let room = APPLICATION_NAME_BYTES_MAX - "postern:".len() - run.len();
    let workload = workload
        .get(..workload.floor_char_boundary(room))
        .unwrap_or_default();
    // PostgreSQL replaces what is not printable ASCII by `?`; so do we, to know what it will say.
    let clean = |text: &str| {
        text.chars()
            .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
            .collect::<String>()
    };
    format!("postern:{}{}", clean(workload), clean(run))
}

impl Dialogue {
    /// The text with what the client says of itself replaced by what we say: its name, and SQL_ASCII.
    pub(super) fn rewritten(&mut self, judged: &Judged) -> Option<String> {
        let mut text = None;
        // From the back, so that the spans in front stay right.
        for statement in judged.statements().iter().rev() {
            for change in &statement.changes {
                let replacement = match change {
                    Change::Set { name, value, .. } if name == "application_name" => {
                        self.client_says = match value {
                            SettingValue::Text(value) => value.clone(),
                            _ => String::new(),
                        };
                        set_statement("application_name", &self.our_name)
                    }
                    Change::Reset(name) if name == "application_name" => {
                        self.client_says = String::new();
                        set_statement("application_name", &self.our_name)
                    }
                    Change::Set {
                        name,
                        value: SettingValue::Text(value),
                        ..
                    } if name == "client_encoding" => {
                        if encoding(value).is_none() {
                            continue;
                        }
                        set_statement("client_encoding", "UTF8")
                    }
                    _ => continue,
                };
                let text: &mut String = text.get_or_insert_with(|| judged.text().to_owned());
                if text.get(statement.span.clone()).is_some() {
                    text.replace_range(statement.span.clone(), &replacement);
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(parameters: &[(&str, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in parameters {
            body.extend_from_slice(name.as_bytes());
            body.push(0);
            body.extend_from_slice(value.as_bytes());
            body.push(0);
        }
        body.push(0);
        body
    }

    #[test]
    fn settings_in_options_are_read_as_postgres_reads_them() {
        let body = packet(&[
            ("user", "u"),
            (
                "options",
                r"-c search_path=a\ b --DateStyle=ISO -cjit=off -c postern.target=orders",
            ),
        ]);
        let startup = read_startup(&body).unwrap();
        let settings = [("search_path", "a b"), ("datestyle", "ISO"), ("jit", "off")];
        assert_eq!(
            startup.settings,
            settings.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert_eq!(startup.target.as_deref(), Some("orders"));
    }

    #[test]
    fn a_parameter_named_twice_is_refused() {
        assert!(read_startup(&packet(&[("user", "a"), ("user", "b")])).is_err());
    }

    #[test]
    fn replication_is_refused_in_every_spelling() {
        for value in ["true", "database", "on", "1", "TRUE", "yes"] {
            assert!(
                read_startup(&packet(&[("replication", value)])).is_err(),
                "{value}"
            );
        }
    }

    #[test]
    fn a_setting_cannot_leave_its_quotes() {
        assert_eq!(
            set_statement("timezone", "x'; DROP TABLE t; --"),
            r#"SET "timezone" TO 'x''; DROP TABLE t; --'"#
        );
        assert_eq!(set_statement("timezone", r"\'"), r#"SET "timezone" TO E'\\'''"#);
        assert_eq!(
            set_statement("search_path", "a, \"B\""),
            r#"SET search_path TO "a", "B""#
        );
        assert_eq!(
            set_statement("search_path", r#"A , "b,c"; drop table t; --""#),
            r#"SET search_path TO "A , ""b,c""; drop table t; --""""#
        );
        assert_eq!(
            set_statement("search_path", r#""a""b""#),
            r#"SET search_path TO "a""b""#
        );
    }

    #[test]
    fn other_encodings_than_utf8_are_refused() {
        for value in ["SJIS", "latin1", "", "utf16", "BIG5"] {
            assert!(
                read_startup(&packet(&[("client_encoding", value)])).is_err(),
                "{value}"
            );
        }
        for value in ["UTF8", "'utf-8'", "unicode", "SQL_ASCII"] {
            assert!(
                read_startup(&packet(&[("client_encoding", value)])).is_ok(),
                "{value}"
            );
        }
    }

    #[test]
    fn our_application_name_fits_and_keeps_the_run() {
        let name = our_application_name(&"w".repeat(100), Some("12345"));
        assert_eq!(name.len(), 63);
        assert!(name.starts_with("postern:www") && name.ends_with(":12345"));
    }
}
