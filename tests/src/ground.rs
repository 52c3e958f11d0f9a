//! What every house of this process stands on: a PostgreSQL cluster, a CI issuer, two authorities.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::OnceLock;

use postern::dev::authority::Authority;
use postern::dev::cluster::{Cluster, Options};
use postern::dev::issuer::Issuer;
use tokio::runtime::Runtime;

use crate::clients::heard;

/// What every world of this process shares, because it is slow to make.
pub struct Ground {
    pub cluster: Cluster,
    pub issuer: Issuer,
    pub trust: Authority,
    pub link: Authority,
    pub runtime: Runtime,
}

pub fn ground() -> &'static Ground {
    static GROUND: OnceLock<Ground> = OnceLock::new();
    GROUND.get_or_init(|| {
        let trust = Authority::new("test trust domain").expect("an authority");
        let link = Authority::new("test link").expect("an authority");
        let folder = tempfile::Builder::new()
            .prefix("postern-tests-")
            .tempdir()
            .expect("a temporary folder");
        // The cluster's own watcher removes it, since nothing drops what is static.
        let cluster = start(Options::new(folder.keep()), &link);
        let runtime = Runtime::new().expect("a runtime");
        let issuer = runtime.block_on(Issuer::start()).expect("an issuer");
        Ground {
            cluster,
            issuer,
            trust,
            link,
            runtime,
        }
    })
}

/// The newest server that we support, as like to the ground's own as it can be.
pub(crate) fn newest() -> &'static Cluster {
    static NEWEST: OnceLock<Cluster> = OnceLock::new();
    NEWEST.get_or_init(|| start(installed(18), &ground().link))
}

fn start(mut options: Options, link: &Authority) -> Cluster {
    options.tls = Some(link.server(&["localhost", "127.0.0.1"]).expect("a certificate"));
    options.client_ca = Some(link.certificate());
    options
        .hba
        .push("hostssl all shop_certified 127.0.0.1/32 cert".into());
    options
        .hba
        .push("host all shop_trusted,attack_writer,attack_report 127.0.0.1/32 trust".into());
    options.settings.push("log_statement = 'all'".into());
    options.settings.push("log_line_prefix = '%a|%u|%d|'".into());
    options.settings.push("max_connections = 2400".into());
    options.settings.push("max_prepared_transactions = 10".into());
    let cluster = Cluster::start(options).expect("a PostgreSQL cluster");
    let roles = include_str!("roles.sql");
    cluster.sql("postgres", roles).expect("the roles");
    cluster
}

/// What starts a server of a version that `tests/clients/prepare` installs.
pub fn installed(version: u32) -> Options {
    let machine = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        _ => "x64",
    };
    let packages = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/node_modules");
    let installed = format!("{packages}/postgres-{version}-{machine}/native");
    assert!(
        fs::exists(&installed).expect("a folder"),
        "run tests/clients/prepare first, as `make test` does"
    );
    let folder = tempfile::Builder::new()
        .prefix("postern-tests-")
        .permissions(Permissions::from_mode(0o711))
        .tempdir()
        .expect("a temporary folder")
        .keep();
    // The unprivileged user that runs it need not be able to reach the repository.
    let copied = Command::new("cp")
        .args(["-R", &installed])
        .arg(folder.join("native"))
        .status();
    assert!(copied.expect("cp runs").success());
    let mut options = Options::new(folder.join("cluster"));
    options.binaries = Some(folder.join("native/bin"));
    // The cluster's own watcher removes it, since nothing drops what is static.
    options.removed_if_killed = Some(folder);
    options
}

/// A database with the sample in it.
pub fn create_database(cluster: &Cluster, name: &str) {
    create_empty_database(cluster, name);
    cluster
        .sql(name, include_str!("shop.sql"))
        .expect("the sample is loaded");
}

pub fn create_empty_database(cluster: &Cluster, name: &str) {
    create_database_with(cluster, name, "");
}

/// With more to say of it, such as its encoding.
pub fn create_database_with(cluster: &Cluster, name: &str, options: &str) {
    let mut command = Command::new(cluster.binaries.join("psql"));
    command.args([
        "--no-psqlrc",
        "--quiet",
        "--dbname",
        &cluster.superuser("postgres"),
        "--command",
    ]);
    command.arg(format!("create database {name} owner shop_owner {options}"));
    assert!(heard(command).succeeded, "the database {name} is made");
}
