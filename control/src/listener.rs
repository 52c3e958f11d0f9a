//! Accepts connections for both doors: bounded in number, shaken hands with in bounded time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::tasks::{Stop, Task, Tasks};
use crate::tls::Doors;

/// After an accept that failed for want of something, before the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Which TLS a door speaks; read anew for each connection, because certificates change.
#[derive(Clone, Debug)]
pub enum Encryption {
    Gateways(watch::Receiver<Doors>),
    Operators(watch::Receiver<Doors>),
    /// Only on loopback.
    None,
}

impl Encryption {
    fn config(&self) -> Option<Arc<ServerConfig>> {
        match self {
            Encryption::Gateways(doors) => Some(Arc::clone(&doors.borrow().gateways)),
            Encryption::Operators(doors) => Some(Arc::clone(&doors.borrow().operators)),
            Encryption::None => None,
        }
    }
}

/// Where connections come from and how many may stay.
#[derive(Debug)]
pub struct Door {
    pub listener: TcpListener,
    pub encryption: Encryption,
    pub connections_max: usize,
    pub handshake_timeout: Duration,
}

/// A connection that may be served. Its place is free again when it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    certificate: Option<CertificateDer<'static>>,
    _place: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// The certificate that was shown and verified, if the door demands one.
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.certificate.as_ref()
    }
}

/// Accepts until asked to stop, and hands on what has shaken hands.
pub async fn run(door: Door, tasks: Tasks, ready: mpsc::Sender<Connection>, mut stop: Stop) {
    let places = Arc::new(Semaphore::new(door.connections_max));
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place,
            () = stop.asked() => return,
        };
        let Ok(place) = place else { return };
        let accepted = tokio::select! {
            accepted = door.listener.accept() => accepted,
            () = stop.asked() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // Small messages must not wait for the answer to the last one.
        drop(stream.set_nodelay(true));
        let (config, ready, timeout) = (door.encryption.config(), ready.clone(), door.handshake_timeout);
        tasks.spawn(Task::Handshake, async move {
            let handed_on = async {
                let connection = connect(stream, config, place).await?;
                ready
                    .send(connection)
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
            };
            match tokio::time::timeout(timeout, handed_on).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
                Err(_) => tracing::debug!("a handshake took too long"),
            }
        });
    }
}

async fn connect(
    stream: TcpStream,
    config: Option<Arc<ServerConfig>>,
    place: OwnedSemaphorePermit,
) -> io::Result<Connection> {
    let Some(config) = config else {
        return Ok(Connection {
            stream: Stream::Plain(stream),
            certificate: None,
            _place: place,
        });
    };
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = shown
        .and_then(|chain| chain.first())
        .map(|leaf| leaf.clone().into_owned());
    Ok(Connection {
        stream: Stream::Encrypted(Box::new(stream)),
        certificate,
        _place: place,
    })
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
