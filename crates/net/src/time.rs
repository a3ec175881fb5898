use std::time::Duration;

use tokio::time::Instant;

/// Returns the instant `duration` from now. Returns an instant in the far future if the clock cannot
/// represent that.
pub(crate) fn after(duration: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + THIRTY_YEARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endless_duration_ends_in_the_far_future() {
        assert!(after(Duration::MAX) > after(Duration::from_secs(86_400)));
    }
}
