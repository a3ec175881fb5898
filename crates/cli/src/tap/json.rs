//! What happens, for machines.

use std::time::Duration;

use fullduplex_net::proto::{Observed, Opcode, Role};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::happening::Happening;
use super::lane::Passed;
use super::screen::When;
use super::text::{kind_of, text_of};
use crate::output::{JsonLine, hex};

pub(super) fn listening(url: &str, target: &str) -> JsonLine {
    JsonLine::event("listening").with("url", url).with("target", target)
}

pub(super) fn event(when: When, happening: &Happening<'_>) -> JsonLine {
    let event = |name| {
        JsonLine::event(name)
            .with("connection", when.connection)
            .with("time", seconds(when.time))
            .with("since", seconds(when.since))
    };
    match happening {
        Happening::Request(peer, request) => event("request")
            .with("peer", peer.to_string())
            .with("method", request.method().as_str())
            .with("target", request.uri().to_string())
            .with("headers", headers(request.headers())),
        Happening::Response(response) => event("response")
            .with("status", response.status().as_u16())
            .with("headers", headers(response.headers())),
        Happening::Frame(from, observed) => {
            frame(event("frame").with("from", name(*from)), observed)
        }
        Happening::End(from, Some(cut)) => frame(event("end").with("from", name(*from)), cut),
        Happening::End(from, None) => event("end").with("from", name(*from)),
        Happening::Broken(end, error) => {
            event("broken").with("from", name(*end)).with("error", error.to_string())
        }
        Happening::Failed(reason) => event("failed").with("error", reason.as_str()),
        Happening::Over(client, server) => {
            event("over").with("client", passed(*client)).with("server", passed(*server))
        }
    }
}

/// A frame that has passed, or with `passed` below `length`, that was under way at the end.
fn frame(event: JsonLine, frame: &Observed) -> JsonLine {
    let mut event = event
        .with("fin", frame.fin)
        .with("reserved", frame.reserved)
        .with("opcode", frame.opcode)
        .with("kind", kind_of(frame.opcode))
        .with("length", frame.payload_len)
        .with("passed", frame.passed)
        .with("mask", frame.mask.map(|key| hex(&key.0)))
        .with("compressed", frame.compressed)
        .with("content_length", frame.content_len);
    let is_close = frame.opcode == Opcode::Close as u8;
    if let Some((code, reason)) = frame.content.split_first_chunk().filter(|_| is_close) {
        event = event
            .with("code", u16::from_be_bytes(*code))
            .with("reason", String::from_utf8_lossy(reason));
    }
    event = match text_of(frame) {
        Some(text) => event.with("text", text),
        None => event.with("hex", hex(&frame.content)),
    };
    if let Some(violation) = &frame.violation {
        event = event.with("violation", violation.to_string());
    }
    if frame.after_close { event.with("after_close", true) } else { event }
}

/// A list, for a name may come twice, and their order tells one client from another.
fn headers(headers: &HeaderMap) -> Value {
    let pair = |(name, value): (&HeaderName, &HeaderValue)| {
        json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())])
    };
    headers.iter().map(pair).collect()
}

fn passed(passed: Passed) -> Value {
    json!({ "frames": passed.frames, "bytes": passed.bytes })
}

/// No clock is better than that.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}

fn name(end: Role) -> &'static str {
    match end {
        Role::Client => "client",
        Role::Server => "server",
    }
}
