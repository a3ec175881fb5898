use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_net::proto::{Message, Url};
use fullduplex_net::{ConnectOptions, Socket, connect};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, timeout};

use crate::Failure;

/// The number of clients, and how often each sends.
const CLIENTS: u32 = 100;
const PERIOD: Duration = Duration::from_millis(100);

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The times of the answers, sorted.
#[derive(Debug)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    /// Returns the time within which this many of a thousand answers arrived.
    pub(super) fn permille(&self, share: usize) -> Duration {
        let index = (self.0.len() * share / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(index).copied().unwrap_or_default()
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = [500, 990, 999].map(|share| self.permille(share));
        write!(f, "{} answers, p50 {p50:.1?}, p99 {p99:.1?}, p99.9 {p999:.1?}", self.0.len())
    }
}

/// Runs good clients for this long.
pub(super) async fn ask(server: SocketAddr, duration: Duration) -> Result<Times, Failure> {
    let url = Url::parse(&format!("ws://{server}/"))?;
    let options = ConnectOptions::new().deflate(None);
    let mut sockets = Vec::new();
    for _ in 0..CLIENTS {
        sockets.push(connect(&url, &options).await?.0);
    }
    let begin = Instant::now();
    // The clients start one after the other.
    let turns = (0..CLIENTS).map(|number| begin + PERIOD * number / CLIENTS);
    let mut clients: JoinSet<_> = (turns.zip(sockets))
        .map(|(first, socket)| ask_repeatedly(socket, first, begin + duration))
        .collect();
    let mut times = Vec::new();
    while let Some(client) = clients.join_next().await {
        times.extend(client??);
    }
    times.sort_unstable();
    Ok(Times(times))
}

async fn ask_repeatedly(
    mut socket: Socket,
    first: Instant,
    end: Instant,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    let mut turns = interval_at(first, PERIOD);
    while turns.tick().await < end {
        let begin = Instant::now();
        let question = Message::from(format!("question {}", times.len()));
        socket.send(question.clone()).await?;
        let answer = timeout(PATIENCE, socket.recv()).await??;
        times.push(begin.elapsed());
        if answer.as_ref() != Some(&question) {
            return Err(format!("{question:?} was answered with {answer:?}").into());
        }
    }
    timeout(PATIENCE, socket.close(None)).await??;
    Ok(times)
}
