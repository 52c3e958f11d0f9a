//! A sample CI system's token issuer: a real HTTP server with discovery and keys, and tokens of exactly the
//! shape that GitHub Actions and GitLab give to their jobs.
//!
//! Only this process can have tokens made; the server shows public keys and nothing else.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::files;

/// Connections served at once.
const CONNECTIONS_MAX: usize = 64;
/// GitHub's tokens live this long; GitLab's as long as the job, else an hour.
pub const GITHUB_LIFE_SECONDS: i64 = 5 * 60;
pub const GITLAB_LIFE_SECONDS: i64 = 60 * 60;
/// GitHub sets `nbf` ten minutes before it makes the token.
const GITHUB_NOT_BEFORE_SECONDS: i64 = 10 * 60;
const GITLAB_NOT_BEFORE_SECONDS: i64 = 5;

/// The claims of a token; change any before it is signed.
pub type Claims = Map<String, Value>;

/// An issuer that answers until it is dropped.
#[derive(Debug)]
pub struct Issuer {
    address: SocketAddr,
    key: Key,
    asked: Arc<AtomicU64>,
    server: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An RSA key with the name that tokens call it by.
pub struct Key {
    id: String,
    pair: RsaKeyPair,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Key {
    pub fn generate() -> io::Result<Key> {
        let failed = |_| io::Error::other("an RSA key could not be made");
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, pair.public_key().as_ref()));
        Ok(Key { id, pair })
    }

    /// The public half, as a member of a key set.
    pub fn public(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }

    /// Signs any claims under any header; what stands in the header need not be true.
    pub fn sign(&self, header: &Value, claims: &Claims) -> io::Result<String> {
        let part = |value: String| BASE64_URL_SAFE_NO_PAD.encode(value);
        let text = format!(
            "{}.{}",
            part(header.to_string()),
            part(serde_json::to_string(claims)?)
        );
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &rand::SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|_| io::Error::other("a token could not be signed"))?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The header that GitLab writes.
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "kid": self.id, "typ": "JWT" })
    }

    /// The header that GitHub writes: the same, with a thumbprint that nobody should look at.
    pub fn github_header(&self) -> Value {
        json!({ "typ": "JWT", "alg": "RS256", "x5t": self.id, "kid": self.id })
    }
}

impl Issuer {
    /// Serves two issuers on a free port of loopback, `…/github` and `…/gitlab`, with one key. Must be called
    /// on a tokio runtime.
    pub async fn start() -> io::Result<Issuer> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let key = Key::generate()?;
        let documents = Arc::new(Documents {
            address,
            keys: json!({ "keys": [key.public()] }).to_string(),
        });
        let asked = Arc::new(AtomicU64::new(0));
        let server = tokio::spawn(serve(listener, documents, asked.clone()));
        Ok(Issuer {
            address,
            key,
            asked,
            server,
        })
    }

    /// `host:port`, as `issuer_hosts` has it.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The `iss` of GitHub's shape.
    pub fn github(&self) -> String {
        format!("http://{}/github", self.address)
    }

    /// The `iss` of GitLab's shape.
    pub fn gitlab(&self) -> String {
        format!("http://{}/gitlab", self.address)
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// How many documents were asked for.
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// Signs as the real ones do, whatever the claims say.
    pub fn token(&self, claims: &Claims) -> io::Result<String> {
        let is_github = claims.get("iss").and_then(Value::as_str) == Some(self.github().as_str());
        let header = if is_github {
            self.key.github_header()
        } else {
            self.key.header()
        };
        self.key.sign(&header, claims)
    }

    /// Every claim that a job of GitHub Actions gets.
    pub fn github_claims(&self, job: &GithubJob, audience: &str) -> io::Result<Claims> {
        let now = Timestamp::now().as_second();
        let Repository {
            owner,
            owner_id,
            name,
            id,
            visibility,
        } = &job.repository;
        let repository = format!("{owner}/{name}");
        let workflow_ref = format!("{repository}/{}@{}", job.workflow_file, job.reference);
        let mut claims = object(json!({
            "iss": self.github(), "aud": audience, "jti": identifier()?,
            "iat": now, "nbf": now - GITHUB_NOT_BEFORE_SECONDS, "exp": now + GITHUB_LIFE_SECONDS,
            "sub": job.subject(),
            "repository": repository, "repository_id": id,
            "repository_owner": owner, "repository_owner_id": owner_id, "repository_visibility": visibility,
            "ref": job.reference, "ref_type": job.ref_type(), "ref_protected": text(job.ref_protected),
            "base_ref": job.base_ref, "head_ref": job.head_ref,
            "sha": job.sha, "event_name": job.event,
            "workflow": job.workflow, "workflow_ref": workflow_ref, "workflow_sha": job.sha,
            "job_workflow_ref": workflow_ref, "job_workflow_sha": job.sha,
            "actor": job.actor, "actor_id": job.actor_id,
            "run_id": job.run_id, "run_number": job.run_number, "run_attempt": job.run_attempt,
            "check_run_id": job.check_run_id, "runner_environment": "github-hosted",
        }));
        if let Some(environment) = &job.environment {
            claims.insert("environment".into(), json!(environment));
        }
        Ok(claims)
    }

    /// Every claim that a job of GitLab gets by `id_tokens`.
    pub fn gitlab_claims(&self, job: &GitlabJob, audience: &str) -> io::Result<Claims> {
        let now = Timestamp::now().as_second();
        let kind = if job.ref_path.starts_with("refs/tags/") {
            "tag"
        } else {
            "branch"
        };
        let subject = format!(
            "project_path:{}:ref_type:{kind}:ref:{}",
            job.project_path, job.reference
        );
        let namespace = job
            .project_path
            .rsplit_once('/')
            .map_or("", |(namespace, _)| namespace);
        let mut claims = object(json!({
            "iss": self.gitlab(), "aud": audience, "jti": identifier()?,
            "iat": now, "nbf": now - GITLAB_NOT_BEFORE_SECONDS, "exp": now + GITLAB_LIFE_SECONDS,
            "sub": subject,
            "namespace_id": job.namespace_id, "namespace_path": namespace,
            "project_id": job.project_id, "project_path": job.project_path, "project_visibility": "private",
            "user_id": job.user_id, "user_login": job.user_login,
            "user_email": format!("{}@gitlab.example", job.user_login), "user_access_level": "developer",
            "pipeline_id": job.pipeline_id, "pipeline_source": job.pipeline_source,
            "job_id": job.job_id,
            "ref": job.reference, "ref_type": kind, "ref_path": job.ref_path,
            "ref_protected": text(job.ref_protected), "sha": job.sha,
            "runner_id": 12_270_831, "runner_environment": "gitlab-hosted",
            "ci_config_ref_uri": format!("gitlab.example/{}//.gitlab-ci.yml@{}", job.project_path, job.ref_path),
            "ci_config_sha": job.sha,
        }));
        if let Some(environment) = &job.environment {
            claims.insert("environment".into(), json!(environment));
            claims.insert("environment_protected".into(), json!("true"));
            claims.insert("deployment_tier".into(), json!("production"));
            claims.insert("deployment_action".into(), json!("start"));
        }
        Ok(claims)
    }
}

/// A repository of the sample CI system.
#[derive(Clone, Debug)]
pub struct Repository {
    pub owner: String,
    pub owner_id: String,
    pub name: String,
    pub id: String,
    pub visibility: String,
}

/// One run of one job of GitHub Actions, as its token tells it.
#[derive(Clone, Debug)]
pub struct GithubJob {
    pub repository: Repository,
    pub reference: String,
    pub ref_protected: bool,
    pub sha: String,
    pub event: String,
    pub workflow: String,
    pub workflow_file: String,
    pub environment: Option<String>,
    pub base_ref: String,
    pub head_ref: String,
    pub actor: String,
    pub actor_id: String,
    pub run_id: String,
    pub run_number: String,
    pub run_attempt: String,
    pub check_run_id: String,
    pub subject_form: SubjectForm,
}

/// GitHub writes `sub` in two forms; both will be about for years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectForm {
    /// `repo:OWNER/NAME:…`
    Names,
    /// `repo:OWNER@OWNER_ID/NAME@ID:…`, for repositories made, renamed or moved since July 2026.
    NamesWithIds,
}

impl GithubJob {
    fn subject(&self) -> String {
        let Repository {
            owner,
            owner_id,
            name,
            id,
            ..
        } = &self.repository;
        let repository = match self.subject_form {
            SubjectForm::Names => format!("{owner}/{name}"),
            SubjectForm::NamesWithIds => format!("{owner}@{owner_id}/{name}@{id}"),
        };
        let place = match &self.environment {
            Some(environment) => format!("environment:{environment}"),
            None if self.event == "pull_request" => "pull_request".to_owned(),
            None => format!("ref:{}", self.reference),
        };
        format!("repo:{repository}:{place}")
    }

    fn ref_type(&self) -> &'static str {
        if self.reference.starts_with("refs/tags/") {
            "tag"
        } else {
            "branch"
        }
    }
}

/// One job of GitLab, as its token tells it.
#[derive(Clone, Debug)]
pub struct GitlabJob {
    pub namespace_id: String,
    pub project_id: String,
    pub project_path: String,
    pub user_id: String,
    pub user_login: String,
    pub pipeline_id: String,
    pub pipeline_source: String,
    pub job_id: String,
    pub reference: String,
    pub ref_path: String,
    pub ref_protected: bool,
    pub sha: String,
    pub environment: Option<String>,
}

/// Both systems write truths as text.
fn text(truth: bool) -> &'static str {
    if truth { "true" } else { "false" }
}

fn object(value: Value) -> Claims {
    match value {
        Value::Object(claims) => claims,
        _ => Claims::new(),
    }
}

fn identifier() -> io::Result<String> {
    files::random_secret()
}

struct Documents {
    address: SocketAddr,
    keys: String,
}

impl Documents {
    fn at(&self, path: &str) -> Option<String> {
        let (issuer, document) = path.strip_prefix('/')?.split_once('/')?;
        if !["github", "gitlab"].contains(&issuer) {
            return None;
        }
        let root = format!("http://{}/{issuer}", self.address);
        match document {
            ".well-known/openid-configuration" => Some(
                json!({
                    "issuer": root,
                    "jwks_uri": format!("{root}/.well-known/jwks"),
                    "subject_types_supported": ["public", "pairwise"],
                    "response_types_supported": ["id_token"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "claims_supported": ["sub", "aud", "exp", "iat", "iss", "jti", "nbf"],
                    "scopes_supported": ["openid"],
                })
                .to_string(),
            ),
            ".well-known/jwks" => Some(self.keys.clone()),
            _ => None,
        }
    }
}

async fn serve(listener: TcpListener, documents: Arc<Documents>, asked: Arc<AtomicU64>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let Ok((socket, _)) = accepted else { continue };
        if connections.len() >= CONNECTIONS_MAX {
            continue;
        }
        let (documents, asked) = (documents.clone(), asked.clone());
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                asked.fetch_add(1, Ordering::Relaxed);
                let answer = answer(&request, &documents);
                async move { Ok::<_, Infallible>(answer) }
            });
            let server = hyper::server::conn::http1::Builder::new();
            if let Err(error) = server.serve_connection(TokioIo::new(socket), service).await {
                tracing::debug!(%error, "a reader of the sample issuer went away");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, documents: &Documents) -> Response<Full<Bytes>> {
    let document = documents
        .at(request.uri().path())
        .filter(|_| request.method() == Method::GET);
    let mut response = Response::new(Full::default());
    let Some(document) = document else {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("public, max-age=600"),
    );
    *response.body_mut() = Full::new(Bytes::from(document));
    response
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

    use super::*;
    use crate::dev::sample::{deploy_job, forked_job, migration_job, report_job};
    use crate::door::Door;

    fn decoded(part: &str) -> Vec<u8> {
        BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()
    }

    #[tokio::test]
    async fn a_token_verifies_by_the_keys_that_discovery_leads_to() {
        let issuer = Issuer::start().await.unwrap();
        let door = Door::new(&format!("http://{}", issuer.host()), None, None).unwrap();
        for (iss, claims) in [
            (
                issuer.github(),
                issuer.github_claims(&migration_job(), "us").unwrap(),
            ),
            (
                issuer.gitlab(),
                issuer.gitlab_claims(&report_job(), "us").unwrap(),
            ),
        ] {
            let path = |url: &str| {
                url.strip_prefix(&format!("http://{}", issuer.host()))
                    .unwrap()
                    .to_owned()
            };
            let discovery = format!("{}/.well-known/openid-configuration", path(&iss));
            let discovery = door.get(&discovery).await.unwrap().json().unwrap();
            assert_eq!(discovery["issuer"], iss);
            assert_eq!(claims["iss"], iss);
            let keys = door
                .get(&path(discovery["jwks_uri"].as_str().unwrap()))
                .await
                .unwrap()
                .json()
                .unwrap();
            let token = issuer.token(&claims).unwrap();
            let parts: Vec<&str> = token.split('.').collect();
            let header: Value = serde_json::from_slice(&decoded(parts[0])).unwrap();
            let key = keys["keys"]
                .as_array()
                .unwrap()
                .iter()
                .find(|key| key["kid"] == header["kid"])
                .unwrap();
            let number = |name: &str| decoded(key[name].as_str().unwrap());
            let public = RsaPublicKeyComponents {
                n: number("n"),
                e: number("e"),
            };
            let signed = format!("{}.{}", parts[0], parts[1]);
            let signature = decoded(parts[2]);
            public
                .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
                .unwrap();
        }
        assert_eq!(issuer.asked(), 4);
        assert_eq!(
            door.get("/github/token").await.unwrap().status,
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn github_tokens_have_every_claim_and_either_form_of_subject() {
        const CLAIMS: &str = "iss aud sub jti iat nbf exp repository repository_id repository_owner \
            repository_owner_id repository_visibility ref ref_type ref_protected sha workflow workflow_ref \
            workflow_sha job_workflow_ref job_workflow_sha event_name actor actor_id run_id run_number run_attempt \
            runner_environment base_ref head_ref check_run_id";
        let issuer = Issuer::start().await.unwrap();
        let claims = |job: &GithubJob| issuer.github_claims(job, "us").unwrap();
        let of_main = claims(&migration_job());
        for name in CLAIMS.split_whitespace() {
            assert!(of_main.contains_key(name), "{name}");
        }
        assert_eq!(of_main["sub"], "repo:acme/orders:ref:refs/heads/main");
        assert_eq!(of_main["ref_protected"], "true");
        assert!(!of_main.contains_key("environment"));
        let of_environment = claims(&deploy_job());
        assert_eq!(
            of_environment["sub"],
            "repo:acme@90210/orders@740211:environment:production"
        );
        assert_eq!(of_environment["environment"], "production");
        assert_eq!(
            claims(&forked_job("pull_request"))["sub"],
            "repo:acme/orders:pull_request"
        );
        assert_ne!(of_main["jti"], of_environment["jti"]);
    }
}
