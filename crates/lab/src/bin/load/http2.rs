//! Many sockets in one HTTP/2 connection, beside as many connections with TLS of their own.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::folder::Folder;
use fullduplex_lab::process::{Process, Program, allow_many_files};
use fullduplex_net::{
    ConnectOptions, HandlerResult, Http, Http2Options, Message, Request, Server, ServerOptions,
    Socket, Tls, connect,
};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{Failure, run};

/// How many sockets are opened at the same time.
const AT_ONCE: usize = 64;

/// How long a process must use no CPU before its memory is measured.
const QUIET: Duration = Duration::from_millis(300);

/// The path at which the server sends much and reads nothing.
const FLOOD: &str = "flood";
const FLOOD_BYTES: usize = 100 << 20;
const FLOOD_MESSAGE: usize = 1 << 20;

/// How many round trips are measured, and how often. The median of the rounds counts.
const ROUND_TRIPS: usize = 2_000;
const ROUNDS: usize = 5;

/// How much longer a round trip may take beside the flood.
const SLOWER: f64 = 2.0;

const PATIENCE: Duration = Duration::from_secs(60);

/// Measures both, and fails if a socket over HTTP/2 costs more memory than one over TLS, or if a socket that
/// nobody reads holds up another one.
pub(crate) fn http2(sockets: usize) -> Result<(), Failure> {
    println!("| {sockets} sockets | opened in | bytes of each, client | bytes of each, server |");
    println!("|---|---|---|---|");
    let shared = measure(Http::Two, sockets)?;
    let separate = measure(Http::One, sockets)?;
    for (name, costs) in
        [("in one HTTP/2 connection over TLS", &shared), ("each in a TLS connection", &separate)]
    {
        let Costs { seconds, client, server } = costs;
        println!("| {name} | {seconds:.2} s | {client} | {server} |");
    }
    println!();
    let folder = Folder::new();
    let root = folder.path().join("root.pem");
    let server = start_server(&root)?;
    let (alone, beside) = run(round_trips(server.address, &root))??;
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!(
        "p99 of {ROUND_TRIPS} round trips of 32 bytes, median of {ROUNDS} rounds: alone {:.0} µs, beside a socket of \
         the same connection that carries {} MB each way and is not read {:.0} µs: {ratio:.2} times",
        alone.as_secs_f64() * 1e6,
        FLOOD_BYTES >> 20,
        beside.as_secs_f64() * 1e6,
    );
    if shared.client > separate.client || shared.server > separate.server {
        return Err("a socket over HTTP/2 needs more memory than one over TLS".into());
    }
    if ratio > SLOWER {
        return Err("a socket that nobody reads holds up another one".into());
    }
    Ok(())
}

/// What opening the sockets costs.
struct Costs {
    seconds: f64,
    client: u64,
    server: u64,
}

/// Opens the sockets from a process of their own, so that both processes start without used memory.
fn measure(http: Http, sockets: usize) -> Result<Costs, Failure> {
    let folder = Folder::new();
    let root = folder.path().join("root.pem");
    let server = start_server(&root)?;
    let version = if http == Http::One { "one" } else { "two" };
    let mut client = Client::start(server.address, &root, version, sockets)?;
    // The first socket creates what all sockets share.
    client.line()?;
    let before = [memory(&client.process)?, memory(&server.process)?];
    client.go_on()?;
    let seconds = client.line()?.trim().parse()?;
    let after = [memory(&client.process)?, memory(&server.process)?];
    let [client, server] = [0, 1].map(|at| after[at].saturating_sub(before[at]) / sockets as u64);
    Ok(Costs { seconds, client, server })
}

fn memory(process: &Process) -> io::Result<u64> {
    process.wait_until_quiet(QUIET)?;
    process.anonymous_memory()
}

fn start_server(root: &Path) -> io::Result<Program> {
    Program::start(Command::new(std::env::current_exe()?).arg("serve-http2").arg(root))
}

/// A process with the sockets of a client. It ends on drop.
struct Client {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
    process: Process,
}

impl Client {
    fn start(
        server: SocketAddr,
        root: &Path,
        version: &str,
        sockets: usize,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("client-http2").arg(server.to_string()).arg(root);
        command.args([version, &sockets.to_string()]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the client has no stdout")?;
        let process = Process::of(&child);
        Ok(Self { child, output: BufReader::new(output), process })
    }

    /// Waits for a line.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.output.read_line(&mut line)? {
            0 => Err(io::Error::other("the client has ended")),
            _ => Ok(line),
        }
    }

    fn go_on(&mut self) -> io::Result<()> {
        use std::io::Write as _;
        let stdin = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(b"\n")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Opens one socket, prints a line, waits for one, opens the other sockets, prints the seconds, and keeps the sockets.
pub(crate) fn client(arguments: &[String]) -> Result<(), Failure> {
    let [server, root, version, sockets] = arguments else { return Err(crate::USAGE.into()) };
    let (server, sockets): (SocketAddr, usize) = (server.parse()?, sockets.parse()?);
    let http = if version == "one" { Http::One } else { Http::Two };
    allow_many_files();
    let options = options(Path::new(root))?.http(http);
    run(async {
        let mut open = JoinSet::new();
        open.spawn(wait(socket(server, "", &options).await?));
        println!("ready");
        io::stdin().read_line(&mut String::new())?;
        let begin = Instant::now();
        let mut opening = JoinSet::new();
        for number in 0..sockets + AT_ONCE {
            if number >= AT_ONCE.min(sockets)
                && let Some(opened) = opening.join_next().await
            {
                open.spawn(wait(opened??));
            }
            if number < sockets {
                let options = options.clone();
                opening.spawn(async move { socket(server, "", &options).await });
            }
        }
        println!("{}", begin.elapsed().as_secs_f64());
        while let Some(ended) = open.join_next().await {
            ended??;
        }
        Err("a socket has ended".into())
    })?
}

fn options(root: &Path) -> Result<ConnectOptions, Failure> {
    let tls = Tls::with_extra_roots(&std::fs::read(root)?)?;
    Ok(ConnectOptions::new().tls(tls).deflate(None))
}

async fn socket(
    server: SocketAddr,
    path: &str,
    options: &ConnectOptions,
) -> Result<Socket, Failure> {
    Ok(connect(format!("wss://localhost:{}/{path}", server.port()), options).await?.0)
}

/// Waits for messages, as an application does.
async fn wait(mut socket: Socket) -> Result<(), Failure> {
    while socket.recv().await?.is_some() {}
    Ok(())
}

/// Returns the 99th percentiles alone, and beside the flood.
async fn round_trips(server: SocketAddr, root: &Path) -> Result<(Duration, Duration), Failure> {
    let options = options(root)?.http(Http::Two);
    let mut socket = socket(server, "", &options).await?;
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(timeout(PATIENCE, percentile(&mut socket)).await??);
        let flood = flood(server, &options).await?;
        beside.push(timeout(PATIENCE, percentile(&mut socket)).await??);
        drop(flood);
    }
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[ROUNDS / 2]
    };
    Ok((median(alone), median(beside)))
}

/// Returns the 99th percentile of the round trips.
async fn percentile(socket: &mut Socket) -> Result<Duration, Failure> {
    let message = Message::binary(vec![0; 32]);
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let begin = Instant::now();
        socket.send(message.clone()).await?;
        socket.recv().await?.ok_or("the socket has ended")?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    Ok(times[ROUND_TRIPS * 99 / 100])
}

/// Opens a socket whose ends both send, and do not read.
async fn flood(server: SocketAddr, options: &ConnectOptions) -> Result<JoinSet<()>, Failure> {
    let mut socket = socket(server, FLOOD, options).await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(send_flood(&mut socket).await) });
    Ok(tasks)
}

async fn send_flood(socket: &mut Socket) -> HandlerResult {
    for _ in 0..FLOOD_BYTES / FLOOD_MESSAGE {
        socket.send(vec![0; FLOOD_MESSAGE]).await?;
    }
    Ok(())
}

/// Writes the root of its certificate into a file, prints its address, and serves both versions of HTTP.
pub(crate) fn serve(root: PathBuf) -> Result<(), Failure> {
    allow_many_files();
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now).of_server();
    std::fs::write(root, authority.root_pem())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), ServerOptions::default()).await?;
        println!("{}", server.local_addr()?);
        let http2 = Http2Options::default().streams(u32::MAX);
        server.with_tls(&identity).with_http2(http2).serve(handle).await;
        Ok(())
    })
}

async fn handle(request: Request) -> HandlerResult {
    let is_flood = request.uri().path().ends_with(FLOOD);
    let mut socket = request.accept().await?;
    if is_flood {
        return send_flood(&mut socket).await;
    }
    fullduplex_lab::echo::messages(socket).await
}
