//! Judges what clients have received.

use std::collections::{BTreeMap, HashMap};

/// What a client has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Item {
    /// A message: its author and its number.
    Message(usize, u32),
    /// A report that messages may be missing.
    Gap,
}

/// The confirmed messages of a topic: for each author, the numbers in order.
pub(crate) type Confirmed = BTreeMap<usize, Vec<u32>>;

/// The faults in what clients have received.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Faults {
    /// Confirmed messages that a client did not receive, without a gap at their place.
    pub(crate) lost: usize,
    pub(crate) repeated: usize,
    pub(crate) out_of_order: usize,
    /// Confirmed messages that a client did not receive, with a gap at their place.
    pub(crate) missed: usize,
    pub(crate) gaps: usize,
    pub(crate) received: usize,
}

impl Item {
    /// Parses the text of a message, such as `3.17`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (author, number) = text.split_once('.')?;
        Some(Self::Message(author.parse().ok()?, number.parse().ok()?))
    }
}

impl Faults {
    pub(crate) fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.out_of_order += other.out_of_order;
        self.missed += other.missed;
        self.gaps += other.gaps;
        self.received += other.received;
    }

    pub(crate) fn is_clean(&self) -> bool {
        (self.lost, self.repeated, self.out_of_order) == (0, 0, 0)
    }
}

/// Judges what one client of a topic has received.
pub(crate) fn judge(items: &[Item], confirmed: &Confirmed) -> Faults {
    let mut faults = Faults::default();
    // For each author: the last number, and the number of gaps before it.
    let mut last: HashMap<usize, (u32, usize)> = HashMap::new();
    let missing = |author: &usize, after: u32, before: u32| {
        let numbers = confirmed.get(author).map_or(&[][..], Vec::as_slice);
        numbers.partition_point(|&it| it < before) - numbers.partition_point(|&it| it <= after)
    };
    let mut seen = std::collections::HashSet::new();
    for item in items {
        let &Item::Message(author, number) = item else {
            faults.gaps += 1;
            continue;
        };
        faults.received += 1;
        let (before, gaps) = last.get(&author).copied().unwrap_or_default();
        if !seen.insert(*item) {
            faults.repeated += 1;
        } else if number <= before {
            faults.out_of_order += 1;
        } else {
            let count = missing(&author, before, number);
            if faults.gaps > gaps {
                faults.missed += count
            } else {
                faults.lost += count
            }
            last.insert(author, (number, faults.gaps));
        }
    }
    for author in confirmed.keys() {
        let (before, gaps) = last.get(author).copied().unwrap_or_default();
        let count = missing(author, before, u32::MAX);
        if faults.gaps > gaps { faults.missed += count } else { faults.lost += count }
    }
    faults
}

/// Counts the messages that a client of a topic with a history received in another order than the client with the most
/// messages.
pub(crate) fn out_of_order<'a>(clients: impl Iterator<Item = &'a [Item]> + Clone) -> usize {
    let longest = clients.clone().max_by_key(|items| items.len()).unwrap_or_default();
    let place: HashMap<_, _> = longest.iter().enumerate().map(|(at, item)| (item, at)).collect();
    let mut count = 0;
    for items in clients {
        let messages = items.iter().filter(|item| **item != Item::Gap);
        let places: Vec<_> = messages.filter_map(|item| place.get(item)).collect();
        count += places.windows(2).filter(|pair| pair[0] > pair[1]).count();
    }
    count
}

#[cfg(test)]
mod tests {
    use super::Item::{Gap, Message};
    use super::*;

    fn confirmed() -> Confirmed {
        BTreeMap::from([(0, vec![1, 2, 4]), (1, vec![1, 2])])
    }

    #[test]
    fn every_fault_is_counted() {
        let all = [(0, 1), (1, 1), (0, 2), (0, 3), (1, 2), (0, 4)].map(|(a, n)| Message(a, n));
        let faults = |items: &[Item]| judge(items, &confirmed());
        assert_eq!(faults(&all), Faults { received: 6, ..Faults::default() });
        let unconfirmed = [&all[..3], &all[4..]].concat();
        assert_eq!(faults(&unconfirmed).lost, 0, "3 was not confirmed");
        assert_eq!(faults(&all[1..]).lost, 1, "in the beginning");
        assert_eq!(faults(&all[..4]).lost, 2, "in the end");
        assert_eq!(faults(&[&all[..], &all[..1]].concat()).repeated, 1);
        let swapped = [all[2], all[0], all[1], all[3], all[4], all[5]];
        assert_eq!(faults(&swapped).out_of_order, 1);
        let told = faults(&[&all[..1], &[Gap], &all[4..]].concat());
        assert_eq!((told.lost, told.missed, told.gaps), (0, 2, 1));
        let elsewhere = faults(&[&[Gap], &all[..2], &all[3..]].concat());
        assert_eq!((elsewhere.lost, elsewhere.missed), (1, 0), "the gap is in another place");
    }

    #[test]
    fn another_order_is_counted() {
        let [a, b, c] = [(0, 1), (1, 1), (0, 2)].map(|(author, number)| Message(author, number));
        let count = |clients: &[&[Item]]| out_of_order(clients.iter().copied());
        assert_eq!(count(&[&[a, b, c], &[a, Gap, c]]), 0);
        assert_eq!(count(&[&[a, b, c], &[b, a, c]]), 1);
    }
}
