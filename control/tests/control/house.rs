//! Starting and stopping: one house for one folder, and bad config says what is wrong.

use crate::support::House;
use postern_control::Error;
use postern_control::config::{Config, Limits};

#[tokio::test]
async fn two_control_planes_cannot_have_one_folder() {
    let mut house = House::start().await;
    let refused = postern_control::start(house.config(), std::sync::Arc::new(|_| Ok(()))).await;
    assert!(matches!(refused.unwrap_err(), Error::InUse { .. }));
    house.close().await;
    house.open().await.unwrap();
}

type Spoil = fn(&House, &mut Config);

#[tokio::test]
async fn what_cannot_be_used_is_named_at_the_start() {
    let cases: [(&str, Spoil); 7] = [
        ("`name` must be", |_, config| config.name = "a b".into()),
        ("`log_origin` must be", |_, config| {
            config.log_origin = "a b".into()
        }),
        ("nowhere.pem` cannot be read as certificates", |house, config| {
            config.tls.certificate = house.folder.path().join("nowhere.pem");
        }),
        ("does not belong to its key", |house, config| {
            config.tls.certificate = house.folder.path().join("ca.pem");
        }),
        ("cannot be read as a private key", |house, config| {
            config.tls.key = house.folder.path().join("ca.pem");
        }),
        ("can be read by others", |house, config| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::create_dir_all(&config.data).unwrap();
            let path = config.data.join("log.key");
            std::fs::copy(house.folder.path().join("server.key"), &path).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        }),
        ("cannot listen on", |_, config| {
            config.listen_operators = "192.0.2.1:1".parse().unwrap()
        }),
    ];
    for (says, spoil) in cases {
        let house = House::closed(Limits::default());
        let mut config = house.config();
        spoil(&house, &mut config);
        let error = postern_control::start(config, std::sync::Arc::new(|_| Ok(())))
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn new_certificates_are_shown_and_demanded_without_a_restart() {
    let mut house = House::start().await;
    let mut old = house.gateway("gw-1").await;
    let next = crate::support::Authority::new("another authority");
    let server = next.server();
    let write = |name: &str, text: &str| std::fs::write(house.folder.path().join(name), text).unwrap();
    write("server.key", &server.key);
    write("server.pem", &server.certificate);
    write("ca.pem", &next.pem());
    let before = std::mem::replace(&mut house.authority, next);
    let shown = house.authority.gateway("gw-2");
    while house.stream(&shown, crate::support::hello("gw-2")).await.is_err() {
        tokio::task::yield_now().await;
    }
    let refused = before.gateway("gw-3");
    assert!(
        house
            .stream(&refused, crate::support::hello("gw-3"))
            .await
            .is_err()
    );
    old.ship(7, 1..=2).await;
}

#[tokio::test]
async fn operators_from_elsewhere_are_served_with_tls_only() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let house = House::closed(Limits::default());
    let mut config = house.config();
    config.listen_operators = "0.0.0.0:0".parse().unwrap();
    let running = postern_control::start(config, std::sync::Arc::new(|_| Ok(())))
        .await
        .unwrap();
    assert!(running.operators_url.starts_with("https://"));
    let address = ("127.0.0.1", running.operators_address.port());
    let mut plain = tokio::net::TcpStream::connect(address).await.unwrap();
    plain
        .write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    running.stop().await;
}
