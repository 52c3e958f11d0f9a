//! The front of the house: who is calling when a proxy stands before it (PROXY protocol version 2).

use postern_tests::raw::{PROTOCOL_3_0, Raw};
use postern_tests::{Login, Wishes, World, field};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// A header that tells of this client address, to port 5432 of 10.0.0.1.
fn header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend_from_slice(&client);
    header.extend_from_slice(&[10, 0, 0, 1, 0x30, 0x39, 0x15, 0x38]);
    header
}

#[test]
fn a_network_in_front_must_tell_the_clients_address_and_is_believed() {
    let world = World::start(&Wishes {
        gateway: "  proxy_protocol_from: [\"127.0.0.0/8\"]\n".into(),
        ..Wishes::default()
    });
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut socket = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        socket.write_all(&header([203, 0, 113, 9])).await.unwrap();
        let mut raw = Raw::secure_over(&world, socket, Login::Token(&token)).await;
        raw.start(
            PROTOCOL_3_0,
            &[("user", "postern"), ("database", &world.database)],
        )
        .await;
        raw.receive().await;
        raw.password(&token).await;
        raw.until_ready().await;
        raw.query("select id as told from customers where id = 1").await;
    });
    let record = world.until_recorded("the statement", |record| {
        field(record, "text").contains("as told")
    });
    assert_eq!(field(&record, "source"), "203.0.113.9", "{record}");
    // libpq says no such thing first.
    world
        .psql(Login::Token(&token), "select 1")
        .turned_away("server closed the connection");
}

#[test]
fn nobody_else_can_tell_an_address() {
    let world = World::shared();
    world.block_on(async {
        let mut socket = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        socket.write_all(&header([203, 0, 113, 9])).await.unwrap();
        let mut answer = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut socket, &mut answer)
            .await
            .unwrap();
        let answer = answer.escape_ascii().to_string();
        assert!(answer.is_empty() || answer.contains("08P01"), "{answer}");
    });
}
