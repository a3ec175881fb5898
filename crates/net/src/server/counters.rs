use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use http::StatusCode;

use crate::socket::delta::CounterDelta;

/// What a server has counted since it began, for a metrics exporter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// TCP connections taken, or requests of an HTTP server, whatever became of them.
    pub accepted: u64,
    /// Connections there are now, those that shake hands among them.
    pub open: u64,
    /// Opening handshakes that succeeded.
    pub opened: u64,
    /// Requests that were refused, or answered with a page, by the status of the response.
    pub refused: BTreeMap<u16, u64>,
    /// Opening handshakes that came to no response: bad TLS, an end before its time, a deadline, a
    /// shutdown.
    pub failed: u64,
    /// Connections that ended, by the close code as [`Closed::code`] has it: 1006 for those that were
    /// lost.
    ///
    /// [`Closed::code`]: crate::proto::Closed::code
    pub closed: BTreeMap<u16, u64>,
    /// Messages received.
    pub messages_received: u64,
    /// Messages sent.
    pub messages_sent: u64,
    /// Bytes received of open connections, as TCP has them, or TLS above it.
    pub bytes_received: u64,
    /// Bytes sent over open connections, likewise.
    pub bytes_sent: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) opened: AtomicU64,
    pub(crate) failed: AtomicU64,
    messages_received: AtomicU64,
    messages_sent: AtomicU64,
    bytes_received: AtomicU64,
    bytes_sent: AtomicU64,
    /// What is counted once for a connection.
    by_code: Mutex<ByCode>,
}

#[derive(Debug, Default)]
struct ByCode {
    refused: BTreeMap<u16, u64>,
    closed: BTreeMap<u16, u64>,
}

impl Counters {
    /// Adds what a connection has moved. The numbers are shared by all threads, so this is done once for
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

    pub(crate) fn read(&self, open: usize) -> Counts {
        let by_code = self.by_code.lock().unwrap_or_else(PoisonError::into_inner);
        Counts {
            accepted: self.accepted.load(Relaxed),
            open: open as u64,
            opened: self.opened.load(Relaxed),
            refused: by_code.refused.clone(),
            failed: self.failed.load(Relaxed),
            closed: by_code.closed.clone(),
            messages_received: self.messages_received.load(Relaxed),
            messages_sent: self.messages_sent.load(Relaxed),
            bytes_received: self.bytes_received.load(Relaxed),
            bytes_sent: self.bytes_sent.load(Relaxed),
        }
    }
}
