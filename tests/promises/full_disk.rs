//! A disk that is full or fails: what cannot be recorded is refused, the session lives, nothing unrecorded
//! reaches the server, and all goes on once there is room.

use std::time::{Duration, Instant};

use postern_tests::faults::{SmallDisk, library};
use postern_tests::raw::{Raw, error, status, tags};
use postern_tests::{Login, Planes, Wishes, World, field};

/// What was asked by one session, and how it went.
struct Asked<'a> {
    world: &'a World,
    raw: Raw,
    ran: Vec<String>,
    refused: Vec<String>,
    /// The longest that a refusal took.
    slowest: Duration,
}

impl<'a> Asked<'a> {
    fn by(world: &'a World) -> Asked<'a> {
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
    fn ask(&mut self) -> bool {
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

    fn until_refused(&mut self) {
        while self.ask() {
            assert!(self.ran.len() < 5_000, "it never refuses");
        }
    }

    /// Asks on until it is served, and says how long that took.
    fn until_served(&mut self) -> Duration {
        let begun = Instant::now();
        self.world.until("it serves again", || self.ask());
        begun.elapsed()
    }

    /// What ran has one record, and what was refused never reached the server.
    fn check(self) {
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
    world.kill_gateway();
    disk.fill();
    world.start_gateway();
    world.until_ready();
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
        assert!(asked.ask());
        world.fail(fault);
        asked.until_refused();
        for _ in 0..20 {
            assert!(!asked.ask());
        }
        world.fail("");
        asked.until_served();
    }
    asked.check();
}

#[test]
fn what_the_disk_says_it_lost_is_not_taken_for_written_until_a_restart() {
    let mut world = failing("  durability: disk\n");
    let mut asked = Asked::by(&world);
    assert!(asked.ask());
    world.fail("fdatasync");
    asked.until_refused();
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
