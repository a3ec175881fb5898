mod args;
mod event;
mod forwarder;
mod frame;
mod head;
mod http2;
mod json;
mod screen;
mod text;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

pub(crate) use self::args::Tap;
use self::event::{TapEvent, Totals};
use self::http2::is_http2;
use self::screen::{Connection, Form, Screen};
use self::text::{Layout, amount};
use self::wire::Wire;
use crate::context::Context;
use crate::exit::Failure;
use crate::interrupt::GRACE;
use crate::output::stdout_is_terminal;
use crate::values::host_policy;

/// The number of bytes of a frame's content that are kept: more than a line shows, and the maximum for
/// `--full`.
const BEGINNING: usize = 1 << 10;
const ALL: usize = 16 << 20;

/// The width of lines without a terminal.
const WIDTH: usize = 160;

/// How long to wait after an accept error. The system may be out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(args: Tap, context: &Context) -> Result<(), Failure> {
    let url = args.client.parsed_url()?;
    let options = args.client.connect_options()?;
    let keep = if args.full { ALL } else { BEGINNING };
    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("could not listen at {}: {error}", args.listen))?;
    let address = listener.local_addr()?;
    let output = context.output.clone();
    let screen = Arc::new(Screen { form: form(&args), output, secrets: context.secrets });
    screen.listening(address, &url).await;
    let wire = Arc::new(Wire { url, options, hosts: host_policy(&args.hosts), address, keep });
    let mut summary = Summary::default();
    let outcome = tokio::select! {
        never = accept(&listener, &wire, &screen, &mut summary) => never,
        () = context.interrupt.first() => Ok(()),
        failure = context.output.until_failed() => return Err(failure),
    };
    if screen.form != Form::Json {
        // The totals follow the lines of the connections.
        context.output.written_within(GRACE).await;
        context.output.note(summary.summary());
    }
    outcome
}

fn form(args: &Tap) -> Form {
    if args.ndjson {
        Form::Json
    } else if args.full {
        Form::Text(Layout::Full)
    } else if stdout_is_terminal() {
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Form::Text(Layout::Short(width.unwrap_or(WIDTH)))
    } else {
        Form::Text(Layout::Short(WIDTH))
    }
}

/// The totals of all connections.
#[derive(Debug, Default)]
struct Summary {
    connections: u64,
    /// The totals of the connections that have ended.
    client: Totals,
    server: Totals,
}

impl Summary {
    fn add(&mut self, (client, server): (Totals, Totals)) {
        self.client.add(client);
        self.server.add(server);
    }

    fn summary(&self) -> String {
        let s = if self.connections == 1 { "" } else { "s" };
        let (client, server) = (amount(self.client), amount(self.server));
        format!("{} connection{s}; of those that ended: → {client}, ← {server}", self.connections)
    }
}

/// Taps each client that connects, until the future is dropped.
async fn accept(
    listener: &TcpListener,
    wire: &Arc<Wire>,
    screen: &Arc<Screen>,
    summary: &mut Summary,
) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, peer)) => {
                    summary.connections += 1;
                    let number = summary.connections;
                    let (wire, screen) = (Arc::clone(wire), Arc::clone(screen));
                    client.set_nodelay(true).ok();
                    tasks.spawn(async move {
                        tap(&wire, client, &Connection::new(number, peer, &screen)).await
                    });
                }
                Err(error) => {
                    screen.output.note(format!("fdx: could not accept a client: {error}"));
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(totals) = tasks.join_next() => summary.add(totals?),
        }
    }
}

/// Taps a client, which may speak HTTP/1.1 or HTTP/2. Returns the totals.
async fn tap(wire: &Wire, mut client: TcpStream, connection: &Connection<'_>) -> (Totals, Totals) {
    let mut input = BytesMut::new();
    match is_http2(&mut client, &mut input, wire.options.handshake_timeout).await {
        Ok(true) => wire.tap_http2(client, input, connection).await,
        Ok(false) => wire.tap(client, input, connection).await,
        Err(error) => {
            let reason = format!("could not read the client's request: {error}");
            connection.report(TapEvent::Failed(reason)).await;
            Default::default()
        }
    }
}
