//! The catalogue of attacks: statements in `tests/attacks`, each tried by four routes, with the server's own log, a
//! hash of its state and its own judgement of rights as witnesses.
//!
//! `cases` reads the statements, `run` sends them, `witness` asks the server; `readme` holds the README's tables to
//! what was found.

mod cases;
mod readme;
mod run;
mod witness;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use postern_tests::{Login, Server, Wishes, World};

use cases::{Case, Expected};
use run::{Heard, Route};
use witness::Log;

/// The oldest server that we support.
const OLDEST: u32 = 15;

/// What one group of cases came to.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Count {
    pub refused: usize,
    pub served: usize,
    /// Harmless statements that are refused nevertheless, each with its reason.
    pub refused_twins: usize,
}

/// What the whole run came to, group by group, and everything that was not as it must be.
struct Found {
    counts: BTreeMap<String, Count>,
    faults: Vec<String>,
}

fn found() -> &'static Found {
    static FOUND: OnceLock<Found> = OnceLock::new();
    FOUND.get_or_init(|| find(Server::Machine, &Route::ALL))
}

fn find(server: Server, routes: &[Route]) -> Found {
    let world = World::start(&Wishes {
        server,
        policies: Some(include_str!("../../attacks/policy.cedar").to_owned()),
        ..Wishes::default()
    });
    let cases = cases::all(witness::version(&world));
    let setup = include_str!("../../attacks/ground.sql");
    world
        .cluster
        .sql(&world.database, setup)
        .expect("the ground is laid");
    let token = world.token("writer", &[]);
    let last = "select id from orders natural join ground_is_laid";
    world.until("the gateway knows the ground", || {
        let heard = world.psql(Login::Token(&token), last);
        heard.complained.contains("laid")
    });
    let mut faults = Vec::new();
    let log = Log::from_now(&world);

    let (quiet, writing): (Vec<&Case>, Vec<&Case>) = cases.iter().partition(|case| case.is_quiet());
    let before = witness::state(&world);
    let mut heard = run::through_the_gateway(&world, &quiet, routes);
    let after = witness::state(&world);
    for table in witness::differences(&before, &after) {
        faults.push(format!("what must change nothing changed {table}"));
    }
    heard.extend(run::through_the_gateway(&world, &writing, routes));
    let direct = run::past_the_gateway(&world, &cases.iter().collect::<Vec<_>>());
    let said = log.read(&world);
    let permitted = witness::permitted(&world);
    for one in &heard {
        faults.extend(said.faults_of(one, &permitted));
    }
    faults.extend(faults_of_rights(&cases, &heard, &direct));
    Found {
        counts: count(&cases),
        faults,
    }
}

fn count(cases: &[Case]) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for case in cases {
        let count = counts.entry(case.group.clone()).or_default();
        match case.expected {
            Expected::Refused => count.refused += 1,
            Expected::Served => count.served += 1,
            Expected::RefusedThoughHarmless => count.refused_twins += 1,
        }
    }
    counts
}

/// The server as judge: a role with the same rights as our policy gives, asked without the gateway.
fn faults_of_rights(cases: &[Case], heard: &[Heard], direct: &BTreeMap<usize, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for case in cases {
        let verdict = direct.get(&case.id).map_or("", String::as_str);
        let served = heard
            .iter()
            .filter(|one| one.case.id == case.id && one.route == Route::Simple);
        for one in served {
            let served = one.sqlstate.is_empty();
            match case.expected {
                Expected::Served if !served => faults.push(format!(
                    "{case}: must be served, was {} {}",
                    one.sqlstate, one.message
                )),
                Expected::Served if !verdict.is_empty() => faults.push(format!(
                    "{case}: a role with the same rights is told {verdict}: a bypass, or no twin"
                )),
                Expected::RefusedThoughHarmless if served => {
                    faults.push(format!("{case}: is served now: take the reason off it"))
                }
                Expected::RefusedThoughHarmless if !verdict.is_empty() => faults.push(format!(
                    "{case}: a role with the same rights is told {verdict}: not harmless"
                )),
                _ => {}
            }
        }
    }
    faults
}

#[test]
fn no_attack_of_the_catalogue_passes_and_its_harmless_twins_do() {
    let found = found();
    assert!(
        found.faults.is_empty(),
        "{} faults:\n{}",
        found.faults.len(),
        found.faults.join("\n")
    );
}

#[test]
fn no_attack_passes_on_the_newest_server_either() {
    let found = find(Server::Newest, &[Route::Simple, Route::Extended]);
    assert!(
        found.faults.is_empty(),
        "{} faults:\n{}",
        found.faults.len(),
        found.faults.join("\n")
    );
}

#[test]
fn the_catalogue_is_large_and_few_harmless_statements_are_refused() {
    let cases = cases::all(OLDEST);
    assert!(cases.len() >= 500, "{} statements", cases.len());
    let counts = count(&cases);
    let twins: usize = counts
        .values()
        .map(|count| count.served + count.refused_twins)
        .sum();
    let refused: usize = counts.values().map(|count| count.refused_twins).sum();
    assert!(
        refused * 50 <= twins,
        "{refused} of {twins} harmless statements are refused"
    );
}

#[test]
fn the_readme_says_what_the_catalogue_came_to() {
    readme::check(&found().counts);
}

#[test]
fn every_test_that_the_list_of_attacks_names_exists() {
    readme::check_names();
}
