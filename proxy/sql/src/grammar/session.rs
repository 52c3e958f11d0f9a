//! Transactions and settings.

use std::borrow::Cow;
use std::sync::Arc;

use pg_raw_parse::nodes::{
    DefElem, TransactionStmt, TransactionStmtKind, VariableSetKind, VariableSetStmt, VariableShowStmt,
};
use pg_raw_parse::{ConstValue, Node};

use super::walk::{Declaration, Walk};
use crate::Rejection;
use crate::effect::{Action, Change, Detail, Effect, Object, Scope, SettingValue};
use crate::settings;

impl<'t> Walk<'t> {
    pub(super) fn transaction(&mut self, transaction: &'t TransactionStmt) -> Result<(), Rejection> {
        let name = || transaction.savepoint_name().unwrap_or_default().to_owned();
        let gid = || transaction.gid().unwrap_or_default().to_owned();
        let change = match transaction.kind {
            TransactionStmtKind::TRANS_STMT_BEGIN | TransactionStmtKind::TRANS_STMT_START => Change::Begin,
            TransactionStmtKind::TRANS_STMT_COMMIT => Change::Commit {
                chain: transaction.chain,
            },
            TransactionStmtKind::TRANS_STMT_ROLLBACK => Change::Rollback {
                chain: transaction.chain,
            },
            TransactionStmtKind::TRANS_STMT_SAVEPOINT => Change::Savepoint(name()),
            TransactionStmtKind::TRANS_STMT_RELEASE => Change::Release(name()),
            TransactionStmtKind::TRANS_STMT_ROLLBACK_TO => Change::RollbackTo(name()),
            TransactionStmtKind::TRANS_STMT_PREPARE => Change::PrepareTransaction(gid()),
            TransactionStmtKind::TRANS_STMT_COMMIT_PREPARED
            | TransactionStmtKind::TRANS_STMT_ROLLBACK_PREPARED => Change::FinishPrepared(gid()),
            _ => {
                return Err(Rejection::not_understood(
                    "this transaction statement is not known",
                ));
            }
        };
        let action = match change {
            Change::PrepareTransaction(_) | Change::FinishPrepared(_) => Action::PrepareTransaction,
            _ => Action::Transaction,
        };
        self.on_database(action, Detail::None);
        for option in transaction.options() {
            if let Node::DefElem(option) = option {
                self.transaction_mode(option)?;
            }
        }
        self.ledger.changes.push(change);
        Ok(())
    }

    /// One mode of BEGIN or SET TRANSACTION.
    fn transaction_mode(&mut self, mode: &'t DefElem) -> Result<(), Rejection> {
        match mode.defname().unwrap_or_default() {
            "transaction_isolation" | "transaction_read_only" | "transaction_deferrable" => Ok(()),
            other => Err(Rejection::not_understood(format!(
                "the transaction mode `{other}` is not known"
            ))),
        }
    }

    pub(super) fn show(&mut self, show: &'t VariableShowStmt) {
        let name = match settings::canonical(show.name().unwrap_or_default()).as_str() {
            "all" => Arc::from("*"),
            name => Arc::from(name),
        };
        self.on_database(Action::Show, Detail::Setting { name, value: None });
    }

    pub(super) fn set(&mut self, set: &'t VariableSetStmt) -> Result<(), Rejection> {
        let scope = if set.is_local {
            Scope::Local
        } else {
            Scope::Session
        };
        let name = settings::canonical(set.name().unwrap_or_default());
        match set.kind {
            VariableSetKind::VAR_SET_VALUE => {
                let value = value_of(set, &name);
                self.set_setting(name, value, scope);
            }
            VariableSetKind::VAR_SET_DEFAULT => self.set_setting(name, SettingValue::Default, scope),
            VariableSetKind::VAR_RESET => {
                self.reset_effect(&name);
                self.moves_with(&name, None);
                self.ledger.changes.push(Change::Reset(name));
            }
            VariableSetKind::VAR_RESET_ALL => {
                self.reset_effect("*");
                self.ledger.moves_names = true;
                self.declarations.push(Declaration::Path(None));
                self.ledger.changes.push(Change::ResetAll);
            }
            VariableSetKind::VAR_SET_MULTI => self.set_transaction(set)?,
            _ => {
                return Err(Rejection::not_understood(
                    "SET … FROM CURRENT stands only in definitions",
                ));
            }
        }
        Ok(())
    }

    fn set_transaction(&mut self, set: &'t VariableSetStmt) -> Result<(), Rejection> {
        match set.name().unwrap_or_default() {
            "TRANSACTION" => {
                self.on_database(Action::Transaction, Detail::None);
                for mode in set.args() {
                    if let Node::DefElem(mode) = mode {
                        self.transaction_mode(mode)?;
                    }
                }
                self.ledger.changes.push(Change::TransactionModes);
            }
            "TRANSACTION SNAPSHOT" => {
                self.on_database(Action::Snapshot, Detail::None);
                self.ledger.changes.push(Change::TransactionModes);
            }
            "SESSION CHARACTERISTICS" => {
                for mode in set.args() {
                    let Node::DefElem(mode) = mode else { continue };
                    self.transaction_mode(mode)?;
                    let name = format!("default_{}", mode.defname().unwrap_or_default());
                    let value = constant(mode.arg()).map_or(SettingValue::Unknown, SettingValue::Text);
                    self.set_setting(name, value, Scope::Session);
                }
            }
            other => return Err(Rejection::not_understood(format!("SET {other} is not known"))),
        }
        Ok(())
    }

    pub(super) fn set_effect(&mut self, name: &str, value: Option<&str>) {
        let detail = Detail::Setting {
            name: Arc::from(name),
            value: value.map(Arc::from),
        };
        self.on_database(Action::Set, detail);
    }

    pub(super) fn reset_effect(&mut self, name: &str) {
        self.on_database(Action::Set, Detail::Reset(Arc::from(name)));
    }

    /// What a change of this setting means for the names in later statements.
    fn moves_with(&mut self, name: &str, path: Option<Vec<String>>) {
        if settings::moves_names(name) {
            self.ledger.moves_names = true;
        }
        if matches!(name, "search_path" | "role" | "session_authorization" | "*") {
            self.declarations.push(Declaration::Path(path));
        }
    }

    /// A setting gets a value: the effect, the change, and what it means for names.
    pub(super) fn set_setting(&mut self, name: String, value: SettingValue, scope: Scope) {
        let text = match &value {
            SettingValue::Text(text) => Some(Cow::Borrowed(text.as_str())),
            SettingValue::Names(names) => Some(Cow::Owned(names.join(", "))),
            SettingValue::Default | SettingValue::Unknown => None,
        };
        match value {
            SettingValue::Default => self.reset_effect(&name),
            _ => self.set_effect(&name, text.as_deref()),
        }
        if let ("role" | "session_authorization", SettingValue::Text(role)) = (name.as_str(), &value)
            && role != "none"
        {
            self.ledger.add(Effect::new(
                Action::Assume,
                Object::Role(Arc::from(role.as_str())),
            ));
        }
        let names = match &value {
            SettingValue::Names(names) if name == "search_path" => Some(names.clone()),
            _ => None,
        };
        self.moves_with(&name, names);
        if settings::outlives_reset(&name) {
            self.ledger.leaves_something = true;
        }
        self.ledger.changes.push(Change::Set { name, value, scope });
    }
}

/// The value that SET gives, as the server would hold it.
fn value_of(set: &VariableSetStmt, name: &str) -> SettingValue {
    let parts: Option<Vec<String>> = set.args().iter().map(constant).collect();
    let Some(parts) = parts else {
        return SettingValue::Unknown;
    };
    if name == "search_path" {
        return SettingValue::Names(parts);
    }
    SettingValue::Text(parts.join(", "))
}

fn constant(node: Node<'_>) -> Option<String> {
    match node {
        Node::A_Const(value) => match value.val()? {
            ConstValue::String(text) | ConstValue::Float(text) => Some(text.to_owned()),
            ConstValue::Integer(number) => Some(number.to_string()),
            ConstValue::Boolean(value) => Some(if value { "on" } else { "off" }.to_owned()),
            _ => None,
        },
        // SET TIME ZONE INTERVAL '1' HOUR.
        _ => None,
    }
}
