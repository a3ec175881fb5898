mod args;

use std::io::{self, Write as _};
use std::time::Duration;

use fullduplex_net::proto::Deflate;
use fullduplex_net::proto::handshake::{Origins, Subprotocols};
use fullduplex_net::{Outcome, Request, Server, ServerOptions};
use tracing::Level;

pub(crate) use self::args::Listen;
use crate::exit::{Failure, usage};

/// How long connections may take to close when the server is interrupted.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Listen) -> Result<(), Failure> {
    let level = if args.verbose { Level::DEBUG } else { Level::WARN };
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let mut options = ServerOptions::default();
    options.accept.deflate = Some(Deflate::default());
    options.accept.subprotocols = Subprotocols::new(args.protocols).map_err(usage)?;
    // It tells a page nothing that the page did not say itself.
    options.accept.origins = Origins::Any;
    options.connections_per_address = options.connections;
    let server = Server::bind(&args.address, options)
        .await
        .map_err(|error| format!("cannot listen at {}: {error}", args.address))?;
    writeln!(io::stdout(), "listening at ws://{}/", server.local_addr()?)
        .map_err(|error| format!("stdout: {error}"))?;
    let connections = server.connections().clone();
    let interrupted = async {
        tokio::signal::ctrl_c().await?;
        connections.shut_down(GRACE).await;
        Ok(())
    };
    tokio::select! {
        () = server.serve(echo) => Ok(()),
        interrupted = interrupted => interrupted,
    }
}

/// Sends back what the client sends.
pub(crate) async fn echo(request: Request) -> Outcome {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
