//! What `scale` and its server have agreed on.

use std::time::Duration;

/// When the server pings a client. Until then, all connections are open and measured.
pub const PING: Duration = Duration::from_secs(20);

/// The text with which a client asks the server to shut down.
pub const SHUTDOWN: &str = "shutdown";
