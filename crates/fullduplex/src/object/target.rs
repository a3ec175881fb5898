//! The event target of both objects of this crate.
//!
//! The driver of an object posts tasks. One *host* at a time runs them, in order: the driver itself, or
//! an [`EventStream`](crate::object::stream::EventStream). Running a task changes the object and returns
//! the events to fire. No callback of the application runs under the lock.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use crate::object::callback::catch_panic;
use crate::object::listeners::Listeners;
use crate::object::maybe_send::MaybeSend;
use crate::object::wakers::{Host, Wakers};
use crate::rules::event::CloseEvent;

/// The part of an event target that differs between the objects.
pub(crate) trait Object: MaybeSend + Sized + 'static {
    type Event: Clone + MaybeSend;
    type EventType: Copy + PartialEq + MaybeSend;
    type Task;
    /// State that is left after the object's end. It is dropped outside the lock.
    type DropLater: MaybeSend;

    fn event_type(event: &Self::Event) -> Self::EventType;

    /// Returns the close event, if `event` is a close event. No task runs between the close event and the
    /// end.
    fn close_event(event: &Self::Event) -> Option<&CloseEvent>;

    /// Takes the next task that `demand` allows.
    fn next_task(&mut self, demand: MessageDemand) -> Option<Self::Task>;

    /// Applies the task to the object and returns the events to fire.
    fn run(&mut self, task: Self::Task, wakers: &mut Wakers) -> Fired<Self::Event>;

    /// Returns whether many tasks wait for the host, so that the driver should not read from the
    /// network.
    fn is_full(&self) -> bool;

    /// Returns whether a listener for `event_type` keeps an object without handles alive.
    fn can_fire(&self, event_type: Self::EventType) -> bool;

    /// Takes the state that is not needed after the close event.
    fn finish(&mut self, listeners: &mut Callbacks<Self>) -> Self::DropLater;

    /// Closes the object because no handle or listener is left.
    fn close_unobserved(&mut self, wakers: &mut Wakers);
}

/// Whether a host wants the next message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(target_family = "wasm", expect(unreachable_pub, reason = "only `host` shows it"))]
pub enum MessageDemand {
    /// Takes the next task.
    Take,
    /// Takes the next task unless it is a message.
    Leave,
}

/// The events of one task, in order.
#[derive(Debug)]
pub(crate) struct Fired<E> {
    pub(crate) first: Option<E>,
    pub(crate) second: Option<E>,
}

impl<E> Fired<E> {
    fn iter(&self) -> impl Iterator<Item = &E> {
        self.first.iter().chain(&self.second)
    }
}

/// A listener or handler.
pub(crate) type Callback<O> = Arc<Mutex<dyn Listen<O>>>;

pub(crate) trait Listen<O: Object>: FnMut(&Handle<O>, &O::Event) + MaybeSend {}
impl<O: Object, F: FnMut(&Handle<O>, &O::Event) + MaybeSend> Listen<O> for F {}

/// The listeners and handlers of an object.
pub(crate) type Callbacks<O> = Listeners<Callback<O>, <O as Object>::EventType>;

/// An object and its event target, shared by its handles and its driver.
pub(crate) struct Target<O: Object> {
    state: Mutex<State<O>>,
    handles: AtomicUsize,
}

/// A handle of an object. When the last handle is dropped and no listener can be called any more,
/// the object closes (WHATWG WebSockets, "garbage collection").
pub(crate) struct Handle<O: Object>(Arc<Target<O>>);

pub(crate) struct State<O: Object> {
    pub(crate) object: O,
    pub(crate) listeners: Callbacks<O>,
    pub(crate) wakers: Wakers,
    /// The close event, once it has fired.
    pub(crate) closed: Option<CloseEvent>,
    dispatch: Dispatch,
}

/// Events fire one at a time, never during a callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dispatch {
    Idle,
    Running,
}

impl<O: Object> Target<O> {
    pub(crate) fn new(object: O) -> Self {
        let state = State {
            object,
            listeners: Listeners::default(),
            wakers: Wakers::default(),
            closed: None,
            dispatch: Dispatch::Idle,
        };
        Self { state: Mutex::new(state), handles: AtomicUsize::new(0) }
    }

    /// Locks the state. The only code of the application that runs under the lock clones a waker.
    /// Callbacks, messages and listeners are called and dropped outside the lock.
    pub(crate) fn state(&self) -> Locked<'_, O> {
        // Nothing that can panic runs under the lock.
        Locked(Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Locks the state for a call of the application, except for one that adds a listener or a
    /// stream.
    pub(crate) fn claimed(&self) -> Locked<'_, O> {
        self.claim();
        self.state()
    }

    /// Ends the wait for a first listener (FC-01). If there is no host yet, runs the waiting tasks
    /// now. Their events fire without listeners, as in the standard.
    pub(crate) fn claim(&self) {
        let mut state = self.state();
        if state.wakers.host() != Host::Unclaimed {
            return;
        }
        let drop_later = state.run_without_listeners();
        drop(state);
        catch_panic(move || drop(drop_later));
    }

    /// Adds a listener. If there is no host yet, the driver becomes the host.
    pub(crate) fn listen<T>(self: &Arc<Self>, add: impl FnOnce(&mut Callbacks<O>) -> T) -> T {
        let mut state = self.state();
        let added = add(&mut state.listeners);
        if state.wakers.host() == Host::Unclaimed {
            self.give_to_driver(state);
        }
        added
    }

    /// Makes a new stream the host, replacing any other. Returns its number.
    pub(crate) fn add_stream(&self) -> u64 {
        self.state().wakers.add_stream()
    }

    /// Makes the driver the host again, if this stream is the host.
    pub(crate) fn drop_stream(self: &Arc<Self>, stream: u64) {
        let state = self.state();
        if state.wakers.host() == Host::Stream(stream) {
            self.give_to_driver(state);
        }
    }

    fn give_to_driver(self: &Arc<Self>, mut state: Locked<'_, O>) {
        state.wakers.set_host(Host::Driver);
        let driver_is_gone = state.wakers.driver_is_gone();
        drop(state);
        if driver_is_gone {
            self.run_as_driver();
        }
    }

    /// Runs all tasks, if the driver is the host.
    pub(crate) fn run_as_driver(self: &Arc<Self>) {
        while self.run_one(Host::Driver, MessageDemand::Take).is_some() {}
    }

    /// Handles the end of the driver. After this call, the callers that post a task or drop a stream run the
    /// tasks.
    pub(crate) fn driver_gone(self: &Arc<Self>) {
        self.state().wakers.set_driver_gone();
        self.run_as_driver();
    }

    /// Runs the next task: changes the object, then calls the listeners of the events.
    ///
    /// Returns `None` if there is no task, another one is running, or `caller` is not the host.
    pub(crate) fn run_one(
        self: &Arc<Self>,
        caller: Host,
        demand: MessageDemand,
    ) -> Option<Fired<O::Event>> {
        let fired = {
            let mut state = self.state();
            if !state.may_run(caller) {
                return None;
            }
            let fired = state.run_next(demand)?;
            if state.listeners.is_empty() && fired.iter().all(|event| !is_close::<O>(event)) {
                return Some(fired);
            }
            state.dispatch = Dispatch::Running;
            fired
        };
        for event in fired.iter() {
            self.fire(event);
        }
        let mut state = self.state();
        state.dispatch = Dispatch::Idle;
        // Another host may have taken over while this task was running.
        let orphaned = state.wakers.host() != caller && !state.wakers.wake_host();
        let drop_later = fired.iter().find_map(O::close_event).map(|close| state.finish(close));
        drop(state);
        catch_panic(move || drop(drop_later));
        if orphaned {
            self.run_as_driver();
        }
        Some(fired)
    }

    /// Calls the listeners of the event's type, in the order in which they were added.
    fn fire(self: &Arc<Self>, event: &O::Event) {
        let listeners = self.state().listeners.of_type(O::event_type(event));
        if listeners.is_empty() {
            return;
        }
        let handle = &Handle::new(self);
        for listener in listeners {
            let callback = self.state().listeners.take_call(listener);
            let Some(callback) = callback else { continue };
            catch_panic(move || {
                callback.lock().unwrap_or_else(PoisonError::into_inner)(handle, event);
            });
        }
    }

    /// Polls the state. If `look` returns `None`, the task of `cx` is woken when the state changes.
    pub(crate) fn poll_state<T>(
        &self,
        cx: &Context<'_>,
        look: impl FnOnce(&mut State<O>) -> Option<T>,
    ) -> Poll<T> {
        let mut state = self.state();
        match look(&mut state) {
            Some(found) => Poll::Ready(found),
            None => {
                state.wakers.register_waiting(cx);
                Poll::Pending
            }
        }
    }
}

impl<O: Object> Handle<O> {
    pub(crate) fn new(target: &Arc<Target<O>>) -> Self {
        target.handles.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(target))
    }

    pub(crate) fn target(&self) -> &Arc<Target<O>> {
        &self.0
    }
}

impl<O: Object> Deref for Handle<O> {
    type Target = Target<O>;

    fn deref(&self) -> &Target<O> {
        &self.0
    }
}

impl<O: Object> Clone for Handle<O> {
    fn clone(&self) -> Self {
        Self::new(&self.0)
    }
}

impl<O: Object> Drop for Handle<O> {
    fn drop(&mut self) {
        if self.0.handles.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        let mut state = self.0.claimed();
        let State { object, listeners, wakers, .. } = &mut *state;
        if !listeners.types().any(|event_type| object.can_fire(event_type)) {
            object.close_unobserved(wakers);
        }
    }
}

fn is_close<O: Object>(event: &O::Event) -> bool {
    O::close_event(event).is_some()
}

impl<O: Object> State<O> {
    pub(crate) fn may_run(&self, caller: Host) -> bool {
        self.dispatch == Dispatch::Idle && self.wakers.host() == caller
    }

    fn run_next(&mut self, demand: MessageDemand) -> Option<Fired<O::Event>> {
        let was_full = self.object.is_full();
        let task = self.object.next_task(demand)?;
        if was_full {
            self.wakers.wake_driver();
        }
        Some(self.object.run(task, &mut self.wakers))
    }

    /// Runs the tasks that waited for a first listener, and fires their events without listeners. Makes
    /// the driver the host.
    fn run_without_listeners(&mut self) -> Option<O::DropLater> {
        self.wakers.set_host(Host::Driver);
        let mut drop_later = None;
        while let Some(fired) = self.run_next(MessageDemand::Take) {
            if let Some(close) = fired.iter().find_map(O::close_event) {
                drop_later = Some(self.finish(close));
            }
        }
        drop_later
    }

    fn finish(&mut self, close: &CloseEvent) -> O::DropLater {
        self.closed = Some(close.clone());
        self.wakers.wake_all();
        self.object.finish(&mut self.listeners)
    }
}

/// The locked state. Wakers collected while it is locked are woken after the lock is released.
pub(crate) struct Locked<'a, O: Object>(Option<MutexGuard<'a, State<O>>>);

impl<O: Object> Deref for Locked<'_, O> {
    type Target = State<O>;

    fn deref(&self) -> &State<O> {
        self.0.as_ref().expect("only drop takes the guard")
    }
}

impl<O: Object> DerefMut for Locked<'_, O> {
    fn deref_mut(&mut self) -> &mut State<O> {
        self.0.as_mut().expect("only drop takes the guard")
    }
}

impl<O: Object> Drop for Locked<'_, O> {
    fn drop(&mut self) {
        let Some(mut state) = self.0.take() else { return };
        let due = state.wakers.take_due();
        drop(state);
        due.into_iter().for_each(|waker| catch_panic(|| waker.wake()));
    }
}
