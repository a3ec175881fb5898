//! When a lost connection is tried again: decided without a clock, a network or a source of chance.

use tokio::time::Instant;

use super::Backoff;

/// One socket's attempts.
///
/// ```text
///               ┌──────────── opened ───────────▶ Open
///               │                                  │ ended
///  ──────▶ Connecting ── ended ──▶ Waiting ◀───────┤
///               ▲                    │             │ to stop, or one attempt too many
///               ├──── its time ──────┤             ▼
///               └──── restart ───────┴────────── Stopped
/// ```
#[derive(Debug)]
pub(super) struct Schedule {
    backoff: Backoff,
    phase: Phase,
    /// Attempts since a connection has stood.
    retries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open { since: Instant },
    Waiting { until: Instant },
    Stopped,
}

/// What is to become of a socket whose connection, or attempt, has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Retry,
    Stop,
}

impl Schedule {
    /// The first attempt is under way.
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, phase: Phase::Connecting, retries: 0 }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// How many attempts have followed since a connection has stood, the one that is awaited included.
    pub(super) fn retries(&self) -> u32 {
        self.retries
    }

    pub(super) fn handle_open(&mut self, now: Instant) {
        self.phase = Phase::Open { since: now };
    }

    /// The connection, or the attempt, has ended. The next phase is Waiting or Stopped (RFC6455-7.2.3-1).
    pub(super) fn handle_end(&mut self, now: Instant, verdict: Verdict, chance: u32) {
        if let Phase::Open { since } = self.phase
            && now.duration_since(since) >= self.backoff.min_uptime
        {
            self.retries = 0;
        }
        let is_last = self.backoff.max_retries.is_some_and(|max| self.retries >= max);
        let until = now.checked_add(self.backoff.wait(self.retries, chance));
        self.phase = match until {
            Some(until) if verdict == Verdict::Retry && !is_last => Phase::Waiting { until },
            _ => Phase::Stopped,
        };
        self.retries = self.retries.saturating_add(1);
    }

    /// Whether the time that was waited for has come: then it connects.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Waiting { until } = self.phase
            && now >= until
        {
            self.phase = Phase::Connecting;
        }
    }

    /// The application wants a connection now, from any phase on; what has failed is forgotten.
    pub(super) fn restart(&mut self) {
        self.retries = 0;
        self.phase = Phase::Connecting;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EVERY: [Verdict; 2] = [Verdict::Retry, Verdict::Stop];

    fn backoff() -> Backoff {
        Backoff { max_retries: None, ..Backoff::default() }
    }

    /// The longest wait that chance can bring.
    fn longest_wait(schedule: &mut Schedule, now: Instant) -> Duration {
        schedule.handle_end(now, Verdict::Retry, u32::MAX);
        match schedule.phase() {
            Phase::Waiting { until } => {
                schedule.handle_timeout(until);
                assert_eq!(schedule.phase(), Phase::Connecting);
                until - now
            }
            other => panic!("{other:?}"),
        }
    }

    fn seconds(wait: Duration) -> u64 {
        wait.as_secs_f64().round() as u64
    }

    #[test]
    fn the_bound_doubles_up_to_the_cap_and_begins_anew_behind_a_connection_that_stood() {
        let now = Instant::now();
        let mut schedule = Schedule::new(backoff());
        let bounds: Vec<_> = (0..7).map(|_| seconds(longest_wait(&mut schedule, now))).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 30, 30]);
        schedule.handle_open(now);
        let lived = now + Duration::from_secs(4);
        assert_eq!(seconds(longest_wait(&mut schedule, lived)), 30, "it did not stand");
        schedule.handle_open(now);
        let lived = now + Duration::from_secs(5);
        assert_eq!(seconds(longest_wait(&mut schedule, lived)), 1);
    }

    /// RFC6455-7.2.3-1
    #[test]
    fn the_first_wait_is_left_to_chance_as_well() {
        let now = Instant::now();
        for (chance, millis) in [(0, 0), (1 << 30, 250), (1 << 31, 500), (3 << 30, 750)] {
            let mut schedule = Schedule::new(backoff());
            schedule.handle_end(now, Verdict::Retry, chance);
            let until = now + Duration::from_millis(millis);
            assert_eq!(schedule.phase(), Phase::Waiting { until });
            if millis > 0 {
                schedule.handle_timeout(until - Duration::from_nanos(1));
                assert_eq!(schedule.phase(), Phase::Waiting { until }, "not before its time");
            }
            schedule.handle_timeout(until);
            assert_eq!(schedule.phase(), Phase::Connecting);
        }
    }

    #[test]
    fn it_stops_when_told_to_and_when_it_has_tried_often_enough_and_starts_again() {
        let now = Instant::now();
        let mut schedule = Schedule::new(Backoff { max_retries: Some(2), ..backoff() });
        longest_wait(&mut schedule, now);
        longest_wait(&mut schedule, now);
        schedule.handle_end(now, Verdict::Retry, 0);
        assert_eq!(schedule.phase(), Phase::Stopped);
        for verdict in EVERY {
            schedule.restart();
            assert_eq!((schedule.phase(), schedule.retries()), (Phase::Connecting, 0));
            schedule.handle_end(now, verdict, 0);
            assert_eq!(schedule.phase() == Phase::Stopped, verdict == Verdict::Stop);
        }
    }

    /// No number of failures and no options bring it out of step.
    #[test]
    fn extremes_do_no_harm() {
        let now = Instant::now();
        let endless = Backoff { base: Duration::MAX, cap: Duration::MAX, ..backoff() };
        let mut schedule = Schedule::new(endless);
        schedule.handle_end(now, Verdict::Retry, u32::MAX);
        let mut schedule = Schedule::new(backoff());
        for _ in 0..100 {
            assert!(longest_wait(&mut schedule, now) <= Duration::from_secs(30));
        }
        let none = Backoff { base: Duration::ZERO, ..backoff() };
        assert_eq!(longest_wait(&mut Schedule::new(none), now), Duration::ZERO);
    }
}
