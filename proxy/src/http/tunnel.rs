//! What follows a change of protocol that the target has agreed to (RFC 9110, section 7.8): bytes both ways, counted,
//! until a side is done or the session is ended.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use hyper::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use hyper::http::response;
use hyper::upgrade::OnUpgrade;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use postern_link::wire::Status;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional_with_sizes};

use crate::refusal::{Reason, Refusal};
use crate::tls::Incoming;

use super::relay::{Download, Exchange, PIECE_BYTES_MAX};
use super::visit::Side;

/// A target's connection that speaks another protocol as soon as it has changed to it.
pub(super) struct Tunnel {
    target: OnUpgrade,
    download: Download,
}

impl Tunnel {
    /// The tunnel of a response that changes the protocol, which says so to the client too.
    pub(super) fn new(parts: &mut response::Parts, download: Download, protocol: &str) -> Tunnel {
        ask_for(&mut parts.headers, protocol);
        let mut response = Response::new(());
        std::mem::swap(response.extensions_mut(), &mut parts.extensions);
        Tunnel {
            target: hyper::upgrade::on(&mut response),
            download,
        }
    }

    /// Moves bytes between the target and a client, of which some are read already.
    pub(super) async fn run(self, client: Incoming, early: Bytes) {
        let exchange = self.download.exchange().clone();
        let moving = async {
            let mut client = Counted {
                stream: client,
                early,
                exchange: exchange.clone(),
            };
            let mut target = TokioIo::new(self.target.await.map_err(io::Error::other)?);
            copy_bidirectional_with_sizes(&mut client, &mut target, PIECE_BYTES_MAX, PIECE_BYTES_MAX).await
        };
        let number = exchange.permit.entry.number();
        let status = tokio::select! {
            moved = moving => match moved {
                Ok(_) => Status::Done,
                Err(error) => {
                    tracing::debug!(%error, "a tunnel ended in disorder");
                    Status::Failed
                }
            },
            _ended = exchange.visit.ended(number) => Status::Failed,
        };
        self.download.close(status);
    }
}

/// A target changes the protocol only where it is asked, and to that one.
pub(super) fn changes_as_asked(parts: &response::Parts, asked: Option<&str>) -> Result<(), Refusal> {
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let said = parts.headers.get(UPGRADE).map(HeaderValue::as_bytes);
    match (said, asked) {
        (Some(said), Some(asked)) if said.eq_ignore_ascii_case(asked.as_bytes()) => Ok(()),
        _ => Err(Refusal::new(Reason::Unavailable, "the target is unavailable")
            .detail("it changed to a protocol that was not asked for")),
    }
}

/// Says which protocol is changed to, to a target or to a client.
pub(super) fn ask_for(headers: &mut HeaderMap, protocol: &str) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(protocol) = HeaderValue::try_from(protocol) {
        headers.insert(UPGRADE, protocol);
    }
}

/// The client's end: what it sends is in, what it is sent is out.
struct Counted {
    stream: Incoming,
    early: Bytes,
    exchange: Rc<Exchange>,
}

impl AsyncRead for Counted {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let counted = self.get_mut();
        let before = buffer.filled().len();
        if counted.early.has_remaining() {
            let piece = counted.early.len().min(buffer.remaining());
            buffer.put_slice(&counted.early.split_to(piece));
        } else {
            ready!(Pin::new(&mut counted.stream).poll_read(context, buffer))?;
        }
        counted.exchange.count(Side::Up, buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let counted = self.get_mut();
        let written = ready!(Pin::new(&mut counted.stream).poll_write(context, bytes))?;
        counted.exchange.count(Side::Down, written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
