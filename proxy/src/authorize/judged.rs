//! The judgement of one text: permitted, refused, or to be decided anew each time.

use std::rc::Rc;

use postern_policies::Reason as Why;
use postern_sql::{Analysis, Change, Object, Statement};

use super::answered::Answered;
use super::view::ask;
use super::words::{detail_of, worded, words};
use super::{Reading, View};
use crate::refusal::{Reason, Refusal};

/// Effects that a refusal lists before it only counts.
const REFUSED_EFFECTS_SHOWN_MAX: usize = 4;

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

#[derive(Debug)]
pub(super) enum Verdict {
    Permitted,
    Refused(Refusal),
    /// A rule looks at the clock: decided anew each time.
    Timed,
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

/// Permitted only if every effect is; the refusal names each that is not.
pub(super) fn decide_all(view: &View, analysis: &Analysis) -> Result<(), Refusal> {
    let mut refused = Vec::new();
    for effect in analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
    {
        let answer = ask(view, effect);
        // What follows by inheritance needs no permit of its own, but a forbid on it holds.
        let excused = effect.implied && answer.reason == Some(Why::NoRule);
        if !answer.permitted && !excused {
            refused.push((effect, answer));
        }
    }
    let Some((effect, answer)) = refused.first() else {
        return Ok(());
    };
    let message = format!("workload `{}` may not {}", view.facts.workload, words(effect));
    let mut details: Vec<String> = vec![detail_of(answer)];
    for (effect, answer) in refused.iter().skip(1).take(REFUSED_EFFECTS_SHOWN_MAX - 1) {
        details.push(format!("nor {}: {}", words(effect), detail_of(answer)));
    }
    if refused.len() > REFUSED_EFFECTS_SHOWN_MAX {
        details.push(format!("and {} more", refused.len() - REFUSED_EFFECTS_SHOWN_MAX));
    }
    Err(worded(message, details, answer.hint.clone()))
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
