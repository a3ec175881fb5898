//! One run: the server, the clients, and what happens to the links between them.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use fullduplex_net::proto::Url;
use fullduplex_net::{
    AcceptOptions, ConnectOptions, Connecting, Connections, Connector, HandlerResult, Http,
    Request, Server, ServerOptions, Transport, connect,
};
use futures_core::Stream;
use tokio::runtime::{Builder, Handle};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::end::End;
use super::ledger::Ledger;
use super::link::{Fault, Link, LinkEnd, Quality};
use super::plan::{Plan, Side, SocketPlan};
use super::tally::Tally;
use super::trace::Trace;
use crate::rng::Rng;

/// The time after which all sockets must have ended. It is longer than all deadlines together.
const LIMIT: Duration = Duration::from_secs(600);

/// The time for a shutdown, and then for the end of connections without streams.
const LAST_LIMIT: Duration = Duration::from_secs(200);

/// One in this many seeds is run twice. Both runs must be identical.
const TWICE_ONE_IN: u64 = 100;

/// The time for the opening handshake. It is longer than a stall.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Simulates the sockets of `seed` from the first connection to the last end. Panics if an invariant is
/// violated.
pub fn run(seed: u64, trace: &mut Trace) -> Tally {
    let mut rng = Rng::new(seed);
    let plan = Plan::new(&mut rng);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing of the system");
    let ledger = runtime.block_on(async {
        let ledger = Ledger::new(seed, plan.sockets.len(), std::mem::take(trace));
        let ledger = Arc::new(Mutex::new(ledger));
        simulate(plan, rng, &ledger).await;
        ledger
    });
    drop(runtime);
    let mut ledger = lock(&ledger);
    *trace = std::mem::take(&mut ledger.trace);
    if let Some(violation) = &ledger.violation {
        panic!("{violation}");
    }
    ledger.tally
}

/// Runs a seed, and some seeds twice. Panics if an invariant is violated, or if two runs differ.
pub fn check(seed: u64) -> Tally {
    let mut trace = Trace::hashing();
    let tally = run(seed, &mut trace);
    if seed.is_multiple_of(TWICE_ONE_IN) {
        let mut other = Trace::hashing();
        run(seed, &mut other);
        assert_eq!(trace.hash(), other.hash(), "two runs of the same seed differ");
    }
    tally
}

async fn simulate(plan: Plan, rng: Rng, ledger: &Arc<Mutex<Ledger>>) {
    let Plan { sockets, http2, quality, fault, shutdown } = plan;
    let (clients, accepted) = mpsc::unbounded_channel();
    let links = Arc::new(Links {
        ledger: Arc::clone(ledger),
        quality,
        clients,
        state: Mutex::new((rng, Vec::new())),
    });
    let accept = AcceptOptions::default().handshake_timeout(HANDSHAKE);
    let server = Server::from_streams(Accepted(accepted), ServerOptions::default().accept(accept));
    let server = server.with_http2(http2);
    let connections = server.connections().clone();
    let sockets: Arc<[SocketPlan]> = sockets.into();
    let serving = tokio::spawn(server.serve({
        let (sockets, ledger) = (Arc::clone(&sockets), Arc::clone(ledger));
        move |request| serve(request, Arc::clone(&sockets), Arc::clone(&ledger))
    }));
    let mut clients = JoinSet::new();
    for id in 0..sockets.len() {
        let (sockets, links) = (Arc::clone(&sockets), Arc::clone(&links));
        clients.spawn(async move { open(id, &sockets[id], links).await });
    }
    let mut events = JoinSet::new();
    if let Some((at, fault)) = fault {
        events.spawn(fail(at, fault, Arc::clone(&links)));
    }
    if let Some(at) = shutdown {
        events.spawn(shut_down(at, connections.clone(), Arc::clone(ledger)));
    }
    let has_ended = timeout(LIMIT, clients.join_all()).await.is_ok();
    lock(ledger).require(has_ended, || "M4: a client has not ended".into());
    events.shutdown().await;
    let drained = connections.shutdown(LAST_LIMIT).await;
    lock(ledger).require(drained.cut == 0, || format!("M4: the server has cut off {drained:?}"));
    drop(connections); // they own the task of the timers
    sleep(LAST_LIMIT).await;
    let tasks = Handle::current().metrics().num_alive_tasks();
    let is_over = serving.is_finished() && tasks == 0;
    lock(ledger).require(is_over, || format!("M5: {tasks} tasks are left"));
}

async fn fail(at: Duration, fault: Fault, links: Arc<Links>) {
    sleep(at).await;
    let state = links.state.lock().expect("no task panics with the lock");
    lock(&links.ledger).fault(fault);
    state.1.iter().for_each(|link| link.fail(fault));
}

async fn shut_down(at: Duration, connections: Connections, ledger: Arc<Mutex<Ledger>>) {
    sleep(at).await;
    lock(&ledger).shutdown();
    connections.shutdown(LAST_LIMIT).await;
}

/// The client of a socket.
async fn open(id: usize, plan: &SocketPlan, links: Arc<Links>) {
    sleep(plan.opens_after).await;
    let ledger = Arc::clone(&links.ledger);
    let options = ConnectOptions::new().http(Http::Two).handshake_timeout(HANDSHAKE);
    let options = options.deflate(None).connector(links);
    match connect(format!("ws://simulation/{id}"), &options).await {
        Ok((socket, _)) => {
            let end = End { id, side: Side::Client, ledger };
            end.run(socket, &plan.client).await;
        }
        Err(error) => lock(&ledger).not_opened(id, &error),
    }
}

/// The handler of a socket.
async fn serve(
    request: Request,
    sockets: Arc<[SocketPlan]>,
    ledger: Arc<Mutex<Ledger>>,
) -> HandlerResult {
    let id: usize = request.uri().path().trim_start_matches('/').parse()?;
    let socket = request.accept().await?;
    let end = End { id, side: Side::Server, ledger };
    end.run(socket, &sockets[id].server).await;
    Ok(())
}

/// The network. The client connects through it.
struct Links {
    ledger: Arc<Mutex<Ledger>>,
    quality: Quality,
    clients: mpsc::UnboundedSender<LinkEnd>,
    state: Mutex<(Rng, Vec<Link>)>,
}

impl Connector for Links {
    fn connect<'a>(&'a self, _url: &'a Url) -> Connecting<'a> {
        Box::pin(async {
            let (rng, links) = &mut *self.state.lock().expect("no task panics with the lock");
            let (link, client, server) = Link::new(self.quality, rng);
            lock(&self.ledger).connects();
            links.push(link);
            self.clients.send(server).map_err(|_| io::ErrorKind::ConnectionRefused)?;
            Ok(Transport::other(client))
        })
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

/// What the server accepts.
struct Accepted(mpsc::UnboundedReceiver<LinkEnd>);

impl Stream for Accepted {
    type Item = io::Result<Transport>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(cx).map(|end| end.map(|end| Ok(Transport::other(end))))
    }
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().expect("no task panics with the lock")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::{Sweep, sweep};

    #[test]
    fn two_hundred_seeds_violate_no_invariant() {
        let Sweep { tally, failed } = sweep(0..200, check);
        assert!(failed.is_empty(), "see `cargo xtask simulate-http2 --seed` {failed:?}");
        // The runs must do enough of each kind to find faults.
        let Tally { seeds, connections, sockets, unopened, messages, closed, lost, .. } = tally;
        assert!(seeds == 200 && connections > 200 && sockets > 300 && messages > 1_000, "{tally}");
        assert!(unopened > 0 && closed > 300 && lost > 50, "{tally}");
    }
}
