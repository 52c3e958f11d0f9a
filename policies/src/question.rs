//! What is asked: one action on one resource, and what is known of the call. Plain borrowed data.

use crate::identifier::{entity_id, push_part};
use crate::vocabulary::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// May this workload do this action to this resource?
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub action: &'a str,
    pub resource: Resource<'a>,
    pub context: Context<'a>,
    /// The action may touch anything below the resource, or any setting or channel: then no rule may forbid it anywhere.
    pub whole: bool,
}

/// The thing that is touched, by the names it really has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource<'a> {
    Target(&'a str),
    Database {
        target: &'a str,
        database: &'a str,
    },
    Schema {
        target: &'a str,
        database: &'a str,
        schema: &'a str,
    },
    Table {
        target: &'a str,
        database: &'a str,
        schema: &'a str,
        name: &'a str,
    },
    Routine {
        target: &'a str,
        database: &'a str,
        schema: &'a str,
        name: &'a str,
    },
    Role {
        target: &'a str,
        role: &'a str,
    },
    Operation {
        target: &'a str,
        name: &'a str,
        tags: &'a [String],
        /// That of the request, in its [one spelling](crate::path::normalised).
        path: &'a str,
    },
    Path {
        target: &'a str,
        /// In its [one spelling](crate::path::normalised).
        name: &'a str,
    },
    Tool {
        target: &'a str,
        name: &'a str,
    },
    Prompt {
        target: &'a str,
        name: &'a str,
    },
    /// What an MCP server calls a resource, by its URI.
    Resource {
        target: &'a str,
        name: &'a str,
    },
}

/// What is known of the call. An attribute that its action does not have is ignored.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The upstream role.
    pub role: &'a str,
    pub source: IpAddr,
    /// Milliseconds since 1970; the caller reads the clock.
    pub now: i64,
    /// `certificate` or `token`.
    pub evidence: &'a str,
    pub run: Option<&'a Run>,
    pub columns: Option<&'a BTreeSet<String>>,
    pub rows_only: Option<bool>,
    pub filtered: Option<bool>,
    pub kind: Option<&'a str>,
    pub class: Option<&'a str>,
    pub setting: Option<&'a str>,
    pub value: Option<&'a str>,
    /// On `set`: the setting goes back to what the session began with.
    pub reset: Option<bool>,
    pub mode: Option<&'a str>,
    pub channel: Option<&'a str>,
    pub language: Option<&'a str>,
    /// Of a tool's declared arguments those that are given, each as `name=value`.
    pub arguments: Option<&'a BTreeSet<String>>,
    /// Of an operation's declared parameters those that are given, each as `name=value`.
    pub parameters: Option<&'a BTreeSet<String>>,
    /// The whole numbers among the arguments or parameters, by name.
    pub numbers: Option<&'a BTreeMap<String, i64>>,
}

impl<'a> Context<'a> {
    /// What every action's context has; the rest is filled in by the caller.
    pub fn new(role: &'a str, source: IpAddr, now: i64, evidence: &'a str) -> Self {
        Context {
            role,
            source,
            now,
            evidence,
            run: None,
            columns: None,
            rows_only: None,
            filtered: None,
            kind: None,
            class: None,
            setting: None,
            value: None,
            reset: None,
            mode: None,
            channel: None,
            language: None,
            arguments: None,
            parameters: None,
            numbers: None,
        }
    }
}

/// The facts of a pipeline run, from its verified token only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Run {
    pub provider: String,
    pub repository: Option<String>,
    pub repository_id: Option<String>,
    pub r#ref: Option<String>,
    pub sha: Option<String>,
    pub workflow: Option<String>,
    pub environment: Option<String>,
    pub event: Option<String>,
    pub actor: Option<String>,
    pub run_id: Option<String>,
    pub attempt: Option<String>,
    pub job: Option<String>,
}

impl Run {
    /// The facts that are known, by the names that policies use.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let optional = [
            ("repository", &self.repository),
            ("repository_id", &self.repository_id),
            ("ref", &self.r#ref),
            ("sha", &self.sha),
            ("workflow", &self.workflow),
            ("environment", &self.environment),
            ("event", &self.event),
            ("actor", &self.actor),
            ("run_id", &self.run_id),
            ("attempt", &self.attempt),
            ("job", &self.job),
        ];
        let known = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)));
        std::iter::once(("provider", self.provider.as_str())).chain(known)
    }
}

impl<'a> Resource<'a> {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Resource::Target(_) => Kind::Target,
            Resource::Database { .. } => Kind::Database,
            Resource::Schema { .. } => Kind::Schema,
            Resource::Table { .. } => Kind::Table,
            Resource::Routine { .. } => Kind::Routine,
            Resource::Role { .. } => Kind::Role,
            Resource::Operation { .. } => Kind::Operation,
            Resource::Path { .. } => Kind::Path,
            Resource::Tool { .. } => Kind::Tool,
            Resource::Prompt { .. } => Kind::Prompt,
            Resource::Resource { .. } => Kind::Resource,
        }
    }

    /// The names of its parts with the attribute that policies read each by, outermost first.
    pub(crate) fn parts(&self) -> Parts<'a> {
        let (count, parts) = match *self {
            Resource::Target(target) => (1, [target, "", "", ""]),
            Resource::Database { target, database } => (2, [target, database, "", ""]),
            Resource::Schema {
                target,
                database,
                schema,
            } => (3, [target, database, schema, ""]),
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
            } => (4, [target, database, schema, name]),
            Resource::Role { target, role: name }
            | Resource::Operation { target, name, .. }
            | Resource::Path { target, name }
            | Resource::Tool { target, name }
            | Resource::Prompt { target, name }
            | Resource::Resource { target, name } => (2, [target, name, "", ""]),
        };
        Parts {
            names: self.kind().parts(),
            count,
            parts,
        }
    }

    /// What policies call it: `Postern::Table::"<this>"`.
    pub fn id(&self) -> String {
        Lineage::of(self).text
    }

    /// What kind of thing it is, as policies name it.
    pub fn kind_name(&self) -> &'static str {
        self.kind().name()
    }
}

pub(crate) struct Parts<'a> {
    names: &'static [&'static str],
    count: usize,
    parts: [&'a str; 4],
}

impl<'a> Parts<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.names
            .iter()
            .copied()
            .zip(self.parts.iter().copied().take(self.count))
    }
}

/// The id of a resource with those of everything it lies in, in one text: an ancestor's id is a prefix.
pub(crate) struct Lineage {
    text: String,
    kind: Kind,
    /// Kinds and ends of what it lies in, outermost first, but for shorter paths.
    ancestors: [(Kind, usize); 3],
    count: usize,
    /// Where a path begins in the text; its end for everything else.
    path_from: usize,
    /// What an operation lies in beside its target: its tags and paths.
    also: Vec<(Kind, String)>,
}

impl Lineage {
    pub(crate) fn of(resource: &Resource<'_>) -> Lineage {
        let mut text = String::with_capacity(64);
        let mut ancestors = [(Kind::Target, 0); 3];
        let kind = resource.kind();
        if let Resource::Path { target, name } = resource {
            push_part(&mut text, target);
            ancestors[0] = (Kind::Target, text.len());
            text.push(':');
            let path_from = text.len();
            text.push_str(name);
            return Lineage {
                text,
                kind,
                ancestors,
                count: 1,
                path_from,
                also: Vec::new(),
            };
        }
        let parts = resource.parts();
        for (position, (_, part)) in parts.iter().enumerate() {
            if position > 0 {
                text.push('/');
            }
            push_part(&mut text, part);
            let ancestor = match position {
                0 => Kind::Target,
                1 => Kind::Database,
                _ => Kind::Schema,
            };
            if let Some(slot) = ancestors.get_mut(position) {
                *slot = (ancestor, text.len());
            }
        }
        Lineage {
            path_from: text.len(),
            text,
            kind,
            ancestors,
            count: parts.count.saturating_sub(1),
            also: also(resource),
        }
    }

    /// The kind and id of the resource.
    pub(crate) fn itself(&self) -> (Kind, &str) {
        (self.kind, &self.text)
    }

    /// Kinds and ids of what it lies in, outermost first.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = (Kind, &str)> {
        let upto = |end: usize| self.text.get(..end).unwrap_or_default();
        let fixed = self.ancestors.iter().take(self.count);
        let path = self.text.get(self.path_from..).unwrap_or_default();
        // Of `/v1/invoices`: `/`, then `/v1`; the root lies in no other path.
        let ends = path.match_indices('/').map(|(place, _)| place.max(1));
        let shorter = ends.filter(move |end| *end < path.len());
        let also = self.also.iter().map(|(kind, id)| (*kind, id.as_str()));
        fixed
            .map(move |(kind, end)| (*kind, upto(*end)))
            .chain(shorter.map(move |end| (Kind::Path, upto(self.path_from + end))))
            .chain(also)
    }
}

/// Tags and paths that an operation lies in; nothing for everything else.
fn also(resource: &Resource<'_>) -> Vec<(Kind, String)> {
    let Resource::Operation {
        target, tags, path, ..
    } = resource
    else {
        return Vec::new();
    };
    let tags = tags.iter().map(|tag| (Kind::Tag, entity_id(&[target, tag])));
    let path = Lineage::of(&Resource::Path { target, name: path });
    let paths = path.ancestors().chain([path.itself()]);
    let paths = paths.filter(|(kind, _)| *kind == Kind::Path);
    tags.chain(paths.map(|(kind, id)| (kind, id.to_owned())))
        .collect()
}
