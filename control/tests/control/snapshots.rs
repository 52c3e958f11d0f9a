//! Snapshots: numbered, signed, pushed; and nothing wrong is ever in force.

use std::sync::Arc;

use crate::support::{Gateway, House, RESOURCES, hello};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern_control::config::Limits;
use postern_link::snapshot::Snapshot;
use postern_link::wire::from_control::Message as To;
use postern_link::wire::{FreshWord, Hello};

impl Held {
    async fn next(gateway: &mut Gateway, key: &str) -> Held {
        let key = BASE64_STANDARD.decode(key).unwrap();
        loop {
            if let To::Snapshot(signed) = gateway.next().await.unwrap() {
                UnparsedPublicKey::new(&ED25519, &key)
                    .verify(&signed.snapshot, &signed.signature)
                    .unwrap();
                return Held(serde_json::from_slice(&signed.snapshot).unwrap());
            }
        }
    }
}

struct Held(Snapshot);

async fn word(gateway: &mut Gateway) -> FreshWord {
    loop {
        if let To::FreshWord(word) = gateway.next().await.unwrap() {
            return word;
        }
    }
}

fn write(house: &House, name: &str, text: &str) {
    std::fs::write(house.resources().join(name), text).unwrap();
}

fn policy(house: &House, text: &str) {
    write(house, "policy.cedar", text);
}

#[tokio::test]
async fn a_gateway_gets_the_newest_at_once_and_every_change() {
    let house = House::start().await;
    let key = house.running().snapshot_key.clone();
    house.snapshot().await;
    let mut gateway = house.gateway("gw-1").await;
    let first = Held::next(&mut gateway, &key).await.0;
    assert_eq!((first.number, first.workloads[0].name.as_str()), (1, "report"));
    for number in 2..=4 {
        policy(&house, &format!("// {number}"));
        let next = Held::next(&mut gateway, &key).await.0;
        assert_eq!(
            (next.number, next.policies[0].text.as_str()),
            (number, &*format!("// {number}"))
        );
    }
}

#[tokio::test]
async fn numbers_rise_over_restarts_and_only_for_changes() {
    let mut house = House::start().await;
    assert_eq!(house.snapshot().await, 1);
    house.close().await;
    house.open().await.unwrap();
    let mut changes = house.running().snapshots().changes();
    assert_eq!(house.snapshot().await, 1);
    policy(&house, "// two");
    changes.changed().await.unwrap();
    assert_eq!(house.snapshot().await, 2);
    house.close().await;
    policy(&house, "// three");
    house.open().await.unwrap();
    let mut changes = house.running().snapshots().changes();
    let newest = changes
        .wait_for(|current| current.as_ref().is_some_and(|it| it.snapshot.number > 2))
        .await;
    assert_eq!(newest.unwrap().as_ref().unwrap().snapshot.number, 3);
}

#[tokio::test]
async fn a_store_that_was_lost_begins_above_what_a_gateway_has_seen() {
    let house = House::start().await;
    let key = house.running().snapshot_key.clone();
    house.snapshot().await;
    let shown = house.authority.gateway("gw-1");
    let seen = Hello {
        snapshot_number: 70,
        ..hello("gw-1")
    };
    let mut gateway = house.stream(&shown, seen).await.unwrap();
    loop {
        let number = Held::next(&mut gateway, &key).await.0.number;
        if number > 70 {
            assert_eq!(number, 71);
            break;
        }
    }
}

#[tokio::test]
async fn a_lost_store_gives_no_number_twice() {
    let mut house = House::start().await;
    assert_eq!(house.snapshot().await, 1);
    house.close().await;
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        let _ = std::fs::remove_file(house.folder.path().join("data").join(name));
    }
    house.open().await.unwrap();
    assert_eq!(house.snapshot().await, 2);
}

#[tokio::test]
async fn a_wrong_folder_is_reported_and_the_last_good_one_stays() {
    let mut house = House::closed(Limits::default());
    house
        .open_validating(Arc::new(|snapshot| {
            let wrong = snapshot
                .policies
                .iter()
                .filter(|policy| policy.text.contains("wrong"));
            let wrong: Vec<String> = wrong
                .map(|policy| format!("{}:1: it is wrong", policy.name))
                .collect();
            if wrong.is_empty() { Ok(()) } else { Err(wrong) }
        }))
        .await
        .unwrap();
    assert_eq!(house.snapshot().await, 1);
    let trouble = async |says: &str| {
        loop {
            let health = house.good("/readyz?verbose").await;
            let said = health["snapshot"]["trouble"].to_string();
            if (says.is_empty() && said == "[]") || (!says.is_empty() && said.contains(says)) {
                return health;
            }
            tokio::task::yield_now().await;
        }
    };
    for (name, text, says) in [
        ("policy.cedar", "wrong", "policy.cedar:1: it is wrong"),
        ("more.yaml", "kind: Workload\nname: [", "more.yaml:"),
        ("more.yaml", "kind: Workloda\nname: x\n", "more.yaml:"),
        ("more.yaml", RESOURCES, "is defined twice"),
    ] {
        write(&house, name, text);
        let health = trouble(says).await;
        assert_eq!(
            (&health["ready"], &health["snapshot"]["number"]),
            (&true.into(), &1.into()),
            "{text}"
        );
        std::fs::remove_file(house.resources().join(name)).unwrap();
        trouble("").await;
    }
    std::fs::rename(house.resources(), house.folder.path().join("away")).unwrap();
    trouble("is not there").await;
    std::fs::rename(house.folder.path().join("away"), house.resources()).unwrap();
    let health = trouble("").await;
    assert_eq!(health["snapshot"]["number"], 1);
}

#[tokio::test]
async fn a_folder_beyond_its_limits_is_refused() {
    for (limits, says) in [
        (
            Limits {
                resources_bytes_max: 2_000,
                ..Limits::default()
            },
            "more than 2000 bytes",
        ),
        (
            Limits {
                resources_files_max: 1,
                ..Limits::default()
            },
            "more than 1 files",
        ),
        (
            Limits {
                snapshot_bytes_max: 2_000,
                ..Limits::default()
            },
            "`snapshot_bytes_max`",
        ),
    ] {
        let house = House::start_with(limits).await;
        house.snapshot().await;
        policy(&house, &"x".repeat(3_000));
        while !house.good("/readyz?verbose").await["snapshot"]["trouble"]
            .to_string()
            .contains(says)
        {
            tokio::task::yield_now().await;
        }
        assert_eq!(house.snapshot().await, 1);
    }
}

#[tokio::test]
async fn old_snapshots_are_kept_up_to_their_limit() {
    let house = House::start_with(Limits {
        snapshots_kept_max: 2,
        ..Limits::default()
    })
    .await;
    let mut changes = house.running().snapshots().changes();
    house.snapshot().await;
    for number in 2..=4 {
        policy(&house, &format!("// {number}"));
        let reached = |current: &Option<Arc<_>>| number_of(current) == number;
        changes.wait_for(reached).await.unwrap();
    }
    let mut gateway = house.gateway("gw-1").await;
    let decided = |number, epoch| postern_link::wire::Record {
        policy_epoch: epoch,
        ..crate::support::statement("gw-1", 7, number)
    };
    let records = [decided(1, 2), decided(2, 3), decided(3, 4)];
    let records = records.iter().map(prost::Message::encode_to_vec).collect();
    gateway.send(7, 1, records).await.unwrap();
    for (number, known) in [(1, false), (2, true), (3, true)] {
        let answer = house.good(&format!("/v1/decisions/gw-1.0.7.{number}")).await;
        assert_eq!(!answer["snapshot"].is_null(), known, "{number}");
    }
}

fn number_of(current: &Option<Arc<postern_control::snapshots::Current>>) -> u64 {
    current.as_ref().map_or(0, |current| current.snapshot.number)
}

#[tokio::test]
async fn fresh_words_are_signed_and_name_what_was_sent() {
    let house = House::start().await;
    let key = BASE64_STANDARD.decode(&house.running().snapshot_key).unwrap();
    house.snapshot().await;
    let mut gateway = house.gateway("gw-1").await;
    let mut last = 0;
    for _ in 0..3 {
        let said = word(&mut gateway).await;
        let text = format!("postern fresh word\n{}\n{}\n", said.snapshot_number, said.time_ms);
        UnparsedPublicKey::new(&ED25519, &key)
            .verify(text.as_bytes(), &said.signature)
            .unwrap();
        assert_eq!(said.snapshot_number, 1);
        assert!(said.time_ms >= last);
        last = said.time_ms;
    }
    // A word never runs ahead of its snapshot.
    let mut sent = 1;
    policy(&house, "// two");
    loop {
        match gateway.next().await.unwrap() {
            To::Snapshot(signed) => {
                sent = serde_json::from_slice::<Snapshot>(&signed.snapshot)
                    .unwrap()
                    .number;
            }
            To::FreshWord(word) => {
                assert_eq!(word.snapshot_number, sent);
                if sent == 2 {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn every_snapshot_is_in_the_record() {
    let house = House::start().await;
    house.snapshot().await;
    let records = house.good("/v1/records?kind=snapshot_made").await;
    assert_eq!(records["records"][0]["policy_epoch"], 1);
    let current = house.good("/v1/snapshot").await;
    assert_eq!(current["snapshot"]["workloads"][0]["name"], "report");
}
