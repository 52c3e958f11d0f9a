//! A target that wants to know who asks is told so by the gateway, in a word that nobody else can say.

use postern_tests::api::{Api, BEARER, KEY, answer};
use postern_tests::peer::python;
use postern_tests::{Login, Wishes, World, heard};
use serde_json::Value;

use super::http::curl;

const POLICIES: &str = r#"permit (
  principal == Postern::Workload::"report",
  action in Postern::Action::"read",
  resource in Postern::Path::"billing:/v1"
);"#;

fn house(api: &Api, gateway: String) -> World {
    let address = api.address;
    let world = World::start(&Wishes {
        gateway,
        credentials: format!("    billing: {{ {BEARER}, only_to: [\"{address}\"], verify: disable }}\n"),
        policies: Some(POLICIES.to_owned()),
        environment: vec![("POSTERN_TEST_API_KEY", KEY.to_owned())],
        ..Wishes::default()
    });
    let target = format!(
        "---\nkind: Target\nname: billing\nserver_names: [billing.localhost]\n\
         http: {{ address: \"{address}\", credential: billing, prefix: /billing, \
         assertion: {{ audience: \"https://billing.example\" }} }}\n"
    );
    world.change("resources.yaml", &format!("{}{target}", world.resources()));
    world
}

#[test]
fn a_target_is_told_who_asks_and_can_check_it_and_no_client_can_say_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, rcgen::KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let signs = format!(
        "  assertions: {{ issuer: \"https://localhost\", key: \"{}\" }}\n",
        key.display()
    );
    let world = house(&api, signs);
    let token = world.token("report", &[]);
    let forged = [
        "--header",
        "Postern-Assertion: forged",
        "{url}/billing/v1/invoices",
    ];
    assert_eq!(curl(&world, Login::Token(&token), &forged).status, "200");
    let seen = api.seen();
    let [word] = &seen[0].header("postern-assertion")[..] else {
        panic!("{:?}", seen[0].head);
    };
    let url = format!("https://localhost:{}", world.port);
    let check = |audience: &str| {
        let mut command = python("assertion_target.py");
        let keys = format!("{url}/.well-known/jwks.json");
        command
            .arg(keys)
            .arg(world.folder.join("link-ca.pem"))
            .args([audience, word]);
        heard(command)
    };
    let claims: Value = serde_json::from_str(&check("https://billing.example").succeeded()).unwrap();
    assert_eq!(claims["sub"], "report");
    let record = claims["jti"].as_str().unwrap();
    world.until("the record is that of the request", || {
        let intents = world.records("kind=intent&workload=report");
        intents
            .iter()
            .any(|intent| intent["id"] == record && intent["text"] == "GET /v1/invoices")
    });
    assert!(
        check("https://other.example")
            .complained
            .contains("InvalidAudienceError")
    );
    // Only the keys are told to anyone.
    let discovery = curl(
        &world,
        Login::Token(""),
        &["{url}/.well-known/openid-configuration"],
    );
    assert!(
        discovery.body.contains("https://localhost/.well-known/jwks.json"),
        "{discovery:?}"
    );
    assert_eq!(
        curl(&world, Login::Token(""), &["{url}/.well-known/other"]).status,
        "401"
    );
    let elsewhere = [
        "--header",
        "Host: billing.localhost",
        "{url}/.well-known/jwks.json",
    ];
    assert_eq!(curl(&world, Login::Token(""), &elsewhere).status, "401");
}

#[test]
fn a_target_that_wants_to_know_who_asks_is_not_asked_where_nobody_can_say_it() {
    let api = Api::start(|_| answer("200 OK", "an answer"));
    let world = house(&api, String::new());
    let token = world.token("report", &[]);
    let asked = curl(&world, Login::Token(&token), &["{url}/billing/v1/invoices"]);
    assert_eq!(asked.status, "502");
    assert!(asked.body.contains("nothing to sign that with"), "{asked:?}");
    let keys = curl(&world, Login::Token(""), &["{url}/.well-known/jwks.json"]);
    assert_eq!(keys.status, "401");
    assert_eq!(api.seen().len(), 0);
}
