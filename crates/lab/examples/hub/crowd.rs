//! The clients and authors of many topics.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Failure;
use crate::author;
use crate::client::{self, Orders, Received};
use crate::ledger::{self, Confirmed, Faults};
use crate::node::WITH_HISTORY;
use crate::nodes::{Nodes, PATIENCE};

/// The clients of each topic.
const CLIENTS: usize = 50;
/// The authors of each topic.
const AUTHORS: usize = 2;

/// Clients and authors, spread over the nodes.
pub(crate) struct Crowd {
    topics: Vec<Topic>,
    urls: Arc<[String]>,
    stop_authors: watch::Sender<bool>,
    give_up: watch::Sender<bool>,
    cuts: watch::Sender<u32>,
}

struct Topic {
    name: String,
    clients: Vec<JoinHandle<Received>>,
    authors: Vec<JoinHandle<Result<Vec<u32>, Failure>>>,
}

/// What all clients have received.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) published: usize,
    pub(crate) with_history: Faults,
    pub(crate) without: Faults,
    /// Clients that did not receive the last message.
    pub(crate) incomplete: usize,
    /// How long clients were without a subscription after a cut, in order.
    pub(crate) absences: Vec<std::time::Duration>,
}

impl Crowd {
    /// Connects clients to topics, and then starts the authors. In every `without`th topic, messages have no history;
    /// 0 for none.
    pub(crate) async fn start(
        nodes: &Nodes,
        clients: usize,
        without: usize,
    ) -> Result<Self, Failure> {
        let urls: Arc<[String]> = nodes.urls.clone().into();
        let (stop_authors, stopped) = watch::channel(false);
        let (give_up, given_up) = watch::channel(false);
        let (cuts, cut) = watch::channel(0);
        let mut topics = Vec::new();
        for number in 0..clients / CLIENTS {
            let has_history = without == 0 || !number.is_multiple_of(without);
            let kind = if has_history { WITH_HISTORY } else { "live/" };
            let name = format!("{kind}{number}");
            let arrived = Arc::new(Semaphore::new(0));
            let orders = Orders {
                topic: name.clone(),
                urls: Arc::clone(&urls),
                cuts: cut.clone(),
                arrived: Arc::clone(&arrived),
                give_up: given_up.clone(),
            };
            let clients = (0..CLIENTS).map(|node| tokio::spawn(client::stay(orders.clone(), node)));
            let clients = clients.collect();
            drop(timeout(PATIENCE, arrived.acquire_many(CLIENTS as u32)).await??);
            topics.push(Topic { name, clients, authors: Vec::new() });
        }
        for (number, topic) in topics.iter_mut().enumerate() {
            topic.authors = (0..AUTHORS)
                .map(|author| {
                    let (name, urls) = (topic.name.clone(), Arc::clone(&urls));
                    let author = AUTHORS * number + author;
                    tokio::spawn(author::write(name, author, urls, stopped.clone()))
                })
                .collect();
        }
        Ok(Self { topics, urls, stop_authors, give_up, cuts })
    }

    /// Makes all clients drop their connections and come back at once.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// Stops the authors, waits until all clients have received the last message, and judges.
    pub(crate) async fn finish(self) -> Result<Outcome, Failure> {
        self.stop_authors.send_replace(true);
        let mut outcome = Outcome::default();
        let mut rooms = Vec::new();
        for topic in self.topics {
            let mut confirmed: Confirmed = BTreeMap::new();
            for author in topic.authors {
                let numbers = author.await??;
                outcome.published += numbers.len();
                confirmed.insert(confirmed.len(), numbers);
            }
            author::write_last(&topic.name, &self.urls).await?;
            rooms.push((topic.name, topic.clients, confirmed));
        }
        let give_up = self.give_up;
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE).await;
            give_up.send_replace(true);
        });
        for (number, (name, clients, confirmed)) in rooms.into_iter().enumerate() {
            let first = AUTHORS * number;
            let confirmed =
                confirmed.into_iter().map(|(author, it)| (first + author, it)).collect();
            let mut all = Vec::new();
            for client in clients {
                let received = client.await?;
                outcome.incomplete += usize::from(!received.complete);
                outcome.absences.extend(received.absences);
                all.push(received.items);
            }
            let has_history = name.starts_with(WITH_HISTORY);
            let faults = if has_history { &mut outcome.with_history } else { &mut outcome.without };
            all.iter().for_each(|items| faults.add(ledger::judge(items, &confirmed)));
            if has_history {
                faults.out_of_order += ledger::out_of_order(all.iter().map(Vec::as_slice));
            }
        }
        outcome.absences.sort();
        Ok(outcome)
    }
}
