//! The part of a policy set that can concern one workload, and the one function that decides.
//!
//! Cedar evaluates every policy it is given, so it is given few. Whether the scope of a rule matches is
//! answered by tables: who and which action when the slice is cut, which resource when it is asked. Only
//! conditions are left to Cedar, and a test compares every answer with Cedar's over the whole set.

use crate::answer::{Answer, Reason, RuleId, hint};
use crate::facts;
use crate::question::{Lineage, Question, Resource};
use crate::reach::Reach;
use crate::reads::{ReadSet, Reads};
use crate::vocabulary::{ACTIONS, Attribute, Kind, action_index};
use cedar_policy::{
    AuthorizationError, Authorizer, Decision, Effect, Entities, EntityUid, PolicyId, Request,
};
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

    /// Which context attributes the policies for any action look at.
    pub fn reads_anywhere(&self) -> ReadSet {
        let slices = self.by_action.iter().flatten();
        slices.fold(ReadSet::NOTHING, |reads, slice| reads.union(slice.reads))
    }

    /// Decides. Default deny; a forbid beats any permit; an evaluation error refuses.
    pub fn decide(&self, question: &Question<'_>) -> Answer {
        let lineage = Lineage::of(&question.resource);
        let Some(slice) = self.action(question.action) else {
            return self.no_rule(question);
        };
        if !applies(question) {
            return self.no_rule(question);
        }
        match self.judge(slice, question, &lineage) {
            Verdict::Permitted(_) if question.whole && !slice.forbids.is_empty() => {
                Answer::refused(Reason::Forbidden(slice.forbids.clone()), None)
            }
            Verdict::Permitted(rules) => Answer::permitted_by(self.named(rules)),
            Verdict::Forbidden(rules) => Answer::refused(Reason::Forbidden(self.named(rules)), None),
            Verdict::Error(rules) => Answer::refused(Reason::Error(self.named(rules)), None),
            Verdict::NoRule => self.no_rule(question),
        }
    }

    /// Whether a permit could hold by what is not known yet: no rule forbids outright, and one permits where this
    /// attribute is as it says.
    pub fn hangs_on(&self, question: &Question<'_>, attribute: Attribute) -> bool {
        let lineage = Lineage::of(&question.resource);
        let Some(slice) = self.action(question.action).filter(|_| applies(question)) else {
            return false;
        };
        let mut hangs = false;
        for bucket in slice.matching(&question.resource, &lineage) {
            if !bucket.forbids.is_empty() || !bucket.unusable.is_empty() {
                return false;
            }
            hangs |= bucket.reads.context.contains(attribute) && bucket.may_permit();
        }
        hangs
    }

    fn action(&self, name: &str) -> Option<&ActionSlice> {
        self.by_action.get(action_index(name)?)?.as_ref()
    }

    fn judge(&self, slice: &ActionSlice, question: &Question<'_>, lineage: &Lineage) -> Verdict {
        let mut verdict = Verdict::NoRule;
        let mut conditional = Vec::new();
        for bucket in slice.matching(&question.resource, lineage) {
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
        let found = self.evaluate(slice, question, lineage, &conditional);
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
        lineage: &Lineage,
        buckets: &[&Bucket],
    ) -> Option<Verdict> {
        let reads = buckets.iter().fold(ReadSet::NOTHING, |reads, bucket| {
            reads.union(bucket.reads.context)
        });
        let resource = question.resource.kind().uid(lineage.itself().1);
        let context = facts::context(question, reads)?;
        let (principal, action) = (self.principal.clone(), slice.action.clone());
        let request = Request::new(principal, action, resource, context, None).ok()?;

        let authorizer = Authorizer::new();
        let mut verdict = Verdict::NoRule;
        for bucket in buckets {
            let entities = facts::entities(bucket, question, lineage)?;
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
    fn matching<'a>(
        &'a self,
        resource: &Resource<'_>,
        lineage: &Lineage,
    ) -> impl Iterator<Item = &'a Bucket> {
        let ancestors = lineage.ancestors().map(|step| (step, false));
        let steps = ancestors.chain([(lineage.itself(), true)]);
        let named = steps.flat_map(move |((kind, id), is_itself)| {
            let filed = self.by_resource.get(&kind).and_then(|by_id| by_id.get(id));
            filed.into_iter().flatten().map(move |filed| (filed, is_itself))
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

    /// Whether some condition here leads to a permit.
    fn may_permit(&self) -> bool {
        let mut conditional = self.conditions.policies();
        conditional.any(|policy| policy.effect() == Effect::Permit)
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

#[cfg(test)]
mod tests {
    use crate::load::Source;
    use crate::question::{Context, Question, Resource};
    use crate::set::PolicySet;
    use crate::vocabulary::Attribute;

    #[test]
    fn a_permit_hangs_on_what_is_not_known_only_where_a_rule_says_so_and_none_forbids() {
        let text = "
            permit (principal, action == Postern::Action::\"use\", resource == Postern::Tool::\"t/set\")
                when { context.arguments.contains(\"a=b\") };
            permit (principal, action == Postern::Action::\"use\", resource == Postern::Tool::\"t/role\")
                when { context.role == \"app\" };
            forbid (principal, action == Postern::Action::\"use\", resource == Postern::Tool::\"t/never\");
            forbid (principal, action == Postern::Action::\"use\", resource == Postern::Tool::\"t/only\")
                when { context.arguments.contains(\"a=b\") };
            permit (principal, action == Postern::Action::\"use\", resource == Postern::Tool::\"t/never\")
                when { context.arguments.contains(\"a=b\") };";
        let source = Source {
            name: "rules.cedar".to_owned(),
            text: text.to_owned(),
        };
        let slice = PolicySet::load(1, &[source], &[]).unwrap().slice("w", &[]);
        let hangs = |name| {
            let question = Question {
                action: "use",
                resource: Resource::Tool { target: "t", name },
                context: Context::new("", [192, 0, 2, 1].into(), 0, "token"),
                whole: false,
            };
            slice.hangs_on(&question, Attribute::Arguments)
        };
        let found = ["set", "role", "never", "only", "other"].map(hangs);
        assert_eq!(found, [true, false, false, false, false]);
    }

    #[test]
    fn a_slice_reads_for_each_action_what_the_rules_of_that_action_read() {
        let text = "
            @id(\"a\") permit (principal, action == Postern::Action::\"select\", resource)
                when { context.role == \"app\" };
            @id(\"b\") forbid (principal, action == Postern::Action::\"select\", resource)
                when { context.source.isLoopback() };
            @id(\"c\") permit (principal, action == Postern::Action::\"update\", resource);";
        let source = Source {
            name: "rules.cedar".to_owned(),
            text: text.to_owned(),
        };
        let slice = PolicySet::load(1, &[source], &[]).unwrap().slice("w", &[]);
        let reads = |action: &str| slice.reads(action).iter().collect::<Vec<_>>();
        assert_eq!(reads("select"), [Attribute::Role, Attribute::Source]);
        for action in ["update", "delete", "no action"] {
            assert_eq!(reads(action), [], "{action}");
        }
    }
}
