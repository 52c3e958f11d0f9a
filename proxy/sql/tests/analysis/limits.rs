//! Texts that are too much: they are refused, on a small stack, and never bring the process down.

use std::time::Instant;

use postern_sql::{Rejection, STATEMENT_BYTES_MAX};

use crate::check::{analysed, check};

/// What a worker thread of a tokio runtime has.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// Analyses on a small stack; the outcome in one word.
fn on_small_stack(text: String) -> &'static str {
    let started = Instant::now();
    let beginning: String = text.chars().take(40).collect();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let outcome = thread.spawn(move || analysed(&text)).unwrap().join().unwrap();
    let outcome = match outcome {
        Ok(_) => "understood",
        Err(Rejection::Syntax { .. }) => "syntax",
        Err(Rejection::NotUnderstood { .. }) => "not understood",
        Err(Rejection::TooLarge { .. }) => "too large",
    };
    println!("{beginning}… {outcome} in {:?}", started.elapsed());
    outcome
}

#[test]
fn chains_of_operators_are_walked_whatever_their_length() {
    let long = |piece: &str| format!("SELECT 1{}", piece.repeat(1_000_000 / piece.len()));
    assert_eq!(on_small_stack(long("+1")), "understood");
    assert_eq!(on_small_stack(long("||'a'")), "understood");
    assert_eq!(on_small_stack(long(" OR 1")), "understood");
    assert_eq!(on_small_stack(long(" AND 1")), "understood");
    assert_eq!(on_small_stack(long("::int")), "understood");
    assert_eq!(on_small_stack(long(" IS NULL")), "understood");
    assert_eq!(on_small_stack(long("[1]")), "syntax");
    assert_eq!(
        on_small_stack(format!("SELECT a{} FROM orders", "[1]".repeat(300_000))),
        "understood"
    );
    assert_eq!(on_small_stack(long(" COLLATE \"C\"")), "understood");
    assert_eq!(on_small_stack(long(" AT LOCAL")), "understood");
    assert_eq!(
        on_small_stack(format!("SELECT 1 {}", "UNION SELECT 1 ".repeat(60_000))),
        "understood"
    );
    assert_eq!(
        on_small_stack(format!(
            "SELECT * FROM orders o {}",
            "CROSS JOIN orders ".repeat(3_000)
        )),
        "understood"
    );
}

#[test]
fn what_nests_deeper_than_anyone_writes_is_refused() {
    let nested = |open: &str, inside: &str, close: &str, depth: usize| {
        format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
    };
    for depth in [1_000, 20_000, 60_000] {
        assert_eq!(
            on_small_stack(nested("SELECT (", "SELECT 1", ")", depth)),
            "too large"
        );
        assert_eq!(
            on_small_stack(nested("SELECT * FROM (", "SELECT 1", ") x", depth)),
            "too large"
        );
        assert_eq!(
            on_small_stack(nested("WITH x AS (", "SELECT 1", ") SELECT 1", depth)),
            "too large"
        );
    }
    assert_eq!(
        on_small_stack(format!("SELECT {}", nested("(", "1", ")", 1_000))),
        "understood"
    );
    assert_eq!(
        on_small_stack(format!("SELECT {}", nested("(", "1", ")", 100_000))),
        "too large"
    );
    assert_eq!(
        on_small_stack(format!("SELECT {}", nested("abs(", "1", ")", 3_000))),
        "understood"
    );
    assert_eq!(
        on_small_stack(format!("SELECT {}", nested("- ", "1", "", 100_000))),
        "too large"
    );
    assert_eq!(
        on_small_stack(format!("SELECT {}", nested("NOT ", "true", "", 100_000))),
        "too large"
    );
    assert_eq!(
        on_small_stack(format!("SELECT {}", nested("ARRAY[", "1", "]", 3_000))),
        "understood"
    );
    assert_eq!(
        on_small_stack(format!(
            "SELECT {}",
            nested("CASE WHEN true THEN ", "1", " END", 1_000)
        )),
        "understood"
    );
    assert_eq!(
        on_small_stack(nested("EXPLAIN ", "SELECT 1", "", 60_000)),
        "syntax"
    );
    assert_eq!(
        on_small_stack(format!(
            "SELECT * FROM {}",
            nested("(orders JOIN ", "orders", " ON true)", 1_000)
        )),
        "too large"
    );
    assert_eq!(
        on_small_stack(format!(
            "SELECT * FROM {}",
            nested("(", "orders", " JOIN orders ON true)", 1_000)
        )),
        "understood"
    );
    assert_eq!(
        on_small_stack(format!(
            "CREATE SCHEMA x {}",
            "CREATE TABLE t (a int) ".repeat(2_000)
        )),
        "understood"
    );
}

#[test]
fn queries_may_nest_as_deep_as_the_limit_says() {
    let nested = |depth: usize| {
        format!(
            "{}SELECT 1{}",
            "SELECT * FROM (".repeat(depth),
            ") x".repeat(depth)
        )
    };
    assert_eq!(on_small_stack(nested(90)), "understood");
    assert_eq!(on_small_stack(nested(200)), "too large");
}

#[test]
fn long_texts_and_long_lists_have_limits() {
    let list = vec!["1"; 100_000].join(",");
    check(
        &format!("SELECT id FROM orders WHERE id IN ({list})"),
        "select public.orders(id)",
    );
    assert_eq!(
        on_small_stack(format!("SELECT '{}'", "x".repeat(STATEMENT_BYTES_MAX - 20))),
        "understood"
    );
    assert_eq!(
        on_small_stack(format!("SELECT '{}'", "x".repeat(STATEMENT_BYTES_MAX))),
        "too large"
    );
    assert_eq!(on_small_stack("SELECT 1;".repeat(9_000)), "understood");
    assert_eq!(on_small_stack("SELECT 1;".repeat(100_000)), "too large");
    assert_eq!(on_small_stack(";".repeat(1_000_000)), "understood");
    assert_eq!(
        on_small_stack(format!(
            "GRANT EXECUTE ON FUNCTION f(numeric({})) TO x",
            vec!["1"; 300_000].join("+")
        )),
        "too large"
    );
}

#[test]
fn work_is_bounded_even_where_every_column_meets_every_relation() {
    let relations = vec!["orders"; 2_000].join(",");
    let columns = vec!["total"; 100_000].join(",");
    on_small_stack(format!("SELECT {columns} FROM {relations}"));
    let deep = "(SELECT total FROM orders WHERE total IN ".repeat(80);
    on_small_stack(format!("SELECT {deep} (1){}", ")".repeat(80)));
}

#[test]
fn names_are_counted_where_a_query_copies_them() {
    let doubled = |depth: usize| {
        let step = |number| {
            format!(
                "a{} AS (SELECT x.*, y.* FROM a{number} x, a{number} y)",
                number + 1
            )
        };
        let steps: Vec<String> = (0..depth).map(step).collect();
        format!(
            "WITH a0 AS (SELECT * FROM orders), {} SELECT * FROM a{depth}",
            steps.join(", ")
        )
    };
    assert_eq!(on_small_stack(doubled(8)), "understood");
    assert_eq!(on_small_stack(doubled(64)), "too large");
    let columns = vec!["id"; 1_600].join(",");
    let again = vec!["a"; 100_000].join(",");
    assert_eq!(
        on_small_stack(format!(
            "WITH a AS (SELECT {columns} FROM orders) SELECT 1 FROM {again}"
        )),
        "too large"
    );
    assert_eq!(
        on_small_stack(format!("SELECT 1 FROM {}", vec!["now()"; 100_000].join(","))),
        "too large"
    );
    assert_eq!(
        on_small_stack(format!(
            "SELECT 1 FROM orders {}",
            "NATURAL JOIN orders ".repeat(40_000)
        )),
        "too large"
    );
}
