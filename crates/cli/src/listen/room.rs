use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fullduplex_net::Sender;
use fullduplex_net::proto::{CloseCode, CloseFrame, Message, Prepared};
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a client that does not read may hold the others up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The clients that hear what is said to all.
#[derive(Debug, Default)]
pub(super) struct Room {
    members: Mutex<BTreeMap<u64, Sender>>,
    joined: Notify,
    /// One speaks at a time, so that all hear everything in one order.
    floor: tokio::sync::Mutex<()>,
}

/// A place in a room, which is left when this is dropped.
#[must_use]
pub(super) struct Place<'a> {
    room: &'a Room,
    client: u64,
}

impl Room {
    pub(super) fn join(&self, client: u64, sender: Sender) -> Place<'_> {
        self.members().insert(client, sender);
        self.joined.notify_waiters();
        Place { room: self, client }
    }

    /// Waits until somebody is there.
    pub(super) async fn until_occupied(&self) {
        loop {
            let joined = self.joined.notified();
            if !self.members().is_empty() {
                return;
            }
            joined.await;
        }
    }

    /// Sends a message to all, but not to `except`: as fast as they read, so that nothing is lost.
    /// Whoever does not read at all is closed with 1008 after a while.
    pub(super) async fn send(&self, message: Message, except: Option<u64>) {
        let _floor = self.floor.lock().await;
        let message = Prepared::new(message);
        let members: Vec<_> =
            self.members().iter().map(|(client, sender)| (*client, sender.clone())).collect();
        for (client, sender) in members {
            if Some(client) != except
                && timeout(PATIENCE, sender.send(message.clone())).await.is_err()
            {
                sender.close(Some(CloseFrame::code(CloseCode::POLICY_VIOLATION)));
            }
        }
    }

    /// No code of others runs under the lock.
    fn members(&self) -> MutexGuard<'_, BTreeMap<u64, Sender>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.room.members().remove(&self.client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fullduplex_net::{AcceptOptions, ConnectOptions, accept, connect_over};
    use tokio::time::Instant;

    /// The client that does not read is closed, and the one that reads gets everything.
    #[tokio::test(start_paused = true)]
    async fn nobody_holds_the_others_up_for_long() {
        let room = Room::default();
        let mut places = Vec::new();
        let mut senders = Vec::new();
        let mut clients = Vec::new();
        for client in 0..2 {
            let (ours, theirs) = tokio::io::duplex(1024);
            let url = "ws://localhost/";
            let (accept_options, options) = (AcceptOptions::default(), ConnectOptions::default());
            let (served, opened) =
                tokio::join!(accept(ours, &accept_options), connect_over(theirs, url, &options));
            let mut socket = served.expect("it is a good request");
            let sender = socket.sender();
            places.push(room.join(client, sender.clone()));
            senders.push(sender);
            tokio::spawn(async move { while let Ok(Some(_)) = socket.recv().await {} });
            clients.push(opened.expect("it is a good answer").0);
        }
        let mut reader = clients.remove(1);
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
        assert!((PATIENCE..2 * PATIENCE).contains(&start.elapsed()), "{:?}", start.elapsed());
        assert_eq!(senders.iter().map(Sender::is_closed).collect::<Vec<_>>(), [true, false]);
        assert_eq!(reading.await.ok(), Some(8));
    }
}
