//! An API that keeps what it really saw, byte by byte: the witness of what crossed the gateway.

use std::collections::VecDeque;
use std::fmt::Display;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Planes, Wishes, World};

/// One request as its bytes came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The request line and headers.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// What came behind the last chunk.
    pub trailers: String,
}

impl Seen {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The values of a header, in order.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let pairs = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let named = pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }
}

/// What the API says to a request; it closes the connection after an answer that does not end.
pub type Says = fn(&Seen) -> Vec<u8>;

/// A running API.
#[derive(Clone, Debug)]
pub struct Api {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
}

impl Api {
    pub fn start(says: Says) -> Api {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let api = Api {
            address: listener.local_addr().expect("an address"),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        let started = api.clone();
        std::thread::spawn(move || {
            for gateway in listener.incoming().map_while(Result::ok) {
                *started.connections.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                let api = started.clone();
                std::thread::spawn(move || api.serve(gateway, says));
            }
        });
        api
    }

    /// Every request so far, and what came of one that is not whole.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The request lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.line().to_owned()).collect()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut gateway: TcpStream, says: Says) {
        let mut wire = Wire {
            socket: gateway.try_clone().expect("a socket"),
            read: VecDeque::new(),
        };
        while let Some(seen) = wire.request() {
            let said = says(&seen);
            self.seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(seen);
            if gateway.write_all(&said).is_err() {
                return;
            }
        }
    }
}

struct Wire {
    socket: TcpStream,
    read: VecDeque<u8>,
}

impl Wire {
    fn request(&mut self) -> Option<Seen> {
        let mut seen = Seen::default();
        while !seen.head.ends_with("\r\n\r\n") {
            seen.head.push(char::from(self.byte()?));
        }
        let length = seen.header("content-length").first().map(|length| length.parse());
        if let Some(length) = length {
            // A request whose length is none has arrived all the same.
            seen.body = self.bytes(length.unwrap_or(0))?;
        }
        while seen.header("transfer-encoding") == ["chunked"] {
            let size = self.line()?;
            let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).expect("a size");
            seen.body.extend(self.bytes(size)?);
            if size == 0 {
                break;
            }
            self.line()?;
        }
        while seen.header("transfer-encoding") == ["chunked"] {
            match self.line()?.as_str() {
                "\r\n" => break,
                trailer => seen.trailers.push_str(trailer),
            }
        }
        Some(seen)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        while !line.ends_with("\r\n") {
            line.push(char::from(self.byte()?));
        }
        Some(line)
    }

    fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        (0..count).map(|_| self.byte()).collect()
    }

    fn byte(&mut self) -> Option<u8> {
        if self.read.is_empty() {
            let mut piece = vec![0; 1 << 16];
            let read = self.socket.read(&mut piece).ok()?;
            self.read.extend(piece.get(..read)?);
        }
        self.read.pop_front()
    }
}

/// An answer with a body of known length.
pub fn answer(status: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What an API is asked by, as `credentials:` writes it.
pub const BEARER: &str = "bearer: \"env:POSTERN_TEST_API_KEY\"";
pub const KEY: &str = "the-key-of-the-api";

/// A house with this API beside the database: `/billing/…`, and the host `billing.localhost`.
pub fn house(api: &Api, credential: &str, policies: &str, limits: &str) -> World {
    house_before(api.address, credential, policies, limits)
}

/// The same before whatever serves at this address.
pub fn house_before(address: impl Display, credential: &str, policies: &str, limits: &str) -> World {
    house_of("billing", address, "", credential, policies, limits)
}

/// The same where the gateway is a process of its own, whose memory is to be looked at.
pub fn house_apart(address: impl Display, policies: &str) -> World {
    house_with(Planes::Apart, "billing", address, "", BEARER, policies, "")
}

/// The same for any name, with more words about the target.
pub fn house_of(
    name: &str,
    address: impl Display,
    more: &str,
    credential: &str,
    policies: &str,
    limits: &str,
) -> World {
    house_with(
        Planes::Together,
        name,
        address,
        more,
        credential,
        policies,
        limits,
    )
}

fn house_with(
    planes: Planes,
    name: &str,
    address: impl Display,
    more: &str,
    credential: &str,
    policies: &str,
    limits: &str,
) -> World {
    let world = World::start(&Wishes {
        planes,
        credentials: format!("    {name}: {{ {credential}, only_to: [\"{address}\"], verify: disable }}\n"),
        policies: Some(format!("{}\n{policies}", include_str!("shop.cedar"))),
        environment: vec![("POSTERN_TEST_API_KEY", KEY.to_owned())],
        limits: limits.to_owned(),
        ..Wishes::default()
    });
    let target = format!(
        "---\nkind: Target\nname: {name}\nserver_names: [{name}.localhost]\n\
         http: {{ address: \"{address}\", credential: {name}, prefix: /{name}{more} }}\n"
    );
    world.change("resources.yaml", &format!("{}{target}", world.resources()));
    world
}
