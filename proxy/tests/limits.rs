//! Every limit of the gateway is named in the source of a test, so that none is added without one.
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use postern_proxy::config::Limits;

fn sources(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            sources(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|kind| kind == "rs") {
        found.push(path.to_owned());
    }
}

/// The whole of a test file, or what stands behind `#[cfg(test)]` in another.
fn tests_of(root: &Path, file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let mut inside = file.strip_prefix(root).unwrap().components();
    if inside.any(|part| part.as_os_str() == "tests") || file.ends_with("tests.rs") {
        return text;
    }
    let inside = text.split_once("#[cfg(test)]\nmod tests {");
    inside.map(|(_, tests)| tests.to_owned()).unwrap_or_default()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
}

#[test]
fn every_limit_is_named_in_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in ["proxy/src", "proxy/tests", "tests/promises"] {
        sources(&root.join(folder), &mut files);
    }
    let tests: String = files.iter().map(|file| tests_of(root, file) + "\n").collect();
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let names: Vec<&String> = limits.as_object().unwrap().keys().collect();
    assert!(names.len() > 40, "the limits were read");
    let untested: Vec<&&String> = names
        .iter()
        .filter(|name| !words(&tests).any(|word| word == name.as_str()))
        .collect();
    assert!(untested.is_empty(), "no test names {untested:?}");
}
