//! A server in memory that can crash and start again.

use std::io;
use std::sync::{Arc, Mutex};

use fullduplex::{Builder, Connecting, Connector, Ports, Transport, Url, WebSocket};
use fullduplex_net::{AcceptOptions, Socket, accept};
use tokio::io::DuplexStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The server's end of a connection.
pub(crate) type Client = Socket<DuplexStream>;

/// Serves the server's end of a connection in a task of the set.
type Serve = Arc<dyn Fn(DuplexStream, &mut JoinSet<()>) + Send + Sync>;

#[derive(Clone)]
pub(crate) struct Memory(Arc<Mutex<State>>);

struct State {
    /// The connections, if the server is up.
    up: Option<JoinSet<()>>,
    serve: Serve,
    /// When clients connected, and whether the server was up.
    attempts: Vec<(Instant, bool)>,
}

impl Memory {
    /// Returns a server that is down. After it is started, it runs `handler` for each client.
    pub(crate) fn new<F>(handler: impl Fn(Client) -> F + Clone + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let serve: Serve = Arc::new(move |stream, tasks| {
            let handler = handler.clone();
            tasks.spawn(async move {
                if let Ok(socket) = accept(stream, &AcceptOptions::default()).await {
                    handler(socket).await;
                }
            });
        });
        Self(Arc::new(Mutex::new(State { up: None, serve, attempts: Vec::new() })))
    }

    pub(crate) fn start(&self) {
        self.0.lock().unwrap().up = Some(JoinSet::new());
    }

    /// Stops the server and drops all connections.
    pub(crate) fn crash(&self) {
        self.0.lock().unwrap().up = None;
    }

    pub(crate) fn attempts(&self) -> Vec<(Instant, bool)> {
        self.0.lock().unwrap().attempts.clone()
    }

    /// Returns the options with which a client connects to it.
    pub(crate) fn builder(&self) -> Builder {
        let connector = Arc::new(self.clone());
        WebSocket::builder("ws://memory.test/").ports(Ports::Any).connector(connector).deflate(None)
    }
}

impl Connector for Memory {
    fn connect<'a>(&'a self, _url: &'a Url) -> Connecting<'a> {
        let mut state = self.0.lock().unwrap();
        let is_up = state.up.is_some();
        state.attempts.push((Instant::now(), is_up));
        let serve = Arc::clone(&state.serve);
        let carried = match &mut state.up {
            Some(tasks) => {
                let (ours, theirs) = tokio::io::duplex(1 << 16);
                serve(theirs, tasks);
                Ok(Transport::other(ours))
            }
            None => Err(io::ErrorKind::ConnectionRefused.into()),
        };
        Box::pin(async move { carried })
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}
