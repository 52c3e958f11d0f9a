//! A target that is a real PostgreSQL server with somebody in between, who adds messages of his own.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

use crate::ground::ground;
use crate::{Wishes, World};

/// What he says to the gateway once it has sent these bytes.
pub type Says = fn(&[u8]) -> Vec<u8>;

/// A house whose only target is like this, with its passwords in use.
pub fn start(says: Says) -> World {
    let ground = ground();
    let port = ground.cluster.port;
    let address = ground.runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        tokio::spawn(accept(listener, port, says));
        address
    });
    let roles = ["shop_owner", "shop_reader", "shop_writer", "shop_gateway"];
    let credentials = roles.map(|role| {
        format!(
            "    between_{role}: {{ user: {role}, password: \"file:{{folder}}/{role}.password\", \
             only_to: [\"{address}\"], verify: disable }}\n"
        )
    });
    let world = World::start(&Wishes {
        credentials: credentials.concat(),
        ..Wishes::default()
    });
    let mut resources = world.resources().replace(&world.cluster.address(), &address);
    for role in roles {
        resources = resources.replace(&format!(": {role}"), &format!(": between_{role}"));
    }
    world.change("resources.yaml", &resources);
    world
}

async fn accept(listener: TcpListener, port: u16, says: Says) {
    while let Ok((gateway, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
            continue;
        };
        let ((from_gateway, to_gateway), (from_server, to_server)) =
            (gateway.into_split(), server.into_split());
        let to_gateway = Arc::new(Mutex::new(to_gateway));
        tokio::spawn(upward(from_gateway, to_server, to_gateway.clone(), says));
        tokio::spawn(downward(from_server, to_gateway));
    }
}

async fn upward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    back: Arc<Mutex<OwnedWriteHalf>>,
    says: Says,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 1 << 16];
    loop {
        let read = from.read(&mut bytes).await?;
        let said = bytes.get(..read).unwrap_or_default();
        if said.is_empty() {
            return Ok(());
        }
        let added = says(said);
        if !added.is_empty() {
            back.lock().await.write_all(&added).await?;
        }
        to.write_all(said).await?;
    }
}

/// Message by message, so that what is added stands between two of them.
async fn downward(mut from: OwnedReadHalf, to: Arc<Mutex<OwnedWriteHalf>>) -> std::io::Result<()> {
    loop {
        let mut message = vec![0; 5];
        from.read_exact(&mut message).await?;
        let length = message
            .iter()
            .skip(1)
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        message.resize(length + 1, 0);
        from.read_exact(message.get_mut(5..).unwrap_or_default()).await?;
        to.lock().await.write_all(&message).await?;
    }
}
