//! Types that the extended protocol gives parameters by number: turning a value into one may run somebody's code.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::effect::{Action, Analysis, Detail, Effect, Object};
use crate::lexer::{Kind, Lexer};
use crate::{Catalogue, Class, Reading, Rejection};

/// PostgreSQL numbers what users make from here on (`FirstNormalObjectId`).
const USERS_NUMBER_MIN: u32 = 16_384;

/// Built-in types whose input is a name looked up in the catalogue, and their arrays.
const NAME_TYPES: [(&str, [u32; 2]); 12] = [
    ("regproc", [24, 1008]),
    ("regprocedure", [2202, 2207]),
    ("regoper", [2203, 2208]),
    ("regoperator", [2204, 2209]),
    ("regclass", [2205, 2210]),
    ("regtype", [2206, 2211]),
    ("regrole", [4096, 4097]),
    ("regnamespace", [4089, 4090]),
    ("regconfig", [3734, 3735]),
    ("regdictionary", [3769, 3770]),
    ("regcollation", [4191, 4192]),
    ("regdatabase", [8326, 8327]),
];

/// Built-in types whose values say as a text what they were sent as, or a number, and no number names a setting:
/// the whole numbers, `text` and `varchar`.
const PLAIN_TYPES: [u32; 5] = [20, 21, 23, 25, 1043];

/// What is known of a type by its number.
enum Known<'c> {
    /// No code but PostgreSQL's own reads its values.
    Quiet,
    /// Its name, and the class of what reads its values.
    Runs(&'c str, &'c str, Class),
}

impl Catalogue {
    /// Whether the type of this number is one of PostgreSQL's own, or was read.
    pub fn knows_type(&self, number: u32) -> bool {
        self.type_by(number).is_some()
    }

    fn type_by(&self, number: u32) -> Option<Known<'_>> {
        if let Some((name, _)) = NAME_TYPES.iter().find(|(_, numbers)| numbers.contains(&number)) {
            return Some(Known::Runs("pg_catalog", name, Class::Catalogue));
        }
        if number < USERS_NUMBER_MIN {
            return Some(Known::Quiet);
        }
        self.schemas.iter().find_map(|(schema, known)| {
            if known.types_quiet.contains(&number) {
                return Some(Known::Quiet);
            }
            let name = known.types_running.get(&number)?;
            Some(Known::Runs(schema, name, Class::User))
        })
    }
}

/// Adds to the one statement of a Parse what the types of its parameters run, as a cast to them would.
pub(crate) fn add(analysis: &mut Analysis, reading: &Reading<'_>, types: &[u32]) -> Result<(), Rejection> {
    if types.iter().any(|number| !PLAIN_TYPES.contains(number)) {
        analysis.named_by.clear();
    }
    for number in types {
        let known = reading.catalogue.type_by(*number).ok_or_else(|| {
            Rejection::not_understood(format!("the parameter type of number {number} is not known"))
        })?;
        let Known::Runs(schema, name, class) = known else {
            continue;
        };
        let Some(statement) = analysis.statements.first_mut() else {
            return Err(Rejection::not_understood(format!(
                "an empty statement has a parameter of type {schema}.{name}"
            )));
        };
        let casts = casts_to(reading.catalogue, schema, name);
        let routines = std::iter::once((schema, name, class));
        for (schema, name, class) in routines.chain(casts) {
            let object = Object::Routine {
                schema: Arc::from(schema),
                name: Arc::from(name),
            };
            let effect = Effect::with(Action::Execute, object, Detail::Class(class));
            if !statement.effects.contains(&effect) {
                statement.effects.push(effect);
            }
            if class == Class::User {
                statement.plain = false;
                statement.moves_names = true;
            }
        }
    }
    Ok(())
}

/// The parameters that stand at these places and nowhere else: another place may give one a type of its own, and
/// with it another text.
pub(crate) fn nowhere_else(
    text: &str,
    reading: &Reading<'_>,
    places: &BTreeSet<(u16, usize)>,
) -> BTreeSet<u16> {
    let mut numbers: BTreeSet<u16> = places.iter().map(|(number, _)| *number).collect();
    if numbers.is_empty() {
        return numbers;
    }
    for token in Lexer::new(text, reading.standard_conforming_strings) {
        if token.kind != Kind::Parameter {
            continue;
        }
        let number = token.text(text).and_then(|text| text.get(1..)?.parse().ok());
        match number {
            Some(number) if places.contains(&(number, token.span.start)) => {}
            Some(number) => {
                numbers.remove(&number);
            }
            None => numbers.clear(),
        }
    }
    numbers
}

fn casts_to<'c>(
    catalogue: &'c Catalogue,
    schema: &str,
    name: &str,
) -> impl Iterator<Item = (&'c str, &'c str, Class)> {
    let schema = catalogue.schemas.get(schema);
    let casts: Option<&BTreeSet<(String, String)>> = schema.and_then(|schema| schema.casts.get(name));
    casts
        .into_iter()
        .flatten()
        .map(|(schema, name)| (schema.as_str(), name.as_str(), Class::User))
}
