//! Cancel requests: the keys that clients hold are ours, and each use of one is recorded.
//!
//! A key of 3.2 has 32 random bytes; one of 3.0 has 64 bits in all, of which the process id names the entry.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::rand;
use dashmap::DashMap;
use ipnet::IpNet;
use postern_link::wire::{Kind, Record};
use quick_cache::sync::Cache;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::audit;
use crate::audit::strangers::{network_of, nobody};
use crate::config::{Limits, Verify};
use crate::refusal::{Reason, Refusal};
use crate::session::Live;
use crate::tls::ALPN_POSTGRESQL;
use crate::upstream::{self, Upstream};

use super::connect::Dial;
use super::message::{CANCEL_REQUEST, SSL_REQUEST};
use super::{Postgres, Worker};

const LONG_KEY_BYTES: usize = 32;
const SHORT_KEY_BYTES: usize = 4;
/// Networks whose wrong guesses are counted at once.
const GUESSING_NETWORKS_MAX: usize = 10_000;
const MINUTE_US: i64 = 60_000_000;

/// What a client sends to cancel: never the server's own key.
#[derive(Clone, PartialEq, Eq)]
pub struct CancelKey {
    pub pid: u32,
    pub secret: Vec<u8>,
}

/// The way to cancel what a session runs now.
#[derive(Clone, Debug)]
pub struct Cancelable {
    pub live: Arc<Live>,
    pub dial: Dial,
    pub backend_pid: i32,
    pub backend_key: Vec<u8>,
}

#[derive(Debug)]
struct Held {
    secret: Vec<u8>,
    cancelable: Cancelable,
}

/// All keys that this gateway has given out.
#[derive(Debug)]
pub struct CancelKeys {
    held: DashMap<u32, Held>,
    wrong: Cache<IpNet, Arc<Mutex<(i64, u32)>>>,
    guesses_per_minute_max: u32,
}

/// The key of one session. Taken back when dropped.
pub struct IssuedKey {
    pub key: CancelKey,
    keys: Arc<CancelKeys>,
}

impl Drop for IssuedKey {
    fn drop(&mut self) {
        self.keys.held.remove(&self.key.pid);
    }
}

/// No randomness is to be had, so no session can be opened safely.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandom;

impl CancelKeys {
    pub fn new(limits: &Limits) -> Arc<CancelKeys> {
        Arc::new(CancelKeys {
            held: DashMap::new(),
            wrong: Cache::new(GUESSING_NETWORKS_MAX),
            guesses_per_minute_max: limits.cancel_guesses_per_minute_max,
        })
    }

    pub fn issue(self: &Arc<CancelKeys>, long: bool, cancelable: &Cancelable) -> Result<IssuedKey, NoRandom> {
        let mut secret = vec![0; if long { LONG_KEY_BYTES } else { SHORT_KEY_BYTES }];
        rand::fill(&mut secret).map_err(|_| NoRandom)?;
        loop {
            let mut pid = [0; 4];
            rand::fill(&mut pid).map_err(|_| NoRandom)?;
            // Some drivers keep the process id in a signed number.
            let pid = u32::from_be_bytes(pid) & 0x7fff_ffff;
            if let dashmap::Entry::Vacant(place) = self.held.entry(pid) {
                place.insert(Held {
                    secret: secret.clone(),
                    cancelable: cancelable.clone(),
                });
                return Ok(IssuedKey {
                    key: CancelKey { pid, secret },
                    keys: self.clone(),
                });
            }
        }
    }

    /// The session that this key cancels, unless the caller's network has guessed wrong too often.
    pub fn find(&self, key: &CancelKey, source: IpAddr, now_us: i64) -> Option<Cancelable> {
        let network = network_of(source);
        let counter = self.wrong.get(&network);
        if let Some(counter) = &counter {
            let (since, count) = *counter.lock().unwrap_or_else(PoisonError::into_inner);
            if count >= self.guesses_per_minute_max && now_us - since < MINUTE_US {
                return None;
            }
        }
        let found = self.held.get(&key.pid).filter(|held| {
            aws_lc_rs::constant_time::verify_slices_are_equal(&held.secret, &key.secret).is_ok()
        });
        if let Some(held) = found {
            return Some(held.cancelable.clone());
        }
        let counter = counter.unwrap_or_else(|| {
            let counter = Arc::new(Mutex::new((now_us, 0)));
            self.wrong.insert(network, counter.clone());
            counter
        });
        let mut counted = counter.lock().unwrap_or_else(PoisonError::into_inner);
        if now_us - counted.0 >= MINUTE_US {
            *counted = (now_us, 0);
        }
        counted.1 += 1;
        None
    }
}

/// Passes a cancel on to the session it is for, and records it there.
pub(super) async fn serve(key: &CancelKey, source: IpAddr, postgres: &Postgres, worker: &Rc<Worker>) {
    let shared = &postgres.shared;
    let Some(cancelable) = postgres.cancel_keys.find(key, source, audit::now_us()) else {
        let refusal = Refusal::new(
            Reason::Unauthenticated,
            "a cancel request carried a key that is nobody's",
        );
        shared.strangers.count(nobody("cancel_key"), source, &refusal);
        return;
    };
    let live = &cancelable.live;
    let record = audit::part(&Record {
        session: live.id.as_bytes().to_vec(),
        workload: live.workload.clone(),
        target: live.target.clone(),
        source: source.to_string(),
        ..Record::default()
    });
    if let Err(error) = worker.authorizer.audit().note(Kind::Cancel, &[&record]) {
        tracing::warn!(%error, "a cancel request could not be recorded, so it is not passed on");
        return;
    }
    if let Err(error) = cancel(&cancelable, &shared.limits).await {
        tracing::warn!(target = live.target, %error, "a cancel request could not be passed on");
    }
}

/// Sends the server its own CancelRequest, in TLS where its credential demands TLS.
pub async fn cancel(cancelable: &Cancelable, limits: &Limits) -> Result<(), upstream::Error> {
    let timeout = Duration::from_millis(limits.connect_timeout_ms);
    let sent = async {
        let dial = &cancelable.dial;
        let mut socket = Upstream::dial(&dial.credential, &dial.address, timeout).await?;
        if dial.credential.verify != Verify::Disable {
            let mut request = 8_u32.to_be_bytes().to_vec();
            request.extend_from_slice(&SSL_REQUEST.to_be_bytes());
            socket
                .write_all(&request)
                .await
                .map_err(upstream::Error::Unreachable)?;
            if socket.read_u8().await.map_err(upstream::Error::Unreachable)? != b'S' {
                return Err(upstream::Error::NoTls);
            }
        }
        let mut stream = Upstream::secure(socket, &dial.credential, &dial.address, ALPN_POSTGRESQL).await?;
        let mut request = Vec::new();
        let length = u32::try_from(12 + cancelable.backend_key.len()).unwrap_or(u32::MAX);
        request.extend_from_slice(&length.to_be_bytes());
        request.extend_from_slice(&CANCEL_REQUEST.to_be_bytes());
        request.extend_from_slice(&cancelable.backend_pid.to_be_bytes());
        request.extend_from_slice(&cancelable.backend_key);
        stream
            .write_all(&request)
            .await
            .map_err(upstream::Error::Unreachable)?;
        stream.flush().await.map_err(upstream::Error::Unreachable)?;
        // The server closes when it has acted; waiting keeps a later statement from being hit.
        let _ = stream.read_u8().await;
        Ok(())
    };
    tokio::time::timeout(timeout, sent)
        .await
        .map_err(|_| upstream::Error::TimedOut)?
}
