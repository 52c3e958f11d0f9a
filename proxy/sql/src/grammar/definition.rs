//! Types, domains, operators, casts, text search and statistics objects; and DROP of everything.

use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::list::CastNodeList;
use pg_raw_parse::nodes::{
    AlterDomainStmt, AlterExtensionContentsStmt, AlterTSConfigurationStmt, CompositeTypeStmt, CreateCastStmt,
    CreateConversionStmt, CreateDomainStmt, CreateSchemaStmt, CreateStatsStmt, DefineStmt, DropBehavior,
    DropStmt, ObjectType, RangeVar, String as PgString,
};

use super::object::{Found, Home, kind_of};
use super::syntax;
use super::walk::{Declaration, Walk, qualified, strings};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};

impl<'t> Walk<'t> {
    pub(super) fn create_schema(&mut self, create: &'t CreateSchemaStmt) -> Result<(), Rejection> {
        let owner = create.authrole().map(|role| self.role_named(role));
        let name = create.schemaname().or(owner).unwrap_or_default();
        self.on_schema(Action::Create, Arc::from(name));
        self.declarations.push(Declaration::Schema(Arc::from(name)));
        // What is created along with the schema stands in it, and finds its neighbours there first.
        let mut elements: Vec<Node<'t>> = create.schema_elts().iter().collect();
        elements.sort_by_key(turn_of);
        self.names.enter_schema(Arc::from(name));
        for element in elements {
            self.declare()?;
            self.statement(element)?;
        }
        self.declare()?;
        self.names.within = None;
        Ok(())
    }

    pub(super) fn create_type(&mut self, kind: &'static str, names: &'t CastNodeList<PgString>) {
        let parts: Vec<_> = names.iter().filter_map(|part| part.sval()).collect();
        let (_, name) = qualified(&parts);
        for schema in self.create_in_schema(kind, &parts) {
            self.declarations.push(Declaration::Type {
                schema,
                name: name.to_owned(),
            });
        }
    }

    pub(super) fn create_composite(&mut self, create: &'t CompositeTypeStmt) {
        let Some(name) = create.typevar() else { return };
        let parts: Vec<_> = name.schemaname().into_iter().chain(name.relname()).collect();
        let (_, name) = qualified(&parts);
        for schema in self.create_in_schema("type", &parts) {
            self.declarations.push(Declaration::Type {
                schema,
                name: name.to_owned(),
            });
        }
    }

    pub(super) fn create_domain(&mut self, create: &'t CreateDomainStmt) -> Result<(), Rejection> {
        let scope = self.scopes.open(None);
        for constraint in create.constraints() {
            self.constraint(constraint, scope)?;
        }
        self.create_type("domain", create.domainname());
        Ok(())
    }

    pub(super) fn alter_domain(&mut self, alter: &'t AlterDomainStmt) -> Result<(), Rejection> {
        self.define_object(
            Action::Alter,
            ObjectType::OBJECT_DOMAIN,
            Node::NodeList(alter.type_name()),
        )?;
        self.ledger.moves_names = true;
        let scope = self.scopes.open(None);
        match alter.def() {
            Node::Constraint(constraint) => self.constraint(constraint, scope),
            expression => self.expression(scope, expression),
        }
    }

    /// CREATE AGGREGATE, OPERATOR, TYPE, COLLATION and TEXT SEARCH …: what they name runs only when they are used.
    pub(super) fn define_statement(&mut self, define: &'t DefineStmt) -> Result<(), Rejection> {
        let parts: Vec<_> = define.defnames().iter().filter_map(|part| part.sval()).collect();
        let (_, name) = qualified(&parts);
        let Some((kind, home)) = kind_of(define.kind) else {
            return Err(Rejection::not_understood(
                "the kind of object is not in the list of what can be judged",
            ));
        };
        match (home, define.kind) {
            (_, ObjectType::OBJECT_OPERATOR) => {
                for schema in self.create_routine(kind, &parts) {
                    self.declarations.push(Declaration::Operator {
                        schema,
                        name: name.to_owned(),
                    });
                }
            }
            (Home::Routine, _) => {
                for schema in self.create_routine(kind, &parts) {
                    self.declarations.push(Declaration::Routine {
                        schema,
                        name: name.to_owned(),
                    });
                }
            }
            _ => self.create_type(kind, define.defnames()),
        }
        Ok(())
    }

    pub(super) fn create_cast(&mut self, create: &'t CreateCastStmt) -> Result<(), Rejection> {
        self.on_database_kind(Action::Create, "cast");
        match create.func() {
            Some(function) => {
                let (schema, name) = qualified(&strings(function.objname()));
                self.routine(schema, name, None)
            }
            None => Ok(()),
        }
    }

    pub(super) fn create_conversion(&mut self, create: &'t CreateConversionStmt) -> Result<(), Rejection> {
        self.create_in_schema("conversion", &strings(create.conversion_name()));
        let (schema, name) = qualified(&strings(create.func_name()));
        self.routine(schema, name, None)
    }

    pub(super) fn create_statistics(&mut self, create: &'t CreateStatsStmt) -> Result<(), Rejection> {
        let parts: Vec<_> = create.defnames().iter().filter_map(|part| part.sval()).collect();
        self.create_in_schema("statistics", &parts);
        let mut relations_only = true;
        syntax::each_loosely(self.text, create.relations(), |node| {
            relations_only &= matches!(node, Node::RangeVar(_));
        })?;
        if !relations_only {
            return Err(Rejection::not_understood(
                "CREATE STATISTICS is only for relations",
            ));
        }
        let mut first: Option<&'t RangeVar> = None;
        for relation in create.relations() {
            first.get_or_insert(relation);
            let candidates = self.relations(relation)?;
            self.define(Action::Alter, "statistics", &candidates);
        }
        if let Some(relation) = first {
            let candidates = self.relations(relation)?;
            let scope = self.definition_scope(&candidates, relation.relname());
            for element in create.exprs() {
                let Node::StatsElem(element) = element else {
                    return Err(self.not_known("the statistics element", &element));
                };
                self.expression(scope, element.expr())?;
            }
        }
        Ok(())
    }

    pub(super) fn alter_text_search(&mut self, alter: &'t AlterTSConfigurationStmt) {
        let parts: Vec<_> = alter.cfgname().iter().filter_map(|part| part.sval()).collect();
        self.alter_in_schema("text search configuration", &parts);
    }

    /// ALTER of something that stands in a schema without a resource of its own.
    pub(super) fn alter_in_schema(&mut self, kind: &'static str, parts: &[&'t str]) {
        let (schema, _) = qualified(parts);
        let schemas = match schema {
            Some(schema) => vec![self.names.schema_named(schema)],
            None => self.names.routine_schemas(),
        };
        for schema in schemas {
            self.ledger.add(Effect::with(
                Action::Alter,
                Object::Schema(schema),
                Detail::Kind(kind),
            ));
        }
        self.ledger.moves_names = true;
    }

    pub(super) fn alter_extension_contents(
        &mut self,
        alter: &'t AlterExtensionContentsStmt,
    ) -> Result<(), Rejection> {
        self.on_database_kind(Action::Alter, "extension");
        self.define_object(Action::Alter, alter.objtype, alter.object())
            .map(|_| ())
    }

    pub(super) fn drop(&mut self, drop: &'t DropStmt) -> Result<(), Rejection> {
        self.ledger.moves_names = true;
        for object in drop.objects() {
            self.budget.spend(1)?;
            let found = self.define_object(Action::Drop, drop.remove_type, object)?;
            match found {
                Found::Relation(candidates) => {
                    let whole = kind_of(drop.remove_type).is_some_and(|(_, home)| home == Home::Relation);
                    for candidate in candidates.iter().filter(|_| whole) {
                        let (schema, name) = (candidate.schema.clone(), candidate.name.to_owned());
                        self.declarations.push(Declaration::Removed { schema, name });
                    }
                }
                Found::Other(objects) => self.dropped(drop, &objects),
            }
        }
        Ok(())
    }

    /// With a schema goes everything in it: a forbid on any of its relations holds.
    fn dropped(&mut self, drop: &'t DropStmt, objects: &[Object]) {
        for object in objects {
            let Object::Schema(schema) = object else { continue };
            if drop.remove_type != ObjectType::OBJECT_SCHEMA {
                continue;
            }
            if drop.behavior == DropBehavior::DROP_CASCADE {
                self.everything_in(Action::Drop, schema, "table");
            }
            let known = self.reading.catalogue.schemas.get(&**schema);
            for name in known.iter().flat_map(|known| known.relations.keys()) {
                let (schema, name) = (schema.clone(), name.clone());
                self.declarations.push(Declaration::Removed { schema, name });
            }
        }
    }

    /// An effect on every relation of a schema that follows from one on the schema.
    pub(super) fn everything_in(&mut self, action: Action, schema: &Arc<str>, kind: &'static str) {
        let known = self.reading.catalogue.schemas.get(&**schema);
        for name in known.into_iter().flat_map(|known| known.relations.keys()) {
            let object = Object::Table {
                schema: schema.clone(),
                name: Arc::from(name.as_str()),
            };
            let implied = Effect {
                implied: true,
                ..Effect::with(action, object, Detail::Kind(kind))
            };
            self.ledger.add(implied);
        }
        for name in known.into_iter().flat_map(|known| known.routines.iter()) {
            let object = Object::Routine {
                schema: schema.clone(),
                name: Arc::from(name.as_str()),
            };
            let implied = Effect {
                implied: true,
                ..Effect::with(action, object, Detail::Kind("function"))
            };
            self.ledger.add(implied);
        }
    }
}

/// When CREATE SCHEMA makes an element: PostgreSQL sorts them by their kind, wherever they stand.
fn turn_of(element: &Node<'_>) -> u8 {
    match element {
        Node::CreateSeqStmt(_) => 0,
        Node::CreateStmt(_) => 1,
        Node::ViewStmt(_) => 2,
        Node::IndexStmt(_) => 3,
        Node::CreateTrigStmt(_) => 4,
        _ => 5,
    }
}
