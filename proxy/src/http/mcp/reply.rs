//! What a server may say to one client: lists without what the client may not use, no tool that has changed what it
//! says of itself, no question that the target does not allow.

use std::rc::Rc;
use std::sync::Arc;

use postern_link::snapshot::{McpServer, ServerAsks};
use serde_json::{Map, Value, json};

use crate::authorize::offer::Offer;
use crate::authorize::{Authorizer, Recorder, View};
use crate::fingerprints::Changed;
use crate::refusal::{Reason, Refusal};
use crate::shared::Shared;

use super::message::{Revision, code};

/// How long a client may keep a list that was made for it: rights change.
const LIST_TTL_MS_MAX: u64 = 5_000;

/// What is known while a server answers.
pub(super) struct Reply {
    pub(super) shared: Arc<Shared>,
    pub(super) authorizer: Rc<Authorizer>,
    pub(super) recorder: Rc<Recorder>,
    pub(super) view: Rc<View>,
    pub(super) target: String,
    pub(super) server: McpServer,
    pub(super) revision: Revision,
    /// The client's request that is answered; none on a stream that it has only opened.
    pub(super) id: Option<Value>,
}

impl Reply {
    /// What becomes of a message of the server: itself or less, nothing, or an end with this reason.
    pub(super) fn judged(&self, message: Value) -> Result<Option<Value>, Refusal> {
        let Value::Object(mut fields) = message else {
            return Err(unusual("it sent what is no message"));
        };
        match (
            fields.get("method").and_then(Value::as_str),
            fields.contains_key("id"),
        ) {
            (Some(method), true) => {
                self.may_ask(method)?;
                Ok(Some(Value::Object(fields)))
            }
            (Some(method), false) => {
                let passes = method.starts_with("notifications/");
                Ok(passes.then_some(Value::Object(fields)))
            }
            (None, _) => {
                // An error that answers no request in particular has no `id`, or null.
                let answers_another = match (&self.id, fields.get("id")) {
                    (Some(own), Some(id)) => own != id && !id.is_null(),
                    _ => false,
                };
                if answers_another {
                    return Err(unusual("it answered what was not asked"));
                }
                if let Some(Value::Object(result)) = fields.get_mut("result") {
                    self.result(result)?;
                }
                Ok(Some(Value::Object(fields)))
            }
        }
    }

    /// Lists are known by their shape: on a stream that was opened again there is no question to know them by.
    fn result(&self, result: &mut Map<String, Value>) -> Result<(), Refusal> {
        let mut is_filtered = false;
        for (list, field, offer) in LISTS {
            if let Some(Value::Array(entries)) = result.get_mut(list) {
                entries.retain(|entry| {
                    let name = entry.get(field).and_then(Value::as_str);
                    name.is_some_and(|name| self.is_shown(&offer(name.to_owned()), entry))
                });
                is_filtered = true;
            }
        }
        if let Some(Value::Array(versions)) = result.get_mut("supportedVersions") {
            let served = |version: &Value| version.as_str().and_then(Revision::named).is_some();
            versions.retain(served);
            is_filtered = true;
        }
        if is_filtered && self.revision == Revision::Of2026 {
            let said = result.get("ttlMs").and_then(Value::as_u64).unwrap_or(0);
            result.insert("ttlMs".to_owned(), said.min(LIST_TTL_MS_MAX).into());
        }
        if self.revision == Revision::Of2026 && (is_filtered || result.contains_key("cacheScope")) {
            result.insert("cacheScope".to_owned(), "private".into());
        }
        let asks = result.get("resultType").and_then(Value::as_str) == Some("input_required");
        if asks || result.contains_key("inputRequests") {
            let asked = result.get("inputRequests").and_then(Value::as_object);
            for request in asked.into_iter().flat_map(Map::values) {
                self.may_ask(request.get("method").and_then(Value::as_str).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    fn is_shown(&self, offer: &Offer, entry: &Value) -> bool {
        if let Offer::Tool { name, .. } = offer {
            let fingerprints = &self.shared.fingerprints;
            if let Err(changed) = fingerprints.see(&self.target, name, entry, &self.server.accepted) {
                self.authorizer
                    .refuse(&self.recorder, None, has_changed(name, &changed));
                return false;
            }
        }
        self.authorizer.may_use(&self.view, offer)
    }

    /// A server asks its clients only what its target allows; whether it lives may always be asked.
    fn may_ask(&self, method: &str) -> Result<(), Refusal> {
        let kind = match method {
            "ping" if self.revision == Revision::Of2025 => return Ok(()),
            "sampling/createMessage" => Some(ServerAsks::Sampling),
            "elicitation/create" => Some(ServerAsks::Elicitation),
            "roots/list" => Some(ServerAsks::Roots),
            _ => None,
        };
        match kind {
            Some(kind) if self.server.may_ask.contains(&kind) => Ok(()),
            Some(_) => Err(Refusal::new(
                Reason::Forbidden,
                format!("the server may not ask its clients for `{method}`"),
            )
            .hint("the target's `mcp.may_ask` names what it may")),
            None => Err(unusual("it asked what no client answers")),
        }
    }

    /// What the client hears in place of the answer.
    pub(super) fn error(&self, refusal: &Refusal) -> Option<Value> {
        let code = match refusal.reason {
            Reason::Forbidden => code::FORBIDDEN,
            _ => code::INTERNAL,
        };
        Some(error(self.id.clone()?, code, refusal))
    }
}

type Made = fn(String) -> Offer;

/// The lists there are: what they are called, what names their entries, and what an entry is.
const LISTS: [(&str, &str, Made); 4] = [
    ("tools", "name", |name| Offer::Tool {
        name,
        given: Default::default(),
    }),
    ("prompts", "name", Offer::Prompt),
    ("resources", "uri", Offer::Resource),
    ("resourceTemplates", "uriTemplate", Offer::Resource),
];

pub(super) fn has_changed(tool: &str, Changed(digest): &Changed) -> Refusal {
    Refusal::new(
        Reason::Forbidden,
        format!("the tool `{tool}` says something else of itself than when it was accepted"),
    )
    .detail(format!("what it says now has the digest {digest}"))
    .hint("an operator who has read it lists the digest in the target's `mcp.accepted`")
}

fn unusual(detail: &'static str) -> Refusal {
    Refusal::new(Reason::Unavailable, "the server does not keep to its protocol").detail(detail)
}

/// An error of JSON-RPC that teaches as every refusal does.
pub(super) fn error(id: Value, code: i32, refusal: &Refusal) -> Value {
    json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": {
            "code": code,
            "message": refusal.message,
            "data": {
                "detail": refusal.detail,
                "hint": refusal.hint,
                "reason": refusal.reason.name(),
            },
        },
    })
}
