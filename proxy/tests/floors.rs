//! The house has floors: a module imports only from those above it in `lib.rs`.
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail it by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the order in which `lib.rs` lists them.
fn floors(source: &Path) -> Vec<String> {
    let text = fs::read_to_string(source.join("lib.rs")).unwrap();
    let names = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    names.map(str::to_owned).collect()
}

fn files(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            files(&entry.unwrap().path(), found);
        }
    } else if path.is_file() && path.extension().is_some_and(|kind| kind == "rs") {
        found.push(path.to_owned());
    }
}

/// The first names behind `crate::` in a file, with their lines.
fn imports(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for behind in line.split("crate::").skip(1) {
            let name: String = behind
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            found.push((number + 1, name));
        }
    }
    found
}

#[test]
fn a_module_imports_only_from_floors_above_its_own() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let floors = floors(&source);
    assert!(floors.len() > 10, "the list in lib.rs was read");
    let mut wrong = Vec::new();
    for (own, name) in floors.iter().enumerate() {
        let mut inside = Vec::new();
        files(&source.join(name), &mut inside);
        files(&source.join(format!("{name}.rs")), &mut inside);
        assert!(
            !inside.is_empty() || source.join(format!("{name}.rs")).exists(),
            "{name} has files"
        );
        for file in inside {
            for (line, imported) in imports(&file) {
                if floors
                    .iter()
                    .position(|floor| *floor == imported)
                    .is_some_and(|floor| floor > own)
                {
                    wrong.push(format!(
                        "{}:{line} imports `{imported}` from below",
                        file.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_two_protocols_and_the_words_keep_to_themselves() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for words in ["config.rs", "refusal.rs"] {
        assert_eq!(
            imports(&source.join(words)),
            [],
            "{words} imports nothing from the crate"
        );
    }
}
