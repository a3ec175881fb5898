use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::watch::TOLERANCE;

/// A histogram of times with a precision of three digits.
#[derive(Debug, Clone)]
pub(super) struct Times(Histogram<u64>);

/// A message that was sent. All times count from the start of the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) number: u64,
    /// When the message was due.
    pub(super) intended: Duration,
    /// The delay of the message that this tool caused.
    pub(super) own_delay: Duration,
    pub(super) is_answered: bool,
}

/// The measurements of all connections.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The time of the measurement. Only messages that are due within this time count. Earlier messages
    /// belong to the warm-up.
    window: Option<Range<Duration>>,
    pub(super) sent: u64,
    pub(super) answered: u64,
    /// Answers with the right number but different content.
    pub(super) wrong: u64,
    /// Messages that are not answers.
    pub(super) unasked: u64,
    /// Messages sent and answered at any time, including the warm-up.
    pub(super) sent_ever: u64,
    pub(super) answered_ever: u64,
    /// Messages that were due while the server accepted no more data.
    pub(super) unsent: u64,
    /// Messages that were due while this tool could not keep up.
    pub(super) own_unsent: u64,
    /// Answers that arrived within the window, to any message.
    pub(super) arrived: u64,
    /// The time between the due time of a message and its answer, minus the delay of this tool.
    pub(super) latency: Times,
    /// The latency of messages that this tool sent late, or whose answer it may have read late
    /// because it stalled. The cause of the latency may be the tool or the server.
    pub(super) apart: Times,
    /// The delays of messages that this tool caused.
    pub(super) own_delay: Times,
    /// The time to connect, including the opening handshake.
    pub(super) connecting: Times,
    /// Each error, with the number of times it occurred.
    pub(super) errors: BTreeMap<String, u64>,
    /// The latencies since the last [`Record::take_recent`].
    recent: Times,
}

/// The number of kinds of errors that are counted separately. Errors of further kinds are counted
/// together.
const KINDS: usize = 8;

/// Limits the stalls that are subtracted from a latency. If a stall of this tool is longer than the
/// latency divided by this number, the message is recorded separately instead.
const SHARE: u32 = 10;

impl Sent {
    /// Returns when the message was sent. The later part of the latency is caused by the server and the
    /// network.
    pub(super) fn start(&self) -> Duration {
        self.intended + self.own_delay
    }
}

impl Record {
    pub(super) fn measure(&mut self, window: Range<Duration>) {
        self.window = Some(window);
    }

    pub(super) fn window(&self) -> Range<Duration> {
        self.window.clone().unwrap_or_default()
    }

    fn counts(&self, time: Duration) -> bool {
        self.window.as_ref().is_some_and(|window| window.contains(&time))
    }

    pub(super) fn handle_sent(&mut self, sent: &Sent) {
        self.sent_ever += 1;
        if self.counts(sent.intended) {
            self.sent += 1;
            self.own_delay.add(sent.own_delay);
        }
    }

    /// Counts a message that was due and was not sent. `is_blocked` is true if the server accepted no
    /// more data.
    pub(super) fn handle_not_sent(&mut self, intended: Duration, is_blocked: bool) {
        if self.counts(intended) {
            *if is_blocked { &mut self.unsent } else { &mut self.own_unsent } += 1;
        }
    }

    /// Counts a correct answer. This tool may have read the answer with a delay of up to `stalled`.
    pub(super) fn handle_answer(&mut self, sent: &Sent, now: Duration, stalled: Duration) {
        self.answered_ever += 1;
        let latency = now.saturating_sub(sent.start());
        self.recent.add(latency);
        if self.counts(now) {
            self.arrived += 1;
        }
        if self.counts(sent.intended) {
            self.answered += 1;
            let is_late = sent.own_delay > TOLERANCE && sent.own_delay * SHARE > latency;
            if is_late || stalled * SHARE > latency {
                self.apart.add(latency);
            } else {
                self.latency.add(latency - stalled);
            }
        }
    }

    /// Counts an answer with different content.
    pub(super) fn handle_mismatch(&mut self, sent: &Sent, reason: &str) {
        self.answered_ever += 1;
        if self.counts(sent.intended) {
            self.wrong += 1;
        }
        self.handle_error(reason);
    }

    /// Counts a message that is not an answer.
    pub(super) fn handle_unsolicited(&mut self) {
        self.unasked += 1;
    }

    pub(super) fn handle_error(&mut self, reason: &str) {
        let is_new = !self.errors.contains_key(reason) && self.errors.len() >= KINDS;
        let reason = if is_new { "other errors" } else { reason };
        *self.errors.entry(reason.to_owned()).or_default() += 1;
    }

    /// Returns the number of messages that were sent and not answered.
    pub(super) fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.answered + self.wrong)
    }

    pub(super) fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Returns the answers per second within the window.
    pub(super) fn rate(&self) -> f64 {
        let window = self.window();
        let seconds = window.end.saturating_sub(window.start).as_secs_f64();
        if seconds > 0.0 { self.arrived as f64 / seconds } else { 0.0 }
    }

    /// Takes the latencies since the last call.
    pub(super) fn take_recent(&mut self) -> Times {
        std::mem::take(&mut self.recent)
    }
}

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0.saturating_record(nanos);
    }

    pub(super) fn len(&self) -> u64 {
        self.0.len()
    }

    /// Returns a percentile. `part` is the part of all messages, from 0 to 1, that did not exceed the
    /// returned time.
    pub(super) fn at(&self, part: f64) -> Duration {
        Duration::from_nanos(self.0.value_at_quantile(part))
    }

    pub(super) fn max(&self) -> Duration {
        Duration::from_nanos(self.0.max())
    }
}

impl Default for Times {
    fn default() -> Self {
        const HOUR: u64 = 3_600_000_000_000;
        let histogram = Histogram::new_with_bounds(100, HOUR, 3);
        Self(histogram.expect("the bounds are in order, and three digits are allowed"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::super::pacer::Pacer;
    use super::super::watch::{TICK, Watch};
    use super::*;

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    /// Simulates a second with 1000 messages on a simulated clock. The server answers after a
    /// millisecond. The server and the tool stall during the given times.
    fn simulate(server: Range<u64>, tool: Range<u64>) -> Record {
        let mut record = Record::default();
        record.measure(ms(0)..ms(1000));
        let mut pacer = Pacer::new(1000.0, 1, 0, ms(0));
        let mut watch = Watch::default();
        let mut tick = ms(0);
        let mut way = VecDeque::<(u64, Sent)>::new();
        for now in (0..2000).filter(|now| !tool.contains(now)) {
            while let Some((_, sent)) = way.front().filter(|(at, _)| *at <= now) {
                let stalled = watch.stalled(sent.start(), ms(now));
                record.handle_answer(sent, ms(now), stalled);
                way.pop_front();
            }
            while let Some(due) = pacer.poll_due(ms(now)).filter(|due| due.intended < ms(1000)) {
                let sent = Sent {
                    number: 0,
                    intended: due.intended,
                    own_delay: due.own_delay,
                    is_answered: false,
                };
                record.handle_sent(&sent);
                let answer = if server.contains(&now) { server.end } else { now };
                way.push_back((answer + 1, sent));
            }
            if ms(now) >= tick {
                watch.handle_tick(ms(now));
                tick = ms(now) + TICK;
            }
        }
        record
    }

    #[test]
    fn a_server_stall_counts_for_every_message_due_during_it() {
        let record = simulate(400..700, 0..0);
        assert_eq!((record.sent, record.answered, record.apart.len()), (1000, 1000, 0));
        let close_to = |time: Duration, expected: u64| {
            (time.as_secs_f64() / ms(expected).as_secs_f64() - 1.0).abs() < 0.01
        };
        assert!(close_to(record.latency.max(), 301), "{:?}", record.latency.max());
        // 300 of 1000 messages waited for 301 ms to 2 ms.
        for (part, expected) in [(0.99, 291), (0.9, 201), (0.75, 51), (0.5, 1)] {
            let time = record.latency.at(part);
            assert!(close_to(time, expected) && time >= ms(expected), "{part}: {time:?}");
        }
    }

    #[test]
    fn a_tool_stall_counts_for_the_tool() {
        let record = simulate(0..0, 400..700);
        assert_eq!((record.sent, record.answered), (1000, 1000));
        assert!(record.latency.max() <= ms(2), "{:?}", record.latency.max());
        // One message was in flight and 300 messages were due during the stall. The delay of the last
        // messages was within the tolerance of a timer.
        assert!((296..=302).contains(&record.apart.len()), "{}", record.apart.len());
        assert!(record.own_delay.max() >= ms(299), "{:?}", record.own_delay.max());
    }

    #[test]
    fn a_tool_stall_does_not_count_for_a_server_that_stalls_too() {
        let record = simulate(600..800, 400..700);
        // When the tool continues, the server is 100 ms late at most.
        assert!(record.latency.max() <= ms(102), "{:?}", record.latency.max());
        assert!(record.latency.at(0.99) >= ms(80), "{:?}", record.latency.at(0.99));
    }

    #[test]
    fn the_delay_of_the_tool_is_not_part_of_the_latency() {
        let mut record = Record::default();
        record.measure(ms(0)..ms(100));
        let sent = Sent { number: 0, intended: ms(10), own_delay: ms(2), is_answered: false };
        record.handle_sent(&sent);
        record.handle_answer(&sent, ms(13), ms(0));
        assert_eq!(record.latency.max().as_millis(), 1);
        assert_eq!(record.own_delay.max().as_millis(), 2);
    }

    /// The tool read the connection after its stall, and no answers had arrived.
    #[test]
    fn a_short_tool_stall_does_not_hide_a_server_stall() {
        let record = simulate(400..700, 500..510);
        assert_eq!(record.apart.len(), 0);
        let (max, p90) = (record.latency.max(), record.latency.at(0.9));
        assert!(max >= ms(300) && max <= ms(302) && p90 >= ms(190), "{max:?} {p90:?}");
    }

    #[test]
    fn a_short_tool_stall_is_subtracted_from_a_long_server_stall() {
        // Answers due at 701 ms are seen at 705 ms, and may have arrived from 695 ms on.
        let record = simulate(400..700, 695..705);
        let max = record.latency.max();
        assert!(max >= ms(294) && max <= ms(302), "{max:?}");
        // For messages that waited less than 100 ms, the stall is too large compared with the latency.
        assert!((90..=100).contains(&record.apart.len()), "{}", record.apart.len());
    }

    #[test]
    fn only_messages_due_within_the_window_count() {
        let mut record = Record::default();
        let sent = |at| Sent { number: 0, intended: ms(at), own_delay: ms(0), is_answered: false };
        record.handle_sent(&sent(5));
        record.measure(ms(10)..ms(20));
        for at in [9, 10, 19, 20] {
            record.handle_sent(&sent(at));
        }
        record.handle_answer(&sent(10), ms(12), ms(0));
        record.handle_mismatch(&sent(9), "wrong");
        assert_eq!((record.sent, record.answered, record.wrong, record.lost()), (2, 1, 0, 1));
        assert_eq!((record.arrived, record.error_count()), (1, 1));
    }
}
