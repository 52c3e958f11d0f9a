//! Refusals before anyone is known: counted in a table of fixed size, so that strangers can never take the
//! room of intents. Each row is shipped as one record with a count and its first and last moment.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ipnet::IpNet;
use postern_link::wire::{Kind, Record};

use crate::identity::Stranger;
use crate::refusal::Refusal;

use super::now_us;

/// A stranger of whom nothing is known but what was wrong.
pub fn nobody(reason: &'static str) -> Stranger {
    Stranger {
        issuer: String::new(),
        tenant: String::new(),
        subject: String::new(),
        reason,
    }
}

#[derive(Debug)]
struct Row {
    count: u64,
    first_us: i64,
    last_us: i64,
    message: String,
}

/// The table. What does not fit is counted in one row of its own.
#[derive(Debug)]
pub struct Strangers {
    rows: Mutex<HashMap<(Stranger, Option<IpNet>), Row>>,
    rows_max: usize,
}

impl Strangers {
    pub fn new(rows_max: usize) -> Strangers {
        Strangers {
            rows: Mutex::default(),
            rows_max,
        }
    }

    pub fn count(&self, stranger: Stranger, source: IpAddr, refusal: &Refusal) {
        let now = now_us();
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (stranger, Some(network_of(source)));
        if rows.len() >= self.rows_max && !rows.contains_key(&key) {
            key = (nobody(key.0.reason), None);
        }
        let row = rows.entry(key).or_insert_with(|| Row {
            count: 0,
            first_us: now,
            last_us: now,
            message: refusal.message.to_string(),
        });
        row.count += 1;
        row.last_us = now;
    }

    /// Takes all rows, as records without number, to be written where there is room.
    pub fn drain(&self) -> Vec<Record> {
        let rows = std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner));
        rows.into_iter()
            .map(|((stranger, network), row)| Record {
                kind: Kind::Strangers.into(),
                refusal: stranger.reason.to_owned(),
                issuer: stranger.issuer,
                tenant: stranger.tenant,
                subject: stranger.subject,
                network: network.map(|network| network.to_string()).unwrap_or_default(),
                message: row.message,
                count: row.count,
                since_us: row.first_us,
                ..Record::default()
            })
            .collect()
    }
}

/// The network that is held to account for an address: /24 of IPv4, /64 of IPv6.
pub fn network_of(address: IpAddr) -> IpNet {
    let prefix = if address.is_ipv4() { 24 } else { 64 };
    IpNet::new(address, prefix).map_or_else(|_| IpNet::from(address), |network| network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::Reason;

    #[test]
    fn what_does_not_fit_the_table_is_counted_without_its_network() {
        let strangers = Strangers::new(3);
        let refusal = Refusal::new(Reason::Unauthenticated, "no");
        for number in 0..200_u8 {
            strangers.count(nobody("tls"), IpAddr::from([10, number, 0, 1]), &refusal);
            strangers.count(nobody("timeout"), IpAddr::from([10, number, 0, 1]), &refusal);
        }
        let records = strangers.drain();
        // `strangers_counted_max` rows, and one for each reason of ours.
        assert_eq!(records.len(), 3 + 2);
        assert_eq!(records.iter().map(|record| record.count).sum::<u64>(), 400);
        let nameless = records.iter().filter(|record| record.network.is_empty());
        assert_eq!(nameless.map(|record| record.count).sum::<u64>(), 397);
        assert!(strangers.drain().is_empty());
    }
}
