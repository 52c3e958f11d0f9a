//! Transactions, settings, prepared names and cursors: what the gateway has to remember.

use postern_sql::{Change, Discard, Scope, SettingValue};

use crate::check::{analysed, check, check_not_understood, effects_of};

#[track_caller]
fn changes(text: &str) -> Vec<Change> {
    let analysis = analysed(text).unwrap_or_else(|rejection| panic!("{text}: {rejection}"));
    analysis
        .statements
        .into_iter()
        .flat_map(|statement| statement.changes)
        .collect()
}

#[test]
fn an_empty_text_asks_for_nothing() {
    for text in ["", " ", ";", ";;;", "-- ping", "/* ping */"] {
        assert_eq!(analysed(text).unwrap().statements.len(), 0, "{text}");
    }
}

#[test]
fn transactions_are_told_step_by_step() {
    check("BEGIN", "transaction database");
    assert_eq!(
        changes("BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"),
        [Change::Begin]
    );
    assert_eq!(changes("START TRANSACTION"), [Change::Begin]);
    assert_eq!(changes("COMMIT"), [Change::Commit { chain: false }]);
    assert_eq!(changes("END AND CHAIN"), [Change::Commit { chain: true }]);
    assert_eq!(changes("ABORT"), [Change::Rollback { chain: false }]);
    assert_eq!(changes("ROLLBACK AND CHAIN"), [Change::Rollback { chain: true }]);
    assert_eq!(changes("SAVEPOINT a"), [Change::Savepoint("a".to_owned())]);
    assert_eq!(changes("RELEASE a"), [Change::Release("a".to_owned())]);
    assert_eq!(
        changes("ROLLBACK TO SAVEPOINT \"A\""),
        [Change::RollbackTo("A".to_owned())]
    );
    assert_eq!(
        changes("PREPARE TRANSACTION 'x'"),
        [Change::PrepareTransaction("x".to_owned())]
    );
    assert_eq!(
        changes("COMMIT PREPARED 'x'"),
        [Change::FinishPrepared("x".to_owned())]
    );
    check("ROLLBACK PREPARED 'x'", "prepare_transaction database");
    assert_eq!(changes("SET TRANSACTION READ WRITE"), [Change::TransactionModes]);
    check("SET TRANSACTION READ WRITE", "transaction database");
    check("SET TRANSACTION SNAPSHOT '1'", "snapshot database");
    check("SET CONSTRAINTS ALL DEFERRED", "transaction database");
    let two = changes("COMMIT; BEGIN READ WRITE");
    assert_eq!(two, [Change::Commit { chain: false }, Change::Begin]);
}

#[test]
fn settings_come_with_canonical_names_and_values() {
    let set = |name: &str, value: SettingValue, scope: Scope| {
        vec![Change::Set {
            name: name.to_owned(),
            value,
            scope,
        }]
    };
    let text = |value: &str| SettingValue::Text(value.to_owned());
    let names = |names: &[&str]| SettingValue::Names(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(
        changes("SET TimeZone = 'UTC'"),
        set("timezone", text("UTC"), Scope::Session)
    );
    assert_eq!(
        changes("SET TIME ZONE 'UTC'"),
        set("timezone", text("UTC"), Scope::Session)
    );
    assert_eq!(
        changes("SET LOCAL statement_timeout TO 5"),
        set("statement_timeout", text("5"), Scope::Local)
    );
    assert_eq!(changes("SET jit = off"), set("jit", text("off"), Scope::Session));
    assert_eq!(
        changes("SET NAMES 'utf8'"),
        set("client_encoding", text("utf8"), Scope::Session)
    );
    assert_eq!(
        changes("SET datestyle = iso, mdy"),
        set("datestyle", text("iso, mdy"), Scope::Session)
    );
    assert_eq!(
        changes("SET search_path TO secret, \"$user\", Public"),
        set(
            "search_path",
            names(&["secret", "$user", "public"]),
            Scope::Session
        )
    );
    assert_eq!(
        changes("SET search_path = 'a, b'"),
        set("search_path", names(&["a, b"]), Scope::Session)
    );
    assert_eq!(
        changes("SET SCHEMA 'secret'"),
        set("search_path", names(&["secret"]), Scope::Session)
    );
    assert_eq!(
        changes("SELECT set_config('search_path', 'secret, \"B\"', true)"),
        set("search_path", names(&["secret", "B"]), Scope::Local)
    );
    assert_eq!(
        changes("SELECT set_config('search_path', '', false)"),
        set("search_path", names(&[]), Scope::Session)
    );
    assert_eq!(
        changes("SELECT set_config('jit', $1, false)"),
        set("jit", SettingValue::Unknown, Scope::Session)
    );
    assert_eq!(
        changes("SET search_path TO DEFAULT"),
        set("search_path", SettingValue::Default, Scope::Session)
    );
    assert_eq!(changes("SET ROLE joe"), set("role", text("joe"), Scope::Session));
    assert_eq!(
        changes("SET SESSION AUTHORIZATION joe"),
        set("session_authorization", text("joe"), Scope::Session)
    );
    assert_eq!(changes("RESET ROLE"), [Change::Reset("role".to_owned())]);
    assert_eq!(changes("RESET ALL"), [Change::ResetAll]);
    assert_eq!(changes("DISCARD ALL"), [Change::Discard(Discard::All)]);
    check("SET ROLE joe", "set database role=joe; assume role joe");
    check("SET ROLE NONE", "set database role=none");
    check(
        "SET LOCAL SESSION AUTHORIZATION joe",
        "set database session_authorization=joe; assume role joe",
    );
    check("SHOW server_version", "show database server_version");
    check("SHOW ALL", "show database *");
    check("SHOW TIME ZONE", "show database timezone");
    check(
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "set database default_transaction_read_only=1",
    );
}

#[test]
fn setting_back_is_not_setting_to_something_unknown() {
    for text in ["RESET jit", "SET jit TO DEFAULT", "SET LOCAL jit = DEFAULT"] {
        check(text, "set database jit back");
    }
    check("SET TIME ZONE LOCAL", "set database timezone back");
    check(
        "RESET SESSION AUTHORIZATION",
        "set database session_authorization back",
    );
    check("RESET app.tenant", "set database app.tenant back");
    check(
        "SELECT set_config('jit', NULL, false)",
        "execute pg_catalog.set_config <setting>; set database jit back",
    );
    check(
        "SELECT set_config('jit', $1, false)",
        "execute pg_catalog.set_config <setting>; set database jit",
    );
    check("RESET ALL", "set database * back");
    check("DISCARD ALL", "discard database; set database * back");
    check("DISCARD PLANS", "discard database");
    check("DISCARD TEMP", "discard database");
}

#[test]
fn what_goes_back_may_move_names() {
    for text in [
        "RESET ALL",
        "DISCARD ALL",
        "RESET search_path",
        "SET search_path TO DEFAULT",
        "RESET ROLE",
        "RESET standard_conforming_strings",
        "SELECT set_config('search_path', NULL, true)",
    ] {
        assert!(analysed(text).unwrap().statements[0].moves_names, "{text}");
    }
    for text in ["RESET jit", "RESET app.tenant", "DISCARD PLANS"] {
        assert!(!analysed(text).unwrap().statements[0].moves_names, "{text}");
    }
}

#[test]
fn statements_about_statements_carry_their_bodies() {
    let prepared = changes("PREPARE p (int) AS SELECT amount FROM secret.payroll WHERE id = $1");
    let [Change::Prepare { name, body }] = prepared.as_slice() else {
        panic!("{prepared:?}")
    };
    assert_eq!((name.as_str(), body.tag), ("p", "SELECT"));
    assert!(body.effects.len() == 2 && body.plain && body.takes_snapshot);
    assert_eq!(
        changes("EXECUTE p (1)"),
        [Change::Execute { name: "p".to_owned() }]
    );
    assert_eq!(
        changes("EXPLAIN ANALYZE EXECUTE p"),
        [Change::Execute { name: "p".to_owned() }]
    );
    check(
        "EXECUTE p ((SELECT amount FROM secret.payroll))",
        "prepare database; select secret.payroll(amount)",
    );
    assert_eq!(
        changes("DEALLOCATE p"),
        [Change::Deallocate(Some("p".to_owned()))]
    );
    assert_eq!(changes("DEALLOCATE ALL"), [Change::Deallocate(None)]);
    let declared = changes("DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT 1");
    assert!(
        matches!(declared.as_slice(), [Change::Declare { cursor, hold: true, .. }] if cursor == "c"),
        "{declared:?}"
    );
    let declared = changes("DECLARE c CURSOR FOR SELECT 1");
    assert!(
        matches!(declared.as_slice(), [Change::Declare { hold: false, .. }]),
        "{declared:?}"
    );
    assert_eq!(
        changes("FETCH 5 FROM c"),
        [Change::Fetch {
            cursor: "c".to_owned()
        }]
    );
    assert_eq!(
        changes("MOVE c"),
        [Change::Fetch {
            cursor: "c".to_owned()
        }]
    );
    assert_eq!(changes("CLOSE ALL"), [Change::CloseCursor(None)]);
    check("FETCH c", "cursor database");
    check("CLOSE c", "discard database");
}

#[test]
fn channels_and_copies_are_told() {
    assert_eq!(changes("LISTEN jobs"), [Change::Listen("jobs".to_owned())]);
    assert_eq!(changes("UNLISTEN *"), [Change::Unlisten(None)]);
    check("LISTEN jobs", "listen database channel jobs");
    check("NOTIFY jobs, 'x'", "notify database channel jobs");
    check("UNLISTEN *", "discard database");
    assert_eq!(changes("COPY orders (id) FROM STDIN"), [Change::CopyIn]);
    assert_eq!(changes("COPY orders (id) TO STDOUT"), [Change::CopyOut]);
    assert_eq!(changes("COPY orders (id) TO '/tmp/x'"), []);
}

#[test]
fn only_statements_that_look_at_rows_take_a_snapshot() {
    let takes = |text: &str| {
        analysed(text)
            .unwrap()
            .statements
            .iter()
            .all(|statement| statement.takes_snapshot)
    };
    for text in [
        "SELECT 1",
        "INSERT INTO orders (id) VALUES (1)",
        "CREATE TABLE t (a int)",
        "EXPLAIN SELECT 1",
    ] {
        assert!(takes(text), "{text}");
    }
    for text in [
        "BEGIN",
        "SET jit = off",
        "SHOW jit",
        "LOCK customers",
        "LISTEN x",
        "SET TRANSACTION READ ONLY",
    ] {
        assert!(!takes(text), "{text}");
    }
}

#[test]
fn statements_know_their_place_and_tag() {
    let text = "SELECT 1 ; /* é */ INSERT INTO orders (id) VALUES (1); BEGIN";
    let analysis = analysed(text).unwrap();
    let found: Vec<_> = analysis
        .statements
        .iter()
        .map(|statement| (text.get(statement.span.clone()).unwrap(), statement.tag))
        .collect();
    assert_eq!(found[0], ("SELECT 1 ", "SELECT"));
    assert_eq!(found[1].1, "INSERT");
    assert!(found[1].0.ends_with("VALUES (1)"), "{found:?}");
    assert_eq!((found[2].0.trim(), found[2].1), ("BEGIN", "BEGIN"));
    for (text, tag) in [
        ("CREATE TABLE t ()", "CREATE TABLE"),
        ("DROP MATERIALIZED VIEW customer_names", "DROP MATERIALIZED VIEW"),
        ("ALTER TABLE customers RENAME COLUMN id TO x", "ALTER TABLE"),
        ("TRUNCATE customers", "TRUNCATE TABLE"),
        ("MOVE c", "MOVE"),
        (
            "CREATE AGGREGATE a (int) (SFUNC = evil, STYPE = int)",
            "CREATE AGGREGATE",
        ),
    ] {
        assert_eq!(analysed(text).unwrap().statements[0].tag, tag, "{text}");
    }
}

#[test]
fn every_statement_uses_the_database() {
    for text in [
        "BEGIN",
        "SHOW jit",
        "SELECT 1",
        "DROP TABLE customers",
        "DISCARD ALL",
    ] {
        // The assertion is inside: the first effect of each statement is `use`.
        let _ = effects_of(&analysed(text).unwrap());
    }
    check_not_understood(
        "CREATE FOREIGN TABLE t (a int) SERVER s",
        "is of a kind that cannot be judged",
    );
}
