//! What a request gives beside what it is about, as rules see it.

use std::collections::{BTreeMap, BTreeSet};

/// Of the declared arguments, or parameters, those that are given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Each as `name=value`.
    pub texts: BTreeSet<String>,
    /// The whole numbers among them.
    pub numbers: BTreeMap<String, i64>,
}

impl Given {
    pub fn put_text(&mut self, name: &str, value: &str) {
        self.texts.insert(format!("{name}={value}"));
    }

    pub fn put_number(&mut self, name: &str, number: i64) {
        self.numbers.insert(name.to_owned(), number);
        self.put_text(name, &number.to_string());
    }
}
