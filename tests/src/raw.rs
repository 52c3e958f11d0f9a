//! A client that speaks the protocol message by message, and wrongly where a test wants it to.

use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::rustls_connect::client_config;
use crate::{Login, World};

pub const PROTOCOL_3_0: u32 = 196_608;

/// One message of the server: its type and body.
pub type Message = (char, Vec<u8>);

pub struct Raw {
    pub stream: TlsStream<TcpStream>,
}

impl Raw {
    /// TLS by SSLRequest, nothing said yet.
    pub async fn secure(world: &World, login: Login<'_>) -> Raw {
        let socket = TcpStream::connect(("127.0.0.1", world.port))
            .await
            .expect("a connection");
        Raw::secure_over(world, socket, login).await
    }

    /// The same on a connection on which something may have been said before.
    pub async fn secure_over(world: &World, mut socket: TcpStream, login: Login<'_>) -> Raw {
        ask_for_tls(&mut socket).await;
        Raw::over(world, socket, login, &[]).await
    }

    /// TLS from the first byte.
    pub async fn direct(world: &World, login: Login<'_>, alpn: &[&[u8]]) -> Raw {
        let socket = TcpStream::connect(("127.0.0.1", world.port))
            .await
            .expect("a connection");
        Raw::over(world, socket, login, alpn).await
    }

    async fn over(world: &World, socket: TcpStream, login: Login<'_>, alpn: &[&[u8]]) -> Raw {
        let config = client_config(&world.folder.join("link-ca.pem"), login, alpn);
        Raw::handshake(socket, config).await
    }

    /// TLS by SSLRequest with a configuration that may have been here before.
    pub async fn secure_with(world: &World, config: Arc<ClientConfig>) -> Raw {
        let mut socket = TcpStream::connect(("127.0.0.1", world.port))
            .await
            .expect("a connection");
        ask_for_tls(&mut socket).await;
        Raw::handshake(socket, config).await
    }

    async fn handshake(socket: TcpStream, config: Arc<ClientConfig>) -> Raw {
        let name = "localhost".try_into().expect("a name");
        Raw {
            stream: TlsConnector::from(config)
                .connect(name, socket)
                .await
                .expect("TLS"),
        }
    }

    /// Logs in and reads up to the first ReadyForQuery.
    pub async fn log_in(world: &World, token: &str) -> Raw {
        let mut raw = Raw::secure(world, Login::Token(token)).await;
        raw.start(
            PROTOCOL_3_0,
            &[("user", "postern"), ("database", &world.database)],
        )
        .await;
        assert_eq!(raw.receive().await.0, 'R');
        raw.password(token).await;
        raw.until_ready().await;
        raw
    }

    pub async fn start(&mut self, version: u32, parameters: &[(&str, &str)]) {
        let mut body = version.to_be_bytes().to_vec();
        for (name, value) in parameters {
            body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
        }
        body.push(0);
        let length = u32::try_from(body.len() + 4).expect("short");
        self.send_bytes(&[&length.to_be_bytes()[..], &body].concat())
            .await;
    }

    pub async fn password(&mut self, token: &str) {
        self.send(&[message('p', format!("{token}\0").as_bytes())]).await;
    }

    pub async fn send(&mut self, messages: &[Vec<u8>]) {
        self.send_bytes(&messages.concat()).await;
    }

    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the gateway reads");
        self.stream.flush().await.expect("the gateway reads");
    }

    pub async fn receive(&mut self) -> Message {
        self.try_receive().await.expect("the gateway answers")
    }

    /// The next message, or nothing once the gateway has closed.
    pub async fn try_receive(&mut self) -> Option<Message> {
        let tag = self.stream.read_u8().await.ok()?;
        let length = self.stream.read_u32().await.ok()?;
        let mut body = vec![0; usize::try_from(length).ok()?.checked_sub(4)?];
        self.stream.read_exact(&mut body).await.ok()?;
        Some((char::from(tag), body))
    }

    /// Everything up to and with the next ReadyForQuery.
    pub async fn until_ready(&mut self) -> Vec<Message> {
        let mut heard = Vec::new();
        loop {
            let message = self.receive().await;
            let ready = message.0 == 'Z';
            heard.push(message);
            if ready {
                return heard;
            }
        }
    }

    /// The body of the last message before the gateway closed.
    pub async fn until_closed(&mut self) -> Vec<u8> {
        let mut last = Vec::new();
        while let Some((_, body)) = self.try_receive().await {
            last = body;
        }
        last
    }

    pub async fn query(&mut self, sql: &str) -> Vec<Message> {
        self.send(&[query(sql)]).await;
        self.until_ready().await
    }
}

async fn ask_for_tls(socket: &mut TcpStream) {
    let request = [0, 0, 0, 8, 4, 210, 22, 47];
    socket.write_all(&request).await.expect("the request");
    assert_eq!(socket.read_u8().await.expect("an answer"), b'S');
}

/// The types of messages, in order: `1 2 D C Z`.
pub fn tags(messages: &[Message]) -> String {
    messages.iter().map(|(tag, _)| *tag).collect()
}

/// The transaction status of the last ReadyForQuery.
pub fn status(messages: &[Message]) -> char {
    let last = messages.last().expect("a message");
    assert_eq!(last.0, 'Z');
    char::from(*last.1.first().expect("a status"))
}

/// One field of the first error, by its letter.
pub fn error(messages: &[Message], letter: char) -> String {
    let (_, body) = messages.iter().find(|(tag, _)| *tag == 'E').expect("an error");
    let fields = body
        .split(|byte| *byte == 0)
        .map(|field| String::from_utf8(field.to_vec()).expect("UTF-8"));
    fields
        .filter_map(|field| field.strip_prefix(letter).map(str::to_owned))
        .next()
        .unwrap_or_default()
}

pub fn message(tag: char, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("short");
    [
        &[u8::try_from(tag).expect("ASCII")][..],
        &length.to_be_bytes(),
        body,
    ]
    .concat()
}

pub fn query(sql: &str) -> Vec<u8> {
    message('Q', format!("{sql}\0").as_bytes())
}

pub fn parse(name: &str, sql: &str) -> Vec<u8> {
    message('P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

/// A Parse that gives its parameters these types, by number.
pub fn parse_typed(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
    let count = u16::try_from(types.len()).expect("few").to_be_bytes();
    let numbers = types.iter().flat_map(|number| number.to_be_bytes());
    let mut body = format!("{name}\0{sql}\0").into_bytes();
    body.extend(count.into_iter().chain(numbers));
    message('P', &body)
}

/// A Bind of one value as text to the unnamed portal.
pub fn bind_value(statement: &str, value: &str) -> Vec<u8> {
    let mut body = format!("\0{statement}\0\0\0\0\u{1}").into_bytes();
    body.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
    body.extend(value.bytes().chain([0, 0]));
    message('B', &body)
}

pub fn bind(portal: &str, statement: &str) -> Vec<u8> {
    message('B', format!("{portal}\0{statement}\0\0\0\0\0\0\0").as_bytes())
}

pub fn execute(portal: &str, rows_max: u32) -> Vec<u8> {
    message(
        'E',
        &[format!("{portal}\0").as_bytes(), &rows_max.to_be_bytes()].concat(),
    )
}

pub fn describe_statement(name: &str) -> Vec<u8> {
    message('D', format!("S{name}\0").as_bytes())
}

pub fn close_statement(name: &str) -> Vec<u8> {
    message('C', format!("S{name}\0").as_bytes())
}

pub fn flush() -> Vec<u8> {
    message('H', b"")
}

pub fn sync() -> Vec<u8> {
    message('S', b"")
}
