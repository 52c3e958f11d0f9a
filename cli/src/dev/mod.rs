//! Everything on one machine: a PostgreSQL cluster with a sample database, a sample API and CI issuer, a development
//! CA, both planes from a real `postern.yaml`, and a pipeline that uses them as jobs would.
//!
//! * [`cluster`], [`authority`], [`issuer`] and [`api`] stand alone, for tests too
//! * [`sample`] is the sample's text, [`machine`] sets all of it up and takes it down
//! * [`pipeline`] is what the sample's jobs try, and what must become of it
//! * [`page`] is what a person reads

pub mod api;
pub mod authority;
pub mod cluster;
pub mod files;
pub mod issuer;
pub mod machine;
pub mod page;
pub mod pipeline;
pub mod sample;

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use crate::arguments::Dev;
use crate::output::{self, Colours};
use crate::planes::Signals;
use crate::trouble::{Exit, Result, Trouble};

use cluster::Keep;
use machine::{Machine, Order};

/// Tokens live five minutes: those in the files that the page names are made anew before they end.
const RENEW_INTERVAL: Duration = Duration::from_secs(60);

pub async fn run(dev: Dev) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    let (data, temporary) = data_folder(&dev)?;
    let log = data.join("postern.log");
    let log_file = OpenOptions::new().create(true).append(true).open(&log);
    let log_file = log_file
        .map_err(|error| Trouble::new(format!("cannot write `{}`", log.display())).because(&error))?;
    let filter = EnvFilter::try_from_env("POSTERN_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false);
    subscriber.with_writer(Mutex::new(log_file)).init();

    let keep = if temporary.is_some() {
        Keep::Nothing
    } else {
        Keep::Folder
    };
    let order = Order {
        data: data.clone(),
        keep,
    };
    output::print("setting up: database, API, certificates, issuer, control plane, gateway\n")?;
    let machine = tokio::select! {
        machine = Machine::start(order) => machine.map_err(|trouble| with_log(trouble, &dev, &log))?,
        () = signals.stop_asked() => return Err(Trouble::new("stopped before it was up")),
    };
    let ran = tokio::select! {
        ran = go(&dev, &machine) => ran,
        () = signals.stop_asked() => Ok(Exit::Success),
    };
    output::print("\nstopping\n")?;
    tokio::select! {
        () = machine.stop() => {}
        () = signals.stop_asked() => {}
    }
    drop(temporary);
    if dev.keep {
        output::print(&format!("kept: {}\n", data.display()))?;
    }
    ran
}

/// The pipeline and, unless only that was wanted, a stay until somebody stops it.
async fn go(dev: &Dev, machine: &Machine) -> Result<Exit> {
    let colours = Colours::of_output();
    output::print(&page::setup(machine, colours))?;
    let good = pipeline::run(machine, colours).await?;
    if dev.once {
        return Ok(if good { Exit::Success } else { Exit::Failure });
    }
    machine.renew().await?;
    output::print(&page::invitation(machine, colours))?;
    let mut interval = tokio::time::interval(RENEW_INTERVAL);
    loop {
        interval.tick().await;
        machine.renew().await?;
    }
}

/// The folder that was asked for, or one that goes when the run ends.
fn data_folder(dev: &Dev) -> Result<(PathBuf, Option<tempfile::TempDir>)> {
    let unusable = |path: &Path, error: &std::io::Error| {
        Trouble::new(format!("`{}` cannot be used as data folder", path.display())).because(error)
    };
    if let Some(folder) = &dev.data {
        fs::create_dir_all(folder).map_err(|error| unusable(folder, &error))?;
        let folder = folder.canonicalize().map_err(|error| unusable(folder, &error))?;
        return Ok((folder, None));
    }
    let parent = std::env::temp_dir();
    let made = tempfile::Builder::new()
        .prefix("postern-dev-")
        .tempdir_in(&parent);
    let temporary = made.map_err(|error| unusable(&parent, &error))?;
    if dev.keep {
        return Ok((temporary.keep(), None));
    }
    Ok((temporary.path().to_owned(), Some(temporary)))
}

/// The log goes with a temporary folder, so its end is told with the trouble.
fn with_log(trouble: Trouble, dev: &Dev, log: &Path) -> Trouble {
    const LINES_SHOWN: usize = 12;
    if dev.keep || dev.data.is_some() {
        return trouble.next(format!("its log is `{}`", log.display()));
    }
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let end = lines
        .get(lines.len().saturating_sub(LINES_SHOWN)..)
        .unwrap_or_default()
        .join("\n    ");
    let mut trouble = trouble;
    if !end.is_empty() {
        trouble.causes.push(format!("its log ends with\n    {end}"));
    }
    trouble
}
