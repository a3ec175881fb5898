//! Real peers: echo servers and clients made with libraries that other people wrote, in
//! `crates/lab/peers/`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::ca::Identity;

/// The libraries whose servers we connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerLibrary {
    /// Python `websockets`.
    Websockets,
    /// Python `aiohttp`.
    Aiohttp,
    /// npm `ws`.
    Ws,
}

/// The libraries whose clients connect to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientLibrary {
    /// Python `websockets`.
    Websockets,
    /// npm `ws`.
    Ws,
    /// npm `undici`, the `WebSocket` of Node.js.
    Undici,
}

/// An echo server in a process of its own, which ends with this value, or with this process.
#[derive(Debug)]
pub struct EchoServer {
    process: Child,
    port: u16,
    /// The certificate and its key, for as long as the server may read them.
    _files: Option<Files>,
}

impl EchoServer {
    /// Starts a server on a free port of 127.0.0.1, over TLS if it is given an identity.
    ///
    /// # Panics
    /// If the peers are not installed, or the server does not say that it listens.
    pub fn start(library: ServerLibrary, identity: Option<&Identity>) -> Self {
        let files = identity.map(Files::new);
        let mut command = match library {
            ServerLibrary::Websockets => python("echo_websockets.py"),
            ServerLibrary::Aiohttp => python("echo_aiohttp.py"),
            ServerLibrary::Ws => node("echo_ws.mjs"),
        };
        if let Some(files) = &files {
            command.arg("--cert").arg(files.path("cert.pem"));
            command.arg("--key").arg(files.path("key.pem"));
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 and node must be installed");
        let stdout = process.stdout.take().expect("stdout is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the server's first line is text");
        let port = line.trim().strip_prefix("listening ").and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("{library:?} does not listen: it said {line:?}"));
        Self { process, port, _files: files }
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        // It ends when its stdin ends; the kill is for one that does not.
        drop(self.process.stdin.take());
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Lets a client check an echo server of ours; returns what it said.
///
/// # Panics
/// If the peers are not installed, or a check of the client failed.
pub fn check_with(library: ClientLibrary, url: &str) -> String {
    let mut command = match library {
        ClientLibrary::Websockets => python("client_websockets.py"),
        ClientLibrary::Ws => node("client_ws.mjs"),
        ClientLibrary::Undici => node("client_undici.mjs"),
    };
    let output = command.arg(url).output().expect("python3 and node must be installed");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{library:?} against {url}: {said}\n{complaint}");
    said
}

fn python(script: &str) -> Command {
    let mut command = Command::new(folder().join("venv/bin/python"));
    command.arg(folder().join(script));
    command
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(folder().join(script));
    command
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers");
    assert!(
        folder.join("installed").exists(),
        "the peers of the tests are not installed: run `cargo xtask test`, which installs them"
    );
    folder
}

/// The files that a server reads its certificate from.
#[derive(Debug)]
struct Files(PathBuf);

impl Files {
    fn new(identity: &Identity) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("fullduplex-lab-{}-{number}", std::process::id());
        let files = Self(std::env::temp_dir().join(name));
        std::fs::create_dir_all(&files.0).expect("the temporary folder is writable");
        std::fs::write(files.path("cert.pem"), &identity.cert_pem).expect("it is writable");
        std::fs::write(files.path("key.pem"), &identity.key_pem).expect("it is writable");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}
