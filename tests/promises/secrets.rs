//! The credential stays: it is in no client byte, log, record or answer.

use std::path::Path;

use postern_tests::{Login, Wishes, World};

fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map_while(Result::ok) {
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

#[test]
fn no_file_of_either_plane_holds_a_password_or_a_token() {
    let world = World::start(&Wishes::default());
    let token = world.token("all", &[]);
    world.psql(Login::Token(&token), "select 1").succeeded();
    world.psql(
        Login::Token(&token),
        "create role leaked password 'hunter2-the-secret'",
    );
    world
        .psql(Login::Token(&token), "select 'literal-canary'")
        .succeeded();
    world.until_recorded("a record", |record| {
        postern_tests::field(record, "kind") == "intent"
    });
    let mut all = Vec::new();
    files(&world.folder, &mut all);
    let signature = token.rsplit('.').next().unwrap().to_owned();
    for path in all
        .iter()
        .filter(|path| path.extension().is_none_or(|kind| kind != "password"))
    {
        // Spool files that are stored elsewhere go while we look.
        let Ok(bytes) = std::fs::read(path) else { continue };
        for canary in [
            "secret-of-shop",
            &signature,
            "hunter2-the-secret",
            "literal-canary",
        ] {
            let found = bytes
                .windows(canary.len())
                .any(|window| window == canary.as_bytes());
            assert!(!found, "`{canary}` stands in {}", path.display());
        }
    }
}

#[test]
fn a_credential_goes_only_where_its_host_says() {
    let world = World::start(&Wishes::default());
    let token = world.token("report", &[]);
    let elsewhere = world.resources().replace(&world.cluster.address(), "127.0.0.1:1");
    world.change("resources.yaml", &elsewhere);
    let complaint = world
        .psql(Login::Token(&token), "select 1")
        .turned_away("unavailable");
    assert!(!complaint.contains("127.0.0.1:1,"), "{complaint}");
}
