use fullduplex_proto::{CloseCode, CloseFrame};

use crate::reconnect::ReconnectingWebSocket;

/// The end of the program. A browser needs no such method, because it closes the sockets of a page when the
/// page ends.
impl ReconnectingWebSocket {
    /// Closes the socket because the program ends, with code 1001 if the connection is open. The socket
    /// makes no further attempts.
    pub fn disappear(&self) {
        self.target().close_with_frame(Some(CloseFrame::code(CloseCode::GOING_AWAY)));
    }
}
