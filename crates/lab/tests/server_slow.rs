//! Clients that read slowly or not at all (faults FT-08 and FT-09): what they cost, and what a handler
//! and a `Sender` learn of it.
//!
//! `cargo test --package fullduplex-lab --test server_slow -- --nocapture` shows the figures.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::fmt::Display;
use std::future::{Future, pending};
use std::time::Duration;

use allocation_counter::measure;
use fullduplex_lab::script::{BINARY, CLOSE, FIN, Peer, SAMPLE_REQUEST, TEXT, guarded};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::Prepared;
use fullduplex_net::{
    AcceptOptions, Outcome, Request, Sender, ServerOptions, Socket, Transport, TrySendError, accept,
};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;

const MIB: usize = 1 << 20;

/// A client, whose connection is driven with this handler, and what the handler returns.
async fn driven<F>(
    handler: impl FnOnce(Socket) -> F + Send + 'static,
) -> (Peer<DuplexStream>, oneshot::Receiver<Outcome>)
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let (client, stream) = duplex(1 << 14);
    let mut client = Peer::over(client);
    client.send(SAMPLE_REQUEST).await;
    let socket = accept(Transport::other(stream), &AcceptOptions::default()).await.unwrap();
    client.read_head().await;
    let (tell, told) = oneshot::channel();
    tokio::spawn(socket.drive(|socket| async move {
        tell.send(handler(socket).await).unwrap();
        Ok(())
    }));
    (client, told)
}

/// A handler that waits for a client to take what was sent learns that it never will.
#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_client_that_is_gone_learns_of_it() {
    for flushes in [false, true] {
        let (client, ended) = driven(move |mut socket| async move {
            loop {
                socket.feed(vec![0; MIB]).await?;
                if flushes {
                    socket.flush().await?;
                }
            }
        })
        .await;
        let mut client = client.into_inner();
        yield_now().await;
        client.shutdown().await.unwrap();
        let start = Instant::now();
        let outcome = guarded("the end of a handler", ended).await.unwrap();
        assert!(outcome.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO, "flushes: {flushes}");
    }
}
