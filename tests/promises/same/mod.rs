//! PostgreSQL's own regression statements answer through the gateway, where policy permits everything, as they do
//! direct. What differs is in `differences.txt`, each with its reason, and that list may only shrink.
//!
//! The statements are read from the parser's package; half of what they print is errors, since they are for a newer
//! server and a stronger role than ours, and those must be the same as well.
//!
//! `POSTERN_SAME_FILES="merge temp"` runs these files only, listed as left out or not.

mod list;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use postern_tests::{Login, Wishes, World, create_database_with, create_empty_database};

use list::{Difference, List};

/// How many run at once, each its share of the files, in order, in two databases of its own.
const WORKERS: usize = 4;
/// Names the files to run, where not all are wanted.
const NAMED_FILES: &str = "POSTERN_SAME_FILES";
/// What those databases are copies of.
const TEMPLATE: &str = "same_template";

#[test]
fn regression_statements_answer_as_they_do_direct() {
    answers_are_the_same(|list, file| !list.takes_long(file));
}

#[test]
#[ignore = "takes many minutes"]
fn a_soak_of_the_long_regression_statements_answers_as_they_do_direct() {
    answers_are_the_same(List::takes_long);
}

fn answers_are_the_same(is_wanted: fn(&List, &str) -> bool) {
    let list = List::read(include_str!("differences.txt"));
    let named = std::env::var(NAMED_FILES).ok();
    let is_run = |file: &str| match &named {
        Some(named) => named.split_whitespace().any(|name| name == file),
        None => !list.leaves_out(file) && is_wanted(&list, file),
    };
    let files: Vec<PathBuf> = regression_files()
        .into_iter()
        .filter(|file| is_run(name_of(file)))
        .collect();
    assert!(
        files.len() > 20 || named.is_some(),
        "the corpus is not whole: {} files",
        files.len()
    );
    let names: Vec<&str> = files.iter().map(|file| name_of(file)).collect();
    let world = World::start(&Wishes::default());
    let all: Vec<String> = (0..WORKERS).flat_map(databases).collect();
    let resources = world.resources().replace(
        &format!("databases: [\"{}\"]", world.database),
        &format!("databases: [{}]", all.join(", ")),
    );
    world.change("resources.yaml", &resources);
    make_template(&world);
    for database in &all {
        create_database_with(world.cluster, database, &format!("template {TEMPLATE}"));
    }
    let found: BTreeSet<Difference> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let share = files.iter().skip(worker).step_by(WORKERS);
                let world = &world;
                scope.spawn(move || {
                    share
                        .flat_map(|file| compare(world, worker, file))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().expect("a worker"))
            .collect()
    });
    list.check(&found, &names);
}

/// The one that is asked direct, and the one that is asked through the gateway.
fn databases(worker: usize) -> [String; 2] {
    ["direct", "served"].map(|way| format!("{way}_{worker}"))
}

/// What many files stand on, made once.
fn make_template(world: &World) {
    create_empty_database(world.cluster, TEMPLATE);
    let grant = "grant create on schema public to shop_owner";
    world.cluster.sql(TEMPLATE, grant).expect("a grant");
    let setup = regression_files()
        .into_iter()
        .find(|file| name_of(file) == "test_setup");
    let output = world.folder.join("test_setup");
    run_direct(world, TEMPLATE, &setup.expect("the setup"), &output);
}

/// Runs a file both ways in two equal databases, and returns the lines that are not the same.
fn compare(world: &World, worker: usize, file: &Path) -> Vec<Difference> {
    let name = name_of(file);
    let [direct, served] = databases(worker);
    let output = |way: &str| world.folder.join(format!("{name}.{way}"));
    let (direct_output, served_output) = (output("direct"), output("served"));
    run_direct(world, &direct, file, &direct_output);
    let (certificate, key) = world.certificate("all");
    let mut command = psql(world, file, &served_output);
    world.job(&mut command, Login::Certificate(&certificate, &key));
    command.env("PGDATABASE", &served);
    run(command);
    without_names(&direct_output, &direct, world.cluster.port);
    without_names(&served_output, &served, world.port);
    let diff = Command::new("diff")
        .args(["--text", "--minimal"])
        .args([&direct_output, &served_output])
        .output()
        .expect("diff runs");
    let said = String::from_utf8(diff.stdout).expect("UTF-8");
    said.lines()
        .filter_map(|line| Difference::read(name, line))
        .collect()
}

fn run_direct(world: &World, database: &str, file: &Path, output: &Path) {
    let mut command = psql(world, file, output);
    command
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", world.cluster.port.to_string())
        .env("PGUSER", "shop_owner")
        .env("PGPASSWORD", "secret-of-shop_owner")
        .env("PGDATABASE", database)
        .env("PGSSLMODE", "disable");
    run(command);
}

/// Takes out of what psql said what differs by its nature: where it was, the hint that ends each refusal, and numbers.
fn without_names(output: &Path, database: &str, port: u16) {
    let bytes = fs::read(output).expect("what psql said");
    let text: String = bytes
        .utf8_chunks()
        .map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii()))
        .collect();
    let text = text
        .replace(database, "the_database")
        .replace(&format!("port {port}"), "its port");
    let mut kept = String::new();
    for line in text
        .lines()
        .filter(|line| !line.contains("ask why with: postern explain"))
    {
        let line = match line.split_once(".sql:") {
            Some((before, after)) if before.starts_with("psql:") => {
                after.split_once(": ").map_or(after, |(_, said)| said)
            }
            _ => line,
        };
        kept.push_str(&without_numbers(line));
        kept.push('\n');
    }
    fs::write(output, kept).expect("what psql said");
}

/// The names that PostgreSQL makes up itself end in a number, of an object or a backend, which no two runs give alike.
fn without_numbers(line: &str) -> String {
    let mut line = line.to_owned();
    for name in ["pg_toast_", "pg_temp_", "RI_ConstraintTrigger_a_"] {
        let parts: Vec<&str> = line.split(name).collect();
        let kept = parts.iter().enumerate().map(|(place, part)| match place {
            0 => part,
            _ => part.trim_start_matches(|letter: char| letter.is_ascii_digit()),
        });
        line = kept.collect::<Vec<_>>().join(name);
    }
    line
}

fn psql(world: &World, file: &Path, output: &Path) -> Command {
    let mut command = Command::new(world.cluster.binaries.join("psql"));
    let output = File::create(output).expect("a file");
    command
        .args(["--no-psqlrc", "--echo-all", "--quiet", "--file"])
        .arg(file)
        .args(["--set", "HIDE_TABLEAM=on", "--set", "HIDE_TOAST_COMPRESSION=on"])
        .stdin(Stdio::null())
        .stdout(output.try_clone().expect("a file"))
        .stderr(output);
    command
}

fn run(mut command: Command) {
    for (name, value) in [("PGTZ", "America/Los_Angeles"), ("PGDATESTYLE", "Postgres, MDY")] {
        command.env(name, value);
    }
    command.env(
        "PGOPTIONS",
        "-c intervalstyle=postgres_verbose -c statement_timeout=20s",
    );
    // It fails where its last statement does.
    command.status().expect("psql runs");
}

fn name_of(file: &Path) -> &str {
    file.file_stem()
        .and_then(|name| name.to_str())
        .unwrap_or_default()
}

/// The parser's sources, corpus included, lie in the registry that built this test.
fn regression_files() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let sources = home.expect("a home").join("registry/src");
    let registries = fs::read_dir(&sources).expect("the cargo registry has sources");
    let folders = registries.flatten().map(|registry| {
        let corpus = "pg_raw_parse-0.1.0/libpg_query/test/sql/postgres_regress";
        registry.path().join(corpus)
    });
    let folder = folders
        .into_iter()
        .find(|folder| folder.is_dir())
        .expect("pg_raw_parse-0.1.0 has its corpus");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the corpus")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}
