//! What PostgreSQL's own routines do, sorted by hand into classes; the list is data in `routines.txt`.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

/// What a routine can do beyond computing a value from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Computes: no effect of its own.
    Plain,
    /// Reads or writes session settings.
    Setting,
    /// Tells about the catalogue, the server or its statistics.
    Catalogue,
    /// Reads a relation that an argument names.
    ReadsAny,
    /// Runs SQL given as text.
    RunsSql,
    LargeObject,
    Sequence,
    AdvisoryLock,
    Notify,
    File,
    Network,
    /// Reaches other sessions or the server's own processes.
    Signal,
    Replication,
    /// Found outside `pg_catalog`.
    User,
    /// In `pg_catalog`, but in no class: a newer server or an extension.
    Unknown,
}

impl Class {
    pub const ALL: &'static [Class] = &[
        Class::Plain,
        Class::Setting,
        Class::Catalogue,
        Class::ReadsAny,
        Class::RunsSql,
        Class::LargeObject,
        Class::Sequence,
        Class::AdvisoryLock,
        Class::Notify,
        Class::File,
        Class::Network,
        Class::Signal,
        Class::Replication,
        Class::User,
        Class::Unknown,
    ];

    /// The class's name in policies and records.
    pub const fn name(self) -> &'static str {
        match self {
            Class::Plain => "plain",
            Class::Setting => "setting",
            Class::Catalogue => "catalogue",
            Class::ReadsAny => "reads_any",
            Class::RunsSql => "runs_sql",
            Class::LargeObject => "large_object",
            Class::Sequence => "sequence",
            Class::AdvisoryLock => "advisory_lock",
            Class::Notify => "notify",
            Class::File => "file",
            Class::Network => "network",
            Class::Signal => "signal",
            Class::Replication => "replication",
            Class::User => "user",
            Class::Unknown => "unknown",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.name() == name)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The class of a routine of `pg_catalog` by its name; `None` where the list does not know it.
pub fn class_of(name: &str) -> Option<Class> {
    CLASSES.get(name).copied()
}

/// One block per class: its name in brackets, then names separated by white space.
static LIST: &str = include_str!("routines.txt");

static CLASSES: LazyLock<HashMap<&'static str, Class, foldhash::fast::FixedState>> = LazyLock::new(|| {
    let mut classes = HashMap::with_capacity_and_hasher(4096, foldhash::fast::FixedState::default());
    let mut class = None;
    for line in LIST.lines() {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            class = Class::from_name(name);
            continue;
        }
        let Some(class) = class else { continue };
        for name in line.split_ascii_whitespace() {
            // Overloads share a name; the first class listed wins, and the list names the gravest first.
            classes.entry(name).or_insert(class);
        }
    }
    classes
});
