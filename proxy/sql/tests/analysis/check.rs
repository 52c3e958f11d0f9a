//! The catalogue that the tests share, and the one way to state what a text is expected to do.

use std::collections::{BTreeMap, BTreeSet};

use postern_sql::{
    Action, Analysis, Catalogue, Detail, Effect, Object, Reading, Rejection, Relation, RelationKind, Schema,
    analyse,
};

pub const CUSTOMERS: &[&str] = &["id", "name", "country", "ssn", "email"];

fn relation(kind: RelationKind, columns: &[&str]) -> Relation {
    Relation {
        kind,
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
        ..Relation::default()
    }
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn child_of(parent: &str, columns: &[&str]) -> Relation {
    let parents = vec![("public".to_owned(), parent.to_owned())];
    Relation {
        parents,
        ..relation(RelationKind::Table, columns)
    }
}

pub fn catalogue() -> Catalogue {
    let events = &["id", "at", "body"];
    let public = Schema {
        relations: BTreeMap::from([
            ("customers".to_owned(), relation(RelationKind::Table, CUSTOMERS)),
            (
                "orders".to_owned(),
                Relation {
                    references: vec![("public".to_owned(), "customers".to_owned())],
                    ..relation(RelationKind::Table, &["id", "customer_id", "total", "state"])
                },
            ),
            (
                "events".to_owned(),
                relation(RelationKind::PartitionedTable, events),
            ),
            ("events_2024".to_owned(), child_of("events", events)),
            ("events_2025".to_owned(), child_of("events", events)),
            (
                "customer_names".to_owned(),
                relation(RelationKind::View, &["id", "name"]),
            ),
            (
                "orders_id_seq".to_owned(),
                relation(RelationKind::Sequence, &["last_value", "log_cnt", "is_called"]),
            ),
            (
                "customers_pkey".to_owned(),
                Relation {
                    serves: Some(("public".to_owned(), "customers".to_owned())),
                    ..relation(RelationKind::Index, &["id"])
                },
            ),
            (
                "watched".to_owned(),
                Relation {
                    runs_code: true,
                    ..relation(RelationKind::Table, &["id", "value"])
                },
            ),
        ]),
        routines: names(&["evil", "lower", "total_of"]),
        operators: names(&["===", "<"]),
        types: names(&["mood"]),
        casts: BTreeMap::from([(
            "mood".to_owned(),
            BTreeSet::from([("public".to_owned(), "mood_of_text".to_owned())]),
        )]),
        ..Schema::default()
    };
    let secret = Schema {
        relations: BTreeMap::from([
            (
                "payroll".to_owned(),
                relation(RelationKind::Table, &["id", "ssn", "amount"]),
            ),
            (
                "customers".to_owned(),
                relation(RelationKind::Table, &["id", "ssn"]),
            ),
        ]),
        routines: names(&["peek"]),
        operators: names(&["@@@"]),
        types: names(&["grade"]),
        ..Schema::default()
    };
    Catalogue {
        database: "orders".to_owned(),
        server_version: 180_000,
        version: 1,
        schemas: BTreeMap::from([
            ("public".to_owned(), public.into()),
            ("secret".to_owned(), secret.into()),
        ]),
        ..Catalogue::default()
    }
}

pub fn analysed_with(text: &str, catalogue: &Catalogue, path: &[&str]) -> Result<Analysis, Rejection> {
    let search_path: Vec<String> = path.iter().map(|schema| (*schema).to_owned()).collect();
    let reading = Reading {
        catalogue,
        search_path: &search_path,
        role: "app",
        standard_conforming_strings: true,
    };
    analyse(text, &reading)
}

pub fn analysed(text: &str) -> Result<Analysis, Rejection> {
    analysed_with(text, &catalogue(), &["pg_catalog", "public"])
}

/// The effects of a text, one line each, without the `use` that everything has; implied ones start with `~`.
pub fn effects_of(analysis: &Analysis) -> Vec<String> {
    let mut lines = Vec::new();
    for statement in &analysis.statements {
        assert_eq!(
            statement.effects.first().map(|effect| effect.action),
            Some(Action::Use),
            "{statement:?}"
        );
        lines.extend(statement.effects.iter().skip(1).map(line));
    }
    lines
}

fn line(effect: &Effect) -> String {
    let mut line = String::new();
    if effect.implied {
        line.push('~');
    }
    line.push_str(effect.action.name());
    line.push(' ');
    line.push_str(&match &effect.object {
        Object::Database => "database".to_owned(),
        Object::Schema(schema) => format!("schema {schema}"),
        Object::Table { schema, name } | Object::Routine { schema, name } => format!("{schema}.{name}"),
        Object::Role(role) => format!("role {role}"),
        Object::EveryTable => "everything".to_owned(),
    });
    let columns: Vec<&str> = effect.columns.iter().map(|column| &**column).collect();
    if !columns.is_empty() {
        line.push_str(&format!("({})", columns.join(",")));
    }
    if effect.rows_only {
        line.push_str(" rows");
    }
    match effect.filtered {
        Some(true) => line.push_str(" filtered"),
        Some(false) => line.push_str(" unfiltered"),
        None => {}
    }
    match &effect.detail {
        Detail::None => {}
        Detail::Kind(kind) => line.push_str(&format!(" [{kind}]")),
        Detail::Class(class) => line.push_str(&format!(" <{class}>")),
        Detail::Setting {
            name,
            value: Some(value),
        } => line.push_str(&format!(" {name}={value}")),
        Detail::Setting { name, value: None } => line.push_str(&format!(" {name}")),
        Detail::SettingOf(parameter) => line.push_str(&format!(" ${parameter}")),
        Detail::Reset(name) => line.push_str(&format!(" {name} back")),
        Detail::Mode(mode) => line.push_str(&format!(" {mode}")),
        Detail::Channel(Some(channel)) => line.push_str(&format!(" channel {channel}")),
        Detail::Channel(None) => line.push_str(" channel ?"),
        Detail::Language(language) => line.push_str(&format!(" language {language}")),
    }
    line
}

/// States exactly what a text does: effects separated by `; `, in any order.
#[track_caller]
pub fn check(text: &str, expected: &str) {
    check_on(text, &["pg_catalog", "public"], expected);
}

#[track_caller]
pub fn check_on(text: &str, path: &[&str], expected: &str) {
    let analysis =
        analysed_with(text, &catalogue(), path).unwrap_or_else(|rejection| panic!("{text}: {rejection}"));
    let mut found = effects_of(&analysis);
    let mut wanted: Vec<String> = expected
        .split("; ")
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect();
    found.sort();
    found.dedup();
    wanted.sort();
    assert_eq!(found.join("; "), wanted.join("; "), "{text}");
}

/// States that a text parses but is not understood, and a part of why.
#[track_caller]
pub fn check_not_understood(text: &str, part: &str) {
    match analysed(text) {
        Err(Rejection::NotUnderstood { what, .. }) => assert!(what.contains(part), "{text}: {what}"),
        other => panic!("{text}: {other:?}"),
    }
}
