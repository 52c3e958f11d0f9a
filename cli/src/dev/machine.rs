//! The whole sample on one machine: set up in order, taken down in the other.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::StatusCode;
use postern_control::audit::note::Signer;
use postern_control::keys::SigningKey;
use serde_json::json;

use super::api::Api;
use super::authority::{Authority, spiffe_id};
use super::cluster::{Cluster, Keep, Options};
use super::files;
use super::issuer::Issuer;
use super::sample::{self, Places, ROLES};
use crate::config;
use crate::door::{Door, SLOW_ANSWER_TIMEOUT, Token};
use crate::planes::Planes;
use crate::resources;
use crate::trouble::{Result, Trouble};

/// In a folder that an earlier run has filled.
const MARKER: &str = "made-by-postern-dev";
const READY_TIMEOUT: Duration = Duration::from_secs(30);
const READY_POLL: Duration = Duration::from_millis(50);
/// Ports are chosen before they are used, so somebody else may take one in between.
const STARTS_MAX: usize = 3;
/// The workloads that have certificates, with what stands in their files' names.
const CERTIFIED: [&str; 4] = [
    "orders-report",
    "orders-agent",
    "orders-backfill",
    "orders-stranger",
];

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Order {
    pub data: PathBuf,
    /// Whether the data folder stays if the process is killed; who made it removes it otherwise.
    pub keep: Keep,
}

/// Everything, up.
pub struct Machine {
    pub data: PathBuf,
    pub cluster: Cluster,
    pub api: Api,
    pub issuer: Issuer,
    pub authorities: Authorities,
    pub planes: Planes,
    /// Where psql and curl connect.
    pub port: u16,
    pub operators: Door,
    pub operators_url: String,
    pub admin_url: String,
}

/// One authority for each kind of trust, so that none vouches for what is another's.
pub struct Authorities {
    /// Names of the gateway, for clients.
    pub names: Authority,
    /// Gateways and control planes, for each other.
    pub link: Authority,
    /// SPIFFE ids of workloads.
    pub workloads: Authority,
    /// The database server, for the gateway.
    pub database: Authority,
}

impl Authorities {
    pub fn new() -> Result<Authorities> {
        let make = |name: &str| Authority::new(name).map_err(|error| Trouble::from_error(&error));
        Ok(Authorities {
            names: make("postern dev: names")?,
            link: make("postern dev: link")?,
            workloads: make("postern dev: workloads")?,
            database: make("postern dev: database")?,
        })
    }
}

impl Machine {
    /// Sets everything up and waits until the gateway serves.
    pub async fn start(order: Order) -> Result<Machine> {
        let Order { data, keep } = order;
        prepare(&data)?;
        let authorities = Authorities::new()?;
        let cluster = start_cluster(&data, keep, &authorities).await?;
        let api = start_api(&data).await?;
        let issuer = Issuer::start()
            .await
            .map_err(|error| Trouble::new("the sample issuer did not start").because(&error))?;
        write_certificates(&data, &authorities)?;
        let resources = sample::resources(&issuer, &cluster.address(), &api.address.to_string())?;
        write(&data.join("resources/resources.yaml"), &resources)?;
        write(&data.join("resources/orders.cedar"), sample::policies())?;
        write(
            &data.join("resources/backoffice.openapi.yaml"),
            sample::backoffice(),
        )?;

        let mut tried = 0;
        let (planes, places) = loop {
            tried += 1;
            let places = places(&data, &cluster, &api)?;
            let path = data.join("postern.yaml");
            write(&path, &sample::config(&places, &issuer)?)?;
            match Planes::start(config::load(&path)?).await {
                Ok(planes) => break (planes, places),
                Err(trouble) if tried < STARTS_MAX && trouble.to_string().contains("cannot listen") => {}
                Err(trouble) => return Err(trouble),
            }
        };
        let operators_url = format!("http://{}", places.listen_operators);
        let token = Token::read(&format!("file:{}", data.join("control/operator.token").display()))?;
        let machine = Machine {
            port: port_of(&places.listen),
            operators: Door::new(&operators_url, Some(token), None)?,
            operators_url,
            admin_url: format!("http://{}", places.listen_admin),
            data,
            cluster,
            api,
            issuer,
            authorities,
            planes,
        };
        machine.write_environment()?;
        let ready = async {
            machine.apply().await?;
            machine.wait_until_ready().await
        };
        match ready.await {
            Ok(()) => Ok(machine),
            Err(trouble) => {
                machine.stop().await;
                Err(trouble)
            }
        }
    }

    pub async fn stop(self) {
        self.planes.stop().await;
        drop(tokio::task::spawn_blocking(move || drop(self.cluster)).await);
    }

    pub fn certificate(&self, name: &str) -> PathBuf {
        self.data.join("certificates").join(name)
    }

    /// The file that holds a workload's token as libpq reads it.
    pub fn password_file(&self, workload: &str) -> PathBuf {
        self.data.join("tokens").join(format!("{workload}.pgpass"))
    }

    pub fn environment_file(&self) -> PathBuf {
        self.data.join("env")
    }

    /// Puts a token where psql finds it: in a file of its owner only, not in a variable that others can see.
    pub fn write_password(&self, name: &str, token: &str) -> Result<PathBuf> {
        let path = self.password_file(name);
        // `:` and `\` would need escapes there; a token has neither.
        let line = format!("localhost:{}:*:*:{token}\n", self.port);
        files::write_secret(&path, line.as_bytes()).map_err(|error| unwritable(&path, &error))?;
        Ok(path)
    }

    /// New tokens and certificates for the lines that the page shows.
    pub async fn renew(&self) -> Result<()> {
        let failed = |error: io::Error| Trouble::new("a token could not be made").because(&error);
        let issuer = &self.issuer;
        let github = [
            ("orders-migrations", sample::migration_job()),
            ("orders-deploy", sample::deploy_job()),
        ];
        for (workload, job) in github {
            let claims = issuer.github_claims(&job, sample::AUDIENCE).map_err(failed)?;
            self.write_password(workload, &issuer.token(&claims).map_err(failed)?)?;
        }
        let claims = issuer
            .gitlab_claims(&sample::report_job(), sample::AUDIENCE)
            .map_err(failed)?;
        self.write_password("orders-report", &issuer.token(&claims).map_err(failed)?)?;
        write_workload_certificates(&self.data, &self.authorities)
    }

    fn write_environment(&self) -> Result<()> {
        let data = self.data.display();
        let text = format!(
            "export POSTERN_ADDR='{}'\nexport POSTERN_ADMIN='{}'\n\
             export POSTERN_TOKEN='file:{data}/control/operator.token'\nexport POSTERN_CONFIG='{data}/postern.yaml'\n",
            self.operators_url, self.admin_url
        );
        write(&self.environment_file(), &text)
    }

    /// Puts the sample's resources in force, as `postern apply` does.
    async fn apply(&self) -> Result<()> {
        let files = resources::files(&self.data.join("resources"))?;
        let body = json!({ "files": files, "reason": "the sample of `postern dev`" });
        let answer = self
            .operators
            .put("/v1/resources", &body, SLOW_ANSWER_TIMEOUT)
            .await?;
        answer.json().map(drop)
    }

    /// Ready means: the gateway decides by the resources that were written just now, not by those of an earlier
    /// run that it has kept.
    async fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + READY_TIMEOUT;
        loop {
            let missing = match self.missing().await? {
                None => return Ok(()),
                Some(missing) => missing,
            };
            if Instant::now() > deadline {
                return Err(Trouble::new(format!(
                    "the gateway is up but not ready: {missing}"
                )));
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// What is still to come.
    async fn missing(&self) -> Result<Option<String>> {
        let told = self.operators.get("/v1/snapshot").await?;
        if told.status == StatusCode::NOT_FOUND {
            return Ok(Some("there is no snapshot yet".into()));
        }
        let told = told.json()?;
        let snapshot = told.get("snapshot").cloned().unwrap_or_default();
        let admin = Door::new(&self.admin_url, None, None)?;
        let metrics = admin.get("/metrics").await?;
        let epoch = format!(
            "postern_policy_epoch {}",
            snapshot.get("number").cloned().unwrap_or_default()
        );
        if !std::str::from_utf8(&metrics.body).is_ok_and(|metrics| metrics.lines().any(|line| line == epoch))
        {
            return Ok(Some("the gateway has not taken the newest snapshot yet".into()));
        }
        let ready = admin.get("/readyz").await?;
        let said = std::str::from_utf8(&ready.body)
            .unwrap_or_default()
            .trim()
            .replace('\n', ", ");
        Ok((!ready.status.is_success()).then_some(said))
    }
}

/// An empty folder, or one of ours; the audit log in it stays, everything else is made anew.
fn prepare(data: &Path) -> Result<()> {
    let unusable = |error: io::Error| {
        Trouble::new(format!("`{}` cannot be used as data folder", data.display())).because(&error)
    };
    let mut entries = fs::read_dir(data)
        .map_err(unusable)?
        .filter_map(std::result::Result::ok);
    let foreign = entries.any(|entry| entry.file_name() != "postern.log");
    if foreign && !data.join(MARKER).exists() {
        return Err(Trouble::usage(format!(
            "`{}` holds something that `postern dev` has not made",
            data.display()
        ))
        .next("choose an empty folder"));
    }
    let only_ours = fs::Permissions::from_mode(if rustix::process::geteuid().is_root() {
        0o711
    } else {
        0o700
    });
    fs::set_permissions(data, only_ours).map_err(unusable)?;
    write(
        &data.join(MARKER),
        "the sample of `postern dev`; it may be removed\n",
    )?;
    match fs::remove_dir_all(data.join("cluster")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error)),
        Ok(()) | Err(_) => {}
    }
    for folder in [
        "certificates",
        "secrets",
        "tokens",
        "resources",
        "control",
        "gateway",
    ] {
        let folder = data.join(folder);
        fs::create_dir_all(&folder).map_err(unusable)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).map_err(unusable)?;
    }
    Ok(())
}

/// The database with its roles and rows; the passwords stand nowhere but in the gateway's files.
/// Its key lies beside the database's passwords, where only the gateway looks.
async fn start_api(data: &Path) -> Result<Api> {
    let failed = |error: io::Error| Trouble::new("the sample API did not start").because(&error);
    let key = files::random_secret().map_err(failed)?;
    let path = data.join("secrets/backoffice");
    files::write_secret(&path, key.as_bytes()).map_err(|error| unwritable(&path, &error))?;
    Api::start(key).await.map_err(failed)
}

async fn start_cluster(data: &Path, keep: Keep, authorities: &Authorities) -> Result<Cluster> {
    let pair = authorities
        .database
        .server(&["localhost", "127.0.0.1"])
        .map_err(|error| Trouble::from_error(&error))?;
    let mut options = Options::new(data.join("cluster"));
    options.tls = Some(pair);
    options.removed_if_killed = (keep == Keep::Nothing).then(|| data.to_owned());
    options.hba = vec![
        "hostssl all all 127.0.0.1/32 scram-sha-256".into(),
        "hostnossl all all 127.0.0.1/32 reject".into(),
    ];
    let mut passwords = BTreeMap::new();
    for role in ROLES {
        let failed = |error: io::Error| Trouble::new("a password could not be made").because(&error);
        let password = files::random_secret().map_err(failed)?;
        let path = data.join("secrets").join(role);
        files::write_secret(&path, password.as_bytes()).map_err(|error| unwritable(&path, &error))?;
        passwords.insert(role, password);
    }
    let roles = sample::roles_sql(&passwords)?;
    let started = tokio::task::spawn_blocking(move || {
        let cluster = Cluster::start(options)?;
        cluster.sql("postgres", &roles)?;
        cluster.create_database("orders", "orders_migrator")?;
        cluster.sql("orders", sample::schema_sql())?;
        Ok::<_, super::cluster::Error>(cluster)
    });
    let started = started
        .await
        .map_err(|error| Trouble::new("the database was given up").because(&error))?;
    started.map_err(|error| Trouble::from_error(&error))
}

fn write_certificates(data: &Path, authorities: &Authorities) -> Result<()> {
    let folder = data.join("certificates");
    let failed = |error: super::authority::Error| Trouble::from_error(&error);
    for (name, authority) in [
        ("gateway-ca", &authorities.names),
        ("link-ca", &authorities.link),
        ("trust-domain", &authorities.workloads),
        ("database-ca", &authorities.database),
    ] {
        write(&folder.join(format!("{name}.pem")), &authority.certificate())?;
    }
    let gateway = authorities
        .names
        .server(&["localhost", "orders.localhost", "127.0.0.1"])
        .map_err(failed)?;
    gateway.write(&folder, "gateway").map_err(failed)?;
    let control = authorities.link.server(&["control.localhost"]).map_err(failed)?;
    control.write(&folder, "link-control").map_err(failed)?;
    // The one DNS name of a gateway's certificate on the link is the gateway's own name.
    authorities
        .link
        .server(&["dev"])
        .map_err(failed)?
        .write(&folder, "link-gateway")
        .map_err(failed)?;
    write_workload_certificates(data, authorities)
}

fn write_workload_certificates(data: &Path, authorities: &Authorities) -> Result<()> {
    let failed = |error: super::authority::Error| Trouble::from_error(&error);
    for workload in CERTIFIED {
        let pair = authorities.workloads.svid(&spiffe_id(workload)).map_err(failed)?;
        pair.write(&data.join("certificates"), workload).map_err(failed)?;
    }
    Ok(())
}

fn places(data: &Path, cluster: &Cluster, api: &Api) -> Result<Places> {
    let control = data.join("control");
    let failed = |error: postern_control::keys::Error| Trouble::from_error(&error);
    let snapshot_key = SigningKey::open(&control.join("snapshot.key")).map_err(failed)?;
    let log_key = SigningKey::open(&control.join("log.key")).map_err(failed)?;
    let [listen, listen_admin, listen_gateways, listen_operators] =
        free_addresses().map_err(|error| Trouble::new("no port of this machine is free").because(&error))?;
    let path = data
        .to_str()
        .filter(|path| !path.contains(['"', '\\', '\n', '\'']));
    let path =
        path.ok_or_else(|| Trouble::usage("the data folder's name has characters that need quoting"))?;
    Ok(Places {
        data: path.to_owned(),
        target: cluster.address(),
        api: api.address.to_string(),
        listen,
        listen_admin,
        listen_gateways,
        listen_operators,
        snapshot_key: BASE64_STANDARD.encode(snapshot_key.public()),
        log_key: Signer::new(sample::LOG_ORIGIN, log_key).verifier().to_string(),
    })
}

/// All held at once, so that they differ.
fn free_addresses() -> io::Result<[String; 4]> {
    let hold = || TcpListener::bind(("127.0.0.1", 0));
    let held = [hold()?, hold()?, hold()?, hold()?];
    let mut addresses = <[String; 4]>::default();
    for (address, listener) in addresses.iter_mut().zip(&held) {
        *address = listener.local_addr()?.to_string();
    }
    Ok(addresses)
}

fn port_of(address: &str) -> u16 {
    address
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .unwrap_or_default()
}

fn write(path: &Path, text: &str) -> Result<()> {
    files::write(path, text.as_bytes()).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &io::Error) -> Trouble {
    Trouble::new(format!("cannot write `{}`", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "x").unwrap();
        assert!(prepare(folder.path()).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_of_ours_keeps_its_record() {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path()).unwrap();
        fs::write(folder.path().join("control/kept"), "x").unwrap();
        prepare(folder.path()).unwrap();
        assert!(folder.path().join("control/kept").exists());
    }

    #[test]
    fn free_addresses_differ() {
        let addresses = free_addresses().unwrap();
        assert!(
            addresses
                .iter()
                .all(|one| addresses.iter().filter(|other| *other == one).count() == 1)
        );
    }
}
