use crate::entry::Entry;

/// Entries that arrived before an earlier entry.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) entries: Vec<Entry>,
    pub(super) overflowed: bool,
}

impl Held {
    pub(super) fn push(&mut self, entry: Entry) {
        if self.overflowed || self.entries.len() == MAX_HELD {
            (self.entries, self.overflowed) = (Vec::new(), true);
        } else {
            self.entries.push(entry);
        }
    }
}

/// The number of entries that are held while older entries are fetched. If more entries arrive, they are dropped and
/// fetched later.
pub(super) const MAX_HELD: usize = 1024;
