//! The WebSocket protocol (RFC 6455) and permessage-deflate (RFC 7692) without I/O.
//!
//! Bytes, time and randomness are arguments: there is no socket, no clock and no runtime. A [`Connection`]
//! turns bytes into [`Received`] events and [`Message`]s into bytes, for either [`Role`]. [`handshake`]
//! contains the opening handshake, with the types of the `http` crate.
//!
//! Comments cite the requirements of the standards by ids such as `RFC6455-5.1-1`: the RFC, the section,
//! and the number of the requirement in that section.
//!
//! # Example
//!
//! A client sends a message to a server, without a socket:
//!
//! ```
//! use bytes::BytesMut;
//! use fullduplex_proto::{Connection, Received, Limits, Message};
//! use std::{io::IoSlice, time::Duration};
//!
//! let timeout = Duration::from_secs(10);
//! // A real client gets random masking keys from the operating system; see `MaskKeys`.
//! let mut client = Connection::client(Limits::default(), timeout, Box::new(|| [1, 2, 3, 4]));
//! let mut server = Connection::server(Limits::default(), timeout);
//!
//! client.send(Message::from("hello"))?;
//! let mut slices = [IoSlice::new(&[])];
//! let count = client.poll_output(&mut slices);
//! let mut wire = BytesMut::new();
//! slices[..count].iter().for_each(|slice| wire.extend_from_slice(slice));
//! assert_eq!(client.handle_written(wire.len()), "hello".len());
//!
//! let event = server.handle_input(&mut wire)?;
//! assert_eq!(event, Some(Received::Message(Message::from("hello"))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `deflate`, on by default: permessage-deflate. Without it, the handshake neither offers nor accepts
//!   compression.

mod close;
mod close_code;
mod closing;
mod connection;
mod credentials;
mod deadline;
mod decoder;
mod deflate;
mod encoder;
mod frame;
pub mod handshake;
mod heartbeat;
mod incoming;
mod limits;
mod mask;
mod message;
mod message_batch;
mod observer;
mod opcode;
mod outbox;
mod outgoing;
mod part;
mod prepared;
mod role;
#[allow(unsafe_code, reason = "a text is checked once; reading it must not check its bytes again")]
mod text;
mod timeouts;
mod timers;
mod url;
mod utf8;
mod violation;

pub use close::{CloseFrame, CloseFrameError, CloseReason, CloseReasonError};
pub use close_code::{CloseCode, CloseCodeError};
pub use closing::{Closed, ConnectionError};
pub use connection::{Connection, Parked};
pub use credentials::Credentials;
pub use decoder::{Decoder, Received, Reply};
pub use deflate::{
    AgreedDeflate, CompressionLevel, CompressionLevelError, ContextParams, ContextTakeover,
    DeflateConfig, WindowBits, WindowBitsError,
};
pub use encoder::{Encoder, Misuse};
pub use frame::FrameHeader;
pub use incoming::Delivery;
pub use limits::Limits;
pub use mask::{MaskKey, MaskKeys};
pub use message::{Kind, Message};
pub use message_batch::MessageBatch;
pub use observer::{Observed, Observer};
pub use opcode::Opcode;
pub use outbox::SendBuffer;
pub use outgoing::Outgoing;
pub use part::Part;
pub use prepared::Prepared;
pub use role::Role;
pub use text::Text;
pub use timeouts::Timeouts;
pub use url::{Url, UrlError};
pub use violation::Violation;
