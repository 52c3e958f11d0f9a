//! What a refusal says: the effect, the rule, and the grant that would allow it.

use postern_policies::{Answer, Reason as Why};
use postern_sql::{Detail, Effect, Object, Rejection};

use crate::refusal::{Reason, Refusal};

pub(super) fn worded(message: String, details: Vec<String>, hint: Option<String>) -> Refusal {
    let refusal = Refusal::new(Reason::Forbidden, message).detail(details.join("; "));
    match hint {
        Some(permit) => refusal.hint(format!("a rule that would allow it: {permit}")),
        None => refusal,
    }
}

pub(super) fn detail_of(answer: &Answer) -> String {
    let list = |rules: &[postern_policies::RuleId]| {
        rules
            .iter()
            .map(|rule| format!("`{rule}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match &answer.reason {
        None | Some(Why::NoRule) => "no rule permits it".to_owned(),
        Some(Why::Forbidden(rules)) => format!("forbidden by {}", list(rules)),
        Some(Why::Error(rules)) => format!("a rule could not be judged: {}", list(rules)),
    }
}

/// An effect in words: `select email, phone of public.customers`.
pub(super) fn words(effect: &Effect) -> String {
    let object = match &effect.object {
        Object::Database => "the database".to_owned(),
        Object::EveryTable => "every table".to_owned(),
        Object::Schema(schema) => format!("schema {schema}"),
        Object::Table { schema, name } | Object::Routine { schema, name } => format!("{schema}.{name}"),
        Object::Role(role) => format!("role {role}"),
    };
    let columns = effect
        .columns
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let action = effect.action.name();
    match &effect.detail {
        Detail::Kind(kind) => format!("{action} {kind} in {object}"),
        Detail::Setting {
            name,
            value: Some(value),
        } => format!("{action} setting {name} to {value}"),
        Detail::Setting { name, value: None } => format!("{action} setting {name}"),
        Detail::SettingOf(parameter) => format!("{action} the setting that parameter {parameter} names"),
        Detail::Reset(name) if &**name == "*" => "reset every setting".to_owned(),
        Detail::Reset(name) => format!("reset setting {name}"),
        Detail::Class(class) => format!("{action} {object}, a routine of class {}", class.name()),
        Detail::Mode(mode) => format!("{action} {object} in {mode} mode"),
        Detail::Channel(_) | Detail::Language(_) | Detail::None if columns.is_empty() => {
            match effect.filtered {
                Some(false) => format!("{action} {object} without a filter on its rows"),
                _ => format!("{action} {object}"),
            }
        }
        Detail::Channel(_) | Detail::Language(_) | Detail::None => match effect.filtered {
            Some(false) => format!("{action} {columns} of {object} without a filter on its rows"),
            _ => format!("{action} {columns} of {object}"),
        },
    }
}

pub(super) fn rejected(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Syntax {
            message, position, ..
        } => located(Refusal::new(Reason::Syntax, message), position),
        Rejection::NotUnderstood { what, position } => {
            let message = "this statement cannot be judged, so it is refused";
            located(
                Refusal::new(Reason::NotUnderstood, message).detail(what),
                position,
            )
        }
        Rejection::TooLarge { limit, limit_count } => {
            Refusal::new(Reason::NotUnderstood, "this statement is too large to be judged")
                .detail(format!("the limit is {limit_count} {limit}"))
        }
    }
}

fn located(refusal: Refusal, position: Option<usize>) -> Refusal {
    match position {
        Some(position) => refusal.at(position),
        None => refusal,
    }
}
