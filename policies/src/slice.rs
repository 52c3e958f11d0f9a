//! The part of a policy set that can concern one workload, and the one function that decides.
//!
//! Cedar evaluates every policy it is given, so it is given few. Whether the scope of a rule matches is
//! answered by tables: who and which action when the slice is cut, which resource when it is asked. Only
//! conditions are left to Cedar, and a test compares every answer with Cedar's over the whole set.

use crate::answer::{Answer, Reason, RuleId, hint};
use crate::facts;
use crate::question::{Path, Question, Resource};
use crate::reach::Reach;
use crate::reads::{ReadSet, Reads};
use crate::vocabulary::{ACTIONS, Kind, action_index};
use cedar_policy::{AuthorizationError, Authorizer, Decision, Entities, EntityUid, PolicyId, Request};
use foldhash::HashMap;
use std::sync::Arc;

/// What a policy set says about one workload.
#[derive(Debug)]
pub struct Slice {
    pub(crate) epoch: u64,
    pub(crate) workload_id: String,
    pub(crate) principal: EntityUid,
    /// The rules of the whole set, by the number that is a policy's id inside Cedar.
    pub(crate) rules: Arc<[RuleId]>,
    /// One place for each of `ACTIONS`.
    pub(crate) by_action: Vec<Option<ActionSlice>>,
}

/// What a slice says about one action.
#[derive(Debug)]
pub(crate) struct ActionSlice {
    pub(crate) action: EntityUid,
    /// Rules that name no resource.
    pub(crate) anywhere: Buckets,
    /// Rules that name one, by its kind and id.
    pub(crate) by_resource: HashMap<Kind, HashMap<Box<str>, Buckets>>,
    pub(crate) reads: ReadSet,
    pub(crate) forbids: Vec<RuleId>,
}

pub(crate) type Buckets = HashMap<Reach, Bucket>;

/// Rules of one reach.
#[derive(Debug)]
pub(crate) struct Bucket {
    /// Rules without conditions.
    pub(crate) permits: Vec<usize>,
    pub(crate) forbids: Vec<usize>,
    /// The conditions of the others, with a scope that matches everything.
    pub(crate) conditions: cedar_policy::PolicySet,
    pub(crate) reads: Reads,
    /// The constants of the conditions; the principal with its segments and the action with its group.
    pub(crate) entities: Entities,
    /// Rules that belong here and could not be put here: while there are any, this bucket errs.
    pub(crate) unusable: Vec<usize>,
}

impl Slice {
    /// The epoch of the policy set this was cut from.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Which context attributes the policies for an action look at: two questions that agree in
    /// these, the action, the resource and `whole` have the same answer.
    pub fn reads(&self, action: &str) -> ReadSet {
        self.action(action).map_or(ReadSet::NOTHING, |slice| slice.reads)
    }

    /// Decides. Default deny; a forbid beats any permit; an evaluation error refuses.
    pub fn decide(&self, question: &Question<'_>) -> Answer {
        let path = Path::of(&question.resource);
        let Some(slice) = self.action(question.action) else {
            return self.no_rule(question);
        };
        if !applies(question) {
            return self.no_rule(question);
        }
        match self.judge(slice, question, &path) {
            Verdict::Permitted(_) if question.whole && !slice.forbids.is_empty() => {
                Answer::refused(Reason::Forbidden(slice.forbids.clone()), None)
            }
            Verdict::Permitted(rules) => Answer::permitted_by(self.named(rules)),
            Verdict::Forbidden(rules) => Answer::refused(Reason::Forbidden(self.named(rules)), None),
            Verdict::Error(rules) => Answer::refused(Reason::Error(self.named(rules)), None),
            Verdict::NoRule => self.no_rule(question),
        }
    }

    fn action(&self, name: &str) -> Option<&ActionSlice> {
        self.by_action.get(action_index(name)?)?.as_ref()
    }

    fn judge(&self, slice: &ActionSlice, question: &Question<'_>, path: &Path) -> Verdict {
        let mut verdict = Verdict::NoRule;
        let mut conditional = Vec::new();
        for bucket in slice.matching(&question.resource, path) {
            for (rules, found) in [
                (&bucket.unusable, Verdict::Error as fn(_) -> _),
                (&bucket.forbids, Verdict::Forbidden),
                (&bucket.permits, Verdict::Permitted),
            ] {
                if !rules.is_empty() {
                    verdict = verdict.with(found(rules.clone()));
                }
            }
            if !bucket.conditions.is_empty() {
                conditional.push(bucket);
            }
        }
        if conditional.is_empty() {
            return verdict;
        }
        let found = self.evaluate(slice, question, path, &conditional);
        // What cannot even be asked is an error of every rule that would have been asked.
        let everyone = || {
            Verdict::Error(
                conditional
                    .iter()
                    .flat_map(|bucket| bucket.conditional())
                    .collect(),
            )
        };
        verdict.with(found.unwrap_or_else(everyone))
    }

    fn evaluate(
        &self,
        slice: &ActionSlice,
        question: &Question<'_>,
        path: &Path,
        buckets: &[&Bucket],
    ) -> Option<Verdict> {
        let reads = buckets.iter().fold(ReadSet::NOTHING, |reads, bucket| {
            reads.union(bucket.reads.context)
        });
        let resource = question.resource.kind().uid(path.id());
        let context = facts::context(question, reads)?;
        let (principal, action) = (self.principal.clone(), slice.action.clone());
        let request = Request::new(principal, action, resource, context, None).ok()?;

        let authorizer = Authorizer::new();
        let mut verdict = Verdict::NoRule;
        for bucket in buckets {
            let entities = facts::entities(bucket, question, path)?;
            let response = authorizer.is_authorized(&request, &bucket.conditions, &entities);
            let diagnostics = response.diagnostics();
            let errors: Vec<usize> = diagnostics.errors().map(number_of_error).collect();
            let reasons: Vec<usize> = diagnostics.reason().map(number).collect();
            let found = match response.decision() {
                _ if !errors.is_empty() => Verdict::Error(errors),
                Decision::Allow => Verdict::Permitted(reasons),
                Decision::Deny if reasons.is_empty() => Verdict::NoRule,
                Decision::Deny => Verdict::Forbidden(reasons),
            };
            verdict = verdict.with(found);
        }
        Some(verdict)
    }

    fn no_rule(&self, question: &Question<'_>) -> Answer {
        let mendable = applies(question);
        Answer::refused(
            Reason::NoRule,
            mendable.then(|| hint(&self.workload_id, question)),
        )
    }

    fn named(&self, mut numbers: Vec<usize>) -> Vec<RuleId> {
        numbers.sort_unstable();
        numbers
            .iter()
            .filter_map(|number| self.rules.get(*number).cloned())
            .collect()
    }
}

impl ActionSlice {
    /// The buckets whose rules' scopes match.
    fn matching<'a>(&'a self, resource: &Resource<'_>, path: &Path) -> impl Iterator<Item = &'a Bucket> {
        let own = path.steps().next_back();
        let named = path.steps().flat_map(move |step| {
            let filed = self.by_resource.get(&step.0).and_then(|by_id| by_id.get(step.1));
            filed
                .into_iter()
                .flatten()
                .map(move |filed| (filed, own == Some(step)))
        });
        let anywhere = self.anywhere.iter().map(|filed| (filed, false));
        anywhere
            .chain(named)
            .filter(|((reach, _), is_itself)| reach.holds(resource, *is_itself))
            .map(|((_, bucket), _)| bucket)
    }
}

impl Bucket {
    pub(crate) fn new() -> Bucket {
        Bucket {
            permits: Vec::new(),
            forbids: Vec::new(),
            conditions: cedar_policy::PolicySet::new(),
            reads: Reads::NOTHING,
            entities: Entities::empty(),
            unusable: Vec::new(),
        }
    }

    fn conditional(&self) -> impl Iterator<Item = usize> {
        self.conditions.policies().map(|policy| number(policy.id()))
    }
}

/// What the buckets say together.
enum Verdict {
    NoRule,
    Permitted(Vec<usize>),
    Forbidden(Vec<usize>),
    Error(Vec<usize>),
}

impl Verdict {
    /// An error outweighs a forbid, a forbid a permit, and a permit silence.
    fn with(self, other: Verdict) -> Verdict {
        match (self, other) {
            (Verdict::Error(left), Verdict::Error(right)) => Verdict::Error(joined(left, right)),
            (Verdict::Forbidden(left), Verdict::Forbidden(right)) => Verdict::Forbidden(joined(left, right)),
            (Verdict::Permitted(left), Verdict::Permitted(right)) => Verdict::Permitted(joined(left, right)),
            (left, right) => {
                if right.weight() > left.weight() {
                    right
                } else {
                    left
                }
            }
        }
    }

    fn weight(&self) -> u8 {
        match self {
            Verdict::NoRule => 0,
            Verdict::Permitted(_) => 1,
            Verdict::Forbidden(_) => 2,
            Verdict::Error(_) => 3,
        }
    }
}

fn joined(mut left: Vec<usize>, right: Vec<usize>) -> Vec<usize> {
    left.extend(right);
    left
}

/// Policies are numbered inside Cedar by their place in the set.
fn number(id: &PolicyId) -> usize {
    AsRef::<str>::as_ref(id).parse().unwrap_or(usize::MAX)
}

fn number_of_error(error: &AuthorizationError) -> usize {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => number(error.policy_id()),
    }
}

/// Whether the schema knows this action for this kind of resource. Without it a rule that names no
/// resource would permit what nobody thought of.
fn applies(question: &Question<'_>) -> bool {
    let word = action_index(question.action).and_then(|index| ACTIONS.get(index));
    word.is_some_and(|word| word.kinds.contains(&question.resource.kind()))
}
