//! The sample: an `orders` database, who may use it for what, and the jobs that do. All of it is text that is
//! rendered into the data folder, where a reader may change it and see what happens.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan as _};

use super::authority::TRUST_DOMAIN;
use super::issuer::{GithubJob, GitlabJob, Issuer, Repository, SubjectForm};
use crate::trouble::{Result, Trouble};

/// The gateway's name in tokens.
pub const AUDIENCE: &str = "https://postern.dev.example";
/// The roles of the database whose passwords only the gateway has.
pub const ROLES: [&str; 5] = [
    "orders_migrator",
    "orders_reader",
    "orders_deployer",
    "orders_agent",
    "orders_gateway",
];
/// The name of the audit log in its checkpoints.
pub const LOG_ORIGIN: &str = "dev.postern.example/audit";

const ROLES_SQL: &str = include_str!("roles.sql");
const SCHEMA_SQL: &str = include_str!("schema.sql");
const RESOURCES: &str = include_str!("resources.yaml");
const POLICIES: &str = include_str!("orders.cedar");
const BACKOFFICE: &str = include_str!("backoffice.openapi.yaml");
const CONFIG: &str = include_str!("postern.yaml");

const OWNER_ID: &str = "90210";
const REPOSITORY_ID: &str = "740211";
const NAMESPACE_ID: &str = "72";
const PROJECT_ID: &str = "1802";

type Values = BTreeMap<String, String>;

/// What has been chosen for this run: ports, keys, folders.
#[derive(Clone, Debug)]
pub struct Places {
    pub data: String,
    pub target: String,
    pub api: String,
    pub listen: String,
    pub listen_admin: String,
    pub listen_gateways: String,
    pub listen_operators: String,
    pub snapshot_key: String,
    pub log_key: String,
}

/// The SQL that makes the roles, with their passwords.
pub fn roles_sql(passwords: &BTreeMap<&str, String>) -> Result<String> {
    let values = passwords
        .iter()
        .map(|(role, password)| (format!("password:{role}"), password.clone()));
    render("roles.sql", ROLES_SQL, &values.collect())
}

/// The SQL that fills the `orders` database.
pub fn schema_sql() -> &'static str {
    SCHEMA_SQL
}

/// Workloads, issuers, targets and grants.
pub fn resources(issuer: &Issuer, target: &str, api: &str) -> Result<String> {
    let now = Timestamp::now();
    let days = |days: i64| (now + (days * 24).hours()).to_string();
    let values = [
        ("github", issuer.github()),
        ("gitlab", issuer.gitlab()),
        ("audience", AUDIENCE.to_owned()),
        ("owner_id", OWNER_ID.to_owned()),
        ("namespace_id", NAMESPACE_ID.to_owned()),
        ("repository_id", REPOSITORY_ID.to_owned()),
        ("project_id", PROJECT_ID.to_owned()),
        ("trust_domain", TRUST_DOMAIN.to_owned()),
        ("target", target.to_owned()),
        ("api", api.to_owned()),
        ("in_90_days", days(90)),
        ("in_30_days", days(30)),
        ("yesterday", days(-1)),
    ];
    render(
        "resources.yaml",
        RESOURCES,
        &values.map(|(name, value)| (name.to_owned(), value)).into(),
    )
}

/// The policies, as they are.
pub fn policies() -> &'static str {
    POLICIES
}

/// What the back office does, in OpenAPI's words.
pub fn backoffice() -> &'static str {
    BACKOFFICE
}

/// The configuration of both planes.
pub fn config(places: &Places, issuer: &Issuer) -> Result<String> {
    let values = [
        ("data", places.data.clone()),
        ("target", places.target.clone()),
        ("api", places.api.clone()),
        ("listen", places.listen.clone()),
        ("listen_admin", places.listen_admin.clone()),
        ("listen_gateways", places.listen_gateways.clone()),
        ("listen_operators", places.listen_operators.clone()),
        ("snapshot_key", places.snapshot_key.clone()),
        ("log_key", places.log_key.clone()),
        ("issuer_host", issuer.host()),
        ("trust_domain", TRUST_DOMAIN.to_owned()),
        ("log_origin", LOG_ORIGIN.to_owned()),
    ];
    render(
        "postern.yaml",
        CONFIG,
        &values.map(|(name, value)| (name.to_owned(), value)).into(),
    )
}

/// A job of the orders repository on its main branch, which the sample's rules let in as `orders-migrations`.
pub fn migration_job() -> GithubJob {
    GithubJob {
        repository: Repository {
            owner: "acme".into(),
            owner_id: OWNER_ID.into(),
            name: "orders".into(),
            id: REPOSITORY_ID.into(),
            visibility: "private".into(),
        },
        reference: "refs/heads/main".into(),
        ref_protected: true,
        sha: "6d1f0b6e2f4f0c7f6f1f6b5f2c1d9e8a7b6c5d4e".into(),
        event: "push".into(),
        workflow: "migrate".into(),
        workflow_file: ".github/workflows/migrate.yml".into(),
        environment: None,
        base_ref: String::new(),
        head_ref: String::new(),
        actor: "ana".into(),
        actor_id: "41201".into(),
        run_id: "19001".into(),
        run_number: "311".into(),
        run_attempt: "1".into(),
        check_run_id: "88001".into(),
        subject_form: SubjectForm::Names,
    }
}

/// The deploy bot, in its protected environment; its token has the newer form of `sub`.
pub fn deploy_job() -> GithubJob {
    GithubJob {
        event: "workflow_dispatch".into(),
        workflow: "deploy".into(),
        workflow_file: ".github/workflows/deploy.yml".into(),
        environment: Some("production".into()),
        run_id: "19002".into(),
        subject_form: SubjectForm::NamesWithIds,
        ..migration_job()
    }
}

/// A pull request from a fork that runs the migration's own workflow file.
pub fn forked_job(event: &str) -> GithubJob {
    GithubJob {
        event: event.into(),
        reference: if event == "pull_request" {
            "refs/pull/12/merge"
        } else {
            "refs/heads/main"
        }
        .into(),
        ref_protected: event != "pull_request",
        base_ref: "main".into(),
        head_ref: "free-money".into(),
        actor: "mallory".into(),
        actor_id: "66666".into(),
        run_id: "19003".into(),
        ..migration_job()
    }
}

/// A scheduled pipeline of the analytics project, which the sample's rules let in as `orders-report`.
pub fn report_job() -> GitlabJob {
    GitlabJob {
        namespace_id: NAMESPACE_ID.into(),
        project_id: PROJECT_ID.into(),
        project_path: "acme/analytics/orders-report".into(),
        user_id: "7001".into(),
        user_login: "ben".into(),
        pipeline_id: "55012".into(),
        pipeline_source: "schedule".into(),
        job_id: "910045".into(),
        reference: "main".into(),
        ref_path: "refs/heads/main".into(),
        ref_protected: true,
        sha: "0f9e8d7c6b5a493827160f5e4d3c2b1a0f9e8d7c".into(),
        environment: None,
    }
}

/// Puts values where the text says `{{name}}`; a name without a value is a mistake of ours.
fn render(file: &str, template: &str, values: &Values) -> Result<String> {
    let mut rendered = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let missing = || Trouble::new(format!("the sample `{file}` asks for a value that nobody has"));
        let (name, after) = after.split_once("}}").ok_or_else(missing)?;
        rendered.push_str(before);
        rendered.push_str(values.get(name).ok_or_else(missing)?);
        rest = after;
    }
    rendered.push_str(rest);
    Ok(rendered)
}

#[cfg(test)]
mod tests {
    use postern_link::resources::File;

    use super::*;

    fn places() -> Places {
        let local = |port: u16| format!("127.0.0.1:{port}");
        Places {
            data: "/d".into(),
            target: local(1),
            api: local(6),
            listen: local(2),
            listen_admin: local(3),
            listen_gateways: local(4),
            listen_operators: local(5),
            snapshot_key: "AAAA".into(),
            log_key: "a+00000000+BBBB".into(),
        }
    }

    #[tokio::test]
    async fn the_sample_holds_by_every_rule_that_gateways_load_by() {
        let issuer = Issuer::start().await.unwrap();
        let files = [
            File {
                name: "resources.yaml".into(),
                text: resources(&issuer, "127.0.0.1:1", "127.0.0.1:2").unwrap(),
            },
            File {
                name: "orders.cedar".into(),
                text: policies().to_owned(),
            },
            File {
                name: "backoffice.openapi.yaml".into(),
                text: backoffice().to_owned(),
            },
        ];
        let mut snapshot = postern_link::resources::read(&files).unwrap();
        snapshot.number = 1;
        let rules = postern_proxy::authorize::Rules::load(snapshot);
        assert_eq!(rules.err(), None);
    }

    #[tokio::test]
    async fn the_configuration_that_dev_writes_is_one_that_up_reads() {
        let issuer = Issuer::start().await.unwrap();
        let text = config(&places(), &issuer).unwrap();
        let file = crate::config::parse(&text, "postern.yaml", &[]).unwrap();
        let proxy = file.clone().proxy().unwrap();
        assert_eq!(proxy.credentials.len(), ROLES.len() + 1);
        assert_eq!(file.control().unwrap().log_origin, LOG_ORIGIN);
    }

    #[test]
    fn a_template_without_a_value_is_not_rendered() {
        assert_eq!(
            render("x", "a {{b}} c", &[("b".into(), "1".into())].into()).unwrap(),
            "a 1 c"
        );
        assert!(render("x", "a {{b}}", &Values::new()).is_err());
        assert!(render("x", "a {{b", &Values::new()).is_err());
    }
}
