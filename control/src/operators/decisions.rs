//! Decisions: everything that explains one.

use axum::Json;
use axum::extract::State;
use postern_link::record::RecordId;
use postern_link::snapshot::Snapshot;
use serde_json::{Value, json};

use super::Operators;
use super::parameters::{Id, Parameters};
use super::problem::Problem;

/// `GET /v1/decisions/{id}`: the record with its outcome, and its rules as they stood then.
pub async fn one(
    State(operators): State<Operators>,
    Id(id): Id,
    parameters: Parameters,
) -> Result<Json<Value>, Problem> {
    parameters.nothing_else()?;
    let parsed: RecordId = id.parse().map_err(|_| {
        Problem::bad_request(format!(
            "`{id}` is not a decision id: it has the form `gateway.worker.epoch.number`"
        ))
    })?;
    operators
        .store
        .caught_up(operators.audit.head().checkpoint.size)
        .await?;
    let judged = operators.store.record(parsed).await?;
    let judged = judged.ok_or_else(|| Problem::not_found(format!("no decision `{id}` is known")))?;
    let record = operators.read(judged).await?;
    let number = record.get("policy_epoch").and_then(Value::as_u64);
    let kept = match number {
        Some(number) => operators.store.snapshot(number).await?,
        None => None,
    };
    let snapshot: Option<Snapshot> = kept.and_then(|kept| serde_json::from_slice(&kept.json).ok());
    let rules = record.get("rules").and_then(Value::as_array);
    let rules: Vec<Value> = rules
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|rule| explained(rule, snapshot.as_ref()))
        .collect();
    let snapshot = snapshot.map(|snapshot| {
        let made = crate::audit::export::time(snapshot.made_at_ms.saturating_mul(1000));
        json!({ "number": snapshot.number, "made": made })
    });
    Ok(Json(
        json!({ "decision": record, "rules": rules, "snapshot": snapshot }),
    ))
}

/// A rule with its place and its text in the snapshot that decided. A rule is recorded as
/// `name (file:line)`; one of the library has no text here, because snapshots only name it.
fn explained(rule: &str, snapshot: Option<&Snapshot>) -> Value {
    let place = rule.strip_suffix(')').and_then(|rule| rule.rsplit_once(" ("));
    let place = place.and_then(|(name, place)| {
        let (file, line) = place.rsplit_once(':')?;
        Some((name, file, line.parse::<usize>().ok()?))
    });
    let Some((name, file, line)) = place else {
        return json!({ "rule": rule });
    };
    let policies = snapshot
        .map(|snapshot| snapshot.policies.as_slice())
        .unwrap_or_default();
    let policy = policies.iter().find(|policy| policy.name == file);
    let text = policy.and_then(|policy| rule_at(&policy.text, line));
    json!({ "rule": rule, "name": name, "file": file, "line": line, "text": text })
}

/// The rule that begins on a line: up to the semicolon that is in no string and no comment.
fn rule_at(text: &str, line: usize) -> Option<&str> {
    let rest = match line.checked_sub(2) {
        None => text,
        Some(before) => {
            let (end, _) = text.match_indices('\n').nth(before)?;
            text.get(end + 1..)?
        }
    };
    let mut letters = rest.char_indices().peekable();
    let mut in_string = false;
    while let Some((position, letter)) = letters.next() {
        match letter {
            '\\' if in_string => drop(letters.next()),
            '"' => in_string = !in_string,
            '/' if !in_string && letters.peek().is_some_and(|(_, next)| *next == '/') => {
                while letters.next().is_some_and(|(_, letter)| letter != '\n') {}
            }
            ';' if !in_string => return rest.get(..=position).map(str::trim),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_ends_at_the_semicolon_that_ends_it() {
        let text = "// first\npermit (a) // not; here\n  when { x == \"a\\\";b\" };\n\nforbid (b);";
        assert_eq!(
            rule_at(text, 2),
            Some("permit (a) // not; here\n  when { x == \"a\\\";b\" };")
        );
        assert_eq!(rule_at(text, 5), Some("forbid (b);"));
        assert_eq!(rule_at("permit (a);", 1), Some("permit (a);"));
        assert_eq!(rule_at(text, 6), None);
        assert_eq!(rule_at("permit (a)", 1), None);
    }
}
