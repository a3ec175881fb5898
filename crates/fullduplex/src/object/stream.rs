use std::task::{Context, Poll};

use crate::object::target::{Handle, MessageDemand, Object};
use crate::object::wakers::Host;

/// The events of an object as a stream. While it exists, it is the host of the object's tasks.
pub(crate) struct EventStream<O: Object> {
    handle: Handle<O>,
    number: u64,
    /// The second event of a task that fired two events. It is yielded next.
    second: Option<O::Event>,
    progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Running,
    /// The close event was yielded.
    Ended,
}

impl<O: Object> EventStream<O> {
    pub(crate) fn new(handle: Handle<O>) -> Self {
        let number = handle.add_stream();
        Self { handle, number, second: None, progress: Progress::Running }
    }

    /// Fires the next event that `demand` allows, if there is one now.
    pub(crate) fn try_next(&mut self, demand: MessageDemand) -> Option<O::Event> {
        if self.progress == Progress::Ended {
            return None;
        }
        loop {
            let event = match self.second.take() {
                Some(event) => Some(event),
                None => {
                    let fired = self.handle.target().run_one(self.host(), demand)?;
                    self.second = fired.second;
                    fired.first
                }
            };
            if let Some(event) = event {
                if O::close_event(&event).is_some() {
                    self.progress = Progress::Ended;
                }
                return Some(event);
            }
        }
    }

    /// Polls for the next event. Returns `None` after the close event, and after another stream was
    /// created.
    pub(crate) fn poll_next(
        &mut self,
        cx: &Context<'_>,
        demand: MessageDemand,
    ) -> Poll<Option<O::Event>> {
        if let Some(event) = self.try_next(demand) {
            return Poll::Ready(Some(event));
        }
        if self.progress == Progress::Ended {
            return Poll::Ready(None);
        }
        {
            let mut state = self.handle.state();
            if state.closed.is_some() || state.wakers.host() != self.host() {
                return Poll::Ready(None);
            }
            state.wakers.register_stream(cx);
        }
        // A task may have been posted before the waker was registered.
        self.try_next(demand).map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
    }

    pub(crate) fn handle(&self) -> &Handle<O> {
        &self.handle
    }

    pub(crate) fn host(&self) -> Host {
        Host::Stream(self.number)
    }
}

impl<O: Object> Drop for EventStream<O> {
    fn drop(&mut self) {
        self.handle.target().drop_stream(self.number);
    }
}
