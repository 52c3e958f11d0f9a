//! psql as people use it: every backslash command about objects, and what the tab key asks.

use super::{House, may, python, shell};

/// Commands that tell of objects, each with and without its `S`, its `+` and a pattern. Not among them: those
/// that need more, which the other tests name.
const DESCRIBED: &str = r"
\d \dS \d+ \d customers \d+ customers \d+ orders \d+ measured \d measured_2026 \d+ totals \d+ orders_pkey
\d+ counted \d+ *.*r*ers* \da \da *max* \dA \dA+ \dAc \dAf \dAo \dAp \dc \dc+ *utf8* \dC \dC int* \dd \dd+ \ddp \dD \dD+
\dE \df \df+ \df double \df+ double \dfa \dfn \dfp \dft \dfw \dF \dF+ \dFd \dFp \dFt \dg \dg+ \di \di+ \dit \dl \dL \dL+ \dm
\dn \dn+ \dn+ pub* \do \do+ = \dO \dp \dp orders \dP \dP+ \dPi \dPt \ds \ds+ \dt \dt+ \dtS pg_cl* \dT \dT+ \dT+ mood \dT+ pair
\du \du+ \du shop* \dv \dv+ \dx \dx+ plpgsql \dX \dX+ \dy \dy+ \l templ* \l+ templ* \z \z orders \lo_list \sf double \sf+ double \sf touch()
\dconfig *_mem \dconfig+ *_timeout \sv totals \sv+ totals \encoding \dRp \dRp+ \des \dew \det";

#[test]
fn every_backslash_command_about_objects_needs_introspection_and_nothing_of_their_rows() {
    let house = House::granting(&["session-basics", "introspection"], &[]);
    furnish(&house);
    let commands = DESCRIBED.trim();
    let script = house.world.folder.join("described.sql");
    std::fs::write(&script, commands.replace(" \\", "\n\\") + "\n").expect("a script");
    let psql = "psql --no-psqlrc --echo-all --set ON_ERROR_STOP=1 --file=$SCRIPT | sed \"s/$PGDATABASE\\\\b/shop/g\"";
    let program = || {
        let mut shell = shell(psql);
        shell.env("SCRIPT", &script).env("COLUMNS", "200");
        shell
    };
    let said = house.serves(program);
    for told in [
        "customers_pkey",
        "Partition key: RANGE (day)",
        "RETURN NEW",
        "shop_owner",
    ] {
        assert!(
            said.to_lowercase().contains(&told.to_lowercase()),
            "{told}: {said}"
        );
    }
    house.refuses_without("introspection", program());
}

#[test]
fn what_the_tab_key_asks_needs_introspection() {
    let house = House::granting(
        &["session-basics", "introspection"],
        &[may(&["select"], &["orders"])],
    );
    furnish(&house);
    let said = house.serves(|| python("psql_tab_client.py"));
    for completed in [
        "customers",
        "customer_id",
        "measured_2026",
        "double",
        "pg_catalog.",
        "shop_owner",
        "search_path",
    ] {
        assert!(said.contains(completed), "{completed}: {said}");
    }
}

/// Objects of the kinds that the shop lacks.
fn furnish(house: &House) {
    for database in [&house.world.database, &house.twin] {
        let made = house.world.cluster.sql(
            database,
            "set role shop_owner;
             create type mood as enum ('sad', 'fine');
             create type pair as (a int, b text);
             create domain mail as text check (value ~ '@');
             create sequence counted;
             create materialized view summed as select sum(total) from orders;
             create statistics together on customer_id, status from orders;
             create function touch() returns trigger language plpgsql as 'begin return new; end';
             create trigger touched before update on orders for each row execute function touch();
             alter table customers enable row level security;
             create policy own on customers using (true);
             comment on table orders is 'what was ordered';
             alter default privileges grant select on tables to shop_reader;
             create publication told for table orders;",
        );
        made.expect("it is furnished");
    }
}
