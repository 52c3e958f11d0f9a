//! The other side: how the gateway logs in to a target, and to whom it never shows its secret.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use postern_tests::{Heard, Login, Planes, Wishes, World};

/// A way to the cluster by another address, which its certificate does not name, and all that went up it.
struct Detour {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Detour {
    fn to(cluster: String) -> Detour {
        let listener = TcpListener::bind("127.0.0.2:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&cluster).unwrap();
                let (down, up) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let kept = kept.clone();
                thread::spawn(move || {
                    pass(client, up, |bytes| kept.lock().unwrap().extend_from_slice(bytes))
                });
                thread::spawn(move || pass(server, down, |_| {}));
            }
        });
        Detour { address, seen }
    }

    fn saw(&self, words: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.windows(words.len()).any(|window| window == words.as_bytes())
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut look: impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        look(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// A server that answers each startup with these bytes, and tells what it was sent before and after.
fn hostile(answers: &'static [&'static [u8]]) -> (SocketAddr, Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (said, heard) = channel();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let mut all = Vec::new();
            let mut buffer = [0; 4096];
            for answer in answers {
                let read = client.read(&mut buffer).unwrap_or(0);
                all.extend_from_slice(&buffer[..read]);
                let _ = client.write_all(answer);
            }
            let _ = client.read_to_end(&mut all);
            if said.send(all).is_err() {
                return;
            }
        }
    });
    (address, heard)
}

/// A target of its own for each way to log in, all for one workload that may do everything.
fn resources(issuer: &str, targets: &[(&str, String, &str)], database: &str) -> String {
    let mut text = format!(
        "kind: Issuer\nname: ci\npreset: github-actions\nissuer: \"{issuer}\"\naudience: \"{}\"\n",
        postern_tests::AUDIENCE
    );
    let mut assume = Vec::new();
    for (credential, address, role) in targets {
        text.push_str(&format!(
            "---\nkind: Target\nname: {credential}\npostgres:\n  address: \"{address}\"\n  \
             databases: [\"{database}\"]\n  roles: {{ {role}: {credential} }}\n  gateway_role: {credential}\n"
        ));
        assume.push(format!("{{ target: {credential}, roles: [{role}] }}"));
    }
    text.push_str(&format!(
        "---\nkind: Workload\nname: all\nowner: team@shop.example\nexpires: 2099-01-01T00:00:00Z\n\
         login: [{{ issuer: ci, match: {{ repository_id: \"1004\" }} }}]\nassume: [{}]\n",
        assume.join(", ")
    ));
    text
}

const EVERYTHING: &str = "@id(\"all\") permit (principal == Postern::Workload::\"all\", action, resource);";

/// A house with these credentials (name, login, address, role), each a target's own.
fn world(ways: &[(&str, &str, Option<SocketAddr>, &str)]) -> World {
    let cluster = World::shared().cluster.address();
    let address = |way: &Option<SocketAddr>| way.map_or(cluster.clone(), |address| address.to_string());
    let credentials = ways.iter().map(|(name, login, to, role)| {
        format!(
            "    {name}: {{ user: {role}, only_to: [\"{}\"], {login} }}\n",
            address(to)
        )
    });
    let targets: Vec<_> = ways
        .iter()
        .map(|(name, _, to, role)| (*name, address(to), *role))
        .collect();
    let shared = World::shared();
    World::start(&Wishes {
        planes: Planes::Together,
        credentials: credentials.collect(),
        policies: Some(EVERYTHING.into()),
        resources: Some(resources(&shared.issuer.github(), &targets, &shared.database)),
        ..Wishes::default()
    })
}

fn ask(world: &World, target: &str, sql: &str) -> Heard {
    let token = world.token("all", &[]);
    let chosen = format!("-c postern.target={target}");
    let variables = [("PGOPTIONS", chosen.as_str()), ("PGDATABASE", "postern")];
    world.psql_with(Login::Token(&token), &variables, sql)
}

const FULL: &str = "verify: full, ca: \"{folder}/link-ca.pem\"";
const PASSWORD: &str = "password: \"file:{folder}/shop_reader.password\"";

#[test]
fn a_target_is_entered_by_certificate_by_trust_or_by_scram_as_its_credential_says() {
    let certificate =
        format!("certificate: \"{{folder}}/certified.pem\", key: \"{{folder}}/certified.key\", {FULL}");
    let scram = format!("{PASSWORD}, {FULL}");
    let world = world(&[
        ("by-certificate", &certificate, None, "shop_certified"),
        ("by-trust", "verify: disable", None, "shop_trusted"),
        ("by-scram", &scram, None, "shop_reader"),
    ]);
    let who = "select current_user || ' ' || (select ssl from pg_stat_ssl where pid = pg_backend_pid())";
    for (target, expected) in [
        ("by-certificate", "shop_certified true"),
        ("by-trust", "shop_trusted false"),
        ("by-scram", "shop_reader true"),
    ] {
        assert_eq!(ask(&world, target, who).succeeded().trim(), expected, "{target}");
    }
}

#[test]
fn a_server_is_believed_by_chain_and_name_by_chain_alone_or_not_at_all_as_the_credential_says() {
    let detour = Detour::to(World::shared().cluster.address());
    let full = format!("{PASSWORD}, {FULL}");
    let ca = format!("{PASSWORD}, verify: ca, ca: \"{{folder}}/link-ca.pem\"");
    let stranger = format!("{PASSWORD}, verify: ca, ca: \"{{folder}}/bundle.pem\"");
    let plain = format!("{PASSWORD}, verify: disable");
    let way = Some(detour.address);
    let world = world(&[
        ("full", &full, way, "shop_reader"),
        ("stranger", &stranger, way, "shop_reader"),
        ("ca", &ca, way, "shop_reader"),
        ("plain", &plain, way, "shop_reader"),
    ]);
    for refused in ["full", "stranger"] {
        ask(&world, refused, "select 1").turned_away("the target is unavailable");
        assert!(
            !detour.saw("shop_reader"),
            "{refused}: nothing is said to a server that is not believed"
        );
    }
    ask(&world, "ca", "select 'marked-ca'").succeeded();
    assert!(
        !detour.saw("marked-ca"),
        "what goes by TLS cannot be read on the way"
    );
    ask(&world, "plain", "select 'marked-plain'").succeeded();
    assert!(
        detour.saw("marked-plain"),
        "the detour sees what is not encrypted"
    );
    assert!(
        !detour.saw("secret-of-shop_reader"),
        "SCRAM shows nobody the password"
    );
    let log = std::fs::read_to_string(world.folder.join("log")).unwrap();
    let warned = log
        .lines()
        .find(|line| line.contains("WARN") && line.contains("plain"));
    assert!(
        warned.is_some_and(|line| line.contains("disable")),
        "the host's owner is told"
    );
}

#[test]
fn a_server_that_asks_for_less_than_scram_hears_no_password() {
    static CLEARTEXT: &[&[u8]] = &[&[b'R', 0, 0, 0, 8, 0, 0, 0, 3]];
    static MD5: &[&[u8]] = &[&[b'R', 0, 0, 0, 12, 0, 0, 0, 5, 1, 2, 3, 4]];
    static NOTHING: &[&[u8]] = &[b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"];
    static SCRAM: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    static OTHER_NONCE: &[&[u8]] = &[SCRAM, b"R\0\0\0\x24\0\0\0\x0br=other,s=QSXCR+Q6sek,i=4096"];
    static HURRIED: &[&[u8]] = &[SCRAM, b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"];
    let servers = [
        ("cleartext", hostile(CLEARTEXT)),
        ("md5", hostile(MD5)),
        ("nothing", hostile(NOTHING)),
        ("other-nonce", hostile(OTHER_NONCE)),
        ("hurried", hostile(HURRIED)),
    ];
    let plain = format!("{PASSWORD}, verify: disable");
    let ways: Vec<_> = servers
        .iter()
        .map(|(name, (address, _))| (*name, plain.as_str(), Some(*address), "shop_reader"))
        .collect();
    let world = world(&ways);
    for (name, (_, heard)) in &servers {
        ask(&world, name, "select 1").turned_away("did not prove itself");
        let sent = heard.recv_timeout(postern_tests::PATIENCE).unwrap();
        let sent = sent.escape_ascii().to_string();
        assert!(
            sent.contains("shop_reader"),
            "{name}: the gateway came to its login: {sent}"
        );
        assert!(!sent.contains("secret-of"), "{name}: {sent}");
        assert!(
            // A nonce may hold "p=", never a comma (RFC 5802, section 7).
            !sent.contains(",p="),
            "{name}: no proof is given for a challenge that is not ours: {sent}"
        );
    }
}
