//! What a statement would do: effects on resources, and changes to the session.
//!
//! An effect is one action on one object; a change is what the gateway must remember about the session
//! (transactions, settings, prepared names, cursors) so that it can judge what comes next.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::routines::Class;
use crate::settings;

/// Everything one text asks for, statement by statement; empty for an empty query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    pub statements: Vec<Statement>,
    /// Schemas that a name was looked up in but that the catalogue does not hold: read them and analyse again.
    pub schemas_unread: BTreeSet<String>,
    /// The parameters whose values, sent as text, name settings to show and do nothing else.
    pub named_by: BTreeSet<u16>,
}

impl Analysis {
    /// The same once values are known that parameters name settings by; each is a plain name.
    #[must_use]
    pub fn bound(&self, values: &[(u16, &str)]) -> Analysis {
        let mut bound = self.clone();
        for statement in &mut bound.statements {
            for effect in &mut statement.effects {
                let Detail::SettingOf(parameter) = effect.detail else {
                    continue;
                };
                let mut values = values.iter().filter(|(number, _)| *number == parameter);
                if let Some((_, name)) = values.next().filter(|_| self.named_by.contains(&parameter)) {
                    effect.detail = Detail::Setting {
                        name: settings::canonical(name).into(),
                        value: None,
                    };
                }
            }
        }
        bound
    }

    /// The same without the effects that a value has yet to name.
    #[must_use]
    pub fn without_named(&self) -> Analysis {
        let mut known = self.clone();
        let is_named = |effect: &Effect| match effect.detail {
            Detail::SettingOf(parameter) => self.named_by.contains(&parameter),
            _ => false,
        };
        for statement in &mut known.statements {
            statement.effects.retain(|effect| !is_named(effect));
        }
        known
    }
}

/// One statement of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Where the statement stands in the text, in bytes.
    pub span: Range<usize>,
    /// The command as PostgreSQL tags it, such as `SELECT` or `CREATE TABLE`.
    pub tag: &'static str,
    pub effects: Vec<Effect>,
    pub changes: Vec<Change>,
    /// Leaves nothing behind in the backend: its connection may be reused after a reset.
    pub plain: bool,
    /// May move what a name means, so the session is dirty after it.
    pub moves_names: bool,
    /// Takes a snapshot when it runs, so that SET TRANSACTION can no longer follow it.
    pub takes_snapshot: bool,
    /// Every relation the statement names, as (schema, name): whether error details may pass hangs on them.
    pub relations: BTreeSet<(Arc<str>, Arc<str>)>,
}

/// One action on one object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Effect {
    pub action: Action,
    pub object: Object,
    /// Column names; `*` stands for columns that the catalogue does not know.
    pub columns: BTreeSet<Arc<str>>,
    /// The relation's rows count but none of its columns is touched.
    pub rows_only: bool,
    /// On update and delete: whether a top-level comparison of a column with a parameter or literal limits the rows.
    pub filtered: Option<bool>,
    pub detail: Detail,
    /// Follows from another effect by inheritance or partitioning: a forbid refuses it, but it needs no permit.
    pub implied: bool,
}

impl Effect {
    pub(crate) fn new(action: Action, object: Object) -> Self {
        Self {
            action,
            object,
            columns: BTreeSet::new(),
            rows_only: false,
            filtered: None,
            detail: Detail::None,
            implied: false,
        }
    }

    pub(crate) fn with(action: Action, object: Object, detail: Detail) -> Self {
        Self {
            detail,
            ..Self::new(action, object)
        }
    }
}

/// What an action needs said beside its object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    None,
    /// For the `define` group: the kind of object, such as `table` or `materialized view`.
    Kind(&'static str),
    /// For `execute` and `call`: the class of the routine.
    Class(Class),
    /// For `set` and `show`: the canonical name, and the value where the text states it.
    Setting {
        name: Arc<str>,
        value: Option<Arc<str>>,
    },
    /// For `show`: the setting that the parameter of this number names, whichever that is.
    SettingOf(u16),
    /// For `set`: the setting goes back to what the session began with; `*` stands for all of them.
    Reset(Arc<str>),
    /// For `lock`: the lock mode, such as `access share`.
    Mode(&'static str),
    /// For `listen` and `notify`; `None` where the text does not state it.
    Channel(Option<Arc<str>>),
    /// For `do`.
    Language(Arc<str>),
}

/// What is acted on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Database,
    Schema(Arc<str>),
    /// Any relation kind: table, view, sequence, index, foreign table.
    Table {
        schema: Arc<str>,
        name: Arc<str>,
    },
    Routine {
        schema: Arc<str>,
        name: Arc<str>,
    },
    Role(Arc<str>),
    /// Whatever relation of the database: a routine was given the name of one at run time.
    EveryTable,
}

macro_rules! actions {
    ($($variant:ident => $name:literal in $group:literal,)*) => {
        /// The verbs of the policy vocabulary.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($variant,)* }

        impl Action {
            pub const ALL: &'static [Action] = &[$(Action::$variant,)*];

            /// The action's name in policies and records.
            pub const fn name(self) -> &'static str {
                match self { $(Action::$variant => $name,)* }
            }

            /// The group the action belongs to in policies; empty where it has none.
            pub const fn group(self) -> &'static str {
                match self { $(Action::$variant => $group,)* }
            }
        }
    };
}

actions! {
    Use => "use" in "",
    Assume => "assume" in "",
    Select => "select" in "read",
    Insert => "insert" in "write",
    Update => "update" in "write",
    Delete => "delete" in "write",
    Truncate => "truncate" in "write",
    Nextval => "nextval" in "write",
    Setval => "setval" in "write",
    Lock => "lock" in "write",
    Create => "create" in "define",
    Alter => "alter" in "define",
    Drop => "drop" in "define",
    Comment => "comment" in "define",
    Grant => "grant" in "define",
    Revoke => "revoke" in "define",
    Refresh => "refresh" in "define",
    Reindex => "reindex" in "define",
    Cluster => "cluster" in "define",
    Vacuum => "vacuum" in "define",
    Analyze => "analyze" in "define",
    SecurityLabel => "security_label" in "define",
    ImportSchema => "import_schema" in "define",
    Execute => "execute" in "execute",
    Call => "call" in "execute",
    Do => "do" in "execute",
    Load => "load" in "execute",
    CopyFile => "copy_file" in "execute",
    CopyProgram => "copy_program" in "execute",
    Transaction => "transaction" in "session",
    PrepareTransaction => "prepare_transaction" in "session",
    Snapshot => "snapshot" in "session",
    Set => "set" in "session",
    Show => "show" in "session",
    Prepare => "prepare" in "session",
    Cursor => "cursor" in "session",
    Discard => "discard" in "session",
    Listen => "listen" in "session",
    Notify => "notify" in "session",
    Checkpoint => "checkpoint" in "session",
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// What a statement changes in its session when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Begin,
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    /// PREPARE TRANSACTION: the session is out of its transaction afterwards.
    PrepareTransaction(String),
    /// COMMIT PREPARED or ROLLBACK PREPARED.
    FinishPrepared(String),
    /// The name is canonical; `role` and `session_authorization` come this way too.
    Set {
        name: String,
        value: SettingValue,
        scope: Scope,
    },
    Reset(String),
    ResetAll,
    /// Modes of this transaction only; these are settings that end with it.
    TransactionModes,
    Discard(Discard),
    Prepare {
        name: String,
        body: Box<Statement>,
    },
    /// The effects are those of the body that the name was prepared with: the gateway knows which.
    Execute {
        name: String,
    },
    /// `None` for all.
    Deallocate(Option<String>),
    Declare {
        cursor: String,
        hold: bool,
        body: Box<Statement>,
    },
    /// FETCH and MOVE: the effects were judged when the cursor was declared.
    Fetch {
        cursor: String,
    },
    /// `None` for all.
    CloseCursor(Option<String>),
    Listen(String),
    /// `None` for all.
    Unlisten(Option<String>),
    /// The client sends rows next.
    CopyIn,
    /// The server sends rows next.
    CopyOut,
}

/// How long a setting lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Session,
    Local,
}

/// What a setting is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingValue {
    /// SET … TO DEFAULT.
    Default,
    /// One value as the server would hold it.
    Text(String),
    /// For `search_path`: the schema names as written, `$user` not yet replaced.
    Names(Vec<String>),
    /// Only the server knows: the value is a parameter or an expression.
    Unknown,
}

/// What DISCARD throws away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    All,
    Plans,
    Sequences,
    Temporary,
}
