use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use postern_link::snapshot::{HttpTarget, Target};
use serde_json::json;

use super::*;

fn api(more: &serde_json::Value) -> HttpTarget {
    let mut http = json!({"address": "a:1", "credential": "c"});
    let fields = http.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    let target: Target = serde_json::from_value(json!({"name": "a", "http": http})).unwrap();
    target.http().unwrap().clone()
}

fn paths(paths: &[(&str, &str)]) -> Result<Operations, Vec<String>> {
    let operations: Vec<_> = paths
        .iter()
        .map(|(method, path)| json!({"name": format!("{method} {path}"), "method": method, "path": path}))
        .collect();
    Operations::of(&api(&json!({"operations": operations}))).map(Option::unwrap)
}

fn found(operations: &Operations, request: &str) -> Option<String> {
    let (method, path) = request.split_once(' ').unwrap();
    let method = Method::named(method).unwrap();
    operations
        .find(method, path)
        .ok()
        .map(|operation| operation.name.clone())
}

#[test]
fn a_request_is_the_narrowest_operation_that_means_its_path() {
    let operations = paths(&[
        ("GET", "/v1/invoices"),
        ("POST", "/v1/invoices"),
        ("GET", "/v1/invoices/{id}"),
        ("DELETE", "/v1/invoices/{id}"),
        ("GET", "/v1/invoices/mine"),
        ("GET", "/v1/invoices/{id}.pdf"),
        ("POST", "/v1/invoices/{id}:pay"),
        ("GET", "/v1/invoices/{id}/lines/{line}"),
        ("GET", "/"),
    ])
    .unwrap();
    for (request, operation) in [
        ("GET /v1/invoices", "GET /v1/invoices"),
        ("POST /v1/invoices", "POST /v1/invoices"),
        ("GET /v1/invoices/42", "GET /v1/invoices/{id}"),
        ("DELETE /v1/invoices/42", "DELETE /v1/invoices/{id}"),
        ("GET /v1/invoices/mine", "GET /v1/invoices/mine"),
        ("GET /v1/invoices/42.pdf", "GET /v1/invoices/{id}.pdf"),
        ("POST /v1/invoices/42:pay", "POST /v1/invoices/{id}:pay"),
        (
            "GET /v1/invoices/42/lines/7",
            "GET /v1/invoices/{id}/lines/{line}",
        ),
        ("GET /", "GET /"),
    ] {
        assert_eq!(
            found(&operations, request).as_deref(),
            Some(operation),
            "{request}"
        );
    }
    for request in [
        "PUT /v1/invoices",
        "HEAD /v1/invoices",
        "GET /v1/invoices/",
        "GET /v1/Invoices",
        "GET /v1/invoices/42/lines",
        "GET /v1/invoices/42/lines/",
        "GET /v1/invoices/42/lines/7/",
        "GET /v2/invoices",
        "GET /v1",
        // Of a path that is described, methods that are not are not those of a wider one.
        "DELETE /v1/invoices/mine",
        "POST /v1/invoices/:pay",
        "POST /v1/invoices/42",
    ] {
        assert_eq!(found(&operations, request), None, "{request}");
    }
}

#[test]
fn a_path_that_servers_take_for_a_narrower_one_is_refused() {
    let operations = paths(&[
        ("GET", "/v1/invoices/{id}"),
        ("GET", "/v1/invoices/export"),
        ("GET", "/v1/invoices/{id}.pdf"),
        ("GET", "/v1/Refunds"),
    ])
    .unwrap();
    for request in [
        "GET /v1/invoices/EXPORT",
        "GET /v1/invoices/Export",
        "GET /v1/invoices/export.json",
        "GET /v1/invoices/export.tar.gz",
        "GET /v1/invoices/7.PDF",
    ] {
        let (method, path) = request.split_once(' ').unwrap();
        let refused = operations.find(Method::named(method).unwrap(), path).unwrap_err();
        assert_eq!(refused.reason, Reason::Malformed, "{request}");
    }
    for (request, operation) in [
        ("GET /v1/invoices/export", Some("GET /v1/invoices/export")),
        ("GET /v1/invoices/exports", Some("GET /v1/invoices/{id}")),
        ("GET /v1/invoices/7.pdf", Some("GET /v1/invoices/{id}.pdf")),
        ("GET /v1/invoices/7.json", Some("GET /v1/invoices/{id}")),
        ("GET /v1/Refunds", Some("GET /v1/Refunds")),
        ("GET /v1/refunds", None),
    ] {
        assert_eq!(found(&operations, request).as_deref(), operation, "{request}");
    }
}

#[test]
fn what_a_description_leaves_open_is_not_loaded() {
    let told = |given: &[(&str, &str)]| paths(given).unwrap_err().join("\n");
    for (given, message) in [
        (
            &[("GET", "/{kind}/mine"), ("GET", "/books/{id}")][..],
            "neither is the narrower",
        ),
        (&[("GET", "/a{x}"), ("GET", "/{x}b")], "neither is the narrower"),
        (&[("GET", "/a/{x}"), ("POST", "/a/{y}")], "write both alike"),
        (
            &[("GET", "/a"), ("GET", "/a")],
            "its name is empty, or another's too",
        ),
        (&[("GET", "/{x}-{y}")], "one `{parameter}` at most"),
        (&[("GET", "/a}")], "one `{parameter}` at most"),
        (&[("GET", "/{}")], "one `{parameter}` at most"),
        (&[("GET", "/{x}/{x}")], "the parameter `x` twice"),
        (&[("TRACE", "/a")], "the method `TRACE` is not served"),
        (&[("GET", "a")], "no request has the path"),
        (&[("GET", "/a//b")], "no request has the path"),
        (&[("GET", "/%61")], "spelled otherwise in requests: `/a`"),
    ] {
        let told = told(given);
        assert!(told.contains(message), "{given:?}: {told}");
    }
    let both =
        json!({"name": "a", "method": "GET", "path": "/{id}", "parameters": [{"name": "ID", "in": "query"}]});
    let told = Operations::of(&api(&json!({"operations": [both]}))).unwrap_err();
    assert!(told[0].contains("no rule could tell them apart"), "{told:?}");
    let none =
        json!({"name": "a", "method": "GET", "path": "/", "parameters": [{"name": "id", "in": "path"}]});
    let told = Operations::of(&api(&json!({"operations": [none]}))).unwrap_err();
    assert!(told[0].contains("the path has no parameter `id`"), "{told:?}");
    let alike =
        json!([{"name": "a", "method": "GET", "path": "/"}, {"name": "b", "method": "GET", "path": "/"}]);
    let told = Operations::of(&api(&json!({"operations": alike}))).unwrap_err();
    assert!(told[0].contains("another operation has its method"), "{told:?}");
    for more in [
        json!({"grpc": true}),
        json!({"grpc": true, "protocol": "h2", "mcp": {}}),
        json!({"grpc": true, "protocol": "h2", "operations": [{"name": "a", "method": "GET", "path": "/"}]}),
    ] {
        assert!(Operations::of(&api(&more)).is_err(), "{more}");
    }
}

#[test]
fn a_path_of_grpc_is_a_method_of_a_service_and_nothing_else_is() {
    let operations = Operations::of(&api(&json!({"grpc": true, "protocol": "h2"})));
    let operations = operations.unwrap().unwrap();
    let operation = operations
        .find(Method::Post, "/billing.v1.Invoices/Create")
        .unwrap();
    assert_eq!(operation.name, "billing.v1.Invoices.Create");
    assert_eq!(operation.tags, ["billing.v1.Invoices"]);
    for request in [
        "GET /billing.v1.Invoices/Create",
        "POST /billing.v1.Invoices",
        "POST /billing.v1.Invoices/",
        "POST /billing.v1.Invoices/Create/",
        "POST /",
    ] {
        assert_eq!(found(&operations, request), None, "{request}");
    }
}

fn asked_with(parameters: &serde_json::Value) -> Arc<Operation> {
    let operation = json!({"name": "a", "method": "GET", "path": "/v1/{id}/x", "parameters": parameters});
    let operations = Operations::of(&api(&json!({"operations": [operation]})));
    let found = operations.unwrap().unwrap().find(Method::Get, "/v1/1/x");
    found.unwrap()
}

/// The texts, then the numbers; or the detail of the refusal.
fn given(operation: &Operation, path: &str, query: &str, headers: &[(&str, &str)]) -> Result<String, String> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(*name).unwrap();
        map.append(name, HeaderValue::try_from(*value).unwrap());
    }
    let given = operation.given(path, (!query.is_empty()).then_some(query), &map);
    let given = given.map_err(|refusal| refusal.detail.unwrap_or(refusal.message).into_owned())?;
    let texts = given.texts.into_iter().collect::<Vec<_>>().join(" ");
    let numbers = given
        .numbers
        .iter()
        .map(|(name, number)| format!(" {name}:{number}"));
    Ok(texts + &numbers.collect::<String>())
}

#[test]
fn rules_see_what_is_declared_and_nothing_else() {
    let operation = asked_with(&json!([
        {"name": "limit", "in": "query", "kind": "integer"},
        {"name": "state", "in": "query", "several": "repeated"},
        {"name": "fields", "in": "query", "several": "commas"},
        {"name": "X-Dry-Run", "in": "header", "kind": "boolean"},
    ]));
    for (path, query, headers, seen) in [
        ("/v1/42/x", "", &[][..], "id=42"),
        ("/v1/a%20b/x", "", &[], "id=a b"),
        ("/v1/1/x", "limit=10", &[], "id=1 limit=10 limit:10"),
        (
            "/v1/1/x",
            "limit=-10&&other=a+b%zz",
            &[],
            "id=1 limit=-10 limit:-10",
        ),
        ("/v1/1/x", "li%6Dit=1%30", &[], "id=1 limit=10 limit:10"),
        (
            "/v1/1/x",
            "state=b&state=a%20c&state",
            &[],
            "id=1 state= state=a c state=b",
        ),
        ("/v1/1/x", "fields=b,a%2Cc", &[], "fields=a,c fields=b id=1"),
        ("/v1/1/x", "", &[("x-dry-run", " true ")], "X-Dry-Run=true id=1"),
        ("/v1/1/x", "x-dry-run=true&id=2", &[("limit", "5")], "id=1"),
    ] {
        assert_eq!(
            given(&operation, path, query, headers).as_deref(),
            Ok(seen),
            "{query}"
        );
    }
}

#[test]
fn what_servers_could_read_otherwise_than_rules_is_refused() {
    let operation = asked_with(&json!([
        {"name": "limit", "in": "query", "kind": "integer"},
        {"name": "force", "in": "query", "kind": "boolean"},
        {"name": "name", "in": "query"},
        {"name": "dry_run", "in": "query"},
        {"name": "X-Dry-Run", "in": "header", "kind": "boolean"},
    ]));
    for (query, headers) in [
        ("limit=1&limit=1000", &[][..]),
        ("limit=1&Limit=1000", &[]),
        ("LIMIT=1000", &[]),
        ("limit[]=1000", &[]),
        ("limit[0]=1000", &[]),
        ("limit%5B%5D=1000", &[]),
        ("limit%00=1000", &[]),
        ("+limit=1000", &[]),
        ("%20limit=1000", &[]),
        ("%09limit=1000", &[]),
        ("limit%00x=1000", &[]),
        ("dry.run=no", &[]),
        ("dry+run=no", &[]),
        ("Dry-Run=no", &[]),
        ("x=1;limit=1000", &[]),
        ("%zz=1", &[]),
        ("%ff=1", &[]),
        ("limit=", &[]),
        ("limit", &[]),
        ("limit=+5", &[]),
        ("limit=%2B5", &[]),
        ("limit=05", &[]),
        ("limit=0x5", &[]),
        ("limit=5.0", &[]),
        ("limit=1e3", &[]),
        ("limit=9223372036854775808", &[]),
        ("force=1", &[]),
        ("force=True", &[]),
        ("name=a+b", &[]),
        ("name=%", &[]),
        ("name=%ff", &[]),
        ("", &[("x-dry-run", "yes")]),
        ("", &[("x-dry-run", "true"), ("x-dry-run", "false")]),
        ("", &[("x-dry-run", "true, false")]),
    ] {
        let result = given(&operation, "/v1/1/x", query, headers);
        assert!(result.is_err(), "{query} {headers:?}: {result:?}");
    }
}
