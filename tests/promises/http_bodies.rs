//! Bodies pass piece by piece, both ways, in the room of a few pieces, and with what stands around them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use postern_tests::api::{self, Api, BEARER, answer};
use postern_tests::raw::Raw;
use postern_tests::{Login, World, heard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::rows::{GROWTH_KIB_MAX, forget_peak, peak_kib};

pub(super) const POLICIES: &str = r#"
@id("writer-asks") permit (
  principal == Postern::Workload::"writer",
  action in [Postern::Action::"read", Postern::Action::"write"],
  resource in Postern::Target::"billing"
);
@id("all-asks") permit (principal == Postern::Workload::"all", action, resource in Postern::Target::"billing");
"#;

pub(super) fn curl(world: &World, login: Login<'_>) -> Command {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--max-time",
        "300",
    ]);
    curl.arg("--cacert").arg(world.folder.join("link-ca.pem"));
    match login {
        Login::Token(token) => curl.args(["--header", &format!("Authorization: Bearer {token}")]),
        Login::Certificate(certificate, key) => curl.arg("--cert").arg(certificate).arg("--key").arg(key),
    };
    curl
}

pub(super) fn url(world: &World, path: &str) -> String {
    format!("https://localhost:{}/billing{path}", world.port)
}

/// Serves each connection by itself.
pub(super) fn serve(serve_one: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming().map_while(Result::ok) {
            let serve_one = serve_one.clone();
            std::thread::spawn(move || serve_one(socket));
        }
    });
    address
}

pub(super) fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// Reads and counts bodies of any length, and sends as many bytes as the path says.
pub(super) fn bulk(socket: TcpStream) {
    let mut reader = BufReader::with_capacity(1 << 18, socket.try_clone().unwrap());
    let mut socket = socket;
    while let Some(head) = head(&mut reader) {
        let head = head.to_lowercase();
        let mut read = 0;
        let length = head.split("content-length: ").nth(1);
        if let Some(length) = length.and_then(|rest| rest.lines().next()) {
            read = pass_over(&mut reader, length.parse().unwrap());
        }
        while head.contains("transfer-encoding: chunked") {
            let mut size = String::new();
            reader.read_line(&mut size).unwrap();
            let size = u64::from_str_radix(size.trim(), 16).unwrap();
            read += pass_over(&mut reader, size);
            reader.read_line(&mut String::new()).unwrap();
            if size == 0 {
                break;
            }
        }
        let asked = head
            .split("/down/")
            .nth(1)
            .and_then(|rest| rest.split(' ').next());
        let Some(asked) = asked else {
            socket.write_all(&answer("200 OK", &read.to_string())).unwrap();
            continue;
        };
        let mut left: usize = asked.parse().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {left}\r\n\r\n");
        let mut sent = socket.write_all(head.as_bytes());
        let piece = vec![b'x'; 1 << 18];
        while left > 0 && sent.is_ok() {
            let size = left.min(piece.len());
            sent = socket.write_all(&piece[..size]);
            left -= size;
        }
    }
}

fn pass_over(reader: &mut impl BufRead, length: u64) -> u64 {
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap()
}

#[test]
fn a_gigabyte_up_and_down_grows_a_connection_by_less_than_eight_megabytes() {
    const LARGE: u64 = 1 << 30;
    const SMALL: u64 = 1 << 20;
    let world = api::house_apart(serve(bulk), POLICIES);
    let token = world.token("writer", &[]);
    let run = |flag: &str, size: u64| {
        let file = world.folder.join(size.to_string());
        std::fs::File::create(&file).unwrap().set_len(size).unwrap();
        for framing in ["Content-Type: a/b", "Transfer-Encoding: chunked"] {
            let mut up = curl(&world, Login::Token(&token));
            up.args([flag, "--header", framing, "--upload-file"]).arg(&file);
            up.arg(url(&world, "/up"));
            assert_eq!(heard(up).succeeded(), size.to_string(), "{flag} {framing}");
            if size == LARGE {
                break;
            }
        }
        let mut down = curl(&world, Login::Token(&token));
        down.args([flag, "--output", "/dev/null", "--write-out", "%{size_download}"]);
        down.arg(url(&world, &format!("/down/{size}")));
        assert_eq!(heard(down).succeeded(), size.to_string(), "{flag}");
    };
    let small = || ["--http1.1", "--http2"].map(|flag| run(flag, SMALL));
    small();
    forget_peak(world.pid());
    small();
    let before = peak_kib(world.pid());
    for flag in ["--http1.1", "--http2"] {
        forget_peak(world.pid());
        run(flag, LARGE);
        let grown = peak_kib(world.pid()).saturating_sub(before);
        assert!(grown < GROWTH_KIB_MAX, "{flag}: the gateway grew by {grown} KiB");
    }
}

#[test]
fn events_arrive_one_by_one_before_the_response_ends() {
    let (tell, told) = channel::<Option<&'static str>>();
    let told: Arc<Mutex<Receiver<Option<&'static str>>>> = Arc::new(Mutex::new(told));
    let address = serve(move |mut socket| {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        while head(&mut reader).is_some() {
            let head =
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
            socket.write_all(head.as_bytes()).unwrap();
            let told = told.lock().unwrap();
            while let Ok(Some(event)) = told.recv() {
                let event = format!("data: {event}\n");
                let chunk = format!("{:x}\r\n{event}\r\n", event.len());
                socket.write_all(chunk.as_bytes()).unwrap();
            }
            socket.write_all(b"0\r\n\r\n").unwrap();
        }
    });
    let world = api::house_before(address, BEARER, POLICIES, "");
    let token = world.token("writer", &[]);
    for flag in ["--http1.1", "--http2"] {
        let mut curl = curl(&world, Login::Token(&token));
        curl.args([flag, "--no-buffer"]).arg(url(&world, "/events"));
        let mut curl = curl.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut heard = BufReader::new(curl.stdout.take().unwrap());
        for event in ["one", "two", "three"] {
            // The next is not said before this one has been heard.
            tell.send(Some(event)).unwrap();
            let mut line = String::new();
            heard.read_line(&mut line).unwrap();
            assert_eq!(line, format!("data: {event}\n"), "{flag}");
        }
        tell.send(None).unwrap();
        assert!(curl.wait().unwrap().success());
    }
}

pub(super) fn length(seen: &api::Seen) -> Vec<u8> {
    answer("200 OK", &seen.body.len().to_string())
}

#[test]
fn who_expects_100_continue_is_told_to_go_on_only_if_the_request_may() {
    let api = Api::start(length);
    let world = api::house(&api, BEARER, POLICIES, "");
    let ask = async |workload: &str| {
        let (certificate, key) = world.certificate(workload);
        let mut raw = Raw::direct(&world, Login::Certificate(&certificate, &key), &[b"http/1.1"]).await;
        let head = "POST /billing/a HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        raw.stream.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        raw.stream.read_exact(&mut first).await.unwrap();
        (String::from_utf8(first.into()).unwrap(), raw)
    };
    world.block_on(async {
        let (first, mut raw) = ask("writer").await;
        assert_eq!(first, "HTTP/1.1 100");
        raw.stream.write_all(b"hello").await.unwrap();
        let mut rest = vec![0; 64];
        raw.stream.read_exact(&mut rest).await.unwrap();
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.contains("\r\n\r\nHTTP/1.1 200 OK\r\n"), "{rest}");
        let (first, mut raw) = ask("report").await;
        assert_eq!(first, "HTTP/1.1 403");
        // Whatever follows is no request.
        let mut rest = String::new();
        let _ = raw.stream.read_to_string(&mut rest).await;
        assert!(rest.contains("connection: close"), "{rest}");
    });
    let seen = api.seen();
    assert_eq!((seen.len(), &*seen[0].body), (1, &b"hello"[..]));
    assert!(seen[0].header("expect").is_empty(), "{seen:?}");
}

fn trailing(_: &api::Seen) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-checksum\r\n\r\n";
    format!("{head}5\r\nsaid.\r\n0\r\nx-checksum: down\r\n\r\n").into_bytes()
}

#[test]
fn trailers_go_both_ways_and_say_no_more_than_headers_may() {
    let api = Api::start(trailing);
    let world = api::house(&api, BEARER, POLICIES, "");
    let (certificate, key) = world.certificate("writer");
    let mut node = Command::new("node");
    node.arg(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/clients/trailers_client.mjs"
    ));
    node.env("URL", format!("https://localhost:{}", world.port));
    node.env("CA", world.folder.join("link-ca.pem"));
    node.env("CERTIFICATE", &certificate).env("KEY", &key);
    assert_eq!(heard(node).succeeded(), "200\nsaid.\ndown\n");
    let seen = api.seen();
    assert_eq!(seen[0].body, b"begun, ended");
    assert_eq!(seen[0].trailers, "x-checksum: up\r\n");

    // A client of HTTP/1.1 hears them if it asked for them.
    world.block_on(async {
        for (asked, comes) in [("te: trailers\r\n", true), ("", false)] {
            let login = Login::Certificate(&certificate, &key);
            let mut raw = Raw::direct(&world, login, &[b"http/1.1"]).await;
            let head = format!("GET /billing/a HTTP/1.1\r\nhost: a\r\nconnection: close, te\r\n{asked}\r\n");
            raw.stream.write_all(head.as_bytes()).await.unwrap();
            let mut said = String::new();
            let _ = raw.stream.read_to_string(&mut said).await;
            assert!(said.contains("said."), "{said}");
            assert_eq!(said.ends_with("0\r\nx-checksum: down\r\n\r\n"), comes, "{said}");
        }
    });
}
