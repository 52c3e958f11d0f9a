//! A disk that is full or fails: what cannot be recorded is refused, the session lives, nothing unrecorded
//! reaches the server, and all goes on once there is room.

use std::time::{Duration, Instant};

use postern_tests::faults::{SmallDisk, library};
use postern_tests::raw::{Raw, error, query, status, tags};
use postern_tests::{Login, Planes, Wishes, World, field};

/// What was asked by one session, and how it went.
pub struct Asked<'a> {
    world: &'a World,
    raw: Raw,
    pub ran: Vec<String>,
    pub refused: Vec<String>,
    /// The longest that a refusal took.
    slowest: Duration,
}

impl<'a> Asked<'a> {
    pub fn by(world: &'a World) -> Asked<'a> {
        let token = world.token("all", &[]);
        Asked {
            world,
            raw: world.block_on(Raw::log_in(world, &token)),
            ran: Vec::new(),
            refused: Vec::new(),
            slowest: Duration::ZERO,
        }
    }

    /// Whether the next statement was served; what is not is refused as it must be.
    pub fn ask(&mut self) -> bool {
        let name = format!("asked_{}_", self.ran.len() + self.refused.len());
        let begun = Instant::now();
        let heard = self
            .world
            .block_on(self.raw.query(&format!("select 1 as {name}")));
        if tags(&heard) == "TDCZ" {
            self.ran.push(name);
            return true;
        }
        self.slowest = self.slowest.max(begun.elapsed());
        assert_eq!((tags(&heard).as_str(), status(&heard)), ("EZ", 'I'), "{heard:?}");
        assert_eq!(error(&heard, 'C'), "53100");
        assert!(error(&heard, 'M').contains("cannot be recorded"), "{heard:?}");
        self.refused.push(name);
        false
    }

    pub fn until_refused(&mut self) {
        while self.ask() {
            assert!(self.ran.len() < 5_000, "it never refuses");
        }
    }

    /// Asks as the disk begins to fail: refused within the session, or with it if the record was taken before.
    fn ask_in_vain(&mut self) {
        let name = format!("in_vain_{}_", self.refused.len());
        let told = self.world.block_on(async {
            self.raw.send(&[query(&format!("select 1 as {name}"))]).await;
            self.raw.receive().await
        });
        assert_eq!((told.0, error(&[told], 'C').as_str()), ('E', "53100"));
        self.refused.push(name);
    }

    /// Asks on until it is served, and says how long that took.
    pub fn until_served(&mut self) -> Duration {
        let begun = Instant::now();
        self.world.until("it serves again", || self.ask());
        begun.elapsed()
    }

    /// What ran has one record, and what was refused never reached the server.
    pub fn check(self) {
        let last = self.ran.last().expect("some ran");
        self.world.until_recorded("the last one", |record| {
            field(record, "kind") == "intent" && field(record, "text").contains(last)
        });
        let (log, records) = (self.world.server_log(), self.world.records("kind=intent"));
        let recorded = |name: &String| {
            records
                .iter()
                .filter(|record| field(record, "text").contains(name))
                .count()
        };
        for name in &self.ran {
            let reached = log.iter().filter(|line| line.contains(name)).count();
            assert_eq!((reached, recorded(name)), (1, 1), "{name}");
        }
        for name in &self.refused {
            assert!(!log.iter().any(|line| line.contains(name)), "{name} was sent on");
        }
        assert!(self.world.postern(&["audit", "verify"]).status.success());
        eprintln!(
            "{} ran, {} were refused, the slowest in {:?}",
            self.ran.len(),
            self.refused.len(),
            self.slowest
        );
        assert!(self.slowest < Duration::from_secs(5), "refused at once");
    }
}

fn failing(gateway: &str) -> World {
    World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, spool_file_bytes_max: 262144, record_bytes_max: 65536".into(),
        gateway: gateway.into(),
        environment: vec![("LD_PRELOAD", library().display().to_string())],
        ..Wishes::default()
    })
}

fn spool_files(world: &World) -> Vec<std::path::PathBuf> {
    let files = std::fs::read_dir(world.folder.join("gateway/spool/0")).expect("the spool's folder");
    let files = files.map(|entry| entry.expect("an entry").path());
    files
        .filter(|path| path.extension().is_some_and(|kind| kind == "spool"))
        .collect()
}

#[test]
fn a_full_disk_refuses_within_the_session_until_there_is_room_again() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, spool_file_bytes_max: 262144, record_bytes_max: 65536".into(),
        ..Wishes::default()
    });
    world.kill_gateway();
    let Some(disk) = SmallDisk::mount(&world.folder.join("gateway"), 4 << 20) else {
        eprintln!("this process may mount nothing, so a full disk is not tried here");
        return;
    };
    world.start_gateway();
    world.until_ready();
    let mut asked = Asked::by(&world);
    assert!(asked.ask());
    disk.fill();
    asked.until_refused();
    for _ in 0..20 {
        assert!(!asked.ask());
    }
    let token = world.token("all", &[]);
    world
        .psql(Login::Token(&token), "select 1")
        .turned_away("cannot be recorded");
    disk.give_back();
    eprintln!("served again {:?} after there was room", asked.until_served());
    asked.check();
}

#[test]
fn a_gateway_that_starts_on_a_full_disk_refuses_until_there_is_room() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, spool_file_bytes_max: 262144, record_bytes_max: 65536".into(),
        ..Wishes::default()
    });
    world.kill_gateway();
    let Some(disk) = SmallDisk::mount(&world.folder.join("gateway"), 4 << 20) else {
        eprintln!("this process may mount nothing, so a full disk is not tried here");
        return;
    };
    world.start_gateway();
    world.until_ready();
    let token = world.token("all", &[]);
    world
        .psql(Login::Token(&token), "select 1 as before_all")
        .succeeded();
    let left = spool_files(&world);
    assert!(!left.is_empty());
    world.kill_gateway();
    disk.fill();
    world.start_gateway();
    world.until_ready();
    // What the earlier process left gives its room back once it is stored.
    world.until("it is stored", || {
        let now = spool_files(&world);
        left.iter().all(|file| !now.contains(file))
    });
    disk.fill();
    world
        .psql(Login::Token(&token), "select 1 as not_recorded")
        .turned_away("cannot be recorded");
    disk.give_back();
    let mut asked = Asked::by(&world);
    asked.until_served();
    asked.check();
    assert!(
        !world
            .server_log()
            .iter()
            .any(|line| line.contains("not_recorded"))
    );
}

#[test]
fn a_disk_that_cannot_be_written_refuses_until_it_can() {
    let world = failing("");
    let mut asked = Asked::by(&world);
    for fault in ["pwrite", "torn"] {
        let mut unlucky = Asked::by(&world);
        assert!(asked.ask());
        world.fail(fault);
        unlucky.ask_in_vain();
        for _ in 0..20 {
            assert!(!asked.ask());
        }
        world.fail("");
        asked.until_served();
        asked.refused.append(&mut unlucky.refused);
    }
    asked.check();
}

#[test]
fn what_the_disk_says_it_lost_is_not_taken_for_written_until_a_restart() {
    let mut world = failing("  durability: disk\n");
    let (mut asked, mut unlucky) = (Asked::by(&world), Asked::by(&world));
    assert!(asked.ask());
    world.fail("fdatasync");
    unlucky.ask_in_vain();
    asked.refused.append(&mut unlucky.refused);
    world.fail("");
    for _ in 0..20 {
        assert!(
            !asked.ask(),
            "one sync that succeeds says nothing of what was lost"
        );
    }
    asked.check();
    world.kill_gateway();
    world.start_gateway();
    world.until_ready();
    let token = world.token("all", &[]);
    world.psql(Login::Token(&token), "select 1").succeeded();
}

/// Bytes of a process that are in memory.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    kilobytes
        .and_then(|number| number.trim().parse::<u64>().ok())
        .expect("a number")
        * 1024
}

#[test]
fn while_nobody_takes_its_records_a_gateway_refuses_and_does_not_grow() {
    let mut world = World::start(&Wishes {
        planes: Planes::Apart,
        limits: "workers: 1, spool_bytes_max: 262144, spool_file_bytes_max: 65536, record_bytes_max: 65536"
            .into(),
        ..Wishes::default()
    });
    let token = world.token("all", &[]);
    let ask = |world: &World, raw: &mut Raw, number: u32| {
        let sql = format!("select 1 as waiting_{number}_");
        tags(&world.block_on(raw.query(&sql))) == "TDCZ"
    };
    let mut raw = world.block_on(Raw::log_in(&world, &token));
    world.kill_control();
    let mut served = 0;
    while ask(&world, &mut raw, served) {
        served += 1;
    }
    for number in 0..200 {
        assert!(!ask(&world, &mut raw, served + 1 + number));
    }
    let before = resident_bytes(world.pid());
    for number in 0..1_000 {
        assert!(!ask(&world, &mut raw, served + 1_000 + number));
    }
    let grown = resident_bytes(world.pid()).saturating_sub(before);
    eprintln!("{served} served, then a thousand refused; it grew by {grown} bytes of {before}");
    assert!(grown < 16 << 20, "{grown} bytes");
    world.start_control();
    world.until("it serves again", || {
        served += 10_000;
        ask(&world, &mut raw, served)
    });
    // What was spooled comes in order, and all of it.
    world.until_recorded("the last one", |record| {
        field(record, "text").contains(&format!("waiting_{served}_"))
    });
    let records = world.stored_records();
    let mut last = std::collections::HashMap::new();
    for record in &records {
        let last = last
            .entry((&record.gateway, record.worker, record.epoch))
            .or_insert(0);
        *last += 1;
        assert_eq!(record.number, *last);
    }
}

#[test]
fn a_gateway_without_file_handles_refuses_and_lives_until_it_has_some_again() {
    let world = failing("");
    let mut asked = Asked::by(&world);
    assert!(asked.ask());
    let pid = world.pid().to_string();
    let limit = |handles: &str| {
        let set = std::process::Command::new("prlimit")
            .args(["--pid", &pid, &format!("--nofile={handles}:1024")])
            .status();
        assert!(set.expect("prlimit runs").success());
    };
    // Fewer than it has open: whatever it opens from now on fails, the next spool file too.
    limit("3");
    asked.until_refused();
    let met = std::net::TcpStream::connect(("127.0.0.1", world.port)).and_then(|mut socket| {
        use std::io::Read as _;
        socket.set_read_timeout(Some(Duration::from_millis(50)))?;
        socket.read(&mut [0; 1])
    });
    assert!(!matches!(met, Ok(1..)), "a stranger cannot be accepted");
    assert!(!asked.ask(), "the session lives");
    limit("1024");
    asked.until_served();
    let token = world.token("all", &[]);
    world.psql(Login::Token(&token), "select 1").succeeded();
    asked.check();
}
