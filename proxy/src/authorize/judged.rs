//! The judgement of one text: permitted, refused, or to be decided anew each time.

use std::rc::Rc;

use postern_sql::{Analysis, Change, Object, Statement};

use super::answered::{Answered, Verdict};
use super::{Reading, View};
use crate::refusal::{Reason, Refusal};

/// The judgement of one text under one reading and one view.
#[derive(Debug)]
pub struct Judged {
    pub(super) text: Box<str>,
    pub(super) types: Box<[u32]>,
    /// What a Bind gave the parameters that name something, as far as it is judged.
    pub(super) values: Box<[(u16, Box<str>)]>,
    pub(super) reading: u64,
    pub(super) view: u64,
    pub(super) answered: Rc<Answered>,
    pub(super) analysis: Analysis,
    /// The record's fields that this text gives, beside those of the answer; encoded once.
    pub(super) part: Vec<u8>,
}

impl Judged {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The types of its parameters, by number, where the client gave them.
    pub fn types(&self) -> &[u32] {
        &self.types
    }

    /// The parameters whose values decide what is refused without them; empty where they change nothing.
    pub fn waits_for(&self) -> impl Iterator<Item = u16> {
        let waits = self.values.is_empty() && self.refusal().is_some();
        self.analysis.named_by.iter().copied().filter(move |_| waits)
    }

    pub fn statements(&self) -> &[Statement] {
        &self.analysis.statements
    }

    /// Whether it was made under this reading and this view, and so still holds.
    pub fn holds(&self, reading: &Reading, view: &View) -> bool {
        self.reading == reading.id && self.view == view.id
    }

    pub fn is_view(&self, view: &View) -> bool {
        self.view == view.id
    }

    /// Whether the judgement hangs on what names mean, and so on the session's catalogue.
    pub fn needs_names(&self) -> bool {
        match &self.answered.verdict {
            Verdict::Refused(refusal) if refusal.reason == Reason::Syntax => return false,
            Verdict::Refused(_) if self.analysis.statements.is_empty() => return true,
            _ => {}
        }
        self.analysis.statements.iter().any(hangs_on_names)
    }

    /// Whether a statement hangs on names that the end of a transaction, earlier in the same text, may have moved back.
    pub fn needs_names_after_an_end(&self) -> bool {
        let ends = |change: &Change| {
            matches!(
                change,
                Change::Commit { .. }
                    | Change::Rollback { .. }
                    | Change::RollbackTo(_)
                    | Change::PrepareTransaction(_)
            )
        };
        let mut statements = self.analysis.statements.iter();
        statements.any(|statement| statement.changes.iter().any(ends)) && statements.any(hangs_on_names)
    }

    /// The refusal of a text that is refused whatever the time.
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.answered.verdict {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Permitted | Verdict::Timed => None,
        }
    }
}

fn hangs_on_names(statement: &Statement) -> bool {
    let runs_a_name = |change: &Change| matches!(change, Change::Execute { .. } | Change::Fetch { .. });
    statement.takes_snapshot
        || statement.changes.iter().any(runs_a_name)
        || statement
            .effects
            .iter()
            .any(|effect| effect.object != Object::Database)
}
