//! What tools said of themselves when they were first seen: a server that changes what a tool says it does is not
//! believed until an operator accepts it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many tools are known, of all targets; of further ones nothing is believed.
const TOOLS_MAX: usize = 100_000;

/// The digests of all tools that were ever listed here, kept in one file.
#[derive(Debug)]
pub struct Fingerprints {
    file: PathBuf,
    known: ArcSwap<Known>,
    /// Held while a change is written.
    writing: Mutex<()>,
}

/// By target, then tool.
type Known = BTreeMap<String, BTreeMap<String, Fingerprint>>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Fingerprint {
    /// What is believed.
    digest: String,
    /// What was said last, where it is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changed: Option<String>,
}

/// A tool says something else of itself than was accepted: the digest of what it says now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed(pub String);

impl Fingerprints {
    pub fn load(data: &Path) -> anyhow::Result<Fingerprints> {
        let file = data.join("tools.json");
        let known = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Known::new(),
            Err(error) => return Err(error.into()),
        };
        Ok(Fingerprints {
            file,
            known: ArcSwap::from_pointee(known),
            writing: Mutex::default(),
        })
    }

    /// Whether a tool may be called: it is not, while what it said last is not accepted.
    pub fn check(&self, target: &str, tool: &str, accepted: &[String]) -> Result<(), Changed> {
        let known = self.known.load();
        let fingerprint = known.get(target).and_then(|tools| tools.get(tool));
        match fingerprint.and_then(|fingerprint| fingerprint.changed.as_ref()) {
            Some(changed) if !accepted.contains(changed) => Err(Changed(changed.clone())),
            _ => Ok(()),
        }
    }

    /// Takes note of what a server says of a tool; an error where it is not what was accepted.
    pub fn see(&self, target: &str, tool: &str, said: &Value, accepted: &[String]) -> Result<(), Changed> {
        let digest = digest_of(said);
        let found = |known: &Known| known.get(target).and_then(|tools| tools.get(tool)).cloned();
        let seen = |found: Option<Fingerprint>| match found {
            None => Fingerprint::new(digest.clone()),
            Some(found) if found.digest == digest => Fingerprint::new(digest.clone()),
            Some(_) if accepted.contains(&digest) => Fingerprint::new(digest.clone()),
            Some(found) => Fingerprint {
                changed: Some(digest.clone()),
                ..found
            },
        };
        let before = found(&self.known.load());
        let mut now = seen(before.clone());
        if before.as_ref() != Some(&now) {
            let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
            let mut known = Known::clone(&self.known.load());
            now = seen(found(&known));
            if known.values().map(BTreeMap::len).sum::<usize>() >= TOOLS_MAX && before.is_none() {
                return Err(Changed(digest));
            }
            let tools = known.entry(target.to_owned()).or_default();
            tools.insert(tool.to_owned(), now.clone());
            if let Err(error) = self.write(&known) {
                tracing::error!(%error, "what tools say of themselves could not be kept");
                return Err(Changed(digest));
            }
            self.known.store(Arc::new(known));
        }
        now.changed.map_or(Ok(()), |changed| Err(Changed(changed)))
    }

    /// Written whole beside the old file, which it then replaces.
    fn write(&self, known: &Known) -> anyhow::Result<()> {
        let beside = self.file.with_extension("json.new");
        std::fs::write(&beside, serde_json::to_vec(known)?)?;
        std::fs::File::open(&beside)?.sync_all()?;
        Ok(std::fs::rename(&beside, &self.file)?)
    }
}

impl Fingerprint {
    fn new(digest: String) -> Fingerprint {
        Fingerprint {
            digest,
            changed: None,
        }
    }
}

/// Over the JSON with its keys in order, so that only what is said counts.
fn digest_of(said: &Value) -> String {
    let ordered = ordered(said).to_string();
    let digest = digest::digest(&digest::SHA256, ordered.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// The depth is the reader's, which is bounded.
fn ordered(value: &Value) -> Value {
    match value {
        Value::Array(values) => values.iter().map(ordered).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            fields
                .into_iter()
                .map(|(name, value)| (name.clone(), ordered(value)))
                .collect()
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_tool_that_says_something_else_is_refused_until_it_is_accepted_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (json!({"name": "a", "description": "reads"}), json!({"name": "a"}));
        let fingerprints = Fingerprints::load(folder.path()).unwrap();
        assert_eq!(fingerprints.check("t", "a", &[]), Ok(()));
        assert_eq!(fingerprints.see("t", "a", &first, &[]), Ok(()));
        let Changed(digest) = fingerprints.see("t", "a", &second, &[]).unwrap_err();
        assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
        assert!(fingerprints.check("t", "a", &[]).is_err());
        assert_eq!(fingerprints.check("u", "a", &[]), Ok(()));

        let again = Fingerprints::load(folder.path()).unwrap();
        assert!(again.check("t", "a", &[]).is_err());
        let accepted = [digest];
        assert_eq!(again.check("t", "a", &accepted), Ok(()));
        assert_eq!(again.see("t", "a", &second, &accepted), Ok(()));
        // What was believed before is now the change.
        assert!(again.see("t", "a", &first, &accepted).is_err());
    }

    #[test]
    fn what_is_said_in_another_order_is_said_the_same() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":[{"c":2,"d":3}]}"#).unwrap();
        let other: Value = serde_json::from_str(r#"{"b":[{"d":3,"c":2}],"a":1}"#).unwrap();
        assert_eq!(digest_of(&one), digest_of(&other));
    }
}
