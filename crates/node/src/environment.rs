use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Wake;

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Unknown};
use napi_derive::napi;
use slab::Slab;
use tokio::runtime::EnterGuard;

use crate::event::{self, Many};
use crate::io::Io;

/// A JavaScript function that other threads can call. The reference is weak, so that an idle
/// environment can exit.
pub(crate) type Call = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

thread_local! {
    /// The environments of this JavaScript thread, one for each time the package was loaded.
    /// JavaScript refers to them, and to sockets, by number: looking up a number is cheaper than
    /// unwrapping a JavaScript object.
    pub(crate) static ENVIRONMENTS: RefCell<Slab<Arc<Turns>>> = const { RefCell::new(Slab::new()) };
    /// The I/O thread of all these environments.
    pub(crate) static IO: RefCell<Option<Io>> = const { RefCell::new(None) };
    /// The same environments, for the I/O thread.
    pub(crate) static CALLERS: Callers = Callers::default();
}

/// The environments of a JavaScript thread, for its I/O thread to call.
#[derive(Clone, Default)]
pub(crate) struct Callers(Arc<Mutex<Vec<Weak<Turns>>>>);

impl Callers {
    pub(crate) fn add(&self, turns: &Arc<Turns>) {
        let mut all = lock(&self.0);
        all.retain(|turns| turns.strong_count() > 0);
        all.push(Arc::downgrade(turns));
    }

    fn call_if_due(&self) {
        let all: Vec<_> = lock(&self.0).iter().filter_map(Weak::upgrade).collect();
        all.iter().for_each(|turns| turns.call_if_due());
    }
}

/// The sockets that have tasks. JavaScript is called once for all of them.
pub(crate) struct Turns {
    turn: Call,
    ready: Mutex<Ready>,
}

impl Turns {
    pub(crate) fn new(turn: Call) -> Self {
        Self { turn, ready: Mutex::default() }
    }
}

#[derive(Default)]
struct Ready {
    sockets: VecDeque<u32>,
    /// Set while a call is pending or JavaScript is taking the sockets.
    called: bool,
}

/// The waker of one socket, which schedules a call into JavaScript.
pub(crate) struct Signal {
    pub(crate) number: u32,
    pub(crate) turns: Arc<Turns>,
}

/// Passes the numbers of the sockets that have tasks to `collect`, and returns its result. Returns
/// `null` if there are none.
#[napi]
pub fn ready<'env>(
    env: &'env Env,
    environment: u32,
    collect: Function<'env, Many<'env>, Unknown<'env>>,
) -> napi::Result<Option<Unknown<'env>>> {
    let sockets = with(environment, |turns| {
        let mut ready = lock(&turns.ready);
        let most = ready.sockets.len().min(MANY);
        ready.called = most > 0;
        ready.sockets.drain(..most).collect::<Vec<_>>()
    });
    match sockets {
        Some(sockets) if !sockets.is_empty() => {
            collect.call(event::numbers(env, sockets.into_iter())?).map(Some)
        }
        _ => Ok(None),
    }
}

/// Schedules another turn for a socket that has, or may have, more tasks.
#[napi]
pub fn later(environment: u32, socket: u32) {
    with(environment, |turns| {
        turns.push(socket);
        turns.call_if_due();
    });
}

/// Calls JavaScript for sockets that JavaScript itself has woken.
pub(crate) fn call_if_due(environment: u32) {
    with(environment, |turns| turns.call_if_due());
}

/// Runs `open` in the runtime of this thread's sockets, which is started if necessary.
pub(crate) fn serve<T>(
    environment: u32,
    open: impl FnOnce(&Arc<Turns>, EnterGuard<'_>) -> T,
) -> std::io::Result<T> {
    let turns = with(environment, Arc::clone).ok_or_else(|| {
        std::io::Error::other("could not open a socket: the environment has ended")
    })?;
    IO.with_borrow_mut(|io| {
        let io = match io {
            Some(io) => io,
            none => {
                let callers = CALLERS.with(Clone::clone);
                none.insert(Io::start(move || callers.call_if_due())?)
            }
        };
        Ok(open(&turns, io.handle().enter()))
    })
}

/// Runs `job` on the I/O thread of this thread's sockets, if it has one.
pub(crate) fn run_on_io(job: impl FnOnce() + Send + 'static) {
    IO.with_borrow(|io| {
        if let Some(io) = io {
            io.handle().spawn(async { job() });
        }
    });
}

fn with<T>(environment: u32, look: impl FnOnce(&Arc<Turns>) -> T) -> Option<T> {
    ENVIRONMENTS.with_borrow(|all| all.get(environment as usize).map(look))
}

impl Turns {
    /// Adds a socket that has tasks. JavaScript is called once the I/O thread is idle, or sooner if
    /// many sockets are waiting.
    fn push(&self, number: u32) {
        let mut ready = lock(&self.ready);
        ready.sockets.push_back(number);
        if ready.sockets.len() >= MANY && !std::mem::replace(&mut ready.called, true) {
            drop(ready);
            self.call();
        }
    }

    /// Calls JavaScript if sockets have tasks and no call is pending.
    fn call_if_due(&self) {
        let mut ready = lock(&self.ready);
        if !ready.sockets.is_empty() && !std::mem::replace(&mut ready.called, true) {
            drop(ready);
            self.call();
        }
    }

    fn call(&self) {
        // The call fails if the environment is ending; nothing needs to be done then.
        let _: napi::Status = self.turn.call((), ThreadsafeFunctionCallMode::NonBlocking);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.turns.push(self.number);
    }
}

/// The number of waiting sockets at which JavaScript is called at once. Also the most that one call
/// of [`ready`] returns.
const MANY: usize = 64;

/// Locks a mutex. Ignores poisoning, because no code that can panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
