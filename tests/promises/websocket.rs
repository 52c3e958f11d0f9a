//! WebSocket and other changes of protocol: a tunnel only after the target has agreed, recorded, and ended in time.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use postern_tests::api::{self, Api, BEARER, answer, house_of};
use postern_tests::peer::{Peer, python};
use postern_tests::{Login, World, heard};
use serde_json::{Value, json};

use crate::http::raw;

const POLICIES: &str = r#"
@id("live") permit (
  principal == Postern::Workload::"report",
  action in [Postern::Action::"tunnel", Postern::Action::"GET"],
  resource in Postern::Path::"feed:/live"
);
@id("reads") permit (
  principal == Postern::Workload::"writer",
  action in Postern::Action::"read",
  resource in Postern::Target::"feed"
);
"#;

const TARGET: &str = ", upgrades: [websocket]";

fn arguments(world: &World, workload: &str) -> [String; 3] {
    [
        format!("wss://localhost:{}/feed/live/1", world.port),
        world.folder.join("link-ca.pem").to_str().unwrap().to_owned(),
        world.token(workload, &[]),
    ]
}

fn client(arguments: &[String]) -> Value {
    let mut command = python("websocket_client.py");
    command.args(arguments);
    serde_json::from_str(&heard(command).succeeded()).unwrap()
}

#[test]
fn messages_go_both_ways_for_who_may_tunnel_and_reading_is_not_enough() {
    let server = Peer::start("websocket_server.py");
    let world = house_of("feed", server.address, TARGET, BEARER, POLICIES, "");
    let direct = client(&[format!("ws://{}/live/1", server.address)]);
    assert_eq!(direct, json!(["/live/1 hello", true]));
    assert_eq!(client(&arguments(&world, "report")), direct);
    let refused = client(&arguments(&world, "writer"));
    assert_eq!(refused, json!([403, "workload `writer` may not tunnel /live/1"]));
    world.until("the end is told of", || !world.records("kind=outcome").is_empty());
    let outcome = &world.records("kind=outcome")[0];
    assert_eq!(
        (&outcome["status"], &outcome["tag"]),
        (&json!("done"), &json!("101")),
        "{outcome}"
    );
    let bytes = |name: &str| outcome[name].as_u64().unwrap_or_else(|| panic!("{outcome}"));
    assert!(
        bytes("bytes_in") > 1_000_000 && bytes("bytes_out") > 1_000_000,
        "{outcome}"
    );
    let intent = &world.records("workload=report&kind=intent")[0];
    assert_eq!(intent["text"], "tunnel /live/1", "{intent}");
}

#[test]
fn an_operators_order_ends_a_tunnel() {
    let server = Peer::start("websocket_server.py");
    let world = house_of("feed", server.address, TARGET, BEARER, POLICIES, "");
    let mut waiting = python("websocket_client.py")
        .args(arguments(&world, "report"))
        .arg("wait")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(waiting.stdout.take().unwrap())
        .read_line(&mut said)
        .unwrap();
    assert_eq!(said.trim(), r#"["/live/1 hello"]"#);
    let order = json!({ "workload": "report", "reason": "a test" });
    let done = world.post_operators("/v1/sessions/end", &order);
    assert!(done.contains('1'), "{done}");
    assert!(waiting.wait().unwrap().success());
    world.until("the session is over", || {
        let ends = world.records("kind=session_ended");
        let why = |end: &Value| end["message"] == "this session was ended by an operator";
        ends.first().is_some_and(why)
    });
}

#[test]
fn nothing_is_tunnelled_before_or_without_the_target_s_agreement() {
    fn disagrees(seen: &api::Seen) -> Vec<u8> {
        match seen.line() {
            line if line.contains("/other") => {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: telnet\r\n\r\n".to_vec()
            }
            line if line.contains("/refuses") => answer("400 Bad Request", "no"),
            _ => answer("200 OK", "an answer"),
        }
    }
    let api = Api::start(disagrees);
    let world = house_of("feed", api.address, TARGET, BEARER, POLICIES, "");
    let (certificate, key) = world.certificate("report");
    let login = Login::Certificate(&certificate, &key);
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let smuggled = "GET /feed/secret HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    for (path, status) in [
        ("/live/1", "200"),
        ("/live/refuses", "400"),
        ("/live/other", "502"),
    ] {
        let heard = raw(
            &world,
            login,
            &format!("GET /feed{path} HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n{smuggled}"),
        );
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{path} {heard}"
        );
        // What follows is a request like any other: judged for itself, and refused.
        assert!(
            !heard.contains("an answer") || heard.contains("HTTP/1.1 403 "),
            "{path} {heard}"
        );
    }
    for head in [
        format!("GET /feed/live/1 HTTP/1.1\r\nhost: a\r\n{upgrade}content-length: 3\r\n\r\nabc"),
        format!("POST /feed/live/1 HTTP/1.1\r\nhost: a\r\n{upgrade}\r\n"),
        format!("GET /feed/live/1 HTTP/1.1\r\nhost: a\r\n{upgrade}upgrade: websocket\r\n\r\n"),
        "GET /feed/live/1 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n".to_owned(),
        "GET /feed/live/1 HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket, h2c\r\n\r\n"
            .to_owned(),
    ] {
        let heard = raw(&world, login, &format!("{head}{smuggled}"));
        assert!(heard.starts_with("HTTP/1.1 501 "), "{head} {heard}");
    }
    let lines = api.lines();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines.iter().all(|line| line.starts_with("GET /live/")),
        "{lines:?}"
    );
    for seen in api.seen() {
        assert_eq!(seen.header("upgrade"), ["websocket"], "{seen:?}");
        assert!(seen.body.is_empty(), "{seen:?}");
    }
}
