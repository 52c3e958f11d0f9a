//! One rule as it was read, and its condition apart from its scope.

use crate::answer::RuleId;
use crate::reads::Reads;
use cedar_policy::Policy;
use serde_json::json;
use std::sync::OnceLock;

/// A rule of a set; a link of a library template is one too.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) id: RuleId,
    pub(crate) policy: Policy,
    /// Taken apart when a slice first needs it: most rules of a large set are never asked here.
    condition: OnceLock<Condition>,
}

/// When a rule whose scope matches applies.
#[derive(Debug)]
pub(crate) enum Condition {
    /// Always.
    None,
    /// When this policy, which is the rule with a scope that matches everything, does.
    Some { policy: Box<Policy>, reads: Reads },
    /// Cedar would not give it; whoever needs it must refuse.
    Unreadable,
}

impl Rule {
    pub(crate) fn new(id: RuleId, policy: Policy) -> Rule {
        Rule { id, policy, condition: OnceLock::new() }
    }

    pub(crate) fn condition(&self) -> &Condition {
        self.condition.get_or_init(|| {
            if !self.policy.has_non_scope_constraint() {
                return Condition::None;
            }
            unscoped(&self.policy).unwrap_or(Condition::Unreadable)
        })
    }
}

fn unscoped(policy: &Policy) -> Option<Condition> {
    let mut json = policy.to_json().ok()?;
    let fields = json.as_object_mut()?;
    for name in ["principal", "action", "resource"] {
        fields.insert(name.to_owned(), json!({ "op": "All" }));
    }
    let reads = Reads::of(fields.get("conditions")?);
    let policy = Box::new(Policy::from_json(None, json).ok()?);
    Some(Condition::Some { policy, reads })
}
