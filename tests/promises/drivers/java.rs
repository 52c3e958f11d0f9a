//! pgjdbc as Debian ships it, on a JDK.

use std::process::Command;

use super::{CLIENTS, House, may};

#[test]
fn pgjdbc_needs_session_basics_and_for_its_metadata_introspection() {
    let program = || {
        let mut java = Command::new("java");
        java.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"]);
        java.args(["-cp", "/usr/share/java/postgresql.jar"]);
        java.arg(format!("{CLIENTS}/Jdbc.java"));
        java
    };
    let house = House::granting(
        &["session-basics", "introspection"],
        &[may(&["select", "insert", "update"], &["orders"])],
    );
    house.serves(program);
    house.serves_by_certificate(program);
    house.refuses_without("introspection", program());
}
