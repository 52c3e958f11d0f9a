//! May they: a text, its reading and a view of policy in, a [`Permit`] or a [`Refusal`] out.
//!
//! This is the only maker of a permit, and it makes one only after the intent is recorded. A judgement is
//! remembered by exactly what it depends on: the text, the [`Reading`] that fixes its meaning, and the
//! [`View`] that says who asks. Read [`Authorizer::permit`] first.

mod answered;
pub mod call;
pub mod given;
mod judged;
pub mod offer;
pub mod operations;
mod recorder;
mod remembered;
mod rules;
mod statement;
#[cfg(test)]
mod tests;
mod view;
mod what_if;
mod words;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;

use aws_lc_rs::hmac;
use postern_link::wire::{Kind, Record};
use postern_policies::Attribute;
use postern_sql::{Analysis, Catalogue};
use quick_cache::unsync;

use crate::audit::{self, Audit, Entry};
use crate::config::Limits;
use crate::refusal::Refusal;

use answered::{Answered, Answers, Asks, Verdict};
use call::Calls;
use remembered::{Key, KeyRef, TextBytes};
use statement::{effects, rejected};

pub use judged::Judged;
pub use recorder::{EndNote, Recorder, identified};
pub use rules::{Place, Rules, Wish};
pub use view::{Slices, View, ViewFacts};
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

/// Proof that one request was judged, permitted and recorded. Dropping it records it as abandoned.
#[derive(Debug)]
pub struct Permit<J = Rc<Judged>> {
    pub entry: Entry,
    // Invariant: private, so that no permit is made elsewhere.
    judged: J,
}

impl<J> Permit<J> {
    pub fn judged(&self) -> &J {
        &self.judged
    }
}

/// One worker's judge: its audit, and what it remembers.
pub struct Authorizer {
    audit: Rc<Audit>,
    digest_key: hmac::Key,
    refusals_per_minute_max: u32,
    judged: RefCell<unsync::Cache<Key, Rc<Judged>, TextBytes>>,
    answers: Answers,
    calls: Calls,
    readings: RefCell<HashMap<ReadingKey, Weak<Reading>>>,
    views: RefCell<HashMap<ViewFacts, Weak<View>>>,
    /// Of the newest snapshot, by all facts: who connects for each request finds the policies cut, and what was judged.
    views_kept: RefCell<unsync::Cache<ViewFacts, Rc<View>>>,
    ids: Cell<u64>,
}

type ReadingKey = (u64, Vec<String>, String, bool);

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
            answers: Answers::new(limits),
            calls: Calls::new(limits),
            readings: RefCell::default(),
            views: RefCell::default(),
            views_kept: RefCell::new(unsync::Cache::new(limits.views_kept_max)),
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
        slices: impl FnOnce(&ViewFacts) -> Slices,
        keep_raw_text: bool,
    ) -> Rc<View> {
        let mut kept = self.views_kept.borrow_mut();
        if let Some(view) = kept.get(&facts) {
            return view.clone();
        }
        let whole_facts = facts.clone();
        let slices = slices(&facts);
        let reads = slices.reads_anywhere();
        if !reads.contains(Attribute::Run) {
            facts.run = None;
        }
        if !reads.contains(Attribute::Source) {
            facts.source = IpAddr::from([0, 0, 0, 0]);
        }
        let mut views = self.views.borrow_mut();
        let known = views.get(&facts).and_then(Weak::upgrade);
        let view = known.unwrap_or_else(|| {
            views.retain(|_, view| view.strong_count() > 0);
            let view = Rc::new(View {
                id: self.next_id(),
                slices,
                facts: facts.clone(),
                keep_raw_text,
            });
            views.insert(facts, Rc::downgrade(&view));
            view
        });
        kept.retain(|facts, _| facts.policy_epoch >= whole_facts.policy_epoch);
        kept.insert(whole_facts, view.clone());
        view
    }

    /// What this text would do under this reading, and whether this view permits it. Records nothing.
    ///
    /// `types` are those of its parameters, by number, where the client gave them.
    pub fn judge(&self, view: &View, reading: &Reading, text: &str, types: &[u32]) -> Rc<Judged> {
        let key = KeyRef {
            text,
            types,
            values: &[],
            reading: reading.id,
            view: view.id,
        };
        self.recalled(&key, || self.judge_anew(view, reading, text, types))
    }

    /// The same with the values of a Bind, where the judgement [waits for](Judged::waits_for) them: each is one
    /// of those parameters, and a plain name.
    pub fn judge_bound(
        &self,
        view: &View,
        reading: &Reading,
        judged: &Judged,
        values: &[(u16, &str)],
    ) -> Rc<Judged> {
        let key = KeyRef {
            text: &judged.text,
            types: &judged.types,
            values,
            reading: reading.id,
            view: view.id,
        };
        self.recalled(&key, || {
            let unbound = self.judge(view, reading, &judged.text, &judged.types);
            let analysis = unbound.analysis.bound(values);
            let answered = self.answers.of(view, &analysis);
            Judged {
                text: judged.text.clone(),
                types: judged.types.clone(),
                values: key.to_key().values,
                reading: reading.id,
                view: view.id,
                part: self.statement_part(view, reading, &judged.text, &analysis, &answered),
                answered,
                analysis,
            }
        })
    }

    /// What was judged before, judged under this view and reading, with the values that it was judged with.
    pub fn judge_again(&self, view: &View, reading: &Reading, judged: &Judged) -> Rc<Judged> {
        let again = self.judge(view, reading, &judged.text, &judged.types);
        if judged.values.is_empty() || again.waits_for().next().is_none() {
            return again;
        }
        let values: Vec<(u16, &str)> = judged
            .values
            .iter()
            .map(|(number, value)| (*number, &**value))
            .collect();
        self.judge_bound(view, reading, judged, &values)
    }

    fn recalled(&self, key: &KeyRef<'_>, judge: impl FnOnce() -> Judged) -> Rc<Judged> {
        if let Some(judged) = self.judged.borrow().get(key) {
            return judged.clone();
        }
        let judged = Rc::new(judge());
        self.judged.borrow_mut().insert(key.to_key(), judged.clone());
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
        let answered = self.answer_now(recorder, view, judged)?;
        let body = match also {
            Some(body) => Some((body, self.answer_now(recorder, view, body)?)),
            None => None,
        };
        let (body_text, body_answer) = match &body {
            Some((body, answered)) => (&*body.part, &*answered.part),
            None => (&[][..], &[][..]),
        };
        let entry = self.audit.intent(
            recorder.session,
            &[
                &recorder.part,
                body_text,
                body_answer,
                &judged.part,
                &answered.part,
            ],
        );
        let entry = entry.map_err(|error| {
            tracing::debug!(%error, "an intent could not be recorded");
            Refusal::from(&error)
        })?;
        Ok(Permit {
            entry,
            judged: judged.clone(),
        })
    }

    /// Records that a statement was judged, permitted and named, but not yet asked for; returns
    /// the record's number.
    pub fn prepared(
        &self,
        recorder: &Recorder,
        view: &View,
        judged: &Rc<Judged>,
        name: &str,
    ) -> Result<u64, Refusal> {
        let answered = match self.answer_so_far(view, judged) {
            Some(answered) => answered,
            None => self.answer_now(recorder, view, judged)?,
        };
        let mut named = Vec::new();
        audit::put_text(39, name, &mut named);
        let parts = [&*recorder.part, &judged.part, &answered.part, &named];
        let noted = self.audit.note_before(Kind::Prepared, &parts);
        noted.map_err(|error| Refusal::from(&error))
    }

    /// The answer to what is known before the values are: whoever binds them is asked for the rest.
    fn answer_so_far(&self, view: &View, judged: &Judged) -> Option<Rc<Answered>> {
        judged.waits_for().next()?;
        let answered = Answered::now(view, effects(&judged.analysis.without_named()));
        matches!(answered.verdict, Verdict::Permitted).then(|| Rc::new(answered))
    }

    /// The answer that holds at this moment; or its refusal, recorded.
    fn answer_now(
        &self,
        recorder: &Recorder,
        view: &View,
        judged: &Rc<Judged>,
    ) -> Result<Rc<Answered>, Refusal> {
        let answered = match judged.answered.verdict {
            Verdict::Timed => Rc::new(Answered::now(view, effects(&judged.analysis))),
            Verdict::Permitted | Verdict::Refused(_) => judged.answered.clone(),
        };
        match &answered.verdict {
            Verdict::Refused(refusal) => {
                let parts = [&*judged.part, &*answered.part];
                Err(self.note_refused(recorder, parts, refusal.clone()))
            }
            Verdict::Permitted | Verdict::Timed => Ok(answered),
        }
    }

    /// A keyed digest of what must not be told from another, such as whose a name is.
    pub fn tag(&self, parts: &[&[u8]]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.digest_key);
        for part in parts {
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        context.sign()
    }

    /// Records a refusal of a known workload, and completes its hint with the name of the record.
    pub fn refuse(&self, recorder: &Recorder, judged: Option<&Rc<Judged>>, refusal: Refusal) -> Refusal {
        let parts = match judged {
            Some(judged) => [&*judged.part, &*judged.answered.part],
            None => [&[][..], &[][..]],
        };
        self.note_refused(recorder, parts, refusal)
    }

    fn note_refused(&self, recorder: &Recorder, [text, answer]: [&[u8]; 2], mut refusal: Refusal) -> Refusal {
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
        let parts = [&*recorder.part, text, answer, &said];
        if let Err(error) = self.audit.note(Kind::Refused, &parts) {
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

    fn next_id(&self) -> u64 {
        self.ids.replace(self.ids.get() + 1)
    }

    fn judge_anew(&self, view: &View, reading: &Reading, text: &str, types: &[u32]) -> Judged {
        let read = postern_sql::Reading {
            catalogue: &reading.catalogue,
            search_path: &reading.search_path,
            role: &reading.role,
            standard_conforming_strings: reading.standard_conforming_strings,
        };
        let (answered, analysis) = match postern_sql::analyse_typed(text, &read, types) {
            Ok(analysis) => (self.answers.of(view, &analysis), analysis),
            Err(rejection) => (
                Rc::new(Answered::untold(view, rejected(rejection))),
                Analysis::default(),
            ),
        };
        let part = self.statement_part(view, reading, text, &analysis, &answered);
        Judged {
            text: text.into(),
            types: types.into(),
            values: Box::default(),
            reading: reading.id,
            view: view.id,
            answered,
            analysis,
            part,
        }
    }
}
