//! Which resources a rule can concern, beside the name it is filed under. Answered without Cedar.

use crate::question::Resource;
use crate::vocabulary::Kind;
use cedar_policy::{EntityTypeName, ResourceConstraint};
use serde_json::{Value, json};
use std::str::FromStr;

/// What a rule asks of the resource: for a resource either all rules of one reach can apply or none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Reach {
    /// Means that resource only (`==`), and not what lies in it (`in`).
    pub(crate) exactly: bool,
    /// Means this kind only (`is`).
    pub(crate) kind: Option<Kind>,
    /// Means resources with these parts (`resource.schema == "staging"`), by their place in the kind's parts.
    parts: Vec<(usize, Box<str>)>,
}

impl Reach {
    pub(crate) fn of_scope(scope: &ResourceConstraint) -> Reach {
        let kind = match scope {
            ResourceConstraint::Is(name) | ResourceConstraint::IsIn(name, _) => Kind::of(name),
            ResourceConstraint::Any | ResourceConstraint::Eq(_) | ResourceConstraint::In(_) => None,
        };
        Reach {
            exactly: matches!(scope, ResourceConstraint::Eq(_)),
            kind,
            parts: Vec::new(),
        }
    }

    /// Takes over what the `conditions`, in Cedar's JSON form, ask of the resource before anything else.
    ///
    /// Cedar looks at `a && b` from the left and not at `b` where `a` is false, so the first of them may be
    /// asked earlier; a later one may not: an error before it would be missed.
    pub(crate) fn take_from(&mut self, conditions: &mut Value) {
        let first = conditions.as_array_mut().and_then(|clauses| clauses.first_mut());
        let first = first.filter(|clause| clause.get("kind").and_then(Value::as_str) == Some("when"));
        if let Some(body) = first.and_then(|clause| clause.get_mut("body")) {
            self.take(body);
        }
    }

    /// Whether everything that stood here is taken over; then it is true.
    fn take(&mut self, node: &mut Value) -> bool {
        if let Some(and) = only_field_mut(node, "&&") {
            let mut side = |name| and.get_mut(name).is_some_and(|side| self.take(side));
            return side("left") && side("right");
        }
        let taken = self.take_kind(node) || self.take_part(node);
        if taken {
            *node = json!({ "Value": true });
        }
        taken
    }

    fn take_kind(&mut self, node: &mut Value) -> bool {
        let kind = only_field_mut(node, "is")
            .filter(|is| is.as_object().is_some_and(|fields| fields.len() == 2))
            .filter(|is| is.get("left").is_some_and(is_resource))
            .and_then(|is| EntityTypeName::from_str(is.get("entity_type")?.as_str()?).ok())
            .and_then(|name| Kind::of(&name));
        let taken = kind.is_some() && (self.kind.is_none() || self.kind == kind);
        if taken {
            self.kind = kind;
        }
        taken
    }

    /// Only where the kind is known to have the part: to ask for another is an error.
    fn take_part(&mut self, node: &mut Value) -> bool {
        let wanted = only_field_mut(node, "==").and_then(|equal| {
            let access = equal.get("left")?.get(".")?;
            let name = access.get("attr")?.as_str()?;
            let value = equal.get("right")?.get("Value")?.as_str()?;
            let place = self.kind?.parts().iter().position(|part| *part == name)?;
            is_resource(access.get("left")?).then(|| (place, Box::from(value)))
        });
        let taken = wanted.is_some();
        self.parts.extend(wanted);
        taken
    }

    /// Whether a rule of this reach, filed under a name that the resource has or lies in, can apply to it.
    pub(crate) fn holds(&self, resource: &Resource<'_>, is_itself: bool) -> bool {
        let part = |place: usize| resource.parts().iter().nth(place).map(|(_, part)| part);
        (is_itself || !self.exactly)
            && self.kind.is_none_or(|kind| kind == resource.kind())
            && self
                .parts
                .iter()
                .all(|(place, value)| part(*place) == Some(value))
    }
}

fn is_resource(node: &Value) -> bool {
    *node == json!({ "Var": "resource" })
}

fn only_field_mut<'a>(node: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let fields = node.as_object_mut().filter(|fields| fields.len() == 1)?;
    fields.get_mut(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;

    /// The kind and the number of parts that are taken over, and what is left to Cedar.
    fn check(scope: &str, condition: &str, kind: Option<Kind>, parts: usize, left: &str) {
        let parsed = |condition: &str| {
            let text = format!("permit (principal, action, resource {scope}) {condition};");
            Policy::parse(None, text).unwrap()
        };
        let policy = parsed(condition);
        let mut json = policy.to_json().unwrap();
        let mut reach = Reach::of_scope(&policy.resource_constraint());
        reach.take_from(json.get_mut("conditions").unwrap());
        assert_eq!((reach.kind, reach.parts.len()), (kind, parts), "{condition}");
        assert_eq!(json, parsed(left).to_json().unwrap(), "{condition}");
    }

    #[test]
    fn what_a_rule_asks_of_the_resource_first_is_asked_without_cedar() {
        let table = Some(Kind::Table);
        check(
            "",
            "when { resource is Postern::Table && resource.schema == \"a\" && resource.name == \"b\" && context.filtered }",
            table,
            2,
            "when { true && true && true && context.filtered }",
        );
        check(
            "is Postern::Table",
            "when { resource.name == \"b\" } unless { context.filtered }",
            table,
            1,
            "when { true } unless { context.filtered }",
        );
    }

    #[test]
    fn what_stands_behind_anything_else_or_could_err_is_left_to_cedar() {
        for condition in [
            "when { context.filtered && resource is Postern::Table }",
            "when { resource.name == \"b\" }",
            "when { resource is Postern::Table || resource.name == \"b\" }",
            "unless { resource is Postern::Table }",
            "when { resource is Postern::Table in Postern::Target::\"a\" }",
            "when { !(resource is Postern::Table) }",
            "when { principal is Postern::Workload && context.filtered }",
        ] {
            check("", condition, None, 0, condition);
        }
        // A role has a part of the name that an attribute of the context has too.
        let other = "when { context.role == \"b\" && resource.role == \"b\" }";
        check("is Postern::Role", other, Some(Kind::Role), 0, other);
        let table = Some(Kind::Table);
        for condition in [
            "when { principal is Postern::Workload && context.filtered }",
            "when { resource is Postern::Role && context.filtered }",
            "when { resource.channel == \"b\" }",
            "when { resource.name == resource.schema }",
            "when { resource.name == context.role }",
            "when { context.filtered } when { resource.name == \"b\" }",
        ] {
            check("is Postern::Table", condition, table, 0, condition);
        }
    }
}
