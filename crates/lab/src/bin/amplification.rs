//! Measures the memory of `fdx` when a peer sends the worst message for each form of output (fault FK-06), and
//! compression bombs. Usage: `amplification FDX [BEFORE]`, where BEFORE is an older `fdx` for comparison. Fails if a
//! form of output takes more than 3 times the limit of a message.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

use std::error::Error;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fullduplex_lab::process::Process;
use fullduplex_net::proto::{DeflateConfig, Message};
use fullduplex_net::{AcceptOptions, ConnectOptions, Socket, accept, connect};
use tokio::net::TcpListener;

type Failure = Box<dyn Error>;

/// The size of each message, and the message limit of `fdx listen`.
const MESSAGE: usize = 64 << 20;
/// The memory that a form of output may take, as a multiple of the message limit.
const FACTOR: f64 = 3.0;
const QUIET: Duration = Duration::from_millis(500);

/// The content that the peer sends.
#[derive(Debug, Clone, Copy)]
enum Payload {
    /// Letters.
    Text,
    /// Control characters. JSON encodes each as six characters.
    Controls,
    /// Bytes, which are printed as hex or base64.
    Binary,
    /// Four times the limit.
    TooLarge,
}

/// One attack.
struct Attack {
    /// The arguments of `fdx`, without the limit and the URL.
    arguments: &'static [&'static str],
    payload: Payload,
}

const ATTACKS: [Attack; 12] = [
    Attack { arguments: &["listen", "127.0.0.1:0"], payload: Payload::Text },
    Attack { arguments: &["listen", "127.0.0.1:0"], payload: Payload::Binary },
    Attack { arguments: &["listen", "127.0.0.1:0", "--ndjson"], payload: Payload::Text },
    Attack { arguments: &["listen", "127.0.0.1:0", "--ndjson"], payload: Payload::Controls },
    Attack { arguments: &["listen", "127.0.0.1:0", "--ndjson"], payload: Payload::Binary },
    Attack { arguments: &["listen", "127.0.0.1:0", "--echo"], payload: Payload::Text },
    Attack { arguments: &["listen", "127.0.0.1:0", "--broadcast"], payload: Payload::Binary },
    Attack { arguments: &["listen", "127.0.0.1:0"], payload: Payload::TooLarge },
    Attack { arguments: &["connect"], payload: Payload::Text },
    Attack { arguments: &["connect"], payload: Payload::Binary },
    Attack { arguments: &["connect", "--ndjson"], payload: Payload::Controls },
    Attack { arguments: &["connect", "--ndjson"], payload: Payload::Binary },
];

/// The cost of an attack.
struct Cost {
    wire: u64,
    seconds: f64,
    memory: u64,
    printed: u64,
}

fn main() -> ExitCode {
    let programs: Vec<String> = std::env::args().skip(1).collect();
    match compare(&programs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("amplification: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn compare(programs: &[String]) -> Result<(), Failure> {
    let fdx = programs.first().ok_or("usage: amplification FDX [BEFORE]")?;
    let message = mebibytes(MESSAGE as u64);
    println!(
        "Each row: one compressed message of {message} MiB, which is the limit, or of {} MiB where it is too large.\n\
         CPU time and peak memory are those of `fdx` for each MiB of the message, up to the limit.\n",
        4.0 * message,
    );
    let worst = attack_all(fdx)?;
    if let Some(before) = programs.get(1) {
        let name = Path::new(before).file_name().unwrap_or_default().to_string_lossy();
        println!("\nBefore, by {name}:\n");
        attack_all(before)?;
    }
    if worst > FACTOR {
        return Err(format!("an attack takes {worst:.2} times the limit of a message").into());
    }
    Ok(())
}

/// Runs all attacks. Returns the largest memory use of an attack, as a multiple of [`MESSAGE`].
fn attack_all(fdx: &str) -> Result<f64, Failure> {
    println!(
        "{:<20} {:<9} {:>9} {:>11} {:>13} {:>12}",
        "fdx", "message", "wire KiB", "CPU ms/MiB", "peak MiB/MiB", "printed MiB"
    );
    let message = mebibytes(MESSAGE as u64);
    let mut worst = 0.0_f64;
    for attack in &ATTACKS {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let cost = runtime.block_on(attack.run(fdx))?;
        let factor = mebibytes(cost.memory) / message;
        worst = worst.max(factor);
        println!(
            "{:<20} {:<9} {:>9.0} {:>11.2} {:>13.2} {:>12.1}",
            attack.arguments.join(" ").replace(" 127.0.0.1:0", ""),
            format!("{:?}", attack.payload),
            cost.wire as f64 / 1024.0,
            cost.seconds * 1000.0 / message,
            factor,
            mebibytes(cost.printed),
        );
    }
    Ok(worst)
}

impl Attack {
    async fn run(&self, fdx: &str) -> Result<Cost, Failure> {
        if self.arguments[0] == "listen" {
            self.on_server(fdx).await
        } else {
            self.on_client(fdx).await
        }
    }

    async fn on_server(&self, fdx: &str) -> Result<Cost, Failure> {
        let mut command = Command::new(fdx);
        command.args(self.arguments).arg("--max-message").arg(MESSAGE.to_string());
        let mut victim = Victim::start(&mut command)?;
        let url = victim.url()?;
        let options = ConnectOptions::new().deflate(DeflateConfig::default());
        let (socket, _) = connect(&url, &options).await?;
        self.strike(victim, socket).await
    }

    async fn on_client(&self, fdx: &str) -> Result<Cost, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}/", listener.local_addr()?);
        let mut command = Command::new(fdx);
        command.args(self.arguments).arg("--wait").arg("forever").arg(url);
        let victim = Victim::start(&mut command)?;
        let (stream, _) = listener.accept().await?;
        let options = AcceptOptions::default().deflate(DeflateConfig::default());
        let socket = accept(stream.into(), &options).await?;
        self.strike(victim, socket).await
    }

    async fn strike(&self, mut victim: Victim, mut socket: Socket) -> Result<Cost, Failure> {
        let message: Message = match self.payload {
            Payload::Text => "x".repeat(MESSAGE).into(),
            Payload::Controls => "\u{1}".repeat(MESSAGE).into(),
            Payload::Binary => vec![7; MESSAGE].into(),
            Payload::TooLarge => vec![7; 4 * MESSAGE].into(),
        };
        let before = (victim.process.memory()?, victim.process.cpu_time()?);
        victim.print();
        socket.queue(message)?;
        let wire = socket.queued_bytes();
        let receiving = async {
            while let Ok(Some(_)) = socket.recv().await {}
            // `fdx` may still be printing.
            std::future::pending::<Failure>().await
        };
        let quiet = tokio::task::spawn_blocking(move || {
            victim.process.wait_until_quiet(QUIET)?;
            Ok::<_, io::Error>(victim)
        });
        let victim = tokio::select! {
            victim = quiet => victim??,
            failure = receiving => return Err(failure),
        };
        Ok(Cost {
            wire,
            seconds: (victim.process.cpu_time()? - before.1).as_secs_f64(),
            memory: victim.process.peak_memory()?.saturating_sub(before.0),
            printed: victim.printed.load(Ordering::Relaxed),
        })
    }
}

/// An `fdx` process. Dropping this ends the process.
struct Victim {
    child: Child,
    process: Process,
    printed: Arc<AtomicU64>,
}

impl Victim {
    fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn()?;
        let process = Process::of(&child);
        Ok(Self { child, process, printed: Arc::default() })
    }

    /// Returns the URL at which the process listens. `fdx` prints the URL on stderr, or on stdout if it does not
    /// print messages there as plain lines.
    fn url(&mut self) -> Result<String, Failure> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let stdout = self.child.stdout.take().ok_or("no stdout")?;
        let stderr = self.child.stderr.take().ok_or("no stderr")?;
        let printed = Arc::clone(&self.printed);
        let announced = sender.clone();
        std::thread::spawn(move || announce(stdout, &announced, &printed));
        std::thread::spawn(move || announce(stderr, &sender, &AtomicU64::new(0)));
        Ok(receiver.recv_timeout(Duration::from_secs(10))?)
    }

    /// Counts the bytes that the process prints.
    fn print(&mut self) {
        if let Some(mut stdout) = self.child.stdout.take() {
            let printed = Arc::clone(&self.printed);
            std::thread::spawn(move || count(&mut stdout, &printed));
        }
    }
}

/// Sends the URL if the output begins with it, and counts the bytes after it.
fn announce(
    mut output: impl Read,
    announced: &std::sync::mpsc::Sender<String>,
    printed: &AtomicU64,
) -> Option<()> {
    let mut first = vec![0; 64 << 10];
    let length = output.read(&mut first).ok()?;
    let text = String::from_utf8_lossy(&first[..length]);
    if let Some((_, url)) = text.split_once("ws://") {
        let address = url.split(['"', '\n', ' ']).next().unwrap_or_default();
        announced.send(format!("ws://{address}")).ok();
    } else {
        printed.fetch_add(length as u64, Ordering::Relaxed);
    }
    count(&mut output, printed);
    Some(())
}

fn count(output: &mut impl Read, printed: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        printed.fetch_add(count as u64, Ordering::Relaxed);
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
