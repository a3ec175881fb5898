//! A client and a server connected without sockets, and a clock that the test controls.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use fullduplex_proto::{Closed, Connection, Received, Role};

use super::{connection, drain, read};

/// One end, and the events that it received.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) connection: Connection,
    pub(crate) events: Vec<Received>,
    /// Whether this end has shut down its direction of the transport.
    pub(crate) shutdown: bool,
    input: BytesMut,
}

impl End {
    fn new(role: Role) -> Self {
        let (events, input) = (Vec::new(), BytesMut::new());
        Self { connection: connection(role), events, shutdown: false, input }
    }

    /// Returns how the connection ended for this end.
    pub(crate) fn closed(&self) -> &Closed {
        self.connection.closed().expect("the connection has ended")
    }
}

/// The two ends of one connection.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
}

impl Pair {
    pub(crate) fn new() -> Self {
        Self { client: End::new(Role::Client), server: End::new(Role::Server) }
    }

    pub(crate) fn end(&mut self, role: Role) -> &mut End {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// Transfers bytes and shutdowns in both directions until neither end has output.
    pub(crate) fn shuttle(&mut self) {
        while carry(&mut self.client, &mut self.server) | carry(&mut self.server, &mut self.client)
        {
        }
    }
}

/// Transfers the output of `from` to `to`. Returns whether there was any output.
pub(crate) fn carry(from: &mut End, to: &mut End) -> bool {
    if from.shutdown {
        return false;
    }
    let bytes = drain(&mut from.connection);
    let (events, violation) = read(&mut to.connection, &mut to.input, &bytes);
    assert_eq!(violation, None, "our own ends break no rule");
    to.events.extend(events);
    if from.connection.wants_shutdown() {
        from.connection.handle_shutdown();
        from.shutdown = true;
    }
    from.shutdown |= from.connection.closed().is_some();
    if from.shutdown {
        to.connection.handle_end_of_input();
    }
    !bytes.is_empty() || from.shutdown
}

/// A clock that only the test advances.
#[derive(Debug)]
pub(crate) struct Clock {
    pub(crate) now: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the instant that all others are relative to")]
    pub(crate) fn new() -> Self {
        Self { now: Instant::now() }
    }

    pub(crate) fn advance(&mut self, by: Duration) -> Instant {
        self.now += by;
        self.now
    }
}
