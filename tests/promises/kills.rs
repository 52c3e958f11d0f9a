//! The kill matrix: both planes killed with SIGKILL under load, again and again, at every step of spool, ship,
//! acknowledge and rotate; then the server's own log and the record are laid beside each other.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use postern_link::wire::{Kind, Record, Status};
use postern_tests::load::{Load, mark};
use postern_tests::raw::{Raw, tags};
use postern_tests::{Plane, Planes, Wishes, World};

const KILLS: u64 = 50;

/// A seeded generator: the same seed makes the same choices.
struct Random(u64);

/// When a plane is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// After so many looks at nothing: anywhere, also while it starts and recovers.
    Looks(u64),
    /// After so many more answers.
    Answers(u64),
    /// A spool has begun a new file.
    Rotated,
    /// A spool's file is deleted, since all of it is stored.
    Deleted,
    /// The control plane has written records.
    Stored,
    /// The control plane has begun a new segment.
    Segment,
    /// The control plane has signed a checkpoint.
    Signed,
    /// The gateway keeps what it has seen of the log.
    Witnessed,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn moment(&mut self) -> Moment {
        match self.below(8) {
            0 => Moment::Looks(self.below(1_000)),
            1 => Moment::Answers(self.below(40)),
            2 => Moment::Rotated,
            3 => Moment::Deleted,
            4 => Moment::Stored,
            5 => Moment::Segment,
            6 => Moment::Signed,
            _ => Moment::Witnessed,
        }
    }

    fn plane(&mut self) -> Plane {
        match self.below(3) {
            0 => Plane::Control,
            _ => Plane::Gateway,
        }
    }
}

/// What a look from outside shows of what a moment is about, and of nothing else: looks must be cheap.
fn sight(world: &World, moment: Moment) -> BTreeSet<PathBuf> {
    let log = world.folder.join("control/audit");
    let content = |path: PathBuf| {
        let content = fs::read(path).unwrap_or_default();
        BTreeSet::from([PathBuf::from(content.escape_ascii().to_string())])
    };
    match moment {
        Moment::Looks(_) | Moment::Answers(_) => BTreeSet::new(),
        Moment::Rotated | Moment::Deleted => {
            let spools = ["0", "1"].map(|worker| paths(&world.folder.join("gateway/spool").join(worker)));
            spools.into_iter().flatten().collect()
        }
        Moment::Segment => paths(&log)
            .into_iter()
            .filter(|path| is(path, "segment"))
            .collect(),
        Moment::Stored => {
            let segments = paths(&log).into_iter().filter(|path| is(path, "segment"));
            let newest = segments.max().unwrap_or_default();
            let bytes = fs::metadata(&newest).map_or(0, |file| file.len());
            BTreeSet::from([newest.with_extension(bytes.to_string())])
        }
        Moment::Signed => content(log.join("checkpoint")),
        Moment::Witnessed => content(world.folder.join("gateway/checkpoint")),
    }
}

fn paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map_while(Result::ok).map(|entry| entry.path()).collect()
}

fn is(path: &Path, kind: &str) -> bool {
    path.extension().is_some_and(|extension| extension == kind)
}

/// A house whose files are so small that they follow each other all the time.
fn restless() -> World {
    World::start(&Wishes {
        planes: Planes::Apart,
        limits: "spool_bytes_max: 4194304, spool_file_bytes_max: 16384, record_bytes_max: 16384".into(),
        control_limits: "segment_bytes_max: 131072".into(),
        ..Wishes::default()
    })
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Kills one plane once, starts it again, and says at which moment.
fn kill_once(world: &mut World, load: &Load, random: &mut Random) -> (Plane, Moment) {
    let (plane, moment) = (random.plane(), random.moment());
    let mut before = sight(world, moment);
    let (answered, mut looks) = (load.answered(), 0);
    world.kill_at(plane, |world| {
        looks += 1;
        match moment {
            Moment::Looks(count) => looks > count,
            Moment::Answers(count) => load.answered() >= answered + count,
            Moment::Deleted => {
                let now = sight(world, moment);
                !now.is_superset(&std::mem::replace(&mut before, now.clone()))
            }
            Moment::Rotated | Moment::Segment => !sight(world, moment).is_subset(&before),
            Moment::Stored | Moment::Signed | Moment::Witnessed => sight(world, moment) != before,
        }
    });
    match plane {
        Plane::Gateway => world.start_gateway(),
        Plane::Control => world.start_control(),
    }
    (plane, moment)
}

/// What the record says of one intent.
#[derive(Debug, Default)]
struct Intent {
    mark: String,
    outcomes: Vec<Status>,
}

/// The intents of the record by their spool and number, with their outcomes.
fn intents(records: &[Record]) -> HashMap<(String, u32, u64, u64), Intent> {
    let key = |record: &Record, number| (record.gateway.clone(), record.worker, record.epoch, number);
    let mut intents: HashMap<_, Intent> = HashMap::new();
    for record in records.iter().filter(|record| record.kind() == Kind::Intent) {
        let intent = intents.entry(key(record, record.number)).or_default();
        assert!(intent.mark.is_empty(), "stored twice: {record:?}");
        intent.mark = mark(&record.text).unwrap_or("something else").to_owned();
    }
    for record in records.iter().filter(|record| record.kind() == Kind::Outcome) {
        let intent = intents.get_mut(&key(record, record.of));
        let intent = intent.unwrap_or_else(|| panic!("an outcome of nothing: {record:?}"));
        intent.outcomes.push(record.status());
    }
    intents
}

/// The marks of the statements that the server ran, by its own log.
fn executed(world: &World) -> HashSet<String> {
    let mut executed = HashSet::new();
    for line in world.server_log() {
        let ran = line.contains("LOG:  statement:") || line.contains("LOG:  execute");
        let Some(mark) = mark(&line).filter(|_| ran && line.contains("|shop_writer|")) else {
            continue;
        };
        assert!(
            executed.insert(mark.to_owned()),
            "{mark} reached the server twice"
        );
    }
    executed
}

/// Every spool's records are stored in order, from the first on, each once.
fn check_numbers(records: &[Record]) -> usize {
    let mut last: HashMap<(&str, u32, u64), u64> = HashMap::new();
    for record in records {
        let last = last
            .entry((&record.gateway, record.worker, record.epoch))
            .or_default();
        assert_eq!(record.number, *last + 1, "a gap or a repeat: {record:?}");
        *last = record.number;
    }
    last.len()
}

/// Lays the server's log and the record beside each other, and returns how many statements were compared.
fn check_record(world: &World, succeeded: &HashSet<String>, sent: u64) -> usize {
    let executed = executed(world);
    world.until(
        "every statement that ran has its record, and every intent its outcome",
        || {
            let records = world.stored_records();
            let intents = intents(&records);
            let marks: HashSet<&str> = intents.values().map(|intent| intent.mark.as_str()).collect();
            executed.iter().all(|mark| marks.contains(mark.as_str()))
                && intents.values().all(|intent| !intent.outcomes.is_empty())
        },
    );
    let records = world.stored_records();
    let spools = check_numbers(&records);
    let mut recorded = HashSet::new();
    for intent in intents(&records).into_values() {
        let [outcome] = intent.outcomes[..] else {
            panic!("not one outcome: {intent:?}");
        };
        let number = intent
            .mark
            .strip_prefix("mark_")
            .and_then(|rest| rest.strip_suffix('_'));
        let number: Option<u64> = number.and_then(|number| number.parse().ok());
        let known = number.is_some_and(|number| number < sent) || intent.mark.starts_with("bench_");
        assert!(known, "nobody sent {intent:?}");
        let ran = executed.contains(&intent.mark);
        assert!(ran || outcome != Status::Done, "the server never ran {intent:?}");
        let heard = succeeded.contains(&intent.mark);
        assert!(
            !heard || matches!(outcome, Status::Done | Status::Unknown),
            "{intent:?}"
        );
        assert!(recorded.insert(intent.mark), "recorded twice");
    }
    assert!(succeeded.is_subset(&executed) && executed.is_subset(&recorded));
    let verified = world.postern(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
    eprintln!(
        "{} statements ran, {} were recorded, {} records of {spools} spools",
        executed.len(),
        recorded.len(),
        records.len()
    );
    executed.len()
}

#[test]
fn whatever_is_killed_whenever_every_statement_that_ran_has_one_record_and_nothing_is_invented() {
    let kills = number("POSTERN_KILLS").unwrap_or(KILLS);
    let seed = number("POSTERN_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("{kills} kills by POSTERN_SEED={seed}");
    let mut random = Random(seed);
    let mut world = restless();
    let load = Load::start(&world);
    let (begun, mut moments) = (Instant::now(), BTreeMap::new());

    for _ in 0..kills {
        let (plane, moment) = kill_once(&mut world, &load, &mut random);
        let name = format!("{moment:?}");
        let name = name.split('(').next().unwrap_or_default().to_owned();
        *moments.entry((format!("{plane:?}"), name)).or_insert(0) += 1;
    }
    eprintln!("{moments:?} in {:?}", begun.elapsed());
    let (succeeded, sent) = load.stop();
    world.until_ready();
    let ran = check_record(&world, &succeeded, sent);
    assert!(
        u64::try_from(ran).unwrap() > kills,
        "{ran} statements are no load"
    );
}

#[test]
fn a_gateway_that_is_told_to_end_under_load_leaves_nothing_unknown() {
    let mut world = restless();
    let load = Load::start(&world);
    for _ in 0..3 {
        let answered = load.answered();
        world.until("the load runs", || load.answered() > answered + 20);
        world.terminate_gateway();
        world.start_gateway();
    }
    let (succeeded, sent) = load.stop();
    world.until_ready();
    check_record(&world, &succeeded, sent);
    let unknown = world
        .stored_records()
        .into_iter()
        .filter(|record| record.kind() == Kind::Outcome && record.status() == Status::Unknown);
    assert_eq!(unknown.count(), 0);
}

#[test]
fn an_old_copy_of_the_spools_put_back_neither_loses_nor_invents() {
    let mut world = restless();
    let load = Load::start(&world);
    let (data, copy) = (world.folder.join("gateway"), world.folder.join("copy"));
    let copied = |from: &Path, to: &Path| {
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([from, to])
            .status();
        assert!(copied.expect("cp runs").success());
    };
    world.until("the load runs", || load.answered() > 20);
    world.kill_gateway();
    copied(&data, &copy);
    for _ in 0..2 {
        world.start_gateway();
        let answered = load.answered();
        world.until("the load runs", || load.answered() > answered + 50);
        world.kill_gateway();
        fs::remove_dir_all(&data).expect("the newer spools go");
        copied(&copy, &data);
    }
    world.start_gateway();
    let (_, sent) = load.stop();
    world.until_ready();
    let records = world.stored_records();
    check_numbers(&records);
    let known = |mark: &str| {
        let number = mark.strip_prefix("mark_").and_then(|rest| rest.strip_suffix('_'));
        number.is_none_or(|number| number.parse::<u64>().is_ok_and(|number| number < sent))
    };
    for intent in intents(&records).into_values() {
        assert!(intent.outcomes.len() <= 1 && known(&intent.mark), "{intent:?}");
    }
    let verified = world.postern(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[test]
fn a_hang_up_ends_nobody() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let mut raw = world.block_on(Raw::log_in(&world, &token));
    let hung_up = std::process::Command::new("kill")
        .args(["-HUP", &world.pid().to_string()])
        .status();
    assert!(hung_up.expect("kill runs").success());
    world.until("it is heard", || {
        let log = fs::read_to_string(world.folder.join("log"));
        log.is_ok_and(|log| log.contains("are read again as they change"))
    });
    let heard = world.block_on(raw.query("select id from customers where id = 1"));
    assert_eq!(tags(&heard), "TDCZ");
}
