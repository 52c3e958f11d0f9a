//! The audit log: its newest records as they come, and those that match.

use serde_json::Value;

use crate::arguments::{Audit, AuditFilter, AuditQuery, AuditTail};
use crate::door::with_query;
use crate::explain::door;
use crate::output::{self, Format, Table, text_of};
use crate::planes::Signals;
use crate::sessions::{entries, seconds};
use crate::trouble::{Exit, Result};
use crate::{evidence, export};

pub async fn run(audit: Audit) -> Result<Exit> {
    match audit {
        Audit::Tail(tail) => follow(tail).await,
        Audit::Query(query) => ask(query).await,
        Audit::Verify(verify) => evidence::verify(verify).await,
        Audit::Prove(prove) => evidence::prove(prove).await,
        Audit::Export(order) => export::run(order).await,
    }
}

type Parameter = (&'static str, Option<String>);

fn parameters(filter: AuditFilter) -> Vec<Parameter> {
    vec![
        ("workload", filter.workload),
        ("target", filter.target),
        ("session", filter.session),
        ("gateway", filter.gateway),
        ("kind", filter.kind),
        ("permitted", filter.refused.then(|| "false".to_owned())),
        ("since", filter.since),
        ("until", filter.until),
        ("text", filter.text),
    ]
}

async fn ask(query: AuditQuery) -> Result<Exit> {
    let mut parameters = parameters(query.filter);
    parameters.push(("limit", query.limit.map(|limit| limit.to_string())));
    parameters.push(("order", query.newest.then(|| "newest".to_owned())));
    parameters.push(("after", query.after));
    let value = door(&query.operators)?
        .get(&with_query("/v1/records", &parameters))
        .await?
        .json()?;
    let records = entries(&value, "records");
    let names: Vec<String> = records.iter().map(|record| text_of(record, "id")).collect();
    output::print_as(query.output, &value, || table(records), &names)?;
    let next = text_of(&value, "next");
    if query.output == Format::Table && !next.is_empty() {
        output::print(&format!("there is more: --after {next}\n"))?;
    }
    Ok(Exit::Success)
}

/// One line a record, so that a reader of a stream never has to wait for an end.
async fn follow(tail: AuditTail) -> Result<Exit> {
    let door = door(&tail.operators)?;
    let mut signals = Signals::listen()?;
    let filter = parameters(tail.filter);
    let mut after: Option<String> = None;
    loop {
        let mut parameters = filter.clone();
        parameters.push(("limit", after.is_none().then(|| tail.limit.to_string())));
        parameters.push(("after", after.clone()));
        let path = with_query("/v1/records/tail", &parameters);
        let answer = tokio::select! {
            answer = door.get(&path) => answer?.json()?,
            () = signals.stop_asked() => return Ok(Exit::Success),
        };
        let lines = entries(&answer, "records")
            .iter()
            .map(|record| line(record, tail.output));
        output::print(&lines.collect::<String>())?;
        if tail.no_follow {
            return Ok(Exit::Success);
        }
        // A page that is the last so far names no cursor; its last record does.
        let last = entries(&answer, "records")
            .last()
            .map(|record| text_of(record, "cursor"));
        let next = Some(text_of(&answer, "next")).filter(|next| !next.is_empty());
        after = next.or(last).or(after);
    }
}

fn line(record: &Value, format: Format) -> String {
    match format {
        Format::Table => {
            let cells = cells(record).map(|cell| output::escape(&cell));
            format!("{}\n", cells.join("  ").trim_end())
        }
        Format::Json => output::json_line(record) + "\n",
        Format::Yaml => format!("---\n{}", output::yaml(record)),
        Format::Name => output::escape(&text_of(record, "id")) + "\n",
    }
}

/// Records as people read them.
pub fn table(records: &[Value]) -> String {
    let mut table = Table::new(&["TIME", "KIND", "ANSWER", "WORKLOAD", "WHAT", "OUTCOME", "ID"]);
    for record in records {
        table.row(cells(record));
    }
    if table.is_empty() {
        "no records\n".to_owned()
    } else {
        table.show()
    }
}

fn cells(record: &Value) -> [String; 7] {
    let answer = match record.get("permitted").and_then(Value::as_bool) {
        Some(true) => "✓".to_owned(),
        Some(false) => "×".to_owned(),
        None => String::new(),
    };
    let named = |names: &[&str]| {
        names
            .iter()
            .map(|name| text_of(record, name))
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    };
    let what = match answer.as_str() {
        "×" => named(&["message", "text"]),
        _ => named(&["text", "message", "tag", "client_says"]),
    };
    let outcome = record.get("outcome").unwrap_or(record);
    let rows = text_of(outcome, "rows");
    let rows = if rows.is_empty() {
        rows
    } else {
        format!("{rows} rows")
    };
    let ended = format!(
        "{} {} {rows}",
        text_of(outcome, "status"),
        text_of(outcome, "sqlstate")
    );
    let who = match text_of(record, "count") {
        count if count.is_empty() => named(&["workload", "network"]),
        count if count == "1" => format!("a stranger from {}", named(&["network", "source"])),
        count => format!("{count} strangers from {}", named(&["network", "source"])),
    };
    let ended = ended.split_whitespace().collect::<Vec<_>>().join(" ");
    let time = seconds(&text_of(record, "time"));
    [
        time,
        text_of(record, "kind"),
        answer,
        who,
        what,
        ended,
        text_of(record, "id"),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_is_one_line_in_every_format_of_a_stream() {
        let record = json!({
            "id": "dev.0.1.2", "kind": "refused", "permitted": false, "workload": "w",
            "text": "select 1\n{\"permitted\":true}", "message": "select is refused\u{1b}[2J", "time": "2026-11-23T08:00:00.1Z",
        });
        for format in [Format::Table, Format::Json, Format::Name] {
            let shown = line(&record, format);
            assert_eq!(shown.lines().count(), 1, "{shown}");
            assert!(!shown.contains('\u{1b}'));
        }
        assert!(line(&record, Format::Table).contains("×  w  select is refused"));
    }

    #[test]
    fn only_refused_records_are_asked_for_by_name() {
        let filter = AuditFilter {
            workload: None,
            target: None,
            session: None,
            gateway: None,
            kind: Some("intent,refused".into()),
            refused: true,
            since: None,
            until: None,
            text: None,
        };
        let path = with_query("/v1/records", &parameters(filter));
        assert_eq!(path, "/v1/records?kind=intent%2Crefused&permitted=false");
    }
}
