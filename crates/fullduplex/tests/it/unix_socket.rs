use fullduplex::WebSocket;
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
use fullduplex_lab::script::{Peer, close_frame};
use fullduplex_lab::trace::Trace;
use fullduplex_net::proto::Url;
use fullduplex_net::{ConnectOptions, Server, ServerOptions, Tls, connect};
use tokio::net::UnixListener;

#[tokio::test]
async fn a_unix_socket_is_connected_by_its_path() {
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let server = Server::bind_unix(&path, ServerOptions::default()).unwrap();
    tokio::spawn(server.serve(echo::requests));
    let options = ConnectOptions::new().unix_socket(path.clone());
    let url = Url::parse("ws://server.example/").unwrap();
    let (mut socket, _) = connect(&url, &options).await.unwrap();
    socket.send("by a path").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("by a path".into()));

    let authority = Authority::new();
    let acceptor = authority.issue(&["server.example"], Validity::Now).acceptor();
    let path = folder.path().join("secured");
    let listener = UnixListener::bind(&path).unwrap();
    let socket = WebSocket::builder("wss://server.example/")
        .unix_socket(path)
        .tls(Tls::with_extra_roots(authority.root_pem().as_bytes()).unwrap());
    let server = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = Peer::over(acceptor.accept(stream).await.unwrap());
        peer.shake_hands().await;
        peer.send(close_frame(1000, "")).await;
        peer.read_close().await;
        peer.fin().await;
    };
    let (trace, ()) = tokio::join!(Trace::record(socket), server);
    trace.assert_events(&Trace::OPENED_AND_CLOSED);

    let nowhere = folder.path().join("nothing");
    let socket = WebSocket::builder("ws://server.example/").unix_socket(&nowhere);
    let cause = format!("could not connect to the Unix socket {}: No such file", nowhere.display());
    Trace::record(socket).await.assert_failed(&[], &cause);
}
