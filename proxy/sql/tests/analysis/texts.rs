//! Texts as such: syntax errors in PostgreSQL's words, redaction, and texts that nobody meant.

use postern_sql::{Reading, Rejection, analyse, redact};
use proptest::prelude::*;

use crate::check::{analysed, catalogue};

#[test]
fn a_text_that_does_not_parse_is_refused_in_postgresqls_own_words_and_place() {
    let check = |text: &str, message: &str, place: Option<usize>, state: &str| match analysed(text) {
        Err(Rejection::Syntax {
            message: found,
            position,
            sqlstate,
        }) => {
            assert_eq!(
                (found.as_str(), position, sqlstate),
                (message, place, state),
                "{text}"
            );
        }
        other => panic!("{text}: {other:?}"),
    };
    check("SELEC 1", "syntax error at or near \"SELEC\"", Some(1), "42601");
    check("SELECT 1 FROM", "syntax error at end of input", Some(14), "42601");
    check(
        "SELECT a FROM t WHERE WHERE",
        "syntax error at or near \"WHERE\"",
        Some(23),
        "42601",
    );
    check(
        "SELECT 'é', a b c",
        "syntax error at or near \"c\"",
        Some(17),
        "42601",
    );
    check("SELECT (1))", "syntax error at or near \")\"", Some(11), "42601");
    check(
        "SELECT '1; SELECT 2",
        "unterminated quoted string at or near \"'1; SELECT 2\"",
        Some(8),
        "42601",
    );
    check(
        "SELECT \"\"",
        "zero-length delimited identifier at or near \"\"\"\"",
        Some(8),
        "42601",
    );
    check(
        r"SELECT E'wrong: \udb99\\';",
        r#"invalid Unicode surrogate pair at or near "\""#,
        Some(23),
        "42601",
    );
    check(r"SELECT E'\u061'", "invalid Unicode escape", None, "22025");
    check(
        r"SELECT U&'\+2FFFFF'",
        "invalid Unicode escape value",
        None,
        "42601",
    );
    check(
        "SELECT /* x",
        "unterminated /* comment at or near \"/* x\"",
        Some(8),
        "42601",
    );
    check(
        "SELECT 123abc",
        "trailing junk after numeric literal at or near \"123abc\"",
        Some(8),
        "42601",
    );
    check(
        "SELECT 1; SELECT 1 1",
        "syntax error at or near \"1\"",
        Some(20),
        "42601",
    );
    check(
        "SELECT a\0b",
        "invalid byte sequence for encoding \"UTF8\": 0x00",
        Some(9),
        "22021",
    );
    check(
        "CREATE ASSERTION a CHECK (true)",
        "CREATE ASSERTION is not yet implemented",
        None,
        "0A000",
    );
    check(
        "SELECT E'\\xff'",
        "invalid byte sequence for encoding \"UTF8\": 0xff",
        None,
        "22021",
    );
}

#[test]
fn secrets_are_redacted_whether_or_not_the_text_parses() {
    let check = |text: &str, expected: &str| assert_eq!(redact(text, true), expected, "{text}");
    check(
        "SELECT 'a', 1, 2.5e-3, $1, \"Name\" -- why",
        "SELECT '?', ?, ?, $1, \"Name\"  ",
    );
    check("SELECT E'O\\'Brien', 'x'", "SELECT '?', '?'");
    check(
        "UPDATE a SET n=E'O\\'Brien'; DELETE FROM c",
        "UPDATE a SET n='?'; DELETE FROM c",
    );
    check("SELECT 'a''b'", "SELECT '?'");
    check("SELECT 'a'\n  'b'", "SELECT '?'");
    check("SELECT 'a'\n -- c\n 'b'", "SELECT '?'");
    check("SELECT 'a' 'b'", "SELECT '?' '?'");
    check(
        "SELECT U&'\\0061', B'01', X'FF', N'x', u&\"d\\0061\"",
        "SELECT '?', '?', '?', '?', u&\"d\\0061\"",
    );
    check("SELECT $$a$$, $tag$a$$b$tag$, $1", "SELECT '?', '?', $1");
    check("SELECT $tag$a(b$tag$ FROM c", "SELECT '?' FROM c");
    check("SELECT /* a /* b */ c */ 1", "SELECT   ?");
    check("SELECT 0x1F, 1_000, 0b1, .5, 1.", "SELECT ?, ?, ?, ?, ?");
    check("SELECT a1, t1.c2, x+1", "SELECT a1, t1.c2, x+?");
    check("SELECT 'secret", "SELECT '?'");
    check("SELECT $a$secret", "SELECT '?'");
    check("SELECT \"unfinished 'secret'", "SELECT \"unfinished 'secret'");
    check("SELECT /* secret", "SELECT  ");
    check("SELECT 'é', ä, 1", "SELECT '?', ä, ?");
    check("ALTER ROLE a PASSWORD 'hunter2'", "ALTER ROLE a PASSWORD '?'");
    check("SELECT a--b\r1", "SELECT a \r?");
    check("SELECT a-/*1*/-b", "SELECT a- -b");
    check("SELECT 1..2", "SELECT ?..?");
    check("", "");
    assert_eq!(
        redact("SELECT 'a\\', secret, 'b'", true),
        "SELECT '?', secret, '?'"
    );
    assert_eq!(redact("SELECT 'a\\', secret, 'z'", false), "SELECT '?'z'?'");
}

#[test]
fn a_backslash_is_refused_where_the_session_would_read_it_as_an_escape() {
    let catalogue = catalogue();
    let path = ["pg_catalog".to_owned(), "public".to_owned()];
    let reading = Reading {
        catalogue: &catalogue,
        search_path: &path,
        role: "app",
        standard_conforming_strings: false,
    };
    for text in [
        "SELECT 'a\\'",
        "SELECT 'a\\', 'b'",
        "SELECT N'\\'",
        "SELECT 'a'\n'\\n'",
    ] {
        let found = analyse(text, &reading);
        assert!(
            matches!(found, Err(Rejection::NotUnderstood { .. })),
            "{text}: {found:?}"
        );
    }
    for text in [
        "SELECT 'a'",
        "SELECT E'a\\n'",
        "SELECT $$a\\b$$",
        "SELECT 1 -- '\\'",
        "SELECT U&'\\0061'",
        "SELECT \"a\\b\"",
    ] {
        assert!(analyse(text, &reading).is_ok(), "{text}");
    }
}

#[test]
fn identifiers_are_those_that_the_server_resolves() {
    use crate::check::check;
    check(
        "SELECT U&\"d\\0061ta\" FROM orders",
        "select public.orders(customer_id,id,state,total)",
    );
    check("SELECT ID FROM Orders", "select public.orders(id)");
    check(
        "SELECT \"ID\" FROM orders",
        "select public.orders(customer_id,id,state,total)",
    );
    check(
        "SELECT U&\"!0069d\" UESCAPE '!' FROM orders",
        "select public.orders(id)",
    );
    let long = "x".repeat(80);
    check(
        &format!("SELECT 1 FROM {long}"),
        &format!("select public.{} rows", "x".repeat(63)),
    );
    let wide = "ä".repeat(40);
    check(
        &format!("SELECT 1 FROM {wide}"),
        &format!("select public.{} rows", "ä".repeat(31)),
    );
}

/// Statements from which the property tests make others.
const SEEDS: &[&str] = &[
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT * FROM t, customers c WHERE c.id = t.n",
    "INSERT INTO customers AS c (id, name) VALUES (1, E'x\\n') ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *",
    "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN UPDATE SET name = o.state WHEN NOT MATCHED THEN INSERT VALUES (1)",
    "CREATE TABLE t (a int DEFAULT 1 CHECK (a > 0), b text GENERATED ALWAYS AS (a::text) STORED, EXCLUDE USING gist (a WITH =)) PARTITION BY RANGE (a)",
    "ALTER TABLE customers ADD COLUMN x int, ALTER COLUMN name TYPE text USING name::text, ADD FOREIGN KEY (id) REFERENCES orders (id)",
    "GRANT SELECT (id), UPDATE ON customers, orders TO joe WITH GRANT OPTION; GRANT EXECUTE ON FUNCTION evil(int) TO joe",
    "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT a; UPDATE orders SET total = a; END",
    "SELECT * FROM json_table('{}', '$' COLUMNS (a int PATH '$.a', NESTED PATH '$.b' COLUMNS (c text))) j, LATERAL xmltable('/a' PASSING '<a/>' COLUMNS x int) x",
    "SELECT rank() OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (VALUES (1, 2)) v(a, b) GROUP BY GROUPING SETS ((a), ROLLUP (b))",
    "COPY (SELECT $tag$a'b$tag$, U&'\\0061', \"Q\"\"q\") TO STDOUT WITH (FORMAT csv); /* a /* b */ */ -- c",
    "CREATE PUBLICATION p FOR TABLE customers (id) WHERE (id > 1), TABLES IN SCHEMA secret; DROP OWNED BY joe CASCADE",
    "CREATE STATISTICS s ON a, (b + 1) FROM customers; COMMENT ON CAST (text AS mood) IS 'x'; SET search_path = a, b; DECLARE c CURSOR FOR SELECT 1",
    "CREATE RULE r AS ON UPDATE TO orders WHERE old.id <> new.id DO INSTEAD (DELETE FROM customers; NOTIFY x)",
];

/// Analyses a text; the belt around the parser's wrapper must not be what holds.
fn unharmed(text: &str) {
    if let Err(Rejection::NotUnderstood { what, .. }) = analysed(text) {
        assert!(!what.contains("could not hand this statement over"), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn no_text_whatever_brings_the_analysis_down(text in "\\PC{0,200}") {
        unharmed(&text);
        let _ = redact(&text, true);
        let _ = redact(&text, false);
    }

    #[test]
    fn no_mutation_of_a_statement_brings_the_analysis_down(
        seed in 0..SEEDS.len(),
        other in 0..SEEDS.len(),
        cuts in proptest::collection::vec((0_usize..400, 0_usize..60, 0_usize..400), 1..4),
    ) {
        let mut text = SEEDS[seed].to_owned();
        for (start, length, from) in cuts {
            let words: Vec<&str> = text.split_inclusive(' ').collect();
            let strange: Vec<&str> = SEEDS[other].split_inclusive(' ').collect();
            let start = start % words.len().max(1);
            let end = (start + length % 4).min(words.len());
            let replacement = strange[from % strange.len()];
            text = [&words[..start], &[replacement], &words[end..]].concat().concat();
        }
        unharmed(&text);
        let _ = (redact(&text, true), redact(&text, false));
    }

    #[test]
    fn redaction_leaves_no_digit_or_quote_behind_that_stood_in_a_literal(secret in "[a-z]{12}") {
        for text in [
            format!("SELECT '{secret}'"),
            format!("SELECT E'\\'{secret}'"),
            format!("SELECT $x${secret}$x$"),
            format!("SELECT 1 /* {secret} */"),
            format!("SELECT 1 -- {secret}"),
            format!("SELECT '{secret}"),
            format!("INSERT INTO a VALUES ('x''{secret}')"),
        ] {
            prop_assert!(!redact(&text, true).contains(&secret), "{text}");
        }
    }
}
