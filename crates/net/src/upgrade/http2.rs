use fullduplex_proto::handshake::ConnectProtocol;
use http::Request;

/// Prepares a request that hyper has received over HTTP/2.
pub(super) fn prepare<B>(request: &mut Request<B>) {
    if let Some(protocol) = request.extensions().get::<hyper::ext::Protocol>() {
        let protocol = ConnectProtocol::new(protocol.as_str().to_owned());
        request.extensions_mut().insert(protocol);
    }
}
