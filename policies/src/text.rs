//! The text of policies before Cedar reads it: where each rule begins and ends, and how deep it is.

/// The longest text of one rule.
pub const RULE_BYTES_MAX: usize = 64 * 1024;
/// The most operators and dots of one rule. Cedar works by recursion: this and the next two bound its depth.
/// A list may be as long as it likes.
pub const RULE_OPERATORS_MAX: usize = 96;
/// How deep brackets may nest in one rule.
pub const RULE_NESTING_MAX: usize = 12;
/// The most times `if` may stand in one rule: Cedar's validation takes half as long again for each.
pub const RULE_IFS_MAX: usize = 4;

/// Where each rule of a text begins and ends: a rule ends at a `;` outside strings and comments.
/// Wrongly cut pieces would not parse, so a doubt here refuses the file.
pub(crate) fn split(text: &str) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut start = None;
    for (at, byte) in plain_bytes(text) {
        match byte {
            b';' => pieces.push((start.take().unwrap_or(at), at + 1)),
            _ if byte.is_ascii_whitespace() => {}
            _ => drop(start.get_or_insert(at)),
        }
    }
    if let Some(start) = start {
        pieces.push((start, text.len()));
    }
    pieces
}

/// What makes a rule deep, counted in its text before anything works on it by recursion.
#[derive(Default)]
pub(crate) struct Depth {
    operators: usize,
    nesting: usize,
    ifs: usize,
}

impl Depth {
    pub(crate) fn of(text: &str) -> Depth {
        let mut depth = Depth::default();
        let mut open: usize = 0;
        let mut before = 0;
        for (_, byte) in plain_bytes(text) {
            match byte {
                b'(' | b'[' | b'{' => open += 1,
                b')' | b']' | b'}' => open = open.saturating_sub(1),
                b'!' | b'.' | b'+' | b'-' | b'*' | b'<' | b'>' => depth.operators += 1,
                b'&' | b'|' | b'=' if before == byte => depth.operators += 1,
                // Other words with these two letters count too, which does no harm.
                b'f' if before == b'i' => depth.ifs += 1,
                _ => {}
            }
            depth.nesting = depth.nesting.max(open);
            before = byte;
        }
        depth
    }

    /// Which limit the rule breaks.
    pub(crate) fn excess(&self) -> Option<String> {
        match self {
            Depth { operators, .. } if *operators > RULE_OPERATORS_MAX => {
                Some(format!("this rule has more than {RULE_OPERATORS_MAX} operators"))
            }
            Depth { nesting, .. } if *nesting > RULE_NESTING_MAX => Some(format!(
                "the brackets of this rule nest more than {RULE_NESTING_MAX} deep"
            )),
            Depth { ifs, .. } if *ifs > RULE_IFS_MAX => {
                Some(format!("this rule has more than {RULE_IFS_MAX} times `if`"))
            }
            _ => None,
        }
    }
}

/// The bytes of a text that stand outside comments and strings; of a string only its opening quote is given.
fn plain_bytes(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let mut bytes = text.bytes().enumerate().peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, byte) = bytes.next()?;
            if byte == b'/' && bytes.peek().is_some_and(|(_, next)| *next == b'/') {
                // A comment ends with its line.
                while bytes
                    .next_if(|(_, next)| *next != b'\n' && *next != b'\r')
                    .is_some()
                {}
                continue;
            }
            if byte == b'"' {
                while let Some((_, inside)) = bytes.next() {
                    match inside {
                        b'\\' => drop(bytes.next()),
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            return Some((at, byte));
        }
    })
}
