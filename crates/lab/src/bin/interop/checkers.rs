//! Runs health checks of other software against two of our servers: one answers 200, the other answers 500 (fault
//! FS-04).

mod curl;
mod haproxy;
mod kubelet;
mod nginx;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use fullduplex_lab::ca::{Authority, Identity, Validity};
use fullduplex_net::{Server, ServerOptions};
use http::{Response, StatusCode};

use crate::Failure;

/// The title of the section in the document.
pub(crate) const TITLE: &str = "## Health checks of others";
/// How long a check may take.
const HANG: Duration = Duration::from_secs(10);

/// Our servers, by port.
pub(crate) struct Servers {
    /// Answers 200.
    well: u16,
    /// Answers 500.
    ill: u16,
    /// Answers 200 over TLS.
    well_tls: u16,
    /// Answers 500 over TLS.
    ill_tls: u16,
    /// The TLS identity of these servers, and of other programs.
    identity: Identity,
}

/// A kind of check.
pub(crate) struct Check {
    checker: String,
    form: String,
    /// The verdict on the server that answers 200.
    well: String,
    /// The verdict on the server that answers 500.
    ill: String,
}

/// Runs all checks, and returns the table.
pub(crate) fn try_all() -> Result<String, Failure> {
    let servers = Servers::start()?;
    let mut checks = haproxy::checks(&servers)?;
    checks.extend(nginx::checks(&servers)?);
    checks.extend(curl::checks(&servers)?);
    checks.extend(kubelet::checks(&servers)?);
    let mut table = format!(
        "{TITLE}\n\n\
         What each check says of a server with `Server::with_fallback`: of one whose fallback answers 200, and of \
         one\nwhose fallback answers 500. A check that only connects, or that opens a WebSocket, does not see the \
         fallback. Run on\n{} by `cargo xtask interop checkers`.\n\n\
         | checker | check | answers 200 | answers 500 |\n|---|---|---|---|\n",
        crate::date()?
    );
    for Check { checker, form, well, ill } in checks {
        println!("{checker}, {form}: {well}, {ill}");
        table += &format!("| {checker} | {form} | {well} | {ill} |\n");
    }
    Ok(table)
}

impl Servers {
    fn start() -> io::Result<Self> {
        let identity = Authority::new().issue(&["localhost", "127.0.0.1"], Validity::Now);
        let failed = StatusCode::INTERNAL_SERVER_ERROR;
        Ok(Self {
            well: start(StatusCode::OK, None)?,
            ill: start(failed, None)?,
            well_tls: start(StatusCode::OK, Some(&identity))?,
            ill_tls: start(failed, Some(&identity))?,
            identity,
        })
    }
}

/// Starts a server that answers every plain request with this status, and returns its port. It runs until the
/// process ends.
fn start(status: StatusCode, identity: Option<&Identity>) -> io::Result<u16> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let tls = identity.map(Identity::of_server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener);
            let listener = listener.expect("there is a runtime");
            let mut server = Server::from_listener(listener, ServerOptions::default());
            if let Some(tls) = &tls {
                server = server.with_tls(tls);
            }
            let server = server.with_fallback(move |_| {
                let mut response = Response::new(Bytes::from_static(b"well\n"));
                *response.status_mut() = status;
                Some(response)
            });
            server.serve(fullduplex_lab::echo::requests).await;
        });
    });
    Ok(port)
}

/// Sends bytes to a server on this port of 127.0.0.1, and returns what it sends until it closes.
fn ask(port: u16, request: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(HANG))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Returns the status of an answer.
fn status(answer: &str) -> Result<u16, Failure> {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.ok_or_else(|| format!("this is no answer: {answer:?}").into())
}
