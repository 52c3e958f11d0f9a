//! The log as a whole: acknowledged only when synced, and only unacknowledged ends are cut off.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::mpsc;
use std::thread::JoinHandle;

use postern_link::wire::Kind;
use tempfile::TempDir;

use super::append::BeforeSync;
use super::*;
use crate::keys::SigningKey;

const GATEWAY: &str = "gw-1";

struct Log {
    folder: TempDir,
    limits: Limits,
}

struct Written {
    audit: Audit,
    thread: JoinHandle<()>,
}

impl Log {
    fn new() -> Log {
        Log::with(Limits::default())
    }

    fn with(limits: Limits) -> Log {
        Log {
            folder: tempfile::tempdir().unwrap(),
            limits,
        }
    }

    fn files(&self) -> PathBuf {
        self.folder.path().join("audit")
    }

    fn verifier(&self) -> Verifier {
        self.signer().verifier().clone()
    }

    fn signer(&self) -> Signer {
        Signer::new(
            "postern.test/audit",
            SigningKey::open(&self.folder.path().join("log.key")).unwrap(),
        )
    }

    fn open(&self) -> Written {
        self.open_with(None).unwrap()
    }

    fn open_with(&self, before_sync: Option<BeforeSync>) -> Result<Written, recover::Error> {
        let mut opened = open(&self.files(), self.signer(), &self.limits)?;
        opened.before_sync = before_sync;
        let size = opened.head().borrow().checkpoint.size;
        let mut positions = HashMap::new();
        let mut index = 0;
        while index < size {
            for entry in opened.files().entries(index, None, size, 100).unwrap() {
                let Record {
                    gateway,
                    worker,
                    epoch,
                    number,
                    ..
                } = entry.record;
                positions.insert(
                    Spool {
                        gateway,
                        worker,
                        epoch,
                    },
                    number,
                );
                index += 1;
            }
        }
        let own = Spool {
            gateway: "control".into(),
            worker: 0,
            epoch: 0,
        };
        let (audit, append) = opened.start(own, positions, &self.limits);
        Ok(Written {
            audit,
            thread: std::thread::spawn(append),
        })
    }

    /// Writes records one by one and closes the log.
    async fn write(&self, count: u64) {
        let written = self.open();
        for _ in 0..count {
            written.add(1).await.unwrap();
        }
        written.close().await;
    }

    fn verify(&self) -> verify::Report {
        verify::verify(
            &self.files(),
            &self.verifier(),
            &[],
            None,
            self.limits.record_bytes_max,
        )
        .unwrap()
    }

    /// As it is to somebody who has kept a checkpoint.
    fn verify_against(&self, checkpoint: &Checkpoint) -> verify::Report {
        let kept = verify::Elsewhere {
            place: "`kept`".into(),
            checkpoint: checkpoint.clone(),
        };
        let bytes_max = self.limits.record_bytes_max;
        verify::verify(&self.files(), &self.verifier(), &[kept], None, bytes_max).unwrap()
    }

    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.files().join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }
}

impl Written {
    async fn add(&self, count: u64) -> Result<u64, Refused> {
        self.audit.append(self.batch(count)).await
    }

    fn batch(&self, count: u64) -> Batch {
        let spool = Spool {
            gateway: GATEWAY.into(),
            worker: 0,
            epoch: 5,
        };
        let first_number = self.audit.position(&spool) + 1;
        let records = (first_number..first_number + count)
            .map(|number| record(number).into())
            .collect();
        Batch {
            spool,
            first_number,
            records,
        }
    }

    fn size(&self) -> u64 {
        self.audit.head().checkpoint.size
    }

    async fn close(self) {
        self.audit.stop().await;
        self.thread.join().unwrap();
    }
}

fn record(number: u64) -> Vec<u8> {
    let record = Record {
        number,
        gateway: GATEWAY.into(),
        epoch: 5,
        kind: Kind::Intent.into(),
        text: format!("select {number}"),
        ..Record::default()
    };
    record.encode_to_vec()
}

const FIRST_SEGMENT: &str = "00000000000000000000.segment";

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_synced() {
    let log = Log::new();
    let (entered, at_sync) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let hook: BeforeSync = Box::new(move || {
        entered.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    });
    let written = log.open_with(Some(hook)).unwrap();
    let (audit, batch) = (written.audit.clone(), written.batch(2));
    let answer = tokio::spawn(async move { audit.append(batch).await });
    tokio::task::spawn_blocking(move || at_sync.recv().unwrap())
        .await
        .unwrap();
    // The records are written to the file by nobody yet, and nothing of them may be seen.
    assert!(!answer.is_finished());
    assert_eq!(written.size(), 0);
    assert_eq!(written.audit.positions(GATEWAY, 10), []);
    release.send(()).unwrap();
    assert_eq!(answer.await.unwrap(), Ok(2));
    assert_eq!(written.size(), 2);
    written.close().await;
}

#[tokio::test]
async fn records_that_wait_share_one_sync() {
    let log = Log::new();
    let (entered, at_sync) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let hook: BeforeSync = Box::new(move || {
        entered.send(()).unwrap();
        released.recv().unwrap();
        Ok(())
    });
    let written = log.open_with(Some(hook)).unwrap();
    let own = |audit: Audit| tokio::spawn(async move { audit.record(Record::default()).await });
    let first = own(written.audit.clone());
    let at_sync = tokio::task::spawn_blocking(move || {
        at_sync.recv().unwrap();
        at_sync
    });
    let at_sync = at_sync.await.unwrap();
    let waiting: Vec<_> = (0..20).map(|_| own(written.audit.clone())).collect();
    // All twenty are in the queue when its room is that much less.
    while written.audit.commands.capacity() > log.limits.append_batches_max - 20 {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap(), Ok(1));
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    assert_eq!(written.size(), 21);
    written.close().await;
    assert_eq!(at_sync.into_iter().count(), 1);
}

#[tokio::test]
async fn a_failed_sync_acknowledges_nothing_and_the_log_goes_on_when_the_disk_does() {
    let log = Log::new();
    let mut turn = 0;
    let hook: BeforeSync = Box::new(move || {
        turn += 1;
        if turn == 2 {
            Err(io::Error::other("no space"))
        } else {
            Ok(())
        }
    });
    let written = log.open_with(Some(hook)).unwrap();
    assert_eq!(written.add(2).await, Ok(2));
    assert_eq!(written.add(2).await, Err(Refused::Unwritable));
    assert_eq!((written.size(), written.audit.is_writable()), (2, false));
    assert_eq!(written.add(3).await, Ok(5));
    assert_eq!((written.size(), written.audit.is_writable()), (5, true));
    written.close().await;
    let report = log.verify();
    assert_eq!((report.wrong, report.records), (vec![], 5));
}

#[tokio::test]
async fn a_torn_end_that_nobody_was_told_of_is_cut_off() {
    for torn in 1..=40 {
        let log = Log::new();
        log.write(3).await;
        let mut frames = Vec::new();
        segment::frame(&record(4), &mut frames).unwrap();
        frames.truncate(torn.min(frames.len() - 1));
        log.change(FIRST_SEGMENT, |bytes| bytes.extend_from_slice(&frames));
        let written = log.open();
        assert_eq!(written.size(), 3);
        assert_eq!(written.add(1).await, Ok(4));
        written.close().await;
        assert_eq!(log.verify().wrong, []);
    }
}

#[tokio::test]
async fn a_whole_record_behind_the_checkpoint_is_kept_and_acknowledged_from_then_on() {
    let log = Log::new();
    log.write(3).await;
    let mut frames = Vec::new();
    segment::frame(&record(4), &mut frames).unwrap();
    log.change(FIRST_SEGMENT, |bytes| bytes.extend_from_slice(&frames));
    let written = log.open();
    assert_eq!(written.size(), 4);
    written.close().await;
    assert_eq!(log.verify().wrong, []);
}

#[tokio::test]
async fn a_log_that_lost_or_changed_an_acknowledged_byte_does_not_start() {
    let log = Log::new();
    log.write(3).await;
    let whole = std::fs::read(log.files().join(FIRST_SEGMENT)).unwrap();
    for position in 0..whole.len() {
        log.change(FIRST_SEGMENT, |bytes| bytes[position] ^= 0x10);
        assert!(log.open_with(None).is_err(), "flipped {position}");
        std::fs::write(log.files().join(FIRST_SEGMENT), &whole).unwrap();
    }
    for length in 0..whole.len() {
        log.change(FIRST_SEGMENT, |bytes| bytes.truncate(length));
        assert!(log.open_with(None).is_err(), "cut to {length}");
        std::fs::write(log.files().join(FIRST_SEGMENT), &whole).unwrap();
    }
    // Also when whoever changed it knows how to make a checksum.
    let mut forged = whole[..usize::try_from(segment::HEADER_BYTES).unwrap()].to_vec();
    for number in [1, 9, 3] {
        segment::frame(&record(number), &mut forged).unwrap();
    }
    std::fs::write(log.files().join(FIRST_SEGMENT), &forged).unwrap();
    assert!(matches!(
        log.open_with(None),
        Err(recover::Error::Changed { size: 3 })
    ));
    std::fs::remove_file(log.files().join(FIRST_SEGMENT)).unwrap();
    assert!(matches!(
        log.open_with(None),
        Err(recover::Error::Lost {
            size: 0,
            acknowledged: 3
        })
    ));
}

#[tokio::test]
async fn every_flipped_byte_is_named_by_its_record() {
    let log = Log::new();
    log.write(5).await;
    let path = log.files().join(FIRST_SEGMENT);
    let whole = std::fs::read(&path).unwrap();
    let frame_bytes = (whole.len() - 16) / 5;
    assert_eq!(log.verify().wrong, []);
    for position in 0..whole.len() {
        for flip in [0x01, 0x80] {
            let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
            file.seek(SeekFrom::Start(position as u64)).unwrap();
            let mut byte = [0];
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(position as u64)).unwrap();
            file.write_all(&[byte[0] ^ flip]).unwrap();
            let expected = position.saturating_sub(16) / frame_bytes;
            let report = log.verify();
            assert_eq!(
                report.wrong[0].record,
                Some(expected as u64),
                "byte {position}: {:?}",
                report.wrong
            );
        }
        std::fs::write(&path, &whole).unwrap();
    }
}

#[tokio::test]
async fn who_holds_the_key_can_neither_cut_the_log_nor_write_it_again_before_a_checkpoint_kept_elsewhere() {
    let log = Log::new();
    log.write(5).await;
    let kept = log.open();
    let checkpoint = kept.audit.head().checkpoint.clone();
    kept.close().await;
    let report = log.verify_against(&checkpoint);
    assert_eq!(report.wrong, []);
    assert!(
        report.unproven[0].contains("behind the first 5 records"),
        "{:?}",
        report.unproven
    );
    assert!(log.verify().unproven[0].contains("kept elsewhere would show it"));

    let other = Checkpoint {
        root: [0; 32],
        ..checkpoint
    };
    let report = log.verify_against(&other);
    assert!(
        report.wrong[0].what.starts_with("the log forked: its first 5"),
        "{:?}",
        report.wrong
    );

    // The same key signs a shorter log, which is whole by itself.
    std::fs::remove_dir_all(log.files()).unwrap();
    log.write(3).await;
    assert_eq!(log.verify().wrong, []);
    let report = log.verify_against(&checkpoint);
    assert!(
        report.wrong[0].what.starts_with("the end was cut off"),
        "{:?}",
        report.wrong
    );

    // A gap before it leaves nothing to compare, and says so.
    let cut = Log::with(Limits {
        segment_bytes_max: 1,
        ..Limits::default()
    });
    cut.write(5).await;
    std::fs::remove_file(segment::segment_path(&cut.files(), 1)).unwrap();
    let report = cut.verify_against(&checkpoint);
    assert!(!report.is_good());
    assert!(
        report.unproven[0].contains("records before its 5 are missing"),
        "{:?}",
        report.unproven
    );
}

#[tokio::test]
async fn one_record_is_proved_by_its_own_file_and_no_other_record_is() {
    let log = Log::new();
    log.write(300).await;
    let written = log.open();
    let head = written.audit.head();
    let entries = written.audit.files().entries(0, None, 300, 300).unwrap();
    for index in [0, 7, 255, 256, 299] {
        let place = entries[index].place;
        let position = index as u64;
        let proof = written
            .audit
            .files()
            .proof(position, place, &head, &log.verifier())
            .unwrap();
        let text = proof.to_text();
        let read = Proof::from_text(&text).unwrap();
        assert_eq!(read, proof);
        let (record, checkpoint) = read.verify(&log.verifier()).unwrap();
        assert_eq!(
            (record, checkpoint),
            (entries[index].record.clone(), head.checkpoint.clone())
        );
        let mut other = proof.clone();
        other.record = super::tests::record(9_999);
        assert_eq!(other.verify(&log.verifier()), Err(proof::Error::NotIncluded));
        other = proof.clone();
        other.index ^= 1;
        assert_eq!(other.verify(&log.verifier()), Err(proof::Error::NotIncluded));
        let foreign = Log::new().verifier();
        assert!(matches!(proof.verify(&foreign), Err(proof::Error::Checkpoint(_))));
        // Cut anywhere, or with a line more, it is no proof of this.
        for cut in 0..text.len() {
            let Some(cut) = text.get(..cut) else { continue };
            assert!(
                Proof::from_text(cut)
                    .and_then(|proof| proof.verify(&log.verifier()))
                    .is_err()
            );
        }
        let more = text.replacen("index", "index 1\nindex", 1);
        assert!(Proof::from_text(&more).is_err());
    }
    written.close().await;
}

#[tokio::test]
async fn a_record_forged_with_its_checksum_is_named_by_the_tile() {
    let log = Log::new();
    log.write(300).await;
    let path = log.files().join(FIRST_SEGMENT);
    let whole = std::fs::read(&path).unwrap();
    for changed in [0, 17, 255, 256, 299] {
        let mut forged = whole[..16].to_vec();
        for number in 1..=300 {
            let mut record = Record::decode(record(number).as_slice()).unwrap();
            if number == changed + 1 {
                record.text = "select 'forged'".into();
            }
            segment::frame(&record.encode_to_vec(), &mut forged).unwrap();
        }
        std::fs::write(&path, forged).unwrap();
        let report = log.verify();
        let named: Vec<_> = report.wrong.iter().filter_map(|wrong| wrong.record).collect();
        assert_eq!(named, [changed]);
        let wrong = report.wrong.iter().find(|wrong| wrong.record.is_some()).unwrap();
        assert_eq!(wrong.id.as_ref().unwrap().number, changed + 1);
        assert!(
            report.wrong.iter().any(|wrong| wrong.what.contains("checkpoint")),
            "{:?}",
            report.wrong
        );
    }
}

#[tokio::test]
async fn missing_repeated_and_reordered_records_are_named() {
    for (numbers, named) in [
        (vec![1, 2, 4], 2),
        (vec![1, 2, 2, 3], 2),
        (vec![2, 1, 3], 0),
        (vec![1, 2], 2),
        (vec![1, 2, 3, 4, 4], 4),
    ] {
        let log = Log::new();
        log.write(3).await;
        log.change(FIRST_SEGMENT, |bytes| {
            bytes.truncate(16);
            for number in &numbers {
                segment::frame(&record(*number), bytes).unwrap();
            }
        });
        let report = log.verify();
        assert!(
            report.wrong.iter().any(|wrong| wrong.record == Some(named)),
            "{numbers:?} {:?}",
            report.wrong
        );
    }
}

#[tokio::test]
async fn a_checkpoint_that_was_touched_is_named() {
    let log = Log::with(Limits {
        segment_bytes_max: 200,
        ..Limits::default()
    });
    log.write(40).await;
    assert_eq!(log.verify().wrong, []);
    let names: Vec<String> = std::fs::read_dir(log.files())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("checkpoint") || name.ends_with(".edge"))
        .collect();
    assert!(names.len() > 5, "{names:?}");
    for name in names {
        let whole = std::fs::read(log.files().join(&name)).unwrap();
        log.change(&name, |bytes| bytes[20] ^= 1);
        let report = log.verify();
        assert_eq!(report.wrong.len(), 1, "{name}: {:?}", report.wrong);
        std::fs::write(log.files().join(&name), whole).unwrap();
    }
}

#[tokio::test]
async fn a_closed_segment_is_as_safe_as_the_open_one() {
    let log = Log::with(Limits {
        segment_bytes_max: 200,
        ..Limits::default()
    });
    log.write(40).await;
    let firsts = segment::list(&log.files()).unwrap();
    assert!(firsts.len() > 3, "{firsts:?}");
    log.write(1).await;
    for (segment, next) in firsts.iter().zip(&firsts[1..]) {
        let path = segment::segment_path(&log.files(), *segment);
        let whole = std::fs::read(&path).unwrap();
        for position in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[position] ^= 4;
            std::fs::write(&path, bytes).unwrap();
            let named = log.verify().wrong[0].record.unwrap();
            assert!((*segment..*next).contains(&named), "{segment} {position} {named}");
        }
        std::fs::write(&path, &whole).unwrap();
    }
    // A segment that is gone is a gap, with everything behind it still judged.
    std::fs::remove_file(segment::segment_path(&log.files(), firsts[1])).unwrap();
    let report = log.verify();
    assert_eq!(report.wrong.len(), 1, "{:?}", report.wrong);
    assert_eq!(report.wrong[0].record, Some(firsts[1]));
}

#[tokio::test]
async fn tiles_and_shortcuts_that_are_gone_are_made_again() {
    let log = Log::with(Limits {
        segment_bytes_max: 4_000,
        ..Limits::default()
    });
    let written = log.open();
    for _ in 0..30 {
        written.add(20).await.unwrap();
    }
    let root = written.audit.head().checkpoint.root;
    written.close().await;
    std::fs::remove_dir_all(log.files().join("tile")).unwrap();
    for entry in std::fs::read_dir(log.files()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "edge") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let written = log.open();
    let head = written.audit.head();
    assert_eq!(head.checkpoint.root, root);
    std::fs::remove_dir_all(log.files().join("tile")).unwrap();
    let fresh = Tiles::new(&log.files(), 8);
    let files = Files {
        tiles: Arc::new(fresh),
        ..written.audit.files().clone()
    };
    for from in [1, 100, 256, 300, 512, 599] {
        let tree = files.tree(&head);
        let (old, proof) = (tree.root_at(from).unwrap(), tree.consistency(from, 600).unwrap());
        assert!(tree::is_consistent((from, &old), (600, &root), &proof), "{from}");
    }
    written.close().await;
}

#[tokio::test]
async fn the_tiles_on_disk_are_the_tree_of_the_checkpoint() {
    let log = Log::new();
    let written = log.open();
    for count in [1, 254, 1, 1, 300] {
        written.add(count).await.unwrap();
        let head = written.audit.head();
        let tiles = Tiles::new(&log.files(), 1);
        let mut index = head.checkpoint.size;
        for (level, hashes) in (0..).zip(head.edge.levels()) {
            index /= TILE_ENTRIES as u64;
            let known = tiles
                .on_disk(TileId { level, index })
                .unwrap()
                .unwrap_or_default();
            assert_eq!(known, *hashes, "level {level} at {}", head.checkpoint.size);
        }
    }
    written.close().await;
}

#[tokio::test]
async fn a_tile_that_was_damaged_does_not_look_like_a_fork() {
    let log = Log::new();
    let written = log.open();
    written.add(70).await.unwrap();
    let old = written.audit.head().checkpoint.clone();
    for _ in 0..10 {
        written.add(100).await.unwrap();
    }
    let head = written.audit.head();
    log.change("tile/0/000", |bytes| bytes[32 * 70] ^= 1);
    let tiles = Arc::new(Tiles::new(&log.files(), 8));
    let files = Files {
        tiles,
        ..written.audit.files().clone()
    };
    let is_good = |proof: &[Hash]| {
        let new = &head.checkpoint;
        tree::is_consistent((old.size, &old.root), (new.size, &new.root), proof)
    };
    assert!(!is_good(
        &files
            .tree(&head)
            .consistency(old.size, head.checkpoint.size)
            .unwrap()
    ));
    assert!(is_good(&files.consistency(&old, &head).unwrap()));
    assert!(
        is_good(
            &files
                .tree(&head)
                .consistency(old.size, head.checkpoint.size)
                .unwrap()
        ),
        "it was mended"
    );
    written.close().await;
}
