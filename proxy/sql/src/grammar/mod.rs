//! The only folder that knows the parser: PostgreSQL's own grammar, and our visitor over its tree.
//!
//! The visitor is an allow-list: a statement or node that no match arm names is not understood. `statement` starts
//! every statement; `query` and `expression` walk what can stand inside one; each family of statements has a file.
//! Expressions are walked with a list of our own; only queries within queries recurse, up to `NESTING_MAX`.

mod alter;
mod call;
mod copy;
mod cursor;
mod definition;
mod expression;
mod filter;
mod from;
mod grant;
mod maintain;
mod object;
mod query;
mod relation;
mod routine;
mod server;
mod session;
mod statement;
mod syntax;
mod tag;
mod walk;
mod write;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::effect::Analysis;
use crate::lexer::is_operator;
use crate::{
    NESTING_MAX, NODES_MAX, Reading, Rejection, SIGN_STEPS_MAX, STATEMENT_BYTES_MAX, STATEMENTS_MAX,
    differences, parameters,
};
use walk::Walk;

pub(crate) fn analyse(text: &str, reading: &Reading<'_>) -> Result<Analysis, Rejection> {
    if text.len() > STATEMENT_BYTES_MAX {
        return Err(Rejection::TooLarge {
            limit: "bytes",
            limit_count: STATEMENT_BYTES_MAX,
        });
    }
    if sign_steps(text) > SIGN_STEPS_MAX {
        return Err(Rejection::TooLarge {
            limit: "steps over signs in a row",
            limit_count: SIGN_STEPS_MAX,
        });
    }
    differences::check(text, reading)?;
    // The parser's wrapper panics where it meets a node that it did not expect: that is a statement not understood.
    let analysed = catch_unwind(AssertUnwindSafe(|| parse_and_walk(text, reading)));
    analysed.unwrap_or_else(|_| {
        Err(Rejection::not_understood(
            "the parser could not hand this statement over",
        ))
    })
}

/// How often the scanner may look at a sign, at most; signs inside strings are counted as well, to be quick.
fn sign_steps(text: &str) -> usize {
    let rows = text.as_bytes().split(|byte| !is_operator(*byte));
    rows.map(|row| {
        let opens = row.windows(2).filter(|pair| pair == b"/*").count();
        let taken_off = row.iter().filter(|sign| matches!(sign, b'+' | b'-')).count();
        row.len().saturating_mul(1 + opens + taken_off)
    })
    .fold(0, usize::saturating_add)
}

fn parse_and_walk(text: &str, reading: &Reading<'_>) -> Result<Analysis, Rejection> {
    let tree = syntax::parse(text)?;
    let statements = tree.as_ref();
    if statements.len() > STATEMENTS_MAX {
        return Err(Rejection::TooLarge {
            limit: "statements",
            limit_count: STATEMENTS_MAX,
        });
    }
    let mut walk = Walk::new(text, *reading);
    let mut analysis = Analysis::default();
    for raw in statements.iter() {
        analysis.statements.push(walk.top_statement(raw)?);
        walk.declare()?;
    }
    // Elsewhere a parameter may be that of a body or of a PREPARE, and no Bind gives it its value.
    if matches!(&*analysis.statements, [only] if only.tag == "SELECT") {
        analysis.named_by = parameters::nowhere_else(text, reading, &walk.settings_named);
    }
    analysis.schemas_unread = walk.names.unread;
    Ok(analysis)
}

/// Counts what a walk costs, and stops it.
#[derive(Debug, Default)]
struct Budget {
    depth: usize,
    nodes: usize,
}

impl Budget {
    fn enter(&mut self) -> Result<(), Rejection> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return Err(Rejection::TooLarge {
                limit: "queries within queries",
                limit_count: NESTING_MAX,
            });
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
    }

    fn spend(&mut self, nodes: usize) -> Result<(), Rejection> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            return Err(Rejection::TooLarge {
                limit: "names and expressions to look at",
                limit_count: NODES_MAX,
            });
        }
        Ok(())
    }
}
