//! A gateway's signed word about who asks, for targets that want to know: a JWT that holds for a minute, and the key
//! to check it by.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::jwk::{Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::config;

/// How long a word holds: it is about one request.
const SECONDS: u64 = 60;

/// Where the keys are told, at the issuer's host (RFC 8414, section 3, and OpenID Connect Discovery 1.0, section 4).
pub const KEYS_PATH: &str = "/.well-known/jwks.json";
pub const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";

/// What signs, and what is told of it.
pub struct Assertions {
    issuer: String,
    host: String,
    header: Header,
    key: EncodingKey,
    keys: String,
    discovery: String,
}

/// What is said of one request (RFC 7519, section 4.1).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    /// The workload.
    sub: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
    /// The record of the request, as `postern explain` takes it.
    jti: &'a str,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("`assertions.key`: cannot read `{path}`")]
    Unreadable {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("`assertions.key`: `{path}` is no P-256 key in PKCS #8, as `openssl genpkey` writes it")]
    NoKey {
        path: String,
        #[source]
        source: jsonwebtoken::errors::Error,
    },
    #[error("`assertions.issuer`: `{0}` is not `https://` and a host, with a port if need be")]
    NoIssuer(String),
}

impl Assertions {
    pub fn load(config: &config::Assertions) -> Result<Assertions, Error> {
        let no_issuer = || Error::NoIssuer(config.issuer.clone());
        let uri: hyper::Uri = config.issuer.parse().map_err(|_| no_issuer())?;
        let host = uri.host().filter(|_| uri.scheme_str() == Some("https"));
        let host =
            host.filter(|_| !config.issuer.ends_with('/') && uri.path() == "/" && uri.query().is_none());
        let host = host.ok_or_else(no_issuer)?.to_ascii_lowercase();
        let (key, public) = read_key(&config.key)?;
        let mut header = Header::new(Algorithm::ES256);
        header.kid.clone_from(&public.common.key_id);
        let told = serde_json::json!({
            "issuer": config.issuer,
            "jwks_uri": format!("{}{KEYS_PATH}", config.issuer),
            "id_token_signing_alg_values_supported": ["ES256"],
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
        });
        Ok(Assertions {
            issuer: config.issuer.clone(),
            host,
            header,
            key,
            keys: serde_json::json!(JwkSet { keys: vec![public] }).to_string(),
            discovery: told.to_string(),
        })
    }

    /// That a workload asks, for the target of this audience, in the request of this record.
    pub fn sign(&self, workload: &str, audience: &str, record: &str) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let claims = Claims {
            iss: &self.issuer,
            sub: workload,
            aud: audience,
            iat: now,
            exp: now + SECONDS,
            jti: record,
        };
        jsonwebtoken::encode(&self.header, &claims, &self.key).ok()
    }

    /// What anyone may ask at the issuer's host.
    pub fn told(&self, host: &str, path: &str) -> Option<&str> {
        match path {
            _ if host != self.host => None,
            KEYS_PATH => Some(&self.keys),
            DISCOVERY_PATH => Some(&self.discovery),
            _ => None,
        }
    }
}

/// The key with its public half, which is named by its thumbprint (RFC 7638).
fn read_key(path: &Path) -> Result<(EncodingKey, Jwk), Error> {
    let name = || path.display().to_string();
    let no_key = |source| Error::NoKey { path: name(), source };
    let pem = std::fs::read(path).map_err(|source| Error::Unreadable { path: name(), source })?;
    let pem = zeroize::Zeroizing::new(pem);
    let key = EncodingKey::from_ec_pem(&pem).map_err(no_key)?;
    let mut public = Jwk::from_encoding_key(&key, Algorithm::ES256).map_err(no_key)?;
    public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256).map_err(no_key)?);
    public.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
    Ok((key, public))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::Value;

    use super::*;

    fn assertions(folder: &Path, issuer: &str, key: &str) -> Result<Assertions, Error> {
        let path: PathBuf = folder.join("key.pem");
        std::fs::write(&path, key).unwrap();
        Assertions::load(&config::Assertions {
            issuer: issuer.to_owned(),
            key: path,
        })
    }

    fn key() -> String {
        rcgen::KeyPair::generate().unwrap().serialize_pem()
    }

    #[test]
    fn a_word_is_checked_by_the_key_that_is_told_and_is_about_one_workload_target_and_record() {
        let folder = tempfile::tempdir().unwrap();
        let assertions = assertions(folder.path(), "https://gateway.example:8443", &key()).unwrap();
        let token = assertions
            .sign("report", "https://billing.example", "gw.0.a.b")
            .unwrap();
        let keys: JwkSet =
            serde_json::from_str(assertions.told("gateway.example", KEYS_PATH).unwrap()).unwrap();
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut wanted = Validation::new(Algorithm::ES256);
        wanted.set_audience(&["https://billing.example"]);
        wanted.set_issuer(&["https://gateway.example:8443"]);
        let claims = jsonwebtoken::decode::<Value>(&token, &key, &wanted)
            .unwrap()
            .claims;
        assert_eq!(
            (&claims["sub"], &claims["jti"]),
            (&"report".into(), &"gw.0.a.b".into())
        );
        let seconds = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(seconds, 60);
        wanted.set_audience(&["https://other.example"]);
        assert!(jsonwebtoken::decode::<Value>(&token, &key, &wanted).is_err());
    }

    #[test]
    fn only_the_public_half_is_told_and_only_at_the_issuer_s_host() {
        let folder = tempfile::tempdir().unwrap();
        let assertions = assertions(folder.path(), "https://gateway.example", &key()).unwrap();
        let keys: Value =
            serde_json::from_str(assertions.told("gateway.example", KEYS_PATH).unwrap()).unwrap();
        assert_eq!(keys["keys"][0]["d"], Value::Null);
        assert_eq!(keys["keys"][0]["crv"], "P-256");
        assert_eq!(assertions.told("billing.example", KEYS_PATH), None);
        assert_eq!(assertions.told("gateway.example", "/"), None);
    }

    #[test]
    fn what_cannot_sign_or_be_asked_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        for bad in ["", "no key", &p384.serialize_pem()] {
            let error = assertions(folder.path(), "https://a.example", bad).err();
            assert!(matches!(error, Some(Error::NoKey { .. })), "{error:?}");
        }
        for issuer in [
            "http://a.example",
            "a.example",
            "https://a.example/",
            "https://a.example/x",
            "",
        ] {
            let error = assertions(folder.path(), issuer, &key()).err();
            assert!(matches!(error, Some(Error::NoIssuer(_))), "{issuer}: {error:?}");
        }
    }
}
