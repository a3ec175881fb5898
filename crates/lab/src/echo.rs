//! Our own echo server, which understands the same commands as those of the real peers.

use std::net::TcpListener;

use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::proto::{CloseCode, CloseFrame, CloseReason, Deflate, Message};
use fullduplex_net::{AcceptOptions, Socket, accept};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

use crate::ca::Identity;

/// Starts a server on a free port of 127.0.0.1, over TLS if it is given an identity, and returns the
/// port. It runs until the process ends.
///
/// Every message comes back, but for the texts `close`, `close CODE REASON` and `burst N`, which it
/// obeys; it speaks the subprotocols `echo`, `chat` and `superchat`.
///
/// # Panics
/// If there is no free port.
pub fn start(identity: Option<&Identity>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let tls = identity.map(Identity::acceptor);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the system has an event queue").block_on(serve(listener, tls));
    });
    port
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>) {
    listener.set_nonblocking(true).expect("a listener can be nonblocking");
    let listener = tokio::net::TcpListener::from_std(listener).expect("there is a runtime");
    while let Ok((stream, _)) = listener.accept().await {
        let tls = tls.clone();
        tokio::spawn(async move {
            stream.set_nodelay(true).ok();
            match tls {
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => echo(stream).await,
                    Err(_) => Ok(()),
                },
                None => echo(stream).await,
            }
        });
    }
}

async fn echo(
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut options = AcceptOptions::default();
    options.deflate = Some(Deflate::default());
    options.subprotocols = Subprotocols::new(["echo", "chat", "superchat"])?;
    let mut socket = accept(stream, &options).await?;
    while let Some(message) = socket.recv().await? {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => "",
        };
        match text.split_once(' ').unwrap_or((text, "")) {
            ("close", arguments) => close(&mut socket, arguments)?,
            ("burst", count) => {
                for number in 0..count.parse::<u32>()? {
                    socket.feed(number.to_string()).await?;
                }
                socket.flush().await?;
            }
            _ => socket.send(message).await?,
        }
    }
    Ok(())
}

fn close<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    arguments: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
    if code.is_empty() {
        socket.start_close(None);
    } else {
        let code = CloseCode::new(code.parse()?)?;
        socket.start_close(Some(&CloseFrame { code, reason: CloseReason::new(reason)? }));
    }
    Ok(())
}
