//! Cedar itself is the oracle: whatever the tables of a slice answer, Cedar must answer over the whole set,
//! with the whole hierarchy and the whole context.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail it by panicking"
)]

use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet as CedarSet,
    Request, RestrictedExpression, Schema,
};
use postern_policies::{Attribute, Context, PolicySet, Question, Reason, Resource, Run, SCHEMA, Source};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

const PRINCIPALS: [&str; 8] = [
    "principal",
    "principal is Postern::Workload",
    "principal == Postern::Workload::\"w1\"",
    "principal in Postern::Workload::\"w1\"",
    "principal == Postern::Workload::\"w2\"",
    "principal in Postern::Segment::\"s1\"",
    "principal in Postern::Segment::\"s2\"",
    "principal is Postern::Workload in Postern::Segment::\"s1\"",
];
const ACTION_SCOPES: [&str; 10] = [
    "action == Postern::Action::\"GET\"",
    "action",
    "action == Postern::Action::\"select\"",
    "action == Postern::Action::\"update\"",
    "action == Postern::Action::\"execute\"",
    "action in Postern::Action::\"write\"",
    "action in Postern::Action::\"define\"",
    "action in Postern::Action::\"execute\"",
    "action in Postern::Action::\"session\"",
    "action in [Postern::Action::\"select\", Postern::Action::\"write\", Postern::Action::\"use\"]",
];
const RESOURCES: [&str; 19] = [
    "resource",
    "resource is Postern::Table",
    "resource is Postern::Routine",
    "resource in Postern::Target::\"t\"",
    "resource == Postern::Target::\"t\"",
    "resource in Postern::Database::\"t/d\"",
    "resource == Postern::Database::\"t/d\"",
    "resource in Postern::Schema::\"t/d/s\"",
    "resource == Postern::Schema::\"t/d/s\"",
    "resource in Postern::Table::\"t/d/s/x\"",
    "resource == Postern::Table::\"t/d/s/x\"",
    "resource is Postern::Routine in Postern::Schema::\"t/d/s\"",
    "resource is Postern::Table in Postern::Database::\"t/d\"",
    "resource == Postern::Role::\"t/d\"",
    "resource == Postern::Operation::\"t/x\"",
    "resource in Postern::Tag::\"t/x\"",
    "resource is Postern::Operation in Postern::Path::\"t:/v1\"",
    "resource in Postern::Path::\"t:/v1\"",
    "resource in Postern::Path::\"t:/v1/x\"",
];
const CONDITIONS: [&str; 29] = [
    "",
    "",
    "",
    "when { context has columns && [\"id\", \"name\"].containsAll(context.columns) }",
    "unless { context has filtered && context.filtered }",
    "when { context has rows_only && context.rows_only }",
    "when { context.source.isInRange(ip(\"10.0.0.0/8\")) }",
    "when { context.now < datetime(\"2026-01-01\").offset(duration(\"1d\")) }",
    "unless { context has run && context.run has repository && context.run.repository == \"r\" }",
    "when { context.role == \"app\" } unless { context.evidence == \"token\" }",
    "when { resource has name && [\"x\", \"a/b\"].contains(resource.name) }",
    "when { resource has schema && resource.schema like \"s*\" }",
    "when { resource is Postern::Table && resource.name == \"x\" }",
    "when { resource is Postern::Table && resource.schema == \"s\" && context.role == \"app\" }",
    "when { resource is Postern::Routine && resource.name == \"x\" && 9223372036854775807 + (if context.role == \"app\" then 1 else 0) > 0 }",
    "when { 9223372036854775807 + (if context.role == \"app\" then 1 else 0) > 0 && resource is Postern::Table && resource.name == \"x\" }",
    "when { resource in Postern::Schema::\"t/d/s\" }",
    "when { action in [Postern::Action::\"write\", Postern::Action::\"define\"] }",
    "when { principal in Postern::Segment::\"s2\" }",
    "when { principal == Postern::Workload::\"w1\" || resource is Postern::Table }",
    "when { 9223372036854775807 + (if context.role == \"app\" then 1 else 0) > 0 }",
    "when { context has reset && context.reset }",
    "when { context has setting && [\"jit\", \"geqo\"].contains(context.setting) }",
    "when { context has arguments && context.arguments.contains(\"id\") }",
    "when { context has parameters && context.parameters.contains(\"id\") }",
    "when { context has numbers && context.numbers.hasTag(\"id\") && context.numbers.getTag(\"id\") > 1 }",
    "when { resource in Postern::Tag::\"t/x\" || resource in Postern::Path::\"t:/v1/x\" }",
    "when { context has value && context.value == \"on\" }",
    "when { context has kind && context.kind != \"role\" || context has class && context.class == \"user\" }",
];
const ACTIONS: [&str; 16] = [
    "use",
    "assume",
    "select",
    "insert",
    "update",
    "delete",
    "truncate",
    "lock",
    "create",
    "execute",
    "call",
    "do",
    "set",
    "transaction",
    "GET",
    "POST",
];

static SCHEMA_READ: LazyLock<Schema> = LazyLock::new(|| Schema::from_str(SCHEMA).unwrap());

static TAGS: LazyLock<[String; 2]> = LazyLock::new(|| ["x", "y z"].map(str::to_owned));

fn resources() -> Vec<Resource<'static>> {
    let table = |target, schema, name| Resource::Table {
        target,
        database: "d",
        schema,
        name,
    };
    let path = |target, name| Resource::Path { target, name };
    let operation = |name, tags, path| Resource::Operation {
        target: "t",
        name,
        tags,
        path,
    };
    vec![
        Resource::Database {
            target: "t",
            database: "d",
        },
        Resource::Database {
            target: "u",
            database: "d",
        },
        Resource::Target("t"),
        Resource::Tool {
            target: "t",
            name: "x",
        },
        operation("x", &*TAGS, "/v1/x"),
        operation("y", &*TAGS, "/v1"),
        operation("z", &[], "/v1/x/y"),
        operation("a/b", &*TAGS, "/"),
        path("t", "/v1/x/y"),
        path("t", "/"),
        path("t", "/v1"),
        path("t", "/v1/x"),
        path("t", "/v1/x/"),
        path("t", "/v1x"),
        path("u", "/"),
        path("u", "/v1"),
        Resource::Schema {
            target: "t",
            database: "d",
            schema: "s",
        },
        table("t", "s", "x"),
        table("t", "s", "y"),
        table("t", "s", "a/b"),
        table("t", "z", "x"),
        table("u", "s", "x"),
        Resource::Routine {
            target: "t",
            database: "d",
            schema: "s",
            name: "x",
        },
        Resource::Routine {
            target: "t",
            database: "d",
            schema: "z",
            name: "x",
        },
        Resource::Role {
            target: "t",
            role: "d",
        },
        Resource::Role {
            target: "t",
            role: "app",
        },
    ]
}

/// One generated question, owning what it borrows.
#[derive(Debug, Clone)]
struct Asked {
    workload: &'static str,
    segments: Vec<String>,
    action: &'static str,
    resource: usize,
    columns: Option<BTreeSet<String>>,
    rows_only: Option<bool>,
    filtered: Option<bool>,
    words: Option<&'static str>,
    numbers: BTreeMap<String, i64>,
    role: &'static str,
    source: &'static str,
    now: i64,
    evidence: &'static str,
    run: Option<Run>,
}

impl Asked {
    fn question(&self) -> Question<'_> {
        let context = Context {
            run: self.run.as_ref(),
            columns: self.columns.as_ref(),
            rows_only: self.rows_only,
            filtered: self.filtered,
            kind: self.words,
            class: self.words,
            setting: self.words,
            value: self.words,
            reset: self.filtered,
            mode: self.words,
            channel: self.words,
            language: self.words,
            arguments: self.columns.as_ref(),
            parameters: self.columns.as_ref(),
            numbers: Some(&self.numbers),
            ..Context::new(self.role, self.source.parse().unwrap(), self.now, self.evidence)
        };
        Question {
            action: self.action,
            resource: resources()[self.resource],
            context,
            whole: false,
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let who = (
        prop::sample::select(vec!["w1", "w2", "w3"]),
        prop::sample::subsequence(vec!["s1".to_owned(), "s2".to_owned()], 0..=2),
    );
    let what = (prop::sample::select(ACTIONS.to_vec()), 0..resources().len());
    let columns = prop::sample::subsequence(
        vec!["id".to_owned(), "name".to_owned(), "secret".to_owned()],
        0..=3,
    );
    let touched = (
        prop::option::weighted(0.9, columns.prop_map(BTreeSet::from_iter)),
        prop::option::weighted(0.9, any::<bool>()),
        prop::option::weighted(0.9, any::<bool>()),
        prop::option::weighted(
            0.9,
            prop::sample::select(vec!["jit", "on", "user", "role", "other"]),
        ),
    );
    let known = (
        prop::sample::select(vec!["app", "other"]),
        prop::sample::select(vec!["10.0.0.1", "192.0.2.1", "::ffff:10.0.0.1", "2001:db8::1"]),
        // About 2026-01-01 and a day later, and long before.
        prop::sample::select(vec![1_767_225_600_000, 1_767_311_999_999, 1_767_312_000_000, -1]),
        prop::sample::select(vec!["certificate", "token"]),
        prop::option::of(prop::option::of(prop::sample::select(vec!["r", "q"]))),
    );
    (who, what, touched, known).prop_map(
        |((workload, segments), (action, resource), (columns, rows_only, filtered, words), known)| {
            let (role, source, now, evidence, run) = known;
            let run = run.map(|repository| Run {
                provider: "github".to_owned(),
                repository: repository.map(str::to_owned),
                ..Run::default()
            });
            Asked {
                workload,
                segments,
                action,
                resource,
                columns,
                rows_only,
                filtered,
                numbers: words
                    .map(|word| ("id".to_owned(), word.len() as i64 - 3))
                    .into_iter()
                    .collect(),
                words,
                role,
                source,
                now,
                evidence,
                run,
            }
        },
    )
}

fn rule() -> impl Strategy<Value = String> {
    let parts = (
        prop::bool::weighted(0.7),
        prop::sample::select(PRINCIPALS.to_vec()),
        prop::sample::select(ACTION_SCOPES.to_vec()),
        prop::sample::select(RESOURCES.to_vec()),
        prop::sample::select(CONDITIONS.to_vec()),
    );
    parts.prop_map(|(permit, principal, action, resource, condition)| {
        let effect = if permit { "permit" } else { "forbid" };
        format!("{effect} ({principal}, {action}, {resource}) {condition};")
    })
}

/// The rules that load, under the names `r0`, `r1`, …; rules that can never apply do not.
fn loadable(rules: &[String]) -> Vec<String> {
    let named = |(number, rule): (usize, &String)| format!("@id(\"r{number}\") {rule}");
    let loads = |rule: &String| PolicySet::load(1, &[source(rule.clone())], &[]).is_ok();
    rules.iter().enumerate().map(named).filter(loads).collect()
}

fn source(text: String) -> Source {
    Source {
        name: "generated.cedar".to_owned(),
        text,
    }
}

fn ours(set: &PolicySet, asked: &Asked) -> (&'static str, BTreeSet<String>) {
    let answer = set
        .slice(asked.workload, &asked.segments)
        .decide(&asked.question());
    let rules = answer.rules.iter().map(|rule| rule.name.to_string()).collect();
    let verdict = match answer.reason {
        None => "permitted",
        Some(Reason::NoRule) => "no rule",
        Some(Reason::Forbidden(_)) => "forbidden",
        Some(Reason::Error(_)) => "error",
    };
    (verdict, rules)
}

fn cedars(rules: &[String], asked: &Asked) -> (&'static str, BTreeSet<String>) {
    let set = CedarSet::from_str(&rules.join("\n")).unwrap();
    let question = asked.question();
    let resource = uid(question.resource.kind_name(), &question.resource.id());
    let action = uid("Action", asked.action);
    let workload = EntityTypeName::from_str("Postern::Workload").unwrap();
    let kind = resource.type_name().clone();
    let mut applicable = SCHEMA_READ.actions_for_principal_and_resource(&workload, &kind);
    if !applicable.any(|known| *known == action) {
        return ("no rule", BTreeSet::new());
    }
    let request = Request::new(
        uid("Workload", asked.workload),
        action,
        resource,
        full_context(asked),
        None,
    )
    .unwrap();
    let response = Authorizer::new().is_authorized(&request, &set, &entities(asked));
    let name = |id: &cedar_policy::PolicyId| set.annotation(id, "id").unwrap().to_owned();
    let errors: BTreeSet<String> = response
        .diagnostics()
        .errors()
        .map(|error| match error {
            cedar_policy::AuthorizationError::PolicyEvaluationError(error) => name(error.policy_id()),
        })
        .collect();
    let reasons: BTreeSet<String> = response.diagnostics().reason().map(name).collect();
    match response.decision() {
        _ if !errors.is_empty() => ("error", errors),
        Decision::Allow => ("permitted", reasons),
        Decision::Deny if reasons.is_empty() => ("no rule", reasons),
        Decision::Deny => ("forbidden", reasons),
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let kind = EntityTypeName::from_str(&format!("Postern::{kind}")).unwrap();
    EntityUid::from_type_name_and_id(kind, EntityId::new(id))
}

/// Every entity there is, checked against the schema, which adds the actions.
fn entities(asked: &Asked) -> Entities {
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let entity = |kind: &str, parts: &[(&str, &str)], parent: Option<(&str, &[&str])>| {
        let id = postern_policies::entity_id(&parts.iter().map(|(_, part)| *part).collect::<Vec<_>>());
        let attributes = parts
            .iter()
            .map(|(name, part)| ((*name).to_owned(), text(part)))
            .collect();
        let parents = parent.map(|(kind, parts)| uid(kind, &postern_policies::entity_id(parts)));
        Entity::new(uid(kind, &id), attributes, HashSet::from_iter(parents)).unwrap()
    };
    let mut found = HashMap::new();
    for resource in resources() {
        let mut add = |entity: Entity| drop(found.insert(entity.uid(), entity));
        match resource {
            Resource::Database { target, database } => {
                add(entity("Target", &[("target", target)], None));
                add(entity(
                    "Database",
                    &[("target", target), ("database", database)],
                    Some(("Target", &[target])),
                ));
            }
            Resource::Schema {
                target,
                database,
                schema,
            } => {
                let parts = [("target", target), ("database", database), ("schema", schema)];
                add(entity("Schema", &parts, Some(("Database", &[target, database]))));
            }
            Resource::Table {
                target,
                database,
                schema,
                name,
            }
            | Resource::Routine {
                target,
                database,
                schema,
                name,
            } => {
                let parts = [("target", target), ("database", database), ("schema", schema)];
                add(entity("Schema", &parts, Some(("Database", &[target, database]))));
                let parts = [
                    ("target", target),
                    ("database", database),
                    ("schema", schema),
                    ("name", name),
                ];
                add(entity(
                    resource.kind_name(),
                    &parts,
                    Some(("Schema", &[target, database, schema])),
                ));
            }
            Resource::Path { target, name } => {
                let (parent, _) = name.rsplit_once('/').unwrap();
                let parent = match parent {
                    _ if name == "/" => uid("Target", target),
                    "" => uid("Path", &format!("{target}:/")),
                    parent => uid("Path", &format!("{target}:{parent}")),
                };
                let attributes = [("target", target), ("name", name)];
                let attributes = attributes.map(|(name, value)| (name.to_owned(), text(value)));
                let id = format!("{target}:{name}");
                let entity = Entity::new(uid("Path", &id), attributes.into(), [parent].into());
                add(entity.unwrap());
            }
            Resource::Role { target, role } => {
                add(entity(
                    "Role",
                    &[("target", target), ("name", role)],
                    Some(("Target", &[target])),
                ));
            }
            Resource::Target(target) => add(entity("Target", &[("target", target)], None)),
            Resource::Operation {
                target,
                name,
                tags,
                path,
            } => {
                for tag in tags {
                    let parts = [("target", target), ("name", tag)];
                    add(entity("Tag", &parts, Some(("Target", &[target]))));
                }
                let tags = tags
                    .iter()
                    .map(|tag| uid("Tag", &postern_policies::entity_id(&[target, tag])));
                let others = [uid("Target", target), uid("Path", &format!("{target}:{path}"))];
                let attributes = [("target", target), ("name", name)];
                let attributes = attributes.map(|(name, value)| (name.to_owned(), text(value)));
                let id = uid("Operation", &postern_policies::entity_id(&[target, name]));
                add(Entity::new(id, attributes.into(), tags.chain(others).collect()).unwrap());
            }
            Resource::Tool { target, name } => {
                let parts = [("target", target), ("name", name)];
                add(entity("Tool", &parts, Some(("Target", &[target]))));
            }
            other => panic!("{other:?} is not asked about here"),
        }
    }
    let segments = asked
        .segments
        .iter()
        .map(|segment| uid("Segment", segment))
        .collect();
    let workload = Entity::new_no_attrs(uid("Workload", asked.workload), segments);
    let numbers = asked.numbers.iter();
    let numbers = numbers.map(|(name, number)| (name.clone(), RestrictedExpression::new_long(*number)));
    let numbers = Entity::new_with_tags(uid("Numbers", "given"), [], [], numbers).unwrap();
    Entities::from_entities(found.into_values().chain([workload, numbers]), Some(&SCHEMA_READ)).unwrap()
}

/// Everything the action's context has, by the schema's own account.
fn full_context(asked: &Asked) -> cedar_policy::Context {
    let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
    let words = || asked.words.map(text);
    let context = asked.question().context;
    let address = context.source.to_canonical().to_string();
    let moment = jiff::Timestamp::from_millisecond(asked.now)
        .unwrap()
        .strftime("%Y-%m-%dT%H:%M:%S.%3fZ")
        .to_string();
    let run = asked.run.as_ref().map(|run| {
        let facts = run.facts().map(|(name, value)| (name.to_owned(), text(value)));
        RestrictedExpression::new_record(facts).unwrap()
    });
    let columns = asked
        .columns
        .as_ref()
        .map(|columns| RestrictedExpression::new_set(columns.iter().map(|c| text(c))));
    let touched = [
        ("columns", columns),
        ("rows_only", asked.rows_only.map(RestrictedExpression::new_bool)),
    ];
    let filtered = ("filtered", asked.filtered.map(RestrictedExpression::new_bool));
    let reset = ("reset", asked.filtered.map(RestrictedExpression::new_bool));
    let given = || {
        let given = asked.columns.iter().flatten().map(|name| text(name));
        Some(RestrictedExpression::new_set(given))
    };
    let numbers = (
        "numbers",
        Some(RestrictedExpression::new_entity_uid(uid("Numbers", "given"))),
    );
    let mut pairs = vec![
        ("role", Some(text(asked.role))),
        ("source", Some(RestrictedExpression::new_ip(address))),
        ("now", Some(RestrictedExpression::new_datetime(moment))),
        ("evidence", Some(text(asked.evidence))),
        ("run", run),
    ];
    match asked.action {
        "select" | "insert" => pairs.extend(touched),
        "update" => pairs.extend(touched.into_iter().chain([filtered])),
        "delete" => pairs.push(filtered),
        "lock" => pairs.push(("mode", words())),
        "create" => pairs.push(("kind", words())),
        "execute" | "call" => pairs.push(("class", words())),
        "do" => pairs.push(("language", words())),
        "use" => pairs.extend([("arguments", given()), numbers]),
        "GET" | "POST" => pairs.extend([("parameters", given()), numbers]),
        "set" => pairs.extend([("setting", words()), ("value", words()), reset]),
        _ => {}
    }
    let known = pairs
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    cedar_policy::Context::from_pairs(known).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_slice_answers_as_cedar_does_over_the_whole_set(
        rules in prop::collection::vec(rule(), 0..7),
        asked in prop::collection::vec(asked(), 8),
    ) {
        let rules = loadable(&rules);
        let set = PolicySet::load(1, &[source(rules.join("\n"))], &[]).unwrap();
        for asked in asked {
            prop_assert_eq!(ours(&set, &asked), cedars(&rules, &asked), "{:#?}\n{:?}", rules, asked);
        }
    }

    #[test]
    fn what_a_slice_does_not_read_does_not_change_its_answer(
        rules in prop::collection::vec(rule(), 0..7),
        one in asked(),
        other in asked(),
    ) {
        let rules = loadable(&rules);
        let set = PolicySet::load(1, &[source(rules.join("\n"))], &[]).unwrap();
        let reads = set.slice(one.workload, &one.segments).reads(one.action);
        let mut changed = one.clone();
        for attribute in Attribute::ALL.into_iter().filter(|attribute| !reads.contains(*attribute)) {
            match attribute {
                Attribute::Role => changed.role = other.role,
                Attribute::Source => changed.source = other.source,
                Attribute::Now => changed.now = other.now,
                Attribute::Run => changed.run = other.run.clone(),
                Attribute::Evidence => changed.evidence = other.evidence,
                Attribute::Columns => changed.columns = other.columns.clone(),
                Attribute::RowsOnly => changed.rows_only = other.rows_only,
                Attribute::Filtered if !reads.contains(Attribute::Reset) => changed.filtered = other.filtered,
                _ => {}
            }
        }
        prop_assert_eq!(ours(&set, &one), ours(&set, &changed), "{:#?}\n{:?}", rules, one);
    }
}
