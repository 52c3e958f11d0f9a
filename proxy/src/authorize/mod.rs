//! May they: a text, its reading and a view of policy in, a [`Permit`] or a [`Refusal`] out.
//!
//! This is the only maker of a permit, and it makes one only after the intent is recorded. A judgement is
//! remembered by exactly what it depends on: the text, the [`Reading`] that fixes its meaning, and the
//! [`View`] that says who asks. Read [`Authorizer::permit`] first.

mod rules;
mod what_if;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use aws_lc_rs::hmac;
use postern_link::wire::{Effect as RecordedEffect, Kind, Record};
use postern_policies::{Answer, Attribute, Context, Question, Reason as Why, Resource, Run, Slice};
use postern_sql::{Action, Analysis, Catalogue, Change, Detail, Effect, Object, Rejection, Statement};
use quick_cache::{Equivalent, Weighter, unsync};

use crate::audit::{self, Audit, Entry};
use crate::config::Limits;
use crate::refusal::{Reason, Refusal};

/// Effects that a refusal lists before it only counts.
const REFUSED_EFFECTS_SHOWN_MAX: usize = 4;

pub use rules::{Place, Rules, Wish};
pub use what_if::{Asked, Asker, EffectAnswer, WhatIf, what_if};

/// What fixes the meaning of a text on one upstream connection. Equal readings are one value.
#[derive(Debug)]
pub struct Reading {
    id: u64,
    pub catalogue: Arc<Catalogue>,
    /// As the server resolves unqualified names, implicit schemas included, in order.
    pub search_path: Vec<String>,
    pub role: String,
    pub standard_conforming_strings: bool,
}

/// Who asks, where, under which rules. Equal views are one value.
#[derive(Debug)]
pub struct View {
    id: u64,
    slice: Arc<Slice>,
    facts: ViewFacts,
    keep_raw_text: bool,
}

impl View {
    pub fn policy_epoch(&self) -> u64 {
        self.facts.policy_epoch
    }
}

/// Everything beside the statement that a decision may hang on, but for the time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ViewFacts {
    pub policy_epoch: u64,
    pub workload: String,
    pub segments: Vec<String>,
    pub target: String,
    pub database: String,
    pub role: String,
    pub source: IpAddr,
    pub evidence: &'static str,
    pub run: Option<Run>,
}

/// The judgement of one text under one reading and one view.
#[derive(Debug)]
pub struct Judged {
    text: Box<str>,
    reading: u64,
    view: u64,
    verdict: Verdict,
    analysis: Analysis,
    /// The record's fields that this text gives, encoded once.
    part: Vec<u8>,
}

#[derive(Debug)]
enum Verdict {
    Permitted,
    Refused(Refusal),
    /// A rule looks at the clock: decided anew each time.
    Timed,
}

impl Judged {
    pub fn text(&self) -> &str {
        &self.text
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
        match &self.verdict {
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
        match &self.verdict {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Permitted | Verdict::Timed => None,
        }
    }
}

/// Proof that one request was judged, permitted and recorded. Dropping it records it as abandoned.
#[derive(Debug)]
pub struct Permit {
    pub entry: Entry,
    pub judged: Rc<Judged>,
}

/// What a session brings to every record it makes.
#[derive(Debug)]
pub struct Recorder {
    pub session: [u8; 16],
    /// The record's fields that are the session's, encoded once.
    pub part: Vec<u8>,
    refused_since_us: Cell<i64>,
    refused: Cell<u32>,
}

impl Recorder {
    pub fn new(session: [u8; 16], record: &Record) -> Recorder {
        Recorder {
            session,
            part: audit::part(record),
            refused_since_us: Cell::new(0),
            refused: Cell::new(0),
        }
    }
}

/// One worker's judge: its audit, and what it remembers.
pub struct Authorizer {
    audit: Rc<Audit>,
    digest_key: hmac::Key,
    refusals_per_minute_max: u32,
    judged: RefCell<unsync::Cache<Key, Rc<Judged>, TextBytes>>,
    readings: RefCell<HashMap<ReadingKey, Weak<Reading>>>,
    views: RefCell<HashMap<ViewFacts, Weak<View>>>,
    ids: Cell<u64>,
}

type ReadingKey = (u64, Vec<String>, String, bool);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    text: Box<str>,
    reading: u64,
    view: u64,
}

#[derive(Hash)]
struct KeyRef<'a> {
    text: &'a str,
    reading: u64,
    view: u64,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.reading == key.reading && self.view == key.view && self.text == &*key.text
    }
}

/// The weight of a remembered judgement: its bytes, but never less than keeps their number within its limit.
#[derive(Clone)]
struct TextBytes {
    least: u64,
}

impl TextBytes {
    fn within(limits: &Limits) -> TextBytes {
        let count_max = limits.judged_cached_max.max(1);
        TextBytes {
            least: limits.judged_cached_bytes_max.div_ceil(count_max) as u64,
        }
    }
}

impl Weighter<Key, Rc<Judged>> for TextBytes {
    fn weight(&self, key: &Key, judged: &Rc<Judged>) -> u64 {
        self.least
            .max((2 * key.text.len() + judged.part.len() + 512) as u64)
    }
}

impl Authorizer {
    pub fn new(audit: Rc<Audit>, digest_key: hmac::Key, limits: &Limits) -> Authorizer {
        let weight = limits.judged_cached_bytes_max as u64;
        Authorizer {
            audit,
            digest_key,
            refusals_per_minute_max: limits.refusals_recorded_per_minute_max,
            judged: RefCell::new(unsync::Cache::with_weighter(
                limits.judged_cached_max,
                weight,
                TextBytes::within(limits),
            )),
            readings: RefCell::default(),
            views: RefCell::default(),
            ids: Cell::new(1),
        }
    }

    pub fn audit(&self) -> &Rc<Audit> {
        &self.audit
    }

    /// The reading of these facts; the same value for the same facts.
    pub fn reading(
        &self,
        catalogue: &Arc<Catalogue>,
        search_path: Vec<String>,
        role: &str,
        standard_conforming_strings: bool,
    ) -> Rc<Reading> {
        let key = (
            catalogue.version,
            search_path,
            role.to_owned(),
            standard_conforming_strings,
        );
        let mut readings = self.readings.borrow_mut();
        if let Some(reading) = readings.get(&key).and_then(Weak::upgrade) {
            return reading;
        }
        readings.retain(|_, reading| reading.strong_count() > 0);
        let reading = Rc::new(Reading {
            id: self.next_id(),
            catalogue: catalogue.clone(),
            search_path: key.1.clone(),
            role: role.to_owned(),
            standard_conforming_strings,
        });
        readings.insert(key, Rc::downgrade(&reading));
        reading
    }

    /// The view of these facts; the same value for the same facts, so far as any rule looks at them.
    pub fn view(
        &self,
        mut facts: ViewFacts,
        slice: impl FnOnce(&ViewFacts) -> Arc<Slice>,
        keep_raw_text: bool,
    ) -> Rc<View> {
        let slice = slice(&facts);
        let reads = Action::ALL.iter().map(|action| slice.reads(action.name()));
        let reads = reads.fold(
            postern_policies::ReadSet::NOTHING,
            postern_policies::ReadSet::union,
        );
        if !reads.contains(Attribute::Run) {
            facts.run = None;
        }
        if !reads.contains(Attribute::Source) {
            facts.source = IpAddr::from([0, 0, 0, 0]);
        }
        let mut views = self.views.borrow_mut();
        if let Some(view) = views.get(&facts).and_then(Weak::upgrade) {
            return view;
        }
        views.retain(|_, view| view.strong_count() > 0);
        let view = Rc::new(View {
            id: self.next_id(),
            slice,
            facts: facts.clone(),
            keep_raw_text,
        });
        views.insert(facts, Rc::downgrade(&view));
        view
    }

    /// What this text would do under this reading, and whether this view permits it. Records nothing.
    pub fn judge(&self, view: &View, reading: &Reading, text: &str) -> Rc<Judged> {
        let key = KeyRef {
            text,
            reading: reading.id,
            view: view.id,
        };
        if let Some(judged) = self.judged.borrow().get(&key) {
            return judged.clone();
        }
        let judged = Rc::new(self.judge_anew(view, reading, text));
        let key = Key {
            text: text.into(),
            reading: reading.id,
            view: view.id,
        };
        self.judged.borrow_mut().insert(key, judged.clone());
        judged
    }

    /// Records the intent of a judged request and returns the permit, or records the refusal.
    ///
    /// `also` is what the request runs besides its own text: the body of an EXECUTE.
    pub fn permit(
        &self,
        recorder: &Recorder,
        view: &View,
        judged: &Rc<Judged>,
        also: Option<&Rc<Judged>>,
    ) -> Result<Permit, Refusal> {
        for asked in std::iter::once(judged).chain(also) {
            match &asked.verdict {
                Verdict::Permitted => {}
                Verdict::Refused(refusal) => return Err(self.refuse(recorder, Some(asked), refusal.clone())),
                Verdict::Timed => {
                    if let Err(refusal) = decide_all(view, &asked.analysis) {
                        return Err(self.refuse(recorder, Some(asked), refusal));
                    }
                }
            }
        }
        let body = also.map_or(&[][..], |body| &body.part);
        let entry = self
            .audit
            .intent(recorder.session, [&recorder.part, body, &judged.part]);
        let entry = entry.map_err(|error| {
            tracing::debug!(%error, "an intent could not be recorded");
            Refusal::from(&error)
        })?;
        Ok(Permit {
            entry,
            judged: judged.clone(),
        })
    }

    /// Records that a statement was judged, permitted and named, but not yet asked for.
    pub fn prepared(
        &self,
        recorder: &Recorder,
        view: &View,
        judged: &Rc<Judged>,
        name: &str,
    ) -> Result<(), Refusal> {
        match &judged.verdict {
            Verdict::Permitted => {}
            Verdict::Refused(refusal) => return Err(self.refuse(recorder, Some(judged), refusal.clone())),
            Verdict::Timed => {
                decide_all(view, &judged.analysis)
                    .map_err(|refusal| self.refuse(recorder, Some(judged), refusal))?;
            }
        }
        let mut named = Vec::new();
        audit::put_text(39, name, &mut named);
        let written = self
            .audit
            .note(Kind::Prepared, &[&recorder.part, &judged.part, &named]);
        written.map(drop).map_err(|error| Refusal::from(&error))
    }

    /// Records a refusal of a known workload, and completes its hint with the name of the record.
    pub fn refuse(&self, recorder: &Recorder, judged: Option<&Rc<Judged>>, mut refusal: Refusal) -> Refusal {
        const MINUTE_US: i64 = 60_000_000;
        let now = audit::now_us();
        if now - recorder.refused_since_us.get() > MINUTE_US {
            self.note_counted(recorder);
            recorder.refused_since_us.set(now);
            recorder.refused.set(0);
        }
        recorder.refused.set(recorder.refused.get().saturating_add(1));
        if recorder.refused.get() > self.refusals_per_minute_max {
            return refusal;
        }
        let explain = format!("ask why with: postern explain {}", self.audit.next_id());
        refusal.hint = Some(match refusal.hint.take() {
            Some(hint) => format!("{hint}\n{explain}").into(),
            None => explain.into(),
        });
        let said = audit::part(&Record {
            refusal: refusal.reason.name().into(),
            message: refusal.message.clone().into_owned(),
            detail: refusal.detail.clone().unwrap_or_default().into_owned(),
            hint: refusal.hint.clone().unwrap_or_default().into_owned(),
            ..Record::default()
        });
        let text = judged.map_or(&[][..], |judged| &judged.part);
        if let Err(error) = self.audit.note(Kind::Refused, &[&recorder.part, text, &said]) {
            tracing::debug!(%error, "a refusal could not be recorded");
        }
        refusal
    }

    /// Writes down the refusals of this session that were only counted; called at its end too.
    pub fn note_counted(&self, recorder: &Recorder) {
        let counted = recorder
            .refused
            .get()
            .saturating_sub(self.refusals_per_minute_max);
        if counted == 0 {
            return;
        }
        let since_us = recorder.refused_since_us.get();
        let count = audit::part(&Record {
            count: counted.into(),
            since_us,
            ..Record::default()
        });
        if let Err(error) = self.audit.note(Kind::RefusedCounted, &[&recorder.part, &count]) {
            tracing::debug!(%error, "counted refusals could not be recorded");
        }
        recorder.refused.set(self.refusals_per_minute_max);
    }

    /// Whether this view may read every column of every relation that the statements name: only then may
    /// it see what the server quotes from rows in its errors.
    pub fn may_read_all(&self, view: &View, reading: &Reading, judged: &Judged) -> bool {
        judged
            .analysis
            .statements
            .iter()
            .flat_map(|statement| &statement.relations)
            .all(|(schema, name)| {
                let relation = reading.catalogue.relation(schema, name);
                let columns: BTreeSet<String> = match relation {
                    Some(relation) => relation.columns.iter().cloned().collect(),
                    None => BTreeSet::from(["*".to_owned()]),
                };
                let facts = &view.facts;
                let mut context = context(facts);
                context.columns = Some(&columns);
                context.rows_only = Some(false);
                let resource = Resource::Table {
                    target: &facts.target,
                    database: &facts.database,
                    schema,
                    name,
                };
                view.slice
                    .decide(&Question {
                        action: "select",
                        resource,
                        context,
                        whole: false,
                    })
                    .permitted
            })
    }

    /// Whether the workload may be in this database under this role at all; asked when a session opens.
    pub fn may_enter(&self, view: &View) -> Result<(), Refusal> {
        let facts = &view.facts;
        let database = Resource::Database {
            target: &facts.target,
            database: &facts.database,
        };
        let role = Resource::Role {
            target: &facts.target,
            role: &facts.role,
        };
        let asked = [
            ("use", database, "use the database"),
            ("assume", role, "assume the role"),
        ];
        for (action, resource, words) in asked {
            let answer = view.slice.decide(&Question {
                action,
                resource,
                context: context(facts),
                whole: false,
            });
            if !answer.permitted {
                let name = if action == "use" {
                    &facts.database
                } else {
                    &facts.role
                };
                let message = format!("workload `{}` may not {words} `{name}`", facts.workload);
                return Err(worded(message, vec![detail_of(&answer)], answer.hint));
            }
        }
        Ok(())
    }

    fn next_id(&self) -> u64 {
        self.ids.replace(self.ids.get() + 1)
    }

    fn judge_anew(&self, view: &View, reading: &Reading, text: &str) -> Judged {
        let read = postern_sql::Reading {
            catalogue: &reading.catalogue,
            search_path: &reading.search_path,
            role: &reading.role,
            standard_conforming_strings: reading.standard_conforming_strings,
        };
        let (verdict, analysis) = match postern_sql::analyse(text, &read) {
            Ok(analysis) => (verdict(view, &analysis), analysis),
            Err(rejection) => (Verdict::Refused(rejected(rejection)), Analysis::default()),
        };
        let part = self.statement_part(view, reading, text, &verdict, &analysis);
        Judged {
            text: text.into(),
            reading: reading.id,
            view: view.id,
            verdict,
            analysis,
            part,
        }
    }

    fn statement_part(
        &self,
        view: &View,
        reading: &Reading,
        text: &str,
        verdict: &Verdict,
        analysis: &Analysis,
    ) -> Vec<u8> {
        let effects = analysis
            .statements
            .iter()
            .flat_map(|statement| &statement.effects);
        let permitted = !matches!(verdict, Verdict::Refused(_));
        let rules: BTreeSet<String> = if permitted {
            let questions = effects.clone().filter(|effect| !effect.implied);
            questions
                .flat_map(|effect| ask(view, effect).rules)
                .map(|rule| rule.to_string())
                .collect()
        } else {
            BTreeSet::new()
        };
        // The body of a routine is code that stays behind: it is kept as it was sent.
        let defines_routine = permitted
            && effects.clone().any(|effect| {
                matches!(effect.detail, Detail::Kind("function" | "procedure"))
                    && effect.action == Action::Create
            });
        let raw_text = if view.keep_raw_text || defines_routine {
            text.to_owned()
        } else {
            String::new()
        };
        audit::part(&Record {
            text: postern_sql::redact(text, reading.standard_conforming_strings),
            text_digest: hmac::sign(&self.digest_key, text.as_bytes()).as_ref().to_vec(),
            raw_text,
            effects: effects.map(|effect| recorded(view, effect)).collect(),
            permitted,
            rules: rules.into_iter().collect(),
            policy_epoch: view.facts.policy_epoch,
            catalogue_version: reading.catalogue.version,
            search_path: reading.search_path.join(", "),
            ..Record::default()
        })
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

fn verdict(view: &View, analysis: &Analysis) -> Verdict {
    let mut actions = analysis
        .statements
        .iter()
        .flat_map(|statement| &statement.effects);
    if actions.any(|effect| view.slice.reads(effect.action.name()).contains(Attribute::Now)) {
        return Verdict::Timed;
    }
    match decide_all(view, analysis) {
        Ok(()) => Verdict::Permitted,
        Err(refusal) => Verdict::Refused(refusal),
    }
}

/// Permitted only if every effect is; the refusal names each that is not.
fn decide_all(view: &View, analysis: &Analysis) -> Result<(), Refusal> {
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

fn worded(message: String, details: Vec<String>, hint: Option<String>) -> Refusal {
    let refusal = Refusal::new(Reason::Forbidden, message).detail(details.join("; "));
    match hint {
        Some(permit) => refusal.hint(format!("a rule that would allow it: {permit}")),
        None => refusal,
    }
}

fn detail_of(answer: &Answer) -> String {
    let list = |rules: &[postern_policies::RuleId]| {
        rules
            .iter()
            .map(|rule| format!("`{rule}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match &answer.reason {
        None | Some(Why::NoRule) => "no rule permits it".to_owned(),
        Some(Why::Forbidden(rules)) => format!("forbidden by {}", list(rules)),
        Some(Why::Error(rules)) => format!("a rule could not be judged: {}", list(rules)),
    }
}

fn ask(view: &View, effect: &Effect) -> Answer {
    let facts = &view.facts;
    let columns: BTreeSet<String> = effect.columns.iter().map(ToString::to_string).collect();
    let mut context = context(facts);
    context.columns = Some(&columns);
    context.rows_only = Some(effect.rows_only);
    context.filtered = effect.filtered;
    match &effect.detail {
        Detail::None => {}
        Detail::Kind(kind) => context.kind = Some(kind),
        Detail::Class(class) => context.class = Some(class.name()),
        Detail::Setting { name, value } => {
            context.setting = Some(name);
            context.value = value.as_deref();
            context.reset = Some(false);
        }
        Detail::Reset(name) => {
            context.setting = Some(name);
            context.reset = Some(true);
        }
        Detail::Mode(mode) => context.mode = Some(mode),
        Detail::Channel(channel) => context.channel = Some(channel.as_deref().unwrap_or("*")),
        Detail::Language(language) => context.language = Some(language),
    }
    let whole = effect.object == Object::EveryTable;
    let question = Question {
        action: effect.action.name(),
        resource: resource(facts, &effect.object),
        context,
        whole,
    };
    view.slice.decide(&question)
}

fn context(facts: &ViewFacts) -> Context<'_> {
    let mut context = Context::new(&facts.role, facts.source, audit::now_us() / 1_000, facts.evidence);
    context.run = facts.run.as_ref();
    context
}

fn resource<'a>(facts: &'a ViewFacts, object: &'a Object) -> Resource<'a> {
    let (target, database) = (facts.target.as_str(), facts.database.as_str());
    match object {
        Object::Database | Object::EveryTable => Resource::Database { target, database },
        Object::Schema(schema) => Resource::Schema {
            target,
            database,
            schema,
        },
        Object::Table { schema, name } => Resource::Table {
            target,
            database,
            schema,
            name,
        },
        Object::Routine { schema, name } => Resource::Routine {
            target,
            database,
            schema,
            name,
        },
        Object::Role(role) => Resource::Role { target, role },
    }
}

fn recorded(view: &View, effect: &Effect) -> RecordedEffect {
    let resource = resource(&view.facts, &effect.object);
    RecordedEffect {
        action: effect.action.name().to_owned(),
        resource: format!("{}::\"{}\"", resource.kind_name(), resource.id()),
        columns: effect.columns.iter().map(ToString::to_string).collect(),
        detail: match &effect.detail {
            Detail::None => String::new(),
            Detail::Kind(word) | Detail::Mode(word) => (*word).to_owned(),
            Detail::Class(class) => class.name().to_owned(),
            // A value may be a secret; the name says enough.
            Detail::Setting { name, .. } | Detail::Reset(name) => name.to_string(),
            Detail::Channel(channel) => channel.as_deref().unwrap_or("*").to_owned(),
            Detail::Language(language) => language.to_string(),
        },
    }
}

/// An effect in words: `select email, phone of public.customers`.
fn words(effect: &Effect) -> String {
    let object = match &effect.object {
        Object::Database => "the database".to_owned(),
        Object::EveryTable => "every table".to_owned(),
        Object::Schema(schema) => format!("schema {schema}"),
        Object::Table { schema, name } | Object::Routine { schema, name } => format!("{schema}.{name}"),
        Object::Role(role) => format!("role {role}"),
    };
    let columns = effect
        .columns
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let action = effect.action.name();
    match &effect.detail {
        Detail::Kind(kind) => format!("{action} {kind} in {object}"),
        Detail::Setting {
            name,
            value: Some(value),
        } => format!("{action} setting {name} to {value}"),
        Detail::Setting { name, value: None } => format!("{action} setting {name}"),
        Detail::Reset(name) if &**name == "*" => "reset every setting".to_owned(),
        Detail::Reset(name) => format!("reset setting {name}"),
        Detail::Class(class) => format!("{action} {object}, a routine of class {}", class.name()),
        Detail::Mode(mode) => format!("{action} {object} in {mode} mode"),
        Detail::Channel(_) | Detail::Language(_) | Detail::None if columns.is_empty() => {
            match effect.filtered {
                Some(false) => format!("{action} {object} without a filter on its rows"),
                _ => format!("{action} {object}"),
            }
        }
        Detail::Channel(_) | Detail::Language(_) | Detail::None => match effect.filtered {
            Some(false) => format!("{action} {columns} of {object} without a filter on its rows"),
            _ => format!("{action} {columns} of {object}"),
        },
    }
}

fn rejected(rejection: Rejection) -> Refusal {
    match rejection {
        Rejection::Syntax {
            message, position, ..
        } => located(Refusal::new(Reason::Syntax, message), position),
        Rejection::NotUnderstood { what, position } => {
            let message = "this statement cannot be judged, so it is refused";
            located(
                Refusal::new(Reason::NotUnderstood, message).detail(what),
                position,
            )
        }
        Rejection::TooLarge { limit, limit_count } => {
            Refusal::new(Reason::NotUnderstood, "this statement is too large to be judged")
                .detail(format!("the limit is {limit_count} {limit}"))
        }
    }
}

fn located(refusal: Refusal, position: Option<usize>) -> Refusal {
    match position {
        Some(position) => refusal.at(position),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::spool::{Room, Spool};
    use crate::config::Durability;

    fn authorizer(folder: &std::path::Path, limits: &Limits) -> Authorizer {
        let room = Room {
            spool_bytes_max: 1 << 20,
            file_bytes_max: 1 << 20,
            record_bytes_max: 1 << 10,
            durability: Durability::Process,
        };
        let spool = Spool::open(folder, 0, 1, room, &Arc::default(), |_, _| Vec::new());
        let audit = Rc::new(Audit::new(spool.unwrap().0, "test"));
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
        Authorizer::new(audit, key, limits)
    }

    fn remembered(limits: &Limits, texts: usize) -> (usize, u64) {
        let folder = tempfile::tempdir().unwrap();
        let authorizer = authorizer(folder.path(), limits);
        let reading = authorizer.reading(&Arc::default(), Vec::new(), "role", true);
        let facts = ViewFacts {
            policy_epoch: 1,
            workload: "report".into(),
            segments: Vec::new(),
            target: "shop".into(),
            database: "shop".into(),
            role: "role".into(),
            source: IpAddr::from([192, 0, 2, 1]),
            evidence: "token",
            run: None,
        };
        let rules = Rules::load(postern_link::snapshot::Snapshot::default()).unwrap();
        let slice = |facts: &ViewFacts| rules.policies.slice(&facts.workload, &facts.segments);
        let view = authorizer.view(facts, slice, false);
        for number in 0..texts {
            authorizer.judge(&view, &reading, &format!("select {number}"));
        }
        let judged = authorizer.judged.borrow();
        (judged.len(), judged.weight())
    }

    #[test]
    fn only_so_many_judged_statements_are_remembered() {
        let limits = Limits {
            judged_cached_max: 20,
            ..Limits::default()
        };
        let (count, _) = remembered(&limits, 200);
        assert!((10..=20).contains(&count), "{count}");
    }

    #[test]
    fn only_so_many_bytes_of_judged_statements_are_remembered() {
        let limits = Limits {
            judged_cached_bytes_max: 10_000,
            ..Limits::default()
        };
        let (count, bytes) = remembered(&limits, 200);
        assert!(
            bytes <= 10_000 && (5..20).contains(&count),
            "{count} with {bytes} bytes"
        );
    }
}
