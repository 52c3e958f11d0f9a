//! Follows the gateway's own file and those it names: certificates, keys, bundles and credentials are read
//! again when they change, and sessions stay. What needs a restart is named.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use crate::config::Config;
use crate::postgres::Postgres;
use crate::tls;
use crate::upstream::Credentials;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The keys of `proxy:` that are followed while the gateway runs.
const FOLLOWED: [&str; 3] = ["tls", "trust_domains", "credentials"];

pub async fn run(started_with: Config, mut newest: watch::Receiver<Config>, postgres: Arc<Postgres>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    let mut seen = times(&started_with);
    loop {
        interval.tick().await;
        let changed = newest.has_changed().unwrap_or(false);
        let config = newest.borrow_and_update().clone();
        if changed {
            let waiting = needs_restart(&started_with, &config);
            if !waiting.is_empty() {
                tracing::warn!(
                    keys = waiting.join(", "),
                    "what these keys say now holds from the next start on"
                );
            }
        }
        let now = times(&config);
        if changed || now != seen {
            seen = now;
            reload(&config, &postgres);
        }
    }
}

/// The keys that differ and are only read at a start.
fn needs_restart(started_with: &Config, now: &Config) -> Vec<String> {
    let keys = |config| match serde_json::to_value(config) {
        Ok(serde_json::Value::Object(keys)) => keys,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (keys(started_with), keys(now));
    let differs = |key: &&String| before.get(*key) != now.get(*key) && !FOLLOWED.contains(&key.as_str());
    now.keys().filter(differs).cloned().collect()
}

fn reload(config: &Config, postgres: &Postgres) {
    let shared = &postgres.shared;
    match shared.tls.reload(&config.tls) {
        Ok(()) => tracing::info!("the listener's certificate was read again"),
        Err(error) => {
            tracing::error!(%error, "the listener's certificate cannot be read; the last good one stays")
        }
    }
    match bundles(config) {
        Ok(bundles) => {
            for finding in shared.identities.set_bundles(bundles) {
                tracing::warn!(finding, "a trust bundle holds something unusable");
            }
            tracing::info!("the trust bundles were read again");
        }
        Err(error) => tracing::error!(%error, "a trust bundle cannot be read; the last good ones stay"),
    }
    match Credentials::load(&config.credentials) {
        Ok(credentials) => {
            shared.credentials.store(Arc::new(credentials));
            postgres.catalogues.forget();
        }
        Err(error) => tracing::error!(%error, "a credential cannot be read; the last good ones stay"),
    }
}

/// Every trust domain's bundle, as this host names them.
pub fn bundles(config: &Config) -> Result<BTreeMap<String, Vec<CertificateDer<'static>>>, tls::Error> {
    config
        .trust_domains
        .iter()
        .map(|(name, path)| Ok((name.clone(), tls::certificates(path)?)))
        .collect()
}

fn files(config: &Config) -> Vec<PathBuf> {
    let credentials = config.credentials.values().flat_map(|credential| {
        let header = credential.header.as_ref().map(|header| &header.value);
        let secrets = [credential.password.as_ref(), credential.bearer.as_ref(), header];
        let secrets = secrets.into_iter().flatten();
        let files = secrets.filter_map(|reference| reference.strip_prefix("file:"));
        let paths = [&credential.certificate, &credential.key, &credential.ca];
        files
            .map(PathBuf::from)
            .chain(paths.into_iter().flatten().cloned())
    });
    [config.tls.certificate.clone(), config.tls.key.clone()]
        .into_iter()
        .chain(config.trust_domains.values().cloned())
        .chain(credentials)
        .collect()
}

fn times(config: &Config) -> Vec<Option<SystemTime>> {
    let changed = |file| std::fs::metadata(file).and_then(|known| known.modified()).ok();
    files(config).iter().map(changed).collect()
}
