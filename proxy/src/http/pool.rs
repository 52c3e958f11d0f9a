//! The connections to targets that one worker keeps: of HTTP/1.1 those that wait, one request each at a time; of
//! HTTP/2 all, each with many requests at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use postern_link::snapshot::HttpVersion;
use tokio::task::AbortHandle;

use crate::config::Limits;

use super::relay::Upload;

/// Connections with this key are one as good as the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) address: String,
    pub(super) protocol: HttpVersion,
    pub(super) credential: String,
    /// Which reading of the files made the credential.
    pub(super) reading: u64,
    /// Where the credential is the connection's own, nobody else's requests go over it.
    pub(super) workload: Option<String>,
}

/// What moves the bytes of a connection, for as long as somebody holds the connection: left alone it would wait for a
/// target that takes nothing, and hold the request's body.
pub(super) struct Driver(pub(super) AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What takes requests to a target.
pub(super) enum Sender {
    One(http1::SendRequest<Upload>),
    Many(http2::SendRequest<Upload>),
}

/// A connection that is asking, or waits to be asked again.
pub(super) struct Connected {
    key: Key,
    sender: Sender,
    /// Counts who holds the connection: the pool, and each request under way.
    driver: Rc<Driver>,
    idle_since: Instant,
}

impl Connected {
    pub(super) fn new(key: Key, sender: Sender, driver: Driver) -> Connected {
        Connected {
            key,
            sender,
            driver: Rc::new(driver),
            idle_since: Instant::now(),
        }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        match &mut self.sender {
            Sender::One(sender) => sender.try_send_request(request).await,
            Sender::Many(sender) => sender.try_send_request(request).await,
        }
    }

    /// The same connection once more, where it takes one more request.
    fn another(&self, streams_max: usize) -> Option<Connected> {
        match &self.sender {
            Sender::Many(sender) if Rc::strong_count(&self.driver) <= streams_max => Some(Connected {
                key: self.key.clone(),
                sender: Sender::Many(sender.clone()),
                driver: self.driver.clone(),
                idle_since: Instant::now(),
            }),
            Sender::One(_) | Sender::Many(_) => None,
        }
    }

    fn is_ready(&self) -> bool {
        match &self.sender {
            Sender::One(sender) => sender.is_ready(),
            Sender::Many(sender) => sender.is_ready(),
        }
    }

    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::One(sender) => sender.is_closed(),
            Sender::Many(sender) => sender.is_closed(),
        }
    }

    fn is_same(&self, other: &Connected) -> bool {
        Rc::ptr_eq(&self.driver, &other.driver)
    }

    fn is_busy(&self) -> bool {
        Rc::strong_count(&self.driver) > 1
    }
}

/// One worker's connections to all targets.
pub struct Pool {
    kept: RefCell<HashMap<Key, Vec<Connected>>>,
    idle_max: usize,
    idle_time_max: Duration,
    streams_max: usize,
}

impl Pool {
    pub fn new(limits: &Limits) -> Pool {
        Pool {
            kept: RefCell::default(),
            idle_max: limits.http_upstreams_idle_max,
            idle_time_max: Duration::from_secs(limits.http_upstream_idle_seconds_max),
            streams_max: limits.http_upstream_streams_max,
        }
    }

    /// The one that was used last: the others grow old and go.
    pub(super) fn take(&self, key: &Key) -> Option<Connected> {
        let mut kept = self.kept.borrow_mut();
        let waiting = kept.get_mut(key)?;
        // Closed, or still taking a request that was answered before its end; or too old.
        waiting.retain(|one| one.is_ready() && (one.is_busy() || self.is_young(one)));
        let found = match key.protocol {
            HttpVersion::One => waiting.pop(),
            HttpVersion::Two => waiting.iter().rev().find_map(|one| one.another(self.streams_max)),
        };
        if waiting.is_empty() {
            kept.remove(key);
        }
        found
    }

    /// A connection that takes many requests is there for the next one from its beginning.
    pub(super) fn share(&self, connected: &Connected) {
        if let Some(another) = connected.another(self.streams_max) {
            self.keep(another);
        }
    }

    /// What has answered a request may be asked the next.
    pub(super) fn give(&self, mut connected: Connected) {
        connected.idle_since = Instant::now();
        match connected.sender {
            Sender::One(_) => self.keep(connected),
            Sender::Many(_) => {
                let mut kept = self.kept.borrow_mut();
                let mut same = kept.get_mut(&connected.key).into_iter().flatten();
                if let Some(kept) = same.find(|one| one.is_same(&connected)) {
                    kept.idle_since = connected.idle_since;
                }
            }
        }
    }

    fn keep(&self, connected: Connected) {
        let mut kept = self.kept.borrow_mut();
        let waiting = kept.entry(connected.key.clone()).or_default();
        waiting.push(connected);
        if waiting.len() > self.idle_max {
            // The oldest stands first.
            waiting.drain(..1);
        }
    }

    fn is_young(&self, connected: &Connected) -> bool {
        connected.idle_since.elapsed() <= self.idle_time_max
    }

    /// Closes what nobody has asked for so long.
    pub fn forget_old(&self) {
        self.kept.borrow_mut().retain(|_, waiting| {
            waiting.retain(|one| !one.is_closed() && (one.is_busy() || self.is_young(one)));
            !waiting.is_empty()
        });
    }
}
