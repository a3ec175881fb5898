//! Tests an echo server with `tokio-tungstenite`: `client_tungstenite URL [--ca FILE]`. The trials
//! are those of `crates/lab/src/clients.rs`. The library has no compression.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_bench::peer::version;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

const SIZES: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 1_048_576];
const EVERY_LENGTH: &str = "grüße, 世界, \u{1f980}, nul \0";
const LARGE: usize = 8_000_000;
const MANY: u32 = 1000;
/// Longer than the timeouts of the proxies.
const SILENCE: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);

type Failure = Box<dyn std::error::Error>;
type Outcome = Result<(), Failure>;
type Socket = WebSocketStream<Box<dyn Stream>>;

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// The server's address and the certificates to trust.
struct Target {
    uri: Uri,
    tls: Option<TlsConnector>,
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
    println!("peer tokio-tungstenite {}", version("tokio-tungstenite"));
    let target = Target::from_arguments()?;
    let opening = target.open("/", &["nope", "echo"]).await;
    let (mut socket, response) = opening.map_err(|failure| format!("opening: {failure}"))?;
    passed("subprotocol", subprotocol(&response))?;
    passed("compression", compression(&response))?;
    passed("text", text(&mut socket).await)?;
    passed("binary", binary(&mut socket).await)?;
    passed("large message", large_message(&mut socket).await)?;
    passed("fragments sent", fragments_sent(&mut socket).await)?;
    passed("fragments received", fragments_received(&mut socket).await)?;
    passed("ping sent", ping_sent(&mut socket).await)?;
    passed("ping received", ping_received(&mut socket).await)?;
    passed("burst sent", burst_sent(&mut socket).await)?;
    passed("burst received", burst_received(&mut socket).await)?;
    passed("close sent", close_sent(socket).await)?;
    passed("close sent without a code", close_sent_without_a_code(&target).await)?;
    passed("close received", close_received(&target).await)?;
    passed("silence", silence(&target).await)?;
    passed("rejection", rejection(&target).await)
}

fn passed(trial: &str, outcome: Outcome) -> Outcome {
    outcome.map_err(|failure| format!("{trial}: {failure}"))?;
    println!("ok {trial}");
    Ok(())
}

fn subprotocol(response: &Response) -> Outcome {
    let chosen = response.headers().get("sec-websocket-protocol");
    check(chosen.map(|name| name.as_bytes()), Some(b"echo".as_slice()))
}

fn compression(response: &Response) -> Outcome {
    check(response.headers().get("sec-websocket-extensions"), None)
}

async fn text(socket: &mut Socket) -> Outcome {
    for size in SIZES {
        check_echo(socket, Message::text("abcdefg".repeat(size / 7 + 1)[..size].to_owned()))
            .await?;
    }
    check_echo(socket, Message::text(EVERY_LENGTH)).await
}

async fn binary(socket: &mut Socket) -> Outcome {
    for size in SIZES {
        let bytes: Vec<u8> = (0..251).map(|i| (i * 31 % 251) as u8).cycle().take(size).collect();
        check_echo(socket, Message::binary(bytes)).await?;
    }
    Ok(())
}

async fn large_message(socket: &mut Socket) -> Outcome {
    check_echo(socket, Message::text("fullduplex".repeat(LARGE / 10))).await
}

async fn fragments_sent(socket: &mut Socket) -> Outcome {
    for (piece, opcode, last) in [
        ("one ", Data::Text, false),
        ("", Data::Continue, false),
        ("message", Data::Continue, true),
    ] {
        let frame = Frame::message(piece, OpCode::Data(opcode), last);
        socket.send(Message::Frame(frame)).await?;
    }
    check(receive(socket).await?, Message::text("one message"))
}

async fn fragments_received(socket: &mut Socket) -> Outcome {
    socket.send(Message::text("parts 10")).await?;
    check(receive(socket).await?, Message::text("12345678910"))
}

async fn ping_sent(socket: &mut Socket) -> Outcome {
    socket.send(Message::Ping("ping payload".into())).await?;
    loop {
        match next(socket).await? {
            Message::Ping(_) => {}
            pong => return check(pong, Message::Pong("ping payload".into())),
        }
    }
}

async fn ping_received(socket: &mut Socket) -> Outcome {
    socket.send(Message::text("ping payload")).await?;
    check(receive(socket).await?, Message::text("pong payload"))
}

async fn burst_sent(socket: &mut Socket) -> Outcome {
    let message = |number| Message::text(format!("message {number}"));
    for number in 0..MANY {
        socket.send(message(number)).await?;
    }
    for number in 0..MANY {
        check(receive(socket).await?, message(number))?;
    }
    Ok(())
}

async fn burst_received(socket: &mut Socket) -> Outcome {
    socket.send(Message::text(format!("burst {MANY}"))).await?;
    for number in 0..MANY {
        check(receive(socket).await?, Message::text(number.to_string()))?;
    }
    Ok(())
}

async fn close_sent(mut socket: Socket) -> Outcome {
    let close = CloseFrame { code: 4000.into(), reason: "bye".into() };
    socket.close(Some(close.clone())).await?;
    check_end(socket, Some(close)).await
}

async fn close_sent_without_a_code(target: &Target) -> Outcome {
    let (mut socket, _) = target.open("/", &[]).await?;
    socket.close(None).await?;
    check_end(socket, None).await
}

async fn close_received(target: &Target) -> Outcome {
    let (mut socket, _) = target.open("/", &[]).await?;
    socket.send(Message::text("close 4001 that is all")).await?;
    check_end(socket, Some(CloseFrame { code: 4001.into(), reason: "that is all".into() })).await
}

async fn silence(target: &Target) -> Outcome {
    let (mut socket, _) = target.open("/", &[]).await?;
    if let Ok(message) = timeout(SILENCE, receive(&mut socket)).await {
        return Err(format!("expected silence, got {message:?}").into());
    }
    check_echo(&mut socket, Message::text("still here")).await?;
    close_sent(socket).await
}

async fn rejection(target: &Target) -> Outcome {
    match target.open("/refused", &[]).await.err().map(|failure| failure.downcast::<Error>()) {
        Some(Ok(error)) => match *error {
            Error::Http(response) => check(response.status().as_u16(), 404),
            error => Err(error.into()),
        },
        other => Err(format!("expected a response, got {other:?}").into()),
    }
}

async fn check_echo(socket: &mut Socket, message: Message) -> Outcome {
    socket.send(message.clone()).await?;
    check(receive(socket).await?, message)
}

/// Checks that the other end closes with this frame and sends nothing after it.
async fn check_end(mut socket: Socket, close: Option<CloseFrame>) -> Outcome {
    check(receive(&mut socket).await?, Message::Close(close))?;
    check(socket.next().await.map(|end| end.is_ok()), None)
}

fn check<T: PartialEq + std::fmt::Debug>(got: T, expected: T) -> Outcome {
    if got == expected {
        return Ok(());
    }
    let [expected, got] = [expected, got].map(|value| format!("{value:?}"));
    Err(format!("expected {expected:.120}, got {got:.120}").into())
}

/// Returns the next message that is not a Ping or a Pong.
async fn receive(socket: &mut Socket) -> Result<Message, Failure> {
    loop {
        match next(socket).await? {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return Ok(message),
        }
    }
}

async fn next(socket: &mut Socket) -> Result<Message, Failure> {
    Ok(socket.next().await.ok_or("the connection ended before the next message")??)
}

impl Target {
    fn from_arguments() -> Result<Self, Failure> {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let (uri, ca) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [uri] => (uri, None),
            [uri, "--ca", file] => (uri, Some(file)),
            _ => return Err("usage: client_tungstenite URL [--ca FILE]".into()),
        };
        Ok(Self { uri: uri.parse()?, tls: ca.map(connector).transpose()? })
    }

    async fn open(&self, path: &str, protocols: &[&str]) -> Result<(Socket, Response), Failure> {
        let host = self.uri.host().ok_or("the URL has no host")?.to_owned();
        let tcp = TcpStream::connect((host.as_str(), self.uri.port_u16().unwrap_or(80))).await?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.connect(ServerName::try_from(host)?, tcp).await?),
            None => Box::new(tcp),
        };
        let mut uri = self.uri.clone().into_parts();
        uri.path_and_query = Some(path.parse()?);
        let mut request = ClientRequestBuilder::new(Uri::from_parts(uri)?);
        for protocol in protocols {
            request = request.with_sub_protocol(*protocol);
        }
        Ok(client_async(request, stream).await?)
    }
}

fn connector(root: &str) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root)?)?;
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
