//! JSON that all readers read alike: no name twice in one object, not even in another case, for there are servers
//! that take the one and servers that take the other.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Reads one value that is all there is (RFC 8259). It is no deeper than `serde_json` reads: 128 levels.
pub(super) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// A name as the most lenient readers compare it: they fold `K` (Kelvin) and `ſ` (long s) too.
pub(super) fn folded(name: &str) -> String {
    let letters = name.chars().map(|letter| match letter {
        '\u{212A}' => 'k',
        '\u{017F}' => 's',
        other => other.to_ascii_lowercase(),
    });
    letters.collect()
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number out of range"))?;
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element_seed(Strict)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let (mut values, mut names) = (Map::new(), HashSet::new());
        while let Some(name) = fields.next_key::<String>()? {
            if !names.insert(folded(&name)) {
                return Err(A::Error::custom("a name stands twice in one object"));
            }
            values.insert(name, fields.next_value_seed(Strict)?);
        }
        Ok(Value::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readers_would_read_differently_is_not_read() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"A":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"kind":1,"\u212Aind":2}"#,
            r#"{"params":1,"param\u017f":2}"#,
            r#"{"x":{"a":1,"a":2}}"#,
            r#"[{"a":1,"a":1}]"#,
            r#"{"a":1} {"a":2}"#,
            r#"{"a":1}]"#,
            r#"{"a":"\ud800"}"#,
            "{\"a\":\"\u{0}\"}",
            r#"{"a":1e999}"#,
            r#"{"a":NaN}"#,
            r#"{'a':1}"#,
            r#"{"a":1,}"#,
            r#"{"a":1/**/}"#,
            "\u{feff}{}",
            "",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(read(b"{\"a\":\"\xc0\xaf\"}").is_err(), "overlong UTF-8");
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!(read(&deep).is_err());
    }

    #[test]
    fn what_all_read_alike_is_read() {
        let text = r#" {"a":[1,-2,3.5,true,null,"\u0061\"\n"],"b":{"a":{}}} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(read(text.as_bytes()).unwrap(), expected);
    }
}
