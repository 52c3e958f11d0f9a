//! Looking after relations: TRUNCATE, LOCK, VACUUM, ANALYZE, CLUSTER, REINDEX, REFRESH, COMMENT.

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{
    ClusterStmt, CommentStmt, DropBehavior, LockStmt, RangeVar, RefreshMatViewStmt, ReindexObjectType,
    ReindexStmt, SecLabelStmt, TruncateStmt, VacuumStmt,
};

use super::walk::Walk;
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};

impl<'t> Walk<'t> {
    pub(super) fn truncate(&mut self, truncate: &'t TruncateStmt) -> Result<(), Rejection> {
        for relation in truncate.relations() {
            let Node::RangeVar(relation) = relation else {
                return Err(self.not_known("the table to truncate", &relation));
            };
            let candidates = self.relations(relation)?;
            let effect = Effect::new(Action::Truncate, Object::Database);
            self.ledger.add_on(&candidates, &effect);
            if truncate.behavior == DropBehavior::DROP_CASCADE {
                for candidate in &candidates {
                    self.truncate_referrers(&candidate.schema, candidate.name);
                }
            }
        }
        Ok(())
    }

    /// CASCADE empties every table whose foreign keys lead here.
    fn truncate_referrers(&mut self, schema: &str, name: &str) {
        for (schema, name) in self.reading.catalogue.referrers(schema, name) {
            let object = Object::Table {
                schema: schema.into(),
                name: name.into(),
            };
            self.ledger.add(Effect::new(Action::Truncate, object));
        }
    }

    pub(super) fn lock(&mut self, lock: &'t LockStmt) -> Result<(), Rejection> {
        let mode = match lock.mode {
            1 => "access share",
            2 => "row share",
            3 => "row exclusive",
            4 => "share update exclusive",
            5 => "share",
            6 => "share row exclusive",
            7 => "exclusive",
            8 => "access exclusive",
            _ => return Err(Rejection::not_understood("the lock mode is not known")),
        };
        for relation in lock.relations() {
            let Node::RangeVar(relation) = relation else {
                return Err(self.not_known("the table to lock", &relation));
            };
            let candidates = self.relations(relation)?;
            let effect = Effect::with(Action::Lock, Object::Database, Detail::Mode(mode));
            self.ledger.add_on(&candidates, &effect);
        }
        Ok(())
    }

    pub(super) fn vacuum(&mut self, vacuum: &'t VacuumStmt) -> Result<(), Rejection> {
        let analyzes = vacuum
            .options()
            .iter()
            .any(|option| option.defname() == Some("analyze"));
        let mut actions = Vec::new();
        if vacuum.is_vacuumcmd {
            actions.push(Action::Vacuum);
        }
        if !vacuum.is_vacuumcmd || analyzes {
            actions.push(Action::Analyze);
        }
        for action in actions {
            if vacuum.rels().is_empty() {
                self.on_database(action, Detail::Kind("database"));
            }
            for relation in vacuum.rels() {
                if let Some(relation) = relation.relation() {
                    self.maintained(action, "table", relation)?;
                }
            }
        }
        Ok(())
    }

    fn maintained(
        &mut self,
        action: Action,
        kind: &'static str,
        relation: &'t RangeVar,
    ) -> Result<(), Rejection> {
        let candidates = self.relations(relation)?;
        self.define(action, kind, &candidates);
        Ok(())
    }

    pub(super) fn cluster(&mut self, cluster: &'t ClusterStmt) -> Result<(), Rejection> {
        match cluster.relation() {
            Some(relation) => self.maintained(Action::Cluster, "table", relation),
            None => {
                self.on_database(Action::Cluster, Detail::Kind("database"));
                Ok(())
            }
        }
    }

    pub(super) fn reindex(&mut self, reindex: &'t ReindexStmt) -> Result<(), Rejection> {
        let kind = if reindex.kind == ReindexObjectType::REINDEX_OBJECT_INDEX {
            "index"
        } else {
            "table"
        };
        match (reindex.kind, reindex.relation()) {
            (_, Some(relation)) => self.maintained(Action::Reindex, kind, relation)?,
            (ReindexObjectType::REINDEX_OBJECT_SCHEMA, None) => {
                let schema = self.names.schema_named(reindex.name().unwrap_or_default());
                let object = Object::Schema(schema);
                self.ledger
                    .add(Effect::with(Action::Reindex, object, Detail::Kind("schema")));
            }
            _ => self.on_database(Action::Reindex, Detail::Kind("database")),
        }
        Ok(())
    }

    pub(super) fn refresh(&mut self, refresh: &'t RefreshMatViewStmt) -> Result<(), Rejection> {
        match refresh.relation() {
            Some(relation) => self.maintained(Action::Refresh, "materialized view", relation),
            None => Err(Rejection::not_understood("REFRESH without a materialized view")),
        }
    }

    pub(super) fn comment(&mut self, comment: &'t CommentStmt) -> Result<(), Rejection> {
        self.define_object(Action::Comment, comment.objtype, comment.object())
            .map(|_| ())
    }

    pub(super) fn security_label(&mut self, label: &'t SecLabelStmt) -> Result<(), Rejection> {
        self.define_object(Action::SecurityLabel, label.objtype, label.object())
            .map(|_| ())
    }
}
