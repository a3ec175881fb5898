//! The timeouts of a server, with real sockets on a virtual clock: faults FT-01, FT-02, FT-12 and FT-17.

use std::future::{Future, pending};
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::{
    BINARY, CLOSE, FIN, PING, PONG, Peer, SAMPLE_REQUEST, TEXT, header, masked_frame,
};
use fullduplex_lab::served::Served;
use fullduplex_net::{HandlerResult, Request, Sender, ServerOptions};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// Waits in the way that the path names.
async fn wait(request: Request, senders: mpsc::UnboundedSender<Sender>) -> HandlerResult {
    let path = request.uri().path().to_owned();
    let mut socket = request.accept().await?;
    senders.send(socket.sender())?;
    match path.as_str() {
        "/receiving" => drop(socket.recv().await?),
        "/busy" => pending().await,
        "/busy-then-receiving" => {
            sleep(BUSY).await;
            drop(socket.recv().await?);
        }
        "/sending" => loop {
            socket.send(vec![0; 100_000]).await?;
        },
        "/feeding" => loop {
            socket.feed(vec![0; 100_000]).await?;
        },
        "/flushing" => {
            socket.feed(vec![0; 50 << 20]).await?;
            socket.flush().await?;
        }
        "/closing" => drop(socket.close(None).await?),
        "/dropping" => drop(socket),
        _ => unreachable!("{path}"),
    }
    Ok(())
}

/// How long the handler of `/busy-then-receiving` is busy.
const BUSY: Duration = Duration::from_secs(100);

/// Returns a server with this handler, and a `Sender` for each connection.
async fn waiting(options: ServerOptions) -> (Served, mpsc::UnboundedReceiver<Sender>) {
    let (senders, sent) = mpsc::unbounded_channel();
    (Served::by(options, move |request| wait(request, senders.clone())).await, sent)
}

/// Connects a client to `path`.
async fn client_of(served: &Served, path: &str) -> Peer {
    let mut peer = Peer::connect(served.address()).await;
    peer.open(&SAMPLE_REQUEST.replace("/chat", path)).await;
    peer
}

/// Returns the time until the server has no connection, or one hour.
async fn until_none(served: &Served) -> Duration {
    let start = Instant::now();
    while served.connections().counts().open > 0 && start.elapsed() < Duration::from_secs(3600) {
        sleep(Duration::from_millis(10)).await;
    }
    start.elapsed()
}

/// Faults FT-01 and FT-02: a client that answers no Ping is dropped and leaves no task, no matter what its
/// handler waits for, and no matter what the client has sent.
#[tokio::test(start_paused = true)]
async fn a_vanished_client_is_dropped() {
    let unread = masked_frame(FIN | TEXT, "unread").repeat(3);
    let half = header(BINARY, 5);
    for (path, sent) in [
        ("/receiving", &[][..]),
        ("/receiving", &half),
        ("/sending", &[]),
        ("/sending", &unread),
        ("/feeding", &unread),
        ("/flushing", &unread),
    ] {
        let (served, _senders) = waiting(ServerOptions::default()).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let mut vanished = client_of(&served, path).await;
        vanished.send(sent).await;
        let elapsed = until_none(&served).await;
        assert!(elapsed <= Duration::from_secs(41), "{path}: {elapsed:?}");
        let timer = 1;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks + timer, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_shuts_down_and_does_not_read_is_dropped() {
    for path in ["/sending", "/feeding", "/flushing"] {
        let (served, _senders) = waiting(ServerOptions::default()).await;
        let client = client_of(&served, path).await.into_inner();
        socket2::SockRef::from(&client).shutdown(std::net::Shutdown::Write).unwrap();
        let elapsed = until_none(&served).await;
        assert!(elapsed <= Duration::from_secs(41), "{path}: {elapsed:?}");
    }
}

/// Fault FT-12: a client that does not answer the Close is dropped at the close timeout, no matter what the
/// handler waits for.
#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_answer_the_close_is_dropped() {
    let timeout = ServerOptions::default().accept.timeouts.close;
    for sent in [vec![], masked_frame(FIN | TEXT, "unread").repeat(3)] {
        for path in ["/closing", "/dropping", "/receiving", "/sending", "/feeding", "/flushing"] {
            let (served, mut senders) = waiting(ServerOptions::default()).await;
            let mut client = client_of(&served, path).await;
            client.send(&sent).await;
            let sender = senders.recv().await.unwrap();
            sender.close(None);
            let elapsed = until_none(&served).await;
            let most = timeout + Duration::from_millis(100);
            assert!((timeout..=most).contains(&elapsed), "{path}, {}: {elapsed:?}", sent.len());
            assert!(sender.is_closed());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answers_pings_is_kept() {
    let (served, _senders) = waiting(ServerOptions::default()).await;
    for path in ["/receiving", "/busy-then-receiving"] {
        let mut client = client_of(&served, path).await;
        let start = Instant::now();
        client.send(masked_frame(FIN | PING, "?")).await;
        assert_eq!(client.read_payload(FIN | PONG).await, b"?");
        while start.elapsed() < Duration::from_secs(600) && path == "/receiving"
            || start.elapsed() < BUSY
        {
            let payload = client.read_payload(FIN | PING).await;
            client.send(masked_frame(FIN | PONG, payload)).await;
        }
        client.send(masked_frame(FIN | TEXT, "bye")).await;
        while client.read_frame().await.unwrap().first_byte == FIN | PING {}
    }
}

/// The Pong timeout is paused while an unread message precedes the Pong.
#[tokio::test(start_paused = true)]
async fn a_client_is_not_blamed_for_a_busy_handler() {
    let (served, _senders) = waiting(ServerOptions::default()).await;
    let mut client = client_of(&served, "/busy-then-receiving").await;
    let start = Instant::now();
    // More than the server reads ahead.
    client.send(masked_frame(FIN | TEXT, "x".repeat(70_000)).repeat(2)).await;
    loop {
        let frame = guarded_for(BUSY, client.read_frame()).await.unwrap();
        if frame.first_byte != FIN | PING {
            assert_eq!((frame.first_byte, frame.payload), (FIN | CLOSE, vec![0x03, 0xE8]));
            break;
        }
    }
    assert!(start.elapsed() >= BUSY);
}

async fn guarded_for<T>(duration: Duration, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(duration * 2, future).await.unwrap()
}

/// After a stall of the server, a Pong that has already arrived is read before its deadline is
/// checked.
#[tokio::test(start_paused = true)]
async fn a_client_is_not_blamed_for_a_stalled_server() {
    let (served, _senders) = waiting(ServerOptions::default()).await;
    let mut client = client_of(&served, "/receiving").await;
    let payload = client.read_payload(FIN | PING).await;
    client.send(masked_frame(FIN | PONG, payload)).await;
    // The clock jumps before the server's task runs.
    tokio::time::advance(Duration::from_secs(300)).await;
    assert_eq!(client.read_payload(FIN | PING).await.len(), 8);
}

/// The idle timeout closes with 1001. Pings and Pongs do not restart it.
#[tokio::test(start_paused = true)]
async fn an_idle_client_is_closed() {
    let mut options = ServerOptions::default();
    options.accept.timeouts.idle = Some(Duration::from_secs(60));
    let served = Served::by(options, echo::requests).await;
    let mut client = served.client().await;
    sleep(Duration::from_secs(15)).await;
    client.send(masked_frame(FIN | TEXT, "still here")).await;
    assert_eq!(client.read_payload(FIN | TEXT).await, b"still here");
    let start = Instant::now();
    loop {
        let frame = client.read_frame().await.unwrap();
        match frame.first_byte & 0x0F {
            PING => client.send(masked_frame(FIN | PONG, frame.payload)).await,
            _ => {
                assert_eq!(frame.first_byte, FIN | CLOSE);
                assert_eq!(frame.payload[..2], 1001u16.to_be_bytes());
                break;
            }
        }
    }
    assert_eq!(start.elapsed().as_secs(), 60);
}

/// Fault FT-17: a message that is not complete at its deadline fails the connection, even if Pings
/// are answered.
#[tokio::test(start_paused = true)]
async fn a_message_that_never_ends_fails() {
    let served = Served::by(ServerOptions::default(), echo::requests).await;
    let mut client = served.client().await;
    client.send(masked_frame(TEXT, "a")).await;
    let start = Instant::now();
    loop {
        let frame = client.read_frame().await.unwrap();
        match frame.first_byte & 0x0F {
            PING => {
                client.send(masked_frame(FIN | PONG, frame.payload)).await;
                client.send(masked_frame(0, "more")).await;
            }
            _ => {
                assert_eq!(frame.first_byte, FIN | CLOSE);
                assert_eq!(frame.payload[..2], 1008u16.to_be_bytes());
                break;
            }
        }
    }
    assert_eq!(start.elapsed().as_secs(), 300);
}

/// Idle connections have one task each, and share one timer.
#[tokio::test(start_paused = true)]
async fn a_thousand_connections_share_a_timer() {
    const COUNT: usize = 1000;
    let served = Served::by(ServerOptions::default(), echo::requests).await;
    let before = Handle::current().metrics().num_alive_tasks();
    let mut clients = Vec::new();
    for _ in 0..COUNT {
        clients.push(served.client().await);
    }
    let timer = 1;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + COUNT + timer);
    drop(clients);
    served.until_open(0).await;
    assert_eq!(Handle::current().metrics().num_alive_tasks(), before + timer);
}
