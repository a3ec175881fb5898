//! Tests an echo server over HTTP/2 with `yawc`: `client_yawc URL [--ca FILE] [--deflate]`. The trials are those of
//! `crates/lab/src/clients.rs`. The library shows neither the response nor the subprotocol. With
//! compression, version 0.5.0 does not finish the trial of binary messages.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fullduplex_bench::peer::version;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use yawc::close::CloseCode;
use yawc::{Frame, HttpVersion, HttpWebSocket, OpCode, Options, WebSocket};

const SIZES: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 1_048_576];
const EVERY_LENGTH: &str = "grüße, 世界, \u{1f980}, nul \0";
const LARGE: usize = 8_000_000;
const MANY: u32 = 1000;
/// Longer than the timeouts of the proxies.
const SILENCE: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;

/// The server, and how to connect to it.
struct Target {
    url: String,
    tls: Option<TlsConnector>,
    deflate: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = timeout(LIMIT, try_all()).await;
    match outcome.unwrap_or_else(|_| Err(format!("no result within {LIMIT:?}").into())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("failed {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn try_all() -> Outcome {
    println!("peer yawc {}", version("yawc"));
    let target = Target::from_arguments()?;
    let mut socket = target.open().await.map_err(|failure| format!("opening: {failure}"))?;
    passed("text", text(&mut socket).await)?;
    passed("binary", binary(&mut socket).await)?;
    let large = Frame::text("fullduplex".repeat(LARGE / 10));
    passed("large message", check_echo(&mut socket, large).await)?;
    passed("fragments sent", fragments_sent(&mut socket).await)?;
    socket.send(Frame::text("parts 10")).await?;
    passed("fragments received", expect(&mut socket, "12345678910").await)?;
    passed("ping sent", ping_sent(&mut socket).await)?;
    socket.send(Frame::text("ping payload")).await?;
    passed("ping received", expect(&mut socket, "pong payload").await)?;
    passed("burst sent", burst_sent(&mut socket).await)?;
    passed("burst received", burst_received(&mut socket).await)?;
    passed("close sent", close_sent(socket).await)?;
    passed("close received", close_received(&target).await)?;
    passed("silence", silence(&target).await)?;
    passed("end without a Close", end_without_a_close(&target).await)
}

fn passed(trial: &str, outcome: Outcome) -> Outcome {
    outcome.map_err(|failure| format!("{trial}: {failure}"))?;
    println!("ok {trial}");
    Ok(())
}

async fn text(socket: &mut HttpWebSocket) -> Outcome {
    for size in SIZES {
        let text = "abcdefg".repeat(size / 7 + 1)[..size].to_owned();
        check_echo(socket, Frame::text(text)).await?;
    }
    check_echo(socket, Frame::text(EVERY_LENGTH)).await
}

async fn binary(socket: &mut HttpWebSocket) -> Outcome {
    for size in SIZES {
        let bytes: Vec<u8> = (0..251).map(|i| (i * 31 % 251) as u8).cycle().take(size).collect();
        check_echo(socket, Frame::binary(bytes)).await?;
    }
    Ok(())
}

async fn fragments_sent(socket: &mut HttpWebSocket) -> Outcome {
    socket.send(Frame::text("one ").with_fin(false)).await?;
    socket.send(Frame::continuation("").with_fin(false)).await?;
    socket.send(Frame::continuation("message")).await?;
    expect(socket, "one message").await
}

async fn ping_sent(socket: &mut HttpWebSocket) -> Outcome {
    socket.send(Frame::ping("ping payload")).await?;
    loop {
        let frame = next(socket).await?;
        if frame.opcode() == OpCode::Pong {
            return check(frame.payload().as_ref(), b"ping payload");
        }
    }
}

async fn burst_sent(socket: &mut HttpWebSocket) -> Outcome {
    for number in 0..MANY {
        socket.send(Frame::text(format!("message {number}"))).await?;
    }
    for number in 0..MANY {
        expect(socket, &format!("message {number}")).await?;
    }
    Ok(())
}

async fn burst_received(socket: &mut HttpWebSocket) -> Outcome {
    socket.send(Frame::text(format!("burst {MANY}"))).await?;
    for number in 0..MANY {
        expect(socket, &number.to_string()).await?;
    }
    Ok(())
}

async fn close_sent(mut socket: HttpWebSocket) -> Outcome {
    let code = CloseCode::from(4000);
    socket.send(Frame::close(code, "bye")).await?;
    check_close(&receive(&mut socket).await?, code, "bye")
}

async fn close_received(target: &Target) -> Outcome {
    let mut socket = target.open().await?;
    socket.send(Frame::text("close 4001 that is all")).await?;
    check_close(&receive(&mut socket).await?, CloseCode::from(4001), "that is all")
}

async fn silence(target: &Target) -> Outcome {
    let mut socket = target.open().await?;
    if let Ok(frame) = timeout(SILENCE, receive(&mut socket)).await {
        return Err(format!("expected silence, got {:?}", frame?.opcode()).into());
    }
    check_echo(&mut socket, Frame::text("still here")).await?;
    close_sent(socket).await
}

/// Each socket of `yawc` has a connection of its own, so this only shows that the server survives.
async fn end_without_a_close(target: &Target) -> Outcome {
    let mut other = target.open().await?;
    let mut socket = target.open().await?;
    check_echo(&mut socket, Frame::text("hello")).await?;
    drop(socket);
    check_echo(&mut other, Frame::text("still here")).await?;
    close_sent(other).await
}

async fn check_echo(socket: &mut HttpWebSocket, frame: Frame) -> Outcome {
    let (opcode, payload): (OpCode, Bytes) = (frame.opcode(), frame.payload().clone());
    socket.send(frame).await?;
    let echo = receive(socket).await?;
    check(echo.opcode(), opcode)?;
    check(echo.payload(), &payload)
}

async fn expect(socket: &mut HttpWebSocket, text: &str) -> Outcome {
    check(receive(socket).await?.as_str(), text)
}

fn check_close(frame: &Frame, code: CloseCode, reason: &str) -> Outcome {
    check(frame.opcode(), OpCode::Close)?;
    check(frame.close_code(), Some(code))?;
    check(frame.close_reason()?, Some(reason))
}

fn check<T: PartialEq + std::fmt::Debug>(got: T, expected: T) -> Outcome {
    if got == expected {
        return Ok(());
    }
    let [expected, got] = [expected, got].map(|value| format!("{value:?}"));
    Err(format!("expected {expected:.120}, got {got:.120}").into())
}

/// Returns the next frame that is not a Ping or a Pong.
async fn receive(socket: &mut HttpWebSocket) -> Result<Frame, Failure> {
    loop {
        let frame = next(socket).await?;
        if !matches!(frame.opcode(), OpCode::Ping | OpCode::Pong) {
            return Ok(frame);
        }
    }
}

async fn next(socket: &mut HttpWebSocket) -> Result<Frame, Failure> {
    Ok(socket.next().await.ok_or("the connection ended before the next message")?)
}

impl Target {
    fn from_arguments() -> Result<Self, Failure> {
        let mut arguments = std::env::args().skip(1);
        let url = arguments.next().ok_or("usage: client_yawc URL [--ca FILE] [--deflate]")?;
        let mut target = Self { url, tls: None, deflate: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--ca" => target.tls = arguments.next().as_deref().map(connector).transpose()?,
                "--deflate" => target.deflate = true,
                _ => return Err(format!("unknown argument {argument}").into()),
            }
        }
        Ok(target)
    }

    async fn open(&self) -> Result<HttpWebSocket, Failure> {
        let options = Options::default().with_utf8().with_max_payload_read(2 * LARGE);
        let options = if self.deflate { options.with_balanced_compression() } else { options };
        let mut builder = WebSocket::connect(self.url.parse()?).with_options(options);
        if let Some(tls) = &self.tls {
            builder = builder.with_connector(tls.clone());
        }
        Ok(builder.http_version(HttpVersion::Http2).await?)
    }
}

fn connector(root: &str) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let mut config =
        ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}
