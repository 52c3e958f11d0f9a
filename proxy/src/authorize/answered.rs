//! What policy answers for a set of effects, remembered for statements: texts that differ in nothing but their
//! literals ask for the same, and a decision hangs on the effects, the view and, where a rule looks at it, the time.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use postern_link::wire::{Effect as RecordedEffect, Record};
use postern_policies::{Answer, Attribute, Reason as Why, Slice};
use postern_sql::{Analysis, Effect};
use quick_cache::{Equivalent, Weighter, unsync};

use crate::audit;
use crate::config::Limits;
use crate::refusal::Refusal;

use super::remembered::least_weight;
use super::statement::effects;
use super::words::{detail_of, worded};
use super::{View, ViewFacts};

/// Effects that a refusal lists before it only counts.
const REFUSED_EFFECTS_SHOWN_MAX: usize = 4;

/// One action on one resource, in the words of a protocol.
pub(super) trait Asks {
    fn action(&self) -> &'static str;
    /// What a slice of policies answers to it.
    fn ask(&self, view: &View, slice: &Slice) -> Answer;
    /// For a refusal: `select email, phone of public.customers`.
    fn words(&self) -> String;
    fn recorded(&self, facts: &ViewFacts) -> RecordedEffect;
    /// Follows from another effect: a forbid on it holds, but it needs no permit.
    fn is_implied(&self) -> bool;
}

/// The answer for one set of effects under one view.
#[derive(Debug)]
pub(super) struct Answered {
    pub verdict: Verdict,
    /// The record's fields that effects, rules and view give, encoded once.
    pub part: Vec<u8>,
}

#[derive(Debug)]
pub(super) enum Verdict {
    Permitted,
    Refused(Refusal),
    /// A rule looks at the clock: decided anew each time.
    Timed,
}

impl Answered {
    /// The answer at any time, or that there is none: then each request asks for that of its own moment.
    pub fn of<'e, E: Asks + 'e>(view: &View, effects: impl Iterator<Item = &'e E> + Clone) -> Answered {
        let reads_time = |effect: &E| view.slices.reads(effect.action()).contains(Attribute::Now);
        if !effects.clone().any(reads_time) {
            return Answered::now(view, effects);
        }
        Answered {
            verdict: Verdict::Timed,
            part: audit::part(&asked(view, effects)),
        }
    }

    /// The answer of this moment, with the rules that made it.
    pub fn now<'e, E: Asks + 'e>(view: &View, effects: impl Iterator<Item = &'e E> + Clone) -> Answered {
        let decided = decide_all(view, &view.slices.enforced, effects.clone());
        let mut record = asked(view, effects.clone());
        if let Some(slice) = &view.slices.rehearsed {
            record.rehearsed = true;
            match decide_all(view, slice, effects) {
                Ok(rules) => record.rehearsed_rules = rules,
                Err(refusal) => record.rehearsed_refusals.push(in_one_line(&refusal)),
            }
        }
        let verdict = match decided {
            Ok(rules) => {
                (record.permitted, record.rules) = (true, rules);
                Verdict::Permitted
            }
            Err(refusal) => Verdict::Refused(refusal),
        };
        Answered {
            verdict,
            part: audit::part(&record),
        }
    }

    /// The answer to what has effects that cannot be told.
    pub fn untold(view: &View, refusal: Refusal) -> Answered {
        Answered {
            verdict: Verdict::Refused(refusal),
            part: audit::part(&asked(view, std::iter::empty::<&Effect>())),
        }
    }

    pub fn is_refused(&self) -> bool {
        matches!(self.verdict, Verdict::Refused(_))
    }
}

/// Permitted only if every effect is, by the rules that are returned; the refusal names each that is not.
fn decide_all<'e, E: Asks + 'e>(
    view: &View,
    slice: &Slice,
    effects: impl Iterator<Item = &'e E>,
) -> Result<Vec<String>, Refusal> {
    let (mut refused, mut rules) = (Vec::new(), BTreeSet::new());
    for effect in effects {
        let answer = effect.ask(view, slice);
        if answer.permitted && !effect.is_implied() {
            rules.extend(answer.rules.iter().map(ToString::to_string));
        }
        // What follows by inheritance needs no permit of its own, but a forbid on it holds.
        let excused = effect.is_implied() && answer.reason == Some(Why::NoRule);
        if !answer.permitted && !excused {
            refused.push((effect, answer));
        }
    }
    let Some((effect, answer)) = refused.first() else {
        return Ok(rules.into_iter().collect());
    };
    let message = format!("workload `{}` may not {}", view.facts.workload, effect.words());
    let mut details: Vec<String> = vec![detail_of(answer)];
    for (effect, answer) in refused.iter().skip(1).take(REFUSED_EFFECTS_SHOWN_MAX - 1) {
        details.push(format!("nor {}: {}", effect.words(), detail_of(answer)));
    }
    if refused.len() > REFUSED_EFFECTS_SHOWN_MAX {
        details.push(format!("and {} more", refused.len() - REFUSED_EFFECTS_SHOWN_MAX));
    }
    Err(worded(message, details, answer.hint.clone()))
}

fn in_one_line(refusal: &Refusal) -> String {
    match &refusal.detail {
        Some(detail) => format!("{}: {detail}", refusal.message),
        None => refusal.message.to_string(),
    }
}

/// What was asked, and under which policies.
fn asked<'e, E: Asks + 'e>(view: &View, effects: impl Iterator<Item = &'e E>) -> Record {
    Record {
        effects: effects.map(|effect| effect.recorded(&view.facts)).collect(),
        policy_epoch: view.facts.policy_epoch,
        ..Record::default()
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
        let answered = Rc::new(Answered::of(view, effects(analysis)));
        let key = Key {
            view: view.id,
            effects: effects(analysis).cloned().collect(),
        };
        self.0.borrow_mut().insert(key, answered.clone());
        answered
    }
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
