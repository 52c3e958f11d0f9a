//! The words of the schema as Rust sees them: actions, kinds of resources, context attributes.
//! A test holds this page and `schema.cedarschema` equal.

use cedar_policy::{EntityId, EntityTypeName, EntityUid, Schema, Validator};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

/// The schema that every policy is validated against.
pub const SCHEMA: &str = include_str!("../schema.cedarschema");

/// What kind of thing an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Workload,
    Segment,
    Target,
    Database,
    Schema,
    Table,
    Routine,
    Role,
    Tag,
    Operation,
    Path,
    Tool,
    Prompt,
    Resource,
}

impl Kind {
    pub(crate) const ALL: [Kind; 14] = [
        Kind::Workload,
        Kind::Segment,
        Kind::Target,
        Kind::Database,
        Kind::Schema,
        Kind::Table,
        Kind::Routine,
        Kind::Role,
        Kind::Tag,
        Kind::Operation,
        Kind::Path,
        Kind::Tool,
        Kind::Prompt,
        Kind::Resource,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Workload => "Workload",
            Kind::Segment => "Segment",
            Kind::Target => "Target",
            Kind::Database => "Database",
            Kind::Schema => "Schema",
            Kind::Table => "Table",
            Kind::Routine => "Routine",
            Kind::Role => "Role",
            Kind::Tag => "Tag",
            Kind::Operation => "Operation",
            Kind::Path => "Path",
            Kind::Tool => "Tool",
            Kind::Prompt => "Prompt",
            Kind::Resource => "Resource",
        }
    }

    /// The names of the parts of an id, in order.
    pub(crate) fn parts(self) -> &'static [&'static str] {
        match self {
            Kind::Workload => &["workload"],
            Kind::Segment => &["segment"],
            Kind::Target => &["target"],
            Kind::Database => &["target", "database"],
            Kind::Schema => &["target", "database", "schema"],
            Kind::Table | Kind::Routine => &["target", "database", "schema", "name"],
            Kind::Role
            | Kind::Tag
            | Kind::Operation
            | Kind::Path
            | Kind::Tool
            | Kind::Prompt
            | Kind::Resource => &["target", "name"],
        }
    }

    pub(crate) fn of(type_name: &EntityTypeName) -> Option<Kind> {
        words().kinds.get(type_name).copied()
    }

    pub(crate) fn uid(self, id: &str) -> EntityUid {
        let names = &words().names;
        let name = names
            .get(self as usize)
            .expect("the table of names is made from all kinds, in order");
        EntityUid::from_type_name_and_id(name.clone(), EntityId::new(id))
    }
}

/// A context attribute that a policy may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Attribute {
    Role,
    Source,
    Now,
    Run,
    Evidence,
    Columns,
    RowsOnly,
    Filtered,
    Kind,
    Class,
    Setting,
    Value,
    Reset,
    Mode,
    Channel,
    Language,
    Arguments,
    Parameters,
    Numbers,
}

impl Attribute {
    /// Every attribute, in the order of their bits in a read set.
    pub const ALL: [Attribute; 19] = [
        Attribute::Role,
        Attribute::Source,
        Attribute::Now,
        Attribute::Run,
        Attribute::Evidence,
        Attribute::Columns,
        Attribute::RowsOnly,
        Attribute::Filtered,
        Attribute::Kind,
        Attribute::Class,
        Attribute::Setting,
        Attribute::Value,
        Attribute::Reset,
        Attribute::Mode,
        Attribute::Channel,
        Attribute::Language,
        Attribute::Arguments,
        Attribute::Parameters,
        Attribute::Numbers,
    ];

    /// The name that policies use: `context.<name>`.
    pub fn name(self) -> &'static str {
        match self {
            Attribute::Role => "role",
            Attribute::Source => "source",
            Attribute::Now => "now",
            Attribute::Run => "run",
            Attribute::Evidence => "evidence",
            Attribute::Columns => "columns",
            Attribute::RowsOnly => "rows_only",
            Attribute::Filtered => "filtered",
            Attribute::Kind => "kind",
            Attribute::Class => "class",
            Attribute::Setting => "setting",
            Attribute::Value => "value",
            Attribute::Reset => "reset",
            Attribute::Mode => "mode",
            Attribute::Channel => "channel",
            Attribute::Language => "language",
            Attribute::Arguments => "arguments",
            Attribute::Parameters => "parameters",
            Attribute::Numbers => "numbers",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Attribute> {
        Attribute::ALL
            .into_iter()
            .find(|attribute| attribute.name() == name)
    }
}

/// One action that can be asked about.
#[derive(Debug)]
pub(crate) struct ActionWord {
    pub(crate) name: &'static str,
    pub(crate) group: Option<&'static str>,
    pub(crate) kinds: &'static [Kind],
    /// What its context has beyond the five attributes that every action has.
    pub(crate) extra: &'static [Attribute],
}

/// What every action's context has.
pub(crate) const COMMON: [Attribute; 5] = [
    Attribute::Role,
    Attribute::Source,
    Attribute::Now,
    Attribute::Run,
    Attribute::Evidence,
];

/// Action groups that are only groups: nothing is ever asked of them.
pub(crate) const GROUPS: [&str; 4] = ["define", "read", "session", "write"];

const TABLE: &[Kind] = &[Kind::Table];
const ROUTINE: &[Kind] = &[Kind::Routine];
const DATABASE: &[Kind] = &[Kind::Database];
const DEFINABLE: &[Kind] = &[
    Kind::Table,
    Kind::Routine,
    Kind::Schema,
    Kind::Database,
    Kind::Role,
];
const TOUCHED: &[Attribute] = &[Attribute::Columns, Attribute::RowsOnly];

const fn word(
    name: &'static str,
    group: Option<&'static str>,
    kinds: &'static [Kind],
    extra: &'static [Attribute],
) -> ActionWord {
    ActionWord {
        name,
        group,
        kinds,
        extra,
    }
}

const fn definition(name: &'static str) -> ActionWord {
    word(name, Some("define"), DEFINABLE, &[Attribute::Kind])
}

const fn session(name: &'static str, extra: &'static [Attribute]) -> ActionWord {
    word(name, Some("session"), DATABASE, extra)
}

/// A method of HTTP (RFC 9110, section 9).
const fn method(name: &'static str, group: &'static str) -> ActionWord {
    let extra = &[Attribute::Parameters, Attribute::Numbers];
    word(name, Some(group), &[Kind::Operation, Kind::Path], extra)
}

// Invariant: sorted by name, so that a name is found by halving.
pub(crate) const ACTIONS: [ActionWord; 48] = [
    method("DELETE", "write"),
    method("GET", "read"),
    method("HEAD", "read"),
    method("OPTIONS", "read"),
    method("PATCH", "write"),
    method("POST", "write"),
    method("PUT", "write"),
    definition("alter"),
    definition("analyze"),
    word("assume", None, &[Kind::Role], &[]),
    word("call", Some("execute"), ROUTINE, &[Attribute::Class]),
    session("checkpoint", &[]),
    definition("cluster"),
    definition("comment"),
    word("copy_file", Some("execute"), DATABASE, &[]),
    word("copy_program", Some("execute"), DATABASE, &[]),
    definition("create"),
    session("cursor", &[]),
    word("delete", Some("write"), TABLE, &[Attribute::Filtered]),
    session("discard", &[]),
    word("do", Some("execute"), DATABASE, &[Attribute::Language]),
    definition("drop"),
    word("execute", None, ROUTINE, &[Attribute::Class]),
    definition("grant"),
    definition("import_schema"),
    word("insert", Some("write"), TABLE, TOUCHED),
    session("listen", &[Attribute::Channel]),
    word("load", Some("execute"), DATABASE, &[]),
    word("lock", Some("write"), TABLE, &[Attribute::Mode]),
    word("nextval", Some("write"), &[Kind::Table, Kind::Database], &[]),
    session("notify", &[Attribute::Channel]),
    session("prepare", &[]),
    session("prepare_transaction", &[]),
    definition("refresh"),
    definition("reindex"),
    definition("revoke"),
    definition("security_label"),
    word("select", Some("read"), &[Kind::Table, Kind::Database], TOUCHED),
    session("set", &[Attribute::Setting, Attribute::Value, Attribute::Reset]),
    word("setval", Some("write"), &[Kind::Table, Kind::Database], &[]),
    session("show", &[Attribute::Setting]),
    session("snapshot", &[]),
    session("transaction", &[]),
    word("truncate", Some("write"), TABLE, &[]),
    method("tunnel", "write"),
    word(
        "update",
        Some("write"),
        TABLE,
        &[Attribute::Columns, Attribute::RowsOnly, Attribute::Filtered],
    ),
    word(
        "use",
        None,
        &[
            Kind::Target,
            Kind::Database,
            Kind::Tool,
            Kind::Prompt,
            Kind::Resource,
        ],
        &[Attribute::Arguments, Attribute::Numbers],
    ),
    definition("vacuum"),
];

/// Where an action stands in `ACTIONS`.
pub(crate) fn action_index(name: &str) -> Option<usize> {
    ACTIONS.binary_search_by(|word| word.name.cmp(name)).ok()
}

/// The schema read once, with the names that a decision needs ready made.
pub(crate) struct Words {
    pub(crate) validator: Validator,
    pub(crate) action_type: EntityTypeName,
    kinds: HashMap<EntityTypeName, Kind>,
    names: Vec<EntityTypeName>,
    /// The entity that holds the numbers of a question.
    pub(crate) numbers: EntityUid,
}

pub(crate) fn words() -> &'static Words {
    static WORDS: LazyLock<Words> = LazyLock::new(|| {
        let schema =
            Schema::from_str(SCHEMA).expect("the schema is part of this program and a test reads it");
        let name = |name: &str| {
            let full = format!("Postern::{name}");
            EntityTypeName::from_str(&full).expect("kinds are named by identifiers")
        };
        Words {
            validator: Validator::new(schema),
            action_type: name("Action"),
            kinds: Kind::ALL
                .into_iter()
                .map(|kind| (name(kind.name()), kind))
                .collect(),
            names: Kind::ALL.into_iter().map(|kind| name(kind.name())).collect(),
            numbers: EntityUid::from_type_name_and_id(name("Numbers"), EntityId::new("given")),
        }
    });
    &WORDS
}

pub(crate) fn action_uid(name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(words().action_type.clone(), EntityId::new(name))
}

/// The name in a list that somebody who wrote `wrong` most likely meant.
pub(crate) fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const LIKENESS_MIN: f64 = 0.6;
    let wrong = wrong.to_lowercase();
    names
        .into_iter()
        .map(|name| {
            (
                strsim::normalized_damerau_levenshtein(&wrong, &name.to_lowercase()),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cedar_policy::SchemaFragment;
    use std::collections::BTreeSet;

    fn names(value: &serde_json::Value) -> BTreeSet<&str> {
        value
            .as_object()
            .map(|fields| fields.keys().map(String::as_str).collect())
            .unwrap_or_default()
    }

    fn schema() -> serde_json::Value {
        let (schema, warnings) = SchemaFragment::from_cedarschema_str(SCHEMA).unwrap();
        assert_eq!(warnings.count(), 0);
        schema.to_json_value().unwrap()["Postern"].clone()
    }

    #[test]
    fn actions_and_contexts_are_those_of_the_schema() {
        let schema = schema();
        let ours: BTreeSet<&str> = ACTIONS.iter().map(|word| word.name).chain(GROUPS).collect();
        assert_eq!(names(&schema["actions"]), ours);
        for word in ACTIONS {
            let action = &schema["actions"][word.name];
            let group = action["memberOf"]
                .as_array()
                .and_then(|groups| groups.first())
                .and_then(|group| group["id"].as_str());
            assert_eq!(group, word.group, "{}", word.name);
            let kinds = action["appliesTo"]["resourceTypes"].as_array().unwrap();
            let kinds: BTreeSet<&str> = kinds.iter().map(|kind| kind.as_str().unwrap()).collect();
            assert_eq!(
                kinds,
                word.kinds.iter().map(|kind| kind.name()).collect(),
                "{}",
                word.name
            );
            let attributes = names(&action["appliesTo"]["context"]["attributes"]);
            let ours = COMMON
                .iter()
                .chain(word.extra)
                .map(|attribute| attribute.name())
                .collect();
            assert_eq!(attributes, ours, "{}", word.name);
        }
    }

    #[test]
    fn kinds_and_their_parts_are_those_of_the_schema() {
        let schema = schema();
        assert_eq!(
            names(&schema["entityTypes"]),
            Kind::ALL.into_iter().map(Kind::name).chain(["Numbers"]).collect()
        );
        for kind in Kind::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, Kind::Workload | Kind::Segment))
        {
            let attributes = names(&schema["entityTypes"][kind.name()]["shape"]["attributes"]);
            assert_eq!(
                attributes,
                kind.parts().iter().copied().collect(),
                "{}",
                kind.name()
            );
        }
        for kind in Kind::ALL {
            assert_eq!(
                kind.uid("a").to_string(),
                format!("Postern::{}::\"a\"", kind.name())
            );
        }
    }

    #[test]
    fn the_facts_of_a_run_are_those_of_the_schema() {
        let schema = schema();
        let some = || Some(String::new());
        let run = crate::question::Run {
            provider: String::new(),
            repository: some(),
            repository_id: some(),
            r#ref: some(),
            sha: some(),
            workflow: some(),
            environment: some(),
            event: some(),
            actor: some(),
            run_id: some(),
            attempt: some(),
            job: some(),
        };
        let ours: BTreeSet<&str> = run.facts().map(|(name, _)| name).collect();
        assert_eq!(names(&schema["commonTypes"]["Run"]["attributes"]), ours);
    }

    #[test]
    fn actions_are_found_by_halving() {
        assert!(ACTIONS.is_sorted_by(|left, right| left.name < right.name));
        for (index, word) in ACTIONS.iter().enumerate() {
            assert_eq!(action_index(word.name), Some(index));
        }
        assert_eq!(action_index("fly"), None);
    }

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        assert_eq!(nearest("slect", ["select", "delete"]), Some("select"));
        assert_eq!(nearest("INSERT", ["select", "insert"]), Some("insert"));
        assert_eq!(nearest("xyzzy", ["select", "insert"]), None);
    }
}
