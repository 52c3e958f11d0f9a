//! Migration files as tools leave them, and the recordings of `proxy/tests/sessions`, said again over the wire.

use std::collections::BTreeSet;

use super::{House, may, python, shell};

const SESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proxy/tests/sessions");

/// All of them, but for those of pg_dump, restore and pgbench: these run themselves in other tests.
const RECORDINGS: &[&str] = &[
    "activerecord",
    "asyncpg",
    "django",
    "node",
    "pgjdbc",
    "psql",
    "psycopg",
    "rust",
    "sqlalchemy",
];

#[test]
fn files_of_rails_need_migrations_and_where_they_move_rows_a_rule() {
    let house = House::granting(
        &["session-basics", "introspection", "migrations"],
        &[may(&["insert"], &["authors"]), may(&["select"], &["books"])],
    );
    let script = r#"
        psql --no-psqlrc --set ON_ERROR_STOP=1 --quiet --file=$FILES/structure.sql
        psql --no-psqlrc --set ON_ERROR_STOP=1 --command="$(cat $FILES/20260103000000_add_authors.sql)"
        psql --no-psqlrc --command='table schema_migrations' --command='\d books' --command='\d authors'"#;
    let program = || {
        let mut shell = shell(script);
        shell.env(
            "FILES",
            concat!(env!("CARGO_MANIFEST_DIR"), "/clients/migrations/rails"),
        );
        shell
    };
    house.serves(program);
    house.refuses_without("migrations", program());
}

#[test]
fn what_was_recorded_of_real_tools_is_answered_as_direct() {
    for recording in RECORDINGS {
        let path = format!("{SESSIONS}/{recording}.sql");
        let texts = std::fs::read_to_string(&path).expect("a recording");
        let needed: BTreeSet<&str> = texts
            .lines()
            .filter_map(|line| line.strip_prefix("--> "))
            .filter(|sets| !sets.starts_with("refused"))
            .flat_map(|sets| sets.split(' '))
            .collect();
        let house = House::granting(&needed.into_iter().collect::<Vec<_>>(), &[]);
        for database in [&house.world.database, &house.twin] {
            let shop = std::fs::read_to_string(format!("{SESSIONS}/shop.txt")).expect("its shop");
            let made =
                format!("drop schema public cascade; set role shop_owner; create schema public; {shop}");
            house
                .world
                .cluster
                .sql(database, &made)
                .expect("the shop of the recordings");
        }
        house.serves(|| {
            let mut replay = python("replay_client.py");
            replay.arg(&path);
            replay
        });
    }
}
