//! The life of one gateway's stream: hello, then two directions that never wait for each other, so that an
//! order to stop is not held up by records, nor records by a gateway that reads slowly.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use postern_link::wire::from_control::Message as To;
use postern_link::wire::from_gateway::Message as From;
use postern_link::wire::{
    Acknowledgement, FromControl, FromGateway, Hello, Kind, Record, SpoolPosition, VERSION, Welcome,
};
use tokio::sync::mpsc;
use tonic::{Code, Status, Streaming};

use super::batch::Error as BatchError;
use super::certificate::Shown;
use super::{Door, Place};
use crate::audit::append::Refused;
use crate::audit::note::Checkpoint;
use crate::audit::tree::empty_root;
use crate::config::is_name;

type Outbound = mpsc::Sender<Result<FromControl, Status>>;

/// Serves the stream to its end and tells the gateway why it ended.
pub(super) async fn run(door: Door, shown: Shown, mut inbound: Streaming<FromGateway>, outbound: Outbound) {
    let Shown { gateway, expires } = shown;
    let mut stop = door.tasks.stop_signal();
    let ended = tokio::select! {
        ended = exchange(&door, &gateway, &mut inbound, &outbound) => ended,
        () = stop.asked() => Err(Status::unavailable("the control plane is stopping")),
        () = expiry(expires) => Err(Status::unauthenticated("the gateway's certificate has expired")),
    };
    let Err(status) = ended else { return };
    match status.code() {
        Code::Unavailable | Code::Cancelled => {
            tracing::debug!(gateway, reason = status.message(), "stream over")
        }
        _ => tracing::warn!(
            gateway,
            reason = status.message(),
            "a gateway's stream was refused"
        ),
    }
    // Nobody may be left to hear it.
    drop(tokio::time::timeout(door.outbound_timeout(), outbound.send(Err(status))).await);
}

/// A stream lives no longer than the certificate that opened it. Looks again from time to time, because
/// the wall clock may be set.
async fn expiry(expires: i64) {
    const LOOK: Duration = Duration::from_secs(60);
    loop {
        let left = expires.saturating_sub(Timestamp::now().as_second());
        let Ok(left @ 1..) = u64::try_from(left) else {
            return;
        };
        tokio::time::sleep(LOOK.min(Duration::from_secs(left))).await;
    }
}

async fn exchange(
    door: &Door,
    gateway: &str,
    inbound: &mut Streaming<FromGateway>,
    outbound: &Outbound,
) -> Result<(), Status> {
    let hello_timeout = Duration::from_millis(door.limits.hello_timeout_ms);
    let hello = tokio::time::timeout(hello_timeout, inbound.message()).await;
    let hello = hello.map_err(|_| Status::deadline_exceeded("no hello came in time"))??;
    let Some(FromGateway {
        message: Some(From::Hello(hello)),
    }) = hello
    else {
        return Err(Status::invalid_argument("the first message must be a hello"));
    };
    let seen = door.check_hello(gateway, &hello).await?;
    let place = door.gateways.enter(gateway, &hello.build, hello.version);
    tracing::info!(gateway, build = hello.build, "a gateway is connected");
    let sender = Sender { door, outbound };
    sender
        .send(To::Welcome(Welcome {
            version: VERSION,
            control: door.name.to_string(),
            stored: door.audit.positions(gateway, door.limits.positions_told_max),
        }))
        .await?;
    tokio::select! {
        ended = receive(&sender, &place, gateway, inbound, seen) => ended,
        ended = push(&sender, gateway) => ended,
        () = place.replaced() => Err(Status::aborted("a newer stream of this gateway has come")),
    }
}

/// Takes what the gateway says, and acknowledges.
async fn receive(
    sender: &Sender<'_>,
    place: &Place,
    gateway: &str,
    inbound: &mut Streaming<FromGateway>,
    mut seen: Checkpoint,
) -> Result<(), Status> {
    let door = sender.door;
    while let Some(message) = inbound.message().await? {
        place.heard(None);
        match message.message {
            Some(From::Batch(batch)) => {
                let stored = door.take(gateway, batch).await?;
                let acknowledgement = door.acknowledgement(stored, &mut seen).await?;
                sender.send(To::Acknowledgement(acknowledgement)).await?;
            }
            Some(From::Health(health)) => place.heard(Some(health)),
            Some(From::OrderDone(done)) => door.orders.done(gateway, &done.id, done.sessions_ended),
            Some(From::Hello(_)) => return Err(Status::invalid_argument("a second hello")),
            // A newer gateway may say what this version does not know.
            None => {}
        }
    }
    Ok(())
}

/// Sends what is current, and whatever becomes so.
async fn push(sender: &Sender<'_>, gateway: &str) -> Result<(), Status> {
    let door = sender.door;
    let mut snapshots = door.snapshots.changes();
    let mut words = door.fresh_word.clone();
    let mut news = door.orders.news();
    let (mut sent_number, mut heard) = (0, 0);
    loop {
        let current = snapshots.borrow_and_update().clone();
        if let Some(current) = current.filter(|current| current.snapshot.number > sent_number) {
            sent_number = current.snapshot.number;
            sender.send(To::Snapshot(current.signed.clone())).await?;
        }
        news.borrow_and_update();
        let (orders, position) = door.orders.undone(gateway, heard);
        for order in orders {
            sender.send(To::Order(order)).await?;
        }
        heard = position;
        // A word names a snapshot that the gateway has been sent, never one that is still to come.
        let word = words.borrow_and_update().clone();
        if let Some(word) = word.filter(|word| word.snapshot_number == sent_number) {
            sender.send(To::FreshWord(word)).await?;
        }
        let gone = tokio::select! {
            changed = snapshots.changed() => changed,
            changed = words.changed() => changed,
            changed = news.changed() => changed,
        };
        gone.map_err(|_| Status::unavailable("the control plane is stopping"))?;
    }
}

/// The sending side of the stream, which waits only so long for a gateway that does not read.
struct Sender<'a> {
    door: &'a Door,
    outbound: &'a Outbound,
}

impl Sender<'_> {
    async fn send(&self, message: To) -> Result<(), Status> {
        let sent = self.outbound.send(Ok(FromControl {
            message: Some(message),
        }));
        match tokio::time::timeout(self.door.outbound_timeout(), sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Status::cancelled("the gateway is gone")),
            Err(_) => Err(Status::deadline_exceeded("the gateway does not read")),
        }
    }
}

impl Door {
    fn outbound_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.outbound_timeout_ms)
    }

    /// Returns the checkpoint that the gateway holds, after seeing that our log contains it.
    async fn check_hello(&self, gateway: &str, hello: &Hello) -> Result<Checkpoint, Status> {
        if hello.version.abs_diff(VERSION) > 1 {
            return Err(Status::failed_precondition(format!(
                "the gateway speaks version {} of the link, the control plane {VERSION}: at most one apart works",
                hello.version
            )));
        }
        if hello.gateway != gateway || gateway == &*self.name || !is_name(gateway) {
            return Err(Status::permission_denied(
                "the hello and the certificate name different gateways",
            ));
        }
        let seen = self.check_checkpoint(gateway, &hello.checkpoint).await?;
        self.snapshots
            .seen(hello.snapshot_number)
            .await
            .map_err(|error| Status::failed_precondition(error.to_string()))?;
        Ok(seen)
    }

    /// A gateway is a witness: what it was shown must still be the beginning of the log.
    async fn check_checkpoint(&self, gateway: &str, note: &str) -> Result<Checkpoint, Status> {
        if note.is_empty() {
            return Ok(Checkpoint {
                size: 0,
                root: empty_root(),
            });
        }
        let held = Checkpoint::open(note, self.audit.verifier())
            .map_err(|error| Status::failed_precondition(format!("the gateway's checkpoint: {error}")))?;
        let head = self.audit.head();
        let size = head.checkpoint.size;
        if held.size <= size {
            let files = self.audit.files().clone();
            let root = tokio::task::spawn_blocking(move || files.tree(&head).root_at(held.size)).await;
            let root = root.ok().and_then(Result::ok);
            let root = root.ok_or_else(|| Status::unavailable("the audit log cannot be read"))?;
            if root == held.root {
                return Ok(held);
            }
        }
        self.report_fork(gateway, note, &held, size).await;
        Err(Status::failed_precondition(
            "the gateway holds a checkpoint of this log that the log no longer contains: records were lost \
             or changed",
        ))
    }

    async fn report_fork(&self, gateway: &str, note: &str, held: &Checkpoint, size: u64) {
        tracing::error!(
            gateway,
            held = held.size,
            size,
            "the audit log is not the one this gateway has seen"
        );
        if !self
            .findings
            .is_new(format!("fork {gateway} {}", BASE64_STANDARD.encode(held.root)))
        {
            return;
        }
        let recorded = self.audit.record(Record {
            time_us: Timestamp::now().as_microsecond(),
            kind: Kind::Finding.into(),
            message: format!(
                "gateway `{gateway}` holds a checkpoint of {} records that this log of {size} does not contain",
                held.size
            ),
            detail: note.to_owned(),
            ..Record::default()
        });
        if let Err(error) = recorded.await {
            tracing::error!(%error, "a finding could not be recorded");
        }
    }

    /// The newest checkpoint, with the proof from the one this gateway has seen, which it then has seen.
    async fn acknowledgement(
        &self,
        stored: SpoolPosition,
        seen: &mut Checkpoint,
    ) -> Result<Acknowledgement, Status> {
        let (head, files) = (self.audit.head(), self.audit.files().clone());
        let (checkpoint, new) = (head.note.clone(), head.checkpoint.clone());
        let old = std::mem::replace(seen, new);
        let proof_from_size = old.size;
        let proof = tokio::task::spawn_blocking(move || files.consistency(&old, &head)).await;
        let proof = proof.ok().and_then(Result::ok);
        let proof = proof.ok_or_else(|| Status::unavailable("the audit log cannot be read"))?;
        let consistency_proof = proof.iter().map(|hash| hash.to_vec()).collect();
        Ok(Acknowledgement {
            stored: Some(stored),
            checkpoint,
            proof_from_size,
            consistency_proof,
        })
    }
}

impl std::convert::From<BatchError> for Status {
    fn from(error: BatchError) -> Status {
        let message = error.to_string();
        match error {
            BatchError::NotItsRecord { .. }
            | BatchError::NotAGateways { .. }
            | BatchError::TooManyRecords { .. }
            | BatchError::TooManyBytes { .. }
            | BatchError::RecordTooLarge { .. }
            | BatchError::Numbers
            | BatchError::NotStored(Refused::TooLarge) => Status::invalid_argument(message),
            BatchError::Differs { .. } => Status::already_exists(message),
            BatchError::NotStored(Refused::TooManySpools) => Status::resource_exhausted(message),
            BatchError::NotStored(Refused::Unwritable | Refused::NotNext(_))
            | BatchError::NotCompared(_)
            | BatchError::NotReadable => Status::unavailable(message),
        }
    }
}
