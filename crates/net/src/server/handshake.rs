use std::sync::Arc;

use fullduplex_proto::handshake::{
    Answer, Endpoint, Offer, Rejection, ReservedHeaderError, Subprotocol,
    SubprotocolNotOfferedError,
};
use fullduplex_proto::{Connection, Limits, Timeouts};
use http::{HeaderName, HeaderValue, Request, Response};

use crate::server::options::AcceptOptions;

/// A valid opening request, and the answer so far. It does no I/O, so [`Server`](crate::Server) and the
/// upgrade of hyper requests can both use it.
#[derive(Debug)]
pub(crate) struct Handshake {
    offer: Offer,
    answer: Answer,
    limits: Limits,
    timeouts: Arc<Timeouts>,
}

impl Handshake {
    /// Checks a request and its origin, and chooses the answer. The caller has checked [`AcceptOptions::hosts`], which
    /// also applies to requests without an upgrade.
    pub(crate) fn begin<B>(
        request: &Request<B>,
        shared_options: &SharedOptions,
        endpoint: Endpoint,
    ) -> Result<Self, Rejection> {
        let SharedOptions { options, timeouts } = shared_options;
        let offer = Offer::from_request(request)?;
        options.origins.check(request, endpoint)?;
        let mut answer = Answer::choosing(&offer, &options.subprotocols);
        if let Some(deflate) = options.deflate {
            answer = answer.with_deflate(&offer, deflate);
        }
        Ok(Self { offer, answer, limits: options.limits, timeouts: Arc::clone(timeouts) })
    }

    pub(crate) fn offer(&self) -> &Offer {
        &self.offer
    }

    pub(crate) fn choose(&mut self, chosen: Subprotocol) -> Result<(), SubprotocolNotOfferedError> {
        self.answer = std::mem::take(&mut self.answer).with_subprotocol(&self.offer, chosen)?;
        Ok(())
    }

    pub(crate) fn add_header(
        &mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<(), ReservedHeaderError> {
        self.answer = std::mem::take(&mut self.answer).with_header(name, value)?;
        Ok(())
    }

    /// Returns the response that opens the connection.
    pub(crate) fn response(&self) -> Response<()> {
        self.answer.to_response(&self.offer)
    }

    /// Returns the connection that the response opens.
    pub(crate) fn accept(self) -> (Connection, Answer) {
        let close = self.timeouts.close;
        (Connection::server(self.limits, close).with_timeouts(self.timeouts), self.answer)
    }
}

/// The options for each connection, in a form that connections share.
#[derive(Debug, Clone)]
pub(crate) struct SharedOptions {
    pub(crate) options: Arc<AcceptOptions>,
    timeouts: Arc<Timeouts>,
}

impl From<AcceptOptions> for SharedOptions {
    fn from(options: AcceptOptions) -> Self {
        Self { timeouts: options.timeouts.into(), options: options.into() }
    }
}
