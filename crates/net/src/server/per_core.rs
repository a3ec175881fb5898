//! A server with a runtime for each core.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};

use crate::server::handler::IntoHandlerResult;
use crate::server::request::Request;
use crate::server::{Client, Host, Server, finish, session};
use crate::transport::Detached;

impl Server {
    /// Runs `handler` like [`Server::serve`], in one thread for each core that the process may use. A connection
    /// stays in its thread, so the future of the handler need not be [`Send`]: it may hold an
    /// [`Rc`](std::rc::Rc), and share it with other connections of the thread through a thread-local variable.
    ///
    /// Each thread has a current-thread runtime. It moves no task to another thread, so one busy handler delays
    /// the other connections of its thread. Tasks that a handler spawns run in the thread of the handler, and
    /// are dropped when the thread ends. A thread ends when the server no longer listens and has no
    /// connections, or when [`Connections::shutdown`](crate::Connections::shutdown) cuts the remaining
    /// connections off. The future is ready when all threads have ended.
    ///
    /// The calling task accepts all clients, and passes them to the threads in turn. So the clients are spread
    /// evenly on every operating system. All streams of an HTTP/2 connection run in one thread. The limits of
    /// the server, and [`Connections`](crate::Connections), count the connections of all threads.
    ///
    /// ```no_run
    /// use std::cell::Cell;
    ///
    /// use fullduplex_net::{HandlerResult, Server, ServerOptions};
    ///
    /// thread_local! {
    ///     static MESSAGES: Cell<u64> = const { Cell::new(0) };
    /// }
    ///
    /// # async fn example() -> std::io::Result<()> {
    /// let server = Server::bind("127.0.0.1:8080", ServerOptions::default()).await?;
    /// server
    ///     .serve_per_core(|request| async move {
    ///         let mut socket = request.accept().await?;
    ///         while let Some(message) = socket.recv().await? {
    ///             MESSAGES.set(MESSAGES.get() + 1);
    ///             socket.send(message).await?;
    ///         }
    ///         HandlerResult::Ok(())
    ///     })
    ///     .await
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error of the system if a thread or its runtime could not be started.
    ///
    /// # Cancel safety
    /// Dropping the future stops listening. Open connections continue in their threads.
    pub async fn serve_per_core<F>(
        self,
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output: IntoHandlerResult> + 'static,
    {
        let (pool, handler) = (Arc::clone(self.connections.pool()), Arc::new(handler));
        let (mut listener, host) = self.into_host(move |opening, span| {
            let preparing = session::prepare(Arc::clone(&pool), opening, Arc::clone(&handler));
            session::spawn_local(preparing, span);
        });
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        // `recv` returns when all threads have dropped their clones of `alive`.
        let (alive, mut ended) = mpsc::channel::<()>(1);
        let mut queues = Vec::with_capacity(cores);
        for _ in 0..cores {
            queues.push(start_thread(&host, alive.clone()).await?);
        }
        drop(alive);
        let mut in_turn = queues.iter().cycle();
        let pass_on = |Client { transport, peer, guard }: Client| match transport.detach() {
            Ok(transport) => {
                if let Some(queue) = in_turn.next() {
                    queue.send(Client { transport, peer, guard }).ok();
                }
            }
            Err(error) => report_lost(&host, &error),
        };
        listener.accept_until_closing(&host, pass_on).await;
        drop((listener, queues));
        ended.recv().await;
        Ok(())
    }
}

/// The queue of the clients that a thread gets. Its length is bounded by the limit of connections, because each
/// client in it has a place.
type Queue = mpsc::UnboundedSender<Client<Detached>>;

/// Starts a thread that serves the clients of the returned queue. The thread drops `alive` when it ends.
async fn start_thread(host: &Arc<Host>, alive: mpsc::Sender<()>) -> io::Result<Queue> {
    let host = Arc::clone(host);
    let (queue, clients) = mpsc::unbounded_channel();
    let (started, start) = oneshot::channel();
    // The runtime cannot be moved to another thread, so the thread creates it.
    thread::Builder::new().name("fullduplex-core".into()).spawn(move || {
        match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => {
                started.send(Ok(())).ok();
                runtime.block_on(serve_queue(host, clients));
                // Dropping the runtime would wait for the blocking tasks of the handlers.
                runtime.shutdown_background();
            }
            Err(error) => {
                started.send(Err(error)).ok();
            }
        }
        drop(alive);
    })?;
    start.await.unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))?;
    Ok(queue)
}

/// Serves the clients of a queue until the server no longer listens, and all handlers have ended.
async fn serve_queue(host: Arc<Host>, mut clients: mpsc::UnboundedReceiver<Client<Detached>>) {
    while let Some(Client { transport, peer, guard }) = clients.recv().await {
        match transport.attach() {
            Ok(transport) => host.start(Client { transport, peer, guard }),
            Err(error) => report_lost(&host, &error),
        }
    }
    finish(host.connections.pool()).await;
}

fn report_lost(host: &Host, error: &io::Error) {
    tracing::warn!(%error, "could not pass a client to a thread; its connection is closed");
    host.connections.pool().counters.count_failed();
}
