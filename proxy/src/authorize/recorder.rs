//! What a session brings to the record: who it is, the fields of all its records, and its end.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use postern_link::wire::{Kind, Record};

use super::Authorizer;
use crate::audit;
use crate::identity::Identity;

/// The fields of a record that say who is calling, and from where.
pub fn identified(identity: &Identity, source: IpAddr) -> Record {
    let evidence = identity.evidence();
    let run = identity.run().into_iter().flat_map(|run| run.facts());
    Record {
        workload: identity.workload().name.clone(),
        evidence: evidence.kind.name().to_owned(),
        issuer: evidence.issuer.clone(),
        subject: evidence.subject.clone(),
        certificate_serial: evidence.certificate_serial.clone(),
        run: run
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        source: source.to_string(),
        ..Record::default()
    }
}

/// What a session brings to every record it makes.
#[derive(Debug)]
pub struct Recorder {
    pub session: [u8; 16],
    /// The record's fields that are the session's, encoded once.
    pub part: Vec<u8>,
    pub(super) refused_since_us: Cell<i64>,
    pub(super) refused: Cell<u32>,
}

impl Recorder {
    pub fn new(session: [u8; 16], record: &Record) -> Recorder {
        Recorder {
            session,
            part: audit::part(record),
            refused_since_us: Cell::new(0),
            refused: Cell::new(0),
        }
    }
}

/// Writes the end of a session whichever way it is left.
pub struct EndNote {
    pub authorizer: Rc<Authorizer>,
    pub recorder: Rc<Recorder>,
    pub why: String,
}

impl Drop for EndNote {
    fn drop(&mut self) {
        let recorder = &self.recorder;
        self.authorizer.note_counted(recorder);
        if std::thread::panicking() {
            "a panic of the gateway".clone_into(&mut self.why);
        }
        let why = audit::part(&Record {
            message: std::mem::take(&mut self.why),
            ..Record::default()
        });
        if let Err(error) = self
            .authorizer
            .audit()
            .note(Kind::SessionEnded, &[&recorder.part, &why])
        {
            tracing::warn!(%error, "the end of a session could not be recorded");
        }
    }
}
