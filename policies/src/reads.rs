//! What a policy looks at, so that a cached verdict is keyed by exactly that.
//! Sound by construction: `context.name` and `context has name` read one attribute, and the variable
//! `context` in any other place reads everything.

use crate::vocabulary::Attribute;
use serde_json::Value;

/// A set of context attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ReadSet(u32);

impl ReadSet {
    /// Reads nothing of the context.
    pub const NOTHING: ReadSet = ReadSet(0);
    /// Reads every attribute.
    pub const EVERYTHING: ReadSet = ReadSet((1 << Attribute::ALL.len()) - 1);

    pub fn contains(self, attribute: Attribute) -> bool {
        self.0 & bit(attribute) != 0
    }

    #[must_use]
    pub fn with(self, attribute: Attribute) -> ReadSet {
        ReadSet(self.0 | bit(attribute))
    }

    #[must_use]
    pub fn union(self, other: ReadSet) -> ReadSet {
        ReadSet(self.0 | other.0)
    }

    pub fn iter(self) -> impl Iterator<Item = Attribute> {
        Attribute::ALL
            .into_iter()
            .filter(move |attribute| self.contains(*attribute))
    }
}

fn bit(attribute: Attribute) -> u32 {
    1 << (attribute as u32)
}

/// What the conditions of a policy read. The scope is not among it: slices answer that by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reads {
    pub(crate) context: ReadSet,
    /// Reads `resource.name` and its kind.
    pub(crate) resource_attributes: bool,
    /// Asks where the principal, the action or the resource belongs.
    pub(crate) hierarchy: bool,
}

impl Reads {
    pub(crate) const NOTHING: Reads = Reads {
        context: ReadSet::NOTHING,
        resource_attributes: false,
        hierarchy: false,
    };
    pub(crate) const EVERYTHING: Reads = Reads {
        context: ReadSet::EVERYTHING,
        resource_attributes: true,
        hierarchy: true,
    };

    #[must_use]
    pub(crate) fn union(self, other: Reads) -> Reads {
        Reads {
            context: self.context.union(other.context),
            resource_attributes: self.resource_attributes || other.resource_attributes,
            hierarchy: self.hierarchy || other.hierarchy,
        }
    }

    /// Reads the `conditions` of a policy in Cedar's JSON form.
    pub(crate) fn of(conditions: &Value) -> Reads {
        let mut reads = Reads::NOTHING;
        let mut open = vec![conditions];
        while let Some(node) = open.pop() {
            match node {
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => {
                    for (name, field) in fields {
                        match (name.as_str(), accessed(field)) {
                            ("." | "has", Some(access)) => reads = reads.union(access),
                            ("is", _) if asks_only_for_a_kind(field) => {}
                            ("Var", _) => reads = reads.union(variable(field)),
                            _ => open.push(field),
                        }
                    }
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            }
        }
        reads
    }
}

/// What `{"left": {"Var": <variable>}, "attr": <name>}` reads; `has a.b` gives a path of names.
fn accessed(access: &Value) -> Option<Reads> {
    let fields = access.as_object().filter(|fields| fields.len() == 2)?;
    let left = fields.get("left")?.as_object().filter(|left| left.len() == 1)?;
    let attribute = match fields.get("attr")? {
        Value::Array(path) => path.first()?.as_str()?,
        name => name.as_str()?,
    };
    match left.get("Var")?.as_str()? {
        "context" => {
            let context = ReadSet::NOTHING.with(Attribute::named(attribute)?);
            Some(Reads {
                context,
                ..Reads::NOTHING
            })
        }
        "resource" => Some(Reads {
            resource_attributes: true,
            ..Reads::NOTHING
        }),
        _ => None,
    }
}

/// `resource is T`, without `in`: a kind is part of the name, and no entity is looked at.
fn asks_only_for_a_kind(is: &Value) -> bool {
    let plain = is
        .as_object()
        .is_some_and(|fields| fields.len() == 2 && fields.contains_key("entity_type"));
    let asked = is
        .get("left")
        .and_then(|left| left.get("Var"))
        .and_then(Value::as_str);
    plain && matches!(asked, Some("principal" | "action" | "resource"))
}

/// What a variable that stands alone reads.
fn variable(name: &Value) -> Reads {
    match name.as_str() {
        Some("principal" | "action" | "resource") => Reads {
            hierarchy: true,
            ..Reads::NOTHING
        },
        _ => Reads::EVERYTHING,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::Policy;

    fn reads(clauses: &str) -> Reads {
        let policy = Policy::parse(None, format!("permit (principal, action, resource) {clauses};")).unwrap();
        Reads::of(policy.to_json().unwrap().get("conditions").unwrap())
    }

    fn check(condition: &str, expected: &[Attribute]) {
        let reads = reads(&format!("when {{ {condition} }}")).context;
        assert_eq!(reads.iter().collect::<Vec<_>>(), expected, "{condition}");
    }

    #[test]
    fn a_plain_access_reads_one_attribute() {
        check("context.role == \"a\"", &[Attribute::Role]);
        check("context has run && context.run has repository", &[Attribute::Run]);
        check("context has run.repository", &[Attribute::Run]);
        check("context[\"now\"] < datetime(\"2026-01-01\")", &[Attribute::Now]);
        check(
            "if context.filtered then true else context.source.isLoopback()",
            &[Attribute::Source, Attribute::Filtered],
        );
        check("[\"a\"].containsAll(context.columns)", &[Attribute::Columns]);
        check("resource.name == \"context\"", &[]);
    }

    #[test]
    fn anything_else_reads_everything() {
        check("context == {role: \"a\"}", &Attribute::ALL);
        check(
            "(if true then context else context).role == \"a\"",
            &Attribute::ALL,
        );
        check("{a: context}.a.role == \"a\"", &Attribute::ALL);
        check("[context].contains(context)", &Attribute::ALL);
        check("context has unheard_of", &Attribute::ALL);
        check("{Var: \"role\"}.Var == \"role\"", &Attribute::ALL);
        check("{left: context, attr: \"role\"}.left == {}", &Attribute::ALL);
    }

    #[test]
    fn an_attribute_that_is_read_twice_is_read() {
        let twice = ReadSet::NOTHING.with(Attribute::Role).with(Attribute::Role);
        assert_eq!(twice.iter().collect::<Vec<_>>(), [Attribute::Role]);
    }

    #[test]
    fn both_clauses_count() {
        let reads = reads("when { context.role == \"a\" } unless { context.filtered }");
        assert!(reads.context.contains(Attribute::Role) && reads.context.contains(Attribute::Filtered));
        assert!(!reads.resource_attributes && !reads.hierarchy);
    }

    #[test]
    fn entities_are_asked_for_only_where_a_condition_looks_at_them() {
        let check = |condition: &str, attributes, hierarchy| {
            let reads = reads(&format!("when {{ {condition} }}"));
            assert_eq!(
                (reads.resource_attributes, reads.hierarchy),
                (attributes, hierarchy),
                "{condition}"
            );
        };
        check("context.filtered", false, false);
        check("resource has name && resource.name == \"a\"", true, false);
        check("resource in Postern::Target::\"a\"", false, true);
        check("resource is Postern::Table", false, false);
        check(
            "resource is Postern::Table in Postern::Target::\"a\"",
            false,
            true,
        );
        check("action in Postern::Action::\"write\"", false, true);
        check("principal == Postern::Workload::\"a\"", false, true);
        check("(if true then resource else resource).name == \"a\"", false, true);
    }
}
