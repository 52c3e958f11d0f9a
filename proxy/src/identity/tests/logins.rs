//! Evidence in, identity out: whole logins against a real issuer, and what a client hears otherwise.

use std::net::IpAddr;
use std::sync::Arc;

use postern_link::snapshot::{Issuer, Preset, Revoked, SecondNetwork, Snapshot, Workload};
use serde_json::{Value, json};

use super::super::{Error, EvidenceKind, Identities, Identity, Run, Stranger};
use super::matches::{github_claims, gitlab_claims, kubernetes_claims};
use super::pki::{DOMAIN, ID, NOW_MS, root, trusting};
use super::server::Server;
use super::tokens::{Signer, claims};
use super::world::{by_claims, by_spiffe, home, issuer, known, revoked, snapshot, text, workload};
use crate::config::Limits;
use crate::refusal::{Reason, Refusal};

/// A server that plays a CI system, and identities that know its workloads.
pub(super) struct Ci {
    pub(super) server: Arc<Server>,
    pub(super) identities: Identities,
    signer: Signer,
    preset: Preset,
    own: Value,
}

impl Ci {
    pub(super) async fn github() -> Ci {
        Ci::start(Preset::GithubActions, github_claims()).await
    }

    async fn start(preset: Preset, own: Value) -> Ci {
        let signer = Signer::rsa("1");
        let server = Server::start(&signer.key_set()).await;
        let identities = Identities::new(&Limits::default(), &[server.allowed()]).unwrap();
        Ci {
            server,
            identities,
            signer,
            preset,
            own,
        }
    }

    pub(super) fn issuer(&self) -> Issuer {
        issuer("ci", self.preset, Some(&self.server.issuer()))
    }

    pub(super) fn knows(&self, snapshot: &Snapshot) {
        self.identities.set_known(known(snapshot));
    }

    pub(super) fn knows_workload(&self, workload: Workload) {
        self.knows(&snapshot(vec![self.issuer()], vec![workload]));
    }

    /// A token of five minutes, with a change to its claims.
    pub(super) fn token_with(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut all = self.claims();
        change(&mut all);
        self.signer.token(&all)
    }

    fn claims(&self) -> Value {
        let mut all = self.own.clone();
        let registered = claims(&self.server.issuer(), NOW_MS);
        let subject = all["sub"].clone();
        all.as_object_mut()
            .unwrap()
            .extend(registered.as_object().unwrap().clone());
        all["sub"] = subject;
        all
    }

    pub(super) fn token(&self) -> String {
        self.token_with(|_| {})
    }

    pub(super) async fn login(&self, token: &str) -> Result<Identity, Error> {
        self.identities.by_token(token.as_bytes(), home(), NOW_MS).await
    }

    async fn code(&self, token: &str) -> Option<&'static str> {
        self.login(token).await.err().map(|error| error.code())
    }
}

pub(super) fn deploy() -> Workload {
    workload("deploy", vec![by_claims("ci", &[("repository_id", "74")])])
}

#[tokio::test]
async fn a_github_token_becomes_its_workload_with_the_facts_of_its_run() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let identity = ci.login(&ci.token()).await.unwrap();
    assert_eq!(identity.workload().name, "deploy");
    let evidence = identity.evidence();
    assert_eq!(
        (evidence.kind, evidence.issuer.as_str()),
        (EvidenceKind::Token, "ci")
    );
    assert_eq!(evidence.subject, "repo:acme/shop:ref:refs/heads/main");
    assert_eq!(
        (evidence.token_id.as_str(), evidence.certificate_serial.as_str()),
        ("1", "")
    );
    assert_eq!(evidence.expires_at_ms, NOW_MS + 300_000);
    // GitHub's tokens live five minutes; a session may go on for an hour more.
    assert_eq!(identity.ends_at_ms(), NOW_MS + 300_000 + 3_600_000);
    assert_eq!(identity.source(), home());
    assert!(!identity.second_network());
    let facts: Vec<(&str, &str)> = identity.run().unwrap().facts().collect();
    assert_eq!(
        facts,
        [
            ("provider", "github-actions"),
            ("repository", "acme/shop"),
            ("repository_id", "74"),
            ("ref", "refs/heads/main"),
            ("sha", "abc"),
            ("workflow", "deploy"),
            ("environment", "production"),
            ("event", "push"),
            ("actor", "alice"),
            ("run_id", "9001"),
            ("attempt", "1"),
            ("job", "77"),
        ]
    );
}

#[tokio::test]
async fn a_gitlab_token_of_a_person_is_no_pipelines() {
    let ci = Ci::start(Preset::Gitlab, gitlab_claims()).await;
    ci.knows_workload(workload("deploy", vec![by_claims("ci", &[("project_id", "22")])]));
    let identity = ci.login(&ci.token()).await.unwrap();
    let run = identity.run().unwrap();
    assert_eq!(
        (run.provider.as_ref(), run.run_id.as_deref(), run.job.as_deref()),
        ("gitlab", Some("574"), Some("302"))
    );
    assert_eq!(identity.ends_at_ms(), NOW_MS + 300_000, "GitLab has no grace");
    for name in ["pipeline_id", "job_id"] {
        for value in [json!(null), json!(""), json!(574)] {
            let token = ci.token_with(|claims| claims[name] = value.clone());
            assert_eq!(
                ci.code(&token).await,
                Some("token_not_a_pipeline"),
                "{name} {value}"
            );
        }
    }
}

#[tokio::test]
async fn a_kubernetes_token_is_bound_and_of_the_new_kind() {
    let ci = Ci::start(Preset::Kubernetes, kubernetes_claims()).await;
    let rule = [
        ("/kubernetes.io/serviceaccount/uid", "sa-uid"),
        ("/kubernetes.io/namespace", "jobs"),
    ];
    ci.knows_workload(workload("etl", vec![by_claims("ci", &rule)]));
    let identity = ci.login(&ci.token()).await.unwrap();
    let expected = Run {
        provider: "kubernetes".into(),
        run_id: Some("pod-uid".into()),
        job: Some("etl-1".into()),
        ..Run::default()
    };
    assert_eq!(identity.run(), Some(&expected));
    let unbound = ci.token_with(|claims| {
        claims["kubernetes.io"].as_object_mut().unwrap().remove("pod");
        claims.as_object_mut().unwrap().remove("jti");
    });
    assert_eq!(ci.code(&unbound).await, Some("token_unbound"));
    let legacy = ci.token_with(|claims| claims["kubernetes.io/serviceaccount/secret.name"] = json!("x"));
    assert_eq!(ci.code(&legacy).await, Some("token_legacy_service_account"));
    let endless = ci.token_with(|claims| {
        claims.as_object_mut().unwrap().remove("exp");
    });
    assert_eq!(ci.code(&endless).await, Some("token_claim_missing"));
    let year = ci.token_with(|claims| claims["exp"] = json!(NOW_MS / 1000 + 365 * 24 * 3600));
    assert_eq!(ci.code(&year).await, Some("token_lives_too_long"));
    let nameless = ci.token_with(|claims| claims["kubernetes.io"] = json!("x"));
    assert_eq!(ci.code(&nameless).await, Some("token_no_service_account"));
}

#[tokio::test]
async fn grace_is_the_presets_and_may_only_be_shortened() {
    let ci = Ci::github().await;
    for (by_issuer, by_workload, expected_seconds) in [
        (None, None, 3600),
        (Some(60), None, 60),
        (None, Some(30), 30),
        (Some(60), Some(30), 30),
        (Some(30), Some(60), 30),
        (Some(7200), Some(7200), 3600),
        (Some(0), None, 0),
    ] {
        let entry = Issuer {
            grace_seconds_max: by_issuer,
            ..ci.issuer()
        };
        let workload = Workload {
            grace_seconds_max: by_workload,
            ..deploy()
        };
        ci.knows(&snapshot(vec![entry], vec![workload]));
        let identity = ci.login(&ci.token()).await.unwrap();
        assert_eq!(identity.ends_at_ms(), NOW_MS + (300 + expected_seconds) * 1000);
    }
    let expires = jiff::Timestamp::from_millisecond(NOW_MS + 1000).unwrap();
    ci.knows_workload(Workload { expires, ..deploy() });
    assert_eq!(ci.login(&ci.token()).await.unwrap().ends_at_ms(), NOW_MS + 1000);
}

#[tokio::test]
async fn a_workload_that_is_off_or_over_lets_nobody_in() {
    let ci = Ci::github().await;
    ci.knows_workload(Workload {
        disabled: true,
        ..deploy()
    });
    assert_eq!(ci.code(&ci.token()).await, Some("workload_disabled"));
    let expires = jiff::Timestamp::from_millisecond(NOW_MS).unwrap();
    ci.knows_workload(Workload { expires, ..deploy() });
    assert_eq!(ci.code(&ci.token()).await, Some("workload_expired"));
}

#[tokio::test]
async fn what_is_revoked_lets_nobody_in_and_nothing_beside_it_is() {
    let ci = Ci::github().await;
    let stopped = |of: Revoked| Snapshot {
        revoked: vec![revoked(of)],
        ..snapshot(vec![ci.issuer()], vec![deploy()])
    };
    let run = |issuer: &str, run_id: &str| Revoked::Run {
        issuer: issuer.into(),
        run_id: run_id.into(),
    };
    let key = |issuer: &str, key_id: &str| Revoked::Key {
        issuer: issuer.into(),
        key_id: key_id.into(),
    };
    for (revocation, expected) in [
        (run("ci", "9001"), Some("revoked")),
        (run("ci", "9002"), None),
        (run("other", "9001"), None),
        (
            Revoked::Network("198.51.100.0/24".parse().unwrap()),
            Some("network_revoked"),
        ),
        (Revoked::Network("198.51.101.0/24".parse().unwrap()), None),
        (Revoked::Issuer("ci".into()), Some("revoked")),
        (Revoked::Issuer("other".into()), None),
        (Revoked::Workload("deploy".into()), Some("revoked")),
        (Revoked::Workload("deploy2".into()), None),
        (key("ci", "1"), Some("revoked")),
        (key("ci", "another"), None),
        (key("other", "1"), None),
    ] {
        ci.knows(&stopped(revocation.clone()));
        assert_eq!(ci.code(&ci.token()).await, expected, "{revocation:?}");
    }
    ci.knows(&stopped(Revoked::Network("198.51.100.0/24".parse().unwrap())));
    let mapped: IpAddr = "::ffff:198.51.100.9".parse().unwrap();
    let token = ci.token();
    let outcome = ci.identities.by_token(token.as_bytes(), mapped, NOW_MS).await;
    assert!(matches!(outcome, Err(Error::NetworkRevoked)));
    assert!(matches!(
        ci.identities.by_certificate(&[], mapped, NOW_MS),
        Err(Error::NetworkRevoked)
    ));
}

#[tokio::test]
async fn a_revoked_key_opens_no_door_by_leaving_its_name_out() {
    let ci = Ci::github().await;
    let nameless = ci.signer.token_without_key_id(&ci.claims());
    ci.knows_workload(deploy());
    assert_eq!(ci.code(&nameless).await, None, "there is only one key");
    let key = Revoked::Key {
        issuer: "ci".into(),
        key_id: "1".into(),
    };
    ci.knows(&Snapshot {
        revoked: vec![revoked(key)],
        ..snapshot(vec![ci.issuer()], vec![deploy()])
    });
    assert_eq!(ci.code(&nameless).await, Some("revoked"));
}

#[tokio::test]
async fn a_token_from_a_second_network_is_a_finding_or_a_refusal() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let token = ci.token();
    let from = async |source: &str| {
        ci.identities
            .by_token(token.as_bytes(), source.parse().unwrap(), NOW_MS)
            .await
    };
    assert!(!from("198.51.100.7").await.unwrap().second_network());
    assert!(
        !from("198.51.100.99").await.unwrap().second_network(),
        "the same /24"
    );
    assert!(
        !from("::ffff:198.51.100.1").await.unwrap().second_network(),
        "the same, written as IPv6"
    );
    assert!(from("203.0.113.1").await.unwrap().second_network());
    assert!(from("203.0.113.1").await.unwrap().second_network(), "every time");
    assert!(!from("198.51.100.7").await.unwrap().second_network());
    for number in 0..100 {
        assert!(
            from(&format!("2001:db8:0:{number:x}::1"))
                .await
                .unwrap()
                .second_network()
        );
    }
    ci.knows_workload(Workload {
        second_network: SecondNetwork::Refuse,
        ..deploy()
    });
    assert!(from("198.51.100.7").await.is_ok());
    assert!(matches!(
        from("203.0.113.1").await,
        Err(Error::SecondNetwork { .. })
    ));
    // Another token of the same workload has its own home.
    let other = ci.token_with(|claims| claims["jti"] = json!("2"));
    let source = "2001:db8:1:2:ffff::1".parse().unwrap();
    assert!(
        !ci.identities
            .by_token(other.as_bytes(), source, NOW_MS)
            .await
            .unwrap()
            .second_network()
    );
    let source = "2001:db8:1:3::1".parse().unwrap();
    let outcome = ci.identities.by_token(other.as_bytes(), source, NOW_MS).await;
    assert!(matches!(outcome, Err(Error::SecondNetwork { .. })));
}

#[tokio::test]
async fn a_thief_without_a_door_takes_no_home_network() {
    let ci = Ci::github().await;
    ci.knows_workload(Workload {
        disabled: true,
        ..deploy()
    });
    let token = ci.token();
    let thief = ci
        .identities
        .by_token(token.as_bytes(), "203.0.113.1".parse().unwrap(), NOW_MS)
        .await;
    assert!(thief.is_err());
    ci.knows_workload(Workload {
        second_network: SecondNetwork::Refuse,
        ..deploy()
    });
    assert!(ci.login(&token).await.is_ok());
}

#[tokio::test]
async fn networks_stay_known_when_a_token_is_verified_again_under_newer_keys() {
    let ci = Ci::github().await;
    ci.knows_workload(Workload {
        second_network: SecondNetwork::Refuse,
        ..deploy()
    });
    let token = ci.token();
    ci.login(&token).await.unwrap();
    let keys = json!({"keys": [ci.signer.key(), Signer::ec("2").key()]});
    ci.server.set_keys(super::server::Answer::Body(keys.to_string()));
    let later = NOW_MS + 299_000;
    let unknown = Signer::ec("3").token_as_rs256(&claims(&ci.server.issuer(), NOW_MS));
    assert!(
        ci.identities
            .by_token(unknown.as_bytes(), home(), later)
            .await
            .is_err()
    );
    assert_eq!(ci.server.key_fetches(), 2);
    let moved = ci
        .identities
        .by_token(token.as_bytes(), "203.0.113.1".parse().unwrap(), later)
        .await;
    assert!(matches!(moved, Err(Error::SecondNetwork { .. })), "{moved:?}");
}

#[tokio::test]
async fn a_stranger_is_counted_by_our_words_and_listed_only_in_our_tenant() {
    let ci = Ci::github().await;
    ci.knows_workload(deploy());
    let stranger = |error: Error| error.stranger();
    let other = ci.token_with(|claims| claims["repository_id"] = json!("75"));
    let expected = Stranger {
        issuer: "ci".into(),
        tenant: String::new(),
        subject: String::new(),
        reason: "unregistered",
    };
    assert_eq!(stranger(ci.login(&other).await.unwrap_err()), expected);
    let mut entry = ci.issuer();
    entry.tenant.insert("repository_owner_id".into(), text("65"));
    ci.knows(&snapshot(vec![entry], vec![deploy()]));
    let listed = Stranger {
        tenant: "repository_owner_id=65".into(),
        subject: "repo:acme/shop:ref:refs/heads/main".into(),
        ..expected.clone()
    };
    assert_eq!(stranger(ci.login(&other).await.unwrap_err()), listed);
    let foreign = ci.token_with(|claims| {
        claims["repository_id"] = json!("75");
        claims["repository_owner_id"] = json!("66");
    });
    assert_eq!(stranger(ci.login(&foreign).await.unwrap_err()), expected);
    let unknown = ci.token_with(|claims| claims["iss"] = json!("https://evil.example/\u{1b}[2J"));
    let nobody = Stranger {
        issuer: String::new(),
        reason: "token_unknown_issuer",
        ..expected
    };
    assert_eq!(stranger(ci.login(&unknown).await.unwrap_err()), nobody);
}

#[tokio::test]
async fn what_a_client_hears_teaches_and_gives_nothing_away() {
    let ci = Ci::github().await;
    ci.knows_workload(workload(
        "deploy",
        vec![by_claims(
            "ci",
            &[("repository_id", "74"), ("environment", "vault")],
        )],
    ));
    let token = ci.token();
    let mut heard: Vec<(Error, Reason)> =
        vec![(ci.login(&token).await.unwrap_err(), Reason::Unauthenticated)];
    for (change, reason) in [
        (json!({"exp": 1}), Reason::BadToken),
        (json!({"aud": "https://other.example"}), Reason::BadToken),
        (
            json!({"iss": "https://evil.example/\u{1b}]0;x\u{7}"}),
            Reason::BadToken,
        ),
        (json!({"sub": 7}), Reason::BadToken),
        (
            json!({"repository_id": "75", "sub": "evil\u{1b}[2J\nDETAIL: x"}),
            Reason::Unauthenticated,
        ),
    ] {
        let token = ci.token_with(|claims| {
            claims
                .as_object_mut()
                .unwrap()
                .extend(change.as_object().unwrap().clone());
        });
        heard.push((ci.login(&token).await.unwrap_err(), reason));
    }
    ci.server.set_discovery(super::server::Answer::Status(500));
    let down = Ci::github().await;
    down.knows_workload(deploy());
    down.server.set_discovery(super::server::Answer::Status(500));
    heard.push((down.login(&down.token()).await.unwrap_err(), Reason::Unavailable));
    let certificate = ci.identities.by_certificate(&[], home(), NOW_MS).unwrap_err();
    heard.push((certificate, Reason::Unauthenticated));
    for (error, reason) in &heard {
        let refusal = Refusal::from(error);
        assert_eq!(refusal.reason, *reason, "{error}");
        let words = format!("{} {:?} {:?}", refusal.message, refusal.detail, refusal.hint);
        for secret in [
            token.as_str(),
            "127.0.0.1",
            "evil.example",
            "\u{1b}",
            "\n",
            "\\u{1b}",
            "vault",
            "http://",
        ] {
            assert!(!words.contains(secret), "{words}");
        }
        assert!(refusal.detail.is_some() || refusal.hint.is_some(), "{words}");
        assert!(!refusal.message.ends_with('.'));
    }
    let refusal = Refusal::from(&heard[0].0);
    assert_eq!(refusal.message, "no workload matches this token");
    let detail = "the nearest login rule for `repo:acme/shop:ref:refs/heads/main` differs in environment";
    assert_eq!(refusal.detail.as_deref(), Some(detail));
}

#[test]
fn a_certificate_becomes_its_workload() {
    let root = root("root");
    let identities = trusting(&[&root]);
    identities.set_known(known(&snapshot(
        Vec::new(),
        vec![workload("deploy", vec![by_spiffe(ID)])],
    )));
    let identity = identities
        .by_certificate(&[root.leaf(ID)], home(), NOW_MS)
        .unwrap();
    assert_eq!(identity.workload().name, "deploy");
    let evidence = identity.evidence();
    assert_eq!(
        (evidence.kind, evidence.issuer.as_str(), evidence.subject.as_str()),
        (EvidenceKind::Certificate, DOMAIN, ID)
    );
    assert_eq!(
        (evidence.certificate_serial.as_str(), evidence.token_id.as_str()),
        ("0abc", "")
    );
    assert_eq!(identity.ends_at_ms(), evidence.expires_at_ms);
    assert!(identity.run().is_none() && !identity.second_network());
}

#[test]
fn a_certificate_of_ours_that_no_workload_claims_is_a_stranger_with_a_name() {
    let root = root("root");
    let identities = trusting(&[&root]);
    identities.set_known(known(&snapshot(
        Vec::new(),
        vec![workload("deploy", vec![by_spiffe(ID)])],
    )));
    for id in [
        "spiffe://a.example/deploy2",
        "spiffe://a.example/Deploy",
        "spiffe://a.example/deploy/x",
    ] {
        let error = identities
            .by_certificate(&[root.leaf(id)], home(), NOW_MS)
            .unwrap_err();
        let expected = Stranger {
            issuer: DOMAIN.into(),
            tenant: DOMAIN.into(),
            subject: id.into(),
            reason: "unregistered",
        };
        assert_eq!(error.stranger(), expected);
    }
    let error = identities
        .by_certificate(&[root.leaf("spiffe://b.example/x")], home(), NOW_MS)
        .unwrap_err();
    let expected = Stranger {
        issuer: String::new(),
        tenant: String::new(),
        subject: String::new(),
        reason: "certificate_unknown_trust_domain",
    };
    assert_eq!(error.stranger(), expected);
}

#[test]
fn a_revoked_certificate_is_refused_however_its_serial_is_written() {
    let root = root("root");
    let identities = trusting(&[&root]);
    for (trust_domain, serial, expected) in [
        (DOMAIN, "0abc", Some("revoked")),
        (DOMAIN, "0A:BC", Some("revoked")),
        (DOMAIN, "abc", Some("revoked")),
        (DOMAIN, "00:0A:BC", Some("revoked")),
        (DOMAIN, "abcd", None),
        (DOMAIN, "", None),
        ("b.example", "0abc", None),
    ] {
        let revocation = Revoked::Certificate {
            trust_domain: trust_domain.into(),
            serial: serial.into(),
        };
        let workloads = vec![workload("deploy", vec![by_spiffe(ID)])];
        let known = known(&Snapshot {
            revoked: vec![revoked(revocation)],
            ..snapshot(Vec::new(), workloads)
        });
        identities.set_known(known);
        let outcome = identities.by_certificate(&[root.leaf(ID)], home(), NOW_MS);
        assert_eq!(outcome.err().map(|error| error.code()), expected, "{serial}");
    }
}

#[test]
fn nobody_is_anybody_before_the_first_snapshot_and_bundle() {
    let root = root("root");
    let identities = Identities::new(&Limits::default(), &[]).unwrap();
    let code = |identities: &Identities| {
        identities
            .by_certificate(&[root.leaf(ID)], home(), NOW_MS)
            .unwrap_err()
            .code()
    };
    assert_eq!(code(&identities), "certificate_unknown_trust_domain");
    identities.set_bundles(super::pki::bundle(&[&root]));
    assert_eq!(code(&identities), "unregistered");
}
