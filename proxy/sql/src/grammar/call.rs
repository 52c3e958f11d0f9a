//! Calls of routines: those outside `pg_catalog`, and the built-in ones that do more than compute.

use std::sync::Arc;

use pg_raw_parse::nodes::{FuncCall, TypeName};
use pg_raw_parse::{ConstValue, Node};

use super::walk::{Walk, qualified, strings};
use crate::effect::{Action, Detail, Effect, Object, Scope, SettingValue};
use crate::ledger::every_table;
use crate::names::Candidate;
use crate::routines::{Class, class_of};
use crate::scope::ScopeId;
use crate::settings;
use crate::{Rejection, differences};

/// How pg_dump since 2024 sets one setting, if the server has it: the name comes from a column, but can be only one.
const DUMP_RESTRICTION: &str = "SELECT set_config(name, 'view, foreign-table', false) FROM pg_settings \
                                WHERE name = 'restrict_nonsystem_relation_kind'";

/// The server cuts a longer name, also where it stands in a string.
const NAME_BYTES_MAX: usize = 63;

impl<'t> Walk<'t> {
    pub(super) fn call(
        &mut self,
        scope: ScopeId,
        call: &'t FuncCall,
        open: &mut Vec<Node<'t>>,
    ) -> Result<(), Rejection> {
        open.extend(call.args());
        open.extend(call.agg_order().iter().map(Node::SortBy));
        open.push(call.agg_filter());
        open.extend(call.over().map(Node::WindowDef));
        let names = call.funcname();
        if self.tells_a_listed_setting(scope, call) {
            self.execute(Arc::from("pg_catalog"), "current_setting", Class::Setting);
            return Ok(());
        }
        if names.len() == 1 {
            let name = names.first().and_then(Node::as_str).unwrap_or_default();
            self.routine(None, name, Some(call))
        } else {
            let (schema, name) = qualified(&strings(names));
            self.routine(schema, name, Some(call))
        }
    }

    /// `pg_catalog.current_setting(s.name)`, where `s` is `pg_settings`, as psql's `\dconfig` asks: it tells no
    /// more than the view's column `setting`, and counts as reading that.
    fn tells_a_listed_setting(&mut self, scope: ScopeId, call: &'t FuncCall) -> bool {
        let ["pg_catalog", "current_setting"] = *strings(call.funcname()) else {
            return false;
        };
        if call.args().len() != 1 || call.func_variadic {
            return false;
        }
        let Some(Node::ColumnRef(column)) = call.args().iter().next() else {
            return false;
        };
        let [alias, "name"] = *strings(column.fields()) else {
            return false;
        };
        let Some(used) = self.scopes.relation_of(scope, alias, &self.ledger) else {
            return false;
        };
        let candidates = self.ledger.candidates(used);
        let listed =
            matches!(candidates, [only] if &*only.schema == "pg_catalog" && only.name == "pg_settings");
        if listed {
            self.ledger.touch(used, "setting");
        }
        listed
    }

    /// A routine by name: every one of that name in every schema of the path counts.
    pub(super) fn routine(
        &mut self,
        schema: Option<&'t str>,
        name: &'t str,
        call: Option<&'t FuncCall>,
    ) -> Result<(), Rejection> {
        if name == "system_user" {
            differences::require(&self.reading, differences::SYSTEM_USER)?;
        }
        let pinned = schema == Some("pg_catalog") && differences::looked_up(&self.reading, name);
        let schema = if pinned { None } else { schema };
        let found = self.names.user_routines(schema, name);
        let mut known = !found.is_empty();
        for schema in found {
            self.execute(schema, name, Class::User);
        }
        if schema.is_some_and(|schema| schema != "pg_catalog") {
            return Ok(());
        }
        if let Some(class) = class_of(name) {
            return match class {
                Class::Plain => Ok(()),
                _ => self.built_in(name, class, call),
            };
        }
        // A call may also be a cast in disguise.
        for schema in self.names.user_types(schema, name) {
            known = true;
            self.execute(schema, name, Class::User);
        }
        if self.names.pg_catalog_holds(name) || schema.is_some() || !known {
            self.execute(Arc::from("pg_catalog"), name, Class::Unknown);
        }
        if !known && schema.is_none() {
            for schema in self.names.routine_schemas() {
                self.execute(schema, name, Class::User);
            }
        }
        Ok(())
    }

    /// A built-in routine that is reached in a way that shows no arguments.
    pub(super) fn built_in_without_arguments(&mut self, name: &'t str, class: Class) {
        self.execute(Arc::from("pg_catalog"), name, class);
        match class {
            Class::ReadsAny | Class::RunsSql => self.ledger.add(every_table()),
            Class::Setting => self.setting_unknown(),
            Class::Sequence => self.sequence_unknown(name),
            Class::Replication | Class::Signal | Class::Network | Class::File => {
                self.ledger.leaves_something = true;
            }
            _ => {}
        }
    }

    fn built_in(&mut self, name: &'t str, class: Class, call: Option<&'t FuncCall>) -> Result<(), Rejection> {
        self.execute(Arc::from("pg_catalog"), name, class);
        let arguments = Arguments::of(call);
        match class {
            Class::Setting => self.setting_call(name, &arguments),
            Class::Sequence => self.sequence_call(name, &arguments)?,
            Class::ReadsAny => self.reading_call(name, &arguments)?,
            Class::RunsSql => return self.text_run(name, &arguments),
            Class::Notify => {
                let channel = arguments.text(0).map(Arc::from);
                self.on_database(Action::Notify, Detail::Channel(channel));
            }
            Class::Replication | Class::Signal | Class::Network | Class::File => {
                self.ledger.leaves_something = true;
            }
            Class::Catalogue if name == "pg_export_snapshot" => {
                self.on_database(Action::Snapshot, Detail::None);
            }
            Class::AdvisoryLock | Class::LargeObject | Class::Catalogue => {}
            Class::Plain | Class::User | Class::Unknown => {}
        }
        Ok(())
    }

    /// A routine that runs a text as SQL, which could do anything that the role may: it is not judged, so not
    /// permitted. Others only read their text as a value of some type.
    fn text_run(&mut self, name: &str, arguments: &Arguments<'t>) -> Result<(), Rejection> {
        let runs = match name {
            "ts_rewrite" => arguments.0.len() != 3,
            "pg_input_is_valid" | "pg_input_error_info" => false,
            // The type comes as a number, and its checks may be anybody's code.
            _ if name.ends_with("_in") || name.ends_with("_recv") => false,
            _ => true,
        };
        if runs {
            return Err(Rejection::not_understood(format!(
                "`{name}` runs a text as SQL, and what that would do is not judged: send the query itself"
            )));
        }
        self.ledger.add(every_table());
        Ok(())
    }

    fn setting_call(&mut self, name: &'t str, arguments: &Arguments<'t>) {
        let setting = arguments.text(0).map(settings::canonical);
        if name != "set_config" {
            let detail = match (setting, arguments.get(0).and_then(Argument::parameter)) {
                (None, Some((number, place))) if self.keeps_texts() => {
                    self.settings_named.insert((number, place));
                    Detail::SettingOf(number)
                }
                (setting, _) => Detail::Setting {
                    name: setting.as_deref().map_or_else(|| Arc::from("*"), Arc::from),
                    value: None,
                },
            };
            return self.on_database(Action::Show, detail);
        }
        let Some(setting) = setting else {
            if self.text == DUMP_RESTRICTION && self.only_built_in("pg_settings") {
                let (name, value) = ("restrict_nonsystem_relation_kind", "view, foreign-table");
                return self.set_setting(
                    name.to_owned(),
                    SettingValue::Text(value.to_owned()),
                    Scope::Session,
                );
            }
            return self.setting_unknown();
        };
        let value = match arguments.get(1) {
            Some(argument) => match argument.text() {
                Some(text) => settings::value_of_text(&setting, text),
                None if argument.is_null() => SettingValue::Default,
                None => SettingValue::Unknown,
            },
            None => SettingValue::Unknown,
        };
        let scope = match arguments.get(2).and_then(Argument::boolean) {
            Some(true) => Scope::Local,
            _ => Scope::Session,
        };
        self.set_setting(setting, value, scope);
    }

    /// Whether a parameter on its way into `current_setting` can be nothing but one of PostgreSQL's own texts.
    fn keeps_texts(&mut self) -> bool {
        self.names.user_routines(None, "current_setting").is_empty()
            && ["text", "varchar"]
                .iter()
                .all(|name| self.names.user_types(None, name).is_empty())
    }

    /// Whether the bare name can mean nothing but the relation of `pg_catalog`.
    fn only_built_in(&mut self, name: &'static str) -> bool {
        let found = self.names.relations(None, name);
        found.is_ok_and(|found| !found.is_empty() && found.iter().all(|one| &*one.schema == "pg_catalog"))
    }

    fn setting_unknown(&mut self) {
        self.set_setting("*".to_owned(), SettingValue::Unknown, Scope::Session);
    }

    fn sequence_call(&mut self, name: &'t str, arguments: &Arguments<'t>) -> Result<(), Rejection> {
        let action = match name {
            "nextval" => Action::Nextval,
            "setval" => Action::Setval,
            "lastval" => return Ok(()),
            _ => Action::Select,
        };
        match self.relation_named(arguments)? {
            Some(candidates) => {
                let mut effect = Effect::new(action, Object::Database);
                effect.rows_only = action == Action::Select;
                self.ledger.add_on(&candidates, &effect);
            }
            None => self.sequence_unknown(name),
        }
        Ok(())
    }

    /// A sequence that only the server will know.
    fn sequence_unknown(&mut self, name: &str) {
        let action = match name {
            "nextval" => Action::Nextval,
            "setval" => Action::Setval,
            _ => Action::Select,
        };
        let mut effect = Effect::new(action, Object::EveryTable);
        if action == Action::Select {
            // Whatever relation it is given, these are all that it tells of it.
            effect.columns = ["last_value", "is_called"].map(Arc::from).into();
        }
        self.ledger.add(effect);
    }

    fn reading_call(&mut self, name: &str, arguments: &Arguments<'t>) -> Result<(), Rejection> {
        // The others take a schema, a database or a list of settings: what they reach is not named.
        let names_relation = name.starts_with("table_to_xml");
        let named = if names_relation {
            self.relation_named(arguments)?
        } else {
            None
        };
        match named {
            Some(candidates) => {
                let used = self.read(candidates, crate::ledger::Named::ToRead);
                self.ledger.touch_whole(used);
            }
            None => self.ledger.add(every_table()),
        }
        Ok(())
    }

    /// The relation that a call's first argument names, if it is a literal.
    fn relation_named(&mut self, arguments: &Arguments<'t>) -> Result<Option<Vec<Candidate<'t>>>, Rejection> {
        let Some(text) = arguments.get(0).and_then(Argument::name) else {
            return Ok(None);
        };
        // Only names that need no unfolding and no cutting are followed; others count as any relation.
        let plain = |part: &str| {
            part.len() <= NAME_BYTES_MAX
                && part
                    .chars()
                    .next()
                    .is_some_and(|first| first.is_ascii_lowercase() || first == '_')
                && part
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        if !plain(name) || schema.is_some_and(|schema| !plain(schema)) {
            return Ok(None);
        }
        self.names.relations(schema, name).map(Some)
    }
}

/// The arguments of a call, as far as the text states them.
struct Arguments<'t>(Vec<Argument<'t>>);

impl<'t> Arguments<'t> {
    fn of(call: Option<&'t FuncCall>) -> Self {
        let Some(call) = call else { return Self(Vec::new()) };
        let named = call
            .args()
            .iter()
            .any(|argument| matches!(argument, Node::NamedArgExpr(_)));
        if named || call.func_variadic {
            // Named arguments come in any order: nothing is known by its place.
            return Self(Vec::new());
        }
        Self(call.args().iter().map(Argument).collect())
    }

    fn get(&self, place: usize) -> Option<&Argument<'t>> {
        self.0.get(place)
    }

    fn text(&self, place: usize) -> Option<&'t str> {
        self.get(place).and_then(Argument::text)
    }
}

struct Argument<'t>(Node<'t>);

impl<'t> Argument<'t> {
    /// A literal that the server turns into a relation before the statement runs; a text it looks up while running.
    fn name(&self) -> Option<&'t str> {
        let constant = match self.0 {
            Node::TypeCast(cast) => {
                let names = cast.type_name()?.names();
                (names.iter().next_back()?.sval()? == "regclass").then_some(cast.arg())?
            }
            bare => bare,
        };
        match constant {
            Node::A_Const(value) => match value.val()? {
                ConstValue::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// A string literal, bare or cast to a type that keeps its text.
    fn text(&self) -> Option<&'t str> {
        match literal(self.0)? {
            ConstValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// A parameter, bare or cast to a type that keeps its text: its number, and where it stands.
    fn parameter(&self) -> Option<(u16, usize)> {
        let mut node = self.0;
        for _ in 0..4 {
            match node {
                Node::ParamRef(parameter) => {
                    let number = u16::try_from(parameter.number).ok()?;
                    return Some((number, usize::try_from(parameter.location).ok()?));
                }
                Node::TypeCast(cast) if is_plainly(cast.type_name()?, &["text", "varchar"]) => {
                    node = cast.arg();
                }
                _ => return None,
            }
        }
        None
    }

    fn is_null(&self) -> bool {
        matches!(self.0, Node::A_Const(value) if value.isnull)
    }

    fn boolean(&self) -> Option<bool> {
        match literal(self.0)? {
            ConstValue::Boolean(value) => Some(value),
            ConstValue::String("t" | "true") => Some(true),
            ConstValue::String("f" | "false") => Some(false),
            _ => None,
        }
    }
}

/// A constant under casts to built-in types that do not change what a text says.
pub(super) fn literal(mut node: Node<'_>) -> Option<ConstValue<'_>> {
    // What a boolean says as a text again is another text.
    if let Node::TypeCast(cast) = node
        && is_plainly(cast.type_name()?, &["bool"])
    {
        node = cast.arg();
    }
    for _ in 0..4 {
        match node {
            Node::A_Const(value) => return value.val(),
            Node::TypeCast(cast) if is_plainly(cast.type_name()?, &["text", "varchar"]) => node = cast.arg(),
            _ => return None,
        }
    }
    None
}

/// Whether it is one of these built-in types and no more: a length would cut the text, and an array is not one.
fn is_plainly(type_name: &TypeName, types: &[&str]) -> bool {
    let names: Vec<&str> = type_name.names().iter().filter_map(|name| name.sval()).collect();
    let (schema, name) = qualified(&names);
    schema.is_none_or(|schema| schema == "pg_catalog")
        && types.contains(&name)
        && type_name.typmods().is_empty()
        && type_name.array_bounds().is_empty()
}
