//! The control plane's log is the union of the spools, once each, over resends, reconnects and restarts.

use crate::support::{House, hello, statement};
use postern_control::audit::note::{Checkpoint, Verifier};
use postern_link::wire::{Acknowledgement, SpoolPosition};
use prost::Message as _;
use tonic::Code;

async fn numbers(house: &House) -> Vec<String> {
    let answer = house.good("/v1/records?kind=intent&limit=1000").await;
    let records = answer["records"].as_array().unwrap();
    records
        .iter()
        .map(|record| record["id"].as_str().unwrap().to_owned())
        .collect()
}

fn stored(acknowledgement: &Acknowledgement) -> u64 {
    acknowledgement.stored.unwrap().number
}

fn expected(epoch: &str, count: u64) -> Vec<String> {
    (1..=count)
        .map(|number| format!("gw-1.0.{epoch}.{}", digit(number)))
        .collect()
}

fn digit(number: u64) -> char {
    char::from_digit(u32::try_from(number).unwrap(), 36).unwrap()
}

#[tokio::test]
async fn a_record_sent_again_is_stored_once() {
    let house = House::start().await;
    let mut gateway = house.gateway("gw-1").await;
    assert_eq!(gateway.welcome.stored, []);
    assert_eq!(stored(&gateway.ship(7, 1..=3).await), 3);
    assert_eq!(stored(&gateway.ship(7, 1..=3).await), 3);
    assert_eq!(stored(&gateway.ship(7, 2..=5).await), 5);
    assert_eq!(stored(&gateway.ship(7, 4..=4).await), 5);
    assert_eq!(numbers(&house).await, expected("7", 5));
}

#[tokio::test]
async fn a_gap_is_answered_with_the_position_stored() {
    let house = House::start().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=2).await;
    assert_eq!(stored(&gateway.ship(7, 4..=5).await), 2);
    assert_eq!(stored(&gateway.ship(8, 2..=2).await), 0);
    assert_eq!(stored(&gateway.ship(7, 3..=5).await), 5);
    assert_eq!(numbers(&house).await, expected("7", 5));
}

#[tokio::test]
async fn shipping_resumes_by_number_after_a_restart_of_the_control_plane() {
    let mut house = House::start().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=3).await;
    drop(gateway);
    house.close().await;
    house.open().await.unwrap();
    let mut gateway = house.gateway("gw-1").await;
    assert_eq!(
        gateway.welcome.stored,
        [SpoolPosition {
            worker: 0,
            epoch: 7,
            number: 3
        }]
    );
    assert_eq!(stored(&gateway.ship(7, 2..=6).await), 6);
    assert_eq!(numbers(&house).await, expected("7", 6));
}

#[tokio::test]
async fn the_index_is_made_again_from_the_log() {
    let mut house = House::start().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=4).await;
    drop(gateway);
    house.close().await;
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        let _ = std::fs::remove_file(house.folder.path().join("data").join(name));
    }
    house.open().await.unwrap();
    let mut gateway = house.gateway("gw-1").await;
    assert_eq!(
        gateway.welcome.stored,
        [SpoolPosition {
            worker: 0,
            epoch: 7,
            number: 4
        }]
    );
    assert_eq!(stored(&gateway.ship(7, 3..=5).await), 5);
    assert_eq!(numbers(&house).await, expected("7", 5));
}

#[tokio::test]
async fn other_bytes_for_a_stored_number_are_refused_and_reported_once() {
    let house = House::start().await;
    for _ in 0..2 {
        let mut gateway = house.gateway("gw-1").await;
        gateway.ship(7, 1..=3).await;
        let mut other = statement("gw-1", 7, 2);
        other.text = "something else".into();
        let new = statement("gw-1", 7, 4).encode_to_vec();
        let sent = vec![
            other.encode_to_vec(),
            statement("gw-1", 7, 3).encode_to_vec(),
            new,
        ];
        let refused = gateway.send(7, 2, sent).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert!(refused.message().contains("gw-1.0.7.2"), "{refused:?}");
    }
    assert_eq!(numbers(&house).await, expected("7", 3));
    let findings = house.good("/v1/records?kind=finding").await;
    assert_eq!(findings["records"].as_array().unwrap().len(), 1);
    assert_eq!(findings["records"][0]["gateway"], "control");
}

#[tokio::test]
async fn a_record_must_be_what_its_batch_says() {
    let house = House::start().await;
    let wrong = [
        statement("gw-2", 7, 1),
        statement("gw-1", 8, 1),
        statement("gw-1", 7, 2),
        postern_link::wire::Record {
            worker: 1,
            ..statement("gw-1", 7, 1)
        },
    ];
    let mut wrong: Vec<Vec<u8>> = wrong.iter().map(prost::Message::encode_to_vec).collect();
    wrong.push(vec![0xff; 9]);
    for record in wrong {
        let mut gateway = house.gateway("gw-1").await;
        let refused = gateway.send(7, 1, vec![record]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let mut gateway = house.gateway("gw-1").await;
    for first_number in [0, u64::MAX, 1 << 63] {
        let mut again = house.gateway("gw-1").await;
        let refused = again.send(7, first_number, vec![]).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{first_number}");
    }
    assert_eq!(gateway.answer().await.unwrap_err().code(), Code::Aborted);
    assert_eq!(numbers(&house).await, Vec::<String>::new());
}

#[tokio::test]
async fn limits_on_records_and_batches_are_kept() {
    let limits = postern_control::config::Limits {
        record_bytes_max: 1000,
        batch_records_max: 3,
        ..Default::default()
    };
    let house = House::start_with(limits).await;
    let mut gateway = house.gateway("gw-1").await;
    let records = (1..=4)
        .map(|number| statement("gw-1", 7, number).encode_to_vec())
        .collect();
    let refused = gateway.send(7, 1, records).await.unwrap_err();
    assert!(refused.message().contains("batch_records_max"), "{refused:?}");
    let mut gateway = house.gateway("gw-1").await;
    let mut large = statement("gw-1", 7, 1);
    large.text = "x".repeat(1000);
    let refused = gateway.send(7, 1, vec![large.encode_to_vec()]).await.unwrap_err();
    assert!(refused.message().contains("record_bytes_max"), "{refused:?}");
}

#[tokio::test]
async fn every_spool_of_every_gateway_has_its_own_numbers() {
    let house = House::start().await;
    let mut one = house.gateway("gw-1").await;
    let mut two = house.gateway("gw-2").await;
    one.ship(7, 1..=2).await;
    two.ship(7, 1..=3).await;
    one.ship(8, 1..=1).await;
    one.ship(7, 3..=3).await;
    let (one, two) = (house.gateway("gw-1").await, house.gateway("gw-2").await);
    let at = |epoch, number| SpoolPosition {
        worker: 0,
        epoch,
        number,
    };
    assert_eq!(one.welcome.stored, [at(8, 1), at(7, 3)]);
    assert_eq!(two.welcome.stored, [at(7, 3)]);
}

#[tokio::test]
async fn an_acknowledged_record_is_in_the_files_and_under_a_signed_checkpoint() {
    let house = House::start().await;
    let number = house.snapshot().await;
    assert_eq!(number, 1);
    let mut gateway = house.gateway("gw-1").await;
    let acknowledgement = gateway.ship(7, 1..=3).await;
    let verifier: Verifier = house.running().log_key.parse().unwrap();
    let checkpoint = Checkpoint::open(&acknowledgement.checkpoint, &verifier).unwrap();
    assert_eq!(checkpoint.size, 4);
    // What is on the disk at this moment, as a copy that nobody writes to.
    let copy = tempfile::tempdir().unwrap();
    crate::support::copy(&house.audit_folder(), copy.path());
    let report = postern_control::audit::verify::verify(copy.path(), &verifier, &[], None, 1 << 20).unwrap();
    assert_eq!(report.wrong, []);
    assert_eq!((report.records, report.root), (4, checkpoint.root));
}

#[tokio::test]
async fn hello_names_the_gateway_of_the_certificate_and_a_version_one_apart() {
    let house = House::start().await;
    let shown = house.authority.gateway("gw-1");
    for (hello, code) in [
        (hello("gw-2"), Code::PermissionDenied),
        (
            postern_link::wire::Hello {
                version: 3,
                ..hello("gw-1")
            },
            Code::FailedPrecondition,
        ),
        (
            postern_link::wire::Hello {
                checkpoint: "x".into(),
                ..hello("gw-1")
            },
            Code::FailedPrecondition,
        ),
        (
            postern_link::wire::Hello {
                snapshot_number: u64::MAX,
                ..hello("gw-1")
            },
            Code::FailedPrecondition,
        ),
    ] {
        let mut gateway = house.stream(&shown, hello).await.unwrap();
        assert_eq!(gateway.next().await.unwrap_err().code(), code);
    }
    let next = postern_link::wire::Hello {
        version: 2,
        ..hello("gw-1")
    };
    assert!(house.stream(&shown, next).await.unwrap().next().await.is_ok());
    // The control plane's own records carry its name: no gateway may have it.
    let mut own = house
        .stream(&house.authority.gateway("control"), hello("control"))
        .await
        .unwrap();
    assert_eq!(own.next().await.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_of_no_gateway_is_refused() {
    let house = House::start().await;
    let stranger = crate::support::Authority::new("another").gateway("gw-1");
    assert!(house.stream(&stranger, hello("gw-1")).await.is_err());
    let workload = house.authority.client("spiffe://example.org/ci/report");
    let refused = house.stream(&workload, hello("report")).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let limits = postern_control::config::Limits {
        hello_timeout_ms: 0,
        ..Default::default()
    };
    let house = House::start_with(limits).await;
    let channel = house.channel(&house.authority.gateway("gw-1")).await.unwrap();
    let mut client = postern_link::wire::link_client::LinkClient::new(channel);
    let mut stream = client
        .exchange(tokio_stream::pending())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_handshake_that_does_not_go_on_is_closed() {
    use tokio::io::AsyncReadExt as _;
    let limits = postern_control::config::Limits {
        handshake_timeout_ms: 1,
        ..Default::default()
    };
    let house = House::start_with(limits).await;
    let mut silent = tokio::net::TcpStream::connect(house.running().gateways_address)
        .await
        .unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_gateway_that_does_not_read_is_given_up() {
    let limits = postern_control::config::Limits {
        outbound_messages_max: 1,
        outbound_timeout_ms: 50,
        ..Default::default()
    };
    let house = House::start_with(limits).await;
    let mut gateway = house.gateway("gw-1").await;
    // The snapshots fill its window, because it takes none of them.
    std::fs::write(house.resources().join("large.cedar"), "// ".repeat(1_000_000)).unwrap();
    while house.good("/v1/gateways").await["gateways"][0]["connected"] == true {
        tokio::task::yield_now().await;
    }
    let ended = loop {
        if let Err(status) = gateway.next().await {
            break status;
        }
    };
    assert!(
        matches!(
            ended.code(),
            Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
        ),
        "{ended:?}"
    );
}

#[tokio::test]
async fn only_so_many_positions_are_told_and_the_newest_spools_first() {
    let limits = postern_control::config::Limits {
        positions_told_max: 2,
        ..Default::default()
    };
    let house = House::start_with(limits).await;
    let mut gateway = house.gateway("gw-1").await;
    for epoch in [5, 7, 6] {
        gateway.ship(epoch, 1..=1).await;
    }
    let gateway = house.gateway("gw-1").await;
    let epochs: Vec<u64> = gateway.welcome.stored.iter().map(|stored| stored.epoch).collect();
    assert_eq!(epochs, [7, 6]);
}

#[tokio::test]
async fn an_index_that_is_behind_the_log_goes_on_from_where_it_is() {
    let mut house = House::start().await;
    house.gateway("gw-1").await.ship(7, 1..=3).await;
    house.close().await;
    let index = house.folder.path().join("data/index.sqlite");
    let behind = std::fs::read(&index).unwrap();
    house.open().await.unwrap();
    house.gateway("gw-1").await.ship(7, 4..=6).await;
    house.close().await;
    std::fs::write(&index, behind).unwrap();
    house.open().await.unwrap();
    let mut gateway = house.gateway("gw-1").await;
    assert_eq!(
        gateway.welcome.stored,
        [SpoolPosition {
            worker: 0,
            epoch: 7,
            number: 6
        }]
    );
    gateway.ship(7, 5..=7).await;
    assert_eq!(numbers(&house).await, expected("7", 7));
}
