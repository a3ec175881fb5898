mod args;
mod happening;
mod head;
mod json;
mod lane;
mod screen;
mod text;
mod wire;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use fullduplex::WebSocket;
use fullduplex_net::ConnectOptions;
use fullduplex_net::proto::Url;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;

pub(crate) use self::args::Tap;
use self::lane::Passed;
use self::screen::{Connection, Form, Screen};
use self::text::amount;
use self::wire::Wire;
use crate::exit::{Failure, usage};

/// How much of a frame's content is kept: more than a line shows, and all that anybody reads.
const BEGINNING: usize = 1 << 10;
const ALL: usize = 16 << 20;

/// The width of lines that no terminal shows.
const WIDTH: usize = 160;

/// How long to leave a system alone that cannot accept: it may be out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn run(args: Tap) -> Result<(), Failure> {
    let url = Url::parse(&args.client.url).map_err(usage)?;
    let options = options(&args)?;
    let keep = if args.full { ALL } else { BEGINNING };
    let listener = TcpListener::bind(&args.listen)
        .await
        .map_err(|error| format!("cannot listen at {}: {error}", args.listen))?;
    let screen = Arc::new(Screen { form: form(&args), stdout: Default::default() });
    screen.listening(listener.local_addr()?, &url);
    let wire = Arc::new(Wire { url, options, keep });
    let mut tapped = Tapped::default();
    let outcome = tokio::select! {
        never = accept(&listener, &wire, &screen, &mut tapped) => never,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Failure::from),
        failure = screen.stdout.until_failed() => return Err(failure),
    };
    if screen.form != Form::Json {
        anstream::eprintln!("{}", tapped.summary());
    }
    outcome
}

/// How to reach the server, and what its user wants to be said to it.
fn options(args: &Tap) -> Result<ConnectOptions, Failure> {
    let mut options = args.client.builder()?.connect_options().clone();
    // What our own clients say unasked, others need not say.
    for (name, value) in &WebSocket::builder(&args.client.url).connect_options().headers {
        if options.headers.get(name) == Some(value) {
            options.headers.remove(name);
        }
    }
    Ok(options)
}

fn form(args: &Tap) -> Form {
    if args.ndjson {
        Form::Json
    } else if args.full {
        Form::Full
    } else if io::stdout().is_terminal() {
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Form::Lines(width.unwrap_or(WIDTH))
    } else {
        Form::Lines(WIDTH)
    }
}

/// What was tapped, all connections together.
#[derive(Debug, Default)]
struct Tapped {
    connections: u64,
    /// Of connections that are over.
    client: Passed,
    server: Passed,
}

impl Tapped {
    fn add(&mut self, (client, server): (Passed, Passed)) {
        for (sum, passed) in [(&mut self.client, client), (&mut self.server, server)] {
            sum.frames += passed.frames;
            sum.bytes += passed.bytes;
        }
    }

    fn summary(&self) -> String {
        let s = if self.connections == 1 { "" } else { "s" };
        let (client, server) = (amount(self.client), amount(self.server));
        format!(
            "{} connection{s}; of those that are over: → {client}, ← {server}",
            self.connections
        )
    }
}

/// Taps each client that connects, for ever.
async fn accept(
    listener: &TcpListener,
    wire: &Arc<Wire>,
    screen: &Arc<Screen>,
    tapped: &mut Tapped,
) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, peer)) => {
                    tapped.connections += 1;
                    let number = tapped.connections;
                    let (wire, screen) = (Arc::clone(wire), Arc::clone(screen));
                    // What is passed on is passed on at once.
                    client.set_nodelay(true).ok();
                    tasks.spawn(async move {
                        wire.tap(client, &Connection::new(number, peer, &screen)).await
                    });
                }
                Err(error) => {
                    anstream::eprintln!("fdx: no further client can be accepted: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(passed) = tasks.join_next() => tapped.add(passed?),
        }
    }
}
