//! Bad config, resources and policy are told with file, line and caret, and the last good set stays.

use std::fs;
use std::process::Command;

use postern_tests::{Heard, Login, Wishes, World, binary, heard};

fn log(world: &World) -> String {
    fs::read_to_string(world.folder.join("log")).unwrap()
}

fn rewrite(world: &World, from: &str, to: &str) {
    let path = world.folder.join("postern.yaml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "`{from}` in {text}");
    fs::write(&path, text.replace(from, to)).unwrap();
}

fn said_of(text: &str) -> Heard {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("postern.yaml");
    fs::write(&path, text).unwrap();
    let mut check = Command::new(binary());
    check.args(["check", "--config"]).arg(&path);
    heard(check)
}

#[test]
fn an_unknown_key_is_shown_in_its_line_with_the_key_that_was_meant() {
    let heard = said_of("proxy:\n  gateway: gw\n  listen_admn: 127.0.0.1:1\n");
    assert!(!heard.succeeded);
    for told in ["postern.yaml:3", "listen_admn", "did you mean `listen_admin`?"] {
        assert!(heard.said.contains(told), "`{told}` in {}", heard.said);
    }
}

#[test]
fn a_value_that_does_not_fit_is_shown_in_its_line() {
    let heard = said_of("proxy:\n  gateway: gw\n  listen: everywhere\n");
    assert!(heard.said.contains("postern.yaml:3"), "{}", heard.said);
    assert!(heard.said.contains("listen: everywhere"), "{}", heard.said);
}

#[test]
fn a_changed_file_is_followed_and_a_broken_one_leaves_the_last_good_one() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let ask = || world.psql(Login::Token(&token), "select id from customers where id = 1");
    ask().succeeded();

    rewrite(&world, "trust_domains:", "trust_domain:");
    world.until("the mistake is told", || {
        log(&world).contains("did you mean `trust_domains`?")
    });
    assert!(log(&world).contains("the last good one stays"));
    ask().succeeded();

    rewrite(&world, "trust_domain:", "trust_domains:");
    rewrite(&world, "shop_reader.password", "shop_writer.password");
    world.until("the other secret is tried", || !ask().succeeded);
    let path = world.folder.join("postern.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let good = text.replacen("shop_writer.password", "shop_reader.password", 1);
    fs::write(&path, good).unwrap();
    world.until("the right secret is tried", || ask().succeeded);

    rewrite(&world, "workers: 2", "workers: 3");
    world.until("what needs a restart is named", || {
        log(&world).contains("limits") && log(&world).contains("from the next start on")
    });
}

#[test]
fn a_resource_that_does_not_fit_is_told_with_its_line_and_the_last_good_set_stays() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let bad = world
        .resources()
        .replace("owner: team@shop.example", "ownr: team@shop.example");
    let line = bad.lines().position(|line| line.starts_with("ownr")).unwrap() + 1;
    fs::write(world.folder.join("resources/resources.yaml"), bad).unwrap();
    world.until("the mistake is told", || log(&world).contains("ownr"));
    let log = log(&world);
    assert!(log.contains(&format!("resources.yaml:{line}:1")), "{log}");
    assert!(log.contains("did you mean `owner`?"), "{log}");
    world.psql(Login::Token(&token), "select 1").succeeded();
}

#[test]
fn a_policy_that_does_not_parse_is_told_with_its_line_and_caret() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let path = world.folder.join("resources/shop.cedar");
    let text = fs::read_to_string(&path).unwrap();
    let line = text.lines().count() + 1;
    fs::write(&path, format!("{text}permit (principal, action, resourc);\n")).unwrap();
    world.until("the mistake is told", || log(&world).contains("resourc)"));
    let log = log(&world);
    assert!(log.contains(&format!("shop.cedar:{line}")), "{log}");
    assert!(log.contains('^') || log.contains('─'), "{log}");
    world.psql(Login::Token(&token), "select 1").succeeded();
}
