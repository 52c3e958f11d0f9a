//! What does not load, and what its author is told.
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it by panicking")]

use postern_policies::{
    Context, Grantee, Link, LoadError, PolicySet, Question, RULE_BYTES_MAX, RULE_IFS_MAX, RULE_NESTING_MAX,
    RULE_OPERATORS_MAX, Resource, Slice, Source, library,
};

fn load(text: &str) -> Result<PolicySet, Vec<LoadError>> {
    PolicySet::load(
        1,
        &[Source {
            name: "orders.cedar".to_owned(),
            text: text.to_owned(),
        }],
        &[],
    )
}

fn fault(text: &str) -> LoadError {
    let mut errors = load(text).map(|_| ()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

/// The place, the message, and the help.
fn check(text: &str, place: (u32, u32), message: &str, help: &str) {
    let fault = fault(text);
    assert_eq!((fault.line, fault.column), place, "{fault}");
    assert!(fault.message.contains(message), "{fault}");
    assert!(
        fault.help.as_deref().unwrap_or_default().contains(help),
        "{fault}"
    );
    assert!(!fault.to_string().contains("policy `"), "{fault}");
}

#[test]
fn an_error_shows_its_place_with_a_caret() {
    let text =
        "// Reports.\npermit (\n  principal,\n  action == Postern::Action::\"slect\",\n  resource\n);\n";
    let shown = fault(text).to_string();
    let expected = "orders.cedar:4:13: there is no action `slect`\n 4 |   action == Postern::Action::\"slect\",\n   |             ^^^^^^^^^^^^^^^^^^^^^^^^\n  help: did you mean `Postern::Action::\"select\"`?";
    assert_eq!(shown, expected);
}

#[test]
fn unknown_words_are_answered_with_the_nearest_known_one() {
    let rule =
        |action: &str| format!("permit (principal, action == Postern::Action::\"{action}\", resource);");
    check(
        &rule("udpate"),
        (1, 30),
        "no action `udpate`",
        "`Postern::Action::\"update\"`",
    );
    check(
        &rule("Select"),
        (1, 30),
        "no action `Select`",
        "`Postern::Action::\"select\"`",
    );
    check(
        &rule("xyzzy"),
        (1, 30),
        "no action `xyzzy`",
        "actions are DELETE, GET",
    );
    check(
        "permit (principal in Segment::\"a\", action, resource);",
        (1, 22),
        "no kind of entity `Segment`",
        "`Postern::Segment`",
    );
    check(
        "permit (principal, action == Postern::Action::\"select\", resource) when { context.colums == [\"a\"] };",
        (1, 74),
        "colums",
        "columns",
    );
    check(
        "permit (principal, action == Postern::Action::\"select\", resource is Postern::Tabel);",
        (1, 69),
        "no kind of entity `Postern::Tabel`",
        "`Postern::Table`",
    );
}

#[test]
fn an_attribute_that_may_be_missing_must_be_asked_for_first() {
    check(
        "permit (principal, action, resource) when { context.run.provider == \"github\" };",
        (1, 45),
        "optional attribute",
        "has run",
    );
    let repository = "context has run && context.run.repository == \"a\"";
    assert!(
        load(&format!(
            "permit (principal, action, resource) when {{ {repository} }};"
        ))
        .is_err()
    );
    let repository = "context has run && context.run has repository && context.run.repository == \"a\"";
    assert!(
        load(&format!(
            "permit (principal, action, resource) when {{ {repository} }};"
        ))
        .is_ok()
    );
}

#[test]
fn a_rule_that_can_never_apply_does_not_load() {
    let never = |text: &str| {
        let fault = fault(text);
        assert_eq!(fault.message, "this rule can never apply", "{fault}");
    };
    never("forbid (principal, action == Postern::Action::\"read\", resource);");
    never("forbid (principal, action == Postern::Action::\"insert\", resource is Postern::Routine);");
    never(
        "forbid (principal, action == Postern::Action::\"insert\", resource == Postern::Database::\"a/b\");",
    );
    never("forbid (principal == Postern::Segment::\"a\", action, resource);");
    never("forbid (principal, action == Postern::Action::\"use\", resource) when { context has columns };");
    never("forbid (principal, action, resource) when { false };");
}

#[test]
fn an_id_that_no_question_can_carry_does_not_load() {
    let rule = |resource: &str| format!("forbid (principal, action, resource in Postern::{resource});");
    check(
        &rule("Schema::\"orders/public\""),
        (1, 58),
        "no Schema can have the id",
        "target/database/schema",
    );
    check(
        &rule("Table::\"o/d/s/a%2fb\""),
        (1, 57),
        "no Table can have the id",
        "`o/d/s/a%2Fb`",
    );
    check(&rule("Target::\"\""), (1, 1), "no Target", "empty");
    check(
        "forbid (principal == Postern::Workload::\"a/b\", action, resource);",
        (1, 42),
        "no Workload can have the id `a/b`",
        "the id of a Workload is `workload`",
    );
    let in_condition = "forbid (principal, action, resource) when { resource in Postern::Schema::\"a\" };";
    assert!(fault(in_condition).message.contains("no Schema"));
}

#[test]
fn what_does_not_parse_says_where() {
    let fault = fault("permit (principal, action, resource);\n\npermit (principal, action resource);\n");
    assert_eq!((fault.line, fault.column), (3, 27), "{fault}");
    assert!(load("permit (principal, action, resource)").is_err());
    assert!(load("permit (principal, action, resource);;").is_err());
    assert!(load("permit (principal, action, resource); \"").is_err());
    assert!(load("@id(\"a;b\") permit (principal, action, resource); // a; b\n// \"\n").is_ok());
    assert!(load("@id(\"a\\\";\") permit (principal, action, resource);").is_ok());
    assert!(load("").is_ok());
    assert!(load("// nothing;").is_ok());
}

#[test]
fn every_error_of_every_file_is_told_at_once() {
    let source = |name: &str, text: &str| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let sources = [
        source(
            "a.cedar",
            "permit (principal, action == Postern::Action::\"slect\", resource);",
        ),
        source(
            "b.cedar",
            "\npermit (principal, action == Postern::Action::\"slect\", resource);",
        ),
        source(
            "c.cedar",
            "permit (principal, action == Postern::Action::\"select\", resource);",
        ),
    ];
    let errors = PolicySet::load(1, &sources, &[]).unwrap_err();
    let places: Vec<_> = errors
        .iter()
        .map(|error| (error.file.as_str(), error.line))
        .collect();
    assert_eq!(places, [("a.cedar", 1), ("b.cedar", 2)]);
}

#[test]
fn two_rules_may_not_share_an_id() {
    let text =
        "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);";
    check(
        text,
        (2, 1),
        "the id `a` is taken by the rule at orders.cedar:1",
        "@id",
    );
    let text = "permit (principal, action, resource);\n@id(\"orders.cedar#1\") forbid (principal, action, resource);";
    check(text, (2, 1), "taken by the rule at orders.cedar:1", "@id");
}

#[test]
fn rules_are_named_by_their_id_or_their_place() {
    let set =
        load("permit (principal, action, resource);\n\n@id(\"b\")\npermit (principal, action, resource);")
            .unwrap();
    let shown: Vec<String> = set.rules().iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["orders.cedar#1 (orders.cedar:1)", "b (orders.cedar:3)"]);
}

#[test]
fn templates_are_for_the_library_only() {
    let fault = fault("permit (principal in ?principal, action, resource);");
    assert!(fault.message.contains("?principal"), "{fault}");
}

#[test]
fn following_entities_out_of_sight_does_not_load() {
    let text = "permit (principal, action, resource) when { Postern::Target::\"a\".target == \"a\" };";
    assert!(load(text).is_err());
}

#[test]
fn direction_marks_do_not_load() {
    let fault = fault("permit (principal, action, resource) when { context.role == \"a\u{202e}b\" };");
    assert!(fault.help.unwrap().contains("direction marks"));
}

#[test]
fn a_rule_has_a_greatest_length_and_number_of_operators() {
    let text = "x".repeat(RULE_BYTES_MAX);
    let long = format!("permit (principal, action, resource) when {{ \"{text}\" == context.role }};");
    check(&long, (1, 1), "longer than", "several");
    let refused = |condition: String, message: &str| {
        check(
            &format!("permit (principal, action, resource) when {{ {condition} }};"),
            (1, 1),
            message,
            "list",
        );
    };
    refused(
        "true".to_owned() + &" && true".repeat(RULE_OPERATORS_MAX + 1),
        "operators",
    );
    refused(
        "(".repeat(RULE_NESTING_MAX) + "true" + &")".repeat(RULE_NESTING_MAX),
        "nest",
    );
    refused(
        "if true then ".repeat(RULE_IFS_MAX + 1) + "true" + &" else true".repeat(RULE_IFS_MAX + 1),
        "`if`",
    );
    let list: Vec<String> = (0..2_000).map(|number| format!("\"column_{number}\"")).collect();
    let list = format!(
        "permit (principal, action, resource) when {{ [{}].contains(context.role) }};",
        list.join(", ")
    );
    assert!(load(&list).is_ok());
}

#[test]
fn the_deepest_rule_fits_a_small_stack() {
    const NESTING: usize = RULE_NESTING_MAX - 1;
    let deep = [
        "true".to_owned() + &" && true".repeat(RULE_OPERATORS_MAX),
        "context.role == \"a\"".to_owned() + &" || context.role == \"a\"".repeat(RULE_OPERATORS_MAX / 3 - 1),
        "(".repeat(NESTING) + "true" + &")".repeat(NESTING),
        "[".repeat(NESTING) + "1" + &"]".repeat(NESTING) + " == [1]",
        "{a: ".repeat(NESTING) + "1" + &"}".repeat(NESTING) + " == {a: 1}",
        "(true && !(".repeat(NESTING / 2) + "true" + &"))".repeat(NESTING / 2),
        "if true then ".repeat(RULE_IFS_MAX) + "true" + &" else false".repeat(RULE_IFS_MAX),
        "if ".repeat(RULE_IFS_MAX) + "true" + &" then true else false".repeat(RULE_IFS_MAX),
        "context".to_owned() + &".a".repeat(RULE_OPERATORS_MAX),
        "!".repeat(RULE_OPERATORS_MAX) + "true",
        "-".repeat(RULE_OPERATORS_MAX - 1) + "1 == 1",
        "1 + ".repeat(RULE_OPERATORS_MAX - 1) + "1 == 1",
        "1 * ".repeat(RULE_OPERATORS_MAX - 1) + "1 == 1",
    ];
    for condition in deep {
        let text = format!("permit (principal, action, resource) when {{ {condition} }};");
        // To load or to refuse is all the same here; to overflow the stack would end this process.
        let work = move || {
            load(&text)
                .map(|set| set.slice("a", &[]))
                .map(|slice| decide(&slice))
        };
        let thread = std::thread::Builder::new()
            .stack_size(2 << 20)
            .spawn(work)
            .unwrap();
        if let Err(errors) = thread.join().unwrap() {
            let message = &errors[0].message;
            assert!(
                !message.contains("this rule has") && !message.contains("brackets"),
                "{message}: {condition}"
            );
        }
    }
}

fn decide(slice: &Slice) -> bool {
    let context = Context::new("app", [192, 0, 2, 1].into(), 0, "certificate");
    let resource = Resource::Database {
        target: "a",
        database: "b",
    };
    slice
        .decide(&Question {
            action: "use",
            resource,
            context,
            whole: false,
        })
        .permitted
}

#[test]
fn a_grant_of_what_is_not_in_the_library_does_not_load() {
    let link = |library: &str, target: &str| Link {
        library: library.to_owned(),
        principal: Grantee::Segment("apps".to_owned()),
        target: target.to_owned(),
    };
    let errors = PolicySet::load(1, &[], &[link("session-basic", "orders")]).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "grant: there is no library set `session-basic`\n  help: did you mean `session-basics`?"
    );
    assert!(PolicySet::load(1, &[], &[link("dump", "")]).is_err());
    for set in library() {
        assert!(
            PolicySet::load(1, &[], &[link(set.name, "orders")]).is_ok(),
            "{}",
            set.name
        );
    }
}

#[test]
fn sets_and_slices_can_be_shared_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<PolicySet>();
    check::<postern_policies::Slice>();
}

#[test]
fn a_slice_knows_the_epoch_of_its_set() {
    let set = PolicySet::load(9, &[], &[]).unwrap();
    assert_eq!((set.epoch(), set.slice("a", &[]).epoch()), (9, 9));
}
