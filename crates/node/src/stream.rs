//! `WebSocketStream`: inputs to its state machine, and the effects for JavaScript to carry out.

use fullduplex::rules::stream_machine::{Effect, StreamMachine, close_frame_of_error};
use napi_derive::napi;

use crate::socket::{Result, Socket, call, close_code_of, with};

/// Returns whether to take the next message.
#[napi]
pub fn stream_wants_message(number: u32) -> Option<bool> {
    with(number, |it| it.stream.wants_message(it.socket.ready_state()))
}

/// Reports that the readable stream wants a chunk.
#[napi]
pub fn stream_pull(number: u32) {
    with(number, |it| it.stream.handle_pull());
}

/// Reports that a message was put into the readable stream.
#[napi]
pub fn stream_message(number: u32) -> Vec<u8> {
    effects(number, |stream, _| stream.handle_message())
}

/// Returns whether a chunk can be written.
#[napi]
pub fn stream_may_write(number: u32) -> Option<bool> {
    with(number, |it| it.stream.may_write(it.socket.ready_state()))
}

/// Reports that a chunk was queued. Returns whether its write must wait for room.
#[napi]
pub fn stream_write(number: u32) -> Option<bool> {
    with(number, |it| it.stream.handle_write(it.socket.buffered_amount()))
}

/// Reports that queued data may have been written.
#[napi]
pub fn stream_room(number: u32) -> Vec<u8> {
    effects(number, |stream, buffered| stream.handle_buffered(buffered))
}

/// Reports that the writable stream closes.
#[napi]
pub fn stream_finish(number: u32) {
    with(number, |it| it.stream.handle_finish());
}

/// Reports that the connection has ended.
#[napi]
pub fn stream_end(number: u32, was_clean: bool, code: u32) -> Vec<u8> {
    let code = close_code_of(code);
    effects(number, |stream, buffered| stream.handle_end(was_clean, code, buffered))
}

/// Reports that the signal has aborted.
#[napi]
pub fn stream_abort(number: u32) -> Vec<u8> {
    effects(number, |stream, _| stream.handle_failure())
}

/// Closes the connection because the reader or the writer was cancelled or aborted. `code` and
/// `reason` are those of a `WebSocketError`. Returns the same as `close`.
#[napi]
pub fn stream_give_up(number: u32, code: Option<u32>, reason: Option<String>) -> Result<bool> {
    let frame = close_frame_of_error(code.map(close_code_of), reason.as_deref());
    let code = frame.as_ref().map(|frame| frame.code.get());
    let reason = frame.as_ref().map(|frame| frame.reason.as_str());
    call(number, |it| it.socket.close_as(code, reason))
}

/// Returns the names of the effects. The index of a name is the number that the other functions
/// return; 0 is unused.
#[napi]
pub fn stream_effects() -> Vec<String> {
    let names = Effect::ALL.iter().map(|effect| format!("{effect:?}"));
    std::iter::once(String::new()).chain(names).collect()
}

/// Passes an input to the state machine. Returns the numbers of the effects.
fn effects<E: IntoIterator<Item = Effect>>(
    number: u32,
    input: impl FnOnce(&mut StreamMachine, u64) -> E,
) -> Vec<u8> {
    let apply = |it: &mut Socket| {
        let buffered = it.socket.buffered_amount();
        input(&mut it.stream, buffered).into_iter().map(|effect| effect as u8).collect()
    };
    with(number, apply).unwrap_or_default()
}
