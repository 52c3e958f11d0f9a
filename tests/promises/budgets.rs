//! What one workload may use of an API, and where an API may be.

use postern_tests::api::{Api, BEARER, answer, house_before, house_of};
use postern_tests::{Login, World};
use serde_json::Value;

use super::http::{curl, raw};

const POLICIES: &str =
    "permit (principal, action, resource) when { resource in Postern::Target::\"billing\" };";

fn house(api: &Api, budget: &str) -> World {
    let more = format!(", budget: {{ {budget} }}");
    house_of("billing", api.address, &more, BEARER, POLICIES, "")
}

/// Twenty requests on one connection, sent at once.
fn twenty(world: &World, workload: &str) -> String {
    let (certificate, key) = world.certificate(workload);
    let one = "GET /billing/v1/invoices HTTP/1.1\r\nhost: a\r\n";
    let sent = format!("{one}\r\n").repeat(19) + one + "connection: close\r\n\r\n";
    raw(world, Login::Certificate(&certificate, &key), &sent)
}

#[test]
fn what_is_over_a_workload_s_pace_is_refused_with_the_time_to_come_again_and_reaches_no_target() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let world = house(&api, "requests_per_second: 1");
    let heard = twenty(&world, "report");
    let (served, refused) = (
        heard.matches("HTTP/1.1 200 ").count(),
        heard.matches("HTTP/1.1 429 ").count(),
    );
    assert_eq!(served + refused, 20, "{heard}");
    assert!(served >= 1 && refused >= 1, "{heard}");
    assert_eq!(heard.matches("retry-after: 1\r\n").count(), refused, "{heard}");
    assert!(
        heard.contains("the target's `budget.requests_per_second` is 1"),
        "{heard}"
    );
    assert_eq!(api.seen().len(), served);
    world.until("each refusal is recorded", || {
        let records = world.records("kind=refused&workload=report");
        let told =
            |record: &&Value| record["message"] == "this workload has used up its budget at this target";
        records.iter().filter(told).count() == refused
    });
    // Nobody pays for another.
    let heard = twenty(&world, "writer");
    assert!(heard.starts_with("HTTP/1.1 200 "), "{heard}");
}

#[test]
fn a_workload_that_has_had_its_bytes_waits_for_the_next_window() {
    let api = Api::start(|_| answer("200 OK", &"x".repeat(1_000)));
    let world = house(&api, "bytes_out: 1000, window_seconds: 1000000");
    let heard = twenty(&world, "report");
    assert_eq!(heard.matches("HTTP/1.1 200 ").count(), 1, "{heard}");
    assert_eq!(heard.matches("HTTP/1.1 429 ").count(), 19, "{heard}");
    assert_eq!(api.seen().len(), 1);
}

#[test]
fn no_more_requests_are_under_way_at_once_than_the_budget_says() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let budget = ", budget: { concurrent_requests: 1 }";
    let limits = "http_response_seconds_max: 3";
    let world = house_of("billing", api.address, budget, BEARER, POLICIES, limits);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (certificate, key) = world.certificate("report");
            let half = "POST /billing/v1/a HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\nhalf";
            // It waits for the rest until the gateway does not.
            raw(&world, Login::Certificate(&certificate, &key), half)
        });
        world.until("one is under way", || api.connections() == 1);
        let heard = twenty(&world, "report");
        assert_eq!(heard.matches("HTTP/1.1 429 ").count(), 20, "{heard}");
        assert_eq!(heard.matches("retry-after: 2\r\n").count(), 20, "{heard}");
    });
    // It is over, and one after the other they are never two.
    let heard = twenty(&world, "report");
    assert_eq!(heard.matches("HTTP/1.1 200 ").count(), 20, "{heard}");
    assert_eq!(api.seen().len(), 20);
}

#[test]
fn a_name_that_means_an_address_of_this_network_is_not_dialled_unless_the_credential_says_so() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let name = format!("localhost:{}", api.address.port());
    let get = |world: &World| {
        let token = world.token("report", &[]);
        curl(world, Login::Token(&token), &["{url}/billing/v1/invoices"]).status
    };
    // Written as other readers of addresses read it, it is a name like others.
    for name in [
        name.clone(),
        name.replace("localhost", "0x7f000001"),
        name.replace("localhost", "127.1"),
    ] {
        assert_eq!(get(&house_before(&name, BEARER, POLICIES, "")), "502", "{name}");
        let elsewhere = format!("{BEARER}, networks: [10.0.0.0/8, \"fd00::/8\"]");
        assert_eq!(
            get(&house_before(&name, &elsewhere, POLICIES, "")),
            "502",
            "{name}"
        );
        assert_eq!(api.connections(), 0, "{name}");
    }
    let here = format!("{BEARER}, networks: [127.0.0.0/8]");
    assert_eq!(get(&house_before(&name, &here, POLICIES, "")), "200");
}
