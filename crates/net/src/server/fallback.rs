use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use fullduplex_proto::handshake::Rejection;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};

/// What a server answers to requests that ask for no WebSocket.
#[derive(Clone)]
pub(crate) struct Fallback(Arc<Find>);

type Find = dyn Fn(&Request<()>) -> Option<Response<Bytes>> + Send + Sync;

impl Fallback {
    pub(crate) fn new(
        find: impl Fn(&Request<()>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(find))
    }

    /// The answer instead of `rejection`, to a request in order that does not ask for any upgrade.
    pub(crate) fn find(
        &self,
        request: &Request<()>,
        rejection: &Rejection,
    ) -> Option<Response<Bytes>> {
        let asks_for_none = rejection.status() == StatusCode::UPGRADE_REQUIRED
            && !request.headers().contains_key(UPGRADE);
        if asks_for_none { (self.0)(request).map(last) } else { None }
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}

/// The same, but it ends the HTTP connection, so that nothing that follows can be taken for another
/// request (fault O2).
fn last(mut response: Response<Bytes>) -> Response<Bytes> {
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
