//! What a client's message is and what it asks for (JSON-RPC 2.0; MCP of 2025-11-25 and 2026-07-28). What is not
//! known here is refused.

use std::collections::BTreeMap;

use postern_link::snapshot::McpServer;
use serde_json::{Map, Value};

use crate::authorize::given::Given;
use crate::authorize::offer::Offer;
use crate::refusal::{Reason, Refusal};

use super::json::{self, folded};

/// The revisions that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// Sessions, streams that clients open, servers that ask.
    Of2025,
    /// Each request for itself.
    Of2026,
}

impl Revision {
    pub const ALL: [Revision; 2] = [Revision::Of2025, Revision::Of2026];

    pub fn name(self) -> &'static str {
        match self {
            Revision::Of2025 => "2025-11-25",
            Revision::Of2026 => "2026-07-28",
        }
    }

    pub fn named(name: &str) -> Option<Revision> {
        Revision::ALL.into_iter().find(|revision| revision.name() == name)
    }
}

/// The codes of errors (JSON-RPC 2.0, section 5.1; MCP of 2026-07-28, error codes).
pub mod code {
    pub const PARSE: i32 = -32700;
    pub const INVALID_REQUEST: i32 = -32600;
    pub const METHOD_NOT_FOUND: i32 = -32601;
    pub const INVALID_PARAMS: i32 = -32602;
    pub const INTERNAL: i32 = -32603;
    pub const HEADER_MISMATCH: i32 = -32020;
    pub const UNSUPPORTED_VERSION: i32 = -32022;
    /// Ours, of the range that is left to implementations.
    pub const UNKNOWN_SESSION: i32 = -32001;
    pub const FORBIDDEN: i32 = -32003;
}

/// Why a message is not passed on, in JSON-RPC's words.
#[derive(Debug)]
pub struct Fault {
    pub code: i32,
    pub refusal: Refusal,
}

impl Fault {
    pub fn new(code: i32, message: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
        let reason = match code {
            code::METHOD_NOT_FOUND | code::UNSUPPORTED_VERSION => Reason::Unsupported,
            _ => Reason::Malformed,
        };
        Fault {
            code,
            refusal: Refusal::new(reason, message),
        }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        let code = match refusal.reason {
            Reason::Forbidden => code::FORBIDDEN,
            Reason::Malformed => code::INVALID_REQUEST,
            _ => code::INTERNAL,
        };
        Fault { code, refusal }
    }
}

/// One message of a client.
#[derive(Debug, PartialEq)]
pub enum Message {
    Request {
        id: Value,
        method: String,
        params: Map<String, Value>,
    },
    Notification {
        method: String,
        params: Map<String, Value>,
    },
    /// The answer to what the server has asked.
    Response,
}

impl Message {
    pub fn read(bytes: &[u8]) -> Result<Message, Fault> {
        let invalid = |message: &'static str| Fault::new(code::INVALID_REQUEST, message);
        let value = json::read(bytes).map_err(|error| {
            let mut fault = Fault::new(code::PARSE, "the message is no JSON that all read alike");
            fault.refusal = fault.refusal.detail(error.to_string());
            fault
        })?;
        let mut fields = match value {
            Value::Object(fields) => fields,
            Value::Array(_) => return Err(invalid("batches of messages are not served")),
            _ => return Err(invalid("a message is an object")),
        };
        const FIELDS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];
        if fields.keys().any(|name| !FIELDS.contains(&name.as_str())) {
            return Err(invalid("a message has a field that JSON-RPC does not know"));
        }
        if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err(invalid("`jsonrpc` is not \"2.0\""));
        }
        let id = fields.remove("id");
        if id
            .as_ref()
            .is_some_and(|id| !id.is_string() && !id.is_i64() && !id.is_u64())
        {
            return Err(invalid("an `id` is a text or a whole number"));
        }
        let has_answer = fields.contains_key("result") || fields.contains_key("error");
        let method = match fields.remove("method") {
            Some(Value::String(method)) if !has_answer => method,
            Some(_) => return Err(invalid("a `method` is a text, and not in an answer")),
            None if id.is_some() && fields.contains_key("result") != fields.contains_key("error") => {
                return Ok(Message::Response);
            }
            None => {
                return Err(invalid(
                    "a message has a `method`, or one of `result` and `error`",
                ));
            }
        };
        let params = match fields.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return Err(Fault::new(code::INVALID_PARAMS, "`params` is no object")),
        };
        Ok(match id {
            Some(id) => Message::Request { id, method, params },
            None => Message::Notification { method, params },
        })
    }

    pub fn id(&self) -> Option<&Value> {
        match self {
            Message::Request { id, .. } => Some(id),
            Message::Notification { .. } | Message::Response => None,
        }
    }

    pub fn method(&self) -> Option<&str> {
        match self {
            Message::Request { method, .. } | Message::Notification { method, .. } => Some(method),
            Message::Response => None,
        }
    }

    pub fn params(&self) -> Option<&Map<String, Value>> {
        match self {
            Message::Request { params, .. } | Message::Notification { params, .. } => Some(params),
            Message::Response => None,
        }
    }

    /// What is named by it, as `Mcp-Name` says it beside.
    pub fn name(&self) -> Option<&str> {
        let field = match self.method()? {
            "tools/call" | "prompts/get" => "name",
            "resources/read" => "uri",
            _ => return None,
        };
        self.params()?.get(field)?.as_str()
    }

    /// Everything that it would use.
    pub fn offers(&self, revision: Revision, server: &McpServer) -> Result<Vec<Offer>, Fault> {
        let (method, params) = match self {
            Message::Request { method, params, .. } => (method.as_str(), params),
            Message::Notification { method, .. } => {
                let known = match revision {
                    Revision::Of2025 => &[
                        "notifications/initialized",
                        "notifications/cancelled",
                        "notifications/progress",
                        "notifications/roots/list_changed",
                    ][..],
                    Revision::Of2026 => &["notifications/cancelled"][..],
                };
                return match known.contains(&method.as_str()) {
                    true => Ok(vec![Offer::Server]),
                    false => Err(unknown_method()),
                };
            }
            Message::Response if revision == Revision::Of2025 => return Ok(vec![Offer::Server]),
            Message::Response => {
                let message = "servers of this revision ask nothing, so nothing is to be answered";
                return Err(Fault::new(code::INVALID_REQUEST, message));
            }
        };
        let text = |field: &'static str| named(params, field);
        let offer = match (method, revision) {
            ("tools/list" | "prompts/list" | "resources/list" | "resources/templates/list", _)
            | ("initialize" | "ping" | "logging/setLevel", Revision::Of2025)
            | ("server/discover", Revision::Of2026) => Offer::Server,
            ("tools/call", _) => {
                let name = text("name")?;
                let given = arguments(&name, params, server)?;
                Offer::Tool { name, given }
            }
            ("prompts/get", _) => Offer::Prompt(text("name")?),
            ("resources/read", _) | ("resources/subscribe" | "resources/unsubscribe", Revision::Of2025) => {
                Offer::Resource(text("uri")?)
            }
            ("completion/complete", _) => completed(params)?,
            ("subscriptions/listen", Revision::Of2026) => return listened(params),
            _ => return Err(unknown_method()),
        };
        Ok(vec![offer])
    }
}

fn unknown_method() -> Fault {
    Fault::new(
        code::METHOD_NOT_FOUND,
        "this method is not of the protocol's revision",
    )
}

fn invalid_params(message: &'static str) -> Fault {
    Fault::new(code::INVALID_PARAMS, message)
}

/// A text that says what is meant. One in another case is not read, for a lenient server would.
fn named(params: &Map<String, Value>, field: &'static str) -> Result<String, Fault> {
    match field_of(params, field)? {
        Some(Value::String(name)) if !name.is_empty() => Ok(name.clone()),
        _ => Err(Fault::new(
            code::INVALID_PARAMS,
            format!("`params` has no text `{field}`"),
        )),
    }
}

fn field_of<'v>(fields: &'v Map<String, Value>, name: &str) -> Result<Option<&'v Value>, Fault> {
    let spelled_otherwise = |found: &String| found != name && folded(found) == folded(name);
    if fields.keys().any(spelled_otherwise) {
        let message = format!("`{name}` stands here in another spelling, which some servers read as it");
        return Err(Fault::new(code::INVALID_PARAMS, message));
    }
    Ok(fields.get(name))
}

fn completed(params: &Map<String, Value>) -> Result<Offer, Fault> {
    let reference = field_of(params, "ref")?.and_then(Value::as_object);
    let reference = reference.ok_or_else(|| invalid_params("`params` has no `ref`"))?;
    match field_of(reference, "type")?.and_then(Value::as_str) {
        Some("ref/prompt") => Ok(Offer::Prompt(named(reference, "name")?)),
        Some("ref/resource") => Ok(Offer::Resource(named(reference, "uri")?)),
        _ => Err(invalid_params(
            "a `ref` is of type `ref/prompt` or `ref/resource`",
        )),
    }
}

fn listened(params: &Map<String, Value>) -> Result<Vec<Offer>, Fault> {
    let mut offers = vec![Offer::Server];
    let Some(filter) = field_of(params, "notifications")? else {
        return Ok(offers);
    };
    let filter = filter.as_object();
    let filter = filter.ok_or_else(|| invalid_params("`notifications` is no object"))?;
    let uris = match field_of(filter, "resourceSubscriptions")? {
        None | Some(Value::Null) => return Ok(offers),
        Some(Value::Array(uris)) => uris,
        Some(_) => return Err(invalid_params("`resourceSubscriptions` is no list")),
    };
    for uri in uris {
        let uri = uri.as_str().ok_or_else(|| invalid_params("a URI is a text"))?;
        offers.push(Offer::Resource(uri.to_owned()));
    }
    Ok(offers)
}

/// The arguments of a tool that its target declares, as policies see them.
fn arguments(tool: &str, params: &Map<String, Value>, server: &McpServer) -> Result<Given, Fault> {
    let all = match field_of(params, "arguments")? {
        None => return Ok(Given::default()),
        Some(all @ Value::Object(_)) => all,
        Some(_) => return Err(invalid_params("`arguments` is no object")),
    };
    let declared = server.arguments.get(tool).unwrap_or(const { &BTreeMap::new() });
    let mut given = Given::default();
    for (name, pointer) in declared {
        match pointed(all, pointer)? {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => given.put_text(name, text),
            Some(value @ (Value::Bool(_) | Value::Number(_))) => match value.as_i64() {
                Some(number) => given.put_number(name, number),
                None => given.put_text(name, &value.to_string()),
            },
            Some(Value::Array(_) | Value::Object(_)) => {
                return Err(invalid_params(
                    "an argument that policies look at is neither a text nor a number, true nor false",
                ));
            }
        }
    }
    Ok(given)
}

/// A value by its JSON pointer (RFC 6901).
fn pointed<'v>(value: &'v Value, pointer: &str) -> Result<Option<&'v Value>, Fault> {
    let mut found = value;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let next = match found {
            Value::Object(fields) => field_of(fields, &step)?,
            Value::Array(values) => step.parse().ok().and_then(|place: usize| values.get(place)),
            _ => None,
        };
        match next {
            Some(next) => found = next,
            None => return Ok(None),
        }
    }
    Ok(Some(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn server() -> McpServer {
        serde_json::from_value(json!({
            "arguments": { "set": { "priority": "/priority", "deep": "/a~1b/0/c" } }
        }))
        .unwrap()
    }

    fn read(value: &Value) -> Message {
        Message::read(value.to_string().as_bytes()).unwrap()
    }

    fn offers(revision: Revision, method: &str, params: &Value) -> Result<Vec<Offer>, i32> {
        let message = read(&json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}));
        let offers = message.offers(revision, &server());
        offers.map_err(|fault| fault.code)
    }

    #[test]
    fn what_is_no_single_message_of_json_rpc_is_refused() {
        for (text, code) in [
            ("{", code::PARSE),
            (
                r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
                code::INVALID_REQUEST,
            ),
            ("[]", code::INVALID_REQUEST),
            ("1", code::INVALID_REQUEST),
            (r#"{"id":1,"method":"ping"}"#, code::INVALID_REQUEST),
            (
                r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
                code::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
                code::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
                code::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
                code::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"Method":"ping"}"#,
                code::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"x"}"#,
                code::PARSE,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"x"}"#,
                code::PARSE,
            ),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, code::INVALID_REQUEST),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
                code::INVALID_REQUEST,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
                code::INVALID_REQUEST,
            ),
            (r#"{"jsonrpc":"2.0","result":{}}"#, code::INVALID_REQUEST),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
                code::INVALID_PARAMS,
            ),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"ping","extra":1}"#,
                code::INVALID_REQUEST,
            ),
        ] {
            assert_eq!(Message::read(text.as_bytes()).unwrap_err().code, code, "{text}");
        }
    }

    #[test]
    fn a_method_that_its_revision_does_not_have_is_unknown() {
        let unknown = Err(code::METHOD_NOT_FOUND);
        for method in [
            "tasks/get",
            "Tools/call",
            "tools/call ",
            "sampling/createMessage",
            "rpc.discover",
            "",
        ] {
            for revision in Revision::ALL {
                assert_eq!(
                    offers(revision, method, &json!({"name": "a"})),
                    unknown,
                    "{method}"
                );
            }
        }
        for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe"] {
            assert_eq!(offers(Revision::Of2026, method, &json!({})), unknown, "{method}");
        }
        for method in ["server/discover", "subscriptions/listen"] {
            assert_eq!(offers(Revision::Of2025, method, &json!({})), unknown, "{method}");
        }
    }

    #[test]
    fn what_a_message_would_use_is_what_it_names() {
        let of = |method, params| offers(Revision::Of2025, method, &params).unwrap();
        assert_eq!(of("tools/list", json!({})), [Offer::Server]);
        assert_eq!(
            of("prompts/get", json!({"name": "a"})),
            [Offer::Prompt("a".into())]
        );
        assert_eq!(
            of("resources/read", json!({"uri": "f:a"})),
            [Offer::Resource("f:a".into())]
        );
        let reference = json!({"ref": {"type": "ref/resource", "uri": "f:a"}, "argument": {}});
        assert_eq!(
            of("completion/complete", reference),
            [Offer::Resource("f:a".into())]
        );
        let listen = json!({"notifications": {"resourceSubscriptions": ["f:a", "f:b"]}});
        assert_eq!(
            offers(Revision::Of2026, "subscriptions/listen", &listen).unwrap(),
            [
                Offer::Server,
                Offer::Resource("f:a".into()),
                Offer::Resource("f:b".into())
            ]
        );
    }

    #[test]
    fn declared_arguments_are_seen_and_no_spelling_hides_one() {
        let all = |arguments: Value| {
            let offers = offers(
                Revision::Of2026,
                "tools/call",
                &json!({"name": "set", "arguments": arguments}),
            )?;
            match offers.into_iter().next() {
                Some(Offer::Tool { given, .. }) => Ok(given),
                other => panic!("{other:?}"),
            }
        };
        let arguments = |arguments: Value| all(arguments).map(|given| Vec::from_iter(given.texts));
        let number = |value: Value| {
            all(json!({"priority": value}))
                .unwrap()
                .numbers
                .get("priority")
                .copied()
        };
        assert_eq!(number(json!(-7)), Some(-7));
        for value in [json!("7"), json!(7.5), json!(7.0), json!(u64::MAX), json!(true)] {
            assert_eq!(number(value.clone()), None, "{value}");
        }
        let given = json!({"priority": "low", "a/b": [{"c": 7}], "other": 1});
        assert_eq!(arguments(given).unwrap(), ["deep=7", "priority=low"]);
        assert_eq!(arguments(json!({"priority": true})).unwrap(), ["priority=true"]);
        assert_eq!(
            arguments(json!({"priority": null})).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(arguments(json!({"Priority": "low"})), Err(code::INVALID_PARAMS));
        assert_eq!(arguments(json!({"priority": ["low"]})), Err(code::INVALID_PARAMS));
        assert_eq!(arguments(json!([])), Err(code::INVALID_PARAMS));
        let hidden = json!({"Name": "set"});
        assert_eq!(
            offers(Revision::Of2026, "tools/call", &hidden),
            Err(code::INVALID_PARAMS)
        );
    }
}
