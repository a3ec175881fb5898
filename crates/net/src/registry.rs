//! Whom to wake, and when: one timer for all connections of a server.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The tasks of connections, and the alarm that each may have set.
#[derive(Debug)]
pub(crate) struct Registry {
    /// The beginning of [`Tick`]s.
    start: Instant,
    tasks: Mutex<Tasks>,
    /// There is an alarm earlier than all before, or nobody to wake any more.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Tasks {
    wakers: Slab<Waker>,
    alarms: BTreeSet<(Tick, u32)>,
}

/// Milliseconds since the registry was made, and one; smaller than an [`Instant`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(NonZeroU64);

impl Tick {
    fn at(millis: u128) -> Self {
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    fn millis(self) -> u64 {
        self.0.get() - 1
    }
}

impl Registry {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), tasks: Mutex::default(), changed: Notify::new() }
    }

    /// Adds a task, which says by [`Registry::set_waker`] who it is.
    pub(crate) fn add(&self) -> u32 {
        let key = self.tasks().wakers.insert(Waker::noop().clone());
        key.try_into().expect("there are fewer file descriptors")
    }

    /// Removes a task, and its alarm.
    pub(crate) fn remove(&self, key: u32, alarm: Option<Tick>) {
        let mut tasks = self.tasks();
        if let Some(tick) = alarm {
            tasks.alarms.remove(&(tick, key));
        }
        let waker = tasks.wakers.remove(key as usize);
        drop(tasks);
        drop(waker);
    }

    pub(crate) fn set_waker(&self, key: u32, waker: &Waker) {
        let before = std::mem::replace(&mut self.tasks().wakers[key as usize], waker.clone());
        drop(before);
    }

    /// Moves the alarm of a task.
    pub(crate) fn set_alarm(&self, key: u32, before: Option<Tick>, tick: Tick) {
        let mut tasks = self.tasks();
        if let Some(before) = before {
            tasks.alarms.remove(&(before, key));
        }
        tasks.alarms.insert((tick, key));
        let is_first = tasks.alarms.first() == Some(&(tick, key));
        drop(tasks);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// The first tick that is not before `at`.
    pub(crate) fn tick(&self, at: Instant) -> Tick {
        let since = at.saturating_duration_since(self.start);
        Tick::at(since.as_nanos().div_ceil(1_000_000))
    }

    /// The last tick that is not after `now`.
    pub(crate) fn tick_before(&self, now: Instant) -> Tick {
        let since = now.saturating_duration_since(self.start);
        Tick::at(since.as_millis())
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
        while let Some(&(tick, key)) = tasks.alarms.first()
            && tick <= now
        {
            tasks.alarms.pop_first();
            due.push(tasks.wakers[key as usize].clone());
        }
        let next = tasks.alarms.first().map(|(tick, _)| tick.millis());
        drop(tasks);
        due.into_iter().for_each(Waker::wake);
        next.and_then(|millis| self.start.checked_add(Duration::from_millis(millis)))
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
