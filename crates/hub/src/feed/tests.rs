use super::held::MAX_HELD;
use super::*;
use fullduplex_proto::Prepared;

const NOW: Duration = Duration::from_secs(1);

fn entry(epoch: u64, offset: u64) -> Entry {
    let content = Content {
        id: offset,
        except: 0,
        message: Some(Prepared::new(format!("{epoch}.{offset}"))),
    };
    Entry { position: position(epoch, offset), previous: offset - 1, content }
}

fn position(epoch: u64, offset: u64) -> Position {
    Position::new(epoch, offset, offset as u32)
}

fn feed() -> Feed {
    Feed::live(History::new(3, Duration::from_secs(10)), position(1, 0), NOW)
}

/// Formats the outputs, such as `1.2` for a message, `gap` and `fetch 2`.
fn outputs(feed: &mut Feed) -> Vec<String> {
    std::iter::from_fn(|| feed.poll_output())
        .map(|output| match output {
            Output::Deliver(Entry { content: Content { message: Some(message), .. }, .. }) => {
                message.message().as_text().unwrap_or_default().to_owned()
            }
            Output::Deliver(_) => "mark".into(),
            Output::Gap { reason, .. } => format!("gap {reason:?}"),
            Output::Fetch { after, .. } => format!("fetch {}", after.offset),
        })
        .collect()
}

fn fetched(complete: Result<(), GapReason>, entries: Vec<Entry>, end: Position) -> Fetched {
    Fetched { complete, entries, end }
}

/// HUB-1.
#[test]
fn entries_are_passed_on_in_order_and_once() {
    let mut feed = feed();
    for offset in [1, 2, 1, 2, 3] {
        feed.handle_entry(entry(1, offset), NOW);
    }
    assert_eq!(outputs(&mut feed), ["1.1", "1.2", "1.3"]);
}

/// HUB-2, HUB-3.
#[test]
fn a_missing_entry_is_fetched_and_joined_without_repetition() {
    let mut feed = feed();
    feed.handle_entry(entry(1, 3), NOW);
    feed.handle_entry(entry(1, 4), NOW);
    assert_eq!(outputs(&mut feed), ["fetch 0"]);
    let entries = vec![entry(1, 1), entry(1, 2), entry(1, 3)];
    feed.handle_fetched(1, fetched(Ok(()), entries, position(1, 3)), NOW);
    assert_eq!(outputs(&mut feed), ["1.1", "1.2", "1.3", "1.4"]);
}

/// HUB-5.
#[test]
fn entries_missed_while_disconnected_are_fetched() {
    let mut feed = feed();
    feed.handle_cut(NOW);
    feed.handle_entry(entry(1, 1), NOW);
    feed.handle_connected();
    feed.handle_entry(entry(1, 3), NOW);
    assert_eq!(outputs(&mut feed), ["fetch 0"]);
    feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1), entry(1, 2)], position(1, 2)), NOW);
    assert_eq!(outputs(&mut feed), ["1.1", "1.2", "1.3"]);
}

/// HUB-5: an answer from before the second disconnect does not contain the entries that were missed during it.
#[test]
fn an_answer_from_before_a_second_disconnect_is_ignored() {
    let mut feed = feed();
    feed.handle_cut(NOW);
    feed.handle_connected();
    feed.handle_cut(NOW);
    feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1)], position(1, 1)), NOW);
    feed.handle_connected();
    feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1)], position(1, 1)), NOW);
    assert_eq!(outputs(&mut feed), ["fetch 0", "fetch 0"]);
    feed.handle_fetched(2, fetched(Ok(()), vec![entry(1, 1), entry(1, 2)], position(1, 2)), NOW);
    assert_eq!(outputs(&mut feed), ["1.1", "1.2"]);
}

/// HUB-2.
#[test]
fn a_trimmed_log_is_a_gap_before_the_remaining_entries() {
    let mut feed = feed();
    feed.handle_entry(entry(1, 9), NOW);
    let entries = vec![entry(1, 8), entry(1, 9)];
    feed.handle_fetched(1, fetched(Err(GapReason::Trimmed), entries, position(1, 9)), NOW);
    feed.handle_entry(entry(1, 10), NOW);
    assert_eq!(outputs(&mut feed), ["fetch 0", "gap Trimmed", "1.8", "1.9", "1.10"]);
    assert!(feed.recover(position(1, 8)).is_some() && feed.recover(position(1, 7)).is_none());
}

/// HUB-3.
#[test]
fn a_new_epoch_is_a_gap_before_all_its_entries() {
    let mut feed = feed();
    feed.handle_entry(entry(1, 1), NOW);
    feed.handle_entry(entry(2, 2), NOW);
    let entries = vec![entry(2, 1), entry(2, 2)];
    feed.handle_fetched(1, fetched(Err(GapReason::Replaced), entries, position(2, 2)), NOW);
    assert_eq!(outputs(&mut feed), ["1.1", "fetch 1", "gap Replaced", "2.1", "2.2"]);
}

#[test]
fn entries_that_arrive_before_the_end_is_known_are_not_lost() {
    let mut feed = Feed::opening(History::default());
    feed.handle_entry(entry(1, 5), NOW);
    feed.handle_entry(entry(1, 6), NOW);
    feed.handle_opened(position(1, 5), NOW);
    assert_eq!(outputs(&mut feed), ["1.6"]);
}

#[test]
fn more_than_can_be_held_is_fetched_again() {
    let mut feed = feed();
    let last = MAX_HELD as u64 + 10;
    (2..=last).for_each(|offset| feed.handle_entry(entry(1, offset), NOW));
    feed.handle_fetched(1, fetched(Ok(()), vec![entry(1, 1)], position(1, 1)), NOW);
    assert_eq!(outputs(&mut feed), ["fetch 0", "1.1", "fetch 1"]);
}

/// HUB-3.
#[test]
fn a_position_is_recovered_from_while_its_message_is_kept() {
    let mut feed = feed();
    (1..=5).for_each(|offset| feed.handle_entry(entry(1, offset), NOW));
    let behind = |offset| feed.recover(position(1, offset)).map(|entries| entries.len());
    assert_eq!([1, 2, 3, 5, 6].map(behind), [None, Some(3), Some(2), Some(0), None]);
    assert!(feed.recover(position(2, 3)).is_none(), "another epoch");
    assert!(feed.recover(Position::new(1, 3, 99)).is_none(), "another message at that place");
    assert_eq!(feed.why_lost(position(1, 1)), GapReason::Trimmed);
    assert_eq!(feed.why_lost(position(2, 1)), GapReason::Replaced);
    feed.prune(NOW + Duration::from_secs(11));
    assert!(feed.is_empty() && feed.recover(position(1, 5)).is_some());
}
