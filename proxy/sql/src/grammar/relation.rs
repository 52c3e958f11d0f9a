//! Relations that come to be: tables, views, indexes, sequences, and the expressions inside their definitions.

use std::borrow::Cow;
use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::list::NodeList;
use pg_raw_parse::nodes::{
    AlterSeqStmt, ColumnDef, ConstrType, Constraint, CreateSeqStmt, CreateStmt, CreateTableAsStmt, DefElem,
    IndexElem, IndexStmt, IntoClause, ObjectType, PartitionBoundSpec, PartitionSpec, RangeVar, ViewStmt,
};

use super::walk::{Declaration, Walk, qualified, strings};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object};
use crate::ledger::Named;
use crate::names::{Candidate, is_temporary};
use crate::routines::Class;
use crate::scope::{Item, Outputs, ScopeId};

impl<'t> Walk<'t> {
    pub(super) fn create_table(&mut self, create: &'t CreateStmt) -> Result<(), Rejection> {
        let Some(relation) = create.relation() else {
            return Err(Rejection::not_understood("a table without a name"));
        };
        let mut columns = Vec::new();
        let mut exact = create.inh_relations().is_empty() && create.of_typename().is_none();
        for element in create.table_elts() {
            match element {
                Node::ColumnDef(column) => columns.extend(column.colname().map(Cow::Borrowed)),
                Node::TableLikeClause(_) => exact = false,
                _ => {}
            }
        }
        let scope = self.scopes.open(None);
        let own = Item::new(relation.relname(), Outputs::AtLeast(columns.clone()));
        let own = self.scopes.add_item(own);
        self.scopes.place(scope, &[own]);
        self.table_elements(create.table_elts(), scope)?;
        for parent in create.inh_relations() {
            let Node::RangeVar(parent) = parent else {
                return Err(self.not_known("the parent table", &parent));
            };
            let candidates = self.relations(parent)?;
            self.define(Action::Alter, "table", &candidates);
        }
        if let Some(bound) = create.partbound() {
            self.partition_bound(bound)?;
        }
        if let Some(spec) = create.partspec() {
            self.partition_spec(spec, scope)?;
        }
        self.create_relation(relation, "table", exact.then_some(columns));
        Ok(())
    }

    fn table_elements(&mut self, elements: &'t NodeList, scope: ScopeId) -> Result<(), Rejection> {
        for element in elements {
            self.budget.spend(1)?;
            match element {
                Node::ColumnDef(column) => self.column_definition(column, scope)?,
                Node::Constraint(constraint) => self.constraint(constraint, scope)?,
                Node::TableLikeClause(like) => {
                    // LIKE needs to read its model, as PostgreSQL's own check says.
                    if let Some(model) = like.relation() {
                        let candidates = self.relations(model)?;
                        let used = self.read(candidates, Named::ToRead);
                        self.ledger.touch_whole(used);
                    }
                }
                other => return Err(self.not_known("the table element", &other)),
            }
        }
        Ok(())
    }

    pub(super) fn column_definition(
        &mut self,
        column: &'t ColumnDef,
        scope: ScopeId,
    ) -> Result<(), Rejection> {
        self.expression(scope, column.raw_default())?;
        for constraint in column.constraints() {
            let Node::Constraint(constraint) = constraint else {
                return Err(self.not_known("the column constraint", &constraint));
            };
            self.constraint(constraint, scope)?;
        }
        Ok(())
    }

    pub(super) fn constraint(&mut self, constraint: &'t Constraint, scope: ScopeId) -> Result<(), Rejection> {
        self.expression(scope, constraint.raw_expr())?;
        self.expression(scope, constraint.where_clause())?;
        for exclusion in constraint.exclusions() {
            // Each exclusion is a pair: what is compared, and the operator.
            let Node::NodeList(pair) = exclusion else {
                return Err(self.not_known("the exclusion", &exclusion));
            };
            self.index_element(pair.get(0).unwrap_or(Node::None), scope)?;
            if let Some(Node::NodeList(operator)) = pair.get(1) {
                self.operator_names(operator);
            }
        }
        if constraint.contype == ConstrType::CONSTR_FOREIGN
            && let Some(referenced) = constraint.pktable()
        {
            let candidates = self.relations(referenced)?;
            self.define(Action::Alter, "constraint", &candidates);
        }
        for option in constraint.options() {
            self.sequence_option(option)?;
        }
        Ok(())
    }

    pub(super) fn partition_bound(&mut self, bound: &'t PartitionBoundSpec) -> Result<(), Rejection> {
        // MINVALUE and MAXVALUE look like columns here: nothing is in sight of a bound.
        let nothing = self.scopes.open(None);
        for values in [bound.listdatums(), bound.lowerdatums(), bound.upperdatums()] {
            for value in values {
                self.expression(nothing, value)?;
            }
        }
        Ok(())
    }

    fn partition_spec(&mut self, spec: &'t PartitionSpec, scope: ScopeId) -> Result<(), Rejection> {
        for part in spec.part_params() {
            self.expression(scope, part.expr())?;
            self.operator_class(&strings(part.opclass()));
        }
        Ok(())
    }

    /// Where a relation that is created will stand; more than one place if an earlier statement may have moved it.
    fn places_of(&mut self, relation: &'t RangeVar) -> Vec<Arc<str>> {
        if let Some(schema) = relation.schemaname() {
            return vec![self.names.schema_named(schema)];
        }
        match u8::try_from(relation.relpersistence) {
            Ok(b't') => vec![self.names.temporary_schema()],
            _ => self.names.creation_schemas(),
        }
    }

    /// A relation comes to be: the effect on its name, and what later statements of the text find.
    pub(super) fn create_relation(
        &mut self,
        relation: &'t RangeVar,
        kind: &'static str,
        columns: Option<Vec<Cow<'t, str>>>,
    ) {
        let name = relation.relname().unwrap_or_default();
        let places = self.places_of(relation);
        self.ledger.moves_names = true;
        let temporary = places.iter().any(|schema| is_temporary(schema));
        if temporary || (relation.schemaname().is_none() && self.names.has_temporary_schema()) {
            // With `pg_temp` first on the search path any bare name may become a temporary relation.
            self.ledger.leaves_something = true;
        }
        if places.is_empty() {
            self.on_database(Action::Create, Detail::Kind(kind));
        }
        for schema in places {
            let object = Object::Table {
                schema: schema.clone(),
                name: Arc::from(name),
            };
            self.ledger.relations.insert((schema.clone(), Arc::from(name)));
            self.ledger
                .add(Effect::with(Action::Create, object, Detail::Kind(kind)));
            let (name, columns) = (Cow::Borrowed(name), columns.clone());
            self.declarations.push(Declaration::Relation {
                schema,
                name,
                columns,
            });
        }
    }

    /// CREATE TABLE AS and CREATE MATERIALIZED VIEW.
    pub(super) fn create_table_as(&mut self, create: &'t CreateTableAsStmt) -> Result<(), Rejection> {
        let outputs = match create.query() {
            Node::SelectStmt(select) => self.select(select, None)?.outputs,
            Node::ExecuteStmt(execute) => {
                self.execute_prepared(execute)?;
                Outputs::unknown()
            }
            other => return Err(self.not_known("the query", &other)),
        };
        let kind = if create.objtype == ObjectType::OBJECT_MATVIEW {
            "materialized view"
        } else {
            "table"
        };
        match create.into() {
            Some(into) => self.create_from_query(into, &outputs, kind),
            None => Err(Rejection::not_understood("a table without a name")),
        }
    }

    /// CREATE TABLE AS and SELECT INTO: the relation that takes the rows.
    pub(super) fn create_from_query(
        &mut self,
        into: &'t IntoClause,
        outputs: &Outputs<'t>,
        kind: &'static str,
    ) -> Result<(), Rejection> {
        let Some(relation) = into.rel() else {
            return Err(Rejection::not_understood("a table without a name"));
        };
        let aliases: Vec<Cow<'t, str>> = strings(into.col_names()).into_iter().map(Cow::Borrowed).collect();
        let columns = match outputs.clone().renamed(aliases) {
            Outputs::Exactly(names) => Some(names),
            _ => None,
        };
        self.create_relation(relation, kind, columns);
        Ok(())
    }

    pub(super) fn create_view(&mut self, create: &'t ViewStmt) -> Result<(), Rejection> {
        let Node::SelectStmt(select) = create.query() else {
            return Err(self.not_known("the view's query", &create.query()));
        };
        let outputs = self.select(select, None)?.outputs;
        let aliases = strings(create.aliases()).into_iter().map(Cow::Borrowed).collect();
        let columns = match outputs.renamed(aliases) {
            Outputs::Exactly(names) => Some(names),
            _ => None,
        };
        let Some(view) = create.view() else {
            return Err(Rejection::not_understood("a view without a name"));
        };
        self.create_relation(view, "view", columns);
        Ok(())
    }

    pub(super) fn create_index(&mut self, create: &'t IndexStmt) -> Result<(), Rejection> {
        let Some(relation) = create.relation() else {
            return Err(Rejection::not_understood("an index without a table"));
        };
        let candidates = self.relations(relation)?;
        let scope = self.definition_scope(&candidates, relation.relname());
        for element in create.index_params() {
            self.index_column(element, scope)?;
        }
        self.expression(scope, create.where_clause())?;
        self.define(Action::Create, "index", &candidates);
        if let Some(name) = create.idxname() {
            for candidate in &candidates {
                let object = Object::Table {
                    schema: candidate.schema.clone(),
                    name: Arc::from(name),
                };
                self.ledger
                    .add(Effect::with(Action::Create, object, Detail::Kind("index")));
                let schema = candidate.schema.clone();
                self.declarations.push(Declaration::Relation {
                    schema,
                    name: Cow::Borrowed(name),
                    columns: None,
                });
            }
        }
        self.ledger.moves_names = true;
        Ok(())
    }

    /// A scope for expressions in a definition on a relation: its own columns are no reads.
    pub(super) fn definition_scope(
        &mut self,
        candidates: &[Candidate<'t>],
        name: Option<&'t str>,
    ) -> ScopeId {
        let scope = self.scopes.open(None);
        let item = self.silent_item(candidates, name);
        let item = self.scopes.add_item(item);
        self.scopes.place(scope, &[item]);
        scope
    }

    /// A relation in sight whose columns may be named without being read.
    pub(super) fn silent_item(&mut self, candidates: &[Candidate<'t>], name: Option<&'t str>) -> Item<'t> {
        let outputs = match candidates {
            [candidate] => candidate.outputs(),
            _ => Outputs::unknown(),
        };
        Item::new(name, outputs)
    }

    /// One column or expression of an index, or of a conflict target.
    pub(super) fn index_element(&mut self, element: Node<'t>, scope: ScopeId) -> Result<(), Rejection> {
        let Node::IndexElem(element) = element else {
            return Err(self.not_known("the index element", &element));
        };
        self.index_column(element, scope)
    }

    pub(super) fn index_column(&mut self, element: &'t IndexElem, scope: ScopeId) -> Result<(), Rejection> {
        if let Some(name) = element.name() {
            self.scopes.column_here(scope, name, &mut self.ledger);
        }
        self.expression(scope, element.expr())?;
        self.operator_class(&strings(element.opclass()));
        Ok(())
    }

    /// An operator class outside `pg_catalog` brings its own routines.
    pub(super) fn operator_class(&mut self, names: &[&'t str]) {
        if let (Some(schema), name) = qualified(names)
            && schema != "pg_catalog"
        {
            let schema = self.names.schema_named(schema);
            self.execute(schema, name, Class::User);
        }
    }

    pub(super) fn create_sequence(&mut self, create: &'t CreateSeqStmt) -> Result<(), Rejection> {
        for option in create.options() {
            self.sequence_option(option)?;
        }
        let Some(sequence) = create.sequence() else {
            return Err(Rejection::not_understood("a sequence without a name"));
        };
        self.create_relation(sequence, "sequence", None);
        Ok(())
    }

    pub(super) fn alter_sequence(&mut self, alter: &'t AlterSeqStmt) -> Result<(), Rejection> {
        for option in alter.options() {
            self.sequence_option(option)?;
        }
        let Some(sequence) = alter.sequence() else {
            return Err(Rejection::not_understood("a sequence without a name"));
        };
        let candidates = self.relations(sequence)?;
        self.define(Action::Alter, "sequence", &candidates);
        self.ledger.moves_names = true;
        Ok(())
    }

    /// OWNED BY ties a sequence to a table's column; SEQUENCE NAME names another relation.
    fn sequence_option(&mut self, option: Node<'t>) -> Result<(), Rejection> {
        let Node::DefElem(option) = option else {
            return Err(self.not_known("the option", &option));
        };
        match (option.defname().unwrap_or_default(), option.arg()) {
            ("owned_by", Node::NodeList(name)) => {
                let mut parts = strings(name);
                parts.pop();
                if parts.is_empty() {
                    return Ok(());
                }
                let (schema, name) = qualified(&parts);
                let candidates = self.names.relations(schema, name)?;
                self.define(Action::Alter, "table", &candidates);
            }
            ("sequence_name", Node::NodeList(name)) => {
                let (schema, name) = qualified(&strings(name));
                let candidates = self.names.relations(schema, name)?;
                self.define(Action::Alter, "sequence", &candidates);
            }
            _ => {}
        }
        Ok(())
    }
}

/// An option's name and text, where it has one.
pub(super) fn text_of(option: &DefElem) -> Option<&str> {
    match option.arg() {
        Node::String(text) => text.sval(),
        _ => None,
    }
}
