use std::time::{Duration, Instant};

/// A limit on how long something may take without progress. It starts when the time is told first.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    /// How far it had come when the deadline was set.
    progress: u64,
}

/// The deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elapsed;

impl Deadline {
    /// Looks at the clock. Returns when to look again; a limit beyond the end of time is none.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        limit: Duration,
        progress: u64,
    ) -> Result<Option<Instant>, Elapsed> {
        match self.at.filter(|_| self.progress == progress) {
            Some(at) if now >= at => Err(Elapsed),
            Some(at) => Ok(Some(at)),
            None => {
                *self = Self { at: now.checked_add(limit), progress };
                Ok(self.at)
            }
        }
    }

    /// As [`Deadline::check`], but starts anew when it is looked at long after it has passed: then it was
    /// this end that stood still, and whatever it waits for may be on its way.
    pub(crate) fn check_fairly(
        &mut self,
        now: Instant,
        limit: Duration,
        progress: u64,
    ) -> Result<Option<Instant>, Elapsed> {
        if self.at.is_some_and(|at| now.saturating_duration_since(at) > limit / 4) {
            self.clear();
        }
        self.check(now, limit, progress)
    }

    /// Whether it has started, and there was no progress since.
    pub(crate) fn is_set_for(&self, progress: u64) -> bool {
        self.at.is_some() && self.progress == progress
    }

    /// Starts anew when the time is told again.
    pub(crate) fn clear(&mut self) {
        self.at = None;
    }
}
