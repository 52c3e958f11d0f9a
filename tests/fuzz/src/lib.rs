//! What strangers send, given to the code that reads it first. A target fails by a panic: its own, or that of a
//! promise stated here. `cargo fuzz` looks for new inputs; `make test` reads those of `corpus` again.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use postern_link::snapshot::Target as Protected;
use postern_link::wire::Record;
use postern_link::{openapi, resources};
use postern_policies::path::{normalised, with_encoded_slashes};
use postern_proxy::audit::spool;
use postern_proxy::authorize::call::Method;
use postern_proxy::authorize::operations::Operations;
use postern_proxy::config::Limits;
use postern_proxy::http::mcp::message::{Message, Revision};
use postern_proxy::identity::{Error, Identities, Identity};
use postern_proxy::postgres::scram::Exchange;
use postern_proxy::postgres::{message, settings};
use postern_sql::{Action, Catalogue, Detail, Effect, Reading};
use postgres_protocol::authentication::sasl::ChannelBinding;
use prost::Message as _;

const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// 2027-01-15, when the certificates of the corpus hold.
const NOW_MS: i64 = 1_800_000_000_000;

/// What reads the bytes of a stranger; fails by a panic.
pub type Target = fn(&[u8]);

/// Each target by its name, which is that of its corpus too.
pub const ALL: [(&str, Target); 13] = [
    ("client", client),
    ("server", server),
    ("startup", startup),
    ("scram", scram),
    ("statement", statement),
    ("token", token),
    ("certificate", certificate),
    ("spool_file", spool_file),
    ("config", config),
    ("path", path),
    ("request", request),
    ("description", description),
    ("mcp_message", mcp_message),
];

/// A client's messages: each that is read ends where its header says, and every text in it is whole.
pub fn client(mut bytes: &[u8]) {
    let limits = Limits::default();
    while let Ok(Some(header)) = message::header(bytes) {
        let Some((whole, rest)) = bytes.split_at_checked(header.bytes) else {
            return;
        };
        let _ = message::client_reading(header.tag, &limits);
        if let Ok(message::Frontend::Query { text } | message::Frontend::Parse { text, .. }) =
            message::Frontend::read(whole)
        {
            assert!(!text.contains('\0') && text.len() < whole.len());
        }
        bytes = rest;
    }
}

/// A server's messages, each read as everything that it may be.
pub fn server(mut bytes: &[u8]) {
    while let Ok(Some(header)) = message::header(bytes) {
        let Some((whole, rest)) = bytes.split_at_checked(header.bytes) else {
            return;
        };
        let body = whole.get(message::HEADER_BYTES..).unwrap_or_default();
        let _ = message::notice_fields(body);
        let _ = message::parameter(body);
        if let Ok(values) = message::row_values(body) {
            let sum: usize = values.iter().flatten().map(|value| value.len()).sum();
            assert!(sum <= body.len());
        }
        if let Ok(tag) = message::Fields(body).text() {
            message::rows_of(tag);
        }
        bytes = rest;
    }
}

/// A startup packet: each of its settings becomes one SET of that setting, and nothing else.
pub fn startup(bytes: &[u8]) {
    let Ok(startup) = settings::read_startup(bytes) else {
        return;
    };
    for (name, value) in &startup.settings {
        let text = settings::set_statement(name, value);
        for standard_conforming_strings in [true, false] {
            if let Ok(analysis) = postern_sql::analyse(&text, &reading(standard_conforming_strings)) {
                assert_eq!(analysis.statements.len(), 1, "{text}");
                let effects = &analysis.statements[0].effects;
                let sets = |effect: &Effect| match &effect.detail {
                    Detail::Setting { name: set, value: to } => {
                        effect.action == Action::Set
                            && **set == **name
                            && (name == "search_path" || to.as_deref() == Some(value))
                    }
                    _ => match effect.action {
                        Action::Use => true,
                        Action::Assume => name == "role" || name == "session_authorization",
                        _ => false,
                    },
                };
                assert!(effects.iter().all(sets), "{text}: {effects:?}");
            }
        }
    }
}

/// A server's two SCRAM messages, the second after the first NUL; `%` stands for the nonce it has heard.
pub fn scram(bytes: &[u8]) {
    let mut exchange = Exchange::begin("secret", ChannelBinding::unsupported());
    let heard = exchange.message().to_vec();
    let nonce = heard.split(|byte| *byte == b'=').next_back().unwrap_or_default();
    let said = |part: &[u8]| {
        let pieces: Vec<&[u8]> = part.split(|byte| *byte == b'%').collect();
        pieces.join(nonce)
    };
    let mut parts = bytes.splitn(2, |byte| *byte == 0).map(said);
    let limits = Limits {
        scram_iterations_max: 100,
        ..Limits::default()
    };
    if exchange
        .challenged(&parts.next().unwrap_or_default(), &limits)
        .is_ok()
    {
        let proved = exchange.proved(&parts.next().unwrap_or_default());
        assert!(proved.is_err(), "nobody proves what they do not know");
    }
}

/// A statement is understood or refused; what is redacted once has nothing left to redact.
pub fn statement(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for standard_conforming_strings in [true, false] {
        if postern_sql::analyse(text, &reading(standard_conforming_strings)).is_ok() {
            let redacted = postern_sql::redact(text, standard_conforming_strings);
            assert_eq!(
                postern_sql::redact(&redacted, standard_conforming_strings),
                redacted
            );
        }
    }
}

/// A token nobody has issued opens no door: as it stands, and where NUL parts it, with each part in base64url.
pub fn token(bytes: &[u8]) {
    let encoded: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|part| URL_SAFE_NO_PAD.encode(part))
        .collect();
    for token in [bytes, encoded.join(".").as_bytes()] {
        let mut asked = Box::pin(identities().by_token(token, STRANGER, NOW_MS));
        let polled = asked.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Err(_))));
    }
}

/// A chain of certificates opens no door, for nobody is registered.
pub fn certificate(bytes: &[u8]) {
    assert!(by_chain(bytes).is_err());
}

/// Who has sent these certificates, each behind the other.
pub fn by_chain(mut bytes: &[u8]) -> Result<Identity, Error> {
    let mut chain = Vec::new();
    while let [0x30, 0x82, high, low, ..] = *bytes {
        let length = 4 + usize::from(u16::from_be_bytes([high, low]));
        let (certificate, rest) = bytes.split_at(length.min(bytes.len()));
        chain.push(certificate.to_vec().into());
        bytes = rest;
    }
    if !bytes.is_empty() {
        chain.push(bytes.to_vec().into());
    }
    identities().by_certificate(&chain, STRANGER, NOW_MS)
}

/// A spool file, whoever wrote it.
pub fn spool_file(bytes: &[u8]) {
    let mut sum = 0;
    for record in spool::records(bytes) {
        sum += record.len() + spool::FRAME_HEADER_BYTES;
        let _ = Record::decode(record);
    }
    assert!(sum <= bytes.len());
}

/// A configuration or a file of resources.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let _ = postern::config::parse(text, "postern.yaml", &[]);
    for name in ["resources.yaml", "rules.cedar"] {
        let file = resources::File {
            name: name.into(),
            text: text.to_owned(),
        };
        let _ = resources::read(&[file]);
    }
}

/// A path has one spelling, which means the same bytes and nothing that servers resolve.
pub fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(spelled) = with_encoded_slashes(text) {
        assert_eq!(with_encoded_slashes(&spelled).as_deref(), Ok(&*spelled));
        let early: Vec<&str> = spelled.split("%2F").flat_map(|part| part.split('/')).collect();
        assert!(!early.iter().any(|name| matches!(*name, "." | "..")), "{spelled}");
    }
    let Ok(spelled) = normalised(text) else {
        return;
    };
    assert_eq!(normalised(&spelled).as_deref(), Ok(&*spelled));
    assert_eq!(decoded(&spelled), decoded(text));
    let segments: Vec<Vec<u8>> = spelled.split('/').map(decoded).collect();
    let (last, others) = segments.split_last().expect("at least one");
    assert!(
        others.iter().skip(1).all(|segment| !segment.is_empty()),
        "{spelled}"
    );
    for segment in others.iter().chain([last]) {
        assert!(!matches!(&**segment, b"." | b".."), "{spelled}");
        assert!(
            !segment.iter().any(|byte| b"/\\;%\0\r\n".contains(byte)),
            "{spelled}"
        );
    }
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let digits: Vec<u8> = match byte {
            b'%' => bytes.by_ref().take(2).collect(),
            _ => Vec::new(),
        };
        let number = std::str::from_utf8(&digits)
            .ok()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(number.unwrap_or(byte));
    }
    decoded
}

/// `METHOD /path?query`, and headers in further lines: it is one operation or none, and gives what that declares.
pub fn request(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.next().and_then(|line| std::str::from_utf8(line).ok());
    let Some((method, wanted)) = line.and_then(|line| line.split_once(' ')) else {
        return;
    };
    let (path, query) = wanted
        .split_once('?')
        .map_or((wanted, None), |(path, query)| (path, Some(query)));
    let (Some(method), Ok(path)) = (Method::named(method), normalised(path)) else {
        return;
    };
    let mut headers = HeaderMap::new();
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = parts.next().and_then(|name| HeaderName::from_bytes(name).ok());
        let value = parts.next().and_then(|value| HeaderValue::from_bytes(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let Ok(operation) = operations().find(method, &path) else {
        return;
    };
    let Ok(given) = operation.given(&path, query, &headers) else {
        return;
    };
    const DECLARED: [&str; 6] = ["id=", "limit=", "state=", "fields=", "force=", "X-Dry-Run="];
    for text in &given.texts {
        assert!(DECLARED.iter().any(|name| text.starts_with(name)), "{text}");
    }
    for (name, number) in &given.numbers {
        assert!(given.texts.contains(&format!("{name}={number}")), "{name}");
    }
    // No value hides behind another of its name.
    let limits = given.texts.iter().filter(|text| text.starts_with("limit="));
    assert!(limits.count() <= 1);
}

fn operations() -> &'static Operations {
    static OPERATIONS: OnceLock<Operations> = OnceLock::new();
    OPERATIONS.get_or_init(|| {
        let text = include_str!("../corpus/description/billing");
        described(text).expect("a description that holds")
    })
}

fn described(text: &str) -> Option<Operations> {
    let operations = openapi::operations(text).ok()?;
    let target = serde_json::json!({
        "name": "a", "http": {"address": "a:1", "credential": "c", "operations": operations}
    });
    let target: Protected = serde_json::from_value(target).expect("what is written is read");
    Operations::of(target.http()?).ok().flatten()
}

/// An OpenAPI document: what is made of it holds, or is told.
pub fn description(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        described(text);
    }
}

/// A message of MCP: what is read of it, all read alike.
pub fn mcp_message(bytes: &[u8]) {
    let Ok(message) = Message::read(bytes) else {
        return;
    };
    assert!(serde_json::from_slice::<serde_json::Value>(bytes).is_ok());
    let server = serde_json::json!({"arguments": {"set": {"priority": "/priority", "deep": "/a~1b/0/c"}}});
    let server = serde_json::from_value(server).expect("a server");
    for revision in Revision::ALL {
        let _ = message.offers(revision, &server);
    }
}

fn reading(standard_conforming_strings: bool) -> Reading<'static> {
    static CATALOGUE: OnceLock<(Catalogue, Vec<String>)> = OnceLock::new();
    let (catalogue, search_path) = CATALOGUE.get_or_init(|| {
        let shop = include_str!("../../../proxy/tests/sessions/shop.json");
        let catalogue = serde_json::from_str(shop).expect("the catalogue");
        (catalogue, vec!["pg_catalog".into(), "public".into()])
    });
    Reading {
        catalogue,
        search_path,
        role: "shop_reader",
        standard_conforming_strings,
    }
}

fn identities() -> &'static Identities {
    static IDENTITIES: OnceLock<Identities> = OnceLock::new();
    IDENTITIES.get_or_init(|| {
        let identities = Identities::new(&Limits::default(), &[]).expect("identities");
        // Its key was thrown away as soon as it had signed the corpus.
        let root = include_bytes!("../root.der").to_vec().into();
        let left_out = identities.set_bundles([("a.example".to_owned(), vec![root])].into());
        assert!(left_out.is_empty(), "{left_out:?}");
        identities
    })
}
