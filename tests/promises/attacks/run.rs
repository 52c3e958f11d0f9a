//! Sends the cases: one session for each group, workload and route, all at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use postern_tests::raw::{PROTOCOL_3_0, Raw, bind, error, execute, message, parse, query, status, sync};
use postern_tests::{Login, World, claim};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::cases::{Case, Expected};

/// What stands before the case where it is a later statement.
pub const FIRST: &str = "select id from orders where id = 7";
/// What the harness itself says to leave a transaction.
pub const LEAVE: &str = "rollback";
const SESSIONS_AT_ONCE: usize = 6;

/// How a case reaches the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Simple,
    Extended,
    /// As the second statement of one Query.
    Batch,
    /// As the second Parse before one Sync.
    Pipeline,
}

impl Route {
    pub const ALL: [Route; 4] = [Route::Simple, Route::Extended, Route::Batch, Route::Pipeline];

    fn name(self) -> &'static str {
        match self {
            Route::Simple => "simple",
            Route::Extended => "extended",
            Route::Batch => "batch",
            Route::Pipeline => "pipeline",
        }
    }

    pub fn text(self, case: &str) -> String {
        match self {
            Route::Batch => format!("{FIRST};\n{case}"),
            Route::Simple | Route::Extended | Route::Pipeline => case.to_owned(),
        }
    }

    /// The server ignores a Sync that comes during COPY, and so wants another.
    fn end_of_copy(self) -> Vec<Vec<u8>> {
        let done = message('c', b"");
        match self {
            Route::Simple | Route::Batch => vec![done],
            Route::Extended | Route::Pipeline => vec![done, sync()],
        }
    }

    fn messages(self, case: &str) -> Vec<Vec<u8>> {
        let text = self.text(case);
        let extended = |text: &str| [parse("", text), bind("", ""), execute("", 0)];
        match self {
            Route::Simple | Route::Batch => vec![query(&text)],
            Route::Extended => [&extended(&text)[..], &[sync()]].concat(),
            Route::Pipeline => [&extended(FIRST)[..], &extended(&text), &[sync()]].concat(),
        }
    }
}

/// What came of one case by one route.
pub struct Heard {
    pub case: Case,
    pub route: Route,
    /// The session's name at the server.
    pub session: String,
    /// Of the first error; empty where all went well.
    pub sqlstate: String,
    pub message: String,
}

/// What the session says before a case, so that the server's log shows where the case begins.
pub fn marker(case: usize) -> String {
    format!("select 'case {case}'")
}

pub const END: usize = usize::MAX;

pub fn through_the_gateway(world: &World, cases: &[&Case], routes: &[Route]) -> Vec<Heard> {
    let mut sessions: BTreeMap<(String, &'static str), Vec<Case>> = BTreeMap::new();
    for case in cases {
        let key = (case.group.clone(), case.workload);
        sessions.entry(key).or_default().push((*case).clone());
    }
    let room = Arc::new(Semaphore::new(SESSIONS_AT_ONCE));
    let runs = sessions
        .into_values()
        .flat_map(|cases| routes.iter().map(move |route| (cases.clone(), *route)));
    let runs = runs.map(|(cases, route)| {
        let room = room.clone();
        async move {
            let _room = room.acquire().await.expect("it stays open");
            one_session(world, &cases, route).await
        }
    });
    world
        .block_on(futures_util::future::join_all(runs))
        .into_iter()
        .flatten()
        .collect()
}

async fn one_session(world: &World, cases: &[Case], route: Route) -> Vec<Heard> {
    let first = cases.first().expect("a session has cases");
    let run = format!("{}-{}", first.group, route.name());
    let session = format!("postern:{}:{run}", first.workload);
    let token = world.token(first.workload, &[("run_id", claim(run))]);
    let mut all = Vec::new();
    let mut raw = Raw::log_in(world, &token).await;
    for case in cases {
        let messages = [&[query(&marker(case.id))][..], &route.messages(&case.text)].concat();
        // A message that is too long closes the connection while it is being sent.
        let _ = raw.stream.write_all(&messages.concat()).await;
        let _ = raw.stream.flush().await;
        let answer = match hear(&mut raw, route).await {
            (_, _, Some(_)) => hear(&mut raw, route).await,
            closed => closed,
        };
        let (sqlstate, message, state) = answer;
        all.push(Heard {
            case: case.clone(),
            route,
            session: session.clone(),
            sqlstate,
            message,
        });
        match state {
            Some('I') => {}
            Some(_) => {
                raw.send(&[query(LEAVE)]).await;
                hear(&mut raw, route).await;
            }
            None => raw = Raw::log_in(world, &token).await,
        }
    }
    raw.query(&marker(END)).await;
    all
}

/// The first error's code and message, and the state of the session, if there still is one.
async fn hear(raw: &mut Raw, route: Route) -> (String, String, Option<char>) {
    let mut heard = Vec::new();
    while let Some(one) = raw.try_receive().await {
        if one.0 == 'G' {
            raw.send(&route.end_of_copy()).await;
        }
        let ready = one.0 == 'Z';
        heard.push(one);
        if ready {
            break;
        }
    }
    let state = heard.last().filter(|last| last.0 == 'Z').map(|_| status(&heard));
    if heard.iter().any(|(tag, _)| *tag == 'E') {
        (error(&heard, 'C'), error(&heard, 'M'), state)
    } else if state.is_none() {
        ("closed".to_owned(), String::new(), state)
    } else {
        (String::new(), String::new(), state)
    }
}

/// The server's own verdict on each harmless case for a role with the same rights; empty where it has no objection.
pub fn past_the_gateway(world: &World, cases: &[&Case]) -> BTreeMap<usize, String> {
    let mut verdicts = BTreeMap::new();
    world.block_on(async {
        for workload in ["writer", "report"] {
            let mut raw = direct(world, workload).await;
            let harmless = |case: &&&Case| case.workload == workload && case.expected != Expected::Refused;
            for case in cases.iter().filter(harmless) {
                raw.send(&[query(&case.text)]).await;
                let (sqlstate, _, state) = hear(&mut raw, Route::Simple).await;
                verdicts.insert(case.id, sqlstate);
                match state {
                    Some('I') => drop(raw.query("reset all").await),
                    Some(_) => drop(raw.query("rollback; reset all").await),
                    None => raw = direct(world, workload).await,
                }
            }
        }
    });
    verdicts
}

async fn direct(world: &World, workload: &str) -> Raw {
    let socket = TcpStream::connect(("127.0.0.1", world.cluster.port)).await;
    let mut raw = Raw::secure_over(world, socket.expect("a connection"), Login::Token("")).await;
    let user = format!("attack_{workload}");
    raw.start(PROTOCOL_3_0, &[("user", &user), ("database", &world.database)])
        .await;
    raw.until_ready().await;
    raw
}
