//! Who asks, where, under which rules, and what the policies answer them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use postern_policies::{Answer, Context, Question, Resource, Run, Slice};
use postern_sql::{Detail, Effect, Object};

use super::words::{detail_of, worded};
use super::{Judged, Reading};
use crate::audit;
use crate::refusal::Refusal;

/// Who asks, where, under which rules. Equal views are one value.
#[derive(Debug)]
pub struct View {
    pub(super) id: u64,
    pub(super) slice: Arc<Slice>,
    pub(super) facts: ViewFacts,
    pub(super) keep_raw_text: bool,
}

impl View {
    pub fn policy_epoch(&self) -> u64 {
        self.facts.policy_epoch
    }

    /// Whether it may read every column of every relation that the statements name: only then may
    /// it see what the server quotes from rows in its errors.
    pub fn may_read_all(&self, reading: &Reading, judged: &Judged) -> bool {
        judged
            .analysis
            .statements
            .iter()
            .flat_map(|statement| &statement.relations)
            .all(|(schema, name)| {
                let relation = reading.catalogue.relation(schema, name);
                let columns: BTreeSet<String> = match relation {
                    Some(relation) => relation.columns.iter().cloned().collect(),
                    None => BTreeSet::from(["*".to_owned()]),
                };
                let facts = &self.facts;
                let mut context = context(facts);
                context.columns = Some(&columns);
                context.rows_only = Some(false);
                let resource = Resource::Table {
                    target: &facts.target,
                    database: &facts.database,
                    schema,
                    name,
                };
                self.slice
                    .decide(&Question {
                        action: "select",
                        resource,
                        context,
                        whole: false,
                    })
                    .permitted
            })
    }

    /// Whether the workload may be in this database under this role at all; asked when a session opens.
    pub fn may_enter(&self) -> Result<(), Refusal> {
        let facts = &self.facts;
        let database = Resource::Database {
            target: &facts.target,
            database: &facts.database,
        };
        let role = Resource::Role {
            target: &facts.target,
            role: &facts.role,
        };
        let asked = [
            ("use", database, "use the database"),
            ("assume", role, "assume the role"),
        ];
        for (action, resource, words) in asked {
            let answer = self.slice.decide(&Question {
                action,
                resource,
                context: context(facts),
                whole: false,
            });
            if !answer.permitted {
                let name = if action == "use" {
                    &facts.database
                } else {
                    &facts.role
                };
                let message = format!("workload `{}` may not {words} `{name}`", facts.workload);
                return Err(worded(message, vec![detail_of(&answer)], answer.hint));
            }
        }
        Ok(())
    }
}

/// Everything beside the statement that a decision may hang on, but for the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewFacts {
    pub policy_epoch: u64,
    pub workload: String,
    pub segments: Vec<String>,
    pub target: String,
    pub database: String,
    pub role: String,
    pub source: IpAddr,
    pub evidence: &'static str,
    pub run: Option<Run>,
}

pub(super) fn ask(view: &View, effect: &Effect) -> Answer {
    let facts = &view.facts;
    let columns: BTreeSet<String> = effect.columns.iter().map(ToString::to_string).collect();
    let mut context = context(facts);
    context.columns = Some(&columns);
    context.rows_only = Some(effect.rows_only);
    context.filtered = effect.filtered;
    match &effect.detail {
        Detail::None => {}
        Detail::Kind(kind) => context.kind = Some(kind),
        Detail::Class(class) => context.class = Some(class.name()),
        Detail::Setting { name, value } => {
            context.setting = Some(name);
            context.value = value.as_deref();
            context.reset = Some(false);
        }
        Detail::SettingOf(_) => {
            context.setting = Some("*");
            context.reset = Some(false);
        }
        Detail::Reset(name) => {
            context.setting = Some(name);
            context.reset = Some(true);
        }
        Detail::Mode(mode) => context.mode = Some(mode),
        Detail::Channel(channel) => context.channel = Some(channel.as_deref().unwrap_or("*")),
        Detail::Language(language) => context.language = Some(language),
    }
    // What only the server will know may be whatever a rule forbids.
    let whole = effect.object == Object::EveryTable
        || matches!(&effect.detail, Detail::Setting { name, .. } if &**name == "*")
        || matches!(effect.detail, Detail::SettingOf(_) | Detail::Channel(None));
    let question = Question {
        action: effect.action.name(),
        resource: resource(facts, &effect.object),
        context,
        whole,
    };
    view.slice.decide(&question)
}

fn context(facts: &ViewFacts) -> Context<'_> {
    let mut context = Context::new(&facts.role, facts.source, audit::now_us() / 1_000, facts.evidence);
    context.run = facts.run.as_ref();
    context
}

pub(super) fn resource<'a>(facts: &'a ViewFacts, object: &'a Object) -> Resource<'a> {
    let (target, database) = (facts.target.as_str(), facts.database.as_str());
    match object {
        Object::Database | Object::EveryTable => Resource::Database { target, database },
        Object::Schema(schema) => Resource::Schema {
            target,
            database,
            schema,
        },
        Object::Table { schema, name } => Resource::Table {
            target,
            database,
            schema,
            name,
        },
        Object::Routine { schema, name } => Resource::Routine {
            target,
            database,
            schema,
            name,
        },
        Object::Role(role) => Resource::Role { target, role },
    }
}
