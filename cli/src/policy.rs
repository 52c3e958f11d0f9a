//! Policies: what is expected of them, and where those that are rehearsed would answer otherwise.

use std::collections::HashMap;
use std::path::Path;

use postern_proxy::authorize::{Asked, Rules, WhatIf};
use postern_proxy::can::{Question, answer};
use postern_sql::Catalogue;
use serde::Deserialize;
use serde_json::Value;

use crate::arguments::{Policy, PolicyDifferences, PolicyTest};
use crate::can::read_catalogue;
use crate::door::with_query;
use crate::explain::door;
use crate::output::{self, Table, escape, text_of};
use crate::resources;
use crate::sessions::{entries, seconds};
use crate::trouble::{Exit, Result, Trouble};

pub async fn run(policy: Policy) -> Result<Exit> {
    match policy {
        Policy::Differences(order) => differences(order).await,
        Policy::Test(order) => test(&order),
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

/// One question and what is expected of its answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(default)]
    name: String,
    workload: String,
    target: String,
    #[serde(default)]
    database: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    search_path: Option<Vec<String>>,
    #[serde(default)]
    sql: Option<String>,
    #[serde(default)]
    request: Option<String>,
    #[serde(default)]
    action: Option<String>,
    #[serde(default)]
    resource: String,
    #[serde(default)]
    columns: Vec<String>,
    permitted: bool,
}

fn test(order: &PolicyTest) -> Result<Exit> {
    let folder = &order.folder;
    let rules = Rules::load(resources::read(folder)?);
    let rules = rules.map_err(|errors| resources::mistakes(folder, &errors))?;
    let catalogues = order.catalog.iter().map(|given| {
        let (target, path) = given
            .split_once('=')
            .ok_or_else(|| Trouble::usage(format!("`--catalog {given}` is not `TARGET=FILE`")))?;
        Ok((target, read_catalogue(Path::new(path))?))
    });
    let catalogues: HashMap<&str, Catalogue> = catalogues.collect::<Result<_>>()?;
    let (mut asked, mut failed) = (0, 0);
    for path in &order.cases {
        for (number, case) in (1..).zip(read_cases(path)?) {
            asked += 1;
            let told = match ask(&rules, &catalogues, &case) {
                Ok(what_if) if what_if.permitted == case.permitted => continue,
                Ok(what_if) => otherwise(&what_if),
                Err(trouble) => trouble.to_string(),
            };
            failed += 1;
            let place = format!("{}, case {number} {}", path.display(), escape(&case.name));
            output::print(&format!("× {}\n  {told}\n", place.trim_end()))?;
        }
    }
    output::print(&format!("{} of {asked} cases are as expected\n", asked - failed))?;
    Ok(if failed == 0 { Exit::Success } else { Exit::Failure })
}

fn read_cases(path: &Path) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Trouble::new(format!("cannot read `{}`", path.display())).because(&error))?;
    serde_saphyr::from_str(&text)
        .map_err(|error| Trouble::new(format!("`{}` is no list of cases", path.display())).because(&error))
}

fn ask(rules: &Rules, catalogues: &HashMap<&str, Catalogue>, case: &Case) -> Result<WhatIf> {
    let nothing = Catalogue::default();
    let known = catalogues.get(case.target.as_str());
    let asked = match (&case.sql, &case.request, &case.action) {
        (Some(_), None, None) if known.is_none() => {
            return Err(Trouble::new(format!(
                "a statement needs `--catalog {}=FILE`, from `postern catalogue dump`",
                case.target
            )));
        }
        (Some(sql), None, None) => Asked::Sql(sql.clone()),
        (None, Some(request), None) => Asked::Request(request.clone()),
        (None, None, Some(action)) => Asked::Action {
            action: action.clone(),
            resource: case.resource.clone(),
            columns: case.columns.clone(),
        },
        _ => {
            return Err(Trouble::new(
                "a case asks for one of `sql`, `request` and `action`",
            ));
        }
    };
    let question = Question {
        workload: case.workload.clone(),
        target: case.target.clone(),
        database: case.database.clone(),
        role: case.role.clone(),
        search_path: case.search_path.clone(),
        asked,
    };
    answer(rules, known.unwrap_or(&nothing), &question).map_err(|error| Trouble::from_error(&error))
}

/// Why an answer is not the one that was expected.
fn otherwise(what_if: &WhatIf) -> String {
    if let Some(rejected) = &what_if.rejected {
        return format!("expected to be permitted, and refused: {}", escape(rejected));
    }
    let effects = what_if.effects.iter();
    if what_if.permitted {
        let rules: Vec<&str> = effects
            .flat_map(|effect| &effect.rules)
            .map(String::as_str)
            .collect();
        return format!(
            "expected to be refused, and permitted by {}",
            escape(&rules.join(", "))
        );
    }
    let refused = effects.filter(|effect| !effect.permitted);
    let why: Vec<String> = refused
        .map(|effect| format!("{} on {}: {}", effect.action, effect.resource, effect.why))
        .collect();
    format!(
        "expected to be permitted, and refused: {}",
        escape(&why.join("; "))
    )
}
