//! Nodes, clients and the broker, and the events that the simulation causes.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;

use super::broker::Broker;
use super::client::{Client, State};
use super::rng::Rng;
use super::tally::Tally;
use crate::backend::{Backend, Boxed};
use crate::entry::{Content, Entry};
use crate::error::{PresenceError, PublishError, SubscribeError};
use crate::feed::Fetched;
use crate::history::History;
use crate::hub::Hub;
use crate::options::{HubOptions, SubscribeOptions};
use crate::position::Position;
use crate::presence::MemberInfo;
use crate::slot::{Missing, Slot};
use crate::topic::Topic;
use crate::topics::Topics;

const STEPS: usize = 400;

/// The time of the simulation. It is constant, so no message expires.
const NOW: Duration = Duration::from_secs(1_000_000_000);

pub(super) struct World {
    rng: Rng,
    broker: Broker,
    nodes: Vec<Node>,
    clients: Vec<Client>,
    next_message: u64,
    tally: Tally,
}

struct Node {
    hub: Hub,
    slot: Arc<Slot>,
    wires: Arc<Mutex<Wires>>,
    /// Whether the broker sends entries to this connection.
    subscribed: bool,
}

/// The connection of a node, with the messages in flight, in order.
#[derive(Debug, Default)]
struct Wires {
    connected: bool,
    /// Whether the topic's log is open on this node.
    open: bool,
    to_broker: VecDeque<Request>,
    to_node: VecDeque<Answer>,
    /// A read of a subscriber: its position, and the answer once there is one.
    reads: BTreeMap<u64, (Option<Position>, Option<Fetched>)>,
    next_read: u64,
}

#[derive(Debug)]
enum Request {
    Subscribe,
    End,
    Fetch(Missing),
    Read(u64, Option<Position>),
    Publish(u64),
}

#[derive(Debug)]
enum Answer {
    Subscribed,
    End(Position),
    Fetched(u64, Fetched),
    Read(u64, Fetched),
    Entry(Entry),
}

/// A backend whose connection is simulated.
#[derive(Debug)]
struct Model(Arc<Mutex<Wires>>);

impl World {
    pub(super) fn run(seed: u64) -> Tally {
        let mut rng = Rng(seed);
        let broker = Broker::new(&mut rng);
        let nodes = (0..1 + rng.below(4)).map(|_| Node::new()).collect();
        let clients = (0..1 + rng.below(6)).map(|_| Client::new()).collect();
        let mut world =
            Self { rng, broker, nodes, clients, next_message: 1, tally: Tally::default() };
        for _ in 0..STEPS {
            world.step();
        }
        world.finish();
        world.tally
    }

    fn step(&mut self) {
        let node = self.rng.below(self.nodes.len());
        let client = self.rng.below(self.clients.len());
        match self.rng.below(100) {
            0..3 => self.cut(node),
            3..10 => self.connect(node),
            10..30 => self.publish(node),
            30..55 => self.broker_handles_one(node),
            55..80 => self.nodes[node].handle_one(),
            80..83 => self.clients[client].state = State::Away,
            83..88 => self.subscribe(client, node),
            88..98 => {
                let count = 1 + self.rng.below(8);
                self.clients[client].receive(count, &self.broker);
            }
            98 => self.broker.trim(&mut self.rng),
            _ if self.rng.one_in(4) => self.lose_data(),
            _ => {}
        }
        self.poll_clients();
    }

    fn poll_clients(&mut self) {
        for client in &mut self.clients {
            if client.poll_subscribing(&self.broker) {
                self.tally.recovered += 1;
            }
        }
    }

    /// Restarts the broker. All connections are lost, and perhaps the log or its end.
    fn lose_data(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.cut(node));
        match self.rng.below(3) {
            0 => {
                self.broker.lose_all(&mut self.rng);
                self.tally.losses += 1;
            }
            1 if self.broker.lose_end(&mut self.rng) => self.tally.losses += 1,
            _ => {}
        }
    }

    fn cut(&mut self, node: usize) {
        let node = &mut self.nodes[node];
        let mut wires = lock(&node.wires);
        self.tally.cuts += u64::from(wires.connected);
        wires.connected = false;
        wires.to_broker.clear();
        wires.to_node.clear();
        drop(wires);
        node.subscribed = false;
        node.slot.handle_cut(NOW);
    }

    fn connect(&mut self, node: usize) {
        let mut wires = lock(&self.nodes[node].wires);
        if !wires.connected {
            wires.connected = true;
            wires.to_broker.push_back(Request::Subscribe);
            // The readers of the log try again.
            let waiting = wires.reads.iter().filter(|(_, (_, answer))| answer.is_none());
            let again: Vec<_> =
                waiting.map(|(&number, (after, _))| Request::Read(number, *after)).collect();
            wires.to_broker.extend(again);
        }
    }

    fn publish(&mut self, node: usize) {
        let mut wires = lock(&self.nodes[node].wires);
        if wires.connected {
            wires.to_broker.push_back(Request::Publish(self.next_message));
            self.next_message += 1;
        }
    }

    fn broker_handles_one(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let mut wires = lock(&node.wires);
        let Some(request) = wires.to_broker.pop_front() else { return };
        match request {
            Request::Subscribe => {
                node.subscribed = true;
                wires.to_node.push_back(Answer::Subscribed);
            }
            Request::End => wires.to_node.push_back(Answer::End(self.broker.end())),
            Request::Fetch(missing) => {
                let fetched = self.broker.fetch(Some(missing.after));
                wires.to_node.push_back(Answer::Fetched(missing.number, fetched));
            }
            Request::Read(number, after) => {
                wires.to_node.push_back(Answer::Read(number, self.broker.fetch(after)));
            }
            Request::Publish(message) => {
                drop(wires);
                let entry = self.broker.append(Some(message), &mut self.rng);
                self.tally.messages += 1;
                for node in self.nodes.iter().filter(|node| node.subscribed) {
                    lock(&node.wires).to_node.push_back(Answer::Entry(entry.clone()));
                }
            }
        }
    }

    fn subscribe(&mut self, client: usize, node: usize) {
        let client = &mut self.clients[client];
        if matches!(client.state, State::Away) {
            let hub = self.nodes[node].hub.clone();
            let options = SubscribeOptions::default().recover(client.position);
            client.state =
                State::Subscribing(Box::pin(async move { hub.subscribe(&topic(), options).await }));
        }
    }

    /// Repairs all faults, and then sends a last message to all clients.
    fn finish(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.connect(node));
        self.settle();
        for client in 0..self.clients.len() {
            let node = self.rng.below(self.nodes.len());
            self.subscribe(client, node);
        }
        self.settle();
        for client in &self.clients {
            assert!(matches!(client.state, State::Subscribed(_)), "a client waits for ever");
        }
        let last = self.next_message;
        self.publish(0);
        self.settle();
        for client in &mut self.clients {
            client.receive(usize::MAX, &self.broker);
            assert_eq!(client.last(), Some(last), "a client did not get the last message");
            self.tally.delivered += client.delivered();
            self.tally.gaps += client.gaps;
        }
    }

    /// Runs until no message is in flight.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for node in 0..self.nodes.len() {
                self.broker_handles_one(node);
                self.nodes[node].handle_one();
            }
            // A client that has read the log may need to read it again.
            (0..3).for_each(|_| self.poll_clients());
            let quiet = |node: &Node| {
                let wires = lock(&node.wires);
                wires.to_broker.is_empty() && wires.to_node.is_empty()
            };
            if self.nodes.iter().all(quiet) {
                return;
            }
        }
        panic!("the nodes never come to rest");
    }
}

impl Node {
    fn new() -> Self {
        let options =
            HubOptions::default().with_history("", History::new(8, Duration::from_secs(60)));
        let topics = Topics::new(options);
        let wires = Arc::default();
        let slot = topics.slot(&topic());
        let hub = Hub { topics, backend: Arc::new(Model(Arc::clone(&wires))) };
        Self { hub, slot, wires, subscribed: false }
    }

    /// Handles the oldest arrival first, like the node of a real broker.
    fn handle_one(&mut self) {
        let Some(answer) = lock(&self.wires).to_node.pop_front() else { return };
        let missing = match answer {
            Answer::Subscribed if !lock(&self.wires).open => {
                lock(&self.wires).to_broker.push_back(Request::End);
                None
            }
            Answer::Subscribed => self.slot.handle_connected(NOW),
            Answer::End(end) => {
                lock(&self.wires).open = true;
                let opened = self.slot.with_feed(NOW, |feed| feed.handle_opened(end, NOW));
                opened.and_then(|((), missing)| missing)
            }
            Answer::Fetched(number, fetched) => self.slot.handle_fetched(number, fetched, NOW),
            Answer::Read(number, fetched) => {
                let mut wires = lock(&self.wires);
                wires.reads.entry(number).and_modify(|(_, answer)| *answer = Some(fetched));
                None
            }
            Answer::Entry(entry) => {
                let handled = self.slot.with_feed(NOW, |feed| feed.handle_entry(entry, NOW));
                handled.and_then(|((), missing)| missing)
            }
        };
        if let Some(missing) = missing {
            lock(&self.wires).to_broker.push_back(Request::Fetch(missing));
        }
    }
}

impl Model {
    fn read(&self, after: Option<Position>) -> Boxed<'_, Result<Fetched, SubscribeError>> {
        let mut wires = lock(&self.0);
        wires.next_read += 1;
        let number = wires.next_read;
        wires.reads.insert(number, (after, None));
        if wires.connected {
            wires.to_broker.push_back(Request::Read(number, after));
        }
        Box::pin(poll_fn(move |_| {
            let mut wires = lock(&self.0);
            match wires.reads.get_mut(&number).and_then(|(_, answer)| answer.take()) {
                Some(fetched) => {
                    wires.reads.remove(&number);
                    Poll::Ready(Ok(fetched))
                }
                None => Poll::Pending,
            }
        }))
    }
}

impl Backend for Model {
    fn open<'a>(&'a self, _slot: &'a Arc<Slot>) -> Boxed<'a, Result<(), SubscribeError>> {
        Box::pin(poll_fn(|_| if lock(&self.0).open { Poll::Ready(Ok(())) } else { Poll::Pending }))
    }

    fn fetch<'a>(
        &'a self,
        slot: &'a Slot,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, SubscribeError>> {
        Box::pin(async move {
            slot.until_live().await;
            self.read(after).await
        })
    }

    fn publish<'a>(
        &'a self,
        _topic: &'a Topic,
        _content: Content,
    ) -> Boxed<'a, Result<Option<Position>, PublishError>> {
        unreachable!("the world publishes")
    }

    fn join<'a>(
        &'a self,
        _topic: &'a Topic,
        _member: u64,
        _data: Bytes,
    ) -> Boxed<'a, Result<(), PresenceError>> {
        unreachable!("nobody joins")
    }

    fn leave(&self, _topic: &Topic, _member: u64) {}

    fn members<'a>(
        &'a self,
        _topic: &'a Topic,
    ) -> Boxed<'a, Result<Vec<MemberInfo>, PresenceError>> {
        unreachable!("nobody asks")
    }

    fn is_connected(&self) -> bool {
        lock(&self.0).connected
    }
}

fn topic() -> Topic {
    Topic::new("room").expect("it is a good name")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics with the lock")
}
