//! A server that runs out of file descriptors (fault FT-38), in another process, so that its clients do
//! not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fullduplex_lab::figures::show;
use fullduplex_lab::script::SAMPLE_REQUEST;
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions};

/// The limit of descriptors for the server, and how many it needs at most without connections.
const DESCRIPTORS: usize = 40;
const OWN: usize = 20;

/// The environment variable that makes this test the server.
const IS_SERVER: &str = "FULLDUPLEX_LAB_SERVER";

/// Prints its address and serves until it is killed.
#[tokio::main]
async fn serve() {
    // More than there are descriptors.
    let options = ServerOptions::default().connections(1 << 16).connections_per_address(1 << 16);
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

fn start() -> (Killed, SocketAddr) {
    let limited = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" --exact {TEST} --nocapture");
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

/// Whether an answer arrives within this time.
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
        return serve();
    }
    let (server, address) = start();
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

    // The server waits without spinning.
    let before = cpu_time(&server.0);
    assert!(!is_answered(&mut waiting, Duration::from_secs(1)));
    let computed = cpu_time(&server.0) - before;
    assert!(computed < Duration::from_millis(200), "{computed:?} of a second");

    let start = Instant::now();
    drop(clients);
    assert!(is_answered(&mut waiting, Duration::from_secs(1)), "the server does not recover");
    let figure =
        format!("{computed:?} of CPU in a second, served again after {:?}", start.elapsed());
    show("FT-38", "out of file descriptors", figure);
}
