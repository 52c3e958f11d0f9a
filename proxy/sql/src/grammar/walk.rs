//! The visitor's state, and what every family of statements needs of it.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::list::NodeList;
use pg_raw_parse::nodes::RangeVar;

use super::Budget;
use crate::effect::{Action, Detail, Effect, Object};
use crate::ledger::{Kin, Ledger, Named, UseId};
use crate::names::{Candidate, Names};
use crate::routines::Class;
use crate::scope::Scopes;
use crate::{Reading, Rejection};

/// One text being looked at.
pub(super) struct Walk<'t> {
    pub text: &'t str,
    pub reading: Reading<'t>,
    pub names: Names<'t>,
    pub scopes: Scopes<'t>,
    pub ledger: Ledger<'t>,
    pub budget: Budget,
    /// Tables named ONLY, and tables named with their descendants, in the statement at hand.
    pub only: BTreeSet<(Arc<str>, Arc<str>)>,
    pub with_descendants: BTreeSet<(Arc<str>, Arc<str>)>,
    /// What the statements so far make of names, in force from the next statement on.
    pub declarations: Vec<Declaration<'t>>,
    /// The parameters that name a setting to show, by their numbers and places.
    pub settings_named: BTreeSet<(u16, usize)>,
}

/// Something that changes what names mean for the statements after it.
pub(super) enum Declaration<'t> {
    Relation {
        schema: Arc<str>,
        name: Cow<'t, str>,
        columns: Option<Vec<Cow<'t, str>>>,
    },
    /// A relation that is known under another name or place from here on.
    Moved {
        from: Candidate<'t>,
        schema: Arc<str>,
        name: &'t str,
    },
    Removed {
        schema: Arc<str>,
        name: String,
    },
    Altered {
        schema: Arc<str>,
        name: String,
    },
    ColumnsMoved {
        schema: Arc<str>,
        name: String,
    },
    Routine {
        schema: Arc<str>,
        name: String,
    },
    Type {
        schema: Arc<str>,
        name: String,
    },
    Operator {
        schema: Arc<str>,
        name: String,
    },
    Schema(Arc<str>),
    /// The search path gets these names; `None` where only the server knows them.
    Path(Option<Vec<String>>),
    /// Qualified names may have moved as well.
    Unsettled,
}

impl<'t> Walk<'t> {
    pub(super) fn new(text: &'t str, reading: Reading<'t>) -> Self {
        Self {
            text,
            reading,
            names: Names::new(&reading),
            scopes: Scopes::default(),
            ledger: Ledger::default(),
            budget: Budget::default(),
            only: BTreeSet::new(),
            with_descendants: BTreeSet::new(),
            declarations: Vec::new(),
            settings_named: BTreeSet::new(),
        }
    }

    /// Makes the declarations of the statement that is over count for the next.
    pub(super) fn declare(&mut self) -> Result<(), Rejection> {
        for declaration in std::mem::take(&mut self.declarations) {
            match declaration {
                Declaration::Relation {
                    schema,
                    name,
                    columns,
                } => {
                    self.names.declare_relation(schema, name, columns);
                }
                Declaration::Moved { from, schema, name } => self.names.declare_moved(&from, schema, name),
                Declaration::Removed { schema, name } => self.names.declare_removed(schema, &name),
                Declaration::Altered { schema, name } => self.names.declare_altered(schema, &name),
                Declaration::ColumnsMoved { schema, name } => self.names.declare_columns_moved(schema, &name),
                Declaration::Routine { schema, name } => self.names.declare_routine(schema, &name),
                Declaration::Type { schema, name } => self.names.declare_type(schema, &name),
                Declaration::Operator { schema, name } => self.names.declare_operator(schema, &name),
                Declaration::Schema(schema) => self.names.declare_schema(schema)?,
                Declaration::Unsettled => self.names.declare_unsettled(),
                Declaration::Path(names) => self.names.declare_path(names, self.reading.role)?,
            }
        }
        Ok(())
    }

    pub(super) fn kin(&self) -> Kin<'t> {
        let only = self.only.difference(&self.with_descendants).cloned().collect();
        Kin {
            catalogue: self.reading.catalogue,
            only,
        }
    }

    /// The relations that a name in the text may mean.
    pub(super) fn relations(&mut self, relation: &'t RangeVar) -> Result<Vec<Candidate<'t>>, Rejection> {
        let name = relation.relname().unwrap_or_default();
        let candidates = self.names.relations(relation.schemaname(), name)?;
        let marks = if relation.inh {
            &mut self.with_descendants
        } else {
            &mut self.only
        };
        for candidate in &candidates {
            marks.insert((candidate.schema.clone(), Arc::from(candidate.name)));
        }
        Ok(candidates)
    }

    pub(super) fn read(&mut self, candidates: Vec<Candidate<'t>>, named: Named) -> UseId {
        self.ledger.read(candidates, named)
    }

    pub(super) fn on_database(&mut self, action: Action, detail: Detail) {
        self.ledger.add(Effect::with(action, Object::Database, detail));
    }

    /// A `define` effect on a relation.
    pub(super) fn define(&mut self, action: Action, kind: &'static str, candidates: &[Candidate<'t>]) {
        let effect = Effect::with(action, Object::Database, Detail::Kind(kind));
        self.ledger.add_on(candidates, &effect);
    }

    pub(super) fn execute(&mut self, schema: Arc<str>, name: &str, class: Class) {
        let object = Object::Routine {
            schema,
            name: Arc::from(name),
        };
        if matches!(class, Class::User | Class::Unknown | Class::RunsSql) {
            self.ledger.leaves_something = true;
            self.ledger.moves_names = true;
        }
        self.ledger
            .add(Effect::with(Action::Execute, object, Detail::Class(class)));
    }

    pub(super) fn not_known(&self, what: &str, node: &Node<'_>) -> Rejection {
        let kind = format!("{node:?}");
        let kind = kind.split(['(', ' ']).next().unwrap_or_default();
        if kind == "Invalid" {
            return Rejection::not_understood(format!(
                "{what} is of a kind that cannot be judged, as CREATE FOREIGN TABLE is: \
                 let an operator run it at the target itself"
            ));
        }
        Rejection::not_understood(format!(
            "{what} `{kind}` is not in the list of what can be judged"
        ))
    }
}

/// The strings of a list of names, such as a qualified name.
pub(super) fn strings(list: &NodeList) -> Vec<&str> {
    list.iter().filter_map(Node::as_str).collect()
}

/// A qualified name's schema and last part.
pub(super) fn qualified<'t>(parts: &[&'t str]) -> (Option<&'t str>, &'t str) {
    match parts {
        [.., schema, name] => (Some(schema), name),
        [name] => (None, name),
        [] => (None, ""),
    }
}
