//! What requests give an operation: values by name, from the path, the query and the headers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hyper::header::{HeaderMap, HeaderName};
use postern_link::snapshot::{self, ParameterKind, Place, Several};

use super::Operation;
use super::template::{Segment, Template};
use crate::authorize::given::Given;
use crate::refusal::{Reason, Refusal};

/// What rules see of a request under one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    name: String,
    kind: ParameterKind,
    several: Several,
    place: Placed,
}

#[derive(Debug, PartialEq, Eq)]
enum Placed {
    /// In this segment of the path.
    Path(usize, Segment),
    Query,
    Header(HeaderName),
}

/// The parameters that are declared, and those of the path of which nothing is said.
pub(super) fn all(declared: &[snapshot::Parameter], template: &Template) -> Result<Vec<Parameter>, String> {
    let placed = |said: &snapshot::Parameter| match said.place {
        Place::Query => Ok(Placed::Query),
        Place::Header => {
            let name = HeaderName::try_from(said.name.as_str());
            name.map(Placed::Header)
                .map_err(|_| format!("`{}` is no header", said.name))
        }
        Place::Path => {
            let found = template.parameters().find(|(_, name, _)| *name == said.name);
            let (place, _, segment) =
                found.ok_or_else(|| format!("the path has no parameter `{}`", said.name))?;
            Ok(Placed::Path(place, segment.clone()))
        }
    };
    let mut parameters = Vec::new();
    for said in declared {
        parameters.push(Parameter {
            name: said.name.clone(),
            kind: said.kind,
            several: said.several,
            place: placed(said)?,
        });
    }
    for (place, name, segment) in template.parameters() {
        let place = Placed::Path(place, segment.clone());
        if !parameters.iter().any(|parameter| parameter.place == place) {
            parameters.push(Parameter {
                name: name.to_owned(),
                kind: ParameterKind::Text,
                several: Several::No,
                place,
            });
        }
    }
    let mut names = BTreeSet::new();
    let is_taken = |parameter: &&Parameter| !names.insert(parameter.name.to_ascii_lowercase());
    match parameters.iter().find(is_taken) {
        Some(twice) => Err(format!(
            "two of its parameters are called `{}`, and no rule could tell them apart",
            twice.name
        )),
        None => Ok(parameters),
    }
}

impl Operation {
    /// Whether anything but method and path says what it is given.
    pub fn hangs_on_more(&self) -> bool {
        let mut parameters = self.parameters.iter();
        parameters.any(|parameter| !matches!(parameter.place, Placed::Path(..)))
    }

    /// Reads what a request gives it, from what the target will see. What could be read in two ways is refused.
    pub fn given(&self, path: &str, query: Option<&str>, headers: &HeaderMap) -> Result<Given, Refusal> {
        let mut given = Given::default();
        let has_query = |parameter: &Parameter| parameter.place == Placed::Query;
        let pairs = match self.parameters.iter().any(has_query) {
            true => self.pairs(query.unwrap_or_default())?,
            false => Vec::new(),
        };
        for parameter in &self.parameters {
            match &parameter.place {
                Placed::Path(number, segment) => {
                    let said = path.split('/').nth(number + 1).unwrap_or_default();
                    parameter.take(segment.value(said).unwrap_or_default(), &mut given)?;
                }
                Placed::Query => {
                    let mut values = pairs
                        .iter()
                        .filter(|(name, _)| *name == parameter.name)
                        .map(|(_, value)| value);
                    for (number, value) in (&mut values).enumerate() {
                        if number > 0 && parameter.several != Several::Repeated {
                            return Err(parameter.unclear("it is given twice"));
                        }
                        if value.contains('+') {
                            return Err(parameter.unclear("a blank is written `%20`, and a plus `%2B`"));
                        }
                        parameter.take(value, &mut given)?;
                    }
                }
                Placed::Header(name) => {
                    let mut values = headers.get_all(name).iter();
                    let (value, more) = (values.next(), values.next());
                    if more.is_some() {
                        return Err(parameter.unclear("it is given twice"));
                    }
                    if let Some(value) = value {
                        let value = value
                            .to_str()
                            .map_err(|_| parameter.unclear("it is no plain text"))?;
                        let mut values = match parameter.several {
                            Several::Commas => value.split(','),
                            Several::No | Several::Repeated => value.split('\0'),
                        };
                        values.try_for_each(|value| parameter.put(value.trim(), &mut given))?;
                    }
                }
            }
        }
        Ok(given)
    }

    /// The pairs of a query with their names as they are meant, and no name that servers read as a declared one.
    fn pairs<'q>(&self, query: &'q str) -> Result<Vec<(String, &'q str)>, Refusal> {
        if query.contains(';') {
            return Err(malformed("some servers read a `;` in a query as `&`").hint("write it as `%3B`"));
        }
        let mut pairs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(&name.replace('+', " "))?;
            let folded = folded(&name);
            let meant = self.parameters.iter().find(|parameter| {
                parameter.place == Placed::Query && self::folded(&parameter.name) == folded
            });
            let is_declared =
                |parameter: &Parameter| parameter.place == Placed::Query && parameter.name == name;
            if let Some(meant) = meant
                && !self.parameters.iter().any(is_declared)
            {
                return Err(meant.unclear("another name is given that some servers read as this one"));
            }
            pairs.push((name, value));
        }
        Ok(pairs)
    }
}

impl Parameter {
    /// Takes one value, or several, as they are written in a path or query.
    fn take(&self, written: &str, given: &mut Given) -> Result<(), Refusal> {
        if self.several != Several::Commas {
            return self.put(&decoded(written)?, given);
        }
        written
            .split(',')
            .try_for_each(|one| self.put(&decoded(one)?, given))
    }

    fn put(&self, value: &str, given: &mut Given) -> Result<(), Refusal> {
        match self.kind {
            ParameterKind::Text => {}
            ParameterKind::Boolean if value == "true" || value == "false" => {}
            ParameterKind::Boolean => return Err(self.unclear("it is `true` or `false`")),
            ParameterKind::Integer => {
                let number = value.parse().ok();
                let number = number.filter(|number: &i64| number.to_string() == value);
                let number = number.ok_or_else(|| self.unclear("it is a whole number, in digits"))?;
                if self.several == Several::No {
                    given.put_number(&self.name, number);
                }
            }
        }
        given.put_text(&self.name, value);
        Ok(())
    }

    fn unclear(&self, detail: &'static str) -> Refusal {
        malformed(format!("the parameter `{}` is not clear", self.name)).detail(detail)
    }
}

/// A parameter's name as the most lenient servers compare it: in one case, without an index, with `_` for what some
/// languages have no names with, and up to where others end a text.
fn folded(name: &str) -> String {
    let name = name.trim_start();
    let end = name.find(|letter: char| letter == '[' || letter.is_control());
    let name = name.get(..end.unwrap_or(name.len())).unwrap_or_default();
    name.trim_end().to_ascii_lowercase().replace(['.', ' ', '-'], "_")
}

/// What is meant by a text with `%` and two digits in it (RFC 3986, section 2.1).
fn decoded(written: &str) -> Result<String, Refusal> {
    let mut bytes = Vec::with_capacity(written.len());
    let mut rest = written.bytes();
    let digit = |rest: &mut std::str::Bytes<'_>| {
        let digit = rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let digit = digit.and_then(|digit| u8::try_from(digit).ok());
        digit.ok_or_else(|| malformed("a `%` is followed by two hexadecimal digits"))
    };
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(&mut rest)? << 4 | digit(&mut rest)?,
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| malformed("what is encoded must be UTF-8"))
}

fn malformed(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Reason::Malformed, message)
}
