//! COPY in all its directions.

use std::collections::BTreeSet;
use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{CopyStmt, RangeVar};

use super::walk::{Walk, strings};
use crate::Rejection;
use crate::effect::{Action, Change, Detail, Effect, Object};
use crate::ledger::Named;

impl<'t> Walk<'t> {
    pub(super) fn copy(&mut self, copy: &'t CopyStmt) -> Result<(), Rejection> {
        match (copy.relation(), copy.is_from) {
            (Some(relation), true) => self.copy_from(copy, relation)?,
            (Some(relation), false) => self.copy_to(copy, relation)?,
            (None, _) => self.copied_query(copy.query())?,
        }
        match copy.filename() {
            Some(_) if copy.is_program => self.on_database(Action::CopyProgram, Detail::None),
            Some(_) => self.on_database(Action::CopyFile, Detail::None),
            None if copy.is_from => self.ledger.changes.push(Change::CopyIn),
            None => self.ledger.changes.push(Change::CopyOut),
        }
        Ok(())
    }

    fn copied_query(&mut self, query: Node<'t>) -> Result<(), Rejection> {
        match query {
            Node::SelectStmt(select) => self.select(select, None).map(|_| ()),
            Node::InsertStmt(insert) => self.insert(insert, None).map(|_| ()),
            Node::UpdateStmt(update) => self.update(update, None).map(|_| ()),
            Node::DeleteStmt(delete) => self.delete(delete, None).map(|_| ()),
            Node::MergeStmt(merge) => self.merge(merge, None).map(|_| ()),
            other => Err(self.not_known("the query in COPY", &other)),
        }
    }

    fn copy_to(&mut self, copy: &'t CopyStmt, relation: &'t RangeVar) -> Result<(), Rejection> {
        let candidates = self.relations(relation)?;
        let used = self.read(candidates, Named::ToRead);
        let columns = strings(copy.attlist());
        if columns.is_empty() {
            self.ledger.touch_whole(used);
        }
        for column in columns {
            self.ledger.touch(used, column);
        }
        Ok(())
    }

    fn copy_from(&mut self, copy: &'t CopyStmt, relation: &'t RangeVar) -> Result<(), Rejection> {
        let candidates = self.relations(relation)?;
        let mut columns: BTreeSet<Arc<str>> = strings(copy.attlist()).into_iter().map(Arc::from).collect();
        if columns.is_empty() {
            for candidate in &candidates {
                candidate.all_columns(&mut columns);
            }
        }
        let effect = Effect {
            columns,
            ..Effect::new(Action::Insert, Object::Database)
        };
        self.ledger.add_on(&candidates, &effect);
        // WHERE looks at the incoming rows, not at the table's.
        let scope = self.definition_scope(&candidates, relation.relname());
        self.expression(scope, copy.where_clause())
    }
}
