//! What is remembered: by what it hangs on, and within its limits.

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

fn view(authorizer: &Authorizer, policy_epoch: u64) -> Rc<View> {
    view_of("report", authorizer, policy_epoch)
}

fn view_of(workload: &str, authorizer: &Authorizer, policy_epoch: u64) -> Rc<View> {
    let facts = ViewFacts {
        policy_epoch,
        workload: workload.into(),
        segments: Vec::new(),
        target: "shop".into(),
        database: "shop".into(),
        role: "role".into(),
        source: IpAddr::from([192, 0, 2, 1]),
        evidence: "token",
        run: None,
    };
    let rules = Rules::load(postern_link::snapshot::Snapshot::default()).unwrap();
    let slice = |facts: &ViewFacts| rules.slices(&facts.workload, &facts.segments);
    authorizer.view(facts, slice, false)
}

fn remembered(limits: &Limits, texts: usize) -> (usize, u64) {
    let folder = tempfile::tempdir().unwrap();
    let authorizer = authorizer(folder.path(), limits);
    let reading = authorizer.reading(&Arc::default(), Vec::new(), "role", true);
    let view = view(&authorizer, 1);
    for number in 0..texts {
        authorizer.judge(&view, &reading, &format!("select {number}"), &[]);
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

#[test]
fn texts_that_ask_for_the_same_share_the_answer_and_no_others_do() {
    let folder = tempfile::tempdir().unwrap();
    let authorizer = authorizer(folder.path(), &Limits::default());
    let reading = authorizer.reading(&Arc::default(), Vec::new(), "role", true);
    let (today, tomorrow) = (view(&authorizer, 1), view(&authorizer, 2));
    let judge = |view: &View, text| authorizer.judge(view, &reading, text, &[]);
    let first = judge(&today, "select a from t where b = 1");
    let shares = |view, text| Rc::ptr_eq(&first.answered, &judge(view, text).answered);
    assert!(shares(&today, "select a from t where b = 2"));
    assert!(!shares(&tomorrow, "select a from t where b = 1"));
    for other in [
        "select c from t where b = 1",
        "select a from u where b = 1",
        "update t set a = 1 where b = 1",
        "select a from t where b = 1 for update",
        "select a from t where b = 1; select c from t",
        "select a from t where b = ",
    ] {
        assert!(!shares(&today, other), "{other}");
    }
}

#[test]
fn a_filter_and_a_setting_are_part_of_what_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let authorizer = authorizer(folder.path(), &Limits::default());
    let reading = authorizer.reading(&Arc::default(), Vec::new(), "role", true);
    let view = view(&authorizer, 1);
    for (one, other) in [
        ("delete from t where a = 1", "delete from t"),
        ("set timezone = 'UTC'", "set timezone = 'Asia/Tokyo'"),
        ("set timezone = 'UTC'", "reset timezone"),
        ("lock t in share mode", "lock t in access share mode"),
    ] {
        let one = authorizer.judge(&view, &reading, one, &[]);
        let other = authorizer.judge(&view, &reading, other, &[]);
        assert!(!Rc::ptr_eq(&one.answered, &other.answered), "{}", one.text());
    }
}

#[test]
fn only_so_many_views_are_kept_for_who_comes_next_and_none_of_an_older_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        views_kept_max: 20,
        ..Limits::default()
    };
    let authorizer = authorizer(folder.path(), &limits);
    let first = Rc::downgrade(&view(&authorizer, 1));
    assert!(Rc::ptr_eq(&first.upgrade().unwrap(), &view(&authorizer, 1)));
    let views: Vec<Weak<View>> = (0..200)
        .map(|number| Rc::downgrade(&view_of(&format!("workload-{number}"), &authorizer, 1)))
        .collect();
    let kept = views.iter().filter(|view| view.strong_count() > 0).count();
    assert!((10..=20).contains(&kept), "{kept}");
    view(&authorizer, 2);
    assert!(views.iter().all(|view| view.strong_count() == 0));
    assert!(first.upgrade().is_none());
}
