//! Login rules, and what makes one unsafe.
//!
//! A rule that could open a door to more callers than its author meant, or to none, does not load and
//! says what would be right. The control plane and `postern check` refuse it with the same words.

use std::collections::BTreeMap;
use std::fmt;

use postern_link::snapshot::{ClaimMatch, Issuer, Preset, Scalar, Workload};
use serde_json::Value;

use super::address::HttpAddress;
use super::json::Object;
use super::keys::Algorithm;
use super::presets::{self, ClaimTypes, Facts};

/// A workload in one of these environments (in any case) has login rules that name a protected place.
const PROTECTED_ENVIRONMENTS: [&str; 3] = ["production", "prod", "protected"];

/// Object keys from the outermost in; `repository_id` and `/repository_id` are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClaimPath(Vec<String>);

/// A claim and the values it may have.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    path: ClaimPath,
    values: Vec<Scalar>,
}

/// One entry of a workload's `login` that takes tokens.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) workload: usize,
    /// As people count the entries of `login`.
    pub(super) number: usize,
    conditions: Vec<Condition>,
    /// The rule names no event, so the preset's own list holds and change requests are refused.
    usual_events_only: bool,
}

/// Whose rule is being read.
pub(super) struct Author<'a> {
    pub(super) workload: &'a Workload,
    pub(super) index: usize,
    pub(super) number: usize,
}

type Wrong<'a> = &'a mut dyn FnMut(String);

impl ClaimPath {
    /// A path that this crate wrote.
    fn known(pointer: &str) -> ClaimPath {
        ClaimPath(pointer.split('/').skip(1).map(str::to_owned).collect())
    }

    /// A claim by name, or by JSON pointer (RFC 6901) when it starts with `/`.
    fn read(text: &str) -> Result<ClaimPath, String> {
        let Some(pointer) = text.strip_prefix('/') else {
            return if text.is_empty() {
                Err("a claim has no name".into())
            } else {
                Ok(ClaimPath(vec![text.to_owned()]))
            };
        };
        let mut keys = Vec::new();
        for part in pointer.split('/') {
            let escapes_known = part.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
            if part.is_empty() || !escapes_known {
                return Err(format!(
                    "`{text}` is no JSON pointer: write `~1` for `/` and `~0` for `~` in a name"
                ));
            }
            keys.push(part.replace("~1", "/").replace("~0", "~"));
        }
        Ok(ClaimPath(keys))
    }

    fn find<'a>(&self, claims: &'a Object) -> Option<&'a Value> {
        let (last, parents) = self.0.split_last()?;
        let mut object = claims;
        for name in parents {
            object = object.get(name)?.as_object()?;
        }
        object.get(last)
    }

    /// Compared by JSON type: the text `"1"` is not the number `1`.
    fn holds(&self, claims: &Object, expected: &Scalar) -> bool {
        match (self.find(claims), expected) {
            (Some(Value::Bool(claim)), Scalar::Bool(expected)) => claim == expected,
            (Some(Value::Number(claim)), Scalar::Integer(expected)) => claim.as_i64() == Some(*expected),
            (Some(Value::String(claim)), Scalar::Text(expected)) => claim == expected,
            _ => false,
        }
    }

    /// The value of a stable id as the text by which rules are found; types stay apart.
    pub(super) fn id(&self, claims: &Object) -> Option<String> {
        match self.find(claims)? {
            Value::Bool(value) => Some(id_of(&Scalar::Bool(*value))),
            Value::Number(value) => value.as_i64().map(|value| id_of(&Scalar::Integer(value))),
            Value::String(value) => Some(id_of(&Scalar::Text(value.clone()))),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [name] if !name.starts_with('/') => f.write_str(name),
            keys => keys
                .iter()
                .try_for_each(|key| write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))),
        }
    }
}

fn id_of(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => format!("b{value}"),
        Scalar::Integer(value) => format!("i{value}"),
        Scalar::Text(value) => format!("t{value}"),
    }
}

fn show(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Text(value) => value.clone(),
    }
}

impl Condition {
    fn is_met(&self, claims: &Object) -> bool {
        self.values.iter().any(|value| self.path.holds(claims, value))
    }

    /// The claim and the listed value it has, if it has one.
    pub(super) fn held(&self, claims: &Object) -> Option<String> {
        let value = self.values.iter().find(|value| self.path.holds(claims, value))?;
        Some(format!("{}={}", self.path, show(value)))
    }

    fn covers(&self, narrow: &Condition) -> bool {
        self.path == narrow.path && narrow.values.iter().all(|value| self.values.contains(value))
    }
}

impl Rule {
    pub(super) fn read(
        author: &Author<'_>,
        preset: Preset,
        stable_ids: &[ClaimPath],
        claims: &BTreeMap<String, ClaimMatch>,
        wrong: Wrong<'_>,
    ) -> Option<Rule> {
        let mut refused = false;
        let mut wrong = |message: String| {
            refused = true;
            wrong(message);
        };
        let facts = presets::facts(preset);
        let mut conditions = read_conditions(claims, &mut wrong);
        check_types(&conditions, facts, &mut wrong);
        check_stable_ids(&conditions, stable_ids, &mut wrong);
        check_traps(preset, &conditions, &mut wrong);
        check_protected(preset, author.workload, &conditions, &mut wrong);
        if refused {
            return None;
        }
        let mut usual_events_only = false;
        if let Some(event) = &facts.event
            && find(&conditions, event.claim).is_none()
        {
            let values = event
                .values
                .iter()
                .map(|value| Scalar::Text((*value).to_owned()))
                .collect();
            conditions.push(Condition {
                path: ClaimPath::known(event.claim),
                values,
            });
            usual_events_only = true;
        }
        Some(Rule {
            workload: author.index,
            number: author.number,
            conditions,
            usual_events_only,
        })
    }

    /// The claims that do not fit; none means that the rule matches.
    pub(super) fn differs(&self, claims: &Object, change_request: bool) -> Vec<String> {
        let mut differs: Vec<String> = self
            .conditions
            .iter()
            .filter(|condition| !condition.is_met(claims))
            .map(|condition| condition.path.to_string())
            .collect();
        if self.usual_events_only && change_request {
            differs.push("being a pull or merge request".into());
        }
        differs
    }

    /// Whether every token that the other rule takes is taken by this one too.
    pub(super) fn covers(&self, narrow: &Rule) -> bool {
        self.conditions
            .iter()
            .all(|wide| narrow.conditions.iter().any(|condition| wide.covers(condition)))
    }

    /// The values of a stable id by which the rule is found.
    pub(super) fn ids(&self, path: &ClaimPath) -> Vec<String> {
        let pinned = self.conditions.iter().filter(|condition| condition.path == *path);
        pinned
            .flat_map(|condition| condition.values.iter().map(id_of))
            .collect()
    }
}

fn find<'a>(conditions: &'a [Condition], pointer: &str) -> Option<&'a Condition> {
    let path = ClaimPath::known(pointer);
    conditions.iter().find(|condition| condition.path == path)
}

/// Whether a rule lets through only this text in a claim.
fn is_only(conditions: &[Condition], pointer: &str, text: &str) -> bool {
    let only = |value: &Scalar| matches!(value, Scalar::Text(value) if value == text);
    find(conditions, pointer).is_some_and(|condition| condition.values.iter().all(only))
}

/// Reads the claims of a rule or a tenant, in the order of their names.
pub(super) fn read_conditions(claims: &BTreeMap<String, ClaimMatch>, wrong: Wrong<'_>) -> Vec<Condition> {
    let mut conditions: Vec<Condition> = Vec::new();
    for (name, expected) in claims {
        let path = match ClaimPath::read(name) {
            Ok(path) => path,
            Err(message) => {
                wrong(message);
                continue;
            }
        };
        let values = match expected {
            ClaimMatch::AnyOf(values) => values.clone(),
            ClaimMatch::Exactly(value) => vec![value.clone()],
        };
        if values.is_empty() {
            wrong(format!("`{name}` has an empty list, which nothing matches"));
        }
        for value in &values {
            if let Scalar::Text(text) = value
                && text.contains('*')
            {
                wrong(format!(
                    "`{name}: {text}` has a wildcard: values are compared exactly, so list each one"
                ));
            }
        }
        if conditions.iter().any(|condition| condition.path == path) {
            wrong(format!("`{name}` is given twice, by name and by pointer"));
        }
        conditions.push(Condition { path, values });
    }
    conditions
}

fn check_types(conditions: &[Condition], facts: &Facts, wrong: Wrong<'_>) {
    if facts.claims == ClaimTypes::Any {
        return;
    }
    for condition in conditions {
        for value in &condition.values {
            if !matches!(value, Scalar::Text(_)) {
                let (path, value) = (&condition.path, show(value));
                let preset = facts.name;
                wrong(format!(
                    "`{path}: {value}` never matches: `{preset}` writes it as text, so quote it, `\"{value}\"`"
                ));
            }
        }
    }
}

fn check_stable_ids(conditions: &[Condition], stable_ids: &[ClaimPath], wrong: Wrong<'_>) {
    for path in stable_ids {
        let Some(pinned) = conditions.iter().find(|condition| condition.path == *path) else {
            wrong(format!(
                "pins no `{path}`: names move to other owners, this id does not"
            ));
            continue;
        };
        if pinned
            .values
            .iter()
            .any(|value| matches!(value, Scalar::Text(text) if text.trim().is_empty()))
        {
            wrong(format!("`{path}` is empty: give the id itself"));
        }
    }
}

/// Claims of one provider that do not mean what they seem to.
fn check_traps(preset: Preset, conditions: &[Condition], wrong: Wrong<'_>) {
    match preset {
        Preset::GithubActions => {
            if find(conditions, "/sub").is_some() {
                wrong(
                    "matches `sub`, which GitHub writes in two forms and repositories can change: pin \
                     `repository_id`, and `ref`, `environment` or `job_workflow_ref` by name"
                        .into(),
                );
            }
        }
        Preset::Gitlab => {
            if find(conditions, "/ref").is_some() && find(conditions, "/ref_type").is_none() {
                wrong("pins `ref` without `ref_type`: a tag may have the name of a branch".into());
            }
        }
        Preset::Kubernetes | Preset::Oidc => {}
    }
}

/// A workload of a protected environment must not be open to every branch of its repository.
fn check_protected(preset: Preset, workload: &Workload, conditions: &[Condition], wrong: Wrong<'_>) {
    let environment = workload.environment.to_ascii_lowercase();
    if !PROTECTED_ENVIRONMENTS.contains(&environment.as_str()) {
        return;
    }
    let pins = |pointer: &str| find(conditions, pointer).is_some();
    let protected_ref = pins("/ref") && is_only(conditions, "/ref_protected", "true");
    let (protected, would_do) = match preset {
        Preset::GithubActions => (
            pins("/environment") || protected_ref || pins("/job_workflow_ref"),
            "`environment`, `ref` with `ref_protected: \"true\"`, or `job_workflow_ref`",
        ),
        Preset::Gitlab => (
            protected_ref || (pins("/environment") && is_only(conditions, "/environment_protected", "true")),
            "`ref` with `ref_protected: \"true\"`, or `environment` with `environment_protected: \"true\"`",
        ),
        // A service account and a foreign issuer's subject are the protected place themselves.
        Preset::Kubernetes | Preset::Oidc => (true, ""),
    };
    if !protected {
        wrong(format!(
            "any branch could be this workload of environment `{}`: pin {would_do}",
            workload.environment
        ));
    }
}

/// The exact `iss` of an issuer resource.
pub(super) fn read_iss(issuer: &Issuer, facts: &Facts, wrong: Wrong<'_>) -> String {
    let iss = match (issuer.issuer.as_deref(), facts.issuer) {
        (Some(iss), _) => iss,
        (None, Some(iss)) => iss,
        (None, None) => {
            wrong(format!(
                "has no `issuer`: preset `{}` needs the exact `iss` of its tokens",
                facts.name
            ));
            return String::new();
        }
    };
    match &issuer.jwks_uri {
        Some(uri) => {
            if iss.is_empty() {
                wrong("has an empty `issuer`".into());
            }
            if let Err(error) = HttpAddress::parse(uri) {
                wrong(format!("`jwks_uri` {error}"));
            }
        }
        None => {
            if let Err(error) = HttpAddress::parse(iss) {
                wrong(format!("`issuer` {error}; or give `jwks_uri`"));
            }
        }
    }
    iss.to_owned()
}

/// Our own name, never the one that the provider's tokens carry for somebody else.
pub(super) fn check_audience(issuer: &Issuer, facts: &Facts, iss: &str, wrong: Wrong<'_>) {
    let audience = issuer.audience.as_str();
    if audience.trim().is_empty() {
        wrong("has an empty `audience`: any token of this issuer would do, whoever it was made for".into());
    } else if audience.contains('*') || audience.trim() != audience {
        wrong(format!(
            "`audience: {audience}` is compared exactly: no wildcard and no space around it"
        ));
    } else if audience == iss
        || facts
            .audience_defaults
            .iter()
            .any(|default| audience.starts_with(default))
    {
        wrong(format!(
            "`audience: {audience}` is what this provider writes by itself: use the gateway's own name, such as \
             `https://postern.example`, and ask for it in the job"
        ));
    }
}

/// The preset's algorithms, narrowed by the resource; an `oidc` resource lists its own.
pub(super) fn read_algorithms(issuer: &Issuer, facts: &Facts, wrong: Wrong<'_>) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for name in &issuer.algorithms {
        match Algorithm::parse(name) {
            Some(algorithm) if facts.algorithms.is_empty() || facts.algorithms.contains(&algorithm) => {
                algorithms.push(algorithm);
            }
            Some(_) => wrong(format!(
                "`algorithms`: `{name}` is none that preset `{}` uses",
                facts.name
            )),
            None => wrong(format!(
                "`algorithms`: `{name}` is not taken: only signatures by the issuer's own key prove anything \
                 (RS, PS, ES and EdDSA)"
            )),
        }
    }
    if !issuer.algorithms.is_empty() {
        return algorithms;
    }
    if facts.algorithms.is_empty() {
        wrong(format!(
            "has no `algorithms`: preset `{}` needs the list, such as `[RS256]`",
            facts.name
        ));
    }
    facts.algorithms.to_vec()
}

/// The claims that every rule of an issuer pins.
pub(super) fn read_stable_ids(issuer: &Issuer, facts: &Facts, wrong: Wrong<'_>) -> Vec<ClaimPath> {
    if !facts.stable_ids.is_empty() {
        if !issuer.stable_ids.is_empty() {
            wrong(format!(
                "`stable_ids` are fixed by preset `{}`: leave them out",
                facts.name
            ));
        }
        return facts
            .stable_ids
            .iter()
            .map(|pointer| ClaimPath::known(pointer))
            .collect();
    }
    if issuer.stable_ids.is_empty() {
        wrong(format!(
            "has no `stable_ids`: preset `{}` needs the claims that never change owner",
            facts.name
        ));
    }
    let mut paths = Vec::new();
    for name in &issuer.stable_ids {
        match ClaimPath::read(name) {
            Ok(path) => paths.push(path),
            Err(message) => wrong(format!("`stable_ids`: {message}")),
        }
    }
    paths
}
