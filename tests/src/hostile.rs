//! A target that is no PostgreSQL server: it speaks just enough of the protocol to misbehave.
//!
//! How it misbehaves is in the name of the database that the gateway asks for.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ground::ground;
use crate::raw::message;

const READY: u8 = b'I';

/// What it does as soon as it can, and otherwise all is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mischief {
    None,
    /// It never answers the startup.
    Silence,
    /// One parameter of the server that is longer than anything.
    LongParameter,
    /// Parameters without end.
    EndlessParameters,
    /// It asks for SCRAM with a million iterations.
    Iterations,
    /// A catalogue of many bytes.
    LongCatalogue,
    /// A catalogue of many relations.
    ManyRelations,
    /// Rows without end where the catalogue should be.
    EndlessRows,
    /// It never answers a SET.
    SilentSettings,
    /// Rows without end where a session asks what names mean.
    EndlessNames,
    /// An error that is longer than anything, where the client waits for an answer.
    LongError,
}

impl Mischief {
    pub const ALL: [Mischief; 11] = [
        Mischief::None,
        Mischief::Silence,
        Mischief::LongParameter,
        Mischief::EndlessParameters,
        Mischief::Iterations,
        Mischief::LongCatalogue,
        Mischief::ManyRelations,
        Mischief::EndlessRows,
        Mischief::SilentSettings,
        Mischief::EndlessNames,
        Mischief::LongError,
    ];

    /// The database that is like this.
    pub fn database(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}

/// Starts it, and returns its address.
pub fn start() -> String {
    ground().runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(accept(listener));
        address.to_string()
    })
}

/// Serves whoever comes, for as long as it runs.
pub async fn accept(listener: TcpListener) {
    while let Ok((socket, _)) = listener.accept().await {
        // The gateway goes away in the middle, which is what is tried here.
        tokio::spawn(async move { serve(socket).await.unwrap_or_default() });
    }
}

async fn serve(mut socket: TcpStream) -> std::io::Result<()> {
    let length = socket.read_u32().await?;
    let mut startup = vec![0; usize::try_from(length).unwrap_or(4) - 4];
    socket.read_exact(&mut startup).await?;
    let fields: Vec<&str> = startup[4..]
        .split(|byte| *byte == 0)
        .filter_map(|field| std::str::from_utf8(field).ok())
        .collect();
    let value = |name: &str| {
        let at = fields.iter().position(|field| *field == name);
        at.and_then(|at| fields.get(at + 1)).copied().unwrap_or_default()
    };
    let (user, database) = (value("user").to_owned(), value("database").to_owned());
    let mischief = Mischief::ALL.into_iter().find(|one| one.database() == database);
    log_in(&mut socket, mischief.unwrap_or(Mischief::None), &user).await?;
    loop {
        let tag = socket.read_u8().await?;
        let length = socket.read_u32().await?;
        let mut body = vec![0; usize::try_from(length).unwrap_or(4) - 4];
        socket.read_exact(&mut body).await?;
        let text = String::from_utf8(body).map_err(std::io::Error::other)?;
        if tag == b'P' && mischief == Some(Mischief::EndlessNames) {
            forever(&mut socket, &row("{}")).await?;
        }
        if tag == b'Q' {
            answer(&mut socket, mischief.unwrap_or(Mischief::None), &text, &user).await?;
        }
    }
}

async fn log_in(socket: &mut TcpStream, mischief: Mischief, user: &str) -> std::io::Result<()> {
    let parameter = |bytes: usize| message('S', &[b"a\0".as_slice(), &vec![b'x'; bytes], b"\0"].concat());
    match mischief {
        Mischief::Silence => return forever(socket, b"").await,
        // The gateway's own login is without a password, so that only the session's meets the demand.
        Mischief::Iterations if user != "shop_gateway" => return scram(socket).await,
        Mischief::LongParameter | Mischief::EndlessParameters => {
            socket.write_all(&message('R', &[0; 4])).await?;
            let bytes = if mischief == Mischief::LongParameter {
                1 << 20
            } else {
                1_000
            };
            return forever(socket, &parameter(bytes)).await;
        }
        _ => {}
    }
    let hello = [
        message('R', &[0; 4]),
        message('K', &[0, 0, 0, 1, 0, 0, 0, 2]),
        message('Z', &[READY]),
    ];
    socket.write_all(&hello.concat()).await
}

async fn answer(socket: &mut TcpStream, mischief: Mischief, text: &str, user: &str) -> std::io::Result<()> {
    let done = [message('C', b"DONE\0"), message('Z', &[READY])].concat();
    let told = if text.contains("'session_role'") {
        row(&format!(
            r#"{{"search_path": ["pg_catalog", "public"], "role": "{user}", "session_role": "{user}",
                "standard_conforming_strings": true, "client_encoding": "UTF8", "server_encoding": "UTF8", "server_version": 150000,
                "backend_start": "1", "snapshot_stays": false, "prepared": {{}}, "cursors": {{}}, "dangers": []}}"#
        ))
    } else if text.contains("'schemas'") {
        let relations = if mischief == Mischief::ManyRelations {
            200
        } else {
            1
        };
        let relations = (0..relations).map(|number| {
            format!(r#""t{number}": {{"kind": "table", "columns": [], "parents": [], "serves": null, "references": [], "runs_code": false}}"#)
        });
        let catalogue = format!(
            r#"{stamp}{{"database": "d", "server_version": 150000, "schemas": {{"public": {{"relations": {{{}}},
                "routines": [], "operators": [], "types": [], "casts": {{}}}}}}}}"#,
            relations.collect::<Vec<_>>().join(", "),
            stamp = "0".repeat(64),
        );
        match mischief {
            Mischief::LongCatalogue => row(&(catalogue + &" ".repeat(1 << 20))),
            Mischief::EndlessRows => return forever(socket, &row(&catalogue)).await,
            _ => row(&catalogue),
        }
    } else if text.starts_with("SET") && mischief == Mischief::SilentSettings {
        return forever(socket, b"").await;
    } else if mischief == Mischief::LongError {
        message(
            'E',
            &[b"SERROR\0C42000\0M".as_slice(), &vec![b'x'; 1 << 20], b"\0\0"].concat(),
        )
    } else {
        Vec::new()
    };
    socket.write_all(&[told, done].concat()).await
}

fn row(value: &str) -> Vec<u8> {
    let length = u32::try_from(value.len()).unwrap_or(0).to_be_bytes();
    message('D', &[&[0, 1], &length[..], value.as_bytes()].concat())
}

/// The login of a server that wants its clients to work for it.
async fn scram(socket: &mut TcpStream) -> std::io::Result<()> {
    let mechanisms = [&10_u32.to_be_bytes()[..], b"SCRAM-SHA-256\0\0"].concat();
    socket.write_all(&message('R', &mechanisms)).await?;
    let _ = socket.read_u8().await?;
    let length = socket.read_u32().await?;
    let mut first = vec![0; usize::try_from(length).unwrap_or(4) - 4];
    socket.read_exact(&mut first).await?;
    let first = String::from_utf8(first).map_err(std::io::Error::other)?;
    let nonce = first.split("r=").nth(1).unwrap_or_default();
    let challenge = format!("r={nonce}server,s=c2FsdA==,i=1000000");
    let challenge = [&11_u32.to_be_bytes()[..], challenge.as_bytes()].concat();
    socket.write_all(&message('R', &challenge)).await
}

/// Writes until the gateway has had enough; with nothing to write, waits until it is gone.
async fn forever(socket: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    if bytes.is_empty() {
        let mut rest = Vec::new();
        return socket.read_to_end(&mut rest).await.map(drop);
    }
    loop {
        socket.write_all(bytes).await?;
    }
}
