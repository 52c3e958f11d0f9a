//! Ed25519 keys and the operator token: files of their owner only, made at the first start.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

const TOKEN_BYTES: usize = 32;
const TOKEN_PREFIX: &str = "postern-operator-";

/// Why a secret of the control plane could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read or write `{path}`")]
    Unusable { path: PathBuf, source: std::io::Error },
    #[error("`{path}` can be read by others: `chmod 600` it, and replace it if they may have")]
    Exposed { path: PathBuf },
    #[error("`{path}` holds no Ed25519 key in PKCS#8 PEM")]
    NotAKey { path: PathBuf },
    #[error("`{path}` holds no operator token")]
    NotAToken { path: PathBuf },
    #[error("the system gave no randomness")]
    NoRandomness,
}

/// A private key whose `Debug` prints nothing of it.
pub struct SigningKey(Ed25519KeyPair);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

impl SigningKey {
    /// Reads the key, or makes it when the file is not there.
    pub fn open(path: &Path) -> Result<SigningKey, Error> {
        let not_a_key = || Error::NotAKey {
            path: path.to_owned(),
        };
        if !path.exists() {
            let pair = Ed25519KeyPair::generate().map_err(|_| Error::NoRandomness)?;
            let document = pair.to_pkcs8v1().map_err(|_| not_a_key())?;
            write_secret(path, &pem(document.as_ref()))?;
        }
        let text = read_secret(path)?;
        let document = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| not_a_key())?;
        let pair = Ed25519KeyPair::from_pkcs8(document.secret_pkcs8_der()).map_err(|_| not_a_key())?;
        Ok(SigningKey(pair))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }

    pub fn public(&self) -> [u8; 32] {
        let mut public = [0; 32];
        let bytes = self.0.public_key().as_ref();
        if bytes.len() == public.len() {
            public.copy_from_slice(bytes);
        }
        public
    }
}

/// The bearer token of operators; `Debug` prints nothing of it.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// Reads the token, or makes it when the file is not there.
    pub fn open(path: &Path) -> Result<Token, Error> {
        if !path.exists() {
            let mut bytes = [0; TOKEN_BYTES];
            let random = SystemRandom::new();
            aws_lc_rs::rand::SecureRandom::fill(&random, &mut bytes).map_err(|_| Error::NoRandomness)?;
            write_secret(
                path,
                &format!("{TOKEN_PREFIX}{}\n", BASE64_URL_SAFE_NO_PAD.encode(bytes)),
            )?;
        }
        let text = read_secret(path)?;
        let token = text.trim();
        if token.len() < TOKEN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Error::NotAToken {
                path: path.to_owned(),
            });
        }
        Ok(Token(token.to_owned()))
    }

    /// Compares in a time that tells nothing about where two tokens differ, nor how long ours is.
    pub fn is(&self, shown: &str) -> bool {
        let digest = |text: &str| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let (ours, theirs) = (digest(&self.0), digest(shown));
        aws_lc_rs::constant_time::verify_slices_are_equal(ours.as_ref(), theirs.as_ref()).is_ok()
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }
}

fn pem(der: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(der);
    let mut text = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (position, letter) in body.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    text
}

/// Written beside and renamed, so that a crash leaves no half of a key under its name.
fn write_secret(path: &Path, text: &str) -> Result<(), Error> {
    let failed = |source| Error::Unusable {
        path: path.to_owned(),
        source,
    };
    let beside = path.with_extension("new");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .map_err(failed)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn read_secret(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Unusable {
        path: path.to_owned(),
        source,
    };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Error::Exposed {
            path: path.to_owned(),
        });
    }
    std::fs::read_to_string(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.key");
        let made = SigningKey::open(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(SigningKey::open(&path).unwrap().public(), made.public());
        assert_ne!(made.public(), [0; 32]);
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("operator.token");
        Token::open(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Token::open(&path), Err(Error::Exposed { .. })));
    }

    #[test]
    fn only_the_whole_token_is_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let token = Token::open(&folder.path().join("operator.token")).unwrap();
        let text = token.reveal().to_owned();
        assert!(token.is(&text));
        for wrong in [
            "",
            "x",
            text.strip_prefix('p').unwrap(),
            &format!("{text} "),
            &text.replace("operator", "operatos"),
        ] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "Token");
    }
}
