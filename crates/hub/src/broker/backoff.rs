use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(10);

/// Returns how long to wait before a further attempt to connect (HUB-5): at random, so that the nodes do not all
/// come back at once, from half of a time that doubles up to all of it.
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
