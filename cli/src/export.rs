//! The audit log as lines of JSON: whole or following, and going on where it stopped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::arguments::AuditExport;
use crate::door::{Door, with_query};
use crate::explain::door;
use crate::output::{self, text_of};
use crate::planes::Signals;
use crate::sessions::entries;
use crate::trouble::{Exit, Result, Trouble};

/// Where the last line of a file is looked for: no record has so many bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;
const RECORDS_ASKED_MAX: usize = 1_000;
/// Between two looks at a log that is empty.
const EMPTY_PAUSE: Duration = Duration::from_secs(1);

pub async fn run(order: AuditExport) -> Result<Exit> {
    let door = door(&order.operators)?;
    let mut signals = Signals::listen()?;
    let (mut sink, found) = match &order.to {
        Some(path) => {
            let (file, cursor) = resume(path)?;
            (Sink::File(file), cursor)
        }
        None => (Sink::Output, None),
    };
    let mut after = order.after.or(found);
    loop {
        let page = tokio::select! {
            page = page(&door, after.as_deref(), order.follow) => page?,
            () = signals.stop_asked() => return Ok(Exit::Success),
        };
        let records = entries(&page, "records");
        sink.write(records)?;
        let last = records.last().map(|record| text_of(record, "cursor"));
        let ended = records.is_empty();
        after = last.or(after);
        if ended && !order.follow {
            return Ok(Exit::Success);
        }
        if ended && after.is_none() {
            tokio::time::sleep(EMPTY_PAUSE).await;
        }
    }
}

/// The next records; who follows waits for them, once there is one to wait behind.
async fn page(door: &Door, after: Option<&str>, follow: bool) -> Result<Value> {
    let parameters = [
        ("after", after.map(str::to_owned)),
        ("limit", Some(RECORDS_ASKED_MAX.to_string())),
    ];
    let path = match after {
        Some(_) if follow => "/v1/records/tail",
        _ => "/v1/records",
    };
    door.get(&with_query(path, &parameters)).await?.json()
}

enum Sink {
    Output,
    File(File),
}

impl Sink {
    /// Whole lines, which are on the disk when this returns.
    fn write(&mut self, records: &[Value]) -> Result<()> {
        let lines = records.iter().map(|record| output::json_line(record) + "\n");
        let lines: String = lines.collect();
        match self {
            Sink::Output => output::print(&lines),
            Sink::File(_) if lines.is_empty() => Ok(()),
            Sink::File(file) => {
                let written = file.write_all(lines.as_bytes()).and_then(|()| file.sync_data());
                written.map_err(|error| {
                    Trouble::new("the file cannot be written")
                        .because(&error)
                        .next("the same command goes on from its last whole line")
                })
            }
        }
    }
}

/// Opens a file behind its last whole line, and gives the cursor that stands there.
fn resume(path: &Path) -> Result<(File, Option<String>)> {
    let unusable =
        |error: io::Error| Trouble::new(format!("cannot use `{}`", path.display())).because(&error);
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(false);
    let mut file = options.open(path).map_err(unusable)?;
    if file.try_lock().is_err() {
        let trouble = Trouble::new(format!("another export writes to `{}`", path.display()));
        return Err(trouble.next("stop it, or name another file"));
    }
    let (length, last) = last_line(&mut file).map_err(unusable)?;
    let cursor = last.map(|line| {
        let record: Option<Value> = serde_json::from_slice(&line).ok();
        let cursor = record.map(|record| text_of(&record, "cursor"));
        cursor.filter(|cursor| !cursor.is_empty()).ok_or_else(|| {
            Trouble::new(format!(
                "the last line of `{}` is no record of an export",
                path.display()
            ))
            .next("name another file: nothing is written into a foreign one")
        })
    });
    let cursor = cursor.transpose()?;
    // A line without its end was being written when an earlier export was killed.
    file.set_len(length).map_err(unusable)?;
    file.seek(SeekFrom::Start(length)).map_err(unusable)?;
    Ok((file, cursor))
}

/// Where the last whole line ends, and the line; of a file that has none, an empty one.
fn last_line(file: &mut File) -> io::Result<(u64, Option<Vec<u8>>)> {
    let begin = file.metadata()?.len().saturating_sub(LINE_BYTES_MAX);
    file.seek(SeekFrom::Start(begin))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    let Some(last) = end.iter().rposition(|byte| *byte == b'\n') else {
        let nothing = end.is_empty();
        return Ok((0, (!nothing).then(Vec::new)));
    };
    let length = begin + u64::try_from(last + 1).unwrap_or(u64::MAX);
    end.truncate(last);
    let line = end.rsplit(|byte| *byte == b'\n').next();
    Ok((length, line.map(<[u8]>::to_vec)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_export_goes_on_behind_its_last_whole_line_and_touches_no_foreign_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        let whole = "{\"cursor\":\"1\"}\n{\"cursor\":\"2\"}\n";
        for (text, cursor, kept) in [
            ("", None, ""),
            (whole, Some("2"), whole),
            (
                "{\"cursor\":\"1\"}\n{\"cursor\":\"2\"}\n{\"cursor\":\"3\"",
                Some("2"),
                whole,
            ),
        ] {
            fs::write(&path, text).unwrap();
            let (mut file, found) = resume(&path).unwrap();
            assert_eq!(found.as_deref(), cursor, "{text}");
            file.write_all(b"x").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}x"));
        }
        for foreign in [
            "a letter\n",
            "a letter",
            "{\"cursor\":\"1\"}",
            "{}\n",
            "[1]\n",
            "\n",
        ] {
            fs::write(&path, foreign).unwrap();
            assert!(resume(&path).is_err(), "{foreign}");
            assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
        }
    }
}
