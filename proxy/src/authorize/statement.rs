//! What a statement asks of the policies, and how it is told.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use postern_link::wire::{Effect as RecordedEffect, Record};
use postern_policies::{Answer, Question, Resource, Slice};
use postern_sql::{Action, Analysis, Detail, Effect, Object, Rejection};

use super::answered::Answered;
use super::view::context;
use super::{Asks, Authorizer, Judged, Reading, View, ViewFacts};
use crate::audit;
use crate::refusal::{Reason, Refusal};

impl Asks for Effect {
    fn action(&self) -> &'static str {
        self.action.name()
    }

    fn ask(&self, view: &View, slice: &Slice) -> Answer {
        let facts = &view.facts;
        let columns: BTreeSet<String> = self.columns.iter().map(ToString::to_string).collect();
        let mut context = context(facts);
        context.columns = Some(&columns);
        context.rows_only = Some(self.rows_only);
        context.filtered = self.filtered;
        match &self.detail {
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
        let whole = self.object == Object::EveryTable
            || matches!(&self.detail, Detail::Setting { name, .. } if &**name == "*")
            || matches!(self.detail, Detail::SettingOf(_) | Detail::Channel(None));
        let question = Question {
            action: self.action.name(),
            resource: resource(facts, &self.object),
            context,
            whole,
        };
        slice.decide(&question)
    }

    fn words(&self) -> String {
        let object = match &self.object {
            Object::Database => "the database".to_owned(),
            Object::EveryTable => "every table".to_owned(),
            Object::Schema(schema) => format!("schema {schema}"),
            Object::Table { schema, name } | Object::Routine { schema, name } => format!("{schema}.{name}"),
            Object::Role(role) => format!("role {role}"),
        };
        let columns = self
            .columns
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        let action = self.action.name();
        match &self.detail {
            Detail::Kind(kind) => format!("{action} {kind} in {object}"),
            Detail::Setting {
                name,
                value: Some(value),
            } => format!("{action} setting {name} to {value}"),
            Detail::Setting { name, value: None } => format!("{action} setting {name}"),
            Detail::SettingOf(parameter) => format!("{action} the setting that parameter {parameter} names"),
            Detail::Reset(name) if &**name == "*" => "reset every setting".to_owned(),
            Detail::Reset(name) => format!("reset setting {name}"),
            Detail::Class(class) => format!("{action} {object}, a routine of class {}", class.name()),
            Detail::Mode(mode) => format!("{action} {object} in {mode} mode"),
            Detail::Channel(_) | Detail::Language(_) | Detail::None if columns.is_empty() => {
                match self.filtered {
                    Some(false) => format!("{action} {object} without a filter on its rows"),
                    _ => format!("{action} {object}"),
                }
            }
            Detail::Channel(_) | Detail::Language(_) | Detail::None => match self.filtered {
                Some(false) => format!("{action} {columns} of {object} without a filter on its rows"),
                _ => format!("{action} {columns} of {object}"),
            },
        }
    }

    fn recorded(&self, facts: &ViewFacts) -> RecordedEffect {
        let resource = resource(facts, &self.object);
        RecordedEffect {
            action: self.action.name().to_owned(),
            resource: format!("{}::\"{}\"", resource.kind_name(), resource.id()),
            columns: self.columns.iter().map(ToString::to_string).collect(),
            detail: match &self.detail {
                Detail::None => String::new(),
                Detail::Kind(word) | Detail::Mode(word) => (*word).to_owned(),
                Detail::Class(class) => class.name().to_owned(),
                // A value may be a secret; the name says enough.
                Detail::Setting { name, .. } | Detail::Reset(name) => name.to_string(),
                Detail::SettingOf(_) => "*".to_owned(),
                Detail::Channel(channel) => channel.as_deref().unwrap_or("*").to_owned(),
                Detail::Language(language) => language.to_string(),
            },
        }
    }

    fn is_implied(&self) -> bool {
        self.implied
    }
}

impl View {
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
                self.slices
                    .enforced
                    .decide(&Question {
                        action: "select",
                        resource,
                        context,
                        whole: false,
                    })
                    .permitted
            })
    }
}

impl Authorizer {
    /// The record's fields that a text gives, beside those of the answer to it.
    pub(super) fn statement_part(
        &self,
        view: &View,
        reading: &Reading,
        text: &str,
        analysis: &Analysis,
        answered: &Answered,
    ) -> Vec<u8> {
        let keeps_body = defines_routine(analysis) && !answered.is_refused();
        let raw_text = if view.keep_raw_text || keeps_body {
            text.to_owned()
        } else {
            String::new()
        };
        audit::part(&Record {
            text: postern_sql::redact(text, reading.standard_conforming_strings),
            text_digest: hmac::sign(&self.digest_key, text.as_bytes()).as_ref().to_vec(),
            raw_text,
            catalogue_version: reading.catalogue.version,
            search_path: reading.search_path.join(", "),
            ..Record::default()
        })
    }
}

/// The body of a routine is code that stays behind: its text is kept as it was sent.
fn defines_routine(analysis: &Analysis) -> bool {
    effects(analysis).any(|effect| {
        effect.action == Action::Create && matches!(effect.detail, Detail::Kind("function" | "procedure"))
    })
}

pub(super) fn effects(analysis: &Analysis) -> impl Iterator<Item = &Effect> + Clone {
    analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
}

fn resource<'a>(facts: &'a ViewFacts, object: &'a Object) -> Resource<'a> {
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

pub(super) fn rejected(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Syntax {
            message, position, ..
        } => located(Refusal::new(Reason::Syntax, message), position),
        Rejection::NotUnderstood { what, position } => {
            let message = "this statement cannot be judged, so it is refused";
            located(
                Refusal::new(Reason::NotUnderstood, message).detail(what),
                position,
            )
        }
        Rejection::TooLarge { limit, limit_count } => {
            Refusal::new(Reason::NotUnderstood, "this statement is too large to be judged")
                .detail(format!("the limit is {limit_count} {limit}"))
        }
    }
}

fn located(refusal: Refusal, position: Option<usize>) -> Refusal {
    match position {
        Some(position) => refusal.at(position),
        None => refusal,
    }
}
