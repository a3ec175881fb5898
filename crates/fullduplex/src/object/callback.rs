//! Calls code of the application: handlers, wakers, and the destructors of the values that they own.

use std::cell::Cell;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static RUNNING: Cell<u32> = const { Cell::new(0) };
}

/// Runs code of the application. If it panics, the panic hook reports it and the caller continues
/// (HTML, "report an exception").
pub(crate) fn catch_panic(code: impl FnOnce()) {
    RUNNING.set(RUNNING.get() + 1);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(code)) {
        // FC-10: the destructor of a panic payload may panic. The destructor of that panic's payload
        // may panic too.
        catch_unwind(AssertUnwindSafe(|| drop(payload))).unwrap_or_else(mem::forget);
    }
    RUNNING.set(RUNNING.get() - 1);
}

/// Returns whether this thread is calling code of the application.
#[cfg_attr(target_family = "wasm", expect(dead_code, reason = "a browser cannot block"))]
pub(crate) fn is_running() -> bool {
    RUNNING.get() > 0
}
