//! What an operator revokes ends at once, and stays out until it is lifted, through every restart.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use postern_tests::raw::{Raw, error};
use postern_tests::{Login, Planes, Wishes, World};
use serde_json::Value;

/// Revokes by the command line and returns the revocation's id.
fn revoke(world: &World, of: &[&str]) -> String {
    let arguments = [&["revoke"], of, &["--reason", "a test", "-o", "json"]].concat();
    let output = world.postern(&arguments);
    assert!(output.status.success(), "{of:?}: {output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["revocation"]["id"].as_str().unwrap().to_owned()
}

fn lift(world: &World, id: &str) {
    let output = world.postern(&["lift", id, "--reason", "the test is over"]);
    assert!(output.status.success(), "{output:?}");
}

/// The name of the key that signed a token, as its header says.
fn key_id(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

#[test]
fn sessions_of_what_is_revoked_end_and_new_ones_are_refused_until_it_is_lifted() {
    let world = World::start(&Wishes::default());
    let (token, other) = (world.token("report", &[]), world.token("all", &[]));
    let key_id = key_id(&token);
    let revocable: [(&[&str], &str); 6] = [
        (&["workload", "report"], "workload `report` is revoked"),
        (&["issuer", "ci"], "the issuer of this evidence is revoked"),
        (
            &["key", "ci", &key_id],
            "the key that signed this token is revoked",
        ),
        (
            &["run", "ci", "77001"],
            "the run that this token is of is revoked",
        ),
        (&["target", "shop"], "target `shop` is stopped by an operator"),
        (
            &["network", "127.0.0.0/8"],
            "logins from this network are revoked",
        ),
    ];
    for (of, words) in revocable {
        let id = world.block_on(async {
            let mut raw = Raw::log_in(&world, &token).await;
            let mut beside = Raw::log_in(&world, &other).await;
            let id = revoke(&world, of);
            assert_eq!(error(&[raw.receive().await], 'C'), "57P01", "{of:?}");
            let same_ends = of != ["workload", "report"];
            if same_ends {
                assert_eq!(error(&[beside.receive().await], 'C'), "57P01", "{of:?}");
            } else {
                let heard = beside.query("select 1").await;
                assert!(heard.iter().all(|(kind, _)| *kind != 'E'), "{heard:?}");
            }
            id
        });
        world.psql(Login::Token(&token), "select 1").turned_away(words);
        lift(&world, &id);
        world
            .psql(Login::Token(&token), "select id from customers where id = 1")
            .succeeded();
    }
    let shown = world.postern(&["revocations"]);
    assert_eq!(shown.stdout, b"nothing is revoked\n");
}

#[test]
fn a_certificate_is_revoked_alone() {
    let world = World::start(&Wishes::default());
    let (one, other) = (world.certificate("report"), world.certificate("report"));
    let read = "select id from customers where id = 1";
    world.psql(Login::Certificate(&one.0, &one.1), read).succeeded();
    world.until("its session is in the log", || {
        !world.records("kind=session_opened").is_empty()
    });
    let opened = world.records("kind=session_opened");
    let serial = opened[0]["certificate_serial"].as_str().unwrap();
    let trust_domain = opened[0]["issuer"].as_str().unwrap();
    let id = revoke(&world, &["certificate", trust_domain, serial]);
    world
        .psql(Login::Certificate(&one.0, &one.1), read)
        .turned_away("this certificate is revoked");
    world
        .psql(Login::Certificate(&other.0, &other.1), read)
        .succeeded();
    lift(&world, &id);
    world.psql(Login::Certificate(&one.0, &one.1), read).succeeded();
}

#[test]
fn a_revocation_outlives_every_restart_and_reaches_a_gateway_that_was_away() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        ..Wishes::default()
    });
    let (token, other) = (world.token("report", &[]), world.token("all", &[]));
    revoke(&world, &["workload", "report"]);
    world.kill_control();
    world.kill_gateway();
    world.start_control();
    world.start_gateway();
    world.until_ready();
    let refused = |world: &World, token: &str| {
        world
            .psql(Login::Token(token), "select 1")
            .turned_away("is revoked")
    };
    refused(&world, &token);
    world.psql(Login::Token(&other), "select 1").succeeded();

    world.kill_gateway();
    world.until("the control plane has noticed", || {
        world.operators("/v1/gateways")["gateways"][0]["connected"] == false
    });
    let told = world.postern(&["revoke", "workload", "all", "--reason", "a test"]);
    assert_eq!(told.status.code(), Some(1), "it may still serve: {told:?}");
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("these gateways are away: gw"), "{told}");
    world.start_gateway();
    world.until_ready();
    refused(&world, &token);
    refused(&world, &other);
}

#[test]
fn a_misspelt_name_and_a_missing_reason_revoke_nothing() {
    let world = World::shared();
    let output = world.postern(&["revoke", "workload", "repart", "--reason", "a test"]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("there is no workload `repart`"), "{told}");
    assert_eq!(
        world.postern(&["revoke", "workload", "report"]).status.code(),
        Some(2)
    );
    assert_eq!(
        world
            .postern(&["revoke", "workload", "report", "--reason", " "])
            .status
            .code(),
        Some(1)
    );
    let token = world.token("report", &[]);
    world
        .psql(Login::Token(&token), "select id from customers where id = 1")
        .succeeded();
}
