mod address;
mod args;
mod certificate;
mod host;
mod page;
mod room;
mod screen;
mod shared_room;
mod socket_file;

use std::sync::Arc;

use fullduplex_hub::{SubscribeOptions, Subscription};
use fullduplex_net::proto::DeflateConfig;
use fullduplex_net::proto::handshake::{Endpoint, OriginPolicy, Subprotocols};
use fullduplex_net::{HandlerResult, Http2Options, Request, Server, ServerOptions};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::Level;

use self::address::Address;
pub(crate) use self::args::Listen;
use self::certificate::{Certificate, certificate};
use self::host::{ClientLimit, Host, Mode};
use self::screen::Screen;
use self::shared_room::SharedRoom;
use crate::context::Context;
use crate::exit::{Failure, usage};
use crate::interrupt::GRACE;
use crate::values::host_policy;

pub(crate) async fn run(args: Listen, context: &Context) -> Result<(), Failure> {
    let level = if args.verbose { Level::DEBUG } else { Level::WARN };
    let log = tracing_subscriber::fmt().with_max_level(level).with_ansi(false);
    log.with_writer(context.output.clone()).init();
    let certificate = certificate(&args.tls, args.address.host())?;
    let (server, _socket_file) = args
        .address
        .bind(options(&args)?)
        .await
        .map_err(|error| format!("could not listen at {}: {error}", args.address))?;
    let address = server.local_addr().ok().map(|address| address.ip());
    let endpoint = Endpoint { address, is_tls: certificate.is_some() };
    let mut host = host(&args, endpoint, context);
    let subscription = share(&mut host, &args).await?;
    let host = Arc::new(host);
    announce(&host, &args, &server, certificate.as_ref()).await?;
    let server = match &certificate {
        Some(certificate) => server.with_tls(&certificate.identity),
        None => server,
    };
    let server = match args.clients.http2 {
        true => server.with_http2(Http2Options::default()),
        false => server,
    };
    let server = server.with_fallback(page::find);
    let relaying = Arc::clone(&host);
    tokio::select! {
        outcome = serve(server, host, context) => outcome,
        () = relay(&relaying, subscription) => Ok(()),
    }
}

/// Connects the room with the rooms of other servers, if the arguments request it.
async fn share(host: &mut Host, args: &Listen) -> Result<Option<Subscription>, Failure> {
    let (Some(url), Some(topic)) = (&args.mode.hub, &args.mode.topic) else { return Ok(None) };
    let hub = crate::hub::connect(url, args.mode.hub_args.options()).await?;
    let subscription = hub.subscribe(topic, SubscribeOptions::default()).await?;
    host.shared = Some(SharedRoom::new(hub, topic.clone(), subscription.id()));
    Ok(Some(subscription))
}

/// Sends messages of other servers to the clients, forever.
async fn relay(host: &Host, subscription: Option<Subscription>) {
    if let Some(subscription) = subscription {
        host.relay(subscription).await;
    }
    std::future::pending().await
}

fn host(args: &Listen, endpoint: Endpoint, context: &Context) -> Host {
    let mode = match (args.mode.echo, args.mode.broadcast) {
        (true, _) => Mode::Echo,
        (false, true) => Mode::Broadcast,
        (false, false) => Mode::Pipe,
    };
    let listed = &args.clients.origins;
    let origins = match (args.clients.any_origin, mode) {
        (true, _) => vec![OriginPolicy::Any],
        // With an echo, a page receives only the data that it sent.
        (false, Mode::Echo) if listed.is_empty() => vec![OriginPolicy::Any],
        (false, _) if listed.is_empty() => vec![OriginPolicy::Same],
        (false, _) => vec![OriginPolicy::Same, OriginPolicy::Listed(listed.clone())],
    };
    let output = context.output.clone();
    Host {
        mode,
        limit: if args.once { ClientLimit::One } else { ClientLimit::None },
        endpoint,
        origins,
        screen: Screen::new(args.ndjson, mode == Mode::Pipe, output, context.secrets),
        room: Default::default(),
        shared: None,
        clients: Default::default(),
        end: Default::default(),
        gone: Default::default(),
    }
}

fn options(args: &Listen) -> Result<ServerOptions, Failure> {
    let mut options = ServerOptions::default();
    let accept = &mut options.accept;
    accept.subprotocols = Subprotocols::new(args.clients.protocols.clone()).map_err(usage)?;
    accept.deflate = (!args.clients.no_compression).then(DeflateConfig::default);
    accept.hosts = host_policy(&args.clients.hosts);
    // The host checks the origin itself, to print a note for rejected pages.
    accept.origins = OriginPolicy::Any;
    if let Some(bytes) = args.clients.max_message {
        accept.limits.message_bytes = bytes;
    }
    if let Some(bytes) = args.clients.max_head {
        accept.limits.head_bytes = bytes;
    }
    if let Some(count) = args.clients.max_headers {
        accept.limits.head_headers = count;
    }
    accept.timeouts.ping = args.clients.ping.0;
    if let Some(interval) = args.clients.ping.0 {
        accept.timeouts.pong = interval;
    }
    // All clients may have the same address: the address of this machine.
    options.connections_per_address = options.connections;
    Ok(options)
}

async fn announce(
    host: &Host,
    args: &Listen,
    server: &Server,
    certificate: Option<&Certificate>,
) -> Result<(), Failure> {
    if let Some(fingerprint) = certificate.and_then(|made| made.fingerprint.as_ref()) {
        let output = &host.screen.output;
        output.note(format!("new certificate, SHA-256 {fingerprint}"));
        output.note(match &args.tls.write_cert {
            Some(file) => format!("clients trust it with --ca {}", file.display()),
            None => {
                "clients trust it with the file of --write-cert FILE, or accept any with --insecure"
                    .to_owned()
            }
        });
    }
    let s = if certificate.is_some() { "s" } else { "" };
    match &args.address {
        Address::Unix(_) => host.screen.listening(&args.address.to_string(), None).await,
        Address::Tcp(_) => {
            let address = server.local_addr()?;
            let url = format!("ws{s}://{address}/");
            host.screen.listening(&url, Some(&format!("http{s}://{address}/"))).await;
        }
    }
    Ok(())
}

/// Serves until it is interrupted or its work is done, then closes all connections.
async fn serve(server: Server, host: Arc<Host>, context: &Context) -> Result<(), Failure> {
    let connections = server.connections().clone();
    let for_clients = Arc::clone(&host);
    let serving = server.serve(move |request| {
        let host = Arc::clone(&for_clients);
        async move { host.serve(request).await }
    });
    let reading = async {
        match host.mode {
            // Clients may still send after the end of stdin.
            Mode::Pipe => match host.read_lines().await {
                Ok(()) => std::future::pending().await,
                Err(failure) => failure,
            },
            Mode::Echo | Mode::Broadcast => std::future::pending().await,
        }
    };
    let (served, all_served) = oneshot::channel();
    let serving = async {
        serving.await;
        served.send(()).ok(); // the receiver may be gone
        std::future::pending().await
    };
    let until_done = async {
        let outcome = tokio::select! {
            () = context.interrupt.first() => Ok(()),
            end = host.until_gone() => end,
            failure = context.output.until_failed() => Err(failure),
            failure = reading => Err(failure),
        };
        connections.shutdown(GRACE).await;
        // A handler may be waiting for stdout, if the reader of stdout does not read.
        timeout(GRACE, all_served).await.ok();
        outcome
    };
    tokio::select! {
        outcome = until_done => outcome,
        outcome = serving => outcome,
    }
}

/// Echoes every message of a client.
pub(crate) async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
