//! The rules this program ships, as templates that a grant links to a workload or segment and a target.

use crate::identifier::entity_id;
use crate::text::split;
use crate::vocabulary::Kind;
use cedar_policy::{EntityUid, PolicyId, SlotId, Template};
use std::collections::HashMap;
use std::sync::LazyLock;

/// A named set of rules to start from.
#[derive(Debug)]
pub struct LibrarySet {
    pub name: &'static str,
    /// Cedar templates: `?principal` is the workload or segment, `?resource` the target.
    pub text: &'static str,
    /// One sentence for people who choose.
    pub summary: &'static str,
    pub(crate) file: &'static str,
}

/// Who gets a library set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Grantee {
    Segment(String),
    Workload(String),
}

/// Gives a library set to somebody on a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Link {
    pub library: String,
    pub principal: Grantee,
    pub target: String,
}

const LIBRARY: [LibrarySet; 5] = [
    LibrarySet {
        name: "session-basics",
        text: include_str!("../library/session-basics.cedar"),
        summary: "what every driver does on its own: transactions, harmless settings, who and where am I",
        file: "library/session-basics.cedar",
    },
    LibrarySet {
        name: "introspection",
        text: include_str!("../library/introspection.cedar"),
        summary: "reads the catalogue, without secrets, statistics and other people's statements",
        file: "library/introspection.cedar",
    },
    LibrarySet {
        name: "read-only",
        text: include_str!("../library/read-only.cedar"),
        summary: "reads every table that is not part of the system",
        file: "library/read-only.cedar",
    },
    LibrarySet {
        name: "migrations",
        text: include_str!("../library/migrations.cedar"),
        summary: "changes definitions and keeps the books of migration tools",
        file: "library/migrations.cedar",
    },
    LibrarySet {
        name: "dump",
        text: include_str!("../library/dump.cedar"),
        summary: "what pg_dump needs beside session-basics, introspection and read-only",
        file: "library/dump.cedar",
    },
];

/// All library sets.
pub fn library() -> &'static [LibrarySet] {
    &LIBRARY
}

pub(crate) fn find(name: &str) -> Option<&'static LibrarySet> {
    LIBRARY.iter().find(|set| set.name == name)
}

impl LibrarySet {
    /// The templates with the line each stands at.
    pub(crate) fn templates(&self) -> impl Iterator<Item = (&'static Template, u32)> {
        static TEMPLATES: LazyLock<Vec<(&'static str, Template, u32)>> = LazyLock::new(|| {
            let read = |set: &'static LibrarySet| {
                let pieces = split(set.text).into_iter();
                pieces.map(|(start, end)| {
                    let (template, line) = read_template(set, start, end);
                    (set.name, template, line)
                })
            };
            LIBRARY.iter().flat_map(read).collect()
        });
        let name = self.name;
        let own = TEMPLATES.iter().filter(move |(set, _, _)| *set == name);
        own.map(|(_, template, line)| (template, *line))
    }
}

fn read_template(set: &LibrarySet, start: usize, end: usize) -> (Template, u32) {
    let text = set.text.get(start..end).unwrap_or_default();
    let unnamed =
        Template::parse(None, text).expect("the library is part of this program and a test reads it");
    let name = unnamed
        .annotation("id")
        .expect("a test finds every library rule named");
    let id = PolicyId::new(format!("{}.{name}", set.name));
    let lines = set
        .text
        .get(..start)
        .map_or(0, |before| before.matches('\n').count());
    (unnamed.new_id(id), u32::try_from(lines + 1).unwrap_or(u32::MAX))
}

impl Grantee {
    pub fn name(&self) -> &str {
        match self {
            Grantee::Segment(name) | Grantee::Workload(name) => name,
        }
    }
}

impl Link {
    /// `session-basics.set@migrators/orders`; a workload is marked, for a segment may share its name.
    pub(crate) fn rule_name(&self, template: &Template) -> String {
        let to = match &self.principal {
            Grantee::Segment(name) => entity_id(&[name]),
            Grantee::Workload(name) => format!("workload:{}", entity_id(&[name])),
        };
        let template: &str = template.id().as_ref();
        format!("{template}@{to}/{}", entity_id(&[&self.target]))
    }

    /// What its slots are filled with.
    pub(crate) fn values(&self) -> HashMap<SlotId, EntityUid> {
        let principal = match &self.principal {
            Grantee::Segment(name) => Kind::Segment.uid(&entity_id(&[name])),
            Grantee::Workload(name) => Kind::Workload.uid(&entity_id(&[name])),
        };
        let target = Kind::Target.uid(&entity_id(&[&self.target]));
        HashMap::from([(SlotId::principal(), principal), (SlotId::resource(), target)])
    }

    pub(crate) fn file(&self) -> &'static str {
        find(&self.library).map_or("library", |set| set.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::instantiate;
    use crate::vocabulary::words;
    use cedar_policy::{PolicySet, ValidationMode};
    use std::collections::HashSet;

    #[test]
    fn every_library_rule_is_a_valid_named_template_for_a_grantee_and_a_target() {
        let mut names = HashSet::new();
        let mut set = PolicySet::new();
        for library in library() {
            assert!(library.templates().count() > 0, "{}", library.name);
            for (template, line) in library.templates() {
                assert!(names.insert(template.id().clone()), "{}", template.id());
                assert_eq!(template.slots().count(), 2, "{}", template.id());
                assert!(
                    library
                        .text
                        .lines()
                        .nth(line as usize - 1)
                        .unwrap()
                        .starts_with("@id(")
                );
                let name = || "a".to_owned();
                for principal in [Grantee::Segment(name()), Grantee::Workload(name())] {
                    let link = Link {
                        library: library.name.to_owned(),
                        principal,
                        target: name(),
                    };
                    let number = PolicyId::new(set.policies().count().to_string());
                    instantiate(&mut set, template, number, &link.values()).unwrap();
                }
            }
        }
        let result = words()
            .validator
            .validate_with_level(&set, ValidationMode::Strict, 1);
        assert!(result.validation_passed_without_warnings(), "{result}");
    }

    #[test]
    fn no_library_rule_hangs_on_the_caller_or_the_time() {
        // They would make the verdicts of every statement that uses them harder to remember.
        for library in library() {
            for word in [
                "context.now",
                "context.source",
                "context.run",
                "context.role",
                "context.evidence",
            ] {
                assert!(!library.text.contains(word), "{} reads {word}", library.name);
            }
        }
    }
}
