use std::time::Duration;

/// Decides when the messages of a connection are due in an open loop, independently of the answers.
/// All times count from the start of the run.
#[derive(Debug)]
pub(super) struct Pacer {
    /// In seconds, like the interval.
    first: f64,
    interval: f64,
    sent: u64,
    /// The last time at which the transport accepted no more data.
    blocked: Duration,
}

/// A message that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) intended: Duration,
    /// The delay of the message that this tool caused.
    pub(super) own_delay: Duration,
}

impl Pacer {
    /// Creates the pacer of connection `number`. The connections take turns, so that together they
    /// send `rate` messages per second at equal intervals. The connection sends its first message at
    /// its first turn after `now`.
    pub(super) fn new(rate: f64, connections: u32, number: u32, now: Duration) -> Self {
        let interval = f64::from(connections) / rate;
        let offset = f64::from(number) / rate;
        let turns = ((now.as_secs_f64() - offset) / interval).ceil().max(0.0);
        Self { first: offset + turns * interval, interval, sent: 0, blocked: Duration::ZERO }
    }

    /// Returns when the next message is due.
    pub(super) fn due(&self) -> Duration {
        Duration::try_from_secs_f64(self.first + self.sent as f64 * self.interval)
            .unwrap_or(Duration::MAX)
    }

    /// Returns the next message, if it is due.
    pub(super) fn poll_due(&mut self, now: Duration) -> Option<Due> {
        let intended = self.due();
        if intended > now {
            return None;
        }
        self.sent += 1;
        Some(Due { intended, own_delay: now - intended.max(self.blocked.min(now)) })
    }

    /// Records that the transport accepts no more data. The server caused the delays up to now.
    pub(super) fn handle_blocked(&mut self, now: Duration) {
        self.blocked = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn connections_take_turns() {
        let mut all: Vec<_> = (0..4)
            .flat_map(|number| {
                let mut pacer = Pacer::new(1000.0, 4, number, Duration::ZERO);
                std::iter::from_fn(move || pacer.poll_due(ms(99))).collect::<Vec<_>>()
            })
            .map(|due| due.intended.as_micros())
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..100).map(|number| number * 1000).collect::<Vec<_>>());
        // A connection that opens late skips its earlier messages.
        assert_eq!(Pacer::new(1000.0, 4, 1, ms(50)).due(), ms(53));
    }

    #[test]
    fn a_delay_counts_for_the_tool_unless_the_transport_was_blocked() {
        let mut pacer = Pacer::new(100.0, 1, 0, Duration::ZERO);
        assert_eq!(pacer.poll_due(ms(1)).unwrap().own_delay, ms(1));
        assert_eq!(pacer.poll_due(ms(9)), None);
        assert_eq!(pacer.poll_due(ms(50)).unwrap(), Due { intended: ms(10), own_delay: ms(40) });
        pacer.handle_blocked(ms(60));
        assert_eq!(pacer.poll_due(ms(61)).unwrap(), Due { intended: ms(20), own_delay: ms(1) });
    }
}
