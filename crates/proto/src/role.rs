/// Which end of the connection this is.
///
/// The role decides only whether this end masks (RFC6455-5.1-1, RFC6455-5.1-3), whether received frames
/// must be masked (RFC6455-5.1-2, RFC6455-5.1-4), and whether this end closes TCP first
/// (RFC6455-7.1.1-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that sent the handshake request.
    Client,
    /// The end that answered the request.
    Server,
}

impl Role {
    /// Returns the other end's role.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
