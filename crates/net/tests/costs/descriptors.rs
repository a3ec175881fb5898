//! A server that runs out of file descriptors (fault FT-38). It runs in another process, so that its clients
//! do not run out of descriptors.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fullduplex_lab::figures::show;
use fullduplex_lab::script::SAMPLE_REQUEST;
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions};
use socket2::{Domain, Socket, Type};

/// The server's limit of descriptors, and the maximum number that it uses without connections.
const DESCRIPTORS: usize = 40;
const OWN: usize = 20;

/// The environment variable that makes this test the server.
const IS_SERVER: &str = "FULLDUPLEX_LAB_SERVER";

/// The limit of descriptors for a server with default options.
const DEFAULT_DESCRIPTORS: usize = 128;

/// Prints the server's address and serves until it is killed.
#[tokio::main]
async fn serve(options: ServerOptions) {
    let server = Server::bind("127.0.0.1:0", options).await.unwrap();
    let mut stderr = std::io::stderr();
    writeln!(stderr, "address {}", server.local_addr().unwrap()).unwrap();
    server.serve(hold).await;
}

async fn hold(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while socket.recv().await?.is_some() {}
    Ok(())
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn start(descriptors: usize, test: &str) -> (Killed, SocketAddr) {
    let limited = format!("ulimit -n {descriptors} && exec \"$0\" --exact {test} --nocapture");
    let mut child = Command::new("sh")
        .args(["-c", &limited])
        .env(IS_SERVER, "1")
        .arg(std::env::current_exe().unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let address =
        stderr.lines().find_map(|line| Some(line.unwrap().strip_prefix("address ")?.parse()));
    (Killed(child), address.unwrap().unwrap())
}

/// Connects and sends a request.
fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(SAMPLE_REQUEST.as_bytes()).unwrap();
    stream
}

/// Returns whether an answer arrives within this time.
fn is_answered(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).unwrap();
    matches!(stream.read(&mut [0; 512]), Ok(1..))
}

/// Returns the CPU time of the process.
fn cpu_time(child: &Child) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

const TEST: &str = "descriptors::a_server_without_descriptors_waits_and_recovers";

#[test]
fn a_server_without_descriptors_waits_and_recovers() {
    if std::env::var_os(IS_SERVER).is_some() {
        // More connections than there are descriptors.
        let options = ServerOptions::default();
        return serve(options.connections(1 << 16).connections_per_address(1 << 16));
    }
    let (server, address) = start(DESCRIPTORS, TEST);
    let mut clients: Vec<TcpStream> = Vec::new();
    let mut waiting = loop {
        let mut client = ask(address);
        if !is_answered(&mut client, Duration::from_millis(500)) {
            break client;
        }
        clients.push(client);
        assert!(clients.len() < DESCRIPTORS);
    };
    assert!(clients.len() > DESCRIPTORS - OWN, "{}", clients.len());

    // The server uses almost no CPU time while it waits.
    let before = cpu_time(&server.0);
    assert!(!is_answered(&mut waiting, Duration::from_secs(1)));
    let computed = cpu_time(&server.0) - before;
    assert!(computed < Duration::from_millis(200), "{computed:?} of a second");

    let start = Instant::now();
    drop(clients);
    assert!(is_answered(&mut waiting, Duration::from_secs(1)), "the server did not recover");
    let figure =
        format!("{computed:?} of CPU in a second, served again after {:?}", start.elapsed());
    show("FT-38", "out of file descriptors", figure);
}

const DEFAULT_TEST: &str = "descriptors::no_address_takes_all_descriptors";

/// Connects from the given local address. Returns the connection and the status of the response.
fn ask_from(source: [u8; 4], address: SocketAddr) -> (TcpStream, String) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.write_all(SAMPLE_REQUEST.as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    (stream, String::from_utf8_lossy(&head[9..]).into_owned())
}

/// FS-14: by default, one address may have half of the connections, and the server keeps
/// descriptors in reserve to answer the rest.
#[test]
fn no_address_takes_all_descriptors() {
    if std::env::var_os(IS_SERVER).is_some() {
        return serve(ServerOptions::default());
    }
    let (_server, address) = start(DEFAULT_DESCRIPTORS, DEFAULT_TEST);
    let mut open = Vec::new();
    let connections = DEFAULT_DESCRIPTORS - DEFAULT_DESCRIPTORS / 4;
    for number in 0..DEFAULT_DESCRIPTORS {
        let (stream, status) = ask_from([127, 0, 0, 1], address);
        let is_open = number < connections / 2;
        assert_eq!(status, if is_open { "101" } else { "429" }, "{number}");
        open.extend(is_open.then_some(stream));
    }
    for number in 0..connections / 2 {
        let (stream, status) = ask_from([127, 0, 0, 2], address);
        assert_eq!(status, "101", "{number}");
        open.push(stream);
    }
    let (_, status) = ask_from([127, 0, 0, 3], address);
    assert_eq!(status, "503");
    show("FS-14", "connections of 128 descriptors", format!("{}, then 503", open.len()));
}
