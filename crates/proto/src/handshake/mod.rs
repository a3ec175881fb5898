//! The opening handshake (RFC 6455 section 4), with the types of the `http` crate and without I/O. It has two
//! forms: an upgrade over HTTP/1.1, and an extended CONNECT over HTTP/2 and HTTP/3 (RFC 8441, RFC 9220).
//!
//! A client creates an [`Offer`], sends [`Offer::to_request`] and reads the [`Answer`] with
//! [`Answer::from_response`]. A server reads the offer with [`Offer::from_request`], which may return a
//! [`Rejection`]. It then checks [`HostPolicy`] and [`OriginPolicy`], and sends [`Answer::to_response`].
//! [`head`] reads and writes the requests and responses of HTTP/1.1, for use without an HTTP library.

mod answer;
mod checks;
mod deflate;
mod extended_connect;
mod extension;
pub mod head;
mod host;
mod key;
mod offer;
mod origin;
mod rejection;
mod subprotocol;
mod syntax;

pub use answer::{Answer, AnswerError, SubprotocolNotOfferedError};
pub use deflate::agreed_deflate;
pub use extended_connect::ConnectProtocol;
pub use extension::{Extension, Param};
pub use host::{Endpoint, HostName, HostNameError, HostPolicy};
pub use key::Nonce;
pub use offer::{Offer, ReservedHeaderError, is_reserved_header};
pub use origin::{Origin, OriginError, OriginPolicy};
pub use rejection::{Rejection, RejectionStatusError};
pub use subprotocol::{Subprotocol, SubprotocolError, Subprotocols};
