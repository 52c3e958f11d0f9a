//! A caller's session at one target: opened with its first request, ended with its connection or from outside.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postern_link::snapshot::Budget;
use postern_link::wire::{Kind, Record};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::authorize::{Authorizer, EndNote, Place, Recorder, Rules, View, identified};
use crate::budgets::{Spending, Used};
use crate::identity::{Evidence, Identity};
use crate::refusal::Refusal;
use crate::session::{Ended, Session};
use crate::shared::Shared;

pub(super) struct Visit {
    session: Session,
    pub(super) recorder: Rc<Recorder>,
    evidence: Evidence,
    view: RefCell<Rc<View>>,
    ending: Rc<Ending>,
    /// Exchanges whose bodies are not both through.
    running: Cell<usize>,
    watcher: Cell<Option<JoinHandle<()>>>,
    /// Asked for where the target has a budget.
    used: OnceCell<Arc<Used>>,
    note: EndNote,
}

/// The end from outside, for everything that runs in the session.
#[derive(Default)]
struct Ending {
    why: RefCell<Option<Ended>>,
    wakers: RefCell<HashMap<Waiting, Waker>>,
}

/// What waits for the end: one side of what an intent, by its number, has begun.
pub(super) type Waiting = (u64, Side);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Side {
    /// The request's body.
    Up,
    /// The response, and its body.
    Down,
}

impl Visit {
    pub(super) fn open(
        identity: &Identity,
        target: &str,
        source: IpAddr,
        rules: &Rules,
        shared: &Shared,
        authorizer: &Rc<Authorizer>,
    ) -> Result<Rc<Visit>, Refusal> {
        let session = shared.sessions.open(identity.clone(), target, source)?;
        let recorder = Rc::new(Recorder::new(
            session.id(),
            &Record {
                target: target.to_owned(),
                session: session.id().to_vec(),
                ..identified(identity, source)
            },
        ));
        let opened = authorizer.audit().note(Kind::SessionOpened, &[&recorder.part]);
        opened.map_err(|error| Refusal::from(&error))?;
        let note = EndNote {
            authorizer: authorizer.clone(),
            recorder: recorder.clone(),
            why: "the client left".to_owned(),
        };
        Ok(Rc::new(Visit {
            evidence: identity.evidence().clone(),
            view: RefCell::new(authorizer.view_of(identity, &Place::of_api(target), source, rules)),
            ending: Rc::default(),
            running: Cell::new(0),
            watcher: Cell::default(),
            used: OnceCell::new(),
            note,
            recorder,
            session,
        }))
    }

    /// Has the connection told, and all that runs here, once the session is ended from outside or is too old.
    pub(super) fn watch(&self, connection: Rc<Notify>, age_max: Duration) {
        let (live, ending) = (self.session.live().clone(), self.ending.clone());
        let watcher = tokio::task::spawn_local(async move {
            let ended = poll_fn(|context| live.poll_ended(context).map(Ended::clone));
            let why = match timeout(age_max, ended).await {
                Ok(why) => why,
                Err(_) => Ended::LimitReached("session_seconds_max"),
            };
            ending.fire(why);
            connection.notify_one();
        });
        self.watcher.set(Some(watcher));
    }

    pub(super) fn is_of(&self, identity: &Identity, target: &str) -> bool {
        self.evidence == *identity.evidence()
            && self.session.live().workload == identity.workload().name
            && self.session.live().target == target
    }

    pub(super) fn workload(&self) -> &str {
        &self.session.live().workload
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ending.why.borrow().is_some()
    }

    pub(super) fn begin(&self) {
        self.running.set(self.running.get().saturating_add(1));
    }

    /// Over, and yet something stays that its client does not take.
    pub(super) fn is_stuck(&self) -> bool {
        self.has_ended() && self.running.get() > 0
    }

    /// Takes one request's part of the target's budget for this workload, if there is one.
    pub(super) fn spend(
        &self,
        budget: Option<&Budget>,
        shared: &Shared,
    ) -> Result<Option<Spending>, Refusal> {
        let Some(budget) = budget else { return Ok(None) };
        let live = self.session.live();
        let used = || shared.budgets.used(&live.workload, &live.target);
        let spending = self.used.get_or_init(used).spend(budget, shared.budgets.now_ns());
        spending.map(Some).map_err(Refusal::from)
    }

    /// The view that judges by the rules of now.
    pub(super) fn view(&self, rules: &Rules, authorizer: &Authorizer) -> Rc<View> {
        let mut view = self.view.borrow_mut();
        if view.policy_epoch() != rules.snapshot.number {
            let live = self.session.live();
            *view = authorizer.view_of(&live.identity(), &Place::of_api(&live.target), live.source, rules);
        }
        view.clone()
    }

    /// Ready when the session is ended from outside.
    pub(super) fn poll_ended(&self, waiting: Waiting, context: &Context<'_>) -> Poll<Ended> {
        if let Some(why) = &*self.ending.why.borrow() {
            return Poll::Ready(why.clone());
        }
        let mut wakers = self.ending.wakers.borrow_mut();
        wakers
            .entry(waiting)
            .and_modify(|waker| waker.clone_from(context.waker()))
            .or_insert_with(|| context.waker().clone());
        Poll::Pending
    }

    pub(super) async fn ended(&self, number: u64) -> Ended {
        poll_fn(|context| self.poll_ended((number, Side::Down), context)).await
    }

    /// What ran by this intent, and was begun here, is over.
    pub(super) fn forget(&self, number: u64) {
        self.running.set(self.running.get().saturating_sub(1));
        let mut wakers = self.ending.wakers.borrow_mut();
        for side in [Side::Up, Side::Down] {
            wakers.remove(&(number, side));
        }
    }
}

impl Ending {
    fn fire(&self, why: Ended) {
        *self.why.borrow_mut() = Some(why);
        for waker in self.wakers.take().into_values() {
            waker.wake();
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(watcher) = self.watcher.take() {
            watcher.abort();
        }
        if let Some(why) = &*self.ending.why.borrow() {
            self.note.why = Refusal::from(why).message.into_owned();
        }
    }
}
