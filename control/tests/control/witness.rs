//! Gateways are witnesses: what they were shown is proved to be the beginning of what they are shown next,
//! by a verifier written here from RFC 9162 and nothing of the control plane's own.

use crate::support::House;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern_link::wire::Acknowledgement;
use tonic::Code;

type Hash = [u8; 32];

fn node(left: &Hash, right: &Hash) -> Hash {
    let bytes = [&[1][..], left, right].concat();
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes)
        .as_ref()
        .try_into()
        .unwrap()
}

/// RFC 9162, 2.1.4.2, step by step.
fn consistent(first: u64, first_hash: Hash, second: u64, second_hash: Hash, mut path: Vec<Hash>) -> bool {
    if first == second {
        return path.is_empty() && first_hash == second_hash;
    }
    if path.is_empty() {
        return false;
    }
    if first.is_power_of_two() {
        path.insert(0, first_hash);
    }
    let (mut fn_, mut sn) = (first - 1, second - 1);
    while fn_ % 2 == 1 {
        fn_ /= 2;
        sn /= 2;
    }
    let (mut fr, mut sr) = (path[0], path[0]);
    for c in &path[1..] {
        if sn == 0 {
            return false;
        }
        if fn_ % 2 == 1 || fn_ == sn {
            fr = node(c, &fr);
            sr = node(c, &sr);
            while fn_ != 0 && fn_ % 2 == 0 {
                fn_ /= 2;
                sn /= 2;
            }
        } else {
            sr = node(&sr, c);
        }
        fn_ /= 2;
        sn /= 2;
    }
    fr == first_hash && sr == second_hash && sn == 0
}

/// A signed note taken apart and its signature checked with the verifier key, by the words of C2SP.
fn open(note: &str, key: &str) -> (u64, Hash) {
    let (name, rest) = key.split_once('+').unwrap();
    let (hash, key) = rest.split_once('+').unwrap();
    let key = BASE64_STANDARD.decode(key).unwrap();
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA256,
        &[name.as_bytes(), b"\n", &key].concat(),
    );
    let hash_bytes = &digest.as_ref()[..4];
    assert_eq!(
        hash,
        hash_bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    );
    let (text, signature) = note.split_once("\n\n").unwrap();
    let text = format!("{text}\n");
    let line = signature
        .strip_suffix('\n')
        .unwrap()
        .strip_prefix(&format!("\u{2014} {name} "))
        .unwrap();
    let signature = BASE64_STANDARD.decode(line).unwrap();
    assert_eq!(&signature[..4], hash_bytes);
    aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, &key[1..])
        .verify(text.as_bytes(), &signature[4..])
        .unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, name));
    (
        lines[1].parse().unwrap(),
        BASE64_STANDARD.decode(lines[2]).unwrap().try_into().unwrap(),
    )
}

fn proof(acknowledgement: &Acknowledgement) -> Vec<Hash> {
    acknowledgement
        .consistency_proof
        .iter()
        .map(|hash| hash.as_slice().try_into().unwrap())
        .collect()
}

#[tokio::test]
async fn every_acknowledgement_continues_the_checkpoint_before_it() {
    let mut house = House::start().await;
    house.snapshot().await;
    let key = house.running().log_key.clone();
    let mut gateway = house.gateway("gw-1").await;
    let mut held: Option<(u64, Hash, String)> = None;
    let mut next = 1;
    for (round, count) in [1_u64, 1, 2, 3, 5, 250, 1, 40, 300, 700, 7]
        .into_iter()
        .enumerate()
    {
        let acknowledgement = gateway.ship(7, next..=next + count - 1).await;
        next += count;
        let (size, root) = open(&acknowledgement.checkpoint, &key);
        assert_eq!(size, next);
        match &held {
            None => assert_eq!(
                (acknowledgement.proof_from_size, proof(&acknowledgement)),
                (0, vec![])
            ),
            Some((from, old, _)) => {
                assert_eq!(acknowledgement.proof_from_size, *from);
                assert!(
                    consistent(*from, *old, size, root, proof(&acknowledgement)),
                    "{from} {size}"
                );
                assert!(!consistent(*from, [0; 32], size, root, proof(&acknowledgement)));
            }
        }
        held = Some((size, root, acknowledgement.checkpoint.clone()));
        // Also over a new stream, and over a restart.
        let (_, _, note) = held.as_ref().unwrap();
        if round % 3 == 1 {
            gateway = house.gateway_holding("gw-1", note).await.unwrap();
        }
        if round % 4 == 3 {
            drop(gateway);
            house.close().await;
            house.open().await.unwrap();
            gateway = house.gateway_holding("gw-1", note).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_log_that_is_not_the_one_a_gateway_has_seen_is_refused_and_reported() {
    let mut house = House::start().await;
    house.snapshot().await;
    let mut gateway = house.gateway("gw-1").await;
    gateway.ship(7, 1..=3).await;
    drop(gateway);
    house.close().await;
    let data = house.folder.path().join("data");
    let earlier = house.folder.path().join("earlier");
    crate::support::copy(&data, &earlier);

    house.open().await.unwrap();
    let mut gateway = house.gateway("gw-1").await;
    let held = gateway.ship(7, 4..=9).await.checkpoint;
    drop(gateway);
    house.close().await;

    // The machine is set back to the earlier state: everything in it is whole and signed.
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&earlier, &data).unwrap();
    for name in ["operator.token", "log.key", "snapshot.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(data.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    house.open().await.unwrap();
    for _ in 0..2 {
        let refused = house.gateway_holding("gw-1", &held).await.unwrap_err();
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(refused.message().contains("no longer contains"), "{refused:?}");
    }
    // Grown to the same size with other records, it is still not the same.
    let mut other = house.gateway("gw-2").await;
    other.ship(1, 1..=20).await;
    let refused = house.gateway_holding("gw-1", &held).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    let findings = house.good("/v1/records?kind=finding").await;
    assert_eq!(findings["records"].as_array().unwrap().len(), 1, "{findings}");
    assert_eq!(findings["records"][0]["detail"], held);
}

#[tokio::test]
async fn a_checkpoint_signed_by_another_key_is_refused() {
    let (house, another) = (House::start().await, House::start().await);
    another.snapshot().await;
    let mut gateway = another.gateway("gw-1").await;
    let held = gateway.ship(7, 1..=2).await.checkpoint;
    let refused = house.gateway_holding("gw-1", &held).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
}
