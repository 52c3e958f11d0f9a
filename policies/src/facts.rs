//! A question as Cedar wants it: entities and context. Only what some policy reads is built.

use crate::question::{Path, Question, Run};
use crate::reads::{ReadSet, Reads};
use crate::slice::ActionSlice;
use crate::vocabulary::{ACTIONS, Attribute, COMMON, action_index};
use cedar_policy::{Context, Entities, Entity, RestrictedExpression};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// The entities that conditions can ask for. Every ancestor is a direct parent, so that one entity
/// answers `in` as four would.
pub(crate) fn entities(slice: &ActionSlice, question: &Question<'_>, path: &Path, reads: Reads) -> Option<Entities> {
    if !reads.resource_attributes && !reads.hierarchy {
        return Some(Entities::empty());
    }
    let mut steps = path.steps().rev();
    let uid = steps.next().map(|(kind, id)| kind.uid(id))?;
    let text = |part: &str| RestrictedExpression::new_string(part.to_owned());
    let parts = question.resource.parts();
    let attributes: HashMap<_, _> = parts.iter().map(|(name, part)| (name.to_owned(), text(part))).collect();
    if !reads.hierarchy {
        return Entities::from_entities([Entity::new(uid, attributes, HashSet::new()).ok()?], None).ok();
    }
    let parents: HashSet<_> = steps.map(|(kind, id)| kind.uid(id)).collect();
    slice.entities.clone().add_entities([Entity::new(uid, attributes, parents).ok()?], None).ok()
}

/// The attributes that are read, that the action has, and that the caller knows. A rule that reads
/// one that is missing errs, and an error refuses.
pub(crate) fn context(question: &Question<'_>, reads: ReadSet) -> Option<Context> {
    let extra = ACTIONS.get(action_index(question.action)?)?.extra;
    let attributes = COMMON.iter().chain(extra).filter(|attribute| reads.contains(**attribute));
    let pairs: Vec<(String, RestrictedExpression)> = attributes
        .filter_map(|attribute| Some((attribute.name().to_owned(), value(*attribute, question)?)))
        .collect();
    Context::from_pairs(pairs).ok()
}

fn value(attribute: Attribute, question: &Question<'_>) -> Option<RestrictedExpression> {
    let context = &question.context;
    match attribute {
        Attribute::Role => Some(text(context.role)),
        Attribute::Source => Some(address(context.source)),
        Attribute::Now => Some(moment(context.now)),
        Attribute::Evidence => Some(text(context.evidence)),
        Attribute::Run => context.run.and_then(run),
        Attribute::Columns => {
            context.columns.map(|columns| RestrictedExpression::new_set(columns.iter().map(|column| text(column))))
        }
        Attribute::RowsOnly => context.rows_only.map(RestrictedExpression::new_bool),
        Attribute::Filtered => context.filtered.map(RestrictedExpression::new_bool),
        Attribute::Kind => context.kind.map(text),
        Attribute::Class => context.class.map(text),
        Attribute::Setting => context.setting.map(text),
        Attribute::Value => context.value.map(text),
        Attribute::Mode => context.mode.map(text),
        Attribute::Channel => context.channel.map(text),
        Attribute::Language => context.language.map(text),
    }
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// An IPv4 address that arrived on an IPv6 socket is judged as the IPv4 address it is: a rule about
/// 10.0.0.0/8 must not be passed by as ::ffff:10.0.0.1.
fn address(source: IpAddr) -> RestrictedExpression {
    RestrictedExpression::new_ip(source.to_canonical().to_string())
}

/// A time out of Cedar's range becomes a value that errs.
fn moment(milliseconds: i64) -> RestrictedExpression {
    let text = jiff::Timestamp::from_millisecond(milliseconds)
        .map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
    RestrictedExpression::new_datetime(text.unwrap_or_default())
}

fn run(run: &Run) -> Option<RestrictedExpression> {
    let facts = run.facts().map(|(name, value)| (name.to_owned(), text(value)));
    RestrictedExpression::new_record(facts).ok()
}
