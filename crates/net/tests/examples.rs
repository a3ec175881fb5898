//! The examples as their users meet them: processes with arguments, which say where they listen.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::folder::Folder;
use fullduplex_lab::process::signal;
use fullduplex_lab::script::guarded;
use fullduplex_net::proto::{Message, Url};
use fullduplex_net::{ConnectOptions, Socket, Tls, connect};

/// A running example.
struct Example {
    process: Child,
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

    /// What it says when it is interrupted as by Ctrl-C.
    fn interrupt(mut self) -> String {
        signal(&self.process, "INT");
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        assert!(self.process.wait().unwrap().success());
        said
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

/// Beside the tests in the folder of the build.
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
    assert_eq!(recv(&mut ada).await, Some("Ada has come, and we are 1".into()));
    let mut bob = example.open("Bob").await;
    for socket in [&mut ada, &mut bob] {
        assert_eq!(recv(socket).await, Some("Bob has come, and we are 2".into()));
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
            panic!("the ticker tells the time");
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
    let closing = tokio::spawn(async move { recv(&mut socket).await });
    let said = tokio::task::spawn_blocking(|| example.interrupt()).await.unwrap();
    assert_eq!(said, "closed 1 connections, cut 0 off\n");
    assert_eq!(closing.await.unwrap(), None);
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
    let closing = tokio::spawn(async move { recv(&mut socket).await });
    let said = tokio::task::spawn_blocking(|| example.interrupt()).await.unwrap();
    assert!(said.starts_with("closed 1 connections, cut 0 off\n"), "{said}");
    assert!(said.contains("opened: 1"), "{said}");
    assert_eq!(closing.await.unwrap(), None);
}
