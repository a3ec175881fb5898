use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle};

/// Spawns `future` on the caller's runtime. Without one, spawns it on a background thread that serves all
/// sockets of the process.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    match Handle::try_current() {
        Ok(handle) => handle.spawn(future),
        Err(_) => background().spawn(future),
    };
}

fn background() -> &'static Handle {
    static BACKGROUND: OnceLock<Handle> = OnceLock::new();
    BACKGROUND.get_or_init(|| {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("the system must provide an event queue");
        let handle = runtime.handle().clone();
        std::thread::Builder::new()
            .name("fullduplex".into())
            .spawn(move || runtime.block_on(std::future::pending::<()>()))
            .expect("the system must provide a thread");
        handle
    })
}
