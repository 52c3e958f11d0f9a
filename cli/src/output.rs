//! What is printed: tables for people, JSON and YAML for tools, names for pipes.
//!
//! Records hold what callers wrote. Nothing of it may move a cursor, change a direction or end a line.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde_json::Value;

use crate::trouble::{Result, Trouble};

/// How a list or an answer is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Yaml,
    /// Ids only, one a line.
    Name,
}

/// How an answer without a list is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AnswerFormat {
    #[default]
    Table,
    Json,
    Yaml,
}

impl From<AnswerFormat> for Format {
    fn from(format: AnswerFormat) -> Format {
        match format {
            AnswerFormat::Table => Format::Table,
            AnswerFormat::Json => Format::Json,
            AnswerFormat::Yaml => Format::Yaml,
        }
    }
}

/// A cell wider than this is cut in tables; JSON and YAML are never cut.
const CELL_CHARACTERS_MAX: usize = 80;

/// Whether a terminal or a reader would do something else with it than show it.
fn acts(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line, with every character that acts written out.
pub fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if acts(letter) => shown.extend(letter.escape_unicode()),
            letter => shown.push(letter),
        }
    }
    shown
}

/// The same for text of our own that has lines.
pub fn escape_lines(text: &str) -> String {
    text.split('\n').map(escape).collect::<Vec<_>>().join("\n")
}

/// JSON in which only letters, and the line breaks between members, stand as they are.
pub fn json(value: &Value) -> String {
    let mut shown = String::new();
    for letter in format!("{value:#}").chars() {
        if letter == '\n' || !acts(letter) {
            shown.push(letter);
            continue;
        }
        // Such a character stands only inside a string, where JSON has an escape for it.
        let mut units = [0; 2];
        for unit in letter.encode_utf16(&mut units) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// One JSON object on one line, for streams.
pub fn json_line(value: &Value) -> String {
    let mut shown = String::new();
    for letter in value.to_string().chars() {
        if !acts(letter) {
            shown.push(letter);
            continue;
        }
        let mut units = [0; 2];
        for unit in letter.encode_utf16(&mut units) {
            let _ = write!(shown, "\\u{unit:04x}");
        }
    }
    shown
}

/// YAML in block style. Every text is quoted, so that none is taken for something else.
pub fn yaml(value: &Value) -> String {
    let mut shown = String::new();
    write_yaml(value, 0, &mut shown);
    shown
}

fn write_yaml(value: &Value, depth: usize, shown: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let _ = write!(shown, "{indent}{}:", yaml_key(name));
                write_yaml_member(member, depth, shown);
            }
        }
        Value::Array(entries) if !entries.is_empty() => {
            for entry in entries {
                let _ = write!(shown, "{indent}-");
                write_yaml_member(entry, depth, shown);
            }
        }
        scalar => {
            let _ = writeln!(shown, "{indent}{}", yaml_scalar(scalar));
        }
    }
}

fn write_yaml_member(value: &Value, depth: usize, shown: &mut String) {
    let nested = match value {
        Value::Object(members) => !members.is_empty(),
        Value::Array(entries) => !entries.is_empty(),
        _ => false,
    };
    if nested {
        shown.push('\n');
        write_yaml(value, depth + 1, shown);
    } else {
        let _ = writeln!(shown, " {}", yaml_scalar(value));
    }
}

fn yaml_key(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let lower = name.to_ascii_lowercase();
    if name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && name.chars().all(plain)
        && !words.contains(&lower.as_str())
    {
        name.to_owned()
    } else {
        yaml_text(name)
    }
}

fn yaml_scalar(value: &Value) -> String {
    match value {
        Value::String(text) => yaml_text(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

fn yaml_text(text: &str) -> String {
    let mut shown = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => shown.push_str("\\\""),
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            letter if acts(letter) => {
                let _ = write!(shown, "\\U{:08x}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    shown.push('"');
    shown
}

/// Rows under headings, each column as wide as its widest cell.
#[derive(Clone, Debug, Default)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Table {
        Table {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows
            .push(cells.into_iter().map(|cell| cut(&escape(&cell))).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn show(&self) -> String {
        let mut widths: Vec<usize> = self
            .headings
            .iter()
            .map(|heading| heading.chars().count())
            .collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut shown = String::new();
        let headings: Vec<String> = self
            .headings
            .iter()
            .map(|heading| (*heading).to_owned())
            .collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            let _ = writeln!(shown, "{}", line.trim_end());
        }
        shown
    }
}

fn cut(cell: &str) -> String {
    match cell.char_indices().nth(CELL_CHARACTERS_MAX) {
        Some(_) => cell.chars().take(CELL_CHARACTERS_MAX - 1).chain(['…']).collect(),
        None => cell.to_owned(),
    }
}

/// Writes to standard output. A reader that has heard enough is no failure.
pub fn print(text: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Trouble::new("cannot write the answer").because(&error)),
        Ok(()) => Ok(()),
    }
}

/// Prints one value as JSON or YAML, or as the table or the names that the caller makes of it.
pub fn print_as(
    format: Format,
    value: &Value,
    table: impl FnOnce() -> String,
    names: &[String],
) -> Result<()> {
    print(&match format {
        Format::Table => table(),
        Format::Json => json(value) + "\n",
        Format::Yaml => yaml(value),
        Format::Name => names.iter().map(|name| escape(name) + "\n").collect(),
    })
}

/// Colours, where somebody sees them and has not said no to them (no-color.org).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    On,
    Off,
}

impl Colours {
    pub fn of_output() -> Colours {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if io::stdout().is_terminal() && !refused {
            Colours::On
        } else {
            Colours::Off
        }
    }

    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub fn strong(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        match self {
            Colours::On => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Colours::Off => text.to_owned(),
        }
    }
}

/// The text of a member, or nothing.
pub fn text_of(object: &Value, name: &str) -> String {
    match object.get(name) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HOSTILE: &str =
        "a\n{\"decision\":\"allow\"}\u{1b}[2J\u{202e}b\u{2028}\u{9b}31m\u{e0041}\u{7f}\u{feff}";

    #[test]
    fn nothing_that_a_caller_wrote_acts_on_a_terminal() {
        let value = json!({ "text": HOSTILE, HOSTILE: [HOSTILE] });
        let mut table = Table::new(&["TEXT"]);
        table.row([HOSTILE.to_owned()]);
        for shown in [escape(HOSTILE), json_line(&value)] {
            assert!(!shown.chars().any(acts), "{shown:?}");
        }
        for shown in [json(&value), yaml(&value), table.show()] {
            assert!(
                !shown.chars().any(|letter| letter != '\n' && acts(letter)),
                "{shown:?}"
            );
        }
        assert_eq!(table.show().lines().count(), 2);
    }

    #[test]
    fn escaped_json_and_yaml_mean_what_they_meant() {
        let value = json!({ "a": HOSTILE, "b": [1, true, null, [], {}], "no": { "0": "no", "x y": "1" } });
        assert_eq!(serde_json::from_str::<Value>(&json(&value)).unwrap(), value);
        assert_eq!(serde_json::from_str::<Value>(&json_line(&value)).unwrap(), value);
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml(&value)).unwrap(), value);
    }

    #[test]
    fn a_table_is_aligned_and_a_long_cell_is_cut() {
        let mut table = Table::new(&["ID", "WHO"]);
        table.row(["1".into(), "orders".into()]);
        table.row(["22".into(), "x".repeat(200)]);
        let shown = table.show();
        assert!(shown.starts_with("ID  WHO\n1   orders\n22  xxx"), "{shown}");
        assert!(shown.ends_with("x…\n"));
    }

    #[test]
    fn without_colours_text_is_as_it_is() {
        assert_eq!(Colours::Off.bad("x"), "x");
        assert_eq!(Colours::On.bad("x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
