//! APIs: the same identities, rules, records and refusals as on a database, and nothing of a refused request arrives.

use std::process::Command;

use postern_tests::api::{self, Api, BEARER, KEY, answer};
use postern_tests::rustls_connect::client_config;
use postern_tests::{Login, World, heard};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

const POLICIES: &str = r#"
@id("report-reads") permit (
  principal == Postern::Workload::"report",
  action in Postern::Action::"read",
  resource in Postern::Path::"billing:/v1/invoices"
);
@id("writer-writes") permit (
  principal == Postern::Workload::"writer",
  action in [Postern::Action::"POST", Postern::Action::"GET"],
  resource in Postern::Target::"billing"
);
@id("no-secrets") forbid (principal, action, resource in Postern::Path::"billing:/v1/secrets");
"#;

fn hello(seen: &api::Seen) -> Vec<u8> {
    answer("200 OK", &format!("hello {} {}", seen.line(), seen.body.len()))
}

/// The house that most of these tests visit, with its API.
fn billing() -> (Api, World) {
    let api = Api::start(hello);
    let world = api::house(&api, BEARER, POLICIES, "");
    (api, world)
}

/// curl as a job would run it: the certificate or the token, and nothing else of ours.
pub(crate) fn curl(world: &World, login: Login<'_>, arguments: &[&str]) -> Answered {
    let said = curl_that_may_fail(world, login, arguments);
    let (body, told) = said.rsplit_once('\n').unwrap_or(("", &said));
    let mut told = told.split(' ');
    let mut word = || told.next().unwrap_or_default().to_owned();
    Answered {
        status: word(),
        version: word(),
        kind: word(),
        body: body.to_owned(),
    }
}

fn curl_that_may_fail(world: &World, login: Login<'_>, arguments: &[&str]) -> String {
    let mut command = Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "20",
            "--path-as-is",
            "--globoff",
        ])
        .args([
            "--write-out",
            "\n%{http_code} %{http_version} %header{content-type}",
        ])
        .arg("--cacert")
        .arg(world.folder.join("link-ca.pem"))
        .current_dir(&world.folder);
    match login {
        Login::Token("") => {}
        Login::Token(token) => {
            command.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        Login::Certificate(certificate, key) => {
            command.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
    }
    let url = format!("https://localhost:{}", world.port);
    command.args(arguments.iter().map(|argument| argument.replace("{url}", &url)));
    heard(command).said
}

#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: String,
    version: String,
    kind: String,
    pub(crate) body: String,
}

impl Answered {
    fn problem(&self) -> Value {
        assert_eq!(self.kind, "application/problem+json", "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

#[test]
fn a_permitted_request_reaches_its_target_with_the_target_s_own_key_and_is_recorded() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("report");
    let login = Login::Certificate(&certificate, &key);
    for (version, flag) in [("1.1", "--http1.1"), ("2", "--http2")] {
        let answered = curl(&world, login, &[flag, "{url}/billing/v1/invoices/42?secret=yes"]);
        assert_eq!(
            (&*answered.status, &*answered.version),
            ("200", version),
            "{answered:?}"
        );
        assert_eq!(answered.body, "hello GET /v1/invoices/42?secret=yes HTTP/1.1 0");
    }
    let token = world.token("report", &[]);
    let host = "Host: billing.localhost";
    let answered = curl(
        &world,
        Login::Token(&token),
        &["--header", host, "{url}/v1/invoices"],
    );
    assert_eq!(answered.status, "200", "{answered:?}");
    let basic = format!("anybody:{token}");
    let answered = curl(
        &world,
        Login::Token(""),
        &["--user", &basic, "{url}/billing/v1/invoices"],
    );
    assert_eq!(answered.status, "200", "{answered:?}");
    for seen in api.seen() {
        assert_eq!(
            seen.header("authorization"),
            [format!("Bearer {KEY}")],
            "{seen:?}"
        );
        assert_eq!(seen.header("host"), [api.address.to_string()], "{seen:?}");
        assert!(!seen.head.contains(&token), "{seen:?}");
    }
    world.until("all is told of", || world.records("kind=outcome").len() == 4);
    let intents = world.records("workload=report&kind=intent");
    assert_eq!(intents.len(), 4);
    let first = intents
        .iter()
        .find(|intent| intent["text"] == "GET /v1/invoices/42?…");
    let first = first.unwrap_or_else(|| panic!("{intents:?}"));
    assert_eq!(first["target"], "billing");
    assert_eq!(
        first["effects"][0]["resource"],
        "Path::\"billing:/v1/invoices/42\""
    );
    assert!(
        first["rules"][0].as_str().unwrap().starts_with("report-reads"),
        "{first}"
    );
    for outcome in world.records("kind=outcome") {
        assert_eq!(
            (&outcome["tag"], &outcome["status"]),
            (&"200".into(), &"done".into())
        );
    }
}

#[test]
fn a_refused_request_never_arrives_and_its_refusal_teaches() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("report");
    let login = Login::Certificate(&certificate, &key);
    let posted = ["--request", "POST", "--data", "a=b", "{url}/billing/v1/invoices"];
    let answered = curl(&world, login, &posted);
    assert_eq!(answered.status, "403", "{answered:?}");
    let problem = answered.problem();
    assert_eq!(problem["title"], "workload `report` may not POST /v1/invoices");
    assert_eq!(problem["detail"], "no rule permits it");
    let hint = problem["hint"].as_str().unwrap();
    assert!(
        hint.contains("resource == Postern::Path::\"billing:/v1/invoices\"")
            && hint.contains("postern explain gw."),
        "{hint}"
    );
    let writer = world.token("writer", &[]);
    let answered = curl(&world, Login::Token(&writer), &["{url}/billing/v1/secrets/1"]);
    assert_eq!(
        answered.problem()["detail"],
        "forbidden by `no-secrets (shop.cedar:38)`"
    );
    // Another target's name is nobody's path.
    let answered = curl(&world, login, &["{url}/elsewhere"]);
    assert_eq!(answered.status, "403", "{answered:?}");
    assert_eq!(api.lines(), [""; 0]);
    world.until("all is told of", || world.records("kind=refused").len() == 3);
}

#[test]
fn who_does_not_say_who_is_calling_hears_nothing_else() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("report");
    let anonymous = curl(
        &world,
        Login::Token(""),
        &["--include", "{url}/billing/v1/invoices"],
    );
    assert_eq!(anonymous.status, "401");
    assert!(
        anonymous
            .body
            .contains("www-authenticate: Bearer realm=\"postern\""),
        "{anonymous:?}"
    );
    let bad = curl(&world, Login::Token("a.b.c"), &["{url}/billing/v1/invoices"]);
    assert_eq!(
        (&*bad.status, &bad.problem()["reason"]),
        ("401", &"bad_token".into())
    );
    let expired = world.token("report", &[("exp", 1_000.into())]);
    assert_eq!(
        curl(&world, Login::Token(&expired), &["{url}/billing/v1/invoices"]).status,
        "401"
    );
    let login = Login::Certificate(&certificate, &key);
    let other = format!("Authorization: Bearer {}", world.token("writer", &[]));
    let two = curl(&world, login, &["--header", &other, "{url}/billing/v1/invoices"]);
    assert_eq!(
        two.problem()["title"],
        "the certificate and the token are of two workloads"
    );
    let same = format!("Authorization: Bearer {}", world.token("report", &[]));
    let one = curl(&world, login, &["--header", &same, "{url}/billing/v1/invoices"]);
    assert_eq!(one.status, "200", "{one:?}");
    let plain = format!("http://127.0.0.1:{}/billing/v1/invoices", world.port);
    assert_eq!(curl(&world, Login::Token(""), &[&plain]).status, "400");
    assert_eq!(api.lines(), ["GET /v1/invoices HTTP/1.1"]);
}

#[test]
fn a_path_that_servers_read_differently_is_refused_and_another_spelling_is_the_same_path() {
    let (api, world) = billing();
    let token = world.token("writer", &[]);
    for path in [
        "/billing/v1//secrets",
        "/billing/v1/./secrets",
        "/billing/v1/x/../secrets",
        "/billing/v1/%2e%2e/secrets",
        "/billing/v1%2fsecrets",
        "/billing/v1%5csecrets",
        "/billing/v1\\secrets",
        "/billing/v1/secrets;x=y",
        "/billing/v1/secrets%00",
        "/billing/v1/%252e%252e/secrets",
        "/billing/v1/secrets%c0%af",
        "//billing/v1/secrets",
    ] {
        for flag in ["--http1.1", "--http2"] {
            let answered = curl(&world, Login::Token(&token), &[flag, &format!("{{url}}{path}")]);
            assert_eq!(answered.status, "400", "{path}: {answered:?}");
        }
    }
    let encoded = curl(&world, Login::Token(&token), &["{url}/billing/v1/%73ecrets/1"]);
    assert_eq!(encoded.status, "403", "{encoded:?}");
    let star = ["--request", "OPTIONS", "--request-target", "*", "{url}"];
    assert_eq!(curl(&world, Login::Token(&token), &star).status, "400");
    assert_eq!(api.lines(), [""; 0]);
    let encoded = curl(&world, Login::Token(&token), &["{url}/billing/v1/%69nvoices"]);
    assert_eq!(encoded.body, "hello GET /v1/invoices HTTP/1.1 0");
}

#[test]
fn a_client_that_its_target_sends_elsewhere_finds_the_way_back_through_the_gateway() {
    let api = Api::start(|seen| match seen.line() {
        "GET /v1/invoices/a HTTP/1.1" => {
            b"HTTP/1.1 302 Found\r\nlocation: /v1/invoices/b\r\ncontent-length: 0\r\n\r\n".to_vec()
        }
        _ => answer("200 OK", seen.line()),
    });
    let world = api::house(&api, BEARER, POLICIES, "");
    let token = world.token("report", &[]);
    for place in ["{url}/billing/v1/invoices/a", "{billing}/v1/invoices/a"] {
        let host = format!("https://billing.localhost:{}", world.port);
        let place = place.replace("{billing}", &host);
        let asked = ["--location", "--location-trusted", "--insecure", &place];
        let answered = curl(&world, Login::Token(&token), &asked);
        assert_eq!(answered.body, "GET /v1/invoices/b HTTP/1.1", "{place}");
    }
    assert_eq!(api.seen().len(), 4);
}

#[test]
fn nothing_that_a_client_sends_speaks_for_its_identity_at_the_target() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let spoofed = [
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Client-Cert: Hash=1",
        "Forwarded: for=10.0.0.1",
        "X-Real-IP: 10.0.0.1",
        "Postern-Workload: admin",
        "Proxy-Authorization: Basic YTpi",
        "Connection: authorization, X-Mine",
        "X-Mine: a",
        "X-Kept: b",
    ];
    // Over HTTP/2 a `Connection` header is an error of its own.
    let headers: Vec<&str> = spoofed.iter().flat_map(|header| ["--header", header]).collect();
    let wanted = ["--http1.1", "{url}/billing/v1/invoices"];
    let answered = curl(&world, login, &[&wanted, &*headers].concat());
    assert_eq!(answered.status, "200", "{answered:?}");
    let seen = api.seen();
    let names: Vec<&str> = seen[0]
        .head
        .lines()
        .skip(1)
        .filter_map(|line| line.split(':').next())
        .collect();
    let mut names: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    names.sort();
    assert_eq!(
        names,
        ["", "accept", "authorization", "host", "user-agent", "x-kept"],
        "{seen:?}"
    );
    let underscore = [
        "--header",
        "X_Forwarded_For: 10.0.0.1",
        "{url}/billing/v1/invoices",
    ];
    assert_eq!(curl(&world, login, &underscore).status, "400");
}

#[test]
fn a_target_that_is_not_there_is_said_and_recorded() {
    let (_, world) = billing();
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let token = world.token("writer", &[]);
    let config = std::fs::read_to_string(world.folder.join("postern.yaml")).unwrap();
    let allowed = config
        .split("only_to: [\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let resources = std::fs::read_to_string(world.folder.join("resources/resources.yaml")).unwrap();
    world.change("resources.yaml", &resources.replace(allowed, &closed.to_string()));
    let answered = curl(&world, Login::Token(&token), &["{url}/billing/v1/invoices"]);
    assert_eq!(answered.status, "502", "{answered:?}");
    world.until("it is told of", || !world.records("kind=outcome").is_empty());
    assert_eq!(world.records("kind=outcome")[0]["status"], "failed");
}

/// What a client hears that sends these bytes inside TLS and reads until the end.
pub(crate) fn raw(world: &World, login: Login<'_>, sent: &str) -> String {
    let config = client_config(&world.folder.join("link-ca.pem"), login, &[b"http/1.1"]);
    let address = ("127.0.0.1", world.port);
    world.block_on(async {
        let socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(config).connect(name, socket).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.read_to_end(&mut heard).await;
        String::from_utf8(heard).unwrap()
    })
}

#[test]
fn the_body_of_a_refused_request_is_never_taken_for_the_next_request() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("report");
    let login = Login::Certificate(&certificate, &key);
    let second = "GET /billing/v1/invoices/1 HTTP/1.1\r\nhost: a\r\n\r\n";
    for framing in [
        format!("content-length: {}\r\n\r\n{second}", second.len()),
        format!(
            "transfer-encoding: chunked\r\n\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            second.len()
        ),
    ] {
        let heard = raw(
            &world,
            login,
            &format!("POST /billing/v1/invoices HTTP/1.1\r\nhost: a\r\n{framing}"),
        );
        assert!(heard.starts_with("HTTP/1.1 403 "), "{heard}");
        assert_eq!(heard.matches("HTTP/1.1 ").count(), 1, "{heard}");
    }
    assert_eq!(api.lines(), [""; 0]);
}

#[test]
fn a_key_that_is_read_from_the_query_is_the_gateway_s_to_say_and_never_the_client_s() {
    let api = Api::start(|seen| answer("200 OK", seen.line()));
    let query = "query: { name: api_key, value: \"env:POSTERN_TEST_API_KEY\" }";
    let world = api::house(&api, query, POLICIES, "");
    let token = world.token("report", &[]);
    let get = |asked: &str| {
        let url = format!("{{url}}/billing/v1/invoices{asked}");
        curl(&world, Login::Token(&token), &[&url])
    };
    for asked in ["", "?", "?page=2", "?page=2&", "?api_key_id=1"] {
        let answered = get(asked);
        assert_eq!(answered.status, "200", "{asked} {answered:?}");
    }
    let said = api.lines();
    let ends = ["?", "?", "?page=2&", "?page=2&&", "?api_key_id=1&"];
    assert_eq!(said.len(), ends.len());
    for (said, asked) in said.iter().zip(ends) {
        assert_eq!(*said, format!("GET /v1/invoices{asked}api_key={KEY} HTTP/1.1"));
    }
    for asked in [
        "?api_key=mine",
        "?a=b&api_key=mine",
        "?api%5fkey=mine",
        "?a=b;api_key=mine",
        "?API_KEY=mine",
        "?api_key",
        "?a;api_key",
    ] {
        assert_eq!(get(asked).status, "400", "{asked}");
    }
    assert_eq!(api.seen().len(), ends.len());
}

#[test]
fn a_refusal_is_heard_by_who_is_still_sending() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("report");
    let login = Login::Certificate(&certificate, &key);
    let body = "x".repeat(400_000);
    for _ in 0..20 {
        let head = format!(
            "POST /billing/v1/invoices HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n",
            2 * body.len()
        );
        let heard = raw(&world, login, &format!("{head}\r\n{body}"));
        assert!(heard.starts_with("HTTP/1.1 403 "), "{heard}");
    }
    assert_eq!(api.lines(), [""; 0]);
}

#[test]
fn a_request_with_two_lengths_is_refused_or_sent_on_with_one() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let inner = "GET /billing/v1/inner HTTP/1.1\r\nhost: a\r\n\r\n";
    for head in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 5, 6\r\n",
        "content-length: +5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5 5\r\n",
        "content-length: -1\r\n",
        "content-length : 5\r\n",
        " content-length: 5\r\n",
        "content-length: 5\r\n\tcontent-type: a\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: gzip\r\n",
        "transfer-encoding:\x0bchunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "host: b\r\n",
        "bad\0name: a\r\n",
    ] {
        let before = api.seen().len();
        let sent = format!(
            "POST /billing/v1/outer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{head}\r\n0\r\n\r\n{inner}"
        );
        let heard = raw(&world, login, &sent);
        let seen = api.seen();
        let lines: Vec<&str> = seen[before..].iter().map(|seen| seen.line()).collect();
        assert!(
            lines.is_empty() || lines == ["POST /v1/outer HTTP/1.1"],
            "{head:?}: {lines:?}"
        );
        for seen in &seen[before..] {
            let framings = seen.header("content-length").len() + seen.header("transfer-encoding").len();
            assert_eq!(framings, 1, "{head:?}: {seen:?}");
        }
        if lines.is_empty() {
            assert!(
                heard.is_empty() || heard.starts_with("HTTP/1.1 400 "),
                "{head:?}: {heard}"
            );
        }
    }
}

#[test]
fn one_connection_to_a_target_serves_many_requests_of_many_workloads() {
    let (api, world) = billing();
    let report = world.token("report", &[]);
    let writer = world.token("writer", &[]);
    for token in [&report, &writer, &report, &writer] {
        let answered = curl(&world, Login::Token(token), &["{url}/billing/v1/invoices"]);
        assert_eq!(answered.status, "200", "{answered:?}");
    }
    // Two workers have one each at most.
    assert!(api.connections() <= 2, "{}", api.connections());
}

/// A response that begins and does not end, and one that echoes.
fn endless(seen: &api::Seen) -> Vec<u8> {
    match seen.line().contains("/endless") {
        true => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nbegun\r\n".to_vec(),
        false => answer("200 OK", &format!("{}", seen.body.len())),
    }
}

#[test]
fn an_operators_order_ends_a_response_that_is_under_way() {
    let api = Api::start(endless);
    let world = api::house(&api, BEARER, POLICIES, "");
    let (certificate, key) = world.certificate("writer");
    for flag in ["--http1.1", "--http2"] {
        let before = api.seen().len();
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let login = Login::Certificate(&certificate, &key);
                curl_that_may_fail(&world, login, &[flag, "{url}/billing/v1/endless"])
            });
            world.until("it has begun", || api.seen().len() > before);
            let order = json!({ "workload": "writer", "reason": "a test" });
            let done = world.post_operators("/v1/sessions/end", &order);
            assert!(done.contains('1'), "{done}");
            let heard = asking.join().unwrap();
            assert!(heard.starts_with("begun"), "{heard}");
        });
        world.until("the session is over", || {
            let ends = world.records("kind=session_ended");
            let why = |end: &Value| end["message"] == "this session was ended by an operator";
            ends.first().is_some_and(why)
        });
        assert_eq!(world.records("kind=outcome")[0]["status"], "abandoned");
    }
}

#[test]
fn bodies_go_both_ways_whole_and_in_the_room_of_a_few_pieces() {
    let api = Api::start(endless);
    let world = api::house(&api, BEARER, POLICIES, "");
    let token = world.token("writer", &[]);
    let big = world.folder.join("big");
    std::fs::write(&big, vec![b'a'; 8 << 20]).unwrap();
    let data = format!("@{}", big.display());
    for flag in ["--http1.1", "--http2"] {
        for chunked in ["Content-Type: a/b", "Transfer-Encoding: chunked"] {
            let posted = [
                flag,
                "--data-binary",
                &data,
                "--header",
                chunked,
                "{url}/billing/v1/blob",
            ];
            let answered = curl(&world, Login::Token(&token), &posted);
            assert_eq!(
                (&*answered.status, &*answered.body),
                ("200", "8388608"),
                "{answered:?}"
            );
        }
    }
}

#[test]
fn a_head_is_no_longer_than_http_headers_max_and_http_head_bytes_max_say() {
    let api = Api::start(hello);
    let limits = "http_headers_max: 20, http_head_bytes_max: 10000";
    let world = api::house(&api, BEARER, POLICIES, limits);
    let token = world.token("writer", &[]);
    let many: Vec<String> = (0..20).map(|number| format!("x-{number}: a")).collect();
    let many: Vec<&str> = many.iter().flat_map(|header| ["--header", header]).collect();
    let long = format!("x-long: {}", "a".repeat(10_000));
    let long = ["--header", &*long];
    for (flag, headers) in [("--http1.1", &*many), ("--http1.1", &long), ("--http2", &long)] {
        let wanted = [flag, "{url}/billing/v1/invoices"];
        let answered = curl(&world, Login::Token(&token), &[&wanted, headers].concat());
        assert_ne!(answered.status, "200", "{flag}: {answered:?}");
    }
    assert_eq!(api.lines(), [""; 0]);
    let answered = curl(&world, Login::Token(&token), &["{url}/billing/v1/invoices"]);
    assert_eq!(answered.status, "200", "{answered:?}");
}

#[test]
fn a_connection_is_closed_that_asks_nothing_for_http_idle_seconds_max() {
    let api = Api::start(hello);
    let world = api::house(&api, BEARER, POLICIES, "http_idle_seconds_max: 1");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let heard = raw(
        &world,
        login,
        "GET /billing/v1/invoices HTTP/1.1\r\nhost: a\r\n\r\n",
    );
    assert_eq!(heard.matches("HTTP/1.1 200 OK").count(), 1, "{heard}");
    let heard = raw(&world, login, "GET /billing/v1/invoices HTTP/1.1\r\nhost:");
    assert!(!heard.contains("200 OK"), "{heard}");
}

#[test]
fn a_target_that_does_not_answer_within_http_response_seconds_max_is_given_up() {
    let api = Api::start(|_| Vec::new());
    let world = api::house(&api, BEARER, POLICIES, "http_response_seconds_max: 1");
    let answered = curl(
        &world,
        Login::Token(&world.token("writer", &[])),
        &["{url}/billing/v1/invoices"],
    );
    assert_eq!(answered.status, "502", "{answered:?}");
    assert_eq!(
        answered.problem()["detail"],
        "it did not answer within `http_response_seconds_max`"
    );
}

#[test]
fn a_connection_is_told_that_no_more_than_http_streams_max_run_at_once() {
    let api = Api::start(hello);
    let world = api::house(&api, BEARER, POLICIES, "http_streams_max: 7");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let config = client_config(&world.folder.join("link-ca.pem"), login, &[b"h2"]);
    let settings = world.block_on(async {
        let socket = tokio::net::TcpStream::connect(("127.0.0.1", world.port))
            .await
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(config).connect(name, socket).await.unwrap();
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        stream.write_all(preface).await.unwrap();
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let mut settings = vec![0; usize::from(head[2])];
        stream.read_exact(&mut settings).await.unwrap();
        settings
    });
    // SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113, section 6.5.2).
    let streams = settings.chunks(6).find(|setting| setting[..2] == [0, 3]);
    assert_eq!(streams.expect("the setting")[2..], [0, 0, 0, 7]);
}

#[test]
fn one_connection_comes_with_no_more_than_http_sessions_per_connection_max_identities() {
    let api = Api::start(hello);
    let world = api::house(&api, BEARER, POLICIES, "http_sessions_per_connection_max: 1");
    let request = |workload: &str, end: &str| {
        let token = world.token(workload, &[]);
        format!("GET /billing/v1/invoices HTTP/1.1\r\nhost: a\r\nauthorization: bearer {token}\r\n{end}\r\n")
    };
    let sent = request("writer", "") + &request("report", "connection: close\r\n");
    let heard = raw(&world, Login::Token(""), &sent);
    assert!(
        heard.starts_with("HTTP/1.1 200 OK") && heard.contains("HTTP/1.1 429 "),
        "{heard}"
    );
    assert!(
        heard.contains("the limit is `http_sessions_per_connection_max`"),
        "{heard}"
    );
    assert_eq!(api.lines().len(), 1);
}

#[test]
fn connections_to_a_target_wait_for_others_as_many_and_as_long_as_the_limits_say() {
    for limits in ["http_upstreams_idle_max: 0", "http_upstream_idle_seconds_max: 0"] {
        let api = Api::start(hello);
        let world = api::house(&api, BEARER, POLICIES, limits);
        let token = world.token("writer", &[]);
        for _ in 0..3 {
            let answered = curl(&world, Login::Token(&token), &["{url}/billing/v1/invoices"]);
            assert_eq!(answered.status, "200", "{answered:?}");
        }
        assert_eq!(api.connections(), 3, "{limits}");
    }
}

#[test]
fn can_says_of_a_request_what_would_become_of_it() {
    let (api, world) = billing();
    let resources = world.folder.join("resources");
    let resources = resources.to_str().unwrap();
    for offline in [&[][..], &["--resources", resources]] {
        let can = |request: &str| {
            let asked = ["can", "report", "--target", "billing", "--request", request];
            let output = world.postern(&[&asked, offline].concat());
            let said = String::from_utf8(output.stdout).unwrap();
            (output.status.code().unwrap(), said)
        };
        let (code, said) = can("GET /v1/invoices/42?secret=yes");
        assert!(code == 0 && said.contains("report-reads"), "{said}");
        let (code, said) = can("POST /v1/invoices");
        assert!(code == 3 && said.contains("no rule permits it"), "{said}");
        assert!(
            said.contains("resource == Postern::Path::\"billing:/v1/invoices\""),
            "{said}"
        );
        let (code, said) = can("GET /v1//invoices");
        assert!(code == 3 && said.contains("empty segment"), "{said}");
        let (code, said) = can("BREW /v1/invoices");
        assert!(code == 3 && said.contains("`BREW` is not served"), "{said}");
    }
    let wrong = ["can", "report", "--target", "shop", "--request", "GET /"];
    assert_ne!(world.postern(&wrong).status.code(), Some(0));
    let wrong = ["can", "report", "--target", "billing", "--sql", "select 1"];
    assert_ne!(world.postern(&wrong).status.code(), Some(0));
    assert_eq!(api.lines(), [""; 0]);
}

#[test]
fn a_session_is_ended_that_is_older_than_session_seconds_max() {
    let api = Api::start(endless);
    let world = api::house(&api, BEARER, POLICIES, "session_seconds_max: 1");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let heard = curl_that_may_fail(&world, login, &["{url}/billing/v1/endless"]);
    assert!(heard.starts_with("begun"), "{heard}");
    world.until("the session is over", || {
        let ends = world.records("kind=session_ended");
        let why = |end: &Value| end["message"] == "this session reached a limit";
        ends.first().is_some_and(why)
    });
}

/// Says its key back in a header, and changes the protocol unasked where the path says so.
fn hostile(seen: &api::Seen) -> Vec<u8> {
    if seen.line().contains("/switch") {
        return b"HTTP/1.1 101 Switching Protocols\r\nupgrade: a\r\nconnection: upgrade\r\n\r\n".to_vec();
    }
    let key = seen.header("authorization").concat();
    if seen.line().contains("/trailer") {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-echo\r\n\r\n";
        return format!("{head}0\r\nx-echo: {key}\r\n\r\n").into_bytes();
    }
    format!("HTTP/1.1 200 OK\r\nx-echo: {key}\r\nlocation: /{key}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

#[test]
fn a_target_that_says_its_key_back_or_changes_the_protocol_is_not_believed() {
    let api = Api::start(hostile);
    let world = api::house(&api, BEARER, POLICIES, "");
    let token = world.token("writer", &[]);
    for flag in ["--http1.1", "--http2"] {
        let answered = curl(
            &world,
            Login::Token(&token),
            &[flag, "--include", "{url}/billing/v1/a"],
        );
        assert_eq!(answered.status, "200", "{answered:?}");
        assert!(
            !answered.body.contains(KEY) && answered.body.contains("Bearer ***"),
            "{answered:?}"
        );
        let trailer = [
            "--header",
            "TE: trailers",
            flag,
            "--include",
            "{url}/billing/v1/trailer",
        ];
        let answered = curl(&world, Login::Token(&token), &trailer);
        assert!(!answered.body.contains(KEY), "{answered:?}");
        // Only over HTTP/2 does curl print what comes behind the body.
        assert!(
            flag != "--http2" || answered.body.contains("x-echo: Bearer ***"),
            "{answered:?}"
        );
        let answered = curl(&world, Login::Token(&token), &[flag, "{url}/billing/v1/switch"]);
        assert_eq!(answered.status, "502", "{answered:?}");
    }
}

#[test]
fn hosts_that_do_not_agree_and_what_is_not_served_are_refused() {
    let (api, world) = billing();
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    for head in [
        "GET /billing/v1/a HTTP/1.1\r\nhost: a\r\nhost: b\r\n",
        "GET https://a/billing/v1/a HTTP/1.1\r\nhost: b\r\n",
        "GET https://a@b/billing/v1/a HTTP/1.1\r\nhost: a@b\r\n",
        "GET /billing/v1/a HTTP/1.1\r\nhost: a b\r\n",
        "GET /billing/v1/a HTTP/1.1\r\nhost: a@b\r\n",
        "GET /billing/v1/a HTTP/1.1\r\nhost:\r\n",
        "GET /billing/v1/a HTTP/1.1\r\n",
        "GET /billing/v1/a HTTP/1.0\r\nhost: a\r\n",
        "POST /billing/v1/a HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n",
        "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n",
        "TRACE /billing/v1/a HTTP/1.1\r\nhost: a\r\n",
        "GET /billing/v1/a HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n",
        "GET /billing/v1/a HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n",
    ] {
        let after = "GET /billing/v1/b HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let heard = raw(&world, login, &format!("{head}connection: close\r\n\r\n{after}"));
        assert!(!heard.contains("200 OK"), "{head}: {heard}");
    }
    assert_eq!(api.lines(), [""; 0]);
}
