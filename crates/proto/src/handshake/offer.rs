use http::header::{
    CONNECTION, CONTENT_LENGTH, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version};

use super::checks::{check_host, check_no_body, check_target, check_version};
use super::deflate::Params;
use super::extended_connect;
use super::key::{Key, Nonce};
use super::syntax::{self, Single};
use super::{Extension, Rejection, Subprotocols};
use crate::deflate::{self, DeflateConfig};
use crate::url::Url;

pub(super) const VERSION: HeaderName = SEC_WEBSOCKET_VERSION;

/// The headers that the handshake sets itself.
const RESERVED: [HeaderName; 9] = [
    UPGRADE,
    CONNECTION,
    CONTENT_LENGTH,
    TRANSFER_ENCODING,
    SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION,
];

/// Returns whether the opening handshake sets this header itself, so that an application cannot add it to a
/// request or a response.
pub fn is_reserved_header(name: &HeaderName) -> bool {
    RESERVED.contains(name)
}

pub(super) fn check_not_reserved(name: &HeaderName) -> Result<(), ReservedHeaderError> {
    if is_reserved_header(name) { Err(ReservedHeaderError(name.clone())) } else { Ok(()) }
}

/// What a client offers in its opening request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub(super) form: Form,
    subprotocols: Subprotocols,
    extensions: Vec<Extension>,
    /// The client's parameters of permessage-deflate, if it offers the extension.
    deflate: Option<DeflateConfig>,
}

/// The two forms of the opening handshake. Everything else in an offer and an answer is the same in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// `GET` with `Upgrade`, over HTTP/1.1 (RFC 6455). The server proves that it has read the key.
    Upgrade(Key),
    /// Extended `CONNECT`, over HTTP/2 (RFC 8441) and HTTP/3 (RFC 9220).
    ExtendedConnect,
}

/// A header cannot be added to a request or a response, because the handshake sets it itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the header `{0}` belongs to the handshake and cannot be set")]
pub struct ReservedHeaderError(pub HeaderName);

impl Offer {
    /// Creates the offer of a client over HTTP/1.1. `nonce` must be random and fresh for each connection
    /// (RFC6455-4.1-18).
    pub fn new(nonce: Nonce, subprotocols: Subprotocols) -> Self {
        Self::with_form(Form::Upgrade(Key::new(nonce)), subprotocols)
    }

    /// Creates the offer of a client over HTTP/2 or HTTP/3. Send it only after the server has sent
    /// `SETTINGS_ENABLE_CONNECT_PROTOCOL` with the value 1 (RFC8441-3-2).
    pub fn extended_connect(subprotocols: Subprotocols) -> Self {
        Self::with_form(Form::ExtendedConnect, subprotocols)
    }

    fn with_form(form: Form, subprotocols: Subprotocols) -> Self {
        Self { form, subprotocols, extensions: Vec::new(), deflate: None }
    }

    /// Offers permessage-deflate too (RFC6455-5.8-1). The offer asks the server to compress with the
    /// parameters `wanted.server`. The server may choose a smaller window for the client than `wanted.client`
    /// has. Has no effect if the feature `deflate` is off.
    pub fn with_deflate(mut self, wanted: DeflateConfig) -> Self {
        if deflate::IS_BUILT {
            self.extensions = vec![Params::offer(wanted).to_extension()];
            self.deflate = Some(wanted);
        }
        self
    }

    /// Returns the offered subprotocols, in order of preference.
    pub fn subprotocols(&self) -> &Subprotocols {
        &self.subprotocols
    }

    /// Returns the offered extensions, in order of preference.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Returns the client's configuration of permessage-deflate, and the parameters that it offers.
    pub(super) fn deflate(&self) -> Option<(DeflateConfig, Params)> {
        self.deflate.map(|wanted| (wanted, Params::offer(wanted)))
    }

    /// Returns the opening request for `url` (RFC 6455 section 4.1, RFC 8441 section 5), with additional
    /// headers. The URL's user and password become the `Authorization` header, unless the additional headers
    /// have one (RFC6455-4.1-22). A `Host` header in `further` replaces the host of the URL.
    ///
    /// An extended CONNECT has an absolute target and a [`ConnectProtocol`](super::ConnectProtocol) in its extensions.
    ///
    /// Send nothing after the request until the response has arrived (RFC6455-4.1-23).
    ///
    /// # Errors
    /// [`ReservedHeaderError`] if the handshake sets one of the additional headers itself, or if the `Host`
    /// of an extended CONNECT is not a host.
    pub fn to_request(
        &self,
        url: &Url,
        further: &HeaderMap,
    ) -> Result<Request<()>, ReservedHeaderError> {
        further.keys().try_for_each(check_not_reserved)?;
        let mut request = match &self.form {
            Form::Upgrade(key) => upgrade_request(url, key),
            Form::ExtendedConnect => extended_connect::request(url, further)?,
        };
        let headers = request.headers_mut();
        // RFC6455-4.1-20, RFC8441-5-5
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if !self.subprotocols.is_empty() {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, ascii(&self.subprotocols.to_header())); // RFC6455-4.1-21
        }
        if !self.extensions.is_empty() {
            let extensions: Vec<_> = self.extensions.iter().map(Extension::to_string).collect();
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, ascii(&extensions.join(", ")));
        }
        headers.extend(further.clone());
        if let Form::ExtendedConnect = self.form {
            headers.remove(HOST);
        }
        url.add_authorization(headers);
        Ok(request)
    }

    /// Parses the offer in a client's opening request (RFC6455-4.2.1-2). Unknown headers are ignored
    /// (RFC6455-4.2.1-4).
    ///
    /// A request over HTTP/2 or HTTP/3 must be an extended CONNECT. The caller puts its `:protocol` into the
    /// extensions of the request, as a [`ConnectProtocol`](super::ConnectProtocol).
    ///
    /// # Errors
    /// The [`Rejection`] to send if the request is not a valid opening request.
    pub fn from_request<B>(request: &Request<B>) -> Result<Self, Rejection> {
        let headers = request.headers();
        let form = match request.version() {
            Version::HTTP_2 | Version::HTTP_3 => {
                extended_connect::check(request)?;
                Form::ExtendedConnect
            }
            _ => Form::Upgrade(upgrade_key(request)?),
        };
        let extensions = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
        let extensions = Extension::parse_all(extensions)
            .map_err(|_| Rejection::bad_request("Sec-WebSocket-Extensions is malformed"))?; // RFC6455-9.1-1
        let subprotocols = offered_subprotocols(headers)?;
        Ok(Self { form, subprotocols, extensions, deflate: None })
    }
}

/// Returns the request for an upgrade, without the headers that both forms have.
fn upgrade_request(url: &Url, key: &Key) -> Request<()> {
    let mut request = Request::new(());
    *request.method_mut() = Method::GET; // RFC6455-4.1-13
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = Uri::from(url.resource_name().clone()); // RFC6455-4.1-14
    let headers = request.headers_mut();
    headers.insert(HOST, ascii(&url.authority())); // RFC6455-4.1-15
    headers.insert(UPGRADE, HeaderValue::from_static("websocket")); // RFC6455-4.1-16
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade")); // RFC6455-4.1-17
    headers.insert(SEC_WEBSOCKET_KEY, ascii(key.as_str())); // RFC6455-4.1-18
    request
}

/// Checks a request for an upgrade, and returns its key.
fn upgrade_key<B>(request: &Request<B>) -> Result<Key, Rejection> {
    let headers = request.headers();
    if request.method() != Method::GET {
        return Err(Rejection::method_not_allowed());
    }
    if request.version() != Version::HTTP_11 {
        return Err(Rejection::bad_request("a WebSocket is opened with HTTP/1.1"));
    }
    check_target(request.uri())?;
    check_no_body(headers)?;
    check_host(headers)?;
    if !syntax::has_element(headers, UPGRADE, "websocket") {
        return Err(Rejection::upgrade_required("this address accepts WebSocket connections only"));
    }
    if !syntax::has_element(headers, CONNECTION, "upgrade") {
        return Err(Rejection::bad_request("the Connection header must contain `Upgrade`"));
    }
    check_version(headers, Rejection::upgrade_required)?;
    let Single::Once(key) = syntax::single(headers, SEC_WEBSOCKET_KEY) else {
        // RFC6455-11.3.1-1
        return Err(Rejection::bad_request("the request must have one Sec-WebSocket-Key header"));
    };
    let key = key.to_str().ok().and_then(|key| Key::parse(syntax::trim(key)));
    key.ok_or_else(|| Rejection::bad_request("Sec-WebSocket-Key must be 16 bytes in base64"))
}

/// RFC6455-11.3.4-1: the header may have several lines in a request.
fn offered_subprotocols(headers: &HeaderMap) -> Result<Subprotocols, Rejection> {
    let mut lines = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
    if lines.any(|line| line.to_str().is_err()) {
        return Err(Rejection::bad_request("Sec-WebSocket-Protocol is not ASCII"));
    }
    let offered = Subprotocols::new(syntax::elements(headers, SEC_WEBSOCKET_PROTOCOL));
    let offered = offered
        .map_err(|error| Rejection::bad_request(format!("Sec-WebSocket-Protocol: {error}")))?;
    // RFC 6455 section 4.3: the list has at least one element.
    if offered.is_empty() && headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Err(Rejection::bad_request("Sec-WebSocket-Protocol names no subprotocol"));
    }
    Ok(offered)
}

/// Creates a header value from ASCII text.
pub(super) fn ascii(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).expect("tokens, base64 and hosts are header values")
}
