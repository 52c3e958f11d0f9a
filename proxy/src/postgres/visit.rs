//! A session at its target: logged in, the client answered, relayed, and left in order.

use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;

use postern_link::snapshot::{PostgresTarget, Target};
use postern_link::wire::{Kind, Status};
use tokio::io::AsyncWriteExt;

use crate::audit;
use crate::authorize::{EndNote, Reading, Recorder, Rules, View};
use crate::refusal::{Reason, Refusal};
use crate::session::{Backend, Session};
use crate::shared::Shared;

use super::cancel::Cancelable;
use super::catalogue::{Facts, SharedCatalogue};
use super::connect::{self, Connected, Dial, Parameters};
use super::dial::{dial, gateway_dial, harmless, warm_or_new};
use super::dialogue::{Dialogue, Opening};
use super::ending::Ending;
use super::relay::{Finish, Relay};
use super::startup::{Client, login_answer};
use super::warm::{self, Key, Opened};
use super::{Place, Postgres, Worker, gone, settings};

/// A session in its place, with the rules it came under.
pub(super) struct Visit<'a> {
    pub session: &'a Session,
    pub place: Place,
    pub rules: &'a Rules,
    pub shared: &'a Arc<Shared>,
    pub postgres: &'a Postgres,
    pub worker: &'a Rc<Worker>,
}

impl Visit<'_> {
    /// The whole visit. A refusal is for the client, who has not been answered yet.
    pub async fn run(&self, client: &mut Client, view: Rc<View>, recorder: Recorder) -> Result<(), Refusal> {
        let authorizer = &self.worker.authorizer;
        let opened = authorizer.audit().note(Kind::SessionOpened, &[&recorder.part]);
        opened.map_err(|error| Refusal::from(&error))?;
        let mut ended = EndNote {
            authorizer: authorizer.clone(),
            recorder: Rc::new(recorder),
            why: String::new(),
        };
        let target = self.rules.target(&self.place.target);
        let target = target.and_then(Target::postgres).ok_or_else(gone)?;
        let our_name = self.our_name();
        let dial = dial(target, &self.place, our_name.clone(), self.shared)?;
        let gateway_dial = gateway_dial(target, &self.place, self.shared)?;
        let key = self.key(&dial);

        let (names, mut upstream) = self.log_in(&key, &dial, gateway_dial.clone(), target).await?;
        harmless(&upstream.connected, target, &self.place, self.shared)?;
        let live = self.session.live();
        live.set_backend(Some(Backend {
            pid: upstream.connected.pid,
            started: upstream.connected.facts.backend_start.clone(),
        }));
        let settings = &client.startup.settings;
        let set = set_startup(settings, &mut upstream.connected, &names, &view, &ended).await?;

        let cancelable = Cancelable {
            live: live.clone(),
            dial,
            backend_pid: upstream.connected.pid,
            backend_key: upstream.connected.key.clone(),
        };
        let issued = self.postgres.cancel_keys.issue(client.long_keys, &cancelable);
        let issued = issued.map_err(|_| gone())?;
        let credentials = self.shared.credentials.load_full();
        let parameters = upstream.connected.parameters.iter().chain(&set.reported);
        let parameters = parameters.filter(|(name, value)| {
            [name, value]
                .iter()
                .all(|text| credentials.withheld(text.as_bytes()).is_none())
        });
        let answer = login_answer(parameters, &client.startup.application_name, &issued.key);
        client.stream.write_all(&answer).await.map_err(|_| gone())?;
        client.stream.flush().await.map_err(|_| gone())?;

        let mut left_by_panic = LeftByPanic {
            visit: self,
            backend: Some((gateway_dial.clone(), cancelable.clone())),
        };
        let mut dialogue = Dialogue::new(Opening {
            limits: self.shared.limits.clone(),
            authorizer: authorizer.clone(),
            recorder: ended.recorder.clone(),
            credentials: credentials.clone(),
            place: self.place.clone(),
            view,
            reading: set.reading,
            names,
            startup_settings: client.startup.settings.clone(),
            client_says: client.startup.application_name.clone(),
            our_name,
        });
        let finish = self.relay(client, &mut upstream.connected, &mut dialogue).await;
        left_by_panic.backend = None;
        tracing::debug!(session = %live.id, finish = ?finish.word(), "a session ended");
        drop(issued);
        let reusable = dialogue.is_plain() && matches!(finish, Finish::Client);
        ended.why = finish.word().to_owned();
        // What was open in it closes as abandoned, before the session's own end.
        drop(dialogue);
        if let Finish::Ended(_) | Finish::Refused(_) = finish {
            self.end_backend(gateway_dial, cancelable);
            return Ok(());
        }
        let _ = client.stream.shutdown().await;
        drop(ended);
        self.leave(&key, upstream, reusable).await;
        Ok(())
    }

    fn our_name(&self) -> String {
        let identity = self.session.live().identity();
        let run_id = identity.run().and_then(|run| run.run_id.as_deref());
        settings::our_application_name(&identity.workload().name, run_id)
    }

    fn key(&self, dial: &Dial) -> Key {
        Key {
            workload: self.session.live().identity().workload().name.clone(),
            place: self.place.clone(),
            snapshot: self.rules.snapshot.number,
            credentials: dial.credential.reading,
        }
    }

    /// The names of the database, and a connection to it.
    async fn log_in(
        &self,
        key: &Key,
        dial: &Dial,
        gateway_dial: Dial,
        target: &PostgresTarget,
    ) -> Result<(Arc<SharedCatalogue>, Opened), Refusal> {
        let limits = &self.shared.limits;
        let age_max = target.catalogue_age_seconds_max.into();
        let catalogues = &self.postgres.catalogues;
        let both = async {
            let names = catalogues
                .of(&self.place.target, gateway_dial, age_max, limits)
                .await?;
            Ok::<_, connect::Error>((names, warm_or_new(key, dial, self.shared, self.worker).await?))
        };
        both.await.map_err(|error| {
            tracing::warn!(target = self.place.target, %error, "a session could not be opened at its target");
            Refusal::from(&error)
        })
    }

    /// Moves the bytes of both until one side, or somebody outside, ends it.
    async fn relay(&self, client: &mut Client, connected: &mut Connected, dialogue: &mut Dialogue) -> Finish {
        let live = self.session.live();
        let follow = |dialogue: &mut Dialogue| {
            dialogue.set_credentials(&self.shared.credentials.load());
            let newest = self.shared.rules.load();
            if dialogue.policy_epoch() != newest.snapshot.number {
                let identity = live.identity();
                let authorizer = &self.worker.authorizer;
                dialogue.set_view(authorizer.view_of(&identity, &self.place, live.source, &newest));
            }
        };
        Relay::new(
            (&mut client.stream, connected.wire.stream()),
            dialogue,
            (live, &self.shared.limits),
            &self.worker.buffers,
            &follow,
        )
        .run()
        .await
    }

    /// Has the backend terminated: closing the socket alone would let a running statement commit.
    fn end_backend(&self, opened_with: Dial, cancelable: Cancelable) {
        let newest = self.shared.rules.load();
        // The gateway's credential may have changed meanwhile, or the target may be gone.
        let dial = newest
            .target(&self.place.target)
            .and_then(Target::postgres)
            .and_then(|target| gateway_dial(target, &self.place, self.shared).ok())
            .filter(|dial| dial.address == opened_with.address);
        let ending = Ending {
            gateway_dial: dial.unwrap_or(opened_with),
            cancelable,
        };
        if self.postgres.endings.try_send(ending).is_err() {
            tracing::warn!(
                target = self.place.target,
                "too many backends wait to be ended; this one is only closed"
            );
        }
    }

    /// Gives the connection to the next session of this kind, or says goodbye.
    async fn leave(&self, key: &Key, mut upstream: Opened, reusable: bool) {
        if reusable && warm::reset(&mut upstream.connected).await.is_ok() {
            self.worker.warm.give(key, upstream, &self.shared.limits);
        } else {
            upstream.connected.wire.goodbye().await;
        }
    }
}

/// A panic must end what runs as an order would: closing the socket alone lets a running statement commit.
struct LeftByPanic<'a> {
    visit: &'a Visit<'a>,
    backend: Option<(Dial, Cancelable)>,
}

impl Drop for LeftByPanic<'_> {
    fn drop(&mut self) {
        if let Some((gateway_dial, cancelable)) = self.backend.take().filter(|_| std::thread::panicking()) {
            tracing::error!("a session ended by a panic of the gateway, which should be reported");
            self.visit.end_backend(gateway_dial, cancelable);
        }
    }
}

/// What the settings of a client's startup have left.
struct Set {
    reading: Rc<Reading>,
    /// What the server reported of them with ParameterStatus.
    reported: Parameters,
}

/// Judges, records and runs each setting of the client's startup as a SET.
async fn set_startup(
    settings: &[(String, String)],
    connected: &mut Connected,
    names: &SharedCatalogue,
    view: &View,
    noted: &EndNote,
) -> Result<Set, Refusal> {
    let authorizer = &noted.authorizer;
    let recorder = &noted.recorder;
    let reading = |facts: &Facts| {
        let path = facts.search_path.clone();
        authorizer.reading(
            &names.newest(),
            path,
            &facts.role,
            facts.standard_conforming_strings,
        )
    };
    let mut reported = Parameters::new();
    for (name, value) in settings {
        let text = settings::set_statement(name, value);
        let judged = authorizer.judge(view, &reading(&connected.facts), &text, &[]);
        let permit = authorizer.permit(recorder, view, &judged, None)?;
        let number = permit.entry.number();
        let durable = poll_fn(|context| authorizer.audit().poll_durable(number, context)).await;
        durable.map_err(|error| Refusal::from(&error))?;
        let set = connected.wire.set(&text).await;
        let status = if set.is_ok() { Status::Done } else { Status::Failed };
        permit.entry.close(status, &audit::Outcome::default());
        reported.extend(set.map_err(|error| match error {
            connect::Error::Refused { .. } => Refusal::new(
                Reason::Malformed,
                format!("the target does not take the setting `{name}`"),
            ),
            error => Refusal::from(&error),
        })?);
    }
    if !settings.is_empty() {
        let asked = connected.ask_facts().await;
        asked.map_err(|error| Refusal::from(&error))?;
    }
    Ok(Set {
        reading: reading(&connected.facts),
        reported,
    })
}
