//! The judgement of something that nobody has asked for: every effect with its own answer.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::HeaderMap;
use postern_link::snapshot::Target;
use postern_policies::{Run, path};
use postern_sql::{Action, Catalogue, Detail, Effect, Object};
use serde::{Deserialize, Serialize};

use super::call::{Method, OnPath};
use super::statement::rejected;
use super::words::detail_of;
use super::{Asks, Place, Rules, View, ViewFacts};
use crate::refusal::Refusal;

/// What would be asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// A whole text, with every effect it would have.
    Sql(String),
    /// A method and a path: `POST /v1/invoices`.
    Request(String),
    /// One action of the vocabulary on one resource: `schema.name`, or empty for the database.
    Action {
        action: String,
        resource: String,
        columns: Vec<String>,
    },
}

/// The answer, effect by effect.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct WhatIf {
    pub permitted: bool,
    /// Why the text could not be judged at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
    pub effects: Vec<EffectAnswer>,
}

#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct EffectAnswer {
    pub action: String,
    pub resource: String,
    pub columns: Vec<String>,
    pub detail: String,
    pub permitted: bool,
    pub rules: Vec<String>,
    pub why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Who would ask, and where.
#[derive(Clone, Debug)]
pub struct Asker<'a> {
    pub workload: &'a str,
    pub segments: &'a [String],
    pub place: &'a Place,
    pub source: IpAddr,
    pub run: Option<Run>,
}

/// Judges without recording: by these rules, this catalogue and this path of unqualified names.
pub fn what_if(
    rules: &Rules,
    asker: &Asker<'_>,
    catalogue: &Catalogue,
    search_path: &[String],
    asked: &Asked,
) -> WhatIf {
    let facts = ViewFacts {
        policy_epoch: rules.snapshot.number,
        workload: asker.workload.to_owned(),
        segments: asker.segments.to_vec(),
        target: asker.place.target.clone(),
        database: asker.place.database.clone(),
        role: asker.place.role.clone(),
        source: asker.source,
        evidence: "token",
        run: asker.run.clone(),
    };
    let slices = rules.slices(&facts.workload, &facts.segments);
    let view = View {
        id: 0,
        slices,
        facts,
        keep_raw_text: false,
    };
    let rejected_for = |message: String| WhatIf {
        permitted: false,
        rejected: Some(message),
        effects: Vec::new(),
    };
    let effects = match asked {
        Asked::Request(request) => {
            return match on_path(rules, &view, request) {
                Ok(call) => judged(&view, &[call]),
                Err(message) => rejected_for(message),
            };
        }
        Asked::Sql(text) => {
            let reading = postern_sql::Reading {
                catalogue,
                search_path,
                role: &asker.place.role,
                standard_conforming_strings: true,
            };
            match postern_sql::analyse(text, &reading) {
                Ok(analysis) => analysis
                    .statements
                    .into_iter()
                    .flat_map(|statement| statement.effects)
                    .collect(),
                Err(rejection) => {
                    let refusal = rejected(rejection);
                    let detail = refusal
                        .detail
                        .map(|detail| format!(": {detail}"))
                        .unwrap_or_default();
                    return rejected_for(format!("{}{detail}", refusal.message));
                }
            }
        }
        Asked::Action {
            action,
            resource,
            columns,
        } => match one_effect(action, resource, columns) {
            Ok(effect) => vec![effect],
            Err(message) => return rejected_for(message),
        },
    };
    judged(&view, &effects)
}

fn judged(view: &View, effects: &[impl Asks]) -> WhatIf {
    let effects: Vec<EffectAnswer> = effects.iter().map(|effect| answered(view, effect)).collect();
    WhatIf {
        permitted: effects.iter().all(|effect| effect.permitted),
        rejected: None,
        effects,
    }
}

fn answered(view: &View, effect: &impl Asks) -> EffectAnswer {
    let answer = effect.ask(view, &view.slices.enforced);
    let recorded = effect.recorded(&view.facts);
    let excused = effect.is_implied() && answer.reason == Some(postern_policies::Reason::NoRule);
    let permitted = answer.permitted || excused;
    EffectAnswer {
        action: recorded.action,
        resource: recorded.resource,
        columns: recorded.columns,
        detail: recorded.detail,
        permitted,
        rules: answer.rules.iter().map(ToString::to_string).collect(),
        why: match (answer.permitted, excused) {
            (true, _) => "a rule permits it".to_owned(),
            (_, true) => "it follows from another effect, and no rule forbids it".to_owned(),
            _ => detail_of(&answer),
        },
        hint: answer.hint.filter(|_| !permitted),
    }
}

/// The method on the path, in the spelling in which the path would be served, with what its query gives an operation.
fn on_path(rules: &Rules, view: &View, request: &str) -> Result<OnPath, String> {
    let (method, path) = request
        .split_once(' ')
        .ok_or("a request is a method and a path: `POST /v1/invoices`")?;
    let method = Method::named(method).ok_or_else(|| {
        let names = Method::ALL.map(Method::name).join(", ");
        format!("the method `{method}` is not served; there are: {names}")
    })?;
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let api = rules.target(&view.facts.target).and_then(Target::http);
    let path = match api.is_some_and(|api| api.encoded_slashes) {
        true => path::with_encoded_slashes(path),
        false => path::normalised(path),
    };
    let path = path.map_err(|fault| fault.to_string())?;
    let said = |refusal: Refusal| match refusal.detail {
        Some(detail) => format!("{}: {detail}", refusal.message),
        None => refusal.message.into_owned(),
    };
    let performed = rules.performed(&view.facts.target, method, &path, query, &HeaderMap::new());
    Ok(OnPath {
        method,
        performed: performed.map_err(said)?,
        path: path.into(),
    })
}

/// One action of the vocabulary on `schema.name`, `schema.*`, a role, or the database itself.
fn one_effect(action: &str, resource: &str, columns: &[String]) -> Result<Effect, String> {
    let known = Action::ALL.iter().find(|known| known.name() == action);
    let action = *known.ok_or_else(|| {
        let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        format!("there is no action `{action}`; there are: {}", names.join(", "))
    })?;
    let object = match (action, resource.split_once('.')) {
        (Action::Assume, _) => Object::Role(Arc::from(resource)),
        (_, None) if resource.is_empty() => Object::Database,
        (_, None) => Object::Table {
            schema: Arc::from("public"),
            name: Arc::from(resource),
        },
        (_, Some((schema, "*"))) => Object::Schema(Arc::from(schema)),
        (Action::Execute | Action::Call, Some((schema, name))) => Object::Routine {
            schema: Arc::from(schema),
            name: Arc::from(name),
        },
        (_, Some((schema, name))) => Object::Table {
            schema: Arc::from(schema),
            name: Arc::from(name),
        },
    };
    Ok(Effect {
        action,
        object,
        columns: columns.iter().map(|column| Arc::from(column.as_str())).collect(),
        rows_only: false,
        filtered: matches!(action, Action::Update | Action::Delete).then_some(true),
        detail: Detail::None,
        implied: false,
    })
}
