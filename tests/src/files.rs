//! What a house is written down as before it starts: keys, certificates, secrets, `postern.yaml`, resources.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use postern::dev::authority::TRUST_DOMAIN;
use postern_control::audit::note::Signer;
use postern_control::keys::SigningKey;

use crate::ground::Ground;
use crate::world::{AUDIENCE, World, free_port};

/// The roles that the gateway holds a password of.
const ROLES: [&str; 5] = [
    "shop_owner",
    "shop_reader",
    "shop_writer",
    "shop_gateway",
    "shop_super",
];

/// What a world is made with, beside its defaults.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub planes: Planes,
    pub server: Server,
    /// Lines of `limits:` in the gateway's section.
    pub limits: String,
    /// Lines of the gateway's section itself.
    pub gateway: String,
    /// Lines of `limits:` in the control plane's section.
    pub control_limits: String,
    /// Lines of `credentials:`, beside those of the roles; `{folder}` and `{target}` are filled in.
    pub credentials: String,
    /// How the server must prove itself before a role's password is used.
    pub verify: Option<String>,
    pub policies: Option<String>,
    /// What the gateway's process finds in its environment.
    pub environment: Vec<(&'static str, String)>,
    /// Resources are applied by the command line; else the control plane reads its folder.
    pub applied: bool,
    /// May hold the same `{{…}}` as those that most tests use.
    pub resources: Option<String>,
}

/// Whether gateway and control plane are one process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Planes {
    /// `postern up`.
    #[default]
    Together,
    /// `postern control` and `postern proxy`, so that one can go without the other.
    Apart,
}

/// Which PostgreSQL server is the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Server {
    /// The machine's own.
    #[default]
    Machine,
    /// The newest that we support.
    Newest,
}

/// What the gateway must know of the control plane's keys before either starts.
struct Keys {
    snapshot_key: String,
    log_key: String,
}

impl World {
    pub(crate) fn write(&self, wishes: &Wishes, ground: &Ground) {
        let folder = &self.folder;
        for name in ["resources", "control", "gateway"] {
            fs::create_dir_all(folder.join(name)).expect("a folder");
        }
        let put = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
        for (names, file) in [
            (&["localhost", "127.0.0.1"][..], "server"),
            (&["control.localhost"], "control"),
            (&["gw"], "link"),
        ] {
            let pair = ground.link.server(names).expect("a certificate");
            pair.write(folder, file).expect("files");
        }
        let client = ground.link.client("shop_certified").expect("a certificate");
        client.write(folder, "certified").expect("files");
        put("link-ca.pem", &ground.link.certificate());
        put("bundle.pem", &ground.trust.certificate());
        for role in ROLES {
            put(&format!("{role}.password"), &format!("secret-of-{role}"));
        }
        let key = |name: &str| SigningKey::open(&folder.join("control").join(name)).expect("a key");
        let keys = Keys {
            snapshot_key: BASE64_STANDARD.encode(key("snapshot.key").public()),
            log_key: Signer::new("log.test", key("log.key")).verifier().to_string(),
        };
        put("postern.yaml", &self.config(wishes, &keys));
        let resources = wishes
            .resources
            .as_deref()
            .unwrap_or(include_str!("resources.yaml"));
        put("resources/resources.yaml", &self.filled(resources));
        put(
            "resources/shop.cedar",
            wishes.policies.as_deref().unwrap_or(include_str!("shop.cedar")),
        );
    }

    fn config(&self, wishes: &Wishes, keys: &Keys) -> String {
        let folder = self.folder.display();
        let target = self.cluster.address();
        format!(
            r#"proxy:
  gateway: gw
  listen: "127.0.0.1:{port}"
  listen_admin: "127.0.0.1:{admin}"
  data: "{folder}/gateway"
  tls: {{ certificate: "{folder}/server.pem", key: "{folder}/server.key" }}
  trust_domains: {{ {TRUST_DOMAIN}: "{folder}/bundle.pem" }}
  issuer_hosts: [{{ host: "{issuer_host}", plain_http: true, private_address: true }}]
  credentials:
{credentials}  decide_by:
    control:
      address: "https://127.0.0.1:{gateways_port}"
      server_name: control.localhost
      ca: "{folder}/link-ca.pem"
      certificate: "{folder}/link.pem"
      key: "{folder}/link.key"
      snapshot_key: "{snapshot_key}"
      log_key: "{log_key}"
{gateway}  limits: {{ {limits} }}
control:
  listen_gateways: "127.0.0.1:{gateways_port}"
  listen_operators: "127.0.0.1:{operators}"
  data: "{folder}/control"
{follows}  log_origin: log.test
  tls: {{ certificate: "{folder}/control.pem", key: "{folder}/control.key", gateway_ca: "{folder}/link-ca.pem" }}
  limits: {{ {control_limits} }}
"#,
            port = self.port,
            admin = self.admin_port,
            operators = self.operators_port,
            issuer_host = self.issuer.host(),
            credentials = credentials(wishes)
                .replace("{folder}", &folder.to_string())
                .replace("{target}", &target),
            gateways_port = free_port(),
            snapshot_key = keys.snapshot_key,
            log_key = keys.log_key,
            gateway = wishes.gateway,
            limits = limits(&wishes.limits),
            control_limits = wishes.control_limits,
            follows = match wishes.applied {
                true => String::new(),
                false => format!("  resources: \"{folder}/resources\"\n"),
            },
        )
    }

    /// The resources that most tests use.
    pub fn resources(&self) -> String {
        self.filled(include_str!("resources.yaml"))
    }

    /// Resources with what only the started house knows.
    fn filled(&self, resources: &str) -> String {
        resources
            .replace("{{github}}", &self.issuer.github())
            .replace("{{audience}}", AUDIENCE)
            .replace("{{target}}", &self.cluster.address())
            .replace("{{database}}", &self.database)
            .replace("{{trust_domain}}", TRUST_DOMAIN)
    }

    /// Writes a resource file and waits until the gateway decides by it.
    pub fn change(&self, file: &str, text: &str) {
        let before = self.policy_epoch();
        fs::write(self.folder.join("resources").join(file), text).expect("a resource file");
        self.until("the gateway decides by the changed resources", || {
            self.policy_epoch() > before
        });
    }
}

fn credentials(wishes: &Wishes) -> String {
    let verify = wishes
        .verify
        .as_deref()
        .unwrap_or("verify: full, ca: \"{folder}/link-ca.pem\"");
    let mut lines = wishes.credentials.clone();
    for role in ROLES {
        let _ = writeln!(
            lines,
            "    {role}: {{ user: {role}, password: \"file:{{folder}}/{role}.password\", \
             only_to: [\"{{target}}\"], {verify} }}"
        );
    }
    lines
}

/// A test's own limits, over those that keep tests quick.
fn limits(wished: &str) -> String {
    let mut limits = wished.to_owned();
    for (name, default) in [("workers", "2"), ("drain_seconds_max", "1")] {
        if !wished.contains(&format!("{name}:")) {
            let separator = if limits.is_empty() { "" } else { ", " };
            let _ = write!(limits, "{separator}{name}: {default}");
        }
    }
    limits
}
