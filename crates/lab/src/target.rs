//! The servers for the tests of the object, with one interface.

use fullduplex::{Builder, CloseEvent, Tls, WebSocket};
use fullduplex_net::Http;
use fullduplex_net::proto::Timeouts;

use crate::ca::{Authority, Identity, Validity};
use crate::echo;
use crate::peers::{EchoServer, ServerLibrary};

/// An echo server with the commands `close CODE REASON` and `burst N`.
#[derive(Debug)]
pub struct Target {
    url: String,
    tls: Option<Tls>,
    close_answer: CloseAnswer,
    extensions: &'static str,
    http: Http,
    _server: Option<EchoServer>,
}

/// How a server answers our Close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CloseAnswer {
    /// With the code and the reason of our Close, as the RFC recommends.
    Ours,
    /// With 1000 and no reason, as `aiohttp` does.
    Always1000,
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `ws://`
    Plain,
    /// `wss://`, with a certificate of a test authority.
    Tls,
}

impl Target {
    /// Starts a server made with another library.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn foreign(library: ServerLibrary, scheme: Scheme) -> Self {
        let (identity, tls) = credentials(scheme);
        let server = EchoServer::start(library, identity.as_ref());
        let (close_answer, extensions) = match library {
            ServerLibrary::Aiohttp => (CloseAnswer::Always1000, "permessage-deflate"),
            ServerLibrary::Websockets => (
                CloseAnswer::Ours,
                "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
            ),
            ServerLibrary::Ws
            | ServerLibrary::Tornado
            | ServerLibrary::Hypercorn
            | ServerLibrary::HypercornHttp2
            | ServerLibrary::NodeHttp2
            | ServerLibrary::Tomcat => (CloseAnswer::Ours, "permessage-deflate"),
        };
        let url = url(scheme, server.port());
        Self { url, tls, close_answer, extensions, http: Http::One, _server: Some(server) }
    }

    /// Starts our own server.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn ours(scheme: Scheme) -> Self {
        let (identity, tls) = credentials(scheme);
        Self::ours_at(echo::start(identity.as_ref()), Http::One, scheme, tls)
    }

    /// Starts our own server. Its sockets are streams of HTTP/2 connections.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn ours_over_http2(scheme: Scheme) -> Self {
        let (identity, tls) = credentials(scheme);
        let port = echo::start_http2(identity.as_ref(), Timeouts::default());
        Self::ours_at(port, Http::Two, scheme, tls)
    }

    fn ours_at(port: u16, http: Http, scheme: Scheme, tls: Option<Tls>) -> Self {
        let (close_answer, extensions) = (CloseAnswer::Ours, "permessage-deflate");
        Self { url: url(scheme, port), tls, close_answer, extensions, http, _server: None }
    }

    /// Returns the URL of the server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the close event after our Close with this code and reason.
    pub fn close_event(&self, code: u16, reason: &str) -> CloseEvent {
        let (code, reason) = match self.close_answer {
            CloseAnswer::Ours => (code, reason),
            CloseAnswer::Always1000 => (1000, ""),
        };
        CloseEvent { was_clean: true, code, reason: reason.into() }
    }

    /// Returns the extensions that the server accepts of our offer.
    pub fn extensions(&self) -> &'static str {
        self.extensions
    }

    /// Returns a builder for a socket that trusts the authority of the server.
    pub fn socket(&self) -> Builder {
        let builder = WebSocket::builder(&self.url).http(self.http);
        match &self.tls {
            Some(tls) => builder.tls(tls.clone()),
            None => builder,
        }
    }
}

fn credentials(scheme: Scheme) -> (Option<Identity>, Option<Tls>) {
    if scheme == Scheme::Plain {
        return (None, None);
    }
    let authority = Authority::new();
    let tls = Tls::with_extra_roots(authority.root_pem().as_bytes()).expect("the root is valid");
    (Some(authority.issue(&["localhost"], Validity::Now)), Some(tls))
}

fn url(scheme: Scheme, port: u16) -> String {
    match scheme {
        Scheme::Plain => format!("ws://127.0.0.1:{port}/"),
        Scheme::Tls => format!("wss://localhost:{port}/"),
    }
}
