//! Who is calling: a certificate for the whole connection, or a token with each request. Never two that disagree.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use hyper::http::uri::Scheme;
use postern_link::snapshot::Target;
use rustls::pki_types::CertificateDer;
use tokio::sync::Notify;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::audit;
use crate::audit::strangers::nobody;
use crate::authorize::{Recorder, Rules, identified};
use crate::identity::{self, Evidence, Identity, Stranger};
use crate::refusal::{Reason, Refusal};
use crate::session::Ended;
use crate::shared::Shared;
use crate::tls::Incoming;

use super::Worker;
use super::tunnel::Tunnel;
use super::visit::Visit;

/// A caller that is not believed, and why.
#[derive(Clone)]
pub(super) struct Turned {
    pub(super) stranger: Stranger,
    pub(super) refusal: Refusal,
}

impl Turned {
    fn new(stranger: Stranger, refusal: Refusal) -> Box<Turned> {
        Box::new(Turned { stranger, refusal })
    }
}

impl From<identity::Error> for Box<Turned> {
    fn from(error: identity::Error) -> Box<Turned> {
        Turned::new(error.stranger(), Refusal::from(&error))
    }
}

/// One client's connection: what is known of its caller, and the sessions it has come with.
pub(super) struct Connection<P> {
    pub(super) shared: Arc<Shared>,
    pub(super) worker: Rc<Worker>,
    pub(super) source: IpAddr,
    pub(super) scheme: Scheme,
    pub(super) server_name: Option<String>,
    /// What the certificate proved, where one was shown.
    certificate: Option<Result<Identity, Box<Turned>>>,
    visits: RefCell<Vec<Rc<Visit>>>,
    /// By what the last caller's refusals outside of any session are recorded, so that many are only counted.
    outside: RefCell<Option<(Evidence, Rc<Recorder>)>>,
    /// The stranger's place, until somebody is known.
    pass: Cell<Option<P>>,
    is_known: Cell<bool>,
    /// What the connection becomes after its last response.
    tunnel: Cell<Option<Tunnel>>,
    ended: Rc<Notify>,
    running: Rc<Running>,
}

/// How many requests of a connection are under way, and since when none is.
struct Running {
    count: Cell<usize>,
    none_since: Cell<Instant>,
}

/// A request that is under way, until both its bodies are through.
pub(super) struct UnderWay(Rc<Running>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.none_since.set(Instant::now());
    }
}

impl<P> Connection<P> {
    pub(super) fn new(
        stream: &Incoming,
        source: IpAddr,
        pass: P,
        shared: Arc<Shared>,
        worker: Rc<Worker>,
    ) -> Connection<P> {
        let tls = stream.tls();
        let chain: Option<&[CertificateDer<'_>]> = tls
            .and_then(|tls| tls.peer_certificates())
            .filter(|chain| !chain.is_empty());
        let certificate = chain.map(|chain| {
            let proved = shared.identities.by_certificate(chain, source, now_ms());
            proved.map_err(Box::from)
        });
        let connection = Connection {
            source,
            scheme: if tls.is_some() {
                Scheme::HTTPS
            } else {
                Scheme::HTTP
            },
            server_name: tls.and_then(|tls| tls.server_name()).map(str::to_owned),
            certificate,
            visits: RefCell::default(),
            outside: RefCell::default(),
            pass: Cell::new(Some(pass)),
            is_known: Cell::new(false),
            tunnel: Cell::default(),
            ended: Rc::default(),
            running: Rc::new(Running {
                count: Cell::new(0),
                none_since: Cell::new(Instant::now()),
            }),
            shared,
            worker,
        };
        if matches!(connection.certificate, Some(Ok(_))) {
            connection.know();
        }
        connection
    }

    fn know(&self) {
        self.is_known.set(true);
        drop(self.pass.take());
    }

    pub(super) fn become_tunnel(&self, tunnel: Tunnel) {
        self.tunnel.set(Some(tunnel));
    }

    pub(super) fn take_tunnel(&self) -> Option<Tunnel> {
        self.tunnel.take()
    }

    pub(super) fn is_known(&self) -> bool {
        self.is_known.get()
    }

    pub(super) fn count(&self, stranger: Stranger, refusal: &Refusal) {
        tracing::debug!(reason = stranger.reason, "a stranger was turned away");
        self.shared.strangers.count(stranger, self.source, refusal);
    }

    /// Ready when a session of this connection has been ended from outside.
    pub(super) async fn ended(&self) {
        self.ended.notified().await;
    }

    /// Whether a session that is over still has something on this connection.
    pub(super) fn is_stuck(&self) -> bool {
        self.visits.borrow().iter().any(|visit| visit.is_stuck())
    }

    /// Counts a request until what this returns is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.running.count.set(self.running.count.get().saturating_add(1));
        UnderWay(self.running.clone())
    }

    /// When the last request was under way.
    pub(super) fn busy_at(&self) -> Instant {
        match self.running.count.get() {
            0 => self.running.none_since.get(),
            _ => Instant::now(),
        }
    }

    /// Who asks this request.
    pub(super) async fn identify(&self, headers: &HeaderMap) -> Result<Identity, Box<Turned>> {
        let identities = &self.shared.identities;
        let token = token(headers).map_err(|refusal| Turned::new(nobody("authorization"), refusal))?;
        let by_token = match token {
            Some(token) => {
                let proved = identities.by_token(&token, self.source, now_ms()).await;
                Some(proved.map_err(Box::from)?)
            }
            None => None,
        };
        let by_certificate = match &self.certificate {
            Some(Ok(identity)) => {
                let still = identities.still_good(identity, now_ms());
                let ended = |why| Turned::new(nobody("ended"), Refusal::from(&Ended::NoLongerWelcome(why)));
                Some(still.map_err(ended)?)
            }
            Some(Err(turned)) => return Err(turned.clone()),
            None => None,
        };
        let identity = match (by_certificate, by_token) {
            (Some(one), Some(other)) if one.workload().name != other.workload().name => {
                let message = "the certificate and the token are of two workloads";
                let refusal = Refusal::new(Reason::Unauthenticated, message).hint("send one of them");
                return Err(Turned::new(nobody("two_identities"), refusal));
            }
            (Some(identity), _) | (None, Some(identity)) => identity,
            (None, None) => {
                let refusal = Refusal::new(Reason::Unauthenticated, "nothing says who is calling")
                    .hint("show a client certificate, or send a token: `Authorization: Bearer …`");
                return Err(Turned::new(nobody("no_evidence"), refusal));
            }
        };
        self.know();
        Ok(identity)
    }

    /// What records a refusal of this caller where no session is open.
    pub(super) fn recorder(&self, identity: &Identity) -> Rc<Recorder> {
        let mut outside = self.outside.borrow_mut();
        if let Some((_, recorder)) = outside.as_ref().filter(|(of, _)| of == identity.evidence()) {
            return recorder.clone();
        }
        let recorder = Rc::new(Recorder::new([0; 16], &identified(identity, self.source)));
        *outside = Some((identity.evidence().clone(), recorder.clone()));
        recorder
    }

    /// The session of this caller at this target, opened with its first request.
    pub(super) fn visit(
        &self,
        identity: &Identity,
        target: &Target,
        rules: &Rules,
    ) -> Result<Rc<Visit>, Refusal> {
        let mut visits = self.visits.borrow_mut();
        visits.retain(|visit| !visit.has_ended() || visit.is_stuck());
        let goes_on = |visit: &&Rc<Visit>| !visit.has_ended() && visit.is_of(identity, &target.name);
        if let Some(visit) = visits.iter().find(goes_on) {
            return Ok(visit.clone());
        }
        if visits.len() >= self.shared.limits.http_sessions_per_connection_max {
            let message = "this connection has come with too many identities and targets";
            return Err(Refusal::new(Reason::Overloaded, message)
                .detail("the limit is `http_sessions_per_connection_max`")
                .hint("use a connection for each"));
        }
        let (shared, authorizer) = (&self.shared, &self.worker.authorizer);
        let opened = Visit::open(identity, &target.name, self.source, rules, shared, authorizer)?;
        let seconds_max = self.shared.limits.session_seconds_max;
        opened.watch(self.ended.clone(), Duration::from_secs(seconds_max));
        visits.push(opened.clone());
        Ok(opened)
    }
}

impl<P> Drop for Connection<P> {
    fn drop(&mut self) {
        if let Some((_, recorder)) = self.outside.take() {
            self.worker.authorizer.note_counted(&recorder);
        }
    }
}

/// The token of a request, in memory that is wiped when it is dropped: of the Bearer scheme (RFC 6750), or the
/// password of Basic (RFC 7617), for tools that know nothing else.
fn token(headers: &HeaderMap) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
    let malformed = |message: &'static str| Refusal::new(Reason::Malformed, message);
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.as_bytes(),
        (Some(_), Some(_)) => return Err(malformed("a request has one `Authorization` header at most")),
    };
    let (scheme, rest) = match value.iter().position(|byte| *byte == b' ') {
        Some(place) => value.split_at(place),
        None => return Err(malformed("`Authorization` has no credentials")),
    };
    let rest = rest.trim_ascii();
    if scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(Some(Zeroizing::new(rest.to_vec())));
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return Err(Refusal::new(
            Reason::Unauthenticated,
            "this scheme of `Authorization` is not served",
        )
        .hint("send `Bearer` and a token, or `Basic` with the token as password"));
    }
    let decoded = Zeroizing::new(
        BASE64_STANDARD
            .decode(rest)
            .map_err(|_| malformed("the Basic credentials are not Base64"))?,
    );
    let colon = decoded.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|colon| decoded.get(colon + 1..));
    let password = password.ok_or_else(|| malformed("the Basic credentials have no password"))?;
    Ok(Some(Zeroizing::new(password.to_vec())))
}

fn now_ms() -> i64 {
    audit::now_us() / 1_000
}
