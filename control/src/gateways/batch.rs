//! Takes a gateway's records in, exactly once: what is stored already must be the same bytes, what is new
//! must follow without a gap.

use bytes::Bytes;
use jiff::Timestamp;
use postern_link::record::RecordId;
use postern_link::wire::{self, Kind, Record, SpoolPosition};
use prost::Message as _;

use super::Door;
use crate::audit::append::{Batch, Refused};
use crate::audit::tree::{Hash, leaf_hash};
use crate::store::{self, Spool};

/// Tries when the same spool moves under us: only a second stream of the same gateway can do that.
const TRIES_MAX: usize = 4;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("record {position} of the batch is not a record of this gateway and spool with its number")]
    NotItsRecord { position: usize },
    #[error("record {position} of the batch is of a kind that only the control plane writes")]
    NotAGateways { position: usize },
    #[error("a batch of {records} records is larger than `batch_records_max`")]
    TooManyRecords { records: usize },
    #[error("a batch of {bytes} bytes is larger than `batch_bytes_max`")]
    TooManyBytes { bytes: usize },
    #[error("a record of {bytes} bytes is larger than `record_bytes_max`")]
    RecordTooLarge { bytes: usize },
    #[error("the numbers of a spool begin at 1 and stay below 2^63")]
    Numbers,
    #[error("record `{id}` is stored with other bytes")]
    Differs { id: RecordId },
    #[error("the records cannot be stored")]
    NotStored(#[from] Refused),
    #[error("the stored records cannot be compared")]
    NotCompared(#[from] store::Error),
    #[error("the stored records cannot be read")]
    NotReadable,
}

impl Door {
    /// Stores what is new of a batch and says how far the spool is stored then.
    pub(super) async fn take(&self, gateway: &str, batch: wire::Batch) -> Result<SpoolPosition, Error> {
        let spool = Spool {
            gateway: gateway.to_owned(),
            worker: batch.worker,
            epoch: batch.epoch,
        };
        self.check(&spool, &batch)?;
        let mut stored = self.audit.position(&spool);
        for _ in 0..TRIES_MAX {
            let repeated = stored.saturating_sub(batch.first_number - 1);
            let repeated = usize::try_from(repeated)
                .unwrap_or(usize::MAX)
                .min(batch.records.len());
            let (old, new) = batch.records.split_at_checked(repeated).unwrap_or((&[], &[]));
            if let Some(id) = self.different(&spool, batch.first_number, old).await? {
                self.report(&id).await;
                return Err(Error::Differs { id });
            }
            let first_number = batch.first_number + old.len() as u64;
            if new.is_empty() || first_number > stored + 1 {
                return Ok(position(&spool, stored));
            }
            let records = new.iter().cloned().map(Bytes::from).collect();
            match self
                .audit
                .append(Batch {
                    spool: spool.clone(),
                    first_number,
                    records,
                })
                .await
            {
                Ok(stored) => return Ok(position(&spool, stored)),
                Err(Refused::NotNext(moved)) => stored = moved,
                Err(refused) => return Err(refused.into()),
            }
        }
        Err(Refused::NotNext(stored).into())
    }

    /// A record must say of itself what the batch says of it: its name is what `explain` finds it by.
    fn check(&self, spool: &Spool, batch: &wire::Batch) -> Result<(), Error> {
        let records = batch.records.len();
        if records > self.limits.batch_records_max {
            return Err(Error::TooManyRecords { records });
        }
        let bytes = batch.records.iter().map(Vec::len).sum();
        if bytes > self.limits.batch_bytes_max {
            return Err(Error::TooManyBytes { bytes });
        }
        let last = batch
            .first_number
            .checked_add(records as u64)
            .filter(|last| i64::try_from(*last).is_ok());
        if batch.first_number == 0 || last.is_none() {
            return Err(Error::Numbers);
        }
        for (position, bytes) in batch.records.iter().enumerate() {
            if bytes.len() > self.limits.record_bytes_max {
                return Err(Error::RecordTooLarge { bytes: bytes.len() });
            }
            let number = batch.first_number + position as u64;
            let expected = RecordId {
                gateway: spool.gateway.clone(),
                worker: spool.worker,
                epoch: spool.epoch,
                number,
            };
            let record = Record::decode(bytes.as_slice()).ok();
            let record = record.filter(|record| RecordId::of(record) == expected);
            let record = record.ok_or(Error::NotItsRecord { position })?;
            if matches!(
                record.kind(),
                Kind::SnapshotMade | Kind::Ordered | Kind::Revoked | Kind::Lifted
            ) {
                return Err(Error::NotAGateways { position });
            }
        }
        Ok(())
    }

    /// The first of these records that is stored with other bytes. Equal hashes are equal bytes.
    async fn different(
        &self,
        spool: &Spool,
        first_number: u64,
        records: &[Vec<u8>],
    ) -> Result<Option<RecordId>, Error> {
        if records.is_empty() {
            return Ok(None);
        }
        let head = self.audit.head();
        self.store.caught_up(head.checkpoint.size).await?;
        let last = first_number + records.len() as u64 - 1;
        let indexes = self.store.log_indexes(spool.clone(), first_number..=last).await?;
        if indexes.len() != records.len() {
            return Err(Error::NotReadable);
        }
        let files = self.audit.files().clone();
        let stored = tokio::task::spawn_blocking(move || {
            let tree = files.tree(&head);
            indexes
                .iter()
                .map(|(_, index)| tree.leaf(*index))
                .collect::<Result<Vec<Hash>, _>>()
        });
        let stored = stored
            .await
            .map_err(|_| Error::NotReadable)?
            .map_err(|_| Error::NotReadable)?;
        let mut numbers = first_number..;
        let different = records
            .iter()
            .zip(&stored)
            .zip(&mut numbers)
            .find(|((sent, stored), _)| leaf_hash(sent) != **stored);
        Ok(different.map(|(_, number)| RecordId {
            gateway: spool.gateway.clone(),
            worker: spool.worker,
            epoch: spool.epoch,
            number,
        }))
    }

    /// One finding for each record, however often it is sent.
    async fn report(&self, id: &RecordId) {
        tracing::error!(record = %id, "a gateway sent other bytes for a record that is stored");
        if !self.findings.is_new(id.to_string()) {
            return;
        }
        let recorded = self.audit.record(Record {
            time_us: Timestamp::now().as_microsecond(),
            kind: Kind::Finding.into(),
            message: format!("gateway `{}` sent other bytes for record `{id}`", id.gateway),
            detail: "the record stays as it was stored first, and the gateway's batch was refused".into(),
            ..Record::default()
        });
        if let Err(error) = recorded.await {
            tracing::error!(%error, "a finding could not be recorded");
        }
    }
}

fn position(spool: &Spool, number: u64) -> SpoolPosition {
    SpoolPosition {
        worker: spool.worker,
        epoch: spool.epoch,
        number,
    }
}
