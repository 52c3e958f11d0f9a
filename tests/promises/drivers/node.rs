//! node-postgres.

use std::process::Command;

use super::{CLIENTS, House, may};

#[test]
fn node_postgres_needs_session_basics_and_its_tables() {
    assert!(
        std::path::Path::new(&format!("{CLIENTS}/node_modules/pg")).exists(),
        "run tests/clients/prepare first, as `make test` does"
    );
    let house = House::granting(&["session-basics"], &[may(&["select", "insert"], &["orders"])]);
    let program = || {
        let mut node = Command::new("node");
        node.arg(format!("{CLIENTS}/node_client.mjs"));
        node
    };
    house.serves(program);
    house.serves_by_certificate(program);
}
