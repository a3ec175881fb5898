//! Whom to wake, and when: one timer for all connections of a server.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// How exact alarms are.
const TICK: Duration = Duration::from_millis(50);

/// The tasks of connections, and the alarms that they have set.
///
/// Whoever is woken looks at the clock. So an alarm that was moved is left to ring, even if its key is
/// another task's by then.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The beginning of [`Tick`]s.
    start: Instant,
    tasks: Mutex<Tasks>,
    /// The last tick whose alarms have rung.
    rung: AtomicU64,
    /// There is an alarm earlier than all before.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Tasks {
    wakers: Slab<Waker>,
    alarms: BTreeMap<Tick, Vec<u32>>,
}

/// Ticks since the registry was made, and one; smaller than an [`Instant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(NonZeroU64);

impl Tick {
    fn new(ticks: u128) -> Self {
        Self(NonZeroU64::MIN.saturating_add(ticks.try_into().unwrap_or(u64::MAX)))
    }
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            tasks: Mutex::default(),
            rung: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    /// Adds a task, which says by [`Registry::set_waker`] who it is.
    pub(crate) fn add(&self) -> u32 {
        let key = self.tasks().wakers.insert(Waker::noop().clone());
        key.try_into().expect("there are fewer file descriptors")
    }

    /// Removes a task, and the last alarm that it has set.
    pub(crate) fn remove(&self, key: u32, alarm: Option<Tick>) {
        let mut tasks = self.tasks();
        if let Some(tick) = alarm
            && let Entry::Occupied(mut alarms) = tasks.alarms.entry(tick)
        {
            alarms.get_mut().retain(|other| *other != key);
            if alarms.get().is_empty() {
                alarms.remove();
            }
        }
        let waker = tasks.wakers.remove(key as usize);
        drop(tasks);
        drop(waker);
    }

    pub(crate) fn set_waker(&self, key: u32, waker: &Waker) {
        let before = std::mem::replace(&mut self.tasks().wakers[key as usize], waker.clone());
        drop(before);
    }

    /// Wakes the task when `tick` has come.
    pub(crate) fn set_alarm(&self, key: u32, tick: Tick) {
        let mut tasks = self.tasks();
        tasks.alarms.entry(tick).or_default().push(key);
        let is_first = tasks.alarms.first_key_value().is_some_and(|(first, _)| *first == tick);
        drop(tasks);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Whether the alarms of `tick` have rung: whoever set one looks at the clock then, and need not
    /// before.
    pub(crate) fn has_rung(&self, tick: Tick) -> bool {
        tick.0.get() <= self.rung.load(Ordering::Relaxed)
    }

    /// The first tick that is not before `at`.
    pub(crate) fn tick(&self, at: Instant) -> Tick {
        let since = at.saturating_duration_since(self.start);
        Tick::new(since.as_nanos().div_ceil(TICK.as_nanos()))
    }

    /// The last tick that is not after `now`.
    pub(crate) fn tick_before(&self, now: Instant) -> Tick {
        let since = now.saturating_duration_since(self.start);
        Tick::new(since.as_nanos() / TICK.as_nanos())
    }

    /// When a tick comes, if that is within the reach of the clock.
    fn instant(&self, tick: Tick) -> Option<Instant> {
        let since = TICK.checked_mul(u32::try_from(tick.0.get() - 1).ok()?)?;
        self.start.checked_add(since)
    }

    pub(crate) fn wake_all(&self) {
        let wakers: Vec<Waker> =
            self.tasks().wakers.iter().map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes the tasks whose alarm is due, and returns when the next one is.
    fn wake_due(&self, now: Instant) -> Option<Instant> {
        let now = self.tick_before(now);
        let mut due = Vec::new();
        let mut tasks = self.tasks();
        while let Some(first) = tasks.alarms.first_entry()
            && *first.key() <= now
        {
            let keys = first.remove();
            due.extend(keys.iter().filter_map(|key| tasks.wakers.get(*key as usize).cloned()));
        }
        let next = tasks.alarms.first_key_value().map(|(tick, _)| *tick);
        // Before anybody is woken, which makes it known to him.
        self.rung.store(now.0.get(), Ordering::Relaxed);
        drop(tasks);
        due.into_iter().for_each(Waker::wake);
        next.and_then(|tick| self.instant(tick))
    }

    /// Wakes each task when its alarm is due, for ever.
    pub(crate) async fn run(&self) {
        loop {
            let changed = self.changed.notified();
            match self.wake_due(Instant::now()) {
                Some(at) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// No code of others runs under the lock, so it cannot be poisoned halfway.
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
