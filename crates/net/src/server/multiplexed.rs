use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use http::Request;

use crate::http1::read::{OpeningError, read_some};
use crate::pool::Pool;
use crate::server::deadline::Deadline;
use crate::server::error::AcceptError;
use crate::server::exchange::Respond;
use crate::server::prefixed::Prefixed;
use crate::tls;
use crate::transport::Transport;

/// A protocol whose connections carry several requests, on the same port as HTTP/1.1.
pub(crate) trait Multiplexed: fmt::Debug + Send + Sync {
    /// The name of the protocol in ALPN.
    fn alpn(&self) -> &'static [u8];

    /// The first bytes that each client sends.
    fn preface(&self) -> &'static [u8];

    /// Serves a connection, and calls `on_request` for each request. `deadline` limits the handshake.
    fn serve(
        &self,
        transport: Transport,
        deadline: Deadline,
        pool: Arc<Pool>,
        on_request: OnRequest,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// Starts a session for a request, or refuses it.
pub(crate) type OnRequest = Box<dyn Fn(Request<()>, Box<Respond<Transport>>) + Send + Sync>;

/// What a client speaks.
pub(crate) enum Spoken {
    /// Holds the bytes that were read.
    Http1(Transport, BytesMut),
    Multiplexed(Transport),
}

impl Spoken {
    /// Performs the TLS handshake, if the server uses TLS, and finds out what the client speaks: by ALPN with TLS, and
    /// by the first bytes without TLS.
    pub(crate) async fn detect(
        mut transport: Transport,
        tls: Option<tls::Acceptor>,
        protocol: &dyn Multiplexed,
    ) -> Result<Self, AcceptError> {
        let mut input = BytesMut::new();
        if let Some(tls) = tls {
            let transport = transport.accept_tls(&tls).await.map_err(AcceptError::Tls)?;
            return Ok(match transport.alpn() == Some(protocol.alpn()) {
                true => Self::Multiplexed(transport),
                false => Self::Http1(transport, input),
            });
        }
        let preface = protocol.preface();
        loop {
            let seen = input.len().min(preface.len());
            if input[..seen] != preface[..seen] {
                return Ok(Self::Http1(transport, input));
            }
            if seen == preface.len() {
                return Ok(Self::Multiplexed(Transport::other(Prefixed::new(input, transport))));
            }
            if read_some(&mut transport, &mut input).await.map_err(OpeningError::Io)? == 0 {
                return Err(OpeningError::Ended.into());
            }
        }
    }
}
