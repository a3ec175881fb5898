use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fullduplex_lab::ca::{Authority, Identity, Validity};
use fullduplex_lab::forward::{self, Forward};
use fullduplex_lab::peers::{EchoServer, ServerLibrary};
use fullduplex_lab::process::Program;
use fullduplex_lab::proxy::{Proxy as Reverse, Software};
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::proto::{
    CloseCode, CloseFrame, CloseReason, Deflate, Event, Message, Part, Url,
};
use fullduplex_net::{ConnectOptions, Proxy, Socket, Tls, connect};
use tokio::time::timeout;

use crate::Failure;
use crate::our_server::head;

/// How long all trials with one server may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A server that other people wrote, and what it has no means for.
#[derive(Debug, Clone, Copy)]
struct Peer {
    name: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// It obeys commands, and speaks subprotocols and TLS.
    Library(ServerLibrary),
    /// A program of `bench/`, which sends back what comes, over TCP.
    Echo(&'static str, &'static [&'static str]),
}

const PEERS: [Peer; 8] = [
    Peer { name: "Python websockets", kind: Kind::Library(ServerLibrary::Websockets) },
    Peer { name: "Python aiohttp", kind: Kind::Library(ServerLibrary::Aiohttp) },
    Peer { name: "Python tornado", kind: Kind::Library(ServerLibrary::Tornado) },
    Peer { name: "Python hypercorn", kind: Kind::Library(ServerLibrary::Hypercorn) },
    Peer { name: "npm ws", kind: Kind::Library(ServerLibrary::Ws) },
    Peer { name: "tokio-tungstenite", kind: Kind::Echo("serve_tungstenite", &[]) },
    Peer { name: "sockudo-ws", kind: Kind::Echo("serve_sockudo", &["--deflate"]) },
    Peer { name: "sockudo-ws", kind: Kind::Echo("serve_sockudo", &[]) },
];

/// A server in a process of its own.
enum Running {
    Library(EchoServer, EchoServer),
    Echo(Program),
}

/// A way to a server.
struct Route<'a> {
    name: String,
    url: String,
    proxy: Option<&'a str>,
}

/// The user that a proxy asks for, and the password.
type Login = Option<(&'static str, &'static str)>;

/// The forward proxies.
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

/// Tries our client with the servers of others by all routes, and returns the table for people.
pub(crate) fn try_all() -> Result<String, Failure> {
    let authority = Authority::new();
    let identity = authority.issue(&["127.0.0.1"], Validity::Now);
    let tls = Tls::with_extra_roots(authority.root_pem().as_bytes())?;
    let mut proxies = Vec::new();
    for (name, software, login) in FORWARD {
        let proxy = Forward::start(software, login)?;
        let user = if login.is_some() { "user:p%2Dw@" } else { "" };
        proxies.push((name, proxy.url(user), proxy));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut table = String::new();
    for peer in PEERS {
        let running = peer.start(&identity)?;
        let reverse = Software::ALL.map(|software| {
            Reverse::start(software, running.port(), &identity).map(|proxy| (software, proxy))
        });
        let mut routes = vec![Route::direct("directly", "ws", running.port())];
        if let Some(port) = running.tls_port() {
            routes.push(Route::direct("directly, TLS", "wss", port));
        } else {
            routes.push(Route { name: "directly, TLS".into(), url: String::new(), proxy: None });
        }
        for reverse in &reverse {
            let (software, proxy) = reverse.as_ref().map_err(ToString::to_string)?;
            let version = software.version()?;
            routes.push(Route::direct(&version, "ws", proxy.port()));
            routes.push(Route::direct(&format!("{version}, TLS"), "wss", proxy.tls_port()));
        }
        for (name, url, _) in &proxies {
            let server = format!("ws://127.0.0.1:{}/", running.port());
            routes.push(Route { name: (*name).to_owned(), url: server, proxy: Some(url) });
        }
        if table.is_empty() {
            let names = routes.iter().map(|route| route.name.as_str());
            table = head(["server", ""].into_iter().chain(names));
        }
        for &deflate in peer.offers() {
            let what = if deflate { "permessage-deflate" } else { "uncompressed" };
            write!(table, "| {} | {what} |", peer.version()?)?;
            for route in &routes {
                if route.url.is_empty() {
                    table += " – |";
                    continue;
                }
                let options = route.options(deflate, &tls)?;
                let trying = peer.try_by(&route.url, &options);
                let passed = runtime.block_on(async { timeout(LIMIT, trying).await });
                let passed =
                    passed.map_err(|_| "it takes too long".into()).and_then(|passed| passed);
                let passed = passed.map_err(|error| {
                    format!("our client, {}, {what}, {}: {error}", peer.name, route.name)
                })?;
                println!("our client, {}, {what}, {}: {passed} trials", peer.name, route.name);
                write!(table, " {passed} |")?;
            }
            table.push('\n');
        }
    }
    Ok(format!("## Our client, with servers of others\n\n{ABOUT}\n{table}"))
}

const ABOUT: &str = "\
How many trials our client has passed with each server, by each way to it: through reverse proxies, whose TLS is theirs, and
through forward proxies, with and without a user. The trials: messages of 0 bytes to 1 MiB come back, as text and as
binary; one of 8 MB comes back; one in three frames comes back as one; 1,000 in a row come back in order; a Ping is
answered; a close is answered; permessage-deflate is agreed on where both ends have it; and, where a server has means
for it, it chooses a subprotocol, sends 1,000 messages in a row, and closes with a code and a reason. In the rows
`permessage-deflate` it is offered; tokio-tungstenite does not agree to it. The programs in Rust do not speak TLS
themselves (–). undici has no server.
";

impl Route<'_> {
    fn direct(name: &str, scheme: &str, port: u16) -> Self {
        Self { name: name.to_owned(), url: format!("{scheme}://127.0.0.1:{port}/"), proxy: None }
    }

    fn options(&self, deflate: bool, tls: &Tls) -> Result<ConnectOptions, Failure> {
        let mut options = ConnectOptions::default();
        options.deflate = deflate.then(Deflate::default);
        options.tls = Some(tls.clone());
        if let Some(proxy) = self.proxy {
            options.proxies = Proxy::parse(proxy)?.into();
        }
        Ok(options)
    }
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

impl Peer {
    fn start(self, identity: &Identity) -> Result<Running, Failure> {
        Ok(match self.kind {
            Kind::Library(library) => Running::Library(
                EchoServer::start(library, None),
                EchoServer::start(library, Some(identity)),
            ),
            Kind::Echo(program, arguments) => {
                let folder =
                    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench/release");
                let mut command = Command::new(folder.join(program));
                Running::Echo(Program::start(command.args(arguments))?)
            }
        })
    }

    /// Its name, with the version that stands in the files from which it is installed.
    fn version(self) -> Result<String, Failure> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        let package = self.name.rsplit(' ').next().unwrap_or_default();
        let (file, before) = match self.kind {
            Kind::Library(ServerLibrary::Ws) => ("peers/package.json", "\"ws\": \"".to_owned()),
            Kind::Library(_) => ("peers/requirements.txt", format!("\n{package}==")),
            Kind::Echo(..) => {
                ("../../bench/Cargo.lock", format!("name = \"{package}\"\nversion = \""))
            }
        };
        let text = std::fs::read_to_string(folder.join(file))?;
        let behind = text.split(&before).nth(1).ok_or("a peer without a version")?;
        let version = behind.split(['"', '\n']).next().unwrap_or_default();
        Ok(format!("{} {version}", self.name))
    }

    /// Whether permessage-deflate is offered to it: that of sockudo-ws takes nobody else if it has it.
    fn offers(self) -> &'static [bool] {
        match self.kind {
            Kind::Echo("serve_sockudo", []) => &[false],
            Kind::Echo("serve_sockudo", _) => &[true],
            _ => &[true, false],
        }
    }

    fn obeys(self) -> bool {
        matches!(self.kind, Kind::Library(_))
    }

    /// Tries everything; returns how much that was.
    async fn try_by(self, url: &str, options: &ConnectOptions) -> Result<usize, Failure> {
        let url = Url::parse(url)?;
        let mut options = options.clone();
        if self.obeys() {
            options.subprotocols = Subprotocols::new(["nope", "echo"])?;
        }
        let mut socket = connect(&url, &options).await?;
        let compresses = self.name != "tokio-tungstenite" && options.deflate.is_some();
        expect(socket.extensions().is_empty() != compresses, "compression", socket.extensions())?;
        let mut passed = 1;
        if self.obeys() {
            let chosen = socket.subprotocol().map(ToString::to_string);
            expect(chosen.as_deref() == Some("echo"), "the subprotocol", chosen)?;
            passed += 1;
        }
        messages(&mut socket).await?;
        large(&mut socket).await?;
        fragments(&mut socket).await?;
        burst_sent(&mut socket).await?;
        ping(&mut socket).await?;
        passed += 6; // text and binary are two
        if self.obeys() {
            burst_received(&mut socket).await?;
            close_received(socket).await?;
            passed += 2;
            socket = connect(&url, &options).await?;
        }
        let reason = CloseReason::new("bye")?;
        let frame = CloseFrame { code: CloseCode::new(4000)?, reason };
        let closed = socket.close(Some(frame)).await?;
        expect(closed.was_clean(), "the close", closed.code())?;
        Ok(passed + 1)
    }
}

fn expect(is_so: bool, what: &str, got: impl std::fmt::Debug) -> Result<(), Failure> {
    if is_so { Ok(()) } else { Err(format!("{what} is not as it should be: {got:?}").into()) }
}

async fn echoes(socket: &mut Socket, message: Message) -> Result<(), Failure> {
    let len = message.len();
    let (received, sent) = {
        // What comes back is read while the rest is still being sent.
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
            Some(Event::Pong(payload)) => {
                return expect(payload == "are you there?", "a Pong", payload);
            }
            Some(_) => {}
            None => return Err("the connection ended instead of a Pong".into()),
        }
    }
}

async fn close_received(mut socket: Socket) -> Result<(), Failure> {
    socket.send("close 4001 enough").await?;
    let received = socket.recv().await?;
    expect(received.is_none(), "the end", received)?;
    let closed = socket.closed().ok_or("it is not closed")?;
    let is_so = closed.was_clean() && closed.code() == 4001 && closed.reason() == "enough";
    expect(is_so, "the server's close", (closed.code(), closed.reason().to_owned()))
}
