//! Clients of a `Server` whose stream ends at any byte (faults FT-03 and FT-04), that send two
//! requests (FT-29), and that connect and disconnect often (FT-39).

use std::io::ErrorKind;
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::{BINARY, FIN, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame};
use fullduplex_lab::served::{Served, read_to_end};
use fullduplex_net::proto::{ConnectionError, Message};
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions, Transport};
use futures_util::stream;
use tokio::io::duplex;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The messages that a handler has received, and how its connection failed.
type Report = (Vec<Message>, Option<ConnectionError>);

async fn receive(request: Request, reports: mpsc::UnboundedSender<Report>) -> HandlerResult {
    let mut socket = request.accept().await?;
    let mut received = Vec::new();
    while let Ok(Some(message)) = socket.recv().await {
        received.push(message);
    }
    let failure = socket.close_result().unwrap().failure();
    assert_eq!(socket.recv().await.ok().flatten(), None, "recv returns no message after the end");
    Ok(reports.send((received, failure))?)
}

/// The handler receives the messages that arrived completely, and then one error.
#[tokio::test]
async fn a_connection_may_end_at_any_byte() {
    let (reports, mut reported) = mpsc::unbounded_channel();
    let served =
        Served::by(ServerOptions::default(), move |request| receive(request, reports.clone()))
            .await;
    let frames = [
        masked_frame(FIN | TEXT, "one"),
        masked_frame(FIN | BINARY, [2; 200]),
        [masked_frame(TEXT, "thr"), masked_frame(FIN, "ee")].concat(),
    ];
    let messages = ["one".into(), Message::from(vec![2; 200]), "three".into()];
    let ends: Vec<usize> = (1..=3).map(|count| frames[..count].concat().len()).collect();
    let wire = frames.concat();
    for resets in [false, true] {
        for cut in 0..=wire.len() {
            let mut client = served.client().await;
            if resets {
                client.reset_after(&wire[..cut]).await;
            } else {
                client.send(&wire[..cut]).await;
                client.fin().await;
            }
            let (received, failure) = guarded("a report", reported.recv()).await.unwrap();
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let least = if resets { 0 } else { whole };
            assert!((least..=whole).contains(&received.len()), "{cut}: {received:?}");
            assert_eq!(received, messages[..received.len()], "{cut}");
            assert_eq!(failure, Some(ConnectionError::Lost), "{cut}");
        }
    }
    served.until_open(0).await;
    assert_eq!(served.connections().counts().closed[&1006], 2 * (wire.len() as u64 + 1));
    assert!(reported.try_recv().is_err());
}

#[tokio::test]
async fn a_request_may_end_at_any_byte() {
    let served =
        Served::by(ServerOptions::default(), |_| async { unreachable!("no request is whole") });
    let served = served.await;
    for cut in 0..SAMPLE_REQUEST.len() {
        let mut client = Peer::connect(served.address()).await;
        // On Windows, a client that is reset before it is accepted is not counted.
        served.until(|counts| counts.failed + counts.open > cut as u64).await;
        if cut % 2 == 0 {
            client.reset_after(&SAMPLE_REQUEST.as_bytes()[..cut]).await;
        } else {
            client.send(&SAMPLE_REQUEST.as_bytes()[..cut]).await;
            client.fin().await;
        }
    }
    let count = SAMPLE_REQUEST.len() as u64;
    served.until(|counts| counts.failed == count && counts.open == 0).await;
}

/// `accept` fails for clients that were reset before, which Windows reports. It does not delay the next client.
#[tokio::test(start_paused = true)]
async fn clients_that_are_lost_before_accept_delay_no_other_client() {
    const LOST: usize = 1_000;
    let kinds = [
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionRefused,
        ErrorKind::ConnectionReset,
        ErrorKind::NotConnected,
    ];
    let lost = kinds.into_iter().cycle().take(LOST).map(|kind| Err(kind.into()));
    let (client, stream) = duplex(1 << 10);
    let accepted = stream::iter(lost.chain([Ok(Transport::other(stream))]));
    let server = Server::from_streams(accepted, ServerOptions::default());
    tokio::spawn(server.serve(echo::requests));
    let start = Instant::now();
    Peer::over(client).open(SAMPLE_REQUEST).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Fault FT-29.
#[tokio::test]
async fn nothing_is_read_after_a_rejected_request() {
    let served =
        Served::by(ServerOptions::default(), |_| async { unreachable!("no request is valid") });
    let served = served.await;
    for refused in [
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /chat HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ] {
        let mut client = Peer::connect(served.address()).await;
        client.send([refused, SAMPLE_REQUEST].concat()).await;
        let answers = String::from_utf8(read_to_end(client).await).unwrap();
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{answers}");
    }
}

/// Fault FT-39: 2,000 connections leave no task behind.
#[tokio::test]
async fn ended_connections_leave_no_task() {
    let served = Served::by(ServerOptions::default(), |request| async move {
        drop(request.accept().await?.recv().await);
        Ok(())
    })
    .await;
    let tasks = || Handle::current().metrics().num_alive_tasks();
    drop(served.client().await);
    served.until_open(0).await;
    let before = tasks();
    for _ in 0..2_000 {
        drop(served.client().await);
    }
    served.until_open(0).await;
    assert_eq!(tasks(), before);
    assert_eq!(served.connections().counts().opened, 2_001);
    served.shutdown(Duration::ZERO).await;
}
