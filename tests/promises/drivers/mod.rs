//! Drivers and tools as they are: each does its real work direct and through the gateway, and says the same.
//!
//! Through the gateway it may do what its test names, library sets and rules, and nothing else: so each test
//! tells what its driver needs. [`House::serves`] is what they all ask. The programs are in `tests/clients`.

mod dump;
mod frameworks;
mod java;
mod migrations;
mod node;
mod pgbench;
mod psql;
mod python;
mod rust;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;

use postern_tests::{Heard, Login, Wishes, World, claim, create_database, field, heard};

/// A house with two equal databases: one is reached through the gateway, its twin direct.
struct House {
    world: World,
    twin: String,
    sets: Vec<String>,
    rules: usize,
}

impl House {
    /// The driver may do what these library sets and these rules permit; without one of the sets, as another
    /// workload each, only the rest.
    fn granting(sets: &[&str], rules: &[String]) -> House {
        let mut resources = ISSUER_AND_TARGET.to_owned();
        let workloads = std::iter::once(None).chain(sets.iter().copied().map(Some));
        for left_out in workloads {
            let name = workload(left_out);
            let number = repository(sets, left_out);
            let _ = write!(
                resources,
                "---\nkind: Workload\nname: {name}\nowner: team@shop.example\nexpires: 2099-01-01T00:00:00Z\n\
                 segments: [drivers]\nlogin: [{{ issuer: ci, match: {{ repository_id: \"{number}\" }} }}, \
                 {{ spiffe: \"spiffe://{{{{trust_domain}}}}/workload/{name}\" }}]\n\
                 assume: [{{ target: shop, roles: [shop_owner] }}]\n"
            );
            let granted: Vec<&str> = sets
                .iter()
                .copied()
                .filter(|set| Some(*set) != left_out)
                .collect();
            let granted = granted.join(", ");
            let _ = write!(
                resources,
                "---\nkind: Grant\nlibrary: [{granted}]\nto: {{ workload: {name} }}\ntarget: shop\n"
            );
        }
        let mut policies = ASSUME.to_owned();
        for (number, rule) in rules.iter().enumerate() {
            let _ = write!(policies, "@id(\"own-{number}\")\n{rule}\n");
        }
        let world = World::start(&Wishes {
            resources: Some(resources),
            policies: Some(policies),
            ..Wishes::default()
        });
        let twin = format!("{}_twin", world.database);
        create_database(world.cluster, &twin);
        House {
            world,
            twin,
            sets: sets.iter().map(ToString::to_string).collect(),
            rules: rules.len(),
        }
    }

    /// Runs the program direct and through the gateway, and returns what it said, which must be the same.
    /// Every set and rule must have permitted something on the way, and nothing may have been refused.
    #[track_caller]
    fn serves(&self, program: impl Fn() -> Command) -> String {
        let direct = self.direct(program()).succeeded();
        let through = self.through(program()).succeeded();
        assert!(!direct.is_empty(), "it says nothing that could be compared");
        self.used_what_it_was_granted();
        let mut lines = through.lines().zip(direct.lines());
        let differing = lines.find(|(through, direct)| through != direct);
        assert_eq!(
            differing, None,
            "through the gateway it says something else than direct"
        );
        assert_eq!(
            through.len(),
            direct.len(),
            "one said more than the other: {through}"
        );
        through
    }

    /// The same where the job has no token but a certificate.
    #[track_caller]
    fn serves_by_certificate(&self, program: impl Fn() -> Command) {
        let (certificate, key) = self.world.certificate("driver");
        let mut certified = program();
        self.put_around(&mut certified, "");
        self.world
            .job(&mut certified, Login::Certificate(&certificate, &key));
        certified.env_remove("PGPASSWORD");
        let through = heard(certified).succeeded();
        assert_eq!(through, self.direct(program()).succeeded());
        let records = self.world.records("workload=driver");
        let certified = records
            .iter()
            .filter(|record| field(record, "evidence") == "certificate");
        assert!(certified.count() > 0, "it came by another way");
    }

    fn direct(&self, mut program: Command) -> Heard {
        self.put_around(&mut program, "secret-of-shop_owner");
        program
            .env("PGPORT", self.world.cluster.port.to_string())
            .env("PGUSER", "shop_owner")
            .env("PGDATABASE", &self.twin);
        heard(program)
    }

    fn through(&self, mut program: Command) -> Heard {
        self.put_around(&mut program, &self.token(None));
        heard(program)
    }

    /// Without this set the program is refused, in words that name the workload.
    #[track_caller]
    fn refuses_without(&self, set: &str, mut program: Command) {
        self.put_around(&mut program, &self.token(Some(set)));
        let heard = heard(program);
        let refused = format!("workload `{}` may not", workload(Some(set)));
        assert!(
            !heard.succeeded,
            "without {set} it was served all the same: {}",
            heard.said
        );
        let told = heard.complained.contains(&refused) || heard.said.contains(&refused);
        assert!(told, "without {set}: {}", heard.complained);
    }

    /// A job's variables, and PostgreSQL's own programs before any other.
    fn put_around(&self, program: &mut Command, password: &str) {
        self.world.job(program, Login::Token(password));
        let others = std::env::var("PATH").expect("a path");
        let ours = self.world.cluster.binaries.display();
        program.env("PATH", format!("{ours}:{others}"));
    }

    fn token(&self, left_out: Option<&str>) -> String {
        let number = repository(&self.sets, left_out);
        self.world.token("driver", &[("repository_id", claim(number))])
    }

    #[track_caller]
    fn used_what_it_was_granted(&self) {
        let mut unused: BTreeSet<String> = self.sets.iter().map(|set| format!("{set}.")).collect();
        unused.extend((0..self.rules).map(|number| format!("own-{number} ")));
        let (mut refused, mut used) = (Vec::new(), BTreeSet::new());
        self.world.until("all its sessions are told of", || {
            let records = self.world.records("workload=driver");
            let count = |kind: &str| {
                records
                    .iter()
                    .filter(|record| field(record, "kind") == kind)
                    .count()
            };
            let rules = records
                .iter()
                .filter_map(|record| record["rules"].as_array())
                .flatten();
            for rule in rules.filter_map(|rule| rule.as_str()) {
                unused.retain(|unused| !rule.starts_with(unused));
                used.insert(rule.to_owned());
            }
            let (opened, ended) = (count("session_opened"), count("session_ended"));
            refused = records;
            // What does not parse is an error direct, too.
            refused
                .retain(|record| field(record, "kind") == "refused" && field(record, "refusal") != "syntax");
            opened > 0 && opened == ended
        });
        let told = |record: &serde_json::Value| (record["message"].clone(), record["text"].clone());
        let refused: Vec<_> = refused.iter().map(told).collect();
        assert!(refused.is_empty(), "it was refused: {refused:#?}");
        assert!(unused.is_empty(), "it did not need {unused:?}, but only {used:?}");
    }
}

/// A rule that permits the driver these actions on these tables of the schema `public`.
fn may(actions: &[&str], tables: &[&str]) -> String {
    let actions: Vec<String> = actions
        .iter()
        .map(|action| format!("Postern::Action::\"{action}\""))
        .collect();
    format!(
        "permit (principal in Postern::Segment::\"drivers\", action in [{}], resource is Postern::Table)\n\
         when {{ resource.schema == \"public\" && {tables:?}.contains(resource.name) }};",
        actions.join(", ")
    )
}

/// A program of `tests/clients` in Python.
fn python(file: &str) -> Command {
    let python = format!("{CLIENTS}/.venv/bin/python");
    assert!(
        std::path::Path::new(&python).exists(),
        "run tests/clients/prepare first, as `make test` does"
    );
    let mut command = Command::new(python);
    command.arg(format!("{CLIENTS}/{file}"));
    command
}

/// Lines for the shell.
fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", script]);
    command
}

fn workload(left_out: Option<&str>) -> String {
    match left_out {
        None => "driver".to_owned(),
        Some(set) => format!("driver-without-{set}"),
    }
}

fn repository(sets: &[impl AsRef<str>], left_out: Option<&str>) -> String {
    let place = sets.iter().position(|set| Some(set.as_ref()) == left_out);
    place.map_or(2000, |place| 2001 + place).to_string()
}

/// Everything that is done to the rows of a table.
const WRITES: &[&str] = &["select", "insert", "update", "delete"];

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

const ISSUER_AND_TARGET: &str = r#"kind: Issuer
name: ci
preset: github-actions
issuer: "{{github}}"
audience: "{{audience}}"
tenant: { repository_owner_id: "42" }
---
kind: Target
name: shop
postgres:
  address: "{{target}}"
  databases: ["{{database}}", "{{database}}_pipe", "{{database}}_single", "{{database}}_jobs"]
  roles: { shop_owner: shop_owner }
  gateway_role: shop_gateway
"#;

const ASSUME: &str = r#"@id("assume")
permit (principal in Postern::Segment::"drivers", action == Postern::Action::"assume", resource == Postern::Role::"shop/shop_owner");
"#;
