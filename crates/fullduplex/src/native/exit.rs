use fullduplex_proto::{CloseCode, CloseFrame};

use crate::reconnect::ReconnectingWebSocket;

/// The end of the program. A browser closes the sockets of a page that ends by itself.
impl ReconnectingWebSocket {
    /// Closes because the program ends, with code 1001 if the connection is open. No further
    /// attempts are made.
    pub fn disappear(&self) {
        self.target().close_with_frame(Some(CloseFrame::code(CloseCode::GOING_AWAY)));
    }
}
