//! What is stopped until it is lifted: to stop, to list, to lift.

use serde_json::{Value, json};

use crate::arguments::{Lift, Revocations, Revoke};
use crate::changes::change;
use crate::door::encode;
use crate::explain::door;
use crate::output::{self, Table, text_of};
use crate::sessions::{entries, seconds};
use crate::trouble::{Exit, Result};

pub async fn revoke(revoke: Revoke) -> Result<Exit> {
    let (of, because) = match revoke {
        Revoke::Workload { name, because } => (json!({ "workload": name }), because),
        Revoke::Issuer { name, because } => (json!({ "issuer": name }), because),
        Revoke::Target { name, because } => (json!({ "target": name }), because),
        Revoke::Session { id, because } => (json!({ "session": id }), because),
        Revoke::Network { network, because } => (json!({ "network": network }), because),
        Revoke::Run {
            issuer,
            run_id,
            because,
        } => (json!({ "run": { "issuer": issuer, "run_id": run_id } }), because),
        Revoke::Key {
            issuer,
            key_id,
            because,
        } => (json!({ "key": { "issuer": issuer, "key_id": key_id } }), because),
        Revoke::Certificate {
            trust_domain,
            serial,
            because,
        } => (
            json!({ "certificate": { "trust_domain": trust_domain, "serial": serial } }),
            because,
        ),
    };
    let body = json!({ "of": of, "reason": because.reason });
    change("/v1/revocations", &body, &because).await
}

pub async fn lift(lift: Lift) -> Result<Exit> {
    let body = json!({ "reason": lift.because.reason });
    let path = format!("/v1/revocations/{}/lift", encode(&lift.revocation));
    change(&path, &body, &lift.because).await
}

pub async fn list(list: Revocations) -> Result<Exit> {
    let value = door(&list.operators)?.get("/v1/revocations").await?.json()?;
    let revocations = entries(&value, "revocations");
    let names: Vec<String> = revocations.iter().map(|one| text_of(one, "id")).collect();
    output::print_as(list.output, &value, || table(revocations), &names)?;
    Ok(Exit::Success)
}

fn table(revocations: &[Value]) -> String {
    let mut table = Table::new(&["REVOCATION", "OF", "SINCE", "BY", "REASON"]);
    for revocation in revocations {
        let since = seconds(&text_of(revocation, "at"));
        let of = revocation.get("of").map(of).unwrap_or_default();
        let text = |name| text_of(revocation, name);
        table.row([text("id"), of, since, text("by"), text("reason")]);
    }
    if table.is_empty() {
        "nothing is revoked\n".to_owned()
    } else {
        table.show()
    }
}

/// `run acme 42`: the kind, and what names it.
fn of(of: &Value) -> String {
    let Some((kind, named)) = of.as_object().and_then(|of| of.iter().next()) else {
        return String::new();
    };
    let named: Vec<String> = match named {
        Value::Object(members) => members.keys().map(|name| text_of(named, name)).collect(),
        _ => vec![text_of(of, kind)],
    };
    format!("{kind} {}", named.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_is_one_line_that_says_of_what() {
        let one = |of: Value| json!({ "id": "r7", "of": of, "at": "2026-11-24T08:00:00Z", "by": "a", "reason": "b\nc" });
        let run = one(json!({ "run": { "issuer": "ci", "run_id": "42" } }));
        let shown = table(&[run, one(json!({ "workload": "report" }))]);
        assert_eq!(shown.lines().count(), 3, "{shown}");
        assert!(
            shown.contains("run ci 42") && shown.contains("workload report"),
            "{shown}"
        );
        assert_eq!(table(&[]), "nothing is revoked\n");
    }
}
