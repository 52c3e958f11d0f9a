//! What a request to an MCP server asks of the policies: to use what the server offers.

use std::rc::Rc;

use aws_lc_rs::hmac;
use postern_link::wire::{Effect as RecordedEffect, Record};
use postern_policies::{Answer, Attribute, Question, Resource, Slice};

use super::answered::{Answered, Asks, Verdict};
use super::call::{Call, Method, OnPath};
use super::given::Given;
use super::view::context;
use super::{Authorizer, Permit, Recorder, View, ViewFacts};
use crate::audit;
use crate::refusal::Refusal;

/// What a server offers, by the name that requests use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The server itself: to speak with it at all.
    Server,
    Tool {
        name: String,
        /// Of the arguments that the target declares those that are given.
        given: Given,
    },
    Prompt(String),
    /// By its URI.
    Resource(String),
}

impl Offer {
    fn resource<'a>(&'a self, facts: &'a ViewFacts) -> Resource<'a> {
        let target = &facts.target;
        match self {
            Offer::Server => Resource::Target(target),
            Offer::Tool { name, .. } => Resource::Tool { target, name },
            Offer::Prompt(name) => Resource::Prompt { target, name },
            Offer::Resource(name) => Resource::Resource { target, name },
        }
    }

    fn question<'a>(&'a self, view: &'a View) -> Question<'a> {
        let mut context = context(&view.facts);
        if let Offer::Tool { given, .. } = self {
            context.arguments = Some(&given.texts);
            context.numbers = Some(&given.numbers);
        }
        Question {
            action: "use",
            resource: self.resource(&view.facts),
            context,
            whole: false,
        }
    }
}

impl Asks for Offer {
    fn action(&self) -> &'static str {
        "use"
    }

    fn ask(&self, view: &View, slice: &Slice) -> Answer {
        slice.decide(&self.question(view))
    }

    fn words(&self) -> String {
        match self {
            Offer::Server => "use the server".to_owned(),
            Offer::Tool { name, .. } => format!("use the tool `{name}`"),
            Offer::Prompt(name) => format!("use the prompt `{name}`"),
            Offer::Resource(name) => format!("use the resource `{name}`"),
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

/// A message as it is sent on.
pub struct Message<'a> {
    pub method: Method,
    /// Where the server is spoken to.
    pub endpoint: &'a str,
    /// For the record: `tools/call create_issue`.
    pub words: &'a str,
    /// The exact bytes, of which the record has a digest.
    pub body: &'a [u8],
    pub offers: &'a [Offer],
}

impl Authorizer {
    /// Records the intent of a message and returns the permit, or records the refusal.
    pub fn permit_message(
        &self,
        recorder: &Recorder,
        view: &View,
        message: &Message<'_>,
    ) -> Result<Permit<Rc<Call>>, Refusal> {
        // Arguments differ from call to call: nothing is remembered.
        let answered = Answered::now(view, message.offers.iter());
        let text = self.message_part(message);
        if let Verdict::Refused(refusal) = &answered.verdict {
            return Err(self.note_refused(recorder, [&text, &answered.part], refusal.clone()));
        }
        let parts = [&*recorder.part, &text, &answered.part];
        let entry = self.audit.intent(recorder.session, &parts);
        let entry = entry.map_err(|error| Refusal::from(&error))?;
        let effect = OnPath {
            method: message.method,
            path: message.endpoint.into(),
            performed: None,
        };
        let judged = Rc::new(Call::new(effect, Rc::new(answered), text));
        Ok(Permit { entry, judged })
    }

    /// Records that a message was refused before policies were asked, or by what is known of its target.
    pub fn refuse_message(&self, recorder: &Recorder, message: &Message<'_>, refusal: Refusal) -> Refusal {
        self.note_refused(recorder, [&self.message_part(message), &[]], refusal)
    }

    /// Whether it may be used at all, if only with some arguments: for lists, which show no more.
    pub fn may_use(&self, view: &View, offer: &Offer) -> bool {
        let question = offer.question(view);
        let mut unknown = [Attribute::Arguments, Attribute::Numbers].into_iter();
        let slice = &view.slices.enforced;
        slice.decide(&question).permitted || unknown.any(|attribute| slice.hangs_on(&question, attribute))
    }

    fn message_part(&self, message: &Message<'_>) -> Vec<u8> {
        audit::part(&Record {
            text: message.words.to_owned(),
            text_digest: hmac::sign(&self.digest_key, message.body).as_ref().to_vec(),
            ..Record::default()
        })
    }
}
