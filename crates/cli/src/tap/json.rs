//! What happens, for machines.

use std::time::Duration;

use fullduplex_net::proto::{Observed, Opcode, Role};
use http::HeaderMap;
use serde_json::{Value, json};

use super::happening::Happening;
use super::lane::Passed;
use super::screen::When;
use super::text::{kind_of, text_of};
use crate::output::hex;

pub(super) fn listening(url: &str, target: &str) -> Value {
    json!({ "event": "listening", "url": url, "target": target })
}

pub(super) fn event(when: When, happening: &Happening<'_>) -> Value {
    let mut event = match happening {
        Happening::Request(peer, request) => json!({
            "event": "request", "peer": peer.to_string(), "method": request.method().as_str(),
            "target": request.uri().to_string(), "headers": headers(request.headers()),
        }),
        Happening::Response(response) => json!({
            "event": "response", "status": response.status().as_u16(),
            "headers": headers(response.headers()),
        }),
        Happening::Frame(from, observed) => frame("frame", *from, observed),
        Happening::End(from, Some(cut)) => frame("end", *from, cut),
        Happening::End(from, None) => json!({ "event": "end", "from": name(*from) }),
        Happening::Broken(end, error) => {
            json!({ "event": "broken", "from": name(*end), "error": error.to_string() })
        }
        Happening::Failed(reason) => json!({ "event": "failed", "error": reason }),
        Happening::Over(client, server) => {
            json!({ "event": "over", "client": passed(*client), "server": passed(*server) })
        }
    };
    event["connection"] = json!(when.connection);
    event["time"] = seconds(when.time);
    event["since"] = seconds(when.since);
    event
}

/// A frame that has passed, or with `passed` below `length`, that was under way at the end.
fn frame(event: &str, from: Role, frame: &Observed) -> Value {
    let mut value = json!({
        "event": event, "from": name(from),
        "fin": frame.fin, "reserved": frame.reserved, "opcode": frame.opcode,
        "kind": kind_of(frame.opcode), "length": frame.payload_len, "passed": frame.passed,
        "mask": frame.mask.map(|key| hex(&key.0)), "compressed": frame.compressed,
        "content_length": frame.content_len,
    });
    let is_close = frame.opcode == Opcode::Close as u8;
    if let Some(code) = frame.content.first_chunk().filter(|_| is_close) {
        value["code"] = json!(u16::from_be_bytes(*code));
        value["reason"] = json!(String::from_utf8_lossy(&frame.content[2..]));
    }
    match text_of(frame) {
        Some(text) => value["text"] = json!(text),
        None => value["hex"] = json!(hex(&frame.content)),
    }
    if let Some(violation) = &frame.violation {
        value["violation"] = json!(violation.to_string());
    }
    if frame.after_close {
        value["after_close"] = json!(true);
    }
    value
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let owned = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(owned).collect()
}

fn passed(passed: Passed) -> Value {
    json!({ "frames": passed.frames, "bytes": passed.bytes })
}

/// No clock is better than that.
fn seconds(time: Duration) -> Value {
    json!(time.as_micros() as f64 / 1e6)
}

fn name(end: Role) -> &'static str {
    match end {
        Role::Client => "client",
        Role::Server => "server",
    }
}
