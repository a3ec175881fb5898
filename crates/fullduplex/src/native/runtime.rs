use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle};

use crate::object::callback::catch_panic;

/// Spawns `future` on the caller's runtime. Without one, spawns it on a background thread that serves all
/// sockets of the process.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    let future = CatchUnwind(Some(Box::pin(future)));
    match Handle::try_current() {
        Ok(handle) => handle.spawn(future),
        Err(_) => background().spawn(future),
    };
}

/// A future that catches the panics of another future, such as those of an application's connector (FC-10).
struct CatchUnwind(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for CatchUnwind {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut polled = Poll::Ready(()); // if it panics
        catch_panic(|| {
            if let Some(future) = &mut self.0 {
                polled = future.as_mut().poll(cx);
            }
        });
        if polled.is_ready() {
            let ended = self.0.take();
            catch_panic(|| drop(ended));
        }
        polled
    }
}

impl Drop for CatchUnwind {
    fn drop(&mut self) {
        let ended = self.0.take();
        catch_panic(|| drop(ended));
    }
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
