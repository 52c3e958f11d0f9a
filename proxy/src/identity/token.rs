//! Tokens as evidence: compact JSON Web Signatures, read strictly, verified by their issuer's terms.
//!
//! Nothing a token says of itself is believed before its signature, and nothing in its header ever is:
//! algorithms and keys come from the issuer's terms.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::json::{self, Object};
use super::keyring;
use super::keys::Algorithm;
use super::matching::Terms;
use super::presets::Unfit;
use crate::config::Limits;

/// Header names that mean nothing to us and harm nobody.
const HEADERS_IGNORED: [&str; 2] = ["x5t", "x5t#S256"];
/// Header names that offer a key to verify the token by. They are how forgeries bring their own.
const HEADERS_WITH_KEYS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];
/// The year 9999 ends here; a later time is no time.
const SECONDS_MAX: i64 = 253_402_300_799;

/// Why a token is no evidence. All are the fault of the client or of whoever made its token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("it is longer than {bytes_max} bytes")]
    TooLong { bytes_max: usize },
    #[error("it is not of the form `header.payload.signature` in base64url")]
    Form,
    #[error("it is in JSON serialization, and only the compact one is taken")]
    JsonSerialization,
    #[error("it is encrypted, and only signed ones are taken")]
    Encrypted,
    #[error("its header is not one JSON object")]
    Header,
    #[error("its payload is not one JSON object")]
    Payload,
    #[error("it has a JSON key twice")]
    DuplicateKey,
    #[error("it is not signed")]
    Unsigned,
    #[error("it is signed in a way that its issuer's entry does not allow")]
    Algorithm,
    #[error("its header brings a key of its own")]
    KeyInHeader,
    #[error("its header has critical extensions")]
    Critical,
    #[error("its header has a field that is not understood")]
    HeaderField,
    #[error("its `typ` is neither `JWT` nor `at+jwt`")]
    Type,
    #[error("its `kid` is not text")]
    KeyId,
    #[error("it has no `iss`, or one that is not text")]
    NoIssuer,
    #[error("its issuer is not trusted here")]
    UnknownIssuer,
    #[error("{0}")]
    Key(#[source] keyring::Error),
    #[error("its signature is not by the key of its issuer")]
    Signature,
    #[error("its `{0}` is missing")]
    Missing(&'static str),
    #[error("its `{0}` has the wrong JSON type or range")]
    ClaimType(&'static str),
    #[error("it has expired")]
    Expired,
    #[error("it is not valid yet")]
    NotYet,
    #[error("it says that it was issued in the future")]
    IssuedInFuture,
    #[error("it lives longer than {seconds_max} seconds")]
    LivesTooLong { seconds_max: u64 },
    #[error("its audience is not this gateway")]
    Audience,
    #[error("it is for several audiences, and each of them could use it here")]
    SeveralAudiences,
    #[error("{0}")]
    Unfit(#[from] Unfit),
}

impl Error {
    /// The word for it in counts of strangers.
    pub fn code(&self) -> &'static str {
        match self {
            Error::TooLong { .. } => "token_too_long",
            Error::Form => "token_form",
            Error::JsonSerialization => "token_json_serialization",
            Error::Encrypted => "token_encrypted",
            Error::Header => "token_header",
            Error::Payload => "token_payload",
            Error::DuplicateKey => "token_duplicate_key",
            Error::Unsigned => "token_unsigned",
            Error::Algorithm => "token_algorithm",
            Error::KeyInHeader => "token_key_in_header",
            Error::Critical => "token_critical",
            Error::HeaderField => "token_header_field",
            Error::Type => "token_type",
            Error::KeyId => "token_key_id",
            Error::NoIssuer => "token_no_issuer",
            Error::UnknownIssuer => "token_unknown_issuer",
            Error::Key(keyring::Error::UnknownKey) => "token_unknown_key",
            Error::Key(keyring::Error::KeyNotNamed) => "token_key_not_named",
            Error::Key(keyring::Error::OtherKind) => "token_key_other_kind",
            Error::Key(keyring::Error::Unavailable) => "token_keys_unavailable",
            Error::Signature => "token_signature",
            Error::Missing(_) => "token_claim_missing",
            Error::ClaimType(_) => "token_claim_type",
            Error::Expired => "token_expired",
            Error::NotYet => "token_not_yet",
            Error::IssuedInFuture => "token_issued_in_future",
            Error::LivesTooLong { .. } => "token_lives_too_long",
            Error::Audience => "token_audience",
            Error::SeveralAudiences => "token_several_audiences",
            Error::Unfit(unfit) => unfit.code(),
        }
    }
}

/// A token taken apart. Its claims are what it says, until the signature is verified.
#[derive(Debug)]
pub(super) struct Unverified<'a> {
    pub(super) key_id: Option<String>,
    pub(super) issuer: String,
    /// As the header names it.
    algorithm: String,
    signed: &'a [u8],
    signature: Vec<u8>,
    claims: Object,
}

/// What was checked of a token's claims, for as long as it may be remembered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Claims {
    pub(super) all: Object,
    pub(super) subject: String,
    pub(super) id: String,
    pub(super) expires_at_seconds: i64,
    not_before_seconds: Option<i64>,
}

impl<'a> Unverified<'a> {
    pub(super) fn read(token: &'a [u8], limits: &Limits) -> Result<Unverified<'a>, Error> {
        if token.len() > limits.token_bytes_max {
            return Err(Error::TooLong {
                bytes_max: limits.token_bytes_max,
            });
        }
        let (signed, [header, payload, signature]) = split(token)?;
        let header = json::object(&header).map_err(|error| json_error(error, Error::Header))?;
        let (algorithm, key_id) = read_header(&header)?;
        let claims = json::object(&payload).map_err(|error| json_error(error, Error::Payload))?;
        let issuer = claims
            .get("iss")
            .and_then(Value::as_str)
            .ok_or(Error::NoIssuer)?
            .to_owned();
        Ok(Unverified {
            key_id,
            issuer,
            algorithm,
            signed,
            signature,
            claims,
        })
    }

    /// The header's algorithm, if the issuer's terms list it.
    pub(super) fn algorithm(&self, terms: &Terms) -> Result<Algorithm, Error> {
        let algorithm = Algorithm::parse(&self.algorithm).ok_or(Error::Algorithm)?;
        if terms.algorithms.contains(&algorithm) {
            Ok(algorithm)
        } else {
            Err(Error::Algorithm)
        }
    }

    pub(super) fn signed(&self) -> &[u8] {
        self.signed
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The claims of a token whose signature has been verified.
    pub(super) fn into_claims(self, terms: &Terms, limits: &Limits, now_ms: i64) -> Result<Claims, Error> {
        let claims = self.claims;
        check_audience(&claims, &terms.audience)?;
        let expires_at_seconds = seconds(&claims, "exp")?.ok_or(Error::Missing("exp"))?;
        let not_before_seconds = seconds(&claims, "nbf")?;
        let leeway = i64::try_from(limits.clock_leeway_seconds).unwrap_or(0);
        let now = now_ms.div_euclid(1000);
        if seconds(&claims, "iat")?.is_some_and(|issued_at| issued_at > now.saturating_add(leeway)) {
            return Err(Error::IssuedInFuture);
        }
        let seconds_max = limits.token_life_seconds_max;
        let life_max = i64::try_from(seconds_max)
            .unwrap_or(i64::MAX)
            .saturating_add(leeway);
        if expires_at_seconds > now.saturating_add(life_max) {
            return Err(Error::LivesTooLong { seconds_max });
        }
        let subject = match claims.get("sub") {
            None => return Err(Error::Missing("sub")),
            Some(Value::String(subject)) if !subject.is_empty() => subject.clone(),
            Some(_) => return Err(Error::ClaimType("sub")),
        };
        let id = match claims.get("jti") {
            None => String::new(),
            Some(Value::String(id)) => id.clone(),
            Some(_) => return Err(Error::ClaimType("jti")),
        };
        let claims = Claims {
            all: claims,
            subject,
            id,
            expires_at_seconds,
            not_before_seconds,
        };
        claims.check_time(limits, now_ms)?;
        Ok(claims)
    }
}

impl Claims {
    /// Judged on every use, also of a remembered token: a clock may step back.
    ///
    /// The leeway is for tokens that are fresh from another clock; at its end a token is simply over.
    pub(super) fn check_time(&self, limits: &Limits, now_ms: i64) -> Result<(), Error> {
        if now_ms >= self.expires_at_seconds.saturating_mul(1000) {
            return Err(Error::Expired);
        }
        let leeway_ms = i64::try_from(limits.clock_leeway_seconds)
            .unwrap_or(0)
            .saturating_mul(1000);
        let not_before_ms = self.not_before_seconds.unwrap_or(0).saturating_mul(1000);
        if now_ms.saturating_add(leeway_ms) < not_before_ms {
            Err(Error::NotYet)
        } else {
            Ok(())
        }
    }
}

fn json_error(error: json::Error, otherwise: Error) -> Error {
    match error {
        json::Error::DuplicateKey => Error::DuplicateKey,
        json::Error::Malformed | json::Error::NotAnObject => otherwise,
    }
}

/// Header, payload and signature, decoded, and the bytes that were signed.
fn split(token: &[u8]) -> Result<(&[u8], [Vec<u8>; 3]), Error> {
    if token.trim_ascii_start().starts_with(b"{") {
        return Err(Error::JsonSerialization);
    }
    let mut parts = token.split(|byte| *byte == b'.');
    let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Form);
    };
    match parts.count() {
        0 => {}
        2 => return Err(Error::Encrypted),
        _ => return Err(Error::Form),
    }
    // Strict base64url: no padding, no spaces, and no bits left over that could differ.
    let decode = |part: &[u8]| URL_SAFE_NO_PAD.decode(part).map_err(|_| Error::Form);
    let signed = token.get(..header.len() + 1 + payload.len()).ok_or(Error::Form)?;
    if header.is_empty() || payload.is_empty() {
        return Err(Error::Form);
    }
    Ok((signed, [decode(header)?, decode(payload)?, decode(signature)?]))
}

/// The algorithm and the key's id that a header names, if it says nothing that we do not understand.
fn read_header(header: &Object) -> Result<(String, Option<String>), Error> {
    for (name, value) in header {
        match name.as_str() {
            "alg" | "kid" => {}
            "typ" if is_token_type(value) => {}
            "typ" => return Err(Error::Type),
            "crit" => return Err(Error::Critical),
            "enc" | "zip" => return Err(Error::Encrypted),
            name if HEADERS_WITH_KEYS.contains(&name) => return Err(Error::KeyInHeader),
            name if HEADERS_IGNORED.contains(&name) => {}
            _ => return Err(Error::HeaderField),
        }
    }
    let algorithm = match header.get("alg") {
        Some(Value::String(name)) if name.eq_ignore_ascii_case("none") || name.is_empty() => {
            return Err(Error::Unsigned);
        }
        Some(Value::String(name)) => name.clone(),
        Some(_) => return Err(Error::Algorithm),
        None => return Err(Error::Unsigned),
    };
    let key_id = match header.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return Err(Error::KeyId),
    };
    Ok((algorithm, key_id))
}

/// RFC 7519 5.1 and RFC 9068 2.1: media types, so in any case, with or without `application/`.
fn is_token_type(value: &Value) -> bool {
    let Some(name) = value.as_str().map(str::to_ascii_lowercase) else {
        return false;
    };
    matches!(
        name.strip_prefix("application/").unwrap_or(&name),
        "jwt" | "at+jwt"
    )
}

/// Exactly ours, alone. A token for several receivers could be used here by each of them.
fn check_audience(claims: &Object, ours: &str) -> Result<(), Error> {
    let audience = claims.get("aud").ok_or(Error::Missing("aud"))?;
    let single = match audience {
        Value::String(audience) => audience,
        Value::Array(audiences) => match audiences.as_slice() {
            [Value::String(audience)] => audience,
            [] => return Err(Error::Missing("aud")),
            several if several.iter().all(Value::is_string) => return Err(Error::SeveralAudiences),
            _ => return Err(Error::ClaimType("aud")),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => {
            return Err(Error::ClaimType("aud"));
        }
    };
    if single == ours {
        Ok(())
    } else {
        Err(Error::Audience)
    }
}

/// A time in whole seconds since 1970. A wrong type is an error, never an absent claim.
fn seconds(claims: &Object, name: &'static str) -> Result<Option<i64>, Error> {
    let number = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(Error::ClaimType(name)),
    };
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
        format!("{float:.0}").parse().ok()
    });
    match whole.filter(|whole| (0..=SECONDS_MAX).contains(whole)) {
        Some(whole) => Ok(Some(whole)),
        None => Err(Error::ClaimType(name)),
    }
}
