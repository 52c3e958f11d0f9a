//! The frames of the PostgreSQL protocol, 3.0 and 3.2 (manual, "Message Formats").
//!
//! A client's message is read field by field until its length is proved; [`Frontend`] exists only for one
//! that ends exactly where its header says. Rows and copy data are walked by header alone. Nothing here
//! allocates for reading, and nothing trusts a length before the bytes are there.

use crate::config::Limits;

/// One byte of type and four of length, which count themselves but not the type.
pub const HEADER_BYTES: usize = 5;

/// Untyped first packets by their code (manual, "Message Formats").
pub const SSL_REQUEST: u32 = 80_877_103;
pub const GSSENC_REQUEST: u32 = 80_877_104;
pub const CANCEL_REQUEST: u32 = 80_877_102;

/// The client or the server broke the protocol; the words say where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("a message of type `{0}` is not part of the protocol here")]
    UnknownType(char),
    #[error("a message is longer than `{0}` allows")]
    TooLong(&'static str),
    #[error("a message's length does not fit its fields")]
    Length,
    #[error("a text is not valid UTF-8")]
    NotUtf8,
}

/// The header of a typed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub tag: u8,
    /// Bytes of the whole message, type and length included.
    pub bytes: usize,
}

/// Reads a header, or `None` while its five bytes are not all there.
pub fn header(buffer: &[u8]) -> Result<Option<Header>, Error> {
    let Some((tag, rest)) = buffer.split_first() else {
        return Ok(None);
    };
    let Some(length) = rest.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| Error::Length)?;
    if length < 4 {
        return Err(Error::Length);
    }
    Ok(Some(Header {
        tag: *tag,
        bytes: length + 1,
    }))
}

/// How a client's message of this type is read: whole up to a limit, or by header only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    Whole { bytes_max: usize, limit: &'static str },
    ByHeader,
}

/// The reading of each type a client may send once it is logged in. Any other is refused.
pub fn client_reading(tag: u8, limits: &Limits) -> Result<Reading, Error> {
    /// What a Parse carries besides its text: a name, and the numbers of 65,535 parameter types.
    const BESIDE_TEXT_BYTES_MAX: usize = 4 * 65_536;
    let (bytes_max, limit) = match tag {
        b'Q' | b'P' => (
            limits.statement_bytes_max.saturating_add(BESIDE_TEXT_BYTES_MAX),
            "statement_bytes_max",
        ),
        b'B' => (limits.bind_bytes_max, "bind_bytes_max"),
        b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' | b'F' => {
            (limits.message_bytes_max, "message_bytes_max")
        }
        b'd' => return Ok(Reading::ByHeader),
        other => return Err(Error::UnknownType(char::from(other))),
    };
    Ok(Reading::Whole { bytes_max, limit })
}

/// What a client asks once it is logged in, borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend<'a> {
    Query {
        text: &'a str,
    },
    Parse {
        name: &'a str,
        text: &'a str,
        types: Types<'a>,
    },
    Bind {
        portal: &'a str,
        statement: &'a str,
        values: Values<'a>,
    },
    Describe {
        kind: Named,
        name: &'a str,
    },
    Execute {
        portal: &'a str,
    },
    Close {
        kind: Named,
        name: &'a str,
    },
    Flush,
    Sync,
    Terminate,
    CopyDone,
    CopyFail,
    FunctionCall,
}

/// The types that a Parse gives its parameters: four bytes for each number, none where the server is to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types<'a>(&'a [u8]);

impl Types<'_> {
    /// Each number once, in order, without the zeros.
    pub fn numbers(self) -> Vec<u32> {
        let (chunks, _) = self.0.as_chunks::<4>();
        let mut numbers: Vec<u32> = chunks.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        numbers.retain(|number| *number != 0);
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

/// The values that a Bind gives the parameters: their formats and they themselves, as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Values<'a> {
    /// The value of the parameter of this number, if it was sent as text and is not NULL.
    pub fn text(self, number: u16) -> Option<&'a str> {
        let place = usize::from(number).checked_sub(1)?;
        let mut fields = Fields(self.0);
        let formats = fields.count().ok()?;
        let (formats, rest) = fields.0.split_at_checked(formats * 2)?;
        let (formats, _) = formats.as_chunks::<2>();
        // None is text for all, one is that one for all.
        let format = match formats {
            [] => [0, 0],
            [only] => *only,
            many => *many.get(place)?,
        };
        if format != [0, 0] {
            return None;
        }
        let mut fields = Fields(rest);
        let count = fields.count().ok()?;
        if place >= count {
            return None;
        }
        for _ in 0..place {
            fields.value().ok()?;
        }
        std::str::from_utf8(fields.value().ok()??).ok()
    }
}

/// What a Describe or Close names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Statement,
    Portal,
}

impl<'a> Frontend<'a> {
    /// Reads one whole message, which must fill `message` exactly.
    pub fn read(message: &'a [u8]) -> Result<Frontend<'a>, Error> {
        let (tag, body) = match (message.first(), message.get(HEADER_BYTES..)) {
            (Some(tag), Some(body)) => (*tag, body),
            _ => return Err(Error::Length),
        };
        let mut fields = Fields(body);
        let frontend = match tag {
            b'Q' => Frontend::Query { text: fields.text()? },
            b'P' => {
                let (name, text) = (fields.text()?, fields.text()?);
                let types = fields.count()?;
                let bytes = types.checked_mul(4).ok_or(Error::Length)?;
                let types = Types(fields.0.get(..bytes).ok_or(Error::Length)?);
                fields.skip(bytes)?;
                Frontend::Parse { name, text, types }
            }
            b'B' => {
                let (portal, statement) = (fields.text()?, fields.text()?);
                let values = Values(fields.0);
                fields.bind_values()?;
                Frontend::Bind {
                    portal,
                    statement,
                    values,
                }
            }
            b'D' => {
                let (kind, name) = fields.named()?;
                Frontend::Describe { kind, name }
            }
            b'E' => {
                let portal = fields.text()?;
                fields.skip(4)?;
                Frontend::Execute { portal }
            }
            b'C' => {
                let (kind, name) = fields.named()?;
                Frontend::Close { kind, name }
            }
            b'H' => Frontend::Flush,
            b'S' => Frontend::Sync,
            b'X' => Frontend::Terminate,
            b'c' => Frontend::CopyDone,
            b'f' => {
                fields.text()?;
                Frontend::CopyFail
            }
            // It is refused whatever it holds, so its fields are not proved.
            b'F' => return Ok(Frontend::FunctionCall),
            other => return Err(Error::UnknownType(char::from(other))),
        };
        fields.end()?;
        Ok(frontend)
    }
}

/// The unread rest of a message's body.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// A string that ends with a zero byte, which it cannot contain.
    pub fn text(&mut self) -> Result<&'a str, Error> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Error::Length)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).ok_or(Error::Length)?;
        std::str::from_utf8(text).map_err(|_| Error::NotUtf8)
    }

    pub fn byte(&mut self) -> Result<u8, Error> {
        let (byte, rest) = self.0.split_first().ok_or(Error::Length)?;
        self.0 = rest;
        Ok(*byte)
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        let (bytes, rest) = self.0.split_first_chunk::<4>().ok_or(Error::Length)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    pub fn skip(&mut self, bytes: usize) -> Result<(), Error> {
        self.0 = self.0.get(bytes..).ok_or(Error::Length)?;
        Ok(())
    }

    pub fn end(&self) -> Result<(), Error> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Error::Length)
        }
    }

    /// A 16-bit count. PostgreSQL reads it unsigned since 13, so we do.
    fn count(&mut self) -> Result<usize, Error> {
        let (bytes, rest) = self.0.split_first_chunk::<2>().ok_or(Error::Length)?;
        self.0 = rest;
        Ok(usize::from(u16::from_be_bytes(*bytes)))
    }

    fn named(&mut self) -> Result<(Named, &'a str), Error> {
        let kind = match self.byte()? {
            b'S' => Named::Statement,
            b'P' => Named::Portal,
            _ => return Err(Error::Length),
        };
        Ok((kind, self.text()?))
    }

    fn bind_values(&mut self) -> Result<(), Error> {
        let formats = self.count()?;
        self.skip(formats * 2)?;
        let values = self.count()?;
        for _ in 0..values {
            self.value()?;
        }
        let formats = self.count()?;
        self.skip(formats * 2)
    }

    /// A value behind its length; NULL is `None`.
    fn value(&mut self) -> Result<Option<&'a [u8]>, Error> {
        // Minus one is NULL and carries no bytes; any other negative length is a lie.
        let length = match i32::from_be_bytes(self.u32()?.to_be_bytes()) {
            -1 => return Ok(None),
            length => usize::try_from(length).map_err(|_| Error::Length)?,
        };
        let (value, rest) = self.0.split_at_checked(length).ok_or(Error::Length)?;
        self.0 = rest;
        Ok(Some(value))
    }
}

/// Appends one typed message, its length filled in.
pub fn put(buffer: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let start = buffer.len();
    buffer.extend_from_slice(&[tag, 0, 0, 0, 0]);
    body(buffer);
    let length = u32::try_from(buffer.len() - start - 1)
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    for (place, byte) in buffer.iter_mut().skip(start + 1).zip(length) {
        *place = byte;
    }
}

/// Appends a string and its zero byte. What follows a zero byte inside would be read as the next field,
/// so the string ends there.
pub fn put_text(buffer: &mut Vec<u8>, text: &str) {
    buffer.extend(text.bytes().take_while(|byte| *byte != 0));
    buffer.push(0);
}

/// `ReadyForQuery` with the transaction status `I`, `T` or `E`.
pub fn put_ready(buffer: &mut Vec<u8>, status: u8) {
    put(buffer, b'Z', |body| body.push(status));
}

/// `Query`.
pub fn put_query(buffer: &mut Vec<u8>, text: &str) {
    put(buffer, b'Q', |body| put_text(body, text));
}

/// `Parse` without parameter types.
pub fn put_parse(buffer: &mut Vec<u8>, name: &str, text: &str) {
    put(buffer, b'P', |body| {
        put_text(body, name);
        put_text(body, text);
        body.extend_from_slice(&[0, 0]);
    });
}

/// `Bind` without parameters, results as text.
pub fn put_bind(buffer: &mut Vec<u8>, portal: &str, statement: &str) {
    put(buffer, b'B', |body| {
        put_text(body, portal);
        put_text(body, statement);
        body.extend_from_slice(&[0; 6]);
    });
}

/// `Execute` of all rows.
pub fn put_execute(buffer: &mut Vec<u8>, portal: &str) {
    put(buffer, b'E', |body| {
        put_text(body, portal);
        body.extend_from_slice(&[0; 4]);
    });
}

/// `Close` of a prepared statement or a portal.
pub fn put_close(buffer: &mut Vec<u8>, kind: Named, name: &str) {
    put(buffer, b'C', |body| {
        body.push(match kind {
            Named::Statement => b'S',
            Named::Portal => b'P',
        });
        put_text(body, name);
    });
}

/// The values of a `DataRow` as texts; a NULL is `None`.
pub fn row_values(body: &[u8]) -> Result<Vec<Option<&str>>, Error> {
    let mut fields = Fields(body);
    let columns = fields.count()?;
    let mut values = Vec::with_capacity(columns.min(64));
    for _ in 0..columns {
        let length = i32::from_be_bytes(fields.u32()?.to_be_bytes());
        if length == -1 {
            values.push(None);
            continue;
        }
        let length = usize::try_from(length).map_err(|_| Error::Length)?;
        let value = fields.0.get(..length).ok_or(Error::Length)?;
        fields.skip(length)?;
        values.push(Some(std::str::from_utf8(value).map_err(|_| Error::NotUtf8)?));
    }
    fields.end()?;
    Ok(values)
}

/// The name and the value of a ParameterStatus.
pub fn parameter(body: &[u8]) -> Result<(&str, &str), Error> {
    let mut fields = Fields(body);
    let parameter = (fields.text()?, fields.text()?);
    fields.end()?;
    Ok(parameter)
}

/// The fields of an `ErrorResponse` or `NoticeResponse`, by their letter (manual, "Error and Notice
/// Message Fields").
pub fn notice_fields(body: &[u8]) -> Result<Vec<(u8, &str)>, Error> {
    let mut fields = Fields(body);
    let mut found = Vec::with_capacity(12);
    loop {
        match fields.byte()? {
            0 => break,
            letter => found.push((letter, fields.text()?)),
        }
    }
    fields.end()?;
    Ok(found)
}

/// The rows that a `CommandComplete` tag counts: its last word, when that is a number.
pub fn rows_of(tag: &str) -> u64 {
    tag.rsplit(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(message: &[u8]) -> Result<Frontend<'_>, Error> {
        Frontend::read(message)
    }

    #[test]
    fn a_message_that_ends_before_its_fields_is_refused() {
        let mut whole = Vec::new();
        put(&mut whole, b'B', |body| {
            put_text(body, "p");
            put_text(body, "s");
            body.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 3, b'a', b'b', b'c', 0, 0]);
        });
        assert!(matches!(
            read(&whole),
            Ok(Frontend::Bind {
                portal: "p",
                statement: "s",
                ..
            })
        ));
        for end in HEADER_BYTES..whole.len() {
            assert!(read(&whole[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn only_a_value_that_was_sent_as_text_is_told_as_text() {
        let told = |formats: &[u16], number: u16| {
            let mut whole = Vec::new();
            put(&mut whole, b'B', |body| {
                body.extend([0, 0]);
                body.extend(u16::try_from(formats.len()).unwrap().to_be_bytes());
                body.extend(formats.iter().flat_map(|format| format.to_be_bytes()));
                body.extend([
                    0, 4, 0, 0, 0, 2, b'a', b'b', 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1, 0xff,
                ]);
                body.extend([0, 0]);
            });
            match read(&whole) {
                Ok(Frontend::Bind { values, .. }) => values.text(number).map(str::to_owned),
                other => panic!("{other:?}"),
            }
        };
        for formats in [&[][..], &[0], &[0, 1, 0, 1]] {
            assert_eq!(told(formats, 1).as_deref(), Some("ab"), "{formats:?}");
            assert_eq!(told(formats, 3).as_deref(), Some(""), "{formats:?}");
        }
        for formats in [&[1][..], &[256], &[1, 0, 0, 0]] {
            assert_eq!(told(formats, 1), None, "{formats:?}");
        }
        for number in [0, 2, 4, 5, u16::MAX] {
            assert_eq!(told(&[], number), None, "parameter {number}");
        }
        assert_eq!(told(&[0, 0], 3), None, "a format that is not there");
    }

    #[test]
    fn bytes_after_the_last_field_are_refused() {
        let mut message = Vec::new();
        put(&mut message, b'Q', |body| {
            put_text(body, "select 1");
            put_text(body, "drop table t");
        });
        assert_eq!(read(&message), Err(Error::Length));
    }

    #[test]
    fn a_negative_parameter_length_other_than_null_is_refused() {
        for length in [-2_i32, i32::MIN, i32::MAX] {
            let mut message = Vec::new();
            put(&mut message, b'B', |body| {
                body.extend_from_slice(&[0, 0, 0, 0, 0, 1]);
                body.extend_from_slice(&length.to_be_bytes());
                body.extend_from_slice(&[0, 0]);
            });
            assert_eq!(read(&message), Err(Error::Length), "{length}");
        }
    }

    #[test]
    fn a_header_with_a_length_below_four_is_refused() {
        for length in [i32::MIN, -1, 0, 3] {
            let mut bytes = vec![b'Q'];
            bytes.extend_from_slice(&length.to_be_bytes());
            assert_eq!(header(&bytes), Err(Error::Length));
        }
    }

    /// A whole message, as a client would send it behind another.
    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut buffer = b"before".to_vec();
        put(&mut buffer, tag, |buffer| buffer.extend_from_slice(body));
        buffer.split_off(b"before".len())
    }

    #[test]
    fn each_message_of_a_client_is_read_as_what_it_is() {
        let named = |kind, name| (Frontend::Describe { kind, name }, Frontend::Close { kind, name });
        let (describe_statement, close_statement) = named(Named::Statement, "s");
        let (describe_portal, close_portal) = named(Named::Portal, "");
        let cases: [(u8, &[u8], Frontend<'_>); 13] = [
            (b'Q', b"select 1\0", Frontend::Query { text: "select 1" }),
            (
                b'B',
                b"p\0s\0\0\0\0\0\0\0",
                Frontend::Bind {
                    portal: "p",
                    statement: "s",
                    values: Values(b"\0\0\0\0\0\0"),
                },
            ),
            (b'D', b"Ss\0", describe_statement),
            (b'D', b"P\0", describe_portal),
            (b'E', b"p\0\0\0\0\x07", Frontend::Execute { portal: "p" }),
            (b'C', b"Ss\0", close_statement),
            (b'C', b"P\0", close_portal),
            (b'H', b"", Frontend::Flush),
            (b'S', b"", Frontend::Sync),
            (b'X', b"", Frontend::Terminate),
            (b'c', b"", Frontend::CopyDone),
            (b'f', b"why\0", Frontend::CopyFail),
            (b'F', b"whatever", Frontend::FunctionCall),
        ];
        for (tag, body, expected) in cases {
            let whole = message(tag, body);
            let of = Header {
                tag,
                bytes: whole.len(),
            };
            assert_eq!(header(&whole), Ok(Some(of)));
            assert_eq!(read(&whole), Ok(expected));
            let longer = message(tag, &[body, b"\0"].concat());
            assert_eq!(read(&longer).is_ok(), tag == b'F', "{expected:?} and a byte more");
        }
        assert_eq!(read(&message(b'D', b"Xs\0")), Err(Error::Length));
        assert_eq!(read(&message(b'Q', b"\xff\0")), Err(Error::NotUtf8));
        assert_eq!(read(&message(b'd', b"")), Err(Error::UnknownType('d')));
        assert_eq!(read(b"Q\0\0\0"), Err(Error::Length));
    }

    #[test]
    fn a_header_is_awaited_until_its_five_bytes_are_there() {
        for bytes in 0..HEADER_BYTES {
            assert_eq!(header(&b"S\0\0\0\x04"[..bytes]), Ok(None));
        }
    }

    #[test]
    fn the_types_of_a_parse_are_all_read_and_each_is_told_once() {
        let body = b"n\0select $1\0\0\x04\0\0\0\x17\0\0\0\0\0\0\0\x02\0\0\0\x17";
        let whole = message(b'P', body);
        let Ok(Frontend::Parse { name, text, types }) = read(&whole) else {
            panic!("not a Parse")
        };
        assert_eq!((name, text, types.numbers()), ("n", "select $1", vec![2, 23]));
        assert_eq!(read(&message(b'P', &body[..body.len() - 1])), Err(Error::Length));
    }

    #[test]
    fn the_formats_and_values_of_a_bind_are_walked_to_its_end() {
        let body = b"\0\0\0\x02\0\0\0\x01\0\x02\xff\xff\xff\xff\0\0\0\x01a\0\x01\0\x01";
        let expected = Frontend::Bind {
            portal: "",
            statement: "",
            values: Values(&body[2..]),
        };
        assert_eq!(read(&message(b'B', body)), Ok(expected));
        assert_eq!(
            read(&message(b'B', &[&body[..], b"\0"].concat())),
            Err(Error::Length)
        );
    }

    #[test]
    fn a_client_may_send_these_types_within_these_limits_and_no_others() {
        let limits = Limits::default();
        let whole = |bytes_max, limit| Ok(Reading::Whole { bytes_max, limit });
        // A text of the longest kind leaves room for all the types that a Parse can name.
        let statement = limits.statement_bytes_max + 262_144;
        for tag in 0..=u8::MAX {
            let expected = match tag {
                b'Q' | b'P' => whole(statement, "statement_bytes_max"),
                b'B' => whole(limits.bind_bytes_max, "bind_bytes_max"),
                b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'f' | b'F' => {
                    whole(limits.message_bytes_max, "message_bytes_max")
                }
                b'd' => Ok(Reading::ByHeader),
                other => Err(Error::UnknownType(char::from(other))),
            };
            assert_eq!(client_reading(tag, &limits), expected);
        }
    }

    #[test]
    fn what_we_say_ourselves_is_read_as_what_we_mean() {
        let said = |put: &dyn Fn(&mut Vec<u8>)| {
            let mut buffer = b"before".to_vec();
            put(&mut buffer);
            buffer.split_off(b"before".len())
        };
        assert_eq!(said(&|buffer| put_ready(buffer, b'T')), b"Z\0\0\0\x05T");
        let query = said(&|buffer| put_query(buffer, "a\0b"));
        assert_eq!(read(&query), Ok(Frontend::Query { text: "a" }));
        let bind = said(&|buffer| put_bind(buffer, "p", "s"));
        assert_eq!(
            read(&bind),
            Ok(Frontend::Bind {
                portal: "p",
                statement: "s",
                values: Values(b"\0\0\0\0\0\0"),
            })
        );
        let execute = said(&|buffer| put_execute(buffer, "p"));
        assert_eq!(read(&execute), Ok(Frontend::Execute { portal: "p" }));
        for kind in [Named::Statement, Named::Portal] {
            let close = said(&|buffer| put_close(buffer, kind, "n"));
            assert_eq!(read(&close), Ok(Frontend::Close { kind, name: "n" }));
        }
    }

    #[test]
    fn what_a_server_says_is_read_to_its_end_and_no_further() {
        let row = b"\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(row_values(row), Ok(vec![Some("ab"), None, Some("")]));
        assert_eq!(row_values(b"\0\x01\xff\xff\xff\xfe"), Err(Error::Length));
        assert_eq!(row_values(b"\0\x01\0\0\0\x01\xff"), Err(Error::NotUtf8));
        assert_eq!(row_values(&[&row[..], b"\0"].concat()), Err(Error::Length));
        assert_eq!(parameter(b"a\0b\0"), Ok(("a", "b")));
        assert_eq!(parameter(b"a\0b\0c"), Err(Error::Length));
        assert_eq!(
            notice_fields(b"SERROR\0C42501\0\0"),
            Ok(vec![(b'S', "ERROR"), (b'C', "42501")])
        );
        assert_eq!(notice_fields(b"SERROR\0"), Err(Error::Length));
        assert_eq!(notice_fields(b"SERROR\0\0\0"), Err(Error::Length));
        for (tag, rows) in [
            ("INSERT 0 3", 3),
            ("SELECT 12", 12),
            ("BEGIN", 0),
            ("", 0),
            ("COPY -1", 0),
        ] {
            assert_eq!(rows_of(tag), rows, "{tag}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(tag in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut message = Vec::new();
            put(&mut message, tag, |buffer| buffer.extend_from_slice(&body));
            let _ = Frontend::read(&message);
            let _ = row_values(&body);
            let _ = notice_fields(&body);
        }

        #[test]
        fn a_parse_that_is_read_equals_our_own_encoding(name in "[a-z]{0,9}", text in "[^\0]{0,40}") {
            let mut message = Vec::new();
            put_parse(&mut message, &name, &text);
            let Ok(Frontend::Parse { name, text, .. }) = Frontend::read(&message) else { panic!("not a Parse") };
            let mut again = Vec::new();
            put_parse(&mut again, name, text);
            prop_assert_eq!(message, again);
        }
    }
}
