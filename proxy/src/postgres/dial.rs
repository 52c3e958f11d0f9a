//! As whom the gateway logs in to a target, and when it takes a connection that is still warm.

use postern_link::snapshot::{DangerousRole, PostgresTarget};

use crate::refusal::{Reason, Refusal};
use crate::shared::Shared;

use super::connect::{self, Connected, Dial};
use super::warm::{self, Key, Opened};
use super::{Place, Worker, gone, settings};

/// How the gateway logs in for a session: as the assumed role, never down from a stronger one.
pub(super) fn dial(
    target: &PostgresTarget,
    place: &Place,
    application_name: String,
    shared: &Shared,
) -> Result<Dial, Refusal> {
    let credential = target.roles.get(&place.role).ok_or_else(gone)?;
    let address = target.address.clone();
    let credential = shared
        .credentials
        .load()
        .for_address(credential, &address)
        .map_err(unusable)?;
    if credential.user != place.role {
        return Err(Refusal::new(
            Reason::Unavailable,
            "the role's credential logs in as another role",
        ));
    }
    Ok(Dial {
        address,
        credential,
        database: place.database.clone(),
        application_name,
    })
}

/// How the gateway logs in for itself, to read the catalogue and to end backends.
pub fn gateway_dial(target: &PostgresTarget, place: &Place, shared: &Shared) -> Result<Dial, Refusal> {
    let address = target.address.clone();
    let credential = shared
        .credentials
        .load()
        .for_address(&target.gateway_role, &address)
        .map_err(unusable)?;
    let application_name = "postern".to_owned();
    Ok(Dial {
        address,
        credential,
        database: place.database.clone(),
        application_name,
    })
}

fn unusable(error: crate::upstream::Error) -> Refusal {
    tracing::warn!(%error, "a target's credential cannot be used");
    Refusal::new(Reason::Unavailable, "the target is unavailable")
        .detail("the gateway has no credential that may be used there")
        .hint("the gateway's operators see why with `postern check`")
}

/// A connection that waits for this key, renamed for this session; else a new one.
pub(super) async fn warm_or_new(
    key: &Key,
    dial: &Dial,
    shared: &Shared,
    worker: &Worker,
) -> Result<Opened, connect::Error> {
    let own_name = &dial.application_name;
    if let Some(mut waiting) = worker.warm.take(key, dial, &shared.limits) {
        let set = settings::set_statement("application_name", own_name);
        let is_named = waiting.application_name == *own_name;
        if is_named || waiting.connected.wire.ask(&set).await.is_ok() {
            return Ok(waiting);
        }
    }
    warm::open(dial, &shared.limits).await
}

/// The second lock: a role that reaches past every policy is not logged in as.
pub(super) fn harmless(
    connected: &Connected,
    target: &PostgresTarget,
    place: &Place,
    shared: &Shared,
) -> Result<(), Refusal> {
    let facts = &connected.facts;
    let credentials = shared.credentials.load();
    let mut told = facts.dangers.iter().chain([&facts.server_encoding]);
    if told.any(|text| credentials.withheld(text.as_bytes()).is_some()) {
        return Err(Refusal::new(
            Reason::Unavailable,
            "what the target says of itself cannot be used",
        ));
    }
    if facts.role != place.role || facts.session_role != place.role || facts.client_encoding != "UTF8" {
        return Err(Refusal::new(
            Reason::Unavailable,
            "the target gave the gateway another role or encoding than it asked for",
        ));
    }
    if let Some(why) = facts.other_encoding() {
        return Err(Refusal::new(Reason::Unsupported, why)
            .detail("a long name could mean another table there than the gateway takes it for")
            .hint("move the data to a database made with `encoding 'UTF8'`"));
    }
    if !facts.dangers.is_empty() && target.dangerous_role == DangerousRole::Refused {
        return Err(Refusal::new(
            Reason::Forbidden,
            format!(
                "role `{}` is too strong to be assumed through the gateway",
                place.role
            ),
        )
        .detail(format!("it is, or can become: {}", facts.dangers.join(", ")))
        .hint("give the target a lesser role, or say `dangerous_role: accepted` there"));
    }
    Ok(())
}
