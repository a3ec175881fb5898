//! RFC6455-4.1-3: of the connections with one address and port, one at a time is CONNECTING.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

/// The lines in which somebody stands.
static LINES: LazyLock<Mutex<HashMap<Remote, Arc<Line>>>> = LazyLock::new(Mutex::default);

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Remote {
    /// An address, whatever name led to it.
    Address(SocketAddr),
    /// RFC6455-4.1-4: a name that a proxy resolves, and a port.
    Name(String, u16),
}

/// The right to connect, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    // Given up before the place is.
    _turn: OwnedMutexGuard<()>,
    place: Place,
}

/// Those who connect to one remote. The first has the lock.
#[derive(Debug, Default)]
struct Line {
    turn: Arc<AsyncMutex<()>>,
    /// When the remote has answered somebody last. Who waits looks when its patience ends, and is not woken
    /// before: of a long line, each answer would wake all.
    answered: Mutex<Option<Instant>>,
}

/// A place in a line, which ends with the last of its places.
#[derive(Debug)]
struct Place {
    remote: Remote,
    /// Until it is dropped.
    line: Option<Arc<Line>>,
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self::Address(SocketAddr::new(address.ip().to_canonical(), address.port()))
    }
}

impl Turn {
    /// Takes the turn if nobody else has it or waits for it.
    pub(crate) fn take(remote: Remote) -> Option<Self> {
        let place = Place::last_in_line(remote);
        let turn = Arc::clone(&place.line().turn).try_lock_owned().ok()?;
        Some(Self { _turn: turn, place })
    }

    /// Waits for the turn; gives up when the remote has answered nobody for so long (`None`).
    ///
    /// However long the line is, it goes on while the remote answers, and whoever has the turn has
    /// deadlines.
    pub(crate) async fn wait(remote: Remote, patience: Duration) -> Option<Self> {
        let place = Place::last_in_line(remote);
        let mut turn = pin!(Arc::clone(&place.line().turn).lock_owned());
        let mut since = Instant::now();
        let turn = loop {
            if let Ok(turn) = timeout(patience.saturating_sub(since.elapsed()), &mut turn).await {
                break turn;
            }
            since = place.line().answered().filter(|answered| *answered > since)?;
        };
        Some(Self { _turn: turn, place })
    }

    /// The remote has answered: those who wait may go on waiting.
    pub(crate) fn answered(self) {
        *self.place.line().answered() = Some(Instant::now());
    }
}

impl Line {
    fn answered(&self) -> MutexGuard<'_, Option<Instant>> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn last_in_line(remote: Remote) -> Self {
        let line = Arc::clone(lines().entry(remote.clone()).or_default());
        Self { remote, line: Some(line) }
    }

    fn line(&self) -> &Line {
        self.line.as_ref().expect("it is there until the place is dropped")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lines = lines();
        // Within the lock, so that of two who leave at once the second sees that it is the last.
        self.line = None;
        if lines.get(&self.remote).is_some_and(|line| Arc::strong_count(line) == 1) {
            lines.remove(&self.remote);
        }
    }
}

fn lines() -> MutexGuard<'static, HashMap<Remote, Arc<Line>>> {
    LINES.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// RFC6455-4.1-3, RFC6455-4.1-4.
    #[tokio::test(start_paused = true)]
    async fn one_at_a_time_has_the_turn_and_others_are_not_held_up() {
        let first = Turn::wait(remote("one"), PATIENCE).await.unwrap();
        let mut second = pin!(Turn::wait(remote("one"), PATIENCE));
        assert!(timeout(Duration::from_secs(19), &mut second).await.is_err());
        assert!(Turn::wait(remote("another"), PATIENCE).await.is_some());
        assert!(Turn::wait(Remote::Name("one".into(), 443), PATIENCE).await.is_some());
        drop(first);
        assert!(second.await.is_some());
        assert!(!lines().keys().any(|known| *known == remote("one")), "nobody stands there");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_patient_while_the_remote_answers_and_no_longer() {
        let start = Instant::now();
        for _ in 0..10 {
            tokio::spawn(async {
                let turn = Turn::wait(remote("slow"), PATIENCE).await.unwrap();
                sleep(Duration::from_secs(15)).await;
                turn.answered();
            });
            tokio::task::yield_now().await;
        }
        let last = Turn::wait(remote("slow"), PATIENCE).await;
        assert!(last.is_some());
        assert_eq!(start.elapsed(), Duration::from_secs(150));
        assert!(Turn::wait(remote("slow"), PATIENCE).await.is_none());
        assert_eq!(start.elapsed(), Duration::from_secs(150) + PATIENCE);
    }

    /// Of a line of thousands, each would be woken thousands of times.
    #[tokio::test(start_paused = true)]
    async fn who_waits_is_not_woken_by_each_answer() {
        let first = Turn::wait(remote("long"), PATIENCE).await.unwrap();
        for _ in 0..100 {
            tokio::spawn(async {
                let turn = Turn::wait(remote("long"), PATIENCE).await.unwrap();
                sleep(Duration::from_millis(10)).await;
                turn.answered();
            });
        }
        tokio::task::yield_now().await;
        let mut polls = 0;
        let mut last = pin!(Turn::wait(remote("long"), PATIENCE));
        let last = poll_fn(|cx| {
            polls += 1;
            last.as_mut().poll(cx)
        });
        first.answered();
        assert!(last.await.is_some());
        assert_eq!(polls, 2);
    }

    /// Whoever leaves, waiting or when its turn has come, leaves nothing behind and holds up nobody.
    #[tokio::test]
    async fn who_leaves_the_line_leaves_nothing() {
        let is_known = || lines().contains_key(&remote("left"));
        let first = Turn::take(remote("left")).unwrap();
        assert!(Turn::take(remote("left")).is_none());
        let mut waiting = [(); 3].map(|()| Box::pin(Turn::wait(remote("left"), PATIENCE)));
        for waiting in &mut waiting {
            assert!(timeout(Duration::ZERO, waiting).await.is_err());
        }
        let [second, third, fourth] = waiting;
        drop(third);
        drop(first);
        // Its turn has come, and it has not seen it.
        drop(second);
        assert!(is_known());
        drop(fourth.await.unwrap());
        assert!(!is_known());
    }

    #[test]
    fn an_address_is_one_whatever_its_family() {
        let remote = |address: &str| Remote::from(address.parse::<SocketAddr>().unwrap());
        assert_eq!(remote("127.0.0.1:80"), remote("[::ffff:127.0.0.1]:80"));
        assert_ne!(remote("127.0.0.1:80"), remote("127.0.0.1:81"));
    }
}
