//! The fields of a record that a judged text gives.

use aws_lc_rs::hmac;
use postern_link::wire::{Effect as RecordedEffect, Record};
use postern_sql::{Detail, Effect};

use super::answered::Answered;
use super::view::resource;
use super::{Authorizer, Reading, View};
use crate::audit;

impl Authorizer {
    /// The record's fields that a text gives, beside those of the answer to it.
    pub(super) fn text_part(
        &self,
        view: &View,
        reading: &Reading,
        text: &str,
        answered: &Answered,
    ) -> Vec<u8> {
        let raw_text = if view.keep_raw_text || answered.defines_routine {
            text.to_owned()
        } else {
            String::new()
        };
        audit::part(&Record {
            text: postern_sql::redact(text, reading.standard_conforming_strings),
            text_digest: hmac::sign(&self.digest_key, text.as_bytes()).as_ref().to_vec(),
            raw_text,
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
            Detail::SettingOf(_) => "*".to_owned(),
            Detail::Channel(channel) => channel.as_deref().unwrap_or("*").to_owned(),
            Detail::Language(language) => language.to_string(),
        },
    }
}
