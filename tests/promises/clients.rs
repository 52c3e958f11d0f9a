//! Real clients as they are: pgbench in its three modes, psycopg 3 on libpq 18, node-postgres, tokio-postgres.

use std::process::Command;

use postern_tests::{Login, World, heard};

#[test]
fn pgbench_runs_in_all_three_modes() {
    let world = World::shared();
    let token = world.token("all", &[]);
    let run = |arguments: &[&str]| {
        let mut pgbench = world.client("pgbench", Login::Token(&token));
        pgbench.args(arguments);
        heard(pgbench).succeeded()
    };
    run(&["--initialize", "--quiet", "--scale=1"]);
    for mode in ["simple", "extended", "prepared"] {
        let said = run(&["--protocol", mode, "--client=4", "--transactions=50"]);
        assert!(said.contains("number of failed transactions: 0"), "{said}");
    }
}

#[test]
fn tokio_postgres_prepares_binds_and_copies() {
    let world = World::shared();
    let (certificate, key) = world.certificate("writer");
    world.block_on(async {
        let mut client = world
            .connect(Login::Certificate(&certificate, &key))
            .await
            .unwrap();
        let statement = client
            .prepare("select id, status from orders where id = $1")
            .await
            .unwrap();
        let row = client.query_one(&statement, &[&5_i32]).await.unwrap();
        assert_eq!(row.get::<_, i32>(0), 5);
        let transaction = client.transaction().await.unwrap();
        transaction
            .execute("update orders set status = $1 where id = $2", &[&"seen", &6_i32])
            .await
            .unwrap();
        transaction.rollback().await.unwrap();
        let error = client.query("select ssn from customers", &[]).await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501");
    });
}

/// Runs a foreign program of `tests/clients` with a job's variables.
fn foreign(program: &str, arguments: &[&str]) -> String {
    let world = World::shared();
    let token = world.token("all", &[]);
    let mut command = Command::new(program);
    command.args(arguments);
    world.job(&mut command, Login::Token(&token));
    heard(command).succeeded()
}

#[test]
fn psycopg_on_libpq_18_works() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
    let python = format!("{folder}/.venv/bin/python");
    assert!(
        std::path::Path::new(&python).exists(),
        "run tests/clients/prepare first, as `make test` does"
    );
    assert_eq!(
        foreign(&python, &[&format!("{folder}/psycopg_client.py")]).trim(),
        "ok"
    );
}

#[test]
fn node_postgres_works() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
    assert!(
        std::path::Path::new(&format!("{folder}/node_modules/pg")).exists(),
        "run tests/clients/prepare first, as `make test` does"
    );
    assert_eq!(
        foreign("node", &[&format!("{folder}/node_client.mjs")]).trim(),
        "ok"
    );
}
