//! Replaces `tls` if the feature `tls` is off. No value of these types exists, so the compiler removes the
//! code that uses them.

use std::io;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::observer::ConnectObserver;
use crate::tls_error::TlsConfigError;

/// Has no value.
#[derive(Debug, Clone)]
enum Never {}

/// TLS options of a client. They can be created only if the feature `tls` is on.
#[derive(Debug, Clone)]
pub struct Tls(Never);

/// A server's certificates and private key. They can be loaded only if the feature `tls` is on.
#[derive(Debug, Clone)]
pub struct Identity(Never);

/// Performs the TLS handshakes of a server.
#[derive(Debug, Clone)]
pub(crate) struct Acceptor(Never);

#[derive(Debug)]
pub(crate) struct Stream<S>(Never, PhantomData<S>);

impl Tls {
    pub(crate) fn shared_platform() -> Result<Self, TlsConfigError> {
        Err(TlsConfigError::NotBuilt)
    }

    pub(crate) async fn connect<S>(
        &self,
        _stream: S,
        _host: &str,
        _observer: Option<&Arc<dyn ConnectObserver>>,
        _preferred: Option<&[u8]>,
    ) -> io::Result<Stream<S>> {
        match self.0 {}
    }
}

#[cfg(feature = "http2")]
impl Tls {
    pub(crate) fn is_same(&self, _other: &Self) -> bool {
        match self.0 {}
    }
}

impl Identity {
    pub(crate) fn acceptor(&self, _preferred: Option<&[u8]>) -> Acceptor {
        match self.0 {}
    }
}

impl Acceptor {
    pub(crate) async fn accept<S>(&self, _stream: S) -> io::Result<Stream<S>> {
        match self.0 {}
    }
}

pub(crate) fn peer_certificates<S>(stream: &Stream<S>) -> std::iter::Empty<&[u8]> {
    match stream.0 {}
}

pub(crate) fn alpn<S>(stream: &Stream<S>) -> Option<&[u8]> {
    match stream.0 {}
}

pub(crate) fn alert(_error: &io::Error) -> Option<u8> {
    None
}

pub(crate) fn explain(error: &io::Error) -> String {
    error.to_string()
}

impl<S: Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl<S: Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
