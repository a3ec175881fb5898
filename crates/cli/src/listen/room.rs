use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fullduplex_net::Sender;
use fullduplex_net::proto::{CloseCode, CloseFrame, Message, Prepared};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// The maximum time for which clients that do not read may delay a message to all clients.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// The clients that receive messages to all clients.
#[derive(Debug, Default)]
pub(super) struct Room {
    members: Mutex<BTreeMap<u64, Sender>>,
    joined: Notify,
    /// Held while a message is sent, so that all clients receive messages in the same order.
    sending: tokio::sync::Mutex<()>,
}

/// A client's membership in a room. It ends when this value is dropped.
#[must_use]
pub(super) struct Membership<'a> {
    room: &'a Room,
    client: u64,
}

impl Room {
    pub(super) fn join(&self, client: u64, sender: Sender) -> Membership<'_> {
        self.members().insert(client, sender);
        self.joined.notify_waiters();
        Membership { room: self, client }
    }

    /// Waits until there is a client.
    pub(super) async fn until_occupied(&self) {
        loop {
            let joined = self.joined.notified();
            if !self.members().is_empty() {
                return;
            }
            joined.await;
        }
    }

    /// Sends a message to all clients except `except`. Waits for clients that read slowly, so that no
    /// message is lost. Closes the connections of clients that do not read with 1008. One deadline
    /// applies to all clients.
    pub(super) async fn send(&self, message: Message, except: Option<u64>) {
        let _sending = self.sending.lock().await;
        let message = Prepared::new(message);
        let members: Vec<_> = self
            .members()
            .iter()
            .filter(|(client, _)| Some(**client) != except)
            .map(|(_, sender)| sender.clone())
            .collect();
        let now = Instant::now();
        let mut waiting = Vec::new();
        for sender in members {
            // Clients with room receive the message before the server waits for slow clients.
            if timeout_at(now, sender.send(message.clone())).await.is_err() {
                waiting.push(sender);
            }
        }
        for sender in waiting {
            if timeout_at(now + SEND_TIMEOUT, sender.send(message.clone())).await.is_err() {
                sender.close(Some(CloseFrame::code(CloseCode::POLICY_VIOLATION)));
            }
        }
    }

    /// Locks the list. No client code runs under the lock.
    fn members(&self) -> MutexGuard<'_, BTreeMap<u64, Sender>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Membership<'_> {
    fn drop(&mut self) {
        self.room.members().remove(&self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fullduplex_net::{AcceptOptions, ConnectOptions, accept, connect_over};

    /// FK-07: five clients do not read. They are closed after one timeout for all of them, and the
    /// client that reads receives everything.
    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_delays_the_others_once() {
        let room = Room::default();
        let mut memberships = Vec::new();
        let mut senders = Vec::new();
        let mut clients = Vec::new();
        for client in 0..6 {
            let (ours, theirs) = tokio::io::duplex(1024);
            let url = "ws://localhost/";
            let (accept_options, options) = (AcceptOptions::default(), ConnectOptions::default());
            let (served, opened) =
                tokio::join!(accept(ours, &accept_options), connect_over(theirs, url, &options));
            let mut socket = served.expect("it is a good request");
            let sender = socket.sender();
            memberships.push(room.join(client, sender.clone()));
            senders.push(sender);
            tokio::spawn(async move { while let Ok(Some(_)) = socket.recv().await {} });
            clients.push(opened.expect("it is a good answer").0);
        }
        let mut reader = clients.remove(5);
        let reading = tokio::spawn(async move {
            let mut count = 0;
            while count < 8 && matches!(reader.recv().await, Ok(Some(_))) {
                count += 1;
            }
            count
        });
        let start = Instant::now();
        for _ in 0..8 {
            room.send(vec![0; 1 << 20].into(), None).await;
        }
        let took = start.elapsed();
        assert!((SEND_TIMEOUT..2 * SEND_TIMEOUT).contains(&took), "{took:?}");
        let closed: Vec<_> = senders.iter().map(Sender::is_closed).collect();
        assert_eq!(closed, [true, true, true, true, true, false]);
        assert_eq!(reading.await.ok(), Some(8));
    }
}
