//! SELECT, VALUES, TABLE, set operations and WITH.

use std::borrow::Cow;

use pg_raw_parse::Node;
use pg_raw_parse::list::CastNodeList;
use pg_raw_parse::nodes::{
    CommonTableExpr, LockingClause, ResTarget, SelectStmt, SetOperation, SortBy, WithClause,
};

use super::filter;
use super::walk::{Walk, strings};
use crate::Rejection;
use crate::effect::{Action, Effect, Object};
use crate::ledger::UseId;
use crate::scope::{ItemId, Outputs, ScopeId};

/// What a query gives to the query around it.
pub(super) struct Given<'t> {
    pub outputs: Outputs<'t>,
    /// Relations that a FOR UPDATE on this query locks.
    pub locks: Vec<UseId>,
}

impl<'t> Walk<'t> {
    pub(super) fn select(
        &mut self,
        select: &'t SelectStmt,
        parent: Option<ScopeId>,
    ) -> Result<Given<'t>, Rejection> {
        self.budget.enter()?;
        let scope = self.scopes.open(parent);
        self.with_clause(select.with_clause(), scope)?;
        let given = if select.op != SetOperation::SETOP_NONE {
            self.set_operation(select, scope)?
        } else if !select.values_lists().is_empty() {
            self.values(select, scope)?
        } else {
            self.plain_select(select, scope)?
        };
        self.expression(scope, select.limit_offset())?;
        self.expression(scope, select.limit_count())?;
        self.budget.leave();
        Ok(given)
    }

    fn plain_select(&mut self, select: &'t SelectStmt, scope: ScopeId) -> Result<Given<'t>, Rejection> {
        let locks = self.bring_from(select.from_clause(), scope)?;
        let outputs = self.targets(select.target_list().iter(), scope)?;
        self.expression(scope, select.where_clause())?;
        self.expression(scope, select.having_clause())?;
        for group in select.group_clause() {
            self.grouped(scope, group, &outputs)?;
        }
        for window in select.window_clause() {
            self.expression(scope, window)?;
        }
        self.sorted(scope, select.sort_clause(), &outputs)?;
        for distinct in select.distinct_clause() {
            self.named_output_or_expression(scope, distinct, &outputs)?;
        }
        if !select.locking_clause().is_empty() {
            self.locking(select, scope, &locks)?;
        }
        if let Some(into) = select.into_clause() {
            self.create_from_query(into, &outputs, "table")?;
        }
        Ok(Given { outputs, locks })
    }

    fn values(&mut self, select: &'t SelectStmt, scope: ScopeId) -> Result<Given<'t>, Rejection> {
        let mut width = 0;
        for row in select.values_lists() {
            if let Node::NodeList(list) = row {
                width = width.max(list.len());
            }
            self.expression(scope, row)?;
        }
        let names = (1..=width)
            .map(|column| Cow::Owned(format!("column{column}")))
            .collect();
        let outputs = Outputs::Exactly(names);
        self.sorted(scope, select.sort_clause(), &outputs)?;
        Ok(Given {
            outputs,
            locks: Vec::new(),
        })
    }

    /// Walks a tree of set operations from left to right without recursing into its spine.
    fn set_operation(&mut self, select: &'t SelectStmt, scope: ScopeId) -> Result<Given<'t>, Rejection> {
        let mut outputs = None;
        let mut open = vec![(select, true)];
        while let Some((arm, top)) = open.pop() {
            self.budget.spend(1)?;
            let joins = arm.op != SetOperation::SETOP_NONE && (top || is_bare(arm));
            if joins {
                open.extend(arm.rarg().map(|right| (right, false)));
                open.extend(arm.larg().map(|left| (left, false)));
                continue;
            }
            let given = self.select(arm, Some(scope))?;
            outputs.get_or_insert(given.outputs);
        }
        let outputs = outputs.unwrap_or_else(Outputs::unknown);
        self.sorted(scope, select.sort_clause(), &outputs)?;
        if !select.locking_clause().is_empty() {
            return Err(Rejection::not_understood(
                "FOR UPDATE on a set operation is not allowed by PostgreSQL",
            ));
        }
        Ok(Given {
            outputs,
            locks: Vec::new(),
        })
    }

    pub(super) fn with_clause(
        &mut self,
        with: Option<&'t WithClause>,
        scope: ScopeId,
    ) -> Result<(), Rejection> {
        let Some(with) = with else { return Ok(()) };
        let mut commons = Vec::new();
        if with.recursive {
            // Under RECURSIVE every name is in sight of every query of the list, its own included.
            for common in with.ctes() {
                let outputs = Outputs::AtLeast(aliases_of(common));
                commons.push(
                    self.scopes
                        .add_common(scope, common.ctename().unwrap_or_default(), outputs),
                );
            }
        }
        for (place, common) in with.ctes().iter().enumerate() {
            self.budget.spend(1)?;
            // The list is read before the query has a FROM list, so its queries see only what is around it.
            let beside = self.scopes.open_beside(scope, Vec::new());
            let outputs = self.common(common, beside)?;
            match commons.get(place) {
                Some(id) => self.scopes.set_common(*id, outputs),
                None => {
                    self.scopes
                        .add_common(scope, common.ctename().unwrap_or_default(), outputs);
                }
            }
        }
        Ok(())
    }

    fn common(&mut self, common: &'t CommonTableExpr, scope: ScopeId) -> Result<Outputs<'t>, Rejection> {
        let scope = Some(scope);
        let outputs = match common.ctequery() {
            Node::SelectStmt(select) => self.select(select, scope)?.outputs,
            Node::InsertStmt(insert) => self.insert(insert, scope)?,
            Node::UpdateStmt(update) => self.update(update, scope)?,
            Node::DeleteStmt(delete) => self.delete(delete, scope)?,
            Node::MergeStmt(merge) => self.merge(merge, scope)?,
            other => return Err(self.not_known("the query in WITH", &other)),
        };
        let outputs = outputs.renamed(aliases_of(common));
        let (search, cycle) = (common.search_clause(), common.cycle_clause());
        if search.is_none() && cycle.is_none() {
            return Ok(outputs);
        }
        if let (Some(cycle), Some(scope)) = (cycle, scope) {
            self.operator(None, "<>");
            self.expression(scope, cycle.cycle_mark_value())?;
            self.expression(scope, cycle.cycle_mark_default())?;
        }
        let added = [
            search.and_then(|search| search.search_seq_column()),
            cycle.and_then(|cycle| cycle.cycle_mark_column()),
            cycle.and_then(|cycle| cycle.cycle_path_column()),
        ];
        let mut names = match outputs {
            Outputs::Exactly(names) | Outputs::AtLeast(names) => names,
            Outputs::Relation => Vec::new(),
        };
        names.extend(added.into_iter().flatten().map(Cow::Borrowed));
        Ok(Outputs::AtLeast(names))
    }

    /// Walks output expressions and names them.
    pub(super) fn targets(
        &mut self,
        targets: impl ExactSizeIterator<Item = &'t ResTarget>,
        scope: ScopeId,
    ) -> Result<Outputs<'t>, Rejection> {
        let mut names = Vec::with_capacity(targets.len());
        let mut exact = true;
        for target in targets {
            let value = target.val();
            self.expression(scope, value)?;
            match (target.name(), starred(&value)) {
                (Some(name), _) => names.push(Cow::Borrowed(name)),
                (None, Some(None)) => {
                    let items = self.scopes.items_of(scope);
                    exact &= self.add_outputs(items, &mut names);
                }
                (None, Some(Some(alias))) => match self.scopes.item_in(scope, alias) {
                    Some(item) => exact &= self.add_outputs(&[item], &mut names),
                    None => exact = false,
                },
                (None, None) => match figured_name(value) {
                    Some(name) => names.push(Cow::Borrowed(name)),
                    None => exact = false,
                },
            }
            self.budget.spend(self.scopes.take_visits())?;
        }
        Ok(if exact {
            Outputs::Exactly(names)
        } else {
            Outputs::AtLeast(names)
        })
    }

    fn add_outputs(&self, items: &[ItemId], names: &mut Vec<Cow<'t, str>>) -> bool {
        match self.scopes.outputs_of(items, &self.ledger) {
            Outputs::Exactly(known) => {
                names.extend(known);
                true
            }
            Outputs::AtLeast(known) => {
                names.extend(known);
                false
            }
            Outputs::Relation => false,
        }
    }

    pub(super) fn sorted(
        &mut self,
        scope: ScopeId,
        sorts: &'t CastNodeList<SortBy>,
        outputs: &Outputs<'t>,
    ) -> Result<(), Rejection> {
        for sort in sorts {
            self.operator_names(sort.use_op());
            self.named_output_or_expression(scope, sort.node(), outputs)?;
        }
        Ok(())
    }

    /// ORDER BY and DISTINCT ON: a bare name means an output column first.
    fn named_output_or_expression(
        &mut self,
        scope: ScopeId,
        node: Node<'t>,
        outputs: &Outputs<'t>,
    ) -> Result<(), Rejection> {
        if bare_name(&node).is_some_and(|name| holds(outputs, name)) {
            return Ok(());
        }
        self.expression(scope, node)
    }

    /// GROUP BY: a bare name means a column of the FROM list first, then an output column.
    fn grouped(&mut self, scope: ScopeId, node: Node<'t>, outputs: &Outputs<'t>) -> Result<(), Rejection> {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            self.budget.spend(1)?;
            match node {
                Node::GroupingSet(set) => open.extend(set.content()),
                Node::NodeList(list) => open.extend(list),
                _ => match bare_name(&node).filter(|name| holds(outputs, name)) {
                    Some(name) => self.scopes.column_here(scope, name, &mut self.ledger),
                    None => self.expression(scope, node)?,
                },
            }
        }
        Ok(())
    }

    fn locking(&mut self, select: &'t SelectStmt, scope: ScopeId, locks: &[UseId]) -> Result<(), Rejection> {
        for clause in select.locking_clause() {
            let locked = self.locked_by(clause, scope, locks)?;
            for used in locked {
                let candidates = self.ledger.candidates(used).to_vec();
                let filtered = filter::limits(select.where_clause(), None, &candidates);
                let effect = Effect {
                    rows_only: true,
                    filtered: Some(filtered),
                    ..Effect::new(Action::Update, Object::Database)
                };
                self.ledger.add_on(&candidates, &effect);
            }
        }
        Ok(())
    }

    fn locked_by(
        &self,
        clause: &'t LockingClause,
        scope: ScopeId,
        locks: &[UseId],
    ) -> Result<Vec<UseId>, Rejection> {
        if clause.locked_rels().is_empty() {
            return Ok(locks.to_vec());
        }
        let mut locked = Vec::new();
        for relation in clause.locked_rels() {
            let Node::RangeVar(relation) = relation else {
                return Err(self.not_known("the relation to lock", &relation));
            };
            let alias = relation.relname().unwrap_or_default();
            match self
                .scopes
                .item_in(scope, alias)
                .and_then(|item| self.scopes.item(item))
            {
                Some(item) => locked.extend_from_slice(&item.locks),
                // The server will say that there is no such relation in FROM.
                None => locked.extend_from_slice(locks),
            }
        }
        Ok(locked)
    }
}

/// Whether an arm of a set operation is only that: anything more makes it a query of its own.
fn is_bare(select: &SelectStmt) -> bool {
    select.with_clause().is_none()
        && select.sort_clause().is_empty()
        && select.locking_clause().is_empty()
        && matches!(select.limit_count(), Node::None)
        && matches!(select.limit_offset(), Node::None)
}

fn aliases_of(common: &CommonTableExpr) -> Vec<Cow<'_, str>> {
    strings(common.aliascolnames())
        .into_iter()
        .map(Cow::Borrowed)
        .collect()
}

fn holds(outputs: &Outputs<'_>, name: &str) -> bool {
    match outputs {
        Outputs::Exactly(names) | Outputs::AtLeast(names) => names.iter().any(|known| known == name),
        Outputs::Relation => false,
    }
}

/// The name of a column reference that is nothing but a name.
fn bare_name<'t>(node: &Node<'t>) -> Option<&'t str> {
    let Node::ColumnRef(column) = node else {
        return None;
    };
    let fields = column.fields();
    (fields.len() == 1)
        .then(|| fields.first().and_then(Node::as_str))
        .flatten()
}

/// For `*`: `Some(None)`; for `alias.*`: `Some(Some(alias))`.
fn starred<'t>(node: &Node<'t>) -> Option<Option<&'t str>> {
    let Node::ColumnRef(column) = node else {
        return None;
    };
    let fields = column.fields();
    if !matches!(fields.iter().next_back(), Some(Node::A_Star(_))) {
        return None;
    }
    Some(fields.iter().rev().nth(1).and_then(Node::as_str))
}

/// The name that PostgreSQL gives an output column without AS, where it is certain.
fn figured_name(mut node: Node<'_>) -> Option<&str> {
    // The outermost type names a value that has no name of its own.
    let mut type_name = None;
    for _ in 0..64 {
        node = match node {
            Node::ColumnRef(column) => return column.fields().iter().next_back().and_then(Node::as_str),
            Node::FuncCall(call) => return call.funcname().iter().next_back().and_then(Node::as_str),
            Node::TypeCast(cast) => {
                let name = cast.type_name()?.names().iter().next_back()?.sval();
                type_name = type_name.or(name);
                cast.arg()
            }
            Node::CollateClause(collate) => collate.arg(),
            Node::A_Const(_) | Node::ParamRef(_) | Node::BoolExpr(_) | Node::NullTest(_) => {
                return type_name.or(Some("?column?"));
            }
            _ => return None,
        };
    }
    None
}
