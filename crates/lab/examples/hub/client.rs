//! A client receives the messages of one topic, and comes back when its connection is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fullduplex_net::Socket;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::author::LAST;
use crate::ledger::Item;
use crate::nodes::open;

/// What a client has received.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) items: Vec<Item>,
    /// Whether the last message has arrived.
    pub(crate) complete: bool,
    /// How long the client was without a subscription after each cut of [`Orders::cuts`].
    pub(crate) absences: Vec<Duration>,
}

/// A command for a client.
#[derive(Debug, Clone)]
pub(crate) struct Orders {
    pub(crate) topic: String,
    pub(crate) urls: Arc<[String]>,
    /// When this number changes, the client drops its connection and comes back at once.
    pub(crate) cuts: watch::Receiver<u32>,
    /// Counts the clients that are subscribed for the first time.
    pub(crate) arrived: Arc<tokio::sync::Semaphore>,
    /// When this is true, the client ends, although the last message is missing.
    pub(crate) give_up: watch::Receiver<bool>,
}

/// Receives until the last message arrives.
pub(crate) async fn stay(mut orders: Orders, first_node: usize) -> Received {
    let mut received = Received::default();
    let mut give_up = orders.give_up.clone();
    tokio::select! {
        () = receive(&mut orders, first_node, &mut received) => {}
        _ = give_up.wait_for(|&it| it) => {}
    }
    received
}

async fn receive(orders: &mut Orders, first_node: usize, received: &mut Received) {
    let mut position = String::new();
    let mut cut: Option<Instant> = None;
    let mut is_first = true;
    for node in first_node.. {
        let url = &orders.urls[node % orders.urls.len()];
        let after = if position.is_empty() { String::new() } else { format!("?after={position}") };
        let Ok(socket) = open(&format!("{url}/{}{after}", orders.topic)).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        if !is_first && position.is_empty() {
            // The client itself knows that it has missed messages.
            received.items.push(Item::Gap);
        }
        let mut session = Session { socket, position: &mut position, received };
        tokio::select! {
            complete = session.run(&mut cut, &mut is_first, &orders.arrived) => if complete {
                received.complete = true;
                return;
            },
            _ = orders.cuts.changed() => cut = Some(Instant::now()),
        }
    }
}

/// One connection of a client.
struct Session<'a> {
    socket: Socket,
    position: &'a mut String,
    received: &'a mut Received,
}

impl Session<'_> {
    /// Receives until the connection ends. Returns whether the last message has arrived.
    async fn run(
        &mut self,
        cut: &mut Option<Instant>,
        is_first: &mut bool,
        arrived: &tokio::sync::Semaphore,
    ) -> bool {
        while let Ok(Some(message)) = self.socket.recv().await {
            match message.to_text().unwrap_or_default() {
                "welcome" => {
                    if std::mem::take(is_first) {
                        arrived.add_permits(1);
                    }
                    self.received.absences.extend(cut.take().map(|cut| cut.elapsed()));
                }
                "gap" => self.received.items.push(Item::Gap),
                line => {
                    let (position, text) = line.split_once(' ').unwrap_or_default();
                    position.clone_into(self.position);
                    if text == LAST {
                        return true;
                    }
                    self.received.items.extend(Item::parse(text));
                }
            }
        }
        false
    }
}
