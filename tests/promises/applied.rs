//! What an operator applies is in force at once, all of it or nothing, and there is a way back.

use std::fs;
use std::process::Output;

use postern_tests::raw::{Raw, error};
use postern_tests::{Login, Wishes, World};

const READ: &str = "select id from customers where id = 1";

fn world() -> World {
    World::start(&Wishes {
        applied: true,
        ..Wishes::default()
    })
}

fn words(output: &Output) -> String {
    let told = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(told).unwrap()
}

/// The folder that was applied, with the report's rule gone.
fn tighter(world: &World) -> String {
    let path = world.folder.join("resources/shop.cedar");
    let text = fs::read_to_string(&path).unwrap();
    let begin = text.find("@id(\"report-customers\")").unwrap();
    let end = text.find("@id(\"writer-orders\")").unwrap();
    let text = [text.get(..begin).unwrap(), text.get(end..).unwrap()].concat();
    fs::write(path, text).unwrap();
    world.folder.join("resources").display().to_string()
}

#[test]
fn a_tighter_policy_is_shown_applied_and_taken_back_by_the_command_line() {
    let world = world();
    let token = world.token("report", &[]);
    let first = world.policy_epoch();
    world.psql(Login::Token(&token), READ).succeeded();
    let folder = tighter(&world);
    let shown = world.postern(&["diff", "-f", &folder]);
    assert_eq!(shown.status.code(), Some(1));
    assert!(
        words(&shown).contains("\n-permit (principal == Postern::Workload::\"report\""),
        "{shown:?}"
    );
    let tried = world.postern(&["apply", "-f", &folder, "--dry-run"]);
    assert!(words(&tried).starts_with("nothing is wrong with "), "{tried:?}");
    world.psql(Login::Token(&token), READ).succeeded();

    world.block_on(async {
        // A session that is open does by the new rules what it does next.
        let mut raw = Raw::log_in(&world, &token).await;
        let applied = world.postern(&["apply", "-f", &folder, "--reason", "too wide"]);
        assert!(applied.status.success(), "{applied:?}");
        assert_eq!(error(&raw.query(READ).await, 'C'), "42501");
    });
    world.psql(Login::Token(&token), READ).refused("42501");
    assert_eq!(world.postern(&["diff", "-f", &folder]).status.code(), Some(0));
    let again = world.postern(&["apply", "-f", &folder, "--reason", "again"]);
    assert!(words(&again).starts_with("in force already"), "{again:?}");

    let before = first.to_string();
    let restored = world.postern(&["snapshots", "restore", &before, "--reason", "too tight"]);
    assert!(restored.status.success(), "{restored:?}");
    world.psql(Login::Token(&token), READ).succeeded();
    let history = words(&world.postern(&["snapshots"]));
    let reasons: Vec<bool> = ["too tight", "too wide", "a test"]
        .iter()
        .zip(history.lines().skip(1))
        .map(|(reason, line)| line.contains(reason))
        .collect();
    assert_eq!(reasons, [true; 3], "{history}");
}

#[test]
fn what_is_wrong_is_shown_with_its_place_and_nothing_of_it_is_in_force() {
    let world = world();
    let (token, epoch) = (world.token("report", &[]), world.policy_epoch());
    let folder = tighter(&world);
    let rules = world.folder.join("resources/more.cedar");
    for (text, place) in [
        ("permit (principal, action, resource", "more.cedar"),
        (
            "permit (principal, action == Postern::Action::\"selct\", resource);",
            "more.cedar",
        ),
    ] {
        fs::write(&rules, text).unwrap();
        for arguments in [
            &["apply", "-f", &folder, "--dry-run"][..],
            &["apply", "-f", &folder, "--reason", "a mistake"],
        ] {
            let told = world.postern(arguments);
            assert_eq!(told.status.code(), Some(1), "{told:?}");
            assert!(words(&told).contains(place), "{told:?}");
        }
    }
    world.psql(Login::Token(&token), READ).succeeded();
    assert_eq!(world.policy_epoch(), epoch);
}

#[test]
fn what_is_exported_is_what_was_applied_and_writes_over_nothing() {
    let world = world();
    let applied = world.folder.join("resources");
    let first = world.policy_epoch().to_string();
    let old = fs::read_to_string(applied.join("shop.cedar")).unwrap();
    let folder = tighter(&world);
    world.postern(&["apply", "-f", &folder, "--reason", "tighter"]);
    let out = world.folder.join("exported").display().to_string();
    let exported = world.postern(&["export", &out]);
    assert!(exported.status.success(), "{exported:?}");
    for name in ["resources.yaml", "shop.cedar"] {
        let read = |folder: &str| fs::read_to_string(world.folder.join(folder).join(name)).unwrap();
        assert_eq!(read("exported"), read("resources"), "{name}");
    }
    assert_eq!(world.postern(&["export", &out]).status.code(), Some(1));
    let older = world.folder.join("older").display().to_string();
    world.postern(&["export", &older, "--snapshot", &first]);
    let older = fs::read_to_string(world.folder.join("older/shop.cedar"));
    assert_eq!(older.unwrap(), old);
}

#[test]
fn rehearsed_policies_answer_nobody_and_it_is_told_where_they_would_answer_otherwise() {
    let world = world();
    let (report, writer) = (world.token("report", &[]), world.token("writer", &[]));
    let folder = world.folder.join("resources");
    let rules = fs::read_to_string(folder.join("shop.cedar")).unwrap();
    // The report may read another column instead.
    fs::create_dir(folder.join("rehearsed")).unwrap();
    let other = rules.replace("[\"id\", \"country\", \"created_at\"]", "[\"id\", \"email\"]");
    assert_ne!(rules, other);
    fs::write(folder.join("rehearsed/shop.cedar"), other).unwrap();
    let folder = folder.display().to_string();
    let applied = world.postern(&["apply", "-f", &folder, "--reason", "a rehearsal"]);
    assert!(applied.status.success(), "{applied:?}");
    for _ in 0..2 {
        let alike = "select id from customers where id = 1";
        world.psql(Login::Token(&report), alike).succeeded();
        let tighter = "select country from customers where id = 1";
        world.psql(Login::Token(&report), tighter).succeeded();
        let wider = "select email from customers where id = 1";
        world.psql(Login::Token(&report), wider).refused("42501");
    }
    world
        .psql(Login::Token(&writer), "select id from orders where id = 1")
        .succeeded();
    world.until("it is in the log", || {
        world.records("kind=refused").len() == 2 && world.records("kind=session_ended").len() == 7
    });
    let told = world.operators("/v1/rehearsal");
    let told: Vec<[String; 4]> = told["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| ["workload", "in_force", "rehearsed", "count"].map(|name| one[name].to_string()))
        .collect();
    let expected = |now: &str, then: &str| ["\"report\"", now, then, "2"].map(str::to_owned);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told.contains(&expected("\"permitted\"", "\"refused\"")),
        "{told:?}"
    );
    assert!(
        told.contains(&expected("\"refused\"", "\"permitted\"")),
        "{told:?}"
    );
    let shown = words(&world.postern(&["policy", "differences", "--workload", "report"]));
    assert!(
        shown.contains("may not select country, id of public.customers"),
        "{shown}"
    );
    assert!(
        shown.contains("may not select email, id of public.customers"),
        "{shown}"
    );
    // Each record says what both answered.
    let intents = world.records("kind=intent&text=country");
    assert_eq!(intents[0]["rehearsed"]["permitted"], false);
    assert_eq!(intents[0]["permitted"], true);

    // Without a rehearsal nothing is said of one.
    fs::remove_dir_all(world.folder.join("resources/rehearsed")).unwrap();
    world.postern(&["apply", "-f", &folder, "--reason", "over"]);
    let shown = words(&world.postern(&["policy", "differences"]));
    assert!(shown.starts_with("nothing is rehearsed"), "{shown}");
}

#[test]
fn a_rehearsed_policy_that_does_not_load_is_told_and_nothing_is_applied() {
    let world = world();
    let folder = world.folder.join("resources");
    fs::create_dir(folder.join("rehearsed")).unwrap();
    fs::write(folder.join("rehearsed/more.cedar"), "permit (principal").unwrap();
    let folder = folder.display().to_string();
    let told = world.postern(&["apply", "-f", &folder, "--reason", "a mistake"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(words(&told).contains("rehearsed/more.cedar"), "{told:?}");
    fs::write(world.folder.join("resources/rehearsed/more.cedar"), "").unwrap();
    fs::write(
        world.folder.join("resources/rehearsed/more.yaml"),
        "kind: Workload\n",
    )
    .unwrap();
    let told = world.postern(&["apply", "-f", &folder, "--dry-run"]);
    assert!(
        words(&told).contains("only policies can be rehearsed"),
        "{told:?}"
    );
}

#[test]
fn a_folder_is_asked_what_cases_expect_of_it_and_each_that_is_otherwise_is_told() {
    let world = World::shared();
    let config = world.folder.join("postern.yaml").display().to_string();
    let dumped = world.postern(&["catalogue", "dump", "--target", "shop", "--config", &config]);
    assert!(dumped.status.success(), "{dumped:?}");
    let folder = tempfile::tempdir().unwrap();
    let (catalogue, cases) = (folder.path().join("shop.json"), folder.path().join("cases.yaml"));
    fs::write(&catalogue, dumped.stdout).unwrap();
    let test = |text: &str, catalogue: &str| {
        fs::write(&cases, text).unwrap();
        let resources = world.folder.join("resources").display().to_string();
        let cases = cases.display().to_string();
        let mut arguments = vec!["policy", "test", &cases, "-f", &resources];
        if !catalogue.is_empty() {
            arguments.extend(["--catalog", catalogue]);
        }
        world.postern(&arguments)
    };
    let catalogue = format!("shop={}", catalogue.display());
    let good = "
- { workload: report, target: shop, sql: select id from customers, permitted: true }
- { workload: report, target: shop, sql: select ssn from customers, permitted: false }
- { workload: report, target: shop, action: delete, resource: customers, permitted: false }
";
    let told = test(good, &catalogue);
    assert_eq!(words(&told), "3 of 3 cases are as expected\n");
    assert!(told.status.success());
    let wrong = "
- { name: hidden, workload: report, target: shop, sql: select ssn from customers, permitted: true }
- { workload: report, target: shop, sql: select id from customers, permitted: false }
- { workload: nobody, target: shop, action: use, permitted: false }
- { workload: report, target: shop, permitted: false }
";
    let told = test(wrong, &catalogue);
    assert_eq!(told.status.code(), Some(1));
    for line in [
        "case 1 hidden",
        "no rule permits",
        "expected to be refused, and permitted by ",
        "report-customers",
        "there is no workload `nobody`",
        "a case asks for one of",
        "0 of 4 cases are as expected",
    ] {
        assert!(words(&told).contains(line), "{line}: {}", words(&told));
    }
    assert!(words(&test(good, "")).contains("a statement needs `--catalog shop=FILE`"));
    assert_eq!(test("- { workload: report }", &catalogue).status.code(), Some(1));
}
