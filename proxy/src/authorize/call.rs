//! What an HTTP request asks of the policies: its method, on its path or on the operation that it is.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use aws_lc_rs::hmac;
use postern_link::wire::{Effect as RecordedEffect, Record};
use postern_policies::{Answer, Attribute, Question, Resource, Slice};
use quick_cache::{Equivalent, Weighter, unsync};

use super::answered::{Answered, Asks, Verdict};
use super::given::Given;
use super::operations::Operation;
use super::remembered::least_weight;
use super::view::context;
use super::{Authorizer, Permit, Recorder, View, ViewFacts};
use crate::audit;
use crate::config::Limits;
use crate::refusal::Refusal;

/// The methods that are served (RFC 9110, section 9); any other is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    Get,
    Head,
    Options,
    Post,
    Put,
    Patch,
    Delete,
    /// A GET that changes the protocol; no request is named so.
    Tunnel,
}

impl Method {
    pub const ALL: [Method; 7] = [
        Method::Get,
        Method::Head,
        Method::Options,
        Method::Post,
        Method::Put,
        Method::Patch,
        Method::Delete,
    ];

    /// The method of a request.
    pub fn named(name: &str) -> Option<Method> {
        Method::ALL.into_iter().find(|method| method.name() == name)
    }

    /// As requests write it.
    pub fn sent(self) -> &'static str {
        match self {
            Method::Tunnel => Method::Get.name(),
            other => other.name(),
        }
    }

    /// As policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Options => "OPTIONS",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Tunnel => "tunnel",
        }
    }
}

/// A request as it is sent on.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: Method,
    /// In its [one spelling](postern_policies::path::normalised).
    pub path: &'a str,
    pub query: Option<&'a str>,
    /// Where the target says what it does.
    pub operation: Option<&'a Performed>,
}

/// An operation, with what a request gives it.
#[derive(Clone, Debug)]
pub struct Performed {
    pub operation: Arc<Operation>,
    pub given: Given,
}

impl Asked<'_> {
    /// Whether rules look at more of it than method and path tell.
    fn hangs_on_more(&self, view: &View) -> bool {
        let reads = || view.slices.reads(self.method.name());
        self.operation.is_some_and(|performed| {
            performed.operation.hangs_on_more()
                && (reads().contains(Attribute::Parameters) || reads().contains(Attribute::Numbers))
        })
    }

    fn effect(&self) -> OnPath {
        OnPath {
            method: self.method,
            path: self.path.into(),
            performed: self.operation.cloned(),
        }
    }
}

/// The judgement of a method on a path under one view.
#[derive(Debug)]
pub struct Call {
    effect: OnPath,
    answered: Rc<Answered>,
    /// The record's fields that method and path give, encoded once.
    part: Vec<u8>,
}

impl Call {
    pub(super) fn new(effect: OnPath, answered: Rc<Answered>, part: Vec<u8>) -> Call {
        Call {
            effect,
            answered,
            part,
        }
    }

    pub fn method(&self) -> Method {
        self.effect.method
    }

    pub fn path(&self) -> &str {
        &self.effect.path
    }
}

#[derive(Debug)]
pub(super) struct OnPath {
    pub(super) method: Method,
    pub(super) path: Box<str>,
    pub(super) performed: Option<Performed>,
}

impl OnPath {
    fn resource<'a>(&'a self, facts: &'a ViewFacts) -> Resource<'a> {
        let target = &facts.target;
        match &self.performed {
            Some(Performed { operation, .. }) => Resource::Operation {
                target,
                name: &operation.name,
                tags: &operation.tags,
                path: &self.path,
            },
            None => Resource::Path {
                target,
                name: &self.path,
            },
        }
    }

    /// As the first line of a request says it.
    fn line(&self) -> String {
        format!("{} {}", self.method.name(), self.path)
    }
}

impl Asks for OnPath {
    fn action(&self) -> &'static str {
        self.method.name()
    }

    fn ask(&self, view: &View, slice: &Slice) -> Answer {
        let mut context = context(&view.facts);
        if let Some(Performed { given, .. }) = &self.performed {
            context.parameters = Some(&given.texts);
            context.numbers = Some(&given.numbers);
        }
        slice.decide(&Question {
            action: self.action(),
            resource: self.resource(&view.facts),
            context,
            whole: false,
        })
    }

    fn words(&self) -> String {
        match &self.performed {
            Some(performed) => format!("{}, which is `{}`", self.line(), performed.operation.name),
            None => self.line(),
        }
    }

    fn recorded(&self, facts: &ViewFacts) -> RecordedEffect {
        let resource = self.resource(facts);
        RecordedEffect {
            action: self.action().to_owned(),
            resource: format!("{}::\"{}\"", resource.kind_name(), resource.id()),
            ..RecordedEffect::default()
        }
    }

    fn is_implied(&self) -> bool {
        false
    }
}

impl Authorizer {
    /// Records the intent of a request and returns the permit, or records the refusal.
    pub fn permit_call(
        &self,
        recorder: &Recorder,
        view: &View,
        asked: Asked<'_>,
    ) -> Result<Permit<Rc<Call>>, Refusal> {
        let call = match asked.hangs_on_more(view) {
            true => self.judge_call(view, asked),
            false => self.calls.of(view, asked, || self.judge_call(view, asked)),
        };
        let answered = match call.answered.verdict {
            Verdict::Timed => Rc::new(Answered::now(view, std::iter::once(&call.effect))),
            Verdict::Permitted | Verdict::Refused(_) => call.answered.clone(),
        };
        // A query may say more than the path: the record tells that there was one, and its digest.
        let queried = asked.query.map(|query| self.text_part(&call.effect, Some(query)));
        let text = queried.as_ref().unwrap_or(&call.part);
        if let Verdict::Refused(refusal) = &answered.verdict {
            return Err(self.note_refused(recorder, [text, &answered.part], refusal.clone()));
        }
        let parts = [&*recorder.part, text, &answered.part];
        let entry = self.audit.intent(recorder.session, &parts);
        let entry = entry.map_err(|error| Refusal::from(&error))?;
        Ok(Permit { entry, judged: call })
    }

    /// Records that a request was refused before policies were asked.
    pub fn refuse_call(&self, recorder: &Recorder, asked: Asked<'_>, refusal: Refusal) -> Refusal {
        self.note_refused(
            recorder,
            [&self.text_part(&asked.effect(), asked.query), &[]],
            refusal,
        )
    }

    fn judge_call(&self, view: &View, asked: Asked<'_>) -> Rc<Call> {
        let effect = asked.effect();
        Rc::new(Call {
            part: self.text_part(&effect, None),
            answered: Rc::new(Answered::of(view, std::iter::once(&effect))),
            effect,
        })
    }

    fn text_part(&self, call: &OnPath, query: Option<&str>) -> Vec<u8> {
        let mut text = call.line();
        let mut whole = text.clone();
        if let Some(query) = query {
            text.push_str("?…");
            whole.push('?');
            whole.push_str(query);
        }
        audit::part(&Record {
            text,
            text_digest: hmac::sign(&self.digest_key, whole.as_bytes()).as_ref().to_vec(),
            ..Record::default()
        })
    }
}

/// One worker's memory of judged calls.
pub(super) struct Calls(RefCell<unsync::Cache<Key, Rc<Call>, Bytes>>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    view: u64,
    method: Method,
    path: Box<str>,
}

#[derive(Hash)]
struct KeyRef<'a> {
    view: u64,
    method: Method,
    path: &'a str,
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.view == key.view && self.method == key.method && *self.path == *key.path
    }
}

impl Calls {
    pub fn new(limits: &Limits) -> Calls {
        let weight = limits.judged_cached_bytes_max as u64;
        Calls(RefCell::new(unsync::Cache::with_weighter(
            limits.judged_cached_max,
            weight,
            Bytes(least_weight(limits)),
        )))
    }

    fn of(&self, view: &View, asked: Asked<'_>, judge: impl FnOnce() -> Rc<Call>) -> Rc<Call> {
        let key = KeyRef {
            view: view.id,
            method: asked.method,
            path: asked.path,
        };
        if let Some(call) = self.0.borrow().get(&key) {
            return call.clone();
        }
        let call = judge();
        let key = Key {
            view: view.id,
            method: asked.method,
            path: asked.path.into(),
        };
        self.0.borrow_mut().insert(key, call.clone());
        call
    }
}

/// The weight of a remembered call, and the least there is.
#[derive(Clone)]
struct Bytes(u64);

impl Weighter<Key, Rc<Call>> for Bytes {
    fn weight(&self, key: &Key, call: &Rc<Call>) -> u64 {
        let bytes = 2 * key.path.len() + call.part.len() + call.answered.part.len() + 512;
        self.0.max(bytes as u64)
    }
}
