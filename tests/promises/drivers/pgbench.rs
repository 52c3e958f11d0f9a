//! pgbench: its tables made and filled in both ways, its three protocols, with and without its housekeeping.

use super::{House, may, shell};

const TABLES: &[&str] = &[
    "pgbench_accounts",
    "pgbench_branches",
    "pgbench_tellers",
    "pgbench_history",
];

/// What pgbench says is mostly about time; this is what is not.
const INITIALIZE: &str = "pgbench --initialize --quiet --scale=1 --partitions=2 2>&1 | tee /dev/stderr | grep -v -e 'done in' -e tuples
    pgbench --initialize --quiet --scale=1 --foreign-keys --init-steps=dtGvpf 2>&1 | tee /dev/stderr | grep -v -e 'done in' -e tuples";

const RUN: &str = r#"
    for mode in simple extended prepared; do
        pgbench $HOUSEKEEPING --protocol $mode --client=3 --transactions=20 2>&1 | tee /dev/stderr | grep -e mode -e actually -e failed
    done
    pgbench $HOUSEKEEPING --select-only --protocol prepared --transactions=20 2>&1 | tee /dev/stderr | grep actually
    echo '\set id random(1, 100)
        begin;
        select abalance from pgbench_accounts where aid = :id \gset
        \startpipeline
        update pgbench_accounts set abalance = :abalance + 1 where aid = :id;
        insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, :id, 1, now());
        \endpipeline
        commit;' > $SCRIPT
    pgbench $HOUSEKEEPING --protocol extended --file=$SCRIPT --transactions=5 2>&1 | tee /dev/stderr | grep -e actually -e failed
    psql --no-psqlrc --tuples-only --command 'select count(*) from pgbench_history'"#;

#[test]
fn pgbench_makes_its_tables_with_migrations_and_keeps_house_with_truncate() {
    let house = House::granting(
        &["session-basics", "introspection", "migrations"],
        &[
            may(&["select", "insert", "truncate"], TABLES),
            may(&["update"], TABLES),
        ],
    );
    let script = house.world.folder.join("both-ways.sql");
    house.serves(|| {
        let mut shell = shell(&format!("{INITIALIZE}\n{RUN}"));
        shell.env("HOUSEKEEPING", "").env("SCRIPT", &script);
        shell
    });
    house.refuses_without("migrations", shell("pgbench --initialize --quiet"));
}

#[test]
fn pgbench_without_housekeeping_needs_session_basics_introspection_and_its_tables() {
    let house = House::granting(
        &["session-basics", "introspection"],
        &[may(&["select", "insert", "update"], TABLES)],
    );
    for database in [&house.world.database, &house.twin] {
        let mut made = shell("pgbench --initialize --quiet 2>&1");
        house.put_around(&mut made, "secret-of-shop_owner");
        made.env("PGPORT", house.world.cluster.port.to_string());
        made.env("PGUSER", "shop_owner").env("PGDATABASE", database);
        postern_tests::heard(made).succeeded();
    }
    let script = house.world.folder.join("both-ways.sql");
    house.serves(|| {
        let mut shell = shell(RUN);
        shell.env("HOUSEKEEPING", "--no-vacuum").env("SCRIPT", &script);
        shell
    });
}
