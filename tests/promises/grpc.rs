//! gRPC end to end: every kind of call as it is direct, and refusals that gRPC's own clients understand.

use postern_tests::api::{BEARER, KEY, house_of};
use postern_tests::peer::{Peer, python};
use postern_tests::{World, heard};
use serde_json::{Value, json};

const POLICIES: &str = r#"
@id("orders") permit (
  principal == Postern::Workload::"report",
  action == Postern::Action::"POST",
  resource in Postern::Path::"orders:/shop.Orders"
);
@id("no-refunds") forbid (principal, action, resource == Postern::Path::"orders:/shop.Orders/Refund");
"#;

fn house(server: &Peer, limits: &str) -> World {
    house_of(
        "orders",
        server.address,
        ", protocol: h2",
        BEARER,
        POLICIES,
        limits,
    )
}

#[test]
fn a_method_is_an_operation_where_the_target_speaks_nothing_else() {
    const BY_METHOD: &str = r#"
permit (
  principal == Postern::Workload::"report",
  action == Postern::Action::"POST",
  resource in Postern::Tag::"orders/shop.Orders"
);
@id("no-refunds") forbid (principal, action, resource == Postern::Operation::"orders/shop.Orders.Refund");
"#;
    let server = Peer::start("grpc_server.py");
    let more = ", protocol: h2, grpc: true";
    let world = house_of("orders", server.address, more, BEARER, BY_METHOD, "");
    let through = through(&world, "report");
    assert_eq!(through["echo"], json!(["0", "1", "2", "3", "4"]));
    assert_eq!(through["refund"][0], "PERMISSION_DENIED");
    assert_eq!(
        through["refund"][1],
        "workload `report` may not POST /shop.Orders/Refund, which is `shop.Orders.Refund`"
    );
}

fn client(address: &str, evidence: &[&str]) -> Value {
    let mut command = python("grpc_client.py");
    command.arg(address).args(evidence);
    serde_json::from_str(&heard(command).succeeded()).unwrap()
}

fn through(world: &World, workload: &str) -> Value {
    let token = world.token(workload, &[]);
    let authority = world.folder.join("link-ca.pem");
    let address = format!("localhost:{}", world.port);
    client(&address, &[authority.to_str().unwrap(), &token])
}

#[test]
fn every_kind_of_call_is_answered_as_it_is_direct() {
    let server = Peer::start("grpc_server.py");
    let world = house(&server, "http_upstream_streams_max: 2");
    let mut direct = client(&server.address.to_string(), &[]);
    let through = through(&world, "report");
    assert_eq!(
        through["say"],
        json!([format!("hello you Bearer {KEY}"), "trailer"])
    );
    assert_eq!(through["echo"], json!(["0", "1", "2", "3", "4"]));
    assert_eq!(
        through["fail"],
        json!(["FAILED_PRECONDITION", "not today: 100 %"])
    );
    let refused = through["refund"].as_array().unwrap();
    assert_eq!(refused[0], "PERMISSION_DENIED", "{refused:?}");
    assert_eq!(refused[1], "workload `report` may not POST /shop.Orders/Refund");
    let key = format!("Bearer {KEY}").len();
    direct["large"] = json!(direct["large"].as_u64().unwrap() + key as u64);
    for call in ["count", "add", "echo", "large", "fail", "unknown"] {
        assert_eq!(through[call], direct[call], "{call}");
    }
    world.until("all is told of", || world.records("kind=outcome").len() == 7);
    let refused = world.records("workload=report&kind=refused");
    assert_eq!(refused[0]["text"], "POST /shop.Orders/Refund", "{refused:?}");
}

#[test]
fn a_workload_that_may_nothing_hears_so_in_grpc_s_words() {
    let server = Peer::start("grpc_server.py");
    let world = house(&server, "");
    let heard = through(&world, "writer");
    for (call, heard) in heard.as_object().unwrap() {
        assert_eq!(heard[0], "PERMISSION_DENIED", "{call} {heard}");
    }
    let heard = client(
        &format!("localhost:{}", world.port),
        &[world.folder.join("link-ca.pem").to_str().unwrap(), "no.token"],
    );
    assert_eq!(heard["say"][0], "UNAUTHENTICATED", "{heard}");
}
