//! Graceful shutdown of a server (fault FT-41), with real sockets on a virtual clock.

use std::future::pending;
use std::io::ErrorKind;
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::{CLOSE, FIN, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame};
use fullduplex_lab::served::Served;
use fullduplex_net::{Request, Sender, ServerOptions};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep};

const GRACE: Duration = Duration::from_secs(5);
const GOING_AWAY: [u8; 2] = 1001u16.to_be_bytes();

/// Messages that a handler or a `Sender` has queued are delivered before the Close. `shutdown`
/// returns once all connections have closed.
#[tokio::test(start_paused = true)]
async fn queued_messages_are_delivered_before_the_close() {
    const COUNT: usize = 50;
    let (senders, mut sent) = mpsc::unbounded_channel::<Sender>();
    let served = Served::by(ServerOptions::default(), move |request| {
        let senders = senders.clone();
        async move {
            let mut socket = request.accept().await?;
            senders.send(socket.sender())?;
            // More than the transport accepts at once.
            socket.feed("x".repeat(8 << 20)).await?;
            while socket.recv().await?.is_some() {}
            Ok(())
        }
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(served.client().await);
        let sender = sent.recv().await.unwrap();
        for number in 0..COUNT {
            sender.try_send(number.to_string()).unwrap();
        }
    }
    let start = Instant::now();
    let reading = async {
        for client in &mut clients {
            assert_eq!(client.read_payload(FIN | TEXT).await.len(), 8 << 20);
            for number in 0..COUNT {
                assert_eq!(client.read_payload(FIN | TEXT).await, number.to_string().as_bytes());
            }
            assert_eq!(client.read_payload(FIN | CLOSE).await, GOING_AWAY);
            client.send(masked_frame(FIN | CLOSE, GOING_AWAY)).await;
            assert_eq!(client.read_frame().await, None);
        }
    };
    let (drained, ()) = tokio::join!(served.shutdown(GRACE), reading);
    assert_eq!((drained.closed, drained.cut), (3, 0));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// Clients that do not answer or do not read are cut off at the deadline. Handlers that do not
/// return are dropped.
#[tokio::test(start_paused = true)]
async fn clients_and_handlers_that_do_not_end_are_cut_off() {
    struct OnDrop(Option<oneshot::Sender<()>>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.take().unwrap().send(()).ok();
        }
    }
    let (tx, mut dropped) = mpsc::unbounded_channel();
    let served = Served::by(ServerOptions::default(), move |request: Request| {
        let (dropped_tx, dropped_rx) = oneshot::channel();
        tx.send(dropped_rx).unwrap();
        async move {
            let _on_drop = OnDrop(Some(dropped_tx));
            let path = request.uri().path().to_owned();
            if path == "/undecided" {
                pending::<()>().await;
            }
            if path == "/unanswered" {
                drop(request);
                return pending().await;
            }
            let mut socket = request.accept().await?;
            match path.as_str() {
                "/echo" => drop(socket.recv().await),
                "/busy" => pending().await,
                "/drops" => {
                    drop(socket);
                    pending().await
                }
                "/sending" => loop {
                    socket.send(vec![0; 100_000]).await?;
                },
                _ => unreachable!("{path}"),
            }
            Ok(())
        }
    })
    .await;
    let mut clients = Vec::new();
    for path in ["/echo", "/busy", "/drops", "/sending", "/undecided", "/unanswered"] {
        let mut client = Peer::connect(served.address()).await;
        client.send(SAMPLE_REQUEST.replace("/chat", path)).await;
        if path.starts_with("/un") {
            served.until_open(clients.len() as u64 + 1).await;
        } else {
            client.read_head().await;
        }
        client.send(masked_frame(FIN | TEXT, "unread").repeat(3)).await;
        clients.push(client);
    }
    let mut handlers = Vec::new();
    for _ in &clients {
        handlers.push(dropped.recv().await.unwrap());
    }
    // The handler of "/echo" returns; its socket waits for the answer to the Close.
    let start = Instant::now();
    let drained = served.shutdown(GRACE).await;
    let late = start.elapsed() - GRACE;
    assert!(late <= Duration::from_millis(100), "{late:?}");
    assert_eq!(drained.closed + drained.cut, clients.len());
    assert!(drained.cut >= 4, "{drained:?}");
    for handler in handlers {
        guarded("the drop of a handler", handler).await.unwrap();
    }
    for client in clients {
        guarded("the end of a client", async move { { client }.await_end().await }).await;
    }
}

/// No connection is accepted, no unfinished request is read further, and no pending request is
/// accepted.
#[tokio::test(start_paused = true)]
async fn no_further_client_is_accepted() {
    let decide = std::sync::Arc::new(Notify::new());
    let deciding = std::sync::Arc::clone(&decide);
    let served = Served::by(ServerOptions::default(), move |request| {
        let deciding = std::sync::Arc::clone(&deciding);
        async move {
            deciding.notified().await;
            echo::requests(request).await
        }
    })
    .await;
    let address = served.address();
    let mut undecided = Peer::connect(address).await;
    undecided.send(SAMPLE_REQUEST).await;
    let mut begun = Peer::connect(address).await;
    begun.send("GET / HTTP/1.1\r\n").await;
    served.until_open(2).await;
    sleep(Duration::from_secs(1)).await;

    let clients = async {
        begun.await_end().await;
        let late = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::ConnectionRefused);
        decide.notify_one();
        let answer = undecided.read_head().await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    };
    let (drained, ()) = tokio::join!(served.shutdown(GRACE), clients);
    assert_eq!(drained.closed + drained.cut, 2);
}

/// A message that the client sends before it reads our Close is received.
#[tokio::test(start_paused = true)]
async fn messages_already_sent_are_received() {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let served = Served::by(ServerOptions::default(), move |request| {
        let tx = tx.clone();
        async move {
            let mut socket = request.accept().await?;
            while let Some(message) = socket.recv().await? {
                tx.send(message)?;
            }
            tx.send("the end".into())?;
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    let client = async {
        assert_eq!(client.read_payload(FIN | CLOSE).await, GOING_AWAY);
        client.send(masked_frame(FIN | TEXT, "on its way")).await;
        client.send(masked_frame(FIN | CLOSE, GOING_AWAY)).await;
    };
    let (drained, ()) = tokio::join!(served.shutdown(GRACE), client);
    assert_eq!((drained.closed, drained.cut), (1, 0));
    assert_eq!(rx.recv().await.unwrap(), "on its way".into());
    assert_eq!(rx.recv().await.unwrap(), "the end".into());
}
