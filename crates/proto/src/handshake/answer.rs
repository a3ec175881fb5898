use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::deflate::{self, Params};
use super::key::Key;
use super::offer::{Form, ReservedHeaderError, ascii, check_not_reserved};
use super::syntax::{self, Single};
use super::{Extension, Offer, Subprotocol, Subprotocols, extended_connect};
use crate::deflate::{AgreedDeflate, DeflateConfig, IS_BUILT};

/// What a server agrees to in its response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    subprotocol: Option<Subprotocol>,
    deflate: Option<Agreement>,
    /// Additional headers of the response.
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// The element of permessage-deflate in the server's response, and the parameters that it agrees on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Agreement {
    extension: Extension,
    agreed: AgreedDeflate,
}

/// A server can choose only a subprotocol that was offered (RFC6455-4.2.2-6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the subprotocol `{0}` was not offered by the client and cannot be chosen")]
pub struct SubprotocolNotOfferedError(pub Subprotocol);

/// Why a response does not open the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// RFC6455-4.1-24, RFC8441-5-6: the status is not 101, or not 200 to 299 if the request was an extended
    /// CONNECT.
    #[error("the server answered {0}, which opens no WebSocket")]
    Status(StatusCode),
    /// RFC6455-4.1-30: the response does not use HTTP/1.1.
    #[error("the server answered with {0:?} instead of HTTP/1.1")]
    HttpVersion(Version),
    /// RFC6455-4.1-25.
    #[error("the response's Upgrade header is missing, doubled or not `websocket`")]
    Upgrade,
    /// RFC6455-4.1-26.
    #[error("the response's Connection header does not contain `Upgrade`")]
    Connection,
    /// RFC6455-4.1-27: nothing proves that the server supports WebSocket.
    #[error("the response has no Sec-WebSocket-Accept header")]
    AcceptMissing,
    /// RFC6455-11.3.3-1.
    #[error("the response's Sec-WebSocket-Accept header is repeated")]
    AcceptRepeated,
    /// RFC6455-4.1-27: the header does not match the key of the request.
    #[error("the response's Sec-WebSocket-Accept does not match the key of the request")]
    AcceptMismatch,
    /// RFC6455-4.1-28, RFC6455-9-1.
    #[error("the server chose the extension `{0}`, which was not offered")]
    ExtensionNotOffered(String),
    /// RFC7692-5-10: an extension can be agreed on only once.
    #[error("the server chose the extension `{0}` twice")]
    ExtensionRepeated(String),
    /// RFC7692-7-2: a parameter is unknown, or the parameters are not a valid answer to the offer.
    #[error("the server answered `{0}`, which does not match what was offered")]
    DeflateParams(String),
    /// RFC6455-9.1-1.
    #[error("the response's Sec-WebSocket-Extensions header is malformed")]
    ExtensionsMalformed,
    /// RFC6455-4.1-29.
    #[error("the server chose the subprotocol `{0}`, which was not offered")]
    SubprotocolNotOffered(String),
    /// RFC6455-11.3.4-1.
    #[error("the response's Sec-WebSocket-Protocol header is repeated")]
    SubprotocolRepeated,
}

impl Answer {
    /// Creates an answer to `offer` that chooses a subprotocol, or none.
    ///
    /// # Errors
    /// [`SubprotocolNotOfferedError`] if the client did not offer it.
    pub fn new(
        offer: &Offer,
        subprotocol: Option<Subprotocol>,
    ) -> Result<Self, SubprotocolNotOfferedError> {
        match subprotocol {
            Some(chosen) if !offer.subprotocols().contains(chosen.as_str()) => {
                Err(SubprotocolNotOfferedError(chosen))
            }
            subprotocol => Ok(Self { subprotocol, ..Self::default() }),
        }
    }

    /// Replaces the chosen subprotocol.
    ///
    /// # Errors
    /// The errors of [`Answer::new`].
    pub fn with_subprotocol(
        self,
        offer: &Offer,
        chosen: Subprotocol,
    ) -> Result<Self, SubprotocolNotOfferedError> {
        let Self { subprotocol, .. } = Self::new(offer, Some(chosen))?;
        Ok(Self { subprotocol, ..self })
    }

    /// Creates an answer to `offer` that chooses the first offered subprotocol that is in `spoken`.
    pub fn choosing(offer: &Offer, spoken: &Subprotocols) -> Self {
        let mut offered = offer.subprotocols().iter();
        let subprotocol = offered.find(|name| spoken.contains(name.as_str())).cloned();
        Self { subprotocol, ..Self::default() }
    }

    /// Agrees to the first acceptable form of permessage-deflate in `offer`, if there is one (RFC7692-5-2,
    /// RFC7692-5-4). All other forms are declined (RFC7692-7-1, RFC7692-5-9). All other extensions are
    /// declined too, because they may use RSV1 or change frames (RFC7692-5-5, RFC7692-5-7). Declines every
    /// form if the feature `deflate` is off.
    pub fn with_deflate(mut self, offer: &Offer, wanted: DeflateConfig) -> Self {
        let mut elements =
            offer.extensions().iter().filter(|element| IS_BUILT && element.name == deflate::NAME);
        self.deflate = elements.find_map(Params::parse).map(|offered| {
            let params = offered.accept(wanted);
            Agreement { extension: params.to_extension(), agreed: params.agreed(wanted) }
        });
        self
    }

    /// Adds a header to the response, such as a cookie.
    ///
    /// # Errors
    /// [`ReservedHeaderError`] if the handshake sets this header itself.
    pub fn with_header(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, ReservedHeaderError> {
        check_not_reserved(&name)?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// Returns the agreed subprotocol.
    pub fn subprotocol(&self) -> Option<&Subprotocol> {
        self.subprotocol.as_ref()
    }

    /// Returns the agreed parameters of compression, if it is used.
    pub fn deflate(&self) -> Option<AgreedDeflate> {
        self.deflate.as_ref().map(|agreement| agreement.agreed)
    }

    /// Returns the extensions in use, in the format of the server's header. Returns an empty string if there
    /// are none.
    pub fn extensions(&self) -> String {
        self.deflate.as_ref().map(|agreement| agreement.extension.to_string()).unwrap_or_default()
    }

    /// Returns the response that opens the connection (RFC6455-4.2.2-9).
    pub fn to_response(&self, offer: &Offer) -> Response<()> {
        let mut response = match &offer.form {
            Form::Upgrade(key) => upgrade_response(key),
            Form::ExtendedConnect => extended_connect::response(),
        };
        let headers = response.headers_mut();
        // RFC6455-4.2.2-7: without a subprotocol there is no header.
        if let Some(subprotocol) = &self.subprotocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, ascii(subprotocol.as_str()));
        }
        // RFC6455-4.2.2-8
        if self.deflate.is_some() {
            headers.insert(SEC_WEBSOCKET_EXTENSIONS, ascii(&self.extensions()));
        }
        headers.extend(self.headers.iter().cloned());
        response
    }

    /// Parses the server's answer to `offer` in its response (RFC 6455 section 4.1).
    ///
    /// # Errors
    /// [`AnswerError`]: the client must fail the connection.
    pub fn from_response<B>(offer: &Offer, response: &Response<B>) -> Result<Self, AnswerError> {
        let headers = response.headers();
        match &offer.form {
            Form::Upgrade(key) => check_upgraded(response, key)?,
            Form::ExtendedConnect => extended_connect::check_response(response)?,
        }
        let deflate = chosen_deflate(headers, offer)?;
        let subprotocol = chosen_subprotocol(headers, offer)?;
        Ok(Self { subprotocol, deflate, ..Self::default() })
    }
}

/// Returns the response that accepts an upgrade, without the headers that both forms have.
fn upgrade_response(key: &Key) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, ascii(&key.accept()));
    response
}

/// Checks the response to an upgrade, without the headers that both forms have.
fn check_upgraded<B>(response: &Response<B>, key: &Key) -> Result<(), AnswerError> {
    let headers = response.headers();
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(AnswerError::Status(response.status()));
    }
    if response.version() != Version::HTTP_11 {
        return Err(AnswerError::HttpVersion(response.version()));
    }
    // RFC 9112 section 6.3: a 101 ends with its head, so Content-Length and Transfer-Encoding are
    // ignored.
    let is_once = matches!(syntax::single(headers, UPGRADE), Single::Once(_));
    let mut protocols = syntax::elements(headers, UPGRADE).map(str::to_ascii_lowercase);
    if !is_once || protocols.next().as_deref() != Some("websocket") || protocols.next().is_some() {
        return Err(AnswerError::Upgrade);
    }
    if !syntax::has_element(headers, CONNECTION, "upgrade") {
        return Err(AnswerError::Connection);
    }
    check_accept(headers, &key.accept())
}

fn check_accept(headers: &HeaderMap, expected: &str) -> Result<(), AnswerError> {
    match syntax::single(headers, SEC_WEBSOCKET_ACCEPT) {
        Single::Absent => Err(AnswerError::AcceptMissing),
        Single::Repeated => Err(AnswerError::AcceptRepeated),
        Single::Once(value) if value.as_bytes().trim_ascii() == expected.as_bytes() => Ok(()),
        Single::Once(_) => Err(AnswerError::AcceptMismatch),
    }
}

/// Returns the agreement on permessage-deflate, if the server chose it (RFC6455-9-1). No other extension can
/// be offered, so no extension conflicts with it (RFC7692-5-6, RFC7692-5-8).
fn chosen_deflate(headers: &HeaderMap, offer: &Offer) -> Result<Option<Agreement>, AnswerError> {
    let chosen = Extension::parse_all(headers.get_all(SEC_WEBSOCKET_EXTENSIONS))
        .map_err(|_| AnswerError::ExtensionsMalformed)?;
    let mut agreement = None;
    for extension in chosen {
        let (wanted, offered) = match offer.deflate() {
            Some(deflate) if extension.name == deflate::NAME => deflate,
            _ => return Err(AnswerError::ExtensionNotOffered(extension.name)),
        };
        if agreement.is_some() {
            return Err(AnswerError::ExtensionRepeated(extension.name));
        }
        let params = Params::parse(&extension).filter(|params| params.answers(offered));
        let params = params.ok_or_else(|| AnswerError::DeflateParams(extension.to_string()))?;
        let mut agreed = params.agreed(wanted);
        // The client applies its own limits even if the server does not request them.
        agreed.client = agreed.client.narrowed_to(wanted.client);
        agreement = Some(Agreement { extension, agreed });
    }
    Ok(agreement)
}

fn chosen_subprotocol(
    headers: &HeaderMap,
    offer: &Offer,
) -> Result<Option<Subprotocol>, AnswerError> {
    let value = match syntax::single(headers, SEC_WEBSOCKET_PROTOCOL) {
        Single::Absent => return Ok(None),
        Single::Repeated => return Err(AnswerError::SubprotocolRepeated),
        Single::Once(value) => String::from_utf8_lossy(value.as_bytes()),
    };
    let name = syntax::trim(&value);
    let offered = offer.subprotocols().iter().find(|offered| offered.as_str() == name);
    match offered {
        Some(subprotocol) => Ok(Some(subprotocol.clone())),
        None => Err(AnswerError::SubprotocolNotOffered(name.to_owned())),
    }
}
