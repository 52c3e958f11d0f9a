//! tokio-postgres: prepared statements, its questions about types, COPY both ways, pipelines, cancelling.

use futures_util::{SinkExt, TryStreamExt};
use postern_tests::Login;

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
