//! The parameters of a query: each known by name, read into its type, and nothing passed over.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use jiff::Timestamp;

use super::problem::Problem;
use crate::audit::export;
use crate::config::Limits;

/// The name at the end of a path.
#[derive(Debug)]
pub struct Id(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Id, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(id)| Id(id))
            .map_err(|_| Problem::bad_request("the path cannot be read"))
    }
}

/// What a query holds and nobody has asked for yet.
#[derive(Debug)]
pub struct Parameters {
    given: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Parameters, Problem> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|_| Problem::bad_request("the query cannot be read"))?;
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            if given.insert(name.clone(), value).is_some() {
                return Err(Problem::bad_request(format!("parameter `{name}` is given twice")));
            }
        }
        Ok(Parameters {
            given,
            known: Vec::new(),
        })
    }
}

impl Parameters {
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name)
    }

    pub fn truth(&mut self, name: &'static str) -> Result<Option<bool>, Problem> {
        self.read(name, "`true` or `false`", |text| text.parse().ok())
    }

    pub fn number(&mut self, name: &'static str) -> Result<Option<u64>, Problem> {
        self.read(name, "a number", |text| text.parse().ok())
    }

    pub fn time_us(&mut self, name: &'static str) -> Result<Option<i64>, Problem> {
        let what = "a time such as `2026-11-23T08:30:00Z`";
        self.read(name, what, |text| {
            text.parse::<Timestamp>().ok().map(|time| time.as_microsecond())
        })
    }

    pub fn bytes(&mut self, name: &'static str) -> Result<Option<Vec<u8>>, Problem> {
        self.read(name, "hexadecimal", export::from_hex)
    }

    /// How many entries a page may have.
    pub fn limit(&mut self, limits: &Limits) -> Result<usize, Problem> {
        let max = limits.page_entries_max;
        let limit = self.read("limit", &format!("a number from 1 to {max}"), |text| {
            text.parse().ok().filter(|limit| (1..=max).contains(limit))
        })?;
        Ok(limit.unwrap_or(limits.page_entries.min(max)))
    }

    pub fn read<T>(
        &mut self,
        name: &'static str,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let wrong = || Problem::bad_request(format!("parameter `{name}` must be {what}"));
        parse(&text).ok_or_else(wrong).map(Some)
    }

    /// Refuses what nobody asked for: a misspelt filter would show more than was meant.
    pub fn nothing_else(self) -> Result<(), Problem> {
        let Some(unknown) = self.given.keys().next() else {
            return Ok(());
        };
        if self.known.is_empty() {
            return Err(Problem::bad_request(format!(
                "parameter `{unknown}` is unknown: there are none here"
            )));
        }
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        let known = known.join(", ");
        Err(Problem::bad_request(format!(
            "parameter `{unknown}` is unknown: there are {known}"
        )))
    }
}
