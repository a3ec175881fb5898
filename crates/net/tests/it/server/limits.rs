//! The limits of a server: connections, memory for unfinished messages, request heads, handshake time
//! and origins (faults FT-25, FT-26 and FT-56).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fullduplex_lab::ca::Authority;
use fullduplex_lab::echo;
use fullduplex_lab::process::allow_many_files;
use fullduplex_lab::script::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame,
};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::handshake::{HostPolicy, Origin, OriginPolicy};
use fullduplex_net::{
    ConnectError, ConnectOptions, HandlerResult, Request, Server, ServerOptions, Tls, connect,
};
use tokio::net::TcpSocket;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

/// Sends the request and returns the head of the response.
async fn answer(served: &Served, request: &str) -> String {
    let mut peer = Peer::connect(served.address()).await;
    peer.try_send(request).await.ok();
    guarded("an answer", peer.read_head()).await
}

/// Connects from 127.0.0.`last`.
async fn client_from(last: u8, address: SocketAddr) -> Peer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0).into()).unwrap();
    Peer::over(socket.connect(address).await.unwrap())
}

#[tokio::test]
async fn connections_beyond_the_limits_are_rejected() {
    let mut options = ServerOptions::default();
    (options.connections, options.connections_per_address) = (3, 2);
    let served = Served::by(options, echo::requests).await;
    let mut clients = vec![served.client().await, served.client().await];
    let answered = answer(&served, SAMPLE_REQUEST).await;
    assert!(answered.starts_with("HTTP/1.1 429 "), "{answered}");
    clients.push(client_from(2, served.address()).await);
    clients[2].open(SAMPLE_REQUEST).await;
    let mut fourth = client_from(3, served.address()).await;
    let answered = guarded("an answer", fourth.read_head()).await;
    assert!(answered.starts_with("HTTP/1.1 503 "), "{answered}");

    // A slot becomes free when its connection ends.
    clients.remove(0);
    served.until_open(2).await;
    clients.push(served.client().await);
    clients[2].send(masked_frame(FIN | TEXT, "here")).await;
    assert_eq!(clients[2].read_payload(FIN | TEXT).await, b"here");
    let counts = served.connections().counts();
    assert_eq!((counts.refused[&429], counts.refused[&503], counts.open), (1, 1, 3));
}

/// Fault FT-25: a malformed or oversized head is rejected, and the connection is closed.
#[tokio::test]
async fn heads_have_limits() {
    let served = Served::by(ServerOptions::default(), echo::requests).await;
    let with = |lines: &str| SAMPLE_REQUEST.replace("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"));
    let many: String = (0..10_000).map(|number| format!("X-{number}: y\r\n")).collect();
    for (request, status) in [
        (with(&format!("X-Large: {}", "x".repeat(1 << 16))), 431),
        (with(many.trim_end()), 431),
        (with("X-Folded: a\r\n b"), 400),
        (with("X-Nul: \0"), 400),
        (SAMPLE_REQUEST.replace("\r\n", "\n"), 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), 426),
    ] {
        let answered = answer(&served, &request).await;
        assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answered}");
        assert!(answered.contains("Connection: close"), "{answered}");
    }
}

/// FS-09
#[tokio::test]
async fn the_limits_of_heads_can_be_set() {
    let cookie = format!("Cookie: {}", "x".repeat(20_000));
    let many = (0..200).map(|number| format!("X-{number}: y\r\n")).collect::<String>();
    for (line, bytes, count, status) in [
        (&*cookie, 16 << 10, 100, 431),
        (&cookie, 32 << 10, 100, 101),
        (&cookie, 32 << 10, 4, 431),
        (many.trim_end(), 16 << 10, 100, 431),
        (many.trim_end(), 16 << 10, 300, 101),
    ] {
        let mut options = ServerOptions::default();
        options.accept.limits.head_bytes = bytes;
        options.accept.limits.head_headers = count;
        let served = Served::by(options, echo::requests).await;
        let request = SAMPLE_REQUEST.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"));
        let answered = answer(&served, &request).await;
        assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answered}");
    }
}

/// FS-11
#[tokio::test]
async fn requests_in_a_tolerated_form_are_accepted() {
    let served = Served::by(ServerOptions::default(), echo::requests).await;
    for (right, tolerated) in [
        ("GET", "\r\nGET"),
        ("Upgrade: websocket", "Upgrade: , websocket,"),
        ("/chat", "/?f={\"a\":1}"),
    ] {
        let answered = answer(&served, &SAMPLE_REQUEST.replacen(right, tolerated, 1)).await;
        assert!(answered.starts_with("HTTP/1.1 101 "), "{tolerated}: {answered}");
    }
}

/// FS-05: a server on a loopback address checks the host of WebSockets and of pages.
#[tokio::test]
async fn foreign_hosts_are_misdirected() {
    let listed = HostPolicy::Local(vec!["app.example".parse().unwrap()]);
    let page = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (hosts, host, is_allowed) in [
        (HostPolicy::Auto, "localhost", true),
        (HostPolicy::Auto, "127.0.0.1:80", true),
        (HostPolicy::Auto, "app.example", false),
        (listed.clone(), "app.example", true),
        (listed, "rebound.example", false),
        (HostPolicy::Any, "rebound.example", true),
    ] {
        let mut options = ServerOptions::default();
        options.accept.hosts = hosts.clone();
        let server = Server::bind("127.0.0.1:0", options).await.unwrap();
        let server = server.with_fallback(|_| Some(http::Response::new("page".into())));
        let (address, connections) = (server.local_addr().unwrap(), server.connections().clone());
        tokio::spawn(server.serve(echo::requests));
        // A browser sends this for a page of that host.
        let origin = format!("Host: {host}\r\nOrigin: http://{host}\r\n");
        for (request, status) in [(SAMPLE_REQUEST, "101"), (page, "200")] {
            let mut peer = Peer::connect(address).await;
            peer.send(request.replace("Host: localhost\r\n", &origin)).await;
            let answered = guarded("an answer", peer.read_head()).await;
            let expected = format!("HTTP/1.1 {} ", if is_allowed { status } else { "421" });
            assert!(answered.starts_with(&expected), "{hosts:?}, {host}: {answered}");
        }
        let expected = (!is_allowed).then_some(2);
        guarded("the counts", async {
            while connections.counts().refused.get(&421).copied() != expected {
                yield_now().await;
            }
        })
        .await;
    }
}

/// FS-05: a check of the host name does not protect a server that the whole network can reach.
#[tokio::test]
async fn a_server_for_the_network_answers_for_any_host() {
    let server = Server::bind("0.0.0.0:0", ServerOptions::default()).await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.serve(echo::requests));
    let mut peer = Peer::connect((Ipv4Addr::LOCALHOST, port).into()).await;
    peer.send(SAMPLE_REQUEST.replace("localhost", "app.example")).await;
    let answered = guarded("an answer", peer.read_head()).await;
    assert!(answered.starts_with("HTTP/1.1 101 "), "{answered}");
}

/// FS-05: the pages of a server with its own TLS use https.
#[tokio::test]
async fn a_page_at_http_is_foreign_to_a_server_with_tls() {
    let identity = Authority::self_signed("localhost", true);
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_tls(&identity.of_server());
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.serve(echo::requests));
    let tls = Tls::builder().only_roots(identity.cert_pem.as_bytes()).build().unwrap();
    for (scheme, is_allowed) in [("https", true), ("http", false)] {
        let origin = Origin::parse(&format!("{scheme}://localhost:{port}")).unwrap();
        let options = ConnectOptions::new().tls(tls.clone()).origin(&origin);
        let connected = connect(format!("wss://localhost:{port}/"), &options).await;
        match connected {
            Ok(_) => assert!(is_allowed, "{scheme}"),
            Err(ConnectError::Rejected(rejected)) => {
                assert_eq!((rejected.status.as_u16(), is_allowed), (403, false), "{scheme}");
            }
            Err(error) => panic!("{scheme}: {error}"),
        }
    }
}

/// Fault FT-26: slow requests are dropped at the deadline and do not delay other clients.
#[tokio::test(start_paused = true)]
async fn slow_requests_are_dropped() {
    allow_many_files();
    let options = ServerOptions::default().connections_per_address(1_100);
    let served = Served::by(options, echo::requests).await;
    let mut trickling = Vec::new();
    for _ in 0..1_000 {
        trickling.push(Peer::connect(served.address()).await);
    }
    let start = Instant::now();
    for byte in SAMPLE_REQUEST.bytes().take(3) {
        for client in &mut trickling {
            client.try_send([byte]).await.ok();
        }
        drop(served.client().await);
        sleep(Duration::from_secs(3)).await;
    }
    served.until_open(1_000).await;
    while served.connections().counts().open > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let elapsed = start.elapsed();
    assert!(elapsed <= Duration::from_millis(10_100), "{elapsed:?}");
    assert_eq!(served.connections().counts().failed, 1_000);
}

#[tokio::test]
async fn foreign_origins_are_rejected() {
    let own = "Origin: http://localhost\r\n";
    let listed = "Origin: https://app.example.org\r\n";
    let foreign = "Origin: https://evil.example\r\n";
    let list = OriginPolicy::Listed(vec![Origin::parse("https://app.example.org").unwrap()]);
    for (origins, welcome, unwelcome) in [
        (OriginPolicy::default(), vec![own, ""], vec![listed, foreign]),
        (list, vec![listed, ""], vec![foreign]),
        (OriginPolicy::Any, vec![own, listed, foreign, ""], vec![]),
    ] {
        let mut options = ServerOptions::default();
        options.accept.origins = origins.clone();
        let served = Served::by(options, echo::requests).await;
        let expected = welcome.iter().map(|origin| (origin, 101));
        for (origin, status) in expected.chain(unwelcome.iter().map(|origin| (origin, 403))) {
            let request = SAMPLE_REQUEST.replace("Upgrade: ", &format!("{origin}Upgrade: "));
            let answered = answer(&served, &request).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(answered.starts_with(&expected), "{origins:?}, {origin}: {answered}");
        }
    }
}

/// Fault FT-56: the unfinished messages of all clients share one limit. Only the client that
/// exceeds it fails, and its memory is freed.
#[tokio::test]
async fn unfinished_messages_share_one_limit() {
    const LENGTH: usize = 1_000_000;
    const ROOM: usize = 10;
    const CLIENTS: usize = 50;
    let options = ServerOptions::default().memory_bytes(ROOM * 2 * LENGTH);
    let served = Served::by(options, echo::requests).await;
    let ping = masked_frame(FIN | PING, "?");
    let begin = [masked_frame(BINARY, vec![b'x'; LENGTH - 2]), ping.clone()].concat();
    let more = [masked_frame(CONTINUATION, "y"), ping].concat();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = served.client().await;
        client.send(&begin).await;
        let frame = guarded("an answer", client.read_frame()).await.unwrap();
        if frame.first_byte == FIN | PONG {
            clients.push(client);
        }
    }
    // The remaining clients complete their messages.
    let mut survivors = 0;
    for client in &mut clients {
        client.try_send(&more).await.ok();
        let frame = guarded("an answer", client.read_frame()).await.unwrap();
        if frame.first_byte == FIN | PONG {
            client.send(masked_frame(FIN | CONTINUATION, "z")).await;
            assert_eq!(client.read_payload(FIN | BINARY).await.len(), LENGTH);
            survivors += 1;
        } else {
            assert_eq!(
                (frame.first_byte, &frame.payload[..2]),
                (FIN | CLOSE, &TRY_AGAIN_LATER[..])
            );
        }
    }
    assert!((ROOM..=2 * ROOM).contains(&survivors), "{survivors}");
    assert_eq!(served.connections().counts().evicted, (CLIENTS - survivors) as u64);
}

#[tokio::test]
async fn a_client_over_the_limit_frees_its_memory() {
    let options = ServerOptions::default().memory_bytes(100_000);
    let served = Served::by(options, echo::requests).await;
    let mut greedy = served.client().await;
    for first_byte in [BINARY, CONTINUATION, CONTINUATION, CONTINUATION] {
        let piece = masked_frame(first_byte, vec![b'x'; 30_000]);
        greedy.send(piece).await;
        yield_now().await;
    }
    assert_eq!(greedy.read_payload(FIN | CLOSE).await[..2], TRY_AGAIN_LATER);
    let mut another = served.client().await;
    another.send(masked_frame(BINARY, "x")).await;
    another.send(masked_frame(FIN | PING, "?")).await;
    assert_eq!(another.read_payload(FIN | PONG).await, b"?");
}

const TRY_AGAIN_LATER: [u8; 2] = 1013u16.to_be_bytes();

// FS-06: above the limit, the server closes a connection of the address that uses the most memory, not the
// connection of the next client.
#[tokio::test]
async fn an_address_cannot_use_up_the_memory_of_others() {
    let options = ServerOptions::default().memory_bytes(1_000_000);
    let served = Served::by(options, echo::requests).await;
    let ping = masked_frame(FIN | PING, "?");
    let begin = [masked_frame(BINARY, vec![b'x'; 60_000]), ping.clone()].concat();
    let mut attackers = Vec::new();
    for _ in 0..17 {
        let mut attacker = served.client().await;
        attacker.try_send(&begin).await.ok();
        attackers.push(attacker);
    }
    let mut innocent = client_from(2, served.address()).await;
    innocent.open(SAMPLE_REQUEST).await;
    for piece in 0..10 {
        innocent
            .send(masked_frame(if piece == 0 { BINARY } else { CONTINUATION }, [1; 14_000]))
            .await;
        innocent.send(&ping).await;
        assert_eq!(innocent.read_payload(FIN | PONG).await, b"?");
    }
    innocent.send(masked_frame(FIN | CONTINUATION, [])).await;
    assert_eq!(innocent.read_payload(FIN | BINARY).await.len(), 140_000);
    served.until(|counts| counts.evicted > 0).await;
    assert!(served.connections().counts().evicted <= 17);
    drop(attackers);
}

/// Serves three clients that do not read. The handler queues 16 MiB for each, so one of them fits into the budget.
async fn assert_two_of_three_are_evicted<F>(handler: impl Fn(Request) -> F + Send + Sync + 'static)
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let options = ServerOptions::default().memory_bytes(20 << 20);
    let served = Served::by(options, handler).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = served.client().await;
        client.send(masked_frame(FIN | BINARY, "give me much")).await;
        clients.push(client);
    }
    served.until(|counts| counts.evicted == 2 && counts.open == 1).await;
    drop(clients);
}

// FS-07: data that a `Sender` has queued for a peer that does not read counts too.
#[tokio::test]
async fn data_queued_by_a_sender_counts() {
    assert_two_of_three_are_evicted(|request: Request| async move {
        let mut socket = request.accept().await?;
        let sender = socket.sender().with_capacity(usize::MAX);
        while socket.recv().await?.is_some() {
            for _ in 0..16 {
                sender.try_send(vec![0; 1 << 20])?;
            }
        }
        Ok(())
    })
    .await;
}

// FS-07: data queued for a peer that does not read counts too.
#[tokio::test]
async fn data_queued_for_a_peer_counts() {
    assert_two_of_three_are_evicted(|request: Request| async move {
        let mut socket = request.accept().await?;
        while socket.recv().await?.is_some() {
            socket.send(vec![0; 16 << 20]).await?;
        }
        Ok(())
    })
    .await;
}
