use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use fullduplex::WebSocket;
use napi::Env;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::io::Io;

/// Weak: an idle environment may end.
type Call = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

/// The sockets of one environment: of the main thread, or of a worker.
#[napi]
pub struct Environment {
    turns: Arc<Turns>,
    members: Arc<Members>,
}

/// Which sockets have tasks, and how JavaScript hears of it: by one call for all of them.
pub(crate) struct Turns {
    turn: Call,
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    sockets: VecDeque<u32>,
    /// A call is on its way, or JavaScript is taking the sockets.
    called: bool,
}

/// What must end with the environment.
#[derive(Default)]
struct Members {
    sockets: Mutex<HashMap<u32, WebSocket>>,
    io: Mutex<Option<Io>>,
}

/// Wakes JavaScript for one socket.
pub(crate) struct Signal {
    pub(crate) number: u32,
    pub(crate) turns: Arc<Turns>,
}

#[napi]
impl Environment {
    /// `turn` is called when sockets have tasks.
    #[napi(constructor)]
    pub fn new(env: &Env, turn: Function<'_, (), ()>) -> napi::Result<Self> {
        let turn = turn.build_threadsafe_function::<()>().weak::<true>().build()?;
        let turns = Arc::new(Turns { turn, ready: Mutex::default() });
        let members = Arc::<Members>::default();
        env.add_env_cleanup_hook(Arc::clone(&members), |members| members.leave())?;
        Ok(Self { turns, members })
    }

    /// The number of the next socket that has tasks; 0 if there is none.
    #[napi]
    pub fn ready(&self) -> u32 {
        let mut ready = lock(&self.turns.ready);
        let next = ready.sockets.pop_front();
        ready.called = next.is_some();
        next.unwrap_or(0)
    }

    /// Has `turn` called again, because it leaves sockets for later.
    #[napi]
    pub fn call_again(&self) {
        self.turns.call();
    }

    /// Closes all sockets with 1001, gives them the chance to say so, and ends what serves them.
    #[napi]
    pub fn leave(&self) {
        self.members.leave();
    }
}

impl Environment {
    pub(crate) fn signal(&self, number: u32) -> Signal {
        Signal { number, turns: Arc::clone(&self.turns) }
    }

    /// Opens a socket where the environment's sockets are served.
    pub(crate) fn open<E: From<std::io::Error>>(
        &self,
        number: u32,
        open: impl FnOnce() -> Result<WebSocket, E>,
    ) -> Result<WebSocket, E> {
        let mut io = lock(&self.members.io);
        let io = match &mut *io {
            Some(io) => io,
            none => none.insert(Io::start()?),
        };
        let _inside = io.handle().enter();
        let socket = open()?;
        lock(&self.members.sockets).insert(number, socket.clone());
        Ok(socket)
    }

    /// Forgets a socket, which has ended.
    pub(crate) fn forget(&self, number: u32) {
        let socket = lock(&self.members.sockets).remove(&number);
        drop(socket);
    }
}

impl Members {
    fn leave(&self) {
        let sockets: Vec<_> = lock(&self.sockets).drain().collect();
        for (_, socket) in &sockets {
            socket.disappear();
        }
        let io = lock(&self.io).take();
        if let Some(io) = io {
            io.stop();
        }
    }
}

impl Turns {
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
        let mut ready = lock(&self.turns.ready);
        ready.sockets.push_back(self.number);
        let called = std::mem::replace(&mut ready.called, true);
        drop(ready);
        if !called {
            self.turns.call();
        }
    }
}

/// No code that can panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
