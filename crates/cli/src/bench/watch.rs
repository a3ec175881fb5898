use std::time::Duration;

/// Detects stalls of this tool. A tick is due at short intervals. If a tick is late, all other work of
/// the tool may be late too. All times count from the start of the run.
#[derive(Debug, Default)]
pub(super) struct Watch {
    due: Duration,
    /// The start and the end of each stall, in order.
    stalls: Vec<(Duration, Duration)>,
    /// The number of stalls at the end of the list that no timely tick has followed.
    chain: usize,
}

/// The interval of ticks.
pub(super) const TICK: Duration = Duration::from_millis(5);

/// The delay of a tick that is not a stall, because timers are not exact.
pub(super) const TOLERANCE: Duration = Duration::from_millis(3);

impl Watch {
    /// Starts the ticks: the first is due a [`TICK`] from now.
    pub(super) fn handle_start(&mut self, now: Duration) {
        self.due = now + TICK;
    }

    /// Handles a tick. The next one is due a [`TICK`] later.
    pub(super) fn handle_tick(&mut self, now: Duration) {
        if now > self.due + TOLERANCE {
            self.stalls.push((self.due, now));
            self.chain += 1;
        } else {
            self.chain = 0;
        }
        self.due = now + TICK;
    }

    /// Returns how long the tool has stalled since `from`. The tool may have read an answer with this
    /// delay. A stall before a timely tick does not count, because the tool has read the answers after
    /// that stall.
    pub(super) fn stalled(&self, from: Duration, now: Duration) -> Duration {
        let under_way = (now > self.due + TOLERANCE).then_some((self.due, now));
        let ended = self.stalls.iter().rev().take(self.chain).copied();
        let overlap = |(start, end): (Duration, Duration)| end.saturating_sub(start.max(from));
        under_way.into_iter().chain(ended).map(overlap).sum()
    }

    /// Returns the number of stalls between two times, and their total length.
    pub(super) fn stalls(&self, from: Duration, to: Duration) -> (usize, Duration) {
        let within = self.stalls.iter().filter_map(|(start, end)| {
            let overlap = (*end).min(to).checked_sub((*start).max(from))?;
            Some(overlap).filter(|overlap| !overlap.is_zero())
        });
        within.fold((0, Duration::ZERO), |(count, sum), overlap| (count + 1, sum + overlap))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    #[test]
    fn a_stall_is_as_long_as_a_tick_is_late() {
        let mut watch = Watch::default();
        (0..10).for_each(|tick| watch.handle_tick(ms(5 * tick)));
        assert_eq!(watch.stalled(ms(0), ms(52)), ms(0));
        // The tick of 50 ms is missing.
        assert_eq!(watch.stalled(ms(48), ms(60)), ms(10));
        assert_eq!(watch.stalled(ms(55), ms(60)), ms(5));
        watch.handle_tick(ms(350));
        watch.handle_tick(ms(365));
        assert_eq!(watch.stalled(ms(0), ms(366)), ms(310));
        assert_eq!(watch.stalled(ms(349), ms(366)), ms(11));
        assert_eq!(watch.stalled(ms(365), ms(366)), ms(0));
        // The tool has read the connection, so an answer that it reads now has just arrived.
        watch.handle_tick(ms(370));
        assert_eq!(watch.stalled(ms(0), ms(371)), ms(0));
        assert_eq!(watch.stalls(ms(0), ms(1000)), (2, ms(310)));
        assert_eq!(watch.stalls(ms(100), ms(200)), (1, ms(100)));
        assert_eq!(watch.stalls(ms(365), ms(400)), (0, ms(0)));
    }
}
