//! RFC6455-4.1-3: at most one connection to an address and port is in state CONNECTING.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

/// The queues with at least one entry.
static QUEUES: LazyLock<Mutex<HashMap<Remote, Arc<Queue>>>> = LazyLock::new(Mutex::default);

/// The destination of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Remote {
    /// An address. Several names may resolve to it.
    Address(SocketAddr),
    /// RFC6455-4.1-4: a name that a proxy resolves, and a port.
    Name(String, u16),
}

/// Permits a connection to a remote, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectPermit {
    // Dropped before the entry.
    _lock: OwnedMutexGuard<()>,
    entry: Entry,
}

/// The connections to one remote. The first holds the lock.
#[derive(Debug, Default)]
struct Queue {
    lock: Arc<AsyncMutex<()>>,
    /// The time at which the remote last answered a connection. Each waiter checks it when its own timeout
    /// fires. Waking all waiters at each answer would take quadratic time.
    answered: Mutex<Option<Instant>>,
}

/// A connection's entry in a queue. Dropping the last entry removes the queue.
#[derive(Debug)]
struct Entry {
    remote: Remote,
    /// `None` only while it is dropped.
    queue: Option<Arc<Queue>>,
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self::Address(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl ConnectPermit {
    /// Returns a permit if no other connection has one or waits for one.
    pub(crate) fn try_acquire(remote: Remote) -> Option<Self> {
        let entry = Entry::enqueue(remote);
        let lock = Arc::clone(&entry.queue().lock).try_lock_owned().ok()?;
        Some(Self { _lock: lock, entry })
    }

    /// Waits for a permit. Returns `None` if the remote answers no connection for `patience`.
    ///
    /// While the remote answers, the wait has no limit. It still ends, because every connection that is ahead
    /// in the queue has deadlines.
    pub(crate) async fn acquire(remote: Remote, patience: Duration) -> Option<Self> {
        let entry = Entry::enqueue(remote);
        let mut locking = pin!(Arc::clone(&entry.queue().lock).lock_owned());
        let mut since = Instant::now();
        let lock = loop {
            if let Ok(lock) = timeout(patience.saturating_sub(since.elapsed()), &mut locking).await
            {
                break lock;
            }
            since = entry.queue().answered().filter(|answered| *answered > since)?;
        };
        Some(Self { _lock: lock, entry })
    }

    /// Ends the permit and records that the remote has answered, so that waiters keep waiting.
    pub(crate) fn release_answered(self) {
        *self.entry.queue().answered() = Some(Instant::now());
    }
}

impl Queue {
    fn answered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn enqueue(remote: Remote) -> Self {
        let queue = Arc::clone(queues().entry(remote.clone()).or_default());
        Self { remote, queue: Some(queue) }
    }

    fn queue(&self) -> &Queue {
        self.queue.as_ref().expect("the queue is there until the entry is dropped")
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut queues = queues();
        // Dropped under the lock: if two entries are dropped at the same time, the second one detects that it
        // is the last.
        self.queue = None;
        if queues.get(&self.remote).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.remote);
        }
    }
}

fn queues() -> MutexGuard<'static, HashMap<Remote, Arc<Queue>>> {
    QUEUES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};

    use tokio::time::sleep;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn remote(name: &str) -> Remote {
        Remote::Name(name.to_owned(), 80)
    }

    async fn acquire(name: &str) -> Option<ConnectPermit> {
        ConnectPermit::acquire(remote(name), PATIENCE).await
    }

    /// RFC6455-4.1-3, RFC6455-4.1-4.
    #[tokio::test(start_paused = true)]
    async fn one_permit_exists_per_remote() {
        let first = acquire("one").await.unwrap();
        let mut second = pin!(acquire("one"));
        assert!(timeout(Duration::from_secs(19), &mut second).await.is_err());
        assert!(acquire("another").await.is_some());
        assert!(ConnectPermit::acquire(Remote::Name("one".into(), 443), PATIENCE).await.is_some());
        drop(first);
        assert!(second.await.is_some());
        assert!(!queues().keys().any(|known| *known == remote("one")), "the queue is removed");
    }

    #[tokio::test(start_paused = true)]
    async fn waiters_stay_while_the_remote_answers() {
        let start = Instant::now();
        for _ in 0..10 {
            tokio::spawn(async {
                let permit = acquire("slow").await.unwrap();
                sleep(Duration::from_secs(15)).await;
                permit.release_answered();
            });
            tokio::task::yield_now().await;
        }
        let last = acquire("slow").await;
        assert!(last.is_some());
        assert_eq!(start.elapsed(), Duration::from_secs(150));
        assert!(acquire("slow").await.is_none());
        assert_eq!(start.elapsed(), Duration::from_secs(150) + PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_does_not_wake_every_waiter() {
        let first = acquire("long").await.unwrap();
        for _ in 0..100 {
            tokio::spawn(async {
                let permit = acquire("long").await.unwrap();
                sleep(Duration::from_millis(10)).await;
                permit.release_answered();
            });
        }
        tokio::task::yield_now().await;
        let mut polls = 0;
        let mut last = pin!(acquire("long"));
        let last = poll_fn(|cx| {
            polls += 1;
            last.as_mut().poll(cx)
        });
        first.release_answered();
        assert!(last.await.is_some());
        assert_eq!(polls, 2);
    }

    #[tokio::test]
    async fn cancelled_waiters_leave_no_entry_and_do_not_block_others() {
        let is_known = || queues().contains_key(&remote("left"));
        let first = ConnectPermit::try_acquire(remote("left")).unwrap();
        assert!(ConnectPermit::try_acquire(remote("left")).is_none());
        let mut waiting = [(); 3].map(|()| Box::pin(acquire("left")));
        for waiting in &mut waiting {
            assert!(timeout(Duration::ZERO, waiting).await.is_err());
        }
        let [second, third, fourth] = waiting;
        drop(third);
        drop(first);
        // `second` already has the lock, but was not polled since it got the lock.
        drop(second);
        assert!(is_known());
        drop(fourth.await.unwrap());
        assert!(!is_known());
    }

    #[test]
    fn an_ipv4_mapped_address_is_the_same_remote() {
        let remote = |address: &str| Remote::from(address.parse::<SocketAddr>().unwrap());
        assert_eq!(remote("127.0.0.1:80"), remote("[::ffff:127.0.0.1]:80"));
        assert_ne!(remote("127.0.0.1:80"), remote("127.0.0.1:81"));
    }
}
