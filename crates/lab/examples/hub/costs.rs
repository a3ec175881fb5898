//! The costs of a hub: CPU and latency of a delivery, and the memory of topics and subscribers.

use std::process::Command;
use std::time::Duration;

use fullduplex_hub::{Hub, Subscription, Topic};
use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::process::{Process, Program};
use fullduplex_net::Socket;
use tokio::task::JoinHandle;

use crate::Failure;
use crate::nodes::open;
use crate::room::{self, nanos};

/// The members of a room.
const MEMBERS: usize = 100;
/// The messages of a round.
const MESSAGES: usize = 200;
const ROUNDS: usize = 5;

const ROOMS: [(&str, &str); 9] = [
    ("group", "`Group` of net"),
    ("local", "hub, local"),
    ("local-log", "hub, local, history"),
    ("bare-nats", "async-nats and a `Group`"),
    ("hub-nats", "hub, NATS"),
    ("hub-nats-log", "hub, NATS, history"),
    ("bare-redis", "redis and a `Group`"),
    ("hub-redis", "hub, Redis"),
    ("hub-redis-log", "hub, Redis, history"),
];

/// A server with a room, and its clients.
struct Measured {
    name: &'static str,
    program: Program,
    publisher: Socket,
    members: Vec<JoinHandle<Result<Vec<u64>, Failure>>>,
    cpu: Vec<Duration>,
}

/// Prints the costs of each kind of room, and then the memory of topics and subscribers.
pub(crate) async fn costs() -> Result<(), Failure> {
    let [nats, redis] = [BrokerKind::Nats, BrokerKind::Redis].map(Broker::start);
    let mut rooms = Vec::new();
    for (kind, name) in ROOMS {
        let url = if kind.contains("nats") { nats.url() } else { redis.url() };
        rooms.push(Measured::start(kind, name, &url).await?);
    }
    for _ in 0..ROUNDS {
        for room in &mut rooms {
            room.round().await?;
        }
    }
    println!(
        "{MEMBERS} members, {MESSAGES} messages of 100 bytes in a round, one every {:?}; median of {ROUNDS} \
         interleaved rounds\n",
        room::PAUSE
    );
    println!("| room | CPU of the server for a delivery | of a `Group` | latency p50 | p99 |");
    println!("|---|---|---|---|---|");
    let mut base = None;
    for room in rooms {
        room.print(&mut base).await?;
    }
    println!("\n| memory | of the process, for a topic | for a subscriber |");
    println!("|---|---|---|");
    memory("local", Hub::local()).await
}

impl Measured {
    async fn start(kind: &str, name: &'static str, url: &str) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let program = Program::start(command.args(["room", kind, url]))?;
        let url = format!("ws://{}", program.address);
        let mut members = Vec::new();
        for _ in 0..MEMBERS {
            let mut socket = open(&url).await?;
            socket.recv().await?; // welcome
            members.push(tokio::spawn(receive(socket)));
        }
        let publisher = open(&format!("{url}/publish")).await?;
        Ok(Self { name, program, publisher, members, cpu: Vec::new() })
    }

    async fn round(&mut self) -> Result<(), Failure> {
        let before = self.program.process.cpu_time()?;
        self.publisher.send(MESSAGES.to_string()).await?;
        self.publisher.recv().await?.ok_or("the server closed")?;
        tokio::time::sleep(Duration::from_millis(100)).await; // the last messages are delivered
        self.cpu.push(self.program.process.cpu_time()? - before);
        Ok(())
    }

    async fn print(mut self, base: &mut Option<f64>) -> Result<(), Failure> {
        self.cpu.sort();
        let micros = self.cpu[ROUNDS / 2].as_secs_f64() * 1e6 / (MEMBERS * MESSAGES) as f64;
        let mut latencies = Vec::new();
        for member in self.members {
            let received = member.await??;
            if received.len() != MESSAGES * ROUNDS {
                return Err(format!("{}: {} messages", self.name, received.len()).into());
            }
            latencies.extend(received);
        }
        latencies.sort_unstable();
        let at = |part: f64| latencies[(latencies.len() as f64 * part) as usize] as f64 / 1e3;
        let base = *base.get_or_insert(micros);
        println!(
            "| {} | {micros:.2} µs | {:.2} × | {:.0} µs | {:.0} µs |",
            self.name,
            micros / base,
            at(0.5),
            at(0.99)
        );
        Ok(())
    }
}

/// Returns the latency of each message.
async fn receive(mut socket: Socket) -> Result<Vec<u64>, Failure> {
    let mut latencies = Vec::new();
    while latencies.len() < MESSAGES * ROUNDS {
        let message = socket.recv().await?.ok_or("the server closed")?;
        let sent = message.payload().first_chunk().ok_or("a short message")?;
        latencies.push(nanos().saturating_sub(u64::from_be_bytes(*sent)));
    }
    // The connection stays open, so that closing it is not measured.
    tokio::spawn(async move { socket.recv().await.ok() });
    Ok(latencies)
}

/// Prints the memory of topics and of subscribers.
async fn memory(name: &str, hub: Hub) -> Result<(), Failure> {
    const TOPICS: u64 = 5_000;
    const SUBSCRIBERS: u64 = 100_000;
    let own = Process::own();
    let before = own.anonymous_memory()?;
    let mut subscriptions: Vec<Subscription> = Vec::with_capacity((TOPICS + SUBSCRIBERS) as usize);
    for number in 0..TOPICS {
        let topic = Topic::new(format!("topic/{number}"))?;
        subscriptions.push(hub.subscribe(&topic, Default::default()).await?);
    }
    let topics = own.anonymous_memory()?;
    let topic = Topic::new("topic/0")?;
    for _ in 0..SUBSCRIBERS {
        subscriptions.push(hub.subscribe(&topic, Default::default()).await?);
    }
    let subscribers = own.anonymous_memory()?;
    println!(
        "| hub, {name} | {} bytes | {} bytes |",
        topics.saturating_sub(before) / TOPICS,
        subscribers.saturating_sub(topics) / SUBSCRIBERS
    );
    Ok(())
}
