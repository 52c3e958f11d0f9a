//! What one gateway or operator may ask of the control plane at once, at its doors.

use hyper::StatusCode;
use postern_control::config::Limits;
use postern_link::wire::Hello;
use prost::Message as _;
use tonic::Code;

use crate::support::{House, hello, statement};

#[tokio::test]
async fn a_gateway_beyond_gateways_max_waits_until_another_has_gone() {
    let house = House::start_with(Limits {
        gateways_max: 1,
        ..Limits::default()
    })
    .await;
    let first = house.gateway("gw-1").await;
    let second = house.gateway("gw-2");
    tokio::pin!(second);
    // The operators' door answers in between, so the second had its time.
    tokio::select! {
        biased;
        _ = &mut second => panic!("there was one place, and two were let in"),
        _ = async { for _ in 0..50 { house.good("/v1/gateways").await; } } => {}
    }
    drop(first);
    assert_eq!(second.await.name, "gw-2");
}

#[tokio::test]
async fn a_message_beyond_batch_bytes_max_breaks_the_stream_and_stores_nothing() {
    let house = House::start_with(Limits {
        batch_bytes_max: 5_000,
        record_bytes_max: 5_000,
        ..Limits::default()
    })
    .await;
    let records = |bytes: usize| {
        let record = |number| {
            let mut record = statement("gw-1", 7, number);
            record.text = "x".repeat(bytes);
            record.encode_to_vec()
        };
        (1..=10).map(record).collect::<Vec<_>>()
    };
    let mut gateway = house.gateway("gw-1").await;
    let refused = gateway.send(7, 1, records(500)).await.unwrap_err();
    assert!(refused.message().contains("`batch_bytes_max`"), "{refused:?}");
    // What is far larger is not even read.
    let mut gateway = house.gateway("gw-1").await;
    let refused = gateway.send(7, 1, records(10_000)).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
    let mut gateway = house.gateway("gw-1").await;
    assert_eq!(gateway.welcome.stored, []);
    gateway.send(7, 1, records(100)).await.unwrap();
}

#[tokio::test]
async fn a_gateway_that_claims_a_snapshot_beyond_snapshot_jump_max_is_not_believed() {
    let house = House::start_with(Limits {
        snapshot_jump_max: 10,
        ..Limits::default()
    })
    .await;
    let ours = house.snapshot().await;
    let claims = async |snapshot_number| {
        let claim = Hello {
            snapshot_number,
            ..hello("gw-1")
        };
        let mut gateway = house.stream(&house.authority.gateway("gw-1"), claim).await?;
        gateway.next().await
    };
    let refused = claims(ours + 11).await.unwrap_err();
    assert!(refused.message().contains("too far ahead"), "{refused:?}");
    claims(ours + 10).await.unwrap();
}

#[tokio::test]
async fn a_page_has_page_entries_unless_asked_and_never_more_than_page_entries_max() {
    let house = House::start_with(Limits {
        page_entries: 2,
        page_entries_max: 3,
        ..Limits::default()
    })
    .await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=9).await;
    let entries = async |asked: &str| {
        let page = house.good(&format!("/v1/records?kind=intent{asked}")).await;
        page["records"].as_array().unwrap().len()
    };
    assert_eq!((entries("").await, entries("&limit=3").await), (2, 3));
    let (status, answer) = house.ask("/v1/records?limit=4").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        answer["detail"].as_str().unwrap().contains("from 1 to 3"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_tail_with_nothing_to_show_waits_tail_wait_ms_max_however_long_was_asked() {
    let house = House::start_with(Limits {
        tail_wait_ms_max: 20,
        ..Limits::default()
    })
    .await;
    house.snapshot().await;
    let newest = house.good("/v1/records/tail").await;
    let cursor = newest["next"].as_str().unwrap();
    let tail = format!("/v1/records/tail?after={cursor}&wait_ms=86400000");
    assert_eq!(house.good(&tail).await["records"], serde_json::json!([]));
}

#[tokio::test]
async fn a_text_is_found_by_its_first_indexed_text_bytes_max_and_shown_whole() {
    let house = House::start_with(Limits {
        indexed_text_bytes_max: 20,
        ..Limits::default()
    })
    .await;
    let mut gateway = house.gateway("gw-1").await;
    let mut record = statement("gw-1", 7, 1);
    record.text = "select early, and much later the end".into();
    let text = record.text.clone();
    gateway.send(7, 1, vec![record.encode_to_vec()]).await.unwrap();
    let found = house.good("/v1/records?text=early").await;
    assert_eq!(found["records"][0]["text"], text);
    assert_eq!(
        house.good("/v1/records?text=end").await["records"],
        serde_json::json!([])
    );
}
