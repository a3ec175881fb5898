use std::time::{Duration, Instant};

/// A limit on how long something may take without progress. It starts at the first check.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    /// The progress when the deadline was set.
    progress: u64,
}

/// The deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elapsed;

/// Whether input was left unread when the deadline was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// Nothing is left to read.
    Nothing,
    /// There is more to read. `read` bytes were read since the last check.
    Something { read: usize },
}

impl Deadline {
    /// Checks the deadline, and restarts it after progress. Returns when to check again, or `None` if the
    /// limit is too long for an [`Instant`].
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

    /// Does the same as [`Deadline::check`], but restarts the deadline if this end stalled. This end stalled
    /// if the call is late by more than a quarter of the limit. While there is more to read,
    /// [`Timers`](crate::timers::Timers) handles a stall instead.
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

    /// Returns whether the deadline has started and there was no progress since.
    pub(crate) fn is_set_for(&self, progress: u64) -> bool {
        self.at(progress).is_some()
    }

    /// Returns the instant of the deadline, if it has started and there was no progress since.
    pub(crate) fn at(&self, progress: u64) -> Option<Instant> {
        self.at.filter(|_| self.progress == progress)
    }

    /// Restores a deadline from the instant that [`Deadline::at`] returned.
    pub(crate) fn until(at: Option<Instant>, progress: u64) -> Self {
        Self { at, progress }
    }

    /// Restarts the deadline at the next check.
    pub(crate) fn clear(&mut self) {
        self.at = None;
    }
}
