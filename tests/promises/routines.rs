//! What we know of PostgreSQL's own names is what its oldest and newest supported servers really have.

use std::collections::BTreeSet;

use postern::dev::cluster::Cluster;
use postern_tests::installed;

const ROUTINES: &str = include_str!("../../proxy/sql/src/routines.txt");
const BUILT_IN: &str = include_str!("../../proxy/sql/src/built_in.txt");

const ROUTINES_ASKED: &str =
    "select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace";
const RELATIONS_ASKED: &str =
    "select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v')";
/// Array types count by their element and row types by their relation.
const TYPES_ASKED: &str = "select typname from pg_type \
    where typnamespace = 'pg_catalog'::regnamespace and typtype <> 'c' and typname !~ '^_'";

#[test]
fn every_routine_of_each_supported_server_is_in_a_class_and_none_is_invented() {
    check(ROUTINES, "", ROUTINES_ASKED);
}

#[test]
fn every_relation_and_type_of_each_supported_server_is_known_and_none_is_invented() {
    check(BUILT_IN, "[relations]", RELATIONS_ASKED);
    check(BUILT_IN, "[types]", TYPES_ASKED);
}

/// States that the list, from the heading to the next one if there is a heading, is what the servers answer.
#[track_caller]
fn check(list: &str, heading: &str, question: &str) {
    let lines = list
        .lines()
        .skip_while(|line| !heading.is_empty() && *line != heading);
    let lines = lines.skip(usize::from(!heading.is_empty()));
    let block = lines.take_while(|line| heading.is_empty() || !line.starts_with('['));
    let listed: BTreeSet<&str> = block
        .filter(|line| !line.starts_with(['#', '[']))
        .flat_map(str::split_ascii_whitespace)
        .collect();
    let answers: Vec<String> = servers()
        .iter()
        .map(|server| server.sql("postgres", question).expect("names"))
        .collect();
    let present: BTreeSet<&str> = answers.iter().flat_map(|answer| answer.lines()).collect();
    assert!(present.len() > 50, "the servers said little: {present:?}");
    let unlisted: Vec<_> = present.difference(&listed).collect();
    let invented: Vec<_> = listed.difference(&present).collect();
    assert!(
        unlisted.is_empty(),
        "in a server, but not in the list: {unlisted:?}"
    );
    assert!(invented.is_empty(), "in the list, but in no server: {invented:?}");
}

/// The oldest and the newest server.
pub fn servers() -> &'static [Cluster; 2] {
    static SERVERS: std::sync::OnceLock<[Cluster; 2]> = std::sync::OnceLock::new();
    SERVERS.get_or_init(|| [start(15), start(18)])
}

fn start(version: u32) -> Cluster {
    let cluster = Cluster::start(installed(version)).unwrap();
    let answered = cluster.sql("postgres", "show server_version_num").unwrap();
    assert!(answered.starts_with(&version.to_string()), "{answered}");
    cluster
}
