//! Proof from the audit log: that it is whole, and that one record is in it.

use std::fs;
use std::path::Path;

use postern_control::audit::export::record as record_as_json;
use postern_control::audit::note::{Checkpoint, Verifier};
use postern_control::audit::proof::Proof;
use postern_control::audit::verify::{Elsewhere, verify as verify_folder};
use serde_json::{Value, json};

use crate::arguments::{AuditProve, AuditVerify};
use crate::door::{SLOW_ANSWER_TIMEOUT, encode};
use crate::explain::door;
use crate::output::{self, Format, text_of};
use crate::sessions::entries;
use crate::trouble::{Exit, Result, Trouble};

/// The greatest record that a control plane takes by default.
const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

pub async fn verify(verify: AuditVerify) -> Result<Exit> {
    let key = verify.key.as_deref().map(read_key).transpose()?;
    if let (Some(proof), Some(key)) = (&verify.proof, &key) {
        return verify_proof(proof, key, verify.output.into());
    }
    let value = match (&verify.folder, &key) {
        (Some(folder), Some(key)) => {
            let kept = verify.checkpoints.iter().map(|path| read_checkpoint(path, key));
            let kept = kept.collect::<Result<Vec<_>>>()?;
            let report = verify_folder(folder, key, &kept, None, RECORD_BYTES_MAX).map_err(|error| {
                Trouble::new(format!("cannot read the log in `{}`", folder.display()))
                    .because(&error)
                    .next("name the folder `audit` of the control plane's data")
            })?;
            report.to_json()
        }
        _ => door(&verify.operators)?
            .post("/v1/audit/verify", None, SLOW_ANSWER_TIMEOUT)
            .await?
            .json()?,
    };
    output::print_as(verify.output.into(), &value, || report(&value), &[])?;
    let good = value.get("good").and_then(Value::as_bool) == Some(true);
    Ok(if good { Exit::Success } else { Exit::Failure })
}

fn read_key(key: &str) -> Result<Verifier> {
    key.parse().map_err(|error| {
        Trouble::usage("`--key` is no public key of a log")
            .because(&error)
            .next("it has the form `name+hash+key`")
    })
}

fn read_checkpoint(path: &Path, key: &Verifier) -> Result<Elsewhere> {
    let note = read(path)?;
    let checkpoint = Checkpoint::open(&note, key).map_err(|error| {
        Trouble::new(format!("`{}` is no checkpoint of this log", path.display())).because(&error)
    })?;
    Ok(Elsewhere {
        place: format!("`{}`", path.display()),
        checkpoint,
    })
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Trouble::new(format!("cannot read `{}`", path.display())).because(&error))
}

fn verify_proof(path: &Path, key: &Verifier, format: Format) -> Result<Exit> {
    let proof = Proof::from_text(&read(path)?);
    let proved = proof.and_then(|proof| Ok((proof.verify(key)?, proof.index)));
    let ((record, checkpoint), index) = proved
        .map_err(|error| Trouble::new(format!("`{}` proves nothing", path.display())).because(&error))?;
    let record = Value::Object(record_as_json(index, &record));
    let value = json!({ "good": true, "records": checkpoint.size, "record": record });
    let text = || {
        let size = checkpoint.size;
        let record = output::yaml(&record);
        format!("✓ record {index} of the {size} of a signed checkpoint\n{record}")
    };
    output::print_as(format, &value, text, &[])?;
    Ok(Exit::Success)
}

/// Prints what `postern audit verify --proof` takes.
pub async fn prove(prove: AuditProve) -> Result<Exit> {
    let path = format!("/v1/records/{}/proof", encode(&prove.record));
    let answer = door(&prove.operators)?.get(&path).await?;
    let text = answer.text()?;
    output::print(&text)?;
    Ok(Exit::Success)
}

fn report(value: &Value) -> String {
    let good = value.get("good").and_then(Value::as_bool) == Some(true);
    let count = |name| text_of(value, name);
    let mut shown = format!(
        "{} {} records of {} spools in {} segments, by {} checkpoints\n",
        if good {
            "✓ the log is whole:"
        } else {
            "× the log is not whole:"
        },
        count("records"),
        count("spools"),
        count("segments"),
        count("checkpoints"),
    );
    for wrong in entries(value, "wrong") {
        shown.push_str(&format!("  {}\n", output::escape(&text_of(wrong, "text"))));
    }
    match count("wrong_unlisted").as_str() {
        "" | "0" => {}
        more => shown.push_str(&format!("  and {more} more\n")),
    }
    for unproven in entries(value, "unproven").iter().filter_map(Value::as_str) {
        shown.push_str(&format!("? not proved: {}\n", output::escape(unproven)));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_not_whole_says_each_thing() {
        let value = json!({ "good": false, "records": 3, "wrong": [{"text": "record 1: it is missing"}], "wrong_unlisted": 2 });
        let shown = report(&value);
        assert!(shown.starts_with("× the log is not whole: 3 records"), "{shown}");
        assert!(
            shown.contains("record 1: it is missing") && shown.contains("and 2 more"),
            "{shown}"
        );
    }
}
