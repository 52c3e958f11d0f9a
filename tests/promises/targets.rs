//! Targets that are hostile: what they may cost is bounded, and the client is told which bound it was.

use std::sync::OnceLock;

use postern_tests::hostile::{self, Mischief};
use postern_tests::raw::{Raw, error, query, tags};
use postern_tests::{Login, Wishes, World};

/// A house whose only target is no PostgreSQL server.
fn deceived() -> &'static World {
    static DECEIVED: OnceLock<World> = OnceLock::new();
    DECEIVED.get_or_init(|| {
        let address = hostile::start();
        let credential = |name: &str, user: &str, secret: &str| {
            format!("    {name}: {{ user: {user}, {secret}only_to: [\"{address}\"], verify: disable }}\n")
        };
        let password = "password: \"file:{folder}/shop_writer.password\", ";
        let world = World::start(&Wishes {
            limits: "connect_timeout_ms: 1000, server_message_bytes_max: 20000, catalogue_bytes_max: 30000, \
                     catalogue_relations_max: 100, scram_iterations_max: 5000"
                .into(),
            credentials: [
                credential("hostile_reader", "shop_reader", ""),
                credential("hostile_writer", "shop_writer", password),
                credential("hostile_owner", "shop_owner", ""),
                credential("hostile_gateway", "shop_gateway", ""),
            ]
            .concat(),
            ..Wishes::default()
        });
        let databases = Mischief::ALL.map(Mischief::database).join(", ");
        let resources = world
            .resources()
            .replace(&world.cluster.address(), &address)
            .replace(&format!("[\"{}\"]", world.database), &format!("[{databases}]"))
            .replace("shop_owner: shop_owner", "shop_owner: hostile_owner")
            .replace("shop_reader: shop_reader", "shop_reader: hostile_reader")
            .replace("shop_writer: shop_writer", "shop_writer: hostile_writer")
            .replace("gateway_role: shop_gateway", "gateway_role: hostile_gateway");
        world.change("resources.yaml", &resources);
        world
    })
}

/// What a client hears of a target with this mischief.
#[track_caller]
fn told_of(mischief: Mischief, workload: &str, limit: &str) {
    let world = deceived();
    let token = world.token(workload, &[]);
    let database = mischief.database();
    let variables = [
        ("PGDATABASE", database.as_str()),
        ("PGOPTIONS", "-c timezone=UTC"),
    ];
    let complaint = world
        .psql_with(Login::Token(&token), &variables, "select 1")
        .turned_away("the target is unavailable");
    assert!(
        complaint.contains(&format!("`{limit}`")),
        "{limit} in: {complaint}"
    );
}

#[test]
fn the_hostile_target_serves_where_it_means_no_mischief() {
    let world = deceived();
    world.block_on(async {
        let mut raw = session(world, Mischief::None).await;
        assert_eq!(tags(&raw.query("begin").await), "CZ");
    });
}

#[test]
fn a_target_that_does_not_answer_is_given_up_after_connect_timeout_ms() {
    told_of(Mischief::Silence, "report", "connect_timeout_ms");
    told_of(Mischief::SilentSettings, "report", "connect_timeout_ms");
}

#[test]
fn a_targets_messages_at_login_are_read_up_to_server_message_bytes_max() {
    told_of(Mischief::LongParameter, "report", "server_message_bytes_max");
    told_of(Mischief::EndlessParameters, "report", "server_message_bytes_max");
}

#[test]
fn a_message_beyond_server_message_bytes_max_ends_the_session() {
    let world = deceived();
    world.block_on(async {
        let mut raw = session(world, Mischief::LongError).await;
        raw.send(&[query("begin")]).await;
        let heard = [raw.receive().await];
        assert_eq!(error(&heard, 'C'), "08006");
        assert!(
            error(&heard, 'D').contains("`server_message_bytes_max`"),
            "{heard:?}"
        );
        assert!(raw.try_receive().await.is_none());
    });
}

#[test]
fn a_session_hears_no_more_about_its_names_than_it_asked() {
    let world = deceived();
    world.block_on(async {
        let mut raw = session(world, Mischief::EndlessNames).await;
        let heard = raw.query("reset all").await;
        assert_eq!(tags(&heard), "CZ", "{heard:?}");
        raw.send(&[query("select id from customers")]).await;
        let heard = [raw.receive().await];
        assert_eq!(tags(&heard), "E", "{heard:?}");
        assert_eq!(error(&heard, 'C'), "08006");
        assert!(raw.try_receive().await.is_none());
    });
}

#[test]
fn a_catalogue_is_read_up_to_catalogue_bytes_max_and_catalogue_relations_max() {
    told_of(Mischief::LongCatalogue, "report", "catalogue_bytes_max");
    told_of(Mischief::EndlessRows, "report", "catalogue_bytes_max");
    told_of(Mischief::ManyRelations, "report", "catalogue_relations_max");
}

#[test]
fn nobody_computes_more_scram_iterations_for_a_target_than_scram_iterations_max() {
    let world = deceived();
    told_of(Mischief::Iterations, "writer", "scram_iterations_max");
    let log = std::fs::read_to_string(world.folder.join("log")).unwrap();
    assert!(
        log.contains("more SCRAM iterations than"),
        "the operator is told too"
    );
}

async fn session(world: &World, mischief: Mischief) -> Raw {
    let token = world.token("all", &[]);
    let mut raw = Raw::secure(world, Login::Token(&token)).await;
    let database = mischief.database();
    raw.start(196_608, &[("user", "postern"), ("database", &database)])
        .await;
    assert_eq!(raw.receive().await.0, 'R');
    raw.password(&token).await;
    raw.until_ready().await;
    raw
}
