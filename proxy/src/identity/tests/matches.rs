//! Which rules load, which tokens they take, and which they must not.

use std::collections::BTreeMap;

use postern_link::snapshot::{ClaimMatch, Issuer, Login, Preset, Scalar, Snapshot, Workload};
use serde_json::{Value, json};

use super::super::Known;
use super::super::matching::Found;
use super::world::{by_claims, by_spiffe, issuer, known, snapshot, text, workload};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const GITLAB: &str = "https://gitlab.example";
const KUBERNETES: &str = "https://cluster.example";

fn issuers() -> Vec<Issuer> {
    let mut oidc = issuer("oidc", Preset::Oidc, Some("https://oidc.example"));
    oidc.algorithms = vec!["RS256".into()];
    oidc.stable_ids = vec!["tenant".into(), "sub".into()];
    vec![
        issuer("github", Preset::GithubActions, None),
        issuer("gitlab", Preset::Gitlab, Some(GITLAB)),
        issuer("cluster", Preset::Kubernetes, Some(KUBERNETES)),
        oidc,
    ]
}

fn iss(name: &str) -> &'static str {
    match name {
        "github" => GITHUB,
        "gitlab" => GITLAB,
        "cluster" => KUBERNETES,
        _ => "https://oidc.example",
    }
}

fn of(workloads: Vec<Workload>) -> Snapshot {
    snapshot(issuers(), workloads)
}

/// The errors of a snapshot with these workloads.
fn errors(workloads: Vec<Workload>) -> Vec<String> {
    Known::build(&of(workloads)).err().unwrap_or_default()
}

#[track_caller]
fn refused(workloads: Vec<Workload>, words: &str) {
    let errors = errors(workloads);
    assert!(
        errors.len() == 1 && errors[0].contains(words),
        "expected `{words}` in {errors:#?}"
    );
}

fn rule(name: &str, claims: &[(&str, &str)]) -> Workload {
    workload("deploy", vec![by_claims(name, claims)])
}

/// Who a token's claims are, if exactly one workload.
fn found(known: &Known, name: &str, claims: &Value) -> Result<String, Vec<String>> {
    let issuer = known.issuer(iss(name)).unwrap();
    match known.by_claims(issuer, claims.as_object().unwrap()) {
        Found::One(workload) => Ok(workload.name.clone()),
        Found::None { differs } => Err(differs),
        Found::Many(workloads) => Err(workloads),
    }
}

pub(super) fn github_claims() -> Value {
    json!({
        "sub": "repo:acme/shop:ref:refs/heads/main", "repository": "acme/shop", "repository_id": "74",
        "repository_owner": "acme", "repository_owner_id": "65", "ref": "refs/heads/main", "ref_type": "branch",
        "ref_protected": "true", "sha": "abc", "workflow": "deploy", "event_name": "push", "actor": "alice",
        "run_id": "9001", "run_attempt": "1", "run_number": "12", "check_run_id": "77", "environment": "production",
        "job_workflow_ref": "acme/shop/.github/workflows/deploy.yml@refs/heads/main", "base_ref": "", "head_ref": "",
    })
}

pub(super) fn gitlab_claims() -> Value {
    json!({
        "sub": "project_path:acme/shop:ref_type:branch:ref:main", "project_path": "acme/shop", "project_id": "22",
        "namespace_id": "72", "user_login": "alice", "pipeline_id": "574", "pipeline_source": "push",
        "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
        "ref_protected": "true", "sha": "abc",
    })
}

pub(super) fn kubernetes_claims() -> Value {
    json!({
        "sub": "system:serviceaccount:jobs:etl", "jti": "a1",
        "kubernetes.io": {
            "namespace": "jobs",
            "pod": {"name": "etl-1", "uid": "pod-uid"},
            "serviceaccount": {"name": "etl", "uid": "sa-uid"},
        },
    })
}

const SERVICE_ACCOUNT: &[(&str, &str)] = &[
    ("/kubernetes.io/serviceaccount/uid", "sa-uid"),
    ("/kubernetes.io/namespace", "jobs"),
];

mod rules_that_do_not_load {
    use super::*;

    #[test]
    fn one_without_a_stable_id() {
        refused(
            vec![rule("github", &[("repository", "acme/shop")])],
            "pins no `repository_id`",
        );
        refused(
            vec![rule("github", &[("repository_owner_id", "65")])],
            "pins no `repository_id`",
        );
        refused(
            vec![rule("gitlab", &[("project_path", "acme/shop")])],
            "pins no `project_id`",
        );
        refused(
            vec![rule("cluster", &[SERVICE_ACCOUNT[0]])],
            "pins no `/kubernetes.io/namespace`",
        );
        refused(
            vec![rule("cluster", &[SERVICE_ACCOUNT[1]])],
            "pins no `/kubernetes.io/serviceaccount/uid`",
        );
        refused(vec![rule("oidc", &[("sub", "x")])], "pins no `tenant`");
        refused(
            vec![rule("github", &[("repository_id", " ")])],
            "`repository_id` is empty",
        );
        assert_eq!(errors(vec![rule("oidc", &[])]).len(), 2);
    }

    #[test]
    fn one_with_a_wildcard_or_that_nothing_matches() {
        for value in ["*", "acme/*", "re*x"] {
            refused(
                vec![rule("github", &[("repository_id", "74"), ("repository", value)])],
                "has a wildcard",
            );
        }
        let list = |values| Login::Token {
            issuer: "github".into(),
            claims: BTreeMap::from([
                ("repository_id".into(), text("74")),
                ("ref".into(), ClaimMatch::AnyOf(values)),
            ]),
        };
        refused(vec![workload("a", vec![list(Vec::new())])], "has an empty list");
        refused(
            vec![workload("a", vec![list(vec![Scalar::Text("x*".into())])])],
            "has a wildcard",
        );
        refused(
            vec![workload("a", vec![list(vec![Scalar::Integer(1)])])],
            "never matches",
        );
        let number = Login::Token {
            issuer: "github".into(),
            claims: BTreeMap::from([("repository_id".into(), ClaimMatch::Exactly(Scalar::Integer(74)))]),
        };
        refused(vec![workload("a", vec![number])], "quote it, `\"74\"`");
    }

    #[test]
    fn one_with_a_claim_that_is_no_name_and_no_pointer() {
        for (name, words) in [
            ("", "a claim has no name"),
            ("/", "is no JSON pointer"),
            ("/a//b", "is no JSON pointer"),
            ("/a~2", "is no JSON pointer"),
            ("/a~", "is no JSON pointer"),
            ("/repository_id", "is given twice"),
        ] {
            refused(
                vec![rule("github", &[("repository_id", "74"), (name, "x")])],
                words,
            );
        }
    }

    #[test]
    fn one_that_trusts_the_text_of_a_github_subject() {
        let claims = [
            ("repository_id", "74"),
            ("sub", "repo:acme/shop:ref:refs/heads/main"),
        ];
        refused(vec![rule("github", &claims)], "matches `sub`");
    }

    #[test]
    fn one_that_takes_a_gitlab_ref_of_any_type() {
        refused(
            vec![rule("gitlab", &[("project_id", "22"), ("ref", "main")])],
            "without `ref_type`",
        );
        let typed = [("project_id", "22"), ("ref", "main"), ("ref_type", "branch")];
        assert!(errors(vec![rule("gitlab", &typed)]).is_empty());
    }

    #[test]
    fn one_of_a_protected_environment_that_any_branch_could_meet() {
        let with = |name: &str, environment: &str, more: &[(&str, &str)]| {
            let id = if name == "github" {
                ("repository_id", "74")
            } else {
                ("project_id", "22")
            };
            let mut workload = rule(name, &[&[id], more].concat());
            workload.environment = environment.into();
            vec![workload]
        };
        for environment in ["production", "PROD", "Protected"] {
            refused(
                with("github", environment, &[]),
                "any branch could be this workload",
            );
            refused(
                with("github", environment, &[("ref", "refs/heads/main")]),
                "any branch",
            );
            let unprotected = [("ref", "refs/heads/main"), ("ref_protected", "false")];
            refused(with("github", environment, &unprotected), "any branch");
            refused(
                with("gitlab", environment, &[("environment", "production")]),
                "any branch",
            );
            for more in [
                &[("environment", "production")][..],
                &[("ref", "refs/heads/main"), ("ref_protected", "true")],
                &[(
                    "job_workflow_ref",
                    "acme/ci/.github/workflows/d.yml@refs/heads/main",
                )],
            ] {
                assert_eq!(errors(with("github", environment, more)), Vec::<String>::new());
            }
            for more in [
                &[("environment", "production"), ("environment_protected", "true")][..],
                &[("ref", "main"), ("ref_type", "branch"), ("ref_protected", "true")],
            ] {
                assert_eq!(errors(with("gitlab", environment, more)), Vec::<String>::new());
            }
        }
        assert!(errors(with("github", "staging", &[])).is_empty());
    }

    #[test]
    fn one_whose_every_token_is_another_workload_too() {
        let named = |name: &str, claims: &[(&str, &str)]| workload(name, vec![by_claims("github", claims)]);
        let wide = named("wide", &[("repository_id", "74")]);
        for narrow in [
            named("narrow", &[("repository_id", "74")]),
            named("narrow", &[("/repository_id", "74"), ("environment", "staging")]),
            named("narrow", &[("repository_id", "74"), ("event_name", "push")]),
        ] {
            refused(
                vec![wide.clone(), narrow.clone()],
                "could never tell which of the two",
            );
            refused(vec![narrow, wide.clone()], "could never tell which of the two");
        }
        // What the wide rule does not take is no overlap.
        let change_request = named(
            "narrow",
            &[("repository_id", "74"), ("event_name", "pull_request")],
        );
        assert!(errors(vec![wide.clone(), change_request]).is_empty());
        assert!(errors(vec![wide.clone(), named("other", &[("repository_id", "75")])]).is_empty());
        // One workload may say the same in two ways.
        let twice = workload("one", vec![wide.login[0].clone(), wide.login[0].clone()]);
        assert!(errors(vec![twice]).is_empty());
    }

    #[test]
    fn spiffe_ids_that_are_none_or_are_somebody_elses() {
        refused(
            vec![workload("a", vec![by_spiffe("spiffe://a.example")])],
            "names a trust domain and no workload",
        );
        refused(
            vec![workload("a", vec![by_spiffe("spiffe://A.example/x")])],
            "upper case",
        );
        let id = || vec![by_spiffe("spiffe://a.example/x")];
        refused(
            vec![workload("a", id()), workload("b", id())],
            "is workload `a` already",
        );
        refused(
            vec![workload("a", vec![]), workload("a", vec![])],
            "workload `a` is defined twice",
        );
    }

    #[test]
    fn an_issuer_that_nobody_defines() {
        refused(
            vec![rule("githib", &[("repository_id", "74")])],
            "issuer `githib` is defined by no resource",
        );
    }

    #[test]
    fn every_mistake_is_told_at_once_with_workload_and_login() {
        let login = vec![by_spiffe("x"), by_claims("github", &[("repository", "*")])];
        let errors = errors(vec![workload("deploy", login)]);
        assert_eq!(errors.len(), 3, "{errors:#?}");
        assert!(errors[0].starts_with("workload `deploy`, login 1: "));
        assert!(errors[2].starts_with("workload `deploy`, login 2: "));
    }
}

mod issuers_that_do_not_load {
    use super::*;

    #[track_caller]
    fn refused(preset: Preset, change: impl FnOnce(&mut Issuer), words: &str) {
        let mut entry = issuer("x", preset, Some("https://issuer.example"));
        if preset == Preset::Oidc {
            entry.algorithms = vec!["RS256".into()];
            entry.stable_ids = vec!["sub".into()];
        }
        change(&mut entry);
        let errors = Known::build(&snapshot(vec![entry], Vec::new())).expect_err("must be refused");
        assert!(
            errors.len() == 1 && errors[0].contains(words),
            "expected `{words}` in {errors:#?}"
        );
        assert!(errors[0].starts_with("issuer `x`: "));
    }

    #[test]
    fn an_audience_that_is_not_our_own_name() {
        for audience in ["", " "] {
            refused(
                Preset::Oidc,
                |entry| entry.audience = audience.into(),
                "empty `audience`",
            );
        }
        refused(
            Preset::Oidc,
            |entry| entry.audience = "https://*.example".into(),
            "compared exactly",
        );
        refused(
            Preset::Oidc,
            |entry| entry.audience = "https://postern.example ".into(),
            "compared exactly",
        );
        refused(
            Preset::Oidc,
            |entry| entry.audience = "https://issuer.example".into(),
            "by itself",
        );
        for audience in [
            "https://github.com/acme",
            "https://github.com/",
            "https://github.com",
        ] {
            refused(
                Preset::GithubActions,
                |entry| entry.audience = audience.into(),
                "by itself",
            );
        }
        for audience in [
            "https://kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
            "sts.amazonaws.com",
        ] {
            refused(
                Preset::Kubernetes,
                |entry| entry.audience = audience.into(),
                "by itself",
            );
        }
    }

    #[test]
    fn algorithms_that_prove_nothing_or_are_none_of_the_presets() {
        for name in ["none", "HS256", "HS512", "rs256", ""] {
            refused(
                Preset::Oidc,
                |entry| entry.algorithms = vec![name.into()],
                "is not taken",
            );
        }
        refused(
            Preset::GithubActions,
            |entry| entry.algorithms = vec!["ES256".into()],
            "`github-actions` uses",
        );
        refused(
            Preset::Oidc,
            |entry| entry.algorithms.clear(),
            "has no `algorithms`",
        );
        let mut narrowed = issuer("x", Preset::Kubernetes, Some("https://issuer.example"));
        narrowed.algorithms = vec!["ES256".into()];
        let known = known(&snapshot(vec![narrowed], Vec::new()));
        assert_eq!(
            known
                .issuer("https://issuer.example")
                .unwrap()
                .terms
                .algorithms
                .len(),
            1
        );
    }

    #[test]
    fn stable_ids_that_are_missing_or_too_many() {
        refused(
            Preset::Oidc,
            |entry| entry.stable_ids.clear(),
            "has no `stable_ids`",
        );
        refused(
            Preset::Oidc,
            |entry| entry.stable_ids = vec!["/".into()],
            "no JSON pointer",
        );
        refused(
            Preset::Gitlab,
            |entry| entry.stable_ids = vec!["sub".into()],
            "fixed by preset `gitlab`",
        );
    }

    #[test]
    fn an_issuer_that_is_no_address() {
        refused(
            Preset::Gitlab,
            |entry| entry.issuer = None,
            "needs the exact `iss`",
        );
        for iss in [
            "",
            "gitlab.example",
            "https://a@b",
            "https://a/?b",
            "https://a/#b",
            "ldap://a",
        ] {
            refused(
                Preset::Gitlab,
                |entry| entry.issuer = Some(iss.into()),
                "or give `jwks_uri`",
            );
        }
        refused(
            Preset::Gitlab,
            |entry| entry.jwks_uri = Some("keys".into()),
            "`jwks_uri`",
        );
        let mut odd = issuer("x", Preset::Kubernetes, Some("kubernetes/serviceaccount"));
        odd.jwks_uri = Some("https://cluster.example/keys".into());
        assert!(Known::build(&snapshot(vec![odd], Vec::new())).is_ok());
    }

    #[test]
    fn a_tenant_with_a_wildcard() {
        let change = |entry: &mut Issuer| {
            entry.tenant.insert("repository_owner".into(), text("acme*"));
        };
        refused(Preset::GithubActions, change, "`tenant`: ");
    }

    #[test]
    fn two_for_one_iss_or_with_one_name() {
        let twin = |name: &str| issuer(name, Preset::GithubActions, None);
        let errors = Known::build(&snapshot(vec![twin("a"), twin("b")], Vec::new())).unwrap_err();
        assert!(errors[0].contains("has the same `issuer` as `a`"), "{errors:?}");
        let errors = Known::build(&snapshot(vec![twin("a"), twin("a")], Vec::new())).unwrap_err();
        assert!(errors[0].contains("is defined twice"), "{errors:?}");
    }

    #[test]
    fn the_rules_of_a_broken_issuer_are_not_blamed_for_it() {
        let mut entry = issuer("github", Preset::GithubActions, None);
        entry.audience = String::new();
        let workloads = vec![rule("github", &[("repository_id", "74")])];
        assert_eq!(
            Known::build(&snapshot(vec![entry], workloads)).unwrap_err().len(),
            1
        );
    }
}

mod github {
    use super::*;

    fn changed(name: &str, value: Value) -> Value {
        let mut claims = github_claims();
        claims[name] = value;
        claims
    }

    #[test]
    fn the_same_names_under_another_id_are_somebody_else() {
        let known = known(&of(vec![rule(
            "github",
            &[("repository_id", "74"), ("ref", "refs/heads/main")],
        )]));
        assert_eq!(found(&known, "github", &github_claims()), Ok("deploy".into()));
        // The repository was deleted and its name registered again, or sits in `acme-evil`.
        for id in [
            json!("75"),
            json!(74),
            json!("074"),
            json!("74 "),
            json!(["74"]),
            json!(null),
            json!(true),
        ] {
            assert!(found(&known, "github", &changed("repository_id", id)).is_err());
        }
        assert!(
            found(
                &known,
                "github",
                &changed("ref", json!("refs/heads/main:environment:production"))
            )
            .is_err()
        );
        assert!(found(&known, "github", &changed("ref", json!("refs/heads/Main"))).is_err());
        for sub in [
            "repo:acme@65/shop@74:ref:refs/heads/main",
            "anything",
            "repo:renamed/shop:pull_request",
        ] {
            assert!(found(&known, "github", &changed("sub", json!(sub))).is_ok());
        }
    }

    #[test]
    fn only_the_usual_events_open_the_door_unless_the_rule_names_others() {
        let known_usual = known(&of(vec![rule("github", &[("repository_id", "74")])]));
        for event in [
            "push",
            "schedule",
            "workflow_dispatch",
            "release",
            "deployment",
            "merge_group",
        ] {
            assert!(
                found(&known_usual, "github", &changed("event_name", json!(event))).is_ok(),
                "{event}"
            );
        }
        let unusual = [
            "pull_request",
            "pull_request_target",
            "workflow_run",
            "issue_comment",
            "repository_dispatch",
            "",
        ];
        for event in unusual {
            let outcome = found(&known_usual, "github", &changed("event_name", json!(event)));
            assert_eq!(outcome, Err(vec!["event_name".into()]), "{event}");
        }
        let mut without = github_claims();
        without.as_object_mut().unwrap().remove("event_name");
        assert!(found(&known_usual, "github", &without).is_err());
        let named = [("repository_id", "74"), ("event_name", "pull_request")];
        let known_named = known(&of(vec![rule("github", &named)]));
        assert!(
            found(
                &known_named,
                "github",
                &changed("event_name", json!("pull_request"))
            )
            .is_ok()
        );
        assert!(found(&known_named, "github", &github_claims()).is_err());
    }

    #[test]
    fn a_token_that_carries_a_change_request_is_one_whatever_its_event() {
        let known_usual = known(&of(vec![rule("github", &[("repository_id", "74")])]));
        for name in ["head_ref", "base_ref"] {
            for value in [json!("feature"), json!(1), json!(["x"])] {
                assert!(
                    found(&known_usual, "github", &changed(name, value)).is_err(),
                    "{name}"
                );
            }
            assert!(found(&known_usual, "github", &changed(name, json!(null))).is_ok());
        }
    }

    #[test]
    fn two_workloads_that_both_match_are_nobody() {
        let rules = |name: &str, claim: (&str, &str)| {
            workload(name, vec![by_claims("github", &[("repository_id", "74"), claim])])
        };
        let both = vec![
            rules("a", ("environment", "production")),
            rules("b", ("ref", "refs/heads/main")),
        ];
        let known = known(&of(both));
        assert_eq!(
            found(&known, "github", &github_claims()),
            Err(vec!["a".into(), "b".into()])
        );
        assert_eq!(
            found(&known, "github", &changed("ref", json!("refs/heads/x"))),
            Ok("a".into())
        );
    }

    #[test]
    fn the_nearest_rule_of_the_same_repository_is_named_by_its_claims() {
        let known = known(&of(vec![
            workload(
                "far",
                vec![by_claims(
                    "github",
                    &[("repository_id", "74"), ("ref", "x"), ("actor", "x")],
                )],
            ),
            workload(
                "near",
                vec![by_claims(
                    "github",
                    &[("repository_id", "74"), ("environment", "staging")],
                )],
            ),
        ]));
        assert_eq!(
            found(&known, "github", &github_claims()),
            Err(vec!["environment".into()])
        );
        assert_eq!(
            found(&known, "github", &changed("repository_id", json!("1"))),
            Err(vec![])
        );
    }

    #[test]
    fn one_of_several_listed_values_is_enough() {
        let any = |values: &[&str]| {
            ClaimMatch::AnyOf(values.iter().map(|text| Scalar::Text((*text).into())).collect())
        };
        let login = Login::Token {
            issuer: "github".into(),
            claims: BTreeMap::from([
                ("repository_id".into(), any(&["74", "75", "74"])),
                ("ref".into(), any(&["refs/heads/main", "refs/heads/next"])),
            ]),
        };
        let known = known(&of(vec![workload("deploy", vec![login])]));
        for id in ["74", "75"] {
            assert!(found(&known, "github", &changed("repository_id", json!(id))).is_ok());
        }
        assert!(found(&known, "github", &changed("repository_id", json!("76"))).is_err());
        assert!(found(&known, "github", &changed("ref", json!("refs/heads/other"))).is_err());
    }
}

#[test]
fn gitlab_change_requests_open_no_door_unless_the_rule_names_them() {
    let usual = known(&of(vec![rule("gitlab", &[("project_id", "22")])]));
    assert!(found(&usual, "gitlab", &gitlab_claims()).is_ok());
    let changed = |name: &str, value: &str| {
        let mut claims = gitlab_claims();
        claims[name] = json!(value);
        claims
    };
    for source in [
        "merge_request_event",
        "external_pull_request_event",
        "parent_pipeline",
        "chat",
        "",
    ] {
        assert!(
            found(&usual, "gitlab", &changed("pipeline_source", source)).is_err(),
            "{source}"
        );
    }
    assert!(
        found(
            &usual,
            "gitlab",
            &changed("ref_path", "refs/merge-requests/1/head")
        )
        .is_err()
    );
    let named = [("project_id", "22"), ("pipeline_source", "merge_request_event")];
    let named = known(&of(vec![rule("gitlab", &named)]));
    assert!(
        found(
            &named,
            "gitlab",
            &changed("pipeline_source", "merge_request_event")
        )
        .is_ok()
    );
}

#[test]
fn claims_are_reached_by_pointer_and_names_with_dots_are_plain() {
    let known = known(&of(vec![rule("cluster", SERVICE_ACCOUNT)]));
    assert!(found(&known, "cluster", &kubernetes_claims()).is_ok());
    let mut recreated = kubernetes_claims();
    recreated["kubernetes.io"]["serviceaccount"]["uid"] = json!("another");
    assert!(found(&known, "cluster", &recreated).is_err());
    let mut moved = kubernetes_claims();
    moved["kubernetes.io"]["namespace"] = json!("other");
    assert_eq!(
        found(&known, "cluster", &moved),
        Err(vec!["/kubernetes.io/namespace".into()])
    );
    let flat = json!({"/kubernetes.io/serviceaccount/uid": "sa-uid", "/kubernetes.io/namespace": "jobs"});
    assert!(found(&known, "cluster", &flat).is_err());
}

#[test]
fn values_are_compared_by_their_json_type() {
    let claims = |value: Scalar| Login::Token {
        issuer: "oidc".into(),
        claims: BTreeMap::from([
            ("tenant".into(), ClaimMatch::Exactly(value)),
            ("sub".into(), text("x")),
        ]),
    };
    for (expected, good, bad) in [
        (
            Scalar::Integer(1),
            json!(1),
            [json!("1"), json!(1.0), json!(true), json!(2)],
        ),
        (
            Scalar::Text("1".into()),
            json!("1"),
            [json!(1), json!("01"), json!(true), json!(["1"])],
        ),
        (
            Scalar::Bool(true),
            json!(true),
            [json!("true"), json!(1), json!(false), json!(null)],
        ),
        (
            Scalar::Text("b1".into()),
            json!("b1"),
            [json!("1"), json!(1), json!(true), json!("tb1")],
        ),
    ] {
        let known = known(&of(vec![workload("deploy", vec![claims(expected)])]));
        assert!(found(&known, "oidc", &json!({"tenant": good, "sub": "x"})).is_ok());
        for bad in bad {
            assert!(
                found(&known, "oidc", &json!({"tenant": bad, "sub": "x"})).is_err(),
                "{bad}"
            );
        }
    }
}

#[test]
fn ten_thousand_workloads_are_one_look_up_apart() {
    let workloads = (0..10_000).map(|number| {
        let id = number.to_string();
        workload(
            &format!("w{number}"),
            vec![by_claims("github", &[("repository_id", &id)])],
        )
    });
    let known = known(&of(workloads.collect()));
    let mut claims = github_claims();
    claims["repository_id"] = json!("9999");
    assert_eq!(found(&known, "github", &claims), Ok("w9999".into()));
}
