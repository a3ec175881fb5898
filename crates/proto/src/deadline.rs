use std::time::{Duration, Instant};

/// A limit on how long something may take without progress. It starts when the time is first told.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    /// The progress when the deadline was set.
    progress: u64,
}

/// The deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// Whether everything that has arrived was read before the time was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Nothing is left to read.
    Nothing,
    /// There is more to read. `read` bytes were read since the time was last told.
    Something { read: usize },
}

impl Deadline {
    /// Checks the deadline. Returns when to check again; a limit beyond the end of time is none.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        limit: Duration,
        progress: u64,
    ) -> Result<Option<Instant>, Elapsed> {
        match self.at(progress) {
            Some(at) if now >= at => Err(Elapsed),
            Some(at) => Ok(Some(at)),
            None => {
                *self = Self { at: now.checked_add(limit), progress };
                Ok(self.at)
            }
        }
    }

    /// As [`Deadline::check`], but never blames the peer for a stall of this end: if called more than a
    /// quarter of the limit late, this end stalled, so the deadline restarts. While there is more to
    /// read, [`Timers`](crate::timers::Timers) sees to that instead.
    pub(crate) fn check_fairly(
        &mut self,
        now: Instant,
        limit: Duration,
        progress: u64,
        unread: Unread,
    ) -> Result<Option<Instant>, Elapsed> {
        if unread == Unread::Nothing
            && self.at.is_some_and(|at| now.saturating_duration_since(at) > limit / 4)
        {
            self.clear();
        }
        self.check(now, limit, progress)
    }

    /// Whether it has started and there was no progress since.
    pub(crate) fn is_set_for(&self, progress: u64) -> bool {
        self.at(progress).is_some()
    }

    /// Returns the instant of the deadline, if it has started and there was no progress since.
    pub(crate) fn at(&self, progress: u64) -> Option<Instant> {
        self.at.filter(|_| self.progress == progress)
    }

    /// Restores what [`Deadline::at`] returned.
    pub(crate) fn until(at: Option<Instant>, progress: u64) -> Self {
        Self { at, progress }
    }

    /// Restarts when the time is next told.
    pub(crate) fn clear(&mut self) {
        self.at = None;
    }
}
