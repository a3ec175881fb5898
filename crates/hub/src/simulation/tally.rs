/// The number of events in many runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) messages: u64,
    pub(super) delivered: u64,
    pub(super) gaps: u64,
    pub(super) cuts: u64,
    pub(super) recovered: u64,
    pub(super) losses: u64,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.messages += other.messages;
        self.delivered += other.delivered;
        self.gaps += other.gaps;
        self.cuts += other.cuts;
        self.recovered += other.recovered;
        self.losses += other.losses;
    }
}
