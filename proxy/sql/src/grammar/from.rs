//! FROM lists: relations, subqueries, functions, joins, and what each may see.

use std::borrow::Cow;

use pg_raw_parse::Node;
use pg_raw_parse::list::NodeList;
use pg_raw_parse::nodes::{
    Alias, JoinExpr, JsonTable, RangeFunction, RangeSubselect, RangeTableFunc, RangeTableSample, RangeVar,
};

use super::walk::{Walk, qualified, strings};
use crate::ledger::{Named, UseId};
use crate::scope::{Item, ItemId, Outputs, ScopeId};
use crate::{Rejection, differences};

impl<'t> Walk<'t> {
    /// Brings a FROM list into its scope; returns the relations that a FOR UPDATE would lock.
    pub(super) fn bring_from(&mut self, from: &'t NodeList, scope: ScopeId) -> Result<Vec<UseId>, Rejection> {
        let mut seen = Vec::new();
        for node in from {
            let items = self.bring_item(node, scope, &seen)?;
            seen.extend(items);
        }
        self.scopes.place(scope, &seen);
        let mut locks = Vec::new();
        for item in seen.iter().filter_map(|id| self.scopes.item(*id)) {
            locks.extend_from_slice(&item.locks);
        }
        Ok(locks)
    }

    /// One entry: `seen` stands left of it, in sight of LATERAL only.
    pub(super) fn bring_item(
        &mut self,
        node: Node<'t>,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Vec<ItemId>, Rejection> {
        self.budget.spend(1)?;
        let item = match node {
            Node::RangeVar(relation) => self.bring_relation(relation, scope)?,
            Node::RangeSubselect(subselect) => self.bring_subselect(subselect, scope, seen)?,
            Node::RangeFunction(function) => self.bring_function(function, scope, seen)?,
            Node::RangeTableFunc(table) => self.bring_table_function(table, scope, seen)?,
            Node::JsonTable(table) => self.bring_json_table(table, scope, seen)?,
            Node::RangeTableSample(sample) => return self.bring_sample(sample, scope, seen),
            Node::JoinExpr(join) => {
                self.budget.enter()?;
                let items = self.bring_join(join, scope, seen)?;
                self.budget.leave();
                return Ok(items);
            }
            other => return Err(self.not_known("the FROM item", &other)),
        };
        self.budget.spend(self.scopes.take_visits())?;
        Ok(vec![self.scopes.add_item(item)])
    }

    pub(super) fn bring_relation(
        &mut self,
        relation: &'t RangeVar,
        scope: ScopeId,
    ) -> Result<Item<'t>, Rejection> {
        let name = relation.relname().unwrap_or_default();
        if relation.schemaname().is_none()
            && let Some(outputs) = self.scopes.common(scope, name)
        {
            let alias = relation.alias().and_then(Alias::aliasname).unwrap_or(name);
            return Ok(Item::new(
                Some(alias),
                outputs.renamed(column_aliases(relation.alias())),
            ));
        }
        self.relation_item(relation, Named::ToRead)
    }

    /// A relation that no common table expression can hide, as the target of a write.
    pub(super) fn relation_item(
        &mut self,
        relation: &'t RangeVar,
        named: Named,
    ) -> Result<Item<'t>, Rejection> {
        let candidates = self.relations(relation)?;
        let used = self.read(candidates, named);
        let alias = relation.alias();
        let name = alias.and_then(Alias::aliasname).or(relation.relname());
        let mut item = Item::new(name, Outputs::Relation);
        item.used = Some(used);
        item.locks = vec![used];
        item.bare = alias.is_none();
        let renames = column_aliases(alias);
        if !renames.is_empty() {
            self.ledger.touch_whole(used);
            item.renamed = true;
            item.outputs = self.relation_outputs(used).renamed(renames);
        }
        Ok(item)
    }

    fn relation_outputs(&mut self, used: UseId) -> Outputs<'t> {
        let mut item = Item::new(None, Outputs::Relation);
        item.used = Some(used);
        let id = self.scopes.add_item(item);
        self.scopes.outputs_of(&[id], &self.ledger)
    }

    /// What a FROM item may see: its left neighbours if it is lateral, and what is around the query.
    fn sight(&mut self, scope: ScopeId, seen: &[ItemId], lateral: bool) -> ScopeId {
        let items = if lateral { seen.to_vec() } else { Vec::new() };
        self.scopes.open_beside(scope, items)
    }

    fn bring_subselect(
        &mut self,
        subselect: &'t RangeSubselect,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Item<'t>, Rejection> {
        let Node::SelectStmt(select) = subselect.subquery() else {
            return Err(self.not_known("the subquery", &subselect.subquery()));
        };
        let sight = self.sight(scope, seen, subselect.lateral);
        let given = self.select(select, Some(sight))?;
        let alias = subselect.alias();
        let outputs = given.outputs.renamed(column_aliases(alias));
        let mut item = Item::new(alias.and_then(Alias::aliasname), outputs);
        item.locks = given.locks;
        Ok(item)
    }

    fn bring_function(
        &mut self,
        function: &'t RangeFunction,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Item<'t>, Rejection> {
        let sight = self.sight(scope, seen, true);
        let mut names: Vec<Cow<'t, str>> = Vec::new();
        // Without an alias the function's own name is one.
        let mut name = function.alias().and_then(Alias::aliasname);
        for entry in function.functions() {
            // Each entry is a pair: the call, and its own column definitions.
            let Node::NodeList(pair) = entry else {
                return Err(self.not_known("the function in FROM", &entry));
            };
            let call = pair.get(0).unwrap_or(Node::None);
            if let (None, Node::FuncCall(call)) = (name, call) {
                name = call.funcname().iter().next_back().and_then(Node::as_str);
            }
            self.expression(sight, call)?;
            for definition in pair
                .get(1)
                .unwrap_or(Node::None)
                .as_node_list()
                .into_iter()
                .flatten()
            {
                if let Node::ColumnDef(column) = definition {
                    names.extend(column.colname().map(Cow::Borrowed));
                    self.type_used(column.type_name());
                }
            }
        }
        for column in function.coldeflist() {
            names.extend(column.colname().map(Cow::Borrowed));
            self.type_used(column.type_name());
        }
        names.extend(column_aliases(function.alias()));
        Ok(Item::new(name, Outputs::AtLeast(names)))
    }

    fn bring_table_function(
        &mut self,
        table: &'t RangeTableFunc,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Item<'t>, Rejection> {
        let sight = self.sight(scope, seen, true);
        self.expression(sight, table.docexpr())?;
        self.expression(sight, table.rowexpr())?;
        for namespace in table.namespaces() {
            self.expression(sight, namespace)?;
        }
        let mut names = Vec::new();
        for column in table.columns() {
            names.extend(column.colname().map(Cow::Borrowed));
            self.type_used(column.type_name());
            self.expression(sight, column.colexpr())?;
            self.expression(sight, column.coldefexpr())?;
        }
        let outputs = Outputs::Exactly(names).renamed(column_aliases(table.alias()));
        Ok(Item::new(
            table.alias().and_then(Alias::aliasname).or(Some("xmltable")),
            outputs,
        ))
    }

    fn bring_json_table(
        &mut self,
        table: &'t JsonTable,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Item<'t>, Rejection> {
        differences::require(&self.reading, differences::JSON_TABLE)?;
        let sight = self.sight(scope, seen, true);
        if let Some(context) = table.context_item() {
            self.expression(sight, Node::JsonValueExpr(context))?;
        }
        for passed in table.passing() {
            self.expression(sight, passed)?;
        }
        if let Some(on_error) = table.on_error() {
            self.expression(sight, Node::JsonBehavior(on_error))?;
        }
        let mut names = Vec::new();
        let mut open: Vec<_> = table.columns().iter().collect();
        while let Some(column) = open.pop() {
            self.budget.spend(1)?;
            names.extend(column.name().map(Cow::Borrowed));
            self.type_used(column.type_name());
            for behavior in [column.on_empty(), column.on_error()].into_iter().flatten() {
                self.expression(sight, Node::JsonBehavior(behavior))?;
            }
            for nested in column.columns() {
                let Node::JsonTableColumn(nested) = nested else {
                    return Err(self.not_known("the JSON_TABLE column", &nested));
                };
                open.push(nested);
            }
        }
        // Nested columns come in an order of their own, so an alias list leaves nothing certain.
        let aliases = column_aliases(table.alias());
        let outputs = if aliases.is_empty() {
            Outputs::Exactly(names)
        } else {
            Outputs::AtLeast(aliases)
        };
        Ok(Item::new(
            table.alias().and_then(Alias::aliasname).or(Some("json_table")),
            outputs,
        ))
    }

    fn bring_sample(
        &mut self,
        sample: &'t RangeTableSample,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Vec<ItemId>, Rejection> {
        let items = self.bring_item(sample.relation(), scope, seen)?;
        let (schema, method) = qualified(&strings(sample.method()));
        self.routine(schema, method, None)?;
        let sight = self.sight(scope, seen, true);
        for argument in sample.args() {
            self.expression(sight, argument)?;
        }
        self.expression(sight, sample.repeatable())?;
        Ok(items)
    }

    /// A join; chains of joins lean left, so the spine is a list.
    fn bring_join(
        &mut self,
        join: &'t JoinExpr,
        scope: ScopeId,
        seen: &[ItemId],
    ) -> Result<Vec<ItemId>, Rejection> {
        let mut spine = vec![join];
        while let Some(Node::JoinExpr(left)) = spine.last().map(|join| join.larg()) {
            self.budget.spend(1)?;
            spine.push(left);
        }
        let mut left = match spine.last() {
            Some(innermost) => self.bring_item(innermost.larg(), scope, seen)?,
            None => Vec::new(),
        };
        while let Some(join) = spine.pop() {
            let visible: Vec<ItemId> = seen.iter().chain(&left).copied().collect();
            let right = self.bring_item(join.rarg(), scope, &visible)?;
            left = self.joined(join, scope, left, right)?;
            self.budget.spend(self.scopes.take_visits())?;
        }
        Ok(left)
    }

    fn joined(
        &mut self,
        join: &'t JoinExpr,
        scope: ScopeId,
        left: Vec<ItemId>,
        right: Vec<ItemId>,
    ) -> Result<Vec<ItemId>, Rejection> {
        if join.is_natural {
            self.operator(None, "=");
            for item in left.iter().chain(&right) {
                self.scopes.touch_whole(*item, &mut self.ledger);
            }
        }
        let both: Vec<ItemId> = left.into_iter().chain(right).collect();
        let mut merged: Vec<Cow<'t, str>> = Vec::new();
        for column in join.using_clause().iter().filter_map(|name| name.sval()) {
            self.operator(None, "=");
            let beside = self.scopes.open_beside(scope, both.clone());
            self.scopes.column_here(beside, column, &mut self.ledger);
            merged.push(Cow::Borrowed(column));
        }
        // The condition sees the two sides and what is around the query, not their neighbours.
        let beside = self.scopes.open_beside(scope, both.clone());
        self.expression(beside, join.quals())?;
        let mut items = both;
        if let Some(alias) = join.alias() {
            let mut item = self.join_item(alias, &items);
            item.outputs = self.scopes.outputs_of(&items, &self.ledger);
            let renames = column_aliases(Some(alias));
            if !renames.is_empty() {
                item.renamed = true;
                for member in &items {
                    self.scopes.touch_whole(*member, &mut self.ledger);
                }
                // Merged columns come first, so places in the list are not those of the two sides.
                item.outputs = Outputs::AtLeast(renames);
            }
            items = vec![self.scopes.add_item(item)];
        }
        if let Some(alias) = join.join_using_alias() {
            let mut item = self.join_item(alias, &items);
            item.outputs = Outputs::Exactly(merged);
            item.columns_visible = false;
            item.locks.clear();
            items.push(self.scopes.add_item(item));
        }
        Ok(items)
    }

    fn join_item(&self, alias: &'t Alias, members: &[ItemId]) -> Item<'t> {
        let mut item = Item::new(alias.aliasname(), Outputs::unknown());
        item.members = members.to_vec();
        for member in members.iter().filter_map(|id| self.scopes.item(*id)) {
            item.locks.extend_from_slice(&member.locks);
        }
        item
    }
}

/// The column list of an alias.
pub(super) fn column_aliases(alias: Option<&Alias>) -> Vec<Cow<'_, str>> {
    alias
        .map(|alias| strings(alias.colnames()))
        .unwrap_or_default()
        .into_iter()
        .map(Cow::Borrowed)
        .collect()
}
