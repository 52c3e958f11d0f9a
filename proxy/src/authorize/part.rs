//! The fields of a record that a judged text gives.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use postern_link::wire::{Effect as RecordedEffect, Record};
use postern_sql::{Action, Analysis, Detail, Effect};

use super::judged::Verdict;
use super::view::{ask, resource};
use super::{Authorizer, Reading, View};
use crate::audit;

impl Authorizer {
    pub(super) fn statement_part(
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

pub(super) fn recorded(view: &View, effect: &Effect) -> RecordedEffect {
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
