//! What a seed decides.

use std::time::Duration;

use fullduplex_net::Http2Options;

use super::link::{Fault, Quality};
use crate::rng::Rng;

/// The longest time that an application does not read. It is shorter than the timeouts of an open connection.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(8);

/// How many windows the messages of one end need at most. Each needs a round trip.
const WINDOWS: u64 = 60;

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) sockets: Vec<SocketPlan>,
    pub(super) http2: Http2Options,
    pub(super) quality: Quality,
    pub(super) fault: Option<(Duration, Fault)>,
    /// When the server shuts down, if it does so before the sockets have ended.
    pub(super) shutdown: Option<Duration>,
}

#[derive(Debug, Clone)]
pub(super) struct SocketPlan {
    pub(super) opens_after: Duration,
    pub(super) client: EndPlan,
    pub(super) server: EndPlan,
}

/// An end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Side {
    Client,
    Server,
}

impl Side {
    pub(super) fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Returns the code with which this end closes.
    pub(super) fn close_code(self) -> u16 {
        match self {
            Self::Client => 4000,
            Self::Server => 4001,
        }
    }

    /// Returns whether a Close with this code answers one of this end. The server closes with 1001 when it shuts down.
    pub(super) fn is_answer(self, code: u16) -> bool {
        code == self.close_code() || self == Self::Server && code == 1001
    }
}

#[derive(Debug, Clone)]
pub(super) struct EndPlan {
    /// The messages to send: how long to wait before each, and its length.
    pub(super) messages: Vec<(Duration, usize)>,
    /// What the end does after the last message and a pause.
    pub(super) ending: (Duration, Ending),
    /// The application does not read for this long before the message of the number.
    pub(super) rest: Option<(u64, Duration)>,
    /// A call of `recv` is dropped after this time, and repeated.
    pub(super) impatience: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It waits for the other end.
    Waits,
    Closes,
    /// It drops the socket.
    Drops,
}

impl Plan {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let is_large = rng.one_in(100);
        let window = match is_large {
            true => 1 << 16,
            false => *rng.pick(&[16, 100, 1_000, 1 << 14, 1 << 16]),
        };
        let most = if is_large { 600_000 } else { (u64::from(window) * WINDOWS).min(6_000) };
        let sockets = (0..1 + rng.below(4)).map(|_| SocketPlan::new(rng, most)).collect();
        let quality = Quality {
            capacity: if is_large { 1 << 16 } else { 64 + rng.log_uniform(1 << 14) as usize },
            latency: rng.log_uniform(20),
        };
        let fault = rng.one_in(3).then(|| (milliseconds(rng, 8_000), Fault::new(rng)));
        Self {
            sockets,
            http2: Http2Options::default()
                .streams(1 + rng.below(5) as u32)
                .stream_window(window)
                .idle_timeout(Duration::from_secs(1 + rng.below(4))),
            quality,
            fault,
            shutdown: rng.one_in(6).then(|| milliseconds(rng, 8_000)),
        }
    }
}

impl Fault {
    fn new(rng: &mut Rng) -> Self {
        match rng.below(3) {
            0 => Self::Cut,
            1 => Self::Vanish,
            _ => Self::Stall(milliseconds(rng, 8_000)),
        }
    }
}

impl SocketPlan {
    fn new(rng: &mut Rng, most: u64) -> Self {
        let opens_after = milliseconds(rng, 4_000);
        let (mut client, server) = (EndPlan::new(rng, most), EndPlan::new(rng, most));
        if client.ending.1 == Ending::Waits && server.ending.1 == Ending::Waits {
            client.ending.1 = Ending::Closes;
        }
        Self { opens_after, client, server }
    }
}

impl EndPlan {
    fn new(rng: &mut Rng, most: u64) -> Self {
        let count = rng.log_uniform(12);
        let longest = most / count.max(1);
        let messages = (0..count).map(|_| {
            let pause = if rng.one_in(4) { milliseconds(rng, 1_000) } else { Duration::ZERO };
            (pause, rng.log_uniform(longest) as usize)
        });
        Self {
            messages: messages.collect(),
            ending: (milliseconds(rng, 2_000), *rng.pick(&ENDINGS)),
            rest: rng.one_in(4).then(|| {
                let longest = LONGEST_REST.as_millis() as u64;
                (rng.below(count + 1), milliseconds(rng, longest))
            }),
            impatience: rng.one_in(4).then(|| milliseconds(rng, 100)),
        }
    }
}

const ENDINGS: [Ending; 5] =
    [Ending::Waits, Ending::Waits, Ending::Closes, Ending::Closes, Ending::Drops];

fn milliseconds(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_millis(1 + rng.log_uniform(most - 1))
}
