use bytes::BytesMut;
use fullduplex_proto::handshake::Answer;
use fullduplex_proto::{Connection, Limits, Role, Timeouts};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::random;
use crate::socket::Socket;

/// Options of [`Socket::from_upgraded`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct UpgradedOptions {
    /// The result of the negotiation. Default: no subprotocol and no compression.
    ///
    /// A client gets it from [`Answer::from_response`], a server from [`Answer::choosing`].
    pub answer: Answer,
    /// Bytes that were read after the head of the request or response. Default: none.
    pub read_ahead: BytesMut,
    /// Limits on what the peer sends.
    pub limits: Limits,
    /// Time limits, and the interval of pings.
    pub timeouts: Timeouts,
}

impl UpgradedOptions {
    /// Sets the result of the negotiation.
    pub fn answer(mut self, answer: Answer) -> Self {
        self.answer = answer;
        self
    }

    /// Sets the bytes that were read after the head of the request or response.
    pub fn read_ahead(mut self, bytes: impl Into<BytesMut>) -> Self {
        self.read_ahead = bytes.into();
        self
    }

    /// Sets the limits on what the peer sends.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the time limits, and the interval of pings.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Creates a socket from a stream that another library has upgraded, such as hyper's client or reqwest.
    ///
    /// `role` is the role of this end: a client masks what it sends, a server does not. Nothing is sent or
    /// checked: the caller has done the opening handshake.
    ///
    /// ```
    /// # use fullduplex_net::{Socket, UpgradedOptions, proto::Role};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (client, server) = tokio::io::duplex(1024);
    /// let mut socket = Socket::from_upgraded(client, Role::Client, UpgradedOptions::default());
    /// # let mut server = Socket::from_upgraded(server, Role::Server, UpgradedOptions::default());
    /// socket.send("hello").await?;
    /// # assert_eq!(server.recv().await?, Some("hello".into()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_upgraded(stream: S, role: Role, options: UpgradedOptions) -> Self {
        let UpgradedOptions { answer, read_ahead, limits, timeouts } = options;
        let connection = match role {
            Role::Client => {
                Connection::client(limits, timeouts.close, Box::new(random::mask_keys()))
            }
            Role::Server => Connection::server(limits, timeouts.close),
        };
        let connection = connection.with_timeouts(timeouts);
        Self::new(stream, connection, read_ahead, answer, None)
    }
}
