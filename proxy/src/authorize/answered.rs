//! What policy answers for a set of effects, remembered: texts that differ in nothing but their literals ask for
//! the same, and a decision hangs on the effects, the view and, where a rule looks at it, the time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use postern_link::wire::Record;
use postern_policies::Attribute;
use postern_sql::{Action, Analysis, Detail, Effect};
use quick_cache::{Equivalent, Weighter, unsync};

use crate::audit;
use crate::config::Limits;
use crate::refusal::Refusal;

use super::View;
use super::judged::{Verdict, decide_all};
use super::part::recorded;
use super::remembered::least_weight;
use super::view::ask;

/// The answer for one set of effects under one view.
#[derive(Debug)]
pub(super) struct Answered {
    pub verdict: Verdict,
    /// The body of a routine is code that stays behind: its text is kept as it was sent.
    pub defines_routine: bool,
    /// The record's fields that effects, rules and view give, encoded once.
    pub part: Vec<u8>,
}

impl Answered {
    /// The answer at any time, or that there is none: then each request asks for that of its own moment.
    fn of(view: &View, analysis: &Analysis) -> Answered {
        let reads_time = |effect: &Effect| view.slice.reads(effect.action.name()).contains(Attribute::Now);
        if !effects(analysis).any(reads_time) {
            return Answered::now(view, analysis);
        }
        Answered {
            verdict: Verdict::Timed,
            defines_routine: defines_routine(analysis),
            part: audit::part(&asked(view, analysis)),
        }
    }

    /// The answer of this moment, with the rules that made it.
    pub fn now(view: &View, analysis: &Analysis) -> Answered {
        let decided = decide_all(view, analysis);
        let permitted = decided.is_ok();
        let rules: BTreeSet<String> = if permitted {
            effects(analysis)
                .filter(|effect| !effect.implied)
                .flat_map(|effect| ask(view, effect).rules)
                .map(|rule| rule.to_string())
                .collect()
        } else {
            BTreeSet::new()
        };
        Answered {
            verdict: decided.map_or_else(Verdict::Refused, |()| Verdict::Permitted),
            defines_routine: permitted && defines_routine(analysis),
            part: audit::part(&Record {
                permitted,
                rules: rules.into_iter().collect(),
                ..asked(view, analysis)
            }),
        }
    }

    /// The answer to a text whose effects cannot be told.
    pub fn untold(view: &View, refusal: Refusal) -> Answered {
        Answered {
            verdict: Verdict::Refused(refusal),
            defines_routine: false,
            part: audit::part(&asked(view, &Analysis::default())),
        }
    }
}

/// One worker's memory of answers.
pub(super) struct Answers(RefCell<unsync::Cache<Key, Rc<Answered>, Bytes>>);

#[derive(Debug)]
struct Key {
    view: u64,
    effects: Vec<Effect>,
}

struct KeyRef<'a> {
    view: u64,
    analysis: &'a Analysis,
}

impl Answers {
    pub fn new(limits: &Limits) -> Answers {
        let weight = limits.judged_cached_bytes_max as u64;
        Answers(RefCell::new(unsync::Cache::with_weighter(
            limits.judged_cached_max,
            weight,
            Bytes(least_weight(limits)),
        )))
    }

    pub fn of(&self, view: &View, analysis: &Analysis) -> Rc<Answered> {
        let key = KeyRef {
            view: view.id,
            analysis,
        };
        if let Some(answered) = self.0.borrow().get(&key) {
            return answered.clone();
        }
        let answered = Rc::new(Answered::of(view, analysis));
        let key = Key {
            view: view.id,
            effects: effects(analysis).cloned().collect(),
        };
        self.0.borrow_mut().insert(key, answered.clone());
        answered
    }
}

/// What was asked, and under which policies.
fn asked(view: &View, analysis: &Analysis) -> Record {
    Record {
        effects: effects(analysis).map(|effect| recorded(view, effect)).collect(),
        policy_epoch: view.facts.policy_epoch,
        ..Record::default()
    }
}

fn defines_routine(analysis: &Analysis) -> bool {
    effects(analysis).any(|effect| {
        effect.action == Action::Create && matches!(effect.detail, Detail::Kind("function" | "procedure"))
    })
}

fn effects(analysis: &Analysis) -> impl Iterator<Item = &Effect> {
    analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
}

fn hash<'e, H: Hasher>(view: u64, effects: impl Iterator<Item = &'e Effect>, state: &mut H) {
    view.hash(state);
    for effect in effects {
        effect.hash(state);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.view, self.effects.iter(), state);
    }
}

impl Hash for KeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.view, effects(self.analysis), state);
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.view == key.view && effects(self.analysis).eq(&key.effects)
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.view == other.view && self.effects == other.effects
    }
}

impl Eq for Key {}

/// The weight of a remembered answer, and the least there is.
#[derive(Clone)]
struct Bytes(u64);

impl Weighter<Key, Rc<Answered>> for Bytes {
    fn weight(&self, key: &Key, answered: &Rc<Answered>) -> u64 {
        const EFFECT_BYTES: usize = 256;
        let bytes = key.effects.len() * EFFECT_BYTES + answered.part.len() + 512;
        self.0.max(bytes as u64)
    }
}
