//! What operators may ask, how it is answered, and who may not.

use std::time::Duration;

use crate::support::House;
use hyper::StatusCode;
use postern_control::config::Limits;
use postern_link::wire::from_control::Message as To;
use postern_link::wire::from_gateway::Message as From;
use postern_link::wire::{Effect, Kind, OrderDone, Record, Status};
use prost::Message as _;
use serde_json::{Value, json};

const ROUTES: [(&str, &str); 12] = [
    ("GET", "/v1/sessions"),
    ("GET", "/v1/sessions/00"),
    ("POST", "/v1/sessions/end"),
    ("GET", "/v1/records"),
    ("GET", "/v1/records/tail"),
    ("GET", "/v1/decisions/gw.1.1.1"),
    ("GET", "/v1/audit/checkpoint"),
    ("POST", "/v1/audit/verify"),
    ("GET", "/v1/gateways"),
    ("GET", "/v1/snapshot"),
    ("GET", "/v1/nothing"),
    ("GET", "/readyz?verbose"),
];

fn ids(answer: &Value) -> Vec<u64> {
    let numbers = answer["records"].as_array().unwrap().iter();
    numbers
        .map(|record| number(record["id"].as_str().unwrap()))
        .collect()
}

fn number(id: &str) -> u64 {
    id.parse::<postern_link::record::RecordId>().unwrap().number
}

async fn ship(house: &House, records: Vec<Record>) -> crate::support::Gateway {
    let mut gateway = house.gateway("gw-1").await;
    let records = (1..).zip(records).map(|(number, record)| {
        Record {
            number,
            gateway: "gw-1".into(),
            epoch: 7,
            ..record
        }
        .encode_to_vec()
    });
    let records: Vec<_> = records.collect();
    gateway.send(7, 1, records).await.unwrap();
    gateway
}

fn of_session(session: u8, kind: Kind) -> Record {
    Record {
        kind: kind.into(),
        session: vec![session; 16],
        workload: format!("workload-{session}"),
        target: "orders".into(),
        time_us: 1_700_000_000_000_000 + i64::from(session),
        permitted: kind == Kind::Intent,
        ..Record::default()
    }
}

#[tokio::test]
async fn no_route_answers_without_the_whole_token() {
    let house = House::start().await;
    let token = house.running().operator_token.reveal().to_owned();
    for (method, path) in ROUTES {
        for wrong in [
            None,
            Some(""),
            Some("x"),
            Some(&token[1..]),
            Some(&token[..token.len() - 1]),
        ] {
            let (status, body) = house.request(method, path, wrong, "{}").await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{method} {path} {wrong:?}");
            assert_eq!(body["status"], 401);
        }
    }
    for path in ["/livez", "/readyz"] {
        house.snapshot().await;
        assert_eq!(house.request("GET", path, None, "").await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_a_problem_in_our_words() {
    let house = House::start().await;
    for (method, path, body, status, says) in [
        ("GET", "/v1/nothing", "", 404, "nothing at this path"),
        ("POST", "/v1/records", "", 405, "another method"),
        ("GET", "/v1/records?worklaod=x", "", 400, "`worklaod` is unknown"),
        (
            "GET",
            "/v1/records?limit=0",
            "",
            400,
            "`limit` must be a number from 1",
        ),
        (
            "GET",
            "/v1/records?limit=1001",
            "",
            400,
            "`limit` must be a number from 1",
        ),
        ("GET", "/v1/records?kind=intents", "", 400, "`intent`"),
        (
            "GET",
            "/v1/records?since=yesterday",
            "",
            400,
            "`since` must be a time",
        ),
        ("GET", "/v1/records?permitted=1", "", 400, "`true` or `false`"),
        ("GET", "/v1/records?session=xyz", "", 400, "hexadecimal"),
        ("GET", "/v1/records?after=-1", "", 400, "`after`"),
        ("GET", "/v1/records?target=a&target=b", "", 400, "twice"),
        ("GET", "/v1/gateways?x=1", "", 400, "there are none here"),
        ("GET", "/v1/sessions/zz", "", 400, "hexadecimal"),
        ("GET", "/v1/sessions/00ff", "", 404, "no session"),
        ("GET", "/v1/decisions/x", "", 400, "is not a decision id"),
        ("GET", "/v1/decisions/gw.1.1.1", "", 404, "no decision"),
        ("POST", "/v1/sessions/end", "{", 400, "line 1"),
        (
            "POST",
            "/v1/sessions/end",
            r#"{"reason":"x"}"#,
            400,
            "name `sessions`",
        ),
        (
            "POST",
            "/v1/sessions/end",
            r#"{"reason":" ","workload":"w"}"#,
            400,
            "`reason`",
        ),
        (
            "POST",
            "/v1/sessions/end",
            r#"{"reason":"x","workload":"w","all":true}"#,
            400,
            "line 1",
        ),
        (
            "POST",
            "/v1/sessions/end",
            r#"{"reason":"x","sessions":["zz"]}"#,
            400,
            "hexadecimal",
        ),
    ] {
        let token = house.running().operator_token.reveal().to_owned();
        let (code, answer) = house.request(method, path, Some(&token), body).await;
        assert_eq!(code.as_u16(), status, "{method} {path} {answer}");
        assert!(
            answer["detail"].as_str().unwrap().contains(says),
            "{path} {answer}"
        );
    }
}

#[tokio::test]
async fn pages_follow_the_cursor_and_hold_every_record_once() {
    let house = House::start().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=25).await;
    for (order, expected) in [
        ("oldest", (1..=25).collect::<Vec<u64>>()),
        ("newest", (1..=25).rev().collect()),
    ] {
        let mut seen = Vec::new();
        let mut path = format!("/v1/records?kind=intent&order={order}&limit=10");
        loop {
            let page = house.good(&path).await;
            seen.extend(ids(&page));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/records?kind=intent&order={order}&limit=10&after={next}");
        }
        assert_eq!(seen, expected, "{order}");
    }
}

#[tokio::test]
async fn a_page_ends_before_it_has_too_many_bytes() {
    let house = House::start_with(Limits {
        page_bytes_max: 3_000,
        ..Limits::default()
    })
    .await;
    let large = |size| Record {
        text: "x".repeat(size),
        ..of_session(1, Kind::Intent)
    };
    ship(&house, vec![large(2_000), large(2_000), large(9_000), large(10)]).await;
    let mut sizes = Vec::new();
    let mut path = "/v1/records?kind=intent".to_owned();
    loop {
        let page = house.good(&path).await;
        sizes.push(page["records"].as_array().unwrap().len());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/records?kind=intent&after={next}");
    }
    assert_eq!(sizes, [1, 1, 1, 1]);
}

#[tokio::test]
async fn every_filter_of_records_holds() {
    let house = House::start().await;
    ship(
        &house,
        vec![
            of_session(1, Kind::Intent),
            Record {
                text: "select secret_column".into(),
                ..of_session(2, Kind::Intent)
            },
            Record {
                target: "billing".into(),
                message: "no 100% rule_x".into(),
                ..of_session(3, Kind::Refused)
            },
            Record {
                rules: vec!["report.cedar#2".into()],
                ..of_session(1, Kind::Prepared)
            },
        ],
    )
    .await;
    for (query, expected) in [
        ("gateway=gw-1", vec![1, 2, 3, 4]),
        ("workload=workload-1", vec![1, 4]),
        ("target=billing", vec![3]),
        ("target=orders&workload=workload-2", vec![2]),
        ("session=02020202020202020202020202020202", vec![2]),
        ("session=02020202-0202-0202-0202-020202020202", vec![2]),
        ("kind=refused,prepared", vec![3, 4]),
        ("gateway=gw-1&permitted=true", vec![1, 2]),
        ("gateway=gw-1&permitted=false", vec![3, 4]),
        ("text=secret_", vec![2]),
        ("text=100%25%20rule_x", vec![3]),
        ("text=%25", vec![3]),
        ("text=secret%25", vec![]),
        ("text=report.cedar", vec![4]),
        ("gateway=gw-1&since=2023-11-14T22:13:20.000002Z", vec![2, 3]),
        ("gateway=gw-1&until=2023-11-14T22:13:20.000002Z", vec![1, 4]),
        ("text=';DROP%20TABLE%20records;--", vec![]),
    ] {
        assert_eq!(
            ids(&house.good(&format!("/v1/records?{query}")).await),
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn outcomes_stand_with_their_intents_and_what_nobody_can_tell_is_unknown() {
    let house = House::start().await;
    let outcome = Record {
        of: 2,
        status: Status::Done.into(),
        rows: 12,
        tag: "SELECT 12".into(),
        ..of_session(1, Kind::Outcome)
    };
    let mut gateway = ship(
        &house,
        vec![
            of_session(1, Kind::SessionOpened),
            of_session(1, Kind::Intent),
            of_session(1, Kind::Intent),
            outcome,
            of_session(2, Kind::Intent),
        ],
    )
    .await;
    let statuses = async || -> Vec<Value> {
        let answer = house.good("/v1/records?kind=intent").await;
        answer["records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["outcome"]["status"].clone())
            .collect()
    };
    assert_eq!(statuses().await, ["done", "running", "running"]);
    let first = house.good("/v1/decisions/gw-1.0.7.2").await;
    assert_eq!(first["decision"]["outcome"]["rows"], 12);
    assert_eq!(first["decision"]["outcome"]["tag"], "SELECT 12");
    assert_eq!(first["decision"]["outcome"]["id"], "gw-1.0.7.4");
    let ended = Record {
        number: 6,
        gateway: "gw-1".into(),
        epoch: 7,
        ..of_session(1, Kind::SessionEnded)
    };
    gateway.send(7, 6, vec![ended.encode_to_vec()]).await.unwrap();
    assert_eq!(statuses().await, ["done", "unknown", "running"]);
    // A new life of the gateway: nobody of the old one can tell any more.
    let again = Record {
        number: 1,
        gateway: "gw-1".into(),
        epoch: 8,
        ..of_session(3, Kind::Intent)
    };
    gateway.send(8, 1, vec![again.encode_to_vec()]).await.unwrap();
    assert_eq!(statuses().await, ["done", "unknown", "unknown", "running"]);
}

#[tokio::test]
async fn a_session_is_what_its_records_add_up_to() {
    let house = House::start().await;
    let opened = Record {
        evidence: "token".into(),
        run: [("repository".to_owned(), "a/b".to_owned())].into(),
        source: "192.0.2.1".into(),
        role: "report".into(),
        ..of_session(1, Kind::SessionOpened)
    };
    let counted = Record {
        count: 5,
        ..of_session(1, Kind::RefusedCounted)
    };
    let outcome = Record {
        of: 3,
        rows: 4,
        ..of_session(1, Kind::Outcome)
    };
    ship(
        &house,
        vec![
            opened,
            of_session(2, Kind::SessionOpened),
            of_session(1, Kind::Intent),
            outcome,
            of_session(1, Kind::Refused),
            counted,
            Record {
                message: "the client left".into(),
                ..of_session(2, Kind::SessionEnded)
            },
        ],
    )
    .await;
    let live = house.good("/v1/sessions?live=true").await;
    assert_eq!(live["sessions"].as_array().unwrap().len(), 1);
    let session = &live["sessions"][0];
    let expected = json!({
        "state": "live", "statements": 1, "refusals": 6, "rows": 4, "evidence": "token",
        "workload": "workload-1", "target": "orders", "role": "report", "source": "192.0.2.1",
        "run": {"repository": "a/b"}, "opened": "2023-11-14T22:13:20.000001Z", "ended": null,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(session[name], *value, "{name}");
    }
    let ended = house.good("/v1/sessions?live=false&workload=workload-2").await;
    assert_eq!(ended["sessions"][0]["ended_why"], "the client left");
    assert_eq!(
        house.good("/v1/sessions?target=billing").await["sessions"],
        json!([])
    );
    let id = session["id"].as_str().unwrap();
    let one = house.good(&format!("/v1/sessions/{id}")).await;
    assert_eq!(ids(&one), [1, 3, 4, 5, 6]);
    let page = house.good("/v1/sessions?limit=1").await;
    let next = page["next"].as_str().unwrap();
    let rest = house.good(&format!("/v1/sessions?limit=1&after={next}")).await;
    assert_ne!(page["sessions"][0]["id"], rest["sessions"][0]["id"]);
}

#[tokio::test]
async fn a_tail_waits_for_what_is_new() {
    let house = House::start().await;
    house.snapshot().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=3).await;
    let newest = house.good("/v1/records/tail?limit=2").await;
    assert_eq!(ids(&newest), [2, 3]);
    let cursor = newest["next"].as_str().unwrap();
    let idle = house
        .good(&format!("/v1/records/tail?after={cursor}&wait_ms=1"))
        .await;
    assert_eq!(
        (&idle["records"], idle["next"].as_str()),
        (&json!([]), Some(cursor))
    );
    let path = format!("/v1/records/tail?after={cursor}&text=select%205");
    let (tail, _) = tokio::join!(house.good(&path), async {
        gateway.ship(7, 4..=4).await;
        gateway.ship(7, 5..=5).await;
    });
    assert_eq!(ids(&tail), [5]);
}

#[tokio::test]
async fn what_a_caller_wrote_is_one_record_in_and_one_out() {
    let house = House::start().await;
    let texts = [
        "select 1\n{\"id\":\"gw-1.0.7.9\",\"kind\":\"intent\",\"permitted\":true}\n",
        "\u{1b}[2J\u{1b}]0;x\u{7}",
        "\u{202e}txet\u{2066}\u{2069}",
        "a\u{2028}b\u{2029}c\u{85}d\r\ne\0f",
        "=cmd()|' /C calc'!A0",
        "\"},{\"x\":\"",
    ];
    let records = texts.iter().map(|text| Record {
        text: (*text).into(),
        client_says: (*text).into(),
        message: (*text).into(),
        ..of_session(1, Kind::Intent)
    });
    ship(&house, records.collect()).await;
    let answer = house.good("/v1/records?kind=intent").await;
    let records = answer["records"].as_array().unwrap();
    assert_eq!(records.len(), texts.len());
    for (record, text) in records.iter().zip(texts) {
        for name in ["text", "client_says", "message"] {
            assert_eq!(record[name], text);
        }
    }
}

#[tokio::test]
async fn an_order_is_recorded_given_to_the_gateways_and_answered_by_them() {
    let house = House::start().await;
    let mut gateway = ship(&house, vec![of_session(1, Kind::SessionOpened)]).await;
    let answer = async |gateway: &mut crate::support::Gateway, ended| {
        let To::Order(order) = gateway.answer().await.unwrap() else {
            panic!("no order")
        };
        let id = order.id.clone();
        gateway
            .say(From::OrderDone(OrderDone {
                id,
                sessions_ended: ended,
            }))
            .await;
        order.end_sessions.unwrap()
    };
    let body = r#"{"workload":"workload-1","reason":"key leaked"}"#;
    let (told, end) = tokio::join!(house.tell("/v1/sessions/end", body), answer(&mut gateway, 3));
    assert_eq!(
        (end.workload.as_str(), end.reason.as_str()),
        ("workload-1", "key leaked")
    );
    assert_eq!(told.0, StatusCode::OK);
    assert_eq!(
        (&told.1["complete"], &told.1["sessions_ended"]),
        (&json!(true), &json!(3))
    );
    let records = house.good("/v1/records?kind=ordered").await;
    assert_eq!(records["records"][0]["message"], "end sessions: key leaked");
    assert_eq!(records["records"][0]["workload"], "workload-1");
}

#[tokio::test]
async fn an_order_reaches_a_gateway_that_was_away_for_the_sessions_known_then() {
    let house = House::start_with(Limits {
        order_wait_ms: 1,
        ..Limits::default()
    })
    .await;
    let gateway = ship(&house, vec![of_session(1, Kind::SessionOpened)]).await;
    drop(gateway);
    while house.good("/v1/gateways").await["gateways"][0]["connected"] == json!(true) {
        tokio::task::yield_now().await;
    }
    let body = r#"{"target":"orders","reason":"closed"}"#;
    let (_, told) = house.tell("/v1/sessions/end", body).await;
    assert_eq!(told["complete"], json!(false));
    assert_eq!(told["gateways"], json!([{"gateway": "gw-1", "state": "away"}]));
    let mut gateway = house.gateway("gw-1").await;
    let To::Order(order) = gateway.answer().await.unwrap() else {
        panic!("no order")
    };
    let end = order.end_sessions.unwrap();
    assert_eq!((end.sessions, end.target.as_str()), (vec![vec![1; 16]], ""));
}

#[tokio::test]
async fn an_order_outlives_the_control_plane_that_took_it() {
    let mut house = House::start_with(Limits {
        order_wait_ms: 1,
        ..Limits::default()
    })
    .await;
    let mut gateway = ship(&house, vec![of_session(1, Kind::SessionOpened)]).await;
    let body = r#"{"workload":"workload-1","reason":"key\nleaked"}"#;
    house.tell("/v1/sessions/end", body).await;
    // Opened after the order was given, and so not meant by it.
    let later = Record {
        number: 2,
        gateway: "gw-1".into(),
        epoch: 7,
        ..of_session(1, Kind::SessionOpened)
    };
    let later = Record {
        session: vec![9; 16],
        ..later
    };
    let Ok(To::Order(_)) = gateway.answer().await else {
        panic!("no order")
    };
    gateway.send(7, 2, vec![later.encode_to_vec()]).await.unwrap();
    drop(gateway);
    house.close().await;
    house.open().await.unwrap();
    let mut gateway = house.gateway("gw-1").await;
    let To::Order(order) = gateway.answer().await.unwrap() else {
        panic!("no order")
    };
    let end = order.end_sessions.unwrap();
    assert_eq!(
        (end.sessions, end.reason.as_str()),
        (vec![vec![1; 16]], "key\nleaked")
    );
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_said_to_be_silent() {
    let house = House::start_with(Limits {
        order_wait_ms: 1,
        ..Limits::default()
    })
    .await;
    let _gateway = house.gateway("gw-1").await;
    let body = r#"{"sessions":["0102"],"reason":"x"}"#;
    let (_, told) = house.tell("/v1/sessions/end", body).await;
    assert_eq!(told["complete"], json!(false));
    assert_eq!(
        told["gateways"],
        json!([{"gateway": "gw-1", "state": "not answered"}])
    );
}

#[tokio::test]
async fn a_decision_is_explained_with_the_rule_as_it_stood() {
    let house = House::start().await;
    let rule = "@id(\"named\") permit (principal, action, resource);";
    std::fs::write(
        house.resources().join("report.cedar"),
        format!("// first\n{rule}\nforbid;"),
    )
    .unwrap();
    let mut changes = house.running().snapshots().changes();
    let with_rule = |current: &Option<std::sync::Arc<postern_control::snapshots::Current>>| {
        current
            .as_ref()
            .is_some_and(|current| !current.snapshot.policies.is_empty())
    };
    let current = changes.wait_for(with_rule).await.unwrap().clone().unwrap();
    let record = Record {
        rules: vec![
            "named (report.cedar:2)".into(),
            "read-only.select@x/orders (library:1)".into(),
        ],
        policy_epoch: current.snapshot.number,
        effects: vec![Effect {
            action: "select".into(),
            resource: "Table::\"orders/orders/public/customers\"".into(),
            columns: vec!["id".into()],
            detail: String::new(),
        }],
        ..of_session(1, Kind::Intent)
    };
    ship(&house, vec![record]).await;
    std::fs::write(
        house.resources().join("report.cedar"),
        "forbid (principal, action, resource);",
    )
    .unwrap();
    changes.changed().await.unwrap();
    let answer = house.good("/v1/decisions/gw-1.0.7.1").await;
    let first = &answer["rules"][0];
    assert_eq!(
        (&first["name"], &first["line"], &first["text"]),
        (&json!("named"), &json!(2), &json!(rule))
    );
    assert_eq!(answer["rules"][1]["text"], Value::Null);
    assert_eq!(answer["snapshot"]["number"], current.snapshot.number);
    assert_eq!(answer["decision"]["effects"][0]["columns"], json!(["id"]));
}

#[tokio::test]
async fn gateways_are_shown_with_their_health_and_positions() {
    let house = House::start().await;
    let mut gateway = house.gateway("gw-1").await;
    let health = postern_link::wire::Health {
        sessions: 4,
        spool_bytes: 5,
        snapshot_number: 1,
    };
    gateway.say(From::Health(health)).await;
    gateway.ship(7, 1..=2).await;
    let shown = house.good("/v1/gateways").await["gateways"][0].clone();
    assert_eq!(
        (&shown["name"], &shown["connected"]),
        (&json!("gw-1"), &json!(true))
    );
    assert_eq!(shown["health"]["sessions"], 4);
    assert_eq!(shown["stored"], json!([{"worker": 0, "epoch": "7", "number": 2}]));
}

#[tokio::test]
async fn the_log_can_be_verified_while_it_grows() {
    let house = House::start().await;
    house.snapshot().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=300).await;
    let (verified, _) = tokio::join!(house.tell("/v1/audit/verify", ""), gateway.ship(7, 301..=600));
    assert_eq!(verified.1["good"], json!(true), "{}", verified.1);
    let (status, note) = house.ask("/v1/audit/checkpoint").await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        note.as_str().unwrap().starts_with("postern.test/audit\n601\n"),
        "{note}"
    );
    let path = house.audit_folder().join("00000000000000000000.segment");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let (_, verified) = house.tell("/v1/audit/verify", "").await;
    assert_eq!(verified["good"], json!(false));
    assert!(
        verified["wrong"][0]["record"].as_u64().unwrap().abs_diff(300) < 20,
        "{verified}"
    );
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up() {
    let house = House::start_with(Limits {
        query_timeout_ms: 0,
        ..Limits::default()
    })
    .await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=2_000).await;
    let (status, answer) = house.ask("/v1/records?text=nowhere").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_silent_ones_are_closed() {
    let limits = Limits {
        operator_connections_max: 1,
        request_head_timeout_ms: 50,
        ..Limits::default()
    };
    let house = House::start_with(limits).await;
    // Holds the only place and says nothing, until it is closed for that.
    let silent = tokio::net::TcpStream::connect(house.running().operators_address)
        .await
        .unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(30), house.good("/v1/gateways")).await;
    assert!(answered.is_ok());
    drop(silent);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_in_our_words() {
    let house = House::start_with(Limits {
        request_bytes_max: 100,
        ..Limits::default()
    })
    .await;
    let (status, answer) = house.tell("/v1/sessions/end", &" ".repeat(101)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        answer["detail"].as_str().unwrap().contains("too large"),
        "{answer}"
    );
    let (status, _) = house.ask("/v1/sessions/%ff").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_order_names_at_most_so_many_sessions() {
    let house = House::start_with(Limits {
        order_sessions_max: 1,
        ..Limits::default()
    })
    .await;
    let body = r#"{"sessions":["01","02"],"reason":"x"}"#;
    let (status, answer) = house.tell("/v1/sessions/end", body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        answer["detail"].as_str().unwrap().contains("at most 1"),
        "{answer}"
    );
}
