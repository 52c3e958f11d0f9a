use postern_link::wire::{Kind, Record, Status};
use prost::Message;

use super::*;

const ROOM: Room = Room {
    spool_bytes_max: 64 * 1024,
    file_bytes_max: 16 * 1024,
    record_bytes_max: 4 * 1024,
    durability: Durability::Process,
};

fn open_with(folder: &Path, epoch: u64, room: Room) -> (Spool, Vec<Arc<Progress>>) {
    let unknown = |epoch, of| super::super::unknown_outcome("test", 0, epoch, of);
    Spool::open(folder, 0, epoch, room, &Arc::new(Notify::new()), unknown).unwrap()
}

fn open(folder: &Path, epoch: u64) -> (Spool, Vec<Arc<Progress>>) {
    open_with(folder, epoch, ROOM)
}

fn record(kind: Kind, of: u64) -> impl FnOnce(u64, &mut Vec<u8>) {
    move |number, buffer| {
        Record {
            number,
            kind: kind.into(),
            of,
            ..Record::default()
        }
        .encode(buffer)
        .unwrap()
    }
}

/// Every record that the files of an epoch hold, in order.
fn on_disk(folder: &Path, epoch: u64) -> Vec<Record> {
    let files = epochs_on_disk(folder).unwrap().remove(&epoch).unwrap_or_default();
    let bytes = files.into_values().map(|path| fs::read(path).unwrap());
    bytes
        .flat_map(|bytes| {
            records(&bytes)
                .map(|record| Record::decode(record).unwrap())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn intents_that_wait_for_company_are_told_as_written_only_once_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    spool.intent(record(Kind::Intent, 0)).unwrap();
    let number = spool.intent(record(Kind::Intent, 0)).unwrap();
    let told = spool.progress().written();
    assert_eq!(on_disk(folder.path(), 1).len() as u64, told);
    assert!(told < number);
    spool.flush().unwrap();
    assert_eq!(spool.progress().written(), number);
    assert_eq!(on_disk(folder.path(), 1).last().unwrap().number, number);
}

#[test]
fn intents_that_wait_are_written_before_they_are_many() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room {
        spool_bytes_max: 16 * 1024 * 1024,
        file_bytes_max: 8 * 1024 * 1024,
        ..ROOM
    };
    let (mut spool, _) = open_with(folder.path(), 1, room);
    for _ in 0..10_000 {
        spool.intent(record(Kind::Intent, 0)).unwrap();
        assert!(spool.pending.len() < PENDING_BYTES_MAX);
    }
    assert!(spool.progress().written() > 0);
}

#[test]
fn numbers_have_no_gaps_and_no_repeats_across_files() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(
        folder.path(),
        1,
        Room {
            file_bytes_max: 2 * 1024,
            ..ROOM
        },
    );
    for _ in 0..100 {
        let of = spool.intent(record(Kind::Intent, 0)).unwrap();
        spool.outcome(of, record(Kind::Outcome, of));
    }
    spool.flush().unwrap();
    let numbers: Vec<u64> = on_disk(folder.path(), 1)
        .iter()
        .map(|record| record.number)
        .collect();
    assert_eq!(numbers, (1..=200).collect::<Vec<u64>>());
}

#[test]
fn an_open_intent_of_a_dead_process_is_closed_as_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let done = spool.intent(record(Kind::Intent, 0)).unwrap();
    let dead = spool.intent(record(Kind::Intent, 0)).unwrap();
    spool.outcome(done, record(Kind::Outcome, done));
    spool.flush().unwrap();
    drop(spool);
    let (_, earlier) = open(folder.path(), 2);
    let closing = on_disk(folder.path(), 1).pop().unwrap();
    assert_eq!(
        (closing.of, closing.status(), closing.number),
        (dead, Status::Unknown, 4)
    );
    assert_eq!(
        earlier
            .iter()
            .map(|progress| progress.written())
            .collect::<Vec<_>>(),
        [4]
    );
}

#[test]
fn a_torn_last_frame_is_cut_and_loses_nothing_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    for _ in 0..3 {
        spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    }
    let (path, end) = (spool.progress.file_of(1).unwrap().0, spool.offset);
    drop(spool);
    let whole = fs::read(&path).unwrap();
    let frame_bytes = (end - open_intents(&BTreeSet::new()).len() as u64) / 3;
    for cut in 1..=frame_bytes {
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0; 20], end - cut).unwrap();
        let (_, earlier) = open(folder.path(), 100 + cut);
        assert_eq!(earlier.first().unwrap().written(), 2, "cut {cut}");
        // Put back what was cut, for the next round.
        drop(earlier);
        fs::write(&path, &whole).unwrap();
    }
}

#[test]
fn every_flipped_bit_ends_the_frames_before_it_is_believed() {
    let mut whole = Vec::new();
    for number in 1..=3 {
        frame(&mut whole, number, record(Kind::Finding, 0));
    }
    let third = whole.len() / 3;
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(frames(&flipped).count() <= bit / 8 / third, "bit {bit}");
    }
}

#[test]
fn a_full_spool_refuses_intents_but_takes_the_outcomes_it_promised() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let mut open_intents = Vec::new();
    let refused = loop {
        match spool.intent(record(Kind::Intent, 0)) {
            Ok(number) => open_intents.push(number),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, Error::Full { .. }), "{refused}");
    for of in &open_intents {
        spool.outcome(*of, |number, buffer| {
            record(Kind::Outcome, *of)(number, buffer);
            // As large as an outcome may be.
            buffer.extend(
                Record {
                    message: "x".repeat(250),
                    ..Record::default()
                }
                .encode_to_vec(),
            );
        });
        spool.flush().unwrap();
    }
    assert_eq!(on_disk(folder.path(), 1).len(), 2 * open_intents.len());
    for file in epochs_on_disk(folder.path()).unwrap()[&1].values() {
        let bytes = fs::metadata(file).unwrap().len();
        assert_eq!(bytes, ROOM.file_bytes_max, "the outcomes fit into the room kept");
    }
}

#[test]
fn a_record_may_fill_a_file_to_its_last_byte() {
    let folder = tempfile::tempdir().unwrap();
    let bytes_max = usize::try_from(ROOM.file_bytes_max).unwrap() - open_intents(&BTreeSet::new()).len();
    let room = Room {
        record_bytes_max: bytes_max,
        ..ROOM
    };
    let (mut spool, _) = open_with(folder.path(), 1, room);
    for number in 1..=2 {
        let fill = |_, buffer: &mut Vec<u8>| buffer.resize(bytes_max, 7);
        assert_eq!(spool.note(Write::AtOnce, fill).unwrap(), number);
        assert_eq!(spool.offset, ROOM.file_bytes_max);
    }
    let more = |_, buffer: &mut Vec<u8>| buffer.resize(bytes_max + 1, 7);
    let refused = spool.note(Write::AtOnce, more);
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
}

#[test]
fn an_outcome_is_written_behind_what_waited_when_the_last_room_was_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let long = spool.intent(record(Kind::Intent, 0)).unwrap();
    let mut of = spool.intent(record(Kind::Intent, 0)).unwrap();
    loop {
        spool.outcome(of, record(Kind::Outcome, of));
        match spool.intent(record(Kind::Intent, 0)) {
            Ok(number) => of = number,
            Err(_) => break,
        }
    }
    spool.outcome(long, record(Kind::Outcome, long));
    spool.flush().unwrap();
    for of in [of, long] {
        assert_eq!(outcomes(folder.path(), of).len(), 1, "intent {of}");
    }
}

#[test]
fn after_a_failure_records_are_written_one_by_one_until_one_could_be() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let note = |spool: &mut Spool| spool.note(Write::WithOthers, record(Kind::Finding, 0)).is_ok();
    while note(&mut spool) {}
    spool.flush().unwrap();
    while note(&mut spool) {}
    spool.progress().acknowledge(spool.progress().written());
    assert!(note(&mut spool));
    assert!(!spool.is_pending());
    assert!(note(&mut spool));
    assert!(spool.is_pending());
}

#[test]
fn a_stored_file_that_is_gone_already_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    until_next_file(&mut spool);
    let progress = spool.progress();
    let (path, _, last) = progress.file_of(1).unwrap();
    fs::remove_file(path).unwrap();
    progress.acknowledge(last.unwrap());
    assert_eq!(progress.first_number(), last.unwrap() + 1);
}

#[test]
fn a_stored_file_that_cannot_be_deleted_takes_room_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    until_next_file(&mut spool);
    let progress = spool.progress();
    let (path, _, last) = progress.file_of(1).unwrap();
    // A folder is no file to delete, whoever asks.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    progress.acknowledge(last.unwrap());
    assert_eq!(progress.first_number(), 1);
    assert_eq!(spool.bytes(), 2 * NARROW.file_bytes_max);
    fs::remove_dir(&path).unwrap();
    progress.acknowledge(last.unwrap());
    assert_eq!(spool.bytes(), NARROW.file_bytes_max);
}

#[test]
fn an_epoch_that_died_before_its_first_record_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    spool.rotate().unwrap();
    drop(spool);
    let (_, earlier) = open(folder.path(), 2);
    assert!(earlier.is_empty());
    assert!(epochs_on_disk(folder.path()).unwrap().is_empty());
}

#[test]
fn a_reader_knows_at_which_record_of_which_file_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    until_next_file(&mut spool);
    let first = spool.next_number() - 1;
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    let (path, other) = (spool.progress().file_of(first).unwrap().0, folder.path());
    let mut reader = reader::Reader::open(path.clone(), first).unwrap();
    for number in [first, first + 1] {
        assert_eq!(reader.next_number(), number);
        assert!(reader.stands_at(&path, number));
        assert!(!reader.stands_at(&path, number + 1) && !reader.stands_at(other, number));
        reader.next_record().unwrap();
    }
}

#[test]
fn what_earlier_processes_left_takes_room_until_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let fill = |epoch| {
        let (mut spool, earlier) = open(folder.path(), epoch);
        let refused = loop {
            if let Err(error) = spool.note(Write::AtOnce, record(Kind::Finding, 0)) {
                break error;
            }
        };
        assert!(refused.to_string().contains("`spool_bytes_max`"), "{refused}");
        (spool, earlier)
    };
    let files = || fs::read_dir(folder.path()).unwrap().count() - 1;
    for epoch in 1..=5 {
        drop(fill(epoch));
        assert_eq!(files(), 4, "epoch {epoch}");
    }
    let (mut spool, earlier) = fill(6);
    earlier[0].acknowledge(earlier[0].written());
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    assert_eq!(spool.bytes(), 16 * 1024);
}

#[test]
fn a_refused_record_leaves_no_number_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let huge = |number: u64, buffer: &mut Vec<u8>| {
        Record {
            number,
            message: "x".repeat(ROOM.record_bytes_max),
            ..Record::default()
        }
        .encode(buffer)
        .unwrap();
    };
    assert!(matches!(
        spool.note(Write::AtOnce, huge),
        Err(Error::TooLarge { .. })
    ));
    assert_eq!(spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap(), 1);
    assert_eq!(on_disk(folder.path(), 1).len(), 1);
}

#[test]
fn room_that_comes_back_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    while spool.note(Write::AtOnce, record(Kind::Finding, 0)).is_ok() {}
    spool.progress().acknowledge(spool.progress().written());
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
}

/// Small files, so that what follows one another is soon in different ones.
const NARROW: Room = Room {
    file_bytes_max: 2 * 1024,
    ..ROOM
};

/// Fills the current file and begins the next.
fn until_next_file(spool: &mut Spool) {
    let last = spool.next_number() - 1;
    let file = spool.progress().file_of(last).unwrap();
    while spool.progress().file_of(spool.next_number() - 1).unwrap().0 == file.0 {
        spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    }
}

/// The outcomes that an epoch's files hold for an intent.
fn outcomes(folder: &Path, of: u64) -> Vec<Status> {
    let records = on_disk(folder, 1).into_iter();
    let ours = records.filter(|record| record.kind() == Kind::Outcome && record.of == of);
    ours.map(|record| record.status()).collect()
}

#[test]
fn a_long_statement_keeps_no_file_and_is_unknown_once_its_process_died() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    let long = spool.intent(record(Kind::Intent, 0)).unwrap();
    for _ in 0..200 {
        spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
        spool.progress().acknowledge(spool.progress().written());
    }
    assert!(spool.progress().first_number() > long);
    drop(spool);
    let (_, earlier) = open_with(folder.path(), 2, NARROW);
    assert_eq!(outcomes(folder.path(), long), [Status::Unknown]);
    assert_eq!(earlier.first().unwrap().written(), 202);
    drop(earlier);
    open_with(folder.path(), 3, NARROW);
    assert_eq!(outcomes(folder.path(), long), [Status::Unknown], "and only once");
}

#[test]
fn an_outcome_that_is_stored_already_is_not_followed_by_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    let long = spool.intent(record(Kind::Intent, 0)).unwrap();
    let short = spool.intent(record(Kind::Intent, 0)).unwrap();
    until_next_file(&mut spool);
    spool.outcome(short, record(Kind::Outcome, short));
    until_next_file(&mut spool);
    spool.progress().acknowledge(spool.progress().written());
    drop(spool);
    open_with(folder.path(), 2, NARROW);
    assert!(outcomes(folder.path(), short).is_empty(), "it was stored before");
    assert_eq!(outcomes(folder.path(), long), [Status::Unknown]);
}

#[test]
fn an_outcome_that_was_not_yet_written_is_not_lost_with_the_file_of_its_intent() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    let of = spool.intent(record(Kind::Intent, 0)).unwrap();
    until_next_file(&mut spool);
    spool.outcome(of, record(Kind::Outcome, of));
    spool.progress().acknowledge(spool.progress().written());
    drop(spool);
    open_with(folder.path(), 2, NARROW);
    assert_eq!(outcomes(folder.path(), of), [Status::Unknown]);
}

#[test]
fn outcomes_find_a_file_even_if_the_last_one_holds_no_record_yet() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open_with(folder.path(), 1, NARROW);
    let of = spool.intent(record(Kind::Intent, 0)).unwrap();
    spool.flush().unwrap();
    spool.rotate().unwrap();
    spool.progress().acknowledge(of);
    drop(spool);
    let (_, earlier) = open_with(folder.path(), 2, NARROW);
    assert_eq!(outcomes(folder.path(), of), [Status::Unknown]);
    assert_eq!(earlier.first().unwrap().first_number(), 2);
}

#[test]
fn what_a_torn_frame_held_is_no_frame_behind_the_outcomes_that_close_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let of = spool.intent(record(Kind::Intent, 0)).unwrap();
    spool.flush().unwrap();
    let (path, end) = (spool.progress.file_of(1).unwrap().0, spool.offset);
    drop(spool);
    let mut inner = Vec::new();
    frame(&mut inner, 2, record(Kind::Finding, 0));
    // Torn in its first byte, and holding a whole frame at every place where the closing may end.
    for gap in 0..64 {
        let before = fs::read(&path).unwrap();
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[&vec![1; 16 + gap][..], &inner].concat(), end)
            .unwrap();
        open(folder.path(), 100 + gap as u64);
        let kinds: Vec<Kind> = on_disk(folder.path(), 1).iter().map(Record::kind).collect();
        assert_eq!(kinds, [Kind::Intent, Kind::Outcome], "gap {gap}");
        assert_eq!(outcomes(folder.path(), of), [Status::Unknown]);
        fs::write(&path, before).unwrap();
    }
}

#[test]
fn two_processes_cannot_write_one_spool() {
    let folder = tempfile::tempdir().unwrap();
    let (_spool, _) = open(folder.path(), 1);
    let second = Spool::open(folder.path(), 0, 2, ROOM, &Arc::new(Notify::new()), |_, _| {
        Vec::new()
    });
    assert!(matches!(second, Err(Error::Held)));
}

#[test]
fn what_was_read_ahead_before_it_was_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    spool.note(Write::AtOnce, record(Kind::Intent, 0)).unwrap();
    let (path, first, _) = spool.progress().file_of(1).unwrap();
    let mut reader = reader::Reader::open(path, first).unwrap();
    for number in 1..40 {
        let read = Record::decode(reader.next_record().unwrap()).unwrap();
        assert_eq!(read.number, number);
        spool.note(Write::AtOnce, record(Kind::Intent, 0)).unwrap();
    }
}

#[test]
fn a_record_longer_than_a_piece_is_read_whole_and_a_damaged_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let room = Room {
        spool_bytes_max: 8 << 20,
        file_bytes_max: 1 << 20,
        record_bytes_max: 1 << 20,
        durability: Durability::Process,
    };
    let (mut spool, _) = open_with(folder.path(), 1, room);
    for bytes in [10, 200_000, 10] {
        spool
            .note(Write::AtOnce, |_, buffer| buffer.resize(buffer.len() + bytes, 7))
            .unwrap();
    }
    let (path, first, _) = spool.progress().file_of(1).unwrap();
    let mut reader = reader::Reader::open(path.clone(), first).unwrap();
    for bytes in [10, 200_000, 10] {
        assert_eq!(reader.next_record().unwrap().len(), bytes);
    }
    let mut damaged = fs::read(&path).unwrap();
    damaged[100_000] ^= 1;
    fs::write(&path, damaged).unwrap();
    let mut reader = reader::Reader::open(path, first).unwrap();
    reader.next_record().unwrap();
    assert_eq!(
        reader.next_record().unwrap_err().kind(),
        io::ErrorKind::InvalidData
    );
}

#[test]
fn a_record_that_found_no_room_leaves_nothing_of_itself_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (mut spool, _) = open(folder.path(), 1);
    let mut of = spool.intent(record(Kind::Intent, 0)).unwrap();
    loop {
        // Its outcome waits, and would be written with the next intent.
        spool.outcome(of, record(Kind::Outcome, of));
        match spool.intent(record(Kind::Intent, 0)) {
            Ok(number) => of = number,
            Err(_) => break,
        }
    }
    spool.progress.acknowledge(of);
    spool.note(Write::AtOnce, record(Kind::Finding, 0)).unwrap();
    let numbers: Vec<u64> = on_disk(folder.path(), 1)
        .iter()
        .map(|record| record.number)
        .collect();
    assert_eq!(numbers.last(), Some(&(spool.next_number() - 1)));
    assert!(numbers.is_sorted_by(|one, next| one + 1 == *next), "{numbers:?}");
}
