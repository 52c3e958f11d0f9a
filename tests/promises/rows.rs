//! Rows pass untouched, with bounded memory, both ways.

use std::process::Stdio;

use postern_tests::{Login, Planes, Wishes, World};

/// From here on the greatest memory is counted anew (proc(5), `clear_refs`).
pub(super) fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
}

/// The greatest memory the process has held.
pub(super) fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").trim().parse().unwrap()
}

/// What one session may grow the gateway by.
pub(super) const GROWTH_KIB_MAX: u64 = 8 * 1024;

#[test]
fn ten_million_rows_and_a_gigabyte_each_way_grow_a_session_by_less_than_eight_megabytes() {
    let world = World::start(&Wishes {
        planes: Planes::Apart,
        ..Wishes::default()
    });
    let token = world.token("all", &[]);
    world
        .psql(Login::Token(&token), "create table bulk (filler text)")
        .succeeded();
    let pid = world.pid();
    let run = |sql: &str, from: Stdio| {
        let mut psql = world.client("psql", Login::Token(&token));
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--set",
            "FETCH_COUNT=0",
            "-c",
            sql,
        ]);
        psql.stdin(from).stdout(Stdio::null()).spawn().unwrap()
    };
    // What every session costs once, and the code that it runs first, is not what a large one costs; neither is what the
    // allocator has yet to give back. So peak is compared with peak: small sessions against the same ones with a gigabyte.
    let small_sessions = || {
        for small in [
            "select n, repeat('x', 1000) from generate_series(1, 1000) n",
            "copy (select n from generate_series(1, 1000) n) to stdout",
            "copy bulk from stdin",
        ] {
            assert!(run(small, Stdio::null()).wait().unwrap().success(), "{small}");
        }
    };
    small_sessions();
    forget_peak(pid);
    small_sessions();
    let before = peak_kib(pid);
    forget_peak(pid);
    assert!(
        run(
            "copy (select n from generate_series(1, 10000000) n) to stdout",
            Stdio::null()
        )
        .wait()
        .unwrap()
        .success()
    );
    assert!(
        run(
            "copy (select repeat('x', 1023) from generate_series(1, 1048576)) to stdout",
            Stdio::null()
        )
        .wait()
        .unwrap()
        .success()
    );
    let mut yes = std::process::Command::new("sh")
        .args(["-c", "yes $(printf 'x%.0s' $(seq 1023)) | head -n 1048576"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    assert!(
        run("copy bulk from stdin", yes.stdout.take().unwrap().into())
            .wait()
            .unwrap()
            .success()
    );
    yes.wait().unwrap();
    let counted = world
        .cluster
        .sql(
            &world.database,
            "select count(*), sum(length(filler)) from bulk; drop table bulk",
        )
        .unwrap();
    assert_eq!(counted.lines().next().unwrap().trim(), "1048576|1072693248");
    // Linux counts each thread's pages in batches, so a peak may read a little below the size that was its beginning.
    let grown = peak_kib(pid).saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "the gateway grew by {grown} KiB");
}

#[test]
fn what_comes_back_is_what_the_server_sent() {
    let world = World::shared();
    let token = world.token("all", &[]);
    let sql = "select n, repeat(chr(200 + n), n), null, n * 1.5, array[n], '\\x00ff'::bytea from generate_series(1, 200) n";
    let through = world.psql(Login::Token(&token), sql).succeeded();
    assert_eq!(through, world.cluster.sql(&world.database, sql).unwrap());
}
