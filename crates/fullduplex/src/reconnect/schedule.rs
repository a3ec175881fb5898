//! Decides when to connect again, without a clock, a network or a source of randomness.

use std::time::Duration;

use crate::backend::Instant;
use crate::reconnect::backoff::Backoff;

/// The attempts of one socket.
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
    /// Attempts since the waits were reset.
    retries: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Open { since: Instant },
    Waiting { until: Instant },
    Stopped,
}

/// The decision after the end of a connection or an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Another attempt, not before this time has passed.
    Retry {
        after: Duration,
    },
    Stop,
}

impl Schedule {
    /// Starts with the first attempt.
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, phase: Phase::Connecting, retries: 0 }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the number of the latest or next attempt since the waits were reset.
    pub(super) fn retries(&self) -> u32 {
        self.retries
    }

    pub(super) fn handle_open(&mut self, now: Instant) {
        self.phase = Phase::Open { since: now };
    }

    /// Handles the end of a connection or attempt. The next phase is Waiting or Stopped.
    /// RFC6455-7.2.3-1.
    pub(super) fn handle_end(&mut self, now: Instant, verdict: Verdict, chance: u32) {
        if let Phase::Open { since } = self.phase
            && now.duration_since(since) >= self.backoff.min_uptime
        {
            self.retries = 0;
        }
        let is_last = self.backoff.max_retries.is_some_and(|max| self.retries >= max);
        let wait = self.backoff.wait(self.retries, chance);
        self.phase = match verdict {
            // The random wait is added, so that clients with the same `Retry-After` do not
            // reconnect at once.
            Verdict::Retry { after } if !is_last => {
                match now.checked_add(after.saturating_add(wait)) {
                    Some(until) => Phase::Waiting { until },
                    None => Phase::Stopped,
                }
            }
            Verdict::Retry { .. } | Verdict::Stop => Phase::Stopped,
        };
        self.retries = self.retries.saturating_add(1);
    }

    /// Changes from Waiting to Connecting when the wait is over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Phase::Waiting { until } = self.phase
            && now >= until
        {
            self.phase = Phase::Connecting;
        }
    }

    /// Connects now, in any phase, and resets the waits.
    pub(super) fn restart(&mut self) {
        self.retries = 0;
        self.phase = Phase::Connecting;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Verdict = Verdict::Retry { after: Duration::ZERO };

    fn backoff() -> Backoff {
        Backoff { max_retries: None, ..Backoff::default() }
    }

    /// Returns the longest wait that can be chosen.
    fn longest_wait(schedule: &mut Schedule, now: Instant) -> Duration {
        schedule.handle_end(now, RETRY, u32::MAX);
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
    fn the_bound_doubles_up_to_the_cap_and_is_reset_by_a_connection_that_stays_open() {
        let now = Instant::now();
        let mut schedule = Schedule::new(backoff());
        let bounds: Vec<_> = (0..7).map(|_| seconds(longest_wait(&mut schedule, now))).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 30, 30]);
        schedule.handle_open(now);
        let lived = now + Duration::from_secs(4);
        assert_eq!(seconds(longest_wait(&mut schedule, lived)), 30, "it was too short");
        schedule.handle_open(now);
        let lived = now + Duration::from_secs(5);
        assert_eq!(seconds(longest_wait(&mut schedule, lived)), 1);
    }

    /// RFC6455-7.2.3-1.
    #[test]
    fn the_first_wait_is_random_too() {
        let now = Instant::now();
        for (chance, millis) in [(0, 0), (1 << 30, 250), (1 << 31, 500), (3 << 30, 750)] {
            let mut schedule = Schedule::new(backoff());
            schedule.handle_end(now, RETRY, chance);
            let until = now + Duration::from_millis(millis);
            assert_eq!(schedule.phase(), Phase::Waiting { until });
            if millis > 0 {
                schedule.handle_timeout(until - Duration::from_nanos(1));
                assert_eq!(schedule.phase(), Phase::Waiting { until }, "not too early");
            }
            schedule.handle_timeout(until);
            assert_eq!(schedule.phase(), Phase::Connecting);
        }
    }

    #[test]
    fn it_stops_on_request_and_after_the_last_retry_and_restarts() {
        let now = Instant::now();
        let mut schedule = Schedule::new(Backoff { max_retries: Some(2), ..backoff() });
        longest_wait(&mut schedule, now);
        longest_wait(&mut schedule, now);
        schedule.handle_end(now, RETRY, 0);
        assert_eq!(schedule.phase(), Phase::Stopped);
        for verdict in [RETRY, Verdict::Stop] {
            schedule.restart();
            assert_eq!((schedule.phase(), schedule.retries()), (Phase::Connecting, 0));
            schedule.handle_end(now, verdict, 0);
            assert_eq!(schedule.phase() == Phase::Stopped, verdict == Verdict::Stop);
        }
    }

    /// FC-07
    #[test]
    fn a_retry_is_not_earlier_than_the_server_asked_for() {
        let now = Instant::now();
        let mut schedule = Schedule::new(backoff());
        let after = Duration::from_secs(120);
        schedule.handle_end(now, Verdict::Retry { after }, 1 << 31);
        let until = now + after + Duration::from_millis(500);
        assert_eq!(schedule.phase(), Phase::Waiting { until });
    }

    #[test]
    fn extreme_options_and_many_failures_cause_no_overflow() {
        let now = Instant::now();
        let endless = Backoff { base: Duration::MAX, cap: Duration::MAX, ..backoff() };
        let mut schedule = Schedule::new(endless);
        schedule.handle_end(now, RETRY, u32::MAX);
        let mut schedule = Schedule::new(backoff());
        for _ in 0..100 {
            assert!(longest_wait(&mut schedule, now) <= Duration::from_secs(30));
        }
        let none = Backoff { base: Duration::ZERO, ..backoff() };
        assert_eq!(longest_wait(&mut Schedule::new(none), now), Duration::ZERO);
    }
}
