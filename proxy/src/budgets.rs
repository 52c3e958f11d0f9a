//! How much of a target one workload uses at this gateway: requests in a second, requests at once, bytes in a window.
//!
//! Nobody waits here: what is over budget is refused, and told when it may come again.

use std::collections::HashMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use postern_link::snapshot::Budget;

use crate::refusal::{Reason, Refusal};

const SECOND_NS: u64 = 1_000_000_000;

/// What all workloads have used of all targets. It is asked for once a session.
#[derive(Debug)]
pub struct Budgets {
    began: Instant,
    used: Mutex<HashMap<(String, String), Arc<Used>>>,
}

impl Default for Budgets {
    fn default() -> Budgets {
        Budgets {
            began: Instant::now(),
            used: Mutex::default(),
        }
    }
}

impl Budgets {
    /// What this workload uses of this target, for all its connections.
    pub fn used(&self, workload: &str, target: &str) -> Arc<Used> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.entry((workload.to_owned(), target.to_owned()))
            .or_default()
            .clone()
    }

    /// Nanoseconds since the gateway began.
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// What one workload uses of one target. Times are nanoseconds since the gateway began.
#[derive(Debug, Default)]
pub struct Used {
    /// When the requests so far would all have come, had they come at the budget's pace.
    paced_until_ns: AtomicU64,
    concurrent: AtomicU32,
    window: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
}

/// What is over budget, and when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    budget: &'static str,
    of: u64,
    pub again_in: Duration,
}

impl Used {
    /// Takes one request's part of the budget. What is refused for one part has used nothing of the others.
    pub fn spend(self: &Arc<Used>, budget: &Budget, now_ns: u64) -> Result<Spending, Spent> {
        let window_ns = u64::from(budget.window_seconds.get()) * SECOND_NS;
        self.bytes_are_left(budget, now_ns, window_ns)?;
        let spending = self.one_more(budget.concurrent_requests)?;
        self.keep_pace(budget.requests_per_second, now_ns)?;
        Ok(spending)
    }

    /// Those under way in an earlier window count for this one only what they still move.
    fn bytes_are_left(&self, budget: &Budget, now_ns: u64, window_ns: u64) -> Result<(), Spent> {
        let window = now_ns / window_ns;
        if self.window.swap(window, Ordering::Relaxed) != window {
            self.bytes_in.store(0, Ordering::Relaxed);
            self.bytes_out.store(0, Ordering::Relaxed);
        }
        let again_in = Duration::from_nanos(window_ns - now_ns % window_ns);
        let within = |budget, max: Option<NonZeroU64>, used: &AtomicU64| match max {
            Some(max) if used.load(Ordering::Relaxed) >= max.get() => Err(Spent {
                budget,
                of: max.get(),
                again_in,
            }),
            _ => Ok(()),
        };
        within("bytes_in", budget.bytes_in, &self.bytes_in)?;
        within("bytes_out", budget.bytes_out, &self.bytes_out)
    }

    fn one_more(self: &Arc<Used>, max: Option<NonZeroU32>) -> Result<Spending, Spent> {
        let before = self.concurrent.fetch_add(1, Ordering::Relaxed);
        let spending = Spending { used: self.clone() };
        match max {
            Some(max) if before >= max.get() => Err(Spent {
                budget: "concurrent_requests",
                of: max.get().into(),
                again_in: Duration::from_secs(1),
            }),
            _ => Ok(spending),
        }
    }

    /// A second's worth may come at once, and then one by one (the generic cell rate algorithm, ITU-T I.371).
    fn keep_pace(&self, per_second: Option<NonZeroU32>, now_ns: u64) -> Result<(), Spent> {
        let Some(per_second) = per_second else {
            return Ok(());
        };
        let step_ns = SECOND_NS / u64::from(per_second.get());
        let paced = |until_ns: u64| {
            let next_ns = until_ns.max(now_ns) + step_ns;
            (next_ns - now_ns <= SECOND_NS).then_some(next_ns)
        };
        let taken = self
            .paced_until_ns
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, paced);
        taken.map(drop).map_err(|until_ns| Spent {
            budget: "requests_per_second",
            of: per_second.get().into(),
            again_in: Duration::from_nanos((until_ns + step_ns).saturating_sub(now_ns + SECOND_NS)),
        })
    }
}

/// One request's part, for as long as it is under way.
#[derive(Debug)]
pub struct Spending {
    used: Arc<Used>,
}

impl Spending {
    pub fn count_in(&self, bytes: usize) {
        self.used.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn count_out(&self, bytes: usize) {
        self.used.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Spending {
    fn drop(&mut self) {
        self.used.concurrent.fetch_sub(1, Ordering::Relaxed);
    }
}

impl From<Spent> for Refusal {
    fn from(spent: Spent) -> Refusal {
        Refusal::new(
            Reason::Overloaded,
            "this workload has used up its budget at this target",
        )
        .detail(format!("the target's `budget.{}` is {}", spent.budget, spent.of))
        .again_in(spent.again_in)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(text: &str) -> Budget {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_second_s_worth_of_requests_may_come_at_once_and_then_one_by_one() {
        let used = Arc::new(Used::default());
        let budget = budget(r#"{ "requests_per_second": 4 }"#);
        let at = |ms: u64| used.spend(&budget, ms * 1_000_000).map(drop);
        for _ in 0..4 {
            assert_eq!(at(10_000), Ok(()));
        }
        let spent = at(10_000).unwrap_err();
        assert_eq!(
            (spent.budget, spent.again_in),
            ("requests_per_second", Duration::from_millis(250))
        );
        assert!(at(10_249).is_err());
        assert_eq!(at(10_250), Ok(()));
        assert!(at(10_250).is_err());
        for _ in 0..4 {
            assert_eq!(
                at(20_000),
                Ok(()),
                "what is not asked for is not saved for more than a second"
            );
        }
        assert!(at(20_000).is_err());
    }

    #[test]
    fn only_so_many_requests_are_under_way_at_once_and_the_refused_are_not() {
        let used = Arc::new(Used::default());
        let budget = budget(r#"{ "concurrent_requests": 2 }"#);
        let one = used.spend(&budget, 0).unwrap();
        let _other = used.spend(&budget, 0).unwrap();
        for _ in 0..3 {
            assert_eq!(used.spend(&budget, 0).unwrap_err().budget, "concurrent_requests");
        }
        drop(one);
        assert!(used.spend(&budget, 0).is_ok());
    }

    #[test]
    fn a_window_s_bytes_are_spent_until_the_next_window() {
        let used = Arc::new(Used::default());
        let budget = budget(r#"{ "bytes_in": 10, "bytes_out": 100, "window_seconds": 60 }"#);
        let second = |second: u64| second * SECOND_NS;
        let spending = used.spend(&budget, second(5)).unwrap();
        spending.count_out(99);
        spending.count_in(9);
        assert!(used.spend(&budget, second(6)).is_ok());
        spending.count_out(1);
        let spent = used.spend(&budget, second(20)).unwrap_err();
        assert_eq!(
            (spent.budget, spent.again_in),
            ("bytes_out", Duration::from_secs(40))
        );
        assert!(used.spend(&budget, second(60)).is_ok());
        spending.count_in(10);
        assert_eq!(used.spend(&budget, second(61)).unwrap_err().budget, "bytes_in");
    }

    #[test]
    fn each_workload_has_a_budget_of_its_own_at_each_target() {
        let (budgets, budget) = (Budgets::default(), budget(r#"{ "concurrent_requests": 1 }"#));
        let _held = budgets.used("a", "x").spend(&budget, 0).unwrap();
        assert!(budgets.used("a", "x").spend(&budget, 0).is_err());
        assert!(budgets.used("a", "y").spend(&budget, 0).is_ok());
        assert!(budgets.used("b", "x").spend(&budget, 0).is_ok());
    }
}
