//! One timer for all connections of a server.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use slab::Slab;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The resolution of alarms.
const TICK: Duration = Duration::from_millis(50);

/// The tasks of connections, and the alarms that they have set.
///
/// A task that is woken checks the clock. So it does no harm if an alarm that is no longer needed fires, even
/// if its key now belongs to another task.
#[derive(Debug)]
pub(crate) struct Timers {
    /// The instant of tick zero.
    start: Instant,
    tasks: Mutex<Tasks>,
    /// The last tick whose alarms have fired.
    fired: AtomicU32,
    /// Notified when an alarm is set that is earlier than all others.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Tasks {
    wakers: Slab<Waker>,
    alarms: BTreeMap<Tick, Vec<u32>>,
}

/// The number of ticks since the start, plus one. It has a quarter of the size of an [`Instant`]. It can
/// represent six years; an alarm after that does not fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(NonZeroU32);

impl Tick {
    fn new(ticks: u128) -> Self {
        Self(NonZeroU32::MIN.saturating_add(ticks.try_into().unwrap_or(u32::MAX)))
    }
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            tasks: Mutex::default(),
            fired: AtomicU32::new(0),
            changed: Notify::new(),
        }
    }

    /// Adds a task and returns its key. [`Timers::set_waker`] sets its waker.
    pub(crate) fn add(&self) -> u32 {
        let key = self.tasks().wakers.insert(Waker::noop().clone());
        key.try_into().expect("there are fewer file descriptors")
    }

    /// Removes a task, and the last alarm that it set.
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

    /// Sets the waker of a task.
    pub(crate) fn set_waker(&self, key: u32, waker: &Waker) {
        // A waker is foreign code: it is cloned and dropped without the lock.
        let waker = waker.clone();
        let before = std::mem::replace(&mut self.tasks().wakers[key as usize], waker);
        drop(before);
    }

    /// Wakes the task at `tick`.
    pub(crate) fn set_alarm(&self, key: u32, tick: Tick) {
        let mut tasks = self.tasks();
        tasks.alarms.entry(tick).or_default().push(key);
        let is_first = tasks.alarms.first_key_value().is_some_and(|(first, _)| *first == tick);
        drop(tasks);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// Returns whether the alarms of `tick` have fired.
    pub(crate) fn has_fired(&self, tick: Tick) -> bool {
        tick.0.get() <= self.fired.load(Ordering::Relaxed)
    }

    /// Returns the first tick that is not before `at`.
    pub(crate) fn tick(&self, at: Instant) -> Tick {
        let since = at.saturating_duration_since(self.start);
        Tick::new(since.as_nanos().div_ceil(TICK.as_nanos()))
    }

    /// Returns the last tick that is not after `now`.
    pub(crate) fn tick_before(&self, now: Instant) -> Tick {
        let since = now.saturating_duration_since(self.start);
        Tick::new(since.as_nanos() / TICK.as_nanos())
    }

    /// Returns the instant of a tick, if the clock can represent it.
    fn instant(&self, tick: Tick) -> Option<Instant> {
        let since = TICK.checked_mul(tick.0.get() - 1)?;
        self.start.checked_add(since)
    }

    /// Wakes one task, unless it was removed.
    pub(crate) fn wake(&self, key: u32) {
        let waker = self.tasks().wakers.get(key as usize).cloned();
        waker.into_iter().for_each(Waker::wake);
    }

    /// Wakes all tasks.
    pub(crate) fn wake_all(&self) {
        let wakers: Vec<Waker> =
            self.tasks().wakers.iter().map(|(_, waker)| waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Wakes the tasks whose alarms are due, and returns the instant of the next alarm.
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
        // The tick is stored before the wakes, so that a woken task sees the new value.
        self.fired.store(now.0.get(), Ordering::Relaxed);
        drop(tasks);
        due.into_iter().for_each(Waker::wake);
        next.and_then(|tick| self.instant(tick))
    }

    /// Wakes each task when its alarm is due. Never returns.
    pub(crate) async fn run(&self) {
        loop {
            let changed = self.changed.notified();
            match self.wake_due(Instant::now()) {
                Some(at) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = sleep_until(at) => {}
                },
                None => changed.await,
            }
        }
    }

    /// Locks the tasks. No foreign code runs under the lock, so poisoning is ignored.
    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
