//! One direction of a relay: a buffer whose bytes are read once, cleared in place, and sent on uncopied.
//!
//! Bytes lie in three parts: sent, cleared to go, and not yet judged. What is ours goes ahead of what is
//! cleared later, so the order of the stream is the order of the judgements.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read at once. A session without bytes under way holds no buffer.
const BUFFER_BYTES: usize = 32 * 1024;
/// Spare buffers that one worker keeps.
const SPARE_BUFFERS_MAX: usize = 64;
/// Bytes of ours that may wait; a peer that does not read them gets no more.
const AHEAD_BYTES_MAX: usize = 256 * 1024;

/// The buffers that a worker's sessions share while nothing lies in them.
#[derive(Clone, Debug, Default)]
pub struct Buffers {
    spare: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Buffers {
    fn take(&self) -> Vec<u8> {
        self.spare
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| vec![0; BUFFER_BYTES])
    }

    fn give(&self, buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if buffer.len() == BUFFER_BYTES && spare.len() < SPARE_BUFFERS_MAX {
            spare.push(buffer);
        }
    }
}

/// Invariant: `start <= cleared <= filled <= buffer.len()`.
#[derive(Debug)]
pub struct Pipe {
    buffers: Buffers,
    /// Ours, and what was cleared before it; goes before `start..cleared`.
    ahead: Vec<u8>,
    ahead_sent: usize,
    buffer: Vec<u8>,
    start: usize,
    cleared: usize,
    filled: usize,
    /// Bytes of a message known by its header that are still to come, and may pass.
    passing: usize,
    /// Bytes of such a message that are still to come, and go nowhere.
    dropping: usize,
    unflushed: bool,
    ended: bool,
}

impl Pipe {
    pub fn new(buffers: Buffers) -> Pipe {
        Pipe {
            buffers,
            ahead: Vec::new(),
            ahead_sent: 0,
            buffer: Vec::new(),
            start: 0,
            cleared: 0,
            filled: 0,
            passing: 0,
            dropping: 0,
            unflushed: false,
            ended: false,
        }
    }

    /// What has been read and not yet judged.
    pub fn unjudged(&self) -> &[u8] {
        self.buffer.get(self.cleared..self.filled).unwrap_or_default()
    }

    /// Clears the next `bytes`, which lie in the buffer, to go on as they are.
    pub fn clear(&mut self, bytes: usize) {
        self.cleared = (self.cleared + bytes).min(self.filled);
    }

    /// Clears a message of which only the header has been looked at, whether or not it has all arrived.
    pub fn pass(&mut self, bytes: usize) {
        let here = bytes.min(self.filled - self.cleared);
        self.clear(here);
        self.passing = bytes - here;
    }

    /// Takes a message of which only the header has been looked at out of the stream.
    pub fn drop_passing(&mut self, bytes: usize) {
        let here = bytes.min(self.filled - self.cleared);
        self.skip(here);
        self.dropping = bytes - here;
    }

    /// Takes the next `bytes`, which lie in the buffer, out of the stream.
    pub fn skip(&mut self, bytes: usize) {
        self.put_ahead(&[]);
        self.cleared = (self.cleared + bytes).min(self.filled);
        self.start = self.cleared;
    }

    /// Puts bytes of ours behind what is cleared and before what is not.
    pub fn put_ahead(&mut self, bytes: &[u8]) {
        if let Some(cleared) = self.buffer.get(self.start..self.cleared) {
            self.ahead.extend_from_slice(cleared);
        }
        self.start = self.cleared;
        self.ahead.extend_from_slice(bytes);
    }

    /// Whether the stream stands between two messages, so that one of ours may be the next.
    pub fn is_between_messages(&self) -> bool {
        self.passing == 0 && self.dropping == 0
    }

    /// Whether more of ours may be put ahead.
    pub fn has_room(&self) -> bool {
        self.ahead.len() - self.ahead_sent < AHEAD_BYTES_MAX
    }

    /// Whether everything cleared has been sent and flushed.
    pub fn is_sent(&self) -> bool {
        self.ahead_sent == self.ahead.len() && self.start == self.cleared && !self.unflushed
    }

    /// Whether the reading side has ended; what was read before may still be judged.
    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// Makes room for a message of `bytes` in all, doubling, so that memory follows what was really sent.
    pub fn grow_for(&mut self, bytes: usize) {
        let unjudged = self.filled - self.cleared;
        if self.start == self.cleared && self.cleared > 0 {
            self.compact();
        }
        if self.filled == self.buffer.len() && self.buffer.len() < bytes {
            let wanted = (unjudged * 2).clamp(BUFFER_BYTES, bytes.max(BUFFER_BYTES));
            self.buffer
                .resize(self.start + wanted.max(self.filled - self.start), 0);
        }
    }

    /// Reads once, if there is room.
    pub fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        reader: Pin<&mut impl AsyncRead>,
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Pending;
        }
        if self.buffer.is_empty() {
            self.buffer = self.buffers.take();
        }
        if self.filled == self.buffer.len() && self.start == self.cleared && self.cleared > 0 {
            self.compact();
        }
        let Some(space) = self
            .buffer
            .get_mut(self.filled..)
            .filter(|space| !space.is_empty())
        else {
            return Poll::Pending;
        };
        let mut space = ReadBuf::new(space);
        let polled = reader.poll_read(context, &mut space);
        let read = space.filled().len();
        if polled.is_pending() {
            self.release();
            return Poll::Pending;
        }
        ready!(polled)?;
        self.ended = read == 0;
        let passed = self.passing.min(read);
        // Bytes may pass only directly behind what is cleared, and nothing unjudged lies between.
        self.cleared += passed;
        self.passing -= passed;
        self.filled += read;
        let dropped = self.dropping.min(read);
        if dropped > 0 {
            self.dropping -= dropped;
            self.skip(dropped);
        }
        if self.start == self.filled {
            self.release();
        }
        Poll::Ready(Ok(read))
    }

    /// Sends what is cleared, ours first; `Ready` when nothing is left to send.
    pub fn poll_drain(
        &mut self,
        context: &mut Context<'_>,
        mut writer: Pin<&mut impl AsyncWrite>,
    ) -> Poll<io::Result<()>> {
        while let Some(ahead) = self
            .ahead
            .get(self.ahead_sent..)
            .filter(|ahead| !ahead.is_empty())
        {
            let written = ready!(writer.as_mut().poll_write(context, ahead))?;
            self.ahead_sent += wrote(written)?;
            self.unflushed = true;
        }
        if !self.ahead.is_empty() {
            self.ahead_sent = 0;
            self.ahead.clear();
            self.ahead.shrink_to(BUFFER_BYTES);
        }
        while let Some(cleared) = self
            .buffer
            .get(self.start..self.cleared)
            .filter(|bytes| !bytes.is_empty())
        {
            let written = ready!(writer.as_mut().poll_write(context, cleared))?;
            self.start += wrote(written)?;
            self.unflushed = true;
        }
        self.release();
        if self.unflushed {
            ready!(writer.as_mut().poll_flush(context))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn compact(&mut self) {
        self.buffer.copy_within(self.start..self.filled, 0);
        self.cleared -= self.start;
        self.filled -= self.start;
        self.start = 0;
    }

    /// Gives the buffer back once nothing lies in it.
    fn release(&mut self) {
        if self.start == self.filled {
            (self.start, self.cleared, self.filled) = (0, 0, 0);
            let buffer = std::mem::take(&mut self.buffer);
            if !buffer.is_empty() {
                self.buffers.give(buffer);
            }
        }
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.buffers.give(std::mem::take(&mut self.buffer));
    }
}

fn wrote(bytes: usize) -> io::Result<usize> {
    if bytes == 0 {
        Err(io::ErrorKind::WriteZero.into())
    } else {
        Ok(bytes)
    }
}
