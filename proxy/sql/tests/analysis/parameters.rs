//! Parameter types by number: what reads their values counts as an effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use postern_sql::{Reading, Rejection, analyse_typed};

use crate::check::{catalogue, effects_of};

fn effects(text: &str, types: &[u32]) -> Result<String, Rejection> {
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
    analyse_typed(text, &reading, types).map(|analysis| {
        let moves = analysis.statements.iter().any(|statement| statement.moves_names);
        let moves = if moves { "; moves names" } else { "" };
        effects_of(&analysis).join("; ") + moves
    })
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
