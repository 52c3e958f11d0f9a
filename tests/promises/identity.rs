//! Who is calling: every kind of evidence, its bad twins, and what each hears in stock psql.

use std::time::{Duration, SystemTime};

use postern::dev::authority::spiffe_id;
use postern_tests::raw::{PROTOCOL_3_0, Raw, error, tags};
use postern_tests::{Login, Wishes, World, claim};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn said(token: &str) -> String {
    World::shared()
        .psql(Login::Token(token), "select count(id) from customers")
        .succeeded()
}

#[track_caller]
fn turned_away(changed: &[(&str, Value)], words: &str) {
    let world = World::shared();
    let token = world.token("report", changed);
    world.psql(Login::Token(&token), "select 1").turned_away(words);
}

#[test]
fn a_token_of_the_ci_system_is_enough() {
    assert_eq!(said(&World::shared().token("report", &[])).trim(), "100");
}

#[test]
fn both_forms_of_the_subject_are_the_same_workload() {
    let token = World::shared().token(
        "report",
        &[("sub", claim("repo:acme@42/report@1002:ref:refs/heads/main"))],
    );
    assert_eq!(said(&token).trim(), "100");
}

#[test]
fn a_certificate_of_the_trust_domain_is_enough() {
    let world = World::shared();
    let (certificate, key) = world.certificate("report");
    let heard = world.psql(
        Login::Certificate(&certificate, &key),
        "select count(id) from customers",
    );
    assert_eq!(heard.succeeded().trim(), "100");
}

#[test]
fn a_certificate_of_another_authority_is_refused_in_words() {
    let world = World::shared();
    let other = postern::dev::authority::Authority::new("another").unwrap();
    let pair = other.svid(&postern::dev::authority::spiffe_id("report")).unwrap();
    let (certificate, key) = world.write_pair(&pair);
    world
        .psql(Login::Certificate(&certificate, &key), "select 1")
        .turned_away("certificate");
}

#[test]
fn a_certificate_nobody_registered_is_refused() {
    let world = World::shared();
    let (certificate, key) = world.certificate("nobody");
    world
        .psql(Login::Certificate(&certificate, &key), "select 1")
        .turned_away("FATAL");
}

#[test]
fn a_token_for_another_audience_is_refused() {
    turned_away(&[("aud", claim("https://github.com/acme"))], "audience");
}

#[test]
fn an_expired_token_is_refused() {
    turned_away(&[("exp", claim(1_700_000_000))], "expired");
}

#[test]
fn an_expiry_that_is_no_number_is_refused() {
    turned_away(&[("exp", claim("tomorrow"))], "FATAL");
}

#[test]
fn a_token_of_another_repository_is_refused() {
    turned_away(&[("repository_id", claim("666"))], "FATAL");
}

#[test]
fn the_repositorys_id_as_a_number_is_another_value() {
    turned_away(&[("repository_id", claim(1002))], "FATAL");
}

#[test]
fn forks_and_their_events_are_refused_unless_named() {
    for event in ["pull_request", "pull_request_target", "workflow_run"] {
        turned_away(&[("event_name", claim(event))], "FATAL");
    }
}

#[test]
fn a_token_nobody_signed_is_refused() {
    let world = World::shared();
    let token = world.token("report", &[]);
    let (text, _) = token.rsplit_once('.').unwrap();
    for forged in [
        format!("{text}."),
        format!("{text}.AAAA"),
        text.to_owned(),
        "hello".to_owned(),
        String::from(" "),
    ] {
        world.psql(Login::Token(&forged), "select 1").turned_away("FATAL");
    }
}

#[test]
fn a_plaintext_startup_is_refused_before_any_name_is_read() {
    let world = World::shared();
    let heard = world.psql_with(Login::Token("x"), &[("PGSSLMODE", "disable")], "select 1");
    heard.turned_away("connections without TLS are refused");
}

#[test]
fn bytes_sent_ahead_of_tls_are_never_interpreted() {
    let world = World::shared();
    world.block_on(async {
        let mut socket = TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        let startup = b"\0\0\0\x17\0\x03\0\0user\0postern\0\0\0\0\0";
        let ahead = [&[0, 0, 0, 8, 4, 210, 22, 47][..], startup, b"Q\0\0\0\rselect 1\0"].concat();
        socket.write_all(&ahead).await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert_eq!(answer.first(), Some(&b'S'));
        assert!(!answer.contains(&b'Z'), "{answer:?}");
    });
}

#[test]
fn direct_tls_works_with_its_protocol_name_and_only_with_it() {
    let world = World::shared();
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::direct(world, Login::Token(&token), &[b"postgresql"]).await;
        raw.start(PROTOCOL_3_0, &[("user", "postern")]).await;
        assert_eq!(raw.receive().await.0, 'R');
        raw.password(&token).await;
        assert!(tags(&raw.until_ready().await).ends_with("KZ"));
        // Whoever names no protocol, or another, is taken for an HTTP client and hears no PostgreSQL.
        for names in [&[][..], &[&b"http/1.1"[..]]] {
            let mut raw = Raw::direct(world, Login::Token(&token), names).await;
            raw.start(PROTOCOL_3_0, &[("user", "postern")]).await;
            assert!(raw.try_receive().await.is_none_or(|(tag, _)| tag == 'H'));
        }
    });
}

#[test]
fn a_version_of_the_future_is_negotiated_down() {
    let world = World::shared();
    let token = world.token("report", &[]);
    world.block_on(async {
        for (asked, negotiated) in [(9999_u32, Some(2_u8)), (2, None), (0, None)] {
            let mut raw = Raw::secure(world, Login::Token(&token)).await;
            let parameters = [("user", "postern"), ("_pq_.test_protocol_negotiation", "")];
            let parameters = if negotiated.is_some() {
                &parameters[..]
            } else {
                &parameters[..1]
            };
            raw.start((3 << 16) | asked, parameters).await;
            let (mut tag, body) = raw.receive().await;
            if let Some(minor) = negotiated {
                assert_eq!((tag, &body[..4]), ('v', &[0, 3, 0, minor][..]));
                assert!(body.ends_with(b"_pq_.test_protocol_negotiation\0"));
                tag = raw.receive().await.0;
            }
            assert_eq!(tag, 'R');
            raw.password(&token).await;
            let heard = raw.until_ready().await;
            let key = &heard.iter().find(|(tag, _)| *tag == 'K').unwrap().1;
            assert_eq!(key.len(), if asked >= 2 { 4 + 32 } else { 4 + 4 });
        }
    });
}

#[test]
fn startup_packets_of_lying_lengths_are_refused() {
    let world = World::shared();
    world.block_on(async {
        for length in [0_u32, 3, 7, 10_001, u32::MAX, 1 << 31] {
            let mut raw = Raw::secure(world, Login::Token("x")).await;
            raw.send_bytes(&[&length.to_be_bytes()[..], &[0, 3, 0, 0]].concat())
                .await;
            let heard = [raw.receive().await];
            assert_eq!(error(&heard, 'C'), "08P01", "length {length}");
        }
    });
}

#[test]
fn replication_and_other_encodings_are_refused_at_startup() {
    let world = World::shared();
    world.block_on(async {
        for (name, value, code) in [
            ("replication", "database", "0A000"),
            ("client_encoding", "SJIS", "0A000"),
            ("options", "--", "08P01"),
        ] {
            let mut raw = Raw::secure(world, Login::Token("x")).await;
            raw.start(PROTOCOL_3_0, &[("user", "postern"), (name, value)])
                .await;
            assert_eq!(error(&[raw.receive().await], 'C'), code, "{name}={value}");
        }
    });
}

#[test]
fn the_user_name_is_a_wish_and_not_an_identity() {
    let world = World::shared();
    let token = world.token("report", &[]);
    let ask = |user: &str| world.psql_with(Login::Token(&token), &[("PGUSER", user)], "select current_user");
    for user in ["postern", "-", "report", "shop_reader"] {
        assert_eq!(ask(user).succeeded().trim(), "shop_reader", "as {user}");
    }
    for user in ["shop_owner", "postgres", "SHOP_READER", "shop_reader "] {
        ask(user).turned_away("may not log in");
    }
}

#[test]
fn a_role_that_reaches_past_policy_is_not_assumed() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    let heard = world.psql_with(Login::Token(&token), &[("PGUSER", "shop_super")], "select 1");
    heard.turned_away("too strong");
}

#[test]
fn the_target_is_found_by_server_name_database_or_option() {
    let world = World::shared();
    let token = world.token("report", &[]);
    for variables in [
        vec![("PGDATABASE", "shop")],
        vec![("PGDATABASE", "postern")],
        vec![("PGOPTIONS", "-c postern.target=shop")],
    ] {
        world
            .psql_with(Login::Token(&token), &variables, "select 1")
            .succeeded();
    }
    world
        .psql_with(Login::Token(&token), &[("PGDATABASE", "template1")], "select 1")
        .turned_away("no database");
    let elsewhere = [("PGOPTIONS", "-c postern.target=elsewhere")];
    world
        .psql_with(Login::Token(&token), &elsewhere, "select 1")
        .turned_away("no target");
}

#[test]
fn strangers_are_counted_and_never_named_by_what_they_sent() {
    let world = World::shared();
    let token = world.token("report", &[("aud", claim("https://elsewhere.example"))]);
    world.psql(Login::Token(&token), "select 1").turned_away("FATAL");
    let record = world.until_recorded("a counted stranger", |record| {
        postern_tests::field(record, "kind") == "strangers"
    });
    assert!(!record.to_string().contains("elsewhere"));
}

/// Seconds that an evidence of these tests is still good for.
const SOON_SECONDS: u64 = 4;

fn soon() -> u64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    now.as_secs() + SOON_SECONDS
}

#[test]
fn a_session_ends_with_its_evidence_and_the_grace_its_issuer_and_workload_leave() {
    let world = World::start(&Wishes::default());
    // GitHub's jobs outlive their tokens by the preset's hour, unless the workload says less.
    let short = world.resources().replace(
        "name: report\nowner: team@shop.example",
        "name: report\ngrace_seconds_max: 0\nowner: team@shop.example",
    );
    world.change("resources.yaml", &short);
    let id = rcgen::SanType::URI(spiffe_id("migrate").try_into().unwrap());
    let brief = world
        .trust
        .issue(vec![id], Duration::from_secs(SOON_SECONDS), |_| {});
    let (certificate, key) = world.write_pair(&brief.unwrap());
    let without_grace = world.token("report", &[("exp", claim(soon()))]);
    let with_grace = world.token("writer", &[("exp", claim(soon()))]);
    world.block_on(async {
        let mut by_certificate = Raw::secure(&world, Login::Certificate(&certificate, &key)).await;
        by_certificate
            .start(
                PROTOCOL_3_0,
                &[("user", "postern"), ("database", &world.database)],
            )
            .await;
        by_certificate.until_ready().await;
        let mut by_token = Raw::log_in(&world, &without_grace).await;
        let mut graceful = Raw::log_in(&world, &with_grace).await;
        for ended in [&mut by_certificate, &mut by_token] {
            let fatal = ended.until_closed().await;
            let fatal = fatal.escape_ascii().to_string();
            assert!(fatal.contains("57P01"), "{fatal}");
        }
        assert_eq!(tags(&graceful.query("select 1").await), "TDCZ");
    });
}

#[test]
fn a_session_ends_when_its_workload_expires() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        let until = jiff::Timestamp::from_second(i64::try_from(soon()).unwrap()).unwrap();
        let text = world.resources();
        let report = text.find("name: report").unwrap();
        let (before, after) = text.split_at(report);
        let after = after.replacen("2099-01-01T00:00:00Z", &until.to_string(), 1);
        world.change("resources.yaml", &format!("{before}{after}"));
        assert_eq!(tags(&raw.query("select 1").await), "TDCZ");
        let fatal = raw.until_closed().await;
        let fatal = fatal.escape_ascii().to_string();
        assert!(fatal.contains("57P01"), "{fatal}");
    });
    world
        .psql(Login::Token(&token), "select 1")
        .turned_away("has expired");
}

#[test]
fn what_a_client_asks_for_at_startup_goes_by_the_same_list_as_set() {
    let world = World::shared();
    let token = world.token("report", &[]);
    let asked = [("PGOPTIONS", "-c statement_timeout=7s -c timezone=Asia/Tokyo")];
    let shown = "show statement_timeout; show timezone";
    let heard = world.psql_with(Login::Token(&token), &asked, shown).succeeded();
    assert_eq!(heard, "7s\nAsia/Tokyo\n");
    for unlisted in [
        "-c log_statement=none",
        "-c session_replication_role=replica",
        "-c app.tenant=7",
    ] {
        world
            .psql_with(Login::Token(&token), &[("PGOPTIONS", unlisted)], "select 1")
            .turned_away("may not set");
    }
}

#[test]
fn the_client_is_told_the_settings_that_its_own_startup_has_left_and_the_next_one_is_not() {
    let world = World::shared();
    let token = world.token("writer", &[]);
    let told = |settings: &[(&str, &str)]| -> Vec<String> {
        let place = [("user", "postern"), ("database", &world.database)];
        world.block_on(async {
            let mut raw = Raw::secure(world, Login::Token(&token)).await;
            raw.start(PROTOCOL_3_0, &[&place, settings].concat()).await;
            assert_eq!(raw.receive().await.0, 'R');
            raw.password(&token).await;
            let zones = raw.until_ready().await.into_iter().filter_map(|(tag, body)| {
                let body = String::from_utf8(body).ok()?;
                (tag == 'S').then(|| body.strip_prefix("TimeZone\0").map(str::to_owned))?
            });
            zones.collect()
        })
    };
    let before = told(&[]);
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(told(&[("TimeZone", "Asia/Tokyo")]), ["Asia/Tokyo\0"]);
    assert_eq!(told(&[]), before);
}
