//! The gateway's side of the link: says hello, takes snapshots, words and orders, ships records.
//!
//! The link comes and goes; deciding and spooling do not wait for it.

use std::sync::Arc;
use std::time::Duration;

use postern_link::wire::{
    EndSessions, FromControl, FromGateway, Health, Hello, Order, OrderDone, SignedSnapshot, VERSION,
    from_control, from_gateway,
};
use tokio::sync::{mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::Code;

use crate::audit::now_us;
use crate::control::witness::Witness;
use crate::control::{Control, Exchange};
use crate::postgres::Postgres;
use crate::session::Ended;
use crate::shared::Shared;

use super::end_sessions::look;
use super::ship_audit::Shipping;

const RETRY_MIN: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Records keep each other company for this long: a batch for each would cost more than they do.
const BATCH_INTERVAL: Duration = Duration::from_millis(50);
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

pub async fn run(
    postgres: Arc<Postgres>,
    control: Arc<Control>,
    mut witness: Witness,
    mut shipping: Shipping,
    mut drain: watch::Receiver<bool>,
) {
    let shared = &postgres.shared;
    let mut retry = RETRY_MIN;
    loop {
        let hello = Hello {
            version: VERSION,
            gateway: shared.gateway.clone(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            snapshot_number: control.highest_snapshot(),
            checkpoint: witness.note().to_owned(),
        };
        match control.exchange(from_gateway::Message::Hello(hello).into()).await {
            Ok(exchange) => {
                retry = RETRY_MIN;
                let mut link = Link {
                    shared,
                    postgres: &postgres,
                    control: &control,
                    witness: &mut witness,
                    shipping: &mut shipping,
                };
                link.follow(exchange, &mut drain).await;
                if let Err(error) = witness.keep() {
                    tracing::error!(%error, "what was seen of the log will be seen again");
                }
                tracing::warn!("the link to the control plane is down; deciding and spooling go on");
            }
            Err(error) => tracing::debug!(%error, "the control plane does not answer"),
        }
        if *drain.borrow() {
            return;
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(RETRY_MAX);
    }
}

/// A place on the wire for a batch, not sooner than one interval after the last.
async fn paced<'a>(
    pace: &mut Interval,
    outgoing: &'a mpsc::Sender<FromGateway>,
) -> Result<mpsc::Permit<'a, FromGateway>, mpsc::error::SendError<()>> {
    pace.tick().await;
    outgoing.reserve().await
}

async fn drained(drain: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same: there is nothing left to serve.
    let _ = drain.wait_for(|drain| *drain).await;
}

struct Link<'a> {
    shared: &'a Shared,
    postgres: &'a Postgres,
    control: &'a Control,
    witness: &'a mut Witness,
    shipping: &'a mut Shipping,
}

impl Link<'_> {
    async fn follow(&mut self, mut exchange: Exchange, drain: &mut watch::Receiver<bool>) {
        let mut health = tokio::time::interval(HEALTH_INTERVAL);
        let mut welcomed = false;
        let grown = self.shipping.grown.clone();
        let outgoing = exchange.outgoing.clone();
        let mut pace = tokio::time::interval(BATCH_INTERVAL);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // An order must be heard although a batch waits for the wire, so nothing here waits alone.
            let to_ship = welcomed && self.shipping.has_batch();
            let quiet = welcomed && !to_ship && !self.shipping.is_under_way();
            tokio::select! {
                place = paced(&mut pace, &outgoing), if to_ship => {
                    let Ok(place) = place else { return };
                    if let Some(batch) = self.shipping.next_batch() {
                        if self.shipping.is_behind() {
                            pace.reset_immediately();
                        }
                        place.send(from_gateway::Message::Batch(batch).into());
                    }
                }
                message = exchange.incoming.message() => match message {
                    Ok(Some(FromControl { message: Some(message) })) => {
                        welcomed |= matches!(message, from_control::Message::Welcome(_));
                        for answer in self.heard(message) {
                            if exchange.outgoing.send(answer).await.is_err() {
                                return;
                            }
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => return,
                    Err(status) if status.code() == Code::OutOfRange => {
                        tracing::error!("the control plane sends more at once than `snapshot_bytes_max` allows");
                        return;
                    }
                    Err(status) => {
                        tracing::debug!(%status, "the link broke");
                        return;
                    }
                },
                () = grown.notified(), if quiet => {}
                _ = health.tick() => {
                    if exchange.outgoing.send(self.health()).await.is_err() {
                        return;
                    }
                }
                () = drained(drain) => {
                    // The last records go before the link does, if they go soon.
                    let rest = self.ship_rest(&mut exchange);
                    let _ = tokio::time::timeout(RETRY_MAX, rest).await;
                    return;
                }
            }
        }
    }

    async fn ship_rest(&mut self, exchange: &mut Exchange) {
        while self.shared.sessions.count() > 0 {
            tokio::time::sleep(RETRY_MIN).await;
        }
        loop {
            if let Some(batch) = self.shipping.next_batch()
                && exchange
                    .outgoing
                    .send(from_gateway::Message::Batch(batch).into())
                    .await
                    .is_err()
            {
                return;
            }
            match tokio::time::timeout(Duration::from_millis(500), exchange.incoming.message()).await {
                Ok(Ok(Some(FromControl {
                    message: Some(message),
                }))) => drop(self.heard(message)),
                _ => return,
            }
        }
    }

    fn heard(&mut self, message: from_control::Message) -> Vec<FromGateway> {
        match message {
            from_control::Message::Welcome(welcome) => {
                tracing::info!(control = welcome.control, "the control plane is there");
                self.shipping.resume(&welcome.stored);
            }
            from_control::Message::Snapshot(signed) => {
                match take_snapshot(self.postgres, self.control, &signed) {
                    Ok(number) => {
                        tracing::info!(number, "a snapshot was taken");
                        // Whoever has made it waits to hear that it holds here.
                        return vec![self.health()];
                    }
                    Err(errors) => {
                        tracing::error!(?errors, "a snapshot was not taken; the last good one stays")
                    }
                }
            }
            from_control::Message::FreshWord(word) => {
                let now_ms = now_us() / 1_000;
                if self.control.is_current(&word) && !self.shared.last_word.heard(word.time_ms, now_ms) {
                    tracing::warn!(
                        "a fresh word was not newer than the one before, or its clock is far from ours"
                    );
                }
            }
            from_control::Message::Acknowledgement(stored) => {
                if let Some(position) = &stored.stored {
                    self.shipping.acknowledged(position);
                }
                let followed = self.witness.follow(
                    &stored.checkpoint,
                    stored.proof_from_size,
                    &stored.consistency_proof,
                );
                if let Err(error) = followed {
                    tracing::error!(%error, "the control plane's log is not believed");
                }
            }
            from_control::Message::Order(order) => return vec![self.obey(order)],
        }
        Vec::new()
    }

    fn health(&self) -> FromGateway {
        from_gateway::Message::Health(Health {
            sessions: u32::try_from(self.shared.sessions.count()).unwrap_or(u32::MAX),
            spool_bytes: self.shipping.bytes(),
            snapshot_number: self.control.highest_snapshot(),
        })
        .into()
    }

    fn obey(&self, order: Order) -> FromGateway {
        let wanted = order.end_sessions.unwrap_or_default();
        let live = self.shared.sessions.all();
        let ended = live
            .iter()
            .filter(|live| matches(&wanted, live))
            .inspect(|live| live.end(Ended::Revoked));
        let sessions_ended = u32::try_from(ended.count()).unwrap_or(u32::MAX);
        from_gateway::Message::OrderDone(OrderDone {
            id: order.id,
            sessions_ended,
        })
        .into()
    }
}

/// All fields that are set must match; an order that sets none matches nothing.
fn matches(wanted: &EndSessions, live: &crate::session::Live) -> bool {
    let EndSessions {
        sessions,
        workload,
        target,
        ..
    } = wanted;
    let says_something = !sessions.is_empty() || !workload.is_empty() || !target.is_empty();
    says_something
        && (sessions.is_empty() || sessions.iter().any(|id| id.as_slice() == live.id.as_bytes()))
        && (workload.is_empty() || *workload == live.workload)
        && (target.is_empty() || *target == live.target)
}

/// Believes, compiles and then decides by a snapshot; sessions that it would not open end.
pub fn take_snapshot(
    postgres: &Postgres,
    control: &Control,
    signed: &SignedSnapshot,
) -> Result<u64, Vec<String>> {
    let shared = &postgres.shared;
    let told = |error: crate::control::Error| vec![error.to_string()];
    let snapshot = control.verify(signed).map_err(told)?;
    let number = snapshot.number;
    let present = shared.rules.load();
    let targets_changed = present.snapshot.targets != snapshot.targets;
    let rules = present.follow(snapshot)?;
    shared.identities.set_known(rules.known.clone());
    shared.rules.store(Arc::new(rules));
    if targets_changed {
        postgres.catalogues.forget();
    }
    look(shared);
    // What is in force must not wait for a disk: what was revoked stays out until the next start at least.
    if let Err(error) = control.accept(signed, number) {
        tracing::error!(%error, number, "a snapshot is in force and could not be kept for the next start");
    }
    Ok(number)
}
