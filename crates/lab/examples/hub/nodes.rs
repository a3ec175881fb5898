//! Three nodes of a hub. The last one reaches the broker through a cable that can be cut.

use std::process::Command;
use std::time::Duration;

use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::cable::Cable;
use fullduplex_lab::process::Program;
use fullduplex_net::{ConnectOptions, Socket, connect};
use tokio::time::{sleep, timeout};

use crate::Failure;

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Nodes and their broker.
pub(crate) struct Nodes {
    pub(crate) kind: BrokerKind,
    pub(crate) broker: Broker,
    pub(crate) cable: Cable,
    pub(crate) programs: Vec<Option<Program>>,
    pub(crate) urls: Vec<String>,
}

/// What a node says about itself.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) reconnects: u64,
    pub(crate) gaps: u64,
    pub(crate) fetches: u64,
    pub(crate) members: usize,
}

impl Nodes {
    /// Starts a broker and three nodes, which keep this many messages of each topic. The system clock of each node
    /// differs by this many seconds.
    pub(crate) async fn start(
        kind: BrokerKind,
        history: usize,
        clocks: [i32; 3],
    ) -> Result<Self, Failure> {
        let broker = Broker::start(kind);
        let cable = Cable::to(broker.port()).await;
        let (mut programs, mut urls) = (Vec::new(), Vec::new());
        for (number, seconds) in clocks.into_iter().enumerate() {
            let port = if number == 2 { cable.port } else { broker.port() };
            let exe = std::env::current_exe()?;
            let mut command = match seconds {
                0 => Command::new(exe),
                _ => {
                    let mut command = Command::new("faketime");
                    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
                    command.args(["-f", &format!("{seconds:+}s")]).arg(exe);
                    command
                }
            };
            command.args(["node", &kind.url(port), &history.to_string()]);
            let program = start(command).await?;
            urls.push(format!("ws://{}", program.address));
            programs.push(Some(program));
        }
        Ok(Self { kind, broker, cable, programs, urls })
    }

    /// Asks a node about itself. Tries again until it is connected to its broker.
    pub(crate) async fn about(&self, node: usize) -> Result<About, Failure> {
        let asking = async {
            loop {
                let mut socket = open(&format!("{}/about", self.urls[node])).await?;
                if let Ok(Some(message)) = socket.recv().await {
                    let text = message.to_text().unwrap_or_default().to_owned();
                    let mut words = text.split(' ');
                    let mut number =
                        || words.next().unwrap_or_default().parse::<u64>().unwrap_or_default();
                    let [reconnects, gaps, fetches] = [number(), number(), number()];
                    return Ok::<_, Failure>(About {
                        reconnects,
                        gaps,
                        fetches,
                        members: words.count(),
                    });
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, asking).await?
    }
}

/// Starts a server. It connects through this process, so no thread of the runtime waits for it.
pub(crate) async fn start(mut command: Command) -> Result<Program, Failure> {
    Ok(tokio::task::spawn_blocking(move || Program::start(&mut command)).await??)
}

/// Opens a WebSocket without compression.
pub(crate) async fn open(url: &str) -> Result<Socket, Failure> {
    Ok(connect(url, &ConnectOptions::new().deflate(None)).await?.0)
}
