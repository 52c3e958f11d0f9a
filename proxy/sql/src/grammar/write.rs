//! INSERT, UPDATE, DELETE and MERGE.

use std::collections::BTreeSet;
use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::list::CastNodeList;
use pg_raw_parse::nodes::{
    CmdType, DeleteStmt, InsertStmt, MergeMatchKind, MergeStmt, MergeWhenClause, OnConflictAction,
    OnConflictClause, RangeVar, ResTarget, ReturningClause, ReturningOptionKind, UpdateStmt,
};

use super::filter;
use super::walk::Walk;
use crate::Rejection;
use crate::effect::{Action, Effect, Object};
use crate::ledger::{Named, UseId};
use crate::names::Candidate;
use crate::scope::{Item, ItemId, Outputs, ScopeId};

/// The relation that a statement writes to.
struct Target<'t> {
    item: ItemId,
    used: UseId,
    alias: Option<&'t str>,
    candidates: Vec<Candidate<'t>>,
}

impl<'t> Walk<'t> {
    pub(super) fn insert(
        &mut self,
        insert: &'t InsertStmt,
        parent: Option<ScopeId>,
    ) -> Result<Outputs<'t>, Rejection> {
        let scope = self.scopes.open(parent);
        self.with_clause(insert.with_clause(), scope)?;
        let target = self.target(insert.relation())?;
        let mut columns = BTreeSet::new();
        let mut rows_only = false;
        if insert.cols().is_empty() {
            match insert.select_stmt() {
                Node::None => rows_only = true,
                _ => target.all_columns(&mut columns),
            }
        }
        for column in insert.cols() {
            let Node::ResTarget(column) = column else {
                return Err(self.not_known("the column to insert", &column));
            };
            self.assigned(scope, column, &target, &mut columns)?;
        }
        if let Node::SelectStmt(select) = insert.select_stmt() {
            self.select(select, Some(scope))?;
        }
        let effect = Effect {
            columns,
            rows_only,
            ..Effect::new(Action::Insert, Object::Database)
        };
        self.ledger.add_on(&target.candidates, &effect);
        self.scopes.place(scope, &[target.item]);
        if let Some(conflict) = insert.on_conflict_clause() {
            self.on_conflict(conflict, scope, &target)?;
        }
        self.returning(insert.returning_clause(), scope, &target)
    }

    fn on_conflict(
        &mut self,
        conflict: &'t OnConflictClause,
        scope: ScopeId,
        target: &Target<'t>,
    ) -> Result<(), Rejection> {
        if let Some(infer) = conflict.infer() {
            if infer.conname().is_some() {
                // A constraint's name hides which columns it is about.
                self.ledger.touch_whole(target.used);
            }
            for element in infer.index_elems() {
                self.index_element(element, scope)?;
            }
            self.expression(scope, infer.where_clause())?;
        }
        if conflict.action != OnConflictAction::ONCONFLICT_UPDATE {
            return Ok(());
        }
        let mut excluded = Item::new(Some("excluded"), self.target_outputs(target));
        excluded.columns_visible = false;
        // Its defaults and triggers have filled it, so the server asks for SELECT on what is read of it.
        excluded.used = Some(target.used);
        let excluded = self.scopes.add_item(excluded);
        let sight = self.scopes.open_beside(scope, vec![target.item, excluded]);
        let columns = self.assignments(conflict.target_list(), sight, target)?;
        self.expression(sight, conflict.where_clause())?;
        // The conflicting row is found by the inserted key: that limits what is updated.
        self.add_update(target, columns, true);
        Ok(())
    }

    pub(super) fn update(
        &mut self,
        update: &'t UpdateStmt,
        parent: Option<ScopeId>,
    ) -> Result<Outputs<'t>, Rejection> {
        let scope = self.scopes.open(parent);
        self.with_clause(update.with_clause(), scope)?;
        let target = self.target(update.relation())?;
        self.bring_from(update.from_clause(), scope)?;
        self.scopes.place(scope, &[target.item]);
        let columns = self.assignments(update.target_list(), scope, &target)?;
        self.expression(scope, update.where_clause())?;
        let filtered = filter::limits(update.where_clause(), target.alias, &target.candidates);
        self.add_update(&target, columns, filtered);
        self.returning(update.returning_clause(), scope, &target)
    }

    pub(super) fn delete(
        &mut self,
        delete: &'t DeleteStmt,
        parent: Option<ScopeId>,
    ) -> Result<Outputs<'t>, Rejection> {
        let scope = self.scopes.open(parent);
        self.with_clause(delete.with_clause(), scope)?;
        let target = self.target(delete.relation())?;
        self.bring_from(delete.using_clause(), scope)?;
        self.scopes.place(scope, &[target.item]);
        self.expression(scope, delete.where_clause())?;
        let filtered = filter::limits(delete.where_clause(), target.alias, &target.candidates);
        self.add_delete(&target, filtered);
        self.returning(delete.returning_clause(), scope, &target)
    }

    pub(super) fn merge(
        &mut self,
        merge: &'t MergeStmt,
        parent: Option<ScopeId>,
    ) -> Result<Outputs<'t>, Rejection> {
        let scope = self.scopes.open(parent);
        self.with_clause(merge.with_clause(), scope)?;
        let target = self.target(merge.relation())?;
        let source = self.bring_item(merge.source_relation(), scope, &[])?;
        self.scopes.place(scope, &[target.item]);
        self.scopes.place(scope, &source);
        self.expression(scope, merge.join_condition())?;
        for when in merge.merge_when_clauses() {
            let items = match when.match_kind {
                MergeMatchKind::MERGE_WHEN_MATCHED => [&source[..], &[target.item]].concat(),
                MergeMatchKind::MERGE_WHEN_NOT_MATCHED_BY_SOURCE => vec![target.item],
                _ => source.clone(),
            };
            let sight = self.scopes.open_beside(scope, items);
            self.merge_action(merge, when, sight, &target)?;
        }
        self.returning(merge.returning_clause(), scope, &target)
    }

    fn merge_action(
        &mut self,
        merge: &'t MergeStmt,
        when: &'t MergeWhenClause,
        sight: ScopeId,
        target: &Target<'t>,
    ) -> Result<(), Rejection> {
        self.expression(sight, when.condition())?;
        let filtered = || {
            [merge.join_condition(), when.condition()]
                .into_iter()
                .any(|condition| filter::limits(condition, target.alias, &target.candidates))
        };
        match when.command_type {
            // Where nothing is done the rows of the target still are matched.
            CmdType::CMD_NOTHING => {
                let effect = Effect {
                    rows_only: true,
                    ..Effect::new(Action::Select, Object::Database)
                };
                self.ledger.add_on(&target.candidates, &effect);
            }
            CmdType::CMD_DELETE => self.add_delete(target, filtered()),
            CmdType::CMD_UPDATE => {
                let mut columns = BTreeSet::new();
                for assigned in when.target_list() {
                    let Node::ResTarget(assigned) = assigned else {
                        return Err(self.not_known("the assignment", &assigned));
                    };
                    self.assigned(sight, assigned, target, &mut columns)?;
                }
                self.add_update(target, columns, filtered());
            }
            CmdType::CMD_INSERT => {
                let mut columns = BTreeSet::new();
                for assigned in when.target_list() {
                    let Node::ResTarget(assigned) = assigned else {
                        return Err(self.not_known("the column to insert", &assigned));
                    };
                    self.assigned(sight, assigned, target, &mut columns)?;
                }
                let default_values = when.values().is_empty();
                if columns.is_empty() && !default_values {
                    target.all_columns(&mut columns);
                }
                for value in when.values() {
                    self.expression(sight, value)?;
                }
                let rows_only = columns.is_empty();
                let effect = Effect {
                    columns,
                    rows_only,
                    ..Effect::new(Action::Insert, Object::Database)
                };
                self.ledger.add_on(&target.candidates, &effect);
            }
            _ => {
                return Err(Rejection::not_understood(
                    "the action in MERGE is not in the list of what can be judged",
                ));
            }
        }
        Ok(())
    }

    fn target(&mut self, relation: Option<&'t RangeVar>) -> Result<Target<'t>, Rejection> {
        let Some(relation) = relation else {
            return Err(Rejection::not_understood("a write without a relation"));
        };
        let item = self.relation_item(relation, Named::AsTarget)?;
        let Some(used) = item.used else {
            return Err(Rejection::not_understood("a write without a relation"));
        };
        let alias = relation.alias().and_then(|alias| alias.aliasname());
        let candidates = self.ledger.candidates(used).to_vec();
        let item = self.scopes.add_item(item);
        Ok(Target {
            item,
            used,
            alias,
            candidates,
        })
    }

    fn target_outputs(&self, target: &Target<'t>) -> Outputs<'t> {
        self.scopes.outputs_of(&[target.item], &self.ledger)
    }

    fn assignments(
        &mut self,
        targets: &'t CastNodeList<ResTarget>,
        scope: ScopeId,
        target: &Target<'t>,
    ) -> Result<BTreeSet<Arc<str>>, Rejection> {
        let mut columns = BTreeSet::new();
        for assigned in targets {
            self.assigned(scope, assigned, target, &mut columns)?;
        }
        Ok(columns)
    }

    /// One column that is written, with what is written to it.
    fn assigned(
        &mut self,
        scope: ScopeId,
        assigned: &'t ResTarget,
        target: &Target<'t>,
        columns: &mut BTreeSet<Arc<str>>,
    ) -> Result<(), Rejection> {
        self.budget.spend(1)?;
        columns.insert(Arc::from(assigned.name().unwrap_or_default()));
        if target.candidates.iter().any(|candidate| candidate.columns_moved) {
            target.all_columns(columns);
        }
        for index in assigned.indirection() {
            if !matches!(index, Node::String(_)) {
                self.expression(scope, index)?;
            }
        }
        self.expression(scope, assigned.val())
    }

    fn add_update(&mut self, target: &Target<'t>, columns: BTreeSet<Arc<str>>, filtered: bool) {
        let effect = Effect {
            columns,
            filtered: Some(filtered),
            ..Effect::new(Action::Update, Object::Database)
        };
        self.ledger.add_on(&target.candidates, &effect);
    }

    fn add_delete(&mut self, target: &Target<'t>, filtered: bool) {
        let effect = Effect {
            filtered: Some(filtered),
            ..Effect::new(Action::Delete, Object::Database)
        };
        self.ledger.add_on(&target.candidates, &effect);
    }

    /// RETURNING reads the target, also under the names `old` and `new`.
    fn returning(
        &mut self,
        returning: Option<&'t ReturningClause>,
        scope: ScopeId,
        target: &Target<'t>,
    ) -> Result<Outputs<'t>, Rejection> {
        let Some(returning) = returning else {
            return Ok(Outputs::Exactly(Vec::new()));
        };
        let (mut old, mut new) = (Some("old"), Some("new"));
        for option in returning.options() {
            match option.option {
                ReturningOptionKind::RETURNING_OPTION_OLD => old = option.value(),
                _ => new = option.value(),
            }
        }
        for alias in [old, new] {
            let mut item = Item::new(alias, Outputs::Relation);
            item.used = Some(target.used);
            item.columns_visible = false;
            let id = self.scopes.add_item(item);
            // A relation of the query that has this name itself comes first.
            if alias.is_some_and(|alias| self.scopes.item_in(scope, alias).is_none()) {
                self.scopes.place(scope, &[id]);
            }
        }
        let mut names = Vec::new();
        for expression in returning.exprs() {
            let Node::ResTarget(expression) = expression else {
                return Err(self.not_known("the RETURNING expression", &expression));
            };
            names.push(expression);
        }
        self.targets(names.into_iter(), scope)
    }
}

impl<'t> Target<'t> {
    fn all_columns(&self, columns: &mut BTreeSet<Arc<str>>) {
        for candidate in &self.candidates {
            candidate.all_columns(columns);
        }
    }
}
