//! What operators have stopped, in words, as records, and back from records.

use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;
use postern_link::snapshot::{Revocation, Revoked, Snapshot};
use postern_link::wire::{Kind, Record};

use super::{Author, Error};
use crate::audit::Audit;
use crate::audit::export::{from_hex, hex};
use crate::store::records::{Filter, Order};
use crate::store::{self, Store};

/// Records read at once when revocations are restored.
const RECORDS_READ_MAX: usize = 1_000;
const SESSION_BYTES: usize = 16;

/// As it stands in sentences.
pub fn in_words(of: &Revoked) -> String {
    match of {
        Revoked::Workload(name) => format!("workload `{name}`"),
        Revoked::Issuer(name) => format!("issuer `{name}`"),
        Revoked::Target(name) => format!("target `{name}`"),
        Revoked::Session(id) => format!("session `{id}`"),
        Revoked::Certificate { trust_domain, serial } => {
            format!("certificate `{serial}` of `{trust_domain}`")
        }
        Revoked::Key { issuer, key_id } => format!("key `{key_id}` of issuer `{issuer}`"),
        Revoked::Run { issuer, run_id } => format!("run `{run_id}` of issuer `{issuer}`"),
        Revoked::Network(network) => format!("network `{network}`"),
    }
}

/// Refuses a name that nobody has: stopping a misspelt workload would stop nobody. Returns what is named in the one
/// form that gateways compare.
pub fn check(of: Revoked, snapshot: Option<&Snapshot>) -> Result<Revoked, Error> {
    let of = in_one_form(of)?;
    let Some(snapshot) = snapshot else {
        return Err(Error::Unknown("there are no resources yet".to_owned()));
    };
    let is_known = match &of {
        Revoked::Workload(name) => snapshot.workloads.iter().any(|one| one.name == *name),
        Revoked::Target(name) => snapshot.targets.iter().any(|one| one.name == *name),
        Revoked::Issuer(name) => {
            snapshot.issuers.iter().any(|one| one.name == *name) || is_trust_domain(name, snapshot)
        }
        Revoked::Key { issuer, .. } | Revoked::Run { issuer, .. } => {
            snapshot.issuers.iter().any(|one| one.name == *issuer)
        }
        Revoked::Certificate { trust_domain, .. } => is_trust_domain(trust_domain, snapshot),
        Revoked::Session(_) | Revoked::Network(_) => true,
    };
    if is_known {
        return Ok(of);
    }
    let what = match &of {
        Revoked::Key { issuer, .. } | Revoked::Run { issuer, .. } => format!("issuer `{issuer}`"),
        Revoked::Certificate { trust_domain, .. } => format!("trust domain `{trust_domain}`"),
        of => in_words(of),
    };
    Err(Error::Unknown(format!("there is no {what}")))
}

/// People write the same session, serial number and network in several ways.
fn in_one_form(of: Revoked) -> Result<Revoked, Error> {
    match of {
        Revoked::Session(id) => match from_hex(&id) {
            Some(bytes) if bytes.len() == SESSION_BYTES => Ok(Revoked::Session(hex(&bytes))),
            _ => Err(Error::Unknown(format!("`{id}` is not the id of a session"))),
        },
        Revoked::Certificate { trust_domain, serial } => {
            let digits = serial.trim().trim_start_matches("0x").replace(':', "");
            let digits = digits.trim_start_matches('0');
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_number {
                let what = format!("`{serial}` is no serial number in hexadecimal, such as `0a:1b`");
                return Err(Error::Unknown(what));
            }
            let serial = digits.to_ascii_lowercase();
            Ok(Revoked::Certificate { trust_domain, serial })
        }
        Revoked::Network(IpNet::V6(network)) => {
            let mapped = network
                .addr()
                .to_ipv4_mapped()
                .zip(network.prefix_len().checked_sub(96));
            let mapped = mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
            Ok(Revoked::Network(mapped.map_or(IpNet::V6(network), IpNet::V4)))
        }
        of => Ok(of),
    }
}

/// Whether some workload logs in with certificates of this trust domain.
fn is_trust_domain(name: &str, snapshot: &Snapshot) -> bool {
    let logins = snapshot.workloads.iter().flat_map(|workload| &workload.login);
    let mut ids = logins.filter_map(|login| login.spiffe());
    ids.any(|id| {
        let rest = id.strip_prefix("spiffe://").unwrap_or_default();
        rest.split('/').next() == Some(name)
    })
}

/// The record of a revocation. What it says is enough to restore it.
pub fn record(revocation: &Revocation) -> Record {
    let Revocation { of, reason, by, .. } = revocation;
    Record {
        message: format!("revoked {}: {reason}", in_words(of)),
        detail: serde_json::to_string(revocation).unwrap_or_default(),
        ..about(Kind::Revoked, of, by)
    }
}

/// The record that a revocation holds no longer.
pub fn lifted(revocation: &Revocation, author: &Author) -> Record {
    let Revocation { id, of, .. } = revocation;
    Record {
        message: format!("lifted {}: {}", in_words(of), author.reason),
        detail: id.clone(),
        ..about(Kind::Lifted, of, &author.name)
    }
}

/// With the names in the fields by which records are looked for.
fn about(kind: Kind, of: &Revoked, by: &str) -> Record {
    let mut record = Record {
        time_us: Timestamp::now().as_microsecond(),
        kind: kind.into(),
        evidence: "operator".to_owned(),
        subject: by.to_owned(),
        ..Record::default()
    };
    match of {
        Revoked::Workload(name) => record.workload.clone_from(name),
        Revoked::Target(name) => record.target.clone_from(name),
        _ => {}
    }
    record
}

/// What was revoked and not lifted, as the log knows it: for a store that was lost.
pub async fn restored(own: &str, store: &Store, audit: &Audit) -> Result<Vec<Revocation>, store::Error> {
    let mut revoked: Vec<Revocation> = Vec::new();
    let mut after = None;
    loop {
        let filter = Filter {
            kinds: vec![Kind::Revoked, Kind::Lifted],
            gateway: Some(own.to_owned()),
            after,
            order: Order::OldestFirst,
            records_max: RECORDS_READ_MAX,
            ..Filter::default()
        };
        let page = store.records(filter).await?;
        for judged in &page {
            let index = judged.found.index;
            let record = match audit.files().record(index, judged.found.place) {
                Ok(record) => record,
                Err(error) => {
                    tracing::error!(%error, index, "a revocation or its end cannot be read again");
                    continue;
                }
            };
            if record.kind() == Kind::Lifted {
                revoked.retain(|one| one.id != record.detail);
            } else if let Ok(revocation) = serde_json::from_str(&record.detail) {
                revoked.push(revocation);
            }
        }
        after = page.last().map(|judged| judged.found.index);
        if page.len() < RECORDS_READ_MAX {
            return Ok(revoked);
        }
    }
}
