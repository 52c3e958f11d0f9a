//! Roles, databases, extensions, foreign servers, replication: what belongs to the server more than to a schema.

use pg_raw_parse::Node;
use pg_raw_parse::list::NodeList;
use pg_raw_parse::nodes::{
    AlterObjectDependsStmt, AlterPublicationStmt, AlterRoleSetStmt, AlterRoleStmt, AlterTableMoveAllStmt,
    CreateRoleStmt, DropRoleStmt, ImportForeignSchemaStmt, PublicationObjSpecType, VariableSetStmt,
};

use super::routine::handler_names;
use super::walk::{Declaration, Walk};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};
use crate::ledger::{Named, every_table};
use crate::settings;

impl<'t> Walk<'t> {
    pub(super) fn create_role(&mut self, create: &'t CreateRoleStmt) -> Result<(), Rejection> {
        self.on_role(Action::Create, create.role().unwrap_or_default());
        for option in create.options() {
            // IN ROLE, ROLE and ADMIN make memberships.
            self.members(option.arg())?;
        }
        Ok(())
    }

    fn members(&mut self, list: Node<'t>) -> Result<(), Rejection> {
        let Node::NodeList(list) = list else { return Ok(()) };
        for member in list {
            if let Node::RoleSpec(role) = member {
                let role = self.role_named(role);
                self.on_role(Action::Grant, role);
            }
        }
        Ok(())
    }

    pub(super) fn alter_role(&mut self, alter: &'t AlterRoleStmt) -> Result<(), Rejection> {
        if let Some(role) = alter.role() {
            let role = self.role_named(role);
            self.on_role(Action::Alter, role);
        }
        for option in alter.options() {
            self.members(option.arg())?;
        }
        Ok(())
    }

    pub(super) fn alter_role_set(&mut self, alter: &'t AlterRoleSetStmt) {
        match alter.role() {
            Some(role) => {
                let role = self.role_named(role);
                self.on_role(Action::Alter, role);
            }
            None => self.on_database_kind(Action::Alter, "role"),
        }
        self.lasting_setting(alter.setstmt());
    }

    /// A setting that later sessions start with.
    pub(super) fn lasting_setting(&mut self, set: Option<&'t VariableSetStmt>) {
        let name = set
            .and_then(VariableSetStmt::name)
            .map_or_else(|| "*".to_owned(), settings::canonical);
        self.set_effect(&name, None);
    }

    pub(super) fn drop_roles(&mut self, drop: &'t DropRoleStmt) {
        self.on_roles(Action::Drop, drop.roles());
    }

    pub(super) fn on_roles(&mut self, action: Action, roles: &'t NodeList) {
        for role in roles {
            if let Node::RoleSpec(role) = role {
                let role = self.role_named(role);
                self.on_role(action, role);
            }
        }
    }

    /// DROP OWNED and REASSIGN OWNED reach whatever the roles own.
    pub(super) fn owned(&mut self, action: Action, roles: &'t NodeList) {
        self.on_roles(action, roles);
        self.ledger
            .add(Effect::with(action, Object::EveryTable, Detail::Kind("owned")));
    }

    pub(super) fn move_tablespace(&mut self, alter: &'t AlterTableMoveAllStmt) {
        let kind = super::object::kind_of(alter.objtype).map_or("table", |(kind, _)| kind);
        self.ledger.add(Effect::with(
            Action::Alter,
            Object::EveryTable,
            Detail::Kind(kind),
        ));
        self.on_database_kind(Action::Alter, "tablespace");
    }

    pub(super) fn depends(&mut self, alter: &'t AlterObjectDependsStmt) -> Result<(), Rejection> {
        self.on_database_kind(Action::Alter, "extension");
        match alter.relation() {
            Some(relation) => {
                let candidates = self.relations(relation)?;
                self.define(Action::Alter, "table", &candidates);
                Ok(())
            }
            None => self
                .define_object(Action::Alter, alter.object_type, alter.object())
                .map(|_| ()),
        }
    }

    /// A definition on the database that names handler functions.
    pub(super) fn with_handlers(
        &mut self,
        action: Action,
        kind: &'static str,
        handlers: &'t NodeList,
    ) -> Result<(), Rejection> {
        self.on_database_kind(action, kind);
        for (schema, name) in handler_names(handlers) {
            self.routine(schema, name, None)?;
        }
        Ok(())
    }

    pub(super) fn import_schema(&mut self, import: &'t ImportForeignSchemaStmt) {
        let schema = self.names.schema_named(import.local_schema().unwrap_or_default());
        let object = Object::Schema(schema);
        self.ledger.add(Effect::with(
            Action::ImportSchema,
            object,
            Detail::Kind("foreign table"),
        ));
        self.unsettle();
    }

    /// Qualified names, too, may mean something else from here on.
    pub(super) fn unsettle(&mut self) {
        self.ledger.moves_names = true;
        self.declarations.push(Declaration::Path(None));
        self.declarations.push(Declaration::Unsettled);
    }

    /// Whoever publishes a table lets others read it.
    pub(super) fn publication(
        &mut self,
        action: Action,
        objects: &'t NodeList,
        all_tables: Reach,
    ) -> Result<(), Rejection> {
        self.on_database_kind(action, "publication");
        if all_tables == Reach::EveryTable {
            self.ledger.add(every_table());
        }
        for object in objects {
            let Node::PublicationObjSpec(object) = object else {
                return Err(self.not_known("the published object", &object));
            };
            let Some(table) = object.pubtable() else {
                let named = object.pubobjtype == PublicationObjSpecType::PUBLICATIONOBJ_TABLES_IN_SCHEMA;
                if let Some(name) = object.name().filter(|_| named) {
                    let schema = self.names.schema_named(name);
                    self.on_schema(Action::Alter, schema);
                }
                self.ledger.add(every_table());
                continue;
            };
            let Some(relation) = table.relation() else {
                continue;
            };
            let item = self.relation_item(relation, Named::ToRead)?;
            if let Some(used) = item.used {
                self.ledger.touch_whole(used);
            }
            let scope = self.scopes.open(None);
            let item = self.scopes.add_item(item);
            self.scopes.place(scope, &[item]);
            self.expression(scope, table.where_clause())?;
        }
        Ok(())
    }

    pub(super) fn alter_publication(&mut self, alter: &'t AlterPublicationStmt) -> Result<(), Rejection> {
        let reach = if alter.for_all_tables {
            Reach::EveryTable
        } else {
            Reach::Named
        };
        self.publication(Action::Alter, alter.pubobjects(), reach)
    }

    pub(super) fn load(&mut self) {
        self.on_database(Action::Load, Detail::None);
        self.ledger.leaves_something = true;
        self.ledger.moves_names = true;
    }

    pub(super) fn alter_system(&mut self, set: Option<&'t VariableSetStmt>) {
        self.on_database(Action::Alter, Detail::Kind("system"));
        self.lasting_setting(set);
    }
}

/// Whether a publication names its tables.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    Named,
    EveryTable,
}
