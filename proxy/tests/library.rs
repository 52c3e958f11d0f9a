//! What real tools send on their own is served by the library, each text by no more of it than it needs.
//! `sessions/README.md` tells how the recordings are written and how they were made.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of a test fail it by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use postern_proxy::authorize::{Asked, Rules, WhatIf};
use postern_proxy::can::{Question, answer};
use postern_sql::Catalogue;
use serde_json::json;

/// One text of a recording, and what was found out about it.
struct Text {
    place: String,
    expected: Expected,
    sql: String,
}

enum Expected {
    /// By these library sets together, and by none of them left out.
    Permitted(Vec<String>),
    /// Even by all of them; the reason is for who reads the file.
    Refused,
}

#[test]
fn what_recorded_sessions_of_real_tools_send_is_served_by_no_more_than_it_needs() {
    let judge = Judge::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for path in recordings() {
        for text in texts(&path) {
            count += 1;
            if let Err(why) = judge.check(&text) {
                wrong.push(format!("{}: {why}\n{}", text.place, text.sql));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
    assert!(count > 600, "the recordings were not found");
}

/// Every set of the library, asked alone and together.
struct Judge {
    catalogue: Catalogue,
    all: Vec<String>,
    rules: BTreeMap<Vec<String>, Rules>,
}

impl Judge {
    fn new() -> Judge {
        let all: Vec<String> = postern_policies::library()
            .iter()
            .map(|set| set.name.to_owned())
            .collect();
        let combinations = 0..1_u32 << all.len();
        let chosen = combinations.map(|bits| {
            let chosen = all
                .iter()
                .enumerate()
                .filter(|(place, _)| bits & (1 << place) != 0);
            chosen.map(|(_, name)| name.clone()).collect()
        });
        let rules = chosen
            .map(|sets: Vec<String>| (sets.clone(), rules(&sets)))
            .collect();
        let catalogue = fs::read_to_string(folder().join("shop.json")).unwrap();
        Judge {
            catalogue: serde_json::from_str(&catalogue).unwrap(),
            all,
            rules,
        }
    }

    fn check(&self, text: &Text) -> Result<(), String> {
        let sets = match &text.expected {
            Expected::Permitted(sets) => sets,
            Expected::Refused => {
                return match self.ask(&self.all, &text.sql).permitted {
                    true => Err("is permitted after all".to_owned()),
                    false => Ok(()),
                };
            }
        };
        let answered = self.ask(sets, &text.sql);
        if !answered.permitted {
            return Err(refusal(&answered));
        }
        for set in sets {
            let others: Vec<String> = sets.iter().filter(|other| *other != set).cloned().collect();
            if self.ask(&others, &text.sql).permitted {
                return Err(format!("does not need {set}"));
            }
        }
        Ok(())
    }

    fn ask(&self, sets: &[String], sql: &str) -> WhatIf {
        let rules = self
            .rules
            .get(sets)
            .unwrap_or_else(|| panic!("no such sets, in this order: {sets:?}"));
        let question = Question {
            workload: "tool".to_owned(),
            target: "shop".to_owned(),
            database: None,
            role: None,
            search_path: None,
            asked: Asked::Sql(sql.to_owned()),
        };
        answer(rules, &self.catalogue, &question).unwrap()
    }
}

fn refusal(answered: &WhatIf) -> String {
    if let Some(rejected) = &answered.rejected {
        return rejected.clone();
    }
    let refused = answered.effects.iter().filter(|effect| !effect.permitted);
    let said: Vec<String> = refused
        .map(|effect| {
            let columns = effect.columns.join(",");
            format!(
                "{} {} ({columns}) {}: {}",
                effect.action, effect.resource, effect.detail, effect.why
            )
        })
        .collect();
    said.join("; ")
}

fn rules(library: &[String]) -> Rules {
    let snapshot = json!({
        "number": 1, "made_at_ms": 0, "issuers": [], "policies": [], "revoked": [],
        "workloads": [{
            "name": "tool", "owner": "o", "expires": "2099-01-01T00:00:00Z",
            "login": [{"spiffe": "spiffe://shop.example/tool"}],
            "assume": [{"target": "shop", "roles": ["shop_owner"]}],
        }],
        "targets": [{
            "name": "shop",
            "postgres": {
                "address": "db:5432", "databases": ["shop"], "roles": {"shop_owner": "c"}, "gateway_role": "g",
            },
        }],
        "grants": [{"library": library, "to": {"workload": "tool"}, "target": "shop"}],
    });
    Rules::load(serde_json::from_value(snapshot).unwrap()).unwrap()
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sessions"))
}

fn recordings() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|kind| kind == "sql"))
        .collect();
    paths.sort();
    paths
}

/// A line that begins with `--> ` says what is expected of the text below it, up to the next one.
fn texts(path: &PathBuf) -> Vec<Text> {
    let file = path.file_name().unwrap().to_str().unwrap();
    let mut texts: Vec<Text> = Vec::new();
    for (number, line) in fs::read_to_string(path).unwrap().lines().enumerate() {
        if let Some(said) = line.strip_prefix("--> ") {
            let expected = match said.starts_with("refused: ") {
                true => Expected::Refused,
                false => Expected::Permitted(said.split(' ').map(str::to_owned).collect()),
            };
            texts.push(Text {
                place: format!("{file}:{}", number + 1),
                expected,
                sql: String::new(),
            });
        } else if let Some(text) = texts.last_mut() {
            text.sql.push_str(line);
            text.sql.push('\n');
        }
    }
    for text in &mut texts {
        text.sql.truncate(text.sql.trim_end().len());
    }
    texts
}
