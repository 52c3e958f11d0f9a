//! The two bodies of an exchange, moved piece by piece as the other side takes them, counted, and cut short where
//! the session is ended.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use postern_link::wire::Status;
use tokio::time::Instant;

use crate::audit::Outcome;
use crate::authorize::Permit;
use crate::authorize::call::Call;
use crate::budgets::Spending;
use crate::upstream::Credentials;

use super::Worker;
use super::headers;
use super::mcp::Events;
use super::pool::Connected;
use super::startup::UnderWay;
use super::visit::{Side, Visit};

/// What is read of a body before the other side has taken it.
pub(super) const PIECE_BYTES_MAX: usize = 32 * 1024;

/// One request that was permitted, until both its bodies are through.
pub(super) struct Exchange {
    pub(super) permit: Permit<Rc<Call>>,
    pub(super) visit: Rc<Visit>,
    /// What the target may not say back.
    pub(super) credentials: Arc<Credentials>,
    /// When the last piece of a body went on, or the request itself.
    pub(super) moved: Cell<Instant>,
    pub(super) _under_way: UnderWay,
    /// Where the target has a budget.
    pub(super) spending: Option<Spending>,
}

/// Why a body ends before its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("the session was ended")]
    Ended,
    #[error(transparent)]
    Broken(#[from] hyper::Error),
}

impl Exchange {
    /// The target did not answer as it should have.
    pub(super) fn fail(&self) {
        self.permit.entry.close(Status::Failed, &Outcome::default());
    }

    /// The next piece of a body, unless the session is ended first.
    fn poll_piece(
        &self,
        side: Side,
        body: &mut Incoming,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let waiting = (self.permit.entry.number(), side);
        if self.visit.poll_ended(waiting, context).is_ready() {
            return Poll::Ready(Some(Err(Cut::Ended)));
        }
        let piece = ready!(Pin::new(body).poll_frame(context));
        self.moved.set(Instant::now());
        let piece = piece.map(|piece| piece.map(|frame| self.passed(side, frame)).map_err(Cut::Broken));
        Poll::Ready(piece)
    }

    pub(super) fn count(&self, side: Side, bytes: usize) {
        let (entry, spending) = (&self.permit.entry, self.spending.as_ref());
        match side {
            Side::Up => {
                entry.count_in(bytes);
                spending.inspect(|spending| spending.count_in(bytes));
            }
            Side::Down => {
                entry.count_out(bytes);
                spending.inspect(|spending| spending.count_out(bytes));
            }
        }
    }

    /// What goes on of a piece: data as it is, trailers like headers.
    fn passed(&self, side: Side, frame: Frame<Bytes>) -> Frame<Bytes> {
        if let Some(bytes) = frame.data_ref() {
            self.count(side, bytes.remaining());
        }
        match (frame.into_trailers(), side) {
            (Ok(trailers), Side::Up) => Frame::trailers(headers::trailers(trailers)),
            (Ok(mut trailers), Side::Down) => {
                headers::to_client(&mut trailers, &self.credentials);
                Frame::trailers(trailers)
            }
            (Err(frame), _) => frame,
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.visit.forget(self.permit.entry.number());
    }
}

/// The body of a request on its way to the target.
pub(super) struct Upload {
    body: Sent,
    exchange: Rc<Exchange>,
}

enum Sent {
    Streamed(Incoming),
    /// What was read before it was judged.
    Whole(Option<Bytes>),
}

impl Upload {
    pub(super) fn streamed(body: Incoming, exchange: Rc<Exchange>) -> Upload {
        let body = Sent::Streamed(body);
        Upload { body, exchange }
    }

    pub(super) fn whole(body: Bytes, exchange: Rc<Exchange>) -> Upload {
        exchange.count(Side::Up, body.len());
        let body = Sent::Whole((!body.is_empty()).then_some(body));
        Upload { body, exchange }
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let Upload { body, exchange } = self.get_mut();
        match body {
            Sent::Streamed(body) => exchange.poll_piece(Side::Up, body, context),
            Sent::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.body {
            Sent::Streamed(body) => body.is_end_stream(),
            Sent::Whole(bytes) => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Sent::Streamed(body) => body.size_hint(),
            Sent::Whole(bytes) => exact(bytes.as_ref()),
        }
    }
}

fn exact(bytes: Option<&Bytes>) -> SizeHint {
    SizeHint::with_exact(bytes.map_or(0, Bytes::len) as u64)
}

/// The body of a response on its way to the client.
pub(super) struct Download {
    body: Incoming,
    exchange: Rc<Exchange>,
    /// Goes back to the others once the response is through.
    upstream: Option<Connected>,
    worker: Rc<Worker>,
    is_through: bool,
}

impl Download {
    pub(super) fn new(
        body: Incoming,
        exchange: Rc<Exchange>,
        upstream: Connected,
        worker: Rc<Worker>,
    ) -> Download {
        Download {
            body,
            exchange,
            upstream: Some(upstream),
            worker,
            is_through: false,
        }
    }

    pub(super) fn exchange(&self) -> &Rc<Exchange> {
        &self.exchange
    }

    /// Whatever has come of it, no more is wanted: the record says so.
    pub(super) fn close(&self, status: Status) {
        self.exchange.permit.entry.close(status, &Outcome::default());
    }
}

impl Body for Download {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let download = self.get_mut();
        let piece = ready!(
            download
                .exchange
                .poll_piece(Side::Down, &mut download.body, context)
        );
        download.is_through = piece.is_none();
        Poll::Ready(piece)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Download {
    /// A body whose end is known beforehand is not asked for it.
    fn drop(&mut self) {
        if self.is_through || self.body.is_end_stream() {
            self.close(Status::Done);
            if let Some(upstream) = self.upstream.take() {
                self.worker.pool.give(upstream);
            }
        }
    }
}

/// The body of whatever a client is answered.
pub(super) enum Answer {
    Download(Download),
    /// Of an MCP server, each judged.
    Events(Box<Events>),
    /// Our own, said at once.
    Whole(Option<Bytes>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Answer::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Answer::Download(download) => Pin::new(download).poll_frame(context),
            Answer::Events(events) => events.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Answer::Whole(bytes) => bytes.is_none(),
            Answer::Download(download) => download.is_end_stream(),
            Answer::Events(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Answer::Whole(bytes) => exact(bytes.as_ref()),
            Answer::Download(download) => download.size_hint(),
            Answer::Events(_) => SizeHint::default(),
        }
    }
}
