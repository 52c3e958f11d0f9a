//! What exists in the database, as far as names need it; read by the gateway, or from a file with `--catalog`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

/// The names of one database at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    pub database: String,
    /// As `server_version_num` reports it, such as 150018.
    pub server_version: u32,
    /// Counts readings of the catalogue; part of a judgement's reading.
    #[serde(default)]
    pub version: u64,
    /// Shared between readings, since most of them do not change.
    #[serde(default)]
    pub schemas: BTreeMap<String, Arc<Schema>>,
    /// Built on first use: a catalogue is not changed in place once something was analysed with it.
    #[serde(skip)]
    pub descent: LazyDescent,
}

/// Who inherits from whom, downwards; a copy of a catalogue starts without it, so a copy may be changed.
#[derive(Debug, Default)]
pub struct LazyDescent(OnceLock<Descent>);

#[derive(Debug, Default)]
struct Descent {
    children: Links,
    referrers: Links,
}

/// From a relation's schema and name to others.
type Links = BTreeMap<String, BTreeMap<String, Vec<(String, String)>>>;

/// Everything that links lead to, each once.
fn follow<'c>(links: &'c Links, from: (&'c str, &'c str)) -> Vec<(&'c str, &'c str)> {
    let mut found: Vec<(&str, &str)> = Vec::new();
    let mut seen = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some((schema, name)) = open.pop() {
        let next = links.get(schema).and_then(|names| names.get(name));
        for (schema, name) in next.into_iter().flatten() {
            let linked = (schema.as_str(), name.as_str());
            if seen.insert(linked) {
                found.push(linked);
                open.push(linked);
            }
        }
    }
    found
}

impl Clone for LazyDescent {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for LazyDescent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LazyDescent {}

/// The names of one schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// Everything in `pg_class`: tables, views, sequences, indexes, composite types.
    #[serde(default)]
    pub relations: BTreeMap<String, Relation>,
    /// Functions, procedures, aggregates and window functions.
    #[serde(default)]
    pub routines: BTreeSet<String>,
    #[serde(default)]
    pub operators: BTreeSet<String>,
    /// Types other than the row types of relations.
    #[serde(default)]
    pub types: BTreeSet<String>,
    /// For types of this schema: the routines outside `pg_catalog` that a cast to the type may run.
    #[serde(default)]
    pub casts: BTreeMap<String, BTreeSet<(String, String)>>,
    /// Numbers of types that users made, arrays and row types too, whose values only PostgreSQL's own code reads.
    #[serde(default)]
    pub types_quiet: BTreeSet<u32>,
    /// Those whose values somebody's code reads, by number: a domain with a check, and all that is made of one.
    #[serde(default)]
    pub types_running: BTreeMap<u32, String>,
}

/// One relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relation {
    #[serde(default)]
    pub kind: RelationKind,
    /// In order of attribute number, without dropped and without system columns; empty where unknown.
    #[serde(default)]
    pub columns: Vec<String>,
    /// What it inherits from or is a partition of, as (schema, name).
    #[serde(default)]
    pub parents: Vec<(String, String)>,
    /// For an index or a TOAST table: the relation it serves.
    #[serde(default)]
    pub serves: Option<(String, String)>,
    /// The tables that its foreign keys lead to, as (schema, name).
    #[serde(default)]
    pub references: Vec<(String, String)>,
    /// Touching it runs code outside `pg_catalog` that the text does not show: triggers, rules, policies,
    /// defaults, checks, or a view that calls such a routine. A session that touched it is no longer clean.
    #[serde(default)]
    pub runs_code: bool,
}

/// What kind a relation is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    #[default]
    Table,
    PartitionedTable,
    View,
    MaterializedView,
    Sequence,
    Index,
    ForeignTable,
    CompositeType,
    Toast,
}

impl RelationKind {
    /// The kind that one letter of `pg_class.relkind` stands for.
    pub fn from_relkind(letter: char) -> Option<Self> {
        Some(match letter {
            'r' => Self::Table,
            'p' => Self::PartitionedTable,
            'v' => Self::View,
            'm' => Self::MaterializedView,
            'S' => Self::Sequence,
            'i' | 'I' => Self::Index,
            'f' => Self::ForeignTable,
            'c' => Self::CompositeType,
            't' => Self::Toast,
            _ => return None,
        })
    }
}

impl Catalogue {
    pub fn relation(&self, schema: &str, name: &str) -> Option<&Relation> {
        self.schemas.get(schema)?.relations.get(name)
    }

    /// Every relation below the given one by inheritance or partitioning.
    pub(crate) fn descendants<'c>(&'c self, schema: &'c str, name: &'c str) -> Vec<(&'c str, &'c str)> {
        follow(&self.descent().children, (schema, name))
    }

    /// Every table whose foreign keys lead to the given one, directly or through others.
    pub(crate) fn referrers<'c>(&'c self, schema: &'c str, name: &'c str) -> Vec<(&'c str, &'c str)> {
        follow(&self.descent().referrers, (schema, name))
    }

    fn descent(&self) -> &Descent {
        self.descent.0.get_or_init(|| {
            let mut descent = Descent::default();
            for (schema, known) in &self.schemas {
                for (name, relation) in &known.relations {
                    let own = (schema.clone(), name.clone());
                    for (schema, parent) in &relation.parents {
                        let siblings = descent.children.entry(schema.clone()).or_default();
                        siblings.entry(parent.clone()).or_default().push(own.clone());
                    }
                    for (schema, referenced) in &relation.references {
                        let referrers = descent.referrers.entry(schema.clone()).or_default();
                        referrers.entry(referenced.clone()).or_default().push(own.clone());
                    }
                }
            }
            descent
        })
    }

    pub fn is_user_routine(&self, schema: &str, name: &str) -> bool {
        self.schemas
            .get(schema)
            .is_some_and(|schema| schema.routines.contains(name))
    }
}
