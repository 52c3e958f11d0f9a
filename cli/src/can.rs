//! May a workload do something: asked of a running gateway, or answered from files alone.

use std::path::Path;

use postern_proxy::authorize::{Asked, Rules, WhatIf};
use postern_proxy::can::{Question, answer};
use postern_sql::Catalogue;

use crate::arguments::Can;
use crate::door::Door;
use crate::output::{self, Table};
use crate::resources;
use crate::trouble::{Exit, Result, Trouble};

const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);
const CATALOGUE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Prints every effect with its own answer; the exit code is the whole answer.
pub async fn run(can: Can) -> Result<Exit> {
    let question = question(&can);
    let what_if = match &can.resources {
        Some(folder) => {
            let rules = Rules::load(resources::read(folder)?)
                .map_err(|errors| resources::mistakes(folder, &errors))?;
            answer(&rules, &catalogue(&can)?, &question).map_err(|error| Trouble::from_error(&error))?
        }
        None => ask(&can, &question).await?,
    };
    let value = serde_json::to_value(&what_if).map_err(|error| Trouble::from_error(&error))?;
    output::print_as(can.output.into(), &value, || show(&what_if), &[])?;
    Ok(if what_if.permitted {
        Exit::Success
    } else {
        Exit::Refused
    })
}

fn question(can: &Can) -> Question {
    let asked = match (&can.sql, &can.request, &can.action) {
        (Some(sql), ..) => Asked::Sql(sql.clone()),
        (_, Some(request), _) => Asked::Request(request.clone()),
        (None, None, action) => Asked::Action {
            action: action.clone().unwrap_or_default(),
            resource: can.resource.clone().unwrap_or_default(),
            columns: can.columns.clone(),
        },
    };
    Question {
        workload: can.workload.clone(),
        target: can.target.clone(),
        database: can.database.clone(),
        role: can.role.clone(),
        search_path: (!can.search_path.is_empty()).then(|| can.search_path.clone()),
        asked,
    }
}

/// A statement needs to know what there is; one action on one thing does not.
fn catalogue(can: &Can) -> Result<Catalogue> {
    let Some(path) = &can.catalog else {
        return match can.sql {
            Some(_) => Err(
                Trouble::usage("a statement can be judged only by what there is in the database")
                    .next("give `--catalog FILE`, made by `postern catalogue dump --target …`"),
            ),
            None => Ok(Catalogue::default()),
        };
    };
    read_catalogue(path)
}

/// What `postern catalogue dump` has written.
pub fn read_catalogue(path: &Path) -> Result<Catalogue> {
    let unreadable = |error: std::io::Error| {
        Trouble::new(format!("cannot read catalogue `{}`", path.display())).because(&error)
    };
    if std::fs::metadata(path).map_err(unreadable)?.len() > CATALOGUE_BYTES_MAX {
        return Err(Trouble::new(format!(
            "`{}` is larger than {CATALOGUE_BYTES_MAX} bytes",
            path.display()
        )));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    serde_json::from_str(&text).map_err(|error| {
        Trouble::new(format!("`{}` is not a catalogue", path.display()))
            .because(&error)
            .next("make it with `postern catalogue dump --target …`")
    })
}

async fn ask(can: &Can, question: &Question) -> Result<WhatIf> {
    let door = Door::new(&can.admin, None, None)?;
    let question = serde_json::to_value(question).map_err(|error| Trouble::from_error(&error))?;
    let answer = door.post("/v1/can", Some(&question), TIMEOUT).await?.json()?;
    serde_json::from_value(answer)
        .map_err(|error| Trouble::new("the gateway answers in words of another version").because(&error))
}

fn show(what_if: &WhatIf) -> String {
    let mut shown = String::from(if what_if.permitted { "yes\n" } else { "no\n" });
    if let Some(rejected) = &what_if.rejected {
        shown.push_str(&format!("{}\n", output::escape(rejected)));
    }
    let mut table = Table::new(&["", "ACTION", "RESOURCE", "COLUMNS", "DETAIL", "RULES OR REASON"]);
    for effect in &what_if.effects {
        let rules = effect.rules.join(", ");
        let why = if effect.permitted && !rules.is_empty() {
            rules
        } else {
            effect.why.clone()
        };
        table.row([
            if effect.permitted { "✓" } else { "×" }.to_owned(),
            effect.action.clone(),
            effect.resource.clone(),
            effect.columns.join(","),
            effect.detail.clone(),
            why,
        ]);
    }
    if !table.is_empty() {
        shown.push_str(&table.show());
    }
    for effect in what_if.effects.iter().filter(|effect| !effect.permitted) {
        if let Some(hint) = &effect.hint {
            shown.push_str(&format!("→ {}\n", output::escape(hint)));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_the_rule_or_the_reason_and_escapes_both() {
        let effect = |permitted, why: &str| postern_proxy::authorize::EffectAnswer {
            action: "select".into(),
            resource: "Table::\"o\u{1b}[2J\"".into(),
            columns: vec!["id".into(), "ssn".into()],
            detail: String::new(),
            permitted,
            rules: if permitted {
                vec!["orders.cedar:3".into()]
            } else {
                Vec::new()
            },
            why: why.into(),
            hint: (!permitted).then(|| "permit it\nso".into()),
        };
        let effects = vec![effect(true, "a rule"), effect(false, "no rule permits it")];
        let shown = show(&WhatIf {
            permitted: false,
            rejected: None,
            effects,
        });
        assert!(shown.starts_with("no\n"), "{shown}");
        assert!(
            shown.contains("orders.cedar:3") && shown.contains("no rule permits it"),
            "{shown}"
        );
        assert!(shown.contains("→ permit it\\nso\n"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
    }
}
