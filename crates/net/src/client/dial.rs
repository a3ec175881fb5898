//! A TCP connection with a host that has several addresses: "happy eyeballs" (RFC 8305).

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
use crate::client::observer::ConnectStep;
use crate::client::options::{ConnectConcurrency, ConnectOptions};
use crate::client::permit::Turn;
use crate::proxy::host_and_port;
use crate::time;

/// How long an address has before the next one is tried beside it.
const HEAD_START: Duration = Duration::from_millis(250);

/// More addresses of one host are not tried.
const MAX_ADDRESSES: usize = 32;

/// A stream, with the turn to connect to the address at its other end.
pub(crate) type Dialed = (TcpStream, Option<Turn>);

/// Resolves a host and connects with the first of its addresses that answers. One at a time, each
/// address waits for its turn (RFC6455-4.1-3).
pub(crate) async fn dial(
    host: &str,
    port: u16,
    options: &ConnectOptions,
    handshakes: ConnectConcurrency,
) -> Result<Dialed, ConnectError> {
    let limit = options.connect_timeout;
    let start = Instant::now();
    options.observe(ConnectStep::Resolving { host });
    let resolved = timeout(limit, resolve(host, port, options)).await;
    let too_long = |phase, failures| ConnectError::Timeout {
        phase,
        authority: host_and_port(host, port),
        limit,
        failures,
    };
    let addresses = resolved
        .map_err(|_| too_long(ConnectPhase::Resolve, Vec::new()))?
        .map_err(|source| ConnectError::Resolve { host: host.to_owned(), source })?;
    let mut untried = in_order(addresses);
    options.observe(ConnectStep::Resolved { addresses: untried.make_contiguous() });
    let mut race = Race {
        options,
        handshakes,
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
                let source = io::Error::new(io::ErrorKind::TimedOut, "no answer");
                let address = attempt.address;
                options.observe(ConnectStep::Failed { address, error: &source });
                race.failures.push(AddressFailure { address, source });
            });
            Err(too_long(ConnectPhase::Tcp, race.failures))
        }
    }
}

/// The addresses of a host; at least one.
async fn resolve(host: &str, port: u16, options: &ConnectOptions) -> io::Result<Vec<SocketAddr>> {
    let mut addresses = match (host.parse::<IpAddr>(), &options.resolver) {
        (Ok(address), _) => vec![SocketAddr::new(address, port)],
        (Err(_), Some(resolver)) => resolver.resolve(host, port).await?,
        (Err(_), None) => tokio::net::lookup_host((host, port)).await?.collect(),
    };
    let none = |reason| Err(io::Error::new(io::ErrorKind::NotFound, reason));
    if addresses.is_empty() {
        return none("it has no address");
    }
    if let Some(local) = options.local_address {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
        if addresses.is_empty() {
            return none("it has no address of the local address's family");
        }
    }
    Ok(addresses)
}

/// The families take turns, beginning with that of the first address.
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

/// The attempts to connect with the addresses of one host. Dropping it ends them.
struct Race<'a> {
    options: &'a ConnectOptions,
    handshakes: ConnectConcurrency,
    untried: VecDeque<SocketAddr>,
    running: Vec<Attempt>,
    failures: Vec<AddressFailure>,
    /// Counts while nobody waits for a turn.
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
    Waiting(Pin<Box<dyn Future<Output = Option<Turn>> + Send>>),
    Connecting(Option<Turn>, Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>),
}

/// What happened to an attempt.
enum Step {
    TurnCame(Turn),
    Connected(TcpStream),
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

    /// Waits for the first success; until another address is to be tried, if there is one: when the head
    /// start is over or an attempt has failed.
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
                Step::TurnCame(turn) => {
                    self.deadline = time::after(self.options.connect_timeout);
                    self.running[at].stage = self.connecting(self.running[at].address, Some(turn));
                }
                Step::Connected(stream) => {
                    let Attempt { address, stage } = self.running.swap_remove(at);
                    let Stage::Connecting(turn, _) = stage else {
                        unreachable!("it has connected")
                    };
                    self.options.observe(ConnectStep::Connected { address });
                    return Ok(Some((stream, turn)));
                }
                Step::Failed(source) => {
                    let Attempt { address, .. } = self.running.remove(at);
                    self.options.observe(ConnectStep::Failed { address, error: &source });
                    self.failures.push(AddressFailure { address, source });
                    return Ok(None);
                }
            }
        }
    }

    fn attempt(&self, address: SocketAddr) -> Attempt {
        let stage = match self.handshakes {
            ConnectConcurrency::Unlimited => self.connecting(address, None),
            ConnectConcurrency::OnePerAddress => match Turn::take(address.into()) {
                Some(turn) => self.connecting(address, Some(turn)),
                None => {
                    let limit = self.options.connect_timeout;
                    Stage::Waiting(Box::pin(Turn::wait(address.into(), limit)))
                }
            },
        };
        Attempt { address, stage }
    }

    fn connecting(&self, address: SocketAddr, turn: Option<Turn>) -> Stage {
        self.options.observe(ConnectStep::Attempt { address });
        Stage::Connecting(turn, Box::pin(connect(address, self.options.local_address)))
    }
}

fn poll_any(running: &mut [Attempt], cx: &mut Context<'_>) -> Poll<(usize, Step)> {
    for (at, attempt) in running.iter_mut().enumerate() {
        let step = match &mut attempt.stage {
            Stage::Waiting(waiting) => waiting.as_mut().poll(cx).map(|turn| match turn {
                Some(turn) => Step::TurnCame(turn),
                None => Step::Failed(held_up()),
            }),
            Stage::Connecting(_, connecting) => {
                connecting.as_mut().poll(cx).map(|connected| match connected {
                    Ok(stream) => Step::Connected(stream),
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
    // A message is sent when it is sent. Not every transport can promise that.
    stream.set_nodelay(true).ok();
    Ok(stream)
}

/// Why a turn did not come.
fn held_up() -> io::Error {
    let reason = "other connections were opened first, and got no answer";
    io::Error::new(io::ErrorKind::TimedOut, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
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
