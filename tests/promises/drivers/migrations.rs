//! Migration files as tools leave them, and the recordings of `proxy/tests/sessions`, said again over the wire.

use super::{House, may, python, shell};

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
        shell.env("FILES", concat!(env!("CARGO_MANIFEST_DIR"), "/clients/migrations/rails"));
        shell
    };
    house.serves(program);
    house.refuses_without("migrations", program());
}

#[test]
fn what_was_recorded_of_real_tools_is_answered_as_direct() {
    for (recording, sets) in [
        ("activerecord", &["session-basics", "introspection", "migrations"][..]),
        ("asyncpg", &["session-basics", "introspection", "read-only"]),
        ("django", &["session-basics", "introspection", "read-only", "migrations"]),
        ("node", &["session-basics", "introspection", "read-only", "migrations"]),
        ("pgjdbc", &["session-basics", "introspection", "read-only", "migrations"]),
        ("psql", &["session-basics", "introspection", "read-only", "dump"]),
        ("psycopg", &["session-basics", "introspection", "read-only"]),
        ("rust", &["session-basics", "introspection", "read-only"]),
        ("sqlalchemy", &["session-basics", "introspection", "read-only", "migrations"]),
    ] {
        let house = House::granting(sets, &[]);
        for database in [&house.world.database, &house.twin] {
            let shop = include_str!("../../../proxy/tests/sessions/shop.txt");
            let made = format!("drop schema public cascade; set role shop_owner; create schema public; {shop}");
            house.world.cluster.sql(database, &made).expect("the shop of the recordings");
        }
        let said = house.serves(|| {
            let mut replay = python("replay_client.py");
            let sessions = concat!(env!("CARGO_MANIFEST_DIR"), "/../proxy/tests/sessions");
            replay.arg(format!("{sessions}/{recording}.sql"));
            replay
        });
        println!("{recording}\n{said}");
    }
}
