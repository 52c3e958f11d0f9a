//! Tokens and their bad twins: none of them may pass, and every good one must.

use std::sync::OnceLock;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RsaEncoding,
};
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::super::Identities;
use super::super::json;
use super::super::keys::{Algorithm, Error as KeysError, KeySet, NoKey};
use super::issuers::World;
use super::pki::NOW_MS;
use super::server::{Answer, Server};
use super::world::{AUDIENCE, by_claims, home, issuer, known, snapshot, workload};
use crate::config::Limits;
use postern_link::snapshot::Preset;

/// A key of an issuer, and what it lists of it.
pub(super) struct Signer {
    id: String,
    key: Key,
}

enum Key {
    Ec {
        pair: EcdsaKeyPair,
        curve: &'static str,
        algorithm: &'static str,
    },
    Rsa {
        pair: &'static signature::RsaKeyPair,
        encoding: &'static dyn RsaEncoding,
        algorithm: &'static str,
    },
    Ed {
        pair: Ed25519KeyPair,
    },
}

fn rsa_pair() -> &'static signature::RsaKeyPair {
    static PAIR: OnceLock<signature::RsaKeyPair> = OnceLock::new();
    PAIR.get_or_init(|| signature::RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

impl Signer {
    /// An ES256 key.
    pub(super) fn ec(id: &str) -> Signer {
        Signer::curve(id, &ECDSA_P256_SHA256_FIXED_SIGNING, "P-256", "ES256")
    }

    fn curve(
        id: &str,
        signing: &'static EcdsaSigningAlgorithm,
        curve: &'static str,
        algorithm: &'static str,
    ) -> Signer {
        let pair = EcdsaKeyPair::generate(signing).unwrap();
        Signer {
            id: id.into(),
            key: Key::Ec {
                pair,
                curve,
                algorithm,
            },
        }
    }

    pub(super) fn rsa(id: &str) -> Signer {
        Signer::rsa_with(id, &signature::RSA_PKCS1_SHA256, "RS256")
    }

    fn rsa_with(id: &str, encoding: &'static dyn RsaEncoding, algorithm: &'static str) -> Signer {
        Signer {
            id: id.into(),
            key: Key::Rsa {
                pair: rsa_pair(),
                encoding,
                algorithm,
            },
        }
    }

    fn ed(id: &str) -> Signer {
        Signer {
            id: id.into(),
            key: Key::Ed {
                pair: Ed25519KeyPair::generate().unwrap(),
            },
        }
    }

    fn algorithm(&self) -> &'static str {
        match &self.key {
            Key::Ec { algorithm, .. } | Key::Rsa { algorithm, .. } => algorithm,
            Key::Ed { .. } => "EdDSA",
        }
    }

    /// Its JSON Web Key.
    pub(super) fn key(&self) -> Value {
        let mut key = match &self.key {
            Key::Ec { pair, curve, .. } => {
                let point = pair.public_key().as_ref();
                let (x, y) = point[1..].split_at((point.len() - 1) / 2);
                json!({"kty": "EC", "crv": curve, "x": encode(x), "y": encode(y)})
            }
            Key::Rsa { pair, .. } => {
                let public = pair.public_key();
                let modulus = public.modulus().big_endian_without_leading_zero();
                let exponent = public.exponent().big_endian_without_leading_zero();
                json!({"kty": "RSA", "n": encode(modulus), "e": encode(exponent)})
            }
            Key::Ed { pair } => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref())})
            }
        };
        key["kid"] = json!(self.id);
        key["use"] = json!("sig");
        key
    }

    pub(super) fn key_set(&self) -> Value {
        json!({ "keys": [self.key()] })
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        self.token_with(
            &json!({"alg": self.algorithm(), "typ": "JWT", "kid": self.id}),
            claims,
        )
    }

    /// A token whose header lies about its algorithm, to ask for an unknown key.
    pub(super) fn token_as_rs256(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": "RS256", "kid": self.id}), claims)
    }

    /// As who has stolen the key may write it.
    pub(super) fn token_without_key_id(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "typ": "JWT"}), claims)
    }

    fn token_with(&self, header: &Value, claims: &Value) -> String {
        self.signed(&header.to_string(), &claims.to_string())
    }

    fn signed(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(payload));
        format!("{message}.{}", encode(self.sign(message.as_bytes())))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Key::Ec { pair, .. } => pair
                .sign(&SystemRandom::new(), message)
                .unwrap()
                .as_ref()
                .to_vec(),
            Key::Rsa { pair, encoding, .. } => {
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(*encoding, &SystemRandom::new(), message, &mut bytes)
                    .unwrap();
                bytes
            }
            Key::Ed { pair } => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Claims of a token of five minutes for the workload `deploy`.
pub(super) fn claims(iss: &str, now_ms: i64) -> Value {
    let now = now_ms / 1000;
    json!({"iss": iss, "aud": AUDIENCE, "sub": "deploy", "jti": "1", "iat": now, "nbf": now, "exp": now + 300})
}

/// What becomes of a token: nothing if it passes, else the code of its refusal.
async fn refused(world: &World, token: &str) -> Option<&'static str> {
    world.login(token, NOW_MS).await.err().map(|error| error.code())
}

fn good(world: &World) -> Value {
    claims(&world.server.issuer(), NOW_MS)
}

#[tokio::test]
async fn every_algorithm_that_an_entry_lists_is_taken() {
    let signers = [
        Signer::rsa("1"),
        Signer::rsa_with("1", &signature::RSA_PKCS1_SHA384, "RS384"),
        Signer::rsa_with("1", &signature::RSA_PKCS1_SHA512, "RS512"),
        Signer::rsa_with("1", &signature::RSA_PSS_SHA256, "PS256"),
        Signer::rsa_with("1", &signature::RSA_PSS_SHA384, "PS384"),
        Signer::rsa_with("1", &signature::RSA_PSS_SHA512, "PS512"),
        Signer::ec("1"),
        Signer::curve("1", &ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", "ES384"),
        Signer::curve("1", &ECDSA_P521_SHA512_FIXED_SIGNING, "P-521", "ES512"),
        Signer::ed("1"),
    ];
    for signer in &signers {
        let server = Server::start(&signer.key_set()).await;
        for listed in &signers {
            let identities = Identities::new(&Limits::default(), &[server.allowed()]).unwrap();
            let mut entry = issuer("ci", Preset::Oidc, Some(&server.issuer()));
            entry.algorithms = vec![listed.algorithm().into()];
            entry.stable_ids = vec!["sub".into()];
            let rules = vec![by_claims("ci", &[("sub", "deploy")])];
            identities.set_known(known(&snapshot(vec![entry], vec![workload("deploy", rules)])));
            let token = signer.token(&claims(&server.issuer(), NOW_MS));
            let outcome = identities.by_token(token.as_bytes(), home(), NOW_MS).await;
            let code = outcome.err().map(|error| error.code());
            if signer.algorithm() == listed.algorithm() {
                assert_eq!(code, None, "{}", signer.algorithm());
            } else {
                assert_eq!(code, Some("token_algorithm"), "{}", signer.algorithm());
            }
        }
    }
}

#[tokio::test]
async fn an_unsigned_token_is_refused_however_it_says_so() {
    let world = World::new().await;
    for name in ["none", "None", "nOnE", "NONE", ""] {
        let header = json!({"alg": name, "kid": "first"}).to_string();
        let signed = world.signer.signed(&header, &good(&world).to_string());
        assert_eq!(refused(&world, &signed).await, Some("token_unsigned"), "{name}");
        let stripped = format!("{}.", signed.rsplit_once('.').unwrap().0);
        assert_eq!(refused(&world, &stripped).await, Some("token_unsigned"), "{name}");
    }
    let without = world
        .signer
        .signed(r#"{"kid":"first"}"#, &good(&world).to_string());
    assert_eq!(refused(&world, &without).await, Some("token_unsigned"));
    let stripped = format!("{}.", world.token().rsplit_once('.').unwrap().0);
    assert_eq!(refused(&world, &stripped).await, Some("token_signature"));
}

#[tokio::test]
async fn a_public_key_is_never_a_shared_secret() {
    let world = World::new().await;
    let signer = Signer::rsa("first");
    world.server.set_keys(Answer::Body(signer.key_set().to_string()));
    let public = rsa_pair().public_key().as_ref();
    for name in [
        "HS256", "HS384", "HS512", "hs256", "RS1", "rs256", "ES256K", "RS256 ",
    ] {
        let message = format!(
            "{}.{}",
            encode(json!({"alg": name, "kid": "first"}).to_string()),
            encode(good(&world).to_string())
        );
        for secret in [
            public,
            rsa_pair()
                .public_key()
                .modulus()
                .big_endian_without_leading_zero(),
            b"",
        ] {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
            let token = format!("{message}.{}", encode(tag));
            assert_eq!(refused(&world, &token).await, Some("token_algorithm"), "{name}");
        }
    }
    assert_eq!(refused(&world, &signer.token(&good(&world))).await, None);
}

#[tokio::test]
async fn forged_signatures_are_refused() {
    let world = World::new().await;
    let token = world.token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let other = Signer::ec("first");
    let longer = Signer::curve("first", &ECDSA_P384_SHA384_FIXED_SIGNING, "P-384", "ES384");
    let asn1 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let flipped: Vec<u8> = signature.iter().map(|byte| byte ^ 1).collect();
    for forged in [
        vec![0; 64],
        [vec![0; 32], signature[32..].to_vec()].concat(),
        [signature[..32].to_vec(), vec![0; 32]].concat(),
        vec![0xff; 64],
        signature[..63].to_vec(),
        [signature.clone(), vec![0]].concat(),
        flipped,
        Vec::new(),
        other.sign(message.as_bytes()),
        longer.sign(message.as_bytes()),
        asn1.sign(&SystemRandom::new(), message.as_bytes())
            .unwrap()
            .as_ref()
            .to_vec(),
        Signer::rsa("first").sign(message.as_bytes()),
    ] {
        let token = format!("{message}.{}", encode(&forged));
        assert_eq!(
            refused(&world, &token).await,
            Some("token_signature"),
            "{forged:?}"
        );
    }
    // A changed payload under an honest signature.
    let (header, _) = message.split_once('.').unwrap();
    let mut changed = good(&world);
    changed["sub"] = json!("admin");
    let token = format!("{header}.{}.{}", encode(changed.to_string()), encode(&signature));
    assert_eq!(refused(&world, &token).await, Some("token_signature"));
    assert_eq!(refused(&world, &world.token()).await, None);
}

#[tokio::test]
async fn the_algorithm_must_be_the_keys_own() {
    let world = World::new().await;
    let (ec, rsa) = (Signer::ec("ec"), Signer::rsa("rsa"));
    let mut other_use = Signer::ec("other use").key();
    other_use["alg"] = json!("ES384");
    world.server.set_keys(Answer::Body(
        json!({"keys": [ec.key(), rsa.key(), other_use]}).to_string(),
    ));
    let with = |signer: &Signer, alg: &str, kid: &str| {
        signer.token_with(&json!({"alg": alg, "kid": kid}), &good(&world))
    };
    assert_eq!(refused(&world, &with(&ec, "ES256", "ec")).await, None);
    assert_eq!(refused(&world, &with(&rsa, "RS256", "rsa")).await, None);
    assert_eq!(
        refused(&world, &with(&ec, "RS256", "ec")).await,
        Some("token_key_other_kind")
    );
    assert_eq!(
        refused(&world, &with(&rsa, "ES256", "rsa")).await,
        Some("token_key_other_kind")
    );
    assert_eq!(
        refused(&world, &with(&ec, "ES256", "rsa")).await,
        Some("token_key_other_kind")
    );
    assert_eq!(
        refused(&world, &with(&ec, "ES256", "other use")).await,
        Some("token_unknown_key")
    );
}

#[tokio::test]
async fn a_key_is_found_by_its_exact_name_or_because_it_is_the_only_one() {
    let world = World::new().await;
    let header = |extra: Value| {
        let mut header = json!({"alg": "ES256"});
        header
            .as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        world.signer.token_with(&header, &good(&world))
    };
    assert_eq!(refused(&world, &header(json!({}))).await, None);
    for id in [
        "First",
        "first ",
        "../first",
        "first' OR 1=1--",
        "https://evil.example/keys",
        "",
        "first\u{0}",
    ] {
        assert_eq!(
            refused(&world, &header(json!({"kid": id}))).await,
            Some("token_unknown_key"),
            "{id}"
        );
    }
    for id in [json!(1), json!(null), json!(["first"]), json!({"a": 1})] {
        assert_eq!(
            refused(&world, &header(json!({"kid": id}))).await,
            Some("token_key_id"),
            "{id}"
        );
    }
    let world = World::new().await;
    let keys = json!({"keys": [world.signer.key(), Signer::ec("second").key()]});
    world.server.set_keys(Answer::Body(keys.to_string()));
    let unnamed = world.signer.token_with(&json!({"alg": "ES256"}), &good(&world));
    assert_eq!(refused(&world, &unnamed).await, Some("token_key_not_named"));
}

#[tokio::test]
async fn a_key_that_a_token_brings_along_is_refused_and_never_fetched() {
    let world = World::new().await;
    let trap = Server::start(&world.signer.key_set()).await;
    let evil = Signer::ec("first");
    for (name, value) in [
        ("jwk", evil.key()),
        ("jku", json!(format!("{}/keys", trap.issuer()))),
        ("x5u", json!(format!("{}/keys", trap.issuer()))),
        ("x5c", json!(["MIIB"])),
    ] {
        for signer in [&evil, &world.signer] {
            let header = json!({"alg": "ES256", "kid": "first", name: value});
            let token = signer.token_with(&header, &good(&world));
            assert_eq!(
                refused(&world, &token).await,
                Some("token_key_in_header"),
                "{name}"
            );
        }
    }
    assert_eq!(trap.key_fetches(), 0);
}

#[tokio::test]
async fn a_header_says_nothing_that_is_not_understood() {
    let world = World::new().await;
    for (name, value, expected) in [
        ("crit", json!(["b64"]), Some("token_critical")),
        ("crit", json!([]), Some("token_critical")),
        ("b64", json!(false), Some("token_header_field")),
        ("zip", json!("DEF"), Some("token_encrypted")),
        ("enc", json!("A256GCM"), Some("token_encrypted")),
        ("cty", json!("JWT"), Some("token_header_field")),
        ("made-up", json!(1), Some("token_header_field")),
        ("typ", json!("JOSE"), Some("token_type")),
        ("typ", json!("dpop+jwt"), Some("token_type")),
        ("typ", json!("secevent+jwt"), Some("token_type")),
        ("typ", json!(""), Some("token_type")),
        ("typ", json!(null), Some("token_type")),
        ("typ", json!(["JWT"]), Some("token_type")),
        ("typ", json!("jwt"), None),
        ("typ", json!("AT+JWT"), None),
        ("typ", json!("application/at+jwt"), None),
        ("x5t", json!("AAAA"), None),
    ] {
        let token = world.signer.token_with(
            &json!({"alg": "ES256", "kid": "first", name: value}),
            &good(&world),
        );
        assert_eq!(refused(&world, &token).await, expected, "{name}: {value}");
    }
}

#[tokio::test]
async fn only_the_strict_compact_form_is_taken() {
    let world = World::new().await;
    let token = world.token();
    let parts: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = parts[..] else {
        panic!()
    };
    let padded = |part: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    let flattened = json!({"protected": header, "payload": payload, "signature": signature}).to_string();
    for (text, expected) in [
        (String::new(), "token_form"),
        (".".into(), "token_form"),
        ("..".into(), "token_form"),
        ("...".into(), "token_form"),
        ("secret".into(), "token_form"),
        (format!("{header}.{payload}"), "token_form"),
        (format!("{token}."), "token_form"),
        (format!("{token}.."), "token_encrypted"),
        (format!(".{payload}.{signature}"), "token_form"),
        (format!("{header}..{signature}"), "token_form"),
        (format!(" {token}"), "token_form"),
        (format!("{token}\n"), "token_form"),
        (format!("{header}.{payload} .{signature}"), "token_form"),
        (format!("{header}.{payload}.{signature}="), "token_form"),
        (format!("{header}.{payload}.{}", padded(signature)), "token_form"),
        (format!("{}=.{payload}.{signature}", header), "token_form"),
        (format!("{header}.{payload}.{signature}+/"), "token_form"),
        (format!("Bearer {token}"), "token_form"),
        (flattened.clone(), "token_json_serialization"),
        (format!(" {flattened}"), "token_json_serialization"),
        (
            world.signer.signed("[]", &good(&world).to_string()),
            "token_header",
        ),
        (
            world.signer.signed("{", &good(&world).to_string()),
            "token_header",
        ),
        (world.signer.signed(r#"{"alg":"ES256"}"#, "[]"), "token_payload"),
        (
            world.signer.signed(r#"{"alg":"ES256"}"#, "{} {}"),
            "token_payload",
        ),
        (
            world.signer.signed(r#"{"alg":"none","alg":"ES256"}"#, "{}"),
            "token_duplicate_key",
        ),
        (
            world
                .signer
                .signed(r#"{"alg":"ES256"}"#, r#"{"sub":"a","sub":"b"}"#),
            "token_duplicate_key",
        ),
        (
            world
                .signer
                .signed(r#"{"alg":"ES256"}"#, r#"{"a":{"b":1,"\u0062":2}}"#),
            "token_duplicate_key",
        ),
        ("a".repeat(16 * 1024 + 1), "token_too_long"),
        (".".repeat(16 * 1024), "token_form"),
        (
            world.signer.signed(
                &format!("{{\"alg\":\"ES256\",\"kid\":\"{}\"}}", "a".repeat(20_000)),
                "{}",
            ),
            "token_too_long",
        ),
        (
            world
                .signer
                .signed(r#"{"alg":"ES256"}"#, &format!("{{\"a\":{}", "[".repeat(10_000))),
            "token_payload",
        ),
    ] {
        assert_eq!(refused(&world, &text).await, Some(expected), "{text:.100}");
    }
    // Leftover bits of the last character would let one token have several spellings.
    let mut cut = payload.chars();
    let last = cut.next_back().unwrap();
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        if other != last {
            let spelled = format!("{header}.{}{other}.{signature}", cut.as_str());
            assert!(refused(&world, &spelled).await.is_some());
        }
    }
    let bytes = [token.as_bytes(), &[0xff]].concat();
    let error = world
        .identities
        .by_token(&bytes, home(), NOW_MS)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "token_form");
    assert_eq!(refused(&world, &token).await, None);
}

#[tokio::test]
async fn claims_of_the_wrong_type_are_refused_and_never_taken_for_absent() {
    let world = World::new().await;
    let odd = [
        json!("tomorrow"),
        json!("1780272300"),
        json!(-1),
        json!(-1780272300i64),
        json!(1780272300.5),
        json!(true),
        json!(null),
        json!([1780272300]),
        json!({"a": 1}),
        json!(253402300800i64),
        json!(u64::MAX),
        json!(1e300),
    ];
    for name in ["exp", "nbf", "iat"] {
        for value in &odd {
            let mut claims = good(&world);
            claims[name] = value.clone();
            let code = refused(&world, &world.signer.token(&claims)).await;
            assert_eq!(code, Some("token_claim_type"), "{name}: {value}");
        }
        let payload = good(&world)
            .to_string()
            .replace(&format!("\"{name}\":"), &format!("\"{name}\":1e400,\"x\":"));
        let token = world.signer.signed(r#"{"alg":"ES256","kid":"first"}"#, &payload);
        assert_eq!(
            refused(&world, &token).await,
            Some("token_payload"),
            "{name}: 1e400"
        );
    }
    for name in ["sub", "jti"] {
        for value in [
            json!(1),
            json!(null),
            json!(["deploy"]),
            json!({"a": "deploy"}),
            json!(true),
        ] {
            let mut claims = good(&world);
            claims[name] = value.clone();
            let code = refused(&world, &world.signer.token(&claims)).await;
            assert_eq!(code, Some("token_claim_type"), "{name}: {value}");
        }
    }
    let mut nobody = good(&world);
    nobody["sub"] = json!("");
    assert_eq!(
        refused(&world, &world.signer.token(&nobody)).await,
        Some("token_claim_type")
    );
    for value in [json!(1), json!(null), json!([world.server.issuer()]), json!({})] {
        let mut claims = good(&world);
        claims["iss"] = value;
        assert_eq!(
            refused(&world, &world.signer.token(&claims)).await,
            Some("token_no_issuer")
        );
    }
    for (name, expected) in [
        ("exp", Some("token_claim_missing")),
        ("sub", Some("token_claim_missing")),
        ("aud", Some("token_claim_missing")),
        ("iss", Some("token_no_issuer")),
        ("nbf", None),
        ("iat", None),
        ("jti", None),
    ] {
        let mut claims = good(&world);
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(
            refused(&world, &world.signer.token(&claims)).await,
            expected,
            "{name}"
        );
    }
    // A whole number may be written as a float.
    let payload = good(&world)
        .to_string()
        .replace("\"exp\":1780272300", "\"exp\":1.7802723e9");
    assert!(payload.contains("e9"));
    let token = world.signer.signed(r#"{"alg":"ES256","kid":"first"}"#, &payload);
    assert_eq!(refused(&world, &token).await, None);
}

#[tokio::test]
async fn the_audience_is_ours_exactly_and_alone() {
    let world = World::new().await;
    for (audience, expected) in [
        (json!(AUDIENCE), None),
        (json!([AUDIENCE]), None),
        (json!(""), Some("token_audience")),
        (json!("https://postern.example/"), Some("token_audience")),
        (json!("https://postern.example.evil"), Some("token_audience")),
        (json!("https://postern"), Some("token_audience")),
        (json!("HTTPS://postern.example"), Some("token_audience")),
        (json!("https://staging.postern.example"), Some("token_audience")),
        (
            json!([AUDIENCE, "https://other.example"]),
            Some("token_several_audiences"),
        ),
        (
            json!(["https://other.example", AUDIENCE]),
            Some("token_several_audiences"),
        ),
        (json!([AUDIENCE, AUDIENCE]), Some("token_several_audiences")),
        (json!([]), Some("token_claim_missing")),
        (json!([[AUDIENCE]]), Some("token_claim_type")),
        (json!([AUDIENCE, 1]), Some("token_claim_type")),
        (json!(null), Some("token_claim_type")),
        (json!(1), Some("token_claim_type")),
        (json!({AUDIENCE: true}), Some("token_claim_type")),
    ] {
        let mut claims = good(&world);
        claims["aud"] = audience.clone();
        assert_eq!(
            refused(&world, &world.signer.token(&claims)).await,
            expected,
            "{audience}"
        );
    }
}

#[tokio::test]
async fn the_issuer_is_compared_exactly() {
    let world = World::new().await;
    let iss = world.server.issuer();
    for other in [
        format!("{iss}/"),
        iss.to_uppercase(),
        format!(" {iss}"),
        "https://evil.example".into(),
        String::new(),
    ] {
        let token = world.signer.token(&claims(&other, NOW_MS));
        assert_eq!(
            refused(&world, &token).await,
            Some("token_unknown_issuer"),
            "{other}"
        );
    }
    assert_eq!(world.server.discoveries(), 0);
}

#[tokio::test]
async fn times_hold_within_the_leeway_and_not_beyond() {
    let world = World::new().await;
    let now = NOW_MS / 1000;
    for (name, seconds, expected) in [
        ("exp", now + 1, None),
        ("exp", now, Some("token_expired")),
        ("exp", now - 29, Some("token_expired")),
        ("exp", now - 30, Some("token_expired")),
        ("exp", now + 24 * 3600 + 30, None),
        ("exp", now + 24 * 3600 + 31, Some("token_lives_too_long")),
        ("exp", 0, Some("token_expired")),
        ("nbf", now + 30, None),
        ("nbf", now + 31, Some("token_not_yet")),
        ("nbf", now + 61, Some("token_not_yet")),
        ("iat", now + 30, None),
        ("iat", now + 31, Some("token_issued_in_future")),
        ("iat", now - 100_000, None),
    ] {
        let mut claims = good(&world);
        claims[name] = json!(seconds);
        let code = refused(&world, &world.signer.token(&claims)).await;
        assert_eq!(code, expected, "{name} {}", seconds - now);
    }
}

#[tokio::test]
async fn leeway_and_life_are_those_of_the_limits() {
    let world = World::with(Limits {
        clock_leeway_seconds: 5,
        token_life_seconds_max: 600,
        ..Limits::default()
    })
    .await;
    let now = NOW_MS / 1000;
    for (name, seconds, expected) in [
        ("nbf", now + 5, None),
        ("nbf", now + 6, Some("token_not_yet")),
        ("exp", now + 605, None),
        ("exp", now + 606, Some("token_lives_too_long")),
    ] {
        let mut claims = good(&world);
        claims[name] = json!(seconds);
        let code = refused(&world, &world.signer.token(&claims)).await;
        assert_eq!(code, expected, "{name} {}", seconds - now);
    }
}

#[tokio::test]
async fn only_so_many_tokens_are_remembered() {
    let world = World::with(Limits {
        tokens_cached_max: 4,
        ..Limits::default()
    })
    .await;
    for number in 0..40 {
        let mut claims = good(&world);
        claims["jti"] = json!(number.to_string());
        world.login(&world.signer.token(&claims), NOW_MS).await.unwrap();
    }
    assert!((1..=4).contains(&world.identities.remembered.count()));
}

#[tokio::test]
async fn a_remembered_token_is_judged_by_the_clock_again() {
    let world = World::new().await;
    let token = world.token();
    world.login(&token, NOW_MS).await.unwrap();
    let at = |seconds: i64| NOW_MS + seconds * 1000;
    world.login(&token, at(299)).await.unwrap();
    assert_eq!(
        world.login(&token, at(300)).await.unwrap_err().code(),
        "token_expired"
    );
    assert_eq!(
        world.login(&token, at(400)).await.unwrap_err().code(),
        "token_expired"
    );
    // The clock steps back an hour: not valid yet, and valid again when it is right.
    world.login(&token, at(1)).await.unwrap();
    assert_eq!(
        world.login(&token, at(-3600)).await.unwrap_err().code(),
        "token_not_yet"
    );
    world.login(&token, at(2)).await.unwrap();
}

fn read(keys: Value) -> Result<KeySet, KeysError> {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes(), 200)
}

#[test]
fn keys_that_cannot_verify_are_left_out_of_a_set() {
    let (ec, rsa) = (Signer::ec("1").key(), Signer::rsa("1").key());
    let changed = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let weak = signature::RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let short = &weak.public_key().modulus().big_endian_without_leading_zero()[..255];
    let mut off_curve = URL_SAFE_NO_PAD.decode(ec["y"].as_str().unwrap()).unwrap();
    off_curve[31] ^= 1;
    for bad in [
        json!({"kty": "oct", "k": "c2VjcmV0", "kid": "1"}),
        json!({"kty": "new", "kid": "1"}),
        json!({"kid": "1"}),
        json!("key"),
        changed(&ec, "use", json!("enc")),
        changed(&ec, "use", json!(null)),
        changed(&ec, "key_ops", json!(["sign"])),
        changed(&ec, "key_ops", json!("verify")),
        changed(&ec, "alg", json!("HS256")),
        changed(&ec, "alg", json!("ES384")),
        changed(&ec, "alg", json!(1)),
        changed(&ec, "kid", json!(1)),
        changed(&ec, "crv", json!("P-384")),
        changed(&ec, "crv", json!("secp256k1")),
        changed(&ec, "y", json!(encode(&off_curve))),
        changed(&ec, "y", json!("AA")),
        changed(&ec, "x", json!("AA==")),
        changed(&rsa, "n", json!(encode(short))),
        changed(&rsa, "n", json!(encode(vec![0xff; 1025]))),
        changed(&rsa, "n", json!("")),
        changed(&rsa, "e", json!("")),
        changed(&rsa, "e", json!(encode([1]))),
        changed(&rsa, "e", json!(encode([2]))),
        changed(&rsa, "e", json!(encode([1, 0, 0, 0, 1]))),
        changed(&rsa, "alg", json!("ES256")),
    ] {
        assert_eq!(read(json!([bad])).unwrap_err(), KeysError::NoneUsable, "{bad}");
        let other = Signer::ec("2").key();
        assert_eq!(read(json!([bad, other])).unwrap().len(), 1, "{bad}");
    }
    assert_eq!(
        read(json!([changed(&ec, "key_ops", json!(["verify"]))]))
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        read(json!([changed(&rsa, "alg", json!("RS256"))])).unwrap().len(),
        1
    );
}

#[test]
fn keys_that_share_a_name_are_all_left_out() {
    let (one, two) = (Signer::ec("same").key(), Signer::ec("same").key());
    let secret = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "same"});
    let other = Signer::ec("other").key();
    for keys in [
        json!([one, two, other]),
        json!([one, other, secret]),
        json!([one, one, other]),
    ] {
        let set = read(keys).unwrap();
        assert_eq!(set.len(), 1);
        assert_eq!(
            set.find(Some("same"), Algorithm::Es256).unwrap_err(),
            NoKey::Unknown
        );
    }
}

#[test]
fn a_set_is_the_same_whatever_the_order_of_its_keys() {
    let (one, two) = (Signer::ec("1").key(), Signer::ec("2").key());
    let set = |keys: Value| read(keys).unwrap();
    assert!(set(json!([one, two])).is_same(&set(json!([two, one]))));
    assert!(!set(json!([one, two])).is_same(&set(json!([one]))));
    assert!(!set(json!([one])).is_same(&set(json!([Signer::ec("1").key()]))));
}

#[test]
fn json_of_great_depth_or_width_is_decided_quickly() {
    let wide: String = (0..100_000).map(|number| format!("\"{number}\":0,")).collect();
    assert!(json::object(format!("{{{wide}\"a\":0}}").as_bytes()).is_ok());
    assert!(json::object(format!("{{\"a\":{}", "[".repeat(100_000)).as_bytes()).is_err());
}

#[tokio::test]
async fn no_bytes_make_the_reader_of_tokens_panic_and_no_damaged_token_passes() {
    let world = World::new().await;
    let token = world.token();
    let mut random = super::Random(2);
    for _ in 0..3_000 {
        let damaged = random.damaged(token.as_bytes());
        let outcome = world.identities.by_token(&damaged, home(), NOW_MS).await;
        assert!(outcome.is_err() || damaged == token.as_bytes());
    }
    // Damage below the encoding, where the signature does not protect the reader.
    for _ in 0..3_000 {
        let header = random.damaged(br#"{"alg":"ES256","typ":"JWT","kid":"first"}"#);
        let payload = random.damaged(good(&world).to_string().as_bytes());
        let token = format!("{}.{}.{}", encode(header), encode(payload), encode([0; 64]));
        assert!(
            world
                .identities
                .by_token(token.as_bytes(), home(), NOW_MS)
                .await
                .is_err()
        );
    }
}

#[test]
fn no_bytes_make_the_reader_of_keys_panic() {
    let keys =
        json!({"keys": [Signer::ec("1").key(), Signer::rsa("2").key(), Signer::ed("3").key()]}).to_string();
    let mut random = super::Random(3);
    for _ in 0..3_000 {
        let _outcome = KeySet::read(&random.damaged(keys.as_bytes()), 200);
    }
}

#[tokio::test]
async fn a_login_may_run_on_any_thread() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let world = World::new().await;
    let token = world.token();
    is_send(world.identities.by_token(token.as_bytes(), home(), NOW_MS))
        .await
        .unwrap();
    is_send(world.identities.refresh_keys()).await;
}
