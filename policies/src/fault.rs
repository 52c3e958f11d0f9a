//! What is wrong with a policy set, said so that its author can mend it: place, message, help, caret.

use miette::Diagnostic;
use std::fmt::{self, Write};

/// Loading tells this many errors at most.
pub const LOAD_ERRORS_MAX: usize = 100;

/// Something that keeps a policy set from being loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    pub file: String,
    /// From 1; 0 if the fault lies in no line.
    pub line: u32,
    /// In characters, from 1; 0 if the fault lies in no line.
    pub column: u32,
    pub message: String,
    pub help: Option<String>,
    /// The line with a caret under the fault, as plain text; empty if there is none.
    pub snippet: String,
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(formatter, "{}: {}", self.file, self.message)?,
            line => write!(
                formatter,
                "{}:{line}:{}: {}",
                self.file, self.column, self.message
            )?,
        }
        if !self.snippet.is_empty() {
            write!(formatter, "\n{}", self.snippet)?;
        }
        match &self.help {
            Some(help) => write!(formatter, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

/// A piece of a file.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
    pub(crate) line: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<'a> Place<'a> {
    pub(crate) fn rule(&self) -> &'a str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn diagnosed(&self, diagnostic: &dyn Diagnostic, message: String) -> LoadError {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let at = label.map(|label| (label.offset(), label.len()));
        self.error(message, diagnostic.help().map(|help| help.to_string()), at)
    }

    /// `at` is an offset into the rule and a length, both in bytes.
    pub(crate) fn error(
        &self,
        message: String,
        help: Option<String>,
        at: Option<(usize, usize)>,
    ) -> LoadError {
        let (offset, length) = at.unwrap_or((0, 0));
        let offset = (self.start + offset).min(self.end);
        let (line, column) = line_and_column(self.text, offset);
        let snippet = snippet(self.text, line, column, length);
        LoadError {
            file: self.file.to_owned(),
            line,
            column,
            message,
            help,
            snippet,
        }
    }
}

/// A fault that lies in no line.
pub(crate) fn unplaced(file: &str, message: String, help: Option<String>) -> LoadError {
    LoadError {
        file: file.to_owned(),
        line: 0,
        column: 0,
        message,
        help,
        snippet: String::new(),
    }
}

/// In order, the first of those that share a place.
pub(crate) fn once_for_each_place(mut found: Vec<LoadError>) -> Vec<LoadError> {
    found.sort_by_cached_key(|fault| {
        (
            fault.file.clone(),
            fault.line,
            fault.column,
            fault.message.clone(),
        )
    });
    let place = |fault: &LoadError| (fault.file.clone(), fault.line, fault.column);
    let groups = found
        .chunk_by(|left, right| place(left) == place(right))
        .take(LOAD_ERRORS_MAX);
    let first = |group: &[LoadError]| {
        let mut first = group.first()?.clone();
        first.count(group.len() - 1);
        Some(first)
    };
    groups.filter_map(first).collect()
}

impl LoadError {
    fn count(&mut self, more: usize) {
        if more > 0 {
            // Writing to a string cannot fail.
            let _ = write!(self.message, " (and {more} more like it)");
        }
    }
}

fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).map_or(0, |line| line.chars().count()) + 1;
    (
        u32::try_from(line).unwrap_or(u32::MAX),
        u32::try_from(column).unwrap_or(u32::MAX),
    )
}

/// The line and a caret under it. Tabs count as one blank, so that the caret stands right.
fn snippet(text: &str, line: u32, column: u32, length: usize) -> String {
    let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
    let Some(shown) = text.lines().nth(index) else {
        return String::new();
    };
    let column = usize::try_from(column).unwrap_or(usize::MAX);
    let room = (shown.chars().count() + 1).saturating_sub(column).max(1);
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    let mut drawn = String::new();
    let shown: String = shown
        .chars()
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    // Writing to a string cannot fail.
    let _ = write!(drawn, " {number} | {shown}\n {margin} | ");
    drawn.extend(std::iter::repeat_n(' ', column.saturating_sub(1)));
    drawn.extend(std::iter::repeat_n('^', length.clamp(1, room)));
    drawn
}
