//! Statements about statements: PREPARE, EXECUTE, cursors, EXPLAIN; and LISTEN, NOTIFY, DISCARD.

use std::sync::Arc;

use pg_raw_parse::Node;
use pg_raw_parse::nodes::{
    ClosePortalStmt, DeallocateStmt, DeclareCursorStmt, DiscardMode, DiscardStmt, ExecuteStmt, ExplainStmt,
    FetchStmt, ListenStmt, NotifyStmt, PrepareStmt, UnlistenStmt,
};

use super::walk::{Declaration, Walk};
use crate::Rejection;
use crate::effect::{Action, Change, Detail, Discard};

/// The bit of a cursor's options that says WITH HOLD.
const HOLD: i32 = 0x0020;

impl<'t> Walk<'t> {
    pub(super) fn prepare(&mut self, prepare: &'t PrepareStmt) -> Result<(), Rejection> {
        self.on_database(Action::Prepare, Detail::None);
        // The values that EXECUTE brings become values of these types.
        for type_name in prepare.argtypes() {
            self.type_used(Some(type_name));
        }
        let body = self.separately(prepare.query())?;
        self.adopt(&body);
        let name = prepare.name().unwrap_or_default().to_owned();
        self.ledger.changes.push(Change::Prepare {
            name,
            body: Box::new(body),
        });
        Ok(())
    }

    pub(super) fn execute_prepared(&mut self, execute: &'t ExecuteStmt) -> Result<(), Rejection> {
        self.on_database(Action::Prepare, Detail::None);
        let scope = self.scopes.open(None);
        for parameter in execute.params() {
            self.expression(scope, parameter)?;
        }
        let name = execute.name().unwrap_or_default().to_owned();
        self.ledger.changes.push(Change::Execute { name });
        Ok(())
    }

    pub(super) fn deallocate(&mut self, deallocate: &'t DeallocateStmt) {
        self.on_database(Action::Discard, Detail::None);
        let name = deallocate.name().map(str::to_owned);
        self.ledger
            .changes
            .push(Change::Deallocate(name.filter(|_| !deallocate.isall)));
    }

    pub(super) fn declare_cursor(&mut self, declare: &'t DeclareCursorStmt) -> Result<(), Rejection> {
        self.on_database(Action::Cursor, Detail::None);
        let body = self.separately(declare.query())?;
        self.adopt(&body);
        let cursor = declare.portalname().unwrap_or_default().to_owned();
        let hold = declare.options & HOLD != 0;
        self.ledger.changes.push(Change::Declare {
            cursor,
            hold,
            body: Box::new(body),
        });
        Ok(())
    }

    pub(super) fn fetch(&mut self, fetch: &'t FetchStmt) {
        self.on_database(Action::Cursor, Detail::None);
        let cursor = fetch.portalname().unwrap_or_default().to_owned();
        self.ledger.changes.push(Change::Fetch { cursor });
    }

    pub(super) fn close(&mut self, close: &'t ClosePortalStmt) {
        self.on_database(Action::Discard, Detail::None);
        self.ledger
            .changes
            .push(Change::CloseCursor(close.portalname().map(str::to_owned)));
    }

    /// EXPLAIN has the effects of what it explains: ANALYZE runs it, and planning may run functions.
    pub(super) fn explain(&mut self, explain: &'t ExplainStmt) -> Result<(), Rejection> {
        match explain.query() {
            Node::ExecuteStmt(execute) => self.execute_prepared(execute),
            Node::CreateTableAsStmt(create) => self.create_table_as(create),
            Node::DeclareCursorStmt(declare) => self.declare_cursor(declare),
            Node::RefreshMatViewStmt(refresh) => self.refresh(refresh),
            query @ (Node::SelectStmt(_)
            | Node::InsertStmt(_)
            | Node::UpdateStmt(_)
            | Node::DeleteStmt(_)
            | Node::MergeStmt(_)) => self.statement(query),
            other => Err(self.not_known("the explained statement", &other)),
        }
    }

    pub(super) fn listen(&mut self, listen: &'t ListenStmt) {
        let channel = listen.conditionname().unwrap_or_default();
        self.on_database(Action::Listen, Detail::Channel(Some(Arc::from(channel))));
        self.ledger.leaves_something = true;
        self.ledger.changes.push(Change::Listen(channel.to_owned()));
    }

    pub(super) fn unlisten(&mut self, unlisten: &'t UnlistenStmt) {
        self.on_database(Action::Discard, Detail::None);
        self.ledger
            .changes
            .push(Change::Unlisten(unlisten.conditionname().map(str::to_owned)));
    }

    pub(super) fn notify(&mut self, notify: &'t NotifyStmt) {
        let channel = notify.conditionname().unwrap_or_default();
        self.on_database(Action::Notify, Detail::Channel(Some(Arc::from(channel))));
    }

    pub(super) fn discard(&mut self, discard: &'t DiscardStmt) -> Result<(), Rejection> {
        let what = match discard.target {
            DiscardMode::DISCARD_ALL => Discard::All,
            DiscardMode::DISCARD_PLANS => Discard::Plans,
            DiscardMode::DISCARD_SEQUENCES => Discard::Sequences,
            DiscardMode::DISCARD_TEMP => Discard::Temporary,
            _ => return Err(Rejection::not_understood("what is discarded is not known")),
        };
        self.on_database(Action::Discard, Detail::None);
        if what == Discard::All {
            // DISCARD ALL contains RESET ALL: what holds the one back must hold the other back.
            self.reset_effect("*");
        }
        if matches!(what, Discard::All | Discard::Temporary) {
            self.ledger.moves_names = true;
            self.declarations.push(Declaration::Path(None));
        }
        self.ledger.changes.push(Change::Discard(what));
        Ok(())
    }
}
