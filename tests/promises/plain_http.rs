//! HTTP without TLS: only where the gateway's file says so, only from the machine itself, and only with a token.

use std::io::{Read, Write};
use std::net::TcpStream;

use postern_tests::api::{Api, BEARER, KEY, answer};
use postern_tests::{Wishes, World};

const POLICIES: &str = r#"permit (
  principal == Postern::Workload::"report",
  action in Postern::Action::"read",
  resource in Postern::Path::"billing:/v1/invoices"
);"#;

fn house(api: &Api, gateway: &str) -> World {
    let address = api.address;
    let world = World::start(&Wishes {
        gateway: gateway.to_owned(),
        credentials: format!("    billing: {{ {BEARER}, only_to: [\"{address}\"], verify: disable }}\n"),
        policies: Some(POLICIES.to_owned()),
        environment: vec![("POSTERN_TEST_API_KEY", KEY.to_owned())],
        ..Wishes::default()
    });
    let target = format!(
        "---\nkind: Target\nname: billing\nserver_names: [billing.localhost]\n\
         http: {{ address: \"{address}\", credential: billing, prefix: /billing }}\n"
    );
    world.change("resources.yaml", &format!("{}{target}", world.resources()));
    world
}

/// What is heard until the gateway closes the connection.
fn say(world: &World, sent: &str) -> String {
    let mut socket = TcpStream::connect(("127.0.0.1", world.port)).unwrap();
    socket.write_all(sent.as_bytes()).unwrap();
    let mut heard = Vec::new();
    let _ = socket.read_to_end(&mut heard);
    String::from_utf8(heard).unwrap()
}

fn get(line: &str, token: &str) -> String {
    format!("GET {line} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n")
}

#[test]
fn plain_http_is_judged_like_any_other_and_only_where_it_is_allowed() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let world = house(&api, "  plain_http_on_loopback: true\n");
    let token = world.token("report", &[]);
    let heard = say(&world, &get("/billing/v1/invoices", &token));
    assert!(
        heard.starts_with("HTTP/1.1 200 ") && heard.contains("an answer"),
        "{heard}"
    );
    let heard = say(
        &world,
        &get(&format!("http://a:{}/billing/v1/invoices", world.port), &token)
            .replace("host: a", &format!("host: a:{}", world.port)),
    );
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
    let before = api.seen().len();
    for (sent, status) in [
        (get("/billing/v1/refunds", &token), "403"),
        (get("/billing/v1/invoices", "nobody"), "401"),
        (get("https://a/billing/v1/invoices", &token), "400"),
        (
            "GET /billing/v1/invoices HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(),
            "401",
        ),
    ] {
        let heard = say(&world, &sent);
        assert!(
            heard.starts_with(&format!("HTTP/1.1 {status} ")),
            "{sent} {heard}"
        );
    }
    // HTTP/2 begins so, and only TLS agrees on it.
    let heard = say(&world, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(!heard.contains("200"), "{heard}");
    assert_eq!(api.seen().len(), before);
    for seen in api.seen() {
        assert_eq!(seen.header("authorization"), [format!("Bearer {KEY}")]);
    }
}

#[test]
fn without_leave_or_from_behind_a_proxy_plain_http_is_refused() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let world = house(&api, "");
    let sent = get("/billing/v1/invoices", &world.token("report", &[]));
    let heard = say(&world, &sent);
    assert!(
        heard.starts_with("HTTP/1.1 400 ") && heard.contains("use https://"),
        "{heard}"
    );
    // A proxy speaks for callers of other machines, whose token somebody could have read on the way.
    let world = house(
        &api,
        "  plain_http_on_loopback: true\n  proxy_protocol_from: [\"127.0.0.0/8\"]\n",
    );
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend([127, 0, 0, 1, 127, 0, 0, 1, 0, 1, 0, 1]);
    let sent = get("/billing/v1/invoices", &world.token("report", &[]));
    let heard = say(&world, &format!("{}{sent}", String::from_utf8(header).unwrap()));
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    assert_eq!(api.seen().len(), 0);
}
