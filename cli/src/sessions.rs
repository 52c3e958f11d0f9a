//! Who is connected, and who was: lists, one session with what it asked for, and the order to end some.

use serde_json::{Value, json};

use crate::arguments::{Sessions, SessionsCommand, SessionsEnd, SessionsList, SessionsShow};
use crate::audit;
use crate::door::{SLOW_ANSWER_TIMEOUT, encode, with_query};
use crate::explain::door;
use crate::output::{self, Format, Table, text_of};
use crate::trouble::{Exit, Result, Trouble};

pub async fn run(sessions: Sessions) -> Result<Exit> {
    match sessions.command {
        None => list(sessions.list).await,
        Some(SessionsCommand::Show(show)) => one(show).await,
        Some(SessionsCommand::End(order)) => end(order).await,
    }
}

async fn list(list: SessionsList) -> Result<Exit> {
    let parameters = [
        ("live", list.live.then(|| "true".to_owned())),
        ("workload", list.workload),
        ("target", list.target),
        ("gateway", list.gateway),
        ("limit", list.limit.map(|limit| limit.to_string())),
    ];
    let value = door(&list.operators)?
        .get(&with_query("/v1/sessions", &parameters))
        .await?
        .json()?;
    let sessions = entries(&value, "sessions");
    let names: Vec<String> = sessions.iter().map(|session| text_of(session, "id")).collect();
    output::print_as(list.output, &value, || table(sessions), &names)?;
    Ok(Exit::Success)
}

/// The entries of a list in an answer.
pub fn entries<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Sessions as people read them.
pub fn table(sessions: &[Value]) -> String {
    let mut table = Table::new(&[
        "SESSION",
        "STATE",
        "WORKLOAD",
        "EVIDENCE",
        "PLACE",
        "STATEMENTS",
        "REFUSALS",
        "ROWS",
        "OPENED",
        "RUN",
    ]);
    for session in sessions {
        // An API has neither database nor role.
        let place = ["target", "database", "role"].map(|name| text_of(session, name));
        let place = place.join("/").trim_end_matches('/').to_owned();
        let run = session.get("run").unwrap_or(&Value::Null);
        let run = ["repository", "run_id"].map(|name| text_of(run, name)).join(" ");
        let mut cells = ["id", "state", "workload", "evidence"]
            .map(|name| text_of(session, name))
            .to_vec();
        cells.push(place);
        cells.extend(["statements", "refusals", "rows"].map(|name| text_of(session, name)));
        cells.push(seconds(&text_of(session, "opened")));
        cells.push(run.trim().to_owned());
        table.row(cells);
    }
    if table.is_empty() {
        "no sessions\n".to_owned()
    } else {
        table.show()
    }
}

/// A time without its fraction, which no table needs.
pub fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

async fn one(show: SessionsShow) -> Result<Exit> {
    let path = format!("/v1/sessions/{}", encode(&show.session));
    let value = door(&show.operators)?.get(&path).await?.json()?;
    let text = || {
        let session = value.get("session").cloned().unwrap_or_default();
        format!(
            "{}\n{}",
            table(&[session]),
            audit::table(entries(&value, "records"))
        )
    };
    output::print_as(show.output.into(), &value, text, &[])?;
    Ok(Exit::Success)
}

async fn end(order: SessionsEnd) -> Result<Exit> {
    let mut body = json!({ "reason": order.reason });
    if let Value::Object(members) = &mut body {
        if !order.sessions.is_empty() {
            members.insert("sessions".into(), json!(order.sessions));
        }
        for (name, value) in [("workload", order.workload), ("target", order.target)] {
            if let Some(value) = value {
                members.insert(name.into(), json!(value));
            }
        }
    }
    let answer = door(&order.operators)?
        .post("/v1/sessions/end", Some(&body), SLOW_ANSWER_TIMEOUT)
        .await?;
    let value = answer.json()?;
    let text = || {
        let mut table = Table::new(&["GATEWAY", "STATE", "SESSIONS ENDED"]);
        for gateway in entries(&value, "gateways") {
            table.row(["gateway", "state", "sessions_ended"].map(|name| text_of(gateway, name)));
        }
        let ended = text_of(&value, "sessions_ended");
        if table.is_empty() {
            "no gateway has such sessions\n".to_owned()
        } else {
            format!("ended {ended}\n{}", table.show())
        }
    };
    output::print_as(Format::from(order.output), &value, text, &[])?;
    match value.get("complete").and_then(Value::as_bool) {
        Some(true) => Ok(Exit::Success),
        _ => Err(Trouble::new(
            "not every gateway has answered; those that are away will hear it when they return",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_one_line_whatever_its_subject_holds() {
        let session = json!({ "id": "0190", "state": "live", "workload": "a\nb", "opened": "2026-11-23T08:00:00.123456Z" });
        let shown = table(&[session]);
        assert_eq!(shown.lines().count(), 2, "{shown}");
        assert!(shown.contains("2026-11-23T08:00:00Z"), "{shown}");
        assert_eq!(table(&[]), "no sessions\n");
    }
}
