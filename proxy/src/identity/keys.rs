//! An issuer's public keys: JSON Web Keys read into what can verify a signature, or dropped.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::json::{self, Object};

const RSA_BITS_MIN: usize = 2048;
const RSA_BITS_MAX: usize = 8192;
/// Public exponents are 65,537 in practice; a long one only costs us time.
const RSA_EXPONENT_BYTES_MAX: usize = 4;

/// How a token may be signed. Shared secrets and `none` have no place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(name: &str) -> Option<Algorithm> {
        Some(match name {
            "RS256" => Algorithm::Rs256,
            "RS384" => Algorithm::Rs384,
            "RS512" => Algorithm::Rs512,
            "PS256" => Algorithm::Ps256,
            "PS384" => Algorithm::Ps384,
            "PS512" => Algorithm::Ps512,
            "ES256" => Algorithm::Es256,
            "ES384" => Algorithm::Es384,
            "ES512" => Algorithm::Es512,
            "EdDSA" => Algorithm::EdDsa,
            _ => return None,
        })
    }
}

/// Why a key set is not taken; the issuer's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("key set is not JSON of the form that RFC 7517 gives")]
    Malformed,
    #[error("key set has too many keys")]
    TooMany,
    #[error("key set has no key that can verify a token")]
    NoneUsable,
}

/// Why no key of a set can verify a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// The token names a key that is not in the set.
    Unknown,
    /// The token names no key, and there are several.
    NotNamed,
    /// The key is of another kind than the token's algorithm.
    OtherKind,
}

/// The keys of one issuer at one time.
#[derive(Debug)]
pub(super) struct KeySet {
    keys: Vec<Arc<Key>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key {
    id: Option<String>,
    /// The one algorithm that the key says it is for, if it says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Debug, PartialEq, Eq)]
enum Material {
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl KeySet {
    /// Reads a JWKS document. Keys of unknown kinds, symmetric ones, and all keys that share an id are left out.
    pub(super) fn read(document: &[u8], keys_max: usize) -> Result<KeySet, Error> {
        let document = json::object(document).map_err(|_| Error::Malformed)?;
        let Some(Value::Array(listed)) = document.get("keys") else {
            return Err(Error::Malformed);
        };
        if listed.len() > keys_max {
            return Err(Error::TooMany);
        }
        let mut times: HashMap<&str, usize> = HashMap::new();
        for id in listed.iter().filter_map(|key| key.get("kid")?.as_str()) {
            *times.entry(id).or_default() += 1;
        }
        let is_unique = |key: &Key| match &key.id {
            Some(id) => times.get(id.as_str()) == Some(&1),
            None => true,
        };
        let keys: Vec<Arc<Key>> = listed
            .iter()
            .filter_map(|key| Key::read(key.as_object()?))
            .filter(is_unique)
            .map(Arc::new)
            .collect();
        if keys.is_empty() {
            Err(Error::NoneUsable)
        } else {
            Ok(KeySet { keys })
        }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether both sets verify the same tokens.
    pub(super) fn is_same(&self, other: &KeySet) -> bool {
        self.keys.len() == other.keys.len() && self.keys.iter().all(|key| other.keys.contains(key))
    }

    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Arc<Key>, NoKey> {
        let key = match id {
            Some(id) => self
                .keys
                .iter()
                .find(|key| key.id.as_deref() == Some(id))
                .ok_or(NoKey::Unknown)?,
            None => match self.keys.as_slice() {
                [only] => only,
                _ => return Err(NoKey::NotNamed),
            },
        };
        if key.fits(algorithm) {
            Ok(key)
        } else {
            Err(NoKey::OtherKind)
        }
    }
}

impl Key {
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn read(key: &Object) -> Option<Key> {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        if key.get("use").is_some_and(|usage| usage.as_str() != Some("sig")) {
            return None;
        }
        if let Some(operations) = key.get("key_ops")
            && !operations
                .as_array()?
                .iter()
                .any(|operation| operation.as_str() == Some("verify"))
        {
            return None;
        }
        let algorithm = match key.get("alg") {
            Some(name) => Some(Algorithm::parse(name.as_str()?)?),
            None => None,
        };
        let id = match key.get("kid") {
            Some(id) => Some(id.as_str()?.to_owned()),
            None => None,
        };
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let material = match (text("kty")?, text("crv")) {
            ("RSA", _) => rsa(bytes("n")?, bytes("e")?)?,
            ("EC", Some("P-256")) => {
                Material::P256(point(&ECDSA_P256_SHA256_FIXED, 32, &bytes("x")?, &bytes("y")?)?)
            }
            ("EC", Some("P-384")) => {
                Material::P384(point(&ECDSA_P384_SHA384_FIXED, 48, &bytes("x")?, &bytes("y")?)?)
            }
            ("EC", Some("P-521")) => {
                Material::P521(point(&ECDSA_P521_SHA512_FIXED, 66, &bytes("x")?, &bytes("y")?)?)
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        let key = Key {
            id,
            algorithm,
            material,
        };
        // A key that says it is for an algorithm of another kind is no key.
        if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
            None
        } else {
            Some(key)
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        if self.algorithm.is_some_and(|own| own != algorithm) {
            return false;
        }
        match algorithm {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
                matches!(self.material, Material::Rsa { .. })
            }
            Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => {
                matches!(self.material, Material::Rsa { .. })
            }
            Algorithm::Es256 => matches!(self.material, Material::P256(_)),
            Algorithm::Es384 => matches!(self.material, Material::P384(_)),
            Algorithm::Es512 => matches!(self.material, Material::P521(_)),
            Algorithm::EdDsa => matches!(self.material, Material::Ed25519(_)),
        }
    }

    /// Whether this key made the signature. The algorithm decides the key's kind too.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        match &self.material {
            Material::Rsa { modulus, exponent } => rsa_parameters(algorithm).is_some_and(|parameters| {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(parameters, message, signature).is_ok()
            }),
            Material::P256(point) => verifies(&ECDSA_P256_SHA256_FIXED, point, message, signature),
            Material::P384(point) => verifies(&ECDSA_P384_SHA384_FIXED, point, message, signature),
            Material::P521(point) => verifies(&ECDSA_P521_SHA512_FIXED, point, message, signature),
            Material::Ed25519(point) => verifies(&ED25519, point, message, signature),
        }
    }
}

fn rsa(modulus: Vec<u8>, exponent: Vec<u8>) -> Option<Material> {
    let (modulus, exponent) = (without_leading_zeros(&modulus), without_leading_zeros(&exponent));
    let leading = modulus.first()?.leading_zeros();
    let bits = modulus.len() * 8 - usize::try_from(leading).ok()?;
    let odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
    let usable = (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits)
        && odd
        && exponent != [1]
        && exponent.len() <= RSA_EXPONENT_BYTES_MAX;
    usable.then(|| Material::Rsa {
        modulus: modulus.to_vec(),
        exponent: exponent.to_vec(),
    })
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or(&[])
}

/// An uncompressed point that lies on the curve.
fn point(
    curve: &'static dyn signature::VerificationAlgorithm,
    coordinate_bytes: usize,
    x: &[u8],
    y: &[u8],
) -> Option<Vec<u8>> {
    if x.len() != coordinate_bytes || y.len() != coordinate_bytes {
        return None;
    }
    let point = [&[4], x, y].concat();
    ParsedPublicKey::new(curve, &point).ok()?;
    Some(point)
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 | Algorithm::EdDsa => None,
    }
}

fn verifies(
    algorithm: &'static dyn signature::VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

/// SHA-256, for naming a token without keeping it.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut name = [0; 32];
    for (to, from) in name
        .iter_mut()
        .zip(digest::digest(&digest::SHA256, bytes).as_ref())
    {
        *to = *from;
    }
    name
}
