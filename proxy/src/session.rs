//! One client connection's stay: known, listed, and endable from anywhere within a second.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};

use dashmap::DashMap;
use futures_util::task::AtomicWaker;
use uuid::Uuid;

use crate::identity::{self, Identity};
use crate::refusal::{Reason, Refusal};

/// Why a session was ended from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// An operator or a revocation said so.
    Revoked,
    /// The evidence and its grace, or the workload, ran out.
    Expired,
    /// The newest snapshot, or the clock, would not open it for this evidence.
    NoLongerWelcome(identity::Ended),
    TargetGone,
    /// No fresh word from the control plane for longer than the target allows.
    Unheard,
    Draining,
    /// The session reached a limit of its own: its age, or its idleness.
    LimitReached(&'static str),
}

impl From<&Ended> for Refusal {
    fn from(ended: &Ended) -> Refusal {
        let refusal = |message: &'static str| Refusal::new(Reason::Ended, message);
        match ended {
            Ended::Revoked => refusal("this session was ended by an operator"),
            Ended::Expired => refusal("this session's evidence has expired")
                .hint("connect again with a fresh token or certificate"),
            Ended::NoLongerWelcome(why) => Refusal::from(why),
            Ended::TargetGone => refusal("the target of this session is no longer served"),
            Ended::Unheard => refusal("the gateway has not heard from its control plane for too long")
                .hint("this target is served again as soon as the control plane is back"),
            Ended::Draining => {
                refusal("the gateway is shutting down").hint("connect again: another gateway will answer")
            }
            Ended::LimitReached(limit) => {
                refusal("this session reached a limit").detail(format!("the limit is `{limit}`"))
            }
        }
    }
}

/// What must be known about a backend to end it from another connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    pub pid: i32,
    /// `backend_start` in seconds since the epoch, as the server prints it; a pid may have been given away.
    pub started: String,
}

/// The part of a session that others may see and end.
#[derive(Debug)]
pub struct Live {
    pub id: Uuid,
    pub target: String,
    pub workload: String,
    pub source: IpAddr,
    identity: Mutex<Identity>,
    backend: Mutex<Option<Backend>>,
    ended: OnceLock<Ended>,
    waker: AtomicWaker,
}

impl Live {
    /// The first reason stays.
    pub fn end(&self, ended: Ended) {
        if self.ended.set(ended).is_ok() {
            self.waker.wake();
        }
    }

    pub fn poll_ended(&self, context: &Context<'_>) -> Poll<&Ended> {
        if let Some(ended) = self.ended.get() {
            return Poll::Ready(ended);
        }
        self.waker.register(context.waker());
        // Again, because it may have been set between the look and the registration.
        self.ended.get().map_or(Poll::Pending, Poll::Ready)
    }

    pub fn identity(&self) -> Identity {
        self.identity
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn set_identity(&self, identity: Identity) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = identity;
    }

    pub fn backend(&self) -> Option<Backend> {
        self.backend
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub fn set_backend(&self, backend: Option<Backend>) {
        *self.backend.lock().unwrap_or_else(PoisonError::into_inner) = backend;
    }
}

/// A known client. Unlisted when dropped.
#[derive(Debug)]
pub struct Session {
    live: Arc<Live>,
    sessions: Arc<Sessions>,
}

impl Session {
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    pub fn id(&self) -> [u8; 16] {
        self.live.id.into_bytes()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sessions.live.remove(&self.live.id);
    }
}

/// The registry of all sessions of this gateway.
#[derive(Debug)]
pub struct Sessions {
    live: DashMap<Uuid, Arc<Live>>,
    /// Held from the look at a limit to the listing, or the workers together would list more than it.
    opening: Mutex<()>,
    sessions_max: usize,
}

impl Sessions {
    pub fn with_capacity(sessions_max: usize) -> Arc<Sessions> {
        Arc::new(Sessions {
            live: DashMap::new(),
            opening: Mutex::new(()),
            sessions_max,
        })
    }

    /// The only way to a session is an identity.
    pub fn open(
        self: &Arc<Sessions>,
        identity: Identity,
        target: &str,
        source: IpAddr,
    ) -> Result<Session, Refusal> {
        let overloaded = |detail: String| {
            Refusal::new(Reason::Overloaded, "too many sessions")
                .detail(detail)
                .hint("close some and connect again")
        };
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if self.live.len() >= self.sessions_max {
            return Err(overloaded("the gateway's limit is `sessions_max`".into()));
        }
        let workload = identity.workload().name.clone();
        if let Some(sessions_max) = identity.workload().sessions_max {
            let open = self.live.iter().filter(|live| live.workload == workload).count();
            if open >= usize::try_from(sessions_max).unwrap_or(usize::MAX) {
                return Err(overloaded(format!(
                    "workload `{workload}` has the limit `sessions_max: {sessions_max}`"
                )));
            }
        }
        let live = Arc::new(Live {
            id: Uuid::now_v7(),
            target: target.to_owned(),
            workload,
            source,
            identity: Mutex::new(identity),
            backend: Mutex::new(None),
            ended: OnceLock::new(),
            waker: AtomicWaker::new(),
        });
        self.live.insert(live.id, live.clone());
        Ok(Session {
            live,
            sessions: self.clone(),
        })
    }

    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// All sessions now; a copy, so that no guard is held while something is done with them.
    pub fn all(&self) -> Vec<Arc<Live>> {
        self.live.iter().map(|live| live.value().clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::identity::tests::someone;

    /// As many as there are threads come at once, again and again; gives the most that were let in together.
    fn most_at_once(sessions_max: usize, identity: &Identity) -> usize {
        const THREADS: usize = 8;
        let source = IpAddr::from([192, 0, 2, 1]);
        let sessions = Sessions::with_capacity(sessions_max);
        let start = std::sync::Barrier::new(THREADS);
        let round = || {
            let come = || {
                start.wait();
                sessions.open(identity.clone(), "shop", source).ok()
            };
            thread::scope(|scope| {
                let coming: Vec<_> = (0..THREADS).map(|_| scope.spawn(come)).collect();
                let inside: Vec<_> = coming.into_iter().map(|one| one.join().unwrap()).collect();
                inside.iter().flatten().count()
            })
        };
        (0..500).map(|_| round()).max().unwrap_or_default()
    }

    #[test]
    fn however_many_come_at_once_no_more_than_sessions_max_are_let_in() {
        assert_eq!(most_at_once(2, &someone(None)), 2);
    }

    #[test]
    fn however_many_come_at_once_no_more_than_the_workload_s_own_limit_are_let_in() {
        assert_eq!(most_at_once(1_000, &someone(Some(2))), 2);
    }
}
