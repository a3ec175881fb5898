//! `fdx listen` as a process.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::folder::Folder;
#[cfg(target_os = "linux")]
use fullduplex_lab::process::Process;
use fullduplex_lab::script::{FIN, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame};
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::proto::{CloseCode, CloseFrame, CloseReason, Message};
use fullduplex_net::{ConnectError, ConnectOptions, Socket, connect};
use http::HeaderValue;
use http::header::ORIGIN;
use serde_json::{Value, json};

use support::{Listening, pipe, stderr, stdout};

async fn client(url: &str) -> Socket {
    connect(url, &ConnectOptions::default()).await.unwrap().0
}

async fn receive(client: &mut Socket) -> Message {
    guarded("a message", client.recv()).await.unwrap().unwrap()
}

fn close(code: u16, reason: &str) -> Option<CloseFrame> {
    let (code, reason) = (CloseCode::new(code).unwrap(), CloseReason::new(reason).unwrap());
    Some(CloseFrame { code, reason })
}

#[tokio::test]
async fn a_subprotocol_is_agreed() {
    let server = Listening::start(&["--protocol", "chat", "--protocol", "superchat"]);
    let options =
        ConnectOptions::new().subprotocols(Subprotocols::new(["nope", "superchat"]).unwrap());
    let (socket, _) = connect(&server.url, &options).await.unwrap();
    assert_eq!(socket.subprotocol().map(|name| name.as_str()), Some("superchat"));
}

/// Lines wait for the first client and then go to all clients. Messages are printed.
#[tokio::test]
async fn lines_go_to_all_clients_and_messages_become_lines() {
    let mut server = Listening::piping(&[]);
    let mut stdin = server.process.stdin.take().unwrap();
    let mut stdout = BufReader::new(server.process.stdout.take().unwrap()).lines();
    writeln!(stdin, "for the first").unwrap();
    let mut one = client(&server.url).await;
    assert_eq!(receive(&mut one).await, "for the first".into());
    let mut two = client(&server.url).await;
    // The message shows that the server has accepted the client.
    two.send("I am here").await.unwrap();
    assert_eq!(stdout.next().unwrap().unwrap(), "I am here");
    writeln!(stdin, "for both, äöü").unwrap();
    for client in [&mut one, &mut two] {
        assert_eq!(receive(client).await, "for both, äöü".into());
    }
    one.send(vec![0, 255]).await.unwrap();
    assert_eq!(stdout.next().unwrap().unwrap(), "00ff");
    // The server continues after the end of stdin.
    drop(stdin);
    one.send("still there").await.unwrap();
    assert_eq!(stdout.next().unwrap().unwrap(), "still there");
    #[cfg(unix)]
    {
        server.interrupt();
        let closed = guarded("the end", two.recv()).await.unwrap();
        assert_eq!((closed, two.close_result().unwrap().code()), (None, 1001));
    }
}

/// Lines of stdin are read only as fast as the client reads messages. No line is lost.
#[tokio::test]
async fn a_slow_client_delays_the_lines() {
    let mut server = Listening::piping(&[]);
    let mut stdin = server.process.stdin.take().unwrap();
    let line = "x".repeat(999);
    let writing = {
        let line = line.clone();
        // This is much more than sockets and queues can hold.
        std::thread::spawn(move || (0..40_000).for_each(|_| writeln!(stdin, "{line}").unwrap()))
    };
    let mut client = client(&server.url).await;
    for _ in 0..40_000 {
        assert_eq!(receive(&mut client).await.len(), line.len());
    }
    writing.join().unwrap();
}

#[tokio::test]
async fn broadcast_goes_to_all_others() {
    let mut server = Listening::start_mode("--broadcast", &["--ndjson"]);
    let mut clients =
        [client(&server.url).await, client(&server.url).await, client(&server.url).await];
    let mut events = server.events();
    for _ in 0..3 {
        assert_eq!(events.next().unwrap()["event"], "open");
    }
    for speaker in 0..3 {
        let said = format!("{speaker} speaks");
        clients[speaker].send(&*said).await.unwrap();
        for (listener, client) in clients.iter_mut().enumerate() {
            if listener != speaker {
                assert_eq!(receive(client).await, said.as_str().into());
            }
        }
    }
    assert_eq!(
        events.next().unwrap(),
        json!({ "event": "message", "client": 1, "text": "0 speaks" })
    );
}

#[tokio::test]
async fn events_are_json() {
    let mut server = Listening::start_mode("--echo", &["--ndjson"]);
    let mut events = server.events();
    let mut socket = client(&format!("{}room?a=b", server.url)).await;
    let open = events.next().unwrap();
    assert_eq!((&open["client"], &open["target"]), (&json!(1), &json!("/room?a=b")));
    socket.send("\"quoted\"\n").await.unwrap();
    socket.send(vec![1, 2]).await.unwrap();
    socket.close(close(4000, "bye")).await.unwrap();
    let expected = [
        json!({ "event": "message", "client": 1, "text": "\"quoted\"\n" }),
        json!({ "event": "message", "client": 1, "hex": "0102" }),
        json!({ "event": "close", "client": 1, "code": 4000, "reason": "bye", "clean": true }),
    ];
    assert_eq!(events.by_ref().take(3).collect::<Vec<Value>>(), expected);
}

#[tokio::test]
async fn once_ends_with_its_client() {
    let mut server = Listening::piping(&["--once"]);
    let mut only = client(&server.url).await;
    only.send("received").await.unwrap();
    let second = connect(&server.url, &ConnectOptions::default()).await;
    let Err(ConnectError::Rejected(refused)) = second else { panic!("{second:?}") };
    assert_eq!(refused.status.as_u16(), 503);
    only.close(None).await.unwrap();
    let mut printed = String::new();
    server.process.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    assert_eq!(printed, "received\n");
    assert!(server.process.wait().unwrap().success());
}

#[tokio::test]
async fn once_fails_if_the_connection_was_lost() {
    let mut server = Listening::piping(&["--once"]);
    let address = server.url.trim_start_matches("ws://").trim_end_matches('/');
    let mut client = Peer::connect(address.parse().unwrap()).await;
    client.open(SAMPLE_REQUEST).await;
    client.reset_after(&masked_frame(FIN | TEXT, "half of it")).await;
    let mut complaint = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert_eq!(server.process.wait().unwrap().code(), Some(1));
    assert!(complaint.contains("fdx: the client: ") && complaint.contains("lost"), "{complaint}");
}

#[tokio::test]
async fn closing_stdout_ends_listen() {
    let mut server = Listening::piping(&[]);
    let mut socket = client(&server.url).await;
    drop(server.process.stdout.take());
    socket.send("to nobody").await.unwrap();
    assert_eq!(guarded("the end", socket.recv()).await.unwrap(), None);
    let mut complaint = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert!(server.process.wait().unwrap().success() && complaint.is_empty(), "{complaint}");
}

/// A client that is not a browser sends no Origin, and may connect.
#[tokio::test]
async fn pages_of_other_origins_connect_only_on_request() {
    let refused = [Some("http://elsewhere.example"), Some("null")];
    let welcome = [None, Some("http://localhost:3000")];
    for (arguments, origins, status) in [
        (&["--broadcast", "--origin", "http://localhost:3000"][..], &refused[..], 403),
        (&["--broadcast", "--origin", "http://localhost:3000"], &welcome, 101),
        (&["--broadcast"], &refused, 403),
        (&["--broadcast", "--any-origin"], &refused, 101),
        (&["--echo"], &refused, 101),
        (&["--echo", "--origin", "http://localhost:3000"], &refused, 403),
    ] {
        let server = Listening::start_mode(arguments[0], &arguments[1..]);
        for origin in origins {
            let mut options = ConnectOptions::default();
            if let Some(origin) = origin {
                options.headers.insert(ORIGIN, HeaderValue::from_static(origin));
            }
            let got = match connect(&server.url, &options).await {
                Ok(_) => 101,
                Err(ConnectError::Rejected(refused)) => refused.status.as_u16(),
                Err(error) => panic!("{error}"),
            };
            assert_eq!(got, status, "{arguments:?} {origin:?}");
        }
    }
}

#[test]
fn a_new_certificate_is_made() {
    let folder = Folder::new();
    let file = folder.path().join("cert.pem");
    let file = file.to_str().unwrap();
    let server = Listening::start(&["--tls", "--write-cert", file]);
    let port = server.url.trim_end_matches('/').rsplit_once(':').unwrap().1;
    assert!(server.url.starts_with("wss://"));
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("wss://{host}:{port}/");
        let trusted = pipe(&["connect", "--only-ca", "--ca", file, &url], "over TLS\n");
        assert_eq!(stdout(&trusted), "over TLS\n", "{}", stderr(&trusted));
    }
    let untrusted = pipe(&["connect", &server.url], "over TLS\n");
    assert_eq!(untrusted.status.code(), Some(3));
}

#[test]
fn a_certificate_is_read_from_files() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let identity = authority.issue(&["localhost"], Validity::Now);
    let cert = folder.write("cert.pem", &identity.cert_pem);
    let key = folder.write("key.pem", &identity.key_pem);
    let ca = folder.write("ca.pem", &authority.root_pem());
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let server = Listening::start(&["--cert", cert, "--key", key]);
    let url = server.url.replace("127.0.0.1", "localhost");
    let output = pipe(&["connect", "--ca", ca.to_str().unwrap(), &url], "over TLS\n");
    assert_eq!(stdout(&output), "over TLS\n", "{}", stderr(&output));
    let swapped = pipe(&["listen", "0", "--cert", key, "--key", cert], "");
    assert_eq!(swapped.status.code(), Some(2));
    assert!(stderr(&swapped).contains("could not read"), "{}", stderr(&swapped));
}

#[cfg(unix)]
#[test]
fn a_unix_socket_lives_as_long_as_its_server() {
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let address = format!("unix:{}", path.display());
    let mut server = Listening::at(&address, &["--echo"]);
    assert_eq!(server.url, address);
    let arguments = ["connect", "--unix-socket", path.to_str().unwrap(), "ws://localhost/"];
    assert_eq!(stdout(&pipe(&arguments, "hello\n")), "hello\n");
    let taken = pipe(&["listen", &address], "");
    assert_eq!(taken.status.code(), Some(1));
    assert!(stderr(&taken).contains("another process listens at this path"), "{}", stderr(&taken));
    assert!(path.exists(), "the second server does not remove it");
    server.interrupt();
    assert!(server.process.wait().unwrap().success() && !path.exists());
}

#[test]
fn a_message_above_the_limit_is_refused() {
    let server = Listening::start(&["--max-message", "1k", "--no-compression"]);
    let output = pipe(&["connect", &server.url], &"x".repeat(1025));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("1009"), "{}", stderr(&output));
}

/// Both ends speak HTTP/2 on request. Without `--http2`, the server does not understand it.
#[test]
fn a_message_is_echoed_over_http2() {
    for (arguments, code) in [(&["--http2"][..], 0), (&[], 3)] {
        let server = Listening::start_mode("--echo", arguments);
        let output = pipe(&["connect", "--http2", &server.url], "hello\n");
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert_eq!(stdout(&output), if code == 0 { "hello\n" } else { "" });
        let output = pipe(&["connect", &server.url], "hello\n");
        assert_eq!(stdout(&output), "hello\n");
    }
}

/// FS-05: a page whose host name resolves to this machine, and the server's page under that name.
#[tokio::test]
async fn a_foreign_host_gets_421() {
    let plain = "GET / HTTP/1.1\r\nHost: NAME\r\nConnection: close\r\n\r\n";
    let upgrade = SAMPLE_REQUEST.replace("localhost", "NAME");
    for (arguments, name, is_let_in) in [
        (&[][..], "rebound.example", false),
        (&[], "localhost", true),
        (&["--host", "dev.example"], "dev.example:9001", true),
        (&["--host", "dev.example"], "rebound.example", false),
        (&["--host", "*"], "rebound.example", true),
    ] {
        let server = Listening::start(arguments);
        let address = server.url.trim_start_matches("ws://").trim_end_matches('/');
        for (request, success) in [(plain, "200"), (&upgrade, "101")] {
            let mut client = Peer::connect(address.parse().unwrap()).await;
            client.send(request.replace("NAME", name)).await;
            let head = guarded("the answer", client.read_head()).await;
            let status = if is_let_in { success } else { "421" };
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{arguments:?}: {head}");
        }
    }
}

/// FK-13
#[cfg(unix)]
#[test]
fn a_stale_socket_is_replaced_and_a_foreign_file_stays() {
    let folder = Folder::new();
    let path = folder.path().join("socket");
    let address = format!("unix:{}", path.display());
    let mut first = Listening::at(&address, &["--echo"]);
    first.process.kill().unwrap();
    first.process.wait().unwrap();
    assert!(path.exists(), "the killed server has not removed it");
    let mut second = Listening::at(&address, &["--echo"]);
    // Another file replaces it.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    second.interrupt();
    assert!(second.process.wait().unwrap().success());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    let third = pipe(&["listen", &address], "");
    assert_eq!(third.status.code(), Some(1));
    assert!(stderr(&third).contains("not a socket"), "{}", stderr(&third));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

/// FK-13
#[tokio::test]
async fn a_rejected_origin_is_reported_in_a_short_line() {
    let mut server = Listening::piping(&[]);
    let mut options = ConnectOptions::default();
    let origin = format!("http://{}.example", "x".repeat(10_000));
    options.headers.insert(ORIGIN, HeaderValue::try_from(origin).unwrap());
    let rejected = connect(&server.url, &options).await;
    let Err(ConnectError::Rejected(rejected)) = rejected else { panic!("{rejected:?}") };
    let body = String::from_utf8_lossy(&rejected.body);
    assert!(!body.contains("lists others"), "{body}");
    let mut complaint = String::new();
    let mut lines = BufReader::new(server.process.stderr.take().unwrap());
    lines.read_line(&mut complaint).unwrap();
    assert!(complaint.contains("--origin http://xxx") && complaint.len() < 400, "{complaint}");
}

/// FK-06: printing a message takes little additional memory, in any form.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn printing_does_not_amplify_a_message() {
    const SIZE: usize = 8 << 20;
    let limit = SIZE.to_string();
    for (form, lines, message) in [
        (&["--ndjson", "--broadcast"][..], 2, Message::from("\u{1}".repeat(SIZE))),
        (&["--ndjson", "--broadcast"], 2, vec![7; SIZE].into()),
        (&[], 1, vec![7; SIZE].into()),
    ] {
        let arguments = [form, &["--max-message", &limit]].concat();
        let mut server = if form.is_empty() {
            Listening::piping(&arguments)
        } else {
            Listening::at("127.0.0.1:0", &arguments)
        };
        let mut stdout = server.process.stdout.take().unwrap();
        let process = Process::of(&server.process);
        let before = process.memory().unwrap();
        let reading = std::thread::spawn(move || skip_lines(&mut stdout, lines));
        let mut socket = client(&server.url).await;
        socket.send(message).await.unwrap();
        let printed = tokio::task::spawn_blocking(move || reading.join().unwrap()).await.unwrap();
        let grown = process.peak_memory().unwrap().saturating_sub(before);
        assert!(printed >= 2 * SIZE, "{form:?}: {printed} bytes");
        assert!(grown <= 3 * SIZE as u64, "{form:?}: {grown} bytes");
    }
}

/// Reads this many lines, and returns their size.
#[cfg(target_os = "linux")]
fn skip_lines(output: &mut impl Read, mut lines: usize) -> usize {
    let (mut buffer, mut read) = (vec![0; 64 << 10], 0);
    while lines > 0 {
        let count = output.read(&mut buffer).unwrap();
        assert!(count > 0, "the output has ended");
        lines -= buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        read += count;
    }
    read
}
