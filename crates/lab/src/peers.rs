//! Echo servers made with other libraries, in `peers/`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::ca::Identity;
use crate::folder::Folder;
use crate::process::first_line;

/// The library of an echo server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerLibrary {
    /// Python `websockets`.
    Websockets,
    /// Python `aiohttp`.
    Aiohttp,
    /// Python `tornado`.
    Tornado,
    /// Python `hypercorn`.
    Hypercorn,
    /// Python `hypercorn`, which also speaks HTTP/2.
    HypercornHttp2,
    /// npm `ws`.
    Ws,
    /// The module `http2` of Node.js, and `ws` over its streams. It speaks HTTP/2 only.
    NodeHttp2,
    /// Tomcat, from Debian.
    Tomcat,
}

/// An echo server process, which ends on drop or with this process.
#[derive(Debug)]
pub struct EchoServer {
    process: Child,
    port: u16,
    /// The certificate and its key, which the server reads.
    _files: Option<Folder>,
}

impl EchoServer {
    /// Starts a server on a free port of 127.0.0.1, over TLS if it is given an identity.
    ///
    /// # Panics
    /// If the peers are not installed, or the server does not report that it listens.
    pub fn start(library: ServerLibrary, identity: Option<&Identity>) -> Self {
        let files = identity.map(|_| Folder::new());
        let mut command = match library {
            ServerLibrary::Websockets => python("echo_websockets.py"),
            ServerLibrary::Aiohttp => python("echo_aiohttp.py"),
            ServerLibrary::Tornado => python("echo_tornado.py"),
            ServerLibrary::Hypercorn => python("echo_hypercorn.py"),
            ServerLibrary::HypercornHttp2 => {
                let mut command = python("echo_hypercorn.py");
                command.arg("--http2");
                command
            }
            ServerLibrary::Ws => node("echo_ws.mjs"),
            ServerLibrary::NodeHttp2 => node("echo_http2.mjs"),
            ServerLibrary::Tomcat => tomcat(),
        };
        if let (Some(files), Some(identity)) = (&files, identity) {
            command.arg("--cert").arg(files.write("cert.pem", &identity.cert_pem));
            command.arg("--key").arg(files.write("key.pem", &identity.key_pem));
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3, node and java must be installed");
        let line = first_line(&mut process)
            .unwrap_or_else(|error| panic!("{library:?} does not listen: {error}"));
        let port = line.trim().strip_prefix("listening ").and_then(|port| port.parse().ok());
        let port =
            port.unwrap_or_else(|| panic!("{library:?} does not listen: it printed {line:?}"));
        Self { process, port, _files: files }
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        // A server exits when its stdin is closed. The kill is for a server that does not.
        drop(self.process.stdin.take());
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Returns a command that runs a script in Python.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new(folder().join("venv/bin/python"));
    command.arg(folder().join(script));
    command
}

/// Returns a command that runs a script in Node.js.
pub(crate) fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(folder().join(script));
    command
}

/// Returns a command that runs a script in the Node.js of `package.json`.
pub(crate) fn newer_node(script: &str) -> Command {
    let mut command = Command::new(folder().join("node_modules/.bin/node"));
    command.arg(folder().join(script));
    command
}

/// Returns a command that compiles and runs the Java source, which needs a JDK.
fn tomcat() -> Command {
    let jars = ["core", "websocket"]
        .map(|part| Path::new("/usr/share/java").join(format!("tomcat10-embed-{part}.jar")));
    let class_path = std::env::join_paths(jars).expect("a path without a colon");
    let mut command = Command::new("java");
    command.arg("--class-path").arg(class_path).arg(folder().join("EchoTomcat.java"));
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
