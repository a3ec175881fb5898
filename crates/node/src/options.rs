use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use fullduplex::{
    AfterClose, Builder, ContextParams, ContextTakeover, DeflateConfig, Http, Limits, Origin,
    Ports, Proxies, Proxy, Timeouts, Tls, WindowBits,
};
use napi::Error;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::cookies::Jar;
use crate::error::{bad_option, exception};
use crate::latin1::latin1;

/// The constructor's options, after conversion in JavaScript. Times are in milliseconds.
#[napi(object)]
#[derive(Default)]
pub struct Options {
    /// The subprotocols to offer.
    pub protocols: Vec<String>,
    /// Header names and values, alternating.
    pub headers: Option<Vec<String>>,
    /// The value of the `Origin` header.
    pub origin: Option<String>,
    /// The TLS options.
    pub tls: Option<TlsOptions>,
    /// The version of HTTP: "1", "2" or "auto".
    pub http: Option<String>,
    /// The URL of a proxy, or "env".
    pub proxy: Option<String>,
    /// Whether compression is offered.
    pub deflate: Option<bool>,
    /// The compression parameters to offer.
    pub deflate_options: Option<DeflateOptions>,
    /// The largest message that is accepted, in bytes.
    pub max_payload: Option<f64>,
    /// The largest head of the server's response.
    pub max_header_size: Option<f64>,
    /// The maximum number of headers in the server's response.
    pub max_headers_count: Option<f64>,
    /// How many bytes may wait to be sent.
    pub max_buffered_amount: Option<f64>,
    /// How long the TCP connection may take.
    pub connect_timeout: Option<f64>,
    /// How long the opening handshake may take.
    pub handshake_timeout: Option<f64>,
    /// How long the closing handshake may take.
    pub close_timeout: Option<f64>,
    /// The time from a Pong to the next Ping.
    pub ping_interval: Option<f64>,
    /// How long a Pong may take.
    pub ping_timeout: Option<f64>,
    /// How long the connection may stay without messages.
    pub idle_timeout: Option<f64>,
    /// Whether ports that Fetch blocks are allowed.
    pub any_port: Option<bool>,
    /// Whether messages that arrive after `close()` are delivered.
    pub deliver_after_close: Option<bool>,
    /// Whether the signal had already aborted when the stream was constructed.
    pub abandoned: Option<bool>,
    /// The value of the `Cookie` header, if there is a jar.
    pub cookie: Option<String>,
}

/// TLS options. Certificates and keys are in PEM.
#[napi(object)]
pub struct TlsOptions {
    /// The roots to trust, in place of the platform's.
    pub ca: Option<Uint8Array>,
    /// Further roots to trust, besides the platform's.
    pub extra_ca: Option<Uint8Array>,
    /// The client's certificate.
    pub cert: Option<Uint8Array>,
    /// The key of the client's certificate.
    pub key: Option<Uint8Array>,
    /// The name that the server's certificate must have.
    pub servername: Option<String>,
    /// Whether the server's certificate must be valid.
    pub reject_unauthorized: Option<bool>,
}

/// The parameters of permessage-deflate.
#[napi(object)]
pub struct DeflateOptions {
    /// The window bits of the client's compressor.
    pub client_max_window_bits: Option<u32>,
    /// The window bits of the server's compressor.
    pub server_max_window_bits: Option<u32>,
    /// Whether the client compresses each message on its own.
    pub client_no_context_takeover: Option<bool>,
    /// Whether the server compresses each message on its own.
    pub server_no_context_takeover: Option<bool>,
    /// The smallest message that is compressed.
    pub threshold: Option<f64>,
}

impl Options {
    /// Applies the options to `builder`. The subprotocols come first, because the standard checks
    /// them right after the URL.
    pub(crate) fn apply(
        self,
        builder: Builder,
        jar: Option<Arc<Jar>>,
    ) -> Result<Builder, Error<String>> {
        let timeouts = self.timeouts();
        let after_close = match self.deliver_after_close {
            Some(true) => AfterClose::Deliver,
            _ => AfterClose::Drop, // the default of the WHATWG standard
        };
        let mut builder = builder.protocols(self.protocols).map_err(|error| exception(&error))?;
        builder = builder.after_close(after_close);
        for header in self.headers.unwrap_or_default().chunks_exact(2) {
            builder = builder.header(&header[0], latin1(&header[1])).map_err(bad_option)?;
        }
        if let Some(origin) = self.origin {
            builder = builder.origin(&Origin::parse(&origin).map_err(bad_option)?);
        }
        if let Some(tls) = self.tls {
            builder = builder.tls(tls.build()?);
        }
        builder = builder.http(match self.http.as_deref() {
            Some("2") => Http::Two,
            Some("auto") => Http::Auto,
            _ => Http::One,
        });
        builder = match self.proxy.as_deref() {
            None => builder,
            Some("env") => builder.proxy(Proxies::from_env().map_err(bad_option)?),
            Some(url) => builder.proxy(Proxy::parse(url).map_err(bad_option)?),
        };
        if self.deflate == Some(false) {
            builder = builder.deflate(None);
        } else if let Some(options) = self.deflate_options {
            builder = builder.deflate(options.build()?);
        }
        let mut limits = Limits::default();
        for (limit, given) in [
            (&mut limits.message_bytes, self.max_payload),
            (&mut limits.head_bytes, self.max_header_size),
            (&mut limits.head_headers, self.max_headers_count),
        ] {
            if let Some(given) = given {
                *limit = given as usize;
            }
        }
        builder = builder.limits(limits);
        if let Some(bytes) = self.max_buffered_amount {
            builder = builder.buffer_limit(bytes as u64);
        }
        if let Some(time) = self.connect_timeout {
            builder = builder.connect_timeout(milliseconds(time));
        }
        if let Some(time) = self.handshake_timeout {
            builder = builder.handshake_timeout(milliseconds(time));
        }
        if let Some(timeouts) = timeouts {
            builder = builder.timeouts(timeouts);
        }
        if self.any_port == Some(true) {
            builder = builder.ports(Ports::Any);
        }
        if let Some(jar) = jar {
            builder = builder.cookies(jar);
        }
        Ok(builder)
    }

    fn timeouts(&self) -> Option<Timeouts> {
        let Self { close_timeout, ping_interval, ping_timeout, idle_timeout, .. } = self;
        close_timeout.or(*ping_interval).or(*ping_timeout).or(*idle_timeout)?;
        let mut timeouts = Timeouts::default();
        timeouts.message = None;
        timeouts.ping = ping_interval.map(milliseconds);
        timeouts.idle = idle_timeout.map(milliseconds);
        timeouts.pong = ping_timeout.map_or(timeouts.pong, milliseconds);
        timeouts.close = close_timeout.map_or(timeouts.close, milliseconds);
        Some(timeouts)
    }
}

thread_local! {
    /// The TLS options that were used last, and what was built from them. Reading roots takes
    /// milliseconds, and most programs use the same options for all sockets.
    static LAST_TLS: RefCell<Option<(TlsParts<Vec<u8>>, Tls)>> = const { RefCell::new(None) };
}

/// All members of TLS options as bytes, to compare them.
type TlsParts<B> = [Option<B>; 6];

impl TlsOptions {
    fn build(self) -> Result<Tls, Error<String>> {
        LAST_TLS.with_borrow_mut(|last| {
            if let Some((parts, tls)) = last
                && parts.iter().map(Option::as_deref).eq(self.parts())
            {
                return Ok(tls.clone());
            }
            let parts = self.parts().map(|part| part.map(<[u8]>::to_vec));
            let tls = self.build_uncached()?;
            *last = Some((parts, tls.clone()));
            Ok(tls)
        })
    }

    fn parts(&self) -> TlsParts<&[u8]> {
        [
            self.ca.as_deref(),
            self.extra_ca.as_deref(),
            self.cert.as_deref(),
            self.key.as_deref(),
            self.servername.as_deref().map(str::as_bytes),
            (self.reject_unauthorized == Some(false)).then_some(b"any".as_slice()),
        ]
    }

    fn build_uncached(self) -> Result<Tls, Error<String>> {
        let mut tls = Tls::builder();
        if let Some(ca) = self.ca {
            tls = tls.only_roots(&ca);
        }
        if let Some(extra) = self.extra_ca {
            tls = tls.extra_roots(&extra);
        }
        match (self.cert, self.key) {
            (Some(cert), Some(key)) => tls = tls.client_certificate(&cert, &key),
            (None, None) => {}
            _ => return Err(bad_option("`tls.cert` and `tls.key` must be given together")),
        }
        if let Some(name) = self.servername {
            tls = tls.server_name(&name);
        }
        if self.reject_unauthorized == Some(false) {
            tls = tls.danger_accept_any_certificate();
        }
        tls.build().map_err(bad_option)
    }
}

impl DeflateOptions {
    fn build(self) -> Result<DeflateConfig, Error<String>> {
        let context = |bits: Option<u32>, alone: Option<bool>| -> Result<_, Error<String>> {
            let mut context = ContextParams::default();
            if let Some(bits) = bits {
                let bits = u8::try_from(bits).unwrap_or(u8::MAX);
                context.window_bits = WindowBits::new(bits).map_err(bad_option)?;
            }
            if alone == Some(true) {
                context.takeover = ContextTakeover::No;
            }
            Ok(context)
        };
        let mut deflate = DeflateConfig::default();
        deflate.client = context(self.client_max_window_bits, self.client_no_context_takeover)?;
        deflate.server = context(self.server_max_window_bits, self.server_no_context_takeover)?;
        if let Some(threshold) = self.threshold {
            deflate.threshold = threshold as usize;
        }
        Ok(deflate)
    }
}

fn milliseconds(time: f64) -> Duration {
    Duration::from_secs_f64(time.clamp(0.0, MAX_MILLISECONDS) / 1000.0)
}

/// About 30,000 years; longer times are clamped to it.
const MAX_MILLISECONDS: f64 = 1e15;
