//! Orders to end sessions: recorded, given to every gateway that is here, and kept for those that are away.
//! The record is what they are restored from when the control plane starts again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use postern_link::wire::{EndSessions, Kind, Order, Record};
use tokio::sync::watch;

use crate::audit::Audit;
use crate::audit::export::{from_hex, hex};
use crate::config::Limits;
use crate::store::records::{Filter, Order as Direction};
use crate::store::{self, Store, sessions};

/// What the message of an order's record begins with; the reason follows.
const MESSAGE: &str = "end sessions: ";

/// What one gateway did of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub gateway: String,
    pub sessions_ended: u32,
}

/// All orders that some gateway may still have to hear.
#[derive(Debug)]
pub struct Orders {
    kept: Mutex<VecDeque<Kept>>,
    /// Counts every order and every answer.
    news: watch::Sender<u64>,
    kept_max: usize,
    kept_for: Duration,
}

#[derive(Debug)]
struct Kept {
    position: u64,
    id: String,
    end: EndSessions,
    /// The gateways that were here: they get the order as it was given.
    present: HashSet<String>,
    /// The sessions that were known to match, by gateway: one that was away is told only of these, so
    /// that a session opened later is not ended by an order given before.
    known: HashMap<String, Vec<Vec<u8>>>,
    made: Instant,
    done: HashMap<String, u32>,
}

/// An order as it is given.
#[derive(Debug)]
pub struct Given {
    pub id: String,
    pub end: EndSessions,
    pub present: HashSet<String>,
    pub known: HashMap<String, Vec<Vec<u8>>>,
}

impl Orders {
    pub fn new(limits: &Limits) -> Orders {
        Orders {
            kept: Mutex::default(),
            news: watch::Sender::new(0),
            kept_max: limits.orders_kept_max,
            kept_for: Duration::from_secs(limits.order_kept_seconds),
        }
    }

    pub fn give(&self, given: Given) {
        let mut kept = self.lock();
        kept.retain(|order| order.made.elapsed() < self.kept_for);
        while kept.len() >= self.kept_max {
            kept.pop_front();
        }
        let position = kept.back().map_or(1, |newest| newest.position + 1);
        let Given {
            id,
            end,
            present,
            known,
        } = given;
        let (made, done) = (Instant::now(), HashMap::new());
        kept.push_back(Kept {
            position,
            id,
            end,
            present,
            known,
            made,
            done,
        });
        drop(kept);
        self.news.send_modify(|news| *news += 1);
    }

    /// Hears of new orders and of answers.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// What a gateway has to hear behind the position it has heard, with the position it has heard then.
    pub fn undone(&self, gateway: &str, heard: u64) -> (Vec<Order>, u64) {
        let kept = self.lock();
        let news = kept
            .iter()
            .filter(|order| order.position > heard && !order.done.contains_key(gateway));
        let orders = news.filter_map(|order| {
            let end = if order.present.contains(gateway) {
                order.end.clone()
            } else {
                let sessions = order.known.get(gateway)?.clone();
                EndSessions {
                    sessions,
                    reason: order.end.reason.clone(),
                    ..EndSessions::default()
                }
            };
            Some(Order {
                id: order.id.clone(),
                end_sessions: Some(end),
            })
        });
        (
            orders.collect(),
            kept.back().map_or(heard, |newest| newest.position.max(heard)),
        )
    }

    /// A gateway has carried an order out.
    pub fn done(&self, gateway: &str, id: &str, sessions_ended: u32) {
        if let Some(order) = self.lock().iter_mut().find(|order| order.id == id) {
            order.done.insert(gateway.to_owned(), sessions_ended);
        }
        self.news.send_modify(|news| *news += 1);
    }

    /// Waits until all of these gateways have answered, for a bounded time, and says who has.
    pub async fn wait(&self, id: &str, gateways: &HashSet<String>, timeout: Duration) -> Vec<Done> {
        let mut news = self.news();
        let all = async {
            loop {
                news.borrow_and_update();
                let done = self.answers(id);
                if gateways
                    .iter()
                    .all(|gateway| done.iter().any(|done| done.gateway == *gateway))
                {
                    return;
                }
                if news.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whether in time or not, the answers so far are the answer.
        drop(tokio::time::timeout(timeout, all).await);
        self.answers(id)
    }

    fn answers(&self, id: &str) -> Vec<Done> {
        let kept = self.lock();
        let done = kept.iter().find(|order| order.id == id).map(|order| &order.done);
        let mut answers: Vec<Done> = done
            .into_iter()
            .flatten()
            .map(|(gateway, ended)| Done {
                gateway: gateway.clone(),
                sessions_ended: *ended,
            })
            .collect();
        answers.sort_by(|one, other| one.gateway.cmp(&other.gateway));
        answers
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The record of an order; its reason and sessions can be read back from it.
pub fn record(end: &EndSessions) -> Record {
    Record {
        time_us: Timestamp::now().as_microsecond(),
        kind: Kind::Ordered.into(),
        workload: end.workload.clone(),
        target: end.target.clone(),
        message: format!("{MESSAGE}{}", end.reason),
        detail: end
            .sessions
            .iter()
            .map(|session| hex(session))
            .collect::<Vec<_>>()
            .join("\n"),
        ..Record::default()
    }
}

fn from_record(record: &Record) -> Option<EndSessions> {
    Some(EndSessions {
        sessions: record.detail.lines().map(from_hex).collect::<Option<_>>()?,
        workload: record.workload.clone(),
        target: record.target.clone(),
        reason: record.message.strip_prefix(MESSAGE)?.to_owned(),
    })
}

/// The live sessions that an order means, as far as the index knows them, by gateway; with an index, only
/// those that began before it.
pub async fn known(
    store: &Store,
    end: &EndSessions,
    before: Option<u64>,
    sessions_max: usize,
) -> Result<HashMap<String, Vec<Vec<u8>>>, store::Error> {
    let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let filter = sessions::Filter {
        workload: filled(&end.workload),
        target: filled(&end.target),
        live: Some(true),
        before,
        sessions_max,
        ..sessions::Filter::default()
    };
    let named: HashSet<&Vec<u8>> = end.sessions.iter().collect();
    let mut known: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    for session in store.sessions(filter).await? {
        if named.is_empty() || named.contains(&session.session) {
            known.entry(session.gateway).or_default().push(session.session);
        }
    }
    Ok(known)
}

/// Keeps the orders of late again, for gateways that may not have heard them. Ending a session twice does
/// nothing, so those that have heard them lose nothing.
pub async fn restore(
    orders: &Orders,
    store: &Store,
    audit: &Audit,
    limits: &Limits,
) -> Result<(), store::Error> {
    let kept_us = i64::try_from(limits.order_kept_seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(1_000_000);
    let filter = Filter {
        kinds: vec![Kind::Ordered],
        since_us: Some(Timestamp::now().as_microsecond().saturating_sub(kept_us)),
        order: Direction::NewestFirst,
        records_max: limits.orders_kept_max,
        ..Filter::default()
    };
    for judged in store.records(filter).await?.iter().rev() {
        let record = audit.files().record(judged.found.index, judged.found.place);
        let Some(end) = record.ok().as_ref().and_then(from_record) else {
            continue;
        };
        let known = known(store, &end, Some(judged.found.index), limits.order_sessions_max).await?;
        if !known.is_empty() {
            let id = uuid::Uuid::now_v7().to_string();
            orders.give(Given {
                id,
                end,
                present: HashSet::new(),
                known,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(id: &str) -> Given {
        Given {
            id: id.into(),
            end: EndSessions {
                workload: "report".into(),
                reason: "why".into(),
                ..EndSessions::default()
            },
            present: ["here".to_owned()].into(),
            known: [("away".to_owned(), vec![vec![7]])].into(),
        }
    }

    #[test]
    fn a_gateway_that_was_away_hears_only_of_sessions_that_were_known() {
        let orders = Orders::new(&Limits::default());
        orders.give(given("one"));
        let (heard, position) = orders.undone("here", 0);
        assert_eq!(heard[0].end_sessions.as_ref().unwrap().workload, "report");
        assert_eq!(orders.undone("here", position).0, []);
        let (late, _) = orders.undone("away", 0);
        let end = late[0].end_sessions.as_ref().unwrap();
        assert_eq!((end.workload.as_str(), &end.sessions[..]), ("", &[vec![7]][..]));
        assert_eq!(orders.undone("unknown", 0).0, []);
        orders.done("away", "one", 1);
        assert_eq!(orders.undone("away", 0).0, []);
    }

    #[test]
    fn orders_are_kept_up_to_their_limit() {
        let orders = Orders::new(&Limits {
            orders_kept_max: 2,
            ..Limits::default()
        });
        for id in ["one", "two", "three"] {
            orders.give(given(id));
        }
        let (heard, _) = orders.undone("here", 0);
        assert_eq!(
            heard.iter().map(|order| order.id.as_str()).collect::<Vec<_>>(),
            ["two", "three"]
        );
    }

    #[tokio::test]
    async fn whoever_waits_hears_when_all_have_answered() {
        let orders = Orders::new(&Limits::default());
        orders.give(given("one"));
        let here = ["here".to_owned()].into();
        assert_eq!(orders.wait("one", &here, Duration::ZERO).await, []);
        let (done, ()) = tokio::join!(orders.wait("one", &here, Duration::from_secs(60)), async {
            orders.done("here", "one", 3);
        });
        assert_eq!(
            done,
            [Done {
                gateway: "here".into(),
                sessions_ended: 3
            }]
        );
    }
}
