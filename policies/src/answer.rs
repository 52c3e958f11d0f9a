//! What is answered: permitted or not, by which rules, and what would have permitted it.

use crate::question::{Context, Question};
use std::fmt;
use std::sync::Arc;

/// The policy's answer to one question.
#[derive(Debug, Clone)]
#[must_use]
pub struct Answer {
    pub permitted: bool,
    /// The rules that made the answer, in the order in which they are written.
    pub rules: Vec<RuleId>,
    /// Why not; nothing if it is permitted.
    pub reason: Option<Reason>,
    /// For a refusal that a permit could mend: that permit, as one line of Cedar.
    pub hint: Option<String>,
}

/// Why a question was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// No rule permits it.
    NoRule,
    /// These rules forbid it.
    Forbidden(Vec<RuleId>),
    /// These rules could not be evaluated; a rule that cannot be judged refuses.
    Error(Vec<RuleId>),
}

/// Where a rule stands and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RuleId {
    /// Its `@id`, or `<file>#<n>` for the n-th rule of a file.
    pub name: Arc<str>,
    pub file: Arc<str>,
    pub line: u32,
}

impl fmt::Display for RuleId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}:{})", self.name, self.file, self.line)
    }
}

impl Answer {
    pub(crate) fn permitted_by(rules: Vec<RuleId>) -> Answer {
        Answer {
            permitted: true,
            rules,
            reason: None,
            hint: None,
        }
    }

    pub(crate) fn refused(reason: Reason, hint: Option<String>) -> Answer {
        let rules = match &reason {
            Reason::NoRule => Vec::new(),
            Reason::Forbidden(rules) | Reason::Error(rules) => rules.clone(),
        };
        Answer {
            permitted: false,
            rules,
            reason: Some(reason),
            hint,
        }
    }
}

/// The narrowest plain permit that would allow a question.
pub(crate) fn hint(workload_id: &str, question: &Question<'_>) -> String {
    let mut text = format!(
        "permit (principal == Postern::Workload::\"{workload_id}\", action == Postern::Action::\"{}\", \
         resource == Postern::{}::\"{}\")",
        question.action,
        question.resource.kind_name(),
        question.resource.id(),
    );
    let conditions = conditions(question);
    if !conditions.is_empty() {
        text.push_str(" when { ");
        text.push_str(&conditions.join(" && "));
        text.push_str(" }");
    }
    text.push(';');
    text
}

/// What keeps the hinted permit from allowing more than was asked.
fn conditions(question: &Question<'_>) -> Vec<String> {
    let context = &question.context;
    let equal = |name: &str, value: Option<&str>| {
        value.map(|value| format!("context.{name} == \"{}\"", value.escape_debug()))
    };
    let found = match question.action {
        "select" | "insert" | "update" => [columns(context), None],
        "set" if context.reset == Some(true) => [
            equal("setting", context.setting),
            Some("context.reset".to_owned()),
        ],
        // What an application keeps in a setting of its own may be a secret: it is not said again.
        "set" if context.setting.is_some_and(|name| name.contains('.')) => {
            [equal("setting", context.setting), None]
        }
        "set" => match context.value {
            Some(value) => {
                let value = format!(
                    "context has value && context.value == \"{}\"",
                    value.escape_debug()
                );
                [equal("setting", context.setting), Some(value)]
            }
            None => [
                equal("setting", context.setting),
                Some("!(context has value)".to_owned()),
            ],
        },
        "show" => [equal("setting", context.setting), None],
        "lock" => [equal("mode", context.mode), None],
        "listen" | "notify" => [equal("channel", context.channel), None],
        "do" => [equal("language", context.language), None],
        "execute" | "call" => [None, None],
        _ => [equal("kind", context.kind), None],
    };
    found.into_iter().flatten().collect()
}

fn columns(context: &Context<'_>) -> Option<String> {
    let columns = context.columns?;
    if columns.is_empty() {
        // An empty list has no type in Cedar; reading rows without columns has a name of its own.
        return context
            .rows_only
            .unwrap_or(false)
            .then(|| "context.rows_only".to_owned());
    }
    let quoted: Vec<String> = columns
        .iter()
        .map(|column| format!("\"{}\"", column.escape_debug()))
        .collect();
    Some(format!("[{}].containsAll(context.columns)", quoted.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::Resource;

    #[test]
    fn a_hint_never_says_the_value_of_a_custom_setting() {
        let context = Context::new("app", [192, 0, 2, 1].into(), 0, "token");
        let context = Context {
            setting: Some("app.secret"),
            value: Some("hunter2"),
            ..context
        };
        let resource = Resource::Database {
            target: "o",
            database: "d",
        };
        let hint = hint(
            "web",
            &Question {
                action: "set",
                resource,
                context,
                whole: false,
            },
        );
        let expected = "permit (principal == Postern::Workload::\"web\", action == Postern::Action::\"set\", \
                        resource == Postern::Database::\"o/d\") when { context.setting == \"app.secret\" };";
        assert_eq!(hint, expected);
    }
}
