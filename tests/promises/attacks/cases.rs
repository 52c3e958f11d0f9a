//! The statements of `tests/attacks`, one file a group.
//!
//! A line `=== refuse: NAME` or `=== serve: NAME` opens a case, and the lines up to the next are its text.
//! `=== refuse before 17: NAME` is refused where the server's grammar is older, and served where it is not.
//! `=== refused though harmless: NAME: REASON` is a harmless one that we do not serve. `reader` behind the word asks
//! the workload that may only read. In a text `⟦200b⟧` stands for that character, `⟦1000×a⟧` for a repetition.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

/// What must become of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Refused,
    Served,
    RefusedThoughHarmless,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub id: usize,
    pub group: String,
    pub name: String,
    pub workload: &'static str,
    pub expected: Expected,
    pub text: String,
}

impl Case {
    /// Whether it may change nothing at the server.
    pub fn is_quiet(&self) -> bool {
        self.expected != Expected::Served || self.workload == "report"
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text.chars().take(300).collect();
        write!(
            formatter,
            "{} `{}`: {}",
            self.group,
            self.name,
            text.escape_debug()
        )
    }
}

/// The cases as they are where the server is of this version.
pub fn all(server_version: u32) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder of attacks")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('s'))
        })
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let group = file.file_stem().expect("a name").to_string_lossy();
        let group = group.split('_').next().expect("a group").to_uppercase();
        read(
            &group.replace("S0", "S"),
            &fs::read_to_string(&file).expect("a file"),
            server_version,
            &mut cases,
        );
    }
    let mut seen = BTreeSet::new();
    for case in &cases {
        assert!(
            seen.insert((&case.text, case.workload)),
            "a case stands twice: {case}"
        );
    }
    cases
}

fn read(group: &str, file: &str, server_version: u32, cases: &mut Vec<Case>) {
    for block in format!("\n{file}").split("\n=== ").skip(1) {
        let (heading, text) = block.split_once('\n').expect("a text below the heading");
        let (kind, name) = heading.split_once(": ").expect("a name behind a colon");
        let (kind, workload) = match kind.strip_suffix(" reader") {
            Some(kind) => (kind, "report"),
            None => (kind, "writer"),
        };
        let expected = match kind {
            "refuse" => Expected::Refused,
            "serve" => Expected::Served,
            "refused though harmless" => Expected::RefusedThoughHarmless,
            other if let Some(version) = other.strip_prefix("refuse before ") => {
                let version: u32 = version.parse().expect("a version");
                if server_version < version {
                    Expected::Refused
                } else {
                    Expected::Served
                }
            }
            other => panic!("{group}: `{other}` is no expectation"),
        };
        cases.push(Case {
            id: cases.len(),
            group: group.to_owned(),
            name: name.to_owned(),
            workload,
            expected,
            text: unfolded(text.trim_end_matches('\n')),
        });
    }
}

/// The text with its marks replaced by what they stand for.
fn unfolded(text: &str) -> String {
    let mut parts = text.split('⟦');
    let mut unfolded = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (mark, rest) = part.split_once('⟧').expect("a mark is closed");
        match mark.split_once('×') {
            Some((times, repeated)) => {
                unfolded.push_str(&repeated.repeat(times.parse().expect("how many times")));
            }
            None => {
                let number = u32::from_str_radix(mark, 16).expect("a character's number");
                unfolded.push(char::from_u32(number).expect("a character"));
            }
        }
        unfolded.push_str(rest);
    }
    unfolded
}
