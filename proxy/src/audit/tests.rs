use std::sync::Arc;
use std::task::Wake;

use super::*;

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

fn audit(folder: &std::path::Path, durability: Durability) -> Rc<Audit> {
    let room = spool::Room {
        spool_bytes_max: 1024 * 1024,
        file_bytes_max: 4 * 1024,
        record_bytes_max: 2 * 1024,
        durability,
    };
    let grown = Arc::new(tokio::sync::Notify::new());
    let (spool, _) = Spool::open(folder, 0, 1, room, &grown, |_, _| Vec::new()).unwrap();
    Rc::new(Audit::new(spool, "test"))
}

fn durable(entry: &Entry) -> Poll<Result<(), Error>> {
    let waker = Waker::from(Arc::new(Nobody));
    entry
        .audit
        .poll_durable(entry.number(), &Context::from_waker(&waker))
}

#[test]
fn in_disk_durability_nothing_is_sent_before_its_record_is_synced() {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit(folder.path(), Durability::Disk);
    let entry = audit.intent([0; 16], &[]).unwrap();
    assert!(durable(&entry).is_pending());
    let (files, number) = audit.unsynced().unwrap().unwrap();
    assert!(!files.is_empty() && number == entry.number());
    let later = audit.intent([0; 16], &[]).unwrap();
    audit.synced(number);
    assert!(matches!(durable(&entry), Poll::Ready(Ok(()))));
    assert!(
        durable(&later).is_pending(),
        "it was written after the sync began"
    );
}

#[test]
fn in_process_durability_the_intents_of_one_wake_up_are_written_together_before_any_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit(folder.path(), Durability::Process);
    let entries: Vec<Entry> = (0..3).map(|_| audit.intent([0; 16], &[]).unwrap()).collect();
    for entry in &entries {
        assert!(durable(entry).is_pending());
    }
    assert!(audit.is_pending());
    assert!(matches!(durable(&entries[0]), Poll::Ready(Ok(()))));
    assert!(!audit.is_pending());
    for entry in &entries {
        assert!(matches!(durable(entry), Poll::Ready(Ok(()))));
    }
}

#[test]
fn who_is_always_alone_hardly_waits_for_company() {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit(folder.path(), Durability::Process);
    let waited = (0..10 * UNSHARED_MAX).filter(|_| {
        let entry = audit.intent([0; 16], &[]).unwrap();
        let waited = durable(&entry).is_pending();
        assert!(!waited || matches!(durable(&entry), Poll::Ready(Ok(()))));
        assert!(!audit.is_pending());
        waited
    });
    let waited = waited.count();
    assert!((10..=30).contains(&waited), "{waited}");
}

#[test]
fn a_full_file_and_the_name_of_the_next_are_synced_with_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit(folder.path(), Durability::Disk);
    let filler = vec![0; 1500];
    let entries: Vec<Entry> = (0..4)
        .map(|_| audit.intent([0; 16], &[&filler]).unwrap())
        .collect();
    let (files, number) = audit.unsynced().unwrap().unwrap();
    assert_eq!(number, entries.last().unwrap().number());
    let spools = std::fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|kind| kind == "spool")
    });
    let spools = spools.count();
    assert!(spools > 1);
    // Each file, and the folder for each name.
    assert_eq!(files.len(), 2 * spools);
    audit.synced(number);
    assert!(audit.unsynced().unwrap().is_none());
}

#[test]
fn a_sync_that_fails_refuses_what_waits_and_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let audit = audit(folder.path(), Durability::Disk);
    let entry = audit.intent([0; 16], &[]).unwrap();
    assert!(durable(&entry).is_pending());
    audit.fail_sync();
    assert!(matches!(durable(&entry), Poll::Ready(Err(Error::Sync))));
    assert!(matches!(audit.intent([0; 16], &[]), Err(Error::Sync)));
}
