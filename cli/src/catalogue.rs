//! What there is in a target's database, read with the gateway's own login: for `postern can --catalog`.

use std::path::Path;

use postern_link::snapshot::{PostgresTarget, Snapshot};
use postern_proxy::postgres::catalogue::catalogue_query;
use postern_proxy::postgres::connect::{Connected, Dial, connect};
use postern_proxy::upstream::Credentials;

use crate::arguments::{Catalogue, CatalogueDump};
use crate::config::{self, File};
use crate::output;
use crate::resources;
use crate::trouble::{Exit, Result, Trouble};

pub async fn run(catalogue: Catalogue) -> Result<Exit> {
    match catalogue {
        Catalogue::Dump(order) => dump(order).await,
    }
}

async fn dump(order: CatalogueDump) -> Result<Exit> {
    let file = config::load(&order.configured.config)?;
    let snapshot = snapshot(order.resources.as_deref(), &file)?;
    let proxy = file.proxy()?;
    let target = snapshot
        .targets
        .iter()
        .find(|target| target.name == order.target)
        .ok_or_else(|| {
            let names: Vec<&str> = snapshot
                .targets
                .iter()
                .map(|target| target.name.as_str())
                .collect();
            Trouble::usage(format!("there is no target `{}`", order.target))
                .next(format!("there are: {}", names.join(", ")))
        })?;
    let postgres = target
        .postgres()
        .ok_or_else(|| Trouble::usage(format!("target `{}` is no database", target.name)))?;
    let credentials = Credentials::load(&proxy.credentials).map_err(|error| Trouble::from_error(&error))?;
    let database = order
        .database
        .or_else(|| postgres.databases.first().cloned())
        .unwrap_or_default();
    let place = Login {
        credential: &postgres.gateway_role,
        target: postgres,
        database,
    };
    let mut connected = log_in(&place, &credentials, &proxy.limits).await?;
    connected.wire.allow_catalogue(&proxy.limits);
    let unusable = |error| Trouble::new("the target does not tell its catalogue").because(&error);
    let text = connected.wire.ask_one(catalogue_query()).await;
    connected.wire.goodbye().await;
    let catalogue: serde_json::Value = serde_json::from_str(&text.map_err(unusable)?)
        .map_err(|error| Trouble::new("the target's catalogue is not what was asked for").because(&error))?;
    output::print(&(output::json(&catalogue) + "\n"))?;
    Ok(Exit::Success)
}

/// The resources that a command names, or those that the file's planes decide by.
fn snapshot(folder: Option<&Path>, file: &File) -> Result<Snapshot> {
    if let Some(folder) = folder {
        return resources::read(folder);
    }
    resources::decided_by(file)?.ok_or_else(|| {
        Trouble::usage("the file names no folder of resources, and its gateway has heard of none yet")
            .next("give `--resources FOLDER`")
    })
}

/// One credential at one database of its target.
pub struct Login<'a> {
    pub credential: &'a str,
    pub target: &'a PostgresTarget,
    pub database: String,
}

/// Logs in as the gateway does, with the same bounds and the same demands on the server.
pub async fn log_in(
    login: &Login<'_>,
    credentials: &Credentials,
    limits: &postern_proxy::config::Limits,
) -> Result<Connected> {
    let address = &login.target.address;
    let credential = credentials
        .for_address(login.credential, address)
        .map_err(|error| Trouble::from_error(&error))?;
    let dial = Dial {
        address: address.clone(),
        credential,
        database: login.database.clone(),
        application_name: "postern:check".to_owned(),
    };
    connect(&dial, limits)
        .await
        .map_err(|error| Trouble::from_error(&error))
}
