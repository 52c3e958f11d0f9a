//! Floods: what somebody sends without end is counted, bounded, and told to the last one.

use postern_tests::raw::{Raw, error, message, query, tags};
use postern_tests::{Planes, Wishes, World, between, field};
use serde_json::Value;

use super::full_disk::resident_bytes;

/// Of all sessions together.
const REFUSALS: usize = 1_000_000;
const SESSIONS: usize = 4;
const AT_ONCE: usize = 500;
const RECORDED_PER_MINUTE_MAX: usize = 50;

#[test]
fn a_million_refusals_take_bounded_room_and_are_counted_to_the_last() {
    let of_each = REFUSALS / SESSIONS;
    let world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: format!("refusals_recorded_per_minute_max: {RECORDED_PER_MINUTE_MAX}"),
        ..Wishes::default()
    });
    let token = world.token("report", &[]);
    let begun = std::time::Instant::now();
    let logins = (0..SESSIONS).map(|_| Raw::log_in(&world, &token));
    let mut sessions = world.block_on(futures_util::future::join_all(logins));
    let mut memory = 0;
    for round in 0..of_each / AT_ONCE {
        world.block_on(futures_util::future::join_all(sessions.iter_mut().map(flood)));
        // By then it has taken what it takes to refuse at all.
        if round == 4 {
            memory = resident_bytes(world.pid());
        }
    }
    let grown = resident_bytes(world.pid()).saturating_sub(memory);
    drop(sessions);
    let minutes = usize::try_from(begun.elapsed().as_secs() / 60).unwrap() + 1;
    eprintln!(
        "{} refusals in {:?}; it grew by {grown} bytes",
        of_each * SESSIONS,
        begun.elapsed()
    );
    assert!(grown < 16 << 20, "{grown} bytes");
    let of_kind = |records: &[Value], kind: &str| -> Vec<Value> {
        let fits = |record: &&Value| field(record, "kind") == kind;
        records.iter().filter(fits).cloned().collect()
    };
    world.until("the sessions' ends are recorded", || {
        of_kind(&world.records("workload=report"), "session_ended").len() == SESSIONS
    });
    let records = world.records("workload=report");
    let (one_by_one, counted) = (of_kind(&records, "refused"), of_kind(&records, "refused_counted"));
    let sum: u64 = counted
        .iter()
        .filter_map(|record| record.get("count").and_then(Value::as_u64))
        .sum();
    let told = one_by_one.len() + usize::try_from(sum).unwrap();
    assert_eq!(
        told,
        of_each * SESSIONS,
        "each refusal is recorded or counted, once"
    );
    assert!(one_by_one.len() <= SESSIONS * minutes * RECORDED_PER_MINUTE_MAX);
    assert!(counted.len() <= SESSIONS * minutes, "{}", counted.len());
    assert!(
        !world.server_log().iter().any(|line| line.contains("flooded")),
        "one was sent on"
    );
}

/// Asks many times for what is refused before it reads an answer.
async fn flood(raw: &mut Raw) {
    let batch = query("select ssn as flooded from customers").repeat(AT_ONCE);
    raw.send(&[batch]).await;
    for _ in 0..AT_ONCE {
        let heard = raw.until_ready().await;
        assert_eq!(
            (tags(&heard).as_str(), error(&heard, 'C').as_str()),
            ("EZ", "42501")
        );
    }
}

/// What the server knows of the gateway, in everything that comes by itself.
fn storm(said: &[u8]) -> Vec<u8> {
    if !said.windows(5).any(|piece| piece == b"storm") {
        return Vec::new();
    }
    let secrets =
        "secret-of-shop_gateway and postgres://shop_writer:secret-of-shop_writer@db, secret-of-shop_owner";
    let fields = |severity: &str| {
        format!(
            "S{severity}\0V{severity}\0C{SECRET}\0M{secrets} rains\0D{secrets}\0H{secrets}\0W{secrets}\0\
             s{secrets}\0t{secrets}\0R{secrets}\0\0"
        )
    };
    let told = [
        message('N', fields("NOTICE").as_bytes()),
        message('S', format!("TimeZone\0{secrets}\0").as_bytes()),
        message('S', format!("{SECRET}\0on\0").as_bytes()),
        message('A', format!("\0\0\0\x01{SECRET}\0{secrets}\0").as_bytes()),
    ];
    let mut rain = told.concat().repeat(2_000);
    if said.windows(9).any(|piece| piece == b"thunder_s") {
        rain.extend(message('E', fields("ERROR").as_bytes()));
    }
    if said.windows(9).any(|piece| piece == b"hailing_s") {
        rain.extend(message('C', format!("SELECT 1 {SECRET}\0").as_bytes()));
    }
    rain
}

const SECRET: &str = "secret-of-shop_owner";

#[test]
fn a_target_that_rains_the_gateways_secrets_wets_no_client_no_log_and_no_record() {
    let world = between::start(storm);
    let token = world.token("all", &[]);
    world.block_on(async {
        let mut raw = Raw::log_in(&world, &token).await;
        let memory = resident_bytes(world.pid());
        let mut heard = Vec::new();
        for statement in [
            "select 1 as storm",
            "select 1 as thunder_storm",
            "select 2 as storm",
        ] {
            heard.extend(raw.query(statement).await);
        }
        let notices = heard.iter().filter(|(tag, _)| *tag == 'N').count();
        assert_eq!(notices, 6_000, "what else a notice says still comes");
        assert!(heard.iter().any(|(tag, _)| *tag == 'E'), "{}", tags(&heard));
        raw.send(&[query("select 1 as hailing_storm")]).await;
        while let Some(message) = raw.try_receive().await {
            heard.push(message);
        }
        for (tag, body) in &heard {
            let shown = body.windows(9).any(|piece| piece == b"secret-of");
            assert!(!shown, "{tag}: {body:?}");
        }
        assert!(
            heard
                .iter()
                .any(|(_, body)| body.windows(5).any(|piece| piece == b"rains"))
        );
        let grown = resident_bytes(world.pid()).saturating_sub(memory);
        assert!(grown < 16 << 20, "{grown} bytes");
    });
    world.until_recorded("the last one", |record| {
        field(record, "text").contains("hailing_storm") && record.pointer("/outcome/status").is_some()
    });
    let records = world.stored_records();
    assert!(!format!("{records:?}").contains("secret-of"), "a record holds it");
    let log = std::fs::read_to_string(world.folder.join("log")).unwrap();
    assert!(!log.contains("secret-of"), "the log holds it");
    let told = log
        .lines()
        .filter(|line| line.contains("says a password of this gateway"));
    assert_eq!(told.count(), 1, "the operator is told, once a session");
}
