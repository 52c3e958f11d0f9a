//! Reads certificates, keys, bundles and credentials again when their files change; sessions stay.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::CertificateDer;

use crate::config::Config;
use crate::postgres::Shared;
use crate::tls;
use crate::upstream::Credentials;

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

pub async fn run(config: Config, shared: Arc<Shared>) {
    let mut interval = tokio::time::interval(LOOK_INTERVAL);
    let files = files(&config);
    let mut seen = times(&files);
    loop {
        interval.tick().await;
        let now = times(&files);
        if now != seen {
            seen = now;
            reload(&config, &shared);
        }
    }
}

fn reload(config: &Config, shared: &Shared) {
    match shared.tls.reload() {
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
            shared.catalogues.forget();
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
        let password = credential
            .password
            .as_deref()
            .and_then(|reference| reference.strip_prefix("file:"));
        let paths = [&credential.certificate, &credential.key, &credential.ca];
        password
            .map(PathBuf::from)
            .into_iter()
            .chain(paths.into_iter().flatten().cloned())
    });
    [config.tls.certificate.clone(), config.tls.key.clone()]
        .into_iter()
        .chain(config.trust_domains.values().cloned())
        .chain(credentials)
        .collect()
}

fn times(files: &[PathBuf]) -> Vec<Option<SystemTime>> {
    files
        .iter()
        .map(|file| std::fs::metadata(file).and_then(|known| known.modified()).ok())
        .collect()
}
