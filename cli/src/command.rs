//! Runs one command to its end.

use serde_json::Value;

use crate::arguments::{Command, Config, ConfigShow};
use crate::config::{self, File, Origin};
use crate::output::{self, Format, Table};
use crate::trouble::{Exit, Result, Trouble};
use crate::{audit, can, catalogue, changes, check, dev, explain, planes, policy, revocations, sessions};

pub async fn run(command: Command) -> Result<Exit> {
    match command {
        Command::Dev(dev) => dev::run(dev).await,
        Command::Up(configured) => {
            let file = config::load(&configured.config)?;
            if file.proxy.is_none() && file.control.is_none() {
                return Err(Trouble::new(
                    "the file has neither a section `proxy:` nor `control:`",
                ));
            }
            planes::run(file, &configured.config).await
        }
        Command::Proxy(configured) => {
            let proxy = Some(config::load(&configured.config)?.proxy()?);
            planes::run(File { proxy, control: None }, &configured.config).await
        }
        Command::Control(configured) => {
            let control = Some(config::load(&configured.config)?.control()?);
            planes::run(File { proxy: None, control }, &configured.config).await
        }
        Command::Check(configured) => check::run(configured).await,
        Command::Can(can) => can::run(can).await,
        Command::Explain(explain) => explain::run(explain).await,
        Command::Sessions(sessions) => sessions::run(sessions).await,
        Command::Revoke(revoke) => revocations::revoke(revoke).await,
        Command::Revocations(list) => revocations::list(list).await,
        Command::Lift(lift) => revocations::lift(lift).await,
        Command::Apply(apply) => changes::apply(apply).await,
        Command::Diff(diff) => changes::diff(diff).await,
        Command::Export(export) => changes::export(export).await,
        Command::Snapshots(snapshots) => changes::snapshots(snapshots).await,
        Command::Policy(policy) => policy::run(policy).await,
        Command::Audit(audit) => audit::run(audit).await,
        Command::Catalogue(catalogue) => catalogue::run(catalogue).await,
        Command::Config(Config::Schema) => schema(),
        Command::Config(Config::Show(show)) => show_config(show),
    }
}

fn schema() -> Result<Exit> {
    let schema =
        serde_json::to_value(schemars::schema_for!(File)).map_err(|error| Trouble::from_error(&error))?;
    output::print(&(output::json(&schema) + "\n"))?;
    Ok(Exit::Success)
}

fn show_config(show: ConfigShow) -> Result<Exit> {
    let path = &show.configured.config;
    let text = config::read(path)?;
    let name = path.display().to_string();
    let overrides = config::overrides(std::env::vars());
    let in_force = config::in_force(&config::parse(&text, &name, &overrides)?)?;
    if !show.origin {
        let format = show.output.map_or(Format::Yaml, Format::from);
        output::print_as(format, &in_force, || output::yaml(&in_force), &[])?;
        return Ok(Exit::Success);
    }
    let written: Value = serde_saphyr::from_str(&text).map_err(|error| Trouble::from_error(&error))?;
    let origins = config::origins(&in_force, &written, &name, &overrides);
    let value = serde_json::to_value(&origins).map_err(|error| Trouble::from_error(&error))?;
    let table = || {
        let mut table = Table::new(&["KEY", "VALUE", "FROM"]);
        for Origin { key, value, from } in origins {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            table.row([key, shown, from]);
        }
        table.show()
    };
    output::print_as(
        show.output.map_or(Format::Table, Format::from),
        &value,
        table,
        &[],
    )?;
    Ok(Exit::Success)
}
