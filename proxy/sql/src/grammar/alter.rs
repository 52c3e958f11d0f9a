//! ALTER TABLE, and what gives an object another name, schema or owner.

use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{
    AlterObjectSchemaStmt, AlterOwnerStmt, AlterTableCmd, AlterTableStmt, AlterTableType, ColumnDef,
    ObjectType, RangeVar, RenameStmt,
};

use super::object::{Found, Home, kind_of};
use super::walk::{Declaration, Walk};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};
use crate::ledger::Named;
use crate::names::Candidate;
use crate::scope::ScopeId;

impl<'t> Walk<'t> {
    pub(super) fn alter_table(&mut self, alter: &'t AlterTableStmt) -> Result<(), Rejection> {
        let Some(relation) = alter.relation() else {
            return Err(Rejection::not_understood("ALTER without a relation"));
        };
        let kind = match alter.objtype {
            ObjectType::OBJECT_TYPE => "type",
            other => kind_of(other).map_or("table", |(kind, _)| kind),
        };
        let candidates = self.relations(relation)?;
        self.define(Action::Alter, kind, &candidates);
        self.ledger.moves_names = true;
        let scope = self.definition_scope(&candidates, relation.relname());
        for command in alter.cmds() {
            let Node::AlterTableCmd(command) = command else {
                return Err(self.not_known("the ALTER command", &command));
            };
            self.budget.spend(1)?;
            self.alter_command(command, relation, &candidates, scope)?;
        }
        Ok(())
    }

    fn alter_command(
        &mut self,
        command: &'t AlterTableCmd,
        relation: &'t RangeVar,
        candidates: &[Candidate<'t>],
        scope: ScopeId,
    ) -> Result<(), Rejection> {
        match command.subtype {
            AlterTableType::AT_AddColumn | AlterTableType::AT_AlterColumnType => {
                let Node::ColumnDef(column) = command.def() else {
                    return Err(self.not_known("the column", &command.def()));
                };
                self.columns_altered(candidates);
                self.changed_column(command, column, relation, scope)
            }
            AlterTableType::AT_DropColumn => {
                self.columns_altered(candidates);
                Ok(())
            }
            AlterTableType::AT_ColumnDefault => self.expression(scope, command.def()),
            AlterTableType::AT_SetExpression => self.copying_expression(relation, command.def()),
            AlterTableType::AT_AddConstraint => match command.def() {
                Node::Constraint(constraint) => self.constraint(constraint, scope),
                other => Err(self.not_known("the constraint", &other)),
            },
            AlterTableType::AT_AddInherit | AlterTableType::AT_DropInherit => match command.def() {
                Node::RangeVar(parent) => self.alter_both(parent),
                other => Err(self.not_known("the parent table", &other)),
            },
            AlterTableType::AT_AttachPartition
            | AlterTableType::AT_DetachPartition
            | AlterTableType::AT_DetachPartitionFinalize => match command.def() {
                Node::PartitionCmd(partition) => {
                    if let Some(bound) = partition.bound() {
                        self.partition_bound(bound)?;
                    }
                    partition.name().map_or(Ok(()), |name| self.alter_both(name))
                }
                other => Err(self.not_known("the partition", &other)),
            },
            other if changes_nothing_named(other) => Ok(()),
            _ => Err(Rejection::not_understood(
                "this ALTER command is not in the list of what can be judged",
            )),
        }
    }

    fn changed_column(
        &mut self,
        command: &'t AlterTableCmd,
        column: &'t ColumnDef,
        relation: &'t RangeVar,
        scope: ScopeId,
    ) -> Result<(), Rejection> {
        if command.subtype == AlterTableType::AT_AlterColumnType {
            self.type_used(column.type_name());
            // USING fills the column from others.
            return self.copying_expression(relation, column.raw_default());
        }
        for constraint in column.constraints() {
            if let Node::Constraint(constraint) = constraint
                && constraint.contype == pg_raw_parse::nodes::ConstrType::CONSTR_GENERATED
            {
                self.copying_expression(relation, constraint.raw_expr())?;
            }
        }
        self.column_definition(column, scope)
    }

    /// An expression that copies columns of an existing table into another column: that is a read.
    fn copying_expression(&mut self, relation: &'t RangeVar, expression: Node<'t>) -> Result<(), Rejection> {
        if matches!(expression, Node::None) {
            return Ok(());
        }
        let scope = self.scopes.open(None);
        let item = self.relation_item(relation, Named::AsTarget)?;
        let item = self.scopes.add_item(item);
        self.scopes.place(scope, &[item]);
        self.expression(scope, expression)
    }

    fn alter_both(&mut self, other: &'t RangeVar) -> Result<(), Rejection> {
        let candidates = self.relations(other)?;
        self.define(Action::Alter, "table", &candidates);
        Ok(())
    }

    fn columns_altered(&mut self, candidates: &[Candidate<'t>]) {
        for candidate in candidates {
            let (schema, name) = (candidate.schema.clone(), candidate.name.to_owned());
            self.declarations.push(Declaration::Altered { schema, name });
        }
    }

    pub(super) fn rename(&mut self, rename: &'t RenameStmt) -> Result<(), Rejection> {
        self.ledger.moves_names = true;
        let new_name = rename.newname().unwrap_or_default();
        let Some((kind, home)) = kind_of(rename.rename_type) else {
            return Err(Rejection::not_understood(
                "the kind of object is not in the list of what can be judged",
            ));
        };
        if let Some(relation) = rename.relation() {
            let candidates = self.relations(relation)?;
            self.define(Action::Alter, kind, &candidates);
            let columns = matches!(
                rename.rename_type,
                ObjectType::OBJECT_COLUMN | ObjectType::OBJECT_ATTRIBUTE
            );
            for candidate in candidates {
                let (schema, name) = (candidate.schema.clone(), candidate.name.to_owned());
                match home {
                    Home::Relation => self.moved(candidate, kind, schema, new_name),
                    _ if columns => self.declarations.push(Declaration::ColumnsMoved { schema, name }),
                    _ => {}
                }
            }
            return Ok(());
        }
        match home {
            Home::Schema => {
                let old = self.names.schema_named(rename.subname().unwrap_or_default());
                self.on_schema(Action::Alter, old);
                self.on_schema(Action::Alter, Arc::from(new_name));
                // Every relation of the schema has another name from here on.
                self.unsettle();
            }
            Home::Role => {
                self.on_role(Action::Alter, rename.subname().unwrap_or_default());
                self.on_role(Action::Alter, new_name);
            }
            Home::Database => self.on_database_kind(Action::Alter, kind),
            _ => {
                let found = self.define_object(Action::Alter, rename.rename_type, rename.object())?;
                self.renamed_object(&found, kind, home, new_name);
            }
        }
        Ok(())
    }

    /// The new name of a routine or type is a name that later calls find.
    fn renamed_object(&mut self, found: &Found<'t>, kind: &'static str, home: Home, new_name: &'t str) {
        let Found::Other(objects) = found else { return };
        for object in objects {
            match object {
                Object::Routine { schema, .. } => {
                    let (schema, name) = (schema.clone(), new_name.to_owned());
                    let object = Object::Routine {
                        schema: schema.clone(),
                        name: Arc::from(new_name),
                    };
                    self.ledger
                        .add(Effect::with(Action::Alter, object, Detail::Kind(kind)));
                    self.declarations.push(Declaration::Routine { schema, name });
                }
                Object::Schema(schema) if home == Home::InSchema => {
                    let (schema, name) = (schema.clone(), new_name.to_owned());
                    self.declarations.push(Declaration::Type { schema, name });
                }
                _ => {}
            }
        }
    }

    fn moved(&mut self, candidate: Candidate<'t>, kind: &'static str, schema: Arc<str>, name: &'t str) {
        let object = Object::Table {
            schema: schema.clone(),
            name: Arc::from(name),
        };
        self.ledger
            .add(Effect::with(Action::Alter, object, Detail::Kind(kind)));
        self.declarations.push(Declaration::Moved {
            from: candidate,
            schema,
            name,
        });
    }

    pub(super) fn set_schema(&mut self, alter: &'t AlterObjectSchemaStmt) -> Result<(), Rejection> {
        self.ledger.moves_names = true;
        let schema = self.names.schema_named(alter.newschema().unwrap_or_default());
        let kind = kind_of(alter.object_type).map_or("object", |(kind, _)| kind);
        if let Some(relation) = alter.relation() {
            let candidates = self.relations(relation)?;
            self.define(Action::Alter, kind, &candidates);
            for candidate in candidates {
                let name = candidate.name;
                self.moved(candidate, kind, schema.clone(), name);
            }
            return Ok(());
        }
        let found = self.define_object(Action::Alter, alter.object_type, alter.object())?;
        if let Found::Other(objects) = found {
            for object in objects {
                let object = match object {
                    Object::Routine { name, .. } => {
                        let declared = Declaration::Routine {
                            schema: schema.clone(),
                            name: name.to_string(),
                        };
                        self.declarations.push(declared);
                        Object::Routine {
                            schema: schema.clone(),
                            name,
                        }
                    }
                    _ => Object::Schema(schema.clone()),
                };
                self.ledger
                    .add(Effect::with(Action::Alter, object, Detail::Kind(kind)));
            }
        }
        Ok(())
    }

    pub(super) fn set_owner(&mut self, alter: &'t AlterOwnerStmt) -> Result<(), Rejection> {
        self.ledger.moves_names = true;
        self.define_object(Action::Alter, alter.object_type, alter.object())
            .map(|_| ())
    }
}

/// ALTER commands that name nothing beside the relation, its columns, triggers, rules and options.
fn changes_nothing_named(command: AlterTableType::Type) -> bool {
    matches!(
        command,
        AlterTableType::AT_DropNotNull
            | AlterTableType::AT_SetNotNull
            | AlterTableType::AT_DropExpression
            | AlterTableType::AT_SetStatistics
            | AlterTableType::AT_SetOptions
            | AlterTableType::AT_ResetOptions
            | AlterTableType::AT_SetStorage
            | AlterTableType::AT_SetCompression
            | AlterTableType::AT_AlterConstraint
            | AlterTableType::AT_ValidateConstraint
            | AlterTableType::AT_DropConstraint
            | AlterTableType::AT_AlterColumnGenericOptions
            | AlterTableType::AT_ChangeOwner
            | AlterTableType::AT_ClusterOn
            | AlterTableType::AT_DropCluster
            | AlterTableType::AT_SetLogged
            | AlterTableType::AT_SetUnLogged
            | AlterTableType::AT_DropOids
            | AlterTableType::AT_SetAccessMethod
            | AlterTableType::AT_SetTableSpace
            | AlterTableType::AT_SetRelOptions
            | AlterTableType::AT_ResetRelOptions
            | AlterTableType::AT_ReplaceRelOptions
            | AlterTableType::AT_EnableTrig
            | AlterTableType::AT_EnableAlwaysTrig
            | AlterTableType::AT_EnableReplicaTrig
            | AlterTableType::AT_DisableTrig
            | AlterTableType::AT_EnableTrigAll
            | AlterTableType::AT_DisableTrigAll
            | AlterTableType::AT_EnableTrigUser
            | AlterTableType::AT_DisableTrigUser
            | AlterTableType::AT_EnableRule
            | AlterTableType::AT_EnableAlwaysRule
            | AlterTableType::AT_EnableReplicaRule
            | AlterTableType::AT_DisableRule
            | AlterTableType::AT_AddOf
            | AlterTableType::AT_DropOf
            | AlterTableType::AT_ReplicaIdentity
            | AlterTableType::AT_EnableRowSecurity
            | AlterTableType::AT_DisableRowSecurity
            | AlterTableType::AT_ForceRowSecurity
            | AlterTableType::AT_NoForceRowSecurity
            | AlterTableType::AT_GenericOptions
            | AlterTableType::AT_AddIdentity
            | AlterTableType::AT_SetIdentity
            | AlterTableType::AT_DropIdentity
    )
}
