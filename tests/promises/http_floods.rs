//! What a client of HTTP sends without end, or never takes: it is closed, refused or held back, the gateway does not
//! grow by it, and others are served meanwhile.

use std::io::{BufReader, Write};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use postern_tests::api::{self, Api, BEARER};
use postern_tests::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GOAWAY, HEADERS, PING, RST_STREAM,
    SETTINGS, WINDOW_UPDATE, asks, field, frame, integer, posts, receive, request, settings,
};
use postern_tests::raw::Raw;
use postern_tests::{Login, World, heard};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::http_bodies::{POLICIES, bulk, curl, head, length, serve, url};
use super::rows::{forget_peak, peak_kib};

/// What one attacking connection may grow the gateway by.
const GROWTH_KIB_MAX: u64 = 16 * 1024;
/// SETTINGS_INITIAL_WINDOW_SIZE.
const INITIAL_WINDOW: u16 = 4;
/// Who is held back for so long is held back.
const HELD_BACK: Duration = Duration::from_secs(2);

/// What became of an attack.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The connection was closed, with this code of a GOAWAY.
    Closed(Option<u32>),
    /// The gateway took no more, until the client would listen or go.
    HeldBack,
    /// Everything was taken, and the connection stays.
    Taken,
}

/// What an attack must come to, beside that the gateway does not grow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Must {
    /// The connection is closed under it.
    Close,
    /// Whatever: it costs no more than it sends.
    CostLittle,
}

/// Whether an attacker listens to what it is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ears {
    Open,
    Shut,
}

/// Sends this many times what is made for each number; then the connection stays while `meanwhile` runs.
async fn attack(
    frames: Frames,
    ears: Ears,
    times: u32,
    made: impl Fn(u32) -> Vec<u8>,
    meanwhile: impl AsyncFnOnce(),
) -> (End, Vec<Frame>) {
    let Frames {
        mut reader,
        mut writer,
    } = frames;
    let listening = tokio::spawn(async move {
        let mut told = Vec::new();
        if ears == Ears::Shut {
            std::future::pending::<()>().await;
        }
        while let Some(frame) = receive(&mut reader).await {
            if frame.code().is_some() {
                told.push(frame);
            }
        }
        told
    });
    let sending = async {
        let mut batch = Vec::new();
        for number in 0..times {
            batch.extend(made(number));
            if batch.len() >= 1 << 16 || number + 1 == times {
                writer.write_all(&batch).await?;
                batch.clear();
            }
        }
        writer.flush().await?;
        std::io::Result::Ok(())
    };
    let sent = timeout(HELD_BACK, sending).await;
    meanwhile().await;
    let end = match sent {
        // Whoever is not heard has not heard that nobody listens to it.
        Ok(Ok(())) => End::Taken,
        Ok(Err(_)) => End::Closed(None),
        Err(_) => End::HeldBack,
    };
    if ears == Ears::Shut {
        listening.abort();
        return (end, Vec::new());
    }
    // A client that ends its half hears the rest.
    let _ = writer.shutdown().await;
    let told = listening.await.expect("it listens to the end");
    let closed = told
        .iter()
        .find(|frame| frame.kind == GOAWAY && frame.code() != Some(0));
    match closed {
        Some(goaway) => (End::Closed(goaway.code()), told),
        None => (end, told),
    }
}

/// A house with one who attacks and one who only asks.
struct Siege {
    world: World,
    login: (std::path::PathBuf, std::path::PathBuf),
    token: String,
}

impl Siege {
    fn before(address: SocketAddr) -> Siege {
        let world = api::house_apart(address, POLICIES);
        let (login, token) = (world.certificate("writer"), world.token("writer", &[]));
        let siege = Siege { world, login, token };
        // What is done for the first time costs once.
        for _ in 0..3 {
            siege.others_are_served();
        }
        siege
    }

    async fn open(&self, settings: &[(u16, u32)]) -> Frames {
        let login = Login::Certificate(&self.login.0, &self.login.1);
        Frames::open(&self.world, login, settings).await
    }

    fn others_are_served(&self) {
        for flag in ["--http1.1", "--http2"] {
            let mut curl = curl(&self.world, Login::Token(&self.token));
            curl.args([flag, "--max-time", "20"])
                .arg(url(&self.world, "/well"));
            heard(curl).succeeded();
        }
    }

    /// One attack on a connection of its own: what becomes of it, and that nobody else minds.
    #[track_caller]
    fn check(
        &self,
        name: &str,
        connection_settings: &[(u16, u32)],
        ears: Ears,
        times: u32,
        made: impl Fn(u32) -> Vec<u8>,
        must: Must,
    ) {
        forget_peak(self.world.pid());
        let before = peak_kib(self.world.pid());
        let (end, told) = self.world.block_on(async {
            let frames = self.open(connection_settings).await;
            let meanwhile = async || tokio::task::block_in_place(|| self.others_are_served());
            attack(frames, ears, times, made, meanwhile).await
        });
        let grown = peak_kib(self.world.pid()).saturating_sub(before);
        eprintln!(
            "{name}: {end:?}, it grew by {grown} KiB; {} frames told of errors",
            told.len()
        );
        assert!(grown < GROWTH_KIB_MAX, "{name}: it grew by {grown} KiB");
        let closed = matches!(end, End::Closed(_));
        assert!(
            closed || must == Must::CostLittle,
            "{name}: {end:?} {:?}",
            told.last()
        );
    }
}

/// Streams of a client have odd numbers.
fn stream(number: u32) -> u32 {
    2 * number + 1
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

fn window_update(stream: u32, size: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &size.to_be_bytes())
}

#[test]
fn streams_that_are_reset_as_fast_as_they_are_opened_end_their_connection() {
    let siege = Siege::before(serve(bulk));
    siege.check(
        "rapid reset",
        &[],
        Ears::Open,
        20_000,
        |n| [asks(stream(n), "/billing/a", &[]), reset(stream(n))].concat(),
        Must::Close,
    );
    siege.check(
        "rapid reset of bodies",
        &[],
        Ears::Open,
        20_000,
        |n| [posts(stream(n), "/billing/a", &[]), reset(stream(n))].concat(),
        Must::Close,
    );
    siege.check(
        "rapid reset, unheard",
        &[],
        Ears::Shut,
        20_000,
        |n| [asks(stream(n), "/billing/a", &[]), reset(stream(n))].concat(),
        Must::CostLittle,
    );
    // Each makes the gateway reset the stream: a window that grows by nothing, or over the edge, data behind the end.
    siege.check(
        "made to reset by a window of 0",
        &[],
        Ears::Open,
        20_000,
        |n| [asks(stream(n), "/billing/a", &[]), window_update(stream(n), 0)].concat(),
        Must::Close,
    );
    siege.check(
        "made to reset by a window too large",
        &[],
        Ears::Open,
        20_000,
        |n| {
            [
                asks(stream(n), "/billing/a", &[]),
                window_update(stream(n), 0x7fff_ffff),
            ]
            .concat()
        },
        Must::Close,
    );
    siege.check(
        "made to reset by data behind the end",
        &[],
        Ears::Open,
        20_000,
        |n| {
            [
                asks(stream(n), "/billing/a", &[]),
                frame(DATA, 0, stream(n), b"a"),
            ]
            .concat()
        },
        Must::Close,
    );
    siege.check(
        "made to reset by a malformed head",
        &[],
        Ears::Open,
        20_000,
        |n| asks(stream(n), "/billing/a", &[("connection", "close")]),
        Must::Close,
    );
    siege.check(
        "more streams than may be",
        &[],
        Ears::Open,
        20_000,
        |n| posts(stream(n), "/billing/a", &[]),
        Must::CostLittle,
    );
}

#[test]
fn heads_and_bodies_without_end_take_no_room() {
    // Its body is never read.
    let deaf = serve(|socket| {
        let mut reader = BufReader::with_capacity(1 << 12, socket.try_clone().unwrap());
        let asked = head(&mut reader).unwrap_or_default();
        let mut socket = socket;
        if asked.contains("/well") {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        } else {
            // Until the gateway goes.
            while socket.peek(&mut [0]).is_ok_and(|size| size > 0) {
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
    });
    let siege = Siege::before(deaf);
    let block = request("GET", "/billing/a", &[]);
    let begun = frame(HEADERS, END_STREAM, 1, &block);
    siege.check(
        "CONTINUATION without end",
        &[],
        Ears::Open,
        50_000,
        |n| match n {
            0 => begun.clone(),
            _ => frame(CONTINUATION, 0, 1, &field(b"x", &[b'a'; 100])),
        },
        Must::Close,
    );
    siege.check(
        "empty CONTINUATION without end",
        &[],
        Ears::Open,
        500_000,
        |n| match n {
            0 => begun.clone(),
            _ => frame(CONTINUATION, 0, 1, &[]),
        },
        Must::Close,
    );
    siege.check(
        "100,000 fields",
        &[],
        Ears::Open,
        100,
        |n| match n {
            0 => begun.clone(),
            99 => frame(CONTINUATION, END_HEADERS, 1, &[]),
            // `accept-encoding: gzip, deflate` has an index of its own.
            _ => frame(CONTINUATION, 0, 1, &[0x90; 1024]),
        },
        Must::Close,
    );
    siege.check(
        "an HPACK bomb",
        &[],
        Ears::Open,
        200,
        |n| {
            let mut bomb = request("GET", "/billing/a", &[]);
            // A field of nearly the whole table, which is then named by one byte, again and again.
            bomb.extend([0x40, 1, b'x']);
            integer(&mut bomb, 0, 7, 4000);
            bomb.extend([b'a'; 4000]);
            bomb.extend([0xbe; 10_000]);
            frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &bomb)
        },
        Must::Close,
    );
    siege.check(
        "a table that changes its size without end",
        &[],
        Ears::Open,
        200,
        |n| {
            let mut block = [0x20, 0x3f, 0xe1, 0x1f].repeat(2_000);
            block.extend(request("GET", "/billing/a", &[]));
            [
                frame(HEADERS, END_HEADERS | END_STREAM, stream(n), &block),
                reset(stream(n)),
            ]
            .concat()
        },
        Must::CostLittle,
    );
    siege.check(
        "empty DATA without end",
        &[],
        Ears::Open,
        500_000,
        |n| match n {
            0 => posts(1, "/billing/a", &[]),
            _ => frame(DATA, 0, 1, &[]),
        },
        Must::CostLittle,
    );
    siege.check(
        "DATA of one byte without end",
        &[],
        Ears::Open,
        500_000,
        |n| match n {
            0 => posts(1, "/billing/a", &[]),
            _ => frame(DATA, 0, 1, b"a"),
        },
        Must::Close,
    );
    siege.check(
        "DATA of nothing but padding",
        &[],
        Ears::Open,
        500_000,
        |n| match n {
            0 => posts(1, "/billing/a", &[]),
            _ => frame(DATA, 8, 1, &[0]),
        },
        Must::CostLittle,
    );
    siege.check(
        "a hundred bodies that nobody reads",
        &[],
        Ears::Open,
        10_000,
        |n| match n {
            0..100 => posts(stream(n), "/billing/a", &[]),
            _ => frame(DATA, 0, stream(n % 100), &[b'a'; 100]),
        },
        Must::CostLittle,
    );
}

#[test]
fn frames_that_ask_for_an_answer_are_answered_or_held_back_and_take_no_room() {
    let siege = Siege::before(serve(bulk));
    for ears in [Ears::Open, Ears::Shut] {
        siege.check(
            "PING without end",
            &[],
            ears,
            200_000,
            |_| frame(PING, 0, 0, &[0; 8]),
            Must::CostLittle,
        );
        siege.check(
            "SETTINGS without end",
            &[],
            ears,
            200_000,
            |n| settings(&[(INITIAL_WINDOW, n)]),
            Must::CostLittle,
        );
        siege.check(
            "empty SETTINGS without end",
            &[],
            ears,
            200_000,
            |_| settings(&[]),
            Must::CostLittle,
        );
        siege.check(
            "SETTINGS of a table",
            &[],
            ears,
            200_000,
            |n| settings(&[(1, n % 5000)]),
            Must::CostLittle,
        );
        siege.check(
            "PRIORITY without end",
            &[],
            ears,
            200_000,
            |n| frame(2, 0, stream(n % 1000), &[0, 0, 0, 0, 9]),
            Must::CostLittle,
        );
        siege.check(
            "unknown frames without end",
            &[],
            ears,
            100_000,
            |_| frame(0xee, 0, 0, &[0; 100]),
            Must::CostLittle,
        );
    }
    siege.check(
        "a PING that nobody asked for, answered",
        &[],
        Ears::Open,
        100_000,
        |_| frame(PING, ACK, 0, &[0; 8]),
        Must::CostLittle,
    );
    siege.check(
        "SETTINGS acknowledged that were never sent",
        &[],
        Ears::Open,
        100_000,
        |_| frame(SETTINGS, ACK, 0, &[]),
        Must::CostLittle,
    );
    siege.check(
        "a GOAWAY, then SETTINGS",
        &[],
        Ears::Open,
        10_000,
        |n| match n % 2 {
            0 => frame(GOAWAY, 0, 0, &[0; 8]),
            _ => settings(&[(INITIAL_WINDOW, 0x7fff_ffff), (2, 0)]),
        },
        Must::CostLittle,
    );
    siege.check(
        "an empty SETTINGS with a wrong length",
        &[],
        Ears::Open,
        1,
        |_| frame(SETTINGS, 0, 0, &[0; 5]),
        Must::Close,
    );
    siege.check(
        "a window of a stream over the edge",
        &[],
        Ears::Open,
        1,
        |_| settings(&[(INITIAL_WINDOW, 0xffff_ffff)]),
        Must::Close,
    );
    siege.check(
        "a frame of 16 MiB",
        &[],
        Ears::Open,
        2,
        |_| frame(DATA, 0, 1, &vec![0; (1 << 24) - 1]),
        Must::Close,
    );
    siege.check(
        "HEADERS of stream 0",
        &[],
        Ears::Open,
        1,
        |_| asks(0, "/billing/a", &[]),
        Must::Close,
    );
    siege.check(
        "a stream of the server's",
        &[],
        Ears::Open,
        1,
        |_| asks(2, "/billing/a", &[]),
        Must::Close,
    );
    siege.check(
        "a push",
        &[],
        Ears::Open,
        1,
        |_| frame(5, END_HEADERS, 1, &[0, 0, 0, 2]),
        Must::Close,
    );
    siege.check(
        "a table index that is not there",
        &[],
        Ears::Open,
        1,
        |_| frame(HEADERS, END_HEADERS, 1, &[0xff, 0x80, 0x80, 0x7f]),
        Must::Close,
    );
}

#[test]
fn who_asks_for_much_and_takes_little_is_held_back_in_little_room() {
    let siege = Siege::before(serve(bulk));
    let large = "/billing/down/1073741824";
    siege.check(
        "a window of 0",
        &[(INITIAL_WINDOW, 0)],
        Ears::Open,
        100,
        |n| asks(stream(n), large, &[]),
        Must::CostLittle,
    );
    siege.check(
        "wide windows, and nobody reads",
        &[(INITIAL_WINDOW, 0x7fff_ffff)],
        Ears::Shut,
        101,
        |n| match n {
            0 => window_update(0, 0x7fff_0000),
            _ => asks(stream(n), large, &[]),
        },
        Must::CostLittle,
    );
    siege.check(
        "a window that grows byte by byte",
        &[(INITIAL_WINDOW, 0)],
        Ears::Open,
        20_000,
        |n| match n {
            0 => asks(1, large, &[]),
            _ => window_update(1, 1),
        },
        Must::CostLittle,
    );
}

/// A target that sends for ever, but where all is well; how many bytes it has sent, and how many were not taken to the end.
fn endless() -> (SocketAddr, Arc<AtomicU64>, Arc<AtomicU64>) {
    let (sent, cut) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let counted = (sent.clone(), cut.clone());
    let address = serve(move |mut socket| {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let asked = head(&mut reader).unwrap_or_default();
        let length: u64 = if asked.contains("/well") { 0 } else { 1 << 40 };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        let mut left = length;
        let _ = socket.write_all(head.as_bytes());
        let piece = [b'x'; 1 << 16];
        while left > 0 && socket.write_all(&piece).is_ok() {
            left -= 1 << 16;
            counted.0.fetch_add(1 << 16, Ordering::Relaxed);
        }
        counted.1.fetch_add(u64::from(left > 0), Ordering::Relaxed);
    });
    (address, sent, cut)
}

/// The target can send no more: nothing moves for a hundred looks.
fn until_held_back(world: &World, sent: &AtomicU64) {
    let (mut last, mut looks) = (0, 0);
    world.until("the target is held back", || {
        let now = sent.load(Ordering::Relaxed);
        looks = if now == last { looks + 1 } else { 0 };
        last = now;
        now > 0 && looks > 100
    });
}

#[test]
fn a_response_that_its_client_does_not_take_ends_with_its_session() {
    let (address, sent, cut) = endless();
    let world = api::house_before(address, BEARER, POLICIES, "");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let order = json!({ "workload": "writer", "reason": "a test" });
    let check = |ended: u64| {
        until_held_back(&world, &sent);
        let done = world.post_operators("/v1/sessions/end", &order);
        assert!(done.contains('1'), "{done}");
        world.until("the target is let go", || cut.load(Ordering::Relaxed) == ended);
        world.until("it is told of", || {
            let outcomes = world.records("kind=outcome");
            outcomes.len() as u64 == ended && outcomes.iter().all(|outcome| outcome["status"] == "abandoned")
        });
    };
    let mut one = world.block_on(Raw::direct(&world, login, &[b"http/1.1"]));
    let asked = b"GET /billing/large HTTP/1.1\r\nhost: a\r\n\r\n";
    world.block_on(one.send_bytes(asked));
    check(1);
    let mut two = world.block_on(Frames::open(&world, login, &[]));
    world.block_on(two.send(&asks(1, "/billing/large", &[])));
    check(2);
    drop((one, two));
}

#[test]
fn a_body_that_its_target_does_not_take_ends_with_its_session() {
    let deaf = serve(|socket| {
        let mut reader = BufReader::with_capacity(1 << 10, socket.try_clone().unwrap());
        head(&mut reader);
        // Until the process ends.
        std::thread::park();
    });
    let world = api::house_before(deaf, BEARER, POLICIES, "");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    let order = json!({ "workload": "writer", "reason": "a test" });
    let mut one = world.block_on(Raw::direct(&world, login, &[b"http/1.1"]));
    let sent = world.block_on(async {
        let head = b"POST /billing/a HTTP/1.1\r\nhost: a\r\ncontent-length: 1099511627776\r\n\r\n";
        one.send_bytes(head).await;
        let piece = vec![b'a'; 1 << 20];
        let sending = async { while one.stream.write_all(&piece).await.is_ok() {} };
        timeout(HELD_BACK, sending).await
    });
    assert!(sent.is_err(), "it is held back");
    let done = world.post_operators("/v1/sessions/end", &order);
    assert!(done.contains('1'), "{done}");
    world.until("it is told of", || {
        let outcomes = world.records("kind=outcome");
        outcomes.len() == 1 && outcomes[0]["status"] == "abandoned"
    });
    drop(one);
}

#[test]
fn a_hundred_clients_of_http_1_that_never_read_are_held_back_in_little_room() {
    const CLIENTS: usize = 100;
    let (endless, sent, _) = endless();
    let siege = Siege::before(endless);
    let login = Login::Certificate(&siege.login.0, &siege.login.1);
    forget_peak(siege.world.pid());
    let before = peak_kib(siege.world.pid());
    let clients: Vec<Raw> = siege.world.block_on(async {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let mut raw = Raw::direct(&siege.world, login, &[b"http/1.1"]).await;
            raw.send_bytes(b"GET /billing/large HTTP/1.1\r\nhost: a\r\n\r\n")
                .await;
            clients.push(raw);
        }
        clients
    });
    until_held_back(&siege.world, &sent);
    siege.others_are_served();
    let grown = peak_kib(siege.world.pid()).saturating_sub(before);
    eprintln!("{CLIENTS} clients that do not read: it grew by {grown} KiB");
    // A piece that is read, one that is written, and what TLS holds of it.
    assert!(grown < 1024 * CLIENTS as u64, "it grew by {grown} KiB");
    drop(clients);
}

/// What is malformed, as the block of its head; nothing of it may arrive.
fn malformed() -> Vec<(String, Vec<u8>)> {
    let pseudo = |name: &'static str, value: &'static str| {
        let all = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "a"),
            (":path", "/billing/a"),
        ];
        let with =
            all.map(|(one, said)| field(one.as_bytes(), if one == name { value } else { said }.as_bytes()));
        with.concat()
    };
    let without = |name: &str| -> Vec<u8> {
        let all = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "a"),
            (":path", "/billing/a"),
        ];
        let rest = all.iter().filter(|(one, _)| *one != name);
        rest.flat_map(|(one, said)| field(one.as_bytes(), said.as_bytes()))
            .collect()
    };
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, values) in [
        (
            ":path",
            &[
                "/billing/a HTTP/1.1\r\nx: y",
                "/billing/a\n",
                "/billing/a b",
                "/billing/a\0",
                "/billing/a\t",
                "/billing/a\x7f",
                "",
                "billing/a",
                "*",
                "https://a/billing/a",
                "//a/billing/a",
                "/billing/../billing/a",
                "/billing/a\u{e9}",
                "/billing/a?b c",
                "/billing/a?b\r\nx: y",
            ][..],
        ),
        (
            ":method",
            &[
                "GET /billing/b HTTP/1.1\r\nx: y\r\n\r\nGET",
                "GET\r\n",
                "G ET",
                "GET\0",
                "",
                "get",
                "CONNECT",
                "TRACE",
                "BREW",
            ],
        ),
        (
            ":authority",
            &["a\r\nx: y", "a b", "a@b", "a\0", "a/b", "a:b:c", ""],
        ),
        (":scheme", &["https\r\nx: y", "ht tp", "", "https://"]),
        (":status", &[]),
    ] {
        let named = |value: &&'static str| (format!("{name} {value:?}"), pseudo(name, value));
        all.extend(values.iter().map(named));
    }
    for name in [":path", ":method", ":scheme", ":authority"] {
        all.push((format!("no {name}"), without(name)));
    }
    for (name, value) in [
        ("connection", "close"),
        ("connection", "x-a"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "a"),
        ("proxy-connection", "close"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("te", "trailers, gzip"),
        ("X-Upper", "a"),
        ("x y", "a"),
        ("x:y", "a"),
        ("x\r\ny", "a"),
        ("x\0", "a"),
        ("", "a"),
        (":x", "a"),
        ("x\u{e9}", "a"),
        ("x", "a\r\nb: c"),
        ("x", "a\nb"),
        ("x", "a\rb"),
        ("x", "a\0b"),
        (":path", "/billing/b"),
        (":method", "POST"),
        (":status", "200"),
        (":protocol", "websocket"),
        ("host", "b"),
        ("host", "a\r\nb: c"),
        ("x_y", "a"),
        ("content-length", "5"),
        ("content-length", "+0"),
        ("content-length", "0, 0"),
        ("content-length", "a"),
        ("content-length", ""),
    ] {
        let block = request("GET", "/billing/a", &[(name, value)]);
        all.push((format!("{name:?} {value:?}"), block));
    }
    all.push((
        "two hosts".to_owned(),
        request("GET", "/billing/a", &[("host", "a"), ("host", "b")]),
    ));
    all.push((
        "two lengths".to_owned(),
        request(
            "GET",
            "/billing/a",
            &[("content-length", "0"), ("content-length", "1")],
        ),
    ));
    let late = [
        request("GET", "/billing/a", &[("x", "a")]),
        field(b":authority", b"a"),
    ]
    .concat();
    all.push(("a pseudo field behind others".to_owned(), late));
    all
}

#[test]
fn what_http_2_forbids_and_http_1_would_read_otherwise_reaches_no_target() {
    let api = Api::start(length);
    let siege = Siege::before(api.address);
    let before = api.lines().len();
    for (name, block) in malformed() {
        let heard = siege.world.block_on(async {
            let mut frames = siege.open(&[]).await;
            frames
                .send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))
                .await;
            frames.until_end_of(1).await
        });
        assert!(!heard.iter().any(Frame::is_ok), "{name:?}: {heard:?}");
        let lines = api.lines();
        assert_eq!(lines.len(), before, "{name:?}: {:?}", lines.last());
    }
    siege.others_are_served();
}

#[test]
fn a_body_is_as_long_as_its_head_says_and_its_trailers_change_nothing() {
    let api = Api::start(length);
    let siege = Siege::before(api.address);
    let before = api.lines().len();
    let says = [("content-length", "5")];
    let ask = |frames_sent: &[Vec<u8>]| {
        siege.world.block_on(async {
            let mut frames = siege.open(&[]).await;
            frames
                .send(&[&posts(1, "/billing/a", &says)[..], &frames_sent.concat()].concat())
                .await;
            frames.until_end_of(1).await
        })
    };
    let data = |flags: u8, text: &[u8]| frame(DATA, flags, 1, text);
    let inner = b"12345GET /billing/b HTTP/1.1\r\nhost: a\r\n\r\n";
    for (name, sent) in [
        ("too long", vec![data(END_STREAM, inner)]),
        (
            "too long and it goes on",
            vec![data(0, inner), data(END_STREAM, inner)],
        ),
        ("too short", vec![data(END_STREAM, b"1234")]),
        ("nothing", vec![data(END_STREAM, b"")]),
        (
            "too short, and trailers",
            vec![
                data(0, b"1234"),
                frame(HEADERS, END_HEADERS | END_STREAM, 1, &field(b"x", b"a")),
            ],
        ),
        (
            "trailers of a request",
            vec![
                data(0, b"1234"),
                frame(
                    HEADERS,
                    END_HEADERS | END_STREAM,
                    1,
                    &request("GET", "/billing/b", &[]),
                ),
            ],
        ),
        (
            "trailers that do not end it",
            vec![
                data(0, b"1234"),
                frame(HEADERS, END_HEADERS, 1, &field(b"x", b"a")),
            ],
        ),
    ] {
        let heard = ask(&sent);
        assert!(!heard.iter().any(Frame::is_ok), "{name}: {heard:?}");
        assert_eq!(api.lines().len(), before, "{name}: {:?}", api.seen().last());
    }
    // What comes behind a whole body may find the request answered, but is no part of it.
    ask(&[data(0, b"12345"), data(END_STREAM, &inner[5..])]);
    let lines = api.lines().split_off(before);
    assert!(lines.is_empty() || lines == ["POST /a HTTP/1.1"], "{lines:?}");
    assert!(api.seen()[before..].iter().all(|seen| seen.body == b"12345"));

    let before = api.lines().len();
    let trailers: Vec<u8> = [
        ("content-length", "50"),
        ("host", "b"),
        ("authorization", "Bearer a"),
        ("x-forwarded-for", "b"),
    ]
    .iter()
    .flat_map(|(name, value)| field(name.as_bytes(), value.as_bytes()))
    .collect();
    siege.world.block_on(async {
        let mut frames = siege.open(&[]).await;
        let named = [(
            "trailer",
            "content-length, host, authorization, transfer-encoding, x-forwarded-for",
        )];
        frames.send(&posts(1, "/billing/a", &named)).await;
        frames
            .send(
                &[
                    data(0, b"12345"),
                    frame(HEADERS, END_HEADERS | END_STREAM, 1, &trailers),
                ]
                .concat(),
            )
            .await;
        assert!(frames.until(HEADERS, 1).await.is_some_and(|frame| frame.is_ok()));
    });
    let seen = api.seen().split_off(before);
    assert_eq!(
        (seen.len(), &*seen[0].body, &*seen[0].trailers),
        (1, &b"12345"[..], ""),
        "{seen:?}"
    );
}

#[test]
fn each_stream_has_its_own_identity_and_only_the_streams_of_one_that_is_ended_die() {
    // Says a piece to everybody each time it is told to.
    let rounds = Arc::new((Mutex::new(0_u32), Condvar::new()));
    let heard_of = rounds.clone();
    let piecewise = serve(move |mut socket| {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        while head(&mut reader).is_some() {
            let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
            let mut said = socket.write_all(head.as_bytes());
            let mut round = 0;
            while said.is_ok() {
                let (told, bell) = &*heard_of;
                let told = bell
                    .wait_while(told.lock().unwrap(), |told| *told <= round)
                    .unwrap();
                round = *told;
                drop(told);
                said = socket.write_all(b"5\r\npiece\r\n");
            }
        }
    });
    let world = api::house_before(piecewise, BEARER, POLICIES, "");
    let say = || {
        *rounds.0.lock().unwrap() += 1;
        rounds.1.notify_all();
    };
    let [writer, all] = ["writer", "all"].map(|workload| format!("Bearer {}", world.token(workload, &[])));
    world.block_on(async {
        let mut frames = Frames::open(&world, Login::Token(""), &[]).await;
        for (number, token) in [(1, &writer), (3, &all), (5, &writer)] {
            let head = asks(number, "/billing/a", &[("authorization", token)]);
            frames.send(&head).await;
            assert!(
                frames
                    .until(HEADERS, number)
                    .await
                    .is_some_and(|frame| frame.is_ok())
            );
        }
        // Nobody is whom another stream of the connection was.
        frames.send(&asks(7, "/billing/a", &[])).await;
        assert!(frames.until(HEADERS, 7).await.is_some_and(|frame| !frame.is_ok()));

        let order = json!({ "workload": "all", "reason": "a test" });
        let done = tokio::task::block_in_place(|| world.post_operators("/v1/sessions/end", &order));
        assert!(done.contains('1'), "{done}");
        assert!(frames.until(RST_STREAM, 3).await.is_some());
        say();
        let mut going_on = vec![1, 5];
        while !going_on.is_empty() {
            let frame = frames.receive().await.expect("it goes on");
            assert!(frame.stream != 3 && frame.kind != RST_STREAM, "{frame:?}");
            if frame.kind == DATA {
                going_on.retain(|number| *number != frame.stream);
            }
        }
        // A target's connection is left to the target: it ends with the client's.
        drop(frames);
    });
    say();
    world.until("the others are told of", || {
        let outcomes = world.records("kind=outcome");
        outcomes.len() == 3 && outcomes.iter().all(|outcome| outcome["status"] == "abandoned")
    });

    // A certificate speaks for the whole connection, and no token of another for one stream of it.
    let (certificate, key) = world.certificate("writer");
    world.block_on(async {
        let mut frames = Frames::open(&world, Login::Certificate(&certificate, &key), &[]).await;
        for (number, fields, is_ok) in [
            (1, &[("authorization", &*all)][..], false),
            (3, &[("authorization", &*writer)], true),
            (5, &[], true),
        ] {
            frames.send(&asks(number, "/billing/a", fields)).await;
            let said = frames.until(HEADERS, number).await.expect("an answer");
            assert_eq!(said.is_ok(), is_ok, "{number}");
        }
    });
}

#[test]
fn a_request_has_no_more_than_http_headers_max_headers_over_http_2_either() {
    let api = Api::start(length);
    let world = api::house_before(api.address, BEARER, POLICIES, "http_headers_max: 20");
    let (certificate, key) = world.certificate("writer");
    let names: Vec<String> = (0..21).map(|number| format!("x-{number}")).collect();
    let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "a")).collect();
    world.block_on(async {
        let mut frames = Frames::open(&world, Login::Certificate(&certificate, &key), &[]).await;
        for (number, fields, is_ok) in [(1, &fields[..], false), (3, &fields[1..], true)] {
            frames.send(&asks(number, "/billing/a", fields)).await;
            let said = frames.until(HEADERS, number).await.expect("an answer");
            assert_eq!(said.is_ok(), is_ok, "{number}");
        }
    });
    assert_eq!(api.lines().len(), 1);
}

#[test]
fn who_is_refused_before_its_body_has_come_hears_the_reason_before_its_stream_is_reset() {
    let api = Api::start(length);
    let world = api::house_before(api.address, BEARER, POLICIES, "goodbye_timeout_ms: 2000");
    let (certificate, key) = world.certificate("writer");
    world.block_on(async {
        let mut frames = Frames::open(&world, Login::Certificate(&certificate, &key), &[]).await;
        for stream in [1, 3] {
            frames.send(&posts(stream, "/nowhere", &[])).await;
            let heard = frames.until_end_of(stream).await;
            assert!(heard.iter().all(|frame| frame.kind != RST_STREAM), "{heard:?}");
            assert!(heard.iter().any(|frame| frame.kind == DATA), "{heard:?}");
        }
        // What comes after all is thrown away; what does not come is not waited for.
        frames.send(&frame(DATA, END_STREAM, 1, b"a body")).await;
        let reset = frames.until(RST_STREAM, 3).await.expect("in time");
        assert_eq!(reset.code(), Some(0));
        frames.send(&asks(5, "/billing/a", &[])).await;
        assert!(frames.until(HEADERS, 5).await.expect("an answer").is_ok());
    });
    assert_eq!(api.lines().len(), 1);
}

#[test]
fn a_connection_of_http_2_is_let_go_that_asks_nothing_for_http_idle_seconds_max_and_no_other() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = Arc::new(Mutex::new(told));
    let waiting = serve(move |mut socket| {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        while head(&mut reader).is_some() {
            let begun = socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12");
            let _ = told.lock().unwrap().recv();
            if begun.and_then(|()| socket.write_all(b"345")).is_err() {
                break;
            }
        }
    });
    let world = api::house_before(waiting, BEARER, POLICIES, "http_idle_seconds_max: 1");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    world.block_on(async {
        // One's response lasts longer than the time in which two others, one after the other, ask nothing.
        let mut busy = Frames::open(&world, login, &[]).await;
        busy.send(&asks(1, "/billing/a", &[])).await;
        assert!(busy.until(DATA, 1).await.is_some());
        for _ in 0..2 {
            let mut idle = Frames::open(&world, login, &[]).await;
            let goodbye = idle.until(GOAWAY, 0).await.expect("it is told");
            assert_eq!(goodbye.code(), Some(0));
            // As clients do that are told, it answers what it is asked and goes.
            while let Some(frame) = idle.receive().await {
                if frame.kind == PING && frame.flags & ACK == 0 {
                    idle.send(&self::frame(PING, ACK, 0, &frame.payload)).await;
                }
            }
        }
        busy.send(&frame(PING, 0, 0, b"are you?")).await;
        loop {
            let answer = busy.receive().await.expect("it is still there");
            assert_ne!(answer.kind, GOAWAY, "{answer:?}");
            if answer.kind == PING && answer.flags & ACK == 0 {
                busy.send(&self::frame(PING, ACK, 0, &answer.payload)).await;
            } else if answer.kind == PING {
                break;
            }
        }
        tell.send(()).unwrap();
        assert_eq!(
            busy.until(DATA, 1).await.map(|frame| frame.payload),
            Some(b"345".to_vec())
        );
        assert!(busy.until(GOAWAY, 0).await.is_some(), "then its time begins");
    });
}

#[test]
fn http_response_seconds_max_begins_anew_with_each_piece_of_a_body_that_moves() {
    let api = Api::start(length);
    let world = api::house_before(api.address, BEARER, POLICIES, "http_response_seconds_max: 1");
    let (certificate, key) = world.certificate("writer");
    let login = Login::Certificate(&certificate, &key);
    world.block_on(async {
        // For three times as long as that, a piece goes up five times in a second.
        let mut moving = Frames::open(&world, login, &[]).await;
        moving.send(&posts(1, "/billing/a", &[])).await;
        let mut pieces = tokio::time::interval(Duration::from_millis(200));
        for _ in 0..15 {
            pieces.tick().await;
            moving.send(&frame(DATA, 0, 1, b"a")).await;
        }
        moving.send(&frame(DATA, END_STREAM, 1, b"a")).await;
        assert!(moving.until(HEADERS, 1).await.is_some_and(|frame| frame.is_ok()));
        // One that stops is answered.
        moving.send(&posts(3, "/billing/a", &[])).await;
        moving.send(&frame(DATA, 0, 3, b"a")).await;
        assert!(moving.until(HEADERS, 3).await.is_some_and(|frame| !frame.is_ok()));
    });
    assert_eq!(api.seen()[0].body.len(), 16);
}

/// How long each flood of the soak lasts, on one connection after the other.
fn soak_seconds() -> u64 {
    let wished = std::env::var("POSTERN_SOAK_SECONDS");
    wished.map_or(60, |wished| wished.parse().expect("a number"))
}

#[test]
#[ignore = "takes many minutes"]
fn a_soak_of_each_flood_grows_the_gateway_by_no_more_than_one_connection_may() {
    type Made = fn(u32) -> Vec<u8>;
    let floods: [(&str, Made); 7] = [
        ("rapid reset", |n| {
            [asks(stream(n), "/billing/a", &[]), reset(stream(n))].concat()
        }),
        ("made to reset", |n| {
            [
                asks(stream(n), "/billing/a", &[]),
                window_update(stream(n), 0x7fff_ffff),
            ]
            .concat()
        }),
        ("CONTINUATION", |n| match n {
            0 => frame(HEADERS, END_STREAM, 1, &request("GET", "/billing/a", &[])),
            _ => frame(CONTINUATION, 0, 1, &[]),
        }),
        ("empty DATA", |n| match n {
            0 => posts(1, "/billing/a", &[]),
            _ => frame(DATA, 0, 1, &[]),
        }),
        ("DATA of one byte", |n| match n {
            0 => posts(1, "/billing/a", &[]),
            _ => frame(DATA, 0, 1, b"a"),
        }),
        ("SETTINGS", |n| settings(&[(INITIAL_WINDOW, n)])),
        ("PING", |_| frame(PING, 0, 0, &[0; 8])),
    ];
    let siege = Siege::before(serve(bulk));
    for (name, made) in floods {
        let begun = std::time::Instant::now();
        let mut before = 0;
        let mut connections = 0;
        while begun.elapsed() < Duration::from_secs(soak_seconds()) {
            siege.world.block_on(async {
                let frames = siege.open(&[]).await;
                attack(frames, Ears::Open, 100_000, made, async || ()).await
            });
            connections += 1;
            // What such an attack costs once.
            if connections == 3 {
                forget_peak(siege.world.pid());
                before = peak_kib(siege.world.pid());
            }
        }
        siege.others_are_served();
        let grown = peak_kib(siege.world.pid()).saturating_sub(before);
        eprintln!("{name}: {connections} connections, it grew by {grown} KiB");
        assert!(
            before > 0 && grown < GROWTH_KIB_MAX,
            "{name}: it grew by {grown} KiB"
        );
    }
}
