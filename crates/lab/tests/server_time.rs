//! How long a server waits for its clients, on a virtual clock and real sockets: faults FT-01, FT-02,
//! FT-12 and FT-17.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::future::pending;
use std::time::Duration;

use fullduplex_lab::script::{
    BINARY, CLOSE, FIN, PING, PONG, Peer, SAMPLE_REQUEST, TEXT, guarded, header, masked_frame,
};
use fullduplex_lab::served::Served;
use fullduplex_net::{Outcome, Request, Sender, ServerOptions};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

async fn echo(request: Request) -> Outcome {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// The state of a client whose handler waits in one way or another.
async fn wait(request: Request) -> Outcome {
    let path = request.uri().path().to_owned();
    let mut socket = request.accept().await?;
    match path.as_str() {
        "/receiving" => drop(socket.recv().await?),
        "/busy" => pending().await,
        "/sending" => loop {
            socket.send(vec![0; 100_000]).await?;
        },
        _ => unreachable!("{path}"),
    }
    Ok(())
}

/// A client whose handler does as the path says.
async fn client_of(served: &Served, path: &str) -> Peer {
    let mut peer = Peer::connect(served.address()).await;
    peer.open(&SAMPLE_REQUEST.replace("/chat", path)).await;
    peer
}

/// How long it takes until the server has no connection.
async fn until_none(served: &Served) -> Duration {
    let start = Instant::now();
    while served.connections().counts().closed.values().sum::<u64>() == 0 {
        if start.elapsed() > Duration::from_secs(3600) {
            return Duration::MAX;
        }
        sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

/// Faults FT-01 and FT-02: a client that has vanished is given up, whatever its handler does meanwhile
/// and whatever it has said before.
#[tokio::test(start_paused = true)]
async fn a_vanished_client_is_given_up() {
    for (path, said) in [
        ("/receiving", vec![]),
        ("/receiving", vec![BINARY, 0x85, 1, 2, 3, 4]),
        ("/sending", vec![]),
        ("/sending", masked_frame(FIN | TEXT, "unheard").repeat(3)),
    ] {
        let served = Served::by(ServerOptions::default(), wait).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let mut vanished = client_of(&served, path).await;
        vanished.send(&said).await;
        let elapsed = until_none(&served).await;
        assert!(elapsed <= Duration::from_secs(41), "{path}: {elapsed:?}");
        served.until_open(0).await;
        let timer = 1;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks + timer, "{path}");
    }
}
