//! Whether a WHERE clause limits rows by a column compared with a parameter or a literal.

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{A_Expr, A_Expr_Kind, BoolExprType, ColumnRef};

use super::walk::strings;
use crate::names::Candidate;

/// Whether one of the conditions that are joined by AND at the top compares a column of the relation.
pub(super) fn limits(condition: Node<'_>, alias: Option<&str>, candidates: &[Candidate<'_>]) -> bool {
    let mut open = vec![condition];
    while let Some(node) = open.pop() {
        match node {
            Node::BoolExpr(expression) if expression.boolop == BoolExprType::AND_EXPR => {
                open.extend(expression.args());
            }
            Node::A_Expr(expression) if compares(expression, alias, candidates) => return true,
            _ => {}
        }
    }
    false
}

fn compares(expression: &A_Expr, alias: Option<&str>, candidates: &[Candidate<'_>]) -> bool {
    let (left, right) = (expression.lexpr(), expression.rexpr());
    let is_column = |node| is_column(node, alias, candidates);
    match expression.kind {
        A_Expr_Kind::AEXPR_OP => {
            let limiting = expression.name().iter().next_back().and_then(Node::as_str);
            let limiting = matches!(limiting, Some("=" | "<" | "<=" | ">" | ">="));
            limiting && ((is_column(left) && is_value(right)) || (is_column(right) && is_value(left)))
        }
        A_Expr_Kind::AEXPR_OP_ANY => {
            let equal = expression.name().iter().next_back().and_then(Node::as_str) == Some("=");
            equal && is_column(left) && is_value(right)
        }
        A_Expr_Kind::AEXPR_IN => {
            // NOT IN comes as `<>`.
            let equal = expression.name().iter().next_back().and_then(Node::as_str) == Some("=");
            let values = right.as_node_list().is_some_and(|list| list.iter().all(is_value));
            equal && values && is_column(left)
        }
        A_Expr_Kind::AEXPR_BETWEEN | A_Expr_Kind::AEXPR_BETWEEN_SYM => {
            let values = right.as_node_list().is_some_and(|list| list.iter().all(is_value));
            values && is_column(left)
        }
        _ => false,
    }
}

/// A column of the relation that is written to, bare or under a cast.
fn is_column(node: Node<'_>, alias: Option<&str>, candidates: &[Candidate<'_>]) -> bool {
    match without_casts(node) {
        Node::ColumnRef(column) => belongs(column, alias, candidates),
        _ => false,
    }
}

fn belongs(column: &ColumnRef, alias: Option<&str>, candidates: &[Candidate<'_>]) -> bool {
    let parts = strings(column.fields());
    if parts.len() != column.fields().len() {
        return false;
    }
    match parts.as_slice() {
        [name] => candidates
            .iter()
            .all(|candidate| candidate.has_column(name) != Some(false)),
        [.., relation, _] => {
            let named = |candidate: &Candidate<'_>| candidate.name == *relation;
            alias.map_or_else(|| candidates.iter().all(named), |alias| alias == *relation)
        }
        [] => false,
    }
}

/// A parameter, a literal, or an array of them.
fn is_value(node: Node<'_>) -> bool {
    match without_casts(node) {
        Node::A_Const(_) | Node::ParamRef(_) => true,
        Node::A_ArrayExpr(array) => array
            .elements()
            .iter()
            .all(|element| matches!(without_casts(element), Node::A_Const(_) | Node::ParamRef(_))),
        _ => false,
    }
}

fn without_casts(mut node: Node<'_>) -> Node<'_> {
    for _ in 0..8 {
        match node {
            Node::TypeCast(cast) => node = cast.arg(),
            _ => return node,
        }
    }
    node
}
