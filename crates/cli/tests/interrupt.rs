//! Ctrl-C and SIGTERM: connections close with 1001, and nothing delays the end of the command.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Output};
use std::time::{Duration, Instant};

use fullduplex_lab::process::signal;
use fullduplex_lab::script::{
    FIN, Peer, SAMPLE_REQUEST, TEXT, close_frame, guarded, masked_frame, script,
};
use fullduplex_net::{ConnectOptions, Socket, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use support::{Listening, fdx, run_blocking, stderr};

/// The limit for the end of a command: twice the grace period, plus the delays of a busy machine.
const IN_TIME: Duration = Duration::from_secs(10);

/// Starts `fdx connect` and waits until it reports an open connection. Its stdin does not end.
async fn opened(url: &str) -> (Child, ChildStdin) {
    let mut process = fdx(&["connect", "--wait", "forever", "--ndjson", url]).spawn().unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    let reading = tokio::task::spawn_blocking(move || {
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        (line, stdout)
    });
    let (line, stdout) = reading.await.unwrap();
    assert!(line.contains("\"open\""), "{line}");
    process.stdout = Some(stdout.into_inner());
    let stdin = process.stdin.take().unwrap();
    (process, stdin)
}

async fn end_of(process: Child) -> Output {
    run_blocking(move || process.wait_with_output().unwrap()).await
}

/// FK-10
#[tokio::test]
async fn connect_closes_with_1001() {
    for name in ["INT", "TERM"] {
        let server = script(async |mut peer: Peer| {
            peer.shake_hands().await;
            let code = peer.read_close().await;
            peer.send(close_frame(1001, "")).await;
            peer.fin().await;
            code
        })
        .await;
        let (process, stdin) = opened(&server.url()).await;
        signal(&process, name);
        let output = end_of(process).await;
        assert_eq!(server.finish().await, Some(1001), "{name}");
        assert_eq!(output.status.code(), Some(0), "{name}: {}", stderr(&output));
        drop(stdin);
    }
}

/// FK-10
#[tokio::test]
async fn connect_that_was_never_open_is_exit_code_3() {
    let (asked, is_asked) = oneshot::channel();
    let server = script(async |mut peer: Peer| {
        peer.read_head().await;
        asked.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let url = server.url();
    let process = fdx(&["connect", &url]).spawn().unwrap();
    is_asked.await.unwrap();
    signal(&process, "INT");
    let output = end_of(process).await;
    server.finish().await;
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(stderr(&output), "fdx: interrupted before the connection was open\n");
}

/// FK-10
#[tokio::test]
async fn connect_does_not_wait_for_a_server_that_does_not_close() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_close().await;
        peer.await_end().await;
    })
    .await;
    let (process, stdin) = opened(&server.url()).await;
    let start = Instant::now();
    signal(&process, "INT");
    let output = end_of(process).await;
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    server.finish().await;
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("did not answer the Close"), "{}", stderr(&output));
    drop(stdin);
}

/// FK-06: stdout is not read, and its pipe is full.
#[tokio::test]
async fn a_full_pipe_stops_neither_the_server_nor_an_interrupt() {
    let mut server = Listening::piping(&[]);
    let address = server.url.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    // A client sends until the server accepts no more data.
    let mut talker = Peer::connect(address.parse().unwrap()).await;
    let request = SAMPLE_REQUEST.replace("localhost", &address);
    talker.open(&request).await;
    let message = masked_frame(FIN | TEXT, "x".repeat(60_000));
    let flood = async { while talker.try_send(&message).await.is_ok() {} };
    // The pipe and the queue behind it are full long before the timeout.
    assert!(timeout(Duration::from_secs(1), flood).await.is_err(), "the connection has ended");
    // The server still handles other input: requests for the page, pings, and the lines of stdin.
    let mut page = TcpStream::connect(&address).await.unwrap();
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    guarded("the page", page.read_to_string(&mut text)).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let mut other = client(&server.url).await;
    writeln!(server.process.stdin.as_mut().unwrap(), "hello").unwrap();
    assert_eq!(guarded("a line", other.recv()).await.unwrap(), Some("hello".into()));
    // An interrupt works too.
    let start = Instant::now();
    server.interrupt();
    assert_eq!(guarded("the Close", other.recv()).await.unwrap(), None);
    assert_eq!(other.close_result().unwrap().code(), 1001);
    let ended = server.process.wait().unwrap();
    assert!(ended.success() && start.elapsed() < IN_TIME, "{ended} {:?}", start.elapsed());
}

async fn client(url: &str) -> Socket {
    connect(url, &ConnectOptions::default()).await.unwrap().0
}
