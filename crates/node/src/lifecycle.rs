//! Start and end of an environment.

use std::sync::Arc;
use std::time::Duration;

use fullduplex::WebSocket;
use napi::Env;
use napi::bindgen_prelude::Function;
use napi_derive::napi;

use crate::environment::{CALLERS, ENVIRONMENTS, IO, Turns};
use crate::socket;

/// Creates an environment. `turn` is called when its sockets have tasks.
#[napi]
pub fn enter(env: &Env, turn: Function<'_, (), ()>) -> napi::Result<u32> {
    let turn = turn.build_threadsafe_function::<()>().weak::<true>().build()?;
    let turns = Arc::new(Turns::new(turn));
    CALLERS.with(|callers| callers.add(&turns));
    let number = ENVIRONMENTS.with_borrow_mut(|all| all.insert(turns));
    env.add_env_cleanup_hook(number as u32, end)?;
    Ok(number as u32)
}

/// Closes all sockets of this thread, open ones with 1001, and ends the I/O thread. Blocks until
/// all sent data and closing handshakes are done, or for [`LEAVE_TIMEOUT`] at most.
#[napi]
pub fn leave() {
    let environments: Vec<_> =
        ENVIRONMENTS.with_borrow(|all| all.iter().map(|(number, _)| number as u32).collect());
    stop(environments.into_iter().flat_map(socket::end_all).collect());
}

/// Waits for closing sockets, then ends the I/O thread.
fn stop(sockets: Vec<WebSocket>) {
    if let Some(io) = IO.with_borrow_mut(Option::take) {
        io.stop(closed(sockets));
    }
}

async fn closed(sockets: Vec<WebSocket>) {
    let all = async {
        for socket in sockets {
            socket.closed().await;
        }
    };
    tokio::time::timeout(LEAVE_TIMEOUT, all).await.ok();
}

/// How long an ending environment waits for the servers of its sockets.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// Cleans up when the environment is torn down.
fn end(environment: u32) {
    let sockets = socket::end_all(environment);
    let is_last = ENVIRONMENTS.with_borrow(|all| all.len() <= 1);
    if is_last {
        stop(sockets);
    } else if !sockets.is_empty() {
        IO.with_borrow(|io| io.as_ref().map(|io| io.wait_for(closed(sockets))));
    }
    socket::release_all(environment);
    let ended = ENVIRONMENTS.with_borrow_mut(|all| all.try_remove(environment as usize));
    drop(ended);
}
