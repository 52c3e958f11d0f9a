//! The drivers in Rust. tokio-postgres: prepared statements, its questions about types, COPY both ways, pipelines,
//! cancelling. sqlx: a pool, its cache of statements, types it has to ask for, COPY, and migrations under its lock.

use futures_util::{SinkExt, TryStreamExt};
use postern_tests::Login;

use sqlx_core::connection::{ConnectOptions, Connection};
use sqlx_core::executor::Executor;
use sqlx_core::migrate::Migrator;
use sqlx_core::query::query;
use sqlx_core::raw_sql::raw_sql;
use sqlx_core::row::Row;
use sqlx_postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};

use super::{House, WRITES, may};

#[test]
fn tokio_postgres_logs_in_by_certificate() {
    let house = House::granting(&["session-basics"], &[may(&["select"], &["orders"])]);
    let world = &house.world;
    let (certificate, key) = world.certificate("driver");
    world.block_on(async {
        let client = world
            .connect(Login::Certificate(&certificate, &key))
            .await
            .unwrap();
        let row = client
            .query_one("select id from orders where id = $1", &[&7])
            .await;
        assert_eq!(row.unwrap().get::<_, i32>(0), 7);
    });
}

#[test]
fn tokio_postgres_needs_session_basics_and_for_its_types_introspection() {
    let house = House::granting(&["session-basics", "introspection"], &[may(WRITES, &["orders"])]);
    let world = &house.world;
    world
        .cluster
        .sql(&world.database, "create type mood as enum ('sad', 'fine')")
        .expect("a type");
    let token = house.token(None);
    let (certificate, key) = world.certificate("nobody");
    world.block_on(async {
        let mut client = world.connect(Login::Token(&token)).await.unwrap();
        let by_id = "select id, status from orders where id = $1";
        let statement = client.prepare(by_id).await.unwrap();
        let rows = (1..=20).map(|id| {
            let (client, statement) = (&client, &statement);
            async move {
                client
                    .query_one(statement, &[&id])
                    .await
                    .unwrap()
                    .get::<_, i32>(0)
            }
        });
        let ids = futures_util::future::join_all(rows).await;
        assert_eq!(ids, (1..=20).collect::<Vec<i32>>());
        // The name of a type that it does not know is asked of the catalogue, behind its back.
        let moods = client.query_one("select enum_range(null::mood)::text", &[]).await;
        assert_eq!(moods.unwrap_err().code().unwrap().code(), "42501");
        let transaction = client.transaction().await.unwrap();
        let into = transaction
            .copy_in("copy orders (id, customer_id) from stdin")
            .await
            .unwrap();
        let mut into = std::pin::pin!(into);
        into.send(&b"8000\t1\n8001\t2\n"[..]).await.unwrap();
        assert_eq!(into.as_mut().finish().await.unwrap(), 2);
        let from = transaction.copy_out("copy (select id from orders where id >= 8000) to stdout");
        let copied: Vec<_> = from.await.unwrap().try_collect().await.unwrap();
        assert_eq!(copied.concat(), b"8000\n8001\n");
        let portal = transaction
            .bind("select id from orders order by id", &[])
            .await
            .unwrap();
        assert_eq!(transaction.query_portal(&portal, 3).await.unwrap().len(), 3);
        assert_eq!(
            transaction.query_portal(&portal, 2).await.unwrap()[0].get::<_, i32>(0),
            4
        );
        transaction.rollback().await.unwrap();
        let arrays = client
            .query_one("select array_agg(relkind) from pg_catalog.pg_class", &[])
            .await
            .unwrap();
        assert!(!arrays.get::<_, Vec<i8>>(0).is_empty());
        assert!(
            world
                .connect(Login::Certificate(&certificate, &key))
                .await
                .is_err()
        );
    });
}

/// How sqlx is told to come to the gateway.
fn sqlx_options(house: &House, left_out: Option<&str>) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("localhost")
        .port(house.world.port)
        .username("postern")
        .password(&house.token(left_out))
        .database(&house.world.database)
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert(house.world.folder.join("link-ca.pem"))
}

#[test]
fn sqlx_needs_session_basics_and_for_types_of_the_database_introspection() {
    let house = House::granting(&["session-basics", "introspection"], &[may(WRITES, &["orders"])]);
    let world = &house.world;
    let setup = "create type mood as enum ('sad', 'fine'); alter table orders add column mood mood";
    world
        .cluster
        .sql(&world.database, &format!("set role shop_owner; {setup}"))
        .expect("a column");
    world.block_on(async {
        let pool = PgPoolOptions::new()
            .max_connections(3)
            .connect_with(sqlx_options(&house, None))
            .await
            .unwrap();
        for id in (1..=20).chain(1..=20) {
            let row = query("select id, status from orders where id = $1").bind(id);
            assert_eq!(row.fetch_one(&pool).await.unwrap().get::<i32, _>("id"), id);
        }
        // The type of a column that it does not know is asked of the catalogue, behind its back.
        let row = query("select mood::text as mood, mood as own from orders where id = $1").bind(1);
        assert_eq!(
            row.fetch_one(&pool)
                .await
                .unwrap()
                .get::<Option<String>, _>("mood"),
            None
        );
        let mut transaction = pool.begin().await.unwrap();
        let insert = query("insert into orders (id, customer_id) values ($1, $2)")
            .bind(8000)
            .bind(1);
        assert_eq!(
            insert.execute(&mut *transaction).await.unwrap().rows_affected(),
            1
        );
        let mut inner = transaction.begin().await.unwrap();
        let twice = query("insert into orders (id, customer_id) values (8000, 1)")
            .execute(&mut *inner)
            .await;
        assert_eq!(
            twice.unwrap_err().into_database_error().unwrap().code().unwrap(),
            "23505"
        );
        inner.rollback().await.unwrap();
        let mut into = transaction
            .copy_in_raw("copy orders (id, customer_id) from stdin")
            .await
            .unwrap();
        into.send(&b"8001\t1\n8002\t2\n"[..]).await.unwrap();
        assert_eq!(into.finish().await.unwrap(), 2);
        let from = transaction
            .copy_out_raw("copy (select id from orders where id >= 8000) to stdout")
            .await;
        let copied: Vec<_> = from.unwrap().try_collect().await.unwrap();
        assert_eq!(copied.concat(), b"8000\n8001\n8002\n");
        transaction.rollback().await.unwrap();
        let several = "select id from orders where id = 1; select id from orders where id = 2";
        assert_eq!(raw_sql(several).fetch_all(&pool).await.unwrap().len(), 2);
        let refused = pool.execute("select email from customers").await.unwrap_err();
        assert_eq!(refused.into_database_error().unwrap().code().unwrap(), "42501");
        pool.close().await;
    });
}

#[test]
fn sqlx_migrations_need_migrations_and_their_lock_is_served() {
    let house = House::granting(&["session-basics", "introspection", "migrations"], &[]);
    let world = &house.world;
    let folder = world.folder.join("sqlx");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in [
        (
            "1_shelves.sql",
            "create table shelves (id int primary key); create index on shelves (id);",
        ),
        (
            "2_labels.sql",
            "alter table shelves add column label text not null default 'none';",
        ),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    world.block_on(async {
        let migrator = Migrator::new(folder.clone()).await.unwrap();
        for left_out in [Some("migrations"), None, None] {
            let mut connection = sqlx_options(&house, left_out).connect().await.unwrap();
            let done = migrator.run(&mut connection).await;
            assert_eq!(done.is_ok(), left_out.is_none(), "{done:?}");
            connection.close().await.unwrap();
        }
    });
    let columns = "select count(*) from pg_attribute where attrelid = 'shelves'::regclass and attnum > 0";
    let counted = world.cluster.sql(&world.database, columns).unwrap();
    assert_eq!(counted.trim(), "2");
}
