//! The bytes of a publish and of a delivery on the connections to the broker and to a member.

use std::path::Path;

use fullduplex_lab::broker::BrokerKind;
use fullduplex_lab::cable::{Cable, Passed};

use super::Brokers;
use super::kind::{KINDS, Kind, next};
use crate::Failure;

const MESSAGES: usize = 200;

pub(super) async fn print(socketioxide: &Path, brokers: &Brokers) -> Result<(), Failure> {
    println!("\nTCP payload in bytes for a message of 100 bytes\n");
    println!(
        "| room | publishing node to broker | broker to publishing node | broker to another node | that node to broker \
         | node to a member |"
    );
    println!("|---|---|---|---|---|---|");
    for kind in KINDS {
        print_of(kind, socketioxide, brokers).await?;
    }
    Ok(())
}

async fn print_of(kind: Kind, socketioxide: &Path, brokers: &Brokers) -> Result<(), Failure> {
    let broker = Cable::to(brokers.of(kind).port()).await;
    let url = kind.broker.unwrap_or(BrokerKind::Redis).url(broker.port);
    let node = kind.start(socketioxide, &url).await?;
    let to_node = Cable::to(node.address.port()).await;
    let to_broker = Cable::to(brokers.of(kind).port()).await;
    let url = kind.broker.unwrap_or(BrokerKind::Redis).url(to_broker.port);
    let other = match kind.broker {
        Some(_) => Some(kind.start(socketioxide, &url).await?),
        None => None,
    };
    let mut member = kind.join(to_node.port).await?;
    let publishing = other.as_ref().unwrap_or(&node);
    let mut publisher = kind.publisher(publishing.address.port()).await?;
    publisher.publish(1).await?; // the first publish also prepares the topic
    next(&mut member).await?;
    let all = || [to_broker.passed(), broker.passed(), to_node.passed()];
    let before = all();
    publisher.publish(MESSAGES).await?;
    for _ in 0..MESSAGES {
        next(&mut member).await?;
    }
    let after = all();
    let each = |at: usize, direction: fn(&Passed) -> u64| {
        let bytes = direction(&after[at]) - direction(&before[at]);
        format!("{:.0}", bytes as f64 / MESSAGES as f64)
    };
    let at_broker = |at, direction| match kind.broker {
        Some(_) => each(at, direction),
        None => "–".into(),
    };
    println!(
        "| {} | {} | {} | {} | {} | {} |",
        kind.name,
        at_broker(0, |passed| passed.up),
        at_broker(0, |passed| passed.down),
        at_broker(1, |passed| passed.down),
        at_broker(1, |passed| passed.up),
        each(2, |passed| passed.down)
    );
    Ok(())
}
