use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;

use crate::pool::delta::CounterDelta;

/// The counts of a server since it started, for a metrics exporter. Returned by
/// [`Connections::counts`](crate::Connections::counts).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// TCP connections accepted, or requests of an HTTP server, including those that were refused.
    pub accepted: u64,
    /// Connections that occupy a slot now, including those in the opening handshake.
    pub open: u64,
    /// Opening handshakes that succeeded.
    pub opened: u64,
    /// Requests that were answered with an HTTP response other than 101, by its status.
    pub refused: BTreeMap<u16, u64>,
    /// Opening handshakes that ended without a response: TLS failed, the client left, the deadline
    /// passed, or the server was shut down.
    pub failed: u64,
    /// Connections that ended, by the close code of [`Closed::code`]: 1006 for a connection that was
    /// lost.
    ///
    /// [`Closed::code`]: crate::proto::Closed::code
    pub closed: BTreeMap<u16, u64>,
    /// Handlers that were dropped because they ran for longer than
    /// [`ServerOptions::handler_grace`](crate::ServerOptions::handler_grace) after the end of their connection.
    pub handlers_dropped: u64,
    /// Bytes that the connections hold now, as
    /// [`ServerOptions::memory_bytes`](crate::ServerOptions::memory_bytes) counts them.
    pub held_bytes: u64,
    /// Connections that were closed with 1013 because the connections of the server, or those of one address, held
    /// too much memory.
    pub evicted: u64,
    /// Messages that were sent uncompressed because there was no memory for a compression context.
    pub uncompressed: u64,
    /// Messages received.
    pub messages_received: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Bytes received over open connections, after decryption.
    pub bytes_received: u64,
    /// Bytes sent over open connections, before encryption.
    pub bytes_sent: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: AtomicU64,
    opened: AtomicU64,
    failed: AtomicU64,
    handlers_dropped: AtomicU64,
    evicted: AtomicU64,
    uncompressed: AtomicU64,
    messages_received: AtomicU64,
    messages_sent: AtomicU64,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    /// Counts that change once for each connection.
    by_code: Mutex<ByCode>,
}

#[derive(Debug, Default)]
struct ByCode {
    refused: BTreeMap<u16, u64>,
    closed: BTreeMap<u16, u64>,
}

impl Counters {
    pub(crate) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_evicted(&self) {
        self.evicted.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_uncompressed(&self) {
        self.uncompressed.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_handler_dropped(&self) {
        self.handlers_dropped.fetch_add(1, Relaxed);
    }

    /// Adds the counts of a connection. All threads share these counters, so this is called once for
    /// many messages.
    pub(crate) fn add(&self, delta: &CounterDelta) {
        for (counter, count) in [
            (&self.messages_received, delta.messages_received),
            (&self.messages_sent, delta.messages_sent),
            (&self.bytes_received, delta.bytes_received),
            (&self.bytes_sent, delta.bytes_sent),
        ] {
            if count > 0 {
                counter.fetch_add(count.into(), Relaxed);
            }
        }
    }

    pub(crate) fn count_refused(&self, status: StatusCode) {
        let mut by_code = self.by_code.lock().unwrap_or_else(PoisonError::into_inner);
        *by_code.refused.entry(status.as_u16()).or_default() += 1;
    }

    pub(crate) fn count_closed(&self, code: u16) {
        let mut by_code = self.by_code.lock().unwrap_or_else(PoisonError::into_inner);
        *by_code.closed.entry(code).or_default() += 1;
    }

    pub(super) fn read(&self, open: usize, held: usize) -> Counts {
        let by_code = self.by_code.lock().unwrap_or_else(PoisonError::into_inner);
        Counts {
            accepted: self.accepted.load(Relaxed),
            open: open as u64,
            opened: self.opened.load(Relaxed),
            refused: by_code.refused.clone(),
            failed: self.failed.load(Relaxed),
            closed: by_code.closed.clone(),
            handlers_dropped: self.handlers_dropped.load(Relaxed),
            held_bytes: held as u64,
            evicted: self.evicted.load(Relaxed),
            uncompressed: self.uncompressed.load(Relaxed),
            messages_received: self.messages_received.load(Relaxed),
            messages_sent: self.messages_sent.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
        }
    }
}
