//! A loaded policy set, indexed by whom its rules can concern.

use crate::answer::RuleId;
use crate::fault::LoadError;
use crate::identifier::entity_id;
use crate::library::Link;
use crate::load::{self, Source};
use crate::reach::Reach;
use crate::reads::{ReadSet, Reads};
use crate::rule::{Clauses, Condition, Rule};
use crate::slice::{ActionSlice, Bucket, Buckets, Slice};
use crate::stack::with_room;
use crate::vocabulary::{ACTIONS, ActionWord, Kind, action_uid};
use cedar_policy::{
    ActionConstraint, Effect, Entities, Entity, EntityUid, PolicyId, PrincipalConstraint, ResourceConstraint,
};
use foldhash::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

/// Every rule of one epoch. Immutable; workloads are judged by a slice of it.
#[derive(Debug)]
pub struct PolicySet {
    epoch: u64,
    ids: Arc<[RuleId]>,
    rules: Vec<Rule>,
    /// Rules that name a workload or a segment, by that name.
    named: HashMap<EntityUid, Vec<usize>>,
    /// Rules for everyone.
    everyone: Vec<usize>,
}

impl PolicySet {
    /// Reads, validates strictly and indexes. An empty set permits nothing.
    pub fn load(epoch: u64, sources: &[Source], links: &[Link]) -> Result<PolicySet, Vec<LoadError>> {
        let rules = load::rules(sources, links)?;
        let mut named: HashMap<EntityUid, Vec<usize>> = HashMap::default();
        let mut everyone = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            match rule.policy.principal_constraint() {
                PrincipalConstraint::Any | PrincipalConstraint::Is(_) => everyone.push(number),
                PrincipalConstraint::Eq(uid)
                | PrincipalConstraint::In(uid)
                | PrincipalConstraint::IsIn(_, uid) => named.entry(uid).or_default().push(number),
            }
        }
        let ids = rules.iter().map(|rule| rule.id.clone()).collect();
        Ok(PolicySet {
            epoch,
            ids,
            rules,
            named,
            everyone,
        })
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Every rule, in the order of the files and then of the links.
    pub fn rules(&self) -> &[RuleId] {
        &self.ids
    }

    /// The operations and tags that rules name, by kind and id.
    pub fn operations(&self) -> impl Iterator<Item = (&RuleId, &'static str, String)> {
        self.rules.iter().flat_map(|rule| {
            let named = rule.policy.entity_literals().into_iter().filter_map(|uid| {
                let kind =
                    Kind::of(uid.type_name()).filter(|kind| matches!(kind, Kind::Operation | Kind::Tag))?;
                Some((kind.name(), uid.id().unescaped().to_owned()))
            });
            named.map(|(kind, id)| (&rule.id, kind, id))
        })
    }

    /// What the set says about one workload: built once per identity, off the hot path.
    pub fn slice(&self, workload: &str, segments: &[String]) -> Arc<Slice> {
        let workload_id = entity_id(&[workload]);
        let principal = Kind::Workload.uid(&workload_id);
        let groups: HashSet<EntityUid> = segments
            .iter()
            .map(|segment| Kind::Segment.uid(&entity_id(&[segment])))
            .collect();
        let mut numbers = self.everyone.clone();
        for uid in groups.iter().chain([&principal]) {
            numbers.extend(self.named.get(uid).into_iter().flatten());
        }
        numbers.sort_unstable();

        self.prepare(&numbers);
        let chosen: Vec<Chosen<'_>> = numbers.iter().filter_map(|number| self.choose(*number)).collect();
        let cut = |word| {
            cut(
                word,
                &chosen,
                &Entity::new_no_attrs(principal.clone(), groups.clone()),
            )
        };
        let by_action = ACTIONS.iter().map(cut).collect();
        Arc::new(Slice {
            epoch: self.epoch,
            workload_id,
            principal,
            rules: Arc::clone(&self.ids),
            by_action,
        })
    }

    /// Takes conditions apart where the stack is large; without such a place it is done where we are.
    fn prepare(&self, numbers: &[usize]) {
        let rules = numbers.iter().filter_map(|number| self.rules.get(*number));
        let waiting: Vec<&Rule> = rules.filter(|rule| !rule.is_ready()).collect();
        if !waiting.is_empty() {
            let _ = with_room(|| {
                for rule in waiting {
                    rule.condition();
                }
            });
        }
    }

    fn choose(&self, number: usize) -> Option<Chosen<'_>> {
        let rule = self.rules.get(number)?;
        let scope = rule.policy.resource_constraint();
        let mut reach = Reach::of_scope(&scope);
        // Validation leaves no kind unknown; if one were, the rule must not be taken for one that names none.
        let (resource, known) = match scope {
            ResourceConstraint::Any => (None, true),
            ResourceConstraint::Eq(uid) | ResourceConstraint::In(uid) => (Some(uid), true),
            ResourceConstraint::Is(_) => (None, reach.kind.is_some()),
            ResourceConstraint::IsIn(_, uid) => (Some(uid), reach.kind.is_some()),
        };
        let condition = rule.condition();
        let usable = known && !matches!(condition, Condition::Unreadable);
        if let Condition::Some(clauses) = condition
            && usable
        {
            reach = clauses.reach.clone();
        }
        Some(Chosen {
            number,
            rule,
            action: rule.policy.action_constraint(),
            resource,
            reach,
            condition,
            usable,
        })
    }
}

/// A rule that can concern the workload.
struct Chosen<'a> {
    number: usize,
    rule: &'a Rule,
    action: ActionConstraint,
    resource: Option<EntityUid>,
    reach: Reach,
    condition: &'a Condition,
    usable: bool,
}

/// The part of the chosen rules that can concern one action; nothing if none can.
fn cut(word: &ActionWord, chosen: &[Chosen<'_>], principal: &Entity) -> Option<ActionSlice> {
    let action = action_uid(word.name);
    let group = word.group.map(action_uid);
    let means = |uid: &EntityUid| *uid == action || group.as_ref() == Some(uid);
    let concerns = |chosen: &&Chosen<'_>| match &chosen.action {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => *uid == action,
        ActionConstraint::In(uids) => uids.iter().any(means),
    };
    let concerned: Vec<&Chosen<'_>> = chosen.iter().filter(concerns).collect();
    if concerned.is_empty() {
        return None;
    }

    let asked_for = concerned.iter().any(|chosen| chosen.reads().hierarchy);
    let action_entity = || Entity::new_no_attrs(action.clone(), group.iter().cloned().collect());
    let caller = asked_for.then(|| Entities::from_entities([principal.clone(), action_entity()], None).ok());
    let caller = caller.flatten();
    let mut slice = ActionSlice {
        action: action.clone(),
        anywhere: Buckets::default(),
        by_resource: HashMap::default(),
        reads: ReadSet::NOTHING,
        forbids: Vec::new(),
    };
    for chosen in concerned {
        slice.reads = slice.reads.union(chosen.reads().context);
        if chosen.rule.policy.effect() == Effect::Forbid {
            slice.forbids.push(chosen.rule.id.clone());
        }
        chosen.put_into(
            slice.bucket_mut(chosen.resource.as_ref(), &chosen.reach),
            caller.as_ref(),
        );
    }
    Some(slice)
}

impl ActionSlice {
    fn bucket_mut(&mut self, resource: Option<&EntityUid>, reach: &Reach) -> &mut Bucket {
        let named = resource.and_then(|uid| Some((Kind::of(uid.type_name())?, uid.id())));
        let buckets = match named {
            Some((kind, id)) => {
                let id: &str = id.as_ref();
                self.by_resource
                    .entry(kind)
                    .or_default()
                    .entry(Box::from(id))
                    .or_default()
            }
            None => &mut self.anywhere,
        };
        buckets.entry(reach.clone()).or_insert_with(Bucket::new)
    }
}

impl Chosen<'_> {
    fn reads(&self) -> Reads {
        match self.condition {
            Condition::None => Reads::NOTHING,
            Condition::Some(clauses) => clauses.reads,
            Condition::Unreadable => Reads::EVERYTHING,
        }
    }

    /// A rule that cannot be put where it belongs must not be forgotten: it may be a forbid.
    fn put_into(&self, bucket: &mut Bucket, caller: Option<&Entities>) {
        match self.condition {
            Condition::Some(clauses) if self.usable => {
                if bucket.take(clauses, self.number, caller).is_none() {
                    bucket.unusable.push(self.number);
                }
            }
            Condition::None if self.usable => match self.rule.policy.effect() {
                Effect::Permit => bucket.permits.push(self.number),
                Effect::Forbid => bucket.forbids.push(self.number),
            },
            Condition::Some(_) | Condition::None | Condition::Unreadable => bucket.unusable.push(self.number),
        }
    }
}

impl Bucket {
    fn take(&mut self, clauses: &Clauses, number: usize, caller: Option<&Entities>) -> Option<()> {
        let mut needed: Vec<Entity> = clauses.constants.iter().cloned().collect();
        if clauses.reads.hierarchy {
            needed.extend(caller?.iter().cloned());
        }
        if !needed.is_empty() {
            self.entities = self.entities.clone().add_entities(needed, None).ok()?;
        }
        self.conditions
            .add(clauses.policy.new_id(PolicyId::new(number.to_string())))
            .ok()?;
        self.reads = self.reads.union(clauses.reads);
        Some(())
    }
}
