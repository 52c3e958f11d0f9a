//! Which operation of an API a request is, and what rules see of it.
//!
//! A path is one operation's or none's: where a target's description leaves that open, it is not loaded.

mod parameter;
mod template;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use postern_link::snapshot::{self, HttpTarget, HttpVersion};
use postern_policies::entity_id;

use super::call::Method;
use crate::refusal::{Reason, Refusal};

use parameter::Parameter;
use template::Template;

/// What an API does.
#[derive(Debug)]
pub enum Operations {
    /// By how many segments their paths have; what means fewer requests stands first.
    Described(HashMap<usize, Vec<Described>>),
    /// Each path is a service and a method of gRPC ("gRPC over HTTP2", Requests).
    Grpc,
}

/// What is done at one path.
#[derive(Debug)]
pub struct Described {
    template: Template,
    methods: Vec<(Method, Arc<Operation>)>,
}

/// One operation, as rules name it.
#[derive(Debug, PartialEq, Eq)]
pub struct Operation {
    pub name: String,
    pub tags: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Operations {
    /// What a target does; nothing where it does not say. Every mistake is told.
    pub fn of(api: &HttpTarget) -> Result<Option<Operations>, Vec<String>> {
        let wrong = |message: &str| Err(vec![message.to_owned()]);
        match (api.operations.is_empty(), api.grpc) {
            (true, false) => Ok(None),
            _ if api.mcp.is_some() => wrong("an MCP server offers tools, and has no operations"),
            (false, true) => wrong("the methods of `grpc` are its operations"),
            (true, true) if api.protocol != HttpVersion::Two => wrong("`grpc` is spoken over `protocol: h2`"),
            (true, true) => Ok(Some(Operations::Grpc)),
            (false, false) => described(&api.operations).map(|paths| Some(Operations::Described(paths))),
        }
    }

    /// What rules may name of a target's operations and tags, by kind and id; nothing where that cannot be told.
    pub fn names(&self, target: &str) -> Option<HashSet<(&'static str, String)>> {
        let Operations::Described(by_length) = self else {
            return None;
        };
        let methods = by_length
            .values()
            .flatten()
            .flat_map(|described| &described.methods);
        let names = methods.flat_map(|(_, operation)| {
            let tags = operation.tags.iter().map(|tag| ("Tag", tag));
            tags.chain([("Operation", &operation.name)])
        });
        Some(
            names
                .map(|(kind, name)| (kind, entity_id(&[target, name])))
                .collect(),
        )
    }

    /// The one operation of a method on a path, which is in its [one spelling](postern_policies::path::normalised).
    pub fn find(&self, method: Method, path: &str) -> Result<Arc<Operation>, Refusal> {
        let found = match self {
            Operations::Described(by_length) => {
                let alike = by_length.get(&template::length(path)).into_iter().flatten();
                for described in alike {
                    if described.template.means(path) {
                        return described.on(method).cloned().ok_or_else(|| unknown(method, path));
                    }
                    // All that stands before is narrower, or has nothing to do with the path.
                    if described.template.may_mean(path) {
                        let message =
                            format!("some servers take this path for `{}`", described.template.text());
                        return Err(
                            Refusal::new(Reason::Malformed, message).hint("write it so if it is meant")
                        );
                    }
                }
                None
            }
            Operations::Grpc => method_of_grpc(method, path),
        };
        found.ok_or_else(|| unknown(method, path))
    }
}

fn unknown(method: Method, path: &str) -> Refusal {
    let message = format!("the target has no operation `{} {path}`", method.sent());
    Refusal::new(Reason::Forbidden, message)
        .hint("its `openapi` document and `operations` say what it has, and nothing else is served")
}

/// `/package.Service/Method`.
fn method_of_grpc(method: Method, path: &str) -> Option<Arc<Operation>> {
    let (service, name) = path.strip_prefix('/')?.split_once('/')?;
    let is_one = method == Method::Post && !service.is_empty() && !name.is_empty() && !name.contains('/');
    is_one.then(|| {
        Arc::new(Operation {
            name: format!("{service}.{name}"),
            tags: vec![service.to_owned()],
            parameters: Vec::new(),
        })
    })
}

fn described(operations: &[snapshot::Operation]) -> Result<HashMap<usize, Vec<Described>>, Vec<String>> {
    let mut errors = Vec::new();
    let mut by_length: HashMap<usize, Vec<Described>> = HashMap::new();
    let mut names = BTreeSet::new();
    for operation in operations {
        let mut read = || {
            if operation.name.is_empty() || !names.insert(&operation.name) {
                return Err("its name is empty, or another's too".to_owned());
            }
            let method = Method::named(&operation.method);
            let method = method.ok_or_else(|| format!("the method `{}` is not served", operation.method))?;
            let template = Template::read(&operation.path)?;
            let operation = Operation {
                name: operation.name.clone(),
                tags: operation.tags.clone(),
                parameters: parameter::all(&operation.parameters, &template)?,
            };
            let alike = by_length.entry(template::length(template.text())).or_default();
            put(alike, template, method, Arc::new(operation))
        };
        if let Err(message) = read() {
            errors.push(format!("operation `{}`: {message}", operation.name));
        }
    }
    for alike in by_length.values_mut() {
        // What is contained in another has more letters of its own.
        alike.sort_by_key(|described| Reverse(described.template.letters()));
        errors.extend(unclear(alike));
    }
    match errors.is_empty() {
        true => Ok(by_length),
        false => Err(errors),
    }
}

/// Adds a method to its path, which all write alike.
fn put(
    alike: &mut Vec<Described>,
    template: Template,
    method: Method,
    operation: Arc<Operation>,
) -> Result<(), String> {
    let is_same =
        |known: &&mut Described| known.template.contains(&template) && template.contains(&known.template);
    let Some(known) = alike.iter_mut().find(is_same) else {
        let methods = vec![(method, operation)];
        alike.push(Described { template, methods });
        return Ok(());
    };
    if known.template.text() != template.text() {
        let text = known.template.text();
        return Err(format!("its path is `{text}` with other names: write both alike"));
    }
    if known.on(method).is_some() {
        return Err("another operation has its method and path".to_owned());
    }
    known.methods.push((method, operation));
    Ok(())
}

/// Pairs of paths that one request could be for, with neither the narrower.
fn unclear(alike: &[Described]) -> impl Iterator<Item = String> {
    let templates = || alike.iter().map(|described| &described.template);
    let pairs = templates()
        .enumerate()
        .flat_map(move |(number, one)| templates().skip(number + 1).map(move |other| (one, other)));
    pairs
        .filter(|(one, other)| one.overlaps(other) && !one.contains(other) && !other.contains(one))
        .map(|(one, other)| {
            let (one, other) = (one.text(), other.text());
            format!("the paths `{one}` and `{other}` can both mean one request, and neither is the narrower")
        })
}

impl Described {
    /// A change of protocol is asked for with the method that it is sent with.
    fn on(&self, method: Method) -> Option<&Arc<Operation>> {
        let mut methods = self.methods.iter();
        let found = methods.find(|(known, _)| known.sent() == method.sent());
        found.map(|(_, operation)| operation)
    }
}
