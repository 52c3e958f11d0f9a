//! Parameter types by number: what reads their values counts as an effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postern_sql::{Analysis, Reading, Rejection, analyse_typed};

use crate::check::{catalogue, effects_of};

fn effects(text: &str, types: &[u32]) -> Result<String, Rejection> {
    told(text, types).map(|analysis| {
        let moves = analysis.statements.iter().any(|statement| statement.moves_names);
        let moves = if moves { "; moves names" } else { "" };
        effects_of(&analysis).join("; ") + moves
    })
}

fn told(text: &str, types: &[u32]) -> Result<Analysis, Rejection> {
    let mut catalogue = catalogue();
    let public = Arc::make_mut(catalogue.schemas.get_mut("public").unwrap());
    public.types_quiet = BTreeSet::from([20_000]);
    public.types_running = BTreeMap::from([(20_001, "mood".to_owned())]);
    let search_path = ["pg_catalog".to_owned()];
    let reading = Reading {
        catalogue: &catalogue,
        search_path: &search_path,
        role: "app",
        standard_conforming_strings: true,
    };
    analyse_typed(text, &reading, types)
}

#[test]
fn a_type_that_runs_code_is_judged_as_a_cast_to_it() {
    let wanted = "execute public.mood <user>; execute public.mood_of_text <user>; moves names";
    assert_eq!(effects("SELECT $1", &[20_001]).unwrap(), wanted);
    assert_eq!(
        effects("SELECT $1", &[2205]).unwrap(),
        "execute pg_catalog.regclass <catalogue>"
    );
    assert_eq!(
        effects("SELECT $1", &[2210]).unwrap(),
        "execute pg_catalog.regclass <catalogue>"
    );
    assert_eq!(effects("SELECT $1", &[23, 25, 20_000]).unwrap(), "");
}

#[test]
fn an_unknown_type_and_one_that_runs_code_for_no_statement_are_refused() {
    assert!(effects("SELECT $1", &[20_002]).is_err());
    assert!(effects("", &[20_001]).is_err());
    assert_eq!(effects("", &[20_000]).unwrap(), "");
}

#[test]
fn a_parameter_that_only_names_a_setting_to_show_may_be_judged_by_its_value() {
    let named_by = |text: &str, types: &[u32]| {
        let analysis = told(text, types).unwrap();
        analysis.named_by.into_iter().collect::<Vec<_>>()
    };
    for text in [
        "SELECT current_setting($1)",
        "SELECT pg_catalog.current_setting($1::text, true) FROM customers WHERE id = $2",
        "SELECT 1 WHERE current_setting(CAST($1 AS varchar)) = '$1' OR current_setting($1) = 'b' -- $1",
        "WITH one AS (SELECT current_setting($1)) SELECT * FROM one",
    ] {
        assert_eq!(named_by(text, &[]), [1], "{text}");
        assert_eq!(named_by(text, &[20, 21, 23, 25, 1043]), [1], "{text}");
        for number in [18, 19, 1042, 2205, 20_000, 20_001] {
            assert_eq!(named_by(text, &[number]), [0; 0], "{text} {number}");
        }
    }
    assert_eq!(
        named_by("SELECT current_setting($2), current_setting($1)", &[]),
        [1, 2]
    );
    for text in [
        "SELECT current_setting($1), $1::mood",
        "SELECT current_setting($1) FROM customers WHERE name = $1",
        "SELECT current_setting($1), $01",
        "SELECT current_setting($1::varchar(4))",
        "SELECT current_setting($1::name)",
        "SELECT current_setting(lower($1))",
        "SELECT current_setting($1 || '')",
        "SELECT current_setting(setting_name => $1)",
        "SELECT current_setting(VARIADIC $1)",
        "SELECT set_config($1, 'x', false)",
        "SELECT current_setting($1) INTO kept",
        "PREPARE later AS SELECT current_setting($1)",
        "DECLARE later CURSOR FOR SELECT current_setting($1)",
        "EXPLAIN ANALYZE SELECT current_setting($1)",
        "CREATE TABLE kept AS SELECT current_setting($1)",
        "SELECT current_setting($1); SELECT 1",
        "CREATE FUNCTION tells(text) RETURNS text BEGIN ATOMIC SELECT current_setting($1); END",
    ] {
        assert_eq!(named_by(text, &[]), [0; 0], "{text}");
    }
}

#[test]
fn a_value_names_the_setting_of_its_own_parameter_and_of_no_other() {
    let analysis = told("SELECT current_setting($1), current_setting($2), $2", &[]).unwrap();
    let bound = |values: &[(u16, &str)]| effects_of(&analysis.bound(values)).join("; ");
    let call = "execute pg_catalog.current_setting <setting>; ";
    assert_eq!(bound(&[]), format!("{call}show database $1; show database $2"));
    let one = format!("{call}show database timezone; show database $2");
    assert_eq!(bound(&[(1, "TimeZone")]), one);
    assert_eq!(bound(&[(1, "TimeZone"), (2, "DateStyle"), (3, "role")]), one);
    assert_eq!(bound(&[(1, "sort_mem")]), one.replace("timezone", "work_mem"));
    let rest = format!("{call}show database $2");
    assert_eq!(effects_of(&analysis.without_named()).join("; "), rest);
}
