//! A session of the server is its opener's: the client is told its name with a proof of whose it is, so that the name
//! alone opens nothing, at any worker and after a restart.

use std::rc::Rc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use hyper::header::HeaderValue;

use crate::authorize::Authorizer;

use super::super::request::Wanted;
use super::Asking;

/// Bytes of the proof that are told, in hexadecimal digits two each.
const PROOF_BYTES: usize = 16;

/// Whose a session is.
pub(super) struct Owner {
    authorizer: Rc<Authorizer>,
    workload: String,
    subject: String,
    target: String,
}

impl Owner {
    pub(super) fn of<P: 'static>(asking: &Asking<'_, P>, wanted: &Wanted<'_>) -> Owner {
        let evidence = asking.identity.evidence();
        Owner {
            authorizer: asking.authorizer().clone(),
            workload: asking.identity.workload().name.clone(),
            subject: format!("{} {}", evidence.issuer, evidence.subject),
            target: wanted.target.name.clone(),
        }
    }

    /// What the client is told of the server's name.
    pub(super) fn given(&self, theirs: &[u8]) -> HeaderValue {
        let ours = [self.proof(theirs).as_bytes(), b".", theirs].concat();
        // The server's was one, and so is this.
        HeaderValue::from_bytes(&ours).unwrap_or_else(|_| HeaderValue::from_static("-"))
    }

    /// The server's name of what the client was told, if it was told this client.
    pub(super) fn taken(&self, ours: &[u8]) -> Option<HeaderValue> {
        let (proof, rest) = ours.split_at_checked(2 * PROOF_BYTES)?;
        let theirs = rest.strip_prefix(b".")?;
        verify_slices_are_equal(proof, self.proof(theirs).as_bytes()).ok()?;
        HeaderValue::from_bytes(theirs).ok()
    }

    fn proof(&self, theirs: &[u8]) -> String {
        let parts = [
            &b"mcp session"[..],
            self.workload.as_bytes(),
            self.subject.as_bytes(),
            self.target.as_bytes(),
            theirs,
        ];
        let tag = self.authorizer.tag(&parts);
        let told = tag.as_ref().iter().take(PROOF_BYTES);
        told.map(|byte| format!("{byte:02x}")).collect()
    }
}
