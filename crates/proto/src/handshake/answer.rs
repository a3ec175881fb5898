use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Version};

use super::deflate::{self, Params};
use super::offer::{ReservedHeaderError, ascii, check_not_reserved};
use super::syntax::{self, Single};
use super::{Extension, Offer, Subprotocol, Subprotocols};
use crate::deflate::{AgreedDeflate, DeflateConfig};

/// What a server agrees to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    subprotocol: Option<Subprotocol>,
    deflate: Option<Agreement>,
    /// Further headers of the response.
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// permessage-deflate, as the server's answer has it, and what that means.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Agreement {
    extension: Extension,
    agreed: AgreedDeflate,
}

/// A server may only choose what was offered (RFC6455-4.2.2-6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the subprotocol `{0}` was not offered by the client and cannot be chosen")]
pub struct SubprotocolNotOfferedError(pub Subprotocol);

/// Why a response does not open the connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// RFC6455-4.1-24: the server answered, and not with an upgrade.
    #[error("the server answered {0} instead of 101 Switching Protocols")]
    Status(StatusCode),
    /// RFC6455-4.1-30: an upgrade needs HTTP/1.1.
    #[error("the server answered with {0:?} instead of HTTP/1.1")]
    HttpVersion(Version),
    /// RFC6455-4.1-25.
    #[error("the response's Upgrade header is missing, doubled or not `websocket`")]
    Upgrade,
    /// RFC6455-4.1-26.
    #[error("the response's Connection header does not contain `Upgrade`")]
    Connection,
    /// RFC6455-4.1-27: no proof that the server speaks WebSocket.
    #[error("the response has no Sec-WebSocket-Accept header")]
    AcceptMissing,
    /// RFC6455-11.3.3-1.
    #[error("the response's Sec-WebSocket-Accept header is repeated")]
    AcceptRepeated,
    /// RFC6455-4.1-27: the answer to another key.
    #[error("the response's Sec-WebSocket-Accept does not match the key of the request")]
    AcceptMismatch,
    /// RFC6455-4.1-28, RFC6455-9-1.
    #[error("the server chose the extension `{0}`, which was not offered")]
    ExtensionNotOffered(String),
    /// RFC7692-5-10: an extension can be agreed on once.
    #[error("the server chose the extension `{0}` twice")]
    ExtensionRepeated(String),
    /// RFC7692-7-2: parameters that do not exist, or do not answer those of the offer.
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
    /// An answer to `offer` that chooses a subprotocol, or none.
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

    /// The same answer to `offer`, but with this subprotocol.
    ///
    /// # Errors
    /// As [`Answer::new`].
    pub fn with_subprotocol(
        self,
        offer: &Offer,
        chosen: Subprotocol,
    ) -> Result<Self, SubprotocolNotOfferedError> {
        let Self { subprotocol, .. } = Self::new(offer, Some(chosen))?;
        Ok(Self { subprotocol, ..self })
    }

    /// An answer to `offer` that chooses the first subprotocol offered that is among `spoken`.
    pub fn choosing(offer: &Offer, spoken: &Subprotocols) -> Self {
        let mut offered = offer.subprotocols().iter();
        let subprotocol = offered.find(|name| spoken.contains(name.as_str())).cloned();
        Self { subprotocol, ..Self::default() }
    }

    /// Agrees to permessage-deflate as well, if `offer` has it in a form that can be accepted: to the
    /// first such form (RFC7692-5-2, RFC7692-5-4). Others are declined (RFC7692-7-1, RFC7692-5-9), and so
    /// is every other extension, which may want RSV1 or the frames as they are (RFC7692-5-5,
    /// RFC7692-5-7).
    pub fn with_deflate(mut self, offer: &Offer, wanted: DeflateConfig) -> Self {
        let mut elements =
            offer.extensions().iter().filter(|element| element.name == deflate::NAME);
        self.deflate = elements.find_map(Params::parse).map(|offered| {
            let params = offered.accept(wanted);
            Agreement { extension: params.to_extension(), agreed: params.agreed(wanted) }
        });
        self
    }

    /// Adds a further header to the response, such as a cookie.
    ///
    /// # Errors
    /// [`ReservedHeaderError`] if it is the handshake's own.
    pub fn with_header(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, ReservedHeaderError> {
        check_not_reserved(&name)?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// The subprotocol agreed on.
    pub fn subprotocol(&self) -> Option<&Subprotocol> {
        self.subprotocol.as_ref()
    }

    /// What both ends agreed on for compression, if they did.
    pub fn deflate(&self) -> Option<AgreedDeflate> {
        self.deflate.as_ref().map(|agreement| agreement.agreed)
    }

    /// The extensions in use, as the server's header lists them; empty if there are none.
    pub fn extensions(&self) -> String {
        self.deflate.as_ref().map(|agreement| agreement.extension.to_string()).unwrap_or_default()
    }

    /// The response that opens the connection (RFC6455-4.2.2-9).
    pub fn to_response(&self, offer: &Offer) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, ascii(&offer.accept()));
        // RFC6455-4.2.2-7: without agreement there is no header.
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

    /// Reads the server's answer to `offer` from its response (RFC 6455 section 4.1).
    ///
    /// # Errors
    /// [`AnswerError`]: what must fail the connection.
    pub fn from_response<B>(offer: &Offer, response: &Response<B>) -> Result<Self, AnswerError> {
        let headers = response.headers();
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(AnswerError::Status(response.status()));
        }
        if response.version() != Version::HTTP_11 {
            return Err(AnswerError::HttpVersion(response.version()));
        }
        // RFC 9112 section 6.3: a 101 ends with its head, whatever Content-Length and Transfer-Encoding say.
        match syntax::single(headers, UPGRADE) {
            Single::Once(value) if value.as_bytes().eq_ignore_ascii_case(b"websocket") => {}
            _ => return Err(AnswerError::Upgrade),
        }
        if !syntax::has_element(headers, CONNECTION, "upgrade") {
            return Err(AnswerError::Connection);
        }
        check_accept(headers, &offer.accept())?;
        let deflate = chosen_deflate(headers, offer)?;
        let subprotocol = chosen_subprotocol(headers, offer)?;
        Ok(Self { subprotocol, deflate, ..Self::default() })
    }
}

fn check_accept(headers: &HeaderMap, expected: &str) -> Result<(), AnswerError> {
    match syntax::single(headers, SEC_WEBSOCKET_ACCEPT) {
        Single::Absent => Err(AnswerError::AcceptMissing),
        Single::Repeated => Err(AnswerError::AcceptRepeated),
        Single::Once(value) if value.as_bytes().trim_ascii() == expected.as_bytes() => Ok(()),
        Single::Once(_) => Err(AnswerError::AcceptMismatch),
    }
}

/// The only extension that can be offered, if it was chosen (RFC6455-9-1). Another beside it, which may
/// not go together with it, was not offered (RFC7692-5-6, RFC7692-5-8).
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
        // What the client wanted to do without, it does without, whether or not the server needs that.
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
