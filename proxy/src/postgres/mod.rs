//! PostgreSQL, from the first byte of a client to its last: [`serve`] is the whole life of a connection.
//!
//! `startup` brings a client to an identity, `dial` and `connect` log in to the target, `request` and `answer`
//! are the two halves of the conversation that `dialogue` holds, `relay` moves the bytes. What names mean is
//! kept right in `doubt`; what is refused becomes bytes in `refusal`.

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
mod record;
pub mod refusal;
pub mod relay;
pub mod request;
pub mod settings;
pub mod startup;
mod view;
pub mod warm;

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use postern_link::wire::{Kind, Record, Status};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::audit;
use crate::audit::strangers::Strangers;
pub use crate::authorize::Place;
use crate::authorize::{Authorizer, Reading, Recorder, Rules, View, Wish};
use crate::config::Limits;
use crate::control::LastWord;
use crate::identity::Identities;
use crate::refusal::{Reason, Refusal};
use crate::session::{Backend, Ended, Session, Sessions};
use crate::tls::ServerTls;
use crate::upstream::Credentials;

use cancel::{CancelKeys, Cancelable};
use catalogue::{Catalogues, Facts, SharedCatalogue};
use connect::Connected;
pub use dial::gateway_dial;
use dial::{dial, harmless, warm_or_new};
use dialogue::{Dialogue, Opening};
use ending::Ending;
use pipe::Buffers;
use record::{EndNote, session_record};
use relay::{Finish, Relay};
use startup::{Arrival, Client, Failure, login_answer};
use view::view;
use warm::{Key, Warm};

/// What all Postgres connections of this gateway share.
pub struct Shared {
    pub gateway: String,
    pub limits: Limits,
    pub tls: ServerTls,
    pub identities: Identities,
    pub rules: ArcSwap<Rules>,
    pub credentials: ArcSwap<Credentials>,
    pub sessions: Arc<Sessions>,
    pub cancel_keys: Arc<CancelKeys>,
    pub catalogues: Catalogues,
    pub strangers: Strangers,
    pub last_word: LastWord,
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
pub async fn serve<P>(socket: TcpStream, source: IpAddr, pass: P, shared: Arc<Shared>, worker: Rc<Worker>) {
    let arrived = startup::arrive(socket, source, &shared).await;
    drop(pass);
    match arrived {
        Ok(Arrival::Client(client)) => serve_client(*client, source, &shared, &worker).await,
        Ok(Arrival::Cancel(key)) => cancel::serve(&key, source, &shared, &worker).await,
        Err(Failure::Turned(turned)) => {
            tracing::debug!(reason = turned.stranger.reason, "a stranger was turned away");
            shared.strangers.count(turned.stranger, source, &turned.refusal);
        }
        Err(Failure::Gone) => tracing::debug!("a connection went away before it said who it is"),
    }
}

/// From an identity to the end of its session. Whoever is refused here is known, and so recorded by name.
async fn serve_client(mut client: Client, source: IpAddr, shared: &Arc<Shared>, worker: &Rc<Worker>) {
    let rules = shared.rules.load_full();
    let mut record = session_record(&client, source);
    let opened = open(&client, source, &rules, shared, worker, &mut record).await;
    let recorder = |session: &Session, record: &Record| Recorder::new(session.id(), record);
    match opened {
        Ok((session, place, view)) => {
            let recorder = recorder(&session, &record);
            let result = converse(
                &mut client,
                &session,
                recorder,
                (place, view),
                &rules,
                shared,
                worker,
            )
            .await;
            if let Err(refusal) = result {
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
    if let Some(target) = rules.target(&place.target)
        && shared
            .last_word
            .is_older_than(Duration::from_secs(target.unheard_seconds_max.into()))
    {
        return Err(Refusal::from(&Ended::Unheard));
    }
    let view = view(identity, &place, source, rules, &worker.authorizer);
    view.may_enter()?;
    let session = shared.sessions.open(identity.clone(), &place.target, source)?;
    record.session = session.id().to_vec();
    Ok((session, place, view))
}

/// Logs in to the target, answers the client's login, and relays until the end.
async fn converse(
    client: &mut Client,
    session: &Session,
    recorder: Recorder,
    (place, view): (Place, Rc<View>),
    rules: &Rules,
    shared: &Arc<Shared>,
    worker: &Rc<Worker>,
) -> Result<(), Refusal> {
    let authorizer = &worker.authorizer;
    let audit = authorizer.audit();
    audit
        .note(Kind::SessionOpened, &[&recorder.part])
        .map_err(|error| Refusal::from(&error))?;
    let mut ended = EndNote {
        authorizer: authorizer.clone(),
        recorder: Some(recorder),
        why: String::new(),
    };
    let identity = session.live().identity();
    let workload = &identity.workload().name;
    let target = rules.target(&place.target).ok_or_else(gone)?;
    let our_name =
        settings::our_application_name(workload, identity.run().and_then(|run| run.run_id.as_deref()));
    let dial = dial(target, &place, our_name.clone(), shared)?;
    let key = Key {
        workload: workload.clone(),
        place: place.clone(),
        snapshot: rules.snapshot.number,
        credentials: dial.credential.reading,
    };
    let gateway_dial = gateway_dial(target, &place, shared)?;
    let age_max = target.postgres.catalogue_age_seconds_max.into();

    let log_in = async {
        let names = shared
            .catalogues
            .of(&place.target, gateway_dial, age_max, &shared.limits)
            .await?;
        Ok::<_, connect::Error>((names, warm_or_new(&key, &dial, shared, worker).await?))
    };
    let (names, (mut connected, opened_as, opened)) = log_in.await.map_err(|error| {
        tracing::warn!(target = place.target, %error, "a session could not be opened at its target");
        Refusal::from(&error)
    })?;
    harmless(&connected, target, &place)?;
    session.live().set_backend(Some(Backend {
        pid: connected.pid,
        started: connected.facts.backend_start.clone(),
    }));

    let settings = &client.startup.settings;
    let reading = set_startup(settings, &mut connected, &names, &view, &ended).await?;

    let backend_key = connected.key.clone();
    let cancelable = Cancelable {
        live: session.live().clone(),
        dial: dial.clone(),
        backend_pid: connected.pid,
        backend_key,
    };
    let issued = shared
        .cancel_keys
        .issue(client.long_keys, &cancelable)
        .map_err(|_| gone())?;
    let hello = login_answer(&connected, &client.startup.application_name, &issued.key);
    client.stream.write_all(&hello).await.map_err(|_| gone())?;
    client.stream.flush().await.map_err(|_| gone())?;

    let Connected {
        wire,
        pid,
        key: server_key,
        parameters,
        facts,
    } = connected;
    let mut stream = wire.into_stream();
    let mut dialogue = Dialogue::new(Opening {
        shared: shared.clone(),
        authorizer: authorizer.clone(),
        recorder: ended.recorder.take().ok_or_else(gone)?,
        place: place.clone(),
        view,
        reading,
        names,
        startup_settings: client.startup.settings.clone(),
        client_says: client.startup.application_name.clone(),
        our_name,
    });
    let source = session.live().source;
    let follow = |dialogue: &mut Dialogue| {
        let newest = shared.rules.load();
        if dialogue.policy_epoch() != newest.snapshot.number {
            dialogue.set_view(self::view(
                &session.live().identity(),
                &place,
                source,
                &newest,
                authorizer,
            ));
        }
        Ok(())
    };
    let finish = Relay::new(
        (&mut client.stream, &mut stream),
        &mut dialogue,
        (session.live(), &shared.limits),
        &worker.buffers,
        &follow,
    )
    .run()
    .await;
    tracing::debug!(session = %session.live().id, finish = ?finish.word(), "a session ended");

    let reusable = dialogue.is_plain() && matches!(finish, Finish::Client);
    ended.why = finish.word().to_owned();
    ended.recorder = Some(dialogue.into_recorder());
    drop(issued);
    if let Finish::Ended(_) | Finish::Refused(_) = finish {
        // Closing the socket alone would let a running statement commit.
        let ending = Ending {
            gateway_dial: self::gateway_dial(target, &place, shared)?,
            cancelable,
        };
        if shared.endings.try_send(ending).is_err() {
            tracing::warn!(
                target = place.target,
                "too many backends wait to be ended; this one is only closed"
            );
        }
        return Ok(());
    }
    let _ = client.stream.shutdown().await;
    drop(ended);
    let wire = connect::Wire::new(stream, &shared.limits);
    let mut connected = Connected {
        wire,
        pid,
        key: server_key,
        parameters,
        facts,
    };
    if reusable && warm::reset(&mut connected).await.is_ok() {
        worker
            .warm
            .give(&key, connected, opened_as, opened, &shared.limits);
    } else {
        connected.wire.goodbye().await;
    }
    Ok(())
}

/// Judges, records and runs each setting of the client's startup as a SET; gives the reading they leave.
async fn set_startup(
    settings: &[(String, String)],
    connected: &mut Connected,
    names: &SharedCatalogue,
    view: &View,
    noted: &EndNote,
) -> Result<Rc<Reading>, Refusal> {
    let authorizer = &noted.authorizer;
    let recorder = noted.recorder.as_ref().ok_or_else(gone)?;
    let reading = |facts: &Facts| {
        let path = facts.search_path.clone();
        authorizer.reading(
            &names.newest(),
            path,
            &facts.role,
            facts.standard_conforming_strings,
        )
    };
    for (name, value) in settings {
        let text = settings::set_statement(name, value);
        let judged = authorizer.judge(view, &reading(&connected.facts), &text);
        let permit = authorizer.permit(recorder, view, &judged, None)?;
        let set = connected.wire.ask(&text).await;
        let status = if set.is_ok() { Status::Done } else { Status::Failed };
        permit.entry.close(status, &audit::Outcome::default());
        set.map_err(|error| match error {
            connect::Error::Refused { .. } => Refusal::new(
                Reason::Malformed,
                format!("the target does not take the setting `{name}`"),
            ),
            error => Refusal::from(&error),
        })?;
    }
    if !settings.is_empty() {
        connected
            .ask_facts()
            .await
            .map_err(|error| Refusal::from(&error))?;
    }
    Ok(reading(&connected.facts))
}

fn gone() -> Refusal {
    Refusal::new(Reason::Unavailable, "the session could not be opened")
}
