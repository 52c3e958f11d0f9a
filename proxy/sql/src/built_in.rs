//! Names that PostgreSQL itself brings, for catalogues that were read without `pg_catalog`; data in `built_in.txt`.

use std::collections::HashSet;
use std::sync::LazyLock;

type Names = HashSet<&'static str, foldhash::fast::FixedState>;

/// Whether `pg_catalog` has a table or view of that name.
pub(crate) fn is_relation(name: &str) -> bool {
    RELATIONS.contains(name)
}

/// Whether `pg_catalog` has a type of that name; array types count by their element.
pub(crate) fn is_type(name: &str) -> bool {
    TYPES.contains(name)
        || name
            .strip_prefix('_')
            .is_some_and(|element| TYPES.contains(element))
}

static LIST: &str = include_str!("built_in.txt");
static RELATIONS: LazyLock<Names> = LazyLock::new(|| block("[relations]"));
static TYPES: LazyLock<Names> = LazyLock::new(|| block("[types]"));

fn block(heading: &str) -> Names {
    let lines = LIST.lines().skip_while(|line| *line != heading).skip(1);
    lines
        .take_while(|line| !line.starts_with('['))
        .flat_map(str::split_ascii_whitespace)
        .collect()
}
