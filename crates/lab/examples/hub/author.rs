//! An author publishes numbered messages to a topic through a node.

use std::sync::Arc;
use std::time::Duration;

use fullduplex_net::Socket;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::Failure;
use crate::nodes::{PATIENCE, open};

/// The pause between two messages of an author.
const PAUSE: Duration = Duration::from_millis(500);

/// The text of the last message in each topic.
pub(crate) const LAST: &str = "end";

/// Publishes until `stop` is true. Returns the numbers of the messages that a node has confirmed.
pub(crate) async fn write(
    topic: String,
    author: usize,
    urls: Arc<[String]>,
    stop: watch::Receiver<bool>,
) -> Result<Vec<u32>, Failure> {
    let mut node = author;
    let mut socket = None;
    let mut confirmed = Vec::new();
    let begin = Instant::now() + PAUSE.mul_f64((author * 37 % 100) as f64 / 100.0);
    let mut pauses = interval_at(begin, PAUSE);
    pauses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1.. {
        pauses.tick().await;
        if *stop.borrow() {
            break;
        }
        if publish(&mut socket, &urls[node % urls.len()], &topic, &format!("{author}.{number}"))
            .await
        {
            confirmed.push(number);
        } else if socket.is_none() {
            node += 1; // this one is dead
        }
    }
    Ok(confirmed)
}

/// Publishes the last message of a topic. Tries again until it is confirmed.
pub(crate) async fn write_last(topic: &str, urls: &[String]) -> Result<(), Failure> {
    let writing = async {
        let mut socket = None;
        for url in urls.iter().cycle() {
            if publish(&mut socket, url, topic, LAST).await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    Ok(timeout(PATIENCE, writing).await?)
}

/// Publishes a message. Returns whether it was confirmed. A connection that fails is dropped.
async fn publish(socket: &mut Option<Socket>, url: &str, topic: &str, text: &str) -> bool {
    if socket.is_none() {
        *socket = open(&format!("{url}/publish/{topic}")).await.ok();
    }
    let Some(open) = socket else { return false };
    let answer = async {
        open.send(text).await.ok()?;
        open.recv().await.ok()?
    };
    match answer.await {
        Some(answer) => answer.payload()[..] == *b"yes",
        None => {
            *socket = None;
            false
        }
    }
}
