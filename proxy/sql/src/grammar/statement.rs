//! Where every statement starts: which family walks it. A kind that no arm names is not understood.

use pg_raw_parse::Node;
use pg_raw_parse::nodes::RawStmt;

use super::server::Reach;
use super::tag::tag_of;
use super::walk::{Walk, strings};
use crate::Rejection;
use crate::effect::{Action, Detail, Effect, Object, Statement};

impl<'t> Walk<'t> {
    pub(super) fn top_statement(&mut self, raw: &'t RawStmt) -> Result<Statement, Rejection> {
        let start = usize::try_from(raw.stmt_location).unwrap_or(0);
        let length = usize::try_from(raw.stmt_len).unwrap_or(0);
        let end = if length == 0 {
            self.text.len()
        } else {
            start + length
        };
        let mut statement = self.separately(raw.stmt())?;
        statement.span = start..end.min(self.text.len());
        Ok(statement)
    }

    /// Walks a statement with a ledger of its own.
    pub(super) fn separately(&mut self, node: Node<'t>) -> Result<Statement, Rejection> {
        let ledger = std::mem::take(&mut self.ledger);
        let only = std::mem::take(&mut self.only);
        let with_descendants = std::mem::take(&mut self.with_descendants);
        self.ledger.add(Effect::new(Action::Use, Object::Database));
        let walked = self.statement(node);
        let kin = self.kin();
        let finished = std::mem::replace(&mut self.ledger, ledger).into_effects(&kin);
        self.only = only;
        self.with_descendants = with_descendants;
        walked?;
        Ok(Statement {
            span: 0..0,
            tag: tag_of(&node),
            effects: finished.effects,
            changes: finished.changes,
            plain: !finished.leaves_something,
            moves_names: finished.moves_names,
            takes_snapshot: takes_snapshot(&node),
            relations: finished.relations,
        })
    }

    /// Takes over what a statement inside another one would do.
    pub(super) fn adopt(&mut self, inner: &Statement) {
        for effect in &inner.effects {
            self.ledger.add(effect.clone());
        }
        self.ledger.relations.extend(inner.relations.iter().cloned());
        self.ledger.leaves_something |= !inner.plain;
        self.ledger.moves_names |= inner.moves_names;
    }

    pub(super) fn statement(&mut self, node: Node<'t>) -> Result<(), Rejection> {
        self.budget.enter()?;
        match node {
            Node::SelectStmt(select) => self.select(select, None).map(|_| ())?,
            Node::InsertStmt(insert) => self.insert(insert, None).map(|_| ())?,
            Node::UpdateStmt(update) => self.update(update, None).map(|_| ())?,
            Node::DeleteStmt(delete) => self.delete(delete, None).map(|_| ())?,
            Node::MergeStmt(merge) => self.merge(merge, None).map(|_| ())?,
            Node::CopyStmt(copy) => self.copy(copy)?,
            Node::TransactionStmt(transaction) => self.transaction(transaction)?,
            Node::VariableSetStmt(set) => self.set(set)?,
            Node::VariableShowStmt(show) => self.show(show),
            Node::ConstraintsSetStmt(_) => self.on_database(Action::Transaction, Detail::None),
            Node::PrepareStmt(prepare) => self.prepare(prepare)?,
            Node::ExecuteStmt(execute) => self.execute_prepared(execute)?,
            Node::DeallocateStmt(deallocate) => self.deallocate(deallocate),
            Node::DeclareCursorStmt(declare) => self.declare_cursor(declare)?,
            Node::FetchStmt(fetch) => self.fetch(fetch),
            Node::ClosePortalStmt(close) => self.close(close),
            Node::ExplainStmt(explain) => self.explain(explain)?,
            Node::ListenStmt(listen) => self.listen(listen),
            Node::UnlistenStmt(unlisten) => self.unlisten(unlisten),
            Node::NotifyStmt(notify) => self.notify(notify),
            Node::DiscardStmt(discard) => self.discard(discard)?,
            Node::DoStmt(block) => self.do_block(block),
            Node::CallStmt(call) => self.call_procedure(call)?,
            Node::LoadStmt(_) => self.load(),
            Node::CheckPointStmt(_) => self.on_database(Action::Checkpoint, Detail::None),
            Node::TruncateStmt(truncate) => self.truncate(truncate)?,
            Node::LockStmt(lock) => self.lock(lock)?,
            Node::VacuumStmt(vacuum) => self.vacuum(vacuum)?,
            Node::ClusterStmt(cluster) => self.cluster(cluster)?,
            Node::ReindexStmt(reindex) => self.reindex(reindex)?,
            Node::RefreshMatViewStmt(refresh) => self.refresh(refresh)?,
            Node::CommentStmt(comment) => self.comment(comment)?,
            Node::SecLabelStmt(label) => self.security_label(label)?,
            other => self.definition(other)?,
        }
        self.budget.leave();
        Ok(())
    }

    fn definition(&mut self, node: Node<'t>) -> Result<(), Rejection> {
        match node {
            Node::CreateSchemaStmt(create) => self.create_schema(create)?,
            Node::CreateStmt(create) => self.create_table(create)?,
            Node::CreateTableAsStmt(create) => self.create_table_as(create)?,
            Node::ViewStmt(create) => self.create_view(create)?,
            Node::IndexStmt(create) => self.create_index(create)?,
            Node::CreateSeqStmt(create) => self.create_sequence(create)?,
            Node::AlterSeqStmt(alter) => self.alter_sequence(alter)?,
            Node::AlterTableStmt(alter) => self.alter_table(alter)?,
            Node::RenameStmt(rename) => self.rename(rename)?,
            Node::AlterObjectSchemaStmt(alter) => self.set_schema(alter)?,
            Node::AlterOwnerStmt(alter) => self.set_owner(alter)?,
            Node::AlterObjectDependsStmt(alter) => self.depends(alter)?,
            Node::DropStmt(drop) => self.drop(drop)?,
            Node::CreateFunctionStmt(create) => self.create_function(create)?,
            Node::AlterFunctionStmt(alter) => self.alter_function(alter)?,
            Node::CreateTrigStmt(create) => self.create_trigger(create)?,
            Node::CreateEventTrigStmt(create) => self.create_event_trigger(create)?,
            Node::AlterEventTrigStmt(_) => self.on_database_kind(Action::Alter, "event trigger"),
            Node::RuleStmt(rule) => self.create_rule(rule)?,
            Node::CreatePolicyStmt(create) => self.create_policy(create)?,
            Node::AlterPolicyStmt(alter) => self.alter_policy(alter)?,
            Node::CompositeTypeStmt(create) => self.create_composite(create),
            Node::CreateEnumStmt(create) => self.create_type("type", create.type_name()),
            Node::CreateRangeStmt(create) => self.create_type("type", create.type_name()),
            Node::AlterEnumStmt(alter) => {
                let parts: Vec<_> = alter.type_name().iter().filter_map(|part| part.sval()).collect();
                self.alter_in_schema("type", &parts);
            }
            Node::AlterTypeStmt(alter) => self.alter_in_schema("type", &strings(alter.type_name())),
            Node::CreateDomainStmt(create) => self.create_domain(create)?,
            Node::AlterDomainStmt(alter) => self.alter_domain(alter)?,
            Node::DefineStmt(define) => self.define_statement(define)?,
            Node::CreateCastStmt(create) => self.create_cast(create)?,
            Node::CreateConversionStmt(create) => self.create_conversion(create)?,
            Node::CreateTransformStmt(_) => self.on_database_kind(Action::Create, "transform"),
            Node::CreateStatsStmt(create) => self.create_statistics(create)?,
            Node::AlterStatsStmt(alter) => {
                let parts: Vec<_> = alter.defnames().iter().filter_map(|part| part.sval()).collect();
                self.alter_in_schema("statistics", &parts);
            }
            Node::CreateOpClassStmt(create) => self.create_type("operator class", create.opclassname()),
            Node::CreateOpFamilyStmt(create) => self.create_type("operator family", create.opfamilyname()),
            Node::AlterOpFamilyStmt(alter) => {
                let parts: Vec<_> = alter
                    .opfamilyname()
                    .iter()
                    .filter_map(|part| part.sval())
                    .collect();
                self.alter_in_schema("operator family", &parts);
            }
            Node::AlterOperatorStmt(alter) => {
                let parts = alter
                    .opername()
                    .map(|operator| strings(operator.objname()))
                    .unwrap_or_default();
                self.alter_in_schema("operator", &parts);
            }
            Node::AlterCollationStmt(alter) => self.alter_in_schema("collation", &strings(alter.collname())),
            Node::AlterTSDictionaryStmt(alter) => {
                let parts: Vec<_> = alter.dictname().iter().filter_map(|part| part.sval()).collect();
                self.alter_in_schema("text search dictionary", &parts);
            }
            Node::AlterTSConfigurationStmt(alter) => self.alter_text_search(alter),
            Node::GrantStmt(grant) => self.grant(grant)?,
            Node::GrantRoleStmt(grant) => self.grant_role(grant),
            Node::AlterDefaultPrivilegesStmt(alter) => self.default_privileges(alter),
            other => self.server_definition(other)?,
        }
        Ok(())
    }

    fn server_definition(&mut self, node: Node<'t>) -> Result<(), Rejection> {
        match node {
            Node::CreateRoleStmt(create) => self.create_role(create)?,
            Node::AlterRoleStmt(alter) => self.alter_role(alter)?,
            Node::AlterRoleSetStmt(alter) => self.alter_role_set(alter),
            Node::DropRoleStmt(drop) => self.drop_roles(drop),
            Node::DropOwnedStmt(drop) => self.owned(Action::Drop, drop.roles()),
            Node::ReassignOwnedStmt(reassign) => self.owned(Action::Alter, reassign.roles()),
            Node::CreatedbStmt(_) => self.on_database_kind(Action::Create, "database"),
            Node::AlterDatabaseStmt(_) | Node::AlterDatabaseRefreshCollStmt(_) => {
                self.on_database_kind(Action::Alter, "database");
            }
            Node::AlterDatabaseSetStmt(alter) => {
                self.on_database_kind(Action::Alter, "database");
                self.lasting_setting(alter.setstmt());
            }
            Node::DropdbStmt(_) => self.on_database_kind(Action::Drop, "database"),
            Node::AlterSystemStmt(alter) => self.alter_system(alter.setstmt()),
            Node::CreateTableSpaceStmt(_) => self.on_database_kind(Action::Create, "tablespace"),
            Node::AlterTableSpaceOptionsStmt(_) => self.on_database_kind(Action::Alter, "tablespace"),
            Node::AlterTableMoveAllStmt(alter) => self.move_tablespace(alter),
            Node::DropTableSpaceStmt(_) => self.on_database_kind(Action::Drop, "tablespace"),
            Node::CreateExtensionStmt(_) => self.on_database_kind(Action::Create, "extension"),
            Node::AlterExtensionStmt(_) => self.on_database_kind(Action::Alter, "extension"),
            Node::AlterExtensionContentsStmt(alter) => self.alter_extension_contents(alter)?,
            Node::CreateFdwStmt(create) => {
                self.with_handlers(Action::Create, "foreign data wrapper", create.func_options())?;
            }
            Node::AlterFdwStmt(alter) => {
                self.with_handlers(Action::Alter, "foreign data wrapper", alter.func_options())?;
            }
            Node::CreateForeignServerStmt(_) => self.on_database_kind(Action::Create, "server"),
            Node::AlterForeignServerStmt(_) => self.on_database_kind(Action::Alter, "server"),
            Node::CreateUserMappingStmt(_) => self.on_database_kind(Action::Create, "user mapping"),
            Node::AlterUserMappingStmt(_) => self.on_database_kind(Action::Alter, "user mapping"),
            Node::DropUserMappingStmt(_) => self.on_database_kind(Action::Drop, "user mapping"),
            Node::ImportForeignSchemaStmt(import) => self.import_schema(import),
            Node::CreateAmStmt(_) => self.on_database_kind(Action::Create, "access method"),
            Node::CreatePLangStmt(_) => self.on_database_kind(Action::Create, "language"),
            Node::CreatePublicationStmt(create) => {
                let reach = if create.for_all_tables {
                    Reach::EveryTable
                } else {
                    Reach::Named
                };
                self.publication(Action::Create, create.pubobjects(), reach)?;
            }
            Node::AlterPublicationStmt(alter) => self.alter_publication(alter)?,
            Node::CreateSubscriptionStmt(_) => self.on_database_kind(Action::Create, "subscription"),
            Node::AlterSubscriptionStmt(_) => self.on_database_kind(Action::Alter, "subscription"),
            Node::DropSubscriptionStmt(_) => self.on_database_kind(Action::Drop, "subscription"),
            other => return Err(self.not_known("the statement", &other)),
        }
        Ok(())
    }
}

/// Whether running the statement takes a snapshot, as PostgreSQL lists those that do not.
fn takes_snapshot(node: &Node<'_>) -> bool {
    !matches!(
        node,
        Node::TransactionStmt(_)
            | Node::LockStmt(_)
            | Node::VariableSetStmt(_)
            | Node::VariableShowStmt(_)
            | Node::ConstraintsSetStmt(_)
            | Node::FetchStmt(_)
            | Node::ListenStmt(_)
            | Node::NotifyStmt(_)
            | Node::UnlistenStmt(_)
            | Node::CheckPointStmt(_)
    )
}
