//! PostgreSQL's own regression tests: nothing of them may bring the analysis down, and little may be strange to it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use postern_sql::{Rejection, STATEMENT_BYTES_MAX};

use crate::check::analysed;

#[test]
fn every_statement_of_the_regression_tests_is_analysed_or_refused_and_never_panics() {
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut statements = 0_usize;
    let files = regression_files();
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        // A few files try other encodings on purpose.
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(text.len() < STATEMENT_BYTES_MAX);
        let _ = analysed(&text);
        for statement in statements_of(&text) {
            statements += 1;
            *outcomes.entry(outcome_of(&statement)).or_default() += 1;
        }
    }
    println!("{statements} statements in {} files", files.len());
    for (outcome, count) in &outcomes {
        println!("{count:>7}  {outcome}");
    }
    let understood = outcomes.get("understood").copied().unwrap_or_default();
    assert!(statements > 30_000, "{statements} statements were found");
    assert!(
        !outcomes
            .keys()
            .any(|outcome| outcome.contains("could not hand this statement over"))
    );
    let strange: usize = outcomes
        .iter()
        .filter(|(outcome, _)| !matches!(outcome.as_str(), "understood" | "syntax"))
        .map(|(_, count)| count)
        .sum();
    assert!(
        strange * 200 < understood,
        "{strange} of {statements} were not understood"
    );
}

fn outcome_of(statement: &str) -> String {
    match analysed(statement) {
        Ok(_) => "understood".to_owned(),
        Err(Rejection::Syntax { .. }) => "syntax".to_owned(),
        Err(Rejection::NotUnderstood { what, .. }) => {
            // Names differ; the reason is what remains.
            let parts: Vec<&str> = what.split('`').collect();
            match parts.as_slice() {
                [before, name, after] if before.is_empty() && name.chars().any(char::is_lowercase) => {
                    format!("not understood: `…`{after}")
                }
                _ => format!("not understood: {what}"),
            }
        }
        Err(Rejection::TooLarge { limit, .. }) => format!("too large: {limit}"),
    }
}

/// The parser's sources, corpus included, lie in the registry that built this test.
fn regression_files() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let sources = home
        .expect("neither CARGO_HOME nor HOME is set")
        .join("registry/src");
    let registries = std::fs::read_dir(&sources).expect("the cargo registry has no sources");
    for registry in registries.flatten() {
        let folder = registry
            .path()
            .join("pg_raw_parse-0.1.0/libpg_query/test/sql/postgres_regress");
        if let Ok(entries) = std::fs::read_dir(folder) {
            let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            files.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
            files.sort();
            assert!(files.len() > 200, "the corpus is not whole");
            return files;
        }
    }
    panic!(
        "pg_raw_parse-0.1.0 with its corpus is not in {}",
        sources.display()
    );
}

/// Cuts a psql script at semicolons outside quotes and parentheses; its own commands and COPY data make noise.
fn statements_of(script: &str) -> Vec<String> {
    let mut statements = Vec::new();
    let mut current = String::new();
    let mut quote: Option<&str> = None;
    for line in script.lines() {
        if quote.is_none() && (line.starts_with('\\') || line.starts_with("--")) {
            continue;
        }
        let mut rest = line;
        while let Some(first) = rest.chars().next() {
            let mut taken = first.len_utf8();
            if let Some(end) = quote {
                match rest.find(end) {
                    Some(at) => {
                        taken = at + end.len();
                        quote = None;
                    }
                    None => taken = rest.len(),
                }
            } else if rest.starts_with("--") {
                break;
            } else if first == ';' && balanced(&current) {
                statements.push(std::mem::take(&mut current));
                rest = rest.split_at(taken).1;
                continue;
            } else if let Some(tag) = quote_at(rest) {
                taken = tag.len();
                quote = Some(tag);
            }
            let (piece, after) = rest.split_at(taken);
            current.push_str(piece);
            rest = after;
        }
        current.push('\n');
    }
    statements
}

/// The quote that a text begins with, if it does.
fn quote_at(text: &str) -> Option<&str> {
    if text.starts_with(['\'', '"']) {
        return Some(text.split_at(1).0);
    }
    let inside = text.strip_prefix('$')?;
    let (tag, _) = inside.split_once('$')?;
    let is_tag = tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !tag.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| text.split_at(tag.len() + 2).0)
}

fn balanced(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let atomic = upper.contains("BEGIN ATOMIC") && !upper.contains("END");
    text.matches('(').count() == text.matches(')').count() && !atomic
}

#[test]
fn a_redacted_statement_is_still_a_statement_of_the_same_shape() {
    let mut alike = 0_usize;
    let mut strange = Vec::new();
    for file in regression_files() {
        let Ok(text) = String::from_utf8(std::fs::read(&file).unwrap()) else {
            continue;
        };
        for statement in statements_of(&text) {
            let Ok(whole) = analysed(&statement) else { continue };
            // A placeholder for a number is no number: put one there.
            let redacted = postern_sql::redact(&statement, true);
            let parses = analysed(
                &redacted
                    .replace("'?'", "\u{1}")
                    .replace('?', "1")
                    .replace('\u{1}', "'1'"),
            );
            let tags = |analysis: &postern_sql::Analysis| {
                analysis
                    .statements
                    .iter()
                    .map(|statement| statement.tag)
                    .collect::<Vec<_>>()
            };
            match parses {
                Ok(again) if tags(&again) == tags(&whole) => alike += 1,
                _ => strange.push(statement),
            }
        }
    }
    println!("{alike} alike, {} not", strange.len());
    assert!(
        strange.len() * 100 < alike,
        "{:#?}",
        strange.iter().take(20).collect::<Vec<_>>()
    );
}
