//! YAML texts in, a [`Snapshot`] out; or every mistake, with file, line, caret and what would be right.
//!
//! A file holds documents separated by `---`, each with a `kind`. Policies are `.cedar` files beside them, and OpenAPI
//! documents, which targets name, `….openapi.yaml` and `….openapi.json`. A policy in the folder `rehearsed` is rehearsed:
//! it stands for the one of the same name, or beside all, in a second set that judges and answers nobody.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::openapi;
use crate::snapshot::{Grant, Grantee, Issuer, Login, Policy, Snapshot, System, Target, Workload};

/// Where rehearsed policies are.
const REHEARSED: &str = "rehearsed/";

/// Greatest size of one resource file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One file of a resources folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub name: String,
    pub text: String,
}

/// Why a resource file was not taken; `Display` shows the place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("{file}: larger than {FILE_BYTES_MAX} bytes")]
    TooLarge { file: String },
    #[error("{file}:{line}:{column}: {message}\n{shown}")]
    Malformed {
        file: String,
        line: usize,
        column: usize,
        message: String,
        /// The line, a caret under the place, and what was meant, if that can be guessed.
        shown: String,
    },
    #[error("{kind} `{name}`: {message}")]
    Inconsistent {
        kind: &'static str,
        name: String,
        message: String,
    },
}

/// What every document begins with.
#[derive(Deserialize)]
struct Kinded {
    kind: String,
}

fn policy(file: &File) -> Policy {
    Policy {
        name: file.name.clone(),
        text: file.text.clone(),
    }
}

/// The policies as they would be with those of the folder `rehearsed`; none if there are none.
fn rehearsed(policies: &[Policy], files: &[File]) -> Option<Vec<Policy>> {
    let is_rehearsed = |file: &&File| file.name.starts_with(REHEARSED) && file.name.ends_with(".cedar");
    let over: Vec<Policy> = files.iter().filter(is_rehearsed).map(policy).collect();
    if over.is_empty() {
        return None;
    }
    let stays = |policy: &&Policy| {
        let mut names = over.iter().filter_map(|over| over.name.strip_prefix(REHEARSED));
        names.all(|name| name != policy.name)
    };
    Some(policies.iter().filter(stays).chain(&over).cloned().collect())
}

/// Whether a file of the folder is one of ours, by its name.
pub fn is_read(name: &str) -> bool {
    [".yaml", ".yml", ".cedar"].iter().any(|end| name.ends_with(end)) || is_description(name)
}

/// Whether it is an OpenAPI document.
fn is_description(name: &str) -> bool {
    [".openapi.yaml", ".openapi.yml", ".openapi.json"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Reads all files of a folder. Files that end in `.cedar` are policies, the rest YAML.
///
/// Returns every error found, in file order, so that one run shows all there is to mend.
pub fn read(files: &[File]) -> Result<Snapshot, Vec<Error>> {
    let mut snapshot = Snapshot::default();
    let mut errors = Vec::new();
    for file in files {
        if file.text.len() > FILE_BYTES_MAX {
            errors.push(Error::TooLarge {
                file: file.name.clone(),
            });
        } else if file.name.ends_with(".cedar") {
            if !file.name.starts_with(REHEARSED) {
                snapshot.policies.push(policy(file));
            }
        } else if file.name.starts_with(REHEARSED) {
            errors.push(Error::Inconsistent {
                kind: "file",
                name: file.name.clone(),
                message: "only policies can be rehearsed".to_owned(),
            });
        } else if !is_description(&file.name) {
            read_yaml(file, &mut snapshot, &mut errors);
        }
    }
    snapshot.rehearsed = rehearsed(&snapshot.policies, files);
    for target in &mut snapshot.targets {
        if let Err(message) = describe(target, files) {
            errors.push(Error::Inconsistent {
                kind: "target",
                name: target.name.clone(),
                message,
            });
        }
    }
    check_names(&snapshot, &mut errors);
    if errors.is_empty() {
        Ok(snapshot)
    } else {
        Err(errors)
    }
}

/// Adds the operations of the document that a target names.
fn describe(target: &mut Target, files: &[File]) -> Result<(), String> {
    let System::Http(api) = &mut target.system else {
        return Ok(());
    };
    let Some(name) = &api.openapi else {
        return Ok(());
    };
    let file = files
        .iter()
        .find(|file| file.name == *name && is_description(name));
    let file = file.ok_or_else(|| {
        format!(
            "has the `openapi` document `{name}`, and there is no such file; its name ends in `.openapi.yaml` or `.openapi.json`"
        )
    })?;
    let operations = openapi::operations(&file.text).map_err(|message| format!("`{name}`: {message}"))?;
    api.operations.extend(operations);
    Ok(())
}

fn read_yaml(file: &File, snapshot: &mut Snapshot, errors: &mut Vec<Error>) {
    let mut first_line = 1;
    for document in documents(&file.text) {
        let lines = document.lines().count();
        if document
            .lines()
            .all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
        {
            first_line += lines + 1;
            continue;
        }
        if let Err(mistake) = read_document(document, snapshot) {
            errors.push(mistake.at(file, first_line));
        }
        first_line += lines + 1;
    }
}

/// Where a document is wrong, counted from its own first line.
struct Mistake {
    line: usize,
    column: usize,
    message: String,
}

impl From<serde_saphyr::Error> for Mistake {
    fn from(error: serde_saphyr::Error) -> Mistake {
        let place = error.location();
        let place = place.map_or((1, 1), |place| (place.line(), place.column()));
        let whole = error.to_string();
        let first = whole.lines().next().unwrap_or_default();
        // It begins with a place of its own, which is the document's and not the file's.
        let message = match first
            .strip_prefix("error: line ")
            .and_then(|rest| rest.split_once(": "))
        {
            Some((_, message)) => message,
            None => first,
        };
        Mistake {
            line: usize::try_from(place.0).unwrap_or(1).max(1),
            column: usize::try_from(place.1).unwrap_or(1).max(1),
            message: message.to_owned(),
        }
    }
}

impl Mistake {
    fn at(self, file: &File, first_line: usize) -> Error {
        let line = first_line + self.line - 1;
        let text = file.text.lines().nth(line - 1).unwrap_or_default();
        let margin = " ".repeat(line.to_string().len());
        let before = " ".repeat(self.column - 1);
        let meant = meant(&self.message).map_or(String::new(), |key| format!(" did you mean `{key}`?"));
        Error::Malformed {
            file: file.name.clone(),
            line,
            column: self.column,
            message: self.message,
            shown: format!(" {line} │ {text}\n {margin} │ {before}^{meant}"),
        }
    }
}

fn read_document(document: &str, snapshot: &mut Snapshot) -> Result<(), Mistake> {
    let Kinded { kind } = serde_saphyr::from_str(document)?;
    // The kind is blanked, not cut out, so that every mistake keeps its place.
    let rest = without_kind(document);
    match kind.as_str() {
        "Workload" => snapshot
            .workloads
            .push(serde_saphyr::from_str::<Workload>(&rest)?),
        "Target" => snapshot.targets.push(serde_saphyr::from_str::<Target>(&rest)?),
        "Issuer" => snapshot.issuers.push(serde_saphyr::from_str::<Issuer>(&rest)?),
        "Grant" => snapshot.grants.push(serde_saphyr::from_str::<Grant>(&rest)?),
        other => {
            let line = document.lines().position(|line| line.starts_with("kind:"));
            return Err(Mistake {
                line: line.map_or(1, |line| line + 1),
                column: "kind: ".len() + 1,
                message: format!("`{other}` is no kind: it is `Workload`, `Target`, `Issuer` or `Grant`"),
            });
        }
    }
    Ok(())
}

fn without_kind(document: &str) -> String {
    let blanked = |line: &str| match line.starts_with("kind:") {
        true => "#".repeat(line.len()),
        false => line.to_owned(),
    };
    document.lines().map(blanked).collect::<Vec<_>>().join("\n")
}

/// The known key that an unknown one is nearest to; serde's message names both.
pub fn meant(message: &str) -> Option<String> {
    const LIKENESS_MIN: f64 = 0.8;
    let (_, after) = message.split_once("unknown field `")?;
    let (unknown, after) = after.split_once('`')?;
    let known = after
        .lines()
        .next()?
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let likeness = |known: &&str| strsim::jaro_winkler(unknown, known);
    let nearest = known.max_by(|one, other| likeness(one).total_cmp(&likeness(other)))?;
    (likeness(&nearest) >= LIKENESS_MIN).then(|| nearest.to_owned())
}

fn documents(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n---\n")
        .map(|document| document.strip_prefix("---\n").unwrap_or(document))
}

/// What the parts say of each other: names unique, and nothing named that is not there.
fn check_names(snapshot: &Snapshot, errors: &mut Vec<Error>) {
    let workloads = unique(
        "workload",
        snapshot.workloads.iter().map(|workload| &workload.name),
        errors,
    );
    let targets = unique(
        "target",
        snapshot.targets.iter().map(|target| &target.name),
        errors,
    );
    let issuers = unique(
        "issuer",
        snapshot.issuers.iter().map(|issuer| &issuer.name),
        errors,
    );
    for workload in &snapshot.workloads {
        let mut wrong = |message: String| {
            errors.push(Error::Inconsistent {
                kind: "workload",
                name: workload.name.clone(),
                message,
            });
        };
        if workload.login.is_empty() {
            wrong("has no `login`: nobody could ever be it".into());
        }
        for login in &workload.login {
            if let Login::Token { issuer, .. } = login
                && !issuers.contains(issuer.as_str())
            {
                wrong(format!(
                    "logs in with issuer `{issuer}`, which no resource defines"
                ));
            }
        }
        for assume in &workload.assume {
            let target = snapshot
                .targets
                .iter()
                .find(|target| target.name == assume.target);
            let Some(target) = target else {
                wrong(format!(
                    "assumes roles of target `{}`, which no resource defines",
                    assume.target
                ));
                continue;
            };
            let has = |role: &&String| {
                let postgres = target.postgres();
                postgres.is_some_and(|postgres| postgres.roles.contains_key(*role))
            };
            for role in assume.roles.iter().filter(|role| !has(role)) {
                wrong(format!(
                    "assumes role `{role}`, for which target `{}` has no credential",
                    target.name
                ));
            }
        }
    }
    for grant in &snapshot.grants {
        let mut wrong = |message: String| {
            let name = grant.library.join(", ");
            errors.push(Error::Inconsistent {
                kind: "grant",
                name,
                message,
            });
        };
        if !targets.contains(grant.target.as_str()) {
            wrong(format!(
                "is on target `{}`, which no resource defines",
                grant.target
            ));
        }
        if let Grantee::Workload(name) = &grant.to
            && !workloads.contains(name.as_str())
        {
            wrong(format!("is to workload `{name}`, which no resource defines"));
        }
    }
    check_targets(&snapshot.targets, errors);
}

fn check_targets(targets: &[Target], errors: &mut Vec<Error>) {
    let (mut hosts, mut prefixes) = (BTreeSet::new(), BTreeSet::new());
    for target in targets {
        let mut wrong = |message: String| {
            errors.push(Error::Inconsistent {
                kind: "target",
                name: target.name.clone(),
                message,
            });
        };
        if target
            .postgres()
            .is_some_and(|postgres| postgres.databases.is_empty())
        {
            wrong("has no `databases`: the first listed is the default".into());
        }
        for host in &target.server_names {
            if !hosts.insert(host.to_ascii_lowercase()) {
                wrong(format!(
                    "has the server name `{host}`, which another target has too"
                ));
            }
        }
        let Some(prefix) = target.http().and_then(|api| api.prefix.as_ref()) else {
            continue;
        };
        if !prefix.starts_with('/') || prefix.ends_with('/') {
            wrong(format!(
                "has the prefix `{prefix}`: it begins with `/` and does not end with it"
            ));
        }
        if !prefixes.insert(prefix) {
            wrong(format!("has the prefix `{prefix}`, which another target has too"));
        }
    }
}

fn unique<'a>(
    kind: &'static str,
    names: impl Iterator<Item = &'a String>,
    errors: &mut Vec<Error>,
) -> BTreeSet<&'a str> {
    let mut seen = BTreeSet::new();
    for name in names {
        if name.is_empty() {
            let message = "has an empty `name`".into();
            errors.push(Error::Inconsistent {
                kind,
                name: name.clone(),
                message,
            });
        }
        if !seen.insert(name.as_str()) {
            errors.push(Error::Inconsistent {
                kind,
                name: name.clone(),
                message: "is defined twice".into(),
            });
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(text: &str) -> String {
        let file = File {
            name: "resources.yaml".into(),
            text: text.into(),
        };
        let errors = read(&[file]).unwrap_err();
        errors
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn an_unknown_key_is_shown_in_its_own_line_with_the_key_that_was_meant() {
        let told = mistakes("# first\nkind: Target\nname: a\n---\nkind: Workload\nname: b\nownr: c\n");
        assert!(
            told.contains("resources.yaml:7:1: unknown field `ownr`"),
            "{told}"
        );
        assert!(
            told.contains(" 7 │ ownr: c\n   │ ^ did you mean `owner`?"),
            "{told}"
        );
    }

    #[test]
    fn a_kind_that_is_none_is_told_with_those_that_are() {
        let told = mistakes("name: a\nkind: Worklod\n");
        assert!(
            told.contains("resources.yaml:2:7: `Worklod` is no kind"),
            "{told}"
        );
    }

    fn api(name: &str, more: &str) -> String {
        format!("kind: Target\nname: {name}\nhttp: {{ address: \"a:1\", credential: c{more} }}\n")
    }

    #[test]
    fn a_target_is_one_system_and_says_which() {
        let told = mistakes("kind: Target\nname: a\n");
        assert!(
            told.contains("a target is one of `postgres` and `http`"),
            "{told}"
        );
    }

    #[test]
    fn no_two_targets_answer_to_one_host_or_prefix() {
        let two = |more: &str, other: &str| mistakes(&format!("{}---\n{}", api("a", more), api("b", other)));
        let told = two(", prefix: /x", ", prefix: /x");
        assert!(
            told.contains("target `b`: has the prefix `/x`, which another"),
            "{told}"
        );
        let named = |name: &str, host: &str| api(name, "") + &format!("server_names: [{host}]\n");
        let told = mistakes(&format!(
            "{}---\n{}",
            named("a", "x.example"),
            named("b", "X.example")
        ));
        assert!(
            told.contains("target `b`: has the server name `X.example`"),
            "{told}"
        );
        for prefix in ["x", "/x/", "/"] {
            let told = mistakes(&api("a", &format!(", prefix: {prefix}")));
            assert!(told.contains("does not end with it"), "{told}");
        }
    }

    #[test]
    fn a_target_does_what_its_document_says_and_what_is_written_beside_it() {
        let file = |name: &str, text: &str| File {
            name: name.into(),
            text: text.into(),
        };
        let described = "openapi: 3.0.0\npaths: { /a: { get: { operationId: a } } }\n";
        let own = ", openapi: x.openapi.json, operations: [{ name: b, method: GET, path: /b }]";
        let files = [
            file("resources.yaml", &api("a", own)),
            file("x.openapi.json", described),
            file("unused.openapi.yaml", "no document: ["),
        ];
        let snapshot = read(&files).unwrap();
        let names = |operation: &crate::snapshot::Operation| operation.name.clone();
        let found: Vec<String> = snapshot.targets[0]
            .http()
            .unwrap()
            .operations
            .iter()
            .map(names)
            .collect();
        assert_eq!(found, ["b", "a"]);
        let errors = read(&files[..1]).unwrap_err();
        assert!(
            errors[0].to_string().contains("there is no such file"),
            "{errors:?}"
        );
        assert!(files.iter().all(|file| is_read(&file.name)) && !is_read("package.json"));
    }

    #[test]
    fn a_document_without_a_kind_says_so() {
        assert!(mistakes("name: a\n").contains("missing field `kind`"));
    }

    #[test]
    fn a_value_that_does_not_fit_is_shown_in_its_line() {
        let told = mistakes("kind: Workload\nname: b\nowner: c\nexpires: tomorrow\n");
        assert!(told.contains("resources.yaml:4:"), "{told}");
        assert!(told.contains(" 4 │ expires: tomorrow"), "{told}");
    }
}
