//! A record as JSON for people and their tools. One record in, one object out: what a caller wrote stays a
//! string, whatever is in it.

use jiff::Timestamp;
use postern_link::record::RecordId;
use postern_link::wire::{Effect, Kind, Record, Status};
use serde_json::{Map, Value, json};

/// The record's facts; what it does not say is left out.
pub fn record(index: u64, record: &Record) -> Map<String, Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| {
        object.insert(name.to_owned(), value);
    };
    put("id", json!(RecordId::of(record).to_string()));
    put("cursor", json!(index.to_string()));
    put("time", time(record.time_us));
    put("kind", json!(kind_name(record.kind())));
    put("gateway", json!(record.gateway));
    let asks = matches!(record.kind(), Kind::Prepared | Kind::Intent | Kind::Refused);
    if asks || record.permitted {
        put("permitted", json!(record.permitted));
    }
    if record.of > 0 {
        put(
            "of",
            json!(
                RecordId {
                    number: record.of,
                    ..RecordId::of(record)
                }
                .to_string()
            ),
        );
    }
    if record.status() != Status::Unspecified {
        put("status", json!(status_name(record.status())));
    }
    if !record.effects.is_empty() {
        put(
            "effects",
            Value::Array(record.effects.iter().map(effect).collect()),
        );
    }
    if !record.rules.is_empty() {
        put("rules", json!(record.rules));
    }
    if record.rehearsed {
        let refusals = &record.rehearsed_refusals;
        put(
            "rehearsed",
            json!({ "permitted": refusals.is_empty(), "rules": record.rehearsed_rules, "refusals": refusals }),
        );
    }
    if !record.run.is_empty() {
        let run: std::collections::BTreeMap<_, _> = record.run.iter().collect();
        put("run", json!(run));
    }
    if record.since_us != 0 {
        put("since", time(record.since_us));
    }
    for (name, bytes) in [("session", &record.session), ("text_digest", &record.text_digest)] {
        if !bytes.is_empty() {
            put(name, json!(hex(bytes)));
        }
    }
    for (name, text) in texts(record) {
        if !text.is_empty() {
            put(name, json!(text));
        }
    }
    let counts = record.kind() == Kind::Outcome;
    for (name, number, always) in numbers(record) {
        if number > 0 || (always && counts) {
            put(name, json!(number));
        }
    }
    object
}

fn texts(record: &Record) -> [(&'static str, &str); 22] {
    [
        ("workload", &record.workload),
        ("evidence", &record.evidence),
        ("issuer", &record.issuer),
        ("subject", &record.subject),
        ("certificate_serial", &record.certificate_serial),
        ("source", &record.source),
        ("client_says", &record.client_says),
        ("target", &record.target),
        ("database", &record.database),
        ("role", &record.role),
        ("text", &record.text),
        ("raw_text", &record.raw_text),
        ("search_path", &record.search_path),
        ("statement_name", &record.statement_name),
        ("refusal", &record.refusal),
        ("message", &record.message),
        ("detail", &record.detail),
        ("hint", &record.hint),
        ("sqlstate", &record.sqlstate),
        ("tag", &record.tag),
        ("network", &record.network),
        ("tenant", &record.tenant),
    ]
    .map(|(name, text): (_, &String)| (name, text.as_str()))
}

fn numbers(record: &Record) -> [(&'static str, u64, bool); 7] {
    [
        ("policy_epoch", record.policy_epoch, false),
        ("catalogue_version", record.catalogue_version, false),
        ("rows", record.rows, true),
        ("bytes_out", record.bytes_out, true),
        ("bytes_in", record.bytes_in, true),
        ("duration_us", record.duration_us, true),
        ("count", record.count, false),
    ]
}

fn effect(effect: &Effect) -> Value {
    let mut object = Map::new();
    object.insert("action".to_owned(), json!(effect.action));
    object.insert("resource".to_owned(), json!(effect.resource));
    if !effect.columns.is_empty() {
        object.insert("columns".to_owned(), json!(effect.columns));
    }
    if !effect.detail.is_empty() {
        object.insert("detail".to_owned(), json!(effect.detail));
    }
    Value::Object(object)
}

/// RFC 3339; a time that no calendar has is told as the number that was recorded.
pub fn time(time_us: i64) -> Value {
    match Timestamp::from_microsecond(time_us) {
        Ok(time) => json!(format!("{time:.6}")),
        Err(_) => json!(time_us),
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that a text of hexadecimal digits names; hyphens of a UUID are passed over.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|letter| *letter != '-')
        .map(|letter| letter.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

const KINDS: [(Kind, &str); 15] = [
    (Kind::Unspecified, "unspecified"),
    (Kind::SessionOpened, "session_opened"),
    (Kind::SessionEnded, "session_ended"),
    (Kind::Prepared, "prepared"),
    (Kind::Intent, "intent"),
    (Kind::Outcome, "outcome"),
    (Kind::Refused, "refused"),
    (Kind::Cancel, "cancel"),
    (Kind::Finding, "finding"),
    (Kind::Strangers, "strangers"),
    (Kind::RefusedCounted, "refused_counted"),
    (Kind::SnapshotMade, "snapshot_made"),
    (Kind::Ordered, "ordered"),
    (Kind::Revoked, "revoked"),
    (Kind::Lifted, "lifted"),
];

pub fn kind_name(kind: Kind) -> &'static str {
    KINDS
        .iter()
        .find(|(known, _)| *known == kind)
        .map_or("unspecified", |(_, name)| name)
}

pub fn kind_named(name: &str) -> Option<Kind> {
    KINDS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(kind, _)| *kind)
}

/// Every kind's name, for a message that teaches.
pub fn kind_names() -> String {
    let names: Vec<String> = KINDS
        .iter()
        .skip(1)
        .map(|(_, name)| format!("`{name}`"))
        .collect();
    names.join(", ")
}

pub fn status_name(status: Status) -> &'static str {
    match status {
        Status::Unspecified => "unspecified",
        Status::Done => "done",
        Status::Failed => "failed",
        Status::Abandoned => "abandoned",
        Status::Unknown => "unknown",
        Status::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_caller_wrote_stays_one_string_of_one_object() {
        for text in [
            "select 1\n{\"kind\":\"intent\",\"permitted\":true}",
            "\u{1b}[2J\u{1b}]0;owned\u{7}",
            "\u{202e}tceles\u{2066}",
            "\u{2028}\u{2029}\u{85}",
            "=cmd()|'/c calc'!A1",
            "\",\"permitted\":true,\"x\":\"",
            "\0\u{feff}\u{fffd}",
        ] {
            let sent = Record {
                text: text.into(),
                tag: text.into(),
                ..Record::default()
            };
            let json = serde_json::to_string(&record(3, &sent)).unwrap();
            assert_eq!(json.lines().count(), 1);
            assert!(!json.bytes().any(|byte| byte < 0x20));
            let read: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read["text"], text);
            assert_eq!(read["tag"], text);
            assert_eq!(read.get("permitted"), None);
        }
    }

    #[test]
    fn times_are_rfc_3339_to_the_microsecond() {
        assert_eq!(time(1_700_000_000_000_001), json!("2023-11-14T22:13:20.000001Z"));
        assert_eq!(time(0), json!("1970-01-01T00:00:00.000000Z"));
        assert_eq!(time(i64::MAX), json!(i64::MAX));
    }

    #[test]
    fn every_kind_has_one_name() {
        for (kind, name) in KINDS {
            assert_eq!((kind_name(kind), kind_named(name)), (name, Some(kind)));
        }
        assert_eq!(
            Kind::try_from(i32::try_from(KINDS.len()).unwrap()),
            Err(prost::UnknownEnumValue(15))
        );
    }

    #[test]
    fn hexadecimal_goes_both_ways() {
        assert_eq!(from_hex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
        assert_eq!(from_hex("0190-ff"), Some(vec![1, 0x90, 0xff]));
        assert_eq!(from_hex("abc"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
