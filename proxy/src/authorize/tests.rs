//! What is remembered stays within its limits.

use super::*;
use crate::audit::spool::{Room, Spool};
use crate::config::Durability;

fn authorizer(folder: &std::path::Path, limits: &Limits) -> Authorizer {
    let room = Room {
        spool_bytes_max: 1 << 20,
        file_bytes_max: 1 << 20,
        record_bytes_max: 1 << 10,
        durability: Durability::Process,
    };
    let spool = Spool::open(folder, 0, 1, room, &Arc::default(), |_, _| Vec::new());
    let audit = Rc::new(Audit::new(spool.unwrap().0, "test"));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &[0; 32]);
    Authorizer::new(audit, key, limits)
}

fn remembered(limits: &Limits, texts: usize) -> (usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let authorizer = authorizer(folder.path(), limits);
    let reading = authorizer.reading(&Arc::default(), Vec::new(), "role", true);
    let facts = ViewFacts {
        policy_epoch: 1,
        workload: "report".into(),
        segments: Vec::new(),
        target: "shop".into(),
        database: "shop".into(),
        role: "role".into(),
        source: IpAddr::from([192, 0, 2, 1]),
        evidence: "token",
        run: None,
    };
    let rules = Rules::load(postern_link::snapshot::Snapshot::default()).unwrap();
    let slice = |facts: &ViewFacts| rules.policies.slice(&facts.workload, &facts.segments);
    let view = authorizer.view(facts, slice, false);
    for number in 0..texts {
        authorizer.judge(&view, &reading, &format!("select {number}"));
    }
    let judged = authorizer.judged.borrow();
    (judged.len(), judged.weight())
}

#[test]
fn only_so_many_judged_statements_are_remembered() {
    let limits = Limits {
        judged_cached_max: 20,
        ..Limits::default()
    };
    let (count, _) = remembered(&limits, 200);
    assert!((10..=20).contains(&count), "{count}");
}

#[test]
fn only_so_many_bytes_of_judged_statements_are_remembered() {
    let limits = Limits {
        judged_cached_bytes_max: 10_000,
        ..Limits::default()
    };
    let (count, bytes) = remembered(&limits, 200);
    assert!(
        bytes <= 10_000 && (5..20).contains(&count),
        "{count} with {bytes} bytes"
    );
}
