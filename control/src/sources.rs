//! The files that a snapshot was read from, as they are kept and given back.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use postern_link::resources::File;

/// Files with what they are known by. Equal files have equal digests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// Sorted by name.
    pub files: Vec<File>,
    /// The files as a JSON list.
    pub json: Vec<u8>,
    /// SHA-256 of that, in base64url.
    pub digest: String,
}

impl Sources {
    pub fn new(mut files: Vec<File>) -> Sources {
        files.sort_by(|one, other| one.name.cmp(&other.name));
        let json = serde_json::to_vec(&files).unwrap_or_default();
        let digest = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, &json));
        Sources { files, json, digest }
    }

    /// The files that were kept so.
    pub fn from_json(json: &[u8]) -> Sources {
        Sources::new(serde_json::from_slice(json).unwrap_or_default())
    }
}
