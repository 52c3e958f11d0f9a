//! What operators change: all of it or nothing, told to all, written down, and with a way back.

use hyper::StatusCode;
use postern_control::config::Limits;
use postern_link::snapshot::{Revoked, Snapshot};
use postern_link::wire::from_control::Message as To;
use postern_link::wire::from_gateway::Message as From;
use postern_link::wire::{Health, Kind};
use prost::Message as _;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::support::{Gateway, House, RESOURCES, statement};

/// A house whose resources are applied.
async fn house() -> House {
    let mut house = House::closed(Limits::default());
    house.follows_folder = false;
    house.open().await.unwrap();
    house
}

fn files(files: &[(&str, &str)]) -> Value {
    let files = files
        .iter()
        .map(|(name, text)| json!({ "name": name, "text": text }));
    files.collect()
}

async fn apply(house: &House, given: &[(&str, &str)], reason: &str) -> (StatusCode, Value) {
    let body = json!({ "files": files(given), "reason": reason });
    house.put("/v1/resources", None, &body.to_string()).await
}

async fn revoke(house: &House, of: Value, reason: &str) -> (StatusCode, Value) {
    let body = json!({ "of": of, "reason": reason });
    house.tell("/v1/revocations", &body.to_string()).await
}

const STORE: [&str; 3] = ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"];

/// The files of a closed house's store, those that there are.
fn store(house: &House) -> [Option<Vec<u8>>; 3] {
    STORE.map(|name| std::fs::read(house.folder.path().join("data").join(name)).ok())
}

fn set_back(house: &House, files: &[Option<Vec<u8>>; 3]) {
    for (name, file) in STORE.iter().zip(files) {
        let path = house.folder.path().join("data").join(name);
        let _ = std::fs::remove_file(&path);
        if let Some(file) = file {
            std::fs::write(path, file).unwrap();
        }
    }
}

/// The next snapshot that a gateway is sent, which it then says it decides by.
async fn followed(gateway: &mut Gateway) -> Snapshot {
    loop {
        if let To::Snapshot(signed) = gateway.next().await.unwrap() {
            let snapshot: Snapshot = serde_json::from_slice(&signed.snapshot).unwrap();
            let health = Health {
                snapshot_number: snapshot.number,
                ..Health::default()
            };
            gateway.say(From::Health(health)).await;
            return snapshot;
        }
    }
}

#[tokio::test]
async fn what_is_applied_is_in_force_at_every_gateway_when_it_is_answered() {
    let house = house().await;
    assert_eq!(house.ask("/v1/resources").await.0, StatusCode::NOT_FOUND);
    let mut gateway = house.gateway("gw-1").await;
    let given = [("report.yaml", RESOURCES), ("rules/a.cedar", "// one")];
    let (answer, heard) = tokio::join!(apply(&house, &given, "a beginning"), followed(&mut gateway));
    let (status, answer) = answer;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(
        answer,
        json!({ "snapshot": 1, "new": true, "complete": true, "behind": [], "away": [] })
    );
    assert_eq!(
        (heard.number, heard.policies[0].name.as_str()),
        (1, "rules/a.cedar")
    );
    let shown = house.good("/v1/resources").await;
    assert_eq!(shown["files"], files(&given));
    // The same again is nothing new.
    let (_, again) = apply(&house, &given, "again").await;
    assert_eq!(
        (&again["snapshot"], &again["new"]),
        (&json!(1), &json!(false)),
        "{again}"
    );
}

#[tokio::test]
async fn a_gateway_that_does_not_follow_is_told_to_whoever_changed_something() {
    let mut house = House::closed(Limits {
        order_wait_ms: 50,
        ..Limits::default()
    });
    house.follows_folder = false;
    house.open().await.unwrap();
    let _silent = house.gateway("gw-1").await;
    let (status, answer) = apply(&house, &[("report.yaml", RESOURCES)], "why").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        (&answer["complete"], &answer["behind"]),
        (&json!(false), &json!(["gw-1"]))
    );
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_every_mistake_is_told() {
    let mut house = House::closed(Limits::default());
    house.follows_folder = false;
    let validate = |snapshot: &Snapshot| match snapshot.policies.first() {
        Some(policy) if policy.text == "bad" => Err(vec!["rule one".to_owned(), "rule two".to_owned()]),
        _ => Ok(()),
    };
    house.open_validating(Arc::new(validate)).await.unwrap();
    apply(&house, &[("report.yaml", RESOURCES)], "good").await;
    let wrong: [(&[(&str, &str)], &str); 2] = [
        (&[("report.yaml", RESOURCES), ("a.cedar", "bad")], "rule two"),
        (&[("report.yaml", "kind: Workload\nname: x\n")], "report.yaml:2"),
    ];
    for (given, words) in wrong {
        let body = json!({ "files": files(given), "reason": "why" }).to_string();
        for path in ["/v1/resources", "/v1/resources?dry_run=true"] {
            let (status, told) = house.put(path, None, &body).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{told}");
            assert!(told["errors"].to_string().contains(words), "{told}");
        }
    }
    let (_, told) = house
        .put(
            "/v1/resources?dry_run=true",
            None,
            &json!({ "files": [] }).to_string(),
        )
        .await;
    assert_eq!(told["resources"]["workloads"], 0, "{told}");
    assert_eq!(house.good("/v1/resources").await["snapshot"], 1);
}

#[tokio::test]
async fn a_file_that_could_be_written_elsewhere_or_is_given_twice_is_refused() {
    let house = house().await;
    for name in [
        "../a.yaml",
        "/a.yaml",
        "a/../b.yaml",
        ".a.yaml",
        "a\\b.yaml",
        "c:a.yaml",
        "a//b.yaml",
        "a\n.yaml",
        "notes.txt",
        "",
    ] {
        let (status, told) = apply(&house, &[(name, "")], "why").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}: {told}");
    }
    let (status, _) = apply(&house, &[("a.yaml", ""), ("a.yaml", "")], "why").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    for reason in ["", " ", &"x".repeat(1025)] {
        let (status, _) = apply(&house, &[("report.yaml", RESOURCES)], reason).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(house.ask("/v1/snapshot").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn more_files_or_bytes_than_the_limits_are_refused() {
    let mut house = House::closed(Limits {
        resources_files_max: 2,
        resources_bytes_max: 10,
        apply_bytes_max: 1_000,
        ..Limits::default()
    });
    house.follows_folder = false;
    house.open().await.unwrap();
    for (given, words) in [
        (
            &[("a.cedar", ""), ("b.cedar", ""), ("c.cedar", "")][..],
            "2 files",
        ),
        (&[("a.cedar", "// 34567"), ("b.cedar", "// ")], "10 bytes"),
        (&[("a.cedar", &"/".repeat(1_000))], "too large"),
    ] {
        let (status, told) = apply(&house, given, "why").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(told["detail"].as_str().unwrap().contains(words), "{told}");
    }
    let (status, _) = apply(&house, &[("a.cedar", "// 34567"), ("b.cedar", "//")], "why").await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_writes_over_what_they_have_not_seen() {
    let house = house().await;
    apply(&house, &[("report.yaml", RESOURCES)], "one").await;
    let body = json!({ "files": files(&[("a.cedar", "// mine")]), "reason": "mine" }).to_string();
    let seen = house.good("/v1/snapshots/1").await["sources"]
        .as_str()
        .unwrap()
        .to_owned();
    apply(&house, &[("b.cedar", "// theirs")], "theirs").await;
    let tag = format!("\"{seen}\"");
    let (status, told) = house.put("/v1/resources", Some(&tag), &body).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED, "{told}");
    let (status, _) = house.put("/v1/resources", Some("*"), &body).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let now = house.good("/v1/snapshots/2").await["sources"]
        .as_str()
        .unwrap()
        .to_owned();
    let (status, told) = house
        .put("/v1/resources", Some(&format!("\"{now}\"")), &body)
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
}

#[tokio::test]
async fn the_history_says_who_why_and_what_and_leads_back() {
    let mut house = house().await;
    apply(
        &house,
        &[("report.yaml", RESOURCES), ("a.cedar", "// one")],
        "first",
    )
    .await;
    apply(&house, &[("report.yaml", RESOURCES)], "second").await;
    revoke(&house, json!({ "workload": "report" }), "it ran away").await;
    let (status, told) = house
        .tell("/v1/snapshots/1/restore", r#"{"reason": "as it was"}"#)
        .await;
    assert_eq!(status, StatusCode::OK, "{told}");
    house.close().await;
    house.open().await.unwrap();
    let history = house.good("/v1/snapshots?limit=3").await;
    let told: Vec<[&str; 3]> = history["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["by", "change", "reason"].map(|name| one[name].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["operator", "resources", "as it was"],
            ["operator", "revoked workload `report`", "it ran away"],
            ["operator", "resources", "second"],
        ]
    );
    let rest = house
        .good(&format!(
            "/v1/snapshots?after={}",
            history["next"].as_str().unwrap()
        ))
        .await;
    assert_eq!(
        (&rest["snapshots"][0]["reason"], &rest["next"]),
        (&json!("first"), &Value::Null)
    );
    let files = house.good("/v1/snapshots/4").await["files"].clone();
    assert_eq!(files, house.good("/v1/snapshots/1").await["files"]);
    assert_eq!(files, house.good("/v1/resources").await["files"]);
    // Going back lifts nothing.
    assert_eq!(
        house.good("/v1/revocations").await["revocations"][0]["of"],
        json!({ "workload": "report" })
    );
    for (path, status) in [
        ("/v1/snapshots/9/restore", StatusCode::NOT_FOUND),
        ("/v1/snapshots/x/restore", StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(house.tell(path, r#"{"reason": "why"}"#).await.0, status, "{path}");
    }
}

#[tokio::test]
async fn a_revocation_holds_until_it_is_lifted_through_restarts_and_a_lost_store() {
    let mut house = house().await;
    let (status, _) = revoke(&house, json!({ "workload": "report" }), "early").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "there are no resources");
    apply(&house, &[("report.yaml", RESOURCES)], "why").await;
    let (status, told) = revoke(&house, json!({ "workload": "report" }), "it ran away").await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    let (_, lifted) = revoke(&house, json!({ "network": "192.0.2.0/24" }), "a mistake").await;
    let path = format!(
        "/v1/revocations/{}/lift",
        lifted["revocation"]["id"].as_str().unwrap()
    );
    let (status, told) = house.tell(&path, r#"{"reason": "sorry"}"#).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    assert_eq!(
        house.tell(&path, r#"{"reason": "twice"}"#).await.0,
        StatusCode::NOT_FOUND
    );
    // The same once more is the same one.
    let (status, again) = revoke(&house, json!({ "workload": "report" }), "it still runs").await;
    assert_eq!(
        (status, &again["new"]),
        (StatusCode::OK, &json!(false)),
        "{again}"
    );

    house.close().await;
    house.open().await.unwrap();
    let held = house.good("/v1/revocations").await;
    assert_eq!(held["revocations"].as_array().unwrap().len(), 1);
    assert_eq!(held["revocations"][0]["reason"], "it ran away");

    house.close().await;
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        let _ = std::fs::remove_file(house.folder.path().join("data").join(name));
    }
    house.open().await.unwrap();
    assert_eq!(house.good("/v1/revocations").await, held);
    apply(&house, &[("report.yaml", RESOURCES)], "again").await;
    let current = house.running().snapshots().current().unwrap();
    assert_eq!(current.snapshot.revoked[0].of, Revoked::Workload("report".into()));

    let records = house.good("/v1/records?kind=revoked,lifted").await;
    let told: Vec<[&str; 2]> = records["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["subject", "message"].map(|name| one[name].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ["operator", "revoked workload `report`: it ran away"],
            ["operator", "revoked network `192.0.2.0/24`: a mistake"],
            ["operator", "lifted network `192.0.2.0/24`: sorry"],
        ]
    );
}

#[tokio::test]
async fn what_nobody_is_called_cannot_be_revoked() {
    let house = house().await;
    apply(&house, &[("report.yaml", RESOURCES)], "why").await;
    for of in [
        json!({ "workload": "repart" }),
        json!({ "target": "orders" }),
        json!({ "issuer": "github" }),
        json!({ "run": { "issuer": "github", "run_id": "1" } }),
        json!({ "key": { "issuer": "github", "key_id": "1" } }),
        json!({ "certificate": { "trust_domain": "example.com", "serial": "1" } }),
        json!({ "certificate": { "trust_domain": "example.org", "serial": "1234 (0x4d2)" } }),
        json!({ "certificate": { "trust_domain": "example.org", "serial": "" } }),
        json!({ "session": "0190" }),
        json!({ "session": "" }),
    ] {
        let (status, told) = revoke(&house, of.clone(), "why").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{of}: {told}");
    }
    for of in [
        json!({}),
        json!("x"),
        json!({ "network": "x" }),
        json!({ "all": true }),
    ] {
        let (status, _) = revoke(&house, of.clone(), "why").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{of}");
    }
    for of in [
        json!({ "issuer": "example.org" }),
        json!({ "certificate": { "trust_domain": "example.org", "serial": "0a:1b" } }),
        json!({ "session": "01907C6E-0000-7000-8000-0123456789ab" }),
    ] {
        let (status, told) = revoke(&house, of.clone(), "why").await;
        assert_eq!(status, StatusCode::CREATED, "{of}: {told}");
    }
    // In whatever way it is written, it is compared in one.
    revoke(&house, json!({ "network": "::ffff:198.51.100.0/120" }), "why").await;
    let held: Vec<Value> = house.good("/v1/revocations").await["revocations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["of"].clone())
        .collect();
    assert_eq!(
        held,
        [
            json!({ "issuer": "example.org" }),
            json!({ "certificate": { "trust_domain": "example.org", "serial": "a1b" } }),
            json!({ "session": "01907c6e00007000800001234567 89ab".replace(' ', "") }),
            json!({ "network": "198.51.100.0/24" }),
        ]
    );
}

#[tokio::test]
async fn a_store_that_was_set_back_lets_nobody_in_again_that_was_revoked_since() {
    let mut house = house().await;
    apply(&house, &[("report.yaml", RESOURCES)], "one").await;
    house.close().await;
    let backup = store(&house);
    house.open().await.unwrap();
    revoke(&house, json!({ "workload": "report" }), "it ran away").await;
    house.close().await;
    set_back(&house, &backup);
    house.open().await.unwrap();
    let mut changes = house.running().snapshots().changes();
    let current = changes.wait_for(|current| current.as_ref().unwrap().snapshot.number == 3);
    let current = current.await.unwrap().clone().unwrap();
    assert_eq!(current.snapshot.revoked[0].of, Revoked::Workload("report".into()));
}

#[tokio::test]
async fn no_gateway_writes_what_only_the_control_plane_does() {
    let house = house().await;
    for kind in [Kind::SnapshotMade, Kind::Ordered, Kind::Revoked, Kind::Lifted] {
        let mut gateway = house.gateway("gw-1").await;
        let mut record = statement("gw-1", 7, 1);
        record.kind = kind.into();
        record.policy_epoch = u64::MAX;
        let refused = gateway
            .send(7, 1, vec![record.encode_to_vec()])
            .await
            .unwrap_err();
        assert!(
            refused.message().contains("only the control plane writes"),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn there_are_at_most_revocations_max() {
    let mut house = House::closed(Limits {
        revocations_max: 1,
        ..Limits::default()
    });
    house.follows_folder = false;
    house.open().await.unwrap();
    apply(&house, &[("report.yaml", RESOURCES)], "why").await;
    let (_, first) = revoke(
        &house,
        json!({ "session": "01010101010101010101010101010101" }),
        "why",
    )
    .await;
    let (status, told) = revoke(
        &house,
        json!({ "session": "02020202020202020202020202020202" }),
        "why",
    )
    .await;
    assert_eq!(status, StatusCode::CONFLICT, "{told}");
    let path = format!(
        "/v1/revocations/{}/lift",
        first["revocation"]["id"].as_str().unwrap()
    );
    house.tell(&path, r#"{"reason": "room"}"#).await;
    assert_eq!(
        revoke(
            &house,
            json!({ "session": "02020202020202020202020202020202" }),
            "why"
        )
        .await
        .0,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_folder_is_changed_where_it_is_and_its_workloads_are_revoked_here() {
    let house = House::start().await;
    house.snapshot().await;
    let (status, told) = apply(&house, &[("report.yaml", RESOURCES)], "why").await;
    assert_eq!(status, StatusCode::CONFLICT, "{told}");
    let (status, told) = revoke(&house, json!({ "workload": "report" }), "why").await;
    assert_eq!(status, StatusCode::CREATED, "{told}");
    let mut changes = house.running().snapshots().changes();
    std::fs::write(house.resources().join("a.cedar"), "// new").unwrap();
    let changed = changes.wait_for(|current| current.as_ref().unwrap().snapshot.number == 3);
    assert_eq!(changed.await.unwrap().as_ref().unwrap().snapshot.revoked.len(), 1);
}

#[tokio::test]
async fn only_so_many_snapshots_and_their_files_are_kept() {
    let mut house = House::closed(Limits {
        snapshots_kept_max: 2,
        ..Limits::default()
    });
    house.follows_folder = false;
    house.open().await.unwrap();
    for text in ["// 1", "// 2", "// 3"] {
        apply(&house, &[("a.cedar", text)], "why").await;
    }
    assert_eq!(house.ask("/v1/snapshots/1").await.0, StatusCode::NOT_FOUND);
    assert_eq!(house.good("/v1/snapshots/2").await["files"][0]["text"], "// 2");
    let history = house.good("/v1/snapshots").await;
    assert_eq!(history["snapshots"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn the_figures_say_who_follows_and_what_holds_and_only_to_operators() {
    let house = house().await;
    assert_eq!(
        house.request("GET", "/metrics", None, "").await.0,
        StatusCode::UNAUTHORIZED
    );
    let mut gateway = house.gateway("gw-1").await;
    let given = [("report.yaml", RESOURCES)];
    tokio::join!(apply(&house, &given, "why"), followed(&mut gateway));
    let of = json!({ "workload": "report" });
    tokio::join!(revoke(&house, of, "why"), followed(&mut gateway));
    let (status, text) = house.ask("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let text = text.as_str().unwrap();
    for line in [
        "postern_log_writable 1",
        "postern_snapshot_number 2",
        "postern_revocations 1",
        "postern_gateways_connected 1",
        "postern_gateways_behind 0",
        "postern_log_records_total 3",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}: {text}");
    }
    drop(gateway);
}

#[tokio::test]
async fn a_snapshot_that_was_recorded_and_not_kept_is_told_once_and_its_number_is_not_given_again() {
    let mut house = house().await;
    apply(&house, &[("report.yaml", RESOURCES)], "one").await;
    house.close().await;
    // The store as it was before a crash between the record and the keeping of snapshot 2.
    let before = store(&house);
    house.open().await.unwrap();
    apply(&house, &[("a.cedar", "// two")], "two").await;
    house.close().await;
    set_back(&house, &before);
    for _ in 0..2 {
        house.open().await.unwrap();
        assert_eq!(house.good("/v1/resources").await["snapshot"], 1);
        let found = house.good("/v1/records?kind=finding").await;
        let found = found["records"].as_array().unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0]["message"]
                .as_str()
                .unwrap()
                .starts_with("snapshot 2 was recorded"),
            "{found:?}"
        );
        house.close().await;
    }
    house.open().await.unwrap();
    let (_, answer) = apply(&house, &[("a.cedar", "// three")], "three").await;
    assert_eq!(answer["snapshot"], 3);
}
