//! A wire between the gateway and its control plane that carries only as much as it is told.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ground::ground;
use crate::world::World;

/// As much as there is.
pub const FREE: usize = 1 << 16;
/// How often it carries something.
const TICK: Duration = Duration::from_millis(10);

/// Bytes a tick, each way.
#[derive(Clone, Debug)]
pub struct Wire {
    to_control: Arc<AtomicUsize>,
    to_gateway: Arc<AtomicUsize>,
}

impl Wire {
    pub fn carry(&self, to_control: usize, to_gateway: usize) {
        self.to_control.store(to_control, Ordering::Relaxed);
        self.to_gateway.store(to_gateway, Ordering::Relaxed);
    }
}

impl World {
    /// Starts the gateway again with such a wire to its control plane, which must be a process of its own.
    pub fn on_a_slow_wire(&mut self) -> Wire {
        const ADDRESS: &str = "address: \"https://127.0.0.1:";
        self.kill_gateway();
        let path = self.folder.join("postern.yaml");
        let config = fs::read_to_string(&path).expect("the configuration");
        let port = config
            .split(ADDRESS)
            .nth(1)
            .and_then(|rest| rest.split('"').next());
        let port = port.expect("the control plane's address").to_owned();
        let wire = Wire {
            to_control: Arc::new(AtomicUsize::new(FREE)),
            to_gateway: Arc::new(AtomicUsize::new(FREE)),
        };
        let own = ground().runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let own = listener.local_addr().expect("an address").port();
            tokio::spawn(accept(listener, port.parse().expect("a port"), wire.clone()));
            own
        });
        let config = config.replace(&format!("{ADDRESS}{port}"), &format!("{ADDRESS}{own}"));
        fs::write(path, config).expect("a file");
        self.start_gateway();
        self.until_ready();
        wire
    }
}

async fn accept(listener: TcpListener, port: u16, wire: Wire) {
    while let Ok((gateway, _)) = listener.accept().await {
        let Ok(control) = TcpStream::connect(("127.0.0.1", port)).await else {
            continue;
        };
        let ((from_gateway, to_gateway), (from_control, to_control)) =
            (gateway.into_split(), control.into_split());
        tokio::spawn(pass(from_gateway, to_control, wire.to_control.clone()));
        tokio::spawn(pass(from_control, to_gateway, wire.to_gateway.clone()));
    }
}

/// What cannot be carried now is not read either, so that whoever sends feels it.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, pace: Arc<AtomicUsize>) {
    let mut ticks = tokio::time::interval(TICK);
    let mut bytes = vec![0; FREE];
    loop {
        let pace = pace.load(Ordering::Relaxed);
        if pace < FREE {
            ticks.tick().await;
        }
        let Some(room) = bytes.get_mut(..pace).filter(|room| !room.is_empty()) else {
            continue;
        };
        match from.read(room).await {
            Ok(0) | Err(_) => return,
            Ok(read) => {
                if to.write_all(bytes.get(..read).unwrap_or_default()).await.is_err() {
                    return;
                }
            }
        }
    }
}
