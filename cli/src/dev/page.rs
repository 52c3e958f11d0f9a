//! What a person reads while the sample runs: plain lines, in the order in which things happen.

use serde_json::Value;

use super::machine::Machine;
use super::pipeline::{Expected, Heard, Record, Step};
use crate::audit;
use crate::output::{Colours, escape, text_of};
use crate::sessions;

/// Lines of what a client printed that are shown.
const OUTPUT_LINES_MAX: usize = 8;

/// What stands, and where.
pub fn setup(machine: &Machine, colours: Colours) -> String {
    let rows = [
        (
            "database",
            format!(
                "orders at {}, PostgreSQL with a few thousand rows; only the gateway has its passwords",
                machine.cluster.address()
            ),
        ),
        (
            "API",
            format!(
                "backoffice at {}, and at its /mcp the tools of helpdesk; only the gateway has its key",
                machine.api.address
            ),
        ),
        (
            "issuer",
            format!(
                "{} and {}, as GitHub and GitLab",
                machine.issuer.github(),
                machine.issuer.gitlab()
            ),
        ),
        ("control", format!("{} for operators", machine.operators_url)),
        (
            "gateway",
            format!(
                "127.0.0.1:{} for PostgreSQL and HTTPS clients, {} for its admin",
                machine.port, machine.admin_url
            ),
        ),
        (
            "files",
            format!(
                "{}: postern.yaml, resources/, certificates/",
                machine.data.display()
            ),
        ),
    ];
    let mut shown = String::new();
    for (name, text) in rows {
        shown.push_str(&format!("  {} {text}\n", colours.faint(&format!("{name:<9}"))));
    }
    shown.push_str(&format!(
        "\n{}\n",
        colours.strong("The sample pipeline, with the psql and curl of this machine")
    ));
    shown
}

/// What a step is about to try.
pub fn before(number: usize, step: &Step, colours: Colours) -> String {
    let title = colours.strong(&format!("{number:>2}  {}", step.title));
    let mut shown = format!("\n{title}\n    {} {}\n", colours.faint("who  "), step.who);
    for line in step.asks.shown().lines() {
        shown.push_str(&format!("    {} {line}\n", colours.faint("asks ")));
    }
    shown
}

/// What became of it. What the client printed is shown as it is, but for what a terminal would obey.
pub fn after(step: &Step, heard: &Heard, wrong: Option<&str>, colours: Colours) -> String {
    let mut shown = String::new();
    let lines: Vec<&str> = heard
        .output
        .lines()
        .chain(heard.errors.lines())
        .filter(|line| !line.is_empty())
        .collect();
    for line in lines.iter().take(OUTPUT_LINES_MAX) {
        shown.push_str(&format!("    {} {}\n", colours.faint("hears"), escape(line)));
    }
    if let Some(more) = lines.len().checked_sub(OUTPUT_LINES_MAX).filter(|more| *more > 0) {
        shown.push_str(&format!("    {} … and {more} lines\n", colours.faint("hears")));
    }
    let outcome = match step.expected {
        Expected::Allowed(_) | Expected::Tools(_) => "allowed",
        Expected::Refused(_) => "refused",
        Expected::TurnedAway => "turned away",
    };
    shown.push_str(&match wrong {
        None => format!("    {} {outcome}, as it must be\n", colours.good("✓")),
        Some(wrong) => format!("    {} {}\n", colours.bad("×"), escape(wrong)),
    });
    shown
}

/// What the control plane knows of all this.
pub fn record(record: &Record, colours: Colours) -> String {
    let mut shown = format!(
        "\n{}\n",
        colours.strong("The session log, from the control plane")
    );
    shown.push_str(&sessions::table(&record.sessions));
    shown.push_str(&format!("\n{}\n", colours.strong("What was refused")));
    shown.push_str(&audit::table(&record.refusals));
    let count = |name: &str| {
        record
            .verified
            .get(name)
            .map(Value::to_string)
            .unwrap_or_default()
    };
    shown.push_str(&match &record.wrong {
        None => format!(
            "\n{} everything is in the record, and its {} records verify against {} signed checkpoints\n",
            colours.good("✓"),
            count("records"),
            count("checkpoints"),
        ),
        Some(wrong) => format!("\n{} {}\n", colours.bad("×"), escape(wrong)),
    });
    if let Some(first) = record
        .refusals
        .iter()
        .find(|record| text_of(record, "kind") == "refused")
    {
        shown.push_str(&format!(
            "  why was one refused? postern explain {}\n",
            escape(&text_of(first, "id"))
        ));
    }
    shown
}

/// Lines to paste into another terminal.
pub fn invitation(machine: &Machine, colours: Colours) -> String {
    let program =
        std::env::current_exe().map_or_else(|_| "postern".to_owned(), |path| path.display().to_string());
    let connection = format!(
        "host=localhost hostaddr=127.0.0.1 port={} dbname=orders user=postern sslmode=verify-full sslrootcert={}",
        machine.port,
        machine.certificate("gateway-ca.pem").display()
    );
    let (certificate, key) = (
        machine.certificate("orders-agent.pem"),
        machine.certificate("orders-agent.key"),
    );
    let lines = [
        (
            "psql with a token, as the report (the file gets a new token every minute)",
            format!(
                "PGPASSFILE={} psql '{connection}'",
                machine.password_file("orders-report").display()
            ),
        ),
        (
            "psql with a certificate, as the agent",
            format!(
                "psql '{connection} sslcert={} sslkey={}'",
                certificate.display(),
                key.display()
            ),
        ),
        (
            "then look, in the same terminal",
            format!(
                ". {}\n  {program} sessions\n  {program} audit tail\n  {program} can orders-report --target orders --sql 'select email from customers'",
                machine.environment_file().display()
            ),
        ),
    ];
    let mut shown = format!(
        "\n{}\n",
        colours.strong("It stays up until Ctrl-C. In another terminal:")
    );
    for (what, line) in lines {
        shown.push_str(&format!(
            "\n  {}\n  {line}\n",
            colours.faint(&format!("# {what}"))
        ));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::pipeline::{Asks, Evidence};
    use super::*;

    #[test]
    fn what_psql_printed_obeys_the_page() {
        let step = Step {
            title: "a step",
            who: "somebody",
            evidence: Evidence::Certificate("x"),
            asks: Asks::Psql("select 1;\n"),
            times: 1,
            expected: Expected::Allowed(""),
            witness: None,
        };
        let output = format!("\u{1b}[2J1\n{}", "row\n".repeat(20));
        let heard = Heard {
            code: Some(0),
            output,
            errors: String::new(),
        };
        let shown = after(&step, &heard, None, Colours::Off);
        assert!(!shown.contains('\u{1b}'), "{shown}");
        assert!(
            shown.contains("… and 13 lines") && shown.contains("✓ allowed"),
            "{shown}"
        );
        assert!(after(&step, &heard, Some("it should not"), Colours::Off).contains("× it should not"));
    }
}
