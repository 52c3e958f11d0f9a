//! YAML texts in, a [`Snapshot`] out; or every mistake, with file, line, caret and what would be right.
//!
//! A file holds documents separated by `---`, each with a `kind`. Policies are `.cedar` files beside them.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::snapshot::{Grant, Grantee, Issuer, Login, Policy, Snapshot, Target, Workload};

/// Greatest size of one resource file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One file of a resources folder.
#[derive(Clone, Debug)]
pub struct File {
    pub name: String,
    pub text: String,
}

/// Why a resource file was not taken; `Display` shows the place.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("{file}: larger than {FILE_BYTES_MAX} bytes")]
    TooLarge { file: String },
    #[error("{file}:{line}: {message}")]
    Malformed {
        file: String,
        line: usize,
        message: String,
    },
    #[error("{kind} `{name}`: {message}")]
    Inconsistent {
        kind: &'static str,
        name: String,
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(tag = "kind")]
enum Resource {
    Workload(Workload),
    Target(Target),
    Issuer(Issuer),
    Grant(Grant),
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
            snapshot.policies.push(Policy {
                name: file.name.clone(),
                text: file.text.clone(),
            });
        } else {
            read_yaml(file, &mut snapshot, &mut errors);
        }
    }
    check_names(&snapshot, &mut errors);
    if errors.is_empty() {
        Ok(snapshot)
    } else {
        Err(errors)
    }
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
        match serde_saphyr::from_str::<Resource>(document) {
            Ok(Resource::Workload(workload)) => snapshot.workloads.push(workload),
            Ok(Resource::Target(target)) => snapshot.targets.push(target),
            Ok(Resource::Issuer(issuer)) => snapshot.issuers.push(issuer),
            Ok(Resource::Grant(grant)) => snapshot.grants.push(grant),
            Err(error) => errors.push(Error::Malformed {
                file: file.name.clone(),
                line: first_line,
                message: error.to_string(),
            }),
        }
        first_line += lines + 1;
    }
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
            for role in assume
                .roles
                .iter()
                .filter(|role| !target.postgres.roles.contains_key(*role))
            {
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
    for target in &snapshot.targets {
        if target.postgres.databases.is_empty() {
            errors.push(Error::Inconsistent {
                kind: "target",
                name: target.name.clone(),
                message: "has no `databases`: the first listed is the default".into(),
            });
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
