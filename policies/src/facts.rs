//! A question as Cedar wants it: entities and context. Only what some policy reads is built.

use crate::question::{Lineage, Question, Run};
use crate::reads::ReadSet;
use crate::slice::Bucket;
use crate::vocabulary::{ACTIONS, Attribute, COMMON, action_index, words};
use cedar_policy::{Context, Entities, Entity, RestrictedExpression};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

/// Source addresses that each thread keeps ready for Cedar.
const ADDRESSES_REMEMBERED_MAX: usize = 1024;

thread_local! {
    // Cedar reads the name of its function anew for each expression, which costs more than the decision.
    static REMEMBERED: RefCell<HashMap<IpAddr, RestrictedExpression>> = RefCell::default();
}

/// The entities that a bucket's conditions can ask for. Every ancestor is a direct parent, so that one
/// entity answers `in` as many would.
pub(crate) fn entities<'a>(
    bucket: &'a Bucket,
    question: &Question<'_>,
    lineage: &Lineage,
) -> Option<Cow<'a, Entities>> {
    let mut added = Vec::new();
    if bucket.reads.context.contains(Attribute::Numbers) {
        added.push(numbers(question)?);
    }
    if bucket.reads.resource_attributes || bucket.reads.hierarchy {
        added.push(resource(bucket, question, lineage)?);
    }
    if added.is_empty() {
        return Some(Cow::Borrowed(&bucket.entities));
    }
    let entities = bucket.entities.clone().add_entities(added, None);
    entities.ok().map(Cow::Owned)
}

/// The resource itself, with what is read of it.
fn resource(bucket: &Bucket, question: &Question<'_>, lineage: &Lineage) -> Option<Entity> {
    let (kind, id) = lineage.itself();
    let uid = kind.uid(id);
    let text = |part: &str| RestrictedExpression::new_string(part.to_owned());
    let parts = question.resource.parts();
    let attributes: HashMap<_, _> = parts
        .iter()
        .map(|(name, part)| (name.to_owned(), text(part)))
        .collect();
    let parents: HashSet<_> = match bucket.reads.hierarchy {
        true => lineage.ancestors().map(|(kind, id)| kind.uid(id)).collect(),
        false => HashSet::new(),
    };
    Entity::new(uid, attributes, parents).ok()
}

fn numbers(question: &Question<'_>) -> Option<Entity> {
    let numbers = question.context.numbers.into_iter().flatten();
    let tags = numbers.map(|(name, number)| (name.clone(), RestrictedExpression::new_long(*number)));
    Entity::new_with_tags(words().numbers.clone(), [], [], tags).ok()
}

/// The attributes that are read, that the action has, and that the caller knows. A rule that reads
/// one that is missing errs, and an error refuses.
pub(crate) fn context(question: &Question<'_>, reads: ReadSet) -> Option<Context> {
    let extra = ACTIONS.get(action_index(question.action)?)?.extra;
    let attributes = COMMON
        .iter()
        .chain(extra)
        .filter(|attribute| reads.contains(**attribute));
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
        Attribute::Columns => context
            .columns
            .map(|columns| RestrictedExpression::new_set(columns.iter().map(|column| text(column)))),
        Attribute::RowsOnly => context.rows_only.map(RestrictedExpression::new_bool),
        Attribute::Filtered => context.filtered.map(RestrictedExpression::new_bool),
        Attribute::Kind => context.kind.map(text),
        Attribute::Class => context.class.map(text),
        Attribute::Setting => context.setting.map(text),
        Attribute::Value => context.value.map(text),
        Attribute::Reset => context.reset.map(RestrictedExpression::new_bool),
        Attribute::Mode => context.mode.map(text),
        Attribute::Channel => context.channel.map(text),
        Attribute::Language => context.language.map(text),
        Attribute::Arguments => Some(given(context.arguments)),
        Attribute::Parameters => Some(given(context.parameters)),
        Attribute::Numbers => Some(RestrictedExpression::new_entity_uid(words().numbers.clone())),
    }
}

fn given(pairs: Option<&BTreeSet<String>>) -> RestrictedExpression {
    RestrictedExpression::new_set(pairs.into_iter().flatten().map(|pair| text(pair)))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// An IPv4 address that arrived on an IPv6 socket is judged as the IPv4 address it is: a rule about
/// 10.0.0.0/8 must not be passed by as ::ffff:10.0.0.1.
fn address(source: IpAddr) -> RestrictedExpression {
    let source = source.to_canonical();
    REMEMBERED.with_borrow_mut(|remembered| {
        if remembered.len() >= ADDRESSES_REMEMBERED_MAX && !remembered.contains_key(&source) {
            remembered.clear();
        }
        let made = || RestrictedExpression::new_ip(source.to_string());
        remembered.entry(source).or_insert_with(made).clone()
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_thread_remembers_many_addresses_and_never_more_than_it_may() {
        let remembered = || REMEMBERED.with_borrow(HashMap::len);
        let mut last = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        for number in (0_u32..).take(ADDRESSES_REMEMBERED_MAX) {
            last = Ipv4Addr::from_bits(number).into();
            address(last);
        }
        assert_eq!(remembered(), ADDRESSES_REMEMBERED_MAX);
        address(last);
        assert_eq!(remembered(), ADDRESSES_REMEMBERED_MAX, "it was remembered");
        address(Ipv4Addr::BROADCAST.into());
        assert_eq!(remembered(), 1);
    }
}
