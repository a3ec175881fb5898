use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fullduplex_net::{ConnectObserver, ConnectStep};
use http::{HeaderName, HeaderValue};

use super::certificate::Certificate;
use crate::secrets::Secrets;

/// Records the steps of connecting, with one [`Hop`] for each request. A redirect adds a hop.
#[derive(Debug)]
pub(super) struct Trace {
    start: Instant,
    hops: Mutex<Vec<Hop>>,
}

/// The steps of one request, from the name of the host to the response. Contains only the steps that were done.
#[derive(Debug, Clone, Default)]
pub(super) struct Hop {
    pub(super) proxy: Option<String>,
    pub(super) host: Option<String>,
    pub(super) addresses: Vec<Attempt>,
    /// The certificates that the server sent, trusted or not.
    pub(super) certificates: Vec<Certificate>,
    pub(super) tls: Option<TlsDetails>,
    pub(super) request: Option<Head>,
    pub(super) stream: Option<StreamDetails>,
    pub(super) response: Option<Head>,
    pub(super) times: Times,
}

/// When each step was done, since the start.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    pub(super) began: Duration,
    pub(super) resolved: Option<Duration>,
    pub(super) connected: Option<Duration>,
    pub(super) tunnel: Option<Duration>,
    pub(super) secured: Option<Duration>,
    pub(super) answered: Option<Duration>,
}

/// An address, and the result of connecting to it.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) address: SocketAddr,
    pub(super) began: Option<Duration>,
    pub(super) outcome: Option<(Duration, Result<(), String>)>,
}

#[derive(Debug, Clone)]
pub(super) struct TlsDetails {
    pub(super) version: String,
    pub(super) cipher: String,
    /// The protocol that was agreed on by ALPN.
    pub(super) alpn: Option<String>,
}

/// A stream of an HTTP/2 connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamDetails {
    pub(super) id: u32,
    /// How many streams the server allows in the connection.
    pub(super) max_streams: Option<usize>,
}

/// The head of a request or a response.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) first_line: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

impl Trace {
    pub(super) fn begin() -> Self {
        Self { start: Instant::now(), hops: Mutex::default() }
    }

    /// Returns the hops so far. There is at least one.
    pub(super) fn hops(&self) -> Vec<Hop> {
        let hops = self.hops.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if hops.is_empty() { vec![Hop::default()] } else { hops }
    }
}

impl ConnectObserver for Trace {
    fn observe(&self, step: ConnectStep<'_>) {
        let now = self.start.elapsed();
        let mut hops = self.hops.lock().unwrap_or_else(PoisonError::into_inner);
        if hops.last().is_none_or(|hop| hop.response.is_some()) {
            hops.push(Hop { times: Times { began: now, ..Times::default() }, ..Hop::default() });
        }
        if let Some(hop) = hops.last_mut() {
            hop.handle_step(step, now);
        }
    }
}

impl Hop {
    fn handle_step(&mut self, step: ConnectStep<'_>, now: Duration) {
        match step {
            ConnectStep::Proxy { proxy } => self.proxy = Some(proxy.to_owned()),
            ConnectStep::Resolving { host } => {
                self.host = Some(host.to_owned());
                self.times.began = now;
            }
            ConnectStep::Resolved { addresses } => {
                self.addresses =
                    addresses.iter().map(|address| Attempt::pending(*address)).collect();
                self.times.resolved = Some(now);
            }
            ConnectStep::Attempt { address } => self.attempt(address).began = Some(now),
            ConnectStep::Failed { address, error } => {
                self.attempt(address).outcome = Some((now, Err(error.to_string())));
            }
            ConnectStep::Connected { address } => {
                self.attempt(address).outcome = Some((now, Ok(())));
                self.times.connected = Some(now);
            }
            ConnectStep::Tunnel => self.times.tunnel = Some(now),
            ConnectStep::Certificates { chain } => {
                self.certificates = chain.iter().filter_map(|der| Certificate::read(der)).collect();
            }
            ConnectStep::Tls { version, cipher, alpn } => {
                let version = version.replace("TLSv", "TLS ").replace('_', ".");
                let (cipher, alpn) = (cipher.to_owned(), alpn.map(str::to_owned));
                self.tls = Some(TlsDetails { version, cipher, alpn });
                self.times.secured = Some(now);
            }
            ConnectStep::Request(request) => {
                let first_line =
                    format!("{} {} {:?}", request.method(), request.uri(), request.version());
                self.request = Some(Head::new(first_line, request.headers()));
            }
            ConnectStep::Stream { id, max_streams } => {
                self.stream = Some(StreamDetails { id, max_streams });
            }
            ConnectStep::Response(response) => {
                self.response = Some(Head::new(response.status().to_string(), response.headers()));
                self.times.answered = Some(now);
            }
            _ => {}
        }
    }

    fn attempt(&mut self, address: SocketAddr) -> &mut Attempt {
        let at = self.addresses.iter().position(|attempt| attempt.address == address);
        let at = at.unwrap_or_else(|| {
            self.addresses.push(Attempt::pending(address));
            self.addresses.len() - 1
        });
        &mut self.addresses[at]
    }

    /// Returns the phases in order, with the duration of each.
    pub(super) fn phases(&self) -> Vec<(&'static str, Duration)> {
        let times = &self.times;
        let mut last = times.began;
        [
            ("resolve", times.resolved),
            ("TCP", times.connected),
            ("proxy", times.tunnel),
            ("TLS", times.secured),
            ("handshake", times.answered),
        ]
        .into_iter()
        .filter_map(|(name, at)| {
            let took = at?.saturating_sub(last);
            last = at?;
            Some((name, took))
        })
        .collect()
    }

    pub(super) fn phase(&self, name: &str) -> Option<Duration> {
        self.phases().into_iter().find(|(phase, _)| *phase == name).map(|(_, took)| took)
    }
}

impl Attempt {
    fn pending(address: SocketAddr) -> Self {
        Self { address, began: None, outcome: None }
    }
}

impl Head {
    fn new(first_line: String, headers: &http::HeaderMap) -> Self {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        Self { first_line, headers: headers.collect() }
    }

    /// Returns the first line without secrets in the target.
    pub(super) fn shown_first_line(&self, secrets: Secrets) -> String {
        let words: Vec<_> = self.first_line.split(' ').map(|word| secrets.target(word)).collect();
        words.join(" ")
    }

    pub(super) fn header(&self, name: &str) -> Option<&HeaderValue> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value)
    }
}
