//! Code that comes to be or runs: functions, DO, CALL, triggers, rules and policies.

use std::borrow::Cow;
use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::list::NodeList;
use pg_raw_parse::nodes::{
    AlterFunctionStmt, AlterPolicyStmt, CallStmt, CreateEventTrigStmt, CreateFunctionStmt, CreatePolicyStmt,
    CreateTrigStmt, DoStmt, FunctionParameter, FunctionParameterMode, RangeVar, RuleStmt, VariableSetKind,
};

use super::relation::text_of;
use super::walk::{Declaration, Walk, qualified, strings};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};
use crate::routines::{Class, class_of};
use crate::scope::{Item, Outputs, ScopeId};
use crate::settings;

impl<'t> Walk<'t> {
    /// A string body is opaque and bounded by the role; a body in SQL is walked like a view's query.
    pub(super) fn create_function(&mut self, create: &'t CreateFunctionStmt) -> Result<(), Rejection> {
        let kind = if create.is_procedure {
            "procedure"
        } else {
            "function"
        };
        let parts = strings(create.funcname());
        let (_, name) = qualified(&parts);
        let mut parameters = Vec::new();
        let nothing = self.scopes.open(None);
        for parameter in create.parameters() {
            parameters.extend(
                parameter
                    .name()
                    .filter(|_| is_input(parameter))
                    .map(Cow::Borrowed),
            );
            self.expression(nothing, parameter.defexpr())?;
        }
        for option in create.options() {
            self.function_option(option)?;
        }
        let scope = self.scopes.open(None);
        let item = self
            .scopes
            .add_item(Item::new(Some(name), Outputs::Exactly(parameters)));
        self.scopes.place(scope, &[item]);
        self.function_body(create.sql_body(), scope)?;
        for schema in self.create_routine(kind, &parts) {
            self.declarations.push(Declaration::Routine {
                schema,
                name: name.to_owned(),
            });
        }
        Ok(())
    }

    fn function_body(&mut self, body: Node<'t>, scope: ScopeId) -> Result<(), Rejection> {
        // BEGIN ATOMIC gives a list within a list; RETURN gives one statement.
        let mut open = vec![body];
        while let Some(node) = open.pop() {
            self.budget.spend(1)?;
            match node {
                Node::None => {}
                Node::NodeList(list) => open.extend(list),
                Node::ReturnStmt(returned) => {
                    let inside = self.scopes.open(Some(scope));
                    self.expression(inside, returned.returnval())?;
                }
                other => self.inner_statement(other, scope)?,
            }
        }
        Ok(())
    }

    /// A statement inside a definition, in sight of the definition's own names.
    fn inner_statement(&mut self, node: Node<'t>, scope: ScopeId) -> Result<(), Rejection> {
        let scope = Some(scope);
        match node {
            Node::SelectStmt(select) => self.select(select, scope).map(|_| ()),
            Node::InsertStmt(insert) => self.insert(insert, scope).map(|_| ()),
            Node::UpdateStmt(update) => self.update(update, scope).map(|_| ()),
            Node::DeleteStmt(delete) => self.delete(delete, scope).map(|_| ()),
            Node::MergeStmt(merge) => self.merge(merge, scope).map(|_| ()),
            Node::NotifyStmt(notify) => {
                self.notify(notify);
                Ok(())
            }
            other => Err(self.not_known("the statement inside a definition", &other)),
        }
    }

    fn function_option(&mut self, option: &'t pg_raw_parse::nodes::DefElem) -> Result<(), Rejection> {
        match (option.defname().unwrap_or_default(), option.arg()) {
            ("set", Node::VariableSetStmt(set)) => {
                // The setting holds while the function runs: it is judged as if it were set.
                if !matches!(
                    set.kind,
                    VariableSetKind::VAR_RESET | VariableSetKind::VAR_RESET_ALL
                ) {
                    let name = settings::canonical(set.name().unwrap_or_default());
                    self.set_effect(&name, None);
                }
                Ok(())
            }
            ("support", Node::NodeList(name)) => {
                let (schema, name) = qualified(&strings(name));
                self.routine(schema, name, None)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn alter_function(&mut self, alter: &'t AlterFunctionStmt) -> Result<(), Rejection> {
        let Some(function) = alter.func() else {
            return Err(Rejection::not_understood("ALTER without a routine"));
        };
        self.define_object(Action::Alter, alter.objtype, Node::ObjectWithArgs(function))?;
        self.ledger.moves_names = true;
        for action in alter.actions() {
            self.function_option(action)?;
        }
        Ok(())
    }

    pub(super) fn do_block(&mut self, block: &'t DoStmt) {
        let language = block
            .args()
            .iter()
            .find(|option| option.defname() == Some("language"));
        let language = language.and_then(text_of).unwrap_or("plpgsql");
        self.on_database(Action::Do, Detail::Language(Arc::from(language)));
        self.ledger.leaves_something = true;
        self.ledger.moves_names = true;
    }

    pub(super) fn call_procedure(&mut self, call: &'t CallStmt) -> Result<(), Rejection> {
        let Some(called) = call.funccall() else {
            return Err(Rejection::not_understood("CALL without a routine"));
        };
        self.ledger.leaves_something = true;
        self.ledger.moves_names = true;
        let scope = self.scopes.open(None);
        for argument in called.args() {
            self.expression(scope, argument)?;
        }
        let (schema, name) = qualified(&strings(called.funcname()));
        let mut schemas = self.names.user_routines(schema, name);
        let class = if schemas.is_empty() {
            class_of(name).unwrap_or(Class::Unknown)
        } else {
            Class::User
        };
        if schemas.is_empty() {
            schemas = self.names.routine_schemas();
            schemas.push(Arc::from("pg_catalog"));
        }
        for schema in schemas {
            let class = if &*schema == "pg_catalog" {
                class
            } else {
                Class::User
            };
            let object = Object::Routine {
                schema,
                name: Arc::from(name),
            };
            self.ledger
                .add(Effect::with(Action::Call, object, Detail::Class(class)));
        }
        Ok(())
    }

    pub(super) fn create_trigger(&mut self, create: &'t CreateTrigStmt) -> Result<(), Rejection> {
        let Some(relation) = create.relation() else {
            return Err(Rejection::not_understood("a trigger without a relation"));
        };
        let candidates = self.relations(relation)?;
        self.define(Action::Create, "trigger", &candidates);
        self.ledger.moves_names = true;
        if let Some(other) = create.constrrel() {
            let candidates = self.relations(other)?;
            self.define(Action::Alter, "trigger", &candidates);
        }
        let (schema, name) = qualified(&strings(create.funcname()));
        self.routine(schema, name, None)?;
        let scope = self.scopes.open(None);
        for alias in ["old", "new"] {
            let item = self.silent_item(&candidates, Some(alias));
            let item = self.scopes.add_item(item);
            self.scopes.place(scope, &[item]);
        }
        self.expression(scope, create.when_clause())
    }

    pub(super) fn create_event_trigger(&mut self, create: &'t CreateEventTrigStmt) -> Result<(), Rejection> {
        self.on_database_kind(Action::Create, "event trigger");
        let (schema, name) = qualified(&strings(create.funcname()));
        self.routine(schema, name, None)
    }

    pub(super) fn create_rule(&mut self, rule: &'t RuleStmt) -> Result<(), Rejection> {
        let Some(relation) = rule.relation() else {
            return Err(Rejection::not_understood("a rule without a relation"));
        };
        let candidates = self.relations(relation)?;
        self.define(Action::Create, "rule", &candidates);
        self.ledger.moves_names = true;
        let scope = self.scopes.open(None);
        for alias in ["old", "new"] {
            let item = self.silent_item(&candidates, Some(alias));
            let item = self.scopes.add_item(item);
            self.scopes.place(scope, &[item]);
        }
        self.expression(scope, rule.where_clause())?;
        for action in rule.actions() {
            self.inner_statement(action, scope)?;
        }
        Ok(())
    }

    pub(super) fn create_policy(&mut self, create: &'t CreatePolicyStmt) -> Result<(), Rejection> {
        self.policy(
            Action::Create,
            create.table(),
            [create.qual(), create.with_check()],
        )
    }

    pub(super) fn alter_policy(&mut self, alter: &'t AlterPolicyStmt) -> Result<(), Rejection> {
        self.policy(Action::Alter, alter.table(), [alter.qual(), alter.with_check()])
    }

    fn policy(
        &mut self,
        action: Action,
        table: Option<&'t RangeVar>,
        conditions: [Node<'t>; 2],
    ) -> Result<(), Rejection> {
        let Some(table) = table else {
            return Err(Rejection::not_understood("a policy without a table"));
        };
        let candidates = self.relations(table)?;
        self.define(action, "policy", &candidates);
        self.ledger.moves_names = true;
        let scope = self.definition_scope(&candidates, table.relname());
        for condition in conditions {
            self.expression(scope, condition)?;
        }
        Ok(())
    }
}

fn is_input(parameter: &FunctionParameter) -> bool {
    !matches!(
        parameter.mode,
        FunctionParameterMode::FUNC_PARAM_OUT | FunctionParameterMode::FUNC_PARAM_TABLE
    )
}

/// The names of a list of lists, such as the functions of a handler clause.
pub(super) fn handler_names(list: &NodeList) -> Vec<(Option<&str>, &str)> {
    list.iter()
        .filter_map(|node| match node {
            Node::DefElem(option) => match option.arg() {
                Node::NodeList(name) => Some(qualified(&strings(name))),
                _ => None,
            },
            _ => None,
        })
        .collect()
}
