//! A stream of server-sent events (HTML Living Standard, section 9.2), read event by event and written anew, so that
//! a client sees exactly what was judged.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame};
use postern_link::wire::Status;
use serde_json::Value;

use crate::refusal::{Reason, Refusal};

use super::super::relay::{Cut, Download};
use super::json;
use super::reply::Reply;

/// The fields of one event.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    kind: Option<String>,
    id: Option<String>,
    retry: Option<String>,
    data: Option<String>,
}

impl Event {
    fn is_empty(&self) -> bool {
        *self == Event::default()
    }

    fn written(&self) -> String {
        let fields = [("event", &self.kind), ("id", &self.id), ("retry", &self.retry)];
        let fields = fields
            .iter()
            .filter_map(|(name, value)| Some(format!("{name}: {}\n", value.as_ref()?)));
        let data = self.data.iter().flat_map(|data| data.split('\n'));
        let lines: String = fields.chain(data.map(|line| format!("data: {line}\n"))).collect();
        lines + "\n"
    }
}

/// Bytes in, events out.
#[derive(Debug)]
struct Reader {
    line: Vec<u8>,
    after_return: bool,
    event: Event,
    /// How many bytes the event has so far.
    taken: usize,
    bytes_max: usize,
}

impl Reader {
    fn new(bytes_max: usize) -> Reader {
        Reader {
            line: Vec::new(),
            after_return: false,
            event: Event::default(),
            taken: 0,
            bytes_max,
        }
    }

    /// The event that this byte ends, if it ends one.
    fn push(&mut self, byte: u8) -> Result<Option<Event>, Refusal> {
        let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
        match byte {
            b'\n' if after_return => Ok(None),
            b'\n' | b'\r' => self.end_line(),
            byte => {
                self.taken += 1;
                if self.taken > self.bytes_max {
                    return Err(too_large());
                }
                self.line.push(byte);
                Ok(None)
            }
        }
    }

    fn end_line(&mut self) -> Result<Option<Event>, Refusal> {
        let line = String::from_utf8(std::mem::take(&mut self.line));
        let line = line.map_err(|_| broken("an event is no UTF-8"))?;
        if line.is_empty() {
            self.taken = 0;
            let event = std::mem::take(&mut self.event);
            return Ok((!event.is_empty()).then_some(event));
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match name {
            "event" => self.event.kind = Some(value),
            "id" => self.event.id = Some(value),
            "retry" => self.event.retry = Some(value),
            "data" => match &mut self.event.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(&value);
                }
                None => self.event.data = Some(value),
            },
            // A comment, or a field that nobody knows.
            _ => {}
        }
        Ok(None)
    }
}

pub(super) fn too_large() -> Refusal {
    Refusal::new(Reason::Overloaded, "the server's message is too large")
        .detail("the limit is `mcp_message_bytes_max`")
}

fn broken(detail: &'static str) -> Refusal {
    Refusal::new(Reason::Unavailable, "the server does not keep to its protocol").detail(detail)
}

/// The body of a response that is a stream of events.
pub(in crate::http) struct Events {
    /// None once the stream was ended for what the server said.
    download: Option<Download>,
    reader: Reader,
    reply: Reply,
    piece: Bytes,
}

impl Events {
    pub(super) fn new(download: Download, reply: Reply, bytes_max: usize) -> Events {
        Events {
            download: Some(download),
            reader: Reader::new(bytes_max),
            reply,
            piece: Bytes::new(),
        }
    }

    /// What the next bytes are turned into, or none where more are needed.
    fn next(&mut self) -> Option<Bytes> {
        while self.piece.has_remaining() {
            let byte = self.piece.get_u8();
            let passed = match self.reader.push(byte) {
                Ok(None) => continue,
                Ok(Some(event)) => judged(&self.reply, event),
                Err(refusal) => Err(refusal),
            };
            match passed {
                Ok(Some(event)) => return Some(Bytes::from(event.written())),
                Ok(None) => {}
                Err(refusal) => return Some(self.end(refusal)),
            }
        }
        None
    }

    /// Nothing more of this server: its connection closes, and the client hears why.
    fn end(&mut self, refusal: Refusal) -> Bytes {
        let refusal = self.reply.authorizer.refuse(&self.reply.recorder, None, refusal);
        self.piece = Bytes::new();
        if let Some(download) = self.download.take() {
            download.close(Status::Failed);
        }
        let said = self.reply.error(&refusal).map(|error| Event {
            kind: Some("message".to_owned()),
            data: Some(error.to_string()),
            ..Event::default()
        });
        Bytes::from(said.map(|event| event.written()).unwrap_or_default())
    }

    pub(in crate::http) fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if let Some(said) = self.next() {
                return Poll::Ready(Some(Ok(Frame::data(said))));
            }
            let Some(download) = &mut self.download else {
                return Poll::Ready(None);
            };
            match ready!(Pin::new(download).poll_frame(context)) {
                // Trailers say nothing here.
                Some(Ok(frame)) => self.piece = frame.into_data().unwrap_or_default(),
                Some(Err(cut)) => return Poll::Ready(Some(Err(cut))),
                None => return Poll::Ready(None),
            }
        }
    }
}

fn judged(reply: &Reply, mut event: Event) -> Result<Option<Event>, Refusal> {
    if event.kind.as_deref().is_some_and(|kind| kind != "message") {
        return Ok(None);
    }
    let Some(data) = event.data.as_deref().filter(|data| !data.is_empty()) else {
        // It only says from where the stream may be taken up again.
        return Ok(Some(event));
    };
    let message: Value = json::read(data.as_bytes()).map_err(|_| broken("an event is no JSON"))?;
    let passed = reply.judged(message)?;
    Ok(passed.map(|message| {
        event.data = Some(message.to_string());
        event
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Event> {
        let mut reader = Reader::new(1024);
        let events = bytes.iter().filter_map(|byte| reader.push(*byte).unwrap());
        events.collect()
    }

    #[test]
    fn events_are_the_same_whatever_ends_their_lines() {
        let text = "id: 7\nevent: message\ndata: a\ndata:b\n: comment\nother: c\n\n";
        let expected = [Event {
            kind: Some("message".into()),
            id: Some("7".into()),
            retry: None,
            data: Some("a\nb".into()),
        }];
        for end in ["\n", "\r\n", "\r"] {
            assert_eq!(read(text.replace('\n', end).as_bytes()), expected, "{end:?}");
        }
        assert_eq!(read(expected[0].written().as_bytes()), expected);
    }

    #[test]
    fn half_an_event_is_none_and_an_endless_one_is_refused() {
        assert_eq!(read(b"data: a\n"), []);
        assert_eq!(read(b"\n\n\n"), []);
        let mut reader = Reader::new(10);
        let refused = b"data: 0123456789"
            .iter()
            .find_map(|byte| reader.push(*byte).err());
        assert!(refused.is_some());
    }
}
