//! What a session brings to the record: its own fields, and its end.

use std::net::IpAddr;
use std::rc::Rc;

use postern_link::wire::{Kind, Record};

use crate::audit;
use crate::authorize::{Authorizer, Recorder};

use super::startup::Client;

pub(super) fn session_record(client: &Client, source: IpAddr) -> Record {
    let identity = &client.identity;
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
        client_says: client.startup.application_name.clone(),
        ..Record::default()
    }
}

/// Writes the end of a session whichever way it is left.
pub(super) struct EndNote {
    pub(super) authorizer: Rc<Authorizer>,
    pub(super) recorder: Rc<Recorder>,
    pub(super) why: String,
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
