//! One rule as it was read, and its condition apart from its scope.

use crate::answer::RuleId;
use crate::reach::Reach;
use crate::reads::Reads;
use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Policy, RestrictedExpression};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::OnceLock;

/// The kind of the entities that hold a rule's constants. The schema does not know it, so no policy can name it.
const CONSTANTS: &str = "Postern::Constants";

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
    /// When this does.
    Some(Box<Clauses>),
    /// Cedar would not give it; whoever needs it must refuse.
    Unreadable,
}

/// A rule's conditions ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Clauses {
    /// The rule with a scope that matches everything, reading its constants from an entity.
    pub(crate) policy: Policy,
    /// Sets, addresses and times that the text states, as values: Cedar would build them at each evaluation.
    pub(crate) constants: Option<Entity>,
    pub(crate) reads: Reads,
    /// What the conditions ask of the resource before anything else; it is not asked again in `policy`.
    pub(crate) reach: Reach,
}

impl Rule {
    pub(crate) fn new(id: RuleId, policy: Policy) -> Rule {
        Rule {
            id,
            policy,
            condition: OnceLock::new(),
        }
    }

    /// Whether its condition was taken apart before, so that asking for it costs no recursion.
    pub(crate) fn is_ready(&self) -> bool {
        self.condition.get().is_some() || !self.policy.has_non_scope_constraint()
    }

    pub(crate) fn condition(&self) -> &Condition {
        self.condition.get_or_init(|| {
            if !self.policy.has_non_scope_constraint() {
                return Condition::None;
            }
            clauses(&self.policy).map_or(Condition::Unreadable, |clauses| {
                Condition::Some(Box::new(clauses))
            })
        })
    }
}

fn clauses(policy: &Policy) -> Option<Clauses> {
    let mut json = policy.to_json().ok()?;
    let fields = json.as_object_mut()?;
    for name in ["principal", "action", "resource"] {
        fields.insert(name.to_owned(), json!({ "op": "All" }));
    }
    let conditions = fields.get_mut("conditions")?;
    let mut reach = Reach::of_scope(&policy.resource_constraint());
    reach.take_from(conditions);
    let reads = Reads::of(conditions);
    let id: &str = policy.id().as_ref();
    let mut constants = Constants {
        id,
        values: HashMap::new(),
    };
    constants.take_from(conditions);
    let constants = match constants.values.is_empty() {
        true => None,
        false => {
            let uid = EntityUid::from_type_name_and_id(
                EntityTypeName::from_str(CONSTANTS).ok()?,
                EntityId::new(id),
            );
            // A constant that is no value, such as an address that does not parse, was refused at load.
            Some(Entity::new(uid, constants.values, HashSet::new()).ok()?)
        }
    };
    Some(Clauses {
        policy: Policy::from_json(Some(policy.id().clone()), json).ok()?,
        constants,
        reads,
        reach,
    })
}

/// The constants taken out of one rule so far, by number.
struct Constants<'a> {
    id: &'a str,
    values: HashMap<String, RestrictedExpression>,
}

impl Constants<'_> {
    fn take_from(&mut self, conditions: &mut Value) {
        let mut open = vec![conditions];
        while let Some(node) = open.pop() {
            if let Some(value) = constant(node) {
                let name = self.values.len().to_string();
                let entity = json!({ "__entity": { "type": CONSTANTS, "id": self.id } });
                *node = json!({ ".": { "left": { "Value": entity }, "attr": name } });
                self.values.insert(name, value);
                continue;
            }
            match node {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => open.extend(fields.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
    }
}

/// A set of literals, or a call of a constructor with a literal.
fn constant(node: &Value) -> Option<RestrictedExpression> {
    let fields: &Map<String, Value> = node.as_object().filter(|fields| fields.len() == 1)?;
    let (name, arguments) = fields.iter().next()?;
    let arguments = arguments.as_array().filter(|arguments| !arguments.is_empty())?;
    if name == "Set" {
        let elements: Option<Vec<RestrictedExpression>> = arguments.iter().map(literal).collect();
        return elements.map(RestrictedExpression::new_set);
    }
    let [argument] = arguments.as_slice() else {
        return None;
    };
    let text = argument
        .as_object()
        .filter(|fields| fields.len() == 1)?
        .get("Value")?
        .as_str()?;
    match name.as_str() {
        "ip" => Some(RestrictedExpression::new_ip(text)),
        "datetime" => Some(RestrictedExpression::new_datetime(text)),
        "duration" => Some(RestrictedExpression::new_duration(text)),
        _ => None,
    }
}

fn literal(node: &Value) -> Option<RestrictedExpression> {
    match node
        .as_object()
        .filter(|fields| fields.len() == 1)?
        .get("Value")?
    {
        Value::String(text) => Some(RestrictedExpression::new_string(text.clone())),
        Value::Number(number) => number.as_i64().map(RestrictedExpression::new_long),
        Value::Bool(value) => Some(RestrictedExpression::new_bool(*value)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many constants are taken out of a condition, and what is left to evaluate.
    fn check(condition: &str, taken: usize) {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        let clauses = clauses(&Policy::parse(None, text).unwrap()).unwrap();
        let found = clauses.constants.map_or(0, |constants| constants.attrs().count());
        assert_eq!(found, taken, "{condition}");
    }

    #[test]
    fn literal_sets_addresses_and_times_are_constants() {
        check("[\"a\", \"b\"].contains(context.role)", 1);
        check("[1, 2].contains(3) && [true].contains(false)", 2);
        check("context.source.isInRange(ip(\"10.0.0.0/8\"))", 1);
        check(
            "context.now < datetime(\"2026-01-01\").offset(duration(\"1h\"))",
            2,
        );
        check("[[\"a\"], [\"b\"]].contains([\"a\"])", 3);
    }

    #[test]
    fn everything_else_is_left_to_cedar() {
        check("context.role == \"a\"", 0);
        check("[context.role].contains(\"a\")", 0);
        check("resource in [Postern::Target::\"a\", Postern::Target::\"b\"]", 0);
        check("{ip: [\"10.0.0.1\"]} == {ip: [\"10.0.0.1\"]}", 2);
        check("{Set: context.role}.Set == \"a\"", 0);
    }
}
