//! The command tag of a statement, as PostgreSQL itself would put it.

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{DiscardMode, ObjectType, TransactionStmtKind, VariableSetKind};

macro_rules! tags_by_kind {
    ($($kind:ident => $word:literal,)*) => {
        /// Tags that end with the kind of an object.
        fn of_kind(verb: Verb, kind: ObjectType::Type) -> &'static str {
            match (verb, kind) {
                $(
                    (Verb::Create, ObjectType::$kind) => concat!("CREATE ", $word),
                    (Verb::Alter, ObjectType::$kind) => concat!("ALTER ", $word),
                    (Verb::Drop, ObjectType::$kind) => concat!("DROP ", $word),
                )*
                (Verb::Create, _) => "CREATE",
                (Verb::Alter, _) => "ALTER",
                (Verb::Drop, _) => "DROP",
            }
        }
    };
}

#[derive(Clone, Copy)]
enum Verb {
    Create,
    Alter,
    Drop,
}

tags_by_kind! {
    OBJECT_TABLE => "TABLE",
    OBJECT_COLUMN => "TABLE",
    OBJECT_TABCONSTRAINT => "TABLE",
    OBJECT_INDEX => "INDEX",
    OBJECT_SEQUENCE => "SEQUENCE",
    OBJECT_VIEW => "VIEW",
    OBJECT_MATVIEW => "MATERIALIZED VIEW",
    OBJECT_FOREIGN_TABLE => "FOREIGN TABLE",
    OBJECT_TRIGGER => "TRIGGER",
    OBJECT_RULE => "RULE",
    OBJECT_POLICY => "POLICY",
    OBJECT_FUNCTION => "FUNCTION",
    OBJECT_PROCEDURE => "PROCEDURE",
    OBJECT_ROUTINE => "ROUTINE",
    OBJECT_AGGREGATE => "AGGREGATE",
    OBJECT_OPERATOR => "OPERATOR",
    OBJECT_TYPE => "TYPE",
    OBJECT_ATTRIBUTE => "TYPE",
    OBJECT_DOMAIN => "DOMAIN",
    OBJECT_DOMCONSTRAINT => "DOMAIN",
    OBJECT_COLLATION => "COLLATION",
    OBJECT_CONVERSION => "CONVERSION",
    OBJECT_STATISTIC_EXT => "STATISTICS",
    OBJECT_OPCLASS => "OPERATOR CLASS",
    OBJECT_OPFAMILY => "OPERATOR FAMILY",
    OBJECT_TSPARSER => "TEXT SEARCH PARSER",
    OBJECT_TSDICTIONARY => "TEXT SEARCH DICTIONARY",
    OBJECT_TSTEMPLATE => "TEXT SEARCH TEMPLATE",
    OBJECT_TSCONFIGURATION => "TEXT SEARCH CONFIGURATION",
    OBJECT_SCHEMA => "SCHEMA",
    OBJECT_ROLE => "ROLE",
    OBJECT_DATABASE => "DATABASE",
    OBJECT_TABLESPACE => "TABLESPACE",
    OBJECT_EXTENSION => "EXTENSION",
    OBJECT_LANGUAGE => "LANGUAGE",
    OBJECT_CAST => "CAST",
    OBJECT_TRANSFORM => "TRANSFORM",
    OBJECT_ACCESS_METHOD => "ACCESS METHOD",
    OBJECT_EVENT_TRIGGER => "EVENT TRIGGER",
    OBJECT_FDW => "FOREIGN DATA WRAPPER",
    OBJECT_FOREIGN_SERVER => "SERVER",
    OBJECT_PUBLICATION => "PUBLICATION",
    OBJECT_SUBSCRIPTION => "SUBSCRIPTION",
    OBJECT_LARGEOBJECT => "LARGE OBJECT",
}

pub(super) fn tag_of(node: &Node<'_>) -> &'static str {
    match node {
        Node::SelectStmt(select) if select.into_clause().is_some() => "SELECT INTO",
        Node::SelectStmt(_) => "SELECT",
        Node::InsertStmt(_) => "INSERT",
        Node::UpdateStmt(_) => "UPDATE",
        Node::DeleteStmt(_) => "DELETE",
        Node::MergeStmt(_) => "MERGE",
        Node::CopyStmt(_) => "COPY",
        Node::TransactionStmt(transaction) => of_transaction(transaction.kind),
        Node::VariableSetStmt(set) => match set.kind {
            VariableSetKind::VAR_RESET | VariableSetKind::VAR_RESET_ALL => "RESET",
            _ => "SET",
        },
        Node::VariableShowStmt(_) => "SHOW",
        Node::ConstraintsSetStmt(_) => "SET CONSTRAINTS",
        Node::PrepareStmt(_) => "PREPARE",
        Node::ExecuteStmt(_) => "EXECUTE",
        Node::DeallocateStmt(deallocate) if deallocate.isall => "DEALLOCATE ALL",
        Node::DeallocateStmt(_) => "DEALLOCATE",
        Node::DeclareCursorStmt(_) => "DECLARE CURSOR",
        Node::FetchStmt(fetch) if fetch.ismove => "MOVE",
        Node::FetchStmt(_) => "FETCH",
        Node::ClosePortalStmt(close) if close.portalname().is_none() => "CLOSE CURSOR ALL",
        Node::ClosePortalStmt(_) => "CLOSE CURSOR",
        Node::ExplainStmt(_) => "EXPLAIN",
        Node::ListenStmt(_) => "LISTEN",
        Node::UnlistenStmt(_) => "UNLISTEN",
        Node::NotifyStmt(_) => "NOTIFY",
        Node::DiscardStmt(discard) => match discard.target {
            DiscardMode::DISCARD_PLANS => "DISCARD PLANS",
            DiscardMode::DISCARD_SEQUENCES => "DISCARD SEQUENCES",
            DiscardMode::DISCARD_TEMP => "DISCARD TEMP",
            _ => "DISCARD ALL",
        },
        Node::DoStmt(_) => "DO",
        Node::CallStmt(_) => "CALL",
        Node::LoadStmt(_) => "LOAD",
        Node::CheckPointStmt(_) => "CHECKPOINT",
        other => of_definition(other),
    }
}

fn of_transaction(kind: TransactionStmtKind::Type) -> &'static str {
    match kind {
        TransactionStmtKind::TRANS_STMT_BEGIN => "BEGIN",
        TransactionStmtKind::TRANS_STMT_START => "START TRANSACTION",
        TransactionStmtKind::TRANS_STMT_COMMIT => "COMMIT",
        TransactionStmtKind::TRANS_STMT_SAVEPOINT => "SAVEPOINT",
        TransactionStmtKind::TRANS_STMT_RELEASE => "RELEASE",
        TransactionStmtKind::TRANS_STMT_PREPARE => "PREPARE TRANSACTION",
        TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED => "COMMIT PREPARED",
        TransactionStmtKind::TRANS_STMT_ROLLBACK_PREPARED => "ROLLBACK PREPARED",
        _ => "ROLLBACK",
    }
}

fn of_definition(node: &Node<'_>) -> &'static str {
    match node {
        Node::CreateSchemaStmt(_) => "CREATE SCHEMA",
        Node::CreateStmt(_) => "CREATE TABLE",
        Node::CreateTableAsStmt(create) if create.objtype == ObjectType::OBJECT_MATVIEW => {
            "CREATE MATERIALIZED VIEW"
        }
        Node::CreateTableAsStmt(_) => "CREATE TABLE AS",
        Node::ViewStmt(_) => "CREATE VIEW",
        Node::IndexStmt(_) => "CREATE INDEX",
        Node::CreateSeqStmt(_) => "CREATE SEQUENCE",
        Node::AlterSeqStmt(_) => "ALTER SEQUENCE",
        Node::CreateFunctionStmt(create) if create.is_procedure => "CREATE PROCEDURE",
        Node::CreateFunctionStmt(_) => "CREATE FUNCTION",
        Node::AlterFunctionStmt(alter) => of_kind(Verb::Alter, alter.objtype),
        Node::CreateTrigStmt(_) => "CREATE TRIGGER",
        Node::CreateEventTrigStmt(_) => "CREATE EVENT TRIGGER",
        Node::AlterEventTrigStmt(_) => "ALTER EVENT TRIGGER",
        Node::RuleStmt(_) => "CREATE RULE",
        Node::CreatePolicyStmt(_) => "CREATE POLICY",
        Node::AlterPolicyStmt(_) => "ALTER POLICY",
        Node::CreateDomainStmt(_) => "CREATE DOMAIN",
        Node::AlterDomainStmt(_) => "ALTER DOMAIN",
        Node::CompositeTypeStmt(_) | Node::CreateEnumStmt(_) | Node::CreateRangeStmt(_) => "CREATE TYPE",
        Node::AlterEnumStmt(_) | Node::AlterTypeStmt(_) => "ALTER TYPE",
        Node::DefineStmt(define) => of_kind(Verb::Create, define.kind),
        Node::CreateCastStmt(_) => "CREATE CAST",
        Node::CreateConversionStmt(_) => "CREATE CONVERSION",
        Node::CreateTransformStmt(_) => "CREATE TRANSFORM",
        Node::CreateStatsStmt(_) => "CREATE STATISTICS",
        Node::AlterStatsStmt(_) => "ALTER STATISTICS",
        Node::CreateOpClassStmt(_) => "CREATE OPERATOR CLASS",
        Node::CreateOpFamilyStmt(_) => "CREATE OPERATOR FAMILY",
        Node::AlterOpFamilyStmt(_) => "ALTER OPERATOR FAMILY",
        Node::AlterOperatorStmt(_) => "ALTER OPERATOR",
        Node::AlterCollationStmt(_) => "ALTER COLLATION",
        Node::AlterTSDictionaryStmt(_) => "ALTER TEXT SEARCH DICTIONARY",
        Node::AlterTSConfigurationStmt(_) => "ALTER TEXT SEARCH CONFIGURATION",
        Node::AlterTableStmt(alter) => of_kind(Verb::Alter, alter.objtype),
        Node::RenameStmt(rename) => match rename.rename_type {
            ObjectType::OBJECT_COLUMN | ObjectType::OBJECT_ATTRIBUTE => {
                of_kind(Verb::Alter, rename.relation_type)
            }
            kind => of_kind(Verb::Alter, kind),
        },
        Node::AlterObjectSchemaStmt(alter) => of_kind(Verb::Alter, alter.object_type),
        Node::AlterOwnerStmt(alter) => of_kind(Verb::Alter, alter.object_type),
        Node::AlterObjectDependsStmt(alter) => of_kind(Verb::Alter, alter.object_type),
        Node::AlterTableMoveAllStmt(alter) => of_kind(Verb::Alter, alter.objtype),
        Node::DropStmt(drop) => of_kind(Verb::Drop, drop.remove_type),
        Node::GrantStmt(grant) if grant.is_grant => "GRANT",
        Node::GrantStmt(_) => "REVOKE",
        Node::GrantRoleStmt(grant) if grant.is_grant => "GRANT ROLE",
        Node::GrantRoleStmt(_) => "REVOKE ROLE",
        Node::AlterDefaultPrivilegesStmt(_) => "ALTER DEFAULT PRIVILEGES",
        Node::CommentStmt(_) => "COMMENT",
        Node::SecLabelStmt(_) => "SECURITY LABEL",
        Node::TruncateStmt(_) => "TRUNCATE TABLE",
        Node::LockStmt(_) => "LOCK TABLE",
        Node::VacuumStmt(vacuum) if vacuum.is_vacuumcmd => "VACUUM",
        Node::VacuumStmt(_) => "ANALYZE",
        Node::ClusterStmt(_) => "CLUSTER",
        Node::ReindexStmt(_) => "REINDEX",
        Node::RefreshMatViewStmt(_) => "REFRESH MATERIALIZED VIEW",
        other => of_server_definition(other),
    }
}

fn of_server_definition(node: &Node<'_>) -> &'static str {
    match node {
        Node::CreateRoleStmt(_) => "CREATE ROLE",
        Node::AlterRoleStmt(_) | Node::AlterRoleSetStmt(_) => "ALTER ROLE",
        Node::DropRoleStmt(_) => "DROP ROLE",
        Node::DropOwnedStmt(_) => "DROP OWNED",
        Node::ReassignOwnedStmt(_) => "REASSIGN OWNED",
        Node::CreatedbStmt(_) => "CREATE DATABASE",
        Node::AlterDatabaseStmt(_)
        | Node::AlterDatabaseSetStmt(_)
        | Node::AlterDatabaseRefreshCollStmt(_) => "ALTER DATABASE",
        Node::DropdbStmt(_) => "DROP DATABASE",
        Node::AlterSystemStmt(_) => "ALTER SYSTEM",
        Node::CreateTableSpaceStmt(_) => "CREATE TABLESPACE",
        Node::AlterTableSpaceOptionsStmt(_) => "ALTER TABLESPACE",
        Node::DropTableSpaceStmt(_) => "DROP TABLESPACE",
        Node::CreateExtensionStmt(_) => "CREATE EXTENSION",
        Node::AlterExtensionStmt(_) | Node::AlterExtensionContentsStmt(_) => "ALTER EXTENSION",
        Node::CreateFdwStmt(_) => "CREATE FOREIGN DATA WRAPPER",
        Node::AlterFdwStmt(_) => "ALTER FOREIGN DATA WRAPPER",
        Node::CreateForeignServerStmt(_) => "CREATE SERVER",
        Node::AlterForeignServerStmt(_) => "ALTER SERVER",
        Node::CreateUserMappingStmt(_) => "CREATE USER MAPPING",
        Node::AlterUserMappingStmt(_) => "ALTER USER MAPPING",
        Node::DropUserMappingStmt(_) => "DROP USER MAPPING",
        Node::ImportForeignSchemaStmt(_) => "IMPORT FOREIGN SCHEMA",
        Node::CreateAmStmt(_) => "CREATE ACCESS METHOD",
        Node::CreatePLangStmt(_) => "CREATE LANGUAGE",
        Node::CreatePublicationStmt(_) => "CREATE PUBLICATION",
        Node::AlterPublicationStmt(_) => "ALTER PUBLICATION",
        Node::CreateSubscriptionStmt(_) => "CREATE SUBSCRIPTION",
        Node::AlterSubscriptionStmt(_) => "ALTER SUBSCRIPTION",
        Node::DropSubscriptionStmt(_) => "DROP SUBSCRIPTION",
        _ => "",
    }
}
