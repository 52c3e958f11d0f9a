//! PostgreSQL, from the first byte of a client to its last: [`serve`] is the whole life of a connection.
//!
//! `startup` brings a client to an identity; `visit` is its session from the login at the target to the end.
//! `dial`, `connect` and `scram` log in, `request` and `answer` are the two halves of the conversation that `dialogue`
//! holds, `relay` moves the bytes. What names mean is kept right in `doubt`; refusals become bytes in `refusal`.

pub mod answer;
pub mod cancel;
pub mod catalogue;
pub mod connect;
mod dial;
pub mod dialogue;
pub mod doubt;
pub mod ending;
pub mod message;
pub mod pipe;
pub mod prepared;
pub mod refusal;
pub mod relay;
pub mod request;
pub mod scram;
pub mod settings;
pub mod startup;
mod visit;
pub mod warm;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use postern_link::wire::Record;
use tokio::sync::mpsc;
use tokio::time::Instant;

pub use crate::authorize::Place;
use crate::authorize::{Authorizer, Recorder, Rules, View, Wish, identified};
use crate::refusal::{Reason, Refusal};
use crate::session::Session;
use crate::shared::Shared;
use crate::tls::Incoming;

use cancel::CancelKeys;
use catalogue::Catalogues;
pub use dial::gateway_dial;
use ending::Ending;
use pipe::Buffers;
use startup::{Arrival, Client, Failure};
use visit::Visit;
use warm::Warm;

/// What all Postgres connections of this gateway share.
pub struct Postgres {
    pub shared: Arc<Shared>,
    pub cancel_keys: Arc<CancelKeys>,
    pub catalogues: Catalogues,
    /// Backends whose sessions were ended, for the task that terminates them.
    pub endings: mpsc::Sender<Ending>,
}

/// What the connections of one worker share besides.
pub struct Worker {
    pub authorizer: Rc<Authorizer>,
    pub buffers: Buffers,
    pub warm: Warm,
}

/// Serves one connection. `pass` is given back once the caller is no longer a stranger.
pub async fn serve<P>(
    socket: Incoming,
    source: IpAddr,
    pass: P,
    deadline: Instant,
    postgres: Arc<Postgres>,
    worker: Rc<Worker>,
) {
    let shared = &postgres.shared;
    let arrived = startup::arrive(socket, source, deadline, shared).await;
    drop(pass);
    match arrived {
        Ok(Arrival::Client(client)) => serve_client(*client, source, &postgres, &worker).await,
        Ok(Arrival::Cancel(key)) => cancel::serve(&key, source, &postgres, &worker).await,
        Err(Failure::Turned(turned)) => {
            tracing::debug!(reason = turned.stranger.reason, "a stranger was turned away");
            shared.strangers.count(turned.stranger, source, &turned.refusal);
        }
        Err(Failure::Gone) => tracing::debug!("a connection went away before it said who it is"),
    }
}

/// From an identity to the end of its session. Whoever is refused here is known, and so recorded by name.
async fn serve_client(mut client: Client, source: IpAddr, postgres: &Arc<Postgres>, worker: &Rc<Worker>) {
    let shared = &postgres.shared;
    let rules = shared.rules.load_full();
    let mut record = Record {
        client_says: client.startup.application_name.clone(),
        ..identified(&client.identity, source)
    };
    match open(&client, source, &rules, shared, worker, &mut record).await {
        Ok((session, place, view)) => {
            let recorder = Recorder::new(session.id(), &record);
            let visit = Visit {
                session: &session,
                place,
                rules: &rules,
                shared,
                postgres,
                worker,
            };
            if let Err(refusal) = visit.run(&mut client, view, recorder).await {
                startup::say(&mut client.stream, &refusal, &shared.limits).await;
            }
        }
        Err(refusal) => {
            let recorder = Recorder::new([0; 16], &record);
            let refusal = worker.authorizer.refuse(&recorder, None, refusal);
            startup::say(&mut client.stream, &refusal, &shared.limits).await;
        }
    }
}

/// A session in its place, if the workload may be there.
async fn open(
    client: &Client,
    source: IpAddr,
    rules: &Rules,
    shared: &Arc<Shared>,
    worker: &Rc<Worker>,
    record: &mut Record,
) -> Result<(Session, Place, Rc<View>), Refusal> {
    let identity = &client.identity;
    let wish = Wish {
        server_name: client.server_name.as_deref(),
        target: client.startup.target.as_deref(),
        database: &client.startup.database,
        user: &client.startup.user,
    };
    let place = rules.place(identity.workload(), wish)?;
    record.target.clone_from(&place.target);
    record.database.clone_from(&place.database);
    record.role.clone_from(&place.role);
    if let Some(target) = rules.target(&place.target) {
        shared.may_serve(target, rules)?;
    }
    let view = worker.authorizer.view_of(identity, &place, source, rules);
    view.may_enter()?;
    let session = shared.sessions.open(identity.clone(), &place.target, source)?;
    record.session = session.id().to_vec();
    Ok((session, place, view))
}

fn gone() -> Refusal {
    Refusal::new(Reason::Unavailable, "the session could not be opened")
}
