//! `postern.yaml`: both sections, the environment over the file, and the place of every mistake.

use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme};
use postern_link::resources::meant;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::trouble::{Exit, Result, Trouble};

/// Greatest size of the file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// `POSTERN_PROXY__LISTEN` stands over `proxy: {listen: …}`.
const SECTIONS: [(&str, &str); 2] = [("POSTERN_PROXY__", "proxy"), ("POSTERN_CONTROL__", "control")];

/// The whole file. A host that runs one plane has one section.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "postern.yaml")]
pub struct File {
    /// The gateway on this host.
    #[serde(default)]
    pub proxy: Option<postern_proxy::config::Config>,
    /// The control plane on this host.
    #[serde(default)]
    pub control: Option<postern_control::Config>,
}

impl File {
    pub fn proxy(self) -> Result<postern_proxy::config::Config> {
        self.proxy.ok_or_else(|| missing("proxy"))
    }

    pub fn control(self) -> Result<postern_control::Config> {
        self.control.ok_or_else(|| missing("control"))
    }
}

fn missing(section: &str) -> Trouble {
    Trouble::new(format!("the file has no section `{section}:`"))
        .next("see `postern config schema`, or let `postern dev` write a file to start from")
}

/// A value that stands over the file's.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    pub variable: String,
    /// Section and keys, from the outermost in.
    pub path: Vec<String>,
    pub value: Value,
}

/// Reads the file and what the environment says over it.
pub fn load(path: &Path) -> Result<File> {
    let text = read(path)?;
    parse(&text, &path.display().to_string(), &overrides(std::env::vars()))
}

pub fn read(path: &Path) -> Result<String> {
    let unreadable = |error: &std::io::Error| {
        Trouble::new(format!("cannot read `{}`", path.display()))
            .because(error)
            .next("name the file with `--config`, or run `postern dev` for one to start from")
    };
    let bytes = std::fs::metadata(path).map_err(|error| unreadable(&error))?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(Trouble::new(format!(
            "`{}` is larger than {FILE_BYTES_MAX} bytes",
            path.display()
        )));
    }
    std::fs::read_to_string(path).map_err(|error| unreadable(&error))
}

/// Reads a text. The file must hold by itself, so that its mistakes have a line.
pub fn parse(text: &str, name: &str, overrides: &[Override]) -> Result<File> {
    let file: File = serde_saphyr::from_str(text).map_err(|error| {
        let options = serde_saphyr::render_options! { source_name: Some(name) };
        let report = serde_saphyr::miette::to_miette_report_with_options(&error, text, name, options);
        // Without colours: what is told of the file is escaped before it is printed.
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
        let mut shown = String::new();
        if handler.render_report(&mut shown, report.as_ref()).is_err() {
            shown = error.to_string();
        }
        let trouble = Trouble::new(format!(
            "`{name}` is not a valid configuration\n{}",
            shown.trim_end()
        ));
        match meant(&error.to_string()) {
            Some(key) => trouble.next(format!("did you mean `{key}`?")),
            None => trouble.next("`postern config schema` prints every key with what it is"),
        }
    })?;
    if overrides.is_empty() {
        return checked(file, name);
    }
    let tree = serde_saphyr::from_str(text).map_err(|error| Trouble::from_error(&error))?;
    let tree = overridden(tree, overrides);
    let file = serde_json::from_value(tree).map_err(|error| {
        let variables: Vec<&str> = overrides.iter().map(|one| one.variable.as_str()).collect();
        Trouble::new(format!("the environment makes `{name}` invalid: {error}"))
            .exit(Exit::Usage)
            .next(format!("look at {}", variables.join(", ")))
    })?;
    checked(file, name)
}

/// A file whose every value can be read may still ask for what cannot be.
fn checked(file: File, name: &str) -> Result<File> {
    if let Some(Err(error)) = file.proxy.as_ref().map(postern_proxy::config::Config::check) {
        return Err(
            Trouble::new(format!("`{name}` is not a valid configuration: {error}"))
                .next("`postern config schema` prints every key with what it is"),
        );
    }
    Ok(file)
}

/// The variables that name a key of one of the sections.
pub fn overrides(variables: impl Iterator<Item = (String, String)>) -> Vec<Override> {
    let mut found: Vec<Override> = variables
        .filter_map(|(name, value)| one_override(&name, &value))
        .collect();
    found.sort_by(|one, other| one.variable.cmp(&other.variable));
    found
}

fn one_override(variable: &str, value: &str) -> Option<Override> {
    let (prefix, section) = SECTIONS.iter().find(|(prefix, _)| variable.starts_with(prefix))?;
    let keys = variable
        .strip_prefix(prefix)?
        .split("__")
        .map(str::to_ascii_lowercase);
    let path = std::iter::once((*section).to_owned()).chain(keys).collect();
    let scalar = serde_saphyr::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    Some(Override {
        variable: variable.to_owned(),
        path,
        value: scalar,
    })
}

/// The file's values with the environment's over them.
fn overridden(mut tree: Value, overrides: &[Override]) -> Value {
    for one in overrides {
        put(&mut tree, &one.path, one.value.clone());
    }
    tree
}

fn put(tree: &mut Value, path: &[String], value: Value) {
    let Some((key, rest)) = path.split_first() else {
        *tree = value;
        return;
    };
    if !tree.is_object() {
        *tree = Value::Object(Map::new());
    }
    if let Value::Object(members) = tree {
        put(members.entry(key.clone()).or_insert(Value::Null), rest, value);
    }
}

/// The configuration as it is in force, with every default; what is not set is left out.
pub fn in_force(file: &File) -> Result<Value> {
    let mut tree = serde_json::to_value(file).map_err(|error| Trouble::from_error(&error))?;
    drop_nothing(&mut tree);
    Ok(tree)
}

fn drop_nothing(tree: &mut Value) {
    if let Value::Object(members) = tree {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(drop_nothing);
    }
}

/// Every value that is in force, with its path and where it came from: the environment, the file, or a default.
pub fn origins(in_force: &Value, written: &Value, name: &str, overrides: &[Override]) -> Vec<Origin> {
    let mut leaves = Vec::new();
    collect(in_force, &mut Vec::new(), &mut leaves);
    let from = |path: &[String]| {
        let over = overrides.iter().find(|one| path.starts_with(&one.path));
        let in_file = path.iter().try_fold(written, |tree, key| tree.get(key)).is_some();
        match over {
            Some(over) => format!("environment {}", over.variable),
            None if in_file => name.to_owned(),
            None => "default".to_owned(),
        }
    };
    let origin = |(path, value): (Vec<String>, Value)| Origin {
        from: from(&path),
        key: path.join("."),
        value,
    };
    leaves.into_iter().map(origin).collect()
}

/// One value of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Origin {
    pub key: String,
    pub value: Value,
    pub from: String,
}

fn collect(tree: &Value, path: &mut Vec<String>, leaves: &mut Vec<(Vec<String>, Value)>) {
    match tree {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                path.push(key.clone());
                collect(member, path, leaves);
                path.pop();
            }
        }
        leaf => leaves.push((path.clone(), leaf.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &str = "control:\n  listen_gateways: 127.0.0.1:1\n  listen_operators: 127.0.0.1:2\n  data: /d\n  \
        resources: /r\n  tls: { certificate: /c, key: /k, gateway_ca: /a }\n";

    fn variables(pairs: &[(&str, &str)]) -> Vec<Override> {
        overrides(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn the_environment_stands_over_the_file_and_the_file_over_defaults() {
        let over = variables(&[
            ("POSTERN_CONTROL__LISTEN_OPERATORS", "127.0.0.1:9"),
            ("POSTERN_CONTROL__LIMITS__GATEWAYS_MAX", "7"),
            ("POSTERN_TOKEN", "x"),
            ("PATH", "/bin"),
        ]);
        let control = parse(CONTROL, "postern.yaml", &over).unwrap().control().unwrap();
        assert_eq!(control.listen_operators.port(), 9);
        assert_eq!(control.limits.gateways_max, 7);
        assert_eq!(control.listen_gateways.port(), 1);
        assert_eq!(control.name, "control");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_shows_its_line() {
        let text = format!("{CONTROL}  listen_operator: 127.0.0.1:3\n");
        let trouble = parse(&text, "postern.yaml", &[]).unwrap_err();
        assert!(trouble.message.contains("listen_operator"), "{trouble}");
        assert!(trouble.message.contains("postern.yaml:7"), "{trouble}");
        assert_eq!(trouble.next.as_deref(), Some("did you mean `listen_operators`?"));
    }

    #[test]
    fn a_value_from_the_environment_that_does_not_fit_names_its_variable() {
        let over = variables(&[("POSTERN_CONTROL__LISTEN_OPERATORS", "nowhere")]);
        let trouble = parse(CONTROL, "postern.yaml", &over).unwrap_err();
        assert_eq!(trouble.exit, Exit::Usage);
        assert!(
            trouble.to_string().contains("POSTERN_CONTROL__LISTEN_OPERATORS"),
            "{trouble}"
        );
        let over = variables(&[("POSTERN_CONTROL__LISTEN_OPERATOR", "127.0.0.1:3")]);
        assert!(parse(CONTROL, "postern.yaml", &over).is_err());
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_named_with_what_would_be_right() {
        const PROXY: &str = "proxy:\n  gateway: gw\n  listen: 127.0.0.1:1\n  listen_admin: 127.0.0.1:2\n  \
            data: /d\n  tls: { certificate: /c, key: /k }\n  decide_by: { control: { address: \"https://c:1\", \
            server_name: c, ca: /a, certificate: /c, key: /k, snapshot_key: s, log_key: l } }\n";
        assert!(parse(PROXY, "postern.yaml", &[]).is_ok());
        let text = format!("{PROXY}  limits: {{ unanswered_max: 0 }}\n");
        let trouble = parse(&text, "postern.yaml", &[]).unwrap_err();
        assert!(
            trouble
                .message
                .contains("`unanswered_max` is 0, and must be at least 1"),
            "{trouble}"
        );
        let over = variables(&[("POSTERN_PROXY__LIMITS__UNANSWERED_MAX", "0")]);
        assert!(parse(PROXY, "postern.yaml", &over).is_err());
    }

    #[test]
    fn each_value_knows_where_it_came_from() {
        let over = variables(&[("POSTERN_CONTROL__DATA", "/e")]);
        let file = parse(CONTROL, "postern.yaml", &over).unwrap();
        let written = serde_saphyr::from_str(CONTROL).unwrap();
        let origins = origins(&in_force(&file).unwrap(), &written, "postern.yaml", &over);
        let of = |key: &str| {
            let found = origins.iter().find(|one| one.key == key);
            found.map(|one| (one.value.clone(), one.from.as_str()))
        };
        assert_eq!(
            of("control.data"),
            Some(("/e".into(), "environment POSTERN_CONTROL__DATA"))
        );
        assert_eq!(of("control.tls.key"), Some(("/k".into(), "postern.yaml")));
        assert_eq!(of("control.name"), Some(("control".into(), "default")));
        assert_eq!(of("control.limits.gateways_max"), Some((1_000.into(), "default")));
        assert_eq!(of("proxy"), None);
    }

    #[test]
    fn a_section_that_is_asked_for_and_missing_is_named() {
        let trouble = parse(CONTROL, "postern.yaml", &[]).unwrap().proxy().unwrap_err();
        assert!(trouble.message.contains("`proxy:`"), "{trouble}");
    }
}
