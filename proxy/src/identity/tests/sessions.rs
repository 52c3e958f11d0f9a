//! Whether an open session may go on: the newest snapshot and bundles have the word.

use postern_link::snapshot::{Issuer, Preset, Revoked, SecondNetwork, Snapshot, Workload};
use serde_json::json;

use super::super::{Ended, Identities, Identity, RevokedPart};
use super::logins::{Ci, deploy};
use super::pki::{Authority, ID, NOW_MS, bundle, renewed, root, trusting};
use super::world::{by_claims, by_spiffe, home, known, revoked, snapshot, workload};
use crate::refusal::{Reason, Refusal};

fn named(name: &str) -> Workload {
    workload(name, vec![by_spiffe(ID)])
}

fn knows(identities: &Identities, workloads: Vec<Workload>, stopped: Vec<Revoked>) {
    identities.set_known(known(&Snapshot {
        revoked: stopped.into_iter().map(revoked).collect(),
        ..snapshot(Vec::new(), workloads)
    }));
}

fn session(root: &Authority) -> (Identities, Identity) {
    let identities = trusting(&[root]);
    knows(&identities, vec![named("deploy")], Vec::new());
    let identity = identities
        .by_certificate(&[root.leaf(ID)], home(), NOW_MS)
        .unwrap();
    (identities, identity)
}

#[test]
fn a_session_goes_on_while_nothing_changes_and_ends_with_its_certificate() {
    let (identities, identity) = session(&root("root"));
    let end = identity.evidence().expires_at_ms;
    assert!(identities.still_good(&identity, NOW_MS).is_ok());
    assert!(identities.still_good(&identity, end - 1).is_ok());
    assert_eq!(identities.still_good(&identity, end).unwrap_err(), Ended::Expired);
}

#[test]
fn a_session_takes_on_what_the_newest_snapshot_says_of_its_workload() {
    let (identities, identity) = session(&root("root"));
    let changed = Workload {
        segments: vec!["migrators".into()],
        ..named("deploy")
    };
    knows(&identities, vec![changed], Vec::new());
    let again = identities.still_good(&identity, NOW_MS).unwrap();
    assert_eq!(again.workload().segments, ["migrators"]);
    assert!(identity.workload().segments.is_empty());
    let expires = jiff::Timestamp::from_millisecond(NOW_MS + 5000).unwrap();
    knows(
        &identities,
        vec![Workload {
            expires,
            ..named("deploy")
        }],
        Vec::new(),
    );
    assert_eq!(
        identities.still_good(&identity, NOW_MS).unwrap().ends_at_ms(),
        NOW_MS + 5000
    );
    let over = Ended::WorkloadExpired {
        workload: "deploy".into(),
    };
    assert_eq!(identities.still_good(&identity, NOW_MS + 5000).unwrap_err(), over);
    let again = identities.still_good(&identity, NOW_MS).unwrap();
    assert_eq!(identities.still_good(&again, NOW_MS + 5000).unwrap_err(), over);
}

#[test]
fn a_session_ends_when_the_newest_snapshot_would_not_open_it() {
    let (identities, identity) = session(&root("root"));
    let workload = || "deploy".to_owned();
    let serial = Revoked::Certificate {
        trust_domain: "a.example".into(),
        serial: "0abc".into(),
    };
    let network = Revoked::Network("198.51.100.0/24".parse().unwrap());
    for (workloads, stopped, expected) in [
        (vec![], vec![], Ended::NoLongerMatches { workload: workload() }),
        (
            vec![named("other")],
            vec![],
            Ended::NoLongerMatches { workload: workload() },
        ),
        (
            vec![Workload {
                disabled: true,
                ..named("other")
            }],
            vec![],
            Ended::NoLongerMatches { workload: workload() },
        ),
        (
            vec![Workload {
                disabled: true,
                ..named("deploy")
            }],
            vec![],
            Ended::Disabled { workload: workload() },
        ),
        (
            vec![named("deploy")],
            vec![serial],
            Ended::Revoked(RevokedPart::Certificate),
        ),
        (
            vec![named("deploy")],
            vec![Revoked::Issuer("a.example".into())],
            Ended::Revoked(RevokedPart::Issuer),
        ),
        (
            vec![named("deploy")],
            vec![Revoked::Workload(workload())],
            Ended::Revoked(RevokedPart::Workload(workload())),
        ),
        (vec![named("deploy")], vec![network], Ended::NetworkRevoked),
    ] {
        knows(&identities, workloads, stopped);
        let ended = identities.still_good(&identity, NOW_MS).unwrap_err();
        assert_eq!(ended, expected);
        let refusal = Refusal::from(&ended);
        assert_eq!(refusal.reason, Reason::Ended);
        assert!(refusal.detail.is_some() && refusal.hint.is_some());
        // A later snapshot that would open it again finds it alive, if nobody has ended it.
        knows(&identities, vec![named("deploy")], Vec::new());
        assert!(identities.still_good(&identity, NOW_MS).is_ok());
    }
}

#[test]
fn a_session_ends_when_the_authority_behind_it_leaves_the_bundle() {
    let (root, other) = (root("root"), root("other"));
    let (identities, identity) = session(&root);
    identities.set_bundles(bundle(&[&other, &root]));
    assert!(
        identities.still_good(&identity, NOW_MS).is_ok(),
        "another one came"
    );
    let (root, again) = renewed(root, "root");
    assert_ne!(root.der, again.der);
    identities.set_bundles(bundle(&[&again]));
    assert!(
        identities.still_good(&identity, NOW_MS).is_ok(),
        "the same, issued again"
    );
    identities.set_bundles(bundle(&[&other]));
    assert_eq!(
        identities.still_good(&identity, NOW_MS).unwrap_err(),
        Ended::AuthorityGone
    );
    // Same name, other key.
    identities.set_bundles(bundle(&[&super::pki::root("root")]));
    assert_eq!(
        identities.still_good(&identity, NOW_MS).unwrap_err(),
        Ended::AuthorityGone
    );
    identities.set_bundles(std::collections::BTreeMap::new());
    assert_eq!(
        identities.still_good(&identity, NOW_MS).unwrap_err(),
        Ended::AuthorityGone
    );
    assert!(
        identities
            .by_certificate(&[root.leaf(ID)], home(), NOW_MS)
            .is_err()
    );
}

#[tokio::test]
async fn a_session_outlives_its_token_by_the_grace_and_no_more() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let token = ci.token();
    let identity = ci.login(&token).await.unwrap();
    let end = NOW_MS + (300 + 3600) * 1000;
    assert!(ci.identities.still_good(&identity, end - 1).is_ok());
    assert_eq!(
        ci.identities.still_good(&identity, end).unwrap_err(),
        Ended::Expired
    );
    // The grace opens no new session.
    let late = ci
        .identities
        .by_token(token.as_bytes(), home(), NOW_MS + 301_000)
        .await;
    assert_eq!(late.unwrap_err().code(), "token_expired");
    // A shorter grace reaches sessions that are open.
    ci.knows_workload(Workload {
        grace_seconds_max: Some(0),
        ..deploy()
    });
    assert_eq!(
        ci.identities.still_good(&identity, NOW_MS + 300_000).unwrap_err(),
        Ended::Expired
    );
}

#[tokio::test]
async fn a_session_of_a_token_is_matched_again_by_its_claims() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let identity = ci.login(&ci.token()).await.unwrap();
    let gone = Ended::NoLongerMatches {
        workload: "deploy".into(),
    };
    let staging = [("repository_id", "74"), ("environment", "staging")];
    ci.knows_workload(workload("deploy", vec![by_claims("ci", &staging)]));
    assert_eq!(ci.identities.still_good(&identity, NOW_MS).unwrap_err(), gone);
    let production = [("repository_id", "74"), ("environment", "production")];
    ci.knows_workload(workload("deploy", vec![by_claims("ci", &production)]));
    assert!(ci.identities.still_good(&identity, NOW_MS).is_ok());
    let rival = workload(
        "rival",
        vec![by_claims("ci", &[("repository_id", "74"), ("actor", "alice")])],
    );
    let both = vec![workload("deploy", vec![by_claims("ci", &production)]), rival];
    ci.knows(&snapshot(vec![ci.issuer()], both));
    assert_eq!(
        ci.identities.still_good(&identity, NOW_MS).unwrap_err(),
        gone,
        "ambiguous"
    );
    let run = Revoked::Run {
        issuer: "ci".into(),
        run_id: "9001".into(),
    };
    ci.knows(&Snapshot {
        revoked: vec![revoked(run)],
        ..snapshot(vec![ci.issuer()], vec![deploy()])
    });
    assert_eq!(
        ci.identities.still_good(&identity, NOW_MS).unwrap_err(),
        Ended::Revoked(RevokedPart::Run)
    );
}

#[tokio::test]
async fn a_session_ends_when_its_issuer_is_trusted_no_more_or_on_other_terms() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let token = ci.token();
    let identity = ci.login(&token).await.unwrap();
    type Change = fn(&mut Issuer);
    let changes: [Change; 4] = [
        |entry| entry.audience = "https://other.example".into(),
        |entry| entry.issuer = Some("https://other.example".into()),
        |entry| entry.jwks_uri = Some("https://other.example/keys".into()),
        |entry| {
            entry.preset = Preset::Oidc;
            entry.algorithms = vec!["RS256".into()];
            entry.stable_ids = vec!["repository_id".into()];
        },
    ];
    for change in changes {
        let mut entry = ci.issuer();
        change(&mut entry);
        ci.knows(&snapshot(vec![entry], vec![deploy()]));
        assert_eq!(
            ci.identities.still_good(&identity, NOW_MS).unwrap_err(),
            Ended::IssuerGone
        );
    }
    // A token that is remembered is verified again on the new terms.
    let mut entry = ci.issuer();
    entry.audience = "https://other.example".into();
    ci.knows(&snapshot(vec![entry], vec![deploy()]));
    assert_eq!(ci.login(&token).await.unwrap_err().code(), "token_audience");
    ci.knows_workload(deploy());
    assert!(ci.identities.still_good(&identity, NOW_MS).is_ok());
}

#[tokio::test]
async fn a_withdrawn_key_ends_no_open_session_and_opens_no_new_one() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let token = ci.token_with(|claims| claims["exp"] = json!(NOW_MS / 1000 + 3600));
    let identity = ci.login(&token).await.unwrap();
    let other = super::tokens::Signer::ec("other").key_set();
    ci.server.set_keys(super::server::Answer::Body(other.to_string()));
    let later = NOW_MS + 600_000;
    ci.identities.keyring.refresh(later).await;
    assert!(ci.identities.still_good(&identity, later).is_ok());
    let outcome = ci.identities.by_token(token.as_bytes(), home(), later).await;
    assert_eq!(outcome.unwrap_err().code(), "token_unknown_key");
}

#[tokio::test]
async fn a_session_from_a_second_network_ends_where_the_workload_refuses_them_now() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let token = ci.token();
    let first = ci.login(&token).await.unwrap();
    let second = ci
        .identities
        .by_token(token.as_bytes(), "203.0.113.1".parse().unwrap(), NOW_MS)
        .await
        .unwrap();
    ci.knows_workload(Workload {
        second_network: SecondNetwork::Refuse,
        ..deploy()
    });
    assert!(ci.identities.still_good(&first, NOW_MS).is_ok());
    let ended = ci.identities.still_good(&second, NOW_MS).unwrap_err();
    assert_eq!(
        ended,
        Ended::SecondNetwork {
            workload: "deploy".into()
        }
    );
}

#[test]
fn an_identity_for_the_tests_of_other_rooms_is_its_workload_to_the_end() {
    let identity = Identity::of(named("deploy"), home());
    assert_eq!(
        (identity.workload().name.as_str(), identity.source()),
        ("deploy", home())
    );
    assert_eq!(identity.ends_at_ms(), named("deploy").expires.as_millisecond());
}
