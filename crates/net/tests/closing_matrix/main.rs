//! FS-02: a closing connection ends at its deadline. Combines every host that does not read
//! properly with every peer that keeps sending, as server and as client, over TCP and TLS.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod connected;
mod hosts;
mod peers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::connected::{Connected, End, Lab, Via};
use crate::hosts::{HOSTS, Host};
use crate::peers::{PEERS, Peer};

/// The close timeout of our end.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);
/// The maximum time between the deadline and the end.
const MARGIN: Duration = Duration::from_secs(1);
/// After this time, the test assumes that a connection does not end.
const HANG: Duration = Duration::from_secs(5);
/// How many connections are tested at once. Most peers keep our end busy, and all connections share the
/// processors.
const AT_ONCE: usize = 20;

/// One combination.
#[derive(Debug, Clone, Copy)]
struct Row {
    host: Host,
    peer: Peer,
    end: End,
    via: Via,
}

impl Row {
    fn all() -> Vec<Self> {
        let mut rows = Vec::new();
        for host in HOSTS {
            for peer in PEERS {
                for end in [End::Server, End::Client] {
                    for via in [Via::Tcp, Via::Tls] {
                        rows.push(Self { host, peer, end, via });
                    }
                }
            }
        }
        rows
    }

    /// Connects, starts to close, and waits until the peer detects the end of the connection. Returns a
    /// description of the fault, if there is one.
    async fn fault(self, lab: &Lab) -> Option<String> {
        let Connected { socket, stream } = lab.connect(self.end, self.via).await;
        let begun = Instant::now();
        let host = tokio::spawn((self.host.run)(socket));
        let ended = timeout(HANG, self.peer.talk(stream, self.end)).await;
        let elapsed = begun.elapsed();
        // The host holds its socket until now, so the host did not cause the end.
        host.abort();
        if ended.is_err() {
            Some(format!("has not ended after {HANG:?}"))
        } else if elapsed > CLOSE_TIMEOUT + MARGIN {
            Some(format!("ended after {elapsed:?}"))
        } else if elapsed < CLOSE_TIMEOUT {
            Some(format!("ended early, after {elapsed:?}"))
        } else {
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_closing_connection_ends_at_its_deadline() {
    assert!(HOSTS.len() >= 20 && PEERS.len() >= 5);
    let lab = Arc::new(Lab::new().await);
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for row in Row::all() {
        let (lab, permits) = (Arc::clone(&lab), Arc::clone(&permits));
        running.spawn(async move {
            let _permit = permits.acquire().await;
            row.fault(&lab).await.is_some().then_some(row)
        });
    }
    let count = running.len();
    let suspects: Vec<_> = running.join_all().await.into_iter().flatten().collect();
    // On a busy machine, many connections may be late. So each suspect is tested again alone. Only a
    // connection with a fault is late again.
    let mut faults = Vec::new();
    for row in suspects {
        if let Some(fault) = row.fault(&lab).await {
            let Row { host, peer, end, via } = row;
            faults.push(format!("{} / {peer:?} / {end:?} / {via:?}: {fault}", host.name));
        }
    }
    assert!(faults.is_empty(), "{} of {count}:\n{}", faults.len(), faults.join("\n"));
}
