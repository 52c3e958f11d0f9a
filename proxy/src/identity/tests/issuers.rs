//! What an issuer, its name server and the network may do to us, and what they may not.

use std::future::Future as _;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::super::{Error, Identities, Known, TokenError};
use super::pki::NOW_MS;
use super::server::{Answer, Server};
use super::tokens::{Signer, claims};
use super::world::{by_claims, home, issuer, known, snapshot, workload};
use crate::config::{IssuerHost, Limits};
use postern_link::snapshot::Preset;

const SECOND_MS: i64 = 1000;
const MINUTE_MS: i64 = 60 * SECOND_MS;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// One server that plays an OIDC issuer, and identities that trust it.
pub(super) struct World {
    pub(super) server: Arc<Server>,
    pub(super) identities: Identities,
    pub(super) signer: Signer,
}

impl World {
    pub(super) async fn new() -> World {
        World::with(Limits::default()).await
    }

    pub(super) async fn with(limits: Limits) -> World {
        let signer = Signer::ec("first");
        let server = Server::start(&signer.key_set()).await;
        let identities = Identities::new(&limits, &[server.allowed()]).unwrap();
        identities.set_known(trusting(&server.issuer(), None));
        World {
            server,
            identities,
            signer,
        }
    }

    pub(super) fn token(&self) -> String {
        self.token_at(NOW_MS)
    }

    fn token_at(&self, now_ms: i64) -> String {
        self.signer.token(&claims(&self.server.issuer(), now_ms))
    }

    pub(super) async fn login(&self, token: &str, now_ms: i64) -> Result<(), Error> {
        self.identities
            .by_token(token.as_bytes(), home(), now_ms)
            .await
            .map(drop)
    }
}

fn trusting(iss: &str, jwks_uri: Option<String>) -> Arc<Known> {
    let mut entry = issuer("ci", Preset::Oidc, Some(iss));
    entry.algorithms = vec!["ES256".into(), "RS256".into()];
    entry.stable_ids = vec!["sub".into()];
    entry.jwks_uri = jwks_uri;
    known(&snapshot(
        vec![entry],
        vec![workload("deploy", vec![by_claims("ci", &[("sub", "deploy")])])],
    ))
}

fn both(first: &Signer, second: &Signer) -> Answer {
    let keys: Vec<Value> = [first, second].iter().map(|signer| signer.key()).collect();
    Answer::Body(json!({ "keys": keys }).to_string())
}

#[track_caller]
fn unavailable(outcome: Result<(), Error>) {
    assert!(
        matches!(outcome, Err(Error::KeysUnavailable { .. })),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn keys_are_found_by_discovery_and_then_kept() {
    let world = World::new().await;
    assert_eq!(world.server.key_fetches(), 0);
    for _ in 0..3 {
        world.login(&world.token(), NOW_MS).await.unwrap();
    }
    assert_eq!((world.server.discoveries(), world.server.key_fetches()), (1, 1));
}

#[tokio::test]
async fn a_configured_address_of_keys_needs_no_discovery() {
    let world = World::new().await;
    let keys = format!("{}/keys", world.server.issuer());
    world
        .identities
        .set_known(trusting("https://issuer.invalid", Some(keys)));
    let token = world.signer.token(&claims("https://issuer.invalid", NOW_MS));
    world.login(&token, NOW_MS).await.unwrap();
    assert_eq!((world.server.discoveries(), world.server.key_fetches()), (0, 1));
}

#[tokio::test]
async fn a_crowd_with_an_unknown_key_causes_one_fetch() {
    let world = World::new().await;
    world.server.close_gate();
    let unknown = Signer::ec("unknown").token(&claims(&world.server.issuer(), NOW_MS));
    let (good, crowd) = (world.token(), 1_000);
    let logins = join_all((0..crowd).map(|number| {
        let token = if number % 2 == 0 { &unknown } else { &good };
        world.login(token, NOW_MS + number)
    }));
    let opened = async {
        while world.server.discoveries() == 0 {
            tokio::task::yield_now().await;
        }
        world.server.open_gate();
    };
    let (outcomes, ()) = tokio::join!(logins, opened);
    assert_eq!((world.server.discoveries(), world.server.key_fetches()), (1, 1));
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 500);
    let unknown =
        |outcome: &Result<(), Error>| matches!(outcome, Err(error) if error.code() == "token_unknown_key");
    assert_eq!(outcomes.iter().filter(|outcome| unknown(outcome)).count(), 500);
}

#[tokio::test]
async fn unknown_keys_cause_at_most_one_fetch_in_a_while() {
    let world = World::new().await;
    world.login(&world.token(), NOW_MS).await.unwrap();
    let unknown = Signer::ec("unknown").token(&claims(&world.server.issuer(), NOW_MS));
    let rest = i64::try_from(Limits::default().keys_refresh_seconds_min).unwrap();
    for second in 0..rest {
        assert!(world.login(&unknown, NOW_MS + second * SECOND_MS).await.is_err());
    }
    assert_eq!(world.server.key_fetches(), 1);
    assert!(world.login(&unknown, NOW_MS + rest * SECOND_MS).await.is_err());
    assert_eq!(world.server.key_fetches(), 2);
    // A clock that stepped back an hour does not silence us for an hour.
    assert!(world.login(&unknown, NOW_MS - HOUR_MS).await.is_err());
    assert_eq!(world.server.key_fetches(), 3);
}

#[tokio::test]
async fn a_new_key_is_found_when_its_first_token_comes() {
    let world = World::new().await;
    world.login(&world.token(), NOW_MS).await.unwrap();
    let second = Signer::ec("second");
    world.server.set_keys(both(&world.signer, &second));
    let token = second.token(&claims(&world.server.issuer(), NOW_MS));
    let later = NOW_MS + 31 * SECOND_MS;
    world.login(&token, later).await.unwrap();
    world.login(&world.token(), later).await.unwrap();
    assert_eq!(world.server.key_fetches(), 2);
}

#[tokio::test]
async fn a_removed_key_is_refused_once_its_set_is_no_longer_fresh() {
    let world = World::new().await;
    world.server.set_cache_control("max-age=600");
    let mut lasting = claims(&world.server.issuer(), NOW_MS);
    lasting["exp"] = json!((NOW_MS + 2 * HOUR_MS) / 1000);
    let token = world.signer.token(&lasting);
    world.login(&token, NOW_MS).await.unwrap();
    world
        .server
        .set_keys(Answer::Body(Signer::ec("second").key_set().to_string()));
    let later = NOW_MS + 9 * MINUTE_MS;
    world.identities.keyring.refresh(later).await;
    assert_eq!(world.server.key_fetches(), 1, "still fresh");
    world.login(&token, later).await.unwrap();
    world.identities.keyring.refresh(NOW_MS + 10 * MINUTE_MS).await;
    assert_eq!(world.server.key_fetches(), 2);
    let outcome = world.login(&token, NOW_MS + 10 * MINUTE_MS).await;
    assert_eq!(outcome.unwrap_err().code(), "token_unknown_key");
}

#[tokio::test]
async fn cache_control_counts_only_within_the_limits() {
    let limits = Limits {
        keys_fresh_seconds_min: 7 * 60,
        keys_fresh_seconds_max: 12 * 60,
        ..Limits::default()
    };
    for (value, fresh_minutes) in [
        ("max-age=1", 7),
        ("no-store", 7),
        ("max-age=600", 10),
        ("max-age=9999999", 12),
    ] {
        let world = World::with(limits.clone()).await;
        world.server.set_cache_control(value);
        world.login(&world.token(), NOW_MS).await.unwrap();
        world
            .identities
            .keyring
            .refresh(NOW_MS + fresh_minutes * MINUTE_MS - 1)
            .await;
        assert_eq!(world.server.key_fetches(), 1, "{value}");
        world
            .identities
            .keyring
            .refresh(NOW_MS + fresh_minutes * MINUTE_MS)
            .await;
        assert_eq!(world.server.key_fetches(), 2, "{value}");
    }
}

#[tokio::test]
async fn old_keys_serve_a_bounded_time_while_the_issuer_is_down() {
    let world = World::new().await;
    world.login(&world.token(), NOW_MS).await.unwrap();
    world.server.set_keys(Answer::Status(500));
    let stale_seconds_max = i64::try_from(Limits::default().keys_stale_seconds_max).unwrap();
    let stale_until = NOW_MS + 5 * MINUTE_MS + stale_seconds_max * SECOND_MS;
    let late = stale_until - 1;
    world.identities.keyring.refresh(late).await;
    world.login(&world.token_at(late), late).await.unwrap();
    unavailable(world.login(&world.token_at(stale_until), stale_until).await);
    // Also for a token that is remembered.
    let token = world.token_at(late);
    world.login(&token, late).await.unwrap();
    unavailable(world.login(&token, stale_until).await);
}

#[tokio::test]
async fn an_issuer_that_comes_back_is_asked_again() {
    let world = World::new().await;
    world.server.set_discovery(Answer::Status(500));
    unavailable(world.login(&world.token(), NOW_MS).await);
    unavailable(world.login(&world.token(), NOW_MS + SECOND_MS).await);
    assert_eq!(world.server.discoveries(), 1);
    let issuer = world.server.issuer();
    let discovery = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")});
    world.server.set_discovery(Answer::Body(discovery.to_string()));
    world
        .login(&world.token(), NOW_MS + 30 * SECOND_MS)
        .await
        .unwrap();
}

#[tokio::test]
async fn bad_key_sets_are_not_taken_and_old_keys_stay() {
    let world = World::new().await;
    world.login(&world.token(), NOW_MS).await.unwrap();
    let limits = Limits::default();
    let many: Vec<Value> = (0..=limits.jwks_keys_max).map(|_| world.signer.key()).collect();
    let bad = [
        Answer::Body("{".into()),
        Answer::Body("[]".into()),
        Answer::Body(r#"{"keys":{}}"#.into()),
        Answer::Body(r#"{"keys":[]}"#.into()),
        Answer::Body(r#"{"keys":[],"keys":[]}"#.into()),
        Answer::Body(json!({ "keys": many }).to_string()),
        Answer::Body(format!(
            "{}{}",
            world.signer.key_set(),
            " ".repeat(limits.jwks_bytes_max)
        )),
        Answer::Status(500),
        Answer::Status(204),
        Answer::Redirect(format!("{}/keys", world.server.issuer())),
        Answer::Redirect("http://169.254.169.254/latest/meta-data".into()),
    ];
    let mut now = NOW_MS;
    for (number, answer) in bad.into_iter().enumerate() {
        let described = format!("{answer:.60?}");
        world.server.set_keys(answer);
        now += 6 * MINUTE_MS;
        world.identities.keyring.refresh(now).await;
        assert_eq!(world.server.key_fetches(), number + 2, "{described}");
        world.login(&world.token_at(now), now).await.unwrap();
    }
}

#[tokio::test]
async fn a_discovery_document_must_name_its_issuer_and_keep_keys_at_home() {
    let elsewhere = Server::start(&Signer::ec("first").key_set()).await;
    let world = World::new().await;
    let issuer = world.server.issuer();
    let keys = format!("{issuer}/keys");
    for document in [
        json!({"issuer": format!("{issuer}/"), "jwks_uri": keys}),
        json!({"issuer": issuer.to_uppercase(), "jwks_uri": keys}),
        json!({"jwks_uri": keys}),
        json!({"issuer": issuer}),
        json!({"issuer": [issuer], "jwks_uri": keys}),
        json!({"issuer": issuer, "jwks_uri": format!("{}/keys", elsewhere.issuer())}),
        json!({"issuer": issuer, "jwks_uri": format!("http://localhost:{}/keys", world.server.port)}),
        json!({"issuer": issuer, "jwks_uri": "file:///etc/passwd"}),
        json!({"issuer": issuer, "jwks_uri": format!("http://x@127.0.0.1:{}/keys", world.server.port)}),
        json!([]),
    ] {
        let world = World::new().await;
        // The same words, about this world's own issuer.
        let text = document.to_string().replace(&issuer, &world.server.issuer());
        world.server.set_discovery(Answer::Body(text));
        unavailable(world.login(&world.token(), NOW_MS).await);
        assert_eq!(world.server.key_fetches(), 0, "{document}");
    }
    let world = World::new().await;
    world
        .server
        .set_discovery(Answer::Redirect(format!("{}/keys", elsewhere.issuer())));
    unavailable(world.login(&world.token(), NOW_MS).await);
    assert_eq!(elsewhere.key_fetches(), 0);
}

#[tokio::test]
async fn a_host_is_dialled_only_as_the_gateways_own_file_allows() {
    let signer = Signer::ec("first");
    let server = Server::start(&signer.key_set()).await;
    let allowed = server.allowed();
    for (hosts, works) in [
        (vec![], false),
        (
            vec![IssuerHost {
                plain_http: false,
                ..allowed.clone()
            }],
            false,
        ),
        (
            vec![IssuerHost {
                private_address: false,
                ..allowed.clone()
            }],
            false,
        ),
        (
            vec![IssuerHost {
                host: "127.0.0.1".into(),
                ..allowed.clone()
            }],
            false,
        ),
        (
            vec![IssuerHost {
                host: format!("localhost:{}", server.port),
                ..allowed.clone()
            }],
            false,
        ),
        (vec![allowed.clone()], true),
    ] {
        let identities = Identities::new(&Limits::default(), &hosts).unwrap();
        identities.set_known(trusting(&server.issuer(), None));
        let before = server.discoveries();
        let token = signer.token(&claims(&server.issuer(), NOW_MS));
        let outcome = identities
            .by_token(token.as_bytes(), home(), NOW_MS)
            .await
            .map(drop);
        assert_eq!(outcome.is_ok(), works, "{hosts:?} {outcome:?}");
        assert_eq!(server.discoveries() > before, works, "{hosts:?}");
    }
}

#[tokio::test]
async fn names_that_resolve_to_private_addresses_are_not_dialled() {
    let signer = Signer::ec("first");
    let server = Server::start(&signer.key_set()).await;
    for host in [
        "localhost",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
    ] {
        let iss = format!("http://{host}:{}", server.port);
        // Allowed to speak plain HTTP, so that only the address stands in the way.
        let allowed = IssuerHost {
            host: format!("{host}:{}", server.port),
            private_address: false,
            ..server.allowed()
        };
        let identities = Identities::new(&Limits::default(), &[allowed]).unwrap();
        identities.set_known(trusting(&iss, None));
        let token = signer.token(&claims(&iss, NOW_MS));
        unavailable(
            identities
                .by_token(token.as_bytes(), home(), NOW_MS)
                .await
                .map(drop),
        );
    }
    assert_eq!(server.discoveries(), 0);
}

#[tokio::test]
async fn a_discovery_document_beyond_its_limit_is_not_read() {
    let world = World::with(Limits {
        discovery_bytes_max: 500,
        ..Limits::default()
    })
    .await;
    let issuer = world.server.issuer();
    let document = |bytes: usize| {
        let text = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")}).to_string();
        Answer::Body(format!("{text:bytes$}"))
    };
    world.server.set_discovery(document(501));
    unavailable(world.login(&world.token(), NOW_MS).await);
    assert_eq!(world.server.key_fetches(), 0);
    world.server.set_discovery(document(500));
    let later = NOW_MS + MINUTE_MS;
    world.login(&world.token_at(later), later).await.unwrap();
}

#[tokio::test]
async fn a_silent_issuer_costs_a_bounded_time() {
    let world = World::with(Limits {
        keys_fetch_timeout_ms: 50,
        ..Limits::default()
    })
    .await;
    world.server.set_keys(Answer::Silence);
    unavailable(world.login(&world.token(), NOW_MS).await);
    assert_eq!(world.server.key_fetches(), 1);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_spoil_the_fetch_for_others() {
    let world = World::new().await;
    world.server.close_gate();
    let token = world.token();
    let mut login = Box::pin(world.login(&token, NOW_MS));
    while world.server.discoveries() == 0 {
        assert!(
            login
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        tokio::task::yield_now().await;
    }
    drop(login);
    world.server.open_gate();
    world.identities.keys_wanted().await;
    world.identities.keyring.refresh(NOW_MS + 1).await;
    assert_eq!(world.server.key_fetches(), 1);
    world.login(&token, NOW_MS + 2).await.unwrap();
    assert_eq!(world.server.discoveries(), 2);
}

#[tokio::test]
async fn the_background_task_fetches_what_a_snapshot_brings() {
    let world = World::new().await;
    world.identities.keys_wanted().await;
    world.identities.keyring.refresh(NOW_MS).await;
    assert_eq!(world.server.key_fetches(), 1);
    let ages = world.identities.keys_ages(NOW_MS + 5 * SECOND_MS);
    assert_eq!(
        (ages[0].issuer.as_str(), ages[0].age_seconds, ages[0].keys),
        ("ci", Some(5), 1)
    );
    // A snapshot that keeps the issuer keeps its keys.
    world.identities.set_known(trusting(&world.server.issuer(), None));
    world.login(&world.token(), NOW_MS).await.unwrap();
    assert_eq!(world.server.key_fetches(), 1);
}

#[tokio::test]
async fn two_issuers_with_the_same_key_id_never_share_keys() {
    let (one, two) = (Signer::ec("same"), Signer::ec("same"));
    let (first, second) = (
        Server::start(&one.key_set()).await,
        Server::start(&two.key_set()).await,
    );
    let identities = Identities::new(&Limits::default(), &[first.allowed(), second.allowed()]).unwrap();
    let entry = |name: &str, server: &Server| {
        let mut entry = issuer(name, Preset::Oidc, Some(&server.issuer()));
        entry.algorithms = vec!["ES256".into()];
        entry.stable_ids = vec!["sub".into()];
        entry
    };
    let rules = |name: &str| vec![by_claims(name, &[("sub", "deploy")])];
    let workloads = vec![workload("one", rules("first")), workload("two", rules("second"))];
    identities.set_known(known(&snapshot(
        vec![entry("first", &first), entry("second", &second)],
        workloads,
    )));
    for (signer, server, expected) in [
        (&one, &first, Some("one")),
        (&two, &second, Some("two")),
        (&one, &second, None),
        (&two, &first, None),
    ] {
        let token = signer.token(&claims(&server.issuer(), NOW_MS));
        let outcome = identities.by_token(token.as_bytes(), home(), NOW_MS).await;
        match (outcome, expected) {
            (Ok(identity), Some(name)) => assert_eq!(identity.workload().name, name),
            (
                Err(Error::Token {
                    cause: TokenError::Signature,
                    ..
                }),
                None,
            ) => {}
            (outcome, _) => panic!("{outcome:?}"),
        }
    }
}

#[tokio::test]
async fn an_https_issuer_is_verified_by_the_authority_that_its_host_names() {
    let authority = super::pki::root("issuers");
    let leaf = authority.leaf_with(|params| {
        params.subject_alt_names = vec![super::pki::dns("localhost")];
        params.not_after = rcgen::date_time_ymd(4000, 1, 1);
    });
    let key = rustls::pki_types::PrivateKeyDer::try_from(super::pki::leaf_key().serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    let signer = Signer::ec("first");
    let server = Server::start_with(&signer.key_set(), Some(Arc::new(tls))).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, authority: &super::pki::Authority| {
        let path = folder.path().join(name);
        std::fs::write(&path, authority.pem()).unwrap();
        path
    };
    let (right, wrong) = (
        write("right.pem", &authority),
        write("wrong.pem", &super::pki::root("issuers")),
    );
    for (ca, works) in [(Some(right), true), (Some(wrong), false), (None, false)] {
        let hosts = [IssuerHost {
            ca,
            plain_http: false,
            ..server.allowed()
        }];
        let identities = Identities::new(&Limits::default(), &hosts).unwrap();
        identities.set_known(trusting(&server.issuer(), None));
        let token = signer.token(&claims(&server.issuer(), NOW_MS));
        let outcome = identities
            .by_token(token.as_bytes(), home(), NOW_MS)
            .await
            .map(drop);
        assert_eq!(outcome.is_ok(), works, "{outcome:?}");
    }
    let unreadable = IssuerHost {
        ca: Some(folder.path().join("none.pem")),
        ..server.allowed()
    };
    assert!(Identities::new(&Limits::default(), &[unreadable]).is_err());
    for host in ["", "a/b", "a b", "https://a", "a:b", "u@a"] {
        let entry = IssuerHost {
            host: host.into(),
            ..server.allowed()
        };
        assert!(Identities::new(&Limits::default(), &[entry]).is_err(), "{host}");
    }
}
