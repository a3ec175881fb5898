//! The queue between a topic and one subscriber.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use crate::event::{Delivery, Event, Gap};
use crate::feed::GapReason;
use crate::options::SlowPolicy;

/// The number of bytes that are added to the payload of a queued message when the capacity is checked.
const OVERHEAD: usize = 64;

/// The queue of one subscriber.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    capacity: usize,
    policy: SlowPolicy,
}

#[derive(Debug, Default)]
struct State {
    events: VecDeque<Event>,
    /// The bytes of the queued messages.
    bytes: usize,
    /// Messages that arrived after the queued messages and did not fit.
    missed: Option<Missed>,
    /// Whether the queue has ended. It then accepts no more events.
    ended: bool,
    reader: Option<Waker>,
}

#[derive(Debug)]
struct Missed {
    since: Duration,
    messages: u64,
}

impl Queue {
    pub(crate) fn new(capacity: usize, policy: SlowPolicy) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), capacity, policy })
    }

    /// Queues a message. Returns whether it fitted. Adds the reader's waker to `wakers`. The caller
    /// wakes these wakers after it has released its lock.
    pub(crate) fn message(
        &self,
        delivery: Delivery,
        now: Duration,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let mut state = self.lock();
        if state.ended {
            return true; // the subscriber is about to be removed
        }
        let fits = state.bytes < self.capacity;
        if fits {
            if let Some(missed) = state.missed.take() {
                state.events.push_back(missed.event());
            }
            state.bytes += cost(&delivery);
            state.events.push_back(Event::Message(delivery));
        } else {
            let missed = state.missed.get_or_insert(Missed { since: now, messages: 0 });
            missed.messages += 1;
            state.ended = self.policy == SlowPolicy::Close;
        }
        wakers.extend(state.reader.take());
        fits
    }

    /// Queues a gap. A gap always fits, because consecutive gaps are merged.
    pub(crate) fn gap(&self, gap: Gap, wakers: &mut Vec<Waker>) {
        let mut state = self.lock();
        let repeats = state.missed.is_some()
            || matches!(state.events.back(), Some(Event::Gap(last)) if last.reason == gap.reason);
        if !state.ended && !repeats {
            state.events.push_back(Event::Gap(gap));
            wakers.extend(state.reader.take());
        }
    }

    /// Returns the next event, or `None` at the end.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.lock();
        if let Some(event) = state.events.pop_front() {
            if let Event::Message(delivery) = &event {
                state.bytes -= cost(delivery);
            }
            return Poll::Ready(Some(event));
        }
        if let Some(missed) = state.missed.take() {
            return Poll::Ready(Some(missed.event()));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        state.events = VecDeque::new(); // the memory of a burst is given back
        state.reader.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        Poll::Pending
    }

    /// Locks the state. A panic cannot leave it inconsistent, so poisoning is ignored.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Missed {
    fn event(self) -> Event {
        let since = UNIX_EPOCH + self.since;
        Event::Gap(Gap { reason: GapReason::Slow, since, messages: Some(self.messages) })
    }
}

fn cost(delivery: &Delivery) -> usize {
    delivery.message.message().len() + OVERHEAD
}
