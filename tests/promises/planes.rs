//! The two planes apart: what a gateway does while its control plane is away, and for how long.

use postern_tests::raw::Raw;
use postern_tests::{Login, Planes, Wishes, World, field};

fn apart(gateway: &str) -> World {
    World::start(&Wishes {
        planes: Planes::Apart,
        gateway: gateway.into(),
        ..Wishes::default()
    })
}

fn intents(world: &World, text: &str) -> usize {
    let of = |record: &serde_json::Value| {
        field(record, "kind") == "intent" && field(record, "text").contains(text)
    };
    world.records("").iter().filter(|record| of(record)).count()
}

#[test]
fn a_gateway_without_its_control_plane_decides_and_spools_and_ships_each_record_once_it_is_back() {
    let mut world = apart("");
    let token = world.token("report", &[]);
    world
        .psql(
            Login::Token(&token),
            "select id as before from customers where id = 1",
        )
        .succeeded();
    world.kill_control();
    for _ in 0..10 {
        world
            .psql(
                Login::Token(&token),
                "select id as during from customers where id = 1",
            )
            .succeeded();
        world
            .psql(Login::Token(&token), "select ssn as during from customers")
            .refused("42501");
    }
    // A gateway that starts meanwhile has no word that its snapshot still holds.
    world.kill_gateway();
    world.start_gateway();
    world.until("the gateway listens again", || !world.admin("/livez").is_empty());
    world.psql(Login::Token(&token), "select 1").turned_away("FATAL");
    world.start_control();
    world.until_ready();
    world
        .psql(
            Login::Token(&token),
            "select id as after from customers where id = 1",
        )
        .succeeded();
    world.until("every record is there", || {
        (
            intents(&world, "as before"),
            intents(&world, "as during"),
            intents(&world, "as after"),
        ) == (1, 10, 1)
    });
    let records = world.records("workload=report");
    let refused = records
        .iter()
        .filter(|record| field(record, "kind") == "refused" && field(record, "text").contains("as during"));
    assert_eq!(refused.count(), 10);
}

#[test]
fn a_gateway_that_hears_nothing_ends_its_sessions_when_the_lease_runs_out() {
    let mut world = apart("");
    let short = world
        .resources()
        .replace("server_names: [shop.localhost]", "unheard_seconds_max: 10");
    world.change("resources.yaml", &short);
    let token = world.token("all", &[]);
    world.kill_control();
    let world = &world;
    world.block_on(async {
        let mut raw = Raw::log_in(world, &token).await;
        raw.query("select 1").await;
        let fatal = raw.until_closed().await;
        let fatal = fatal.escape_ascii().to_string();
        assert!(fatal.contains("57P01"), "{fatal}");
    });
    world
        .psql(Login::Token(&token), "select 1")
        .turned_away("control plane");
}

#[test]
fn in_disk_durability_statements_run_and_each_has_its_record() {
    let world = apart("  durability: disk\n");
    let token = world.token("report", &[]);
    for number in 0..5 {
        let sql = format!("select id as synced{number} from customers where id = 1");
        let settings = [("PGOPTIONS", "-c timezone=Asia/Tokyo")];
        world.psql_with(Login::Token(&token), &settings, &sql).succeeded();
    }
    world.until("every record is there", || {
        intents(&world, "as synced") == 5 && intents(&world, "timezone") == 5
    });
}
