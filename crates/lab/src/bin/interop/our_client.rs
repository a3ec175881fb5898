use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{fs, io, iter};

use fullduplex_lab::ca::{Authority, Identity, Validity};
use fullduplex_lab::clients::Version;
use fullduplex_lab::echo;
use fullduplex_lab::forward::{self, Forward};
use fullduplex_lab::peers::{EchoServer, ServerLibrary};
use fullduplex_lab::process::Program;
use fullduplex_lab::proxy::{Backend, Proxy as Reverse, Software};
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::proto::{
    CloseCode, CloseFrame, CloseReason, DeflateConfig, Message, Part, Received, Url,
};
use fullduplex_net::{ConnectError, ConnectOptions, Http, Proxy, Socket, Tls, connect};
use tokio::time::timeout;

use crate::Failure;
use crate::our_server::head;

/// How long one step may take.
const LIMIT: Duration = Duration::from_secs(30);

/// A server of another project, and the trials that it cannot do.
#[derive(Debug, Clone, Copy)]
struct Peer {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// It supports commands, subprotocols and TLS.
    Library(ServerLibrary),
    /// An echo program of `bench/`, over TCP only.
    Echo(&'static str),
}

const PEERS: [Peer; 8] = [
    Peer { name: "Python websockets", kind: Kind::Library(ServerLibrary::Websockets) },
    Peer { name: "Python aiohttp", kind: Kind::Library(ServerLibrary::Aiohttp) },
    Peer { name: "Python tornado", kind: Kind::Library(ServerLibrary::Tornado) },
    Peer { name: "Python hypercorn", kind: Kind::Library(ServerLibrary::Hypercorn) },
    Peer { name: "npm ws", kind: Kind::Library(ServerLibrary::Ws) },
    Peer { name: "Tomcat", kind: Kind::Library(ServerLibrary::Tomcat) },
    Peer { name: "tokio-tungstenite", kind: Kind::Echo("serve_tungstenite") },
    Peer { name: "sockudo-ws", kind: Kind::Echo("serve_sockudo") },
];

const HTTP2_PEERS: [Peer; 4] = [
    Peer { name: "Python hypercorn", kind: Kind::Library(ServerLibrary::HypercornHttp2) },
    Peer { name: "Node.js http2", kind: Kind::Library(ServerLibrary::NodeHttp2) },
    Peer { name: "axum", kind: Kind::Echo("http2_axum") },
    Peer { name: "yawc", kind: Kind::Echo("http2_yawc") },
];

/// A server process.
enum Running {
    Library(EchoServer, EchoServer),
    Echo(Program),
}

/// A server process, and the reverse proxies in front of it.
struct Started {
    peer: Peer,
    running: Running,
    reverse: Vec<(Software, Reverse)>,
}

/// A route to a server.
struct Route<'a> {
    name: String,
    /// The URL without its path, or `None` if the server does not support TLS.
    origin: Option<String>,
    proxy: Option<&'a str>,
    /// Whether a reverse proxy is in between.
    is_reverse: bool,
}

/// A forward proxy, with its name in the table and its URL.
struct Relay {
    name: &'static str,
    url: String,
    _proxy: Forward,
}

/// The user and password of a proxy.
type Login = Option<(&'static str, &'static str)>;

/// All forward proxies.
const FORWARD: [(&str, forward::Software, Login); 7] = [
    ("tinyproxy", forward::Software::Tinyproxy, None),
    ("tinyproxy, user", forward::Software::Tinyproxy, LOGIN),
    ("squid", forward::Software::Squid, None),
    ("squid, user", forward::Software::Squid, LOGIN),
    ("microsocks", forward::Software::Microsocks, None),
    ("microsocks, user", forward::Software::Microsocks, LOGIN),
    ("dante", forward::Software::Dante, None),
];
const LOGIN: Login = Some(("user", "p-w"));

/// Tries our client with other servers by all routes, and returns the tables.
pub(crate) fn try_all(version: Version) -> Result<String, Failure> {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Now);
    let tls = Tls::with_extra_roots(authority.root_pem().as_bytes())?;
    let (peers, forward) = match version {
        Version::Http1 => (&PEERS[..], &FORWARD[..]),
        Version::Http2 => (&HTTP2_PEERS[..], &[][..]),
    };
    let relays = forward.iter().map(|&(name, software, login)| {
        let proxy = Forward::start(software, login)?;
        let url = proxy.url(if login.is_some() { "user:p%2Dw@" } else { "" });
        io::Result::Ok(Relay { name, url, _proxy: proxy })
    });
    let relays = relays.collect::<io::Result<Vec<_>>>()?;
    const TABLES: [(bool, &str); 2] =
        [(true, "permessage-deflate offered"), (false, "uncompressed")];
    // The rules for frames do not know the version of HTTP, and half of these servers do not compress.
    let (about, level, tables) = match version {
        Version::Http1 => (ABOUT, "##", &TABLES[..]),
        Version::Http2 => (ABOUT_HTTP2, "###", &TABLES[..1]),
    };
    let mut document = format!("{level} Our client with servers of other projects\n\n{about}");
    for &(deflate, title) in tables {
        let columns = peers.iter().map(|peer| {
            let started = peer.start_all(deflate, version, &identity)?;
            started.try_by_all(deflate, version, &tls, &relays)
        });
        let columns = columns.collect::<Result<Vec<_>, Failure>>()?;
        write!(document, "\n{level}# {title}\n\n{}", table(&columns))?;
    }
    Ok(document)
}

/// The results of a server, for each route.
struct Column {
    server: String,
    cells: Vec<(String, Option<usize>)>,
}

fn table(columns: &[Column]) -> String {
    let servers = columns.iter().map(|column| column.server.as_str());
    let mut table = head(iter::once("").chain(servers));
    let ways = columns.first().map_or(&[][..], |column| &column.cells);
    for (row, (way, _)) in ways.iter().enumerate() {
        table += &format!("| {way} |");
        for column in columns {
            let passed = column.cells[row].1.map_or("–".into(), |passed| passed.to_string());
            table += &format!(" {passed} |");
        }
        table.push('\n');
    }
    table
}

const ABOUT: &str = "\
The number of trials that our client passed with each server, by each route to it: directly, through reverse proxies,
which terminate TLS, and through forward proxies, with and without a login, to `ws` and `wss` URLs. The trials: text and
binary messages of 0 bytes to 1 MiB come back; a message of 8 MB comes back; a message in three frames comes back as
one; 1,000 messages in a row come back in order; the server answers a Ping and a Close; and permessage-deflate is agreed
on if both ends support it. Where the server has an API for it: it chooses a subprotocol, sends 1,000 messages in a row,
closes with a code and a reason, and rejects with 404. tokio-tungstenite does not support permessage-deflate. The
programs in Rust do not support TLS themselves (–). undici has no server.
";

const ABOUT_HTTP2: &str = "\
The number of trials that our client passed with each server, by each route to it, with `Http::Two`. The trials are those
over HTTP/1.1. Proxies use HTTP/2 on both sides. Node.js also ends and resets a stream without a Close, while another
socket of the connection goes on. axum does not support permessage-deflate. With it, the server of yawc 0.5.0 does not
finish the trial of binary messages, neither with our client nor with that of h2, so it is tried without. The programs in
Rust do not support TLS themselves (–). hypercorn 0.18.0 drops its connection when a frame arrives for a stream that it
has closed, so behind a proxy it is tried without the trials in which it closes or rejects.
";

/// Opens a WebSocket with `Http::Auto` through a proxy that supports HTTP/2 without WebSockets over it. Returns a sentence about
/// it.
pub(crate) fn fall_back() -> Result<String, Failure> {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Now);
    let tls = Tls::with_extra_roots(authority.root_pem().as_bytes())?;
    let proxy = Reverse::start(Software::Caddy, echo::start(None), &identity)?;
    let url = origin("wss", proxy.tls_port());
    let options = ConnectOptions::new().tls(tls);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let fall_back = async {
        let two = step("Http::Two", async {
            Ok::<_, Failure>(connect(&url, &options.clone().http(Http::Two)).await)
        });
        let two = two.await?;
        let is_refused = matches!(two, Err(ConnectError::NoHttp2 { .. }));
        expect(is_refused, "Http::Two", two.map(|(_, response)| response))?;
        let auto = options.http(Http::Auto);
        let (mut socket, response) = step("Http::Auto", connect(&url, &auto)).await?;
        expect(response.version() == http::Version::HTTP_11, "Http::Auto", response)?;
        step("messages", messages(&mut socket)).await
    };
    let version = Software::Caddy.version()?;
    runtime.block_on(fall_back).map_err(|error| format!("our client, {version}: {error}"))?;
    Ok(format!(
        "{version} speaks HTTP/2 and does not support WebSockets over it: it does not send \
         `SETTINGS_ENABLE_CONNECT_PROTOCOL`.\nBehind it, `Http::Two` fails with this reason, and `Http::Auto` opens the \
         WebSocket over HTTP/1.1.\n"
    ))
}

impl<'a> Route<'a> {
    fn new(name: impl Into<String>, origin: impl Into<Option<String>>) -> Self {
        Self { name: name.into(), origin: origin.into(), proxy: None, is_reverse: false }
    }

    /// Returns all routes to a server.
    fn all(
        server: &Running,
        reverse: &[(Software, Reverse)],
        relays: &'a [Relay],
    ) -> Result<Vec<Self>, Failure> {
        let plain = origin("ws", server.port());
        let tls = server.tls_port().map(|port| origin("wss", port));
        let mut routes =
            vec![Self::new("directly", plain.clone()), Self::new("directly, TLS", tls.clone())];
        for (software, proxy) in reverse {
            let version = software.version()?;
            let through = |name, origin| Self { is_reverse: true, ..Self::new(name, origin) };
            routes.push(through(version.clone(), origin("ws", proxy.port())));
            routes.push(through(format!("{version}, TLS"), origin("wss", proxy.tls_port())));
        }
        for relay in relays {
            let by = |route: Self| Self { proxy: Some(&relay.url), ..route };
            routes.push(by(Self::new(relay.name, plain.clone())));
            routes.push(by(Self::new(format!("{}, TLS", relay.name), tls.clone())));
        }
        Ok(routes)
    }

    fn options(
        &self,
        deflate: bool,
        version: Version,
        tls: &Tls,
    ) -> Result<ConnectOptions, Failure> {
        let http = match version {
            Version::Http1 => Http::One,
            Version::Http2 => Http::Two,
        };
        let mut options = ConnectOptions::new()
            .deflate(deflate.then(DeflateConfig::default))
            .http(http)
            .tls(tls.clone());
        if let Some(proxy) = self.proxy {
            options.proxies = Proxy::parse(proxy)?.into();
        }
        Ok(options)
    }
}

fn origin(scheme: &str, port: u16) -> String {
    format!("{scheme}://127.0.0.1:{port}")
}

impl Running {
    fn port(&self) -> u16 {
        match self {
            Self::Library(plain, _) => plain.port(),
            Self::Echo(program) => program.address.port(),
        }
    }

    fn tls_port(&self) -> Option<u16> {
        match self {
            Self::Library(_, tls) => Some(tls.port()),
            Self::Echo(_) => None,
        }
    }
}

impl Started {
    /// Runs all trials by all routes.
    fn try_by_all(
        self,
        deflate: bool,
        version: Version,
        tls: &Tls,
        relays: &[Relay],
    ) -> Result<Column, Failure> {
        let name = self.peer.name;
        let what = if deflate { "permessage-deflate" } else { "uncompressed" };
        let mut cells = Vec::new();
        let mut try_all = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            for route in Route::all(&self.running, &self.reverse, relays)? {
                let mut passed = None;
                if let Some(origin) = &route.origin {
                    let options = route.options(deflate, version, tls)?;
                    let begin = Instant::now();
                    let tried = runtime.block_on(self.peer.try_by(&route, origin, &options));
                    let seconds = begin.elapsed().as_secs_f64();
                    let number = tried.map_err(|error| format!("{}: {error}", route.name))?;
                    let what = format!("{name}, {what}, {}", route.name);
                    println!("our client, {what}: {number} trials, {seconds:.1} s");
                    passed = Some(number);
                }
                cells.push((route.name, passed));
            }
            self.peer.version()
        };
        let tried: Result<String, Failure> = try_all();
        match tried {
            Ok(server) => Ok(Column { server, cells }),
            Err(error) => Err(format!("our client, {name}, {what}, {error}").into()),
        }
    }
}

impl Peer {
    fn start(self, deflate: bool, identity: &Identity) -> Result<Running, Failure> {
        Ok(match self.kind {
            Kind::Library(library) => Running::Library(
                EchoServer::start(library, None),
                EchoServer::start(library, Some(identity)),
            ),
            Kind::Echo(program) => {
                let folder =
                    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench/release");
                let mut command = Command::new(folder.join(program));
                // If permessage-deflate is enabled, sockudo-ws rejects clients that do not offer it.
                let compresses = deflate && self.name == "sockudo-ws";
                Running::Echo(Program::start(command.args(compresses.then_some("--deflate")))?)
            }
        })
    }

    /// Starts the server, and the reverse proxies in front of it.
    fn start_all(
        self,
        deflate: bool,
        version: Version,
        identity: &Identity,
    ) -> Result<Started, Failure> {
        let running = self.start(deflate, identity)?;
        let port = running.port();
        let start = |software| {
            let proxy = match version {
                Version::Http1 => Reverse::start(software, port, identity),
                Version::Http2 => Reverse::start_http2(software, port, Backend::Http2, identity),
            };
            io::Result::Ok((software, proxy?))
        };
        let reverse = match version {
            Version::Http1 => Software::HTTP1,
            Version::Http2 => Software::HTTP2,
        };
        let reverse = reverse.into_iter().map(start).collect::<io::Result<Vec<_>>>()?;
        Ok(Started { peer: self, running, reverse })
    }

    /// Returns the name and version of the server.
    fn version(self) -> Result<String, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let package = self.name.rsplit(' ').next().unwrap_or_default();
        // If a file pins the version of a package, the version is read from that file.
        let (text, before) = match self.kind {
            Kind::Library(ServerLibrary::Tomcat) => {
                let package = "libtomcat10-embed-java";
                let shown = Command::new("dpkg-query").args(["--show", package]).output()?;
                (String::from_utf8(shown.stdout)?, format!("{package}\t"))
            }
            Kind::Library(ServerLibrary::NodeHttp2) => {
                let shown = Command::new("node").arg("--version").output()?;
                (String::from_utf8(shown.stdout)?, "v".to_owned())
            }
            Kind::Library(ServerLibrary::Ws) => {
                (fs::read_to_string(folder.join("peers/package.json"))?, "\"ws\": \"".to_owned())
            }
            Kind::Library(_) => {
                let file = folder.join("peers/requirements.txt");
                (fs::read_to_string(file)?, format!("\n{package}=="))
            }
            Kind::Echo(_) => {
                let file = folder.join("../../bench/Cargo.lock");
                (fs::read_to_string(file)?, format!("name = \"{package}\"\nversion = \""))
            }
        };
        // A lock file lists older versions of a crate first.
        let (_, after) = text.rsplit_once(&before).ok_or("the version of a peer is unknown")?;
        let version = after.split(['"', '-', '\n']).next().unwrap_or_default();
        Ok(format!("{} {version}", self.name))
    }

    fn has_commands(self) -> bool {
        matches!(self.kind, Kind::Library(_))
    }

    /// Runs all trials and returns their number.
    async fn try_by(
        self,
        route: &Route<'_>,
        origin: &str,
        options: &ConnectOptions,
    ) -> Result<usize, Failure> {
        let url = Url::parse(&format!("{origin}/"))?;
        let mut options = options.clone();
        if self.has_commands() {
            options.subprotocols = Subprotocols::new(["nope", "echo"])?;
        }
        let (mut socket, _) = step("opening", connect(&url, &options)).await?;
        let compresses = !["axum", "tokio-tungstenite", "yawc"].contains(&self.name)
            && options.deflate.is_some();
        expect(socket.extensions().is_empty() != compresses, "compression", socket.extensions())?;
        let mut passed = 1;
        if self.has_commands() {
            let chosen = socket.subprotocol().map(ToString::to_string);
            expect(chosen.as_deref() == Some("echo"), "the subprotocol", chosen)?;
            passed += 1;
        }
        step("messages", messages(&mut socket)).await?;
        step("a large message", large(&mut socket)).await?;
        step("a message of three frames", fragments(&mut socket)).await?;
        step("a burst sent", burst_sent(&mut socket)).await?;
        step("a Ping", ping(&mut socket)).await?;
        passed += 6; // text and binary count twice
        if self.has_commands() {
            step("a burst received", burst_received(&mut socket)).await?;
            passed += 1;
        }
        if matches!(self.kind, Kind::Library(ServerLibrary::NodeHttp2)) {
            for command in ["end", "reset"] {
                let (ended, _) = step("opening another", connect(&url, &options)).await?;
                step(command, ended_without_a_close(ended, command)).await?;
                step("the other socket", echoes(&mut socket, "still here".into())).await?;
            }
            passed += 1;
        }
        let reason = CloseReason::new("bye")?;
        let frame = CloseFrame { code: CloseCode::new(4000)?, reason };
        let closed = step("our Close", socket.close(Some(frame))).await?;
        expect(closed.was_clean(), "the close", closed.code())?;
        passed += 1;
        // hypercorn 0.18.0 raises a KeyError when a frame arrives for a stream that it has closed. This ends the
        // connection, and a proxy then resets the stream before the client has its Close.
        let is_hypercorn = matches!(self.kind, Kind::Library(ServerLibrary::HypercornHttp2));
        if self.has_commands() && !(is_hypercorn && route.is_reverse) {
            let (socket, _) = step("opening again", connect(&url, &options)).await?;
            step("the server's Close", close_received(socket)).await?;
            let nowhere = Url::parse(&format!("{origin}/nowhere"))?;
            step("a rejection", refused(&nowhere, &options)).await?;
            passed += 2;
        }
        Ok(passed)
    }
}

/// Waits for a step. An error names it.
async fn step<T, E: Into<Failure>>(
    name: &str,
    trial: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match timeout(LIMIT, trial).await {
        Ok(Ok(passed)) => Ok(passed),
        Ok(Err(error)) => Err(format!("{name}: {}", error.into()).into()),
        Err(_) => Err(format!("{name}: no result within {} s", LIMIT.as_secs()).into()),
    }
}

fn expect(is_so: bool, what: &str, got: impl std::fmt::Debug) -> Result<(), Failure> {
    if is_so { Ok(()) } else { Err(format!("{what} is not as it should be: {got:?}").into()) }
}

async fn echoes(socket: &mut Socket, message: Message) -> Result<(), Failure> {
    let len = message.len();
    let (received, sent) = {
        // The client reads replies while it still sends.
        socket.queue(message.clone())?;
        (socket.recv().await?, message)
    };
    let is_same = received.as_ref() == Some(&sent);
    expect(is_same, "a message", (len, received.map(|message| message.len())))
}

async fn messages(socket: &mut Socket) -> Result<(), Failure> {
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let text: String = "aü世𝄞".chars().cycle().take(len).collect();
        echoes(socket, text.into()).await?;
        let bytes: Vec<u8> = (0..len).map(|at| ((at * at) >> 3) as u8).collect();
        echoes(socket, bytes.into()).await?;
    }
    Ok(())
}

async fn large(socket: &mut Socket) -> Result<(), Failure> {
    echoes(socket, "well compressed ".repeat(500_000).into()).await
}

async fn fragments(socket: &mut Socket) -> Result<(), Failure> {
    for (content, last) in [("one ", false), ("two ", false), ("three", true)] {
        socket.send_part(&Part { content: content.into(), last }).await?;
    }
    let received = socket.recv().await?;
    expect(received == Some("one two three".into()), "a message of three frames", received)
}

async fn burst_sent(socket: &mut Socket) -> Result<(), Failure> {
    for number in 0..1000 {
        socket.queue(number.to_string())?;
    }
    numbers(socket).await
}

async fn burst_received(socket: &mut Socket) -> Result<(), Failure> {
    socket.send("burst 1000").await?;
    numbers(socket).await
}

async fn numbers(socket: &mut Socket) -> Result<(), Failure> {
    for number in 0..1000 {
        let received = socket.recv().await?;
        expect(received == Some(number.to_string().into()), "a burst", received)?;
    }
    Ok(())
}

async fn ping(socket: &mut Socket) -> Result<(), Failure> {
    socket.ping(b"are you there?")?;
    loop {
        match std::future::poll_fn(|cx| socket.poll_event(cx)).await {
            Some(Received::Pong(payload)) => {
                return expect(payload == "are you there?", "a Pong", payload);
            }
            Some(_) => {}
            None => return Err("the connection ended before a Pong".into()),
        }
    }
}

async fn close_received(mut socket: Socket) -> Result<(), Failure> {
    socket.send("close 4001 enough").await?;
    let received = socket.recv().await?;
    expect(received.is_none(), "the end", received)?;
    let closed = socket.close_result().ok_or("the connection is not closed")?;
    let is_so = closed.was_clean() && closed.code() == 4001 && closed.reason() == "enough";
    expect(is_so, "the server's close", (closed.code(), closed.reason().to_owned()))
}

async fn ended_without_a_close(mut socket: Socket, command: &str) -> Result<(), Failure> {
    socket.send(command).await?;
    if let Ok(Some(message)) = socket.recv().await {
        return Err(format!("a message instead of the end: {message:?}").into());
    }
    let closed = socket.close_result().ok_or("the connection is not closed")?;
    expect(closed.code() == 1006 && !closed.was_clean(), "the end", closed.code())
}

async fn refused(url: &Url, options: &ConnectOptions) -> Result<(), Failure> {
    match connect(url, options).await {
        Err(ConnectError::Rejected(refused)) => {
            expect(refused.status == 404, "the rejection", refused)
        }
        other => Err(format!("no rejection: {other:?}").into()),
    }
}
