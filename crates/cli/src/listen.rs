use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_net::proto::Deflate;
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::{AcceptOptions, accept};
use tokio::net::{TcpListener, TcpStream};

use crate::Failure;
use crate::args::Listen;

/// How long to leave a system alone that cannot accept: it may be out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(args: Listen) -> Result<(), Failure> {
    let mut options = AcceptOptions::default();
    options.deflate = Some(Deflate::default());
    options.subprotocols = Subprotocols::new(args.protocols)?;
    let listener = TcpListener::bind(&args.address)
        .await
        .map_err(|error| format!("cannot listen at {}: {error}", args.address))?;
    writeln!(io::stdout(), "listening at ws://{}/", listener.local_addr()?)
        .map_err(|error| format!("stdout: {error}"))?;
    tokio::select! {
        () = serve_echo(&listener, &options) => Ok(()),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// Accepts clients for ever, and sends back what each of them sends.
pub(crate) async fn serve_echo(listener: &TcpListener, options: &AcceptOptions) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let options = options.clone();
                tokio::spawn(async move {
                    if let Err(failure) = echo(stream, &options).await {
                        report(peer, &failure);
                    }
                });
            }
            Err(error) => {
                anstream::eprintln!("fdx: no further client can be accepted: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn echo(
    stream: TcpStream,
    options: &AcceptOptions,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut socket = accept(stream, options).await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

fn report(peer: SocketAddr, failure: &dyn std::fmt::Display) {
    anstream::eprintln!("fdx: {peer}: {failure}");
}
