//! The server judges our effects, on the oldest and the newest that we support: what a role without rights is told it
//! lacks is among them, and a role with the rights that they name lacks nothing.
//!
//! `POSTERN_JUDGED_STATEMENTS` says how many statements each server judges; the seed is fixed.

mod generator;

use std::collections::BTreeSet;

use postern::dev::cluster::Cluster;
use postern_proxy::postgres::catalogue::catalogue_query;
use postern_sql::{Action, Analysis, Catalogue, Effect, Object, Reading, analyse};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use generator::Generator;

const STATEMENTS: usize = 1_000;

const SETUP: &str = "
create role judged;
create schema side;
create table people (id int primary key, name text, ssn text, boss int references people);
create table orders (id int primary key, person int, total int, state text);
create table side.payroll (id int, amount int, ssn text);
create table events (id int, day int, body text) partition by range (day);
create table events_early partition of events for values from (0) to (100);
create view people_names as select id, name from people;
create sequence side.numbers;
create function total_of(int) returns int language sql as 'select $1 * 2';
create function side.peek(text) returns text language sql as 'select $1';
revoke all on function total_of, side.peek from public;
insert into people select n, 'n' || n, 's' || n, null from generate_series(1, 3) n;
insert into orders select n, n, n, 'paid' from generate_series(1, 3) n;
insert into side.payroll values (1, 2, '3');
insert into events values (1, 2, '3');
analyze;";

#[test]
fn the_oldest_server_tells_a_role_that_it_lacks_nothing_but_what_is_among_our_effects() {
    judge(&super::routines::servers()[0]);
}

#[test]
fn the_newest_server_tells_a_role_that_it_lacks_nothing_but_what_is_among_our_effects() {
    judge(&super::routines::servers()[1]);
}

fn judge(server: &Cluster) {
    let count = std::env::var("POSTERN_JUDGED_STATEMENTS");
    let count = count.map_or(STATEMENTS, |count| count.parse().expect("a number"));
    server.sql("postgres", SETUP).expect("the schema");
    let asked = server.sql("postgres", catalogue_query()).expect("the catalogue");
    let catalogue: Catalogue = serde_json::from_str(&asked).expect("a catalogue");
    let faults = Runtime::new().expect("a runtime").block_on(async {
        let (client, connection) = tokio_postgres::connect(&server.superuser("postgres"), NoTls)
            .await
            .expect("a connection");
        tokio::spawn(connection);
        let mut generator = Generator::new(1);
        let mut faults = Vec::new();
        let mut refusals = 0;
        for _ in 0..count {
            let text = generator.statement();
            let analysis = analysed(&text, &catalogue);
            refusals += told(&client, &text, &analysis, &mut faults).await;
            allowed(&client, &catalogue, &text, &analysis, &mut faults).await;
        }
        assert!(refusals > count, "the server refused too little: {refusals}");
        faults
    });
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );
}

fn analysed(text: &str, catalogue: &Catalogue) -> Analysis {
    let search_path = ["pg_catalog".to_owned(), "public".to_owned()];
    let reading = Reading {
        catalogue,
        search_path: &search_path,
        role: "judged",
        standard_conforming_strings: true,
    };
    analyse(text, &reading).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Everything that the role is told it lacks, one after the other; returns how often it was told.
async fn told(client: &Client, text: &str, analysis: &Analysis, faults: &mut Vec<String>) -> usize {
    let mut granted: Vec<String> = Vec::new();
    loop {
        let Some(lack) = run_as_judged(client, &granted, text).await else {
            return granted.len();
        };
        let words = lack.strip_prefix("permission denied for ").unwrap_or_default();
        let (kind, name) = words.split_once(' ').unwrap_or_default();
        let grant = match kind {
            "schema" => format!("grant usage on schema {name} to judged"),
            "function" => format!("grant execute on function {} to judged", qualified(name)),
            "sequence" => format!("grant all on sequence {} to judged", qualified(name)),
            "table" | "view" => format!("grant all on {} to judged", qualified(name)),
            _ => {
                faults.push(format!("{lack}: {text}"));
                return granted.len();
            }
        };
        if !effects(analysis).any(|effect| is_on(effect, kind, name)) {
            faults.push(format!("told `{lack}`, which is not among the effects: {text}"));
        }
        if granted.contains(&grant) {
            faults.push(format!("told `{lack}` again: {text}"));
            return granted.len();
        }
        granted.push(grant);
    }
}

fn is_on(effect: &Effect, kind: &str, wanted: &str) -> bool {
    match &effect.object {
        Object::Table { schema, name } | Object::Routine { schema, name } => match kind {
            "schema" => **schema == *wanted,
            _ => **name == *wanted,
        },
        _ => false,
    }
}

/// With the rights that our effects name, and no more, the role must be allowed.
async fn allowed(
    client: &Client,
    catalogue: &Catalogue,
    text: &str,
    analysis: &Analysis,
    faults: &mut Vec<String>,
) {
    let mut grants: BTreeSet<String> = BTreeSet::new();
    for effect in effects(analysis).filter(|effect| !effect.implied) {
        if let Object::Table { schema, .. } | Object::Routine { schema, .. } = &effect.object {
            if **schema == *"pg_catalog" {
                continue;
            }
            grants.insert(format!("grant usage on schema {schema} to judged"));
        }
        grants.extend(grant_of(effect, catalogue));
    }
    let grants: Vec<String> = grants.into_iter().collect();
    if let Some(lack) = run_as_judged(client, &grants, text).await {
        faults.push(format!("`{lack}` with {}: {text}", grants.join("; ")));
    }
}

fn grant_of(effect: &Effect, catalogue: &Catalogue) -> Option<String> {
    let action = effect.action.name();
    match &effect.object {
        Object::Routine { schema, name } => {
            Some(format!("grant execute on function {schema}.{name} to judged"))
        }
        Object::Table { schema, name } => {
            let of_rows = matches!(effect.action, Action::Delete);
            let mut columns: Vec<&str> = effect.columns.iter().map(|column| &**column).collect();
            assert!(!columns.contains(&"*"), "unknown columns: {effect:?}");
            if matches!(effect.action, Action::Nextval | Action::Setval) {
                return Some(format!("grant all on sequence {schema}.{name} to judged"));
            }
            if columns.is_empty() && !of_rows {
                // The rows count only: any one column will do for the server.
                let known = catalogue.relation(schema, name)?.columns.first()?;
                columns.push(known);
            }
            let columns = if of_rows {
                String::new()
            } else {
                format!("({})", columns.join(", "))
            };
            Some(format!("grant {action} {columns} on {schema}.{name} to judged"))
        }
        _ => None,
    }
}

/// Runs it as the role with these rights, and takes it all back; what it was told that it lacks.
async fn run_as_judged(client: &Client, grants: &[String], text: &str) -> Option<String> {
    let begin = format!("begin; {}; set local role judged", grants.join("; "));
    let begun = client.batch_execute(&begin).await;
    let answer = match begun {
        Ok(()) => client.batch_execute(text).await,
        Err(error) => panic!("{error:?}: {begin}"),
    };
    client.batch_execute("rollback").await.expect("it goes back");
    let error = answer.err()?;
    let error = error.as_db_error().expect("the server's answer");
    (error.code().code() == "42501").then(|| error.message().to_owned())
}

fn effects(analysis: &Analysis) -> impl Iterator<Item = &Effect> {
    analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
}

fn qualified(name: &str) -> String {
    let side = ["payroll", "numbers", "peek"].contains(&name);
    format!("{}.{name}", if side { "side" } else { "public" })
}
