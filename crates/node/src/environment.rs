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

/// Weak: an idle environment may end.
pub(crate) type Call = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

thread_local! {
    /// The environments of this JavaScript thread: one for each time that the package was loaded. JavaScript knows them by
    /// number, as it does the sockets: looking a number up costs less than finding out what a JavaScript object stands for.
    pub(crate) static ENVIRONMENTS: RefCell<Slab<Arc<Turns>>> = const { RefCell::new(Slab::new()) };
    /// Serves the sockets of all of them.
    pub(crate) static IO: RefCell<Option<Io>> = const { RefCell::new(None) };
    /// The environments again, for the thread that serves them.
    pub(crate) static CALLERS: Callers = Callers::default();
}

/// The environments of a thread that wait to be called.
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

/// Which sockets have tasks, and how JavaScript hears of it: by one call for all of them.
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
    /// A call is on its way, or JavaScript is taking the sockets.
    called: bool,
}

/// Wakes JavaScript for one socket.
pub(crate) struct Signal {
    pub(crate) number: u32,
    pub(crate) turns: Arc<Turns>,
}

/// The numbers of the sockets that have tasks, as what `collect` returns of them; `null` if there are
/// none.
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

/// This socket has more tasks, or may have.
#[napi]
pub fn later(environment: u32, socket: u32) {
    with(environment, |turns| {
        turns.push(socket);
        turns.call_if_due();
    });
}

/// JavaScript has woken sockets itself, and is called for them.
pub(crate) fn call_if_due(environment: u32) {
    with(environment, |turns| turns.call_if_due());
}

/// Runs `open` where the sockets of this thread are served. Starts that if it is not running.
pub(crate) fn serve<T>(
    environment: u32,
    open: impl FnOnce(&Arc<Turns>, EnterGuard<'_>) -> T,
) -> std::io::Result<T> {
    let turns = with(environment, Arc::clone)
        .ok_or_else(|| std::io::Error::other("there is no such environment"))?;
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

fn with<T>(environment: u32, look: impl FnOnce(&Arc<Turns>) -> T) -> Option<T> {
    ENVIRONMENTS.with_borrow(|all| all.get(environment as usize).map(look))
}

impl Turns {
    /// A socket has tasks. JavaScript hears of it when the others that have some have been served, or
    /// when they have become many.
    fn push(&self, number: u32) {
        let mut ready = lock(&self.ready);
        ready.sockets.push_back(number);
        if ready.sockets.len() >= MANY && !std::mem::replace(&mut ready.called, true) {
            drop(ready);
            self.call();
        }
    }

    /// Calls JavaScript if sockets have tasks, and it does not know yet.
    fn call_if_due(&self) {
        let mut ready = lock(&self.ready);
        if !ready.sockets.is_empty() && !std::mem::replace(&mut ready.called, true) {
            drop(ready);
            self.call();
        }
    }

    fn call(&self) {
        // Nobody is there to be called when the environment is ending.
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

/// So many sockets are not kept waiting for the others.
const MANY: usize = 64;

/// No code that can panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
