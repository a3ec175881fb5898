//! The costs of rooms: CPU and latency of a delivery and a publish, their bytes, and the memory of topics, subscribers and
//! members.

mod bytes;
mod kind;
mod memory;

use std::path::Path;
use std::time::Duration;

use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::process::{Process, Program};
use fullduplex_net::Socket;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::Failure;
use crate::room::{self, nanos};

use self::kind::{KINDS, Kind, Publisher, next, published_at};

pub(crate) use self::memory::topics;

/// The members of a room.
const MEMBERS: usize = 100;
/// The messages of a round.
const MESSAGES: usize = 50;
/// Many short rounds, because other programs disturb some of them.
const ROUNDS: usize = 20;

/// The brokers of all rooms.
struct Brokers {
    nats: Broker,
    redis: Broker,
}

/// A room and its clients. The members are clients of one node. If there is a broker, the publisher is a client of another.
struct Measured {
    kind: Kind,
    node: Program,
    publishing: Option<Program>,
    broker: Option<Process>,
    publisher: Publisher,
    members: Vec<JoinHandle<Result<Vec<u64>, Failure>>>,
    /// The CPU time of each round.
    node_cpu: Vec<Duration>,
    publishing_cpu: Vec<Duration>,
    broker_cpu: Vec<Duration>,
}

/// Prints the costs of each kind of room. `socketioxide` is the program for that library.
pub(crate) async fn costs(socketioxide: &Path) -> Result<(), Failure> {
    let [nats, redis] = [BrokerKind::Nats, BrokerKind::Redis].map(Broker::start);
    let brokers = Brokers { nats, redis };
    let mut rooms = Vec::new();
    for kind in KINDS {
        rooms.push(Measured::start(kind, socketioxide, &brokers).await?);
    }
    for _ in 0..ROUNDS {
        for room in &mut rooms {
            room.round().await?;
        }
    }
    println!(
        "{MEMBERS} members, {MESSAGES} messages of 100 bytes in a round, one every {:?}; medians of {ROUNDS} \
         interleaved rounds. A room is compared with the `Group` in each round. With a broker, the publisher is on \
         another node.\n",
        room::PAUSE
    );
    println!(
        "| room | CPU of the node for a delivery | of a `Group` | CPU of the other node for a publish | CPU of the \
         broker for a publish | latency p50 | p99 |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut base = Vec::new();
    for room in rooms {
        room.print(&mut base).await?;
    }
    bytes::print(socketioxide, &brokers).await?;
    memory::print(socketioxide, &brokers).await
}

impl Brokers {
    fn of(&self, kind: Kind) -> &Broker {
        match kind.broker {
            Some(BrokerKind::Nats) => &self.nats,
            Some(BrokerKind::Redis) | None => &self.redis,
        }
    }
}

impl Measured {
    async fn start(kind: Kind, socketioxide: &Path, brokers: &Brokers) -> Result<Self, Failure> {
        let broker = brokers.of(kind);
        let node = kind.start(socketioxide, &broker.url()).await?;
        let publishing = match kind.broker {
            Some(_) => Some(kind.start(socketioxide, &broker.url()).await?),
            None => None,
        };
        let mut members = Vec::new();
        for _ in 0..MEMBERS {
            members.push(tokio::spawn(receive(kind.join(node.address.port()).await?)));
        }
        let port = publishing.as_ref().unwrap_or(&node).address.port();
        Ok(Self {
            kind,
            publisher: kind.publisher(port).await?,
            broker: kind.broker.map(|_| broker.process()),
            node,
            publishing,
            members,
            node_cpu: Vec::new(),
            publishing_cpu: Vec::new(),
            broker_cpu: Vec::new(),
        })
    }

    async fn round(&mut self) -> Result<(), Failure> {
        let before = self.cpu()?;
        self.publisher.publish(MESSAGES).await?;
        sleep(Duration::from_millis(100)).await; // the last messages are delivered
        let after = self.cpu()?;
        let used = [0, 1, 2].map(|at| after[at] - before[at]);
        self.node_cpu.push(used[0]);
        self.publishing_cpu.push(used[1]);
        self.broker_cpu.push(used[2]);
        Ok(())
    }

    /// Returns the CPU times of the node, of the other node and of the broker.
    fn cpu(&self) -> Result<[Duration; 3], Failure> {
        let of = |process: Option<&Process>| process.map_or(Ok(Duration::ZERO), Process::cpu_time);
        let publishing = self.publishing.as_ref().map(|program| &program.process);
        Ok([of(Some(&self.node.process))?, of(publishing)?, of(self.broker.as_ref())?])
    }

    /// Prints a row. `base` contains the CPU times of the first room, with which the others are compared.
    async fn print(self, base: &mut Vec<Duration>) -> Result<(), Failure> {
        let mut latencies = Vec::new();
        for member in self.members {
            let received =
                member.await?.map_err(|failure| format!("{}: {failure}", self.kind.name))?;
            if received.len() != MESSAGES * ROUNDS {
                return Err(format!("{}: {} messages", self.kind.name, received.len()).into());
            }
            latencies.extend(received);
        }
        latencies.sort_unstable();
        let at = |part: f64| latencies[(latencies.len() as f64 * part) as usize] as f64 / 1e3;
        if base.is_empty() {
            base.clone_from(&self.node_cpu);
        }
        let ratios = self.node_cpu.iter().zip(&*base);
        let ratio = median(ratios.map(|(room, base)| room.as_secs_f64() / base.as_secs_f64()));
        let micros = |cpu: &[Duration]| median(cpu.iter().map(|it| it.as_secs_f64() * 1e6));
        let delivery = micros(&self.node_cpu) / (MEMBERS * MESSAGES) as f64;
        let publish = |cpu: &[Duration]| match self.kind.broker {
            Some(_) => format!("{:.0} µs", micros(cpu) / MESSAGES as f64),
            None => "–".into(),
        };
        println!(
            "| {} | {delivery:.2} µs | {ratio:.2} × | {} | {} | {:.0} µs | {:.0} µs |",
            self.kind.name,
            publish(&self.publishing_cpu),
            publish(&self.broker_cpu),
            at(0.5),
            at(0.99)
        );
        Ok(())
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Returns the latency of each message.
async fn receive(mut socket: Socket) -> Result<Vec<u64>, Failure> {
    let mut latencies = Vec::new();
    while latencies.len() < MESSAGES * ROUNDS {
        let message = next(&mut socket).await?;
        let sent = published_at(&message)
            .ok_or_else(|| format!("could not find the time in {:?}", message.as_text()))?;
        latencies.push(nanos().saturating_sub(sent));
    }
    // The connection stays open, so that closing it is not measured.
    tokio::spawn(async move { socket.recv().await.ok() });
    Ok(latencies)
}
