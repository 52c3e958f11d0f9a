//! The name of one record, as `postern explain` takes it and a refusal's hint prints it.

use std::fmt;
use std::str::FromStr;

use crate::wire::Record;

/// Where a record was written: unique for ever, because each spool has an epoch of its own.
///
/// Its text is `gateway.worker.epoch.number`, the last three in base 36; a gateway's name may hold dots.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId {
    pub gateway: String,
    pub worker: u32,
    pub epoch: u64,
    pub number: u64,
}

impl RecordId {
    /// The name of a record that has been decoded.
    pub fn of(record: &Record) -> RecordId {
        RecordId {
            gateway: record.gateway.clone(),
            worker: record.worker,
            epoch: record.epoch,
            number: record.number,
        }
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (worker, epoch, number) = (
            Base36(self.worker.into()),
            Base36(self.epoch),
            Base36(self.number),
        );
        write!(f, "{}.{worker}.{epoch}.{number}", self.gateway)
    }
}

/// The text is not the name of a record.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a decision id: it has the form `gateway.worker.epoch.number`")]
pub struct NotARecordId(String);

impl FromStr for RecordId {
    type Err = NotARecordId;

    fn from_str(text: &str) -> Result<RecordId, NotARecordId> {
        let fail = || NotARecordId(text.to_owned());
        let mut parts = text.rsplitn(4, '.');
        let mut number = || {
            parts
                .next()
                .and_then(|part| u64::from_str_radix(part, 36).ok())
                .ok_or_else(fail)
        };
        let (record, epoch, worker) = (number()?, number()?, number()?);
        let gateway = parts.next().filter(|name| !name.is_empty()).ok_or_else(fail)?;
        Ok(RecordId {
            gateway: gateway.to_owned(),
            worker: u32::try_from(worker).map_err(|_| fail())?,
            epoch,
            number: record,
        })
    }
}

struct Base36(u64);

impl fmt::Display for Base36 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS_MAX: usize = 13;
        let mut digits = [0_u8; DIGITS_MAX];
        let mut rest = self.0;
        let mut used = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"
                .get(usize::try_from(rest % 36).unwrap_or(0))
                .copied()
                .unwrap_or(b'0');
            used += 1;
            rest /= 36;
            if rest == 0 {
                break;
            }
        }
        let shown = digits.get(DIGITS_MAX - used..).unwrap_or(&[]);
        f.write_str(std::str::from_utf8(shown).unwrap_or("0"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_id_survives_being_written_and_read() {
        for (worker, epoch, number) in [(0, 0, 0), (1, u64::MAX, 35), (u32::MAX, 36, u64::MAX)] {
            let id = RecordId {
                gateway: "eu.gw-1".into(),
                worker,
                epoch,
                number,
            };
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn what_is_no_record_id_is_refused() {
        for text in [
            "",
            "gw",
            "gw.1.2",
            ".1.2.3",
            "gw.1.2.-3",
            "gw.zzzzzzzzzz.1.1",
            "gw.1.2.3!",
        ] {
            assert!(text.parse::<RecordId>().is_err(), "{text}");
        }
    }
}
