//! The rules of `WebSocketStream`, as
//! [whatwg/websockets#48](https://github.com/whatwg/websockets/pull/48) proposes it, in addition to
//! those of [`machine`].
//!
//! A host has a [`StreamMachine`] for each stream and calls it for each input. It applies the
//! returned [`Effect`]s, in order, to its promises and its two streams.

use fullduplex_proto::CloseFrame;

use crate::rules::event::ReadyState;
use crate::rules::{WRITE_HIGH_WATER, machine};

/// The promises of one stream that are pending.
#[derive(Debug, Default)]
pub struct StreamMachine {
    /// A read, which waits for a message.
    pull: Promise,
    /// A write, which waits until less is buffered.
    write: Promise,
    /// The closing of the writable stream, which waits for the end of the connection.
    finish: Promise,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Promise {
    #[default]
    None,
    Waits,
}

/// What the host does. "The error" is the error of the connection, or the reason of an abort.
///
/// Bindings identify an effect by its number. They generate the numbers from [`Effect::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Effect {
    /// Reject `opened` with the error, unless it was resolved.
    RejectOpened = 1,
    /// Resolve `closed` with the code and the reason of the server.
    ResolveClosed,
    /// Reject `closed` with the error.
    RejectClosed,
    /// Close the readable stream.
    CloseReadable,
    /// Error the readable stream with the error.
    ErrorReadable,
    /// Resolve the pending read.
    ResolvePull,
    /// Resolve the pending write.
    ResolveWrite,
    /// Reject the pending write with the error.
    RejectWrite,
    /// Reject the pending write with an `InvalidStateError`.
    RejectWriteAsClosing,
    /// Resolve the closing of the writable stream.
    ResolveFinish,
    /// Reject the closing of the writable stream with the error.
    RejectFinish,
    /// Error the writable stream with the error.
    ErrorWritable,
    /// Error the writable stream with an `InvalidStateError`.
    ErrorWritableAsClosing,
}

impl Effect {
    /// All effects, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::RejectOpened,
        Self::ResolveClosed,
        Self::RejectClosed,
        Self::CloseReadable,
        Self::ErrorReadable,
        Self::ResolvePull,
        Self::ResolveWrite,
        Self::RejectWrite,
        Self::RejectWriteAsClosing,
        Self::ResolveFinish,
        Self::RejectFinish,
        Self::ErrorWritable,
        Self::ErrorWritableAsClosing,
    ];
}

impl StreamMachine {
    /// Returns whether the host takes the next message. It takes a message if a read is pending. It also
    /// takes a message if the connection is not open, because an unread message must not delay the end.
    pub fn wants_message(&self, state: ReadyState) -> bool {
        self.pull == Promise::Waits || state != ReadyState::Open
    }

    /// Handles a pull of the readable stream.
    pub fn handle_pull(&mut self) {
        self.pull = Promise::Waits;
    }

    /// Handles a message that was enqueued in the readable stream.
    pub fn handle_message(&mut self) -> Option<Effect> {
        self.take_pull()
    }

    /// Returns whether a chunk can be written.
    pub fn may_write(&self, state: ReadyState) -> bool {
        state == ReadyState::Open
    }

    /// Handles a chunk that was sent, when `buffered` bytes wait for the network. Returns whether the
    /// write stays pending until less is buffered.
    pub fn handle_write(&mut self, buffered: u64) -> bool {
        let waits = buffered >= WRITE_HIGH_WATER;
        if waits {
            self.write = Promise::Waits;
        }
        waits
    }

    /// Handles a change of the number of bytes that wait for the network.
    pub fn handle_buffered(&mut self, buffered: u64) -> Option<Effect> {
        if buffered >= WRITE_HIGH_WATER {
            None
        } else {
            self.take_write().then_some(Effect::ResolveWrite)
        }
    }

    /// Handles the closing of the writable stream. The host closes the connection after it has sent all
    /// written data.
    pub fn handle_finish(&mut self) {
        self.finish = Promise::Waits;
    }

    /// Handles the end of the connection, when `buffered` bytes waited for the network.
    pub fn handle_end(&mut self, was_clean: bool, code: u16, buffered: u64) -> Vec<Effect> {
        // Bytes that were sent but not written are lost, so the end is not clean.
        if !was_clean || buffered > 0 {
            let closing = code != 1006 && self.take_write();
            let closing = closing.then_some(Effect::RejectWriteAsClosing);
            return closing.into_iter().chain(self.handle_failure()).collect();
        }
        let finishes = self.finish == Promise::Waits;
        self.finish = Promise::None;
        let last = if finishes { Effect::ResolveFinish } else { Effect::ErrorWritableAsClosing };
        let write = self.take_write().then_some(Effect::RejectWriteAsClosing);
        let read = self.take_pull().into_iter().chain([Effect::CloseReadable]);
        read.chain(write).chain([last, Effect::ResolveClosed]).collect()
    }

    /// Handles a connection that failed or could not be opened, and an abort before it was open.
    pub fn handle_failure(&mut self) -> Vec<Effect> {
        let write = self.take_write().then_some(Effect::RejectWrite);
        let finish = (self.finish == Promise::Waits).then_some(Effect::RejectFinish);
        self.finish = Promise::None;
        let first = [Effect::RejectOpened, Effect::RejectClosed, Effect::ErrorReadable];
        let both = write.into_iter().chain(finish);
        first
            .into_iter()
            .chain(both)
            .chain([Effect::ErrorWritable])
            .chain(self.take_pull())
            .collect()
    }

    fn take_pull(&mut self) -> Option<Effect> {
        let waits = std::mem::take(&mut self.pull) == Promise::Waits;
        waits.then_some(Effect::ResolvePull)
    }

    fn take_write(&mut self) -> bool {
        std::mem::take(&mut self.write) == Promise::Waits
    }
}

/// Returns the Close frame for a stream that was cancelled or aborted. `code` and `reason` are
/// those of the error, if it is a `WebSocketError`. If applications may not send the code, the
/// frame has no body.
pub fn close_frame_of_error(code: Option<u16>, reason: Option<&str>) -> Option<CloseFrame> {
    machine::close_frame(code, reason).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Effect::*;
    use super::*;

    #[test]
    fn effects_are_numbered_from_one_in_order() {
        let numbers = Effect::ALL.map(|effect| effect as usize);
        assert!(numbers.into_iter().eq(1..=Effect::ALL.len()));
    }

    fn waiting() -> StreamMachine {
        let mut machine = StreamMachine::default();
        machine.handle_pull();
        assert!(machine.handle_write(WRITE_HIGH_WATER));
        machine
    }

    #[test]
    fn a_clean_end_ends_both_streams() {
        let ended = [CloseReadable, ErrorWritableAsClosing, ResolveClosed];
        assert_eq!(StreamMachine::default().handle_end(true, 1000, 0), ended);
        let mut machine = waiting();
        let ended = [
            ResolvePull,
            CloseReadable,
            RejectWriteAsClosing,
            ErrorWritableAsClosing,
            ResolveClosed,
        ];
        assert_eq!(machine.handle_end(true, 1000, 0), ended);
        let mut machine = StreamMachine::default();
        machine.handle_finish();
        let ended = [CloseReadable, ResolveFinish, ResolveClosed];
        assert_eq!(machine.handle_end(true, 1005, 0), ended);
    }

    #[test]
    fn an_end_that_loses_bytes_is_a_failure() {
        let failed = [RejectOpened, RejectClosed, ErrorReadable, ErrorWritable];
        assert_eq!(StreamMachine::default().handle_end(true, 1000, 1), failed);
        assert_eq!(StreamMachine::default().handle_end(false, 1006, 0), failed);
        let lost = [
            RejectWriteAsClosing,
            RejectOpened,
            RejectClosed,
            ErrorReadable,
            ErrorWritable,
            ResolvePull,
        ];
        assert_eq!(waiting().handle_end(true, 1000, 1), lost);
        let cut =
            [RejectOpened, RejectClosed, ErrorReadable, RejectWrite, ErrorWritable, ResolvePull];
        assert_eq!(waiting().handle_end(false, 1006, 1), cut);
        let mut machine = StreamMachine::default();
        machine.handle_finish();
        let failed = [RejectOpened, RejectClosed, ErrorReadable, RejectFinish, ErrorWritable];
        assert_eq!(machine.handle_failure(), failed);
    }

    #[test]
    fn a_message_waits_for_a_read_and_a_write_for_room() {
        let mut machine = StreamMachine::default();
        assert!(!machine.wants_message(ReadyState::Open));
        assert!(machine.wants_message(ReadyState::Closing), "a message must not delay the end");
        machine.handle_pull();
        assert!(machine.wants_message(ReadyState::Open));
        assert_eq!(machine.handle_message(), Some(ResolvePull));
        assert_eq!(machine.handle_message(), None);
        assert!(!machine.handle_write(WRITE_HIGH_WATER - 1));
        assert!(machine.handle_write(WRITE_HIGH_WATER));
        assert_eq!(machine.handle_buffered(WRITE_HIGH_WATER), None);
        assert_eq!(machine.handle_buffered(WRITE_HIGH_WATER - 1), Some(ResolveWrite));
        assert_eq!(machine.handle_buffered(0), None);
        assert!(!machine.may_write(ReadyState::Closing));
    }

    #[test]
    fn a_close_frame_carries_only_codes_that_may_be_sent() {
        let frame = close_frame_of_error(Some(4000), Some("why")).expect("4000 may be sent");
        assert_eq!((frame.code.get(), frame.reason.as_str()), (4000, "why"));
        assert_eq!(close_frame_of_error(Some(1006), Some("lost")), None);
        assert_eq!(close_frame_of_error(None, None), None);
    }
}
