mod address;
mod args;
mod certificate;
mod host;
mod page;
mod room;
mod screen;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_net::proto::DeflateConfig;
use fullduplex_net::proto::handshake::{OriginPolicy, Subprotocols};
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions};
use tracing::Level;

use self::address::Address;
pub(crate) use self::args::Listen;
use self::certificate::{Certificate, certificate};
use self::host::{Guests, Host, Mode};
use self::screen::Screen;
use crate::exit::{Failure, usage};

/// How long connections may take to close when the server is interrupted.
const GRACE: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Listen) -> Result<(), Failure> {
    let level = if args.verbose { Level::DEBUG } else { Level::WARN };
    tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr).init();
    let host = Arc::new(host(&args));
    let certificate = certificate(&args.tls, args.address.host())?;
    let server = args.address.bind(options(&args)?).await.map_err(|error| {
        let hint = match (&args.address, error.kind()) {
            (Address::Unix(_), io::ErrorKind::AddrInUse) => "; remove the file if nobody uses it",
            _ => "",
        };
        format!("cannot listen at {}: {error}{hint}", args.address)
    })?;
    // From here on it is ours to remove.
    let _socket_file = SocketFile(&args.address);
    announce(&host, &args, &server, certificate.as_ref())?;
    let server = match &certificate {
        Some(certificate) => server.with_tls(&certificate.identity),
        None => server,
    };
    serve(server.with_fallback(page::find), host).await
}

fn host(args: &Listen) -> Host {
    let mode = match (args.mode.echo, args.mode.broadcast) {
        (true, _) => Mode::Echo,
        (false, true) => Mode::Broadcast,
        (false, false) => Mode::Pipe,
    };
    let guests = if args.once { Guests::One } else { Guests::Any };
    let listed = &args.guests.origins;
    let origins = if args.guests.any_origin || (mode == Mode::Echo && listed.is_empty()) {
        // An echo tells a page nothing that the page did not say itself.
        vec![OriginPolicy::Any]
    } else {
        vec![OriginPolicy::Same, OriginPolicy::Listed(listed.clone())]
    };
    Host::new(mode, guests, origins, Screen::new(args.ndjson, mode == Mode::Pipe))
}

fn options(args: &Listen) -> Result<ServerOptions, Failure> {
    let mut options = ServerOptions::default();
    let accept = &mut options.accept;
    accept.subprotocols = Subprotocols::new(args.guests.protocols.clone()).map_err(usage)?;
    accept.deflate = (!args.guests.no_compression).then(DeflateConfig::default);
    // The host tells its user whom it refuses.
    accept.origins = OriginPolicy::Any;
    if let Some(bytes) = args.guests.max_message {
        accept.limits.message_bytes = bytes;
    }
    let interval = args.guests.ping;
    accept.timeouts.ping = (!interval.is_zero()).then_some(interval);
    accept.timeouts.pong = interval;
    // All may come from one address: that of this machine.
    options.connections_per_address = options.connections;
    Ok(options)
}

fn announce(
    host: &Host,
    args: &Listen,
    server: &Server,
    certificate: Option<&Certificate>,
) -> Result<(), Failure> {
    if let Some(fingerprint) = certificate.and_then(|made| made.fingerprint.as_ref()) {
        anstream::eprintln!("certificate made, SHA-256 {fingerprint}");
        match &args.tls.write_cert {
            Some(file) => anstream::eprintln!("clients trust it with: --ca {}", file.display()),
            None => anstream::eprintln!(
                "clients trust it by the file of --write-cert FILE, or ask nothing: --insecure"
            ),
        }
    }
    let s = if certificate.is_some() { "s" } else { "" };
    match &args.address {
        Address::Unix(_) => host.screen.listening(&args.address.to_string(), None),
        Address::Tcp(_) => {
            let address = server.local_addr()?;
            let url = format!("ws{s}://{address}/");
            host.screen.listening(&url, Some(&format!("http{s}://{address}/")));
        }
    }
    Ok(())
}

/// Serves until it is interrupted, or its work is done; connections close in an orderly way then.
async fn serve(server: Server, host: Arc<Host>) -> Result<(), Failure> {
    let connections = server.connections().clone();
    let for_clients = Arc::clone(&host);
    let serving = server.serve(move |request| {
        let host = Arc::clone(&for_clients);
        async move { host.attend(request).await }
    });
    let reading = async {
        match host.mode {
            // What clients send is worth waiting for.
            Mode::Pipe => match host.read_lines().await {
                Ok(()) => std::future::pending().await,
                Err(failure) => failure,
            },
            Mode::Echo | Mode::Broadcast => std::future::pending().await,
        }
    };
    let until_done = async {
        let outcome = tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Failure::from),
            end = host.until_gone() => end,
            failure = host.screen.stdout.until_failed() => Err(failure),
            failure = reading => Err(failure),
        };
        connections.shutdown(GRACE).await;
        outcome
    };
    tokio::join!(serving, until_done).1
}

/// The file of a Unix socket, which goes with the server.
struct SocketFile<'a>(&'a Address);

impl Drop for SocketFile<'_> {
    fn drop(&mut self) {
        if let Address::Unix(path) = self.0 {
            fs::remove_file(path).ok();
        }
    }
}

/// Sends back what the client sends.
pub(crate) async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
