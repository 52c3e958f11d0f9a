//! What is in force: to change it at all gateways; to put a folder in, to see what that would change, to get them out, and to go back.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path};

use postern_link::resources::File;
use serde_json::{Value, json};
use similar::TextDiff;

use crate::arguments::{Apply, Because, Diff, Export, InForce, Snapshots, SnapshotsCommand, SnapshotsList};
use crate::door::{SLOW_ANSWER_TIMEOUT, with_query};
use crate::explain::door;
use crate::output::{self, Format, Table, escape_lines, text_of};
use crate::resources;
use crate::sessions::{entries, seconds};
use crate::trouble::{Exit, Result, Trouble};

/// Asks for a change, and says whether every gateway follows it.
pub async fn change(path: &str, body: &Value, because: &Because) -> Result<Exit> {
    let door = door(&because.operators)?;
    let value = door.post(path, Some(body), SLOW_ANSWER_TIMEOUT).await?.json()?;
    output::print_as(Format::from(because.output), &value, || made(&value), &[])?;
    followed(&value)
}

/// What became of a change, in a line.
fn made(value: &Value) -> String {
    let number = text_of(value, "snapshot");
    let is_new = value.get("new").and_then(Value::as_bool).unwrap_or(false);
    let id = value
        .get("revocation")
        .map(|revocation| text_of(revocation, "id"));
    match (id, is_new) {
        (Some(id), true) => format!("{id}, in force with snapshot {number}\n"),
        (Some(id), false) => format!("{id}, in force already\n"),
        (None, true) => format!("in force with snapshot {number}\n"),
        (None, false) => format!("in force already, with snapshot {number}\n"),
    }
}

/// A change that some connected gateway does not follow yet is no success.
fn followed(value: &Value) -> Result<Exit> {
    if value.get("complete").and_then(Value::as_bool) == Some(true) {
        return Ok(Exit::Success);
    }
    let named = |name| {
        let names = entries(value, name).iter().filter_map(Value::as_str);
        names.collect::<Vec<_>>().join(", ")
    };
    let (behind, away) = (named("behind"), named("away"));
    if behind.is_empty() {
        let told = format!("it is in force, and these gateways are away: {away}");
        return Err(Trouble::new(told).next(
            "they hear it when they return; until then they serve as long as each target's lease lasts",
        ));
    }
    let told = format!("it is in force, and these gateways do not decide by it yet: {behind}");
    Err(Trouble::new(told).next("their log says why; `GET /v1/gateways` shows what each decides by"))
}

pub async fn apply(apply: Apply) -> Result<Exit> {
    let files = resources::files(&apply.folder)?;
    let body = json!({ "files": files, "reason": apply.reason.unwrap_or_default() });
    let dry_run = apply.dry_run.then(|| "true".to_owned());
    let path = with_query("/v1/resources", &[("dry_run", dry_run)]);
    let value = door(&apply.operators)?
        .put(&path, &body, SLOW_ANSWER_TIMEOUT)
        .await?
        .json()?;
    let text = || match value.get("resources") {
        Some(counts) => would_hold(counts),
        None => made(&value),
    };
    output::print_as(Format::from(apply.output), &value, text, &[])?;
    if apply.dry_run {
        return Ok(Exit::Success);
    }
    followed(&value)
}

fn would_hold(counts: &Value) -> String {
    let kinds = ["workloads", "targets", "issuers", "grants", "policies"];
    let counted = kinds.map(|kind| format!("{} {kind}", text_of(counts, kind)));
    format!("nothing is wrong with {}\n", counted.join(", "))
}

pub async fn diff(diff: Diff) -> Result<Exit> {
    let wanted = resources::files(&diff.folder)?;
    let present = in_force(&diff.present).await?;
    let text = differences(&present, &wanted);
    output::print(&text)?;
    Ok(if text.is_empty() {
        Exit::Success
    } else {
        Exit::Failure
    })
}

/// Every file that differs, as a unified diff.
fn differences(present: &[File], wanted: &[File]) -> String {
    let mut pairs: BTreeMap<&str, [&str; 2]> = BTreeMap::new();
    for file in present {
        pairs.entry(&file.name).or_default()[0] = &file.text;
    }
    for file in wanted {
        pairs.entry(&file.name).or_default()[1] = &file.text;
    }
    let mut text = String::new();
    for (name, [before, after]) in pairs {
        if before != after {
            let diff = TextDiff::from_lines(before, after);
            let mut unified = diff.unified_diff();
            let (from, to) = (format!("in force/{name}"), format!("folder/{name}"));
            text.push_str(&escape_lines(&unified.header(&from, &to).to_string()));
        }
    }
    text
}

pub async fn export(export: Export) -> Result<Exit> {
    let folder = &export.folder;
    let unusable =
        |error: &io::Error| Trouble::new(format!("cannot use `{}`", folder.display())).because(error);
    fs::create_dir_all(folder).map_err(|error| unusable(&error))?;
    let mut entries = fs::read_dir(folder).map_err(|error| unusable(&error))?;
    if entries.next().is_some() {
        let trouble = Trouble::new(format!("`{}` is not empty", folder.display()));
        return Err(trouble.next("name another: nothing is written over"));
    }
    let files = in_force(&export.present).await?;
    for file in &files {
        let name = Path::new(&file.name);
        // The control plane takes no other names; a control plane that was taken may say any.
        if !name.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(Trouble::new(format!(
                "`{}` would be outside of the folder",
                file.name
            )));
        }
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| unusable(&error))?;
        }
        fs::write(&path, &file.text).map_err(|error| unusable(&error))?;
    }
    output::print(&format!("wrote {} files\n", files.len()))?;
    Ok(Exit::Success)
}

/// The files that are in force, or were with an older snapshot.
async fn in_force(present: &InForce) -> Result<Vec<File>> {
    let path = match present.snapshot {
        Some(number) => format!("/v1/snapshots/{number}"),
        None => "/v1/resources".to_owned(),
    };
    let value = door(&present.operators)?.get(&path).await?.json()?;
    let files = value.get("files").cloned().unwrap_or_default();
    serde_json::from_value(files).map_err(|error| Trouble::new("the answer holds no files").because(&error))
}

pub async fn snapshots(snapshots: Snapshots) -> Result<Exit> {
    match snapshots.command {
        None => list(snapshots.list).await,
        Some(SnapshotsCommand::Restore { number, because }) => {
            let body = json!({ "reason": because.reason });
            change(&format!("/v1/snapshots/{number}/restore"), &body, &because).await
        }
    }
}

async fn list(list: SnapshotsList) -> Result<Exit> {
    let limit = list.limit.map(|limit| limit.to_string());
    let path = with_query("/v1/snapshots", &[("limit", limit)]);
    let value = door(&list.operators)?.get(&path).await?.json()?;
    let snapshots = entries(&value, "snapshots");
    let names: Vec<String> = snapshots.iter().map(|one| text_of(one, "number")).collect();
    let table = || {
        let mut table = Table::new(&["SNAPSHOT", "MADE", "BY", "CHANGE", "REASON"]);
        for snapshot in snapshots {
            let text = |name| text_of(snapshot, name);
            let made = seconds(&text("made"));
            table.row([text("number"), made, text("by"), text("change"), text("reason")]);
        }
        table.show()
    };
    output::print_as(list.output, &value, table, &names)?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> File {
        File {
            name: name.into(),
            text: text.into(),
        }
    }

    #[test]
    fn what_would_change_is_shown_by_file_and_line_and_nothing_else() {
        let present = [
            file("a.yaml", "one\ntwo\n"),
            file("gone.cedar", "x\n"),
            file("same.yaml", "s\n"),
        ];
        let wanted = [
            file("a.yaml", "one\n2\n"),
            file("new.cedar", "y\n"),
            file("same.yaml", "s\n"),
        ];
        let shown = differences(&present, &wanted);
        for line in [
            "--- in force/a.yaml",
            "+++ folder/a.yaml",
            "-two",
            "+2",
            "-x",
            "+y",
        ] {
            assert!(shown.lines().any(|shown| shown == line), "{line}: {shown}");
        }
        assert!(!shown.contains("same.yaml"), "{shown}");
        assert_eq!(differences(&wanted, &wanted), "");
    }

    #[test]
    fn a_change_that_a_gateway_does_not_follow_is_no_success() {
        let behind = json!({ "complete": false, "behind": ["gw-1"] });
        assert!(followed(&behind).unwrap_err().to_string().contains("gw-1"));
        assert_eq!(followed(&json!({ "complete": true })).unwrap(), Exit::Success);
    }
}
