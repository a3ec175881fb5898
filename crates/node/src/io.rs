use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task;

/// The I/O thread that serves all sockets of one JavaScript thread.
pub(crate) struct Io {
    handle: Handle,
    stop: oneshot::Sender<task::JoinHandle<()>>,
    thread: JoinHandle<()>,
}

impl Io {
    /// Starts the thread, which calls `idle` whenever it has nothing left to do.
    pub(crate) fn start(idle: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let (started, handle) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<task::JoinHandle<()>>();
        let thread = thread::Builder::new().name("fullduplex".into()).spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().on_thread_park(idle).build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return started.send(Err(error)).unwrap_or_default(),
            };
            started.send(Ok(runtime.handle().clone())).unwrap_or_default();
            if let Ok(last) = runtime.block_on(stopped) {
                runtime.block_on(last).unwrap_or_default();
            }
            // Does not wait for pending name lookups.
            runtime.shutdown_background();
        })?;
        let handle = handle.recv().map_err(std::io::Error::other)??;
        Ok(Self { handle, stop, thread })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs `job` on the I/O thread and blocks until it is done.
    pub(crate) fn wait_for(&self, job: impl Future<Output = ()> + Send + 'static) {
        let (done, wait) = mpsc::channel();
        self.handle.spawn(async move {
            job.await;
            done.send(()).unwrap_or_default();
        });
        wait.recv().unwrap_or_default();
    }

    /// Runs `last`, then ends the I/O thread. Blocks until it has ended.
    pub(crate) fn stop(self, last: impl Future<Output = ()> + Send + 'static) {
        let last = self.handle.spawn(last);
        self.stop.send(last).unwrap_or_default();
        self.thread.join().unwrap_or_default();
    }
}
