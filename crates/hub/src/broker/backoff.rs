use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Returns how long to wait before the next attempt to connect (HUB-5). The bound doubles with each attempt. The wait
/// is random, between half of the bound and the bound, so that not all nodes reconnect at the same time.
pub(super) fn delay(attempt: u32, random: u64) -> Duration {
    let longest = FIRST.saturating_mul(1 << attempt.min(16)).min(LONGEST);
    let fraction = (random >> 32) as f64 / f64::from(u32::MAX);
    longest.mul_f64(0.5 + fraction / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_limit_and_differ_by_half() {
        let ms = |attempt, random| delay(attempt, random).as_millis();
        assert_eq!([ms(0, 0), ms(0, u64::MAX)], [50, 100]);
        assert_eq!([ms(3, 0), ms(3, u64::MAX)], [400, 800]);
        assert_eq!([ms(60, 0), ms(u32::MAX, u64::MAX)], [5_000, 10_000]);
    }
}
