//! Objects that statements name by their kind: DROP, COMMENT, ALTER … OWNER, SECURITY LABEL and their like.

use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{ObjectType, RoleSpec, RoleSpecType};

use super::walk::{Walk, qualified, strings};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};
use crate::names::Candidate;

/// How the text names an object of a kind, and what stands for it in a policy.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Home {
    /// A relation of its own.
    Relation,
    /// Part of a relation: the last part of the name is the object's own.
    OnRelation,
    Routine,
    /// Stands in a schema, without a resource of its own.
    InSchema,
    Schema,
    Role,
    Database,
}

/// The kind's name in policies, and where it stands.
pub(super) fn kind_of(kind: ObjectType::Type) -> Option<(&'static str, Home)> {
    Some(match kind {
        ObjectType::OBJECT_TABLE => ("table", Home::Relation),
        ObjectType::OBJECT_INDEX => ("index", Home::Relation),
        ObjectType::OBJECT_SEQUENCE => ("sequence", Home::Relation),
        ObjectType::OBJECT_VIEW => ("view", Home::Relation),
        ObjectType::OBJECT_MATVIEW => ("materialized view", Home::Relation),
        ObjectType::OBJECT_FOREIGN_TABLE => ("foreign table", Home::Relation),
        ObjectType::OBJECT_COLUMN => ("column", Home::OnRelation),
        ObjectType::OBJECT_ATTRIBUTE => ("attribute", Home::OnRelation),
        ObjectType::OBJECT_TABCONSTRAINT => ("constraint", Home::OnRelation),
        ObjectType::OBJECT_TRIGGER => ("trigger", Home::OnRelation),
        ObjectType::OBJECT_RULE => ("rule", Home::OnRelation),
        ObjectType::OBJECT_POLICY => ("policy", Home::OnRelation),
        ObjectType::OBJECT_FUNCTION => ("function", Home::Routine),
        ObjectType::OBJECT_PROCEDURE => ("procedure", Home::Routine),
        ObjectType::OBJECT_ROUTINE => ("routine", Home::Routine),
        ObjectType::OBJECT_AGGREGATE => ("aggregate", Home::Routine),
        ObjectType::OBJECT_OPERATOR => ("operator", Home::Routine),
        ObjectType::OBJECT_TYPE => ("type", Home::InSchema),
        ObjectType::OBJECT_DOMAIN => ("domain", Home::InSchema),
        ObjectType::OBJECT_DOMCONSTRAINT => ("domain constraint", Home::InSchema),
        ObjectType::OBJECT_COLLATION => ("collation", Home::InSchema),
        ObjectType::OBJECT_CONVERSION => ("conversion", Home::InSchema),
        ObjectType::OBJECT_STATISTIC_EXT => ("statistics", Home::InSchema),
        ObjectType::OBJECT_OPCLASS => ("operator class", Home::InSchema),
        ObjectType::OBJECT_OPFAMILY => ("operator family", Home::InSchema),
        ObjectType::OBJECT_TSPARSER => ("text search parser", Home::InSchema),
        ObjectType::OBJECT_TSDICTIONARY => ("text search dictionary", Home::InSchema),
        ObjectType::OBJECT_TSTEMPLATE => ("text search template", Home::InSchema),
        ObjectType::OBJECT_TSCONFIGURATION => ("text search configuration", Home::InSchema),
        ObjectType::OBJECT_SCHEMA => ("schema", Home::Schema),
        ObjectType::OBJECT_ROLE => ("role", Home::Role),
        ObjectType::OBJECT_DATABASE => ("database", Home::Database),
        ObjectType::OBJECT_TABLESPACE => ("tablespace", Home::Database),
        ObjectType::OBJECT_EXTENSION => ("extension", Home::Database),
        ObjectType::OBJECT_LANGUAGE => ("language", Home::Database),
        ObjectType::OBJECT_CAST => ("cast", Home::Database),
        ObjectType::OBJECT_TRANSFORM => ("transform", Home::Database),
        ObjectType::OBJECT_ACCESS_METHOD => ("access method", Home::Database),
        ObjectType::OBJECT_EVENT_TRIGGER => ("event trigger", Home::Database),
        ObjectType::OBJECT_FDW => ("foreign data wrapper", Home::Database),
        ObjectType::OBJECT_FOREIGN_SERVER => ("server", Home::Database),
        ObjectType::OBJECT_USER_MAPPING => ("user mapping", Home::Database),
        ObjectType::OBJECT_PUBLICATION => ("publication", Home::Database),
        ObjectType::OBJECT_SUBSCRIPTION => ("subscription", Home::Database),
        ObjectType::OBJECT_LARGEOBJECT => ("large object", Home::Database),
        ObjectType::OBJECT_PARAMETER_ACL => ("parameter", Home::Database),
        _ => return None,
    })
}

/// An object as a statement names it.
pub(super) enum Found<'t> {
    Relation(Vec<Candidate<'t>>),
    Other(Vec<Object>),
}

impl<'t> Walk<'t> {
    /// Finds the object that a node names, by its kind.
    pub(super) fn object(&mut self, kind: ObjectType::Type, node: Node<'t>) -> Result<Found<'t>, Rejection> {
        let Some((_, home)) = kind_of(kind) else {
            return Err(Rejection::not_understood(
                "the kind of object is not in the list of what can be judged",
            ));
        };
        let mut parts = self.name_parts(kind, node)?;
        if home == Home::OnRelation {
            parts.pop();
        }
        let (schema, name) = qualified(&parts);
        Ok(match home {
            Home::Relation | Home::OnRelation => Found::Relation(self.names.relations(schema, name)?),
            Home::Routine => Found::Other(self.routine_objects(schema, name, kind)),
            Home::InSchema => Found::Other(self.schema_objects(schema, name)),
            Home::Schema => Found::Other(vec![Object::Schema(self.names.schema_named(name))]),
            Home::Role => Found::Other(vec![Object::Role(Arc::from(name))]),
            Home::Database => Found::Other(vec![Object::Database]),
        })
    }

    /// The parts of an object's name, in the many shapes that the grammar gives them.
    fn name_parts(&mut self, kind: ObjectType::Type, node: Node<'t>) -> Result<Vec<&'t str>, Rejection> {
        Ok(match node {
            Node::None | Node::Integer(_) | Node::Float(_) => Vec::new(),
            Node::String(name) => vec![name.sval().unwrap_or_default()],
            Node::TypeName(name) => name.names().iter().filter_map(|part| part.sval()).collect(),
            Node::ObjectWithArgs(object) => strings(object.objname()),
            Node::RoleSpec(role) => vec![self.role_named(role)],
            Node::RangeVar(relation) => relation
                .schemaname()
                .into_iter()
                .chain(relation.relname())
                .collect(),
            Node::NodeList(list) => match (kind, list.first()) {
                // The access method stands first.
                (ObjectType::OBJECT_OPCLASS | ObjectType::OBJECT_OPFAMILY, _) => {
                    strings(list).into_iter().skip(1).collect()
                }
                (ObjectType::OBJECT_DOMCONSTRAINT, Some(Node::TypeName(domain))) => {
                    domain.names().iter().filter_map(|part| part.sval()).collect()
                }
                (_, Some(Node::TypeName(_))) => Vec::new(),
                _ => strings(list),
            },
            other => return Err(self.not_known("the object's name", &other)),
        })
    }

    fn routine_objects(
        &mut self,
        schema: Option<&'t str>,
        name: &'t str,
        kind: ObjectType::Type,
    ) -> Vec<Object> {
        let mut schemas = match kind {
            ObjectType::OBJECT_OPERATOR => self.names.user_operators(schema, name),
            _ => self.names.user_routines(schema, name),
        };
        if schema == Some("pg_catalog") {
            schemas.push(Arc::from("pg_catalog"));
        }
        if schemas.is_empty() {
            schemas = self.names.routine_schemas();
        }
        let name: Arc<str> = Arc::from(name);
        schemas
            .into_iter()
            .map(|schema| Object::Routine {
                schema,
                name: name.clone(),
            })
            .collect()
    }

    /// Objects without a resource of their own count for the schemas they may stand in.
    fn schema_objects(&mut self, schema: Option<&'t str>, name: &'t str) -> Vec<Object> {
        if let Some(schema) = schema {
            return vec![Object::Schema(self.names.schema_named(schema))];
        }
        let mut schemas = self.names.user_types(None, name);
        if schemas.is_empty() {
            schemas = self.names.routine_schemas();
        }
        if schemas.is_empty() {
            return vec![Object::Database];
        }
        schemas.into_iter().map(Object::Schema).collect()
    }

    /// An effect of the `define` group on an object that a node names.
    pub(super) fn define_object(
        &mut self,
        action: Action,
        kind: ObjectType::Type,
        node: Node<'t>,
    ) -> Result<Found<'t>, Rejection> {
        let found = self.object(kind, node)?;
        let name = kind_of(kind).map_or("", |(name, _)| name);
        match &found {
            Found::Relation(candidates) => self.define(action, name, candidates),
            Found::Other(objects) => {
                for object in objects {
                    self.ledger
                        .add(Effect::with(action, object.clone(), Detail::Kind(name)));
                }
            }
        }
        Ok(found)
    }

    /// The effect of creating something that stands in a schema without a resource of its own.
    pub(super) fn create_in_schema(&mut self, kind: &'static str, parts: &[&'t str]) -> Vec<Arc<str>> {
        let (schema, _) = qualified(parts);
        let schemas = match schema {
            Some(schema) => vec![self.names.schema_named(schema)],
            None => self.names.creation_schemas(),
        };
        if schemas.is_empty() {
            self.on_database(Action::Create, Detail::Kind(kind));
        }
        for schema in &schemas {
            let object = Object::Schema(schema.clone());
            self.ledger
                .add(Effect::with(Action::Create, object, Detail::Kind(kind)));
        }
        self.moves(&schemas);
        schemas
    }

    /// The effect of creating a routine or an operator.
    pub(super) fn create_routine(&mut self, kind: &'static str, parts: &[&'t str]) -> Vec<Arc<str>> {
        let (schema, name) = qualified(parts);
        let schemas = match schema {
            Some(schema) => vec![self.names.schema_named(schema)],
            None => self.names.creation_schemas(),
        };
        if schemas.is_empty() {
            self.on_database(Action::Create, Detail::Kind(kind));
        }
        for schema in &schemas {
            let object = Object::Routine {
                schema: schema.clone(),
                name: Arc::from(name),
            };
            self.ledger
                .add(Effect::with(Action::Create, object, Detail::Kind(kind)));
        }
        self.moves(&schemas);
        schemas
    }

    /// Remembers that names move, and whether something temporary is left behind.
    fn moves(&mut self, schemas: &[Arc<str>]) {
        self.ledger.moves_names = true;
        if self.names.has_temporary_schema()
            || schemas.iter().any(|schema| crate::names::is_temporary(schema))
        {
            self.ledger.leaves_something = true;
        }
    }

    pub(super) fn on_database_kind(&mut self, action: Action, kind: &'static str) {
        self.on_database(action, Detail::Kind(kind));
        self.ledger.moves_names = true;
    }

    pub(super) fn on_role(&mut self, action: Action, role: &str) {
        let object = Object::Role(Arc::from(role));
        self.ledger
            .add(Effect::with(action, object, Detail::Kind("role")));
        self.ledger.moves_names = true;
    }

    pub(super) fn on_schema(&mut self, action: Action, schema: Arc<str>) {
        self.ledger.add(Effect::with(
            action,
            Object::Schema(schema),
            Detail::Kind("schema"),
        ));
        self.ledger.moves_names = true;
    }

    /// The role that the text names; the current one for the key words that mean it.
    pub(super) fn role_named(&self, role: &'t RoleSpec) -> &'t str {
        match role.roletype {
            RoleSpecType::ROLESPEC_CSTRING => role.rolename().unwrap_or_default(),
            RoleSpecType::ROLESPEC_PUBLIC => "public",
            _ => self.reading.role,
        }
    }
}
