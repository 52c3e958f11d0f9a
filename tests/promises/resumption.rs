//! A TLS session is not resumed: who a client is comes from the certificate it shows now, judged by what holds now.

use std::process::{Command, Stdio};
use std::sync::Arc;

use postern_tests::raw::{PROTOCOL_3_0, Raw, error, tags};
use postern_tests::rustls_connect::client_config;
use postern_tests::{Login, Wishes, World};
use rustls::{ClientConfig, HandshakeKind};

/// Logs in with what the client has kept of its earlier handshakes, and says what it may read.
async fn may_read(world: &World, config: &Arc<ClientConfig>) -> Result<&'static str, String> {
    let mut raw = Raw::secure_with(world, config.clone()).await;
    assert_eq!(raw.stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    raw.start(
        PROTOCOL_3_0,
        &[("user", "postern"), ("database", &world.database)],
    )
    .await;
    let first = raw.receive().await;
    if first.0 == 'E' {
        return Err(error(&[first], 'C'));
    }
    raw.until_ready().await;
    let served = async |raw: &mut Raw, table: &str| {
        let sql = format!("select id from {table} where id = 1");
        tags(&raw.query(&sql).await) == "TDCZ"
    };
    match (
        served(&mut raw, "orders").await,
        served(&mut raw, "customers").await,
    ) {
        (true, _) => Ok("what the writer may"),
        (false, true) => Ok("what the report may"),
        (false, false) => Ok("nothing"),
    }
}

#[test]
fn a_client_that_comes_back_over_tls_is_who_it_is_now_and_not_who_it_was() {
    let world = World::start(&Wishes::default());
    let (certificate, key) = world.certificate("report");
    let login = Login::Certificate(&certificate, &key);
    // One configuration for all connections: rustls keeps the sessions that a server lets it resume.
    let config = client_config(&world.folder.join("link-ca.pem"), login, &[]);
    world.block_on(async {
        for _ in 0..3 {
            assert_eq!(may_read(&world, &config).await, Ok("what the report may"));
        }
        let swapped = world
            .resources()
            .replace("workload/report\"", "workload/nobody\"")
            .replace("workload/writer\"", "workload/report\"");
        world.change("resources.yaml", &swapped);
        assert_eq!(may_read(&world, &config).await, Ok("what the writer may"));
        let disabled = swapped.replace("name: writer\nowner", "name: writer\ndisabled: true\nowner");
        world.change("resources.yaml", &disabled);
        assert_eq!(may_read(&world, &config).await, Err("28000".to_owned()));
        world.change("resources.yaml", &world.resources());
        assert_eq!(may_read(&world, &config).await, Ok("what the report may"));
        let other = postern::dev::authority::Authority::new("another").unwrap();
        std::fs::write(world.folder.join("bundle.pem"), other.certificate()).unwrap();
        let (renewed, its_key) =
            world.write_pair(&other.svid(&postern::dev::authority::spiffe_id("report")).unwrap());
        world.until("the new bundle is trusted", || {
            world
                .psql(Login::Certificate(&renewed, &its_key), "select 1")
                .succeeded
        });
        assert_eq!(may_read(&world, &config).await, Err("28000".to_owned()));
    });
}

#[test]
fn openssl_resumes_no_session_of_either_version() {
    let world = World::shared();
    let (certificate, key) = world.certificate("report");
    let kept = world.folder.join("kept.session");
    for version in ["-tls1_2", "-tls1_3"] {
        let connect = |session: &str| {
            let mut client = Command::new("openssl");
            client.args(["s_client", "-starttls", "postgres", version, session]);
            client.arg(&kept);
            client.args(["-connect", &format!("127.0.0.1:{}", world.port)]);
            client.arg("-cert").arg(&certificate).arg("-key").arg(&key);
            client.arg("-CAfile").arg(world.folder.join("link-ca.pem"));
            let told = client.stdin(Stdio::null()).output().expect("openssl runs");
            String::from_utf8(told.stdout).unwrap()
        };
        let first = connect("-sess_out");
        assert!(
            first.contains("New, TLSv1") && first.contains("Verify return code: 0"),
            "{first}"
        );
        assert!(!first.contains("TLS session ticket:"), "{version}: {first}");
        // A server that gives nothing to resume leaves nothing to keep.
        if kept.exists() {
            let again = connect("-sess_in");
            assert!(
                again.contains("New, TLSv1") && !again.contains("Reused"),
                "{version}: {again}"
            );
            std::fs::remove_file(&kept).unwrap();
        }
    }
}
