//! From text to policies: every rule is parsed and validated strictly, and everything that is wrong
//! is said at once, each with its place.

use crate::answer::RuleId;
use crate::identifier;
use crate::library::{self, Grantee, Link};
use crate::rule::Rule;
use crate::vocabulary::{ACTIONS, GROUPS, Kind, nearest, words};
use cedar_policy::{
    EntityUid, Policy, PolicyId, PolicySet, SlotId, Template, ValidationError, ValidationMode, ValidationWarning,
};
use miette::Diagnostic;
use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write};
use std::sync::Arc;

/// The longest text of one rule. Cedar reads by recursion: this bounds its depth.
pub const RULE_BYTES_MAX: usize = 16 * 1024;
/// The most rules of one set, links included.
pub const RULES_MAX: usize = 1_000_000;
/// Loading gives up after this many errors.
pub const LOAD_ERRORS_MAX: usize = 100;

/// How far a condition may follow entities: an attribute of the principal or the resource itself.
const DEREFERENCE_LEVEL_MAX: u32 = 1;

/// One file of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's name as errors and records show it.
    pub name: String,
    pub text: String,
}

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
            line => write!(formatter, "{}:{line}:{}: {}", self.file, self.column, self.message)?,
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

/// Reads and validates; a set is either without fault or not loaded.
pub(crate) fn rules(sources: &[Source], links: &[Link]) -> Result<Vec<Rule>, Vec<LoadError>> {
    let mut reader = Reader::default();
    for source in sources {
        reader.read(source);
    }
    reader.link_all(links);
    if reader.errors.is_empty() {
        reader.validate();
    }
    if reader.errors.is_empty() { Ok(reader.rules) } else { Err(reader.errors) }
}

#[derive(Default)]
struct Reader<'a> {
    set: PolicySet,
    rules: Vec<Rule>,
    /// The text of each rule, for errors.
    places: Vec<Place<'a>>,
    names: HashMap<Arc<str>, RuleId>,
    errors: Vec<LoadError>,
}

/// A piece of a file.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a str,
    text: &'a str,
    line: u32,
    start: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    fn read(&mut self, source: &'a Source) {
        let file: Arc<str> = Arc::from(source.name.as_str());
        let (mut line, mut counted) = (1, 0);
        for (position, (start, end)) in split(&source.text).into_iter().enumerate() {
            let between = source.text.get(counted..start).unwrap_or_default();
            line += u32::try_from(between.matches('\n').count()).unwrap_or(u32::MAX);
            counted = start;
            let place = Place { file: &source.name, text: &source.text, line, start, end };
            if self.errors.len() >= LOAD_ERRORS_MAX {
                return;
            }
            if let Some(rule) = self.parse(place, &file, position + 1) {
                self.keep(rule, place);
            }
        }
    }

    fn parse(&mut self, place: Place<'a>, file: &Arc<str>, position: usize) -> Option<Rule> {
        if place.end - place.start > RULE_BYTES_MAX {
            let message = format!("this rule is longer than {RULE_BYTES_MAX} bytes");
            self.errors.push(place.error(message, Some("split it into several rules".to_owned()), None));
            return None;
        }
        let id = PolicyId::new(self.rules.len().to_string());
        let policy = match Policy::parse(Some(id), place.rule()) {
            Ok(policy) => policy,
            Err(errors) => {
                self.errors.extend(errors.iter().map(|error| place.diagnosed(error, error.to_string())));
                return None;
            }
        };
        let name = match policy.annotation("id") {
            Some(name) if !name.is_empty() => Arc::from(name),
            _ => Arc::from(format!("{file}#{position}")),
        };
        let id = RuleId { name, file: Arc::clone(file), line: place.line };
        Some(Rule::new(id, policy))
    }

    /// Two rules of one name would make a record that nobody can follow.
    fn keep(&mut self, rule: Rule, place: Place<'a>) {
        if let Some(first) = self.names.get(&rule.id.name) {
            let message = format!("the id `{}` is taken by the rule at {}:{}", first.name, first.file, first.line);
            let help = Some("give every rule an `@id` of its own".to_owned());
            self.errors.push(place.error(message, help, None));
            return;
        }
        if self.rules.len() >= RULES_MAX {
            self.errors.push(place.error(format!("there are more than {RULES_MAX} rules"), None, None));
            return;
        }
        self.check_ids(&rule.policy, place);
        match self.set.add(rule.policy.clone()) {
            Ok(()) => {
                self.names.insert(Arc::clone(&rule.id.name), rule.id.clone());
                self.rules.push(rule);
                self.places.push(place);
            }
            Err(error) => self.errors.push(place.error(error.to_string(), None, None)),
        }
    }

    fn check_ids(&mut self, policy: &Policy, place: Place<'a>) {
        for uid in policy.entity_literals() {
            let Some(kind) = Kind::of(uid.type_name()) else {
                continue;
            };
            let id: &str = uid.id().as_ref();
            if let Some(help) = identifier::fault(kind, id) {
                let at = place.rule().find(id).map(|at| (at, id.len()));
                let message = format!("no {} can have the id `{}`", kind.name(), id.escape_debug());
                self.errors.push(place.error(message, Some(help), at));
            }
        }
    }

    fn link_all(&mut self, links: &[Link]) {
        let mut done = HashSet::new();
        for link in links {
            // Two grants may well give the same set to the same segment.
            if done.insert(link)
                && let Err(error) = self.link(link)
            {
                self.errors.push(error);
            }
        }
    }

    fn link(&mut self, link: &Link) -> Result<(), LoadError> {
        let Some(set) = library::find(&link.library) else {
            let help = nearest(&link.library, library::library().iter().map(|set| set.name));
            let help = help.map(|name| format!("did you mean `{name}`?"));
            return Err(unplaced("grant", format!("there is no library set `{}`", link.library), help));
        };
        if link.target.is_empty() || link.principal.name().is_empty() {
            return Err(unplaced("grant", format!("library set `{}` is granted to or on nothing", set.name), None));
        }
        let values = HashMap::from([
            (SlotId::principal(), link.principal.uid()),
            (SlotId::resource(), Kind::Target.uid(&identifier::entity_id(&[&link.target]))),
        ]);
        for (template, line) in set.templates() {
            self.link_one(link, template, line, &values).map_err(|message| unplaced(set.file, message, None))?;
        }
        Ok(())
    }

    fn link_one(
        &mut self,
        link: &Link,
        template: &Template,
        line: u32,
        values: &HashMap<SlotId, EntityUid>,
    ) -> Result<(), String> {
        let known = self.set.template(template.id()).is_some();
        if !known {
            self.set.add_template(template.clone()).map_err(|error| error.to_string())?;
        }
        let number = PolicyId::new(self.rules.len().to_string());
        self.set.link(template.id().clone(), number.clone(), values.clone()).map_err(|error| error.to_string())?;
        let policy = self.set.policy(&number).cloned().ok_or("the link was not kept")?;
        let id = RuleId { name: Arc::from(link.rule_name(template)), file: Arc::from(link.file()), line };
        let rule = Rule::new(id, policy);
        if let Some(first) = self.names.insert(Arc::clone(&rule.id.name), rule.id.clone()) {
            return Err(format!("the id `{}` is taken by the rule at {}:{}", first.name, first.file, first.line));
        }
        self.rules.push(rule);
        self.places.push(Place { file: link.file(), text: "", line, start: 0, end: 0 });
        Ok(())
    }

    fn validate(&mut self) {
        let mode = ValidationMode::Strict;
        let result = words().validator.validate_with_level(&self.set, mode, DEREFERENCE_LEVEL_MAX);
        let errors = result.validation_errors().map(|error| self.invalid(error));
        let warnings = result.validation_warnings().filter_map(|warning| self.useless(warning));
        let mut found: Vec<LoadError> = errors.chain(warnings).take(LOAD_ERRORS_MAX).collect();
        found.sort_by(|left, right| (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column)));
        found.dedup();
        self.errors.extend(found);
    }

    fn invalid(&self, error: &ValidationError) -> LoadError {
        let place = self.place(error.policy_id());
        let message = without_policy(&error.to_string());
        let mut fault = place.diagnosed(error, message);
        match error {
            ValidationError::UnrecognizedActionId(_) => {
                if let Some(name) = between(&fault.message, "Action::\"", "\"") {
                    fault.help = Some(action_help(name));
                    fault.message = format!("there is no action `{name}`");
                }
            }
            ValidationError::UnrecognizedEntityType(_) => {
                if let Some(name) = between(&fault.message, "type `", "`") {
                    fault.help = kind_help(name);
                    fault.message = format!("there is no kind of entity `{name}`");
                }
            }
            _ => {}
        }
        fault
    }

    /// A rule that can never apply is not harmless: it may be the forbid that somebody relies on.
    fn useless(&self, warning: &ValidationWarning) -> Option<LoadError> {
        let (policy, help) = match warning {
            ValidationWarning::ImpossiblePolicy(warning) => {
                (warning.policy_id(), "an action, a resource or a condition here excludes another one")
            }
            ValidationWarning::InvalidActionApplication(warning) => {
                (warning.policy_id(), "groups such as `read` are meant by `action in`; see the schema for what an action applies to")
            }
            ValidationWarning::BidiCharsInString(warning) => (warning.policy_id(), "remove the direction marks"),
            ValidationWarning::BidiCharsInIdentifier(warning) => (warning.policy_id(), "remove the direction marks"),
            _ => return None,
        };
        let message = match warning {
            ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_) => {
                "this rule can never apply".to_owned()
            }
            _ => without_policy(&warning.to_string()),
        };
        let mut fault = self.place(policy).diagnosed(warning, message);
        fault.help = Some(help.to_owned());
        Some(fault)
    }

    fn place(&self, policy: &PolicyId) -> Place<'a> {
        let number: Option<usize> = AsRef::<str>::as_ref(policy).parse().ok();
        let place = number.and_then(|number| self.places.get(number)).copied();
        place.unwrap_or(Place { file: "library", text: "", line: 0, start: 0, end: 0 })
    }
}

impl<'a> Place<'a> {
    fn rule(&self) -> &'a str {
        self.text.get(self.start..self.end).unwrap_or_default()
    }

    fn diagnosed(&self, diagnostic: &dyn Diagnostic, message: String) -> LoadError {
        let label = diagnostic.labels().and_then(|mut labels| labels.next());
        let at = label.map(|label| (label.offset(), label.len()));
        self.error(message, diagnostic.help().map(|help| help.to_string()), at)
    }

    /// `at` is an offset into the rule and a length, both in bytes.
    fn error(&self, message: String, help: Option<String>, at: Option<(usize, usize)>) -> LoadError {
        let (offset, length) = at.unwrap_or((0, 0));
        let offset = (self.start + offset).min(self.end);
        let (line, column) = line_and_column(self.text, offset);
        let snippet = snippet(self.text, line, column, length);
        LoadError { file: self.file.to_owned(), line, column, message, help, snippet }
    }
}

fn unplaced(file: &str, message: String, help: Option<String>) -> LoadError {
    LoadError { file: file.to_owned(), line: 0, column: 0, message, help, snippet: String::new() }
}

fn line_and_column(text: &str, offset: usize) -> (u32, u32) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).map_or(0, |line| line.chars().count()) + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
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
    let shown: String = shown.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    // Writing to a string cannot fail.
    let _ = write!(drawn, " {number} | {shown}\n {margin} | ");
    drawn.extend(std::iter::repeat_n(' ', column.saturating_sub(1)));
    drawn.extend(std::iter::repeat_n('^', length.clamp(1, room)));
    drawn
}

/// Where each rule of a text begins and ends: a rule ends at a `;` outside strings and comments.
/// Wrongly cut pieces would not parse, so a doubt here refuses the file.
pub(crate) fn split(text: &str) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut start = None;
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'/' if bytes.peek().is_some_and(|(_, next)| *next == b'/') => {
                // A comment ends with its line.
                while bytes.next_if(|(_, next)| *next != b'\n' && *next != b'\r').is_some() {}
                continue;
            }
            b'"' => {
                start.get_or_insert(at);
                while let Some((_, inside)) = bytes.next() {
                    match inside {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            b';' => {
                pieces.push((start.take().unwrap_or(at), at + 1));
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => drop(start.get_or_insert(at)),
        }
    }
    if let Some(start) = start {
        pieces.push((start, text.len()));
    }
    pieces
}

fn without_policy(message: &str) -> String {
    match message.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, ")) {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

fn action_help(wrong: &str) -> String {
    let names = || ACTIONS.iter().map(|word| word.name).chain(GROUPS);
    match nearest(wrong, names()) {
        Some(name) => format!("did you mean `Postern::Action::\"{name}\"`?"),
        None => format!("actions are {}", names().collect::<Vec<_>>().join(", ")),
    }
}

fn kind_help(wrong: &str) -> Option<String> {
    let short = wrong.rsplit("::").next().unwrap_or(wrong);
    nearest(short, Kind::ALL.into_iter().map(Kind::name)).map(|name| format!("did you mean `Postern::{name}`?"))
}

impl Grantee {
    fn uid(&self) -> EntityUid {
        match self {
            Grantee::Segment(name) => Kind::Segment.uid(&identifier::entity_id(&[name])),
            Grantee::Workload(name) => Kind::Workload.uid(&identifier::entity_id(&[name])),
        }
    }
}
