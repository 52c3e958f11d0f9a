//! The words people type: may they, why, who was there, what is in the record.

use std::process::Output;

use postern_tests::{Login, World};
use serde_json::Value;

fn text(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8(said).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

const HIDDEN: &str = "select c.country, c.ssn from customers c join orders o on o.id = c.id";

#[test]
fn may_it_says_every_effect_with_its_columns_the_decision_and_the_rules() {
    let world = World::shared();
    let output = world.postern(&["can", "report", "--target", "shop", "--sql", HIDDEN, "-o", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
    let answer = json(&output).to_string();
    for told in ["customers", "country", "ssn", "orders", "\"use\"", "\"select\""] {
        assert!(answer.contains(told), "`{told}` in {answer}");
    }
    let allowed = "select id, country from customers";
    let output = world.postern(&[
        "can", "report", "--target", "shop", "--sql", allowed, "-o", "json",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(
        json(&output).to_string().contains("report-customers"),
        "{}",
        text(&output)
    );
}

#[test]
fn may_it_of_one_action_on_one_resource() {
    let world = World::shared();
    for (workload, action, table, code) in [
        ("writer", "insert", "orders", 0),
        ("writer", "insert", "customers", 3),
        ("report", "delete", "orders", 3),
    ] {
        let output = world.postern(&["can", workload, action, table, "--target", "shop"]);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{workload} {action} {table}: {}",
            text(&output)
        );
    }
}

#[test]
fn may_it_answers_the_same_offline_as_a_running_gateway_does() {
    let world = World::shared();
    let catalogue = tempfile::NamedTempFile::new().unwrap();
    let config = world.folder.join("postern.yaml");
    let resources = world.folder.join("resources");
    let dumped = world.postern(&[
        "catalogue",
        "dump",
        "--target",
        "shop",
        "--config",
        config.to_str().unwrap(),
        "--resources",
        resources.to_str().unwrap(),
    ]);
    assert!(dumped.status.success(), "{}", text(&dumped));
    std::fs::write(catalogue.path(), &dumped.stdout).unwrap();
    let resources = resources.to_str().unwrap();
    let file = catalogue.path().to_str().unwrap();
    for sql in [
        HIDDEN,
        "select id, country from customers",
        "select * from orders",
        "drop table customers",
        "select pg_read_file('/etc/passwd')",
        "select 1",
        "selec 1",
    ] {
        let asked = ["can", "report", "--target", "shop", "--sql", sql, "-o", "json"];
        let online = world.postern(&asked);
        let offline = [&asked[..], &["--resources", resources, "--catalog", file]].concat();
        let offline = world.postern(&offline);
        assert_eq!(
            online.status.code(),
            offline.status.code(),
            "{sql}: {}",
            text(&offline)
        );
        assert_eq!(json(&online), json(&offline), "{sql}");
    }
}

#[test]
fn the_log_is_followed_asked_and_listed_in_every_format() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    world
        .psql(
            Login::Token(&token),
            "select id as told_in_words from orders where id = 1",
        )
        .succeeded();
    world.until("the record is there", || {
        let output = world.postern(&["audit", "query", "--text", "told_in_words", "-o", "json"]);
        text(&output).contains("told_in_words")
    });
    for words in [
        &["audit", "query", "--text", "told_in_words", "-o", "table"][..],
        &[
            "audit",
            "tail",
            "--no-follow",
            "--text",
            "told_in_words",
            "-o",
            "json",
        ],
        &[
            "audit",
            "tail",
            "--no-follow",
            "--text",
            "told_in_words",
            "-o",
            "table",
        ],
    ] {
        let output = world.postern(words);
        assert!(output.status.success(), "{words:?}: {}", text(&output));
        assert!(
            text(&output).contains("told_in_words"),
            "{words:?}: {}",
            text(&output)
        );
    }
    let verified = world.postern(&["audit", "verify", "-o", "json"]);
    assert!(verified.status.success(), "{}", text(&verified));
    json(&verified);
    let listed = world.postern(&["sessions", "--workload", "writer", "-o", "table"]);
    assert!(text(&listed).contains("writer"), "{}", text(&listed));
}

#[test]
fn what_is_not_there_is_said_with_its_exit_code() {
    let world = World::shared();
    let unknown = world.postern(&["explain", "gw.0.nowhere.1"]);
    assert_eq!(unknown.status.code(), Some(1), "{}", text(&unknown));
    let nobody = world.postern(&["can", "nobody", "select", "orders", "--target", "shop"]);
    assert!(!nobody.status.success());
    assert!(text(&nobody).contains("nobody"), "{}", text(&nobody));
    let misspelt = world.postern(&["sesions"]);
    assert_eq!(misspelt.status.code(), Some(2), "{}", text(&misspelt));
    assert!(text(&misspelt).contains("sessions"), "{}", text(&misspelt));
}
