//! How a `Server` carries out the decisions of its handlers, and how it closes when they end.

use std::future::pending;
use std::time::Duration;

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{
    CLOSE, FIN, PING, PONG, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame,
};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::handshake::{Rejection, Subprotocol, Subprotocols};
use fullduplex_net::proto::{ConnectionError, Url};
use fullduplex_net::{
    AcceptOptions, ConnectOptions, HandlerResult, Request, Server, ServerOptions, Tls, accept,
    connect,
};
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, StatusCode};
use tokio::io::duplex;
use tokio::sync::oneshot;

/// Decides on a request in the way that its path names.
async fn decide(request: Request) -> HandlerResult {
    match request.uri().path() {
        "/subprotocol" => {
            let request = request.with_subprotocol(Subprotocol::new("second")?)?;
            drop(request.accept().await?);
        }
        "/other-subprotocol" => {
            drop(request.with_subprotocol(Subprotocol::new("third")?)?.accept().await?);
        }
        "/header" => {
            let name = HeaderName::from_static("x-room");
            let request = request.with_header(name, HeaderValue::from_static("blue"))?;
            drop(request.accept().await?);
        }
        "/refused" => request.reject(Rejection::new(StatusCode::NOT_FOUND, "no such room")).await?,
        "/dropped" => drop(request),
        "/forgotten" => {
            drop(request);
            pending::<()>().await;
        }
        "/error" => return Err("no decision".into()),
        "/panic" => panic!("part of the test"),
        path => unreachable!("{path}"),
    }
    Ok(())
}

/// Returns the head of the response to a request for `path`.
async fn answer(served: &Served, path: &str) -> String {
    let mut peer = Peer::connect(served.address()).await;
    let offer = "Sec-WebSocket-Protocol: first, second\r\n\r\n";
    let request = SAMPLE_REQUEST.replace("/chat", path);
    peer.send(request.replace("\r\n\r\n", &format!("\r\n{offer}"))).await;
    guarded(path, peer.read_head()).await
}

#[tokio::test]
async fn a_handler_decides_on_its_request() {
    let mut options = ServerOptions::default();
    options.accept.subprotocols = Subprotocols::new(["second", "first"]).unwrap();
    let served = Served::by(options, decide).await;
    for (path, status, header) in [
        ("/subprotocol", "101", "sec-websocket-protocol: second\r\n"),
        ("/header", "101", "x-room: blue\r\n"),
        ("/header", "101", "sec-websocket-protocol: first\r\n"),
        ("/refused", "404", "connection: close\r\n"),
        ("/other-subprotocol", "500", ""),
        ("/dropped", "500", ""),
        ("/forgotten", "500", ""),
        ("/error", "500", ""),
        ("/panic", "500", ""),
    ] {
        let answer = answer(&served, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.to_lowercase().contains(header), "{path}: {answer}");
    }
    let drained = served.shutdown(Duration::from_secs(1)).await;
    assert_eq!(drained.cut, 0);
}

/// Ends in the way that the path names, at once or after a message.
async fn end(request: Request) -> HandlerResult {
    let path = request.uri().path().to_owned();
    let mut socket = request.accept().await?;
    if path.ends_with("-later") {
        socket.recv().await?.unwrap();
    }
    match path.trim_end_matches("-later") {
        "/returns" => Ok(()),
        "/drops" => {
            drop(socket);
            pending().await
        }
        "/fails" => Err("it went wrong".into()),
        "/panics" => panic!("part of the test"),
        path => unreachable!("{path}"),
    }
}

/// Fault FT-44: the client gets a close code no matter how the handler ends, and the server keeps running.
#[tokio::test]
async fn the_end_of_a_handler_closes_its_connection() {
    let served = Served::by(ServerOptions::default(), end).await;
    let mut later = 0;
    for (how, code) in [("/returns", 1000), ("/drops", 1000), ("/fails", 1011), ("/panics", 1011)] {
        for when in ["", "-later"] {
            let mut peer = Peer::connect(served.address()).await;
            peer.open(&SAMPLE_REQUEST.replace("/chat", &format!("{how}{when}"))).await;
            if !when.is_empty() {
                peer.send(masked_frame(FIN | TEXT, "now")).await;
                later += 1;
            }
            assert_eq!(peer.read_payload(FIN | CLOSE).await, u16::to_be_bytes(code), "{how}{when}");
            peer.send(masked_frame(FIN | CLOSE, u16::to_be_bytes(code))).await;
            assert_eq!(peer.read_frame().await, None, "{how}{when}");
        }
    }
    assert_eq!(later, 4);
}

/// Accepts and echoes in another task, which stops receiving after the text `wait`.
async fn echo_elsewhere(request: Request) -> HandlerResult {
    let using = tokio::spawn(async move {
        let mut socket = request.accept().await?;
        while let Some(message) = socket.recv().await? {
            if message == "wait".into() {
                pending::<()>().await;
            }
            socket.send(message).await?;
        }
        Ok(())
    });
    using.await?
}

/// A request and its socket may move to another task. The handler's task keeps driving the socket,
/// so pings are answered whether or not the other task receives.
#[tokio::test]
async fn another_task_may_use_the_socket() {
    let served = Served::by(ServerOptions::default(), echo_elsewhere).await;
    let mut peer = served.client().await;
    let ping = masked_frame(FIN | PING, "?");
    for round in ["one", "two", "three"] {
        peer.send(masked_frame(FIN | TEXT, round)).await;
        assert_eq!(peer.read_payload(FIN | TEXT).await, round.as_bytes());
        peer.send(&ping).await;
        assert_eq!(peer.read_payload(FIN | PONG).await, b"?");
    }
    peer.send([masked_frame(FIN | TEXT, "wait"), ping.clone()].concat()).await;
    assert_eq!(peer.read_payload(FIN | PONG).await, b"?");
    peer.send(ping).await;
    assert_eq!(peer.read_payload(FIN | PONG).await, b"?");
}

#[tokio::test]
async fn shutdown_closes_a_socket_in_another_task() {
    let served = Served::by(ServerOptions::default(), echo_elsewhere).await;
    let mut peer = served.client().await;
    let client = async {
        assert_eq!(peer.read_payload(FIN | CLOSE).await, 1001u16.to_be_bytes());
        peer.send(masked_frame(FIN | CLOSE, 1001u16.to_be_bytes())).await;
    };
    let (drained, ()) = tokio::join!(served.shutdown(Duration::from_secs(10)), client);
    assert_eq!((drained.closed, drained.cut), (1, 0));
}

#[tokio::test]
async fn tls_is_served() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let port = server.local_addr().unwrap().port();
    tokio::spawn(server.with_tls(&identity.of_server()).serve(echo_elsewhere));
    let options =
        ConnectOptions::new().tls(Tls::with_extra_roots(authority.root_pem().as_bytes()).unwrap());
    let url = Url::parse(&format!("wss://localhost:{port}/")).unwrap();
    let (mut socket, _) = connect(&url, &options).await.unwrap();
    socket.send("by TLS").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("by TLS".into()));
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_served() {
    let folder = fullduplex_lab::folder::Folder::new();
    let path = folder.path().join("socket");
    let server = Server::bind_unix(&path, ServerOptions::default()).unwrap();
    assert_eq!(server.local_addr().unwrap_err().kind(), std::io::ErrorKind::Unsupported);
    tokio::spawn(server.serve(echo_elsewhere));
    let mut peer = Peer::over(tokio::net::UnixStream::connect(&path).await.unwrap());
    peer.open(SAMPLE_REQUEST).await;
    peer.send(masked_frame(FIN | TEXT, "by a path")).await;
    assert_eq!(peer.read_payload(FIN | TEXT).await, b"by a path");
}

/// Dropping the future of `drive` ends the connection, even if another task owns the socket.
#[tokio::test]
async fn a_socket_ends_with_its_driver() {
    let (client, stream) = duplex(1 << 12);
    let mut client = Peer::over(client);
    client.send(SAMPLE_REQUEST).await;
    let socket = accept(stream, &AcceptOptions::default()).await.unwrap();
    let mut sender = None;
    let (tx, rx) = oneshot::channel();
    let mut driving = Box::pin(socket.drive(|mut socket| {
        sender = Some(socket.sender());
        tokio::spawn(async move { tx.send(socket.recv().await).unwrap() });
        pending::<()>()
    }));
    assert!(driving.as_mut().now_or_never().is_none());
    tokio::task::yield_now().await;
    drop(driving);
    let error = guarded("the end", rx).await.unwrap().unwrap_err();
    assert_eq!(error.failure(), ConnectionError::Lost);
    assert!(sender.unwrap().is_closed());
}

// FS-12: a handler may panic before it returns its future.
#[tokio::test]
async fn a_panic_before_the_first_wait_is_answered_and_counted() {
    fn panic_at_once(request: Request) -> std::future::Ready<HandlerResult> {
        drop(request);
        panic!("part of the test")
    }
    let served = Served::by(ServerOptions::default(), panic_at_once).await;
    let head = answer(&served, "/").await;
    assert!(head.starts_with("HTTP/1.1 500 "), "{head}");
    served.until(|counts| counts.refused == [(500, 1)].into() && counts.open == 0).await;
    assert_eq!(served.shutdown(Duration::from_secs(1)).await.cut, 0);
}
