//! Policies: where those that are rehearsed would answer otherwise.

use serde_json::Value;

use crate::arguments::{Policy, PolicyDifferences};
use crate::door::with_query;
use crate::explain::door;
use crate::output::{self, Table, text_of};
use crate::sessions::{entries, seconds};
use crate::trouble::{Exit, Result};

pub async fn run(policy: Policy) -> Result<Exit> {
    match policy {
        Policy::Differences(order) => differences(order).await,
    }
}

async fn differences(order: PolicyDifferences) -> Result<Exit> {
    let parameters = [
        ("workload", order.workload),
        ("target", order.target),
        ("since", order.since),
    ];
    let path = with_query("/v1/rehearsal", &parameters);
    let value = door(&order.operators)?.get(&path).await?.json()?;
    output::print_as(order.output, &value, || table(&value), &[])?;
    Ok(Exit::Success)
}

fn table(value: &Value) -> String {
    if value.get("rehearsing").and_then(Value::as_bool) == Some(false) {
        return "nothing is rehearsed: put policies into `rehearsed/` of the folder and apply it\n"
            .to_owned();
    }
    let mut table = Table::new(&[
        "COUNT",
        "WORKLOAD",
        "TARGET",
        "IN FORCE",
        "REHEARSED",
        "REFUSAL",
        "LAST",
    ]);
    for difference in entries(value, "differences") {
        let text = |name| text_of(difference, name);
        let last = seconds(&text("last"));
        let names = ["count", "workload", "target", "in_force", "rehearsed", "refusal"];
        table.row(names.map(text).into_iter().chain([last]));
    }
    if table.is_empty() {
        let since = seconds(&text_of(value, "since"));
        format!("since {since} the rehearsed policies would have answered everything alike\n")
    } else {
        table.show()
    }
}
