//! Connects to a host that may have several addresses: "happy eyeballs" (RFC 8305).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::select;
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::error::{AddressFailure, ConnectError, ConnectPhase};
use crate::client::options::{ConnectConcurrency, ConnectOptions};
use crate::client::permit::ConnectPermit;
use crate::http1::host_and_port;
use crate::observer::ConnectStep;
use crate::time;

/// The time after the start of an attempt at which the next address is tried in parallel.
const HEAD_START: Duration = Duration::from_millis(250);

/// How many addresses of one host are tried.
const MAX_ADDRESSES: usize = 32;

/// A stream, and the permit for its address.
pub(crate) type Dialed = (TcpStream, Option<ConnectPermit>);

/// Resolves a host and connects to the first of its addresses that answers. With
/// [`ConnectConcurrency::OnePerAddress`], each attempt waits for a permit (RFC6455-4.1-3).
pub(crate) async fn dial(
    host: &str,
    port: u16,
    options: &ConnectOptions,
    concurrency: ConnectConcurrency,
) -> Result<Dialed, ConnectError> {
    let limit = options.connect_timeout;
    let start = Instant::now();
    options.observe(ConnectStep::Resolving { host });
    let resolved = timeout(limit, resolve(host, port, options)).await;
    let timed_out = |phase, failures| ConnectError::Timeout {
        phase,
        authority: host_and_port(host, port),
        limit,
        failures,
    };
    let addresses = resolved
        .map_err(|_| timed_out(ConnectPhase::Resolve, Vec::new()))?
        .map_err(|error| ConnectError::Resolve { host: host.to_owned(), error })?;
    let mut untried = in_order(addresses);
    options.observe(ConnectStep::Resolved { addresses: untried.make_contiguous() });
    let mut race = Race {
        options,
        concurrency,
        untried,
        running: Vec::new(),
        failures: Vec::new(),
        deadline: time::after(limit.saturating_sub(start.elapsed())),
    };
    match race.run().await {
        Ok(dialed) => Ok(dialed),
        // RFC6455-4.1-8
        Err(Lost::AllFailed) => Err(ConnectError::Tcp { failures: race.failures }),
        Err(Lost::TooLate) => {
            race.running.iter().for_each(|attempt| {
                let error = io::Error::new(io::ErrorKind::TimedOut, "no answer");
                let address = attempt.address;
                options.observe(ConnectStep::Failed { address, error: &error });
                race.failures.push(AddressFailure { address, error });
            });
            Err(timed_out(ConnectPhase::Tcp, race.failures))
        }
    }
}

/// Returns the addresses of a host. There is at least one.
async fn resolve(host: &str, port: u16, options: &ConnectOptions) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = match (host.parse::<IpAddr>(), &options.resolver) {
        (Ok(address), _) => vec![SocketAddr::new(address, port)],
        (Err(_), Some(resolver)) => resolver.resolve(host, port).await?,
        (Err(_), None) => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    let none = |reason| Err(io::Error::new(io::ErrorKind::NotFound, reason));
    if addresses.is_empty() {
        return none("the host has no address");
    }
    if let Some(local) = options.local_address {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
        if addresses.is_empty() {
            return none("the host has no address in the family of the local address");
        }
    }
    Ok(addresses)
}

/// Orders addresses so that both families alternate, starting with the family of the first address.
fn in_order(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_ipv4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let mut families = [VecDeque::new(), VecDeque::new()];
    for address in addresses {
        let family = &mut families[usize::from(address.is_ipv4() != first_is_ipv4)];
        if !family.contains(&address) && family.len() < MAX_ADDRESSES {
            family.push_back(address);
        }
    }
    let mut order = VecDeque::new();
    while order.len() < MAX_ADDRESSES && families.iter().any(|family| !family.is_empty()) {
        order.extend(families.iter_mut().filter_map(VecDeque::pop_front));
    }
    order
}

/// The attempts to connect to the addresses of one host. Dropping it cancels them.
struct Race<'a> {
    options: &'a ConnectOptions,
    concurrency: ConnectConcurrency,
    untried: VecDeque<SocketAddr>,
    running: Vec<Attempt>,
    failures: Vec<AddressFailure>,
    /// Does not apply while an attempt waits for a permit.
    deadline: Instant,
}

enum Lost {
    AllFailed,
    TooLate,
}

struct Attempt {
    address: SocketAddr,
    stage: Stage,
}

enum Stage {
    Waiting(Pin<Box<dyn Future<Output = Option<ConnectPermit>> + Send>>),
    Connecting(Option<ConnectPermit>, Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
}

/// Progress of an attempt.
enum Step {
    Permitted(ConnectPermit),
    Connected(TcpStream, Option<ConnectPermit>),
    Failed(io::Error),
}

impl Race<'_> {
    async fn run(&mut self) -> Result<Dialed, Lost> {
        loop {
            if let Some(address) = self.untried.pop_front() {
                self.running.push(self.attempt(address));
            } else if self.running.is_empty() {
                return Err(Lost::AllFailed);
            }
            if let Some(dialed) = self.run_until_next(time::after(HEAD_START)).await? {
                return Ok(dialed);
            }
        }
    }

    /// Waits for the first success. Returns `None` when another address should be tried: at `next`, or when
    /// an attempt fails.
    async fn run_until_next(&mut self, next: Instant) -> Result<Option<Dialed>, Lost> {
        loop {
            let is_waiting =
                self.running.iter().any(|attempt| matches!(attempt.stage, Stage::Waiting(_)));
            let running = &mut self.running;
            let (at, step) = select! {
                biased;
                happened = poll_fn(|cx| poll_any(running, cx)) => happened,
                () = sleep_until(self.deadline), if !is_waiting => return Err(Lost::TooLate),
                () = sleep_until(next), if !self.untried.is_empty() => return Ok(None),
            };
            match step {
                Step::Permitted(permit) => {
                    self.deadline = time::after(self.options.connect_timeout);
                    let address = self.running[at].address;
                    self.running[at].stage = self.connecting(address, Some(permit));
                }
                Step::Connected(stream, permit) => {
                    let address = self.running[at].address;
                    self.options.observe(ConnectStep::Connected { address });
                    return Ok(Some((stream, permit)));
                }
                Step::Failed(error) => {
                    let Attempt { address, .. } = self.running.remove(at);
                    self.options.observe(ConnectStep::Failed { address, error: &error });
                    self.failures.push(AddressFailure { address, error });
                    return Ok(None);
                }
            }
        }
    }

    fn attempt(&self, address: SocketAddr) -> Attempt {
        let stage = match self.concurrency {
            ConnectConcurrency::Unlimited => self.connecting(address, None),
            ConnectConcurrency::OnePerAddress => match ConnectPermit::try_acquire(address.into()) {
                Some(permit) => self.connecting(address, Some(permit)),
                None => {
                    let limit = self.options.connect_timeout;
                    Stage::Waiting(Box::pin(ConnectPermit::acquire(address.into(), limit)))
                }
            },
        };
        Attempt { address, stage }
    }

    fn connecting(&self, address: SocketAddr, permit: Option<ConnectPermit>) -> Stage {
        self.options.observe(ConnectStep::Attempt { address });
        Stage::Connecting(permit, Box::pin(connect(address, self.options.local_address)))
    }
}

fn poll_any(running: &mut [Attempt], cx: &mut Context<'_>) -> Poll<(usize, Step)> {
    for (at, attempt) in running.iter_mut().enumerate() {
        let step = match &mut attempt.stage {
            Stage::Waiting(waiting) => waiting.as_mut().poll(cx).map(|permit| match permit {
                Some(permit) => Step::Permitted(permit),
                None => Step::Failed(not_permitted()),
            }),
            Stage::Connecting(permit, connecting) => {
                connecting.as_mut().poll(cx).map(|connected| match connected {
                    Ok(stream) => Step::Connected(stream, permit.take()),
                    Err(error) => Step::Failed(error),
                })
            }
        };
        if let Poll::Ready(step) = step {
            return Poll::Ready((at, step));
        }
    }
    Poll::Pending
}

async fn connect(address: SocketAddr, local: Option<IpAddr>) -> io::Result<TcpStream> {
    let stream = match local {
        None => TcpStream::connect(address).await?,
        Some(local) => {
            let socket = match address {
                SocketAddr::V4(_) => TcpSocket::new_v4()?,
                SocketAddr::V6(_) => TcpSocket::new_v6()?,
            };
            socket.bind(SocketAddr::new(local, 0))?;
            socket.connect(address).await?
        }
    };
    // Small messages must not wait for Nagle's algorithm. If the option cannot be set, the connection still
    // works.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

fn not_permitted() -> io::Error {
    let reason = "other connections to it were opened first and got no answer";
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_families_alternate() {
        let order = |addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            in_order(addresses).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            order(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "2.2.2.2:1", "[::1]:1"]),
            ["[::1]:1", "1.1.1.1:1", "[::2]:1", "2.2.2.2:1", "[::3]:1"]
        );
        assert_eq!(order(&["1.1.1.1:1", "[::1]:1"]), ["1.1.1.1:1", "[::1]:1"]);
        let many: Vec<_> = (0..1000u16).map(|port| format!("1.1.1.1:{port}")).collect();
        assert_eq!(order(&many.iter().map(|a| &**a).collect::<Vec<_>>()).len(), MAX_ADDRESSES);
    }
}
