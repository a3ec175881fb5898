//! The negotiation of permessage-deflate (RFC 7692 sections 5 and 7.1).

use http::HeaderMap;
use http::header::SEC_WEBSOCKET_EXTENSIONS;

use super::{Extension, Param};
use crate::deflate::{AgreedDeflate, ContextParams, ContextTakeover, DeflateConfig, WindowBits};

/// The name of the extension. This name and the parameters below are registered (RFC6455-9.1-4, RFC6455-9-2).
pub(super) const NAME: &str = "permessage-deflate";
const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// The parameters of an element that offers or accepts the extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Params {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    client_max_window_bits: ClientWindow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum ClientWindow {
    #[default]
    Absent,
    /// The parameter without a value: the client accepts any limit. It is valid only in an offer.
    Any,
    AtMost(WindowBits),
}

impl Params {
    /// Parses the parameters of an element. Returns `None` if one is unknown, repeated or has an invalid value
    /// (RFC7692-7-1, RFC7692-7-2).
    pub(super) fn parse(element: &Extension) -> Option<Self> {
        let mut params = Self::default();
        element.params.iter().try_for_each(|param| params.add(param))?;
        Some(params)
    }

    fn add(&mut self, param: &Param) -> Option<()> {
        let value = param.value.as_deref();
        let repeated = match param.name.as_str() {
            // RFC7692-7.1.1.1-1, RFC7692-7.1.1.2-2: these have no value.
            SERVER_NO_CONTEXT_TAKEOVER if value.is_none() => {
                std::mem::replace(&mut self.server_no_context_takeover, true)
            }
            CLIENT_NO_CONTEXT_TAKEOVER if value.is_none() => {
                std::mem::replace(&mut self.client_no_context_takeover, true)
            }
            // RFC7692-7.1.2.1-1
            SERVER_MAX_WINDOW_BITS => {
                self.server_max_window_bits.replace(window_bits(value?)?).is_some()
            }
            // RFC7692-7.1.2.2-1
            CLIENT_MAX_WINDOW_BITS => {
                let window = match value {
                    Some(value) => ClientWindow::AtMost(window_bits(value)?),
                    None => ClientWindow::Any,
                };
                std::mem::replace(&mut self.client_max_window_bits, window) != ClientWindow::Absent
            }
            _ => return None,
        };
        (!repeated).then_some(())
    }

    /// Returns the offer of a client with the configuration `wanted`.
    pub(super) fn offer(wanted: DeflateConfig) -> Self {
        Self {
            server_no_context_takeover: wanted.server.takeover == ContextTakeover::No,
            client_no_context_takeover: wanted.client.takeover == ContextTakeover::No,
            // RFC7692-5-3
            server_max_window_bits: limit(wanted.server.window_bits),
            client_max_window_bits: match limit(wanted.client.window_bits) {
                Some(bits) => ClientWindow::AtMost(bits),
                None => ClientWindow::Any,
            },
        }
    }

    /// Returns the answer to this offer, from a server with the configuration `wanted`.
    pub(super) fn accept(self, wanted: DeflateConfig) -> Self {
        let server_bits = self.server_max_window_bits.unwrap_or(WindowBits::MAX);
        let server_bits = server_bits.min(wanted.server.window_bits);
        Self {
            // RFC7692-7.1.1.1-2: the server may choose this even if the client did not request it.
            server_no_context_takeover: self.server_no_context_takeover
                || wanted.server.takeover == ContextTakeover::No,
            // RFC7692-7.1.1.2-2: the server accepts this if the client offers it, because it saves memory.
            client_no_context_takeover: self.client_no_context_takeover
                || wanted.client.takeover == ContextTakeover::No,
            // RFC7692-7.1.2.1-2: at most the requested window. The server may also limit it without a request.
            server_max_window_bits: self
                .server_max_window_bits
                .map_or(limit(server_bits), |_| Some(server_bits)),
            client_max_window_bits: match self.client_max_window_bits {
                // RFC7692-7.1.2.2-2
                ClientWindow::Absent => ClientWindow::Absent,
                ClientWindow::Any => limit(wanted.client.window_bits)
                    .map_or(ClientWindow::Absent, ClientWindow::AtMost),
                // RFC7692-7.1.2.2-3
                ClientWindow::AtMost(bits) => {
                    ClientWindow::AtMost(bits.min(wanted.client.window_bits))
                }
            },
        }
    }

    /// Returns whether this is a valid answer to `offer`.
    pub(super) fn answers(self, offer: Self) -> bool {
        // RFC7692-7.1.1.1-1, RFC7692-7.1.2.1-2: the answer repeats what the server accepts.
        let server_takeover = self.server_no_context_takeover || !offer.server_no_context_takeover;
        let server_window = match (offer.server_max_window_bits, self.server_max_window_bits) {
            (None, _) => true,
            (Some(offered), answered) => answered.is_some_and(|bits| bits <= offered),
        };
        let client_window = match (offer.client_max_window_bits, self.client_max_window_bits) {
            (_, ClientWindow::Absent) => true,
            // RFC7692-7.1.2.2-1
            (_, ClientWindow::Any) | (ClientWindow::Absent, _) => false,
            (ClientWindow::Any, ClientWindow::AtMost(_)) => true,
            // RFC7692-7.1.2.2-3
            (ClientWindow::AtMost(offered), ClientWindow::AtMost(bits)) => bits <= offered,
        };
        // RFC7692-7.1.1.2-1: a server can forbid context takeover to any client.
        server_takeover && server_window && client_window
    }

    /// Returns the element with these parameters (RFC7692-5-1).
    pub(super) fn to_extension(self) -> Extension {
        let flag =
            |set: bool, name: &str| set.then(|| Param { name: name.to_owned(), value: None });
        let limit = |name: &str, bits: WindowBits| {
            Some(Param { name: name.to_owned(), value: Some(bits.get().to_string()) })
        };
        let params = [
            flag(self.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER),
            flag(self.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER),
            self.server_max_window_bits.and_then(|bits| limit(SERVER_MAX_WINDOW_BITS, bits)),
            match self.client_max_window_bits {
                ClientWindow::Absent => None,
                ClientWindow::Any => flag(true, CLIENT_MAX_WINDOW_BITS),
                ClientWindow::AtMost(bits) => limit(CLIENT_MAX_WINDOW_BITS, bits),
            },
        ];
        Extension { name: NAME.to_owned(), params: params.into_iter().flatten().collect() }
    }

    /// Returns the parameters that both ends use if this is the server's answer. Parameters that are only in
    /// the offer have no effect (RFC7692-7.2.2-3). The threshold is from `wanted`, our own configuration.
    pub(super) fn agreed(self, wanted: DeflateConfig) -> AgreedDeflate {
        let client_bits = match self.client_max_window_bits {
            ClientWindow::AtMost(bits) => bits,
            ClientWindow::Any | ClientWindow::Absent => WindowBits::MAX,
        };
        AgreedDeflate {
            client: context(self.client_no_context_takeover, client_bits),
            server: context(
                self.server_no_context_takeover,
                self.server_max_window_bits.unwrap_or(WindowBits::MAX),
            ),
            threshold: wanted.threshold,
            level: wanted.level,
        }
    }
}

/// Returns the parameters that a server's response agrees on, without comparing them with the offer. This is for
/// an observer of the connection. Returns `None` if there is no compression, or the header is invalid.
pub fn agreed_deflate(headers: &HeaderMap) -> Option<AgreedDeflate> {
    let extensions = Extension::parse_all(headers.get_all(SEC_WEBSOCKET_EXTENSIONS)).ok()?;
    let element = extensions.iter().find(|element| element.name == NAME)?;
    Some(Params::parse(element)?.agreed(DeflateConfig::default()))
}

fn context(no_takeover: bool, window_bits: WindowBits) -> ContextParams {
    let takeover = if no_takeover { ContextTakeover::No } else { ContextTakeover::Yes };
    ContextParams { window_bits, takeover }
}

/// Returns the window if it is smaller than the default.
fn limit(bits: WindowBits) -> Option<WindowBits> {
    (bits < WindowBits::MAX).then_some(bits)
}

/// Parses a decimal number from 8 to 15 without a leading zero.
fn window_bits(value: &str) -> Option<WindowBits> {
    let plain = value.bytes().all(|byte| byte.is_ascii_digit()) && !value.starts_with('0');
    value.parse().ok().filter(|_| plain).and_then(|bits| WindowBits::new(bits).ok())
}
