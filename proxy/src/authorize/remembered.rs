//! By what a judgement is remembered, and how much of the room for them it takes.

use std::rc::Rc;

use quick_cache::{Equivalent, Weighter};

use super::Judged;
use crate::config::Limits;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) text: Box<str>,
    pub(super) types: Box<[u32]>,
    pub(super) values: Box<[(u16, Box<str>)]>,
    pub(super) reading: u64,
    pub(super) view: u64,
}

#[derive(Hash)]
pub(super) struct KeyRef<'a> {
    pub(super) text: &'a str,
    pub(super) types: &'a [u32],
    pub(super) values: &'a [(u16, &'a str)],
    pub(super) reading: u64,
    pub(super) view: u64,
}

impl KeyRef<'_> {
    pub(super) fn to_key(&self) -> Key {
        let values = self
            .values
            .iter()
            .map(|(number, value)| (*number, Box::from(*value)));
        Key {
            text: self.text.into(),
            types: self.types.into(),
            values: values.collect(),
            reading: self.reading,
            view: self.view,
        }
    }
}

impl Equivalent<Key> for KeyRef<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.reading == key.reading
            && self.view == key.view
            && self.text == &*key.text
            // Element by element: mostly there are none, and comparing no bytes at the address of an empty slice
            // makes the processor suppress a fault, which takes ten times as long as the rest of this.
            && self.types.iter().eq(&*key.types)
            && self.values.len() == key.values.len()
            && self.values.iter().zip(&key.values).all(|(one, other)| one.0 == other.0 && *one.1 == *other.1)
    }
}

/// The weight of a remembered judgement: its bytes, but never less than keeps their number within its limit.
#[derive(Clone)]
pub(super) struct TextBytes {
    least: u64,
}

impl TextBytes {
    pub(super) fn within(limits: &Limits) -> TextBytes {
        TextBytes {
            least: least_weight(limits),
        }
    }
}

/// With no entry lighter than this, a limit on bytes is a limit on their number too.
pub(super) fn least_weight(limits: &Limits) -> u64 {
    let count_max = limits.judged_cached_max.max(1);
    limits.judged_cached_bytes_max.div_ceil(count_max) as u64
}

impl Weighter<Key, Rc<Judged>> for TextBytes {
    fn weight(&self, key: &Key, judged: &Rc<Judged>) -> u64 {
        let values: usize = key.values.iter().map(|(_, value)| value.len() + 32).sum();
        let asked = key.text.len() + 4 * key.types.len() + values;
        self.least.max((2 * asked + judged.part.len() + 512) as u64)
    }
}
