//! Events as JSON.

use std::time::Duration;

use fullduplex_net::proto::handshake::ConnectProtocol;
use fullduplex_net::proto::{Observed, Opcode, Role};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use super::event::{EventTime, TapEvent, Totals};
use super::frame::{kind_of, text_of};
use crate::output::{Event, Pen, to_hex};
use crate::secrets::Secrets;

pub(super) fn listening(pen: &mut Pen, url: &str, target: &str) {
    pen.event("listening").with("url", url).with("target", target).end();
}

pub(super) fn event(pen: &mut Pen, when: EventTime, tap_event: &TapEvent, secrets: Secrets) {
    let name = match tap_event {
        TapEvent::Request(..) => "request",
        TapEvent::Response(_) => "response",
        TapEvent::Frame(..) => "frame",
        TapEvent::End(..) => "end",
        TapEvent::Broken(..) => "broken",
        TapEvent::GoAway(..) => "goaway",
        TapEvent::Failed(_) => "failed",
        TapEvent::Over(..) => "over",
    };
    let mut event = pen.event(name).with("connection", when.connection);
    if let Some(stream) = when.stream {
        event = event.with("stream", stream);
    }
    let event = event.with("time", seconds(when.time)).with("since", seconds(when.since));
    match tap_event {
        TapEvent::Request(peer, request) => with_protocol(event, request)
            .with("peer", peer.to_string())
            .with("method", request.method().as_str())
            .with("target", secrets.target(&request.uri().to_string()))
            .with("headers", headers(request.headers(), secrets)),
        TapEvent::Response(response) => event
            .with("status", response.status().as_u16())
            .with("headers", headers(response.headers(), secrets)),
        TapEvent::Frame(from, observed) => frame(event.with("from", end_name(*from)), observed),
        TapEvent::End(from, Some(cut)) => frame(event.with("from", end_name(*from)), cut),
        TapEvent::End(from, None) => event.with("from", end_name(*from)),
        TapEvent::Broken(end, error) => {
            event.with("from", end_name(*end)).with("error", error.as_str())
        }
        TapEvent::GoAway(end, reason) => {
            event.with("from", end_name(*end)).with("reason", reason.as_str())
        }
        TapEvent::Failed(reason) => event.with("error", secrets.text(reason)),
        TapEvent::Over(client, server) => {
            event.with("client", totals(*client)).with("server", totals(*server))
        }
    }
    .end();
}

/// Adds the pseudo-header `:protocol` of an extended CONNECT.
fn with_protocol<'a>(event: Event<'a>, request: &Request<()>) -> Event<'a> {
    match request.extensions().get::<ConnectProtocol>() {
        Some(protocol) => event.with("protocol", protocol.as_str()),
        None => event,
    }
}

/// Adds a frame. If `passed` is less than `length`, the stream ended within the frame.
fn frame<'a>(event: Event<'a>, frame: &Observed) -> Event<'a> {
    let mut event = event
        .with("fin", frame.fin)
        .with("reserved", frame.reserved)
        .with("opcode", frame.opcode)
        .with("kind", kind_of(frame.opcode))
        .with("length", frame.payload_len)
        .with("passed", frame.passed)
        .with("mask", frame.mask.map(|key| to_hex(&key.0)))
        .with("compressed", frame.compressed)
        .with("content_length", frame.content_len);
    let is_close = frame.opcode == Opcode::Close as u8;
    if let Some((code, reason)) = frame.content.split_first_chunk().filter(|_| is_close) {
        event = event
            .with("code", u16::from_be_bytes(*code))
            .with("reason", String::from_utf8_lossy(reason));
    }
    event = match text_of(frame) {
        Some(text) => event.text("text", &text),
        None => event.hex("hex", &frame.content),
    };
    if let Some(violation) = &frame.violation {
        event = event.with("violation", violation.to_string());
    }
    if frame.after_close { event.with("after_close", true) } else { event }
}

/// Returns a list, because a name may occur twice and the order differs between clients.
fn headers(headers: &HeaderMap, secrets: Secrets) -> Value {
    headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), secrets.header(name, value)]))
        .collect()
}

fn totals(totals: Totals) -> Value {
    json!({ "frames": totals.frames, "bytes": totals.bytes })
}

/// Rounds to microseconds, the resolution of clocks.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

fn end_name(end: Role) -> &'static str {
    match end {
        Role::Client => "client",
        Role::Server => "server",
    }
}
