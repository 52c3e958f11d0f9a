//! Decisions as data: every file of `cases/` is read and every line of it must hold. `cases/README.md`
//! tells how they are written.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of a test fail it by panicking"
)]

use postern_policies::{
    Context, Grantee, Link, LoadError, PolicySet, Question, Reason, Resource, Run, Slice, Source,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

const EPOCH: u64 = 7;

#[test]
fn every_case_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.retain(|name| name.extension().is_some_and(|extension| extension == "txt"));
    names.sort();
    let mut failures = String::new();
    let mut questions = 0;
    for name in &names {
        let text = std::fs::read_to_string(name).unwrap();
        let file = name.file_name().unwrap().to_str().unwrap();
        for case in read_cases(file, &text) {
            questions += case.questions.len();
            case.check(&mut failures);
        }
    }
    println!("{questions} questions in {} files", names.len());
    assert!(failures.is_empty(), "\n{failures}");
    assert!(questions > 200, "the cases were not found");
}

/// A set of rules and what is asked of it.
#[derive(Default)]
struct Case {
    place: String,
    title: String,
    rules: String,
    links: Vec<Link>,
    questions: Vec<Line>,
}

struct Line {
    place: String,
    text: String,
    expected: String,
}

impl Case {
    fn check(&self, failures: &mut String) {
        let source = Source {
            name: "rules.cedar".to_owned(),
            text: self.rules.clone(),
        };
        let set = match PolicySet::load(EPOCH, &[source], &self.links) {
            Ok(set) => set,
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(LoadError::to_string).collect();
                writeln!(
                    failures,
                    "{} {}: does not load\n{}",
                    self.place,
                    self.title,
                    errors.join("\n")
                )
                .unwrap();
                return;
            }
        };
        for line in &self.questions {
            let asked = Asked::read(&line.text);
            let slice = set.slice(&asked.workload, &asked.segments);
            let got = asked.answer(&slice);
            if got != line.expected {
                writeln!(
                    failures,
                    "{} {}: {}\n  expected: {}\n  got:      {got}",
                    line.place, self.title, line.text, line.expected
                )
                .unwrap();
            }
            if got == "no rule" {
                self.check_hint(&asked, &slice, failures);
            }
        }
    }

    /// The hint of a refusal must be a rule that loads and turns the refusal into a permit.
    fn check_hint(&self, asked: &Asked, slice: &Slice, failures: &mut String) {
        let hint = asked.with_question(|question| slice.decide(question).hint);
        let Some(hint) = hint else {
            return;
        };
        let mended = format!("{}\n@id(\"hint\") {hint}", self.rules);
        let source = Source {
            name: "rules.cedar".to_owned(),
            text: mended,
        };
        let got = match PolicySet::load(EPOCH, &[source], &self.links) {
            Ok(set) => asked.answer(&set.slice(&asked.workload, &asked.segments)),
            Err(errors) => errors[0].to_string(),
        };
        if got != "permitted by hint" {
            writeln!(
                failures,
                "{} {}: the hint does not help: {hint}\n  got: {got}",
                self.place, self.title
            )
            .unwrap();
        }
    }
}

/// One question with everything it borrows.
struct Asked {
    workload: String,
    segments: Vec<String>,
    action: String,
    resource: Vec<String>,
    columns: Option<BTreeSet<String>>,
    arguments: Option<BTreeSet<String>>,
    parameters: BTreeSet<String>,
    numbers: BTreeMap<String, i64>,
    tags: Vec<String>,
    run: Option<Run>,
    fields: BTreeMap<String, String>,
}

fn list(value: &str) -> BTreeSet<String> {
    let parts = value.split(',').filter(|part| !part.is_empty());
    parts.map(decoded).collect()
}

fn number(pair: &str) -> (String, i64) {
    let (name, number) = pair.split_once('=').expect("a number is `name=number`");
    (name.to_owned(), number.parse().expect("a number"))
}

impl Asked {
    /// `workload [segment …] action Kind target/database/… name=value …`; `\x20` style escapes are
    /// percent-encoded in values.
    fn read(text: &str) -> Asked {
        let (who, rest) = text
            .split_once(": ")
            .expect("a question begins with `workload [in segment …]: `");
        let (workload, segments) = who.split_once(" in ").unwrap_or((who, ""));
        let mut words = rest.split_whitespace();
        let action = words.next().expect("an action").to_owned();
        let kind = words.next().expect("a kind of resource").to_owned();
        let id = words.next().expect("a resource");
        let mut resource = vec![kind];
        match id.split_once(":/") {
            Some((target, path)) => resource.extend([decoded(target), format!("/{path}")]),
            None => resource.extend(id.split('/').map(decoded)),
        }
        let mut asked = Asked {
            workload: workload.trim().to_owned(),
            segments: segments.split_whitespace().map(str::to_owned).collect(),
            action,
            resource,
            columns: None,
            arguments: None,
            parameters: BTreeSet::new(),
            numbers: BTreeMap::new(),
            tags: Vec::new(),
            run: None,
            fields: BTreeMap::new(),
        };
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, "true"));
            match name.strip_prefix("run.") {
                Some(name) => asked.run_fact(name, decoded(value)),
                None if name == "columns" => asked.columns = Some(list(value)),
                None if name == "arguments" => asked.arguments = Some(list(value)),
                None if name == "parameters" => asked.parameters = list(value),
                None if name == "numbers" => {
                    asked.numbers = list(value).iter().map(|pair| number(pair)).collect()
                }
                None if name == "tags" => asked.tags = list(value).into_iter().collect(),
                None => drop(asked.fields.insert(name.to_owned(), decoded(value))),
            }
        }
        asked
    }

    fn run_fact(&mut self, name: &str, value: String) {
        let run = self.run.get_or_insert_default();
        match name {
            "provider" => run.provider = value,
            "repository_id" => run.repository_id = Some(value),
            "ref" => run.r#ref = Some(value),
            "environment" => run.environment = Some(value),
            "event" => run.event = Some(value),
            other => panic!("the run fact `{other}` is not read by the cases"),
        }
    }

    fn with_question<T>(&self, ask: impl FnOnce(&Question<'_>) -> T) -> T {
        let field = |name: &str| self.fields.get(name).map(String::as_str);
        let flag = |name: &str| field(name).map(|value| value.parse::<bool>().unwrap());
        let parts: Vec<&str> = self.resource.iter().map(String::as_str).collect();
        let resource = match *parts.as_slice() {
            ["Target", target] => Resource::Target(target),
            ["Database", target, database] => Resource::Database { target, database },
            ["Schema", target, database, schema] => Resource::Schema {
                target,
                database,
                schema,
            },
            ["Table", target, database, schema, name] => Resource::Table {
                target,
                database,
                schema,
                name,
            },
            ["Routine", target, database, schema, name] => Resource::Routine {
                target,
                database,
                schema,
                name,
            },
            ["Role", target, role] => Resource::Role { target, role },
            ["Operation", target, name] => Resource::Operation {
                target,
                name,
                tags: &self.tags,
                path: field("path").unwrap_or("/"),
            },
            ["Path", target, name] => Resource::Path { target, name },
            ["Tool", target, name] => Resource::Tool { target, name },
            ["Prompt", target, name] => Resource::Prompt { target, name },
            ["Resource", target, name] => Resource::Resource { target, name },
            _ => panic!("{parts:?} is no resource"),
        };
        let context = Context {
            role: field("role").unwrap_or("app"),
            source: field("source").unwrap_or("192.0.2.1").parse().unwrap(),
            now: field("now").map_or(0, |now| now.parse::<jiff::Timestamp>().unwrap().as_millisecond()),
            evidence: field("evidence").unwrap_or("certificate"),
            run: self.run.as_ref(),
            columns: self.columns.as_ref(),
            rows_only: flag("rows_only"),
            filtered: flag("filtered"),
            kind: field("kind"),
            class: field("class"),
            setting: field("setting"),
            value: field("value"),
            reset: Some(flag("reset").unwrap_or(false)),
            mode: field("mode"),
            channel: field("channel"),
            language: field("language"),
            arguments: self.arguments.as_ref(),
            parameters: Some(&self.parameters),
            numbers: Some(&self.numbers),
        };
        let whole = flag("whole").unwrap_or(false);
        ask(&Question {
            action: &self.action,
            resource,
            context,
            whole,
        })
    }

    fn answer(&self, slice: &Arc<Slice>) -> String {
        let answer = self.with_question(|question| slice.decide(question));
        let names: Vec<&str> = answer.rules.iter().map(|rule| &*rule.name).collect();
        let names = names.join(", ");
        assert_eq!(answer.permitted, answer.reason.is_none());
        match answer.reason {
            None => format!("permitted by {names}"),
            Some(Reason::NoRule) => "no rule".to_owned(),
            Some(Reason::Forbidden(_)) => format!("forbidden by {names}"),
            Some(Reason::Error(_)) => format!("error in {names}"),
        }
    }
}

/// `%20` and the like in a word of a case.
fn decoded(word: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [high, low, after @ ..]) => {
                let hex = [*high, *low];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn read_cases(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = format!("{file}:{}", index + 1);
        let trimmed = line.trim();
        if let Some(title) = line.strip_prefix("== ") {
            cases.push(Case {
                place,
                title: title.to_owned(),
                ..Case::default()
            });
            continue;
        }
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let case = cases
            .last_mut()
            .unwrap_or_else(|| panic!("{place}: a case begins with `== its title`"));
        if let Some(grant) = line.strip_prefix("grant ") {
            case.links.extend(read_grant(&place, grant));
        } else if let Some(question) = line.strip_prefix("? ") {
            let (text, expected) = question
                .split_once(" -> ")
                .unwrap_or_else(|| panic!("{place}: no ` -> `"));
            let line = Line {
                place,
                text: text.trim().to_owned(),
                expected: expected.trim().to_owned(),
            };
            case.questions.push(line);
        } else {
            case.rules.push_str(line);
            case.rules.push('\n');
        }
    }
    cases
}

/// `session-basics read-only to segment readers on orders`
fn read_grant(place: &str, grant: &str) -> Vec<Link> {
    let words: Vec<&str> = grant.split_whitespace().collect();
    let [libraries @ .., "to", kind, name, "on", target] = words.as_slice() else {
        panic!("{place}: a grant is `grant <sets> to segment|workload <name> on <target>`");
    };
    let principal = match *kind {
        "segment" => Grantee::Segment((*name).to_owned()),
        "workload" => Grantee::Workload((*name).to_owned()),
        other => panic!("{place}: `{other}` is neither segment nor workload"),
    };
    let link = |library: &&str| Link {
        library: (*library).to_owned(),
        principal: principal.clone(),
        target: (*target).to_owned(),
    };
    libraries.iter().map(link).collect()
}
