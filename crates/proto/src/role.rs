/// Which end of the connection this is.
///
/// The role decides three things only: who masks (RFC6455-5.1-1, RFC6455-5.1-3), whose mistake an
/// unmasked or masked frame is (RFC6455-5.1-2, RFC6455-5.1-4), and who closes TCP first
/// (RFC6455-7.1.1-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that sent the opening request.
    Client,
    /// The end that answered it.
    Server,
}

impl Role {
    /// The other end's role.
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}
