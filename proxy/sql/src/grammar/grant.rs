//! GRANT, REVOKE and default privileges.

use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{
    AlterDefaultPrivilegesStmt, GrantRoleStmt, GrantStmt, GrantTargetType, ObjectType,
};

use super::object::kind_of;
use super::syntax;
use super::walk::{Walk, strings};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};

impl<'t> Walk<'t> {
    pub(super) fn grant(&mut self, grant: &'t GrantStmt) -> Result<(), Rejection> {
        let action = if grant.is_grant {
            Action::Grant
        } else {
            Action::Revoke
        };
        let Some((kind, _)) = kind_of(grant.objtype) else {
            return Err(Rejection::not_understood(
                "the kind of object is not in the list of what can be judged",
            ));
        };
        let relations = matches!(
            grant.objtype,
            ObjectType::OBJECT_TABLE | ObjectType::OBJECT_SEQUENCE
        );
        if grant.targtype == GrantTargetType::ACL_TARGET_OBJECT && relations {
            return self.grant_on_relations(action, kind, grant);
        }
        for name in named_objects(self.text, grant)? {
            let (schema, name) = match name.as_slice() {
                [.., schema, name] => (Some(schema.as_str()), name.as_str()),
                [name] => (None, name.as_str()),
                [] => continue,
            };
            let objects = match grant.objtype {
                _ if grant.targtype == GrantTargetType::ACL_TARGET_ALL_IN_SCHEMA => {
                    let schema = self.names.schema_named(name);
                    self.everything_in(action, &schema, kind);
                    vec![Object::Schema(schema)]
                }
                ObjectType::OBJECT_SCHEMA => vec![Object::Schema(self.names.schema_named(name))],
                ObjectType::OBJECT_FUNCTION | ObjectType::OBJECT_PROCEDURE | ObjectType::OBJECT_ROUTINE => {
                    self.granted_routines(schema, name)
                }
                ObjectType::OBJECT_TYPE | ObjectType::OBJECT_DOMAIN => match schema {
                    Some(schema) => vec![Object::Schema(self.names.schema_named(schema))],
                    None => self
                        .names
                        .routine_schemas()
                        .into_iter()
                        .map(Object::Schema)
                        .collect(),
                },
                _ => vec![Object::Database],
            };
            for object in objects {
                self.ledger.add(Effect::with(action, object, Detail::Kind(kind)));
            }
        }
        Ok(())
    }

    fn grant_on_relations(
        &mut self,
        action: Action,
        kind: &'static str,
        grant: &'t GrantStmt,
    ) -> Result<(), Rejection> {
        for relation in grant.objects() {
            self.budget.spend(1)?;
            let candidates = self.relations(relation)?;
            self.define(action, kind, &candidates);
        }
        Ok(())
    }

    fn granted_routines(&mut self, schema: Option<&str>, name: &str) -> Vec<Object> {
        let mut schemas = self.names.user_routines(schema, name);
        if schemas.is_empty() {
            schemas = match schema {
                Some(schema) => vec![Arc::from(schema)],
                None => self.names.routine_schemas(),
            };
            schemas.push(Arc::from("pg_catalog"));
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

    pub(super) fn grant_role(&mut self, grant: &'t GrantRoleStmt) {
        let action = if grant.is_grant {
            Action::Grant
        } else {
            Action::Revoke
        };
        for role in grant.granted_roles() {
            if let Node::AccessPriv(role) = role {
                self.on_role(action, role.priv_name().unwrap_or_default());
            }
        }
    }

    pub(super) fn default_privileges(&mut self, alter: &'t AlterDefaultPrivilegesStmt) {
        let action = match alter.action() {
            Some(grant) if grant.is_grant => Action::Grant,
            _ => Action::Revoke,
        };
        let mut schemas = Vec::new();
        for option in alter.options() {
            if let (Some("schemas"), Node::NodeList(names)) = (option.defname(), option.arg()) {
                schemas.extend(strings(names));
            }
        }
        let kind = Detail::Kind("default privileges");
        if schemas.is_empty() {
            self.on_database(action, kind.clone());
        }
        for schema in schemas {
            let object = Object::Schema(self.names.schema_named(schema));
            self.ledger.add(Effect::with(action, object, kind.clone()));
        }
    }
}

/// The names of what is granted on; only relations come in the shape that the parser's wrapper expects.
fn named_objects(text: &str, grant: &GrantStmt) -> Result<Vec<Vec<String>>, Rejection> {
    let owned = |parts: Vec<&str>| parts.into_iter().map(str::to_owned).collect();
    let mut names = Vec::new();
    let mut strange = false;
    syntax::each_loosely(text, grant.objects(), |node| match node {
        Node::String(name) => names.push(vec![name.sval().unwrap_or_default().to_owned()]),
        Node::NodeList(list) => names.push(owned(strings(list))),
        Node::ObjectWithArgs(object) => names.push(owned(strings(object.objname()))),
        Node::Integer(_) | Node::Float(_) => names.push(vec!["large object".to_owned()]),
        _ => strange = true,
    })?;
    if strange {
        return Err(Rejection::not_understood(
            "what is granted on is not in the list of what can be judged",
        ));
    }
    Ok(names)
}
