//! The committed list of what differs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One line that only one of the two ways printed: `<` direct, `>` through the gateway.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    pub file: String,
    pub line: String,
}

impl Difference {
    /// A line of `diff`, if it tells one.
    pub fn read(file: &str, line: &str) -> Option<Difference> {
        let line = line.trim_end().to_owned();
        let file = file.to_owned();
        line.starts_with(['<', '>']).then_some(Difference { file, line })
    }
}

/// What is known to differ, and the files that are not run, or only in a soak; each under a reason.
#[derive(Debug)]
pub struct List {
    left_out: BTreeMap<String, String>,
    in_a_soak: BTreeSet<String>,
    differences: BTreeMap<Difference, String>,
}

impl List {
    /// `# reason`, then lines `left out: file …`, `in a soak: file …`, `file < line` or `file > line` that it is the
    /// reason of.
    pub fn read(text: &str) -> List {
        let mut list = List {
            left_out: BTreeMap::new(),
            in_a_soak: BTreeSet::new(),
            differences: BTreeMap::new(),
        };
        let mut reason = "";
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(words) = line.strip_prefix("# ") {
                assert!(words.ends_with('.'), "a reason is a sentence: {words}");
                reason = words;
            } else if let Some(files) = line.strip_prefix("left out: ") {
                let files = files.split_whitespace();
                list.left_out
                    .extend(files.map(|file| (file.to_owned(), reason.to_owned())));
            } else if let Some(files) = line.strip_prefix("in a soak: ") {
                list.in_a_soak.extend(files.split_whitespace().map(str::to_owned));
            } else {
                let (file, line) = line.split_once(' ').expect("a file and its line");
                let difference = Difference::read(file, line).expect("a line of one way");
                list.differences.insert(difference, reason.to_owned());
            }
            assert!(!reason.is_empty(), "no reason stands before: {line}");
        }
        for difference in list.differences.keys() {
            assert!(!list.leaves_out(&difference.file), "not run: {difference:?}");
        }
        list
    }

    pub fn leaves_out(&self, file: &str) -> bool {
        self.left_out.contains_key(file)
    }

    pub fn takes_long(&self, file: &str) -> bool {
        self.in_a_soak.contains(file)
    }

    /// States that what was found in these files is what is listed of them.
    pub fn check(&self, found: &BTreeSet<Difference>, files: &[&str]) {
        let mut faults = String::new();
        for Difference { file, line } in found.iter().filter(|one| !self.differences.contains_key(*one)) {
            let _ = writeln!(faults, "{file} {line}");
        }
        for Difference { file, line } in self
            .differences
            .keys()
            .filter(|one| !found.contains(*one) && files.contains(&one.file.as_str()))
        {
            let _ = writeln!(faults, "no longer differs, take it off the list: {file} {line}");
        }
        assert!(faults.is_empty(), "\n{faults}");
    }
}
