//! What an API says it does is what may be asked of it: by operation, by tag, and by what a request gives.

use std::fs;

use postern_tests::api::{Api, BEARER, answer, house};
use postern_tests::{Login, World};

use super::http::curl;

const DOCUMENT: &str = "\
openapi: 3.1.0
info: { title: Billing, version: '1' }
servers: [{ url: https://billing.example/v1 }]
paths:
  /invoices:
    get:
      operationId: listInvoices
      tags: [invoices]
      parameters:
        - { name: limit, in: query, schema: { type: integer } }
      responses: { 200: { description: all of them } }
    post: { operationId: createInvoice, tags: [invoices], responses: {} }
  /invoices/{id}:
    parameters: [{ name: id, in: path, required: true, schema: { type: string } }]
    get: { operationId: getInvoice, tags: [invoices], responses: {} }
    delete:
      operationId: deleteInvoice
      parameters: [{ name: X-Dry-Run, in: header, schema: { type: boolean } }]
      responses: {}
  /invoices/{id}/refund: { post: { operationId: refundInvoice, tags: [money], responses: {} } }
  /secrets/{id}: { get: { operationId: getSecret, tags: [invoices], responses: {} } }
";

const POLICIES: &str = r#"
@id("one") permit (
  principal == Postern::Workload::"report",
  action == Postern::Action::"POST",
  resource == Postern::Operation::"billing/createInvoice"
);
@id("reads") permit (
  principal == Postern::Workload::"report",
  action in Postern::Action::"read",
  resource in Postern::Tag::"billing/invoices"
) unless { context.numbers.hasTag("limit") && context.numbers.getTag("limit") > 100 };
@id("tries") permit (
  principal == Postern::Workload::"report",
  action == Postern::Action::"DELETE",
  resource == Postern::Operation::"billing/deleteInvoice"
) when { context.parameters.contains("X-Dry-Run=true") };
@id("not-42") forbid (principal, action, resource in Postern::Path::"billing:/v1/invoices/42");
"#;

fn described() -> (Api, World) {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let world = house(&api, BEARER, POLICIES, "");
    let document = world.folder.join("resources/billing.openapi.yaml");
    fs::write(document, DOCUMENT).unwrap();
    describe(&world, ", openapi: billing.openapi.yaml");
    (api, world)
}

fn describe(world: &World, words: &str) {
    let path = world.folder.join("resources/resources.yaml");
    let now = fs::read_to_string(path).unwrap();
    let prefix = "prefix: /billing";
    assert_eq!(now.matches(prefix).count(), 1);
    world.change(
        "resources.yaml",
        &now.replace(prefix, &format!("{prefix}{words}")),
    );
}

#[test]
fn a_request_is_judged_as_the_operation_it_is_and_what_is_none_is_not_served() {
    let (api, world) = described();
    let token = world.token("report", &[]);
    let status = |method: &str, path: &str, more: &[&str]| {
        let url = format!("{{url}}/billing{path}");
        curl(
            &world,
            Login::Token(&token),
            &[&["--request", method, &url], more].concat(),
        )
        .status
    };
    let served: [(&str, &str, &[&str]); 7] = [
        ("POST", "/v1/invoices", &["--data", "a=b"]),
        ("GET", "/v1/invoices", &[]),
        ("GET", "/v1/invoices?limit=100&other=a+b", &[]),
        ("GET", "/v1/invoices/7", &[]),
        ("GET", "/v1/invoices/421", &[]),
        ("DELETE", "/v1/invoices/7", &["--header", "X-Dry-Run: true"]),
        ("GET", "/v1/secrets/7", &[]),
    ];
    for (method, path, more) in served {
        assert_eq!(status(method, path, more), "200", "{method} {path}");
    }
    let before = api.seen().len();
    assert_eq!(before, served.len());
    let refused: [(&str, &str, &[&str], &str); 16] = [
        // Another operation of the same tag or path.
        ("POST", "/v1/invoices/7/refund", &[], "403"),
        ("DELETE", "/v1/invoices/7", &[], "403"),
        (
            "DELETE",
            "/v1/invoices/7",
            &["--header", "X-Dry-Run: false"],
            "403",
        ),
        ("GET", "/v1/invoices/42", &[], "403"),
        ("GET", "/v1/invoices?limit=101", &[], "403"),
        // No operation.
        ("PUT", "/v1/invoices", &[], "403"),
        ("HEAD", "/v1/invoices", &["--head"], "403"),
        ("GET", "/v1/invoices/", &[], "403"),
        ("GET", "/invoices", &[], "403"),
        ("GET", "/", &[], "403"),
        // What is read in two ways.
        ("GET", "/v1/Invoices", &[], "400"),
        ("GET", "/v1/invoices?limit=1&limit=1000", &[], "400"),
        ("GET", "/v1/invoices?Limit=1000", &[], "400"),
        ("GET", "/v1/invoices?a=b;limit=1000", &[], "400"),
        // What the header says does not arrive.
        (
            "DELETE",
            "/v1/invoices/7",
            &[
                "--http1.1",
                "--header",
                "X-Dry-Run: true",
                "--header",
                "Connection: X-Dry-Run",
            ],
            "403",
        ),
        (
            "POST",
            "/v1/invoices",
            &["--header", "X-HTTP-Method-Override: DELETE"],
            "400",
        ),
    ];
    for (method, path, more, wanted) in refused {
        assert_eq!(status(method, path, more), wanted, "{method} {path} {more:?}");
    }
    assert_eq!(api.seen().len(), before);
    world.until("each refusal tells what was asked", || {
        let kept = world.records("kind=refused&workload=report&target=billing");
        let texts = kept.iter().filter(|refused| refused["text"].is_string());
        texts.count() == refused.len()
    });
    world.until("an intent tells its operation", || {
        let intents = world.records("kind=intent&workload=report");
        intents.iter().any(|intent| {
            intent["text"] == "POST /v1/invoices"
                && intent["effects"]
                    .to_string()
                    .contains("Operation::\\\"billing/createInvoice\\\"")
        })
    });
}

#[test]
fn a_refusal_names_the_operation_and_the_rule_that_would_allow_it_and_can_says_the_same() {
    let (_api, world) = described();
    let token = world.token("report", &[]);
    let refund = ["--request", "POST", "{url}/billing/v1/invoices/7/refund"];
    let problem = curl(&world, Login::Token(&token), &refund).body;
    for words in [
        "may not POST /v1/invoices/7/refund, which is `refundInvoice`",
        r#"resource == Postern::Operation::\"billing/refundInvoice\""#,
    ] {
        assert!(problem.contains(words), "{problem}");
    }
    let resources = world.folder.join("resources");
    let resources = resources.to_str().unwrap();
    for offline in [&[][..], &["--resources", resources]] {
        for (request, code, words) in [
            ("POST /v1/invoices", 0, "one"),
            ("GET /v1/invoices?limit=10", 0, "reads"),
            (
                "GET /v1/invoices?limit=1000",
                3,
                "Operation::\"billing/listInvoices\"",
            ),
            ("GET /v1/invoices/42", 3, "not-42"),
            ("PATCH /v1/invoices", 3, "no operation `PATCH /v1/invoices`"),
            ("GET /v1/invoices?limit=many", 3, "a whole number"),
        ] {
            let asked = ["can", "report", "--target", "billing", "--request", request];
            let output = world.postern(&[&asked, offline].concat());
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(output.status.code(), Some(code), "{request} {said}");
            assert!(said.contains(words), "{request} {said}");
        }
    }
}

#[test]
fn a_description_that_leaves_something_open_is_told_and_the_last_one_stays() {
    let (api, world) = described();
    let document = world.folder.join("resources/billing.openapi.yaml");
    let unclear = DOCUMENT.replace("/secrets/{id}", "/{kind}/mine");
    fs::write(&document, &unclear).unwrap();
    let check = |words: &str| {
        let output = world.postern(&[
            "check",
            "--config",
            world.folder.join("postern.yaml").to_str().unwrap(),
        ]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(words), "{said}");
    };
    check("the paths `/v1/invoices/{id}` and `/v1/{kind}/mine` can both mean one request");
    fs::write(&document, DOCUMENT.replace("createInvoice", "makeInvoice")).unwrap();
    check("is about Operation::\"billing/createInvoice\", which the target does not have");
    fs::write(&document, "openapi: 3.0.0\npaths: {\n").unwrap();
    check("target `billing`: `billing.openapi.yaml`");
    let token = world.token("report", &[]);
    let asked = curl(&world, Login::Token(&token), &["{url}/billing/v1/secrets/7"]);
    assert_eq!(asked.status, "200");
    assert_eq!(api.seen().len(), 1);
}

#[test]
fn a_name_with_a_slash_in_it_is_one_name_where_the_target_takes_it_so_and_no_path_elsewhere() {
    const OF_ONE: &str = r#"
permit (principal, action == Postern::Action::"GET", resource == Postern::Path::"billing:/projects/a%2Fb");
permit (principal, action == Postern::Action::"GET", resource in Postern::Path::"billing:/groups/a");
"#;
    let api = Api::start(|seen| answer("200 OK", seen.line()));
    let world = house(&api, BEARER, OF_ONE, "");
    let token = world.token("report", &[]);
    let asked = |path: &str| curl(&world, Login::Token(&token), &[&format!("{{url}}/billing{path}")]);
    assert_eq!(asked("/projects/a%2Fb").status, "400");
    describe(&world, ", encoded_slashes: true");
    let served = asked("/projects/a%2fb");
    assert_eq!(
        (&*served.status, &*served.body),
        ("200", "GET /projects/a%2Fb HTTP/1.1")
    );
    for (path, status) in [
        ("/projects/a/b", "403"),
        ("/projects/a%2Fc", "403"),
        ("/groups%2Fa/b", "403"),
        ("/groups/a%2F..%2Fb", "400"),
        ("/groups/%2e%2e%2Fb", "400"),
        ("/groups/a%2F%2Fb", "400"),
        ("/groups/a%252Fb", "400"),
    ] {
        assert_eq!(asked(path).status, status, "{path}");
    }
    assert_eq!(api.seen().len(), 1);
}

#[test]
fn without_a_description_the_paths_are_judged_and_rules_about_operations_are_about_nothing() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let world = house(&api, BEARER, POLICIES, "");
    let token = world.token("report", &[]);
    let asked = curl(&world, Login::Token(&token), &["{url}/billing/v1/invoices/7"]);
    assert_eq!(asked.status, "403");
    assert_eq!(api.seen().len(), 0);
}
