use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fullduplex_proto::{Kind, Message};

use crate::socket::spare::{put, take};

/// The capacity of a cork. It is added to what the link may queue.
const WORDS: usize = 1 << 9;

/// The longest payload that is corked. Longer messages are worth a lock.
const PAYLOAD_MAX: usize = 512;

const WORD: usize = size_of::<u64>();

thread_local! {
    /// The address of the socket whose application this thread polls, or zero.
    static TURN: Cell<usize> = const { Cell::new(0) };

    /// The memory of a cork that no socket of this thread uses.
    static SPARE: Cell<Option<Arc<Cork>>> = const { Cell::new(None) };
}

/// Small messages that the application has sent during a turn of the driving task. The next lock of the link
/// queues them before anything else. So the answers to a burst cost one lock and not one each.
///
/// The application adds messages only during the turn in which its driving task polls it ([`Turn`]). Messages are
/// removed only under the lock of the link. Only the driving task and the owner of the socket take that lock, and
/// neither of them runs beside the other during a turn. So no two threads use a cork at the same time. The compiler
/// does not know that, so the fields are atomic, but relaxed loads and stores are enough.
#[derive(Debug)]
pub(crate) struct Cork {
    /// Messages: a word with the length and the kind, and the payload in whole words.
    words: Box<[AtomicU64]>,
    /// The number of words in use.
    len: AtomicUsize,
    /// The number of words that may be used. It is zero unless the last holder of the lock has checked that
    /// the link accepts messages.
    limit: AtomicUsize,
}

impl Cork {
    /// Returns an empty cork, which does not accept messages.
    pub(crate) fn new() -> Arc<Self> {
        take(&SPARE).unwrap_or_else(|| {
            Arc::new(Self {
                words: (0..WORDS).map(|_| AtomicU64::new(0)).collect(),
                len: AtomicUsize::new(0),
                limit: AtomicUsize::new(0),
            })
        })
    }

    /// Keeps the memory for the next socket of this thread. The cork is empty and closed.
    pub(crate) fn recycle(cork: Arc<Self>) {
        if Arc::strong_count(&cork) == 1 {
            put(&SPARE, cork);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Accepts messages until [`Cork::close`].
    pub(crate) fn open(&self) {
        self.limit.store(self.words.len(), Ordering::Relaxed);
    }

    pub(crate) fn close(&self) {
        self.limit.store(0, Ordering::Relaxed);
    }

    /// Adds a message. Returns false if it is too long, or if there is no room.
    #[inline]
    pub(crate) fn push(&self, message: &Message) -> bool {
        let payload = message.payload();
        let start = self.len.load(Ordering::Relaxed);
        let end = start + 1 + payload.len().div_ceil(WORD);
        if payload.len() > PAYLOAD_MAX || end > self.limit.load(Ordering::Relaxed) {
            return false;
        }
        let Some([head, words @ ..]) = self.words.get(start..end) else {
            return false;
        };
        let kind = u64::from(message.is_text());
        head.store((payload.len() as u64) << 1 | kind, Ordering::Relaxed);
        let (chunks, rest) = payload.as_chunks();
        for (word, chunk) in words.iter().zip(chunks) {
            word.store(u64::from_le_bytes(*chunk), Ordering::Relaxed);
        }
        if let Some(word) = words.get(chunks.len()) {
            let mut chunk = [0; WORD];
            chunk[..rest.len()].copy_from_slice(rest);
            word.store(u64::from_le_bytes(chunk), Ordering::Relaxed);
        }
        self.len.store(end, Ordering::Relaxed);
        true
    }

    /// Removes all messages, and passes each to `each`.
    pub(crate) fn take_messages(&self, mut each: impl FnMut(Kind, &[u8])) {
        let len = self.len.load(Ordering::Relaxed);
        self.len.store(0, Ordering::Relaxed);
        // All words are copied first, because the processor stalls if what was just written is copied again.
        let mut copy = [[0; WORD]; WORDS];
        for (chunk, word) in copy.iter_mut().zip(&self.words[..len]) {
            *chunk = word.load(Ordering::Relaxed).to_le_bytes();
        }
        let mut chunks = &copy[..len];
        while let Some((head, rest)) = chunks.split_first() {
            let head = u64::from_le_bytes(*head);
            let kind = if head & 1 == 1 { Kind::Text } else { Kind::Binary };
            let payload_len = (head >> 1) as usize;
            let (payload, rest) = rest.split_at(payload_len.div_ceil(WORD));
            each(kind, &payload.as_flattened()[..payload_len]);
            chunks = rest;
        }
    }
}

/// The time during which the driving task of a socket polls the application.
#[derive(Debug)]
pub(crate) struct Turn {
    /// A handler may drive another socket within its own turn.
    before: usize,
}

impl Turn {
    pub(crate) fn begin<T>(socket: &Arc<T>) -> Self {
        Self { before: TURN.replace(address(socket)) }
    }

    /// Returns whether this thread polls the application of `socket`.
    #[inline]
    pub(crate) fn is_of<T>(socket: &Arc<T>) -> bool {
        TURN.get() == address(socket)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        TURN.set(self.before);
    }
}

#[inline]
fn address<T>(socket: &Arc<T>) -> usize {
    Arc::as_ptr(socket).addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(cork: &Cork) -> Vec<(Kind, Vec<u8>)> {
        let mut taken = Vec::new();
        cork.take_messages(|kind, payload| taken.push((kind, payload.to_vec())));
        taken
    }

    #[test]
    fn messages_of_every_length_come_back_in_order() {
        let cork = Cork::new();
        for len in 0..=PAYLOAD_MAX {
            cork.open();
            let bytes: Vec<u8> = (0..len).map(|i| i as u8 | 0x80).collect();
            let text = "x".repeat(len / 2);
            assert!(cork.push(&bytes.clone().into()) && cork.push(&text.as_str().into()));
            let expected = [(Kind::Binary, bytes), (Kind::Text, text.into_bytes())];
            assert_eq!(taken(&cork), expected);
            assert!(taken(&cork).is_empty());
        }
    }

    #[test]
    fn a_cork_in_use_is_not_given_to_another_socket() {
        let cork = Cork::new();
        Cork::recycle(Arc::clone(&cork));
        assert!(!Arc::ptr_eq(&cork, &Cork::new()));
    }

    /// A handler may drive another socket, and continue its own turn afterwards.
    #[test]
    fn the_end_of_a_turn_restores_the_turn_before_it() {
        let (outer, inner) = (Arc::new(()), Arc::new(()));
        let turn = Turn::begin(&outer);
        let inner_turn = Turn::begin(&inner);
        assert!(Turn::is_of(&inner) && !Turn::is_of(&outer));
        drop(inner_turn);
        assert!(Turn::is_of(&outer));
        drop(turn);
        assert!(!Turn::is_of(&outer));
    }

    #[test]
    fn a_cork_takes_no_message_that_is_too_long_or_has_no_room() {
        let cork = Cork::new();
        let message = Message::from([7; 100]);
        assert!(!cork.push(&message), "the cork is closed");
        cork.open();
        assert!(!cork.push(&vec![0; PAYLOAD_MAX + 1].into()));
        let most = WORDS / (1 + 13);
        assert_eq!((0..WORDS).take_while(|_| cork.push(&message)).count(), most);
        cork.close();
        assert_eq!(taken(&cork).len(), most);
        assert!(!cork.push(&Message::from("")), "the cork is closed");
    }
}
