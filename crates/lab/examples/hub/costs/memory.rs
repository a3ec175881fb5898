//! The memory of topics, of subscribers, and of members with their connections.

use std::path::Path;
use std::process::Command;

use fullduplex_hub::{Hub, HubOptions, Subscription, Topic};
use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::process::Process;

use super::Brokers;
use super::kind::KINDS;
use crate::Failure;

const TOPICS: u64 = 5_000;
const SUBSCRIBERS: u64 = 100_000;

/// The members before the measurement, and those that are measured.
const MEMBERS: [u64; 2] = [500, 2_000];

pub(super) async fn print(socketioxide: &Path, brokers: &Brokers) -> Result<(), Failure> {
    println!("\n| room | memory of a node for a member, with its connection |");
    println!("|---|---|");
    for kind in KINDS {
        let node = kind.start(socketioxide, &brokers.of(kind).url()).await?;
        let mut members = Vec::new();
        let mut memory = [0; 2];
        for (count, memory) in MEMBERS.into_iter().zip(&mut memory) {
            for _ in 0..count {
                members.push(kind.join(node.address.port()).await?);
            }
            *memory = node.process.anonymous_memory()?;
        }
        let each = memory[1].saturating_sub(memory[0]) / MEMBERS[1];
        println!("| {} | {each} bytes |", kind.name);
    }
    println!(
        "\n| hub | memory of the process for a topic | for a subscriber | of the broker for a topic |"
    );
    println!("|---|---|---|---|");
    // Each hub is measured in a process of its own, because an allocator keeps memory that was freed.
    for hub in ["local", "NATS", "Redis"] {
        let output = Command::new(std::env::current_exe()?).args(["topics", hub]).output()?;
        print!("{}", String::from_utf8_lossy(&output.stdout));
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
    }
    Ok(())
}

/// Prints the memory of the topics and subscribers of a hub in this process.
pub(crate) async fn topics(name: &str) -> Result<(), Failure> {
    let options = HubOptions::default();
    let (hub, broker) = match name {
        "NATS" => {
            let broker = Broker::start(BrokerKind::Nats);
            (Hub::nats(&broker.url(), options).await?, Some(broker))
        }
        "Redis" => {
            let broker = Broker::start(BrokerKind::Redis);
            (Hub::redis(&broker.url(), options).await?, Some(broker))
        }
        _ => (Hub::local(), None),
    };
    let broker = broker.as_ref().map(Broker::process);
    let of_broker = || broker.as_ref().map_or(Ok(0), Process::anonymous_memory);
    let own = Process::own();
    let (before, broker_before) = (own.anonymous_memory()?, of_broker()?);
    let mut subscriptions: Vec<Subscription> = Vec::with_capacity((TOPICS + SUBSCRIBERS) as usize);
    for number in 0..TOPICS {
        let topic = Topic::new(format!("topic/{number}"))?;
        subscriptions.push(hub.subscribe(&topic, Default::default()).await?);
    }
    let (topics, broker_topics) = (own.anonymous_memory()?, of_broker()?);
    let topic = Topic::new("topic/0")?;
    for _ in 0..SUBSCRIBERS {
        subscriptions.push(hub.subscribe(&topic, Default::default()).await?);
    }
    let subscribers = own.anonymous_memory()?;
    let of_broker = match broker {
        Some(_) => format!("{} bytes", broker_topics.saturating_sub(broker_before) / TOPICS),
        None => "–".into(),
    };
    println!(
        "| {name} | {} bytes | {} bytes | {of_broker} |",
        topics.saturating_sub(before) / TOPICS,
        subscribers.saturating_sub(topics) / SUBSCRIBERS
    );
    Ok(())
}
