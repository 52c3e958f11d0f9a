//! What is known of each CI system's tokens: issuer, algorithms, stable ids, events, traps and run facts.
//!
//! Facts only; `matching` turns them into rules that load or do not.

use std::borrow::Cow;

use postern_link::snapshot::Preset;
use serde_json::Value;

use super::Run;
use super::json::Object;
use super::keys::Algorithm;

/// One preset, as data.
pub(super) struct Facts {
    pub(super) name: &'static str,
    /// The `iss` that the preset knows by itself.
    pub(super) issuer: Option<&'static str>,
    /// Empty where the resource must list them.
    pub(super) algorithms: &'static [Algorithm],
    /// JSON pointers of the claims that never move to somebody else; a rule pins all of them.
    pub(super) stable_ids: &'static [&'static str],
    /// How long a session may outlive its token.
    pub(super) grace_seconds: u32,
    /// The claim that says why a run was started, and the values that open doors unless a rule names others.
    pub(super) event: Option<Event>,
    /// Whether every claim that a rule can name is text in this system's tokens.
    pub(super) claims: ClaimTypes,
    /// Beginnings of audiences that this provider gives to tokens meant for somebody else.
    pub(super) audience_defaults: &'static [&'static str],
}

pub(super) struct Event {
    pub(super) claim: &'static str,
    pub(super) values: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ClaimTypes {
    /// Numbers and truths are written as text, such as `"repository_id": "74"`.
    TextOnly,
    Any,
}

pub(super) fn facts(preset: Preset) -> &'static Facts {
    match preset {
        Preset::GithubActions => &GITHUB_ACTIONS,
        Preset::Gitlab => &GITLAB,
        Preset::Kubernetes => &KUBERNETES,
        Preset::Oidc => &OIDC,
    }
}

static GITHUB_ACTIONS: Facts = Facts {
    name: "github-actions",
    issuer: Some("https://token.actions.githubusercontent.com"),
    algorithms: &[Algorithm::Rs256],
    stable_ids: &["/repository_id"],
    grace_seconds: 60 * 60,
    event: Some(Event {
        claim: "/event_name",
        values: &[
            "push",
            "schedule",
            "workflow_dispatch",
            "release",
            "deployment",
            "merge_group",
        ],
    }),
    claims: ClaimTypes::TextOnly,
    audience_defaults: &["https://github.com"],
};

static GITLAB: Facts = Facts {
    name: "gitlab",
    issuer: None,
    algorithms: &[Algorithm::Rs256],
    stable_ids: &["/project_id"],
    grace_seconds: 0,
    event: Some(Event {
        claim: "/pipeline_source",
        values: &["push", "schedule", "web", "api", "trigger"],
    }),
    claims: ClaimTypes::TextOnly,
    audience_defaults: &[],
};

static KUBERNETES: Facts = Facts {
    name: "kubernetes",
    issuer: None,
    algorithms: &[
        Algorithm::Rs256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
    ],
    stable_ids: &["/kubernetes.io/serviceaccount/uid", "/kubernetes.io/namespace"],
    grace_seconds: 0,
    event: None,
    claims: ClaimTypes::Any,
    audience_defaults: &[
        "https://kubernetes.default",
        "kubernetes.default",
        "sts.amazonaws.com",
    ],
};

static OIDC: Facts = Facts {
    name: "oidc",
    issuer: None,
    algorithms: &[],
    stable_ids: &[],
    grace_seconds: 0,
    event: None,
    claims: ClaimTypes::Any,
    audience_defaults: &[],
};

/// Why a token that verifies is still not one that its preset takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it names no pipeline and no job: it was made for a person, not for a run")]
    NotAPipeline,
    #[error("it is a service account token from a secret, which never expires by itself")]
    LegacyServiceAccount,
    #[error("it names no service account with its uid and namespace")]
    NoServiceAccount,
    #[error("it is bound to no pod, node or secret, and has no `jti`")]
    Unbound,
}

impl Unfit {
    pub(super) fn code(self) -> &'static str {
        match self {
            Unfit::NotAPipeline => "token_not_a_pipeline",
            Unfit::LegacyServiceAccount => "token_legacy_service_account",
            Unfit::NoServiceAccount => "token_no_service_account",
            Unfit::Unbound => "token_unbound",
        }
    }
}

/// What a preset asks of a token beyond signature, times and audience.
pub(super) fn check(preset: Preset, claims: &Object) -> Result<(), Unfit> {
    match preset {
        Preset::GithubActions | Preset::Oidc => Ok(()),
        Preset::Gitlab => {
            let of_a_run = ["pipeline_id", "job_id"]
                .iter()
                .all(|name| text(claims, &[name]).is_some());
            if of_a_run {
                Ok(())
            } else {
                Err(Unfit::NotAPipeline)
            }
        }
        Preset::Kubernetes => check_kubernetes(claims),
    }
}

fn check_kubernetes(claims: &Object) -> Result<(), Unfit> {
    // Tokens kept in secrets have flat claims, `kubernetes.io/serviceaccount/secret.name` and the like.
    if claims
        .keys()
        .any(|name| name.starts_with("kubernetes.io/serviceaccount/"))
    {
        return Err(Unfit::LegacyServiceAccount);
    }
    let named = text(claims, &["kubernetes.io", "serviceaccount", "uid"]).is_some()
        && text(claims, &["kubernetes.io", "namespace"]).is_some();
    if !named {
        return Err(Unfit::NoServiceAccount);
    }
    let bound = ["pod", "node", "secret"]
        .iter()
        .any(|object| text(claims, &["kubernetes.io", object, "uid"]).is_some())
        || text(claims, &["jti"]).is_some();
    if bound { Ok(()) } else { Err(Unfit::Unbound) }
}

/// Whether the token's own words say pull or merge request, whatever its event is called.
pub(super) fn is_change_request(preset: Preset, claims: &Object) -> bool {
    match preset {
        Preset::GithubActions => ["head_ref", "base_ref"].iter().any(|name| is_set(claims, name)),
        Preset::Gitlab => {
            text(claims, &["ref_path"]).is_some_and(|path| path.starts_with("refs/merge-requests/"))
        }
        Preset::Kubernetes | Preset::Oidc => false,
    }
}

/// The facts of the run, from a verified token only.
pub(super) fn run(preset: Preset, claims: &Object) -> Run {
    let fact = |path: &[&str]| text(claims, path).map(str::to_owned);
    let provider = Cow::Borrowed(facts(preset).name);
    match preset {
        Preset::GithubActions => Run {
            provider,
            repository: fact(&["repository"]),
            repository_id: fact(&["repository_id"]),
            reference: fact(&["ref"]),
            sha: fact(&["sha"]),
            workflow: fact(&["workflow"]),
            environment: fact(&["environment"]),
            event: fact(&["event_name"]),
            actor: fact(&["actor"]),
            run_id: fact(&["run_id"]),
            attempt: fact(&["run_attempt"]),
            job: fact(&["check_run_id"]),
        },
        Preset::Gitlab => Run {
            provider,
            repository: fact(&["project_path"]),
            repository_id: fact(&["project_id"]),
            reference: fact(&["ref"]),
            sha: fact(&["sha"]),
            workflow: fact(&["ci_config_ref_uri"]),
            environment: fact(&["environment"]),
            event: fact(&["pipeline_source"]),
            actor: fact(&["user_login"]),
            run_id: fact(&["pipeline_id"]),
            attempt: None,
            job: fact(&["job_id"]),
        },
        Preset::Kubernetes => Run {
            provider,
            run_id: fact(&["kubernetes.io", "pod", "uid"]),
            job: fact(&["kubernetes.io", "pod", "name"]),
            ..Run::default()
        },
        Preset::Oidc => Run {
            provider,
            run_id: fact(&["jti"]),
            ..Run::default()
        },
    }
}

/// The text at a path of object keys, if it is there and not empty.
fn text<'a>(claims: &'a Object, path: &[&str]) -> Option<&'a str> {
    let (last, parents) = path.split_last()?;
    let mut object = claims;
    for name in parents {
        object = object.get(*name)?.as_object()?;
    }
    object.get(*last)?.as_str().filter(|text| !text.is_empty())
}

fn is_set(claims: &Object, name: &str) -> bool {
    match claims.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}
