//! From text to policies: every rule is parsed and validated strictly, and everything that is wrong
//! is said at once, each with its place.

use crate::answer::RuleId;
use crate::fault::{LOAD_ERRORS_MAX, LoadError, Place, once_for_each_place, unplaced};
use crate::identifier;
use crate::library::{self, Link};
use crate::rule::Rule;
use crate::stack::with_room;
use crate::text::{Depth, RULE_BYTES_MAX, split};
use crate::vocabulary::{ACTIONS, GROUPS, Kind, nearest, words};
use cedar_policy::{
    EntityUid, Policy, PolicyId, PolicySet, PolicySetError, PrincipalConstraint, ResourceConstraint, SlotId,
    Template, ValidationError, ValidationMode, ValidationWarning,
};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The most rules of one set, links included.
pub const RULES_MAX: usize = 1_000_000;

/// How far a condition may follow entities: an attribute of the principal or the resource itself.
const DEREFERENCE_LEVEL_MAX: u32 = 1;

/// One file of policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file's name as errors and records show it.
    pub name: String,
    pub text: String,
}

/// Reads and validates all that is given.
pub(crate) fn rules(sources: &[Source], links: &[Link]) -> Result<Vec<Rule>, Vec<LoadError>> {
    let no_room = |_| {
        Err(vec![unplaced(
            "policies",
            "there is no memory to read them in".to_owned(),
            None,
        )])
    };
    with_room(|| read_all(sources, links)).unwrap_or_else(no_room)
}

/// A set is either without fault or not loaded.
fn read_all(sources: &[Source], links: &[Link]) -> Result<Vec<Rule>, Vec<LoadError>> {
    let mut reader = Reader::default();
    for source in sources {
        reader.read(source);
    }
    reader.link_all(links);
    if reader.errors.is_empty() {
        reader.validate();
    }
    if reader.errors.is_empty() {
        Ok(reader.rules)
    } else {
        Err(reader.errors)
    }
}

#[derive(Default)]
struct Reader<'a> {
    /// What is to be validated: all rules but the repeated.
    set: PolicySet,
    /// Links of the library, which is part of this program: a test validates it, with every kind of grantee.
    library: PolicySet,
    rules: Vec<Rule>,
    shapes: HashSet<String>,
    /// Rules without conditions whose shape an earlier rule has: they are as valid as that one.
    repeated: Vec<usize>,
    /// The text of each rule, for errors.
    places: Vec<Place<'a>>,
    names: HashMap<Arc<str>, RuleId>,
    errors: Vec<LoadError>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, source: &'a Source) {
        let file: Arc<str> = Arc::from(source.name.as_str());
        let (mut line, mut counted) = (1, 0);
        for (position, (start, end)) in split(&source.text).into_iter().enumerate() {
            let between = source.text.get(counted..start).unwrap_or_default();
            line += u32::try_from(between.matches('\n').count()).unwrap_or(u32::MAX);
            counted = start;
            let place = Place {
                file: &source.name,
                text: &source.text,
                line,
                start,
                end,
            };
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
            self.errors
                .push(place.error(message, Some("split it into several rules".to_owned()), None));
            return None;
        }
        if let Some(message) = Depth::of(place.rule()).excess() {
            let help = "split it into several rules, or use a list: `[..].contains(..)`";
            self.errors
                .push(place.error(message, Some(help.to_owned()), None));
            return None;
        }
        let id = PolicyId::new(self.rules.len().to_string());
        let policy = match Policy::parse(Some(id), place.rule()) {
            Ok(policy) => policy,
            Err(errors) => {
                self.errors.extend(
                    errors
                        .iter()
                        .map(|error| place.diagnosed(error, error.to_string())),
                );
                return None;
            }
        };
        let name = match policy.annotation("id") {
            Some(name) if !name.is_empty() => Arc::from(name),
            _ => Arc::from(format!("{file}#{position}")),
        };
        let id = RuleId {
            name,
            file: Arc::clone(file),
            line: place.line,
        };
        Some(Rule::new(id, policy))
    }

    /// Two rules of one name would make a record that nobody can follow.
    fn keep(&mut self, rule: Rule, place: Place<'a>) {
        if let Some(first) = self.names.get(&rule.id.name) {
            let message = format!(
                "the id `{}` is taken by the rule at {}:{}",
                first.name, first.file, first.line
            );
            let help = Some("give every rule an `@id` of its own".to_owned());
            self.errors.push(place.error(message, help, None));
            return;
        }
        if self.rules.len() >= RULES_MAX {
            self.errors
                .push(place.error(format!("there are more than {RULES_MAX} rules"), None, None));
            return;
        }
        self.check_ids(&rule.policy, place);
        if !rule.policy.has_non_scope_constraint() && !self.shapes.insert(shape(&rule.policy)) {
            self.repeated.push(self.rules.len());
        } else if let Err(error) = self.set.add(rule.policy.clone()) {
            return self.errors.push(place.error(error.to_string(), None, None));
        }
        self.names.insert(Arc::clone(&rule.id.name), rule.id.clone());
        self.rules.push(rule);
        self.places.push(place);
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
            return Err(unplaced(
                "grant",
                format!("there is no library set `{}`", link.library),
                help,
            ));
        };
        if link.target.is_empty() || link.principal.name().is_empty() {
            return Err(unplaced(
                "grant",
                format!("library set `{}` is granted to or on nothing", set.name),
                None,
            ));
        }
        let values = link.values();
        for (template, line) in set.templates() {
            self.link_one(link, template, line, &values)
                .map_err(|message| unplaced(set.file, message, None))?;
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
        if self.rules.len() >= RULES_MAX {
            return Err(format!("there are more than {RULES_MAX} rules"));
        }
        let number = PolicyId::new(self.rules.len().to_string());
        let policy = instantiate(&mut self.library, template, number, values)?;
        let id = RuleId {
            name: Arc::from(link.rule_name(template)),
            file: Arc::from(link.file()),
            line,
        };
        let rule = Rule::new(id, policy);
        if let Some(first) = self.names.insert(Arc::clone(&rule.id.name), rule.id.clone()) {
            return Err(format!(
                "the id `{}` is taken by the rule at {}:{}",
                first.name, first.file, first.line
            ));
        }
        self.rules.push(rule);
        self.places.push(Place {
            file: link.file(),
            text: "",
            line,
            start: 0,
            end: 0,
        });
        Ok(())
    }

    fn validate(&mut self) {
        if self.faults().is_empty() {
            return;
        }
        // Something is wrong: now the repeated rules are worth their time, so that each fault is shown.
        for number in std::mem::take(&mut self.repeated) {
            if let Some(rule) = self.rules.get(number) {
                // A number is a policy's id and used once, so that this cannot fail.
                let _ = self.set.add(rule.policy.clone());
            }
        }
        let found = self.faults();
        self.errors.extend(found);
    }

    /// What validation finds, once for each place: a rule for every action errs for every action.
    fn faults(&self) -> Vec<LoadError> {
        let mode = ValidationMode::Strict;
        let result = words()
            .validator
            .validate_with_level(&self.set, mode, DEREFERENCE_LEVEL_MAX);
        let mut faulty: HashSet<&PolicyId> = HashSet::new();
        let mut found = Vec::new();
        for error in result.validation_errors() {
            faulty.insert(error.policy_id());
            found.push(self.invalid(error));
        }
        // That a rule never applies is news only if nothing else is wrong with it.
        for warning in result.validation_warnings() {
            if !faulty.contains(warning.policy_id())
                && let Some(fault) = self.useless(warning)
            {
                faulty.insert(warning.policy_id());
                found.push(fault);
            }
        }
        once_for_each_place(found)
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
        let never = || "this rule can never apply".to_owned();
        let (message, help) = match warning {
            ValidationWarning::ImpossiblePolicy(_) => (
                never(),
                "an action, a resource or a condition here excludes another one",
            ),
            ValidationWarning::InvalidActionApplication(_) => (
                never(),
                "groups such as `read` are meant by `action in`; the schema says what an action applies to",
            ),
            ValidationWarning::BidiCharsInString(_) | ValidationWarning::BidiCharsInIdentifier(_) => {
                (without_policy(&warning.to_string()), "remove the direction marks")
            }
            _ => return None,
        };
        let mut fault = self.place(warning.policy_id()).diagnosed(warning, message);
        fault.help = Some(help.to_owned());
        Some(fault)
    }

    fn place(&self, policy: &PolicyId) -> Place<'a> {
        let number: Option<usize> = AsRef::<str>::as_ref(policy).parse().ok();
        let place = number.and_then(|number| self.places.get(number)).copied();
        place.unwrap_or(Place {
            file: "library",
            text: "",
            line: 0,
            start: 0,
            end: 0,
        })
    }
}

/// Fills a template's slots, in a set that may hold it already.
pub(crate) fn instantiate(
    set: &mut PolicySet,
    template: &Template,
    id: PolicyId,
    values: &HashMap<SlotId, EntityUid>,
) -> Result<Policy, String> {
    let words = |error: PolicySetError| error.to_string();
    if set.template(template.id()).is_none() {
        set.add_template(template.clone()).map_err(words)?;
    }
    set.link(template.id().clone(), id.clone(), values.clone())
        .map_err(words)?;
    set.policy(&id)
        .cloned()
        .ok_or_else(|| "the link was not kept".to_owned())
}

/// All that the validity of a rule without conditions hangs on: its actions, and the kinds of what it names.
/// The ids themselves are checked for each rule.
fn shape(policy: &Policy) -> String {
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Any => "any".to_owned(),
        PrincipalConstraint::Is(kind) => format!("is {kind}"),
        PrincipalConstraint::In(uid) => format!("in {}", uid.type_name()),
        PrincipalConstraint::Eq(uid) => format!("== {}", uid.type_name()),
        PrincipalConstraint::IsIn(kind, uid) => format!("is {kind} in {}", uid.type_name()),
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any => "any".to_owned(),
        ResourceConstraint::Is(kind) => format!("is {kind}"),
        ResourceConstraint::In(uid) => format!("in {}", uid.type_name()),
        ResourceConstraint::Eq(uid) => format!("== {}", uid.type_name()),
        ResourceConstraint::IsIn(kind, uid) => format!("is {kind} in {}", uid.type_name()),
    };
    format!("{principal}, {:?}, {resource}", policy.action_constraint())
}

fn without_policy(message: &str) -> String {
    match message
        .strip_prefix("for policy `")
        .and_then(|rest| rest.split_once("`, "))
    {
        Some((_, rest)) => rest.to_owned(),
        None => message.to_owned(),
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?
        .1
        .split_once(after)
        .map(|(found, _)| found)
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
    nearest(short, Kind::ALL.into_iter().map(Kind::name))
        .map(|name| format!("did you mean `Postern::{name}`?"))
}
