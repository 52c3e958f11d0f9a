//! A client of HTTP/2 that writes frame by frame, and wrongly where a test wants it to (RFC 9113, RFC 7541).

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::raw::Raw;
use crate::{Login, World};

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;

pub const END_STREAM: u8 = 1;
pub const ACK: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// One frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The error code of a RST_STREAM or GOAWAY.
    pub fn code(&self) -> Option<u32> {
        let place = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        let code = self.payload.get(place..place + 4)?;
        Some(u32::from_be_bytes(code.try_into().ok()?))
    }

    /// Whether these are the headers of a response with status 200, which has an index of its own.
    pub fn is_ok(&self) -> bool {
        self.kind == HEADERS && self.payload.first() == Some(&0x88)
    }
}

/// One connection.
pub struct Frames {
    pub reader: ReadHalf<TlsStream<TcpStream>>,
    pub writer: WriteHalf<TlsStream<TcpStream>>,
}

impl Frames {
    /// TLS and the preface, with these settings.
    pub async fn open(world: &World, login: Login<'_>, settings: &[(u16, u32)]) -> Frames {
        let raw = Raw::direct(world, login, &[b"h2"]).await;
        let (reader, writer) = split(raw.stream);
        let mut frames = Frames { reader, writer };
        let mut preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        preface.extend(self::settings(settings));
        frames.send(&preface).await;
        frames
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.expect("the gateway reads");
        self.writer.flush().await.expect("the gateway reads");
    }

    /// The next frame, or nothing once the gateway has closed.
    pub async fn receive(&mut self) -> Option<Frame> {
        receive(&mut self.reader).await
    }

    /// The next frame of this kind on this stream.
    pub async fn until(&mut self, kind: u8, stream: u32) -> Option<Frame> {
        loop {
            let frame = self.receive().await?;
            if (frame.kind, frame.stream) == (kind, stream) {
                return Some(frame);
            }
        }
    }

    /// Everything up to the end of a stream, or of the connection.
    pub async fn until_end_of(&mut self, stream: u32) -> Vec<Frame> {
        let mut heard = Vec::new();
        while let Some(frame) = self.receive().await {
            let ends = frame.kind == RST_STREAM
                || (matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0);
            let is_last = (ends && frame.stream == stream) || frame.code().is_some_and(|code| code != 0);
            heard.push(frame);
            if is_last {
                break;
            }
        }
        heard
    }
}

pub async fn receive(reader: &mut ReadHalf<TlsStream<TcpStream>>) -> Option<Frame> {
    let mut head = [0; 9];
    reader.read_exact(&mut head).await.ok()?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?];
    reader.read_exact(&mut payload).await.ok()?;
    Some(Frame {
        kind,
        flags,
        stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        payload,
    })
}

/// The bytes of one frame.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = pairs
        .iter()
        .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(SETTINGS, 0, 0, &payload)
}

/// A field that is written out and not remembered (RFC 7541, section 6.2.2), whatever its bytes.
pub fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        integer(&mut bytes, 0, 7, text.len());
        bytes.extend(text);
    }
    bytes
}

/// An integer behind the bits of its first byte (RFC 7541, section 5.1).
pub fn integer(bytes: &mut Vec<u8>, first: u8, prefix_bits: u32, value: usize) {
    let most = (1_usize << prefix_bits) - 1;
    let byte = |value: usize| u8::try_from(value).expect("a byte");
    if value < most {
        return bytes.push(first | byte(value));
    }
    bytes.push(first | byte(most));
    let mut left = value - most;
    while left >= 128 {
        bytes.push(byte(left % 128) | 0x80);
        left /= 128;
    }
    bytes.push(byte(left));
}

/// The four fields that begin a request, and what follows them.
pub fn request(method: &str, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let first = [
        (":method", method),
        (":scheme", "https"),
        (":authority", "a"),
        (":path", path),
    ];
    let all = first.iter().chain(fields);
    all.flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes()))
        .collect()
}

/// A request without a body.
pub fn asks(stream: u32, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(
        HEADERS,
        END_HEADERS | END_STREAM,
        stream,
        &request("GET", path, fields),
    )
}

/// The head of a request whose body follows.
pub fn posts(stream: u32, path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &request("POST", path, fields))
}
