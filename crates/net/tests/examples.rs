//! Runs the examples as processes with arguments, and finds their addresses in the output.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::error::Error;
#[cfg(unix)]
use std::io::Read;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
#[cfg(unix)]
use fullduplex_lab::process::signal;
use fullduplex_lab::script::guarded;
use fullduplex_net::proto::{Message, Url};
use fullduplex_net::{
    ConnectError, ConnectOptions, Request, Server, ServerOptions, Socket, Tls, connect,
};

/// A running example.
struct Example {
    process: Child,
    #[cfg_attr(not(unix), expect(dead_code, reason = "it keeps the pipe open"))]
    stdout: BufReader<ChildStdout>,
    url: String,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(path(name))
            .args(arguments)
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cargo test builds the example {name}: {error}"));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening at ").unwrap().to_owned();
        Self { process, stdout, url }
    }

    async fn open(&self, path: &str) -> Socket {
        self.open_as(path, &ConnectOptions::default()).await
    }

    async fn open_as(&self, path: &str, options: &ConnectOptions) -> Socket {
        let url = Url::parse(&format!("{}{path}", self.url)).unwrap();
        guarded("the connection", connect(&url, options)).await.unwrap().0
    }

    /// Interrupts the example as Ctrl-C does. It closes `socket`. Returns the rest of its output.
    #[cfg(unix)]
    async fn interrupt(mut self, mut socket: Socket) -> String {
        let closing = tokio::spawn(async move { recv(&mut socket).await });
        let ending = tokio::task::spawn_blocking(move || {
            signal(&self.process, "INT");
            let mut output = String::new();
            self.stdout.read_to_string(&mut output).unwrap();
            assert!(self.process.wait().unwrap().success());
            output
        });
        let output = ending.await.unwrap();
        assert_eq!(closing.await.unwrap(), None);
        output
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

/// Returns the path of an example, in the build folder beside this test.
fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples").join(name)
}

async fn recv(socket: &mut Socket) -> Option<Message> {
    guarded("the next message", socket.recv()).await.unwrap()
}

async fn assert_echo(socket: &mut Socket) {
    socket.send("hello").await.unwrap();
    assert_eq!(recv(socket).await, Some("hello".into()));
}

#[tokio::test]
async fn echo() {
    let example = Example::start("echo", &[]);
    assert_echo(&mut example.open("").await).await;
}

#[tokio::test]
async fn chat() {
    let example = Example::start("chat", &[]);
    let mut ada = example.open("Ada").await;
    assert_eq!(recv(&mut ada).await, Some("Ada joined; 1 connected".into()));
    let mut bob = example.open("Bob").await;
    for socket in [&mut ada, &mut bob] {
        assert_eq!(recv(socket).await, Some("Bob joined; 2 connected".into()));
    }
    ada.send("hello").await.unwrap();
    for socket in [&mut ada, &mut bob] {
        assert_eq!(recv(socket).await, Some("Ada: hello".into()));
    }
}

#[tokio::test]
async fn ticker() {
    let example = Example::start("ticker", &[]);
    let mut socket = example.open("").await;
    let mut seconds = Vec::new();
    for _ in 0..2 {
        let Some(Message::Text(text)) = recv(&mut socket).await else {
            panic!("the ticker sends text");
        };
        seconds.push(text.as_str().strip_suffix(" s").unwrap().parse::<u32>().unwrap());
    }
    assert!(seconds[0] < seconds[1], "{seconds:?}");
}

#[tokio::test]
async fn axum() {
    let example = Example::start("axum", &[]);
    let mut socket = example.open("").await;
    assert_echo(&mut socket).await;
    #[cfg(unix)]
    assert_eq!(example.interrupt(socket).await, "closed 1 connections, cut 0 off\n");
}

#[tokio::test]
async fn tls() {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Now);
    let folder = Folder::new();
    let certificates = folder.write("certificates.pem", &identity.cert_pem);
    let key = folder.write("key.pem", &identity.key_pem);
    let files = [certificates.to_str().unwrap(), key.to_str().unwrap()];
    let example = Example::start("tls", &files);
    let options =
        ConnectOptions::new().tls(Tls::with_extra_roots(authority.root_pem().as_bytes()).unwrap());
    let mut socket = example.open_as("", &options).await;
    assert_echo(&mut socket).await;
    #[cfg(unix)]
    {
        let output = example.interrupt(socket).await;
        assert!(output.starts_with("closed 1 connections, cut 0 off\n"), "{output}");
        assert!(output.contains("opened: 1"), "{output}");
    }
}

/// Starts an example that is a client, with piped stdin and stdout.
fn start_client(name: &str, arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut client = Command::new(path(name))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cargo test builds the example {name}: {error}"));
    let stdout = BufReader::new(client.stdout.take().unwrap());
    (client, stdout)
}

#[test]
fn ping_timer() {
    let url = format!("ws://127.0.0.1:{}/", echo::start(None));
    let (mut client, stdout) = start_client("ping_timer", &[&url]);
    client.stdin.take().unwrap().write_all(b"one\ntwo\n").unwrap();
    let lines: Vec<_> = stdout.lines().map(Result::unwrap).collect();
    assert_eq!(lines, ["one", "two"]);
    assert!(client.wait().unwrap().success());
}

#[tokio::test]
async fn shared_state() {
    let example = Example::start("shared_state", &[]);
    let mut ada = example.open("Ada").await;
    let mut bob = example.open("Bob").await;
    // The server knows Bob when it has read his first message.
    bob.send("Bob ready").await.unwrap();
    assert_eq!(recv(&mut bob).await, Some("Bob: ready".into()));
    ada.send("Bob hello").await.unwrap();
    assert_eq!(recv(&mut bob).await, Some("Ada: hello".into()));
    bob.send("Eve hello").await.unwrap();
    assert_eq!(recv(&mut bob).await, Some("Eve is not connected".into()));
}

/// The connections of one thread share its count.
#[tokio::test]
async fn per_core() {
    let example = Example::start("per_core", &[]);
    let cores = std::thread::available_parallelism().unwrap().get();
    for round in 1..=2 {
        for _ in 0..cores {
            let mut socket = example.open("").await;
            socket.send("hello").await.unwrap();
            assert_eq!(recv(&mut socket).await, Some(format!("{round}: hello").into()));
        }
    }
}

#[tokio::test]
async fn axum_token() {
    let example = Example::start("axum_token", &[]);
    for (token, status) in [("Bearer secret", 101), ("Bearer other", 401)] {
        let options = ConnectOptions::new().header("Authorization", token).unwrap();
        match guarded("the response", connect(&example.url, &options)).await {
            Ok((mut socket, _)) => assert_echo(&mut socket).await,
            Err(ConnectError::Rejected(rejected)) => assert_eq!(rejected.status, status),
            Err(error) => panic!("{error}"),
        }
    }
}

type Failure = Box<dyn Error + Send + Sync>;

async fn send_news(request: Request) -> Result<(), Failure> {
    request.accept().await?.send("news").await?;
    Ok(())
}

async fn receive_upload(request: Request) -> Result<(), Failure> {
    let mut socket = request.accept().await?;
    let mut received = 0;
    while let Some(part) = socket.recv_part().await? {
        received += part.content.len();
        if part.last {
            socket.send(format!("{received} bytes")).await?;
        }
    }
    Ok(())
}

/// The server closes each connection after one message, so the feed has to reconnect.
#[tokio::test]
async fn feed() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("wss://localhost:{}/", server.local_addr().unwrap().port());
    let server = server.with_tls(&identity.of_server());
    tokio::spawn(server.serve(send_news));
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.root_pem());
    let lines = tokio::task::spawn_blocking(move || {
        let (mut client, stdout) = start_client("feed", &[&url, ca.to_str().unwrap()]);
        let lines: Vec<_> = stdout.lines().map(Result::unwrap).take(2).collect();
        client.kill().unwrap();
        client.wait().unwrap();
        lines
    });
    assert_eq!(guarded("two messages", lines).await.unwrap(), ["news", "news"]);
}

#[tokio::test]
async fn upload() {
    const SIZE: usize = 20_000_000;
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(receive_upload));
    let folder = Folder::new();
    let file = folder.write("file", &"x".repeat(SIZE));
    let lines = tokio::task::spawn_blocking(move || {
        let (mut client, stdout) = start_client("upload", &[&url, file.to_str().unwrap()]);
        let lines: Vec<_> = stdout.lines().map(Result::unwrap).collect();
        assert!(client.wait().unwrap().success());
        lines
    });
    let lines = guarded("the upload", lines).await.unwrap();
    assert_eq!(lines[lines.len() - 2], "100 %");
    assert!(lines[lines.len() - 1].contains(&format!("{SIZE} bytes")), "{lines:?}");
}
