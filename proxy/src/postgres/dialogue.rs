//! One client's conversation with its server: what both halves of it know.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::audit::Audit;
use crate::authorize::{Authorizer, Judged, Permit, Reading, Recorder, View};
use crate::config::Limits;
use crate::refusal::Refusal;
use crate::upstream::Credentials;

use super::Place;
use super::catalogue::SharedCatalogue;
use super::doubt::{About, Before, Doubt, Source};
use super::message::Named;
use super::prepared::Prepared;

/// Names of our own statements and portals on a session's connection; clients may not use the prefix.
pub(super) const OWN_PREFIX: &str = "_postern_";

/// One client's conversation with its server.
pub struct Dialogue {
    pub(super) limits: Arc<Limits>,
    pub(super) authorizer: Rc<Authorizer>,
    pub(super) recorder: Rc<Recorder>,
    /// Whose secrets nobody hears, and whether the server has tried.
    pub(super) credentials: Arc<Credentials>,
    pub(super) heard_secret: bool,
    pub(super) place: Place,
    pub(super) view: Rc<View>,
    pub(super) reading: Rc<Reading>,
    pub(super) names: Arc<SharedCatalogue>,
    pub(super) source: Source,
    pub(super) doubt: Doubt,
    /// What the server is asked next about its names.
    pub(super) ask_about: About,
    pub(super) before: Before,
    /// The names were asked because of a parameter type that the reading does not know.
    pub(super) types_asked: bool,
    /// Something moved names in this transaction, so its end may move them back.
    pub(super) moved: bool,
    /// Statements went upstream that make or drop names; the next use of a name waits for them.
    pub(super) names_in_flight: bool,
    pub(super) prepared: Prepared,
    pub(super) pending_parses: usize,
    pub(super) expected: VecDeque<Expected>,
    /// The transaction status of the server's last ReadyForQuery.
    pub(super) status: u8,
    /// Extended messages went upstream since the last Sync.
    pub(super) unsynced: bool,
    /// A Flush of ours went upstream for these.
    pub(super) flushed: bool,
    /// The server has failed and skips to the next Sync.
    pub(super) skipping: bool,
    /// We refused without the server, and skip to the client's next Sync.
    pub(super) discarding: bool,
    pub(super) copy_in: bool,
    /// The settings of the client's startup, set again after it resets them.
    pub(super) startup_settings: Vec<(String, String)>,
    pub(super) set_again: bool,
    /// What the client calls itself; the server knows our own name only.
    pub(super) client_says: String,
    pub(super) our_name: String,
    /// Nothing has been left in the backend that a reset would not remove.
    pub(super) plain: bool,
    pub to_server: Vec<u8>,
    pub to_client: Vec<u8>,
    /// The number of the last record that must be durable before anything is sent to the server.
    pub unsure: Option<u64>,
}

/// What the server still owes an answer to, in order.
#[derive(Debug)]
pub(super) enum Expected {
    Query {
        asked: Asked,
        statement: usize,
    },
    Parse {
        name: Box<str>,
        asked: Parsing,
    },
    Bind {
        portal: Box<str>,
        permit: Rc<Permit>,
    },
    Describe,
    Execute {
        permit: Rc<Permit>,
    },
    Close {
        kind: Named,
        name: Box<str>,
    },
    Sync,
    /// Our own questions; the client hears nothing of them.
    Own(Own),
}

#[derive(Debug)]
pub(super) enum Asked {
    Permitted(Rc<Permit>),
    /// In its place went something that must fail; this is what the client hears of it.
    Refused(Refusal),
}

#[derive(Debug)]
pub(super) enum Parsing {
    Permitted(Rc<Judged>),
    Refused(Refusal),
}

/// Statements of our own, asked by extended protocol under our own names.
#[derive(Debug)]
pub(super) struct Own {
    pub statements: usize,
    /// The first value of each statement that answered with rows.
    pub values: Vec<String>,
    pub closed: usize,
    pub synced: bool,
    pub about: About,
}

/// What a conversation starts from.
pub struct Opening {
    pub limits: Arc<Limits>,
    pub authorizer: Rc<Authorizer>,
    pub recorder: Rc<Recorder>,
    pub credentials: Arc<Credentials>,
    pub place: Place,
    pub view: Rc<View>,
    pub reading: Rc<Reading>,
    pub names: Arc<SharedCatalogue>,
    pub startup_settings: Vec<(String, String)>,
    pub client_says: String,
    pub our_name: String,
}

impl Dialogue {
    /// A conversation on an idle connection whose reading is right.
    pub fn new(opening: Opening) -> Dialogue {
        let Opening {
            limits,
            authorizer,
            recorder,
            credentials,
            place,
            view,
            reading,
            names,
            ..
        } = opening;
        Dialogue {
            limits,
            authorizer,
            recorder,
            credentials,
            heard_secret: false,
            place,
            view,
            before: Before {
                confirmed_ms: names.confirmed_ms(),
                names: reading.catalogue.clone(),
            },
            reading,
            names,
            source: Source::Shared,
            doubt: Doubt::Clean,
            ask_about: About::Stamp,
            types_asked: false,
            moved: false,
            names_in_flight: false,
            prepared: Prepared::default(),
            pending_parses: 0,
            expected: VecDeque::new(),
            status: b'I',
            unsynced: false,
            flushed: false,
            skipping: false,
            discarding: false,
            copy_in: false,
            startup_settings: opening.startup_settings,
            set_again: false,
            client_says: opening.client_says,
            our_name: opening.our_name,
            plain: true,
            to_server: Vec::new(),
            to_client: Vec::new(),
            unsure: None,
        }
    }

    /// Whether the upstream connection could serve another session after a reset.
    pub fn is_plain(&self) -> bool {
        self.plain && self.status == b'I' && self.expected.is_empty() && !self.unsynced && !self.copy_in
    }

    pub fn audit(&self) -> &Audit {
        self.authorizer.audit()
    }

    /// Whether the client is inside a transaction, as far as the server has said.
    pub fn in_transaction(&self) -> bool {
        self.status != b'I' || self.unsynced
    }

    /// Whether the server owes an answer.
    pub fn is_waiting(&self) -> bool {
        !self.expected.is_empty()
    }

    pub(super) fn is_idle(&self) -> bool {
        self.expected.is_empty() && self.status == b'I' && !self.unsynced
    }

    /// Policy changed: from now on the new view judges.
    pub fn set_view(&mut self, view: Rc<View>) {
        self.view = view;
    }

    /// The snapshot whose policies judge now.
    pub fn policy_epoch(&self) -> u64 {
        self.view.policy_epoch()
    }

    /// The gateway's file names other secrets now.
    pub fn set_credentials(&mut self, newest: &Arc<Credentials>) {
        if !Arc::ptr_eq(&self.credentials, newest) {
            self.credentials = newest.clone();
        }
    }
}
