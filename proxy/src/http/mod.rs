//! HTTP, from a client's handshake to its last response: [`serve`] is the whole life of a connection, and
//! [`answer`] that of one request.
//!
//! `startup` says who is calling; `request` what is asked, and of which target; `visit` is a caller's session at
//! a target; `connect` asks the target, over a connection that `pool` keeps; `relay` moves the bodies, and `tunnel`
//! what follows a change of protocol; refusals become responses in `refusal`. `mcp` speaks with MCP servers.

mod connect;
mod headers;
pub mod mcp;
mod pool;
mod refusal;
mod relay;
mod request;
mod startup;
mod tunnel;
mod visit;

use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body as _, Bytes, Incoming as Body};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, sink};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::audit::strangers::nobody;
use crate::authorize::call::Call;
use crate::authorize::{Authorizer, Permit, View};
use crate::budgets::Spending;
use crate::identity::Identity;
use crate::refusal::{Reason, Refusal};
use crate::shared::Shared;
use crate::tls::{ALPN_HTTP_2, Incoming};

use refusal::Speaks;
use relay::{Answer, Download, Exchange, Upload};
use request::Wanted;
use startup::{Connection, Turned, UnderWay};
use tunnel::Tunnel;
use visit::Visit;

pub use pool::Pool;
pub use refusal::refuse_plain;

/// What is still taken of a client that was answered before it had sent its whole request.
const UNREAD_BYTES_MAX: u64 = 1024 * 1024;

/// What waits to be sent on one stream of HTTP/2 before the next piece of its body is asked for.
const STREAM_UNSENT_BYTES_MAX: usize = 16 * 1024;

/// What the HTTP connections of one worker share.
pub struct Worker {
    pub authorizer: Rc<Authorizer>,
    pub pool: Pool,
}

/// Serves one connection. `pass` is given back once the caller is no longer a stranger.
pub async fn serve<P: 'static>(
    stream: Incoming,
    source: IpAddr,
    pass: P,
    deadline: Instant,
    shared: Arc<Shared>,
    worker: Rc<Worker>,
) {
    let limits = shared.limits.clone();
    let is_http_2 = stream.tls().and_then(|tls| tls.alpn_protocol()) == Some(ALPN_HTTP_2);
    let connection = Rc::new(Connection::new(&stream, source, pass, shared, worker));
    let service = {
        let connection = connection.clone();
        service_fn(move |request| {
            let connection = connection.clone();
            // On the heap: a connection that waits for its next request would keep the room of this one.
            Box::pin(async move { Ok::<_, Infallible>(answer(&connection, request).await) })
        })
    };
    let stream = TokioIo::new(stream);
    if is_http_2 {
        let mut builder = http2::Builder::new(OnThisThread);
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.http_streams_max)
            .max_header_list_size(u32::try_from(limits.http_head_bytes_max).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(limits.http_idle_seconds_max))
            .max_send_buf_size(STREAM_UNSENT_BYTES_MAX);
        let serving = pin!(builder.serve_connection(stream, service));
        drive(
            serving,
            Future::poll,
            http2::Connection::graceful_shutdown,
            deadline,
            &connection,
        )
        .await;
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(limits.http_idle_seconds_max))
            .max_headers(limits.http_headers_max)
            .max_header_size(limits.http_head_bytes_max)
            // Flushes are not put together (`pipeline_flush`): hyper would then buffer a response without a limit.
            .max_buf_size(limits.http_head_bytes_max.max(relay::PIECE_BYTES_MAX));
        let mut serving = builder.serve_connection(stream, service);
        let over = drive(
            Pin::new(&mut serving),
            |serving, context| serving.get_mut().poll_without_shutdown(context),
            http1::Connection::graceful_shutdown,
            deadline,
            &connection,
        )
        .await;
        let parts = serving.into_parts();
        let stream = parts.io.into_inner();
        match (over, connection.take_tunnel()) {
            (Over::Served, Some(tunnel)) => tunnel.run(stream, parts.read_buf).await,
            (Over::Served, None) => leave(stream, Duration::from_millis(limits.goodbye_timeout_ms)).await,
            (Over::CutOff, _) => {}
        }
    }
}

/// Runs a connection to its end: at once where nobody says in time who is calling, else until the client goes, or
/// a session on it is ended, or it has asked nothing for too long, and what still runs has been answered. A client that
/// does not take the end of a session is not waited for.
async fn drive<C, P>(
    mut serving: Pin<&mut C>,
    poll: fn(Pin<&mut C>, &mut Context<'_>) -> Poll<hyper::Result<()>>,
    goodbye: fn(Pin<&mut C>),
    deadline: Instant,
    connection: &Connection<P>,
) -> Over {
    let (mut is_leaving, mut is_judged) = (false, false);
    let limits = &connection.shared.limits;
    let idle_time_max = Duration::from_secs(limits.http_idle_seconds_max);
    let goodbye_timeout = Duration::from_millis(limits.goodbye_timeout_ms);
    let mut hears_until = None;
    loop {
        tokio::select! {
            result = poll_fn(|context| poll(serving.as_mut(), context)) => {
                if let Err(error) = result {
                    tracing::debug!(%error, "an HTTP connection ended in disorder");
                }
                return Over::Served;
            }
            () = connection.ended() => {
                is_leaving = true;
                goodbye(serving.as_mut());
                hears_until = Some(Instant::now() + goodbye_timeout);
            }
            // hyper asks no body for its next piece while the last one is not taken, not even whether it has one.
            () = sleep_until(hears_until.unwrap_or(deadline)), if hears_until.is_some() => {
                hears_until = None;
                if connection.is_stuck() {
                    return Over::CutOff;
                }
            }
            () = long_ago(|| connection.busy_at(), idle_time_max), if !is_leaving => {
                is_leaving = true;
                goodbye(serving.as_mut());
            }
            () = sleep_until(deadline), if !is_judged => {
                is_judged = true;
                if !connection.is_known() {
                    let refusal = Refusal::new(Reason::Unauthenticated, "nobody said in time who is calling");
                    connection.count(nobody("timeout"), &refusal);
                    return Over::CutOff;
                }
            }
        }
    }
}

/// How the serving of a connection ended.
enum Over {
    /// Whatever was to be said has been said.
    Served,
    CutOff,
}

/// Says goodbye, and hears a client out that is still sending what nobody reads: a connection that is closed on unread
/// bytes is reset, and the reset can overtake the response (RFC 9112, section 9.6).
async fn leave(mut stream: Incoming, time_max: Duration) {
    let leaving = async {
        stream.shutdown().await?;
        copy(&mut stream.take(UNREAD_BYTES_MAX), &mut sink()).await
    };
    if let Ok(Err(error)) = timeout(time_max, leaving).await {
        tracing::debug!(%error, "an HTTP client left in disorder");
    }
}

/// Ready once a moment, which may move on meanwhile, is so long ago.
async fn long_ago(moment: impl Fn() -> Instant, time_max: Duration) {
    let left = || {
        time_max
            .checked_sub(moment().elapsed())
            .filter(|left| !left.is_zero())
    };
    while let Some(left) = left() {
        sleep(left).await;
    }
}

/// Futures of HTTP/2 run where their connection does.
#[derive(Clone, Copy)]
struct OnThisThread;

impl<F: Future + 'static> hyper::rt::Executor<F> for OnThisThread {
    fn execute(&self, future: F) {
        tokio::task::spawn_local(async move {
            future.await;
        });
    }
}

/// One request, from its head to the head of its response; the bodies follow by themselves.
async fn answer<P: 'static>(connection: &Rc<Connection<P>>, request: Request<Body>) -> Response<Answer> {
    let (speaks, under_way) = (Speaks::of(&request), connection.begin());
    let (parts, body) = request.into_parts();
    if let Some(response) = told_to_anyone(&connection.shared, &parts) {
        return response;
    }
    let is_http_2 = parts.version == Version::HTTP_2;
    let mut body = Some(body);
    let answered = match connection.identify(&parts.headers).await {
        Ok(identity) => pass_on(connection, &identity, parts, &mut body, under_way).await,
        Err(turned) => {
            let Turned { stranger, refusal } = *turned;
            connection.count(stranger, &refusal);
            Err(refusal)
        }
    };
    if let Some(unread) = body.filter(|body| is_http_2 && !body.is_end_stream()) {
        let time_max = Duration::from_millis(connection.shared.limits.goodbye_timeout_ms);
        tokio::task::spawn_local(timeout(time_max, hear_out(unread)));
    }
    answered.unwrap_or_else(|refusal| refusal::response(&refusal, speaks))
}

/// The keys by which targets check the gateway's own word: who asks for them need be nobody.
fn told_to_anyone(shared: &Shared, parts: &Parts) -> Option<Response<Answer>> {
    let assertions = shared
        .assertions
        .as_ref()
        .filter(|_| parts.method == Method::GET)?;
    let host = request::host(&parts.uri, &parts.headers).ok()?;
    let told = assertions.told(&host, parts.uri.path())?;
    let mut response = Response::new(Answer::Whole(Some(Bytes::from(told.to_owned()))));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Some(response)
}

/// Hears out who was answered before its request was read: some clients lose an answer behind which the stream is
/// reset, though it says that nothing is wrong (RFC 9113, section 8.1).
async fn hear_out(mut body: Body) {
    let mut left = UNREAD_BYTES_MAX;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match left.checked_sub(bytes) {
            Some(less) => left = less,
            None => return,
        }
    }
}

/// Finds the target, judges, records, asks. Whoever is refused here is known, and so recorded by name.
/// Of a request that is not sent on the `body` stays where it is.
async fn pass_on<P: 'static>(
    connection: &Rc<Connection<P>>,
    identity: &Identity,
    parts: Parts,
    body: &mut Option<Body>,
    under_way: UnderWay,
) -> Result<Response<Answer>, Refusal> {
    let (shared, worker) = (&connection.shared, &connection.worker);
    let authorizer = &worker.authorizer;
    let rules = shared.rules.load_full();
    let outside = |refusal: Refusal| authorizer.refuse(&connection.recorder(identity), None, refusal);
    // Over HTTP/2 a head is only bounded in bytes.
    if parts.headers.len() > shared.limits.http_headers_max {
        let refusal = Refusal::new(Reason::Malformed, "this request has too many headers");
        return Err(outside(refusal.detail("the limit is `http_headers_max`")));
    }
    let wanted = request::read(
        &parts,
        &connection.scheme,
        connection.server_name.as_deref(),
        &rules,
    );
    let wanted = wanted.map_err(outside)?;
    shared.may_serve(wanted.target, &rules).map_err(outside)?;
    let visit = connection
        .visit(identity, wanted.target, &rules)
        .map_err(outside)?;
    let view = visit.view(&rules, authorizer);
    let refused =
        |visit: &Visit, refusal| authorizer.refuse_call(&visit.recorder, wanted.asked(None), refusal);
    let head = headers::to_target(parts.headers).map_err(|refusal| refused(&visit, refusal))?;
    let spending = visit.spend(wanted.api.budget.as_ref(), shared);
    let spending = spending.map_err(|refusal| refused(&visit, refusal))?;
    let asking = Asking {
        connection,
        identity,
        visit,
        view,
        under_way,
        spending,
    };
    if let Some(server) = &wanted.api.mcp {
        return mcp::pass_on(asking, &wanted, server, head, body).await;
    }
    let performed = wanted.performed(&rules, &head);
    let performed = performed.map_err(|refusal| refused(&asking.visit, refusal))?;
    let asked = wanted.asked(performed.as_ref());
    let permit = authorizer.permit_call(&asking.visit.recorder, &asking.view, asked)?;
    let upload = |exchange| match body.take() {
        Some(body) => Upload::streamed(body, exchange),
        None => Upload::whole(Bytes::new(), exchange),
    };
    let Asked { mut parts, download } = asking.ask(permit, &wanted, head, upload).await?;
    if let (StatusCode::SWITCHING_PROTOCOLS, Some(protocol)) = (parts.status, &wanted.upgrade) {
        connection.become_tunnel(Tunnel::new(&mut parts, download, protocol));
        return Ok(Response::from_parts(parts, Answer::Whole(None)));
    }
    Ok(Response::from_parts(parts, Answer::Download(download)))
}

/// Who asks, in which session.
struct Asking<'a, P> {
    connection: &'a Rc<Connection<P>>,
    identity: &'a Identity,
    visit: Rc<Visit>,
    view: Rc<View>,
    under_way: UnderWay,
    spending: Option<Spending>,
}

/// What a target has answered so far: the head, cleared of what clients are not told, and what follows.
struct Asked {
    parts: hyper::http::response::Parts,
    download: Download,
}

impl<P: 'static> Asking<'_, P> {
    fn authorizer(&self) -> &Rc<Authorizer> {
        &self.connection.worker.authorizer
    }

    /// How long a side may take for what the other waits for.
    fn limit(&self) -> Duration {
        Duration::from_secs(self.connection.shared.limits.http_response_seconds_max)
    }

    /// Asks the target for what is permitted, once the record of it is as durable as configured.
    async fn ask(
        self,
        permit: Permit<Rc<Call>>,
        wanted: &Wanted<'_>,
        head: HeaderMap,
        upload: impl FnOnce(Rc<Exchange>) -> Upload,
    ) -> Result<Asked, Refusal> {
        let (shared, worker) = (&self.connection.shared, &self.connection.worker);
        let limit = self.limit();
        let number = permit.entry.number();
        let durable = poll_fn(|context| self.authorizer().audit().poll_durable(number, context)).await;
        durable.map_err(|error| Refusal::from(&error))?;

        self.visit.begin();
        let exchange = Rc::new(Exchange {
            permit,
            visit: self.visit.clone(),
            credentials: shared.credentials.load_full(),
            moved: Cell::new(Instant::now()),
            _under_way: self.under_way,
            spending: self.spending,
        });
        let upload = upload(exchange.clone());
        let asking = connect::ask(wanted, &exchange, head, upload, shared, &worker.pool);
        let asked = tokio::select! {
            asked = asking => asked,
            () = long_ago(|| exchange.moved.get(), limit) => Err(connect::too_late()),
            // What it has begun closes as abandoned.
            ended = self.visit.ended(number) => return Err(Refusal::from(&ended)),
        };
        let (response, upstream) = asked.inspect_err(|_| exchange.fail())?;
        let (mut parts, body) = response.into_parts();
        tunnel::changes_as_asked(&parts, wanted.upgrade.as_deref()).inspect_err(|_| exchange.fail())?;
        headers::to_client(&mut parts.headers, &exchange.credentials);
        headers::lead_here(&mut parts.headers, wanted.api, wanted.below);
        exchange.permit.entry.completed(0, parts.status.as_str());
        let download = Download::new(body, exchange, upstream, worker.clone());
        Ok(Asked { parts, download })
    }
}
