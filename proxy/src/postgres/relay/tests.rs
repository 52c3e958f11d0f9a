//! The relay between a scripted client and a scripted server, however the bytes are cut and whoever is slow.
//!
//! Both peers are pipes of a few bytes on one thread, and the clock moves only when nobody else can: every
//! run of a test is the same run. The seeds stand in the tests.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use postern_link::snapshot::{Policy, Snapshot};
use postern_link::wire::{Kind, Record};
use prost::Message as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::LocalSet;

use super::*;
use crate::audit::Audit;
use crate::audit::spool::{self, Room, Spool};
use crate::authorize::{Authorizer, Place, Recorder, Rules, ViewFacts};
use crate::config::Durability;
use crate::identity::tests::someone;
use crate::postgres::catalogue::SharedCatalogue;
use crate::postgres::dialogue::Opening;
use crate::session::{Session, Sessions};

/// A small generator, always the same numbers.
struct Random(u64);

impl Random {
    fn up_to(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        1 + usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// A session whose relay stands between two pipes.
struct Stage {
    folder: tempfile::TempDir,
    session: Session,
    limits: Arc<Limits>,
    dialogue: Dialogue,
    audit: Rc<Audit>,
}

impl Stage {
    /// Table `t` may be read and copied into; table `secret` may not be touched.
    fn new(limits: Limits) -> Stage {
        let rules = Rules::load(Snapshot {
            policies: vec![Policy {
                name: "relay.cedar".into(),
                text: "@id(\"use\") permit (principal, action == Postern::Action::\"use\", resource);\n\
                       @id(\"t\") permit (principal, action, resource) \
                       when { resource is Postern::Table && resource.name == \"t\" };\n\
                       @id(\"session\") permit (principal, action in Postern::Action::\"session\", resource);"
                    .into(),
            }],
            ..Snapshot::default()
        });
        let rules = rules.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let room = Room {
            spool_bytes_max: 1 << 24,
            file_bytes_max: 1 << 22,
            record_bytes_max: 1 << 20,
            durability: Durability::Process,
        };
        let (spool, _) = Spool::open(folder.path(), 0, 1, room, &Arc::default(), |_, _| Vec::new()).unwrap();
        let audit = Rc::new(Audit::new(spool, "test"));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[0; 32]);
        let authorizer = Rc::new(Authorizer::new(audit.clone(), key, &limits));
        let names = SharedCatalogue::fixed(
            r#"{"database": "d", "server_version": 150000, "schemas": {
                "pg_catalog": {}, "public": {"relations": {
                    "t": {"columns": ["a"]}, "secret": {"columns": ["a"]}}}}}"#,
        );
        let path = vec!["pg_catalog".to_owned(), "public".to_owned()];
        let reading = authorizer.reading(&names.newest(), path, "role", true);
        let facts = ViewFacts {
            policy_epoch: 1,
            workload: "deploy".into(),
            segments: Vec::new(),
            target: "shop".into(),
            database: "d".into(),
            role: "role".into(),
            source: [192, 0, 2, 1].into(),
            evidence: "certificate",
            run: None,
        };
        let view = authorizer.view(
            facts,
            |facts| rules.slices(&facts.workload, &facts.segments),
            false,
        );
        let session = Sessions::with_capacity(1)
            .open(someone(None), "shop", [192, 0, 2, 1].into())
            .unwrap();
        let limits = Arc::new(limits);
        let dialogue = Dialogue::new(Opening {
            limits: limits.clone(),
            authorizer,
            recorder: Rc::new(Recorder::new([1; 16], &Record::default())),
            credentials: Arc::default(),
            place: Place {
                target: "shop".into(),
                database: "d".into(),
                role: "role".into(),
            },
            view,
            reading,
            names,
            startup_settings: Vec::new(),
            client_says: "client".into(),
            our_name: "ours".into(),
        });
        Stage {
            folder,
            session,
            limits,
            dialogue,
            audit,
        }
    }

    /// Relays until the session is over.
    async fn run(&mut self, mut client: DuplexStream, mut server: DuplexStream) -> Finish {
        let buffers = Buffers::default();
        Relay::new(
            (&mut client, &mut server),
            &mut self.dialogue,
            (self.session.live(), &self.limits),
            &buffers,
            &|_| {},
        )
        .run()
        .await
    }
}

/// What the records say, but for clocks.
fn records(audit: &Audit, folder: &tempfile::TempDir) -> Vec<Record> {
    audit.flush().unwrap();
    let mut paths: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "spool"))
        .collect();
    paths.sort();
    let files = paths.iter().map(|path| std::fs::read(path).unwrap());
    let records = files.flat_map(|bytes| {
        spool::records(&bytes)
            .map(|record| Record::decode(record).unwrap())
            .collect::<Vec<_>>()
    });
    records
        .map(|record| Record {
            time_us: 0,
            duration_us: 0,
            ..record
        })
        .collect()
}

/// Answers as PostgreSQL does, as far as the scripts of these tests go; gives the types and texts it heard.
async fn serve(mut socket: DuplexStream, mut pieces: Random, piece_max: usize) -> Vec<String> {
    let mut heard = Vec::new();
    let mut failed = false;
    let mut copying = false;
    while let Ok(tag) = socket.read_u8().await {
        let Ok(length) = socket.read_u32().await else {
            break;
        };
        let mut body = vec![0; length as usize - 4];
        if socket.read_exact(&mut body).await.is_err() {
            heard.push(format!("half a {}", char::from(tag)));
            break;
        }
        heard.push(format!("{} {}", char::from(tag), body.escape_ascii()));
        if failed && tag != b'S' && tag != b'Q' {
            continue;
        }
        let text = body.escape_ascii().to_string();
        let mut answer = Vec::new();
        let done = |answer: &mut Vec<u8>, tag: &str| message::put(answer, b'C', |body| put_text(body, tag));
        match tag {
            b'Q' if text.contains("copy") => {
                message::put(&mut answer, b'G', |body| body.extend_from_slice(&[0, 0, 1, 0, 0]));
                copying = true;
            }
            b'Q' if text.contains("broken") || text.contains("postern") => {
                put_error(&mut answer);
                message::put_ready(&mut answer, b'I');
            }
            b'Q' => {
                message::put(&mut answer, b'T', |body| {
                    body.extend_from_slice(b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0")
                });
                put_rows(&mut answer);
                done(&mut answer, "SELECT 3");
                message::put_ready(&mut answer, b'I');
            }
            b'c' if copying => {
                copying = false;
                done(&mut answer, "COPY 2");
                message::put_ready(&mut answer, b'I');
            }
            b'P' if text.contains("broken") || text.contains("postern") => {
                put_error(&mut answer);
                failed = true;
            }
            b'P' => message::put(&mut answer, b'1', |_| {}),
            b'B' => message::put(&mut answer, b'2', |_| {}),
            b'D' => message::put(&mut answer, b'n', |_| {}),
            b'E' => {
                put_rows(&mut answer);
                done(&mut answer, "SELECT 3");
            }
            b'C' => message::put(&mut answer, b'3', |_| {}),
            b'S' if !copying => {
                failed = false;
                message::put_ready(&mut answer, b'I');
            }
            _ => {}
        }
        let mut rest = &answer[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(pieces.up_to(piece_max).min(rest.len()));
            if socket.write_all(piece).await.is_err() {
                return heard;
            }
            tokio::task::yield_now().await;
            rest = after;
        }
    }
    heard
}

fn put_text(body: &mut Vec<u8>, text: &str) {
    message::put_text(body, text);
}

fn put_rows(answer: &mut Vec<u8>) {
    for row in [&b"one"[..], &[b'x'; 300], b""] {
        message::put(answer, b'D', |body| {
            body.extend_from_slice(&[0, 1]);
            body.extend_from_slice(&u32::try_from(row.len()).unwrap().to_be_bytes());
            body.extend_from_slice(row);
        });
    }
}

fn put_error(answer: &mut Vec<u8>) {
    message::put(answer, b'E', |body| {
        body.extend_from_slice(b"SERROR\0VERROR\0C42601\0Msyntax error\0\0")
    });
}

/// Everything a client says in these tests, one message after the other.
fn script() -> Vec<u8> {
    let mut bytes = Vec::new();
    let parse = |bytes: &mut Vec<u8>, name: &str, text: &str| message::put_parse(bytes, name, text);
    let run = |bytes: &mut Vec<u8>, name: &str| {
        message::put_bind(bytes, "", name);
        message::put(bytes, b'D', |body| body.extend_from_slice(b"P\0"));
        message::put_execute(bytes, "");
    };
    message::put_query(&mut bytes, "select a from t");
    message::put_query(&mut bytes, "select a from secret");
    parse(&mut bytes, "s", "select a from t where a = 1");
    run(&mut bytes, "s");
    run(&mut bytes, "s");
    message::put(&mut bytes, b'S', |_| {});
    parse(&mut bytes, "", "select a from t");
    run(&mut bytes, "");
    parse(&mut bytes, "", "select a from secret");
    run(&mut bytes, "");
    message::put(&mut bytes, b'S', |_| {});
    message::put_query(&mut bytes, "copy t from stdin");
    for row in [&b"1\n"[..], &[b'7'; 900], b"Q\0\0\0\x05\0"] {
        message::put(&mut bytes, b'd', |body| body.extend_from_slice(row));
    }
    message::put(&mut bytes, b'c', |_| {});
    message::put_query(&mut bytes, "select broken from t");
    message::put_close(&mut bytes, message::Named::Statement, "s");
    run(&mut bytes, "s");
    message::put(&mut bytes, b'S', |_| {});
    message::put_query(&mut bytes, "select a from t");
    bytes
}

/// How often the script is told that the server is ready.
const READY_TIMES: usize = 8;

/// What is left of one run, but for what only time decides: the numbers of records and of
/// catalogues, which are part of a hint too, and where the gateway asked the server to flush.
#[derive(Debug, PartialEq)]
struct Left {
    client: Vec<String>,
    server: Vec<String>,
    records: Vec<String>,
}

/// The messages of a stream, one a line, errors without their hint.
fn messages(mut bytes: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(header) = message::header(bytes).unwrap() {
        let (whole, rest) = bytes.split_at(header.bytes);
        let body = &whole[HEADER_BYTES..];
        let tag = char::from(header.tag);
        messages.push(if tag == 'E' {
            let mut fields = message::notice_fields(body).unwrap();
            fields.retain(|(letter, _)| *letter != b'H');
            format!("{tag} {fields:?}")
        } else {
            format!("{tag} {}", body.escape_ascii())
        });
        bytes = rest;
    }
    messages
}

/// Each record in words, an outcome with the text it is of, in the order of the words.
fn told(records: &[Record]) -> Vec<String> {
    let texts = records.iter().map(|record| (record.number, &*record.text));
    let texts: std::collections::BTreeMap<u64, &str> = texts.collect();
    let tell = |record: &Record| {
        let of = texts.get(&record.of).copied().unwrap_or_default();
        let record = Record {
            number: 0,
            of: 0,
            catalogue_version: 0,
            hint: String::new(),
            ..record.clone()
        };
        format!("{of} {record:?}")
    };
    let mut told: Vec<String> = records.iter().map(tell).collect();
    told.sort();
    told
}

/// Runs the script over pipes of so many bytes, in pieces of at most so many.
fn converse(pipe_bytes: usize, piece_max: usize, seed: u64) -> Left {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async move {
        let mut stage = Stage::new(Limits::default());
        let (client, ours) = duplex(pipe_bytes);
        let (server, theirs) = duplex(pipe_bytes);
        let server = tokio::task::spawn_local(serve(server, Random(seed), piece_max));
        let (mut reader, mut writer) = tokio::io::split(client);
        let hears = tokio::task::spawn_local(async move {
            let (mut heard, mut ready) = (Vec::new(), 0);
            while ready < READY_TIMES {
                let start = heard.len();
                heard.resize(start + 5, 0);
                reader.read_exact(&mut heard[start..]).await.unwrap();
                let length = u32::from_be_bytes(heard[start + 1..].try_into().unwrap());
                heard.resize(start + 1 + length as usize, 0);
                reader.read_exact(&mut heard[start + 5..]).await.unwrap();
                ready += usize::from(heard[start] == b'Z');
            }
            heard
        });
        let says = tokio::task::spawn_local(async move {
            let (script, mut pieces) = (script(), Random(seed + 1));
            let mut rest = &script[..];
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(pieces.up_to(piece_max).min(rest.len()));
                writer.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
                rest = after;
            }
            writer
        });
        let talk = async {
            let mut writer = says.await.unwrap();
            let heard = hears.await.unwrap();
            let mut goodbye = Vec::new();
            message::put(&mut goodbye, b'X', |_| {});
            writer.write_all(&goodbye).await.unwrap();
            heard
        };
        let (finish, heard) = tokio::join!(stage.run(ours, theirs), talk);
        assert!(matches!(finish, Finish::Client), "{finish:?}");
        let Stage {
            dialogue,
            audit,
            folder,
            ..
        } = stage;
        drop(dialogue);
        let mut server = server.await.unwrap();
        server.retain(|heard| heard != "H ");
        Left {
            client: messages(&heard),
            server,
            records: told(&records(&audit, &folder)),
        }
    })
}

#[test]
fn however_the_bytes_are_cut_both_sides_hear_the_same_and_the_record_is_the_same() {
    let whole = converse(1 << 20, 1 << 20, 7);
    let told = |words: &str| {
        whole
            .records
            .iter()
            .filter(|record| record.contains(words))
            .count()
    };
    assert_eq!(told("kind: Refused"), 2, "{:#?}", whole.records);
    assert_eq!(told("kind: Intent"), told("kind: Outcome"));
    let secret = |heard: &String| heard.contains("secret");
    assert!(!whole.server.iter().any(secret), "{:#?}", whole.server);
    let refused = whole.client.iter().filter(|said| said.contains("42501"));
    assert_eq!(refused.count(), 2);
    for (pipe_bytes, piece_max) in [
        (1, 1),
        (2, 3),
        (7, 5),
        (64, 1),
        (64, 200),
        (1 << 16, 2),
        (1 << 16, 700),
    ] {
        for seed in 0..3 {
            let cut = converse(pipe_bytes, piece_max, seed);
            assert_eq!(
                cut, whole,
                "pipes of {pipe_bytes} bytes, pieces of {piece_max}, seed {seed}"
            );
        }
    }
}

/// A relay whose two peers the test holds in its hands.
struct Hands {
    client: DuplexStream,
    server: DuplexStream,
    live: Arc<Live>,
    finish: tokio::task::JoinHandle<(Finish, Vec<Record>)>,
}

/// Runs `test` with pipes of so many bytes to either side.
fn in_hands<F: Future<Output = ()>>(pipe_bytes: usize, limits: Limits, test: impl FnOnce(Hands) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, async move {
        let mut stage = Stage::new(limits);
        let live = stage.session.live().clone();
        let (client, ours) = duplex(pipe_bytes);
        let (server, theirs) = duplex(pipe_bytes);
        let finish = tokio::task::spawn_local(async move {
            let finish = stage.run(ours, theirs).await;
            let Stage {
                dialogue,
                audit,
                folder,
                ..
            } = stage;
            drop(dialogue);
            (finish, records(&audit, &folder))
        });
        test(Hands {
            client,
            server,
            live,
            finish,
        })
        .await;
    });
}

/// Reads until nobody moves any more, and gives what came.
async fn read_all_that_comes(socket: &mut DuplexStream) -> Vec<u8> {
    let mut heard = Vec::new();
    // The clock moves only when everybody waits, so this is not a guess.
    let quiet = Duration::from_millis(1);
    while let Ok(Ok(read)) = tokio::time::timeout(quiet, socket.read_buf(&mut heard)).await {
        if read == 0 {
            break;
        }
    }
    heard
}

/// Writes until the other side takes no more; gives how much it took.
async fn write_until_full(socket: &mut DuplexStream, bytes: &[u8]) -> usize {
    let mut taken = 0;
    while taken < bytes.len() {
        let quiet = Duration::from_millis(1);
        match tokio::time::timeout(quiet, socket.write(&bytes[taken..])).await {
            Ok(Ok(written)) => taken += written,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    taken
}

/// A moment of a session: what the client and the server have said in turns, and what the client hears if
/// the session is ended then.
struct Moment {
    name: &'static str,
    client: Vec<u8>,
    server: Vec<u8>,
    client_later: Vec<u8>,
    /// The stream stands between two messages, so the reason can be told.
    told: bool,
}

fn message_of(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::put(&mut bytes, tag, |buffer| buffer.extend_from_slice(body));
    bytes
}

fn query(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    message::put_query(&mut bytes, text);
    bytes
}

fn moments() -> Vec<Moment> {
    let moment = |name, client: &[u8], server: &[u8], client_later: &[u8], told| Moment {
        name,
        client: client.to_vec(),
        server: server.to_vec(),
        client_later: client_later.to_vec(),
        told,
    };
    let select = query("select a from t");
    let row = message_of(b'D', &[0, 1, 0, 0, 0, 3, b'o', b'n', b'e']);
    let copy = query("copy t from stdin");
    let copying = message_of(b'G', &[0, 0, 1, 0, 0]);
    let mut parse = Vec::new();
    message::put_parse(&mut parse, "s", "select a from t");
    vec![
        moment("idle", b"", b"", b"", true),
        moment("half a message of the client", &select[..7], b"", b"", true),
        moment("a query without an answer", &select, b"", b"", true),
        moment("between two rows", &select, &row, b"", true),
        moment("in a row", &select, &row[..8], b"", false),
        moment("in a COPY", &copy, &copying, &message_of(b'd', b"1\n"), true),
        moment(
            "in a piece of a COPY",
            &copy,
            &copying,
            &message_of(b'd', b"1234\n")[..6],
            true,
        ),
        moment("in a pipeline without Sync", &parse, b"", b"", true),
        moment(
            "in a failed pipeline",
            &parse,
            &message_of(b'E', b"SERROR\0C42601\0\0"),
            b"",
            true,
        ),
    ]
}

#[test]
fn an_order_to_stop_is_obeyed_in_every_state_and_nothing_goes_to_the_server_after_it() {
    for moment in moments() {
        for pipe_bytes in [1, 16, 1 << 16] {
            in_hands(pipe_bytes, Limits::default(), async |mut hands: Hands| {
                let name = moment.name;
                write_until_full(&mut hands.client, &moment.client).await;
                read_all_that_comes(&mut hands.server).await;
                write_until_full(&mut hands.server, &moment.server).await;
                let mut heard = read_all_that_comes(&mut hands.client).await;
                write_until_full(&mut hands.client, &moment.client_later).await;
                read_all_that_comes(&mut hands.server).await;
                hands.live.end(Ended::Revoked);
                heard.extend(read_all_that_comes(&mut hands.client).await);
                write_until_full(&mut hands.client, &query("select a from t")).await;
                assert_eq!(read_all_that_comes(&mut hands.server).await, b"", "{name}");
                let (finish, records) = hands.finish.await.unwrap();
                assert!(
                    matches!(finish, Finish::Ended(Ended::Revoked)),
                    "{name}: {finish:?}"
                );
                let told = heard.windows(5).any(|window| window == b"57P01");
                assert_eq!(told, moment.told, "{name}: {}", heard.escape_ascii());
                let count = |kind: Kind| records.iter().filter(|record| record.kind() == kind).count();
                assert_eq!(count(Kind::Intent), count(Kind::Outcome), "{name}");
            });
        }
    }
}

#[test]
fn a_client_that_hears_nothing_any_more_delays_the_end_by_no_more_than_goodbye_timeout() {
    let limits = Limits::default();
    let goodbye = Duration::from_millis(limits.goodbye_timeout_ms);
    in_hands(1, limits, async |mut hands: Hands| {
        write_until_full(&mut hands.client, &query("select a from t")).await;
        read_all_that_comes(&mut hands.server).await;
        let mut rows = Vec::new();
        put_rows(&mut rows);
        write_until_full(&mut hands.server, &rows).await;
        let ended = Instant::now();
        hands.live.end(Ended::Revoked);
        let (finish, _) = hands.finish.await.unwrap();
        assert!(matches!(finish, Finish::Ended(Ended::Revoked)));
        assert!(ended.elapsed() <= goodbye + Duration::from_millis(2));
    });
}

#[test]
fn who_does_not_read_is_sent_only_so_much_and_gets_everything_once_it_reads() {
    in_hands(64, Limits::default(), async |mut hands: Hands| {
        write_until_full(&mut hands.client, &query("select a from t")).await;
        read_all_that_comes(&mut hands.server).await;
        let row = message_of(b'D', &[&[0, 1, 0, 0, 0x20, 0][..], &[b'x'; 0x2000]].concat());
        let rows: Vec<u8> = row.iter().copied().cycle().take(row.len() * 200).collect();
        let taken = write_until_full(&mut hands.server, &rows).await;
        assert!(taken < 128 * 1024, "{taken} bytes lie in the gateway");
        // The other direction is not held up by it.
        let more = query("select a from t");
        assert_eq!(write_until_full(&mut hands.client, &more).await, more.len());
        assert_eq!(read_all_that_comes(&mut hands.server).await, more);
        let rest = rows[taken..].to_vec();
        let mut heard = Vec::new();
        let mut server = hands.server;
        let writes = async {
            server.write_all(&rest).await.unwrap();
            server
        };
        let reads = async {
            while heard.len() < rows.len() {
                assert!(hands.client.read_buf(&mut heard).await.unwrap() > 0);
            }
        };
        let (_server, ()) = tokio::join!(writes, reads);
        assert!(heard == rows, "the rows came as they were sent");
        drop(hands.client);
        hands.finish.await.unwrap();
    });
}

#[test]
fn a_client_that_pipelines_without_reading_is_read_only_so_far() {
    in_hands(64, Limits::default(), async |mut hands: Hands| {
        let one = query("select a from t");
        let many: Vec<u8> = one.iter().copied().cycle().take(one.len() * 50_000).collect();
        let taken = write_until_full(&mut hands.client, &many).await;
        assert!(
            taken < 256 * 1024,
            "{taken} of {} bytes lie in the gateway",
            many.len()
        );
        drop(hands.client);
        drop(hands.server);
        let (_, records) = hands.finish.await.unwrap();
        let abandoned = records.iter().filter(|record| record.kind() == Kind::Outcome);
        assert!(abandoned.count() <= Limits::default().unanswered_max);
    });
}

#[test]
fn whichever_side_closes_wherever_the_session_ends_and_every_intent_has_its_outcome() {
    let script = script();
    for cut in (0..script.len()).step_by(23) {
        in_hands(1 << 16, Limits::default(), async |mut hands: Hands| {
            let server = tokio::task::spawn_local(serve(hands.server, Random(3), 50));
            hands.client.write_all(&script[..cut]).await.unwrap();
            hands.client.shutdown().await.unwrap();
            let (finish, records) = hands.finish.await.unwrap();
            assert!(matches!(finish, Finish::Client), "{cut}: {finish:?}");
            let count = |kind: Kind| records.iter().filter(|record| record.kind() == kind).count();
            assert_eq!(count(Kind::Intent), count(Kind::Outcome), "{cut}");
            let heard = server.await.unwrap();
            assert!(!heard.iter().any(|heard| heard.contains("secret")), "{cut}");
        });
    }
    let mut answer = Vec::new();
    put_rows(&mut answer);
    for cut in (0..answer.len()).step_by(5) {
        in_hands(1 << 16, Limits::default(), async |mut hands: Hands| {
            hands.client.write_all(&query("select a from t")).await.unwrap();
            read_all_that_comes(&mut hands.server).await;
            hands.server.write_all(&answer[..cut]).await.unwrap();
            drop(hands.server);
            let (finish, records) = hands.finish.await.unwrap();
            assert!(matches!(finish, Finish::Server), "{cut}: {finish:?}");
            assert_eq!(records.last().unwrap().kind(), Kind::Outcome, "{cut}");
            let mut heard = Vec::new();
            hands.client.read_to_end(&mut heard).await.unwrap();
            assert!(answer.starts_with(&heard), "{cut}: only what the server said");
        });
    }
}
