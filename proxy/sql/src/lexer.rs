//! A small lexer of PostgreSQL's lexical rules, for what the parser does not tell: where tokens stand.
//!
//! It never fails: what PostgreSQL would refuse comes out as some token that runs on, and no byte is lost.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Space,
    Comment,
    /// Any string literal, with its prefix and quotes.
    Text,
    /// A plain `'…'` literal, whose backslashes depend on a setting.
    PlainText,
    /// An `N'…'` literal, which is read like a plain one.
    NationalText,
    Number,
    /// A keyword or bare identifier.
    Word,
    QuotedName,
    Parameter,
    Operator,
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

impl Token {
    pub(crate) fn text<'t>(&self, text: &'t str) -> Option<&'t str> {
        text.get(self.span.clone())
    }
}

/// Walks a text token by token, white space and comments included.
pub(crate) struct Lexer<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    standard_conforming_strings: bool,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t str, standard_conforming_strings: bool) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            at: 0,
            standard_conforming_strings,
        }
    }

    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn starts_with(&self, at: usize, beginning: &str) -> bool {
        self.bytes
            .get(at..)
            .is_some_and(|rest| rest.starts_with(beginning.as_bytes()))
    }

    fn while_(&self, mut at: usize, belongs: impl Fn(u8) -> bool) -> usize {
        while at < self.bytes.len() && belongs(self.byte(at)) {
            at += 1;
        }
        at
    }

    fn block_comment(&self, start: usize) -> usize {
        let mut depth = 1_usize;
        let mut at = start + 2;
        while at < self.bytes.len() {
            if self.starts_with(at, "/*") {
                depth += 1;
                at += 2;
            } else if self.starts_with(at, "*/") {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            } else {
                at += 1;
            }
        }
        self.bytes.len()
    }

    /// The end of a literal or quoted name whose opening quote stands at `start`.
    fn quoted(&self, start: usize, quote: u8, escapes: bool) -> usize {
        let mut at = start + 1;
        while at < self.bytes.len() {
            let byte = self.byte(at);
            if escapes && byte == b'\\' {
                at += 2;
            } else if byte == quote {
                if self.byte(at + 1) != quote {
                    return at + 1;
                }
                at += 2;
            } else {
                at += 1;
            }
        }
        self.bytes.len()
    }

    /// A string goes on after white space that holds a line break and another quote.
    fn string(&self, start: usize, escapes: bool) -> usize {
        let mut end = self.quoted(start, b'\'', escapes);
        loop {
            let next = self.continuation(end);
            match next {
                Some(next) => end = self.quoted(next, b'\'', escapes),
                None => return end,
            }
        }
    }

    fn continuation(&self, end: usize) -> Option<usize> {
        let mut at = end;
        let mut broken = false;
        loop {
            let byte = self.byte(at);
            if is_space(byte) {
                broken |= matches!(byte, b'\n' | b'\r');
                at += 1;
            } else if broken && self.starts_with(at, "--") {
                at = self.while_(at, |byte| !matches!(byte, b'\n' | b'\r'));
            } else {
                break;
            }
        }
        (broken && self.byte(at) == b'\'').then_some(at)
    }

    fn dollar_quoted(&self, start: usize) -> Option<usize> {
        let mut tag = start + 1;
        if is_word_start(self.byte(tag)) {
            tag = self.while_(tag, |byte| is_word(byte) && byte != b'$');
        }
        if self.byte(tag) != b'$' {
            return None;
        }
        let delimiter = self.text.get(start..=tag)?;
        let body = tag + 1;
        let found = self.text.get(body..)?.find(delimiter);
        Some(found.map_or(self.bytes.len(), |found| body + found + delimiter.len()))
    }

    fn number(&self, start: usize) -> usize {
        let radix = |byte: u8| matches!(byte, b'x' | b'X' | b'o' | b'O' | b'b' | b'B');
        if self.byte(start) == b'0' && radix(self.byte(start + 1)) {
            // Whatever letters follow: nothing of a number may be left over.
            return self.while_(start + 2, |byte| byte.is_ascii_alphanumeric() || byte == b'_');
        }
        let digits = |at| self.while_(at, |byte: u8| byte.is_ascii_digit() || byte == b'_');
        let mut at = digits(start);
        if self.byte(at) == b'.' && self.byte(at + 1) != b'.' {
            at = digits(at + 1);
        }
        if matches!(self.byte(at), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(at + 1), b'+' | b'-'));
            if self.byte(at + 1 + sign).is_ascii_digit() {
                at = digits(at + 1 + sign);
            }
        }
        at
    }

    fn word(&self, start: usize) -> (Kind, usize) {
        let first = self.byte(start).to_ascii_lowercase();
        let second = self.byte(start + 1);
        match (first, second) {
            (b'e', b'\'') => return (Kind::Text, self.string(start + 1, true)),
            (b'b' | b'x', b'\'') => return (Kind::Text, self.string(start + 1, false)),
            (b'n', b'\'') => {
                return (
                    Kind::NationalText,
                    self.string(start + 1, !self.standard_conforming_strings),
                );
            }
            (b'u', b'&') => match self.byte(start + 2) {
                b'\'' => return (Kind::Text, self.string(start + 2, false)),
                b'"' => return (Kind::QuotedName, self.quoted(start + 2, b'"', false)),
                _ => {}
            },
            _ => {}
        }
        (Kind::Word, self.while_(start, is_word))
    }

    fn operator(&self, start: usize) -> usize {
        let mut at = start;
        while is_operator(self.byte(at)) && !self.starts_with(at, "--") && !self.starts_with(at, "/*") {
            at += 1;
        }
        at.max(start + 1)
    }

    fn token_at(&self, start: usize) -> (Kind, usize) {
        let byte = self.byte(start);
        if is_space(byte) {
            return (Kind::Space, self.while_(start, is_space));
        }
        if self.starts_with(start, "--") {
            return (
                Kind::Comment,
                self.while_(start, |byte| !matches!(byte, b'\n' | b'\r')),
            );
        }
        if self.starts_with(start, "/*") {
            return (Kind::Comment, self.block_comment(start));
        }
        match byte {
            b'\'' => (
                Kind::PlainText,
                self.string(start, !self.standard_conforming_strings),
            ),
            b'"' => (Kind::QuotedName, self.quoted(start, b'"', false)),
            b'$' if self.byte(start + 1).is_ascii_digit() => (
                Kind::Parameter,
                self.while_(start + 1, |byte| byte.is_ascii_digit()),
            ),
            b'$' => match self.dollar_quoted(start) {
                Some(end) => (Kind::Text, end),
                None => (Kind::Other, start + 1),
            },
            b'.' if self.byte(start + 1) == b'.' => (Kind::Other, start + 2),
            b'0'..=b'9' => (Kind::Number, self.number(start)),
            b'.' if self.byte(start + 1).is_ascii_digit() => (Kind::Number, self.number(start)),
            _ if is_word_start(byte) => self.word(start),
            _ if is_operator(byte) => (Kind::Operator, self.operator(start)),
            _ => (Kind::Other, start + 1),
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let start = self.at;
        let (kind, end) = self.token_at(start);
        // An escape at the very end may point past it, and a token never ends inside a character.
        let mut end = end.clamp(start + 1, self.bytes.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        self.at = end;
        Some(Token {
            kind,
            span: start..end,
        })
    }
}

/// How many characters of a text stand before a byte of it.
pub(crate) fn characters_before(text: &str, bytes: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < bytes).count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

pub(crate) fn is_operator(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!'
            | b'@'
            | b'#'
            | b'^'
            | b'&'
            | b'|'
            | b'`'
            | b'?'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'<'
            | b'>'
            | b'='
    )
}
