//! Both directions of one session, as one poll function over four ends.
//!
//! It reads from a side only while there is room toward the other, and waits for no write while the other
//! direction, the end of the session or a deadline could move. Only what [`Dialogue`] clears goes on.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, Sleep};

use crate::config::Limits;
use crate::refusal::{Reason, Refusal};
use crate::session::{Ended, Live};

use super::answer::{Heard, is_bulk};
use super::dialogue::Dialogue;
use super::message::{self, Error, HEADER_BYTES, Reading};
use super::pipe::{Buffers, Pipe};
use super::refusal::put_fatal;
use super::request::Step;

/// How a session's relay ended.
#[derive(Debug)]
pub enum Finish {
    /// The client said goodbye or went away.
    Client,
    /// The server closed the connection.
    Server,
    /// The session was ended from outside, or by a limit.
    Ended(Ended),
    /// A peer broke the protocol, or the session could not go on.
    Refused(Refusal),
}

impl Finish {
    /// The word for it in the record of the session's end.
    pub fn word(&self) -> &'static str {
        match self {
            Finish::Client => "the client left",
            Finish::Server => "the target closed the connection",
            Finish::Ended(Ended::Revoked) => "revoked",
            Finish::Ended(Ended::Expired) => "expired",
            Finish::Ended(Ended::NoLongerWelcome(_)) => "no longer welcome",
            Finish::Ended(Ended::TargetGone) => "target gone",
            Finish::Ended(Ended::Unheard) => "no word from the control plane",
            Finish::Ended(Ended::Draining) => "draining",
            Finish::Ended(Ended::LimitReached(limit)) => limit,
            Finish::Refused(refusal) => refusal.reason.name(),
        }
    }
}

/// The two directions and what watches over them.
pub struct Relay<'a, Client, Server> {
    client: &'a mut Client,
    server: &'a mut Server,
    dialogue: &'a mut Dialogue,
    live: &'a Live,
    limits: &'a Limits,
    upward: Pipe,
    downward: Pipe,
    /// The client's message at hand must wait for an answer of the server.
    waiting: bool,
    clock: Pin<Box<Sleep>>,
    /// When the session must be over, whatever it does.
    session_ends: Instant,
    /// When the client last sent something, or had its last answer.
    idle_since: Instant,
    /// Gives the dialogue the view of the newest rules.
    follow: &'a dyn Fn(&mut Dialogue),
}

/// How often the slow limits are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl<'a, Client, Server> Relay<'a, Client, Server>
where
    Client: AsyncRead + AsyncWrite + Unpin,
    Server: AsyncRead + AsyncWrite + Unpin,
{
    pub fn new(
        (client, server): (&'a mut Client, &'a mut Server),
        dialogue: &'a mut Dialogue,
        (live, limits): (&'a Live, &'a Limits),
        buffers: &Buffers,
        follow: &'a dyn Fn(&mut Dialogue),
    ) -> Relay<'a, Client, Server> {
        let now = Instant::now();
        Relay {
            client,
            server,
            dialogue,
            live,
            limits,
            upward: Pipe::new(buffers.clone()),
            downward: Pipe::new(buffers.clone()),
            waiting: false,
            clock: Box::pin(tokio::time::sleep(LOOK_INTERVAL)),
            session_ends: now + Duration::from_secs(limits.session_seconds_max),
            idle_since: now,
            follow,
        }
    }

    /// Relays until the session is over; the client has been told why if it was us.
    pub async fn run(mut self) -> Finish {
        let finish = poll_fn(|context| self.poll(context)).await;
        let refusal = match &finish {
            Finish::Client => return finish,
            Finish::Server => None,
            Finish::Ended(ended) => Some(Refusal::from(ended)),
            Finish::Refused(refusal) => Some(refusal.clone()),
        };
        self.say_goodbye(refusal.as_ref()).await;
        finish
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Finish> {
        loop {
            if let Poll::Ready(ended) = self.live.poll_ended(context) {
                return Poll::Ready(Finish::Ended(ended.clone()));
            }
            if let Poll::Ready(finish) = self.poll_clock(context) {
                return Poll::Ready(finish);
            }
            let moved = match self.turn(context) {
                Ok(moved) => moved,
                Err(finish) => return Poll::Ready(finish),
            };
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// One round over the four ends; says whether anything moved.
    fn turn(&mut self, context: &mut Context<'_>) -> Result<bool, Finish> {
        let mut moved = self.judge_client()?;
        moved |= self.hear_server()?;
        let was_full = !(self.upward.has_room() && self.downward.has_room());
        if self.may_send(context)? {
            broken(
                self.upward.poll_drain(context, Pin::new(&mut *self.server)),
                Finish::Server,
            )?;
        }
        broken(
            self.downward.poll_drain(context, Pin::new(&mut *self.client)),
            Finish::Client,
        )?;
        // What was held back for lack of room lies in a buffer already: no socket will wake for it.
        moved |= was_full && self.upward.has_room() && self.downward.has_room();
        // Reading registers for waking, so it comes last and both sides are always asked.
        moved |= self.read_server(context)?;
        moved |= self.read_client(context)?;
        Ok(moved)
    }

    fn read_client(&mut self, context: &mut Context<'_>) -> Result<bool, Finish> {
        match self.upward.poll_fill(context, Pin::new(&mut *self.client)) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0) | Err(_)) => Err(Finish::Client),
            Poll::Ready(Ok(_)) => {
                self.idle_since = Instant::now();
                Ok(true)
            }
        }
    }

    fn read_server(&mut self, context: &mut Context<'_>) -> Result<bool, Finish> {
        match self.downward.poll_fill(context, Pin::new(&mut *self.server)) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0) | Err(_)) => Err(Finish::Server),
            Poll::Ready(Ok(_)) => Ok(true),
        }
    }

    /// What was permitted goes on only once its record is as durable as configured.
    fn may_send(&mut self, context: &Context<'_>) -> Result<bool, Finish> {
        let Some(number) = self.dialogue.unsure else {
            return Ok(true);
        };
        match self.dialogue.audit().poll_durable(number, context) {
            Poll::Pending => Ok(false),
            Poll::Ready(Err(error)) => Err(Finish::Refused((&error).into())),
            Poll::Ready(Ok(())) => {
                self.dialogue.unsure = None;
                Ok(true)
            }
        }
    }

    /// Judges the client's messages that have arrived.
    fn judge_client(&mut self) -> Result<bool, Finish> {
        let mut moved = false;
        (self.follow)(self.dialogue);
        while self.upward.is_between_messages() && self.upward.has_room() && self.downward.has_room() {
            let Some(header) = header(self.upward.unjudged()).map_err(refused)? else {
                break;
            };
            let reading = message::client_reading(header.tag, self.limits).map_err(refused)?;
            let step = match reading {
                Reading::ByHeader => self.dialogue.copy_data(),
                Reading::Whole { bytes_max, limit } => {
                    if header.bytes > bytes_max {
                        return Err(refused(Error::TooLong(limit)));
                    }
                    let Some(whole) = self.upward.unjudged().get(..header.bytes) else {
                        self.upward.grow_for(header.bytes);
                        break;
                    };
                    self.dialogue.client_says(whole)
                }
            };
            self.put_ours();
            match step {
                Step::Forward if reading == Reading::ByHeader => {
                    self.dialogue.copied_in(header.bytes);
                    self.upward.pass(header.bytes);
                }
                Step::Forward => self.upward.clear(header.bytes),
                Step::Instead if reading == Reading::ByHeader => self.upward.drop_passing(header.bytes),
                Step::Instead => self.upward.skip(header.bytes),
                Step::Wait => {
                    self.waiting = true;
                    break;
                }
                Step::Finished => return Err(Finish::Client),
                Step::End(refusal) => return Err(Finish::Refused(refusal)),
            }
            self.waiting = false;
            moved = true;
        }
        Ok(moved)
    }

    /// Matches the server's messages that have arrived to what was asked.
    fn hear_server(&mut self) -> Result<bool, Finish> {
        let mut moved = false;
        let was_waiting = self.dialogue.is_waiting();
        while self.downward.is_between_messages() && self.downward.has_room() {
            let broken =
                |_| Finish::Refused(Refusal::new(Reason::Unavailable, "the target broke the protocol"));
            let Some(header) = header(self.downward.unjudged()).map_err(broken)? else {
                break;
            };
            let asking = self.dialogue.is_asking();
            if is_bulk(header.tag) && !asking {
                self.dialogue.bulk(header.tag, header.bytes);
                self.downward.pass(header.bytes);
                moved = true;
                continue;
            }
            let (bytes_max, limit) = if asking {
                (self.limits.catalogue_bytes_max, "catalogue_bytes_max")
            } else {
                (self.limits.server_message_bytes_max, "server_message_bytes_max")
            };
            if header.bytes > bytes_max {
                return Err(Finish::Refused(too_long(limit)));
            }
            let Some(whole) = self.downward.unjudged().get(..header.bytes) else {
                self.downward.grow_for(header.bytes);
                break;
            };
            let body = whole.get(HEADER_BYTES..).unwrap_or_default();
            match self.dialogue.server_says(header.tag, body) {
                Heard::Forward => self.downward.clear(header.bytes),
                Heard::Instead => {
                    self.downward.skip(header.bytes);
                    self.put_ours();
                }
                Heard::End(refusal) => return Err(Finish::Refused(refusal)),
            }
            moved = true;
        }
        if was_waiting && !self.dialogue.is_waiting() {
            self.idle_since = Instant::now();
        }
        Ok(moved)
    }

    /// Puts the dialogue's own bytes where they belong in each stream.
    fn put_ours(&mut self) {
        if !self.dialogue.to_server.is_empty() {
            self.upward.put_ahead(&self.dialogue.to_server);
            self.dialogue.to_server.clear();
        }
        if !self.dialogue.to_client.is_empty() {
            self.downward.put_ahead(&self.dialogue.to_client);
            self.dialogue.to_client.clear();
        }
    }

    fn poll_clock(&mut self, context: &mut Context<'_>) -> Poll<Finish> {
        while self.clock.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if now >= self.session_ends {
                return Poll::Ready(Finish::Ended(Ended::LimitReached("session_seconds_max")));
            }
            let ends_at_ms = self.live.identity().ends_at_ms();
            if crate::audit::now_us() / 1_000 >= ends_at_ms {
                return Poll::Ready(Finish::Ended(Ended::Expired));
            }
            let (limit, seconds) = if self.dialogue.in_transaction() {
                (
                    "idle_in_transaction_timeout_seconds",
                    self.limits.idle_in_transaction_timeout_seconds,
                )
            } else {
                ("idle_timeout_seconds", self.limits.idle_timeout_seconds)
            };
            // A client that waits for its answer is not idle.
            if !self.dialogue.is_waiting() && now - self.idle_since >= Duration::from_secs(seconds) {
                return Poll::Ready(Finish::Ended(Ended::LimitReached(limit)));
            }
            self.clock.as_mut().reset(now + LOOK_INTERVAL);
        }
        Poll::Pending
    }

    /// Tells the client why, if the stream stands where it can be told, and if it listens soon.
    async fn say_goodbye(&mut self, refusal: Option<&Refusal>) {
        if let Some(refusal) = refusal
            && self.downward.is_between_messages()
        {
            let mut bytes = Vec::new();
            put_fatal(&mut bytes, refusal);
            self.downward.put_ahead(&bytes);
        }
        let timeout = Duration::from_millis(self.limits.goodbye_timeout_ms);
        let drained = poll_fn(|context| self.downward.poll_drain(context, Pin::new(&mut *self.client)));
        if tokio::time::timeout(timeout, drained).await.is_err() {
            tracing::debug!("the client did not wait for the reason why its session ended");
        }
    }
}

fn header(bytes: &[u8]) -> Result<Option<message::Header>, Error> {
    message::header(bytes)
}

fn too_long(limit: &str) -> Refusal {
    Refusal::new(Reason::Unavailable, "the target sent a message that is too long")
        .detail(format!("the limit is `{limit}`"))
}

fn refused(error: Error) -> Finish {
    Finish::Refused(error.into())
}

fn broken(polled: Poll<io::Result<()>>, finish: Finish) -> Result<(), Finish> {
    match polled {
        Poll::Ready(Err(_)) => Err(finish),
        Poll::Ready(Ok(())) | Poll::Pending => Ok(()),
    }
}

#[cfg(test)]
mod tests;
