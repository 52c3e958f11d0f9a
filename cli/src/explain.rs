//! Why a decision was what it was: its record, and its rules as they stood then.

use serde_json::Value;

use crate::arguments::{Explain, Operators};
use crate::door::{Door, Token, encode};
use crate::output::{self, escape, escape_lines, text_of};
use crate::trouble::{Exit, Result};

/// The operators' door that the flags or the environment name.
pub fn door(operators: &Operators) -> Result<Door> {
    let token = operators.token.as_deref().map(Token::read).transpose()?;
    Door::new(&operators.addr, token, operators.ca.clone())
}

pub async fn run(explain: Explain) -> Result<Exit> {
    let path = format!("/v1/decisions/{}", encode(&explain.decision));
    let value = door(&explain.operators)?.get(&path).await?.json()?;
    output::print_as(explain.output.into(), &value, || show(&value), &[])?;
    Ok(Exit::Success)
}

fn show(value: &Value) -> String {
    const SHOWN: [&str; 18] = [
        "id",
        "time",
        "kind",
        "workload",
        "evidence",
        "issuer",
        "subject",
        "source",
        "target",
        "database",
        "role",
        "text",
        "message",
        "detail",
        "hint",
        "sqlstate",
        "session",
        "policy_epoch",
    ];
    let nothing = Value::Null;
    let decision = value.get("decision").unwrap_or(&nothing);
    let permitted = decision.get("permitted").and_then(Value::as_bool);
    let mut shown = match permitted {
        Some(true) => "permitted\n".to_owned(),
        Some(false) => "refused\n".to_owned(),
        None => String::new(),
    };
    let mut line = |name: &str, text: &str| {
        if !text.is_empty() {
            shown.push_str(&format!("{name:<13} {}\n", escape(text)));
        }
    };
    for name in SHOWN {
        line(name, &text_of(decision, name));
    }
    for fact in decision
        .get("run")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        line(
            "run",
            &format!("{}: {}", fact.0, fact.1.as_str().unwrap_or_default()),
        );
    }
    for effect in decision
        .get("effects")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let columns: Vec<&str> = effect
            .get("columns")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let columns = if columns.is_empty() {
            String::new()
        } else {
            format!(" ({})", columns.join(", "))
        };
        let detail = text_of(effect, "detail");
        let text = format!(
            "{} {}{columns} {detail}",
            text_of(effect, "action"),
            text_of(effect, "resource")
        );
        line("effect", text.trim_end());
    }
    let rules = value.get("rules").and_then(Value::as_array);
    for rule in rules.into_iter().flatten() {
        line("rule", &text_of(rule, "rule"));
    }
    if let Some(outcome) = decision.get("outcome").and_then(Value::as_object) {
        let facts: Vec<String> = outcome
            .iter()
            .map(|(name, fact)| format!("{name} {}", plain(fact)))
            .collect();
        line("outcome", &facts.join(", "));
    }
    let mut files: Vec<(String, String)> = rules
        .into_iter()
        .flatten()
        .map(|rule| (text_of(rule, "file"), text_of(rule, "text")))
        .filter(|(file, _)| !file.is_empty())
        .collect();
    files.dedup();
    for (file, text) in files {
        shown.push_str(&format!(
            "\n{} as it stood then:\n{}\n",
            escape(&file),
            escape_lines(text.trim_end())
        ));
    }
    shown
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_is_shown_with_its_effects_rules_and_outcome() {
        let value = json!({
            "decision": {
                "id": "dev.0.1.2", "permitted": false, "workload": "orders-report", "text": "select ssn\nfrom customers",
                "effects": [{"action": "select", "resource": "Table::\"x\"", "columns": ["ssn"]}],
                "outcome": {"status": "done", "rows": 3},
            },
            "rules": [{"rule": "orders.cedar:9", "file": "orders.cedar", "text": "permit (…);\n"}],
        });
        let shown = show(&value);
        assert!(shown.starts_with("refused\nid            dev.0.1.2\n"), "{shown}");
        for part in [
            "select ssn\\nfrom customers",
            "(ssn)",
            "orders.cedar:9",
            "rows 3",
            "permit (…);",
        ] {
            assert!(shown.contains(part), "{part} is missing in {shown}");
        }
    }
}
