//! Modules import only what stands above them in `lib.rs`, and only the store knows SQL.

use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The modules in floor order, from the list in `lib.rs`.
fn floors() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).unwrap();
    let named = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    named.map(str::to_owned).collect()
}

/// The modules that a text names behind `crate::`, alone or in braces.
fn imported(text: &str, floors: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    for (position, _) in text.match_indices("crate::") {
        let rest = &text[position + "crate::".len()..];
        let list = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap());
        let parts = list.map_or_else(|| vec![rest], |list| list.split(',').collect());
        names.extend(parts.iter().map(|part| {
            let word = |letter: char| !letter.is_alphanumeric() && letter != '_';
            part.trim().split(word).next().unwrap().to_owned()
        }));
    }
    names.retain(|name| floors.contains(name));
    names
}

#[test]
fn modules_import_only_what_stands_above_them() {
    let floors = floors();
    assert!(floors.len() > 10, "{floors:?}");
    let place = |name: &str| floors.iter().position(|floor| floor == name);
    for path in files(&source()) {
        let inside = path.strip_prefix(source()).unwrap();
        let module = inside
            .iter()
            .next()
            .unwrap()
            .to_str()
            .unwrap()
            .trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let own = place(module).unwrap_or_else(|| panic!("`{module}` is not in lib.rs"));
        for name in imported(&fs::read_to_string(&path).unwrap(), &floors) {
            assert!(
                place(&name).unwrap() <= own,
                "{} imports `{name}`",
                inside.display()
            );
        }
    }
}

#[test]
fn only_the_store_knows_that_there_is_a_database() {
    for path in files(&source()) {
        let inside = path.strip_prefix(source()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            inside.starts_with("store") || !text.contains("rusqlite"),
            "{}",
            inside.display()
        );
    }
}

#[test]
fn tasks_are_spawned_in_one_place() {
    for path in files(&source()) {
        let inside = path.strip_prefix(source()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let production = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let spawns = ["tokio::spawn(", "thread::spawn(", "thread::Builder"]
            .iter()
            .any(|way| production.contains(way));
        let may = inside.starts_with("tasks") || inside.ends_with("tests.rs");
        assert!(may || !spawns, "{}", inside.display());
    }
}
