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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// A pipe that has read `bytes`.
    fn holding(buffers: &Buffers, mut bytes: &[u8]) -> Pipe {
        let mut pipe = Pipe::new(buffers.clone());
        let mut context = Context::from_waker(Waker::noop());
        let read = pipe.poll_fill(&mut context, Pin::new(&mut bytes));
        assert!(matches!(read, Poll::Ready(Ok(_))) && bytes.is_empty());
        pipe
    }

    fn drain(pipe: &mut Pipe) -> Vec<u8> {
        let mut sent = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        let drained = pipe.poll_drain(&mut context, Pin::new(&mut sent));
        assert!(matches!(drained, Poll::Ready(Ok(()))));
        sent
    }

    #[test]
    fn a_buffer_in_which_nothing_lies_is_lent_to_others_and_only_so_many_wait() {
        let buffers = Buffers::default();
        let spare = || buffers.spare.borrow().len();
        let many = 0..=SPARE_BUFFERS_MAX;
        let mut pipes: Vec<Pipe> = many.map(|_| holding(&buffers, b"one")).collect();
        assert_eq!(spare(), 0);
        for pipe in &mut pipes {
            pipe.clear(3);
            assert_eq!(drain(pipe), b"one");
            assert!(pipe.buffer.is_empty());
        }
        assert_eq!(spare(), SPARE_BUFFERS_MAX);
        let pipe = holding(&buffers, b"one");
        assert_eq!(spare(), SPARE_BUFFERS_MAX - 1);
        drop(pipe);
        assert_eq!(spare(), SPARE_BUFFERS_MAX, "also when its pipe ends");
    }

    #[test]
    fn a_buffer_that_has_grown_is_not_kept() {
        let buffers = Buffers::default();
        let mut pipe = holding(&buffers, &[7; BUFFER_BYTES]);
        pipe.grow_for(2 * BUFFER_BYTES);
        assert_eq!(pipe.buffer.len(), 2 * BUFFER_BYTES);
        drop(pipe);
        assert_eq!(buffers.spare.borrow().len(), 0);
    }

    /// A receiver with room for so many bytes, which may still be flushing them.
    struct Receiver {
        taken: Vec<u8>,
        room: usize,
        flushes: bool,
    }

    impl AsyncWrite for Receiver {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            let takes = bytes.len().min(self.room);
            if takes == 0 {
                return Poll::Pending;
            }
            self.taken.extend(bytes.iter().take(takes));
            self.room -= takes;
            Poll::Ready(Ok(takes))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            if self.flushes {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            }
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Sends what a receiver with room for `bytes` takes of it.
    fn drain_some(pipe: &mut Pipe, bytes: usize) -> Vec<u8> {
        let mut receiver = Receiver {
            taken: Vec::new(),
            room: bytes,
            flushes: true,
        };
        let mut context = Context::from_waker(Waker::noop());
        let drained = pipe.poll_drain(&mut context, Pin::new(&mut receiver));
        assert!(drained.is_pending());
        receiver.taken
    }

    fn fill(pipe: &mut Pipe, bytes: &mut &[u8]) -> Poll<usize> {
        let mut context = Context::from_waker(Waker::noop());
        pipe.poll_fill(&mut context, Pin::new(bytes)).map(Result::unwrap)
    }

    #[test]
    fn a_message_known_by_its_header_goes_on_or_nowhere_also_where_it_is_still_to_come() {
        let mut pipe = holding(&Buffers::default(), b"1ab");
        pipe.clear(1);
        pipe.drop_passing(5);
        assert!(!pipe.is_between_messages());
        assert_eq!(fill(&mut pipe, &mut &b"cd"[..]), Poll::Ready(2));
        assert!(!pipe.is_between_messages());
        assert_eq!(fill(&mut pipe, &mut &b"e2vw"[..]), Poll::Ready(4));
        assert!(pipe.is_between_messages());
        assert_eq!(pipe.unjudged(), b"2vw");
        pipe.clear(1);
        pipe.pass(5);
        assert!(!pipe.is_between_messages());
        assert_eq!(fill(&mut pipe, &mut &b"xy"[..]), Poll::Ready(2));
        assert!(!pipe.is_between_messages());
        assert_eq!(fill(&mut pipe, &mut &b"z3"[..]), Poll::Ready(2));
        assert!(pipe.is_between_messages());
        assert_eq!(pipe.unjudged(), b"3");
        assert_eq!(drain(&mut pipe), b"12vwxyz");
    }

    #[test]
    fn only_so_much_of_ours_waits_for_one_who_does_not_read() {
        let mut pipe = Pipe::new(Buffers::default());
        pipe.put_ahead(&[7; AHEAD_BYTES_MAX - 1]);
        assert!(pipe.has_room());
        pipe.put_ahead(&[7]);
        assert!(!pipe.has_room());
        drain_some(&mut pipe, 1);
        assert!(pipe.has_room());
    }

    #[test]
    fn a_pipe_is_sent_once_all_that_is_cleared_and_all_of_ours_is_flushed() {
        let mut pipe = holding(&Buffers::default(), b"12");
        assert!(pipe.is_sent(), "what is not judged does not wait to be sent");
        pipe.clear(1);
        assert!(!pipe.is_sent());
        pipe.put_ahead(b"a");
        assert!(!pipe.is_sent());
        let mut receiver = Receiver {
            taken: Vec::new(),
            room: 9,
            flushes: false,
        };
        let mut context = Context::from_waker(Waker::noop());
        assert!(
            pipe.poll_drain(&mut context, Pin::new(&mut receiver))
                .is_pending()
        );
        assert_eq!(receiver.taken, b"1a");
        assert!(!pipe.is_sent());
        receiver.flushes = true;
        assert!(pipe.poll_drain(&mut context, Pin::new(&mut receiver)).is_ready());
        assert!(pipe.is_sent());
    }

    #[test]
    fn a_full_buffer_reads_on_once_what_is_cleared_is_sent() {
        let text: Vec<u8> = (0..BUFFER_BYTES).map(|byte| byte.to_le_bytes()[0]).collect();
        let mut pipe = holding(&Buffers::default(), &text);
        assert!(fill(&mut pipe, &mut &b"more"[..]).is_pending());
        pipe.clear(2);
        assert!(fill(&mut pipe, &mut &b"more"[..]).is_pending());
        assert_eq!(drain(&mut pipe), text[..2]);
        assert_eq!(fill(&mut pipe, &mut &b"more"[..]), Poll::Ready(2));
        assert_eq!(pipe.unjudged(), [&text[2..], b"mo"].concat());
        assert_eq!(pipe.buffer.len(), BUFFER_BYTES);
    }

    #[test]
    fn memory_follows_what_was_sent_and_not_what_a_header_claims() {
        let mut pipe = holding(&Buffers::default(), &[7; BUFFER_BYTES]);
        for bytes in [2 * BUFFER_BYTES, 4 * BUFFER_BYTES, 5 * BUFFER_BYTES] {
            for _ in 0..2 {
                pipe.grow_for(5 * BUFFER_BYTES);
                assert_eq!(pipe.buffer.len(), bytes);
            }
            let mut more = &vec![7; bytes][..];
            assert!(fill(&mut pipe, &mut more).is_ready());
            assert_eq!(pipe.unjudged().len(), bytes);
        }
        pipe.grow_for(5 * BUFFER_BYTES);
        assert_eq!(pipe.buffer.len(), 5 * BUFFER_BYTES);
    }

    #[test]
    fn a_buffer_makes_room_where_it_can_before_it_grows() {
        let mut pipe = holding(&Buffers::default(), &[7; BUFFER_BYTES]);
        pipe.clear(100);
        assert_eq!(drain(&mut pipe).len(), 100);
        pipe.grow_for(2 * BUFFER_BYTES);
        assert_eq!((pipe.start, pipe.filled), (0, BUFFER_BYTES - 100));
        assert_eq!(pipe.buffer.len(), BUFFER_BYTES);
    }

    #[test]
    fn a_buffer_grows_behind_what_waits_to_be_sent() {
        let text: Vec<u8> = (0..BUFFER_BYTES).map(|byte| byte.to_le_bytes()[0]).collect();
        let mut pipe = holding(&Buffers::default(), &text);
        pipe.clear(100);
        assert_eq!(drain_some(&mut pipe, 50), text[..50]);
        pipe.grow_for(4 * BUFFER_BYTES);
        assert_eq!(pipe.buffer.len(), 50 + 2 * (BUFFER_BYTES - 100));
        assert_eq!(drain(&mut pipe), text[50..100]);
        assert_eq!(pipe.unjudged(), &text[100..]);
        // Little is unjudged now, and what waits before it keeps its place.
        let bytes = pipe.buffer.len();
        assert!(fill(&mut pipe, &mut &vec![7; bytes][..]).is_ready());
        pipe.clear(bytes - 110);
        drain_some(&mut pipe, 1);
        pipe.grow_for(4 * BUFFER_BYTES);
        assert_eq!(pipe.buffer.len(), bytes);
    }

    #[test]
    fn a_pipe_that_waits_holds_no_buffer_and_one_that_ended_reads_no_more() {
        let buffers = Buffers::default();
        let mut pipe = Pipe::new(buffers.clone());
        let (_silent, mut reader) = tokio::io::duplex(8);
        let mut context = Context::from_waker(Waker::noop());
        assert!(pipe.poll_fill(&mut context, Pin::new(&mut reader)).is_pending());
        assert_eq!(buffers.spare.borrow().len(), 1);
        assert!(!pipe.is_ended());
        assert_eq!(fill(&mut pipe, &mut &b""[..]), Poll::Ready(0));
        assert!(pipe.is_ended());
        assert!(fill(&mut pipe, &mut &b"more"[..]).is_pending());
    }

    #[test]
    fn a_receiver_that_takes_nothing_is_an_error() {
        let mut pipe = holding(&Buffers::default(), b"one");
        pipe.clear(3);
        let mut context = Context::from_waker(Waker::noop());
        let mut full = io::Cursor::new(&mut [][..]);
        let Poll::Ready(Err(error)) = pipe.poll_drain(&mut context, Pin::new(&mut full)) else {
            unreachable!("it was sent");
        };
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
