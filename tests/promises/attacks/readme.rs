//! The README's table about attacks, and the list of those that are no statements, held to what stands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::Count;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of the README's table.
fn rows(counts: &BTreeMap<String, Count>) -> Vec<String> {
    let mut groups: Vec<(u32, &Count)> = counts
        .iter()
        .map(|(group, count)| (group.trim_start_matches('S').parse().expect("a number"), count))
        .collect();
    groups.sort_by_key(|(number, _)| *number);
    let mut all = Count::default();
    let mut rows = Vec::new();
    for (number, count) in groups {
        all.refused += count.refused;
        all.served += count.served;
        all.refused_twins += count.refused_twins;
        rows.push(row(&format!("S{number} {}", title(number)), count));
    }
    rows.push(row("all", &all));
    rows
}

fn row(name: &str, count: &Count) -> String {
    let Count {
        refused,
        served,
        refused_twins,
    } = count;
    format!("| {name} | {refused} | {served} | {refused_twins} |")
}

/// The name of the group's file, in words.
fn title(number: u32) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks");
    let beginning = format!("s{number:02}_");
    let mut names = fs::read_dir(folder)
        .expect("the folder of attacks")
        .map(|entry| entry.expect("a file").file_name().into_string().expect("a name"));
    let file = names
        .find(|name| name.starts_with(&beginning))
        .expect("the group's file");
    file.trim_start_matches(&beginning)
        .trim_end_matches(".sql")
        .replace('_', " ")
}

#[track_caller]
pub fn check(counts: &BTreeMap<String, Count>) {
    let readme = fs::read_to_string(root().join("README.md")).expect("the README");
    let rows = rows(counts);
    let stands = rows.iter().all(|row| readme.lines().any(|line| line == row));
    assert!(stands, "the README's table must be:\n{}", rows.join("\n"));
}

/// Every test that `tests/attacks/README.md` names stands in the file that it names.
#[track_caller]
pub fn check_names() {
    let list = fs::read_to_string(root().join("tests/attacks/README.md")).expect("the list");
    let mut named = 0;
    for line in list.lines().filter(|line| line.starts_with("| ")) {
        let mut file = String::new();
        for word in line.split('`').skip(1).step_by(2) {
            if word.ends_with(".rs") {
                file =
                    fs::read_to_string(root().join(word)).unwrap_or_else(|error| panic!("{word}: {error}"));
            } else {
                named += 1;
                assert!(
                    file.contains(&format!("fn {word}(")),
                    "no test `{word}` in its file: {line}"
                );
            }
        }
    }
    assert!(named > 80, "the list names {named} tests");
}
