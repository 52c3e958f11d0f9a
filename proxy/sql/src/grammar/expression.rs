//! Expressions: columns, operators, casts, subqueries. Walked with a list of our own, never by recursion.

use pg_raw_parse::Node;
use pg_raw_parse::list::NodeList;
use pg_raw_parse::nodes::{A_Expr, A_Expr_Kind, ColumnRef, SubLink, SubLinkType, TypeName};

use super::walk::{Walk, qualified, strings};
use crate::routines::Class;
use crate::scope::{Placed, Qualifier, ScopeId};
use crate::{Rejection, built_in, differences};

impl<'t> Walk<'t> {
    /// Walks an expression: what it touches, calls and casts to.
    pub(super) fn expression(&mut self, scope: ScopeId, root: Node<'t>) -> Result<(), Rejection> {
        if matches!(root, Node::None) {
            return Ok(());
        }
        let mut open = vec![root];
        while let Some(node) = open.pop() {
            self.budget.spend(1)?;
            self.one(scope, node, &mut open)?;
        }
        Ok(())
    }

    /// Looks at one node and puts what stands inside it on the list.
    fn one(&mut self, scope: ScopeId, node: Node<'t>, open: &mut Vec<Node<'t>>) -> Result<(), Rejection> {
        match node {
            Node::None
            | Node::A_Const(_)
            | Node::ParamRef(_)
            | Node::SetToDefault(_)
            | Node::SQLValueFunction(_)
            | Node::CurrentOfExpr(_)
            | Node::A_Star(_)
            | Node::JsonFormat(_)
            | Node::Integer(_)
            | Node::Float(_)
            | Node::Boolean(_)
            | Node::BitString(_)
            | Node::String(_) => {}
            Node::MergeSupportFunc(_) => differences::require(&self.reading, differences::MERGE_ACTION)?,
            Node::NodeList(list) => open.extend(list),
            Node::ColumnRef(column) => self.column(scope, column)?,
            Node::A_Expr(expression) => {
                self.operator_of(expression);
                open.extend([expression.lexpr(), expression.rexpr()]);
            }
            Node::BoolExpr(expression) => open.extend(expression.args()),
            Node::FuncCall(call) => self.call(scope, call, open)?,
            Node::TypeCast(cast) => {
                self.type_used(cast.type_name());
                open.push(cast.arg());
            }
            Node::SubLink(link) => self.subquery(scope, link, open)?,
            Node::CaseExpr(case) => {
                if !matches!(case.arg(), Node::None) {
                    self.operator(None, "=");
                }
                open.extend(case.args());
                open.extend([case.arg(), case.defresult()]);
            }
            Node::CaseWhen(when) => open.extend([when.expr(), when.result()]),
            Node::CoalesceExpr(expression) => open.extend(expression.args()),
            Node::MinMaxExpr(expression) => open.extend(expression.args()),
            Node::NullTest(test) => open.push(test.arg()),
            Node::BooleanTest(test) => open.push(test.arg()),
            Node::A_ArrayExpr(array) => open.extend(array.elements()),
            Node::RowExpr(row) => open.extend(row.args()),
            Node::A_Indices(indices) => open.extend([indices.lidx(), indices.uidx()]),
            Node::A_Indirection(indirection) => {
                open.push(indirection.arg());
                self.indirection(indirection.indirection(), open);
            }
            Node::CollateClause(collate) => open.push(collate.arg()),
            Node::NamedArgExpr(argument) => open.push(argument.arg()),
            Node::GroupingFunc(grouping) => open.extend(grouping.args()),
            Node::GroupingSet(set) => open.extend(set.content()),
            // Every column of a row assignment carries the same source: it is looked at once.
            Node::MultiAssignRef(assign) if assign.colno > 1 => {}
            Node::MultiAssignRef(assign) => open.push(assign.source()),
            Node::ResTarget(target) => {
                open.push(target.val());
                self.indirection(target.indirection(), open);
            }
            Node::SortBy(sort) => {
                self.operator_names(sort.use_op());
                open.push(sort.node());
            }
            Node::WindowDef(window) => {
                open.extend(window.partition_clause());
                open.extend(window.order_clause().iter().map(Node::SortBy));
                open.extend([window.start_offset(), window.end_offset()]);
            }
            Node::XmlExpr(xml) => {
                open.extend(xml.named_args());
                open.extend(xml.args());
            }
            Node::XmlSerialize(xml) => {
                self.type_used(xml.type_name());
                open.push(xml.expr());
            }
            other => return self.json(scope, other, open),
        }
        Ok(())
    }

    /// The SQL/JSON expressions.
    fn json(&mut self, scope: ScopeId, node: Node<'t>, open: &mut Vec<Node<'t>>) -> Result<(), Rejection> {
        match node {
            Node::JsonValueExpr(value) => open.extend([value.raw_expr(), value.formatted_expr()]),
            Node::JsonArgument(argument) => open.extend(argument.val().map(Node::JsonValueExpr)),
            Node::JsonKeyValue(pair) => {
                open.push(pair.key());
                open.extend(pair.value().map(Node::JsonValueExpr));
            }
            Node::JsonBehavior(behavior) => open.push(behavior.expr()),
            Node::JsonOutput(output) => self.type_used(output.type_name()),
            Node::JsonObjectConstructor(object) => {
                differences::require(&self.reading, differences::JSON_OBJECT)?;
                open.extend(object.exprs().iter().map(Node::JsonKeyValue));
                open.extend(object.output().map(Node::JsonOutput));
            }
            Node::JsonArrayConstructor(array) => {
                differences::require(&self.reading, differences::JSON_ARRAY)?;
                open.extend(array.exprs().iter().map(Node::JsonValueExpr));
                open.extend(array.output().map(Node::JsonOutput));
            }
            Node::JsonArrayQueryConstructor(array) => {
                differences::require(&self.reading, differences::JSON_ARRAY)?;
                self.inner_query(scope, array.query())?;
                open.extend(array.output().map(Node::JsonOutput));
            }
            Node::JsonObjectAgg(aggregate) => {
                differences::require(&self.reading, differences::JSON_OBJECTAGG)?;
                open.extend(aggregate.arg().map(Node::JsonKeyValue));
                open.extend(aggregate.constructor().map(Node::JsonAggConstructor));
            }
            Node::JsonArrayAgg(aggregate) => {
                differences::require(&self.reading, differences::JSON_ARRAYAGG)?;
                open.extend(aggregate.arg().map(Node::JsonValueExpr));
                open.extend(aggregate.constructor().map(Node::JsonAggConstructor));
            }
            Node::JsonAggConstructor(aggregate) => {
                open.push(aggregate.agg_filter());
                open.extend(aggregate.agg_order());
                open.extend(aggregate.over().map(Node::WindowDef));
                open.extend(aggregate.output().map(Node::JsonOutput));
            }
            Node::JsonFuncExpr(function) => {
                differences::require(&self.reading, differences::JSON_QUERIES)?;
                open.extend(function.context_item().map(Node::JsonValueExpr));
                open.push(function.pathspec());
                open.extend(function.passing());
                open.extend(function.output().map(Node::JsonOutput));
                let behaviors = [function.on_empty(), function.on_error()];
                open.extend(behaviors.into_iter().flatten().map(Node::JsonBehavior));
            }
            Node::JsonIsPredicate(predicate) => open.push(predicate.expr()),
            Node::JsonParseExpr(parse) => {
                differences::require(&self.reading, differences::JSON)?;
                open.extend(parse.expr().map(Node::JsonValueExpr));
                open.extend(parse.output().map(Node::JsonOutput));
            }
            Node::JsonScalarExpr(scalar) => {
                differences::require(&self.reading, differences::JSON_SCALAR)?;
                open.push(scalar.expr());
                open.extend(scalar.output().map(Node::JsonOutput));
            }
            Node::JsonSerializeExpr(serialize) => {
                differences::require(&self.reading, differences::JSON_SERIALIZE)?;
                open.extend(serialize.expr().map(Node::JsonValueExpr));
                open.extend(serialize.output().map(Node::JsonOutput));
            }
            other => return Err(self.not_known("the expression", &other)),
        }
        Ok(())
    }

    fn column(&mut self, scope: ScopeId, column: &'t ColumnRef) -> Result<(), Rejection> {
        self.place_column(scope, column)?;
        // Every column may meet every relation in sight: that is work, too.
        self.budget.spend(self.scopes.take_visits())
    }

    fn place_column(&mut self, scope: ScopeId, column: &'t ColumnRef) -> Result<(), Rejection> {
        let fields = column.fields();
        let starred = matches!(fields.iter().next_back(), Some(Node::A_Star(_)));
        let parts = strings(fields);
        let (qualifier, name) = match (parts.as_slice(), starred) {
            ([], true) => {
                self.scopes.star(scope, &mut self.ledger);
                return Ok(());
            }
            (&[.., schema, relation], true) => {
                let qualifier = Qualifier {
                    schema: Some(schema),
                    relation,
                };
                self.scopes.star_of(scope, qualifier, &mut self.ledger);
                return Ok(());
            }
            (&[relation], true) => {
                self.scopes.star_of(
                    scope,
                    Qualifier {
                        schema: None,
                        relation,
                    },
                    &mut self.ledger,
                );
                return Ok(());
            }
            (&[name], false) => {
                self.scopes.column(scope, name, &mut self.ledger);
                return Ok(());
            }
            (&[relation, name], false) => (
                Qualifier {
                    schema: None,
                    relation,
                },
                name,
            ),
            (&[.., schema, relation, name], false) => (
                Qualifier {
                    schema: Some(schema),
                    relation,
                },
                name,
            ),
            ([], false) => return Err(Rejection::not_understood("a column without a name")),
        };
        let placed = self.scopes.qualified(scope, qualifier, name, &mut self.ledger);
        if placed == Placed::Perhaps && self.function_as_column(name) {
            // The function would get the whole row.
            self.scopes.star_of(scope, qualifier, &mut self.ledger);
        }
        Ok(())
    }

    /// `row.name` may call a function of that name with the row as its argument; whether there is one.
    fn function_as_column(&mut self, name: &'t str) -> bool {
        let found = self.names.user_routines(None, name);
        let class = crate::routines::class_of(name);
        let callable = !found.is_empty() || class.is_some();
        for schema in found {
            self.execute(schema, name, Class::User);
        }
        if let Some(class) = class.filter(|class| *class != Class::Plain) {
            self.built_in_without_arguments(name, class);
        }
        callable
    }

    pub(super) fn indirection(&mut self, list: &'t NodeList, open: &mut Vec<Node<'t>>) {
        for node in list {
            match node {
                Node::String(name) => {
                    self.function_as_column(name.sval().unwrap_or_default());
                }
                other => open.push(other),
            }
        }
    }

    fn subquery(
        &mut self,
        scope: ScopeId,
        link: &'t SubLink,
        open: &mut Vec<Node<'t>>,
    ) -> Result<(), Rejection> {
        if matches!(
            link.sub_link_type,
            SubLinkType::ANY_SUBLINK | SubLinkType::ALL_SUBLINK
        ) {
            match link.oper_name().is_empty() {
                true => self.operator(None, "="),
                false => self.operator_names(link.oper_name()),
            }
        }
        open.push(link.testexpr());
        self.inner_query(scope, link.subselect())
    }

    /// A query inside an expression sees everything that the expression sees.
    pub(super) fn inner_query(&mut self, scope: ScopeId, query: Node<'t>) -> Result<(), Rejection> {
        match query {
            Node::SelectStmt(select) => self.select(select, Some(scope)).map(|_| ()),
            other => Err(self.not_known("the subquery", &other)),
        }
    }

    fn operator_of(&mut self, expression: &'t A_Expr) {
        let operators: &[&str] = match expression.kind {
            A_Expr_Kind::AEXPR_BETWEEN | A_Expr_Kind::AEXPR_BETWEEN_SYM => &[">=", "<="],
            A_Expr_Kind::AEXPR_NOT_BETWEEN | A_Expr_Kind::AEXPR_NOT_BETWEEN_SYM => &["<", ">"],
            _ => {
                self.operator_names(expression.name());
                return;
            }
        };
        for operator in operators {
            self.operator(None, operator);
        }
    }

    /// An operator as the text names it: `op` or `OPERATOR(schema.op)`.
    pub(super) fn operator_names(&mut self, names: &'t NodeList) {
        if names.is_empty() {
            return;
        }
        if names.len() == 1 {
            if let Some(name) = names.first().and_then(Node::as_str) {
                self.operator(None, name);
            }
            return;
        }
        let (schema, name) = qualified(&strings(names));
        self.operator(schema, name);
    }

    /// Whoever made an operator outside `pg_catalog` chose the routine behind it.
    pub(super) fn operator(&mut self, schema: Option<&'t str>, name: &str) {
        for schema in self.names.user_operators(schema, name) {
            self.execute(schema, name, Class::User);
        }
    }

    /// A type that a value is turned into: outside `pg_catalog` that runs somebody's routines.
    pub(super) fn type_used(&mut self, type_name: Option<&'t TypeName>) {
        let Some(type_name) = type_name else { return };
        let names = type_name.names();
        let mut parts = names.iter().rev().filter_map(|name| name.sval());
        let name = parts.next().unwrap_or_default();
        let mut schema = parts.next();
        if schema == Some("pg_catalog") && differences::looked_up(&self.reading, name) {
            schema = None;
        }
        let mut found = self.names.user_types(schema, name);
        if found.is_empty() && schema.is_none() && !built_in::is_type(name) {
            // Nobody knows this type: it counts wherever it may stand.
            found = self.names.routine_schemas();
        }
        for schema in found {
            for (cast_schema, cast) in self.names.casts_to(&schema, name) {
                self.execute(cast_schema, &cast, Class::User);
            }
            self.execute(schema, name, Class::User);
        }
        if schema.is_none_or(|schema| schema == "pg_catalog") {
            for (cast_schema, cast) in self.names.casts_to("pg_catalog", name) {
                self.execute(cast_schema, &cast, Class::User);
            }
            if is_name_type(name) {
                self.execute("pg_catalog".into(), name, Class::Catalogue);
            }
        }
    }
}

/// Types whose input is a name looked up in the catalogue.
pub(super) fn is_name_type(name: &str) -> bool {
    matches!(
        name,
        "regclass"
            | "regproc"
            | "regprocedure"
            | "regoper"
            | "regoperator"
            | "regtype"
            | "regrole"
            | "regnamespace"
            | "regconfig"
            | "regdictionary"
            | "regcollation"
            | "regdatabase"
    )
}
